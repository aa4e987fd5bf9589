"""The line to open pages: what changed, who else is looking, and an end when the server stops. A real server."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from aftersales import clock, store
from aftersales.database import writing
from aftersales.office import accounts, presence
from tests.web.conftest import BROWSER_SAYS, World, made_world
from web import live
from web.app import create_app
from web.live import Live, Message, Stream
from web.serve import Server

_lines: list[Line] = []


class Line:
    """What a browser hears."""

    def __init__(self, port: int, path: str = "/live", **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        self.connection.request("GET", path, headers=headers)
        self.answer = self.connection.getresponse()
        _lines.append(self)

    def next(self, what: str) -> tuple[object, str]:
        """(data, id) of the next event of this kind."""
        while True:
            event = {}
            while line := self.answer.readline().decode().rstrip("\n"):
                name, _, value = line.partition(": ")
                event[name] = value
            assert event, "the line is closed"
            if event.get("event") == what:
                return json.loads(event["data"]), event.get("id", "")

    def ended(self) -> bool:
        return self.answer.read() is not None and self.answer.isclosed()

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


@contextmanager
def served(world: World) -> Iterator[tuple[Server, int, threading.Thread]]:
    app = create_app(world.desk, lambda: world.rules, world.settings)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # who comes before the server is up waits
        server = Server(app, log_level="warning")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield server, listening.getsockname()[1], thread
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
    while _lines:
        _lines.pop().close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY_SECONDS", 0.02)


@pytest.fixture
def world(sqlite_url: str, quick: None) -> World:
    """Its clock is the real one."""
    world = made_world(sqlite_url)
    world.now = clock.now()
    return world


def test_what_others_do_is_told(world):
    ticket = world.open()
    with served(world) as (_, port, _):
        line = Line(port)
        assert line.answer.headers["content-type"].startswith("text/event-stream")
        assert line.next("pulse")[0] == {"well": False, "sentence": "自动执行还没有启动"}
        world.do(ticket, "note", text="秘密")
        world.do(ticket, "approve")
        told, id = line.next("tickets")
        while told[0]["version"] < 3:
            told, id = line.next("tickets")
        (one,) = told
        assert (one["id"], one["number"], one["version"], one["state"]) == (
            ticket.id, ticket.number, 3, "awaiting_buyer_return",
        )  # fmt: skip
        assert "秘密" not in json.dumps(told, ensure_ascii=False)
        assert id == "3"
        line.close()


def test_what_was_missed_is_told_first(world):
    first, second = world.open(), world.open()
    with served(world) as (_, port, _):
        for path, headers in (("/live?after=1", {}), ("/live", {"Last-Event-ID": "1"})):
            line = Line(port, path, **headers)
            assert [one["id"] for one in line.next("tickets")[0]] == [second.id]
            line.close()
        line = Line(port, "/live?after=nonsense")
        world.do(first, "note", text="x")
        assert [one["id"] for one in line.next("tickets")[0]] == [first.id]
        line.close()


def test_when_too_much_was_missed_the_page_is_loaded_again(world, monkeypatch):
    monkeypatch.setattr(live, "MOST_CHANGES", 3)
    tickets = [world.open() for _ in range(5)]
    with served(world) as (_, port, _):
        line = Line(port, "/live?after=0")
        assert line.next("reload")[0] == {}
        with writing(world.engine) as connection:  # five at once
            found = store.load(connection, [ticket.id for ticket in tickets])
            for ticket in found:
                change = world.desk._caught_up(connection, ticket, world.now + timedelta(days=3))
                assert change.version > ticket.version
        assert line.next("reload")[1] == str(live.newest_event(world.engine))
        line.close()


def test_the_server_stops_within_a_second_though_pages_are_open(world):
    world.open()
    with served(world) as (server, port, thread):
        lines = [Line(port) for _ in range(5)]
        for line in lines:
            line.next("pulse")
        started = time.monotonic()
        server.should_exit = True
        thread.join(5)
        assert not thread.is_alive()
        assert time.monotonic() - started < 1
        assert all(line.ended() for line in lines)


def test_one_browser_has_no_more_lines_than_it_may(world, monkeypatch):
    monkeypatch.setattr(live, "MOST_OF_ONE", 2)
    with served(world) as (_, port, _):
        lines = [Line(port), Line(port)]
        third = Line(port)
        assert third.answer.status == 429
        assert third.answer.headers["retry-after"] == "30"
        lines.pop().close()
        deadline = time.monotonic() + 5
        while Line(port).answer.status == 429:
            assert time.monotonic() < deadline
        lines.pop().close()


def test_nobody_listens_nobody_looks(world):
    with served(world) as (server, port, _):
        watcher: Live = server._live
        line = Line(port)
        line.next("pulse")
        assert not watcher._watching.done()
        line.close()
        deadline = time.monotonic() + 5
        while not watcher._watching.done():
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_who_else_is_looking_is_told_in_the_language_of_the_page(world):
    ticket = world.open()
    li, me = (accounts.add(world.engine, f"店铺:{name}", name, world.now) for name in ("李雯", "陈晓"))
    session = accounts.sign_in(world.engine, me, world.now)
    presence.here(world.engine, me.id, ticket.id, clock.now())
    with served(world) as (_, port, _):
        line = Line(port, cookie=f"session={session}")
        told, _ = line.next("presence")
        assert told == {"all": True, "tickets": [{"id": ticket.id, "html": "", "mark": "", "editing": False}]}
        presence.here(world.engine, li.id, ticket.id, clock.now(), "reject")
        told, _ = line.next("presence")
        (one,), every = told["tickets"], told["all"]
        assert (one["id"], one["editing"], every) == (ticket.id, True, False)
        assert "<span>李雯正在填「" in one["html"]
        assert "正在改" in one["mark"]
        line.close()
        english = Line(port, cookie=f"session={session}; language=en")
        (one,) = english.next("presence")[0]["tickets"]
        assert '<span lang="zh-CN">李雯</span> is filling in' in one["html"]
        english.close()


# ── a browser that takes nothing off ──


def test_a_slow_browser_is_told_to_load_again_and_holds_a_few_messages_at_most() -> None:
    stream = Stream()
    for number in range(10 * live.WAITING):
        stream.tell(Message("tickets", [], number))
        assert stream._waiting.qsize() <= live.WAITING
    heard = [stream._waiting.get_nowait() for _ in range(stream._waiting.qsize())]
    assert heard[0].what == "reload"
    assert heard[-1] == Message("tickets", [], 10 * live.WAITING - 1)


def test_an_event_that_is_committed_late_is_not_lost(monkeypatch) -> None:
    """PostgreSQL gives out ids before the commit."""
    watcher = Live(None)
    watcher._seen = 4
    watcher._remember([5, 7, 9])
    assert (watcher._seen, sorted(watcher._gaps)) == (9, [6, 8])
    watcher._remember([6])
    assert (watcher._seen, sorted(watcher._gaps)) == (9, [8])
    watcher._remember([10])
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + live.GAP_SECONDS + 1)
    watcher._remember([11])
    assert (watcher._seen, sorted(watcher._gaps)) == (11, [])


# ── saying that one is here ──


def signed_in(world: World, browser, name="李雯"):
    account = accounts.add(world.engine, f"店铺:{name}", name, clock.now())
    browser.client.cookies.set("session", accounts.sign_in(world.engine, account, clock.now()))
    return account


def say(browser, path: str, **told: str) -> int:
    return browser.client.post(path, data=told, headers=BROWSER_SAYS).status_code


def test_pages_show_who_was_there_as_they_were_made(world):
    ticket, mine, other = world.open(), world.browser(), world.browser()
    signed_in(world, mine)
    signed_in(world, other, "陈<b>晓")
    assert say(mine, f"/t/{ticket.id}/here") == 204
    assert say(other, f"/t/{ticket.id}/here", doing="reject") == 204
    page = mine.get(f"/t/{ticket.number}")
    assert "陈<b>晓正在填「" in page.text
    assert "李雯" not in page.text.partition("我：李雯")[2]
    assert "李雯也在看" in other.get(f"/t/{ticket.number}").text
    assert "正在改" in mine.get("/").text
    assert "在看" in other.get("/").text
    assert say(other, f"/t/{ticket.id}/here", doing="reject", gone="1") == 204
    assert "正在填" not in mine.get(f"/t/{ticket.number}").text


def test_only_those_who_are_signed_in_are_seen_and_only_known_forms_are_named(world):
    ticket, nobody, somebody = world.open(), world.browser(), world.browser()
    assert say(nobody, f"/t/{ticket.id}/here") == 204
    assert presence.everywhere(world.engine, clock.now()) == {}
    account = signed_in(world, somebody)
    assert say(somebody, f"/t/{ticket.id}/here", doing="<script>") == 204
    (one,) = presence.everywhere(world.engine, clock.now())[ticket.id]
    assert (one.account_id, one.doing) == (account.id, "")
    assert say(somebody, "/t/999/here") == 404
    assert somebody.client.post(f"/t/{ticket.id}/here", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
