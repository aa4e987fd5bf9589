"""The few statements that must be fast: load, claim, write. Set-wise, on both databases; no business rule in here.

The same code writes one change or a thousand. Each function takes the connection of a transaction (`writing` or
`reading` of database.py); nothing is kept unless the caller's transaction commits.

SQLite: `executemany` (measured 3 times faster than `json_each`). PostgreSQL: COPY, for updates into a temporary table
(1.1 times the cost of the bare UPDATE; arrays and `unnest` 1.3, JSON 1.6, row by row 2.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Literal, overload

from sqlalchemy import Connection, CursorResult
from sqlalchemy.dialects import postgresql

from aftersales import clock
from aftersales.database import Violation, copying_failed
from aftersales.models import metadata
from aftersales.rows import (
    EVENT,
    FIXED,
    MARKS,
    MOVING,
    OUTBOX,
    RESTING,
    TICKET,
    Instants,
    clocks_to_json,
    entry_from_row,
    event_hash,
    event_values,
    fixed_values,
    marks,
    marks_values,
    moving_values,
    outbox_values,
    resting,
    resting_values,
    sqlite_instant,
    ticket_from_row,
)
from aftersales.ticket import Attachment, Change, Entry, Event, Ticket

__all__ = [
    "Stale",
    "Taken",
    "attach",
    "beat",
    "claim_due",
    "due_ids",
    "event_hash",
    "find_platform_no",
    "histories",
    "history",
    "keep_rule_file",
    "link",
    "linked",
    "load",
    "load_by_number",
    "meter",
    "next_alarm",
    "next_ids",
    "next_numbers",
    "open_ticket_on",
    "provisional_ids",
    "refunded_on",
    "remember",
    "remembered",
    "rule_file",
    "rule_file_names",
    "set_aside",
    "shop_id_of",
    "tell_schedulers",
    "waybill_used",
    "write",
]


class Stale(Exception):
    """These tickets were changed by somebody else since they were loaded; nothing may be kept."""

    def __init__(self, ticket_ids: Sequence[int]) -> None:
        super().__init__(f"changed by somebody else: {', '.join(map(str, ticket_ids))}")
        self.ticket_ids = tuple(ticket_ids)


class Taken(Exception):
    """Somebody else has it already. `what`: waybill, open_key, platform_no, number, command, link, attachment."""

    def __init__(self, what: str) -> None:
        super().__init__(f"already taken: {what}")
        self.what = what


_TAKEN = {
    "pk_waybill": "waybill",
    "uq_ticket_i31_open_key": "open_key",
    "uq_ticket_platform_no": "platform_no",
    "uq_ticket_shop_id_number": "number",
    "pk_command": "command",
    "pk_ticket_link": "link",
    "uq_attachment_ticket_id_sha256": "attachment",
}


# ── One SQL for both: `?` for parameters, and the few words that differ ───────────────────────────────────────────────

_WORDS = {
    "sqlite": {
        "{ids}": "IN (SELECT value FROM json_each(?))",
        "{lock}": "",
        "{claim}": "",
        "{ticket}": ", ".join(f"ticket.{name}" for name in TICKET),
        "{facts}": "facts",
    },
    "postgresql": {
        "{ids}": "= ANY(?)",
        # enough against other writers, and unlike FOR UPDATE not in the way of foreign keys that point here
        "{lock}": "FOR NO KEY UPDATE",
        "{claim}": "FOR NO KEY UPDATE SKIP LOCKED",
        "{ticket}": ", ".join(
            f"ticket.{name}::text" if name in ("fields", "flags", "clocks", "paused") else f"ticket.{name}"
            for name in TICKET
        ),
        "{facts}": "facts::text",
        "?": "%s",
    },
}


@cache
def _spoken(dialect: str, statement: str) -> str:
    for word, said in _WORDS[dialect].items():
        statement = statement.replace(word, said)
    return statement


def _run(connection: Connection, statement: str, *parameters: Any) -> CursorResult[Any]:
    return connection.exec_driver_sql(_spoken(connection.dialect.name, statement), parameters)


def _fetch(connection: Connection, statement: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
    """The driver's own rows: SQLAlchemy's cost as much again as a whole ticket."""
    cursor = _run(connection, statement, *parameters).cursor
    assert cursor is not None
    return cursor.fetchall()


def _ids(connection: Connection, ids: Sequence[int]) -> Any:
    return f"[{','.join(map(str, ids))}]" if connection.dialect.name == "sqlite" else list(ids)


def _at(connection: Connection, instant: datetime | None) -> Any:
    return sqlite_instant(instant) if instant is not None and connection.dialect.name == "sqlite" else instant


def _instant(value: Any) -> datetime:
    return datetime.fromisoformat(value + "+00:00") if isinstance(value, str) else value


# ── Ids and numbers ───────────────────────────────────────────────────────────────────────────────────────────────────


def next_ids(connection: Connection, n: int) -> Sequence[int]:
    """`n` ticket ids that nobody else has or gets. On SQLite the write lock keeps others out until the commit."""
    if connection.dialect.name == "sqlite":
        ((last,),) = _fetch(connection, "SELECT coalesce(max(id), 0) FROM ticket")
        return range(last + 1, last + 1 + n)
    rows = _fetch(connection, "SELECT nextval(pg_get_serial_sequence('ticket', 'id')) FROM generate_series(1, ?)", n)
    return [number for (number,) in rows]


COUNT_UP = """
INSERT INTO counter (shop_id, name, value) VALUES (?, ?, ?)
ON CONFLICT (shop_id, name) DO UPDATE SET value = counter.value + excluded.value
RETURNING value
"""


def next_numbers(connection: Connection, shop_id: int, workflow_prefix: str, day: date, n: int) -> list[str]:
    """The next `n` numbers like EX-221001-0042. `day`: the day of opening in Shanghai. Each starts at 1 daily."""
    name = f"{workflow_prefix}-{day:%y%m%d}"
    ((last,),) = _fetch(connection, COUNT_UP, shop_id, name, n)
    return [f"{name}-{number:04d}" for number in range(last - n + 1, last + 1)]


@overload
def shop_id_of(connection: Connection, name: str, create: Literal[True] = True) -> int: ...
@overload
def shop_id_of(connection: Connection, name: str, create: bool) -> int | None: ...
def shop_id_of(connection: Connection, name: str, create: bool = True) -> int | None:
    """The id of the shop of this name, which is added unless told not to; then None if there is none."""
    found = _fetch(connection, "SELECT id FROM shop WHERE name = ?", name)
    if not found and create:
        insert = "INSERT INTO shop (name, created_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
        _run(connection, insert, name, _at(connection, clock.now()))
        found = _fetch(connection, "SELECT id FROM shop WHERE name = ?", name)
    return found[0][0] if found else None


# ── Loading ───────────────────────────────────────────────────────────────────────────────────────────────────────────

LOAD = "SELECT {ticket} FROM ticket WHERE id {ids}"
LOAD_BY_NUMBER = "SELECT {ticket} FROM ticket WHERE shop_id = ? AND number = ?"

#: The scheduler's question. ORDER BY and LIMIT are what makes PostgreSQL's generic plan use the index on alarm_at;
#: SKIP LOCKED lets schedulers work side by side and passes over a ticket that a person is just now moving.
CLAIM_DUE = """
SELECT {ticket} FROM ticket WHERE alarm_at < ? ORDER BY alarm_at, id LIMIT ? {claim}
"""

DUE_IDS = "SELECT id FROM ticket WHERE alarm_at < ? ORDER BY alarm_at, id LIMIT ?"

#: Asked before each sleep; with a million armed tickets it must touch the first entry of the index and nothing else.
NEXT_ALARM = "SELECT alarm_at FROM ticket WHERE alarm_at IS NOT NULL ORDER BY alarm_at LIMIT 1"

HISTORY = """
SELECT ticket_id, seq, kind, "trigger", actor, at, {facts} FROM ticket_event WHERE ticket_id {ids}
ORDER BY ticket_id, seq
"""


def load(connection: Connection, ids: Sequence[int], *, lock: bool = False) -> list[Ticket]:
    """These tickets, in the order asked for, without those that do not exist.

    `lock` (PostgreSQL; on SQLite every writer is alone): others who want to change them wait until the commit. Rows
    are locked in the order of ids, so that two who want the same never wait for each other.
    """
    statement = f"{LOAD} ORDER BY id {{lock}}" if lock else LOAD
    rows = _fetch(connection, statement, _ids(connection, ids))
    if len(rows) < 2:
        return [ticket_from_row(row) for row in rows]
    found = {row[0]: row for row in rows}
    return [ticket_from_row(found[number]) for number in ids if number in found]


def load_by_number(connection: Connection, shop_id: int, number: str, *, lock: bool = False) -> Ticket | None:
    rows = _fetch(connection, f"{LOAD_BY_NUMBER} {{lock}}" if lock else LOAD_BY_NUMBER, shop_id, number)
    return ticket_from_row(rows[0]) if rows else None


def claim_due(connection: Connection, now: datetime, limit: int) -> list[Ticket]:
    """Tickets whose alarm is before `now`, the longest waiting first, kept from everybody else until the commit."""
    return [ticket_from_row(row) for row in _fetch(connection, CLAIM_DUE, _at(connection, now), limit)]


def due_ids(connection: Connection, now: datetime, limit: int) -> list[int]:
    """The tickets that `claim_due` would take, without taking them."""
    return [number for (number,) in _fetch(connection, DUE_IDS, _at(connection, now), limit)]


def provisional_ids(connection: Connection) -> list[int]:
    """Open tickets with a due time that went through a year not published yet."""
    rows = _fetch(connection, "SELECT id FROM ticket WHERE alarm_at IS NOT NULL AND provisional ORDER BY id")
    return [number for (number,) in rows]


def next_alarm(connection: Connection) -> datetime | None:
    """When the scheduler must look again; None if no ticket has an alarm."""
    rows = _fetch(connection, NEXT_ALARM)
    return _instant(rows[0][0]) if rows else None


def history(connection: Connection, ticket_id: int) -> list[Entry]:
    """All that happened to a ticket, oldest first."""
    return histories(connection, [ticket_id])[ticket_id]


def histories(connection: Connection, ids: Sequence[int]) -> dict[int, list[Entry]]:
    """The same for many tickets at once."""
    found: dict[int, list[Entry]] = {number: [] for number in ids}
    for ticket_id, *entry in _fetch(connection, HISTORY, _ids(connection, ids)):
        found[ticket_id].append(entry_from_row(entry))
    return found


# ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────

MARKED = (*MOVING, *MARKS)
WHOLE = (*MARKED, *RESTING)

#: the events that the outside is told of
_TOLD = frozenset({"move", "reminder", "target", "deadline"})

PAY = """
INSERT INTO payment (shop_id, ticket_id, purpose, amount_fen, status, idempotency_key, tried_at, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (ticket_id, purpose) DO UPDATE SET
    status = excluded.status,
    amount_fen = excluded.amount_fen,
    -- a retry keeps its key, so that the money leaves once; only another amount is another order
    idempotency_key = CASE WHEN payment.amount_fen = excluded.amount_fen THEN payment.idempotency_key
                           ELSE excluded.idempotency_key END,
    tried_at = CASE WHEN excluded.status = 'ordered' THEN excluded.tried_at ELSE payment.tried_at END
"""

USE_WAYBILL = "INSERT INTO waybill (shop_id, waybill_no, ticket_id, seq) VALUES (?, ?, ?, ?)"


def write(connection: Connection, changes: Sequence[Change], *, command_key: str | None = None) -> None:
    """Write these changes whole: tickets, events, payments, waybills, and what the outside is to be told.

    Several changes of one ticket are written as one; they must follow on. `last_hash` of `change.after` is not looked
    at: only this function knows it, and remembers it for a later change of the same transaction.

    Raises Stale if a ticket is no longer at `before.version`, Taken if a waybill, open key, platform number or ticket
    number belongs to another, Violation for every other constraint. Then the caller's transaction must roll back.
    """
    batch = _Batch(command_key, _heads(connection))
    for change in _one_each(changes):
        batch.add(change)
    with _naming_what_is_taken():
        batch.write(connection)


def _heads(connection: Connection) -> dict[int, str]:
    """The newest hash of each ticket that this transaction has written: `change.before` may be older than that."""
    transaction, kept = connection.get_transaction(), connection.info.get("heads")
    if kept is None or kept[0] is not transaction:
        kept = connection.info["heads"] = (transaction, {})
    heads: dict[int, str] = kept[1]
    return heads


def _one_each(changes: Sequence[Change]) -> Sequence[Change]:
    """The same changes, those of one ticket made into one."""
    if len({change.after.id for change in changes}) == len(changes):
        return changes
    merged: dict[int, Change] = {}
    for change in changes:
        first = merged.setdefault(change.after.id, change)
        if first is change:
            continue
        if change.before is None or change.before.version != first.after.version:
            raise Stale([change.after.id])
        merged[change.after.id] = change._replace(
            before=first.before,
            events=first.events + change.events,
            payments=first.payments + change.payments,
            waybills=first.waybills + change.waybills,
        )
    return list(merged.values())


@contextmanager
def _naming_what_is_taken() -> Iterator[None]:
    try:
        yield
    except Violation as refused:
        if refused.constraint not in _TAKEN:
            raise
        raise Taken(_TAKEN[refused.constraint]) from None


class _Batch:
    """The rows of many changes, kind by kind, as both databases take them."""

    def __init__(self, command_key: str | None, heads: dict[int, str]) -> None:
        self.command_key = command_key
        self.heads = heads
        self.instants = Instants()
        #: by the columns that changed: their values, then what the row must be: id, version, last_hash
        self.updates: dict[tuple[str, ...], list[tuple[Any, ...]]] = {MOVING: [], MARKED: [], WHOLE: []}
        self.new: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.outbox: list[tuple[Any, ...]] = []
        self.payments: list[tuple[Any, ...]] = []
        self.waybills: list[tuple[Any, ...]] = []

    def add(self, change: Change) -> None:
        before, ticket, instants = change.before, change.after, self.instants
        if ticket.version != (before.version if before else 0) + len(change.events):
            raise ValueError(f"{ticket.number}: version {ticket.version} does not count its events")
        clocks = clocks_to_json(ticket.clocks, instants)
        previous = self.heads.get(ticket.id, before.last_hash) if before else ""
        head = self.heads[ticket.id] = self._seal(change, clocks, previous)
        moving = moving_values(ticket, clocks, head, instants)
        if before is not None and marks(before) == marks(ticket) and resting(before) == resting(ticket):
            self.updates[MOVING].append((*moving, ticket.id, before.version, previous))
        else:
            self._add_more(before, ticket, (*moving, *marks_values(ticket, instants)), previous)
        if change.payments:
            self._pay(change)
        for waybill_no in change.waybills:
            self.waybills.append((ticket.shop_id, waybill_no, ticket.id, ticket.version))

    def _add_more(self, before: Ticket | None, ticket: Ticket, marked: tuple[Any, ...], previous: str) -> None:
        """More than MOVING: a new ticket, or a change that touches what most leave alone."""
        if before is not None and resting(before) == resting(ticket):
            self.updates[MARKED].append((*marked, ticket.id, before.version, previous))
            return
        whole = (*marked, *resting_values(ticket, self.instants))
        if before is None:
            self.new.append((*fixed_values(ticket, self.instants), *whole, 0))
        else:
            self.updates[WHOLE].append((*whole, ticket.id, before.version, previous))

    def _seal(self, change: Change, clocks: str, head: str) -> str:
        """Chain the events to `head`, the hash before them; returns that of the last."""
        ticket, instants = change.after, self.instants
        for event in change.events:
            running = clocks if event.clocks is ticket.clocks else clocks_to_json(event.clocks, instants)
            row = event_values(head, ticket, event, running, self.command_key, instants)
            head = row[-1]
            self.events.append(row)
            if event.kind in _TOLD:
                self.outbox.append(outbox_values(ticket, event, instants))
        return head

    def _pay(self, change: Change) -> None:
        ticket, (recorded_at, _) = change.after, self.instants[change.events[-1].recorded_at]
        for payment in change.payments:
            key = f"{ticket.shop_id}:{ticket.number}:{payment.purpose}:{ticket.version}"
            values = (ticket.shop_id, ticket.id, payment.purpose, payment.amount_fen, payment.status, key)
            self.payments.append((*values, recorded_at, recorded_at))

    def write(self, connection: Connection) -> None:
        update, insert = _HANDS[connection.dialect.name]
        for columns, rows in self.updates.items():
            if update(connection, columns, rows) != len(rows):
                raise Stale(self._not_written(connection, columns))
        insert(connection, "ticket", (*FIXED, *WHOLE, "trouble_count"), self.new)
        insert(connection, "ticket_event", EVENT, self.events)
        insert(connection, "outbox", OUTBOX, self.outbox)
        _run_many(connection, PAY, self.payments)
        _run_many(connection, USE_WAYBILL, self.waybills)

    def _not_written(self, connection: Connection, columns: tuple[str, ...]) -> list[int]:
        """What was written has the new hash by now; what has another was changed by somebody else.

        Where all have it, somebody else did the very same, and it may be any of them.
        """
        place = columns.index("last_hash")
        wanted = {row[-3]: row[place] for row in self.updates[columns]}
        found = dict(_fetch(connection, "SELECT id, last_hash FROM ticket WHERE id {ids}", _ids(connection, [*wanted])))
        return [number for number, head in wanted.items() if found.get(number) != head] or [*wanted]


def _run_many(connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> int:
    if not rows:
        return 0
    return connection.exec_driver_sql(_spoken(connection.dialect.name, statement), rows).rowcount


def _named(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


# SQLite


@cache
def _update_statement(columns: tuple[str, ...]) -> str:
    values = ", ".join(f'"{name}" = ?' for name in columns)
    return (
        f"UPDATE ticket SET {values}, trouble = NULL, trouble_count = 0 WHERE id = ? AND version = ? AND last_hash = ?"  # noqa: S608
    )


@cache
def _insert_statement(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({_named(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def _sqlite_update(connection: Connection, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> int:
    return _run_many(connection, _update_statement(columns), rows)


def _sqlite_insert(connection: Connection, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    _run_many(connection, _insert_statement(table, columns), rows)


# PostgreSQL


@cache
def _merge_statements(columns: tuple[str, ...]) -> tuple[str, str, str]:
    """A temporary table for the rows of an update (made once a connection), the UPDATE from it, and its name."""
    table = f"changes_of_{len(columns)}"
    types = metadata.tables["ticket"].columns
    spelt = [f'"{name}" {types[name].type.compile(dialect=postgresql.dialect())}' for name in columns]
    spelt += ["of_id bigint", "of_version bigint", "of_hash text"]
    make = f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} ({', '.join(spelt)}) ON COMMIT DELETE ROWS"
    values = ", ".join(f'"{name}" = {table}."{name}"' for name in columns)
    changed = f"UPDATE ticket SET {values}, trouble = NULL, trouble_count = 0 FROM {table}"  # noqa: S608
    same = f"ticket.version = {table}.of_version AND ticket.last_hash = {table}.of_hash"
    update = f"{changed} WHERE ticket.id = {table}.of_id AND {same}"
    return make, update, table


def _postgres_update(connection: Connection, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> int:
    if not rows:
        return 0
    make, update, table = _merge_statements(columns)
    _run(connection, make)
    _postgres_insert(connection, table, (*columns, "of_id", "of_version", "of_hash"), rows)
    return _run(connection, update).rowcount


def _postgres_insert(connection: Connection, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """COPY: a third faster than INSERT from arrays, five times faster than from psycopg's lists."""
    if not rows:
        return
    driver: Any = connection.dialect.dbapi
    cursor: Any = connection.connection.cursor()
    try:
        with cursor.copy(f"COPY {table} ({_named(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    except driver.Error as error:
        raise copying_failed(error, table, connection) from None  # its own text quotes the row


_HANDS = {"sqlite": (_sqlite_update, _sqlite_insert), "postgresql": (_postgres_update, _postgres_insert)}


# ── Links, waybills, keys ─────────────────────────────────────────────────────────────────────────────────────────────

#: only between tickets of one shop (I-25)
LINK = """
INSERT INTO ticket_link (from_id, to_id, relation, shop_id, created_at)
SELECT a.id, b.id, ?, a.shop_id, ? FROM ticket a JOIN ticket b ON b.shop_id = a.shop_id WHERE a.id = ? AND b.id = ?
"""

#: what a link says is said of both ends, so both are looked for
LINKED = """
SELECT relation, {ticket} FROM ticket_link JOIN ticket ON ticket.id = ticket_link.to_id WHERE from_id = ?
UNION ALL
SELECT relation, {ticket} FROM ticket_link JOIN ticket ON ticket.id = ticket_link.from_id WHERE to_id = ?
"""


def link(connection: Connection, from_id: int, to_id: int, relation: str, at: datetime | None = None) -> None:
    """`from_id` is `relation` `to_id`: the new ticket is reopened_from the old one. Taken if it says so already."""
    with _naming_what_is_taken():
        made = _run(connection, LINK, relation, _at(connection, at or clock.now()), from_id, to_id)
    if made.rowcount != 1:
        raise ValueError(f"no link between {from_id} and {to_id}: they are not tickets of one shop")


def linked(connection: Connection, ticket_id: int) -> list[tuple[str, Ticket]]:
    """The tickets linked to this one, in either direction, with the relation; the oldest first."""
    rows = _fetch(connection, LINKED, ticket_id, ticket_id)
    return [(row[0], ticket_from_row(row[1:])) for row in sorted(rows, key=lambda row: row[1])]


def waybill_used(connection: Connection, shop_id: int, waybill_no: str) -> bool:
    return bool(_fetch(connection, "SELECT 1 FROM waybill WHERE shop_id = ? AND waybill_no = ?", shop_id, waybill_no))


OPEN_TICKET_ON = """
SELECT id FROM ticket WHERE shop_id = ? AND workflow = ? AND open_key = ? AND closed_at IS NULL
"""


def open_ticket_on(connection: Connection, shop_id: int, workflow: str, open_key: str) -> int | None:
    """The open ticket of this kind on this item, if there is one (I-31)."""
    rows = _fetch(connection, OPEN_TICKET_ON, shop_id, workflow, open_key)
    return rows[0][0] if rows else None


#: refunds ordered by other tickets and not failed, and compensations, of one item of an order
REFUNDED_ON = """
SELECT coalesce((SELECT sum(refund_fen) FROM ticket
                 WHERE shop_id = ? AND order_no = ? AND item_no = ? AND workflow = 'refund' AND state <> 'refund_failed'
                   AND id <> ?), 0)
     + coalesce((SELECT sum(amount_fen) FROM payment JOIN ticket ON ticket.id = payment.ticket_id
                 WHERE ticket.shop_id = ? AND order_no = ? AND item_no = ? AND purpose = 'compensation'
                   AND status <> 'failed'), 0)
"""


def refunded_on(
    connection: Connection, shop_id: int, order_no: str, item_no: str, but: int = 0, *, lock: bool = True
) -> int:
    """What has been refunded of this item, or ordered to be, in 分, by any ticket `but` this one.

    `lock`: whoever asks is about to order money: on PostgreSQL the next one who asks about the order waits for the
    commit.
    """
    if lock and connection.dialect.name == "postgresql":
        _run(connection, "SELECT pg_advisory_xact_lock(hashtextextended(?, ?))", order_no, shop_id)
    rows = _fetch(connection, REFUNDED_ON, shop_id, order_no, item_no, but, shop_id, order_no, item_no)
    return int(rows[0][0])


FIND_PLATFORM_NO = "SELECT id FROM ticket WHERE shop_id = ? AND policy = ? AND platform_no = ?"


def find_platform_no(connection: Connection, shop_id: int, policy: str, platform_no: str) -> int | None:
    """The ticket that has this number on the platform."""
    rows = _fetch(connection, FIND_PLATFORM_NO, shop_id, policy, platform_no)
    return rows[0][0] if rows else None


ATTACH = """
INSERT INTO attachment (shop_id, ticket_id, seq, kind, account, created_at,
    name, media_type, bytes, sha256, file, width, height)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def attach(connection: Connection, ticket: Ticket, event: Event, files: Sequence[Attachment]) -> None:
    """Write down the files of this piece of evidence. Taken if the ticket has one of the same content already."""
    known = (ticket.shop_id, ticket.id, event.seq, event.facts.get("kind", ""), event.actor_name)
    with _naming_what_is_taken():
        for file in files:
            _run(connection, ATTACH, *known, _at(connection, event.recorded_at), *file)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an idempotency key was used for: a retry with the same fingerprint gets the same answer."""

    fingerprint: str
    ticket_id: int
    seq: int
    recorded_at: datetime


REMEMBERED = 'SELECT fingerprint, ticket_id, seq, recorded_at FROM command WHERE shop_id = ? AND "key" = ?'
REMEMBER = """
INSERT INTO command (shop_id, "key", fingerprint, ticket_id, seq, recorded_at) VALUES (?, ?, ?, ?, ?, ?)
"""


def remembered(connection: Connection, shop_id: int, key: str) -> Remembered | None:
    rows = _fetch(connection, REMEMBERED, shop_id, key)
    if not rows:
        return None
    ((fingerprint, ticket_id, seq, recorded_at),) = rows
    return Remembered(fingerprint, ticket_id, seq, _instant(recorded_at))


def remember(
    connection: Connection, shop_id: int, key: str, fingerprint: str, ticket_id: int, seq: int, recorded_at: datetime
) -> None:
    """Taken if somebody else used the key first; after the rollback `remembered` tells what for."""
    with _naming_what_is_taken():
        _run(connection, REMEMBER, shop_id, key, fingerprint, ticket_id, seq, _at(connection, recorded_at))


# ── The scheduler's own ───────────────────────────────────────────────────────────────────────────────────────────────

SET_ASIDE = """
UPDATE ticket SET alarm_at = ?, trouble = ?, trouble_count = trouble_count + 1 WHERE id = ? AND closed_at IS NULL
"""

BEAT = """
INSERT INTO heartbeat (name, started_at, at, next_alarm_at, fired, note) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET started_at = excluded.started_at, at = excluded.at,
    next_alarm_at = excluded.next_alarm_at, fired = excluded.fired, note = excluded.note
"""


METER = """
INSERT INTO meter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = meter.value + excluded.value
"""


def set_aside(connection: Connection, ticket_id: int, error: str, retry_at: datetime) -> None:
    """A ticket that cannot be decided waits until `retry_at` and stops nobody else. The next `write` clears it.

    No event and no new version: nothing happened to the ticket.
    """
    _run(connection, SET_ASIDE, _at(connection, retry_at), error.replace("\0", ""), ticket_id)


def rule_file(connection: Connection, name: str) -> str | None:
    """The last good text of a rule file."""
    rows = _fetch(connection, "SELECT source FROM rule_file WHERE name = ?", name)
    return rows[0][0] if rows else None


def rule_file_names(connection: Connection) -> list[str]:
    return [name for (name,) in _fetch(connection, "SELECT name FROM rule_file ORDER BY name")]


KEEP_RULE_FILE = """
INSERT INTO rule_file (name, sha256, source, accepted_at) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    sha256 = excluded.sha256, source = excluded.source, accepted_at = excluded.accepted_at
"""


def keep_rule_file(connection: Connection, name: str, source: str, sha256: str, at: datetime) -> None:
    _run(connection, KEEP_RULE_FILE, name, sha256, source, _at(connection, at))


# ── Between processes, on PostgreSQL ──────────────────────────────────────────────────────────────────────────────────

CHANNEL = "aftersales_alarm"
#: an alarm farther away than this is found by the poll of any scheduler, which is never longer
NEAR = timedelta(seconds=60)


def tell_schedulers(connection: Connection, alarm_at: datetime | None) -> None:
    """Let the schedulers of other processes know of this alarm once the transaction commits.

    Only of one that is near. All others their poll finds in time, and commits that notify stand in one queue.
    """
    if connection.dialect.name == "postgresql" and alarm_at is not None and alarm_at - clock.now() < NEAR:
        _run(connection, "SELECT pg_notify(?, ?)", CHANNEL, str(int(alarm_at.timestamp())))


def beat(
    connection: Connection,
    name: str,
    *,
    started_at: datetime,
    at: datetime,
    next_alarm_at: datetime | None = None,
    fired: int = 0,
    note: str = "",
) -> None:
    """This scheduler finished a round at `at`; `fired` counts since `started_at`."""
    instants = [_at(connection, instant) for instant in (started_at, at, next_alarm_at)]
    _run(connection, BEAT, name, *instants, fired, note)


def meter(connection: Connection, counts: Mapping[str, int]) -> None:
    """Adds to what all schedulers have counted (meters.py), in one order: two of them never block each other."""
    for name, count in sorted(counts.items()):
        _run(connection, METER, name, count)
