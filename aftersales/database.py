"""Engines, transactions, the schema: how the product reaches its database, SQLite or PostgreSQL.

    with writing(engine) as connection: ...    one transaction that may write; it commits at the end
    with reading(engine) as connection: ...    one consistent, read-only view

SQLite: WAL, synchronous=FULL (what was answered survives a power cut: trap D8), and BEGIN IMMEDIATE before anything
that may write, because a transaction that begins by reading cannot wait for the lock later (D1) and one that does not
begin at all loses updates without an error (D2). Any transaction takes the write lock unless it says that it reads.

Errors carry no parameters, no passwords and nothing of a row: those hold what buyers told us.
"""

from __future__ import annotations

import re
import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, event, inspect, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from aftersales.models import TRIGGERS, metadata, search, tickets
from aftersales.rows import from_json, to_json

__all__ = [
    "Connection",
    "DatabaseBusy",
    "Engine",
    "Schema",
    "Violation",
    "check_schema",
    "checkpoint",
    "copying_failed",
    "create_all",
    "create_engine",
    "in_memory",
    "libpq_url",
    "migrate",
    "migrating",
    "pool_use",
    "reading",
    "schema_of",
    "shown",
    "sqlite_file",
    "writing",
]

#: a writer waits this long for the write lock (SQLite) or for a row (PostgreSQL)
PATIENCE_SECONDS = 10
_RETRY_SECONDS = 0.001
#: pages in the log before SQLite moves them into the file: at the default of 1,000 a sweep takes twice as long
_CHECKPOINT_PAGES = 20_000
_CACHE_KIB = 16_384
#: STRICT tables came with it
_OLDEST_SQLITE = (3, 37)
_READS = "aftersales_reads"
_MIGRATES = "aftersales_migrates"
# they are looked for by name, below
warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index ix_ticket_")
_MIGRATIONS = Path(__file__).parent / "migrations"
#: any number, but the same for everybody who migrates this product
_MIGRATION_LOCK = 20220930


class DatabaseBusy(Exception):
    """Somebody else held the lock for too long. Nothing was written; the same again may succeed."""


class Violation(Exception):
    """The database refused a row. `constraint` names the invariant; nothing of the row is told."""

    def __init__(self, constraint: str, message: str) -> None:
        super().__init__(message)
        self.constraint = constraint


# ── Engines ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def create_engine(url: str | URL, **options: Any) -> Engine:
    """An engine for `sqlite:///path`, `sqlite://` (in memory, for one process) or `postgresql://...`.

    `options` go to SQLAlchemy. ValueError, without the password, for any other URL.
    """
    parsed = _parsed(url)
    kind = parsed.get_backend_name()
    made = _sqlite(parsed, options) if kind == "sqlite" else _postgres(parsed, options)
    event.listen(made, "handle_error", _name_the_constraint)
    return made


def shown(url: str | URL) -> str:
    """The URL as it may be printed and logged: without passwords, wherever they stand in it."""
    parsed = _parsed(url)
    hidden = {key: "***" if "password" in key else value for key, value in parsed.query.items()}
    return parsed.set(query=hidden).render_as_string(hide_password=True)


def sqlite_file(url: str | URL) -> Path | None:
    """The file of a SQLite database; None for one in memory and for PostgreSQL."""
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def libpq_url(url: str | URL) -> str:
    """The URL as PostgreSQL's own programs take it, without passwords."""
    parsed = _parsed(url).set(drivername="postgresql", password=None)
    return parsed.difference_update_query([key for key in parsed.query if "password" in key]).render_as_string()


def _parsed(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a ValueError quotes what stands where the port should
        raise ValueError("数据库地址看不懂，请写成 sqlite:///文件路径 或 postgresql://用户@主机/库名") from None
    if "@" in (parsed.host or ""):  # what stands before it is the rest of a password
        raise ValueError("数据库地址看不懂：密码里的 @ 请写成 %40，/ 请写成 %2F，: 请写成 %3A")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError(
            f"不支持 {parsed.get_backend_name()} 数据库，请用 sqlite:///文件路径 或 postgresql://用户@主机/库名"
        )
    return parsed


def _options(options: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    always = {"hide_parameters": True, "json_serializer": to_json, "json_deserializer": from_json}
    return always | defaults | options


def in_memory(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite" and engine.url.database in (None, "", ":memory:")


def _sqlite(url: URL, options: dict[str, Any]) -> Engine:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise RuntimeError(f"SQLite {sqlite3.sqlite_version} 太旧，需要 3.37 或更新的版本")
    if url.database in (None, "", ":memory:"):
        # One connection, which is the database; threads take turns at it.
        size = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": PATIENCE_SECONDS}
    else:
        size = {"pool_size": 10, "max_overflow": 40, "pool_timeout": PATIENCE_SECONDS}
    arguments = {"check_same_thread": False, "isolation_level": None, "timeout": PATIENCE_SECONDS}
    engine = sqlalchemy.create_engine(url, **_options(options, connect_args=arguments, **size))
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # no BEGIN but ours
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "recursive_triggers = ON",  # or INSERT OR REPLACE would delete past the append-only triggers
        f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        f"cache_size = -{_CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    options = connection.get_execution_options()
    if options.get(_MIGRATES):
        driver.execute("PRAGMA foreign_keys = OFF")  # tables are copied and dropped; the keys are checked at the end
    if options.get(_READS):
        driver.execute("PRAGMA query_only = ON")
        driver.execute("BEGIN")
    else:
        driver.execute("PRAGMA query_only = OFF")
        _take_write_lock(driver)


def _take_write_lock(driver: sqlite3.Connection) -> None:
    """BEGIN IMMEDIATE, asked for every millisecond: SQLite's own waiting sleeps up to 100 ms and starves."""
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        for _ in range(round(PATIENCE_SECONDS / _RETRY_SECONDS)):  # counted: under test the clock may stand still
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not _sqlite_is_busy(error):
                    raise
                time.sleep(_RETRY_SECONDS)
    finally:
        driver.execute(f"PRAGMA busy_timeout = {PATIENCE_SECONDS * 1000}")
    raise DatabaseBusy(_BUSY)


def _postgres(url: URL, options: dict[str, Any]) -> Engine:
    session = (
        "-c TimeZone=UTC -c statement_timeout=30s"
        f" -c lock_timeout={round(PATIENCE_SECONDS * 1000)} -c idle_in_transaction_session_timeout=60s"
    )
    secrets = {name: value for name, value in url.query.items() if "password" in name}
    url = url.difference_update_query(secrets)  # or an engine would print them
    arguments = {
        "connect_timeout": 5,
        # a connection cut without a word is noticed after 10 + 3 x 5 s
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "application_name": "aftersales",
        **url.query,
        **secrets,
        "options": f"{url.query.get('options', '')} {session}".strip(),
    }
    size = {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10, "pool_timeout": PATIENCE_SECONDS}
    # whatever driver the URL names: psycopg 3 is the one that is known here
    url = url.set(drivername="postgresql+psycopg")
    try:
        return sqlalchemy.create_engine(url, **_options(options, connect_args=arguments, **size))
    except ModuleNotFoundError:
        raise RuntimeError("PostgreSQL 的驱动没有安装，请运行 pip install 'aftersales[postgres]'") from None


# ── Transactions ──────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back whole if it raises.

    DatabaseBusy after 10 s without the lock; Violation if the database refuses a row.
    """
    with _told(), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the database, in which nothing can be written."""
    if engine.dialect.name == "sqlite":
        options: dict[str, Any] = {_READS: True}
    else:
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with _told(), engine.connect() as connection:
        connection.execution_options(**options)
        with connection.begin():
            yield connection


_BUSY = "数据库正忙：别的操作占用太久，什么也没有写入，请稍后再试"
#: lock not available, deadlock, cannot serialise, cancelled by a timeout
_BUSY_STATES = {"55P03", "40P01", "40001", "57014"}


@contextmanager
def _told() -> Iterator[None]:
    """Says `busy` for every way of being busy, and drops the driver's error behind a Violation: it quotes the row."""
    try:
        yield
    except PoolTimeout:
        raise DatabaseBusy(_BUSY) from None
    except OperationalError as error:
        if _sqlite_is_busy(error.orig) or getattr(error.orig, "sqlstate", None) in _BUSY_STATES:
            raise DatabaseBusy(_BUSY) from None
        raise
    except Violation as violation:
        raise violation from None


def _sqlite_is_busy(error: BaseException | None) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _name_the_constraint(context: ExceptionContext) -> None:
    """Raise Violation in place of an IntegrityError or DataError."""
    if isinstance(context.sqlalchemy_exception, (IntegrityError, DataError)):
        raise violation(context.original_exception)


def violation(error: BaseException) -> Violation:
    """The Violation that an integrity or data error of either driver stands for."""
    told = getattr(error, "diag", None)
    if told is None or told.message_primary is None:
        return Violation(_sqlite_constraint(str(error)), str(error))
    column = f"{told.table_name}.{told.column_name}" if told.column_name else told.sqlstate
    return Violation(told.constraint_name or column, told.message_primary)


def copying_failed(error: Exception, table: str, connection: Connection) -> Exception:
    """What an error of COPY, which SQLAlchemy does not see, would have been had SQLAlchemy seen it."""
    driver: Any = connection.dialect.dbapi
    if isinstance(error, (driver.IntegrityError, driver.DataError)):
        return violation(error)
    known = DBAPIError.instance(f"COPY {table}", None, error, driver.Error, True, dialect=connection.dialect)
    assert isinstance(known, Exception)
    return known


def _sqlite_constraint(message: str) -> str:
    """SQLite names a CHECK or a trigger, but of a UNIQUE it tells the columns only."""
    unique = re.fullmatch(r"UNIQUE constraint failed: (.*)", message)
    if unique is None:
        return message.rpartition(" failed: ")[2].rpartition(" column ")[2]
    return _unique_names().get(unique[1], unique[1])


@cache
def _unique_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for table in metadata.tables.values():
        keys: list[Any] = [index for index in table.indexes if index.unique]
        keys += [key for key in table.constraints if isinstance(key, sqlalchemy.UniqueConstraint)]
        for key in [*keys, table.primary_key]:
            names[", ".join(f"{table.name}.{column.name}" for column in key.columns)] = str(key.name)
    return names


def pool_use(engine: Engine) -> tuple[int, int]:
    """(connections in use, how many there may be at once) of this process."""
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout(), pool.size() + max(0, pool._max_overflow)


def checkpoint(engine: Engine) -> bool:
    """SQLite: move the write-ahead log into the file and empty it; False if a reader was in the way.

    For quiet moments. It does not wait: waiting for a reader would keep every writer waiting too.
    """
    if engine.dialect.name != "sqlite" or in_memory(engine):
        return True
    raw = engine.raw_connection()
    try:
        driver = raw.dbapi_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("PRAGMA busy_timeout = 0")
        (blocked, _, _) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        driver.execute(f"PRAGMA busy_timeout = {PATIENCE_SECONDS * 1000}")
        return not blocked
    finally:
        raw.close()


# ── Schema ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def create_all(engine: Engine) -> None:
    """The whole schema in an empty database, without migrations: for databases in memory."""
    with writing(engine) as connection:
        metadata.create_all(connection, checkfirst=False)


def migrate(url: str | URL) -> None:
    """Bring the schema to the newest version. All or nothing, also when killed; harmless when there is nothing to do.

    Two processes that start together take turns.
    """
    with migrating(url) as connection:
        upgrade(_config(connection), "head")


@contextmanager
def migrating(url: str | URL) -> Iterator[Connection]:
    """The transaction of a migration: no time limits, and on SQLite no foreign keys while tables are copied."""
    engine = create_engine(url)
    if in_memory(engine):
        raise ValueError("内存数据库没有历史，请用 create_all")
    try:
        with writing(engine.execution_options(**{_MIGRATES: True})) as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            yield connection
            if connection.dialect.name == "sqlite":
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                if broken:
                    raise RuntimeError(f"the migration leaves {len(broken)} rows that point at nothing")
    finally:
        engine.dispose()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@dataclass(frozen=True)
class Schema:
    """The schema found in a database against the one this program was written for."""

    found: str | None
    wanted: str
    differences: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.found == self.wanted and not self.differences


def check_schema(url: str | URL) -> Schema:
    """Is the database at the newest version, its tables, constraints and triggers as in models.py? Changes nothing."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite" and not in_memory(engine) and not Path(str(engine.url.database)).exists():
        return Schema(None, _newest())  # connecting would make the file
    try:
        with reading(engine) as connection:
            return schema_of(connection)
    finally:
        engine.dispose()


def has_table(connection: Connection, name: str) -> bool:
    return inspect(connection).has_table(name)


def schema_of(connection: Connection) -> Schema:
    wanted = _newest()
    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _compared})
    found = context.get_current_revision()
    if found != wanted:
        return Schema(found, wanted)
    differences = [str(difference) for difference in compare_metadata(context, metadata)]
    return Schema(found, wanted, (*differences, *_missing_by_name(connection)))


def _compared(name: str | None, kind: str, _parents: Any) -> bool:
    """In no metadata: the tables of the search, those that SQLite keeps for them, and indexes on expressions."""
    if kind == "index":
        return name not in tickets.RARE
    return kind != "table" or not str(name).startswith(search.NAME)


def _missing_by_name(connection: Connection) -> list[str]:
    found = inspect(connection).get_table_names()
    words = [] if search.NAME in found else [f"missing: table {search.NAME}"]
    return [*words, *_missing_indexes(connection), *_missing_checks(connection), *_missing_triggers(connection)]


def _newest() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _missing_checks(connection: Connection) -> list[str]:
    """What alembic does not compare: CHECK constraints, by name."""
    inspector = inspect(connection)
    missing = []
    for table in metadata.tables.values():
        wanted = {str(key.name) for key in table.constraints if isinstance(key, sqlalchemy.CheckConstraint)}
        found = {check["name"] for check in inspector.get_check_constraints(table.name)}
        missing += [f"missing: constraint {name}" for name in sorted(wanted - found)]
    return missing


def _missing_indexes(connection: Connection) -> list[str]:
    """Those on expressions."""
    of_kind = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
        "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()",
    }
    found = {name for (name,) in connection.exec_driver_sql(of_kind[connection.dialect.name])}
    return [f"missing: index {name}" for name in tickets.RARE if name not in found]


def _missing_triggers(connection: Connection) -> list[str]:
    kind = connection.dialect.name
    of_kind = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'",
    }
    found = {name for (name,) in connection.exec_driver_sql(of_kind[kind])}
    return [f"missing: trigger {name}" for name in TRIGGERS[kind] if name not in found]
