"""A clock drawn as a line: where everything stands, in percent of the width. Pure geometry, no words of its own.

    draw(Line(...)) -> Drawing: bands, bars, ticks and labels for the template

Laws (tests/unit/test_timeline.py): every place is within 0 and 100, what is earlier never stands right of what is
later, and no two labels of one row overlap: one that finds no room is left out, the least important first.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from aftersales.clock import SHANGHAI

#: the line itself lies between these, so that words at its ends have room; in percent
LEFT, RIGHT = 4.0, 92.0
#: the narrowest the picture is ever drawn, in px: narrower windows show a list instead
NARROWEST = 470
#: px of a letter at 12 px: Chinese, and anything else
_WIDE, _NARROW, _APART = 12.0, 7.0, 8.0
#: px of a title that has a shorter one
_LONGEST = 220.0
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Mark:
    """An instant with up to two lines of words. `kind`: start, due, now, target, was, ended."""

    at: datetime
    kind: str
    title: str = ""
    note: str = ""
    #: a shorter title, where the whole one would take too much of the picture
    short: str = ""


@dataclass(frozen=True)
class Span:
    """A stretch of time. `kind`: holiday (counted), skip, pause, worked."""

    start: datetime
    end: datetime
    kind: str
    label: str = ""


@dataclass(frozen=True)
class Line:
    """What is to be drawn. `used_to`: up to here it is filled; `end`: of the picture."""

    start: datetime
    end: datetime
    used_to: datetime
    #: the more important first: those behind it stand where there is room
    marks: Sequence[Mark] = ()
    spans: Sequence[Span] = ()
    #: the days below the line are told
    days: bool = True


@dataclass(frozen=True)
class Bar:
    x: float
    width: float
    kind: str
    #: only if it fits
    label: str = ""


@dataclass(frozen=True)
class Tick:
    x: float
    kind: str


@dataclass(frozen=True)
class Label:
    """`x` with its `anchor` (start, middle, end), as SVG has it; `left` and `right`: what it covers, in percent."""

    x: float
    anchor: str
    kind: str
    title: str
    note: str
    left: float
    right: float


@dataclass(frozen=True)
class Drawing:
    track: Bar
    used: Sequence[Bar] = ()
    spans: Sequence[Bar] = ()
    ticks: Sequence[Tick] = ()
    labels: Sequence[Label] = ()
    days: Sequence[Label] = field(default_factory=list)


def draw(line: Line) -> Drawing:
    at = _Scale(line)
    pauses = [span for span in line.spans if span.kind == "pause"]
    return Drawing(
        track=Bar(LEFT, RIGHT - LEFT, "track"),
        used=[_bar(at(start), at(end), "used") for start, end in _without(line.start, line.used_to, pauses)],
        spans=[_span(span, at) for span in line.spans],
        ticks=[Tick(at(mark.at), mark.kind) for mark in line.marks],
        labels=_labels(line.marks, at),
        days=_days(line, at) if line.days else [],
    )


class _Scale:
    """Instants to percent: before the start everything is at the very left, after the end at the very right."""

    def __init__(self, line: Line) -> None:
        self.start = line.start
        self.seconds = max(1.0, (line.end - line.start).total_seconds())

    def __call__(self, instant: datetime) -> float:
        share = (instant - self.start).total_seconds() / self.seconds
        return round(min(100.0, max(0.0, LEFT + (RIGHT - LEFT) * share)), 2)


def _bar(start: float, end: float, kind: str, label: str = "") -> Bar:
    return Bar(start, round(max(0.0, end - start), 2), kind, label)


def _span(span: Span, at: _Scale) -> Bar:
    bar = _bar(at(span.start), at(span.end), span.kind)
    fits = _percent(_length(span.label)) + 3 <= bar.width
    return Bar(bar.x, bar.width, bar.kind, span.label if fits else "")


def _without(start: datetime, end: datetime, gaps: Sequence[Span]) -> Iterable[tuple[datetime, datetime]]:
    """The parts of a stretch between its gaps."""
    for gap in sorted(gaps, key=lambda gap: gap.start):
        if start < min(gap.start, end):
            yield start, min(gap.start, end)
        start = max(start, gap.end)
    if start < end:
        yield start, end


# ── words ──


def _length(text: str) -> float:
    """Of a text in px."""
    return sum(_WIDE if unicodedata.east_asian_width(letter) in "WF" else _NARROW for letter in text)


def _percent(px: float) -> float:
    return px / NARROWEST * 100


def _labels(marks: Sequence[Mark], at: _Scale) -> list[Label]:
    """In the order given, each where it first fits beside those already there."""
    placed: list[Label] = []
    for whole in marks:
        mark = replace(whole, title=whole.short) if whole.short and _length(whole.title) > _LONGEST else whole
        if not (mark.title or mark.note):
            continue
        found = next((one for one in _places(mark, at(mark.at), placed) if _free(one, placed)), None)
        if found is not None:
            placed.append(found)
    return placed


#: a label that finds no room around its line may stand so far from it, in percent
_NEAR = 30.0


def _places(mark: Mark, x: float, placed: Sequence[Label]) -> Iterable[Label]:
    """Around its line, then to the left and the right of it, then beside the label that is in its way; the start keeps
    to the right of its line, an end at the edge to the edge."""
    width = _percent(max(_length(mark.title), _length(mark.note)))
    if mark.kind == "start":
        yield _label(mark, x, "start", x, width)
        return
    if mark.kind == "due" and x + width / 2 > 97:
        yield _label(mark, 100.0, "end", 100.0 - width, width)
    yield _label(mark, x, "middle", x - width / 2, width)
    yield _label(mark, x, "end", x - width, width)
    yield _label(mark, x, "start", x, width)
    apart = 1.5 * _percent(_APART)
    for other in placed:
        if 0 <= other.right + apart - x <= _NEAR:
            yield _label(mark, other.right + apart, "start", other.right + apart, width)
        if 0 <= x - other.left + apart <= _NEAR:
            yield _label(mark, other.left - apart, "end", other.left - apart - width, width)


def _label(mark: Mark, x: float, anchor: str, left: float, width: float) -> Label:
    return Label(round(x, 2), anchor, mark.kind, mark.title, mark.note, round(left, 2), round(left + width, 2))


def _free(label: Label, placed: Sequence[Label]) -> bool:
    apart = _percent(_APART)
    if label.left < 0 or label.right > 100:
        return False
    return all(label.right + apart <= other.left or label.left >= other.right + apart for other in placed)


def _days(line: Line, at: _Scale) -> list[Label]:
    """The beginnings of days below the line: every one, or every second, third, seventh ... so that they have room."""
    first = line.start.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0) + _ONE_DAY
    count = max(0, (line.end - first).days + 1)
    if count > 400:
        return []
    days = [first + n * _ONE_DAY for n in range(count) if first + n * _ONE_DAY < line.end]
    for step in (1, 2, 3, 7, 14, 30, 90):
        found = _row([day for n, day in enumerate(days) if n % step == 0], at)
        if found is not None:
            return found
    return []


def _row(days: Sequence[datetime], at: _Scale) -> list[Label] | None:
    placed: list[Label] = []
    for day in days:
        text = f"{day:%m-%d}"
        x, width = at(day), _percent(_length(text))
        label = Label(x, "middle", "day", text, "", round(x - width / 2, 2), round(x + width / 2, 2))
        if not _free(label, placed):
            return None
        placed.append(label)
    return placed
