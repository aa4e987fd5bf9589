"""Who is on duty when: a week, its exceptions, and the hours of the next three days that nobody covers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from aftersales import clock
from aftersales.clock import SHANGHAI, UTC, shown, shown_day
from aftersales.errors import Refused
from aftersales.fill_in import text_problem
from aftersales.office import accounts, duty
from aftersales.office.accounts import Account
from aftersales.office.duty import Shift
from aftersales.saying import say
from aftersales.work_calendar import WorkCalendar
from web.i18n import gettext
from web.pages.team.frame import ids, number, team_page
from web.pages.team.overview import AHEAD, gaps
from web.pages.team.people import Several, Text, account_of
from web.shell import WEEKDAYS
from web.site import Site, TheSite

router = APIRouter()
HERE = "/team/duty"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
#: shifts a day that the form of a week has room for
SLOTS = 2


# ── a week ──


@dataclass(frozen=True)
class Day:
    date: date
    weekday: str
    #: why it is no ordinary day: a holiday's name, 调休上班; "" for an ordinary one
    special: str
    today: bool


def _week(site: Site, monday: date, now: datetime) -> list[Day]:
    calendar = site.rules().calendar
    days = [monday + DAY * n for n in range(7)]
    return [Day(day, WEEKDAYS[day.weekday()], _special(calendar, day), day == shown_day(now)) for day in days]


def _special(calendar: WorkCalendar, day: date) -> str:
    made_up = day.weekday() > 4 and calendar.is_workday(day)
    return calendar.reason(day) if made_up or calendar.is_holiday(day) else ""


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=SHANGHAI).astimezone(UTC)


def _grid(shifts: Sequence[Shift], days: Sequence[Day]) -> dict[str, list[list[str]]]:
    """By login, for each day the shifts that begin on it: 09:00–18:00."""
    found: dict[str, list[list[str]]] = {}
    for shift in shifts:
        cells = found.setdefault(shift.login, [[] for _ in days])
        place = (shown_day(shift.from_at) - days[0].date).days
        cells[place].append(_times(shift))
    return found


def _times(shift: Shift) -> str:
    begins, ends = shown(shift.from_at)[11:16], shown(shift.to_at)[11:16]
    later = (shown_day(shift.to_at) - shown_day(shift.from_at)).days
    if later == 1 and ends == "00:00":
        return f"{begins}–24:00"
    if later == 0:
        return f"{begins}–{ends}"
    return (
        gettext("{begins}–次日 {ends}", begins=begins, ends=ends)
        if later == 1
        else f"{begins}–{shown(shift.to_at)[5:16]}"
    )


# ── the next three days, hour by hour ──


@dataclass(frozen=True)
class Cell:
    """So many hours with the same people."""

    hours: int
    people: Sequence[str]
    #: d0 nobody, d1 one or two, d3 more: the colour
    kind: str


@dataclass(frozen=True)
class Stretch:
    """Twenty-four hours from an hour on."""

    from_at: datetime
    cells: Sequence[Cell]


def _stretches(shifts: Sequence[Shift], start: datetime) -> list[Stretch]:
    found = []
    for n in range(3):
        begins = start + DAY * n
        hours = [_there(shifts, begins + HOUR * hour) for hour in range(24)]
        cells = [Cell(len(list(same)), people, _kind(people)) for people, same in groupby(hours)]
        found.append(Stretch(begins, cells))
    return found


def _there(shifts: Sequence[Shift], hour: datetime) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.name for one in shifts if one.from_at < hour + HOUR and hour < one.to_at))


def _kind(people: Sequence[str]) -> str:
    return "d0" if not people else "d1" if len(people) < 3 else "d3"


# ── the page ──


def _page(
    site: Site, asked: str = "", refusal: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Response:
    engine, now = site.desk.engine, clock.now()
    monday = _monday(asked, now)
    days = _week(site, monday, now)
    begins, ends = _midnight(monday), _midnight(monday + 7 * DAY)
    hour = now.replace(minute=0, second=0, microsecond=0)
    context = {
        "days": days,
        "before": monday - 7 * DAY,
        "after": monday + 7 * DAY,
        "everyone": [one for one in accounts.everyone(engine) if one.active],
        "grid": _grid(duty.shifts(engine, begins, ends), days),
        "stretches": _stretches(duty.shifts(engine, hour, hour + AHEAD), hour),
        "hours": [(hour + HOUR * n).astimezone(SHANGHAI).hour for n in range(24)],
        "gaps": gaps(engine, now),
        "planned": bool(duty.week(engine)),
        "changes": duty.changes(engine, now, now + 62 * DAY),
        "typed": typed or {},
        "now": now,
    }
    return team_page("duty", HERE, context, refusal)


def _monday(asked: str, now: datetime) -> date:
    """Of the week that is asked for; of this one if it is none."""
    day = shown_day(now)
    if re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", asked):
        with suppress(ValueError):
            day = date.fromisoformat(asked)
    return day - DAY * day.weekday()


@router.get(HERE)
def week(site: TheSite, week: str = "") -> Response:
    return _page(site, week)


@router.post(HERE)
def except_(
    site: TheSite, account: Text = "", begins: Text = "", ends: Text = "", works: Text = "", reason: Text = ""
) -> Response:
    typed = {"account": account, "begins": begins, "ends": ends, "works": works, "reason": reason}
    try:
        found = next(iter(ids([account])), None)
        chosen = None if found is None else accounts.by_id(site.desk.engine, found)
        if chosen is None or not chosen.active:
            raise Refused("missing_field", say("还没有选人，请选一个在用的账号"))
        if (problem := text_problem(reason, 200)) is not None:
            raise Refused("invalid_field", say("{label}：{problem}", label=say("原因"), problem=problem))
        duty.except_(
            site.desk.engine, chosen.id, _instant(begins), _instant(ends), works=works == "on", reason=reason.strip()
        )  # fmt: skip
    except Refused as refusal:
        return _page(site, refusal=refusal, typed=typed)
    return RedirectResponse(f"{HERE}?done=added#changes", 303)


def _instant(text: str) -> datetime:
    try:
        return clock.parse(text)
    except ValueError as problem:
        raise Refused("invalid_field", str(problem)) from None


@router.post("/team/duty/exception/{change_id}/remove")
def no_exception(change_id: str, site: TheSite) -> Response:
    duty.no_exception(site.desk.engine, number(change_id))
    return RedirectResponse(f"{HERE}?done=removed#changes", 303)


# ── one person's week ──


def _person(
    site: Site, account: Account, typed: Sequence[tuple[str, str]] | None = None, refusal: Refused | None = None
) -> Response:
    if typed is None:
        typed = [("", "")] * 7 * SLOTS
        for one in duty.week(site.desk.engine):
            if one.login == account.login:
                free = next((n for n in range(SLOTS) if not typed[one.weekday * SLOTS + n][0]), SLOTS - 1)
                typed[one.weekday * SLOTS + free] = (_written(one.from_minute), _written(one.to_minute))
    rows = [(WEEKDAYS[day], typed[day * SLOTS : (day + 1) * SLOTS]) for day in range(7)]
    return team_page("duty_person", HERE, {"account": account, "rows": rows}, refusal)


def _written(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


@router.get("/team/duty/{account_id}")
def person(account_id: str, site: TheSite) -> Response:
    return _person(site, account_of(site, account_id))


@router.post("/team/duty/{account_id}")
def plan(account_id: str, site: TheSite, begins: Several, ends: Several) -> Response:
    account = account_of(site, account_id)
    typed = [("", "")] * 7 * SLOTS
    for n, pair in enumerate(zip(begins, ends, strict=False)):
        if n < len(typed):
            typed[n] = pair
    try:
        if len(begins) != len(typed) or len(ends) != len(typed):
            raise Refused("invalid_field", say("这张表单不完整，请刷新后再填"))
        days = [(n // SLOTS, *_minutes(*pair, WEEKDAYS[n // SLOTS])) for n, pair in enumerate(typed) if any(pair)]
        duty.plan_week(site.desk.engine, account.id, days)
    except Refused as refusal:
        return _person(site, account, typed, refusal)
    return RedirectResponse(f"{HERE}?done=saved", 303)


def _minutes(begins: str, ends: str, day: str) -> tuple[int, int]:
    found = [re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::[0-5][0-9])?", text.strip()) for text in (begins, ends)]
    if found[0] is None or found[1] is None:
        raise Refused("invalid_field", say("{day}的班次要同时写上班和下班时间，例如 09:00 和 18:00", day=day))
    first, second = (int(one.group(1)) * 60 + int(one.group(2)) for one in found if one is not None)
    return first, second
