"""How many open tickets of every kind: asked once for all counts of a page, kept in the process, summed in Python.

One grouped question gives a cube of cells (shop, type, state, platform, owner, marks, hour of the due time, levels,
amount). A cell is a bit; for each value of each dimension there is one number with the bits of its cells, so that a
filter is an AND of a few numbers and a count is a count of bits, weighed by how many tickets each cell holds.

A small desk is asked anew each time, and its counts are exact. A large one is asked again in the background when the
answer is a few seconds old, so that no page waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from threading import Lock, Thread
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Engine, Select, Text, case, cast, func, literal, literal_column, select, text

from aftersales import clock
from aftersales.database import DatabaseBusy, reading
from aftersales.models import metadata
from aftersales.queries.health import UNREACHABLE
from aftersales.queries.queue import (
    AMOUNT,
    IS_LATE,
    LEVEL,
    MEMBER,
    NO_RULE,
    OPEN,
    PAUSED,
    Wanted,
    due_within,
    whole_hour,
)  # fmt: skip
from aftersales.rows import sqlite_instant

_TICKET, _TEAM = metadata.tables["ticket"], metadata.tables["ticket_team"]
_C = _TICKET.c
_HOUR = timedelta(hours=1)
#: due times are told apart by the hour this far ahead
HOURS = 24 * 4
#: amounts that a filter may start from, 分
AMOUNTS = (10000, 50000, 100000, 500000, 1000000)
#: an answer is good for so long, and for this many times as long as the question took, s
FRESH, TIMES = 3.0, 20.0
#: a first page waits so long for a large desk's first answer, s
PATIENCE = 0.05
#: a desk of more open tickets is not counted while somebody waits
SMALL = 2000

DIMENSIONS = (
    *("shop_id", "workflow", "state", "policy", "owner", "late", "past", "soon", "escalated", "paused"),
    *("provisional", "no_rule", "trouble", "due", "level", "member", "amount", "team"),
)
NO_CLOCK, FAR = "", "far"
_UNREACHABLE: tuple[type[Exception], ...] = (DatabaseBusy, *UNREACHABLE)


class Cube:
    """The counts at one moment. Masks are whole numbers with one bit for each cell."""

    def __init__(self, cells: Sequence[Sequence[Any]], at: datetime) -> None:
        """A cell is a value for each of DIMENSIONS, then how many tickets and what they amount to, 分."""
        self.at, self._cells = at, len(cells)
        self._planes = _planes(cell[-2] for cell in cells)
        self._money = _planes(cell[-1] for cell in cells)
        columns = zip(*cells, strict=True) if cells else [()] * (len(DIMENSIONS) + 2)
        self._masks = {name: _masks(column) for name, column in zip(DIMENSIONS, columns, strict=False)}

    @cached_property
    def all(self) -> int:
        return (1 << self._cells) - 1

    def where(self, dimension: str, *values: Any) -> int:
        """The cells with one of these values."""
        known, found = self._masks[dimension], 0
        for value in values:
            found |= known.get(value, 0)
        return found

    def values(self, dimension: str) -> list[Any]:
        return list(self._masks[dimension])

    def count(self, mask: int) -> int:
        return _weighed(self._planes, mask)

    def fen(self, mask: int) -> int:
        """What these tickets amount to, 分."""
        return _weighed(self._money, mask)

    def due_between(self, start: datetime, end: datetime) -> int:
        """Tickets due in these whole hours; what is past already is not among them."""
        hours = range(int((end - whole_hour(start)).total_seconds() // 3600))
        return self.where("due", *(hour_name(whole_hour(start) + n * _HOUR) for n in hours)) & self.where("past", 0)

    # ── filters of the queue ──

    def can_tell(self, wanted: Wanted) -> bool:
        """Whether this filter can be counted here: no search, whole hours not too far ahead, amounts as in AMOUNTS."""
        edges = [edge for edge in (wanted.due_from, wanted.due_to) if edge is not None]
        horizon = whole_hour(self.at) + HOURS * _HOUR
        whole = all(edge == whole_hour(edge) and self.at <= edge <= horizon for edge in edges)
        return not wanted.text and whole and wanted.from_fen in (0, *AMOUNTS)

    def parts(self, wanted: Wanted) -> dict[str, int]:
        """The mask of each part of the filter, by its name in the address; their AND is the filter."""
        found = {
            name: self.where(name, value)
            for name, value in (
                ("workflow", wanted.workflow), ("policy", wanted.policy), ("shop_id", wanted.shop_id),
                ("level", wanted.level), ("member", wanted.member), ("team", wanted.team_id),
            )
            if value not in ("", None)
        }  # fmt: skip
        if wanted.states is not None:
            found["states"] = self.in_states(wanted.states)
        if wanted.owners is not None:
            found["owners"] = self.where("owner", *("" if owner is None else owner for owner in wanted.owners))
        if wanted.mark:
            found["mark"] = self.marked(wanted.mark)
        if wanted.from_fen:
            found["amount"] = self.where("amount", *range(AMOUNTS.index(wanted.from_fen) + 1, len(AMOUNTS) + 1))
        if wanted.due or wanted.due_from or wanted.due_to:
            found["due"] = self._due(wanted)
        return found

    def mask(self, wanted: Wanted) -> int:
        found = self.all
        for part in self.parts(wanted).values():
            found &= part
        return found

    def in_states(self, states: Iterable[tuple[str, str]]) -> int:
        of: dict[str, list[str]] = {}
        for workflow, state in states:
            of.setdefault(workflow, []).append(state)
        found = 0
        for workflow, names in of.items():
            found |= self.where("workflow", workflow) & self.where("state", *names)
        return found

    def marked(self, mark: str) -> int:
        late = self.where("late", 1) | self.where("past", 1)
        return late if mark == "late" else self.where(mark, 1)

    def _due(self, wanted: Wanted) -> int:
        if wanted.due == "4h":
            found = self.where("soon", 1)
        elif wanted.due:
            _, end = due_within(replace(wanted, due_from=None, due_to=None), self.at)
            found = self.due_between(self.at, end or self.at)
        else:
            found = self.all & ~self.where("due", NO_CLOCK)
        return found & self._from_to(wanted.due_from, wanted.due_to)

    def _from_to(self, start: datetime | None, end: datetime | None) -> int:
        hours = self._masks["due"]
        first = "" if start is None else hour_name(start)
        last = "~" if end is None else hour_name(end)
        inside = [hour for hour in hours if hour != NO_CLOCK and first <= hour < last and (hour != FAR or end is None)]
        return self.where("due", *inside)


def hour_name(instant: datetime) -> str:
    """2026-10-02 06, in UTC: as the first letters of an instant in SQLite."""
    return sqlite_instant(instant)[:13]


def _masks(column: Sequence[Any]) -> Mapping[Any, int]:
    found: dict[Any, bytearray] = {}
    length = len(column) // 8 + 1
    for place, value in enumerate(column):
        bits = found.get(value)
        if bits is None:
            bits = found[value] = bytearray(length)
        bits[place >> 3] |= 1 << (place & 7)
    return {value: int.from_bytes(bits, "little") for value, bits in found.items()}


def _planes(weights: Iterable[int]) -> list[int]:
    """Bit planes: the k-th number has the bit of every cell in whose weight the k-th bit is set."""
    numbers = list(weights)
    length, planes = len(numbers) // 8 + 1, []
    for k in range(max(numbers, default=0).bit_length()):
        bits = bytearray(length)
        for place, number in enumerate(numbers):
            if number >> k & 1:
                bits[place >> 3] |= 1 << (place & 7)
        planes.append(int.from_bytes(bits, "little"))
    return planes


def _weighed(planes: Sequence[int], mask: int) -> int:
    return sum((plane & mask).bit_count() << k for k, plane in enumerate(planes))


# ── the question ──


def _question(dialect: str, now: datetime) -> Select[Any]:
    yes: ColumnElement[int] = literal_column("1")
    amount = case(*((least <= AMOUNT, n) for n, least in reversed(list(enumerate(AMOUNTS, 1)))), else_=0)
    hour = func.substr(cast(_C.due_at, Text), 1, 13) if dialect == "sqlite" else _POSTGRES_HOUR
    far = whole_hour(now) + HOURS * _HOUR
    told: dict[str, Any] = {
        "shop_id": _C.shop_id,
        "workflow": _C.workflow,
        "state": _C.state,
        "policy": _C.policy,
        "owner": func.coalesce(_C.owner, ""),
        "late": case((IS_LATE, yes), else_=0),
        "past": case((_C.due_at < now, yes), else_=0),
        "soon": case((_C.due_at.between(now, now + 4 * _HOUR - timedelta(microseconds=1)), yes), else_=0),
        "escalated": case((text("ticket.escalated"), yes), else_=0),
        "paused": case((PAUSED, yes), else_=0),
        "provisional": case((text("ticket.provisional"), yes), else_=0),
        "no_rule": case((NO_RULE, yes), else_=0),
        "trouble": case((_C.trouble.is_not(None), yes), else_=0),
        "due": case((_C.due_at.is_(None), NO_CLOCK), (_C.due_at >= far, FAR), else_=hour),
        "level": func.coalesce(LEVEL, ""),
        "member": func.coalesce(MEMBER, ""),
        "amount": amount,
        "team": func.coalesce(_TEAM.c.team_id, 0),
    }
    columns = [told[name].label(f"d_{name}") for name in DIMENSIONS]
    sums = (func.count(), cast(func.sum(AMOUNT), _C.paid_fen.type))
    statement = select(*columns, *sums).outerjoin_from(_TICKET, _TEAM, _TEAM.c.ticket_id == _C.id)
    return statement.where(OPEN).group_by(*(literal_column(f"d_{name}") for name in DIMENSIONS))


_POSTGRES_HOUR = func.to_char(func.timezone(literal("UTC"), _C.due_at), literal("YYYY-MM-DD HH24"))


def ask(engine: Engine, now: datetime) -> Cube:
    with reading(engine) as connection:
        return Cube([tuple(row) for row in connection.execute(_question(engine.dialect.name, now))], now)


# ── kept in the process ──


@dataclass
class Tally:
    """The newest answer for one database, and when to ask again."""

    engine: Engine
    cube: Cube | None = None
    #: how long the question took, s
    cost: float = 0.0
    _asked: float = 0.0
    _asking: Thread | None = None

    def __post_init__(self) -> None:
        self._lock = Lock()

    def current(self, now: datetime) -> Cube | None:
        """The counts; None while a large desk is counted for the first time."""
        if self._small():
            return self._ask(now)
        if self.cube is None or time.monotonic() - self._asked > max(FRESH, TIMES * self.cost):
            asking = self._ask_behind()
            if self.cube is None:
                asking.join(PATIENCE)
        return self.cube

    def _small(self) -> bool:
        few = select(_C.id).where(OPEN).limit(SMALL + 1).subquery()
        with reading(self.engine) as connection:
            return bool(connection.execute(select(func.count()).select_from(few)).scalar_one() <= SMALL)

    def _ask(self, now: datetime) -> Cube:
        begun = time.monotonic()
        cube = ask(self.engine, now)
        self.cost = time.monotonic() - begun
        self.cube, self._asked = cube, time.monotonic()
        return cube

    def _ask_behind(self) -> Thread:
        with self._lock:
            if self._asking is None or not self._asking.is_alive():
                self._asking = Thread(target=self._ask_quietly, name="tally", daemon=True)
                self._asking.start()
            return self._asking

    def _ask_quietly(self) -> None:
        try:
            self._ask(clock.now())
        except _UNREACHABLE:
            self._asked = time.monotonic()  # the last answer stands a little longer


_tallies: WeakKeyDictionary[Engine, Tally] = WeakKeyDictionary()
_making = Lock()


def of(engine: Engine) -> Tally:
    """The tally of this database, one for the whole process."""
    with _making:
        if engine not in _tallies:
            _tallies[engine] = Tally(engine)
        return _tallies[engine]
