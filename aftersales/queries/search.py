"""Finds tickets by the words in them: numbers, waybills, buyer, and what people wrote (bigrams.py says what is what).

A question of several words finds the tickets that have all of them, each in whatever text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Select,
    Text,
    and_,
    column,
    func,
    literal,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from aftersales import bigrams, search_index
from aftersales.database import reading
from aftersales.models import metadata, search

_TICKET, _SHOP = metadata.tables["ticket"], metadata.tables["shop"]
_IN_SQLITE = table(search.NAME, column("rowid", BigInteger))
_IN_POSTGRES = table(
    search.NAME, column("ticket_id", BigInteger), column("texts", Text), column("pairs", ARRAY(Text))
)  # fmt: skip
#: rows looked at for `found`; of a word that is in more tickets than that, the older ones are not shown
LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Found:
    """What the palette shows of a ticket."""

    id: int
    shop_id: int
    shop: str
    number: str
    workflow: str
    state: str
    buyer: str
    order_no: str
    due_at: datetime | None
    closed_at: datetime | None


def matching(dialect: str, text: str) -> ColumnElement[bool]:
    """A condition on ticket.id, for the filters of a query over `ticket`. Without a word: every ticket."""
    words = bigrams.asked(text)
    return and_(true(), *(_TICKET.c.id.in_(_SAID[dialect](word)) for word in words))


def found(engine: Engine, text: str, *, shops: Sequence[int] | None = None, limit: int = 10) -> list[Found]:
    """Tickets with these words, open ones first, the newest first. `shops`: only theirs. Nothing without a word."""
    if not bigrams.asked(text):
        return []
    with reading(engine) as connection:
        ids = _newest(connection, text, shops)
        columns = (_SHOP.c.name.label("shop") if name == "shop" else _TICKET.c[name] for name in _FIELDS)
        statement = select(*columns).join_from(_TICKET, _SHOP, _SHOP.c.id == _TICKET.c.shop_id)
        rows = [Found(*row) for row in connection.execute(statement.where(_TICKET.c.id.in_(ids)))]
    rows.sort(key=lambda row: (row.closed_at is not None, -row.id))
    return rows[:limit]


_FIELDS = tuple(Found.__dataclass_fields__)


def _newest(connection: Connection, text: str, shops: Sequence[int] | None) -> list[int]:
    """Ids, the newest first, LOOKED_AT at most."""
    statement = select(_TICKET.c.id).where(matching(connection.dialect.name, text))
    if shops is not None:
        statement = statement.where(_TICKET.c.shop_id.in_(shops))
    return list(connection.execute(statement.order_by(_TICKET.c.id.desc()).limit(LOOKED_AT)).scalars())


# ── one word, on each database: the ids of the tickets that have it ──


def _in_sqlite(word: str) -> Select[Any]:
    """A phrase of its pairs; of a single character, whatever begins with it."""
    pairs = bigrams.pairs(word)
    phrase = f'"{search_index.phrase(pairs or [word])}"{"" if pairs else " *"}'
    # FTS5 is asked by the name of its table
    return select(_IN_SQLITE.c.rowid.op(">>")(search.SEQ_BITS)).where(column(search.NAME, Text).match(phrase))


def _in_postgres(word: str) -> Select[Any]:
    """All its pairs are there, and in the text they stand in order."""
    pairs = literal(bigrams.pairs(word) or [word], ARRAY(Text))
    columns = _IN_POSTGRES.c
    return select(columns.ticket_id).where(columns.pairs.contains(pairs), func.strpos(columns.texts, word) > 0)


_SAID = {"sqlite": _in_sqlite, "postgresql": _in_postgres}
