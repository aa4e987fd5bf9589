"""What those who run the product watch."""

from __future__ import annotations

from sqlmodel import SQLModel

from aftersales.models.columns import BUSY, KEYED, key, whole


class MeterRow(SQLModel, table=True):
    """A count that only goes up, of all schedulers there ever were: see meters.py."""

    __tablename__ = "meter"
    __table_args__ = (BUSY | KEYED,)

    name: str = key()
    value: int = whole(default=0)
