"""Schedulers killed, stopped and cut off in the middle of their work: every alarm fires exactly once all the same."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from aftersales import clock, store
from aftersales.database import create_engine, writing
from aftersales.scheduler import Scheduler
from tests.conftest import BACKENDS, fresh_database
from tests.faults.due_tickets import LIMIT, desk_on, fired, open_many, rows, wrongs

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)
#: per database, in hundreds; conftest deletes AFTERSALES_*
KILLS = int(os.environ.get("FAULT_KILLS", "1000"))
each_backend = pytest.mark.parametrize("kind", BACKENDS)


class Due:
    """A database with overdue tickets, and more of them when they run out."""

    def __init__(self, url, count=3000):
        self.url, self.desk, self.count = url, desk_on(url), 0
        self.more(count)

    def more(self, count):
        open_many(self.desk, count, clock.now() - LIMIT - HOUR, named=f"after {self.count}")
        self.count += count

    def left(self):
        return self.count - fired(self.desk)

    def run_out(self, seconds=60):
        until(lambda: self.desk.next_alarm() > clock.now(), seconds)
        assert wrongs(self.desk, self.count) == []


def until(holds, seconds):
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(0.01)


class Forks:
    def __init__(self, process):
        self._process, self.alive = process, []

    def start(self):
        self._process.stdin.write("one\n")
        self._process.stdin.flush()
        self.alive.append(int(self._process.stdout.readline()))

    def kill(self, pid, how=signal.SIGKILL):
        os.kill(pid, how)
        if how == signal.SIGKILL:
            self.alive.remove(pid)


@contextmanager
def forks(url, batch):
    """Schedulers as processes of their own."""
    command = [sys.executable, Path(__file__).with_name("forked_schedulers.py"), url, str(batch)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        forked = Forks(process)
        try:
            yield forked
        finally:
            for pid in list(forked.alive):
                forked.kill(pid)


def kill_again_and_again(due, kills, batch, seed=1):
    """Two schedulers at work; one of them, whichever, is killed after some milliseconds and replaced by another."""
    drawn = random.Random(seed)
    with forks(due.url, batch) as schedulers:
        schedulers.start()
        for _ in range(kills):
            schedulers.start()
            time.sleep(drawn.uniform(0, 0.2))
            schedulers.kill(drawn.choice(schedulers.alive))
            if due.left() == 0:
                due.more(3000)
        due.run_out()


@each_backend
def test_whoever_is_killed_in_the_middle_every_ticket_fires_once(kind):
    kill_again_and_again(Due(fresh_database(kind), 600), kills=5, batch=5)


@each_backend
@pytest.mark.faults
@pytest.mark.parametrize("seed", range(KILLS // 100))
def test_a_thousand_kills(kind, seed):
    kill_again_and_again(Due(fresh_database(kind)), kills=100, batch=10, seed=seed)


@each_backend
def test_the_command_itself_killed_and_started_again_finishes_and_ends_when_told(kind):
    due = Due(fresh_database(kind), 1000)
    first = command(due.url)
    until(lambda: due.left() < 1000, 30)
    first.kill()
    first.wait()
    assert due.left() > 0, "it was to be killed in the middle"
    second = command(due.url)
    try:
        due.run_out()
    finally:
        second.terminate()
        assert second.wait(10) == 0


def command(url):
    environment = {**os.environ, "AFTERSALES_SWEEP_BATCH": "10"}
    arguments = ["-m", "aftersales", "scheduler", "--db", url, "--tick", "0.2"]
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


@each_backend
@pytest.mark.faults
def test_all_killed_at_once_and_started_again(kind):
    due = Due(fresh_database(kind))
    drawn = random.Random(2)
    with forks(due.url, 10) as schedulers:
        for _ in range(60):
            for _ in range(3):
                schedulers.start()
            time.sleep(drawn.uniform(0, 0.4))
            for pid in list(schedulers.alive):
                schedulers.kill(pid)
            if due.left() == 0:
                due.more(3000)
        schedulers.start()
        due.run_out()


@each_backend
@pytest.mark.faults
def test_one_that_is_stopped_in_its_sweep_and_goes_on_later_fires_nothing_again(kind):
    due = Due(fresh_database(kind))
    drawn = random.Random(3)
    with forks(due.url, 20) as schedulers:
        schedulers.start()
        schedulers.start()
        for _ in range(40):
            pid = drawn.choice(schedulers.alive)
            time.sleep(drawn.uniform(0, 0.2))
            schedulers.kill(pid, signal.SIGSTOP)
            time.sleep(drawn.uniform(0, 1))
            schedulers.kill(pid, signal.SIGCONT)
            if due.left() == 0:
                due.more(3000)
        due.run_out()


@pytest.mark.postgres
@pytest.mark.faults
def test_while_one_is_stopped_the_other_fires_all_that_it_does_not_hold(postgres_url):
    due = Due(postgres_url)
    with forks(due.url, 20) as schedulers:
        schedulers.start()
        until(lambda: due.left() < 3000, 10)
        zombie = schedulers.alive[0]
        schedulers.kill(zombie, signal.SIGSTOP)
        schedulers.start()
        until(lambda: due.left() <= 20, 20)
        schedulers.kill(zombie, signal.SIGCONT)
        due.run_out()


@pytest.mark.postgres
def test_one_that_froze_in_its_sweep_gives_back_what_it_holds(postgres_url, monkeypatch):
    monkeypatch.setattr(store, "SWEEP_HOLDS_SECONDS", 1)
    due = Due(postgres_url, 3)
    with pytest.raises(DBAPIError):
        freeze(due.desk, desk_on(postgres_url), clock.now())
    due.run_out()


def freeze(desk, other, now):
    """Claims what is due and does nothing; as soon as the other one can have it, tries to go on."""
    with writing(desk.engine) as connection:
        store.hold_briefly(connection)
        assert len(store.claim_alike(connection, now, 10)) == 3
        assert other.sweep(now).claimed == 0
        until(lambda: other.sweep(now, alike=True).claimed == 3, 5)
        store.claim_alike(connection, now, 10)


@each_backend
@pytest.mark.faults
def test_many_schedulers_that_come_and_go_leave_nothing_out(kind):
    due = Due(fresh_database(kind), 20_000)
    drawn = random.Random(4)
    running = []
    while due.left():
        if len(running) < 4:
            running.append(Scheduler(desk_on(due.url), poll_seconds=0.2, batch=drawn.choice([10, 50, 500])))
            running[-1].start()
        time.sleep(drawn.uniform(0, 0.5))
        if drawn.random() < 0.5:
            running.pop(drawn.randrange(len(running))).stop()
    for scheduler in running:
        scheduler.stop()
    due.run_out()


@pytest.mark.postgres
@pytest.mark.faults
def test_five_hundred_cut_connections(postgres_url):
    due = Due(postgres_url, 10_000)
    other = desk_on(postgres_url.replace("postgresql+psycopg", "postgresql"))
    drawn = random.Random(5)
    scheduler = Scheduler(desk_on(postgres_url), poll_seconds=0.2, batch=20)
    scheduler.start()
    for _ in range(500):
        time.sleep(drawn.uniform(0, 0.05))
        rows(
            other,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1",
        )
        if fired(other) == due.count:
            open_many(other, 3000, clock.now() - LIMIT - HOUR, named=f"after {due.count}")
            due.count += 3000
    until(lambda: fired(other) == due.count, 60)
    until(lambda: scheduler.status.healthy, 5)
    scheduler.stop()
    assert wrongs(other, due.count) == []


@pytest.mark.faults
@pytest.mark.parametrize("seconds", [1, 4, 12])
def test_a_write_lock_held_by_somebody_else_makes_it_late_and_nothing_worse(sqlite_url, seconds):
    due = Due(sqlite_url, 100)
    scheduler = Scheduler(desk_on(sqlite_url), poll_seconds=1)
    with writing(create_engine(sqlite_url)) as connection:
        connection.execute(text("SELECT 1"))
        scheduler.start()
        time.sleep(seconds)
        assert due.left() == 100
    due.run_out(5)
    assert scheduler.status.set_aside == 0
    scheduler.stop()
