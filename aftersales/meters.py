"""What schedulers count for /metrics: every alarm by how late it fired, and what they set aside.

The counts lie in the database and only go up, over restarts and whoever fires: a histogram as Prometheus wants it. A
scheduler adds what is new with its heartbeat. One that is killed takes a few seconds of counts with it, and nothing
else is lost: what happened stands in the events.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: seconds; an alarm that fired at most so late, and later than the bound before it
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
SET_ASIDE = "set_aside"
_MILLISECONDS = "late_ms"
_BEYOND = "late_beyond"


def _bucket(bound: float) -> str:
    return f"late_le_{bound:g}"


_NAMES = (*map(_bucket, BOUNDS), _BEYOND)


def counted(late: Iterable[float], set_aside: int = 0) -> Counter[str]:
    """What to add for these alarms (seconds late) and tickets set aside."""
    counts: Counter[str] = Counter({SET_ASIDE: set_aside} if set_aside else {})
    for seconds in late:
        counts[_NAMES[bisect_left(BOUNDS, seconds)]] += 1
        counts[_MILLISECONDS] += max(0, round(seconds * 1000))
    return +counts


class Meters(NamedTuple):
    """Read back. `buckets`: of each bound and of infinity, how many alarms were at most so late."""

    fired: int
    set_aside: int
    seconds: float
    buckets: tuple[tuple[str, int], ...]


def read(values: Mapping[str, int]) -> Meters:
    so_far, buckets = 0, []
    for bound, name in zip((*map(str, BOUNDS), "+Inf"), _NAMES, strict=True):
        so_far += values.get(name, 0)
        buckets.append((bound, so_far))
    seconds = values.get(_MILLISECONDS, 0) / 1000
    return Meters(so_far, values.get(SET_ASIDE, 0), seconds, tuple(buckets))
