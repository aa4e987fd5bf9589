"""Writes what tickets are found by, in the transaction that wrote the words; finds what is missing and makes it anew.

Rows are only ever added: an event never changes, and what a ticket is called neither. Moves of the clock bring no
words, so the sweep writes nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from aftersales.bigrams import END, NAMED, fold_all, names_of, pairs_of, texts_of, written
from aftersales.database import Connection, Engine, reading, writing
from aftersales.models.search import SEQ_BITS
from aftersales.rows import from_json
from aftersales.ticket import Change

#: (ticket id, seq, folded texts)
Words = tuple[int, int, list[str]]
#: tickets looked through in one transaction
SLICE = 500


def write(connection: Connection, changes: Sequence[Change]) -> None:
    """The words that these changes brought."""
    _insert(connection, [(change.after.id, seq, texts) for change in changes for seq, texts in texts_of(change)])


# ── rows ──


#: SQLite: ASCII is moved above ASCII, to characters of private use, which `folded` leaves out; but spaces part pairs
_MOVED = {number: chr(0xE000 + number) for number in range(128) if number != ord(" ")}


def phrase(pairs: Sequence[str]) -> str:
    """Pairs as SQLite keeps them, one after the other."""
    return " ".join(pairs).translate(_MOVED)


def _insert(connection: Connection, words: Sequence[Words]) -> None:
    if not words:
        return
    statement, row = _HANDS[connection.dialect.name]
    connection.exec_driver_sql(statement, [row(*one) for one in words])


def _sqlite_row(ticket_id: int, seq: int, texts: list[str]) -> tuple[Any, ...]:
    return ticket_id << SEQ_BITS | seq, phrase(pairs_of(texts))


def _postgres_row(ticket_id: int, seq: int, texts: list[str]) -> tuple[Any, ...]:
    return ticket_id, seq, END.join(texts), [*{*pairs_of(texts), *"".join(texts)}]


_HANDS: dict[str, tuple[str, Any]] = {
    "sqlite": ("INSERT INTO ticket_words (rowid, pairs) VALUES (?, ?)", _sqlite_row),
    "postgresql": (
        "INSERT INTO ticket_words (ticket_id, seq, texts, pairs) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        _postgres_row,
    ),
}


# ── what is missing ──

_NEXT = "SELECT id FROM ticket WHERE id > {mark} ORDER BY id LIMIT {mark}"
_TOLD = f"""
SELECT e.ticket_id, e.seq, e.facts, t.fields, {", ".join(f"t.{name}" for name in NAMED)}
FROM ticket_event e JOIN ticket t ON t.id = e.ticket_id
WHERE e.ticket_id BETWEEN {{mark}} AND {{mark}} ORDER BY e.ticket_id, e.seq
"""  # noqa: S608 -- names
_THERE = {
    "sqlite": f"SELECT id >> {SEQ_BITS}, id & {(1 << SEQ_BITS) - 1} FROM ticket_words_docsize "  # noqa: S608
    f"WHERE id >= ? << {SEQ_BITS} AND id < (? + 1) << {SEQ_BITS}",
    "postgresql": "SELECT ticket_id, seq FROM ticket_words WHERE ticket_id BETWEEN %s AND %s",
}
_CLEAR = {
    "sqlite": "INSERT INTO ticket_words (ticket_words) VALUES ('delete-all')",
    "postgresql": "TRUNCATE ticket_words",
}


def fill(connection: Connection) -> int:
    """Writes every row that is missing, in this transaction. Returns how many."""
    added, after = 0, 0
    while (found := _missing_after(connection, after)) is not None:
        after, words = found
        _insert(connection, words)
        added += len(words)
    return added


def missing(engine: Engine) -> Iterator[int]:
    """The ids of the tickets that cannot be found by everything that was written in them."""
    after = 0
    while True:
        with reading(engine) as connection:
            found = _missing_after(connection, after)
        if found is None:
            return
        after, words = found
        yield from dict.fromkeys(ticket_id for ticket_id, _, _ in words)


def rebuild(engine: Engine) -> int:
    """Makes the index anew, a slice in each transaction, so that people can work. Returns how many rows there are.

    Until it is through, not everything is found.
    """
    with writing(engine) as connection:
        connection.exec_driver_sql(_CLEAR[connection.dialect.name])
    added, after = 0, 0
    while True:
        with writing(engine) as connection:
            found = _missing_after(connection, after)
            if found is None:
                return added
            after, words = found
            _insert(connection, words)
        added += len(words)


def _missing_after(connection: Connection, after: int) -> tuple[int, list[Words]] | None:
    """(the last ticket looked at, the rows that the next SLICE of tickets lacks); None if there are no more tickets."""
    mark = {"sqlite": "?", "postgresql": "%s"}[connection.dialect.name]
    ids = connection.exec_driver_sql(_NEXT.format(mark=mark), (after, SLICE)).scalars().all()
    if not ids:
        return None
    span = (ids[0], ids[-1])
    there = {(row[0], row[1]) for row in connection.exec_driver_sql(_THERE[connection.dialect.name], span)}
    told = connection.exec_driver_sql(_TOLD.format(mark=mark), span)
    words = [(row.ticket_id, row.seq, _texts(row)) for row in told if (row.ticket_id, row.seq) not in there]
    return ids[-1], [one for one in words if one[2]]


def _texts(row: Any) -> list[str]:
    """Of an event: as bigrams.texts_of, but from the stored row."""
    texts = written(_decoded(row.facts))
    if row.seq == 1:
        texts = [*names_of(row), *texts, *written(_decoded(row.fields))]
    return fold_all(texts)


def _decoded(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = from_json(value) if isinstance(value, str) else value
    return found
