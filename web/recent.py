"""Figures that many people look at and that may be a few seconds old: counted once, and shown to all meanwhile."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

#: a figure is counted again after so long; tests set it to nothing
SECONDS = 5.0
_MOST = 64


Value = TypeVar("Value")


class Recent(Generic[Value]):
    """One question's answers by key. Of several who ask at once, one counts and the others wait for it."""

    def __init__(self, times: float = 1.0) -> None:
        #: how many times SECONDS an answer is good for
        self._times = times
        self._answers: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, count: Callable[[], Value]) -> Value:
        with self._lock:
            found = self._answers.get(key)
            if found is not None and monotonic() - found[0] < SECONDS * self._times:
                return found[1]
            answer = count()
            self._answers[key] = (monotonic(), answer)
            self._answers.move_to_end(key)
            if len(self._answers) > _MOST:
                self._answers.popitem(last=False)
            return answer

    def forget(self) -> None:
        """Something was changed that people want to see at once."""
        with self._lock:
            self._answers.clear()
