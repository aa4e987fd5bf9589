"""The figures of a period: sums over days, and the tickets behind each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Engine, Select, and_, func, or_, select

from aftersales.database import reading
from aftersales.models import metadata
from aftersales.reports.measures import Measure

_MEASURED, _DAYS, _MARK, _TICKET, _EVENT = (
    metadata.tables[name] for name in ("measured", "measured_day", "measured_mark", "ticket", "ticket_event")
)
ONE_DAY = timedelta(days=1)
#: a `person` of a scope: what nobody did or had
NOBODY = "none"


@dataclass(frozen=True)
class Scope:
    """Which days (both included, Asia/Shanghai) of which shop, type, platform and person; "" and None are all, and
    the person NOBODY is what stands under no name."""

    first: date
    last: date
    shop_id: int | None = None
    workflow: str = ""
    policy: str = ""
    person: str = ""


@dataclass(frozen=True)
class Sum:
    """`amount` is in seconds or 分, as the measure says."""

    count: int = 0
    amount: int = 0

    @property
    def mean(self) -> float | None:
        """None, never 0, where there was nothing."""
        return self.amount / self.count if self.count else None


NOTHING = Sum()


class Figures:
    """All sums of a scope, in memory: by measure, by measure and person, by measure and cause, by day."""

    def __init__(self, rows: Sequence[tuple[str, str, str, int, int]]) -> None:
        self._by_measure: dict[str, Sum] = {}
        self._by_person: dict[tuple[str, str], Sum] = {}
        self._by_cause: dict[tuple[str, str], Sum] = {}
        for measure, person, cause, count, amount in rows:
            one = Sum(count, amount)
            _add(self._by_measure, measure, one)
            _add(self._by_person, (measure, person), one)
            _add(self._by_cause, (measure, cause), one)

    @property
    def any(self) -> bool:
        """Something at all was measured."""
        return bool(self._by_measure)

    def of(self, measure: Measure, cause: str | None = None) -> Sum:
        """Of this cause alone, if one is named."""
        return (
            self._by_measure.get(measure, NOTHING) if cause is None else self._by_cause.get((measure, cause), NOTHING)
        )

    def share(self, part: Measure, *rest: Measure) -> float | None:
        """Of `part` in part plus rest, 0 to 1; None where there was nothing of either."""
        whole = self.of(part).count + sum(self.of(one).count for one in rest)
        return self.of(part).count / whole if whole else None

    def by_person(self, measure: Measure) -> dict[str, Sum]:
        return {person: value for (name, person), value in self._by_person.items() if name == measure}

    def by_cause(self, measure: Measure, most: int = 20) -> list[tuple[str, Sum]]:
        """(cause, sum), the most first."""
        found = [(cause, value) for (name, cause), value in self._by_cause.items() if name == measure]
        return sorted(found, key=lambda pair: (-pair[1].count, -pair[1].amount, pair[0]))[:most]


Key = TypeVar("Key")


def _add(sums: dict[Key, Sum], key: Key, one: Sum) -> None:
    was = sums.get(key, NOTHING)
    sums[key] = Sum(was.count + one.count, was.amount + one.amount)


def figures(engine: Engine, scope: Scope) -> Figures:
    columns = (_DAYS.c.measure, _DAYS.c.person, _DAYS.c.cause)
    question = select(*columns, func.sum(_DAYS.c.count), func.sum(_DAYS.c.amount)).where(_within(_DAYS.c, scope))
    with reading(engine) as connection:
        return Figures([_whole(row) for row in connection.execute(question.group_by(*columns))])


def by_day(engine: Engine, scope: Scope, measures: Sequence[Measure]) -> Mapping[tuple[str, str], Sum]:
    """(measure, day as 2026-10-02) -> its sum."""
    columns = (_DAYS.c.measure, _DAYS.c.day)
    question = (
        select(*columns, func.sum(_DAYS.c.count), func.sum(_DAYS.c.amount))
        .where(_within(_DAYS.c, scope), _DAYS.c.measure.in_(measures))
        .group_by(*columns)
    )
    with reading(engine) as connection:
        return {(row[0], row[1]): Sum(int(row[2]), int(row[3])) for row in connection.execute(question)}


def _whole(row: Any) -> tuple[str, str, str, int, int]:
    return row[0], row[1], row[2], int(row[3]), int(row[4])


def _within(columns: Any, scope: Scope) -> ColumnElement[bool]:
    conditions = [columns.day >= scope.first.isoformat(), columns.day <= scope.last.isoformat()]
    for name in ("shop_id", "workflow", "policy"):
        if getattr(scope, name):
            conditions.append(columns[name] == getattr(scope, name))
    if scope.person:
        conditions.append(columns.person == ("" if scope.person == NOBODY else scope.person))
    return and_(*conditions)


# ── the tickets behind a figure ──


@dataclass(frozen=True)
class Behind:
    """A ticket behind a figure: what was measured of it, and when."""

    ticket_id: int
    number: str
    workflow: str
    state: str
    buyer: str
    item_no: str
    day: str
    person: str
    cause: str
    amount: int
    place: int


OF_TICKET = {"number", "state", "buyer", "item_no"}


@dataclass(frozen=True)
class Page:
    rows: Sequence[Behind]
    #: (day, ticket, place) of the last row, if there are more
    next: tuple[str, int, int] | None


def behind(
    engine: Engine, scope: Scope, measure: Measure, *, cause: str | None = None,
    after: tuple[str, int, int] | None = None, limit: int = 50,
) -> Page:  # fmt: skip
    """What a figure is the sum of, oldest day first."""
    columns = [(_TICKET if name in OF_TICKET else _MEASURED).c[name] for name in Behind.__dataclass_fields__]
    question: Select[Any] = (
        select(*columns)
        .join_from(_MEASURED, _TICKET, _TICKET.c.id == _MEASURED.c.ticket_id)
        .where(_MEASURED.c.measure == measure, _within(_MEASURED.c, scope))
        .order_by(_MEASURED.c.day, _MEASURED.c.ticket_id, _MEASURED.c.place)
        .limit(limit + 1)
    )
    if cause is not None:
        question = question.where(_MEASURED.c.cause == cause)
    if after is not None:
        day, ticket, place = after
        columns_of = _MEASURED.c
        later = or_(columns_of.ticket_id > ticket, and_(columns_of.ticket_id == ticket, columns_of.place > place))
        question = question.where(or_(columns_of.day > day, and_(columns_of.day == day, later)))
    with reading(engine) as connection:
        rows = [Behind(*row) for row in connection.execute(question)]
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(rows[:limit], None if last is None else (last.day, last.ticket_id, last.place))


def counted_at(engine: Engine) -> datetime | None:
    """When the counting last got anywhere; None before the first time."""
    with reading(engine) as connection:
        at: datetime | None = connection.execute(select(_MARK.c.at)).scalar()
        return at


def waiting(engine: Engine) -> int:
    """Events that have not been counted yet, about."""
    with reading(engine) as connection:
        counted = connection.execute(select(_MARK.c.event_id)).scalar() or 0
        newest = connection.execute(select(func.max(_EVENT.c.id))).scalar() or 0
    return max(0, newest - counted)
