"""The figures of the shift board, and how they are drawn: three rows of 24 hours, who is on duty, whose hands are full.

Counting is done once in a few seconds for all who look (kept.py); drawing is done for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from aftersales.clock import SHANGHAI, shown, shown_day
from aftersales.decide import Rules
from aftersales.durations import Duration
from aftersales.forecast import ONE_HOUR, Deed, Due, Forecast, Hour, asked_of_tickets, deeds, forecast, hour_of
from aftersales.money import yuan
from aftersales.office import duty
from aftersales.office.duty import Shift
from aftersales.queries import automation, board
from aftersales.queries import forecast as counted
from aftersales.queries.automation import Punctual
from aftersales.queries.board import Hands, Standing
from aftersales.queries.forecast import Asked, Leaving
from aftersales.reports.sheets import Sheet
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows.vocabulary import Party
from web import words
from web.i18n import english, gettext
from web.recent import Recent
from web.shell import WEEKDAYS
from web.site import Site

HOURS, A_DAY = 72, 24
LARGEST = 5
#: the tallest bar, and one step in a bar where there is room, in px
TALLEST, STEP = 56, 7
BARS = ((Deed.REFUND, "f1"), (Deed.AGREE, "f2"), (Deed.CLOSE, "f3"), (Deed.PEOPLE, "f4"))
DEEDS = {Deed.REFUND: "退款", Deed.AGREE: "视为同意", Deed.CLOSE: "关闭、完成", Deed.PEOPLE: "升级、转人工"}

Spell = tuple[datetime, datetime]


@dataclass(frozen=True)
class Nights:
    """The hours without anybody on duty. `hours`: how many; `fen`: what leaves meanwhile."""

    hours: float
    steps: int
    fen: int


@dataclass(frozen=True)
class Figures:
    """Everything that is counted. `planned`: somebody keeps a plan of duty; without one there are no gaps."""

    now: datetime
    forecast: Forecast
    due: Sequence[Due]
    planned: bool
    shifts: Sequence[Shift]
    gaps: Sequence[Spell]
    nights: Nights | None
    largest: Leaving | None
    leaving: Sequence[Leaving]
    hands: Sequence[Hands]
    standing: Sequence[Standing]
    day: Punctual
    skipping: int

    @property
    def end(self) -> datetime:
        return hour_of(self.now) + HOURS * ONE_HOUR


_figures: Recent[Figures] = Recent()
_skipping: Recent[int] = Recent()
_punctual: Recent[Punctual] = Recent()


def forget() -> None:
    """After a change that this person wants to see at once."""
    _figures.forget()


def figures(site: Site, shops: Sequence[int], now: datetime) -> Figures:
    """Of these shops, as they were at most a few seconds ago."""
    return _figures.get((site.desk.engine, tuple(shops), hour_of(now)), lambda: _counted(site, shops, now))


def _counted(site: Site, shops: Sequence[int], now: datetime) -> Figures:
    engine, rules = site.desk.engine, site.rules()
    end = hour_of(now) + HOURS * ONE_HOUR
    asked = Asked(now, end, shops, asked_of_tickets(rules))
    groups = counted.due(engine, asked)
    told = counted.reminders(engine, asked, rules.catalog.house.reminder_spans)
    seen = forecast(groups, told, rules, now, HOURS)
    largest = counted.largest(engine, asked, seen.paying, LARGEST)
    shifts = duty.shifts(engine, now, end)
    gaps: list[Spell] = [(begin, stop) for begin, stop in duty.gaps(engine, now, end)] if shifts else []
    nights, leaving = None, largest
    if gaps:
        unattended = replace(asked, spells=gaps)
        nights = _nights(engine, unattended, groups, rules, now)
        leaving = counted.largest(engine, unattended, seen.paying, LARGEST)
    key = (engine, tuple(shops))
    return Figures(
        now, seen, groups, bool(shifts), shifts, gaps, nights, largest[0] if largest else None, leaving,
        board.hands(engine, shops, now), board.standing(engine, shops),
        _punctual.get(engine, lambda: automation.punctuality(engine, now, [timedelta(days=1)])[0]),
        _skipping.get(key, lambda: board.counted_by(engine, shops, by_workdays(rules))),
    )  # fmt: skip


def _nights(engine: Any, asked: Asked, groups: Sequence[Due], rules: Rules, now: datetime) -> Nights:
    """What happens in the gaps; where they begin and end with an hour, it has been counted already."""
    gaps = [(begin or now, end) for begin, end in asked.spells or ()]
    edges = [edge for begin, end in gaps for edge in (begin, end) if edge != now]
    if all(edge == hour_of(edge) for edge in edges):
        inside = [one for one in groups if any(hour_of(begin) <= one.hour < end for begin, end in gaps)]
    else:
        inside = counted.due(engine, asked)
    happens = forecast(inside, (), rules, now, HOURS)
    hours = sum((end - begin).total_seconds() for begin, end in gaps) / 3600
    return Nights(round(hours, 1), happens.steps, happens.fen)


def by_workdays(rules: Rules) -> set[tuple[str, str, str]]:
    """(policy, state, rule id) of the clocks that count working days, and so skip holidays."""
    return {
        (policy.key, state.name, rule.id)
        for policy in rules.catalog.policies.values()
        for rule in policy.clock_rules
        if any(_skips(limit.within) for limit in rule.history)
        for state in rule.states
    }


def _skips(within: object) -> bool:
    return isinstance(within, Duration) and within.unit == "workdays"


# ── links ──


def queue(shop: int | None, **asked: Any) -> str:
    """The queue with these filters; `None` leaves one out. Instants are written as people of the desk read them."""
    given = {"shop": shop, **asked}
    pairs = {name: _written(value) for name, value in given.items() if value is not None}
    return f"/?{urlencode(pairs)}" if pairs else "/"


def _written(value: Any) -> str:
    return shown(value)[:16].replace(" ", "T") if isinstance(value, datetime) else str(value)


# ── three rows of hours ──


@dataclass(frozen=True)
class Bar:
    """One part of a stacked bar, in px from its top."""

    kind: str
    y: int
    height: int


@dataclass(frozen=True)
class Cell:
    """One hour. `money`: short, "" for none; `said`: the whole of it in words."""

    hour: int
    steps: int
    height: int
    bars: Sequence[Bar]
    money: str
    night: bool
    hot: bool
    href: str
    said: str


@dataclass(frozen=True)
class OnDuty:
    """A run of hours with the same people."""

    span: int
    names: Sequence[str]


@dataclass(frozen=True)
class Row:
    day: str
    date: str
    steps: int
    cells: Sequence[Cell]
    duty: Sequence[OnDuty]


def rows(found: Figures, shop: int | None) -> list[Row]:
    hours = found.forecast.hours
    most = max((hour.steps for hour in hours), default=0)
    unit = min(float(STEP), TALLEST / most) if most else float(STEP)
    made = []
    for number in range(0, HOURS, A_DAY):
        part = hours[number : number + A_DAY]
        cells = [_cell(hour, found, unit, shop) for hour in part]
        days = (gettext("今天"), gettext("明天"), gettext("后天"))
        steps = sum(hour.steps for hour in part)
        made.append(Row(days[number // A_DAY], _day(part[0].at), steps, cells, _duty(part, found)))
    return made


def _day(at: datetime) -> str:
    return f"{shown(at)[5:10]} {gettext(WEEKDAYS[at.astimezone(SHANGHAI).weekday()])}"


def _cell(hour: Hour, found: Figures, unit: float, shop: int | None) -> Cell:
    first = hour is found.forecast.hours[0]
    large = found.largest
    return Cell(
        hour=hour.at.astimezone(SHANGHAI).hour,
        steps=hour.steps,
        height=round(hour.steps * unit),
        bars=_bars(hour, unit),
        money=short_yuan(hour.fen),
        night=any(_overlap((hour.at, hour.at + ONE_HOUR), gap) >= ONE_HOUR / 2 for gap in found.gaps),
        hot=large is not None
        and hour.fen > 0
        and (hour_of(large.due_at) == hour.at or (first and large.due_at < hour.at)),
        href=queue(shop, due_from=None if first else hour.at, due_to=hour.at + ONE_HOUR),
        said=_said(hour),
    )


def _said(hour: Hour) -> str:
    """The whole of an hour in words."""
    counts = {deed.value: hour.deeds[deed] for deed in Deed}
    return gettext(
        "{when}：共 {n} 步（退款 {refund}，视为同意 {agree}，关闭、完成 {close}，升级、转人工 {people}），"
        "自动退款 {money}",
        when=shown(hour.at)[5:16],
        n=hour.steps,
        money=yuan(hour.fen),
        **counts,
    )


def _bars(hour: Hour, unit: float) -> list[Bar]:
    """Refunds at the bottom, what comes to people on top."""
    top = round(hour.steps * unit)
    made, done = [], 0
    for deed, kind in BARS:
        count = hour.deeds[deed]
        below, done = done, done + count
        height = round(done * unit) - round(below * unit)
        if height:
            made.append(Bar(kind, top - round(done * unit), height))
    return made


def _overlap(one: Spell, other: Spell) -> timedelta:
    return max(min(one[1], other[1]) - max(one[0], other[0]), timedelta())


def _duty(part: Sequence[Hour], found: Figures) -> list[OnDuty]:
    if not found.planned:
        return []
    made: list[OnDuty] = []
    for hour in part:
        within = (max(hour.at, found.now), hour.at + ONE_HOUR)
        half = (within[1] - within[0]) / 2
        here = [one.name for one in found.shifts if _overlap(within, (one.from_at, one.to_at)) >= half]
        names = list(dict.fromkeys(here))
        if made and made[-1].names == names:
            made[-1] = OnDuty(made[-1].span + 1, names)
        else:
            made.append(OnDuty(1, names))
    return made


def short_yuan(fen: int) -> str:
    """As it fits under a bar, in 元: 326, 1,299, 12.9万; in English 129k."""
    whole = fen // 100
    if fen <= 0:
        return ""
    if whole < 10_000:
        return f"{whole:,}" if whole else "<1"
    if english():
        return f"{whole / 1000:.0f}k" if whole < 1_000_000 else f"{whole / 1_000_000:.1f}M"
    return gettext("{n}万", n=f"{whole / 10_000:.1f}" if whole < 1_000_000 else whole // 10_000)


# ── holidays ──


@dataclass(frozen=True)
class Holiday:
    name: str
    until: date


def holiday(calendar: WorkCalendar, now: datetime) -> Holiday | None:
    """The days off that it is in now, or that begin tomorrow; a plain weekend is none."""
    for day in (shown_day(now), shown_day(now) + timedelta(days=1)):
        if calendar.is_workday(day):
            continue
        days = [day]
        while not calendar.is_workday(days[-1] + timedelta(days=1)) and len(days) < 30:
            days.append(days[-1] + timedelta(days=1))
        named = [calendar.reason(one) for one in days if one.weekday() < 5]
        if not named:
            return None
        return Holiday(gettext("节假日") if english() else named[0], days[-1])
    return None


# ── people ──


@dataclass(frozen=True)
class Person:
    """One line of the people. `load`: percent of the fullest hands; `watch`: when on duty."""

    login: str
    name: str
    initial: str
    me: bool
    watch: str
    hands: Hands
    load: int


def people(found: Figures, accounts: Iterable[Any], me: str | None, most: int = 60) -> list[Person]:
    """Everybody who may work or who holds tickets, oneself first; nobody's tickets last."""
    of_owner = {one.owner: one for one in found.hands}
    names = {account.login: account.name for account in accounts if account.active or account.login in of_owner}
    logins = [*names, *(owner for owner in of_owner if owner is not None and owner not in names)]
    fullest = max((one.count for one in found.hands), default=0) or 1

    def line(login: str | None) -> Person:
        hands = of_owner.get(login) or Hands(login, 0, 0, 0, 0, None)
        name = names.get(login or "", login or "")
        load = round(100 * hands.count / fullest)
        return Person(login or "", name, name[:1], login == me, _watch(login, found), hands, load)

    lines = sorted((line(login) for login in logins), key=lambda one: (not one.me, -one.hands.count, one.login))
    return [*lines[:most], *([line(None)] if None in of_owner else [])]


def _watch(login: str | None, found: Figures) -> str:
    """在班到 18:00, 18:00 接班."""
    own = [one for one in found.shifts if one.login == login]
    if not own:
        return ""
    if own[0].from_at <= found.now:
        return gettext("在班到 {time}", time=brief(own[0].to_at, found.now))
    return gettext("{time} 接班", time=brief(own[0].from_at, found.now))


def brief(at: datetime, now: datetime) -> str:
    """18:00 today; 10-03 18:00 on another day."""
    return shown(at)[11:16] if shown_day(at) == shown_day(now) else words.brief(at, now)


# ── waiting for whom ──


@dataclass(frozen=True)
class Turn:
    """`key`: of the queue's filter."""

    key: str
    party: Party
    count: int
    late: int
    since: datetime | None


_KEYS = {Party.MERCHANT: "merchant", Party.BUYER: "buyer", Party.COURIER: "courier", Party.PLATFORM: "platform"}


def turns(found: Figures, rules: Rules) -> list[Turn]:
    waits = {
        (workflow.key, state.name): state.waits_for
        for workflow in rules.catalog.workflows.values()
        for state in workflow.waiting
    }
    made = []
    for party, key in _KEYS.items():
        here = [one for one in found.standing if waits.get((one.workflow, one.state)) is party]
        count, late = sum(one.count for one in here), sum(one.late for one in here)
        made.append(Turn(key, party, count, late, min((one.since for one in here), default=None)))
    return made


def late(found: Figures) -> tuple[int, datetime | None]:
    """How many wait for people, and since when the oldest has stood where it stands."""
    since = [one.late_since for one in found.standing if one.late_since is not None]
    return sum(one.late for one in found.standing), min(since, default=None)


# ── as a table for spreadsheets ──


def table(found: Figures, rules: Rules) -> Sheet:
    """Hour by hour and way by way, the reminders after them; amounts in 元."""
    heads = ("小时", "类型", "平台规则", "状态", "到期动作", "会怎样", "张数", "自动退款（元）")
    lines: list[list[Any]] = []
    deed_of = deeds(rules)
    first = hour_of(found.now)
    for group in sorted(found.due, key=lambda one: (max(one.hour, first), one.way)):
        way, deed = group.way, deed_of(group.way)
        lines.append([
            shown(max(group.hour, first))[:16],
            gettext(words.workflow_label(rules, way.workflow)), gettext(words.policy_label(rules, way.policy)),
            gettext(words.state_label(rules, way.workflow, way.state)),
            gettext(words.move_label(rules, way.workflow, way.timeout)), gettext(DEEDS[deed]), group.tickets,
            group.fen / 100 if deed is Deed.REFUND else 0,
        ])  # fmt: skip
    for hour in found.forecast.hours:
        if hour.reminders:
            lines.append([shown(hour.at)[:16], "", "", "", "", gettext("提醒"), hour.reminders, 0])
    name = gettext("{time} 起 72 小时", time=shown(found.now)[:16])
    return Sheet(name, [gettext(head) for head in heads], lines)
