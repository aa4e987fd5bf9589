"""Views of the queue that people keep."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from aftersales.models.columns import STRICT, YesNo, id_, instant, text_, whole


class SavedViewRow(SQLModel, table=True):
    """A filter of the queue under a name. `owner`: a login, or "" where nobody signs in; `query`: as in its address."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("owner", "name"), STRICT)

    id: int | None = id_()
    owner: str = text_()
    shared: bool = Field(default=False, sa_type=YesNo)
    name: str = text_()
    query: str = text_()
    position: int = whole(default=0)
    created_at: datetime = instant()
