"""What reports are made of: what was measured of each ticket, its sums by day, and how far the counting got."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import SQLModel

from aftersales.models.columns import BUSY, KEYED, Whole, check, instant, key, text_, whole


class MeasuredRow(SQLModel, table=True):
    """One measure of one ticket. `place` numbers them; all rows of a ticket are written anew when it has moved."""

    __tablename__ = "measured"
    __table_args__ = (Index("ix_measured_of_day", "measure", "day", "ticket_id"), KEYED)

    ticket_id: int = key(Whole)
    place: int = key(Whole)
    shop_id: int = whole()
    #: of Asia/Shanghai, as 2026-10-02
    day: str = text_()
    workflow: str = text_()
    policy: str = text_()
    measure: str = text_()
    person: str = text_()
    cause: str = text_()
    #: seconds or 分, as the measure says; 0 where only the number counts
    amount: int = whole()


class DayRow(SQLModel, table=True):
    """The sums of all `measured` rows that are alike, so that a page adds up days and never tickets."""

    __tablename__ = "measured_day"
    __table_args__ = (BUSY | KEYED,)

    day: str = key()
    shop_id: int = key(Whole)
    workflow: str = key()
    policy: str = key()
    measure: str = key()
    person: str = key()
    cause: str = key()
    count: int = whole()
    amount: int = whole()


class MarkRow(SQLModel, table=True):
    """How far the counting got: one row. `turn` goes up with each step, so that of two at once one wins."""

    __tablename__ = "measured_mark"
    __table_args__ = (check("only_one", "id = 1"), KEYED)

    id: int = key(Whole)
    #: everything up to this event has been counted for good
    event_id: int = whole(default=0)
    turn: int = whole(default=0)
    at: datetime = instant()
