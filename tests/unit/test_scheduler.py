"""The metronome: alarms fire when they are due, whatever happens to threads, clocks, connections and other tickets."""

import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import apscheduler.schedulers.base
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from aftersales import clock, queries
from aftersales.clock import parse, whole_second
from aftersales.database import DatabaseBusy, create_all, create_engine, writing
from aftersales.desk import Desk
from aftersales.scheduler import Lateness, Round, Scheduler, _Metronome, _When
from aftersales.store import tell_schedulers
from aftersales.work_calendar import Overrides, WorkCalendar
from tests.faults.due_tickets import (
    FIRST_REMINDER,
    LIMIT,
    RULES,
    application,
    desk_on,
    fired,
    open_many,
    rows,
    wrongs,
)

T0 = parse("2022-10-01 10:00:00")
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
NEVER = 60  # a poll that no test waits for


@pytest.fixture(scope="module", autouse=True)
def _warm():
    """The first ticket of a process takes a second, for imports and state machines; the tests measure shorter times."""
    engine = create_engine("sqlite://")
    create_all(engine)
    desk = Desk(engine, lambda: RULES)
    desk.open(application(T0), shop="shop")
    Scheduler(desk).run_once(T0 + LIMIT + SECOND)
    engine.dispose()


@pytest.fixture
def started():
    """Starts schedulers; they stop when the test ends."""
    made = []

    def start(desk, **options):
        scheduler = Scheduler(desk, **options)
        made.append(scheduler)
        scheduler.start()
        return scheduler

    yield start
    for scheduler in made:
        scheduler.stop()


def until(holds, seconds=10.0):
    """Wait for it; the seconds that took. They are many for a test, so that a busy machine is no failure."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(0.005)
    return time.monotonic() - began


def open_with_alarm(desk, alarm_at, order_no="1"):
    """A ticket whose first alarm, a reminder, is at this instant."""
    return desk.open(application(alarm_at - FIRST_REMINDER, order_no), shop="shop")


def this_second():
    """An alarm at this instant may fire at the next full second."""
    return whole_second(clock.now())


def counted(monkeypatch, desk, name):
    """How often a method of the desk was called: a list that grows."""
    calls, real = [], getattr(desk, name)

    def call(*args, **named):
        calls.append(time.monotonic())
        return real(*args, **named)

    monkeypatch.setattr(desk, name, call)
    return calls


def failing(monkeypatch, desk, name, errors):
    """The method of the desk raises these one after another, and works from then on."""
    real, errors = getattr(desk, name), iter(errors)

    def call(*args, **named):
        for error in errors:
            raise error
        return real(*args, **named)

    monkeypatch.setattr(desk, name, call)


def lost():
    gone = Exception("server closed the connection unexpectedly")
    return OperationalError("SELECT 1", {}, gone, connection_invalidated=True)


def change(desk, statement, **values):
    with writing(desk.engine) as connection:
        assert connection.execute(text(statement), values).rowcount


# ── when it wakes ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_sleeps_until_a_second_after_the_next_alarm(database_url, started, monkeypatch):
    desk = desk_on(database_url)
    alarm_at = this_second() + SECOND
    ticket = open_with_alarm(desk, alarm_at)
    looks = counted(monkeypatch, desk, "next_alarm")
    scheduler = started(desk, poll_seconds=NEVER)
    until(lambda: scheduler.status.fired)
    told = queries.events(desk.engine, ticket.id)[-1]
    assert (told.trigger, told.at) == ("reminder", alarm_at)
    assert told.recorded_at >= alarm_at + SECOND
    assert 0 <= scheduler.status.lateness.max < 2
    until(lambda: scheduler.status.next_alarm_at == ticket.due_at - 4 * HOUR)
    # one look at the start (and one for the log), one before and one after what fired; one more if it woke early
    assert len(looks) <= 5


def test_a_step_that_sets_an_earlier_alarm_wakes_it(database_url, started):
    desk = desk_on(database_url, told=lambda alarm_at: scheduler.wake(alarm_at))
    scheduler = started(desk, poll_seconds=NEVER)
    until(lambda: scheduler.status.last_sweep_at)
    time.sleep(0.1)
    open_with_alarm(desk, this_second())
    until(lambda: scheduler.status.fired)


def test_a_step_taken_during_a_round_wakes_it_after_the_round(sqlite_url, started, monkeypatch):
    desk = desk_on(sqlite_url)
    at_work, go_on = threading.Event(), threading.Event()
    real = desk.next_alarm

    def next_alarm():
        found = real()
        at_work.set()
        go_on.wait()  # what is committed from here on, this round does not see
        return found

    monkeypatch.setattr(desk, "next_alarm", next_alarm)
    monkeypatch.setattr(Scheduler, "_when", lambda self: "")
    scheduler = started(desk, poll_seconds=NEVER)
    at_work.wait()
    scheduler.wake(open_with_alarm(desk, this_second()).alarm_at)
    go_on.set()
    until(lambda: scheduler.status.fired)


def test_an_alarm_that_nobody_told_of_is_found_by_the_poll(database_url, started):
    desk = desk_on(database_url)
    scheduler = started(desk, poll_seconds=0.2)
    until(lambda: scheduler.status.last_sweep_at)
    open_with_alarm(desk, this_second())
    until(lambda: scheduler.status.fired)


def test_waking_costs_the_one_who_wakes_nothing_to_speak_of(sqlite_url, started):
    scheduler = started(desk_on(sqlite_url), poll_seconds=NEVER)
    alarm_at, began = clock.now() + LIMIT, time.perf_counter()
    for _ in range(1000):
        scheduler.wake(alarm_at)
    assert time.perf_counter() - began < 1


def test_waking_one_that_does_not_run_does_nothing(sqlite_url):
    scheduler = Scheduler(desk_on(sqlite_url))
    scheduler.wake(clock.now())
    scheduler.stop()
    scheduler.wake(clock.now())
    assert scheduler.status.fired == 0


def test_when_nothing_is_due_a_poll_costs_one_query_and_one_heartbeat(database_url, started):
    desk, statements = desk_on(database_url), []
    open_with_alarm(desk, clock.now() + HOUR)
    started(desk, poll_seconds=0.1)
    until(lambda: rows(desk, "SELECT name FROM heartbeat"))  # the first round is over, with what is done once a day

    @event.listens_for(desk.engine, "before_cursor_execute")
    def count(_connection, _cursor, statement, *_):
        statements.append(" ".join(statement.split())[:40])

    time.sleep(1)
    looks = [one for one in statements if one.startswith("SELECT alarm_at FROM ticket")]
    beats = [one for one in statements if one.startswith("INSERT INTO heartbeat")]
    assert 1 <= len(looks) <= 11
    assert len(beats) <= len(looks) + 1
    assert len(statements) == len(looks) + len(beats), statements


# ── what it fires ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("after_due", [timedelta(0), timedelta(microseconds=999_999)])
def test_at_its_instant_an_alarm_does_not_fire(sqlite_url, after_due):
    desk = desk_on(sqlite_url)
    scheduler, due_at = Scheduler(desk), desk.open(application(T0), shop="shop").due_at
    scheduler.run_once(due_at - SECOND)
    assert scheduler.run_once(due_at + after_due) == Round()
    assert fired(desk) == 0


def test_run_once_lives_in_the_time_it_is_given(database_url):
    desk = desk_on(database_url)
    scheduler, ticket = Scheduler(desk), desk.open(application(T0), shop="shop")
    assert scheduler.run_once(T0 + HOUR) == Round()
    assert scheduler.run_once(T0 + 24 * HOUR + SECOND) == Round(claimed=1, fired=1)
    assert scheduler.run_once(T0 + 44 * HOUR + SECOND) == Round(claimed=1, fired=1)
    assert scheduler.run_once(ticket.due_at + SECOND) == Round(claimed=1, fired=1)
    assert scheduler.run_once(ticket.due_at + SECOND) == Round()
    story = [(one.trigger, one.at) for one in queries.events(desk.engine, ticket.id)]
    assert story[1:] == [
        ("reminder", T0 + 24 * HOUR), ("reminder", T0 + 44 * HOUR), ("auto_approve", ticket.due_at),
    ]  # fmt: skip
    assert scheduler.status.lateness == Lateness(3, 0, 0, 0)


def test_after_an_outage_all_fire_once_in_the_order_in_which_they_came_due(database_url):
    desk = desk_on(database_url)
    open_many(desk, 250, T0, every=-MINUTE)  # the last to be opened is the first to be due
    scheduler = Scheduler(desk, batch=100)
    assert scheduler.run_once(T0 + LIMIT + HOUR) == Round(claimed=250, fired=250)
    order = rows(desk, "SELECT due_at FROM ticket_event WHERE \"trigger\" = 'auto_approve' ORDER BY id")
    assert order == sorted(order)
    assert wrongs(desk, 250) == []


def test_an_outage_ends_by_itself_when_the_scheduler_starts(database_url, started):
    desk = desk_on(database_url)
    open_many(desk, 250, clock.now() - LIMIT - HOUR)
    scheduler = started(desk, batch=100, poll_seconds=NEVER)
    until(lambda: scheduler.status.fired == 250)
    assert wrongs(desk, 250) == []


def rename_timeout(desk, ticket_id, old, new):
    """The clock names another timeout than the one that its rule has."""
    cast = "::jsonb" if desk.engine.dialect.name == "postgresql" else ""
    statement = f"UPDATE ticket SET clocks = replace(CAST(clocks AS text), :old, :new){cast} WHERE id = :id"
    change(desk, statement, id=ticket_id, old=old, new=new)


def test_a_ticket_that_cannot_be_decided_is_set_aside_longer_each_time_and_stops_nobody(database_url):
    desk = desk_on(database_url)
    ids = open_many(desk, 5, T0)
    rename_timeout(desk, ids[0], "auto_approve", "no_such_step")
    scheduler, now = Scheduler(desk), T0 + LIMIT + SECOND
    assert scheduler.run_once(now) == Round(claimed=5, fired=4, set_aside=1)
    for minutes in (1, 2, 4):
        assert scheduler.run_once(now + minutes * MINUTE) == Round(), "not before its time"
        now += minutes * MINUTE + SECOND
        assert scheduler.run_once(now) == Round(claimed=1, set_aside=1)
    ticket = queries.ticket(desk.engine, ids[0])
    assert (ticket.trouble_count, ticket.version) == (4, 1)
    assert "no_such_step" in ticket.trouble
    assert scheduler.status.set_aside == 4

    rename_timeout(desk, ids[0], "no_such_step", "auto_approve")
    assert scheduler.run_once(now + 8 * MINUTE + SECOND) == Round(claimed=1, fired=1)
    ticket = queries.ticket(desk.engine, ids[0])
    assert (ticket.trouble, ticket.trouble_count) == (None, 0)
    assert queries.events(desk.engine, ids[0])[-1].at == T0 + LIMIT, "dated when it was due"
    assert wrongs(desk, 5) == []


def test_a_batch_that_the_database_refuses_is_fired_ticket_by_ticket(database_url, caplog):
    desk = desk_on(database_url)
    ids = open_many(desk, 5, T0)
    columns = [name for (name,) in rows_of_columns(desk) if name not in ("id", "seq")]
    named = ", ".join(f'"{name}"' for name in columns)
    change(
        desk,
        f"INSERT INTO ticket_event ({named}, seq) SELECT {named}, 2 FROM ticket_event WHERE ticket_id = :id",
        id=ids[2],
    )
    scheduler = Scheduler(desk)
    with caplog.at_level(logging.ERROR):
        assert scheduler.run_once(T0 + LIMIT + SECOND) == Round(claimed=5, fired=4, set_aside=1)
    assert queries.ticket(desk.engine, ids[2]).trouble.startswith("Violation: ")
    assert "Violation" in scheduler.status.last_error


def rows_of_columns(desk):
    if desk.engine.dialect.name == "sqlite":
        return rows(desk, "SELECT name FROM pragma_table_info('ticket_event')")
    return rows(desk, "SELECT column_name FROM information_schema.columns WHERE table_name = 'ticket_event'")


@pytest.mark.postgres
def test_two_schedulers_side_by_side_fire_everything_once(postgres_url, started):
    desks = [desk_on(postgres_url), desk_on(postgres_url)]
    open_many(desks[0], 2000, clock.now() - LIMIT - HOUR)
    schedulers = [started(desk, batch=50, poll_seconds=0.5) for desk in desks]
    until(lambda: fired(desks[0]) == 2000, 20)
    until(lambda: sum(scheduler.status.fired for scheduler in schedulers) == 2000)
    assert wrongs(desks[0], 2000) == []
    assert all(scheduler.status.last_error is None for scheduler in schedulers)


# ── between processes ─────────────────────────────────────────────────────────────────────────────────────────────────


def open_elsewhere(url, alarm_at, order_no):
    """Another process opens a ticket and says so."""
    other = desk_on(url)
    ticket = open_with_alarm(other, alarm_at, order_no)
    with writing(other.engine) as connection:
        tell_schedulers(connection, ticket.alarm_at)


def listeners(desk):
    return rows(
        desk,
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    )


@pytest.mark.postgres
def test_another_process_wakes_it_and_does_so_again_after_its_connection_was_cut(postgres_url, started):
    desk = desk_on(postgres_url)
    scheduler = started(desk, poll_seconds=NEVER)
    until(lambda: listeners(desk) and scheduler.status.last_sweep_at)
    open_elsewhere(postgres_url, this_second(), "1")
    until(lambda: scheduler.status.fired == 1)
    [(cut,)] = listeners(desk)
    rows(desk, "SELECT pg_terminate_backend(:pid)", pid=cut)
    until(lambda: listeners(desk) not in ([], [(cut,)]))
    open_elsewhere(postgres_url, this_second(), "2")
    until(lambda: scheduler.status.fired == 2)


@pytest.mark.postgres
def test_it_is_told_of_near_alarms_only_and_of_none_before_the_commit(postgres_url):
    engine, now = create_engine(postgres_url), clock.now()
    pooled = engine.raw_connection()
    driver = pooled.driver_connection
    pooled.detach()
    driver.rollback()
    driver.autocommit = True
    driver.execute("LISTEN aftersales_alarm")
    try:
        with writing(engine) as connection:
            tell_schedulers(connection, None)
            tell_schedulers(connection, now + HOUR)  # any poll is sooner
            tell_schedulers(connection, now + MINUTE / 2)
            assert list(driver.notifies(timeout=0.1)) == []
        assert [int(one.payload) for one in driver.notifies(timeout=0.1)] == [int((now + MINUTE / 2).timestamp())]
    finally:
        driver.close()


def test_on_sqlite_there_is_nobody_to_tell(sqlite_url):
    with writing(create_engine(sqlite_url)) as connection:
        tell_schedulers(connection, clock.now())


@pytest.mark.postgres
def test_nonsense_on_the_channel_is_nothing_to_it(postgres_url, started, caplog):
    desk = desk_on(postgres_url)
    scheduler = started(desk, poll_seconds=NEVER)
    until(lambda: listeners(desk))
    with writing(desk.engine) as connection:
        connection.execute(text("SELECT pg_notify('aftersales_alarm', 'hello')"))
    until(lambda: "somebody else talks" in caplog.text)
    open_elsewhere(postgres_url, this_second(), "1")
    until(lambda: scheduler.status.fired == 1)


@pytest.mark.postgres
def test_what_somebody_else_holds_is_passed_over_and_fired_when_let_go_without_spinning(
    postgres_url, started, monkeypatch
):
    desk = desk_on(postgres_url)
    ids = open_many(desk, 3, clock.now() - LIMIT - HOUR)
    with writing(create_engine(postgres_url)) as held:
        held.execute(text("SELECT 1 FROM ticket WHERE id = :id FOR UPDATE"), {"id": ids[0]})
        looks = counted(monkeypatch, desk, "next_alarm")
        scheduler = started(desk, poll_seconds=NEVER)
        until(lambda: scheduler.status.fired == 2)
        time.sleep(1)
        assert len(looks) < 12
    until(lambda: scheduler.status.fired == 3)
    assert wrongs(desk, 3) == []


# ── what goes wrong around it ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [lost(), DatabaseBusy("busy"), SystemExit(3), RuntimeError("?")], ids=repr)
def test_no_error_ends_it(sqlite_url, started, monkeypatch, caplog, error):
    desk = desk_on(sqlite_url)
    open_many(desk, 3, clock.now() - LIMIT - HOUR)
    failing(monkeypatch, desk, "sweep", [error] * 7)
    failing(monkeypatch, desk, "sweep_one_by_one", [error] * 3)
    scheduler = started(desk, poll_seconds=0.1)
    until(lambda: scheduler.status.fired == 3)
    until(lambda: scheduler.status.failures == 0)
    assert type(error).__name__ in scheduler.status.last_error
    assert scheduler.status.set_aside == 0
    assert scheduler.status.healthy
    assert wrongs(desk, 3) == []
    in_full = [record for record in caplog.records if record.message.startswith("a round failed") and record.exc_info]
    assert len(in_full) == 1


def test_a_database_that_is_away_when_it_starts_is_waited_for(sqlite_url, started, monkeypatch):
    desk = desk_on(sqlite_url)
    open_many(desk, 3, clock.now() - LIMIT - HOUR)
    failing(monkeypatch, desk, "next_alarm", [lost()] * 4)
    scheduler = started(desk, poll_seconds=0.2)
    until(lambda: scheduler.status.fired == 3)
    assert scheduler.status.set_aside == 0


def test_a_batch_lost_with_its_connection_is_tried_again_as_a_whole(database_url, started, monkeypatch):
    desk = desk_on(database_url)
    open_many(desk, 3, clock.now() - LIMIT - HOUR)
    failing(monkeypatch, desk, "sweep", [lost()] * 3)
    one_by_one = counted(monkeypatch, desk, "sweep_one_by_one")
    scheduler = Scheduler(desk)
    with pytest.raises(OperationalError):
        scheduler.run_once()
    assert scheduler.run_once() == Round(claimed=3, fired=3)
    assert one_by_one == []


def test_it_goes_on_when_its_connections_are_taken_away(sqlite_url, started):
    desk = desk_on(sqlite_url)
    scheduler = started(desk, poll_seconds=0.05)
    open_with_alarm(desk, this_second() + SECOND)
    while not scheduler.status.fired:
        desk.engine.dispose()
        time.sleep(0.01)
    assert scheduler.status.lateness.max < 2


@pytest.mark.postgres
def test_it_goes_on_when_the_server_cuts_every_connection(postgres_url, started):
    desk, other = desk_on(postgres_url), desk_on(postgres_url)
    open_many(desk, 300, clock.now() - LIMIT - HOUR)
    scheduler = started(desk, batch=10, poll_seconds=0.2)
    for _ in range(10):
        rows(
            other,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        time.sleep(0.05)
    until(lambda: fired(other) == 300)
    assert wrongs(other, 300) == []
    until(lambda: scheduler.status.healthy)


def test_while_somebody_else_writes_it_waits_and_is_only_late(sqlite_url, started):
    desk = desk_on(sqlite_url)
    with writing(create_engine(sqlite_url)):
        open_at = this_second()
        scheduler = started(desk, poll_seconds=NEVER)
        time.sleep(0.3)
    ticket = open_with_alarm(desk, open_at)
    scheduler.wake(ticket.alarm_at)
    until(lambda: scheduler.status.fired == 1)
    assert scheduler.status.last_error is None


def test_it_says_so_when_no_round_goes_well(sqlite_url, started, monkeypatch, caplog):
    desk = desk_on(sqlite_url)
    away = threading.Event()
    real = desk.next_alarm

    def next_alarm():
        if away.is_set():
            raise lost()
        return real()

    monkeypatch.setattr(desk, "next_alarm", next_alarm)
    scheduler = started(desk, poll_seconds=0.2)
    until(lambda: scheduler.status.healthy)
    away.set()
    until(lambda: not scheduler.status.healthy)
    until(lambda: "no round went well" in caplog.text)
    assert scheduler.status.failures
    away.clear()
    until(lambda: scheduler.status.healthy)


def test_one_that_hangs_is_not_healthy(sqlite_url, started, monkeypatch):
    desk = desk_on(sqlite_url)
    go_on = threading.Event()
    monkeypatch.setattr(desk, "next_alarm", lambda: go_on.wait(5) and None)
    monkeypatch.setattr(Scheduler, "_when", lambda self: "")
    scheduler = started(desk, poll_seconds=0.1)
    until(lambda: not scheduler.status.healthy)
    go_on.set()
    until(lambda: scheduler.status.healthy)


def test_stopping_waits_for_the_running_batch_and_begins_no_other(sqlite_url, started, monkeypatch):
    desk = desk_on(sqlite_url)
    open_many(desk, 30, clock.now() - LIMIT - HOUR)
    at_work, real = threading.Event(), desk.sweep

    def sweep(now, limit, **named):
        at_work.set()
        time.sleep(0.3)
        return real(now, limit, **named)

    monkeypatch.setattr(desk, "sweep", sweep)
    scheduler = started(desk, batch=10)
    at_work.wait()
    scheduler.stop()
    assert (fired(desk), scheduler.status.fired, scheduler.status.running) == (10, 10, False)
    assert wrongs(desk, 10) == []
    time.sleep(0.1)
    assert fired(desk) == 10


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_replaced(sqlite_url, started, monkeypatch, caplog):
    desk = desk_on(sqlite_url)
    scheduler = started(desk, poll_seconds=0.2)
    until(lambda: scheduler.status.last_sweep_at)

    def die():
        raise RuntimeError

    dead = scheduler._metronome._jobs
    monkeypatch.setattr(dead, "_process_jobs", die)
    until(lambda: not dead._thread.is_alive())
    open_with_alarm(desk, this_second())
    until(lambda: scheduler.status.fired)
    assert "starting it anew" in caplog.text
    assert scheduler.status.healthy


def test_a_tick_shorter_than_what_apscheduler_does_around_it_is_followed_by_the_next():
    """It sets a job's next time after handing it to a thread, which may have set a better one by then."""
    ticks = []
    metronome = _Metronome(lambda: ticks.append(1) or 0.0, NEVER)
    metronome.start()
    until(lambda: len(ticks) > 300)
    metronome.stop()
    ended = len(ticks)
    time.sleep(0.05)
    assert len(ticks) == ended


def test_of_two_who_ring_at_once_the_earlier_is_heard():
    metronome = _Metronome(lambda: NEVER, NEVER)

    class Jobs:
        """Between the asking and the writing of the first, the second comes and goes."""

        written = ()

        def reschedule_job(self, _name, trigger):
            at = trigger.get_next_fire_time(None, T0)
            if not self.written:
                self.written = (at,)
                metronome.ring(1)
            self.written += (at,)

    metronome._jobs = Jobs()
    metronome.ring(30)
    assert metronome._jobs.written[-1] < T0 + 2 * SECOND


def test_a_tick_that_comes_late_is_not_dropped(sqlite_url, started, monkeypatch):
    """A3: by default apscheduler drops a job that it comes to more than a second late."""
    desk = desk_on(sqlite_url)
    looks = counted(monkeypatch, desk, "next_alarm")
    scheduler = started(desk, poll_seconds=NEVER)
    until(lambda: len(looks) >= 2)
    time.sleep(0.1)
    before = len(looks)
    scheduler._metronome._jobs.modify_job("tick", next_run_time=clock.now() - HOUR)
    until(lambda: len(looks) > before)


# ── clocks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Wall:
    """A wall clock that can be set, for us and for apscheduler."""

    def __init__(self, monkeypatch):
        self.off = timedelta(0)
        wall = self

        class Datetime(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + wall.off

        monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Datetime)

    def now(self):
        return datetime.now(UTC) + self.off


@pytest.fixture
def wall(monkeypatch):
    return Wall(monkeypatch)


@pytest.mark.parametrize("hours", [3, 24 * 365 * 70])
def test_a_clock_set_forward_fires_what_that_makes_due(sqlite_url, started, wall, hours):
    desk = desk_on(sqlite_url)
    open_with_alarm(desk, wall.now() + 2 * HOUR)
    scheduler = started(desk, poll_seconds=NEVER, now=wall.now)
    until(lambda: scheduler.status.last_sweep_at)
    wall.off = hours * HOUR
    until(lambda: scheduler.status.fired)


def test_a_clock_set_forward_is_not_caught_up_with_tick_by_tick():
    """apscheduler would make a list of all that were passed over; for 70 years that is more than its memory."""
    assert _When(lambda: 5.0).get_next_fire_time(T0 - 24 * 365 * 70 * HOUR, T0) == T0 + 5 * SECOND


def test_a_clock_set_back_does_not_stop_the_ticking(sqlite_url, started, wall, monkeypatch):
    desk = desk_on(sqlite_url)
    looks = counted(monkeypatch, desk, "next_alarm")
    scheduler = started(desk, poll_seconds=0.3, now=wall.now)
    until(lambda: len(looks) > 2)
    wall.off = -3 * HOUR
    before = len(looks)
    until(lambda: len(looks) > before + 3)
    open_with_alarm(desk, whole_second(wall.now()))
    until(lambda: scheduler.status.fired)


def test_not_even_one_that_only_apscheduler_has_noticed(sqlite_url, started, wall, monkeypatch, caplog):
    desk = desk_on(sqlite_url)
    looks = counted(monkeypatch, desk, "next_alarm")
    started(desk, poll_seconds=0.3)
    until(lambda: len(looks) > 2)
    wall.off = -3 * HOUR
    time.sleep(0.5)
    before = len(looks)
    until(lambda: len(looks) > before + 3)
    assert "starting it anew" not in caplog.text


def test_after_a_clock_was_set_back_nothing_fires_early_or_again(sqlite_url):
    desk = desk_on(sqlite_url)
    scheduler, ticket = Scheduler(desk), desk.open(application(T0), shop="shop")
    scheduler.run_once(ticket.due_at + SECOND)
    assert scheduler.run_once(ticket.due_at - HOUR) == Round()
    assert scheduler.run_once(ticket.due_at + SECOND) == Round()
    assert wrongs(desk, 1) == []


# ── chores ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_its_heartbeat_tells_how_it_is_doing(database_url, started):
    desk = desk_on(database_url)
    open_many(desk, 2, clock.now() - LIMIT - HOUR)
    later = open_with_alarm(desk, clock.now() + HOUR, "later")
    scheduler = started(desk, poll_seconds=0.2, name="one")

    def beat():
        return rows(desk, "SELECT name, fired, note, next_alarm_at, at, started_at FROM heartbeat")

    until(lambda: beat() and beat()[0].fired == 2)
    first = beat()[0]
    assert first.name == "one"
    until(lambda: beat()[0].at > first.at)
    second = beat()[0]
    assert second.started_at == first.started_at
    told = second.next_alarm_at if isinstance(second.next_alarm_at, datetime) else parse(f"{second.next_alarm_at}Z")
    assert told == later.alarm_at
    scheduler.stop()
    assert beat()[0].note == "stopped"


def test_each_scheduler_has_a_name_of_its_own(sqlite_url):
    desk = desk_on(sqlite_url)
    assert Scheduler(desk).name != Scheduler(desk).name


def test_a_heartbeat_that_cannot_be_written_keeps_no_alarm_from_firing(sqlite_url, caplog):
    desk = desk_on(sqlite_url)
    open_many(desk, 2, T0)
    with writing(desk.engine) as connection:
        connection.execute(text("DROP TABLE heartbeat"))
    scheduler = Scheduler(desk, batch=1)
    assert scheduler.run_once(T0 + LIMIT + SECOND).fired == 2
    assert "the heartbeat" in scheduler.status.last_error


def test_rule_files_are_read_again_before_each_round(sqlite_url, started):
    calls = []
    started(desk_on(sqlite_url), poll_seconds=0.05, refresh=lambda: calls.append(1))
    until(lambda: len(calls) > 5)


@pytest.mark.parametrize("error", [SyntaxError("kuaishou.py, line 3"), SystemExit(3)])
def test_rule_files_that_cannot_be_read_stop_nothing_and_are_complained_of_once(sqlite_url, caplog, error):
    def refresh():
        raise error

    desk = desk_on(sqlite_url)
    open_many(desk, 2, T0)
    scheduler = Scheduler(desk, refresh=refresh)
    assert scheduler.run_once(T0 + LIMIT + SECOND).fired == 2
    scheduler.run_once(T0 + LIMIT + SECOND)
    scheduler.run_once(T0 + LIMIT + SECOND)
    told = [one for one in caplog.records if one.getMessage().startswith("reading the rule files failed")]
    assert len([one for one in told if one.exc_info]) == 1
    assert len(told) == 2, "the first time, and when the count has doubled"


def test_provisional_due_times_are_counted_again_daily_and_when_the_calendar_knows_more(sqlite_url, monkeypatch):
    desk, calls = desk_on(sqlite_url), []
    monkeypatch.setattr(desk, "recount_provisional", lambda now: calls.append(now) or 0)
    scheduler = Scheduler(desk)
    late = parse("2022-10-01 23:59:58")
    for now in (late, late + SECOND, late + 2 * SECOND, late + 3 * SECOND):
        scheduler.run_once(now)
    assert calls == [late, late + 2 * SECOND], "at the start and after midnight in Shanghai"
    published = Overrides(holidays={parse("2027-01-01").date(): "元旦"}, published_years=frozenset({2027}))
    monkeypatch.setattr(desk, "rules", lambda: replace(RULES, calendar=WorkCalendar(published)))
    scheduler.run_once(late + 4 * SECOND)
    scheduler.run_once(late + 5 * SECOND)
    assert calls[2:] == [late + 4 * SECOND]


def test_counting_again_is_tried_again_and_keeps_nothing_from_firing(sqlite_url, monkeypatch):
    desk, calls = desk_on(sqlite_url), counted(monkeypatch, desk_on(sqlite_url), "recount_provisional")
    open_many(desk, 2, T0)
    failing(monkeypatch, desk, "recount_provisional", [lost()])
    calls = counted(monkeypatch, desk, "recount_provisional")
    scheduler = Scheduler(desk)
    assert scheduler.run_once(T0 + LIMIT + SECOND).fired == 2
    scheduler.run_once(T0 + LIMIT + SECOND)
    scheduler.run_once(T0 + LIMIT + SECOND)
    assert len(calls) == 2


def test_it_tells_when_it_starts_what_it_fires_and_when_it_stops(sqlite_url, started, caplog):
    desk = desk_on(sqlite_url)
    open_many(desk, 2, clock.now() - LIMIT - 2 * HOUR)
    with caplog.at_level(logging.INFO, logger="aftersales"):
        scheduler = started(desk, name="one")
        until(lambda: scheduler.status.fired == 2)
        scheduler.stop()
    told = [one.getMessage() for one in caplog.records]
    assert any(one.startswith("scheduler one started; next alarm: 20") for one in told)
    assert any(
        one.startswith("fired 2 (2 auto_approve), due 20") and " s late; set aside 0; in " in one for one in told
    )
    assert any(one.startswith("scheduler one stopped after 2 alarms; next alarm: 20") for one in told)


def test_lateness_by_rank():
    assert Lateness.of(range(1, 101)) == Lateness(100, 50, 99, 100)
    assert Lateness.of([0.5]) == Lateness(1, 0.5, 0.5, 0.5)
    assert Lateness.of([]) == Lateness(0, 0, 0, 0)


@pytest.mark.parametrize("options", [{"poll_seconds": 0}, {"poll_seconds": -1.0}, {"batch": 0}])
def test_settings_that_make_no_sense_are_refused(sqlite_url, options):
    with pytest.raises(ValueError, match="makes no sense"):
        Scheduler(desk_on(sqlite_url), **options)
