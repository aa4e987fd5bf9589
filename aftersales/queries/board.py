"""The open tickets counted: in whose hands, waiting for whom, how late. Counting reads the index of the queue alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, case, func, or_, select, tuple_

from aftersales.database import Connection, reading
from aftersales.models import metadata
from aftersales.queries.queue import IS_LATE, OPEN

_C = metadata.tables["ticket"].c
#: The open tickets in parts, each a range of an index that carries what is counted: those without a clock, those with
#: one. Asked for all at once, SQLite would take another index and look at every ticket.
_NO_CLOCK, _CLOCK = _C.due_at.is_(None), _C.due_at > datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Hands:
    """What one person holds. `owner`: a login or what was typed in; None: nobody."""

    owner: str | None
    count: int
    late: int
    #: due within 4 and within 24 hours
    in_4h: int
    in_24h: int
    first_due_at: datetime | None
    first_id: int | None = None
    first_number: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Open tickets of one state. `since`: the one that has stood there longest."""

    workflow: str
    state: str
    count: int
    late: int
    since: datetime
    #: of those that are late; None if none is
    late_since: datetime | None


def _open(shops: Sequence[int]) -> ColumnElement[bool]:
    # the sum keeps SQLite from indexes that begin with the shop: they carry too little
    return and_(OPEN, (_C.shop_id + 0).in_(shops))


def _count(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0, type_=_C.id.type)


def hands(engine: Engine, shops: Sequence[int], now: datetime, limit: int = 200) -> list[Hands]:
    """Everybody who holds open tickets, the fullest hands first."""
    within = [_count(_C.due_at < now + timedelta(hours=hours)) for hours in (4, 24)]
    first = func.min(_C.due_at, type_=_C.due_at.type)
    counted = select(_C.owner, func.count()).where(_open(shops)).group_by(_C.owner)
    with reading(engine) as connection:
        still = {row[0]: row[1] for row in connection.execute(counted.where(_NO_CLOCK))}
        late = {row[0]: row[1] for row in connection.execute(counted.where(IS_LATE))}
        running = {row[0]: row[1:] for row in connection.execute(counted.add_columns(*within, first).where(_CLOCK))}
        found = []
        for owner in {*still, *running}:
            count, in_4h, in_24h, first_due_at = running.get(owner, (0, 0, 0, None))
            hand = Hands(owner, count + still.get(owner, 0), late.get(owner, 0), in_4h, in_24h, first_due_at)
            found.append(hand)
        fullest = sorted(found, key=lambda one: (-one.count, one.owner or ""))[:limit]
        numbers = _first_of_each(connection, shops, fullest)
    return [_with_first(one, numbers.get((one.owner, one.first_due_at))) for one in fullest]


def _first_of_each(connection: Connection, shops: Sequence[int], found: Sequence[Hands]) -> dict[Any, Any]:
    """(id, number) of the ticket that is due first, by owner and instant."""
    pairs = [(one.owner or "", one.first_due_at) for one in found if one.first_due_at is not None]
    if not pairs:
        return {}
    which = and_(_C.due_at.in_({at for _, at in pairs}), tuple_(func.coalesce(_C.owner, ""), _C.due_at).in_(pairs))
    columns = select(_C.owner, _C.due_at, _C.id, _C.number).where(_open(shops), which)
    return {(row.owner, row.due_at): row for row in connection.execute(columns.order_by(_C.id.desc()))}


def _with_first(one: Hands, row: Any) -> Hands:
    return one if row is None else replace(one, first_id=row.id, first_number=row.number)


def standing(engine: Engine, shops: Sequence[int]) -> list[Standing]:
    """How many tickets stand in each state."""
    since = func.min(_C.entered_at, type_=_C.entered_at.type)
    counted = select(_C.workflow, _C.state, func.count(), since).where(_open(shops)).group_by(_C.workflow, _C.state)
    with reading(engine) as connection:
        late = {row[:2]: row[2:] for row in map(tuple, connection.execute(counted.where(IS_LATE)))}
        found: dict[Any, tuple[int, datetime]] = {}
        for part in (_NO_CLOCK, _CLOCK):
            for workflow, state, count, begun in connection.execute(counted.where(part)):
                before = found.get((workflow, state), (0, begun))
                found[workflow, state] = (before[0] + count, min(before[1], begun))
    made = []
    for (workflow, state), (count, begun) in found.items():
        late_count, late_since = late.get((workflow, state), (0, None))
        made.append(Standing(workflow, state, count, late_count, begun, late_since))
    return made


@dataclass(frozen=True, slots=True)
class Held:
    """One ticket in somebody's hands. `left_seconds`: of the paused clock with least left; None if none is paused."""

    id: int
    number: str
    workflow: str
    policy: str
    state: str
    due_at: datetime | None
    timeout: str | None
    fields: Mapping[str, Any]
    paid_fen: int
    refund_fen: int | None
    paused: Sequence[Mapping[str, Any]]

    @property
    def amount_fen(self) -> int:
        """What it is about: the money released, else asked for, else paid."""
        asked: int | None = self.fields.get("amount_fen")
        if self.refund_fen is not None:
            return self.refund_fen
        return self.paid_fen if asked is None else asked

    @property
    def left_seconds(self) -> int | None:
        return min((clock["left_seconds"] or 0 for clock in self.paused), default=None)


_HELD = [_C.clock_timeout if name == "timeout" else _C[name] for name in Held.__dataclass_fields__]


def held_until(engine: Engine, owner: str, shops: Sequence[int], end: datetime, limit: int) -> list[Held]:
    """This person's open tickets that are due before `end`, the first due first."""
    due = and_(OPEN, _C.shop_id.in_(shops), _C.owner == owner, _C.due_at < end)
    with reading(engine) as connection:
        return [Held(*row) for row in connection.execute(select(*_HELD).where(due).order_by(_C.due_at).limit(limit))]


def held_paused(engine: Engine, owner: str, shops: Sequence[int], limit: int) -> list[Held]:
    """This person's open tickets of which a clock is paused, the longest first."""
    paused = and_(OPEN, _C.shop_id.in_(shops), _C.owner == owner, _C.paused != [])
    with reading(engine) as connection:
        rows = connection.execute(select(*_HELD).where(paused).order_by(_C.entered_at, _C.id).limit(limit))
        return [Held(*row) for row in rows]


def counted_by(engine: Engine, shops: Sequence[int], rules: Collection[tuple[str, str, str]]) -> int:
    """Open tickets whose running clock one of these rules has set: (policy, state, rule id)."""
    if not rules:
        return 0
    under = or_(
        *(and_(_C.policy == policy, _C.state == state, _C.rule_id == rule) for policy, state, rule in sorted(rules))
    )
    with reading(engine) as connection:
        question = select(func.count()).where(_open(shops), _C.due_at.is_not(None), under)
        return connection.execute(question).scalar_one()


def numbers(engine: Engine, ids: Sequence[int]) -> dict[int, str]:
    """The numbers of these tickets, by id."""
    if not ids:
        return {}
    with reading(engine) as connection:
        found = connection.execute(select(_C.id, _C.number).where(_C.id.in_(ids)))
        return {row.id: row.number for row in found}


def owners(engine: Engine, ids: Sequence[int]) -> dict[int, str | None]:
    """Whose the open ones of these tickets are."""
    with reading(engine) as connection:
        found = connection.execute(select(_C.id, _C.owner).where(_C.id.in_(ids), _C.closed_at.is_(None)))
        return {row.id: row.owner for row in found}
