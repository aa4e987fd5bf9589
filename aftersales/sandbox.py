"""A training ground: a demo shop in a database of its own, whose clock people may move forward.

    make(url, fresh=False)     the database: the one that is there, or a new one with the demo's tickets
    Sandbox(desk)              NotASandbox unless the database carries the mark that only `make` sets
    sandbox.forward(span)      moves the clock, letting every alarm on the way fire at its own time

Real databases have no mark, so their clock cannot be moved: this is the only file that calls `clock.run_ahead`, and it
does so only after it has read the mark.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from aftersales import clock, database
from aftersales.clock import whole_second
from aftersales.database import Engine, reading, writing
from aftersales.desk import Desk
from aftersales.saying import say
from aftersales.ticket import Event, Ticket

ONE_SECOND = timedelta(seconds=1)
#: at most so many looks at the clock on one way forward, and so far at once
MOST_SWEEPS, FARTHEST = 20_000, timedelta(days=60)


class NotASandbox(Exception):
    """The database is somebody's real one."""


@dataclass(frozen=True)
class Forwarded:
    """What the clock did between two instants. `fired`: the ticket after each event, oldest first."""

    start: datetime
    end: datetime
    fired: Sequence[tuple[Ticket, Event]]


def make(url: str, *, fresh: bool = False) -> None:
    """Leads to a training ground at this address: sqlite:///sandbox.db. NotASandbox: something else is there."""
    file = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///"):
        raise NotASandbox(say("训练场只能用自己的 SQLite 文件，{url} 不是", url=database.shown(url)))
    if file.exists() and file.stat().st_size:
        if not _marked(url):
            raise NotASandbox(say("{file} 不是训练场的数据库，不会动它。请换一个文件", file=file))
        if not fresh:
            database.migrate(url)
            return
    _made(url)


def _made(url: str) -> None:
    from aftersales.demo import run_demo  # only now: it loads the whole simulation

    run_demo(url, io.StringIO())
    engine = database.create_engine(url)
    try:
        with writing(engine) as connection:
            now = whole_second(clock.now())
            mark = text("INSERT INTO sandbox (id, ahead_seconds, made_at) VALUES (1, 0, :at)")
            connection.execute(mark, {"at": now.replace(tzinfo=None).isoformat(" ", "microseconds")})
    finally:
        engine.dispose()


def _marked(url: str) -> bool:
    engine = database.create_engine(url)
    try:
        return is_sandbox(engine)
    finally:
        engine.dispose()


def is_sandbox(engine: Engine) -> bool:
    """Whether the database carries the mark."""
    return _ahead_in(engine) is not None


def _ahead_in(engine: Engine) -> timedelta | None:
    with reading(engine) as connection:
        if not database.has_table(connection, "sandbox"):
            return None
        row = connection.execute(text("SELECT ahead_seconds FROM sandbox")).first()
    return None if row is None else timedelta(seconds=row.ahead_seconds)


class Sandbox:
    """The clock of a training ground, as of the last time it ran."""

    def __init__(self, desk: Desk) -> None:
        ahead = _ahead_in(desk.engine)
        if ahead is None:
            raise NotASandbox(say("这个数据库不是训练场，时间不能快进"))
        self.desk, self._ahead, self._moving = desk, ahead, threading.Lock()
        #: what the last way forward brought, since this process began
        self.last: Forwarded | None = None
        clock.run_ahead(ahead)

    @property
    def ahead(self) -> timedelta:
        """How far its clock is ahead of the real one."""
        return self._ahead

    def forward(self, span: timedelta) -> Forwarded:
        """Moves the clock by up to 60 days. Every alarm on the way fires a second after its time, as it does in life.

        Two people who move it at once take turns.
        """
        with self._moving:
            start = whole_second(clock.now())
            end = start + min(max(span, ONE_SECOND), FARTHEST)
            fired: list[tuple[Ticket, Event]] = []
            for _ in range(MOST_SWEEPS):
                alarm = self.desk.next_alarm()
                if alarm is None or alarm >= end:
                    break
                self._go_to(alarm + ONE_SECOND)
                fired += self.desk.sweep(whole_second(clock.now())).fired
            self._go_to(end)
            self.last = Forwarded(start, end, fired)
            return self.last

    def to_the_next_alarm(self) -> Forwarded:
        """Just far enough for the next thing to happen; a minute where nothing is waiting to happen."""
        alarm, now = self.desk.next_alarm(), whole_second(clock.now())
        return self.forward(timedelta(minutes=1) if alarm is None else alarm + 2 * ONE_SECOND - now)

    def _go_to(self, instant: datetime) -> None:
        """Never backwards: what has happened has happened."""
        further = max(timedelta(), instant - clock.now())
        whole = timedelta(seconds=-(-further // ONE_SECOND))
        self._ahead += whole
        with writing(self.desk.engine) as connection:
            seconds = int(self._ahead.total_seconds())
            connection.execute(text("UPDATE sandbox SET ahead_seconds = :seconds"), {"seconds": seconds})
        clock.run_ahead(self._ahead)
