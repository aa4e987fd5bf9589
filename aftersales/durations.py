"""Lengths of time as the platforms write them: hours(48), days(10), civil_days(7), workdays(7).

The five ways of counting are those of domain/counting.md:

    hours(n)                            start + n x 3600 s                                  民法典201 第二款
    days(n)                             start + n x 24 h, the same time of day: bare 日/天   decisions.md 1
    civil_days(n)                       start day not counted, ends 24:00 of day n          民法典201 第一款, 203 第二款
    civil_days(n, roll_forward=True)    the same, moved off a 法定休假日                     民法典203 第一款
    workdays(n)                         start day not counted, ends 24:00 of working day n  counting.md W(n)

Days begin and end in Asia/Shanghai.  "24:00" is that day's 23:59:59, and an instant equal to the due time is on time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple

from aftersales.clock import SHANGHAI, UTC, shown_day, whole_second
from aftersales.saying import say
from aftersales.work_calendar import WorkCalendar

Unit = Literal["hours", "days", "civil_days", "workdays"]

_CHINESE = {
    "hours": "{n}小时",
    "days": "{n}天",
    "civil_days": "{n}个自然日（次日起算）",
    "workdays": "{n}个工作日",
}
_ROLLED = "{n}个自然日（次日起算，遇法定休假日顺延）"
_SECONDS = {"hours": 3_600, "days": 86_400}
_EXAMPLE = {"hours": 48, "days": 10, "civil_days": 7, "workdays": 7}
_TEN_YEARS = {"hours": 3_653 * 24, "days": 3_653, "civil_days": 3_653, "workdays": 2_500}  # ~250 working days a year

_ONE_DAY = timedelta(days=1)
_LAST_SECOND = time(23, 59, 59)


class Counted(NamedTuple):
    """When a length of time has run out, and how that was found."""

    due_at: datetime
    """UTC, whole seconds.  On time up to and including it (民法典1259), so compare clock.whole_second(now)."""
    provisional: bool = False
    """A day was looked at whose year is not published yet: count again when it is (decisions.md 14)."""
    skipped: tuple[tuple[date, str], ...] = ()
    """The days that were not counted, or rolled over, each with the reason."""
    rolled: bool = False
    """The last day was a 法定休假日 and has moved."""


@dataclass(frozen=True)
class Duration:
    """So many of a unit.  ValueError, in Chinese, if no platform could mean it."""

    count: int
    unit: Unit
    roll_forward: bool = False

    def __post_init__(self) -> None:
        if self.unit not in _CHINESE:
            raise ValueError(f"时限没有「{self.unit}」这个单位，请用 {'、'.join(_CHINESE)}")
        example = f"{self.unit}({_EXAMPLE[self.unit]})"
        if type(self.count) is not int:  # True is an int to isinstance
            raise ValueError(f"时限要写整数，现在写的是 {self.count!r}，请改成 {example} 这样")
        if self.count <= 0:
            raise ValueError(f"时限必须大于零，现在写的是 {self.count}，请改成 {example} 这样；没有时限请写 no_limit")
        if self.count > _TEN_YEARS[self.unit]:
            raise ValueError(f"时限 {self} 超过十年，多半是单位写错了，请改成 {example} 这样")
        if self.roll_forward and self.unit != "civil_days":
            raise ValueError("只有自然日能遇法定休假日顺延，请写 civil_days(7, roll_forward=True)")

    def __str__(self) -> str:
        return say(_ROLLED if self.roll_forward else _CHINESE[self.unit], n=self.count)

    @property
    def seconds(self) -> int | None:
        """The exact length for hours and days; None where it depends on the start and the calendar."""
        each = _SECONDS.get(self.unit)
        return None if each is None else self.count * each

    def after(self, start: datetime, calendar: WorkCalendar) -> Counted:
        """The due time of this length counted from start (aware).  Only workdays and roll_forward look at the calendar.

        ValueError if start is naive or the due time lies beyond the year 9999.
        """
        try:
            if (seconds := self.seconds) is not None:
                # In UTC: adding to a local time would add wall-clock hours, not elapsed ones.
                return Counted(whole_second(start) + timedelta(seconds=seconds))
            if self.unit == "workdays":
                return self._working_days_after(shown_day(start), calendar)
            return self._civil_days_after(shown_day(start), calendar)
        except OverflowError:
            raise ValueError(f"从 {start} 起算 {self}，超出了能表示的范围，请检查起算时间的年份") from None

    def _civil_days_after(self, start: date, calendar: WorkCalendar) -> Counted:
        """Day n after start, to 24:00; rolled to the first working day if asked and it falls on a rest day.

        法定休假日 is read as every day off of the State Council calendar: festivals and weekends, but no weekend made a
        working day (调休), so "the day after the holiday" is the next working day.  counting.md does not say whether
        weekends are meant; platform clocks never ask for it (decisions.md 12).
        """
        last = start + self.count * _ONE_DAY
        if not self.roll_forward:
            return Counted(_end_of(last))
        skipped, provisional = [], not calendar.is_known(last)
        while not calendar.is_workday(last):
            skipped.append((last, calendar.reason(last)))
            last += _ONE_DAY
            provisional = provisional or not calendar.is_known(last)
        return Counted(_end_of(last), provisional, tuple(skipped), rolled=bool(skipped))

    def _working_days_after(self, start: date, calendar: WorkCalendar) -> Counted:
        """Working day n after start, to 24:00; make-up Saturdays and Sundays count (counting.md)."""
        day, left, skipped, provisional = start, self.count, [], False
        while left:
            day += _ONE_DAY
            provisional = provisional or not calendar.is_known(day)
            if calendar.is_workday(day):
                left -= 1
            else:
                skipped.append((day, calendar.reason(day)))
        return Counted(_end_of(day), provisional, tuple(skipped))


def _end_of(day: date) -> datetime:
    """24:00 of a Shanghai day as its last whole second, in UTC."""
    return datetime.combine(day, _LAST_SECOND, tzinfo=SHANGHAI).astimezone(UTC)


# ── The words a policy file writes ─────────────────────────────────────────────────


def hours(count: int) -> Duration:
    """N小时: count x 3600 seconds from the start, holidays or not."""
    return Duration(count, "hours")


def days(count: int) -> Duration:
    """N日 or N天 with nothing said: count x 24 hours from the start, so the same time of day."""
    return Duration(count, "days")


def civil_days(count: int, roll_forward: bool = False) -> Duration:
    """N日 as the law counts: from the next day to 24:00 of the last; may roll over a 法定休假日."""
    return Duration(count, "civil_days", roll_forward)


def workdays(count: int) -> Duration:
    """N个工作日: from the next day, counting working days only, to 24:00 of the last."""
    return Duration(count, "workdays")
