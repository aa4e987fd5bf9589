"""Whether the clock is at work, and what it did: heartbeats, backlog, lateness, tickets set aside, payments.

The history has no index by time, since every alarm would have to write it: what is asked of it looks at its newest
lines only (`LATEST`), which are a day's work of most shops. `Punctual.whole` says if that was enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, func, literal_column, select

from aftersales.database import Connection, reading
from aftersales.meters import Meters, read
from aftersales.models import metadata

_TICKET, _EVENT, _BEAT, _PAYMENT, _OUTBOX, _METER = (
    metadata.tables[name].c for name in ("ticket", "ticket_event", "heartbeat", "payment", "outbox", "meter")
)
#: lines of the history that are looked at
LATEST = 20_000
#: more than so many are not counted out
MANY = 1000
#: an alarm fires in the second after its instant
ONE_SECOND = 1
#: a process that was not heard of for so long is not shown any more
FORGOTTEN = timedelta(days=2)
#: the longest that a ticket is set aside (desk.LONGEST_RETRY)
LONGEST_RETRY = timedelta(hours=6)
STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Beat:
    """One scheduler. `at`: its last round that went well."""

    name: str
    started_at: datetime
    at: datetime
    next_alarm_at: datetime | None
    fired: int
    note: str

    @property
    def stopped(self) -> bool:
        """It was ended on purpose."""
        return self.note == STOPPED


def beats(engine: Engine, now: datetime, limit: int = 20) -> list[Beat]:
    """Schedulers lately at work, those that were stopped last; the newest of all is there however old."""
    newest = select(func.max(_BEAT.at)).scalar_subquery()
    columns = [_BEAT[name] for name in Beat.__dataclass_fields__]
    statement = select(*columns).where((_BEAT.at > now - FORGOTTEN) | (_BEAT.at == newest)).order_by(_BEAT.at.desc())
    with reading(engine) as connection:
        found = [Beat(*row) for row in connection.execute(statement.limit(limit))]
    return sorted(found, key=lambda beat: beat.stopped)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is due and has not fired; at most MANY are counted."""

    #: clocks that have run out
    due: int
    #: reminders and targets
    other: int
    oldest_at: datetime | None

    @property
    def many(self) -> bool:
        return self.due + self.other >= MANY


#: an alarm fires in the second after its instant, and a round takes its time
_ROUND = timedelta(seconds=5)


def backlog(engine: Engine, now: datetime) -> Backlog:
    """Bounded, by the index of alarms. Tickets set aside are not among it: they have a list of their own."""
    late = now - _ROUND
    waiting = select(_TICKET.alarm_at, _TICKET.due_at, _TICKET.trouble).where(_TICKET.alarm_at < late)
    with reading(engine) as connection:
        rows = connection.execute(waiting.order_by(_TICKET.alarm_at).limit(MANY)).all()
    rows = [row for row in rows if row.trouble is None]
    due = sum(1 for row in rows if row.due_at is not None and row.due_at < late)
    return Backlog(due, len(rows) - due, rows[0].alarm_at if rows else None)


@dataclass(frozen=True, slots=True)
class Punctual:
    """How long after the earliest possible second clocks took effect, in seconds."""

    count: int
    p50: int
    p95: int
    most: int
    #: all of that time was looked at
    whole: bool = True
    p99: int = 0


def punctuality(engine: Engine, now: datetime, spans: Sequence[timedelta]) -> list[Punctual]:
    """Of the last hour, day ...: of every clock that ran out and moved its ticket (or marked it)."""
    longest = now - max(spans)
    fired = and_(_EVENT.kind == "move", _EVENT.actor == "system", _EVENT.due_at.is_not(None))
    with reading(engine) as connection:
        last = _last_event(connection)
        columns = select(_EVENT.recorded_at, _EVENT.due_at).where(_EVENT.id > last - LATEST, fired)
        rows = connection.execute(columns.where(_EVENT.recorded_at >= longest)).all()
        first: datetime | None = connection.execute(
            select(_EVENT.recorded_at).where(_EVENT.id > last - LATEST).order_by(_EVENT.id).limit(1)
        ).scalar()
    late = [(at, max(0, int((at - due_at).total_seconds()) - ONE_SECOND)) for at, due_at in rows]
    return [
        _ranked(
            [seconds for at, seconds in late if at >= now - span],
            last <= LATEST or first is None or first <= now - span,
        )
        for span in spans
    ]


def _ranked(seconds: list[int], whole: bool) -> Punctual:
    ranked = sorted(seconds)

    def rank(share: float) -> int:
        return ranked[math.ceil(share * len(ranked)) - 1] if ranked else 0

    return Punctual(len(ranked), rank(0.5), rank(0.95), rank(1.0), whole, rank(0.99))


def _last_event(connection: Connection) -> int:
    last: int = connection.execute(select(func.coalesce(func.max(_EVENT.id), 0))).scalar_one()
    return last


@dataclass(frozen=True, slots=True)
class Alarm:
    """A ticket to be looked at. At `due_at` its clock runs out; an alarm before that is a reminder."""

    id: int
    number: str
    shop_id: int
    workflow: str
    policy: str
    state: str
    alarm_at: datetime
    due_at: datetime | None
    timeout: str | None
    rule: str | None
    trouble: str | None
    trouble_count: int


_ALARM = (
    *(_TICKET[name] for name in ("id", "number", "shop_id", "workflow", "policy", "state", "alarm_at", "due_at")),
    _TICKET.clock_timeout, _TICKET.rule_id, _TICKET.trouble, _TICKET.trouble_count,
)  # fmt: skip


def next_alarms(engine: Engine, limit: int = 10) -> list[Alarm]:
    statement = select(*_ALARM).where(_TICKET.alarm_at.is_not(None)).order_by(_TICKET.alarm_at).limit(limit)
    with reading(engine) as connection:
        return [Alarm(*row) for row in connection.execute(statement)]


def set_aside(engine: Engine, now: datetime, limit: int = 50) -> list[Alarm]:
    """Tickets that could not be decided, by the instant at which each is tried again (`alarm_at`)."""
    soon = and_(_TICKET.alarm_at.is_not(None), _TICKET.alarm_at <= now + LONGEST_RETRY, _TICKET.trouble.is_not(None))
    with reading(engine) as connection:
        return [
            Alarm(*row)
            for row in connection.execute(select(*_ALARM).where(soon).order_by(_TICKET.alarm_at).limit(limit))
        ]


@dataclass(frozen=True, slots=True)
class Money:
    """Payments in one standing; at most MANY are counted. `oldest_at`: since when the oldest waits."""

    status: str
    count: int
    fen: int
    oldest_at: datetime | None


def payments(engine: Engine) -> list[Money]:
    """Ordered and not yet answered; failed and not yet tried again. By an index for each."""
    found = []
    with reading(engine) as connection:
        for status in ("ordered", "failed"):
            # written out, or a partial index would not be seen to fit
            of_status: ColumnElement[bool] = literal_column(f"status = '{status}'")
            some = select(_PAYMENT.amount_fen, _PAYMENT.tried_at).where(of_status).order_by(_PAYMENT.id).limit(MANY)
            rows = connection.execute(some).all()
            oldest = min((row.tried_at for row in rows), default=None)
            found.append(Money(status, len(rows), sum(row.amount_fen for row in rows), oldest))
    return found


@dataclass(frozen=True, slots=True)
class Unsent:
    """Messages to the outside that wait; at most MANY are counted."""

    count: int
    oldest_at: datetime | None


def unsent(engine: Engine) -> Unsent:
    waiting = select(_OUTBOX.created_at).where(_OUTBOX.sent_at.is_(None)).order_by(_OUTBOX.id).limit(MANY)
    with reading(engine) as connection:
        found = list(connection.execute(waiting).scalars())
    return Unsent(len(found), found[0] if found else None)


def meters(engine: Engine) -> Meters:
    """What all schedulers ever counted."""
    with reading(engine) as connection:
        return read({row.name: row.value for row in connection.execute(select(_METER.name, _METER.value))})


@dataclass(frozen=True, slots=True)
class Robot:
    """Something that the clock did. `kind`: move, reminder or target."""

    ticket_id: int
    number: str
    workflow: str
    policy: str
    kind: str
    trigger: str
    from_state: str
    to_state: str
    at: datetime
    recorded_at: datetime
    due_at: datetime | None
    rule: str | None
    rule_version: str | None


def last_steps(engine: Engine, limit: int = 50) -> list[Robot]:
    """What the clock did last, the newest first."""
    columns: list[Any] = [_EVENT.ticket_id, _TICKET.number, _TICKET.workflow, _TICKET.policy]
    columns += [_EVENT[name] for name in ("kind", "trigger", "from_state", "to_state", "at", "recorded_at", "due_at")]
    columns += [_EVENT.rule_id, _EVENT.rule_version]
    by_clock = and_(_EVENT.actor == "system", _EVENT.due_at.is_not(None), _EVENT.kind == "move")
    with reading(engine) as connection:
        last = _last_event(connection)
        newest = and_(_EVENT.id > last - LATEST, by_clock)
        statement = select(*columns).join(metadata.tables["ticket"], _TICKET.id == _EVENT.ticket_id).where(newest)
        return [Robot(*row) for row in connection.execute(statement.order_by(_EVENT.id.desc()).limit(limit))]
