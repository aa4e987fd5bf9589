"""Answers that take long: no page waits for one, and an old one is better than none."""

import logging
import threading
from datetime import timedelta

import pytest

from aftersales import clock
from aftersales.clock import parse
from web.kept import Kept


class Owner:
    pass


@pytest.fixture
def now(monkeypatch):
    """A list whose only element is the time."""
    time = [parse("2026-10-02 14:32:00")]
    monkeypatch.setattr(clock, "now", lambda: time[0])
    return time


def test_an_answer_is_kept_and_found_again_when_it_is_old(now):
    answers = iter(range(10))
    kept, owner = Kept(lambda _: next(answers), seconds=30, patience=5), Owner()
    assert [kept.of(owner), kept.of(owner)] == [0, 0]
    now[0] += timedelta(seconds=30)
    assert kept.of(owner) == 1


def test_every_owner_and_every_question_has_an_answer_of_its_own(now):
    kept, one, other = Kept(lambda owner, word: (id(owner), word), patience=5), Owner(), Owner()
    assert kept.of(one, "a") == (id(one), "a")
    assert kept.of(one, "b") == (id(one), "b")
    assert kept.of(other, "a") == (id(other), "a")


def test_a_page_does_not_wait_and_shows_the_old_answer_meanwhile(now):
    go, asked = threading.Event(), []

    def slow(_owner):
        asked.append(1)
        go.wait(5)
        return len(asked)

    kept, owner = Kept(slow, patience=0.01), Owner()
    assert kept.of(owner) is None
    assert kept.of(owner) is None
    assert asked == [1], "asked twice at once"
    asking = kept._answers[owner][()].asking
    go.set()
    assert asking.wait(5)
    assert kept.of(owner) == 1
    go.clear()
    now[0] += timedelta(minutes=1)
    assert kept.of(owner) == 1
    go.set()


def test_a_failure_leaves_the_old_answer(now):
    logging.getLogger("web.kept").setLevel(logging.CRITICAL)
    answers = iter([1])
    kept, owner = Kept(lambda _: next(answers), patience=5), Owner()
    assert kept.of(owner) == 1
    now[0] += timedelta(minutes=1)
    assert kept.of(owner) == 1
    logging.getLogger("web.kept").setLevel(logging.NOTSET)


def test_only_the_last_questions_are_remembered(now):
    kept, owner = Kept(lambda _, word: word, patience=5, questions=2), Owner()
    for word in "abc":
        kept.of(owner, word)
    assert [question for (question,) in kept._answers[owner]] == ["b", "c"]
