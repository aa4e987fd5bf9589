"""The metronome: sleeps until the next alarm, then has the desk fire what is due. The only file that knows apscheduler.

What is due stands in the tickets' own rows, and `Desk.sweep` fires it in one transaction: the effect is the mark that
it happened. So nothing here has to go well for an alarm to fire exactly once; a scheduler may be killed, doubled or
stopped for an hour. What is here keeps alarms from being late:

* APScheduler runs one job, kept in memory. After every round it is due again when the next alarm is, at the latest
  after `poll` seconds;
* whoever sets an earlier alarm wakes it: in this process by `wake`, from another one by NOTIFY (PostgreSQL);
* no error of a round ends it: it is logged, counted, and tried again;
* a watchdog on the monotonic clock notices what APScheduler does not: that the wall clock was set (it would sleep for
  hours after being set back: trap A7) and that its thread is gone while the process looks well (A2, A6).
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import selectors
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from aftersales import clock, meters, store
from aftersales.clock import shown, shown_day, whole_second
from aftersales.database import DatabaseBusy, Engine, Violation, checkpoint, writing
from aftersales.desk import Desk, Swept
from aftersales.logs import brief
from aftersales.store import CHANNEL, NEAR

log = logging.getLogger(__name__)

ONE_SECOND = timedelta(seconds=1)
#: SQLite has one writer at a time: small batches, and a pause after each in which the others get in (PERFORMANCE.md)
SQLITE_BATCH, SQLITE_PAUSE_SECONDS = 200, 0.005
#: moving SQLite's log into its file, at quiet moments
TIDY_EVERY_SECONDS = 30.0
WATCH_EVERY_SECONDS = 1.0
#: a wall clock that gained or lost so much between two looks was set, not corrected
JUMP_SECONDS = 1.0
#: a tick that has not begun so long after its time will not begin by itself
OVERDUE_SECONDS = 2.0
SHORTEST_SLEEP = 0.005
#: what is due but in another scheduler's hands is looked at again after so long, doubled each time
FIRST_LOOK_AGAIN = 0.05
FIRST_RETRY, LONGEST_RECONNECT = 0.25, 30.0
LATENESS_OF_LAST = 1000
#: cleaning up what nobody needs any more, a little at a time
CHORES_EVERY_SECONDS = 300.0


@dataclass(frozen=True)
class Round:
    """What was done until nothing was due any more."""

    claimed: int = 0
    fired: int = 0
    set_aside: int = 0

    def __add__(self, other: Round) -> Round:
        return Round(self.claimed + other.claimed, self.fired + other.fired, self.set_aside + other.set_aside)


@dataclass(frozen=True)
class Lateness:
    """Of the last alarms that fired: seconds from the first instant at which each might fire to its commit."""

    count: int
    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Lateness:
        ranked = sorted(seconds)

        def rank(share: float) -> float:
            return ranked[math.ceil(share * len(ranked)) - 1] if ranked else 0.0

        return cls(len(ranked), rank(0.5), rank(0.99), rank(1.0))


@dataclass(frozen=True)
class Status:
    """How one scheduler is doing. Counts are of this process, since it was made."""

    name: str
    running: bool
    #: it runs, and a round went well within the last three polls
    healthy: bool
    started_at: datetime
    last_sweep_at: datetime | None
    next_alarm_at: datetime | None
    fired: int
    set_aside: int
    #: rounds that went wrong since the last that went well
    failures: int
    last_error: str | None
    last_error_at: datetime | None
    lateness: Lateness


class Scheduler:
    """Fires the alarms of one database, in a thread of its own from `start` to `stop`, or once in `run_once`.

    poll_seconds  it looks at least this often, whatever it was or was not told
    batch         tickets in one transaction
    refresh       called before each round: the rule files may have changed (RuleBook tells what is wrong with them)
    chores        what to clean up in quiet moments, by name: each takes the time and gives how much it removed
    now           asks the time
    """

    def __init__(
        self,
        desk: Desk,
        *,
        poll_seconds: float = 5.0,
        batch: int = 500,
        name: str = "",
        refresh: Callable[[], object] = lambda: None,
        chores: Mapping[str, Callable[[datetime], int]] | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        if poll_seconds <= 0 or batch < 1:
            raise ValueError(f"a poll of {poll_seconds} s or a batch of {batch} makes no sense")
        self.desk, self.poll = desk, min(poll_seconds, NEAR.total_seconds())
        self.name = name or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._sqlite = desk.engine.dialect.name == "sqlite"
        self.batch = min(batch, SQLITE_BATCH) if self._sqlite else batch
        self._refresh, self._chores, self._now = refresh, chores or {}, now
        self._metronome = _Metronome(self._tick, self.poll)
        self._ear: _Ear | None = None
        self._watchdog = threading.Thread(target=self._watch, name="scheduler-watchdog", daemon=True)
        self._stopping = threading.Event()
        self._running = False
        self._started_at = now()
        self._last_sweep_at: datetime | None = None
        self._next_alarm: datetime | None = None
        self._last_error: tuple[datetime, str] | None = None
        self._fired = self._set_aside = self._failures = self._blocked = 0
        self._lateness: deque[float] = deque(maxlen=LATENESS_OF_LAST)
        #: counted and not yet written with a heartbeat
        self._unwritten: Counter[str] = Counter()
        # on the monotonic clock
        self._well_at = monotonic()
        self._beat_at = self._tidied_at = -math.inf
        self._chores_at: dict[str, float] = {}
        self._recounted: tuple[date, str] | None = None
        self._troubles: dict[str, _Trouble] = {}

    # ── for others ──

    def start(self) -> None:
        """Begin, once, with a look at what is due. Returns at once; a database that is away is waited for."""
        self._started_at, self._well_at, self._running = self._now(), monotonic(), True
        self._metronome.start()
        self._watchdog.start()
        if not self._sqlite:
            self._ear = _Ear(self.desk.engine, self.wake)
        log.info("scheduler %s started; next alarm: %s", self.name, self._when())

    def stop(self) -> None:
        """End, for good. Waits for the running batch."""
        self._stopping.set()
        if not self._running:
            return
        self._watchdog.join()  # first, or it might start APScheduler again
        self._metronome.stop()
        if self._ear is not None:
            self._ear.stop()
        self._running = False
        self._guarded("the last heartbeat", lambda: self._beat(self._now(), note="stopped"))
        log.info("scheduler %s stopped after %d alarms; next alarm: %s", self.name, self._fired, self._when())

    def wake(self, alarm_at: datetime) -> None:
        """An alarm was set for this instant: `told` of Desk. Any thread may call it; cheap unless it is near."""
        self._metronome.ring(self._seconds_to(alarm_at))

    def run_once(self, now: datetime | None = None) -> Round:
        """Fire everything that is due, now or at the instant given. What goes wrong is raised."""
        self._guarded("reading the rule files", self._refresh_rules)
        return self._round(now)

    @property
    def status(self) -> Status:
        at, error = self._last_error or (None, None)
        lateness = Lateness.of(self._lateness.copy())
        return Status(
            self.name, self._running, self._healthy(), self._started_at, self._last_sweep_at, self._next_alarm,
            self._fired, self._set_aside, self._failures, error, at, lateness,
        )  # fmt: skip

    def _healthy(self) -> bool:
        return self._running and monotonic() - self._well_at < 3 * self.poll

    def _when(self) -> str:
        try:
            alarm = self.desk.next_alarm()
        except Exception as error:  # noqa: BLE001 -- the rounds complain about it; here it is one word of a log line
            return f"unknown ({type(error).__name__})"
        return "none" if alarm is None else shown(alarm)

    # ── one tick ──

    def _tick(self) -> float:
        """One round, whatever happens in it; returns the seconds until the next."""
        try:
            self._guarded("reading the rule files", self._refresh_rules)
            self._round(None)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- nothing may end the ticking (A6); a rule may exit()
            self._failures += 1
            self._went_wrong("a round", error)
            return self._backoff(FIRST_RETRY, self._failures)
        self._failures = 0
        self._went_well("a round")
        return self._until_next()

    def _until_next(self) -> float:
        """Until the next alarm may fire: a second after its instant, since everything counts in whole seconds."""
        if self._blocked:
            return self._backoff(FIRST_LOOK_AGAIN, self._blocked)
        return self.poll if self._next_alarm is None else min(self.poll, self._seconds_to(self._next_alarm))

    def _seconds_to(self, alarm_at: datetime) -> float:
        return (alarm_at + ONE_SECOND - self._now()).total_seconds()

    def _backoff(self, first: float, times: int) -> float:
        return min(self.poll, first * 2.0 ** min(times - 1, 20))

    def _round(self, at: datetime | None) -> Round:
        done = self._catch_up(at)
        if self._guarded("counting provisional due times again", lambda: self._recount(at or self._now())):
            done += self._catch_up(at)
        if not done.claimed:
            self._guarded("the checkpoint", self._tidy)
            self._clean_up(at or self._now())
        self._guarded("the heartbeat", lambda: self._beat_if_time(at or self._now()))
        self._well_at = monotonic()
        return done

    def _catch_up(self, at: datetime | None) -> Round:
        """Sweep batch by batch until nothing is due, or what is due is in other hands. With nothing due, one query."""
        done = Round()
        while True:
            now = at or self._now()
            self._next_alarm = self.desk.next_alarm()
            self._last_sweep_at = now
            if self._next_alarm is None or self._next_alarm >= whole_second(now):
                self._blocked = 0
                return done
            batch = self._sweep(now, at)
            done += batch
            self._blocked = 0 if batch.claimed else self._blocked + 1
            if self._stopping.is_set() or not batch.claimed:
                return done
            self._well_at = monotonic()
            self._guarded("the heartbeat", lambda: self._beat_if_time(at or self._now()))
            if self._sqlite:
                self._stopping.wait(SQLITE_PAUSE_SECONDS)

    def _sweep(self, now: datetime, at: datetime | None) -> Round:
        began = monotonic()
        swept = self._swept(now)
        seconds = monotonic() - began
        self._fired += len(swept.fired)
        self._set_aside += len(swept.set_aside)
        if swept.fired or swept.set_aside:
            self._tell(swept, at or self._now(), seconds)
        return Round(swept.claimed, len(swept.fired), len(swept.set_aside))

    def _swept(self, now: datetime) -> Swept:
        """A batch; if it cannot be written as a whole, ticket by ticket, so that the one at fault stands alone.

        What the database refuses it would refuse again. Anything else gets a second try, and a connection lost again
        is left to the next round: a ticket must not be set aside for an outage.
        """
        for last in (False, True):
            try:
                return self.desk.sweep(now, self.batch)
            except DatabaseBusy:
                raise
            except (Exception, SystemExit) as error:
                self._went_wrong("a batch", error)
                if isinstance(error, (Violation, store.Stale, store.Taken)):
                    break
                if last and getattr(error, "connection_invalidated", False):
                    raise
        return self.desk.sweep_one_by_one(now, self.batch)

    def _tell(self, swept: Swept, fired_at: datetime, seconds: float) -> None:
        """The log line of a batch, and the figures of `status`."""
        late = [(fired_at - event.at - ONE_SECOND).total_seconds() for _, event in swept.fired]
        self._lateness.extend(late)
        self._unwritten += meters.counted(late, len(swept.set_aside))
        what = ", ".join(f"{count} {name}" for name, count in Counter(e.trigger for _, e in swept.fired).most_common())
        instants = [event.at for _, event in swept.fired] or [fired_at]
        log.info(
            "fired %d (%s), due %s to %s, at most %.1f s late; set aside %d; in %.0f ms",
            len(swept.fired), what or "-", shown(min(instants)), shown(max(instants)), max(late, default=0.0),
            len(swept.set_aside), seconds * 1000,
        )  # fmt: skip

    # ── chores ──

    def _guarded(self, what: str, chore: Callable[[], bool]) -> bool:
        """A chore that must not keep alarms from firing; it is tried again with the next round."""
        try:
            done = chore()
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- see above
            self._went_wrong(what, error)
            return False
        self._went_well(what)
        return done

    def _went_wrong(self, what: str, error: BaseException) -> None:
        self._last_error = (self._now(), f"{what}: {type(error).__name__}: {error}")
        self._troubles.setdefault(what, _Trouble(what)).arises(error)

    def _went_well(self, what: str) -> None:
        if what in self._troubles:
            self._troubles.pop(what).passes()

    def _refresh_rules(self) -> bool:
        self._refresh()
        return True

    def _recount(self, now: datetime) -> bool:
        """At the start, daily, and when the work calendar learns something: provisional due times may have moved."""
        state = (shown_day(now), self.desk.rules().calendar.fingerprint)
        if state == self._recounted:
            return False
        moved = self.desk.recount_provisional(now)
        self._recounted = state
        if moved:
            log.info("%d provisional due times have moved: the work calendar knows more now", moved)
        return bool(moved)

    def _tidy(self) -> bool:
        if not self._sqlite or monotonic() - self._tidied_at < TIDY_EVERY_SECONDS:
            return False
        self._tidied_at = monotonic()
        return checkpoint(self.desk.engine)

    def _clean_up(self, now: datetime) -> None:
        """One chore a round, so that no alarm waits for long."""
        for what, chore in self._chores.items():
            if monotonic() - self._chores_at.get(what, -math.inf) >= CHORES_EVERY_SECONDS:
                self._chores_at[what] = monotonic()  # whatever comes of it, the next try is as far away
                self._guarded(what, partial(self._cleaned_up, what, chore, now))
                return

    def _cleaned_up(self, what: str, chore: Callable[[datetime], int], now: datetime) -> bool:
        if removed := chore(now):
            log.info("%s: %d removed", what, removed)
        return bool(removed)

    def _beat_if_time(self, now: datetime) -> bool:
        # a little early rather than only with every second poll
        return monotonic() - self._beat_at >= 0.8 * self.poll and self._beat(now)

    def _beat(self, now: datetime, note: str = "") -> bool:
        with writing(self.desk.engine) as connection:
            store.beat(
                connection, self.name, started_at=self._started_at, at=now, next_alarm_at=self._next_alarm,
                fired=self._fired, note=note,
            )  # fmt: skip
            store.meter(connection, self._unwritten)
        self._unwritten.clear()
        self._beat_at = monotonic()
        return True

    # ── the watchdog ──

    def _watch(self) -> None:
        last = (self._now(), monotonic(), True)
        while not self._stopping.wait(min(WATCH_EVERY_SECONDS, self.poll)):
            try:
                last = self._look(*last)
            except Exception:  # the watchdog is the last to go
                log.exception("the watchdog stumbled")

    def _look(self, was_wall: datetime, was_steady: float, was_well: bool) -> tuple[datetime, float, bool]:
        wall, steady, well = self._now(), monotonic(), self._healthy()
        jumped = (wall - was_wall).total_seconds() - (steady - was_steady)
        if abs(jumped) > JUMP_SECONDS:
            log.warning("the wall clock was set by %+.0f s: looking at once", jumped)
            self._metronome.ring(0)
        if was_well and not well:
            log.error("no round went well for %.0f s", steady - self._well_at)
        self._metronome.check()
        return wall, steady, well


class _Trouble:
    """Logs something that keeps going wrong: at first in full, then each time the count has doubled."""

    def __init__(self, what: str) -> None:
        self.what, self.count, self.kind = what, 0, ""

    def arises(self, error: BaseException) -> None:
        kind = type(error).__name__
        self.count = self.count + 1 if kind == self.kind else 1
        self.kind = kind
        if self.count == 1:
            log.error("%s failed: %s", self.what, brief(error), exc_info=error)
        elif self.count & (self.count - 1) == 0:
            log.error("%s failed for the %dth time: %s", self.what, self.count, brief(error))

    def passes(self) -> None:
        if self.count:
            log.info("%s: in order again after %d failures", self.what, self.count)
        self.count, self.kind = 0, ""


# ── APScheduler ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _When(BaseTrigger):  # type: ignore[misc] # apscheduler ships no types
    """Due so many seconds from now, by APScheduler's own clock, whatever that says.

    Never at or before now: a trigger that counts on from the last run, as an interval does, would list every run that
    a clock set forward has passed over.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        return now + timedelta(seconds=self._seconds())


class _Metronome:
    """Calls `tick` again and again: after the seconds that it returned, or when somebody rings for an earlier time.

    What is decided here is decided on the monotonic clock, and stands in `_due`. APScheduler only ever copies it: it is
    never called with the lock held, since it holds its own when it calls us.
    """

    def __init__(self, tick: Callable[[], float], poll: float) -> None:
        self._tick, self._poll = tick, poll
        self._lock = threading.Condition()
        self._jobs: Any = None
        #: when the next tick is to begin; infinite while one runs and nobody has rung
        self._due = math.inf
        self._ticking = False
        self._rung_in_vain = False

    def start(self) -> None:
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it tells of every tick
        jobs = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)})
        jobs.add_listener(self._ended, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        self._jobs, self._due = jobs, monotonic()
        jobs.add_job(
            self._run, _When(self._seconds_left), id="tick", misfire_grace_time=None, coalesce=True, max_instances=1
        )
        jobs.start()

    def stop(self) -> None:
        """Waits for the tick that runs."""
        with self._lock:
            jobs, self._jobs = self._jobs, None
        jobs.shutdown(wait=False)  # it would wait with its lock held, which `_ended` needs
        with self._lock:
            self._lock.wait_for(lambda: not self._ticking)

    def ring(self, delay: float) -> None:
        """Tick in so many seconds at the latest."""
        due = monotonic() + max(0.0, delay)
        with self._lock:
            if self._jobs is None or due >= self._due:
                return
            self._due = due
            ticking = self._ticking
        if not ticking:  # else `_ended` does it: APScheduler would drop a second run
            self._set()

    def _seconds_left(self) -> float:
        return max(SHORTEST_SLEEP, min(self._poll, self._due - monotonic()))

    def _set(self) -> None:
        """Have APScheduler copy `_due`; again if it changed meanwhile, so that the latest value is copied last."""
        jobs, due = self._jobs, None
        while jobs is not None and due != self._due:
            due = self._due
            try:
                jobs.reschedule_job("tick", trigger=_When(self._seconds_left))
            except Exception:  # whoever rang has done nothing wrong, and `check` will notice
                if jobs is self._jobs:
                    log.exception("APScheduler has lost its job")
                return

    def _run(self) -> None:
        with self._lock:
            if self._jobs is None:
                return
            self._ticking, self._due = True, math.inf
        delay = self._poll
        try:
            delay = self._tick()
        finally:
            with self._lock:
                self._ticking = False
                self._due = min(self._due, monotonic() + delay)
                self._lock.notify_all()

    def _ended(self, _event: object) -> None:
        """The job has left APScheduler's hands. (Set earlier, its next run might come before that and be dropped.)"""
        self._set()

    def check(self) -> None:
        """A tick that is overdue is set anew; if that does not help, APScheduler is replaced."""
        with self._lock:
            jobs = self._jobs
            if jobs is None or self._ticking or monotonic() < self._due + OVERDUE_SECONDS:
                self._rung_in_vain = False
                return
            in_vain, self._rung_in_vain = self._rung_in_vain, not self._rung_in_vain
        if not in_vain:
            self._set()
            return
        log.error("APScheduler does not tick any more: starting it anew")
        self.start()
        # it waits for a thread of which nothing is known
        threading.Thread(target=jobs.shutdown, args=(False,), daemon=True).start()


# ── Between processes, on PostgreSQL ──────────────────────────────────────────────────────────────────────────────────


class _Ear:
    """A thread with a connection of its own that hears what `tell_schedulers` says. The poll is the net below it."""

    def __init__(self, engine: Engine, wake: Callable[[datetime], None]) -> None:
        self._engine, self._wake = engine, wake
        self._trouble = _Trouble("hearing other processes")
        self._stopping = threading.Event()
        # closing one end ends the waiting at the other
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="scheduler-ear", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._stop.close()
        self._thread.join()
        self._stopped.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(self._connection()) as driver:
                    self._listen(driver)
            except Exception as error:  # noqa: BLE001 -- a connection may be lost in any way, and is made again
                self._trouble.arises(error)
                self._stopping.wait(min(FIRST_RETRY * 2.0 ** min(self._trouble.count, 20), LONGEST_RECONNECT))

    def _connection(self) -> Any:
        """The driver's own, taken out of the pool for good: it waits for hours."""
        pooled = self._engine.raw_connection()
        driver = pooled.driver_connection
        pooled.detach()
        return driver

    def _listen(self, driver: Any) -> None:
        driver.rollback()
        driver.autocommit = True  # what is told arrives between transactions only
        driver.execute(f"LISTEN {CHANNEL}")
        self._trouble.passes()
        with selectors.DefaultSelector() as ready:
            ready.register(driver, selectors.EVENT_READ)
            ready.register(self._stopped, selectors.EVENT_READ)
            while not self._stopping.is_set():
                for told in driver.notifies(timeout=0):
                    self._heard(told.payload)
                ready.select()

    def _heard(self, payload: str) -> None:
        try:
            alarm_at = datetime.fromtimestamp(int(payload), UTC)
        except (ValueError, OverflowError, OSError):
            log.warning("somebody else talks on %s", CHANNEL)
        else:
            self._wake(alarm_at)
