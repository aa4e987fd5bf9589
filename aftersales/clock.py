"""The time: asked here and nowhere else, read from what people write, and shown to them.

Inside, an instant is an aware datetime in UTC and everything counts in whole seconds.  At the edges, people read and
write Beijing time: a text without an offset is Asia/Shanghai, and a day begins and ends there (domain/counting.md).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from aftersales.saying import Said, Written, listed, say

__all__ = [
    "SHANGHAI",
    "UTC",
    "lasting",
    "now",
    "parse",
    "run_ahead",
    "shown",
    "shown_day",
    "shown_to_machines",
    "whole_second",
]

SHANGHAI = ZoneInfo("Asia/Shanghai")


#: how far a training ground is ahead of the world; nothing anywhere else
_ahead = timedelta()


def now() -> datetime:
    """This instant, aware, UTC, with microseconds."""
    return datetime.now(UTC) + _ahead


def run_ahead(by: timedelta) -> None:
    """From here on `now` is so far ahead of the world. Only for sandbox.py, which sees that nothing real is there."""
    global _ahead
    _ahead = by


def whole_second(instant: datetime) -> datetime:
    """The second this aware instant falls in, in UTC: 10:00:00.999999 is 10:00:00.

    Compare with a due time only after this: a due time of 23:59:59 lasts until the day is over.
    """
    return _aware(instant).astimezone(UTC).replace(microsecond=0)


# ── Reading ────────────────────────────────────────────────────────────────────────

_WRITE = "请写成 2022-10-01 10:00:00 这样（不写时区就是北京时间）"
_DATE = r"(?P<year>[0-9]{4})(?P<sep>[-/.])(?P<month>[0-9]{1,2})(?P=sep)(?P<day>[0-9]{1,2})"
_TIME = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]+)?)?"
_WRITTEN = re.compile(rf"{_DATE}(?:(?:T|\s+){_TIME}\s?(?P<offset>Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?", re.IGNORECASE)
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # ！ to ～, the signs of an input method


def parse(written: str | date) -> datetime:
    """The instant somebody wrote, aware, UTC, whole seconds (a fraction is dropped).

    Takes text as people, exports and APIs write it (2022-10-01 10:00:00, 2022/10/06 02:10:43, 2022-10-01T10:00,
    2022年10月1日 10:00, with Z or +08:00, full-width too) and dates and datetimes as spreadsheets and YAML give them.
    No offset means Asia/Shanghai; a date alone means its 00:00:00.  ValueError, in Chinese, says what to write.
    """
    try:
        instant = whole_second(_in_shanghai_unless_it_says(written))
        instant.astimezone(SHANGHAI)  # what could not be shown is not taken in: 9999-12-31T23:59:59Z
        return instant
    except OverflowError:
        raise ValueError(say("时间「{text}」超出了能表示的范围，请检查年份", text=Written(written))) from None


def _in_shanghai_unless_it_says(written: str | date) -> datetime:
    if isinstance(written, str):
        return _read(written)
    if isinstance(written, datetime):
        return written if written.utcoffset() is not None else written.replace(tzinfo=SHANGHAI)
    if isinstance(written, date):
        return datetime.combine(written, time.min, tzinfo=SHANGHAI)
    raise ValueError(say("「{text}」不是时间，{write}", text=Written(written), write=_WRITE))


def _read(text: str) -> datetime:
    found, quoted = _WRITTEN.fullmatch(_plain(text)), Written(text.strip()[:40])
    if found is None:
        raise ValueError(
            say("看不懂时间「{text}」，{write}", text=quoted, write=_WRITE)
            if quoted
            else say("没有写时间，{write}", write=_WRITE)
        )
    if found["hour"] == "24":
        # 24:00 closes a day (民法典203); whether that means 23:59:59 or the next 00:00:00 is not ours to guess.
        raise ValueError(say("时间「{text}」里的 24 点请写成当天 23:59:59 或次日 00:00:00", text=quoted))
    year, month, day, hour, minute, second = (
        int(found[part] or 0) for part in ("year", "month", "day", "hour", "minute", "second")
    )
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=SHANGHAI)
        return local if found["offset"] is None else local.replace(tzinfo=_offset(found["offset"]))
    except ValueError:
        raise ValueError(say("没有「{text}」这个时间，请检查月、日、时、分、秒和时区", text=quoted)) from None


def _plain(text: str) -> str:
    """Full-width signs made half-width, 年月日 made hyphens, spaces trimmed."""
    return re.sub(r"年|月(?=[0-9])", "-", text.translate(_HALF_WIDTH)).replace("日", " ").strip()


def _offset(text: str) -> tzinfo:
    """Z, +08:00 or +0800 as a zone; ValueError for an offset that no clock can have."""
    if text in "Zz":
        return UTC
    parsed = datetime.strptime(text, "%z").tzinfo
    assert parsed is not None  # %z always gives one
    return parsed


# ── Showing ────────────────────────────────────────────────────────────────────────


def shown(instant: datetime) -> str:
    """Beijing time to the second, for people: 2022-10-03 10:00:00."""
    return whole_second(instant).astimezone(SHANGHAI).replace(tzinfo=None).isoformat(" ", "seconds")


def shown_to_machines(instant: datetime) -> str:
    """The same second for scripts and attributes: 2022-10-03T10:00:00+08:00."""
    return whole_second(instant).astimezone(SHANGHAI).isoformat("T", "seconds")


def shown_day(instant: datetime) -> date:
    """The day it is in Beijing at this instant: the day that rules and their versions go by."""
    return _aware(instant).astimezone(SHANGHAI).date()


def lasting(seconds: float) -> str:
    """A span in words, its two largest units, rounded down: 6 天 3 小时, 59 分 3 秒, 19 分.

    A full day or two are said in hours, as the rules do: 24 小时, 48 小时.  A negative span is over: 已过 5 秒.
    """
    whole = int(seconds)
    if whole < 0:
        return say("已过 {span}", span=lasting(-whole))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days in (1, 2) and hour == 0:
        return say("{n} 小时", n=hours)
    units = [(days, "{n} 天"), (hour, "{n} 小时"), (minute, "{n} 分"), (second, "{n} 秒")]
    largest = next((place for place, (count, _) in enumerate(units) if count), len(units) - 1)
    words: list[Said] = [say(unit, n=count) for count, unit in units[largest : largest + 2] if count]
    return listed(words or [say("{n} 秒", n=0)], " ")


def _aware(instant: datetime) -> datetime:
    """Refuse a naive datetime: Python would take it for the server's own zone without a word."""
    if instant.tzinfo is None:
        raise ValueError(f"时间 {instant} 没有时区，请先用 clock.parse 读入")
    return instant
