"""Who is looking at what, just now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import SQLModel

from aftersales.models.columns import KEYED, instant, ref, text_


class PresenceRow(SQLModel, table=True):
    """Somebody has a ticket open. `at`: last heard of; `doing`: the form they fill in, by its name, else empty."""

    __tablename__ = "presence"
    __table_args__ = (Index("ix_presence_ticket", "ticket_id"), KEYED)

    account_id: int = ref("account.id", key=True)
    ticket_id: int = ref("ticket.id", key=True)
    since: datetime = instant()
    at: datetime = instant()
    doing: str = text_(default="")
