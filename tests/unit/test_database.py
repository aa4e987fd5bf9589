"""Transactions that lose nothing, whoever else is writing, and errors that tell nothing they should not."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError, StatementError

from aftersales import database
from aftersales.database import (
    DatabaseBusy,
    Violation,
    checkpoint,
    create_all,
    create_engine,
    in_memory,
    reading,
    shown,
    writing,
)
from aftersales.models.tickets import HeartbeatRow, OutboxRow, TicketRow

T0 = datetime(2022, 10, 1, 2, 0, tzinfo=UTC)
COUNT_UP = "UPDATE counter SET value = {} WHERE name = 'n'"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO counter (shop_id, name, value) VALUES (1, 'n', 0)")
    yield engine
    engine.dispose()


def value(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.exec_driver_sql("SELECT value FROM counter").scalar_one())


# ── transactions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_raises_is_rolled_back_whole(engine: Engine) -> None:
    def fails() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql(COUNT_UP.format(7))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert value(engine) == 0


def test_nothing_can_be_written_while_reading(engine: Engine) -> None:
    with pytest.raises(SQLAlchemyError), reading(engine) as connection:
        connection.exec_driver_sql(COUNT_UP.format(7))
    assert value(engine) == 0
    with writing(engine) as connection:  # on the same connection of the pool
        connection.exec_driver_sql(COUNT_UP.format(8))
    assert value(engine) == 8


def test_reading_is_one_view_and_does_not_keep_writers_waiting(engine: Engine) -> None:
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT value FROM counter").scalar_one() == 0
        with writing(engine) as other:
            other.exec_driver_sql(COUNT_UP.format(1))
        assert connection.exec_driver_sql("SELECT value FROM counter").scalar_one() == 0
    assert value(engine) == 1


def test_of_many_who_read_and_then_write_none_loses(sqlite_url: str) -> None:
    """Traps D1 and D2: with the driver's defaults, 708 of 800 fail at once or are lost without an error."""
    engine = create_engine(sqlite_url)
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO counter (shop_id, name, value) VALUES (1, 'n', 0)")

    def count() -> None:
        for _ in range(50):
            with writing(engine) as connection:
                now = connection.exec_driver_sql("SELECT value FROM counter").scalar_one()
                connection.exec_driver_sql(COUNT_UP.format(now + 1))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(engine) == 400
    engine.dispose()


def test_a_savepoint_rolls_back_what_it_should(engine: Engine) -> None:
    """Trap D3: with the driver's defaults the row survives."""
    with writing(engine) as connection:
        savepoint = connection.begin_nested()
        connection.exec_driver_sql(COUNT_UP.format(7))
        savepoint.rollback()
    assert value(engine) == 0


def test_a_connection_that_nobody_declared_takes_the_write_lock_too(sqlite_url: str) -> None:
    engine = create_engine(sqlite_url)
    with engine.connect() as connection, connection.begin():
        assert _locked(sqlite_url)
    engine.dispose()


def _locked(url: str) -> bool:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False


def test_a_writer_who_waits_in_vain_is_told_that_the_database_is_busy(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    engine = create_engine(sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseBusy, match="数据库正忙"), writing(engine):
        pass
    with reading(engine):
        pass  # readers do not wait
    other.execute("ROLLBACK")
    with writing(engine):
        pass  # and the connection is as good as before
    other.close()
    engine.dispose()


def test_a_writer_gets_the_lock_soon_after_it_is_free(sqlite_url: str) -> None:
    """SQLite's own waiting sleeps up to 100 ms between two looks."""
    engine = create_engine(sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    freed: list[float] = []

    def free() -> None:
        freed.append(time.perf_counter())
        other.execute("ROLLBACK")

    timer = threading.Timer(0.25, free)
    timer.start()
    with writing(engine):
        got = time.perf_counter()
    timer.join()
    assert got - freed[0] < 0.09
    other.close()
    engine.dispose()


def test_a_row_that_stays_locked_means_busy(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    engine = create_engine(postgres_url)  # lock_timeout=0.05s
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO counter (shop_id, name, value) VALUES (1, 'n', 0)")
    with writing(engine) as holder:
        holder.exec_driver_sql(COUNT_UP.format(1))
        with pytest.raises(DatabaseBusy), writing(engine) as connection:
            connection.exec_driver_sql(COUNT_UP.format(2))
    engine.dispose()


def test_in_memory_threads_take_turns_at_one_database() -> None:
    engine = create_engine("sqlite://")
    assert in_memory(engine)
    create_all(engine)
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO counter (shop_id, name, value) VALUES (1, 'n', 0)")

    def count() -> None:
        for _ in range(50):
            with writing(engine) as connection:
                connection.exec_driver_sql("UPDATE counter SET value = value + 1")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(engine) == 200
    engine.dispose()


# ── settings of a connection ──────────────────────────────────────────────────────────────────────────────────────────


def test_sqlite_keeps_what_was_answered(sqlite_url: str) -> None:
    """Trap D8: NORMAL lost answered commits in 1,237 of 2,000 power cuts, FULL in none."""
    engine = create_engine(sqlite_url)
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "recursive_triggers": 1}
    with writing(engine) as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000
    assert found == wanted
    engine.dispose()


def test_postgres_gives_up_in_time_and_speaks_utc(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    wanted = {"statement_timeout": "30s", "lock_timeout": "10s", "TimeZone": "UTC"}
    with reading(engine) as connection:
        assert {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in wanted} == wanted
    engine.dispose()


def test_the_log_of_sqlite_can_be_emptied(sqlite_url: str) -> None:
    engine = create_engine(sqlite_url)
    log = Path(sqlite_url.removeprefix("sqlite:///") + "-wal")
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO counter (shop_id, name, value) VALUES (1, 'n', 0)")
    assert log.stat().st_size > 0
    with reading(engine) as connection:
        connection.exec_driver_sql("SELECT * FROM counter").all()
        assert not checkpoint(engine), "somebody reads"
    assert checkpoint(engine)
    assert log.stat().st_size == 0
    engine.dispose()


# ── column types ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_instant_comes_back_as_the_same_instant_in_utc(engine: Engine) -> None:
    """Trap D6."""
    beijing = datetime(2022, 10, 1, 10, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    table = HeartbeatRow.__table__  # type: ignore[attr-defined]
    with writing(engine) as connection:
        row = {"name": "a", "started_at": beijing, "at": T0, "next_alarm_at": None, "fired": 0, "note": ""}
        connection.execute(insert(table).values(row))
        found = connection.execute(select(table).where(table.c.started_at == beijing)).one()
        assert connection.execute(select(table).where(table.c.at < beijing)).one()
    assert found.started_at == beijing
    assert (found.started_at.tzinfo, found.at.tzinfo, found.next_alarm_at) == (UTC, UTC, None)


def test_a_naive_instant_is_refused(engine: Engine) -> None:
    table = HeartbeatRow.__table__  # type: ignore[attr-defined]
    with pytest.raises(StatementError, match="has no time zone"), writing(engine) as connection:
        connection.execute(select(table).where(table.c.at < T0.replace(tzinfo=None)))


def test_json_comes_back_with_its_instants(engine: Engine) -> None:
    table = OutboxRow.__table__  # type: ignore[attr-defined]
    payload = {"text": "改为“换货”😀", "at": "now", "signed_at": T0, "list": [1, None, True, {"x_at": T0}]}
    with writing(engine) as connection:
        row = {"shop_id": 1, "ticket_id": 1, "seq": 1, "topic": "x", "created_at": T0, "attempts": 0}
        connection.execute(insert(table).values(**row, payload=payload))
        assert connection.execute(select(table.c.payload)).scalar_one() == payload


def test_sqlite_tables_are_strict(sqlite_url: str) -> None:
    """Trap D4: an INTEGER column of an ordinary table takes 0.1 + 0.2."""
    engine = create_engine(sqlite_url)
    with pytest.raises(Violation) as refusal, writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO counter (shop_id, name, value) VALUES (1, 'n', 0.30000000000000004)")
    assert refusal.value.constraint == "counter.value"
    with reading(engine) as connection:
        tables = connection.exec_driver_sql("PRAGMA table_list").mappings().all()
        loose = {row["name"] for row in tables if not row["strict"] and not row["name"].startswith("sqlite_")}
    assert {name for name in loose if not name.startswith("ticket_words")} == {"alembic_version"}
    engine.dispose()


def test_money_takes_64_bits_on_both(engine: Engine) -> None:
    """Trap D5: an int of SQLModel ends at ¥21,474,836.47 on PostgreSQL."""
    with writing(engine) as connection:
        connection.exec_driver_sql(COUNT_UP.format(2**62))
    assert value(engine) == 2**62


def test_a_ticket_row_has_a_column_for_each_field_of_a_ticket() -> None:
    from aftersales.rows import FIXED, MARKS, MOVING, RESTING, TICKET

    columns = [column.name for column in TicketRow.__table__.columns]  # type: ignore[attr-defined]
    assert tuple(columns[: len(TICKET)]) == TICKET
    assert sorted(columns) == sorted({*FIXED, *MOVING, *MARKS, *RESTING, "trouble", "trouble_count"})


# ── URLs and errors ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_password_is_shown_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    url = "postgresql://shop:geheim@127.0.0.1:1/aftersales?sslpassword=geheim&connect_timeout=1"
    assert shown(url).startswith("postgresql://shop:***@127.0.0.1:1/aftersales?")
    with pytest.raises(OperationalError) as failure, reading(create_engine(url)):
        pass
    with pytest.raises(ValueError, match="不支持 mysql") as unknown:
        create_engine("mysql://shop:geheim@localhost/x")
    for wrong in ("geheim", "postgresql://shop:geheim", "postgresql://shop:x@geheim@localhost/x"):
        with pytest.raises(ValueError, match="数据库地址看不懂") as unreadable:
            create_engine(wrong)
        assert "geheim" not in str(unreadable.value)
        assert unreadable.value.__suppress_context__ or unreadable.value.__context__ is None
    out, err = capfd.readouterr()
    told = [
        shown(url),
        repr(create_engine(url)),
        str(failure.value),
        str(unknown.value),
        out,
        err,
    ]
    assert not any("geheim" in text for text in told)


def test_errors_quote_no_parameters(engine: Engine) -> None:
    statement = "SELECT no_such_column FROM counter WHERE name = " + ("?" if engine.dialect.name == "sqlite" else "%s")
    with pytest.raises(SQLAlchemyError) as failure, reading(engine) as connection:
        connection.exec_driver_sql(statement, ("13800000000",))
    assert "13800000000" not in str(failure.value)


def test_the_driver_of_postgres_is_an_extra(sqlite_url: str) -> None:
    """SQLite works where psycopg is not installed."""
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from aftersales import database, store\n"
        f"engine = database.create_engine({sqlite_url!r})\n"
        "with database.writing(engine) as connection: print(store.shop_id_of(connection, 'a'))\n"
        "try: database.create_engine('postgresql://localhost/x')\n"
        "except RuntimeError as error: print('aftersales[postgres]' in str(error))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "1\nTrue\n"
