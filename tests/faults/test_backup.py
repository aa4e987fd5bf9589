"""Backups made while a shop and a scheduler are at work in other processes: whole, complete, and nothing half made."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from aftersales import clock, database
from aftersales.audit import audit
from aftersales.backup import DATABASE, MANIFEST, BackupError, back_up, restore, verify
from aftersales.settings import Settings
from tests.faults.due_tickets import RULES, application, desk_on

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def settings(sqlite_url, tmp_path):
    return Settings(database_url=sqlite_url, evidence_dir=tmp_path / "evidence")


@contextmanager
def shop_at_work(settings):
    """A list that grows: every number that was answered. A scheduler fires what is due beside it."""
    url, answered = settings.database_url, []
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.busy_shop", url, str(settings.evidence_dir), "order"],
        cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "aftersales", "scheduler", "--db", url, "--tick", "0.2"],
        cwd=ROOT, env={**ENVIRONMENT, "AFTERSALES_EVIDENCE_DIR": str(settings.evidence_dir)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    listening = threading.Thread(target=lambda: [answered.append(line.split()[1]) for line in writer.stdout])
    listening.start()
    try:
        until(lambda: len(answered) >= 20)
        yield answered
    finally:
        for one in (writer, scheduler):
            one.kill()
            one.wait()
        listening.join()
        writer.stdout.close()


def until(holds, seconds=30):
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds
        time.sleep(0.01)


def restored(place, into):
    """Settings of a new installation with this backup in it."""
    new = Settings(database_url=f"sqlite:///{into}/shop.db", evidence_dir=into / "evidence")
    restore(new, place)
    return new


def found_by_audit(settings):
    engine = database.create_engine(settings.database_url)
    try:
        report = audit(engine, RULES, folder=settings.evidence_folder, read_files=True)
    finally:
        engine.dispose()
    return [(check.id, str(check.first)) for check in report.checks if check.broken]


def numbers(settings):
    with closing(sqlite3.connect(database.sqlite_file(settings.database_url))) as db:
        return {number for (number,) in db.execute("SELECT number FROM ticket")}


def backups_at_random_moments(settings, tmp_path, count):
    drawn = random.Random(1)
    with shop_at_work(settings) as answered:
        for nth in range(count):
            time.sleep(drawn.uniform(0, 0.5))
            before = set(answered)
            manifest = back_up(settings, tmp_path / f"backup {nth}")
            new = restored(tmp_path / f"backup {nth}", tmp_path / f"new {nth}")
            assert found_by_audit(new) == []
            there = numbers(new)
            assert before <= there
            assert manifest.tickets == len(there)
            assert manifest.lacking == ()
    assert len(manifest.files) > 1, "there were files of evidence"


def test_a_backup_at_any_moment_is_whole_and_has_all_that_was_answered(settings, tmp_path):
    backups_at_random_moments(settings, tmp_path, 3)


@pytest.mark.faults
def test_many_backups_at_any_moment(settings, tmp_path):
    backups_at_random_moments(settings, tmp_path, 60)


def killed_again_and_again(settings, tmp_path, count):
    """The command, killed after some milliseconds: what it leaves is a whole backup or none that looks like one."""
    command = [sys.executable, "-m", "aftersales", "backup", "--db", settings.database_url]
    environment = {**ENVIRONMENT, "AFTERSALES_EVIDENCE_DIR": str(settings.evidence_dir)}
    began = time.monotonic()
    subprocess.run([*command, tmp_path / "whole"], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - began
    drawn, unfinished = random.Random(2), 0
    for nth in range(count):
        place = tmp_path / f"killed {nth}"
        process = subprocess.Popen([*command, place], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        hidden = f".{place.name}.*.unfinished"
        if nth % 2:  # as soon as it has begun to write, or whenever
            until(lambda hidden=hidden, place=place: place.exists() or any(tmp_path.glob(hidden)))
            time.sleep(drawn.uniform(0, 0.02))
        else:
            time.sleep(drawn.uniform(0, took))
        process.send_signal(signal.SIGKILL)
        process.wait()
        unfinished += len(list(tmp_path.glob(hidden)))
        if place.exists():
            verify(place)
        for left in tmp_path.glob(hidden):
            with pytest.raises(BackupError):
                verify(left) if not (left / MANIFEST).exists() else _as_if_unfinished(left)
    assert unfinished, "none was killed in the middle"


def _as_if_unfinished(left):
    """Killed between the last byte and the renaming: whole, under a name that no one takes for a backup."""
    verify(left)
    raise BackupError("whole, and not yet named")


def test_killed_in_the_middle_it_leaves_nothing_that_looks_whole(settings, tmp_path):
    with shop_at_work(settings):
        time.sleep(1)
    killed_again_and_again(settings, tmp_path, 6)


@pytest.mark.faults
def test_killed_a_hundred_times(settings, tmp_path):
    with shop_at_work(settings):
        time.sleep(5)
    killed_again_and_again(settings, tmp_path, 100)


# ── one at rest ──


@pytest.fixture
def made(settings, tmp_path):
    """(settings, a backup of it with a ticket and a file)."""
    with shop_at_work(settings):
        pass
    place = tmp_path / "backup"
    back_up(settings, place)
    return settings, place


def test_a_flipped_byte_anywhere_is_found_before_anything_is_touched(made, tmp_path):
    _, place = made
    drawn = random.Random(3)
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name != MANIFEST)
    assert len(files) >= 2
    for file in (place / DATABASE, files[-1]):
        whole = file.read_bytes()
        for _ in range(3):
            at = drawn.randrange(len(whole))
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(BackupError, match="不一样"):
                restored(place, tmp_path / "new")
        file.unlink()
        with pytest.raises(BackupError, match="缺"):
            restored(place, tmp_path / "new")
        file.write_bytes(whole)
    assert not (tmp_path / "new").exists()
    restored(place, tmp_path / "new")


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"files": [{"path": "../x", "bytes": 1, "sha256": ""}]}'])
def test_a_manifest_that_is_none_is_refused(made, tmp_path, manifest):
    _, place = made
    (place / MANIFEST).write_text(manifest)
    with pytest.raises(BackupError, match="看不懂"):
        restored(place, tmp_path / "new")


def test_a_manifest_cannot_lead_outside(made, tmp_path):
    _, place = made
    told = json.loads((place / MANIFEST).read_text())
    told["files"].append({**told["files"][1], "path": "../elsewhere"})
    (place / MANIFEST).write_text(json.dumps(told))
    with pytest.raises(BackupError, match="看不懂"):
        restored(place, tmp_path / "new")


def test_a_second_backup_into_the_same_place_is_refused(made):
    settings, place = made
    before = (place / MANIFEST).read_bytes()
    with pytest.raises(BackupError, match="已经有了"):
        back_up(settings, place)
    assert (place / MANIFEST).read_bytes() == before
    assert [left.name for left in place.parent.glob(".*")] == []


def test_a_database_with_anything_in_it_is_replaced_only_when_told_and_kept(made):
    settings, place = made
    before = numbers(settings)
    desk = desk_on(settings.database_url)
    after = desk.open(application(clock.now()), shop="shop").number
    desk.engine.dispose()
    with pytest.raises(BackupError, match="--replace"):
        restore(settings, place)
    assert after in numbers(settings)
    _, kept = restore(settings, place, replace=True)
    assert numbers(settings) <= before
    assert found_by_audit(settings) == []
    files = next(settings.evidence_folder.parent.glob("evidence.before-*"))
    old = Settings(database_url=f"sqlite:///{kept}", evidence_dir=files)
    assert after in numbers(old)
    assert found_by_audit(old) == []


def test_a_database_in_use_is_not_replaced(made):
    settings, place = made
    engine = database.create_engine(settings.database_url)
    with database.reading(engine) as connection:
        connection.exec_driver_sql("SELECT 1")
    before = numbers(settings)
    with pytest.raises(BackupError, match="正在使用"):
        restore(settings, place, replace=True)
    assert numbers(settings) == before
    assert list(settings.evidence_folder.parent.glob("*.restoring")) == []
    engine.dispose()


def test_an_empty_database_is_restored_into(made, tmp_path):
    _, place = made
    new = Settings(database_url=f"sqlite:///{tmp_path}/fresh/shop.db", evidence_dir=tmp_path / "fresh" / "evidence")
    (tmp_path / "fresh" / "evidence").mkdir(parents=True)
    database.migrate(new.database_url)
    restore(new, place)
    assert numbers(new)


def test_a_file_that_was_lost_long_ago_does_not_keep_the_rest_from_being_saved(made, tmp_path):
    settings, _ = made
    lost = next(path for path in settings.evidence_folder.rglob("*") if path.is_file())
    lost.unlink()
    manifest = back_up(settings, tmp_path / "second")
    assert manifest.lacking == (lost.name,)
    found = restored(tmp_path / "second", tmp_path / "new")
    assert [id for id, _ in found_by_audit(found)] == ["I-26"]


def test_a_full_disk_leaves_nothing(made, tmp_path, monkeypatch):
    settings, _ = made

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        back_up(settings, tmp_path / "second")
    assert not (tmp_path / "second").exists()
    assert list(tmp_path.glob(".second*")) == []


def test_for_postgres_it_says_what_to_run():
    where = {**ENVIRONMENT, "AFTERSALES_DATABASE_URL": "postgresql://shop:geheim@db/shop"}
    for words, wanted in ((["backup", "/b/1"], "pg_dump --format=custom"), (["restore", "/b/1"], "pg_restore ")):
        found = subprocess.run(
            [sys.executable, "-m", "aftersales", *words],
            cwd=ROOT,
            env=where,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 2
        assert wanted in found.stderr
        assert "geheim" not in found.stderr + found.stdout
