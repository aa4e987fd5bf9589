"""A moment tried out: from when on, how long, and each day with the reason why it counts or does not.

`parts/try_moment.html` draws it on any page that includes it: what is asked stands in that page's address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from urllib.parse import parse_qsl

from aftersales import clock
from aftersales.clock import shown, shown_day
from aftersales.decide import Rules
from aftersales.durations import Counted, Duration
from aftersales.policies.vocabulary import Limit, Rule, agreed
from aftersales.work_calendar import WorkCalendar
from web import visit
from web.i18n import gettext, translated
from web.site import Site

UNITS = {"hours": "小时", "days": "天（24 小时一天）", "civil_days": "自然日（次日起算）", "workdays": "工作日"}
#: what the form asks for, by its names in addresses
OWN = ("start", "rule", "n", "unit", "roll", "done")
#: squares in a row, and how many are drawn at most; longer spans are told in the list alone
ROW, MOST = 16, 64
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Square:
    """A day on the way. `kind`: start, counted, on (a weekend that is worked), skipped."""

    day: date
    kind: str
    #: which of those counted
    n: int
    reason: str


@dataclass(frozen=True)
class Run:
    """Days one after the other of the same kind, in words."""

    first: date
    last: date
    kind: str
    words: str
    #: a short one for under the squares
    label: str

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class Row:
    """Squares beside each other, and what stands under them: (left edge, width) in percent."""

    squares: Sequence[tuple[float, Square]]
    width: float
    labels: Sequence[tuple[float, str, str]]
    last: bool


@dataclass
class Tried:
    """What was asked, and what came of it; `problem` says what is wrong with the question."""

    action: str
    start: str
    #: what else stands in the address, which the form carries along
    kept: Sequence[tuple[str, str]] = ()
    rule: str = ""
    n: str = "7"
    unit: str = "workdays"
    roll: bool = False
    #: (platform, [(value, label)])
    rules: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()
    problem: str = ""
    length: str = ""
    counted: Counted | None = None
    runs: list[Run] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    #: years on the way that nobody has published yet
    projected: Sequence[int] = ()

    @property
    def units(self) -> Mapping[str, str]:
        return UNITS

    @property
    def title(self) -> str:
        return gettext("；").join(f"{_days(run)} {run.words}" for run in self.runs)


def of_visit() -> Tried:
    """What the address of this visit asks for."""
    here = visit.current.get()
    site: Site = here.known["site"]
    return tried(site, dict(parse_qsl(here.query, keep_blank_values=True)), here.path)


def tried(site: Site, asked: Mapping[str, str], action: str = "/try") -> Tried:
    """The query: start=2026-09-29T14:20 and rule=kuaishou_local/KS-LL-04, or n=7 and unit=workdays (and roll=1)."""
    rules = site.rules()
    now = shown(clock.now())[:16].replace(" ", "T")
    kept = [(name, value) for name, value in asked.items() if name not in OWN]
    made = Tried(action, asked.get("start") or now, kept, asked.get("rule", ""), rules=_offered(rules))
    made.n, made.unit, made.roll = asked.get("n") or "7", asked.get("unit") or "workdays", asked.get("roll") == "1"
    if not asked.get("start"):
        return made
    try:
        start = clock.parse(made.start)
        length = _length(made, start, rules)
        made.length, made.counted = str(length), length.after(start, rules.calendar)
    except ValueError as problem:
        made.problem = str(problem)
        return made
    _draw(made, length, start, rules.calendar)
    return made


# ── what to count ──


def _rows(rules: Rules) -> dict[str, tuple[str, Rule]]:
    """Every rule that sets a length, by its name in addresses; those that share an id are counted up."""
    found: dict[str, tuple[str, Rule]] = {}
    for policy in rules.catalog.policies.values():
        for rule in policy.clock_rules:
            if any(_duration(limit) for limit in rule.history):
                name, n = f"{policy.key}/{rule.id}", 2
                while name in found:
                    name, n = f"{policy.key}/{rule.id}~{n}", n + 1
                found[name] = (policy.label, rule)
    return found


def _duration(limit: Limit) -> Duration | None:
    within = limit.within.or_else if isinstance(limit.within, agreed) else limit.within
    return within if isinstance(within, Duration) else None


def _offered(rules: Rules) -> list[tuple[str, list[tuple[str, str]]]]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, (platform, rule) in _rows(rules).items():
        length = next((found for limit in reversed(rule.history) if (found := _duration(limit))), "")
        label = gettext("{rule}，{length}", rule=rule.label, length=str(length))
        groups.setdefault(platform, []).append((name, f"{rule.id} {label}"))
    return list(groups.items())


def _length(made: Tried, start: datetime, rules: Rules) -> Duration:
    """By the rule as it stands at the start, or the free length. ValueError says what is wrong, in words."""
    if made.rule:
        named = _rows(rules).get(made.rule)
        if named is None:
            raise ValueError("没有这条规则，请从列表里选")
        limit = named[1].at(start)
        found = None if limit is None else _duration(limit)
        if found is None:
            raise ValueError("这条规则在这个时刻没有时限，请换一个时刻")
        return found
    if not re.fullmatch(r"[0-9]{1,6}", made.n) or made.unit not in UNITS:
        raise ValueError("时限要写整数，单位从列表里选")
    return Duration(int(made.n), made.unit, made.roll and made.unit == "civil_days")  # type: ignore[arg-type]


# ── each day ──


def _draw(made: Tried, length: Duration, start: datetime, calendar: WorkCalendar) -> None:
    assert made.counted is not None
    squares = list(_squares(length, start, made.counted, calendar))
    made.runs = [_run(list(same), length) for _, same in groupby(squares, lambda one: (one.kind, _why(one)))]
    if len(squares) <= MOST:
        made.rows = _in_rows(squares, made.runs)
    if length.unit == "workdays" or length.roll_forward:
        made.projected = sorted({one.day.year for one in squares if not calendar.is_known(one.day)})


def _squares(length: Duration, start: datetime, counted: Counted, calendar: WorkCalendar) -> list[Square]:
    first, last = shown_day(start), shown_day(counted.due_at)
    skipped = dict(counted.skipped)
    found, n = [Square(first, "start", 0, "")], 0
    for ahead in range(1, (last - first).days + 1):
        day = first + DAY * ahead
        reason = calendar.reason(day)
        # off days roll over the last of the civil days, which itself was counted
        passed = day in skipped if length.unit == "workdays" else day in skipped and n >= length.count
        if passed:
            found.append(Square(day, "skipped", 0, reason))
            continue
        n += 1
        worked = length.unit == "workdays" and day.weekday() > 4
        found.append(Square(day, "on" if worked else "counted", n, reason))
    return found


def _why(one: Square) -> str:
    """What makes days alike: a weekend is one thing, a festival another."""
    if one.kind == "skipped":
        return "周末" if one.reason in ("周六", "周日") else one.reason
    return ""


def _run(squares: Sequence[Square], length: Duration) -> Run:
    first, last = squares[0], squares[-1]
    kind, why, days = first.kind, _why(first), len(squares)
    says = translated(why)
    if kind == "start":
        exact = length.unit in ("hours", "days")
        words, label = gettext("起算") if exact else gettext("起，当天不算"), ""
    elif kind == "skipped":
        words, label = gettext("{reason}，跳过 {n} 天", reason=says, n=days), says
    elif kind == "on":
        words, label = gettext("补班，算第 {n} 天", n=first.n), gettext("补班")
    elif days == 1:
        words, label = gettext("第 {n} 天", n=first.n), ""
    else:
        words, label = gettext("第 {n} 至 {m} 天", n=first.n, m=last.n), ""
    return Run(first.day, last.day, kind, words, label)


def _days(run: Run) -> str:
    if run.days == 1:
        return f"{run.first:%m-%d}"
    return (
        f"{run.first:%m-%d}…{run.last:%d}"
        if run.first.month == run.last.month
        else f"{run.first:%m-%d}…{run.last:%m-%d}"
    )


def _in_rows(squares: Sequence[Square], runs: Sequence[Run]) -> list[Row]:
    rows = []
    across = min(ROW, max(len(squares), 8))
    step = 100 / across
    for begin in range(0, len(squares), across):
        part = squares[begin : begin + across]
        placed = [(round(n * step + 0.2, 2), one) for n, one in enumerate(part)]
        labels = list(_labels(part, runs, step))
        rows.append(Row(placed, round(step - 0.6, 2), labels, begin + across >= len(squares)))
    return rows


def _labels(part: Sequence[Square], runs: Sequence[Run], step: float) -> list[tuple[float, str, str]]:
    """(middle in percent, class, text), of what fits under its squares."""
    found = []
    for run in runs:
        inside = [n for n, one in enumerate(part) if run.first <= one.day <= run.last]
        if inside and run.label and len(inside) * step >= 0.9 * _wide(run.label):
            middle = (inside[0] + inside[-1] + 1) / 2 * step
            found.append((round(middle, 2), "ok" if run.kind == "on" else "hol", run.label))
    return found


def _wide(text: str) -> float:
    """About how many percent of a card a text takes."""
    return sum(2.1 if ord(char) > 0x2E80 else 1.1 for char in text)
