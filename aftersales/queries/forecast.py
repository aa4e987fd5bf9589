"""How many tickets come due in each hour, and which way they go: counted in the database, a few hundred rows.

The counting reads the index `ix_ticket_queue` alone; only tickets whose outcome depends on what they hold (the kind
of a refund, its amount) are looked at themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, Text, and_, case, false, func, not_, or_, select, tuple_

from aftersales.database import Connection, reading
from aftersales.forecast import Due, Way
from aftersales.models import Instant, metadata
from aftersales.queries.queue import OPEN

_C = metadata.tables["ticket"].c
#: a spell of time, from (included; None: whenever) and to (excluded)
Spell = tuple[datetime | None, datetime]


@dataclass(frozen=True)
class Asked:
    """Which tickets are counted: of these shops, due before `end`, or within the spells if there are any.

    What was due before `now` is included, but not what was set aside with an error: nobody knows what becomes of that.
    `ask`: (workflow, timeout) whose tickets are asked for their kind and amount: forecast.asked_of_tickets.
    """

    now: datetime
    end: datetime
    shops: Sequence[int]
    ask: Collection[tuple[str, str]]
    spells: Sequence[Spell] | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        spells = [(None, self.end)] if self.spells is None else self.spells
        within = or_(*(_between(begin, end) for begin, end in spells)) if spells else false()
        return and_(_open(self.shops), within, or_(_C.due_at >= self.now, _C.trouble.is_(None)))

    @property
    def telling(self) -> ColumnElement[bool]:
        return or_(false(), *(and_(_C.workflow == workflow, _C.clock_timeout == name) for workflow, name in self.ask))


def due(engine: Engine, asked: Asked) -> list[Due]:
    """Groups of open tickets, by the hour in which they are due."""
    with reading(engine) as connection:
        hour = _start_of(connection, "hour")
        columns: list[ColumnElement[Any]] = [hour, *_WAY, _field(connection, "kind"), _free(connection)]
        alike = select(hour, *_WAY, func.count()).where(asked.condition, not_(asked.telling)).group_by(hour, *_WAY)
        sums: list[ColumnElement[Any]] = [func.count(), func.sum(_amount(connection))]
        told: Any = select(*columns, *sums).where(asked.condition, asked.telling).group_by(*columns)
        found = [Due(_read(row[0]), _way(*row[1:5]), row[5]) for row in connection.execute(alike)]
        for row in connection.execute(told):
            found.append(Due(_read(row[0]), _way(*row[1:7]), row[7], int(row[8] or 0)))
    return found


def _way(workflow: str, policy: str, state: str, timeout: str, kind: str | None = None, free: int = 0) -> Way:
    return Way(workflow, policy, state, timeout, kind or "", bool(free))


def reminders(engine: Engine, asked: Asked, spans: Sequence[timedelta]) -> list[tuple[datetime, int]]:
    """(minute, how many) of everything still to be told before `end`: reminders so long before a due time, and the
    shop's own targets where no clock runs."""
    first, last = asked.now + min(spans, default=timedelta()), asked.end + max(spans, default=timedelta())
    with reading(engine) as connection:
        minute = _start_of(connection, "minute")
        of_clocks = select(minute, func.count()).where(_open(asked.shops), _between(first, last)).group_by(minute)
        counted = [(_read(at), count) for at, count in connection.execute(of_clocks)] if spans else []
        no_clock = and_(_open(asked.shops), _C.due_at.is_(None), _C.alarm_at > asked.now, _C.alarm_at < asked.end)
        targets = connection.execute(select(_C.alarm_at, func.count()).where(no_clock).group_by(_C.alarm_at)).all()
    told: Counter[datetime] = Counter({row[0]: row[1] for row in targets})
    for span in spans:
        for at, count in counted:
            if asked.now < at - span < asked.end:
                told[at - span] += count
    return sorted(told.items())


@dataclass(frozen=True, slots=True)
class Leaving:
    """One refund that the clock will order. `fen`: how much."""

    id: int
    number: str
    shop_id: int
    due_at: datetime
    timeout: str
    workflow: str
    item_no: str
    title: str
    fen: int


def largest(engine: Engine, asked: Asked, paying: Collection[Way], limit: int) -> list[Leaving]:
    """The largest sums that leave by themselves. `paying`: forecast.Forecast.paying of the same tickets."""
    if not paying:
        return []
    with reading(engine) as connection:
        kind = func.coalesce(_field(connection, "kind"), "")
        ways = tuple_(*_WAY, kind).in_([tuple(way[:-1]) for way in paying])
        fen, title = _amount(connection), func.coalesce(_field(connection, "item_title"), "")
        statement = (
            select(_C.id, _C.number, _C.shop_id, _C.due_at, _C.clock_timeout, _C.workflow, _C.item_no, title, fen)
            .where(asked.condition, asked.telling, ways, fen > 0)
            .order_by(fen.desc(), _C.due_at, _C.id)
            .limit(limit)
        )
        return [Leaving(*row) for row in connection.execute(statement)]


#: the columns of forecast.Way that every ticket has
_WAY = (_C.workflow, _C.policy, _C.state, _C.clock_timeout)


def _open(shops: Sequence[int]) -> ColumnElement[bool]:
    # the sum keeps SQLite from indexes that begin with the shop: they carry too little
    return and_(OPEN, (_C.shop_id + 0).in_(shops))


def _between(begin: datetime | None, end: datetime) -> ColumnElement[bool]:
    return _C.due_at < end if begin is None else and_(_C.due_at >= begin, _C.due_at < end)


# ── what the two databases spell differently ──


def _start_of(connection: Connection, unit: str) -> ColumnElement[Any]:
    """The hour or the minute in which a ticket is due."""
    if connection.dialect.name == "sqlite":
        return func.substr(_C.due_at, 1, {"hour": 13, "minute": 16}[unit], type_=Text())
    return func.date_trunc(unit, _C.due_at, "UTC", type_=Instant())


def _read(begins: Any) -> datetime:
    if isinstance(begins, datetime):
        return begins
    return datetime.fromisoformat(f"{begins}:00+00:00" if len(begins) == 16 else f"{begins}:00:00+00:00")


def _field(connection: Connection, name: str) -> ColumnElement[Any]:
    if connection.dialect.name == "sqlite":
        return func.json_extract(_C.fields, f"$.{name}", type_=Text())
    return func.jsonb_extract_path_text(_C.fields, name, type_=Text())


def _amount(connection: Connection) -> ColumnElement[Any]:
    """分: the money released, else what is asked for."""
    asked: Any = _field(connection, "amount_fen")
    if connection.dialect.name != "sqlite":
        asked = asked.cast(_C.paid_fen.type)
    return func.coalesce(_C.refund_fen, asked, 0, type_=_C.paid_fen.type)


def _free(connection: Connection) -> ColumnElement[Any]:
    return case((_amount(connection) == 0, 1), else_=0)
