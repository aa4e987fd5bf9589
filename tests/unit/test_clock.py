"""The clock: one instant, however it was written; Beijing time for people, wherever the server stands."""

import os
import re
import time as os_time
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from aftersales import clock
from aftersales.clock import SHANGHAI, lasting, now, parse, shown, shown_day, whole_second

TEN_O_CLOCK = datetime(2022, 10, 1, 2, 0, 0, tzinfo=UTC)
NAIVE = datetime(2022, 10, 1, 10)  # noqa: DTZ001 what a spreadsheet gives


@pytest.fixture(params=["Asia/Shanghai", "America/New_York", "Pacific/Kiritimati"], autouse=True, scope="module")
def server_stands_in(request):
    """Every test here runs with the server's own zone set to three places."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    os_time.tzset()
    yield
    del os.environ["TZ"]
    if before is not None:
        os.environ["TZ"] = before
    os_time.tzset()


# ── Asking ─────────────────────────────────────────────────────────────────────────


def test_now_is_aware_utc_and_follows_freezegun():
    with freeze_time("2022-10-03 02:00:00.123456"):
        assert now() == datetime(2022, 10, 3, 2, 0, 0, 123456, tzinfo=UTC)
        assert now().tzinfo is UTC


def test_now_is_now():
    assert abs(now().timestamp() - os_time.time()) < 5


def test_a_second_lasts_until_the_next_one():
    late = datetime(2022, 10, 3, 23, 59, 59, 999_999, tzinfo=SHANGHAI)
    assert whole_second(late) == datetime(2022, 10, 3, 15, 59, 59, tzinfo=UTC)
    assert whole_second(late).tzinfo is UTC


@pytest.mark.parametrize("ask", [whole_second, shown, shown_day])
def test_a_naive_instant_is_refused_rather_than_taken_for_the_servers_zone(ask):
    with pytest.raises(ValueError, match=r"没有时区，请先用 clock\.parse 读入"):
        ask(NAIVE)


# ── Reading ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "written",
    [
        "2022-10-01 10:00:00",
        "2022-10-01 10:00",
        "2022-10-01T10:00",
        "2022-10-01T10:00:00.999",
        "2022-10-01T02:00:00Z",
        "2022-10-01t02:00:00z",
        "2022-10-01T10:00:00+08:00",
        "2022-10-01T10:00:00 +0800",
        "2022-09-30T22:00:00-04:00",
        "2022/10/01 10:00:00",
        "2022/10/1 10:00",
        "2022.10.1 10:00",
        "2022年10月1日 10:00",
        "2022年10月1日10:00:00",
        " 2022-10-01 10:00:00\t",
        "２０２２－１０－０１　１０：００：００",
        NAIVE,
        datetime(2022, 10, 1, 10, tzinfo=SHANGHAI),
        datetime(2022, 10, 1, 2, tzinfo=UTC),
        datetime(2022, 9, 30, 22, tzinfo=timezone(timedelta(hours=-4))),
        NAIVE.replace(microsecond=999_999),
    ],
)
def test_one_instant_however_it_was_written(written):
    assert parse(written) == TEN_O_CLOCK
    assert parse(written).tzinfo is UTC


@pytest.mark.parametrize("written", ["2022-10-01", "2022/10/1", "2022年10月1日", date(2022, 10, 1)])
def test_a_date_alone_is_its_midnight_in_beijing(written):
    assert parse(written) == datetime(2022, 9, 30, 16, tzinfo=UTC)


def test_the_export_style_with_slashes():
    assert shown(parse("2022/10/06 02:10:43")) == "2022-10-06 02:10:43"


def test_a_leap_day_is_a_day():
    assert shown(parse("2024-02-29 23:59:59")) == "2024-02-29 23:59:59"


WRITE = "请写成 2022-10-01 10:00:00 这样（不写时区就是北京时间）"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", f"没有写时间，{WRITE}"),
        (" \t", f"没有写时间，{WRITE}"),
        ("昨天", f"看不懂时间「昨天」，{WRITE}"),
        ("2022-10", f"看不懂时间「2022-10」，{WRITE}"),
        ("20221001", f"看不懂时间「20221001」，{WRITE}"),
        ("22-10-01 10:00", f"看不懂时间「22-10-01 10:00」，{WRITE}"),
        ("2022-10/01", f"看不懂时间「2022-10/01」，{WRITE}"),
        ("2022-10-01 10", f"看不懂时间「2022-10-01 10」，{WRITE}"),
        ("2022-10-01 Z", f"看不懂时间「2022-10-01 Z」，{WRITE}"),
        ("2022-10-1²", f"看不懂时间「2022-10-1²」，{WRITE}"),
        ("٢٠٢٢-١٠-٠١", f"看不懂时间「٢٠٢٢-١٠-٠١」，{WRITE}"),
        ("44835.4166", f"看不懂时间「44835.4166」，{WRITE}"),
        ("x" * 9000, f"看不懂时间「{'x' * 40}」，{WRITE}"),
        ("2022-02-29", "没有「2022-02-29」这个时间，请检查月、日、时、分、秒和时区"),
        ("2022-13-01", "没有「2022-13-01」这个时间，请检查月、日、时、分、秒和时区"),
        ("2022-09-31 10:00", "没有「2022-09-31 10:00」这个时间，请检查月、日、时、分、秒和时区"),
        ("2022-10-01 10:60", "没有「2022-10-01 10:60」这个时间，请检查月、日、时、分、秒和时区"),
        ("2022-10-01 10:00:60", "没有「2022-10-01 10:00:60」这个时间，请检查月、日、时、分、秒和时区"),
        ("2022-10-01 25:00", "没有「2022-10-01 25:00」这个时间，请检查月、日、时、分、秒和时区"),
        ("2022-10-01 10:00+25:00", "没有「2022-10-01 10:00+25:00」这个时间，请检查月、日、时、分、秒和时区"),
        ("2022-10-01 10:00+08:75", "没有「2022-10-01 10:00+08:75」这个时间，请检查月、日、时、分、秒和时区"),
        ("0000-01-01", "没有「0000-01-01」这个时间，请检查月、日、时、分、秒和时区"),
        ("2022-10-01 24:00", "时间「2022-10-01 24:00」里的 24 点请写成当天 23:59:59 或次日 00:00:00"),
        ("0001-01-01", "时间「0001-01-01」超出了能表示的范围，请检查年份"),
        ("9999-12-31T23:59:59Z", "时间「9999-12-31T23:59:59Z」超出了能表示的范围，请检查年份"),
        (date.min, "时间「0001-01-01」超出了能表示的范围，请检查年份"),
        (None, f"「None」不是时间，{WRITE}"),
        (44835.4166, f"「44835.4166」不是时间，{WRITE}"),
    ],
)
def test_what_is_no_time_is_refused_and_told_what_to_write(written, message):
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        parse(written)


@given(st.integers(-2_000_000_000, 200_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)))
def test_what_is_shown_can_be_read_again(instant):
    if instant.astimezone(SHANGHAI).utcoffset() == timedelta(hours=8):  # not in the summer times of 1940-91
        assert parse(shown(instant)) == instant
    assert parse(instant.isoformat()) == instant


@given(st.text(alphabet="0123456789-/:.T Z+年月日", max_size=30))
def test_no_text_breaks_the_reader(text):
    try:
        understood = parse(text)
    except ValueError as refused:
        understood, message = None, str(refused)
    assert "请" in message if understood is None else understood.tzinfo is UTC


# ── Showing ────────────────────────────────────────────────────────────────────────


def test_people_are_shown_beijing_time():
    assert shown(datetime(2022, 10, 3, 2, 0, 0, 999_999, tzinfo=UTC)) == "2022-10-03 10:00:00"


def test_the_day_turns_at_midnight_in_beijing():
    assert shown_day(datetime(2022, 9, 29, 15, 59, 59, 999_999, tzinfo=UTC)) == date(2022, 9, 29)
    assert shown_day(datetime(2022, 9, 29, 16, 0, 0, tzinfo=UTC)) == date(2022, 9, 30)


HOUR, DAY = 3_600, 86_400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 秒"),
        (0.9, "0 秒"),
        (5, "5 秒"),
        (60, "1 分"),
        (19 * 60, "19 分"),
        (59 * 60 + 3, "59 分 3 秒"),
        (HOUR, "1 小时"),
        (HOUR + 59, "1 小时"),
        (23 * HOUR + 59 * 60 + 59, "23 小时 59 分"),
        (DAY, "24 小时"),
        (DAY + 3 * HOUR, "1 天 3 小时"),
        (2 * DAY, "48 小时"),
        (3 * DAY, "3 天"),
        (6 * DAY + 3 * HOUR + 7, "6 天 3 小时"),
        (10 * DAY + 59, "10 天"),
        (-5, "已过 5 秒"),
        (-2 * DAY, "已过 48 小时"),
    ],
)
def test_a_span_in_words(seconds, words):
    assert lasting(seconds) == words


def test_the_names_others_may_use_are_declared():
    assert all(hasattr(clock, name) for name in clock.__all__)
    assert clock.UTC is UTC


def test_machines_are_shown_the_same_second_with_its_offset():
    instant = clock.parse("2022-10-03 10:00:00") + timedelta(microseconds=999_999)
    assert clock.shown_to_machines(instant) == "2022-10-03T10:00:00+08:00"
    assert clock.parse(clock.shown_to_machines(instant)) == clock.whole_second(instant)
