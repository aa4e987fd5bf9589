"""Lengths of time on known dates: domain/counting.md, the scenarios, leap days and year ends."""

import re
from datetime import date, datetime, timezone
from datetime import timedelta as td
from zoneinfo import ZoneInfo

import pytest

from aftersales.clock import SHANGHAI, UTC, parse, shown
from aftersales.durations import Counted, Duration, civil_days, days, hours, workdays
from aftersales.work_calendar import Overrides, WorkCalendar

CALENDAR = WorkCalendar.default()


def due(length, start):
    return shown(length.after(parse(start), CALENDAR).due_at)


# ── Hours and rolling days ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("length", "start", "expected"),
    [
        (hours(48), "2022-10-01 10:00:00", "2022-10-03 10:00:00"),
        (hours(48), "2022-09-30 00:00:00", "2022-10-02 00:00:00"),  # KS-VER-01-effective
        (hours(48), "2024-03-24 23:59:59", "2024-03-26 23:59:59"),  # WX-VER-01
        (hours(1), "2023-12-31 23:30:00", "2024-01-01 00:30:00"),
        (hours(24), "2024-02-28 12:00:00", "2024-02-29 12:00:00"),
        (hours(24), "2023-02-28 12:00:00", "2023-03-01 12:00:00"),
        (days(10), "2022-10-03 10:00:00", "2022-10-13 10:00:00"),
        (days(10), "2022-09-30 09:00:00", "2022-10-10 09:00:00"),  # KS-VER-01-per-clock
        (days(7), "2022-09-30 00:00:00", "2022-10-07 00:00:00"),  # a holiday does not stop it
        (days(365), "2024-01-01 08:00:00", "2024-12-31 08:00:00"),
        (days(1), "2024-02-29 08:00:00", "2024-03-01 08:00:00"),
    ],
)
def test_elapsed_time(length, start, expected):
    assert due(length, start) == expected


def test_elapsed_time_is_counted_in_utc_whatever_zone_the_start_is_in():
    before_summer_time = datetime(2023, 3, 11, 12, 0, tzinfo=ZoneInfo("America/New_York"))
    counted = hours(24).after(before_summer_time, CALENDAR)
    assert counted.due_at - before_summer_time.astimezone(UTC) == td(hours=24)
    assert counted.due_at.tzinfo is UTC


def test_elapsed_time_is_sure_and_skips_nothing():
    start = parse("2026-12-31 10:00:00")
    assert days(7).after(start, CALENDAR) == Counted(parse("2027-01-07 10:00:00"), False, (), False)


def test_everything_counts_in_whole_seconds():
    start = datetime(2022, 10, 1, 2, 0, 0, 999_999, tzinfo=UTC)
    assert hours(48).after(start, CALENDAR).due_at == datetime(2022, 10, 3, 2, 0, 0, tzinfo=UTC)


# ── Civil days ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("length", "start", "expected"),
    [
        (civil_days(7), "2024-02-22 09:30:00", "2024-02-29 23:59:59"),
        (civil_days(7), "2024-02-22 00:00:00", "2024-02-29 23:59:59"),
        (civil_days(7), "2024-02-22 23:59:59", "2024-02-29 23:59:59"),
        (civil_days(7), "2024-02-21T16:00:00Z", "2024-02-29 23:59:59"),  # already the 22nd in Beijing
        (civil_days(1), "2024-02-28 09:30:00", "2024-02-29 23:59:59"),
        (civil_days(1), "2023-02-28 09:30:00", "2023-03-01 23:59:59"),
        (civil_days(1), "2022-12-31 23:59:59", "2023-01-01 23:59:59"),
        (civil_days(7), "2022-09-28 10:00:00", "2022-10-05 23:59:59"),  # a holiday does not move it
    ],
)
def test_civil_days_leave_out_the_first_and_end_at_24_00(length, start, expected):
    assert due(length, start) == expected


@pytest.mark.parametrize(
    ("start", "expected", "skipped"),
    [
        ("2024-02-22 09:30:00", "2024-02-29 23:59:59", []),  # a Thursday stays
        ("2022-09-28 10:00:00", "2022-10-08 23:59:59", ["国庆节"] * 3),  # 10-05 to the make-up Saturday
        ("2024-02-24 10:00:00", "2024-03-04 23:59:59", ["周六", "周日"]),  # a weekend is a rest day
        ("2024-02-11 10:00:00", "2024-02-18 23:59:59", []),  # a make-up Sunday is none
        ("2022-12-25 10:00:00", "2023-01-03 23:59:59", ["元旦", "元旦"]),
    ],
)
def test_civil_days_that_roll_forward(start, expected, skipped):
    counted = civil_days(7, roll_forward=True).after(parse(start), CALENDAR)
    assert shown(counted.due_at) == expected
    assert [reason for _, reason in counted.skipped] == skipped
    assert counted.rolled == bool(skipped)
    assert not counted.provisional


def test_rolling_into_an_unpublished_year_is_provisional():
    def counted(start, roll_forward=True):
        return civil_days(7, roll_forward).after(parse(start), CALENDAR)

    assert shown(counted("2026-12-26 10:00").due_at) == "2027-01-04 23:59:59"  # 01-02 is a Saturday
    assert counted("2026-12-26 10:00").provisional
    assert counted("2026-12-25 10:00").provisional  # 2027-01-01: a Friday, for all we know a working day
    assert not counted("2026-12-24 10:00").provisional  # 2026-12-31, published
    assert not counted("2026-12-26 10:00", roll_forward=False).provisional

    # The last day itself is published, the day it rolls to is not.
    new_years_eve_off = WorkCalendar(Overrides(holidays={date(2026, 12, 31): "元旦"}))
    rolled = civil_days(7, roll_forward=True).after(parse("2026-12-24 10:00"), new_years_eve_off)
    assert (shown(rolled.due_at), rolled.provisional) == ("2027-01-01 23:59:59", True)


# ── Working days ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2022-12-30 15:00:00", "2023-01-11 23:59:59"),  # KS-LL-04-year-end
        ("2024-02-09 10:00:00", "2024-02-26 23:59:59"),  # KS-LL-04-spring-festival-eve
        ("2024-02-20 10:00:00", "2024-02-29 23:59:59"),  # KS-LL-04-leap-day
        ("2023-04-26 09:00:00", "2023-05-09 23:59:59"),  # KS-LL-04-overdue
        ("2023-01-19 23:59:59", "2023-02-02 23:59:59"),  # KS-LL-03-earlier-limit
        ("2023-09-28 23:59:59", "2023-10-13 23:59:59"),  # KS-LL-03-national-day
        ("2023-03-15 23:59:59", "2023-03-24 23:59:59"),  # KS-LL-05-auto-initiated
        ("2024-09-12 23:59:59", "2024-09-24 23:59:59"),  # KS-LL-04-mid-autumn
        ("2022-12-22 10:00:00", "2023-01-03 23:59:59"),  # KS-VER-01-voucher-before
        ("2022-12-21T16:00:00Z", "2023-01-03 23:59:59"),  # the same day, written in UTC
        ("2026-12-22 10:00:00", "2026-12-31 23:59:59"),  # the last start that needs no 2027
    ],
)
def test_seven_working_days(start, expected):
    counted = workdays(7).after(parse(start), CALENDAR)
    assert (shown(counted.due_at), counted.provisional, counted.rolled) == (expected, False, False)


def test_the_days_left_out_are_named():
    counted = workdays(7).after(parse("2022-12-30 15:00:00"), CALENDAR)
    assert counted.skipped == (
        (date(2022, 12, 31), "元旦"),
        (date(2023, 1, 1), "元旦"),
        (date(2023, 1, 2), "元旦"),
        (date(2023, 1, 7), "周六"),
        (date(2023, 1, 8), "周日"),
    )


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-12-23 10:00:00", "2027-01-01 23:59:59"),
        ("2026-12-28 10:00:00", "2027-01-06 23:59:59"),  # KS-LL-04-calendar-unknown
        ("2003-12-29 10:00:00", "2004-01-08 23:59:59"),  # it began in a year nobody published
    ],
)
def test_a_year_not_yet_published_is_provisional(start, expected):
    counted = workdays(7).after(parse(start), CALENDAR)
    assert (shown(counted.due_at), counted.provisional) == (expected, True)


def test_it_is_counted_again_when_the_year_is_published():
    published = WorkCalendar(Overrides(holidays={date(2027, 1, 1): "元旦"}, published_years=frozenset({2027})))
    counted = workdays(7).after(parse("2026-12-28 10:00:00"), published)
    assert (shown(counted.due_at), counted.provisional) == ("2027-01-07 23:59:59", False)
    assert counted.skipped[0] == (date(2027, 1, 1), "门店设置：元旦")


# ── What cannot be counted ─────────────────────────────────────────────────────────


@pytest.mark.parametrize("length", [hours(48), days(10), civil_days(7), workdays(7)])
def test_a_start_without_a_zone_is_refused(length):
    with pytest.raises(ValueError, match="没有时区"):
        length.after(datetime(2022, 10, 1, 10), CALENDAR)  # noqa: DTZ001 that is the mistake


@pytest.mark.parametrize("length", [hours(48), days(10), civil_days(7), civil_days(7, roll_forward=True), workdays(7)])
@pytest.mark.parametrize("zone", [UTC, SHANGHAI, timezone(td(hours=-12))])
def test_a_start_at_the_end_of_time_is_refused(length, zone):
    with pytest.raises(ValueError, match=r"从 9999-12-3\S+ \S+ 起算 .*，超出了能表示的范围，请检查起算时间的年份"):
        length.after(datetime(9999, 12, 31, 23, 0, tzinfo=zone), CALENDAR)


# ── How a policy author writes and reads them ──────────────────────────────────────


@pytest.mark.parametrize(
    ("length", "words", "seconds"),
    [
        (hours(48), "48小时", 172_800),
        (days(10), "10天", 864_000),
        (civil_days(7), "7个自然日（次日起算）", None),
        (civil_days(7, roll_forward=True), "7个自然日（次日起算，遇法定休假日顺延）", None),
        (workdays(7), "7个工作日", None),
    ],
)
def test_a_length_in_words_and_in_seconds(length, words, seconds):
    assert str(length) == words
    assert length.seconds == seconds


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: hours(0), "时限必须大于零，现在写的是 0，请改成 hours(48) 这样；没有时限请写 no_limit"),
        (lambda: workdays(-7), "时限必须大于零，现在写的是 -7，请改成 workdays(7) 这样；没有时限请写 no_limit"),
        (lambda: hours(1.5), "时限要写整数，现在写的是 1.5，请改成 hours(48) 这样"),
        (lambda: days("10"), "时限要写整数，现在写的是 '10'，请改成 days(10) 这样"),
        (lambda: days(True), "时限要写整数，现在写的是 True，请改成 days(10) 这样"),
        (lambda: civil_days(None), "时限要写整数，现在写的是 None，请改成 civil_days(7) 这样"),
        (lambda: hours(87_673), "时限 87673小时 超过十年，多半是单位写错了，请改成 hours(48) 这样"),
        (lambda: days(3_654), "时限 3654天 超过十年，多半是单位写错了，请改成 days(10) 这样"),
        (lambda: workdays(2_501), "时限 2501个工作日 超过十年，多半是单位写错了，请改成 workdays(7) 这样"),
        (lambda: Duration(7, "weeks"), "时限没有「weeks」这个单位，请用 hours、days、civil_days、workdays"),
        (
            lambda: Duration(7, "workdays", roll_forward=True),
            "只有自然日能遇法定休假日顺延，请写 civil_days(7, roll_forward=True)",
        ),
    ],
)
def test_a_length_no_platform_could_mean_is_refused_and_told_what_to_write(write, message):
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        write()


def test_ten_years_are_allowed():
    assert [hours(87_672).count, days(3_653).count, civil_days(3_653).count, workdays(2_500).count]


def test_lengths_are_values():
    assert hours(48) == hours(48) != days(2)
    assert len({civil_days(7), civil_days(7), civil_days(7, roll_forward=True)}) == 2
