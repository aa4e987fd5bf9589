"""Each thing that may be wrong with an installation is found, alone, and comes with what to do."""

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from aftersales import clock, database, store
from aftersales import doctor as examining
from aftersales.doctor import Finding, examine, to_json
from aftersales.settings import Settings
from tests.faults.due_tickets import application, desk_on
from tests.unit.test_cli import typed


@pytest.fixture
def sound(sqlite_url, tmp_path, monkeypatch):
    """Settings of an installation in which all is well."""
    now = clock.parse("2026-06-01 12:00:00")
    monkeypatch.setattr(clock, "now", lambda: now)
    desk = desk_on(sqlite_url)
    desk.open(application(now - timedelta(hours=1)), shop="shop")
    with database.writing(desk.engine) as connection:
        store.beat(connection, "one", started_at=now, at=now)
    return Settings(database_url=sqlite_url, evidence_dir=tmp_path / "evidence")


def wrong(settings):
    return {one.what: one for one in examine(settings) if not one.ok}


def run(settings, *statements):
    with closing(sqlite3.connect(database.sqlite_file(settings.database_url))) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def test_a_sound_installation_passes(sound):
    assert wrong(sound) == {}
    assert all(str(one).startswith("✓") for one in examine(sound))


def index_gone(settings, _monkeypatch, _tmp_path):
    run(settings, "INSERT INTO ticket_words (ticket_words) VALUES ('delete-all')")
    return settings


def stopped(settings, _monkeypatch, _tmp_path):
    run(settings, "UPDATE heartbeat SET note = 'stopped'")
    return settings


def silent(settings, monkeypatch, _tmp_path):
    later = clock.now() + timedelta(minutes=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    return settings


def slow_clock(settings, monkeypatch, _tmp_path):
    earlier = clock.now() - timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: earlier)
    return settings


def file_gone(settings, _monkeypatch, _tmp_path):
    digest = hashlib.sha256(b"x").hexdigest()
    run(
        settings,
        "INSERT INTO attachment (shop_id, ticket_id, seq, kind, name, media_type, bytes, sha256, file, account,"
        f" created_at) VALUES (1, 1, 1, 'photo', 'a.png', 'image/png', 1, '{digest}', 'abcd', '',"
        " '2026-06-01 04:00:00.000000')",
    )
    return settings


def changed_schema(settings, _monkeypatch, _tmp_path):
    run(settings, "DROP TRIGGER i28_payment_no_delete")
    return settings


def folder_is_a_file(settings, _monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    return settings.model_copy(update={"evidence_dir": tmp_path / "file"})


def full_disk(settings, monkeypatch, _tmp_path):
    monkeypatch.setattr(examining, "ROOM_BYTES", 1 << 62)
    return settings


def unpublished(settings, monkeypatch, _tmp_path):
    monkeypatch.setattr(examining, "AHEAD", timedelta(days=400))
    return settings


def bad_rules(settings, _monkeypatch, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "shop.py").write_text("while True: pass\n")
    return settings.model_copy(update={"rules_dir": tmp_path / "rules"})


@pytest.mark.parametrize(
    ("breaks", "what", "remedy"),
    [
        (index_gone, "搜索索引", "db reindex"),
        (stopped, "调度", "aftersales scheduler"),
        (silent, "调度", "aftersales scheduler"),
        (slow_clock, "时钟", "NTP"),
        (file_gone, "凭证文件", "audit --files"),
        (changed_schema, "数据库结构", "db check"),
        (folder_is_a_file, "凭证文件夹", "AFTERSALES_EVIDENCE_DIR"),
        (full_disk, "磁盘空间", "腾出空间"),
        (unpublished, "工作日历", "AFTERSALES_CALENDAR_FILE"),
        (bad_rules, "规则文件", "请改好"),
    ],
)
def test_what_is_wrong_is_found_with_its_remedy(sound, monkeypatch, tmp_path, breaks, what, remedy):
    found = wrong(breaks(sound, monkeypatch, tmp_path))
    found.pop("流程表和规则表" if breaks is bad_rules else "", None)
    assert list(found) == [what]
    assert remedy in found[what].remedy


def test_one_thing_that_cannot_be_looked_at_does_not_hide_the_others(sound, monkeypatch):
    def broken(*_):
        raise RuntimeError("unexpected")

    monkeypatch.setattr(examining, "_clock", broken)
    found = list(examine(sound))
    assert [one.what for one in found if not one.ok] == ["时钟"]
    assert found[-1].what == "凭证文件"


def test_programs_read_it(sound):
    told = to_json([Finding("甲", "好"), Finding("乙", "坏", "改好")])
    assert told["ok"] is False
    assert [one["ok"] for one in told["findings"]] == [True, False]


def test_the_command_says_it_by_its_status(tmp_path):
    where = {"AFTERSALES_DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}
    found = typed("doctor", "--json", **where)
    assert found.returncode == 1
    assert not json.loads(found.stdout)["ok"]
    assert not (tmp_path / "none.db").exists(), "asking makes no file"
    assert "AFTERSALES_PORT 的值看不懂" in typed("doctor", AFTERSALES_PORT="http", **where).stdout


def test_on_postgres_too(postgres_url, tmp_path):
    found = wrong(Settings(database_url=postgres_url, evidence_dir=tmp_path))
    assert found.keys() <= {"调度", "工作日历", "断电不丢"}  # the server under test does not fsync
    assert "fsync" in found["断电不丢"].says
