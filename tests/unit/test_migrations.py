"""The migrations lead to the tables of models.py, from wherever they start, all or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine

from aftersales import database
from aftersales.database import Schema, check_schema, create_all, create_engine, migrate, reading, writing
from aftersales.models import metadata

HEAD = max(file.name for file in (Path(database.__file__).parent / "migrations/versions").glob("0*.py"))[:4]


def sqlite_schema(engine: Engine) -> dict[str, str]:
    statement = "SELECT type || ' ' || name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    with reading(engine) as connection:
        return {name: sql for name, sql in connection.exec_driver_sql(statement) if "alembic" not in name}


#: every definition that PostgreSQL can spell out
POSTGRES_SCHEMA = """
SELECT 'column ' || table_name || '.' || column_name,
    concat_ws(' ', data_type, is_nullable, regexp_replace(column_default, '[^ ]*\\.', ''), is_identity)
FROM information_schema.columns WHERE table_schema = current_schema()
UNION ALL
SELECT 'constraint ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = current_schema()::regnamespace
UNION ALL
SELECT 'index ' || indexname, replace(indexdef, schemaname || '.', '') FROM pg_indexes
WHERE schemaname = current_schema()
UNION ALL
SELECT 'trigger ' || tgname, replace(pg_get_triggerdef(t.oid), current_schema() || '.', '') FROM pg_trigger t
JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'function ' || proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
UNION ALL
SELECT 'options ' || relname, reloptions::text FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
"""


def postgres_schema(engine: Engine) -> dict[str, str]:
    with reading(engine) as connection:
        found = connection.exec_driver_sql(POSTGRES_SCHEMA.replace("%", "%%")).all()
    return {name: text for name, text in found if "alembic" not in name}


def test_the_migrations_make_what_the_models_say_on_sqlite(sqlite_url: str) -> None:
    migrated, made = create_engine(sqlite_url), create_engine("sqlite://")
    create_all(made)
    assert sqlite_schema(migrated) == sqlite_schema(made)
    assert len(sqlite_schema(made)) > len(metadata.tables)
    migrated.dispose()
    made.dispose()


def test_the_migrations_make_what_the_models_say_on_postgres(postgres_url: str) -> None:
    migrated = create_engine(postgres_url)
    with writing(migrated) as connection:
        connection.exec_driver_sql("CREATE SCHEMA made")
    made = create_engine(postgres_url + "&options=-csearch_path%3Dmade")
    create_all(made)
    assert postgres_schema(made) == postgres_schema(migrated)
    assert len(postgres_schema(made)) > 100
    migrated.dispose()
    made.dispose()


def test_a_migrated_database_is_as_the_models_say(database_url: str) -> None:
    assert check_schema(database_url) == Schema(HEAD, HEAD)
    assert check_schema(database_url).ok


def test_migrating_again_changes_nothing(database_url: str) -> None:
    migrate(database_url)
    assert check_schema(database_url).ok


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        ("ALTER TABLE shop ADD COLUMN extra TEXT", "extra"),
        ("DROP INDEX ix_ticket_alarm", "ix_ticket_alarm"),
        ("DROP TRIGGER i28_payment_no_delete {on}", "missing: trigger i28_payment_no_delete"),
    ],
)
def test_what_differs_is_named(database_url: str, statement: str, difference: str) -> None:
    engine = create_engine(database_url)
    on = "ON payment" if engine.dialect.name == "postgresql" else ""
    with writing(engine) as connection:
        connection.exec_driver_sql(statement.format(on=on))
    engine.dispose()
    [found] = check_schema(database_url).differences
    assert difference in found


def test_a_missing_check_is_named(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with writing(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE ticket DROP CONSTRAINT ck_ticket_i19_refunded_within_paid")
    engine.dispose()
    assert check_schema(postgres_url).differences == ("missing: constraint ck_ticket_i19_refunded_within_paid",)


def test_an_empty_database_is_said_to_be_empty(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    assert check_schema(url) == Schema(None, HEAD)
    assert not check_schema(url).ok
    assert list(tmp_path.iterdir()) == [], "asking makes no file"


def test_developers_run_alembic_on_the_database_of_the_settings(database_url: str) -> None:
    program = "from alembic.command import upgrade; from aftersales.database import _config; upgrade(_config(), 'head')"
    environment = {**os.environ, "AFTERSALES_DATABASE_URL": database_url}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert check_schema(database_url).ok


def test_down_and_up_again(database_url: str) -> None:
    engine = create_engine(database_url)
    with writing(engine) as connection:
        command.downgrade(database._config(connection), "base")
    engine.dispose()
    assert check_schema(database_url) == Schema(None, HEAD)
    migrate(database_url)
    assert check_schema(database_url).ok


def test_a_migration_that_fails_leaves_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine(database_url)
    with writing(engine) as connection:
        command.downgrade(database._config(connection), "base")
        connection.exec_driver_sql("CREATE TABLE waybill (x TEXT)")  # in the way of the last table but one
    engine.dispose()
    with pytest.raises(Exception, match="waybill"):
        migrate(database_url)
    assert check_schema(database_url) == Schema(None, HEAD)
    with writing(engine) as connection:
        connection.exec_driver_sql("DROP TABLE waybill")
    engine.dispose()
    migrate(database_url)
    assert check_schema(database_url).ok


def test_two_who_migrate_at_once_take_turns(database_url: str) -> None:
    engine = create_engine(database_url)
    with writing(engine) as connection:
        command.downgrade(database._config(connection), "base")
    engine.dispose()
    program = f"from aftersales.database import migrate; migrate({database_url!r})"
    processes = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) for _ in range(3)]
    said = [process.communicate()[1] for process in processes]
    assert said == [b""] * 3
    assert [process.returncode for process in processes] == [0] * 3
    assert check_schema(database_url).ok


def test_migrating_says_nothing_and_leaves_logging_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    migrate(f"sqlite:///{tmp_path}/a%20b.db")
    assert capfd.readouterr() == ("", "")


def test_a_database_in_memory_has_no_history() -> None:
    with pytest.raises(ValueError, match="create_all"):
        migrate("sqlite://")


def test_readers_of_the_schema_do_not_wait_for_writers(sqlite_url: str) -> None:
    engine = create_engine(sqlite_url)
    found: list[Schema] = []
    with writing(engine):
        thread = threading.Thread(target=lambda: found.append(check_schema(sqlite_url)))
        thread.start()
        thread.join()
    assert found[0].ok
    engine.dispose()
