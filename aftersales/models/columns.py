"""Column types that mean the same on both databases, and the words tables are written in.

SQLite tables are STRICT, which knows INTEGER and TEXT only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

from aftersales.rows import from_json, sqlite_instant, to_json


class Whole(TypeDecorator[int]):
    """An id, a count, or money in 分: 64 bits on both databases."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())


class YesNo(TypeDecorator[bool]):
    """BOOLEAN; 0 or 1 on SQLite."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else Boolean())

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> Any:
        return int(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime: timestamptz, or TEXT `YYYY-MM-DD HH:MM:SS.ffffff` in UTC, whose order is that of time.

    A naive datetime raises ValueError. What comes back is in UTC.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        return super().coerce_compared_value(op, value) if isinstance(value, timedelta) else self

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        as_text = sqlite_instant(value)  # raises for a naive one
        return as_text if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if isinstance(value, str):
            return datetime.fromisoformat(value + "+00:00")
        return None if value is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSONB; canonical text on SQLite. Instants stand under keys that end in `_at` (see rows.py)."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else JSONB())

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        return self

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return to_json(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return from_json(value) if value is not None and dialect.name == "sqlite" else value


# ── Words for tables ──────────────────────────────────────────────────────────────────────────────────────────────────

metadata = SQLModel.metadata
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

STRICT = {"sqlite_strict": True}
#: found by their whole primary key, so the key is the table
KEYED = {"sqlite_strict": True, "sqlite_with_rowid": False}
#: rows that change or go all the time: without this PostgreSQL cleans up far too late (trap D9)
BUSY = {"sqlite_strict": True, "postgresql_with": {"autovacuum_vacuum_scale_factor": 0.02}}


def where(condition: str) -> dict[str, Any]:
    """The condition of a partial index, for both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def check(name: str, condition: str) -> CheckConstraint:
    return CheckConstraint(text(condition), name=name)


def id_() -> Any:
    return Field(default=None, sa_type=Whole, primary_key=True)


def key(sa_type: type[Any] = Text) -> Any:
    return Field(sa_type=sa_type, primary_key=True, sa_column_kwargs={"autoincrement": False})


def ref(target: str, **rest: Any) -> Any:
    """An id of another table; `key=True` makes it part of the primary key."""
    key = rest.pop("key", False)
    kwargs = {"autoincrement": False} if key else {}
    return Field(sa_type=Whole, sa_column_args=[ForeignKey(target)], primary_key=key, sa_column_kwargs=kwargs)


def whole(**default: Any) -> Any:
    return Field(sa_type=Whole, **default)


def text_(**default: Any) -> Any:
    return Field(sa_type=Text, **default)


def instant(**default: Any) -> Any:
    return Field(sa_type=Instant, **default)


def json_(make: type[Any]) -> Any:
    return Field(default_factory=make, sa_type=Json)
