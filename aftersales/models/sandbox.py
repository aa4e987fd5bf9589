"""The mark of a training ground: a database whose clock people may move."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import SQLModel

from aftersales.models.columns import KEYED, Whole, check, instant, key, whole


class SandboxRow(SQLModel, table=True):
    """One row in a training ground, none anywhere else."""

    __tablename__ = "sandbox"
    __table_args__ = (check("only_one", "id = 1"), check("only_forward", "ahead_seconds >= 0"), KEYED)

    id: int = key(Whole)
    #: how far its clock runs ahead of the real one
    ahead_seconds: int = whole(default=0)
    made_at: datetime = instant()
