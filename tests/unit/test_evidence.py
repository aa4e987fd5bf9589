"""Files of evidence: what is taken, how it is written and recorded, and what a crash may leave behind."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from aftersales import queries, store
from aftersales.audit import audit
from aftersales.clock import parse
from aftersales.database import writing
from aftersales.desk import Command
from aftersales.errors import Refused
from aftersales.office import evidence, pictures
from aftersales.office.evidence import Folder, Incoming, shown_name
from tests.files import BAD, GOOD, png
from tests.web.conftest import made_world

NOW = parse("2026-10-02 14:32:00")


@pytest.fixture
def world(database_url):
    return made_world(database_url)


@pytest.fixture
def folder(tmp_path):
    limits = dict.fromkeys(pictures.PICTURES, 5000) | dict.fromkeys(pictures.VIDEOS, 9000) | {pictures.PDF: 5000}
    return Folder(tmp_path / "evidence", limits)


def written(folder, content, name="照片.png", piece=7):
    """A file sent in small pieces; None if it was not taken."""
    incoming = Incoming(folder, name)
    for start in range(0, len(content), piece):
        incoming.write(content[start : start + piece])
    return incoming.close(), incoming.problem


def files_in(folder):
    return sorted(file for file in folder.path.rglob("*") if file.is_file())


def add(world, folder, ticket, files, **more):
    command = Command(ticket.id, "add_evidence", "agent", NOW, {"kind": "photo"}, actor_name="店:小林", **more)
    return evidence.record(world.desk, folder, command, files)


# ── what is taken ──


@pytest.mark.parametrize(("kind", "content"), GOOD.items())
def test_a_file_is_known_by_its_content(folder, kind, content):
    file, problem = written(folder, content, "随便.exe")
    assert problem is None
    assert file.media_type == kind
    assert folder.place(file.file).read_bytes() == content
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert file.bytes == len(content)


@pytest.mark.parametrize(("kind", "content"), BAD.items())
def test_what_is_no_picture_video_or_pdf_is_refused_and_leaves_nothing(folder, kind, content):
    file, problem = written(folder, content, f"{kind}.png", piece=4000)
    assert file is None
    assert f"「{kind}.png」" in problem.message
    assert files_in(folder) == []


def test_an_empty_file_is_refused(folder):
    file, problem = written(folder, b"")
    assert file is None
    assert "是空的" in problem.message


def test_a_file_too_large_is_refused_while_it_arrives(folder):
    incoming = Incoming(folder, "大.png")
    for _ in range(100):
        incoming.write(png() + b"\0" * 1000)
    assert incoming.close() is None
    assert "太大" in incoming.problem.message
    assert files_in(folder) == []


def test_sizes_of_pictures_are_read_from_their_headers():
    sizes = {kind: pictures.size(kind, content[: pictures.HEAD]) for kind, content in GOOD.items() if "image" in kind}
    assert sizes == {"image/png": (4, 3), "image/gif": (7, 5), "image/jpeg": (11, 9), "image/webp": (16, 12)}
    assert pictures.size("image/png", b"\x89PNG") is None


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\fakepath\\鞋底.jpg", "鞋底.jpg"),
        ("鞋底😀.png", "鞋底😀.png"),
        ("%22><script>.png", '"><script>.png'),
        ("a\0b\n\u202egnp.exe", "abgnp.exe"),
        ("...", "file"),
        ("", "file"),
        ("长" * 400 + ".jpeg", "长" * 295 + ".jpeg"),
    ],
)  # fmt: skip
def test_names_are_shown_without_what_cannot_be_seen(given, shown):
    assert shown_name(given) == shown


# ── how it is recorded ──


def test_a_file_is_recorded_with_its_event_and_the_chain_vouches_for_it(world, folder):
    ticket = world.open()
    first, second = (written(folder, png(shade=shade))[0] for shade in (1, 2))
    assert add(world, folder, ticket, [first, second]) == []
    event = queries.events(world.engine, ticket.id)[-1]
    assert (event.kind, event.facts["kind"]) == ("evidence", "photo")
    assert event.facts["fingerprints"] == f"{first.sha256} {second.sha256}"
    kept = evidence.of_ticket(world.engine, ticket.id)
    assert [(one.seq, one.sha256, one.account, one.width) for one in kept] == [
        (event.seq, first.sha256, "店:小林", 4), (event.seq, second.sha256, "店:小林", 4),
    ]  # fmt: skip
    assert audit(world.engine, world.rules).ok


def test_the_same_file_twice_is_said_and_kept_once(world, folder):
    ticket = world.open()
    add(world, folder, ticket, [written(folder, png(), "甲.png")[0]])
    said = add(world, folder, ticket, [written(folder, png(), "乙.png")[0], written(folder, png(shade=9))[0]])
    assert said == ["「乙.png」2026-10-02 14:32 已经传过（当时叫「甲.png」），没有再存一份"]
    assert len(files_in(folder)) == len(evidence.of_ticket(world.engine, ticket.id)) == 2
    twins = [written(folder, png(shade=5), "一.png")[0], written(folder, png(shade=5), "二.png")[0]]
    assert add(world, folder, ticket, twins) == ["「二.png」在这次里选了两遍，只存了一份"]
    assert len(files_in(folder)) == 3


def test_two_who_upload_the_same_file_at_once_keep_one(world, folder, monkeypatch):
    ticket = world.open()
    add(world, folder, ticket, [written(folder, png())[0]])
    monkeypatch.setattr(evidence, "already_there", lambda *_: {})  # as it was before the other one came
    with pytest.raises(Refused, match="没有再存一份"):
        add(world, folder, ticket, [written(folder, png())[0]])
    assert len(files_in(folder)) == len(evidence.of_ticket(world.engine, ticket.id)) == 1


def test_a_refusal_keeps_no_file(world, folder):
    ticket, file = world.open(), written(folder, png())[0]
    command = Command(ticket.id, "add_evidence", "agent", NOW, {"kind": "no such kind"})
    with pytest.raises(Refused):
        evidence.record(world.desk, folder, command, [file])
    assert files_in(folder) == []


def test_another_ticket_may_have_the_same_file(world, folder):
    for ticket in (world.open(), world.open()):
        assert add(world, folder, ticket, [written(folder, png())[0]]) == []
    assert len(files_in(folder)) == 2


# ── crashes ──


def test_a_file_that_nobody_refers_to_is_swept_after_a_day(world, folder):
    ticket = world.open()
    add(world, folder, ticket, [written(folder, png())[0]])
    lost, fresh = written(folder, png(shade=1))[0], written(folder, png(shade=2))[0]
    old = NOW - timedelta(days=2)
    for file in files_in(folder):
        os.utime(file, (old.timestamp(), old.timestamp()))
    os.utime(folder.place(fresh.file), (NOW.timestamp(), NOW.timestamp()))
    assert evidence.sweep(world.engine, folder, NOW) == 1
    assert not folder.place(lost.file).exists()
    assert len(files_in(folder)) == 2


CRASH = """
    import os, signal, sys
    sys.path.insert(0, {root!r})
    from pathlib import Path
    from aftersales import store
    from aftersales.desk import Command
    from aftersales.office import evidence
    from tests.files import png
    from tests.unit.test_evidence import NOW, Folder, add, pictures, written
    from tests.web.conftest import made_world

    world = made_world({url!r})
    folder = Folder(Path({path!r}), dict.fromkeys(pictures.PICTURES, 5000))
    file = written(folder, png())[0]
    real = getattr(store, {where!r})
    def die(*arguments, **more):
        if {after!r}:
            real(*arguments, **more)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(store, {where!r}, die)
    from aftersales import desk
    setattr(desk.store, {where!r}, die)
    add(world, folder, world.ticket({number!r}), [file])
"""


@pytest.mark.parametrize(("where", "after"), [("load", False), ("write", True), ("attach", False), ("attach", True)])
def test_killed_between_file_and_row_there_is_no_row_without_its_file(sqlite_url, tmp_path, where, after):
    world, path = made_world(sqlite_url), tmp_path / "evidence"
    number = world.open().number
    root = str(Path(__file__).parents[2])
    program = CRASH.format(root=root, url=sqlite_url, path=str(path), where=where, after=after, number=number)
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, cwd=root)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    folder = Folder(path, {})
    assert len(files_in(folder)) == 1, "the file had been written"
    rows = evidence.of_ticket(world.engine, world.ticket(number).id)
    assert rows == []
    assert len(world.events(number)) == 1, "no event speaks of it either"
    later = parse("2027-01-01 00:00:00")
    assert evidence.sweep(world.engine, folder, later) == 1


def test_a_row_is_not_written_without_its_event(world, folder):
    ticket, file = world.open(), written(folder, png())[0]
    event = queries.events(world.engine, ticket.id)[0]
    with suppress(RuntimeError), writing(world.engine) as connection:
        store.attach(connection, ticket, event, [file])
        raise RuntimeError
    assert evidence.of_ticket(world.engine, ticket.id) == []
