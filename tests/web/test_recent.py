"""Figures that may be a few seconds old: cheap ones never are, dear ones are counted beside the page."""

from __future__ import annotations

import threading

import pytest

from web import recent
from web.recent import Recent


@pytest.fixture
def dear(monkeypatch):
    monkeypatch.setattr(recent, "CHEAP", 0.0)


def counter():
    counted = []
    return counted, lambda: counted.append(1) or len(counted)


def test_what_is_cheap_is_counted_each_time():
    _, count = counter()
    figures: Recent[int] = Recent()
    assert [figures.get("a", count) for _ in range(3)] == [1, 2, 3]


def test_what_is_dear_is_kept_by_key(dear):
    counted, count = counter()
    figures: Recent[int] = Recent()
    assert [figures.get("a", count), figures.get("a", count), figures.get("b", count)] == [1, 1, 2]
    figures.forget()
    assert figures.get("a", count) == 3
    assert len(counted) == 3


def test_what_is_old_is_shown_while_it_is_counted_again(dear, monkeypatch):
    monkeypatch.setattr(recent, "SECONDS", -1.0)
    go, done = threading.Event(), threading.Event()
    figures: Recent[int] = Recent()
    assert figures.get("a", lambda: 1) == 1

    def slowly():
        go.wait(5)
        done.set()
        return 2

    assert figures.get("a", slowly) == 1
    assert figures.get("a", slowly) == 1, "counted by one only"
    go.set()
    assert done.wait(5)
    for _ in range(500):
        if figures.get("a", lambda: 2) == 2:
            return
        threading.Event().wait(0.01)
    raise AssertionError("never renewed")


def test_what_is_too_old_is_waited_for(dear, monkeypatch):
    monkeypatch.setattr(recent, "TOO_OLD", -1.0)
    counted, count = counter()
    figures: Recent[int] = Recent()
    assert [figures.get("a", count) for _ in range(2)] == [1, 2]
    assert len(counted) == 2


def test_an_error_in_between_leaves_the_old_figures(dear, monkeypatch):
    monkeypatch.setattr(recent, "SECONDS", -1.0)
    figures: Recent[int] = Recent()
    assert figures.get("a", lambda: 1) == 1
    failed = threading.Event()

    def fails():
        failed.set()
        raise OSError("away")

    assert figures.get("a", fails) == 1
    assert failed.wait(5)
    assert figures.get("a", lambda: 1) == 1


def test_who_asks_first_is_told_of_the_error(dear):
    def fails():
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        Recent().get("a", fails)
