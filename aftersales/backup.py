"""A copy of everything, made while people work: the database, and the files of evidence it refers to.

    back_up(settings, TO)        -> Manifest      a new folder TO: manifest.json, aftersales.db, evidence/
    verify(FROM)                 -> Manifest      reads every byte; BackupError if one is not as it was written
    restore(settings, FROM)                       only after that, into an empty place, or with what is there set aside

The database comes first and is one moment of it (SQLite's own backup); evidence is written once and never changed, and
before the row that names it, so every file of that moment is there when the files are copied. All of it is written
under a temporary name, and gets its own when it is whole and safe on the disk: a folder TO is a backup or is not there.

SQLite only. PostgreSQL brings pg_dump and pg_restore: `postgres_advice` says how.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aftersales import clock, database
from aftersales.clock import shown
from aftersales.settings import Settings

DATABASE, EVIDENCE, MANIFEST = "aftersales.db", "evidence", "manifest.json"
#: of the folder's layout; a later one is refused
LAYOUT = 1
_PIECE = 1 << 20
_BUSY_MILLISECONDS = 10_000


class BackupError(Exception):
    """What is in the way, and what to do about it. Nothing was changed."""


@dataclass(frozen=True)
class File:
    """`path`: in the backup."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """`started_at`: whatever was answered before it is in the backup. In Beijing time."""

    layout: int
    product: str
    schema: str
    started_at: str
    finished_at: str
    tickets: int
    events: int
    files: tuple[File, ...]
    #: files of evidence that were gone or not as they were uploaded: the backup stands, and says so
    lacking: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def postgres_advice(settings: Settings, place: Path, *, restoring: bool) -> str:
    """The commands for PostgreSQL. The password stays where libpq looks for it."""
    url = database.libpq_url(settings.database_url)
    if restoring:
        return (
            "PostgreSQL 用它自己的工具恢复（先停掉网页和调度，库要是新建的空库）：\n"
            f"  pg_restore --exit-on-error --single-transaction --no-owner --dbname '{url}' '{place}.dump'\n"
            f"  rsync -a '{place}.evidence/' '{settings.evidence_folder}/'\n"
            "  aftersales audit --files"
        )
    return (
        "PostgreSQL 用它自己的工具备份（不用停机；先备数据库，再备凭证文件）：\n"
        f"  pg_dump --format=custom --file '{place}.dump' '{url}'\n"
        f"  rsync -a '{settings.evidence_folder}/' '{place}.evidence/'"
    )


# ── making one ────────────────────────────────────────────────────────────────────────────────────────────────────────


def back_up(settings: Settings, to: Path) -> Manifest:
    """BackupError: TO is there already, or the database is not. OSError: the disk is full."""
    source, to = _sqlite_file(settings), to.absolute()
    if to.exists():
        raise BackupError(f"{to} 已经有了，不会覆盖；请换一个新的文件夹名")
    if not source.exists():
        raise BackupError(f"没有 {source} 这个数据库，请核对 AFTERSALES_DATABASE_URL")
    to.parent.mkdir(parents=True, exist_ok=True)
    making = to.with_name(f".{to.name}.{secrets.token_hex(4)}.unfinished")
    making.mkdir()
    try:
        manifest = _written(settings, source, making)
        _sync_folders(making)
        if to.exists():  # renaming onto an empty folder would succeed
            raise BackupError(f"{to} 已经有了，不会覆盖；请换一个新的文件夹名")
        making.rename(to)
        _sync(to.parent)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    return manifest


def _written(settings: Settings, source: Path, making: Path) -> Manifest:
    started = clock.now()
    copy, lacking = making / DATABASE, []
    _copy_database(source, copy)
    files = [_described(copy, making)]
    with closing(_opened(copy)) as connection:
        schema, tickets, events = _counts(connection)
        for name, digest in connection.execute("SELECT file, sha256 FROM attachment ORDER BY id"):
            found = _copy_evidence(settings.evidence_folder, making, name)
            files += [found] if found else []
            lacking += [] if found and found.sha256 == digest else [name]
    manifest = Manifest(
        LAYOUT, version("aftersales"), schema, shown(started), shown(clock.now()), tickets, events, tuple(files),
        tuple(lacking),
    )  # fmt: skip
    with (making / MANIFEST).open("x", encoding="utf-8") as file:
        json.dump(asdict(manifest), file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    return manifest


def _copy_database(source: Path, copy: Path) -> None:
    """One consistent moment. It does not keep writers waiting: in WAL the copy reads beside them."""
    with closing(_opened(source)) as live, closing(sqlite3.connect(copy)) as target:
        live.execute("BEGIN")  # one snapshot: or each commit of somebody else would begin the copy anew
        live.execute("SELECT count(*) FROM sqlite_master").fetchone()
        live.backup(target)
        live.execute("ROLLBACK")
        # one file, without a log beside it
        target.execute("PRAGMA journal_mode = DELETE").fetchone()
        if target.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise BackupError("数据库文件本身已经损坏，备份没有做成；请先找以前的备份")
    with copy.open("rb+") as file:
        os.fsync(file.fileno())


def _counts(connection: sqlite3.Connection) -> tuple[str, int, int]:
    (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    (tickets,) = connection.execute("SELECT count(*) FROM ticket").fetchone()
    (events,) = connection.execute("SELECT count(*) FROM ticket_event").fetchone()
    return schema, tickets, events


def _copy_evidence(folder: Path, making: Path, name: str) -> File | None:
    """None if it is not there. That must not keep everything else from being saved."""
    source, copy = folder / name[:2] / name, making / EVIDENCE / name[:2] / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, copy)
    except FileNotFoundError:
        return None
    with copy.open("rb+") as file:
        os.fsync(file.fileno())
    return _described(copy, making)


# ── checking and restoring ────────────────────────────────────────────────────────────────────────────────────────────


def verify(place: Path) -> Manifest:
    """Every file of the manifest is there, and is what it was; nothing else is looked at."""
    manifest = _read_manifest(place)
    for file in manifest.files:
        there = place / file.path
        if not there.is_file():
            raise BackupError(f"备份里缺 {file.path}，没有恢复；请换一份备份")
        if _described(there, place) != file:
            raise BackupError(f"备份里的 {file.path} 和做备份时不一样（坏了或被改过），没有恢复；请换一份备份")
    return manifest


def _read_manifest(place: Path) -> Manifest:
    try:
        told = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        files = tuple(File(**file) for file in told.pop("files"))
        manifest = Manifest(**{**told, "lacking": tuple(told["lacking"])}, files=files)
    except FileNotFoundError:
        raise BackupError(f"{place} 不是一份完整的备份（没有 {MANIFEST}）") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BackupError(f"{place / MANIFEST} 看不懂，这份备份不能用") from None
    if manifest.layout != LAYOUT:
        raise BackupError(f"这份备份是更新的程序（{manifest.product}）做的，请用那个版本恢复")
    inside = all(".." not in Path(file.path).parts and not Path(file.path).is_absolute() for file in files)
    if not inside or DATABASE not in {file.path for file in files}:
        raise BackupError(f"{place / MANIFEST} 看不懂，这份备份不能用")
    return manifest


def restore(settings: Settings, place: Path, *, replace: bool = False) -> tuple[Manifest, Path | None]:
    """Puts the backup where the settings say. `replace`: what is there is kept beside it, where the answer says.

    BackupError, with nothing changed: a byte is wrong; somebody uses the database; something is there already.
    """
    target, folder = _sqlite_file(settings), settings.evidence_folder
    manifest = verify(place)
    occupied = _occupied(target, folder)
    if occupied and not replace:
        raise BackupError(f"{occupied} 里已经有数据，不会覆盖；要替换请加 --replace，原来的会留在旁边")
    _nobody_at_work(target)
    coming = target.with_name(f".{target.name}.{secrets.token_hex(4)}.restoring")
    coming_files = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.restoring")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _lay_out(manifest, place, coming, coming_files)
        _nobody_at_work(target)
        kept = _set_aside(target, folder) if occupied else None
        if not occupied:
            _clear(target, folder)
        coming_files.rename(folder)
        coming.rename(target)
    except BaseException:
        coming.unlink(missing_ok=True)
        shutil.rmtree(coming_files, ignore_errors=True)
        raise
    _sync(target.parent)
    _sync(folder.parent)
    return manifest, kept


def _lay_out(manifest: Manifest, place: Path, coming: Path, coming_files: Path) -> None:
    """Copies, and reads back what was written: a restore onto a bad disk must not look like one."""
    coming_files.mkdir(parents=True)
    for file in manifest.files:
        into = coming if file.path == DATABASE else coming_files / Path(file.path).relative_to(EVIDENCE)
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place / file.path, into)
        with into.open("rb+") as written:
            os.fsync(written.fileno())
        if _described(into, into.parent).sha256 != file.sha256:
            raise BackupError(f"{file.path} 写到 {into.parent} 之后读出来不一样，没有恢复；请检查磁盘")
    _sync_folders(coming_files)


def _occupied(target: Path, folder: Path) -> Path | None:
    """What would be overwritten: a database in which there is anything, or a folder with a file in it."""
    if target.exists() and target.stat().st_size and _has_rows(target):
        return target
    files = (file for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else iter(())
    return folder if next(files, None) else None


def _has_rows(target: Path) -> bool:
    try:
        with closing(_opened(target)) as connection:
            tables = ("ticket", "shop", "account")
            return any(connection.execute(f"SELECT 1 FROM {one} LIMIT 1").fetchone() for one in tables)  # noqa: S608
    except sqlite3.Error:
        return True  # something that is no database of ours is somebody's all the same


def _nobody_at_work(target: Path) -> None:
    """Whoever has the database open holds a lock that shows when its journal mode is changed."""
    if not target.exists():
        return
    try:
        with closing(sqlite3.connect(target, timeout=0, isolation_level=None)) as connection:
            # leaving WAL takes the database for oneself alone; it cannot while anybody else has it open
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            if mode != "delete":
                raise sqlite3.OperationalError("in use")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        raise BackupError(f"{target} 正在使用，没有恢复；请先停掉网页和调度") from None
    except sqlite3.DatabaseError:
        return  # no database: nobody can be using it as one


def _set_aside(target: Path, folder: Path) -> Path:
    """Moves what is there out of the way; where the database is now, and the evidence under the same ending."""
    when = shown(clock.now()).replace("-", "").replace(":", "").replace(" ", "-")
    ending = f".before-{when}-{secrets.token_hex(2)}"
    if folder.exists():
        folder.rename(folder.with_name(folder.name + ending))
    if target.exists():
        target.rename(target.with_name(target.name + ending))
    return target.with_name(target.name + ending)


def _clear(target: Path, folder: Path) -> None:
    """There is nothing in them."""
    shutil.rmtree(folder, ignore_errors=True)
    target.unlink(missing_ok=True)


# ── files ──


def _sqlite_file(settings: Settings) -> Path:
    found = database.sqlite_file(settings.database_url)
    if found is None:
        raise BackupError("只有 SQLite 文件能这样备份和恢复")
    return found.absolute()


def _opened(path: Path) -> sqlite3.Connection:
    """For reading. Not as read-only: a log left by a crash must be read too."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _described(file: Path, root: Path) -> File:
    digest, length = hashlib.sha256(), 0
    for piece in _pieces(file):
        digest.update(piece)
        length += len(piece)
    return File(file.relative_to(root).as_posix(), length, digest.hexdigest())


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            yield piece


def _sync_folders(root: Path) -> None:
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        _sync(folder)


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems know no such thing
            os.fsync(opened)
    finally:
        os.close(opened)


def to_json(manifest: Manifest) -> dict[str, Any]:
    return {**asdict(manifest), "files": len(manifest.files), "bytes": manifest.bytes}
