"""What holds for every length of time, every start and every calendar."""

import os
import time as os_time
from datetime import UTC, date, datetime, timedelta, timezone

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersales.clock import SHANGHAI, shown, shown_day
from aftersales.durations import civil_days, days, hours, workdays
from aftersales.work_calendar import Overrides, WorkCalendar


@pytest.fixture(params=["Asia/Shanghai", "America/New_York"], autouse=True, scope="module")
def server_stands_in(request):
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    os_time.tzset()
    yield
    del os.environ["TZ"]
    if before is not None:
        os.environ["TZ"] = before
    os_time.tzset()


PUBLISHED = WorkCalendar.default()

zones = st.sampled_from([UTC, SHANGHAI, timezone(timedelta(hours=-12)), timezone(timedelta(hours=14))])
earliest, latest = datetime(2003, 6, 1), datetime(2028, 6, 1)  # noqa: DTZ001 hypothesis adds the zone
starts = st.datetimes(earliest, latest, timezones=zones)
counts = st.integers(1, 40)
elapsed = st.builds(hours, counts) | st.builds(days, counts)
civil = st.builds(civil_days, counts)
rolling = st.builds(civil_days, counts, st.just(True))
working = st.builds(workdays, counts)
by_day = civil | rolling | working


@st.composite
def calendars(draw):
    """The published calendar under days an operator might add, in any year."""
    some = st.lists(st.dates(date(2003, 1, 1), date(2029, 1, 1)), max_size=60, unique=True)
    off, on = draw(some), draw(some)
    years = draw(st.frozensets(st.integers(2003, 2029), max_size=3))
    return WorkCalendar(Overrides(frozenset(on) - frozenset(off), dict.fromkeys(off, "店休"), years))


# ── Laws ───────────────────────────────────────────────────────────────────────────


@given(elapsed | by_day, starts, starts, calendars())
def test_who_starts_later_is_never_due_sooner(length, one, other, calendar):
    first, second = sorted([one, other])
    assert length.after(first, calendar).due_at <= length.after(second, calendar).due_at


@given(counts, starts, calendars())
def test_one_more_is_never_sooner(count, start, calendar):
    for word in (hours, days, civil_days, workdays):
        assert word(count).after(start, calendar).due_at < word(count + 1).after(start, calendar).due_at


@given(elapsed | by_day, starts, calendars())
def test_due_after_the_start_in_utc_and_whole_seconds(length, start, calendar):
    due_at = length.after(start, calendar).due_at
    assert due_at > start
    assert (due_at.tzinfo, due_at.microsecond) == (UTC, 0)


@given(elapsed, starts, calendars())
def test_elapsed_time_does_not_depend_on_the_calendar(length, start, calendar):
    counted = length.after(start, calendar)
    assert counted == length.after(start, PUBLISHED)
    assert counted.due_at - start.replace(microsecond=0) == timedelta(seconds=length.seconds)
    assert counted[1:] == (False, (), False)


@given(by_day, starts, calendars())
def test_days_end_at_24_00_in_beijing(length, start, calendar):
    due_at = length.after(start, calendar).due_at
    assert shown(due_at).endswith(" 23:59:59")
    assert shown_day(due_at) < shown_day(due_at + timedelta(seconds=1))


@given(by_day, starts, starts, calendars())
def test_the_hour_of_the_start_does_not_matter(length, start, other, calendar):
    same_day = datetime.combine(shown_day(start), other.time(), tzinfo=SHANGHAI)
    assert length.after(start, calendar) == length.after(same_day, calendar)


@given(working, starts, calendars())
def test_n_working_days_hold_exactly_n_working_days_after_the_first(length, start, calendar):
    counted = length.after(start, calendar)
    ahead = days_between(shown_day(start), shown_day(counted.due_at))
    assert sum(calendar.is_workday(day) for day in ahead) == length.count
    assert calendar.is_workday(ahead[-1])
    assert [day for day, _ in counted.skipped] == [day for day in ahead if not calendar.is_workday(day)]
    assert counted.provisional == any(not calendar.is_known(day) for day in ahead)


@given(working, st.integers(1, 40), starts, calendars())
def test_working_days_can_be_counted_in_two_parts(length, more, start, calendar):
    halfway = length.after(start, calendar).due_at
    whole = workdays(length.count + more).after(start, calendar)
    assert workdays(more).after(halfway, calendar).due_at == whole.due_at


@given(rolling, starts, calendars())
def test_rolling_never_ends_on_a_rest_day_and_moves_no_further_than_it_must(length, start, calendar):
    counted = length.after(start, calendar)
    plain = civil_days(length.count).after(start, calendar)
    moved = days_between(shown_day(plain.due_at), shown_day(counted.due_at))
    assert calendar.is_workday(shown_day(counted.due_at))
    assert counted.rolled == (counted.due_at > plain.due_at) == bool(counted.skipped)
    assert not any(calendar.is_workday(day) for day in moved[:-1])
    assert calendar.is_workday(shown_day(plain.due_at)) == (not counted.rolled)
    assert counted.provisional == any(not calendar.is_known(day) for day in [shown_day(plain.due_at), *moved])


@given(by_day, starts, calendars())
def test_every_day_left_out_has_a_reason(length, start, calendar):
    assert all(reason for _, reason in length.after(start, calendar).skipped)


# ── A second opinion, slow and written another way ─────────────────────────────────


@given(st.sampled_from(["H", "D", "C", "CR", "W"]), counts, starts)
def test_a_slow_calculator_agrees(code, count, start):
    word = {
        "H": hours,
        "D": days,
        "C": civil_days,
        "CR": lambda n: civil_days(n, roll_forward=True),
        "W": workdays,
    }[code]
    counted = word(count).after(start, PUBLISHED)
    due, provisional = slow(code, count, start)
    assert counted.due_at.timestamp() == due
    assert counted.provisional == provisional


def slow(code, count, start):
    """counting.md once more, in Unix seconds and day numbers with Beijing at a flat UTC+8; asks the package itself."""
    second = int(start.timestamp() // 1)
    if code in "HD":
        return second + count * (3600 if code == "H" else 86400), False
    today = (second + 8 * 3600) // 86400
    if code == "W":
        number, asked = today, []
        while len([day for day in asked if works(day)]) < count:
            number += 1
            asked.append(number)
    else:
        number = today + count
        asked = [number] if code == "CR" else []
        while code == "CR" and not works(number):
            number += 1
            asked.append(number)
    return (number + 1) * 86400 - 1 - 8 * 3600, any(not 2004 <= as_date(day).year <= 2026 for day in asked)


def works(number):
    try:
        return chinese_calendar.is_workday(as_date(number))
    except NotImplementedError:
        return as_date(number).isoweekday() <= 5


def as_date(number):
    return date(1970, 1, 1) + timedelta(days=number)


def days_between(first, last):
    """The days after the first, up to and with the last."""
    return [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
