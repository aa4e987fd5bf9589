"""Answers that take long to find: kept for a while, and found again beside the page that asks."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from aftersales import clock

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class _Answer(Generic[T]):
    """`asking`: somebody is finding it again; set when that is done."""

    value: T | None = None
    at: datetime | None = None
    asking: Event | None = None


class Kept(Generic[T]):
    """The answers of each owner (a database) to its last questions. A page waits `patience` seconds for a new answer
    and no longer: then it shows the old one, or None if there never was one."""

    def __init__(
        self, ask: Callable[..., T], *, seconds: float = 30, patience: float = 0.05, questions: int = 32
    ) -> None:
        self._ask, self._age, self._patience, self._questions = ask, timedelta(seconds=seconds), patience, questions
        self._answers: WeakKeyDictionary[Any, OrderedDict[Hashable, _Answer[T]]] = WeakKeyDictionary()
        self._lock = Lock()

    def of(self, owner: Any, *question: Hashable) -> T | None:
        with self._lock:
            answer = self._answer(owner, question)
            if answer.at is not None and abs(clock.now() - answer.at) < self._age:
                return answer.value
            if answer.asking is None:
                answer.asking = Event()
                finding = (owner, question, answer, answer.asking)
                Thread(target=self._find, args=finding, daemon=True, name="kept-answer").start()
            asking = answer.asking
        asking.wait(self._patience)
        return answer.value

    def _answer(self, owner: Any, question: Hashable) -> _Answer[T]:
        answers = self._answers.setdefault(owner, OrderedDict())
        answer = answers.setdefault(question, _Answer())
        answers.move_to_end(question)
        while len(answers) > self._questions:
            answers.popitem(last=False)
        return answer

    def _find(self, owner: Any, question: tuple[Hashable, ...], answer: _Answer[T], done: Event) -> None:
        try:
            value = self._ask(owner, *question)
            with self._lock:
                answer.value, answer.at = value, clock.now()
        except Exception:
            log.exception("a kept answer cannot be found again; the old one stays")
        finally:
            with self._lock:
                answer.asking = None
            done.set()
