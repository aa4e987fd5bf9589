"""What nobody needs any more is removed, and nothing else."""

from datetime import timedelta

from sqlalchemy import text

from aftersales import clock, serving, store
from aftersales.application import assemble
from aftersales.database import reading, writing
from aftersales.office import accounts, housekeeping, presence
from aftersales.scheduler import Scheduler
from aftersales.settings import Settings
from tests.faults.due_tickets import application, desk_on, open_many

NOW = clock.parse("2026-06-01 12:00:00")
DAY = timedelta(days=1)


def names(engine, column, table):
    with reading(engine) as connection:
        return connection.execute(text(f"SELECT {column} FROM {table} ORDER BY 1")).scalars().all()


def beat(engine, name, at):
    with writing(engine) as connection:
        store.beat(connection, name, started_at=at, at=at)


def test_heartbeats_go_after_a_day_but_the_newest_stays(database_url):
    engine = desk_on(database_url).engine
    beat(engine, "old", NOW - 3 * DAY)
    beat(engine, "last", NOW - 2 * DAY)
    assert housekeeping.heartbeats(engine, NOW) == 1
    assert names(engine, "name", "heartbeat") == ["last"]
    beat(engine, "here", NOW - DAY / 2)
    assert housekeeping.heartbeats(engine, NOW) == 1
    assert names(engine, "name", "heartbeat") == ["here"]


def test_sessions_and_presence_that_have_run_out(database_url):
    desk = desk_on(database_url)
    ticket = desk.open(application(NOW - DAY), shop="shop")
    one = accounts.add(desk.engine, "店:甲", "甲", NOW)
    accounts.sign_in(desk.engine, one, NOW - 8 * DAY)
    still = accounts.sign_in(desk.engine, one, NOW - 6 * DAY)
    assert housekeeping.sessions(desk.engine, NOW) == 1
    assert accounts.signed_in(desk.engine, still, NOW) == one
    presence.here(desk.engine, one.id, ticket.id, NOW - timedelta(hours=1))
    assert housekeeping.presence(desk.engine, NOW) == 1
    presence.here(desk.engine, one.id, ticket.id, NOW)
    assert housekeeping.presence(desk.engine, NOW) == 0


def test_a_few_at_a_time(sqlite_url, monkeypatch):
    engine = desk_on(sqlite_url).engine
    for number in range(5):
        beat(engine, f"{number}", NOW - (2 + number) * DAY)
    monkeypatch.setattr(housekeeping, "MOST", 3)
    assert [housekeeping.heartbeats(engine, NOW) for _ in range(3)] == [3, 1, 0]


def test_the_scheduler_does_one_a_round_and_none_that_fails_stops_it(sqlite_url):
    done = []

    def broken(_now):
        done.append("broken")
        raise OSError("no space")

    chores = {"broken": broken, "well": lambda now: done.append(now) or 0}
    desk = desk_on(sqlite_url)
    scheduler = Scheduler(desk, chores=chores)
    open_many(desk, 1, NOW - 3 * DAY)
    assert scheduler.run_once(NOW).fired == 1
    assert done == [], "there was something to do"
    for _ in range(4):
        scheduler.run_once(NOW)
    assert done == ["broken", NOW]
    assert "broken" in scheduler.status.last_error


def test_an_installation_sweeps_every_part_of_its_evidence(sqlite_url, tmp_path):
    settings = Settings(database_url=sqlite_url, evidence_dir=tmp_path)
    file = tmp_path / "a7" / "a7lost"
    file.parent.mkdir()
    file.write_bytes(b"x")
    found = serving.chores(assemble(settings))
    sweeps = found["files of evidence without a row"]
    later = clock.now() + 2 * DAY
    assert sum(sweeps(later) for _ in range(256)) == 1
    assert not file.exists()
    assert len(found) == 4
