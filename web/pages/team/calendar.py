"""The work calendar: a year as it was published or is projected, the operator's own lines, and a moment to try."""

from __future__ import annotations

import calendar as months
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fastapi import APIRouter, Request, Response

from aftersales import clock
from aftersales.clock import shown_day
from aftersales.work_calendar import WorkCalendar
from web.pages.team.frame import team_page
from web.site import TheSite

router = APIRouter()
HERE = "/team/calendar"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Square:
    """A day in a month. `kind`: work, rest, off (by the calendar), on (a weekend that is worked)."""

    day: date
    kind: str
    reason: str
    own: bool


@dataclass(frozen=True)
class Run:
    """Days one after the other that are special for the same reason."""

    first: date
    last: date
    reason: str
    works: bool
    source: str

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def year_of(calendar: WorkCalendar, year: int) -> list[list[list[Square | None]]]:
    """Twelve months of weeks of seven days, Monday first; None outside the month."""
    return [
        [[_square(calendar, date(year, month, day)) if day else None for day in week] for week in weeks]
        for month, weeks in ((month, months.monthcalendar(year, month)) for month in range(1, 13))
    ]


def _reason(calendar: WorkCalendar, day: date) -> str:
    """The name of the day; that it is the shop's own line is said beside it."""
    return calendar.reason(day).removeprefix("门店设置：")


def _square(calendar: WorkCalendar, day: date) -> Square:
    works, weekend = calendar.is_workday(day), day.weekday() > 4
    kind = "off" if calendar.is_holiday(day) else "on" if works and weekend else "work" if works else "rest"
    return Square(day, kind, _reason(calendar, day), calendar.source(day) == "operator")


def runs_of(calendar: WorkCalendar, year: int) -> list[Run]:
    found: list[Run] = []
    for day in calendar.special_days(year):
        works, reason, source = calendar.is_workday(day), _reason(calendar, day), calendar.source(day)
        last = found[-1] if found else None
        if last and (last.last + DAY, last.works, last.reason, last.source) == (day, works, reason, source):
            found[-1] = Run(last.first, day, reason, works, source)
        else:
            found.append(Run(day, day, reason, works, source))
    return found


def _year(asked: str, able: Sequence[int], this: int) -> int:
    year = int(asked) if re.fullmatch(r"[0-9]{4}", asked) else this
    return year if year in able else this


@router.get(HERE)
def calendar(request: Request, site: TheSite) -> Response:
    known, this = site.rules().calendar, shown_day(clock.now()).year
    able = sorted({*known.known_years, this, this + 1})
    year = _year(request.query_params.get("year", ""), able, this)
    context = {
        "year": year,
        "years": [one for one in able if this - 2 <= one],
        "published": year in known.known_years,
        "months": year_of(known, year),
        "runs": runs_of(known, year),
        "file": site.settings.calendar_file,
        "today": shown_day(clock.now()),
    }
    return team_page("calendar", HERE, context)
