"""Keeps `measured` and its sums by day up to date: every ticket that has moved is measured anew, a few at a time.

    step(engine, rules, at_most) -> Step    measures tickets of the events that came since; `behind` tells if more wait
    catch_up(engine, rules)                 steps until nothing waits

Measuring happens outside of the writing transaction, which is short. Two who count at once do no harm: each names the
turn it began at, and the second finds that it has passed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aftersales import clock, store
from aftersales.clock import whole_second
from aftersales.database import Connection, reading, writing
from aftersales.decide import Rules
from aftersales.models import metadata
from aftersales.reports.measures import Measured, Paid, measure
from aftersales.rows import EVENT, event_from_row
from aftersales.ticket import Event, Ticket

_MEASURED, _DAYS, _MARK = (metadata.tables[name] for name in ("measured", "measured_day", "measured_mark"))
_EVENT, _PAYMENT, _LINK = (metadata.tables[name] for name in ("ticket_event", "payment", "ticket_link"))
#: tickets in one short transaction
PORTION = 200
#: Ids are given out before the commit, so an event may appear behind one that was counted. Transactions end within
#: a minute (database.py), so events younger than that are counted again next time.
SETTLED = timedelta(seconds=90)
#: what rows of `measured` and of `measured_day` have in common
KEY = ("day", "shop_id", "workflow", "policy", "measure", "person", "cause")


@dataclass(frozen=True)
class Step:
    """What one step did. `upto`: the event it got to; `behind`: events that still wait."""

    tickets: int
    upto: int
    behind: int


@dataclass(frozen=True)
class _Batch:
    """What to measure. `turn`: of the mark it began at; `settled`: where the mark goes when it is done."""

    turn: int
    ids: Sequence[int]
    settled: int
    upto: int
    behind: int


def catch_up(engine: Engine, rules: Rules) -> int:
    """Until nothing waits. How many tickets were measured."""
    done = step(engine, rules)
    total = done.tickets
    while done.behind:
        done = step(engine, rules, after=done.upto)
        total += done.tickets
    return total


def step(engine: Engine, rules: Rules, *, after: int = 0, at_most: int = PORTION) -> Step:
    """One portion of what came after the mark, and after this event. Cheap when nothing has happened."""
    now = whole_second(clock.now())
    with reading(engine) as connection:
        batch = _waiting(connection, now, after, at_most)
        found = _measured_anew(connection, batch.ids, rules) if batch.ids else {}
    if not batch.ids:
        return Step(0, batch.upto, 0)
    with writing(engine) as connection:
        if not _my_turn(connection, batch, now):
            return Step(0, batch.upto, 0)  # somebody else is counting
        _write(connection, found)
    return Step(len(batch.ids), batch.upto, batch.behind)


def _waiting(connection: Connection, now: datetime, after: int, at_most: int) -> _Batch:
    mark = connection.execute(select(_MARK.c.event_id, _MARK.c.turn)).first()
    counted, turn = (mark.event_id, mark.turn) if mark else (0, 0)
    first = max(counted, after)
    question = select(_EVENT.c.id, _EVENT.c.ticket_id, _EVENT.c.recorded_at).where(_EVENT.c.id > first)
    ids: dict[int, None] = {}
    settled, upto, certain = counted, first, first == counted
    for event in connection.execute(question.order_by(_EVENT.c.id).limit(at_most * 20)):
        if event.ticket_id not in ids and len(ids) == at_most:
            break
        ids[event.ticket_id], upto = None, event.id
        certain = certain and _settled(connection, event.recorded_at, now)
        settled = event.id if certain else settled
    newest = connection.execute(select(func.max(_EVENT.c.id))).scalar() or 0
    return _Batch(turn, list(ids), settled, upto, max(0, newest - upto))


def _settled(connection: Connection, recorded_at: datetime, now: datetime) -> bool:
    """On SQLite one writes at a time, so ids come in the order of commits."""
    return connection.dialect.name == "sqlite" or recorded_at < now - SETTLED


# ── measuring ──

Found = dict[int, tuple[Ticket, list[Measured]]]


def _measured_anew(
    connection: Connection, ids: Sequence[int], rules: Rules
) -> dict[int, tuple[Ticket, list[Measured]]]:
    tickets = store.load(connection, ids)
    events, payments = _events(connection, ids), _payments(connection, ids)
    again = _reopened(connection, ids)
    return {
        ticket.id: (
            ticket,
            measure(ticket, events[ticket.id], payments[ticket.id], rules, reopened=ticket.id in again),
        )
        for ticket in tickets
    }


def _events(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[Event]]:
    columns = [_EVENT.c[name] for name in EVENT]
    question = select(*columns).where(_EVENT.c.ticket_id.in_(ids)).order_by(_EVENT.c.ticket_id, _EVENT.c.seq)
    found: dict[int, list[Event]] = defaultdict(list)
    for row in connection.execute(question):
        found[row.ticket_id].append(event_from_row(row))
    return found


def _payments(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[Paid]]:
    """What was ordered and has not failed."""
    question = select(_PAYMENT).where(_PAYMENT.c.ticket_id.in_(ids), _PAYMENT.c.status != "failed")
    found: dict[int, list[Paid]] = defaultdict(list)
    for row in connection.execute(question.order_by(_PAYMENT.c.id)):
        found[row.ticket_id].append(Paid(row.purpose, row.amount_fen, row.created_at))
    return found


def _reopened(connection: Connection, ids: Sequence[int]) -> set[int]:
    question = select(_LINK.c.from_id).where(_LINK.c.from_id.in_(ids), _LINK.c.relation == "reopened_from")
    return set(connection.execute(question).scalars())


# ── writing ──


def _my_turn(connection: Connection, batch: _Batch, now: datetime) -> bool:
    """Moves the mark, unless somebody else has since this batch was read."""
    values = {"event_id": batch.settled, "turn": batch.turn + 1, "at": now}
    if batch.turn:
        step_on: Any = update(_MARK).where(_MARK.c.turn == batch.turn).values(**values)
    else:
        make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        step_on = make(_MARK).values(id=1, **values).on_conflict_do_nothing()
    return connection.execute(step_on.returning(_MARK.c.id)).first() is not None


def _write(connection: Connection, found: Found) -> None:
    before = _rows_of(connection, list(found))
    after = {ticket_id: _rows(ticket, measured) for ticket_id, (ticket, measured) in found.items()}
    changed = [ticket_id for ticket_id in found if before.get(ticket_id, []) != after[ticket_id]]
    if not changed:
        return
    gone = [row for ticket_id in changed for row in before.get(ticket_id, [])]
    come = [row for ticket_id in changed for row in after[ticket_id]]
    connection.execute(delete(_MEASURED).where(_MEASURED.c.ticket_id.in_(changed)))
    connection.execute(insert(_MEASURED), come)
    _add_to_days(connection, gone, come)


def _rows(ticket: Ticket, measured: Iterable[Measured]) -> list[dict[str, Any]]:
    whose = {"ticket_id": ticket.id, "shop_id": ticket.shop_id, "workflow": ticket.workflow, "policy": ticket.policy}
    return [{**whose, "place": place, **one._asdict()} for place, one in enumerate(measured)]


def _rows_of(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[dict[str, Any]]]:
    question = (
        select(_MEASURED).where(_MEASURED.c.ticket_id.in_(ids)).order_by(_MEASURED.c.ticket_id, _MEASURED.c.place)
    )
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(question):
        found[row.ticket_id].append(dict(row._mapping))
    return found


def _add_to_days(connection: Connection, gone: Iterable[dict[str, Any]], come: Iterable[dict[str, Any]]) -> None:
    """Only the differences: most of a ticket's measures stay as they were."""
    counts: Counter[tuple[Any, ...]] = Counter()
    amounts: Counter[tuple[Any, ...]] = Counter()
    for sign, rows in ((-1, gone), (1, come)):
        for row in rows:
            alike = tuple(row[name] for name in KEY)
            counts[alike] += sign
            amounts[alike] += sign * row["amount"]
    rows = [
        dict(zip(KEY, alike, strict=True), count=counts[alike], amount=amounts[alike])
        for alike in sorted(counts)
        if counts[alike] or amounts[alike]
    ]
    if not rows:
        return
    make = sqlite.insert(_DAYS) if connection.dialect.name == "sqlite" else postgresql.insert(_DAYS)
    added = {name: _DAYS.c[name] + make.excluded[name] for name in ("count", "amount")}
    connection.execute(make.on_conflict_do_update(index_elements=list(KEY), set_=added), rows)
    connection.execute(delete(_DAYS).where(_DAYS.c.count == 0, _DAYS.c.day.in_({row["day"] for row in rows})))
