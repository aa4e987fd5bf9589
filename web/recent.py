"""Figures that many people look at and that may be a few seconds old.

What is counted in no time is counted for each look. What takes longer is counted once in some seconds, and beside the
page that asks: it is shown the last figures meanwhile. Only who asks first, or after a long time, waits.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

log = logging.getLogger(__name__)
Value = TypeVar("Value")

#: a figure that takes longer than this is kept, and counted again after so long; too old to be shown is this, s
CHEAP, SECONDS, TOO_OLD = 0.03, 5.0, 120.0
_MOST = 64


@dataclass(frozen=True)
class _Answer(Generic[Value]):
    value: Value
    #: on the monotonic clock
    at: float
    took: float


class Recent(Generic[Value]):
    """One question's answers by key. Of several who ask at once for what nobody knows, one counts, the others wait."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, _Answer[Value]] = OrderedDict()
        self._counting: set[Hashable] = set()
        self._lock, self._first = threading.Lock(), threading.Lock()

    def get(self, key: Hashable, count: Callable[[], Value]) -> Value:
        found = self._usable(key)
        if found is None:
            with self._first:
                found = self._usable(key) or self._counted(key, count)
        elif monotonic() - found.at > SECONDS:
            self._again(key, count)
        return found.value

    def forget(self) -> None:
        """Something was changed that people want to see at once."""
        with self._lock:
            self._answers.clear()

    def _usable(self, key: Hashable) -> _Answer[Value] | None:
        with self._lock:
            found = self._answers.get(key)
        return None if found is None or found.took < CHEAP or monotonic() - found.at > TOO_OLD else found

    def _counted(self, key: Hashable, count: Callable[[], Value]) -> _Answer[Value]:
        began = monotonic()
        value = count()
        answer = _Answer(value, monotonic(), monotonic() - began)
        with self._lock:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            if len(self._answers) > _MOST:
                self._answers.popitem(last=False)
        return answer

    def _again(self, key: Hashable, count: Callable[[], Value]) -> None:
        with self._lock:
            if key in self._counting:
                return
            self._counting.add(key)
        threading.Thread(target=self._beside, args=(key, count), daemon=True, name="counting").start()

    def _beside(self, key: Hashable, count: Callable[[], Value]) -> None:
        try:
            self._counted(key, count)
        except Exception:
            log.exception("figures could not be counted again; the old ones stay")
        finally:
            with self._lock:
                self._counting.discard(key)
