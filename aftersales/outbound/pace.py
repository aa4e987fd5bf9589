"""When something is sent, and when it is tried again. Pure: instants in, instants out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from aftersales.clock import SHANGHAI, UTC

_MINUTE, _HOUR = 60, 3600
#: seconds to the next try, after the first failure, the second ...; after the last of them a message is given up
STEPS = (5, 30, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, _HOUR, 3 * _HOUR, 8 * _HOUR, 24 * _HOUR)
#: of a step: so that what failed together does not come again together
JITTER = 0.2
#: an endpoint that fails is asked again after so long at most
LONGEST_REST = timedelta(minutes=5)
#: an endpoint that has only failed for so long is paused
PAUSED_AFTER = timedelta(hours=24)
#: when a daily digest is sent, in Shanghai
DAILY_AT = 9 * 60

PACES = {"now": "立即", "hourly": "每小时汇总", "daily": "每天 9 点汇总"}


def again(attempts: int, drawn: float) -> timedelta | None:
    """How long to wait after so many failed attempts; None: given up. `drawn`: 0 to 1, by chance."""
    if attempts > len(STEPS):
        return None
    return timedelta(seconds=STEPS[max(attempts, 1) - 1] * (1 - JITTER + 2 * JITTER * drawn))


def rest(failures: int, drawn: float) -> timedelta:
    """How long an endpoint is left alone after so many failures in a row."""
    return min(again(min(failures, len(STEPS)), drawn) or LONGEST_REST, LONGEST_REST)


def is_quiet(at: datetime, quiet_from: int, quiet_to: int) -> bool:
    """Minutes of the day in Shanghai, the first belongs to it, the last does not; may go over midnight."""
    minute = _minute(at)
    if quiet_from <= quiet_to:
        return quiet_from <= minute < quiet_to
    return minute >= quiet_from or minute < quiet_to


def due(at: datetime, pace: str, quiet_from: int, quiet_to: int) -> datetime:
    """When a notice that came at this instant is sent: by the pace, and not in the quiet hours but when they end."""
    wanted = _PACED[pace](at)
    if not is_quiet(wanted, quiet_from, quiet_to):
        return wanted
    return _next(wanted, quiet_to)


def _full_hour(at: datetime) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return hour if hour == at else hour + timedelta(hours=1)


def _minute(at: datetime) -> int:
    local = at.astimezone(SHANGHAI)
    return local.hour * 60 + local.minute


def _next(at: datetime, minute: int) -> datetime:
    """The next time, or now, that it is this minute of a day in Shanghai."""
    local = at.astimezone(SHANGHAI)
    then = local.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0)
    return (then if then >= local else then + timedelta(days=1)).astimezone(UTC)


_PACED: dict[str, Callable[[datetime], datetime]] = {
    "now": lambda at: at,
    "hourly": _full_hour,
    "daily": lambda at: _next(at, DAILY_AT),
}
