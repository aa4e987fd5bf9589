"""PURE: who is on duty when, from the plan of a week and its exceptions. Days are those of Asia/Shanghai."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from aftersales.clock import SHANGHAI, UTC, shown_day

_DAY = timedelta(days=1)


class Weekly(NamedTuple):
    """Every week on this day (0 is Monday), from minute to minute; past 1440 into the next day."""

    login: str
    weekday: int
    from_minute: int
    to_minute: int


class Exceptional(NamedTuple):
    """Works besides, or does not work, from one instant to another."""

    login: str
    from_at: datetime
    to_at: datetime
    works: bool


class Span(NamedTuple):
    """From one instant up to, and without, the other."""

    from_at: datetime
    to_at: datetime


def spans_of(
    week: Iterable[Weekly], exceptions: Iterable[Exceptional], start: datetime, end: datetime
) -> dict[str, list[Span]]:
    """By login: when each is on duty between the two instants, cut off there, without overlap and in order."""
    planned: dict[str, list[Span]] = {}
    for one in week:
        planned.setdefault(one.login, []).extend(_every_week(one, start, end))
    besides: dict[str, list[Span]] = {}
    away: dict[str, list[Span]] = {}
    for change in exceptions:
        kept = besides if change.works else away
        kept.setdefault(change.login, []).append(Span(change.from_at, change.to_at))
    found = {}
    for login in sorted({*planned, *besides}):
        works = [*without(planned.get(login, ()), away.get(login, ())), *besides.get(login, ())]
        spans = merged(_cut(works, start, end))
        if spans:
            found[login] = spans
    return found


def _every_week(one: Weekly, start: datetime, end: datetime) -> Iterator[Span]:
    # from the day before: its night may reach into the first day
    first, last = shown_day(start) - _DAY, shown_day(end)
    day = first + _DAY * ((one.weekday - first.weekday()) % 7)
    while day <= last:
        yield Span(_minute(day, one.from_minute), _minute(day, one.to_minute))
        day += 7 * _DAY


def _minute(day: date, minute: int) -> datetime:
    midnight = datetime.combine(day, time.min, tzinfo=SHANGHAI).astimezone(UTC)
    return midnight + timedelta(minutes=minute)


def _cut(spans: Iterable[Span], start: datetime, end: datetime) -> Iterator[Span]:
    for span in spans:
        cut = Span(max(span.from_at, start), min(span.to_at, end))
        if cut.from_at < cut.to_at:
            yield cut


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in as few spans as it takes, in order."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.from_at <= found[-1].to_at:
            found[-1] = Span(found[-1].from_at, max(found[-1].to_at, span.to_at))
        else:
            found.append(span)
    return found


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """What is left of the spans."""
    left = list(spans)
    for hole in taken:
        left = [part for span in left for part in _around(span, hole)]
    return left


def _around(span: Span, hole: Span) -> Iterator[Span]:
    if hole.to_at <= span.from_at or span.to_at <= hole.from_at:
        yield span
        return
    if span.from_at < hole.from_at:
        yield Span(span.from_at, hole.from_at)
    if hole.to_at < span.to_at:
        yield Span(hole.to_at, span.to_at)


def nobody(spans: Sequence[Span], start: datetime, end: datetime) -> list[Span]:
    """When none of these runs."""
    return without([Span(start, end)], merged(spans)) if start < end else []
