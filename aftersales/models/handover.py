"""What one shift tells the next."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from aftersales.models.columns import STRICT, YesNo, check, id_, instant, json_, text_, where


class HandoverRow(SQLModel, table=True):
    """A note from one account to another: kept as a draft, handed over, then acknowledged.

    `tickets` are those that it offers, `moved` those that then went to the receiver: lists of ticket ids.
    """

    __tablename__ = "handover"
    __table_args__ = (
        UniqueConstraint("key"),
        check("handed_before_seen", "seen_at IS NULL OR handed_at IS NOT NULL"),
        check("not_to_oneself", "from_login <> to_login"),
        # each person has one draft
        Index("uq_handover_draft", "from_login", unique=True, **where("handed_at IS NULL")),
        # what somebody has not seen yet: asked for on every page
        Index("ix_handover_unseen", "to_login", **where("handed_at IS NOT NULL AND seen_at IS NULL")),
        STRICT,
    )

    id: int | None = id_()
    #: of the form: the same one sent twice hands over once
    key: str = text_()
    from_login: str = text_()
    #: "" in a draft that has no receiver yet
    to_login: str = text_(default="")
    text: str = text_(default="")
    #: the receiver is asked to say that it was read
    asks_to_confirm: bool = Field(default=True, sa_type=YesNo)
    tickets: list[int] = json_(list)
    moved: list[int] = json_(list)
    written_at: datetime = instant()
    handed_at: datetime | None = instant(default=None)
    seen_at: datetime | None = instant(default=None)
