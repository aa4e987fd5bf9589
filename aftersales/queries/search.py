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
#: rows looked at for `found`; of a word that is in more, the older tickets are not shown
LOOKED_AT = 200
#: a word in more rows than this is common
COMMON = 10_000
#: of a word in fewer rows each is looked at for the other words; else the tickets with those are listed first
FEW = 500


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
    """A condition on ticket.id, for the filters of a query over `ticket`. Without a word: every ticket.

    It begins with the tickets that have the words: for counts, and for words that few tickets have.
    """
    return and_(true(), *(_TICKET.c.id.in_(_HAVING[dialect](word)) for word in bigrams.asked(text)))


def walked(connection: Connection, text: str) -> tuple[ColumnElement[bool], bool]:
    """The same for a query that walks along an index and stops after a page; and whether every word is common.

    SQLite would begin with all the tickets of a common word, and sort them: `+ 0` keeps it on its way, looking up each.
    """
    if connection.dialect.name != "sqlite":
        return matching(connection.dialect.name, text), False
    words = _counted(connection, text)
    of = (_TICKET.c.id if rows < FEW else _TICKET.c.id + 0 for _, rows in words)
    condition = and_(true(), *(id.in_(_in_sqlite(word)) for id, (word, _) in zip(of, words, strict=True)))
    return condition, bool(words) and words[0][1] == COMMON


def each(connection: Connection, text: str) -> ColumnElement[bool]:
    """The same for a query of few tickets, whose words are looked at ticket by ticket."""
    return and_(true(), *(_has(connection, word) for word in bigrams.asked(text)))


def found(engine: Engine, text: str, *, shops: Sequence[int] | None = None, limit: int = 10) -> list[Found]:
    """Tickets with these words, open ones first, the newest first. `shops`: only theirs. Nothing without a word."""
    columns = (_SHOP.c.name.label("shop") if name == "shop" else _TICKET.c[name] for name in _FIELDS)
    statement = select(*columns).join_from(_TICKET, _SHOP, _SHOP.c.id == _TICKET.c.shop_id)
    with reading(engine) as connection:
        ids = _newest(connection, text, shops)
        rows = [Found(*row) for row in connection.execute(statement.where(_TICKET.c.id.in_(ids)))] if ids else []
    rows.sort(key=lambda row: (row.closed_at is not None, -row.id))
    return rows[:limit]


_FIELDS = tuple(Found.__dataclass_fields__)


def _newest(connection: Connection, text: str, shops: Sequence[int] | None) -> set[int]:
    """Ids of tickets with all words, the newest, LOOKED_AT at most: along the rows of the rarest word."""
    words = bigrams.asked(text)
    if not words:
        return set()
    (rarest, rows), *others = [(words[0], 0)] if len(words) == 1 else _counted(connection, text)
    dialect = connection.dialect.name
    along = _ALONG[dialect](rarest).join(_TICKET, _TICKET.c.id == _ID[dialect])
    for word, _ in others:
        along = along.where(_has(connection, word) if rows < FEW else _TICKET.c.id.in_(_HAVING[dialect](word)))
    if shops is not None:
        along = along.where(_TICKET.c.shop_id.in_(shops))
    return set(connection.execute(along.limit(LOOKED_AT)).scalars())


def _counted(connection: Connection, text: str) -> list[tuple[str, int]]:
    """(word, rows that have it, COMMON at most), the rarest first."""
    counted = []
    for word in bigrams.asked(text):
        rows = _HAVING[connection.dialect.name](word).limit(COMMON).subquery()
        counted.append((word, connection.execute(select(func.count()).select_from(rows)).scalar_one()))
    return sorted(counted, key=lambda one: one[1])


def _has(connection: Connection, word: str) -> ColumnElement[bool]:
    """The ticket of the query around this has the word."""
    return _OF_TICKET[connection.dialect.name](word).exists()


# ── one word, on each database: the ids of the tickets that have it; the newest first; and of one ticket ──

_ID: dict[str, ColumnElement[int]] = {
    "sqlite": _IN_SQLITE.c.rowid.op(">>")(search.SEQ_BITS),
    "postgresql": _IN_POSTGRES.c.ticket_id,
}


def _matched(word: str) -> ColumnElement[bool]:
    """SQLite: a phrase of its pairs; of a single character, whatever begins with it."""
    pairs = bigrams.pairs(word)
    phrase = f'"{search_index.phrase(pairs or [word])}"{"" if pairs else " *"}'
    return column(search.NAME, Text).match(phrase)  # FTS5 is asked by the name of its table


def _in_sqlite(word: str) -> Select[Any]:
    return select(_ID["sqlite"]).where(_matched(word))


def _of_ticket_in_sqlite(word: str) -> Select[Any]:
    first = _TICKET.c.id.op("<<")(search.SEQ_BITS)
    last = (_TICKET.c.id + 1).op("<<")(search.SEQ_BITS)
    rowid = _IN_SQLITE.c.rowid
    return select(rowid).where(_matched(word), rowid >= first, rowid < last).correlate(_TICKET)


def _in_postgres(word: str) -> Select[Any]:
    """All its pairs are there, and in the text they stand in order."""
    pairs = literal(bigrams.pairs(word) or [word], ARRAY(Text))
    return select(_ID["postgresql"]).where(_IN_POSTGRES.c.pairs.contains(pairs), _stands(word))


def _of_ticket_in_postgres(word: str) -> Select[Any]:
    return select(_ID["postgresql"]).where(_ID["postgresql"] == _TICKET.c.id, _stands(word)).correlate(_TICKET)


def _stands(word: str) -> ColumnElement[bool]:
    return func.strpos(_IN_POSTGRES.c.texts, word) > 0


_HAVING = {"sqlite": _in_sqlite, "postgresql": _in_postgres}
_ALONG = {
    "sqlite": lambda word: _in_sqlite(word).order_by(_IN_SQLITE.c.rowid.desc()),
    "postgresql": lambda word: _in_postgres(word).order_by(_ID["postgresql"].desc()),
}
_OF_TICKET = {"sqlite": _of_ticket_in_sqlite, "postgresql": _of_ticket_in_postgres}
