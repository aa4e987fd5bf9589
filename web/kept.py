"""Answers that take long to find: kept for a while, and found again beside the page that asks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from aftersales import clock

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class _Answer(Generic[T]):
    value: T
    at: datetime


class Kept(Generic[T]):
    """One answer for each owner (a database). A page waits `patience` seconds for a new one and no longer: then it
    shows the old one, or None if there never was one."""

    def __init__(self, ask: Callable[[object], T], *, seconds: float = 30, patience: float = 0.05) -> None:
        self._ask, self._age, self._patience = ask, timedelta(seconds=seconds), patience
        self._answers: WeakKeyDictionary[object, _Answer[T]] = WeakKeyDictionary()
        self._asking: WeakKeyDictionary[object, Event] = WeakKeyDictionary()
        self._lock = Lock()

    def of(self, owner: object) -> T | None:
        with self._lock:
            kept = self._answers.get(owner)
            if kept is not None and abs(clock.now() - kept.at) < self._age:
                return kept.value
            asking = self._asking.get(owner) or self._begin(owner)
        asking.wait(self._patience)
        with self._lock:
            kept = self._answers.get(owner)
        return None if kept is None else kept.value

    def _begin(self, owner: object) -> Event:
        answered = self._asking[owner] = Event()
        Thread(target=self._find, args=(owner, answered), daemon=True, name="kept-answer").start()
        return answered

    def _find(self, owner: object, answered: Event) -> None:
        try:
            value = self._ask(owner)
            with self._lock:
                self._answers[owner] = _Answer(value, clock.now())
        except Exception:
            log.exception("a kept answer cannot be found again; the old one stays")
        finally:
            with self._lock:
                self._asking.pop(owner, None)
            answered.set()
