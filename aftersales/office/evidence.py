"""Uploaded files: written into the evidence folder first, then recorded through the one door.

A crash between the two leaves a file that nobody refers to, which `sweep` removes a day later; there is never a row
without its file. Names in the folder are random; what the person called the file is only shown.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Engine, select

from aftersales.clock import shown
from aftersales.database import reading
from aftersales.desk import Command, Desk
from aftersales.errors import Refused
from aftersales.models import metadata
from aftersales.office import pictures
from aftersales.saying import Said, Written, say
from aftersales.settings import Settings
from aftersales.ticket import Attachment
from aftersales.workflows.facts import fingerprints

_ATTACHMENT = metadata.tables["attachment"]
#: a file nobody refers to may still be on its way for so long
UNREFERENCED = timedelta(days=1)
#: the folders in the evidence folder, by the first two digits of the names in them
PARTS = tuple(f"{number:02x}" for number in range(256))
_LONGEST_NAME = 300
_MB = 1_000_000


@dataclass(frozen=True)
class Folder:
    """The evidence folder, and how large a file in it may be (bytes, by media type)."""

    path: Path
    limits: dict[str, int]

    @classmethod
    def of(cls, settings: Settings) -> Folder:
        pictures_, videos = settings.picture_mb * _MB, settings.video_mb * _MB
        limits = dict.fromkeys(pictures.PICTURES, pictures_) | dict.fromkeys(pictures.VIDEOS, videos)
        return cls(settings.evidence_folder, limits | {pictures.PDF: settings.pdf_mb * _MB})

    def place(self, file: str) -> Path:
        return self.path / file[:2] / file

    def problem(self) -> str:
        """Why no file can be put here; "" if one can. A folder that is not there yet is made with the first file."""
        there = next(place for place in (self.path, *self.path.parents) if place.exists())
        if not there.is_dir():
            return f"{there} is no folder"
        return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} cannot be written to"

    def remove(self, file: str) -> None:
        self.place(file).unlink(missing_ok=True)


@dataclass
class Incoming:
    """One file on its way into the folder, piece by piece. `problem`: why it is not taken; then nothing of it stays."""

    folder: Folder
    name: str
    problem: Refused | None = None
    file: str = field(default_factory=lambda: secrets.token_hex(16))
    #: bytes so far
    length: int = 0
    media_type: str = ""
    _head: bytes = b""
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _opened: BinaryIO | None = None

    def write(self, piece: bytes) -> None:
        """OSError: the disk is full, or the folder cannot be written to."""
        if self.problem is not None:
            return
        if len(self._head) < pictures.HEAD:
            self._head += piece[: pictures.HEAD - len(self._head)]
        self.length += len(piece)
        if not self.media_type and len(self._head) == pictures.HEAD:
            self._look()
        self._within_limit()
        if self.problem is None:
            self._file().write(piece)
            self._digest.update(piece)

    def close(self) -> Attachment | None:
        """The file, safe on the disk; None if it is not taken."""
        if not self.length:
            self._refuse(say("「{name}」是空的，请换一个文件", name=Written(self.name)))
        elif not self.media_type and self.problem is None:
            self._look()
            self._within_limit()
        if self.problem is not None:
            self.drop()
            return None
        opened = self._file()
        opened.flush()
        os.fsync(opened.fileno())
        opened.close()
        _sync(self.folder.place(self.file).parent)
        width, height = pictures.size(self.media_type, self._head) or (None, None)
        return Attachment(self.name, self.media_type, self.length, self._digest.hexdigest(), self.file, width, height)

    def drop(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self.folder.remove(self.file)

    def _look(self) -> None:
        self.media_type = pictures.media_type(self._head)
        if self.media_type == "image/heic":
            self._refuse(say("「{name}」是 HEIC 照片，浏览器打不开，请先转成 JPEG 再上传", name=Written(self.name)))
        elif not self.media_type:
            self._refuse(
                say(
                    "「{name}」不是能收的文件，请上传图片（JPEG、PNG、WebP、GIF）、视频（MP4、WebM、MOV）或 PDF",
                    name=Written(self.name),
                )
            )

    def _within_limit(self) -> None:
        limit = self.folder.limits.get(self.media_type, max(self.folder.limits.values()))
        if self.length > limit:
            self._refuse(
                say(
                    "「{name}」太大，这种文件最多 {mb} MB，请压缩或剪短后再传", name=Written(self.name), mb=limit // _MB
                )
            )

    def _refuse(self, sentence: str) -> None:
        self.problem = self.problem or Refused("invalid_file", sentence)

    def _file(self) -> BinaryIO:
        if self._opened is None:
            place = self.folder.place(self.file)
            place.parent.mkdir(parents=True, exist_ok=True)
            self._opened = place.open("xb")
        return self._opened


def _sync(folder: Path) -> None:
    """Makes the name of a new file in it as durable as the file."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _as_sent(found: re.Match[str]) -> str:
    """Browsers send quotes and line breaks in the name of a file like this, and nothing else."""
    return '"' if found[0] == "%22" else ""


def shown_name(given: str) -> str:
    """The name as people see it: the last part of a path, without signs that cannot be seen, 300 characters at most."""
    last = re.sub("%0[AaDd]|%22", _as_sent, given).replace("\\", "/").rpartition("/")[2]
    plain = "".join(
        char for char in last if unicodedata.category(char) not in ("Cc", "Cs", "Co", "Cn") and char not in "‪‫‬‭‮⁦⁧⁨⁩"
    )
    plain = plain.strip().strip(".")
    if len(plain) > _LONGEST_NAME:
        stem, dot, ending = plain.rpartition(".")
        keep = _LONGEST_NAME - len(ending) - 1 if dot and len(ending) < 10 else _LONGEST_NAME
        plain = f"{stem[:keep]}.{ending}" if keep < _LONGEST_NAME else plain[:_LONGEST_NAME]
    return plain or "file"


def record(desk: Desk, folder: Folder, command: Command, files: Sequence[Attachment]) -> list[Said]:
    """Adds these files with this `add_evidence` command, in one event; says of each that is there already.

    Refused: none is added, and none is kept. After any other error they may have been recorded, so they stay.
    """
    there = already_there(desk.engine, command.ticket_id, files)
    fresh: dict[str, Attachment] = {}
    for file in files:
        if file.sha256 not in there:
            fresh.setdefault(file.sha256, file)
    kept = {file.file for file in fresh.values()}
    said = [_said_before(file, there.get(file.sha256)) for file in files if file.file not in kept]
    try:
        if fresh:
            facts = {**command.facts, fingerprints.name: " ".join(fresh)}
            desk.do(replace(command, facts=facts, files=tuple(fresh.values())))
    except Refused:
        kept.clear()
        raise
    finally:
        for file in files:
            if file.file not in kept:
                folder.remove(file.file)
    return said


def _said_before(file: Attachment, there: Kept | None) -> Said:
    if there is None:
        return say("「{name}」在这次里选了两遍，只存了一份", name=Written(file.name))
    return say(
        "「{name}」{time} 已经传过（当时叫「{before}」），没有再存一份",
        name=Written(file.name), time=shown(there.created_at)[:16], before=Written(there.name),
    )  # fmt: skip


# ── what was recorded ──


@dataclass(frozen=True)
class Kept:
    """A file of a ticket, as it was recorded with the event `seq`."""

    id: int
    ticket_id: int
    seq: int
    kind: str
    name: str
    media_type: str
    bytes: int
    sha256: str
    file: str
    account: str
    created_at: datetime
    width: int | None
    height: int | None

    @property
    def picture(self) -> bool:
        return self.media_type in pictures.PICTURES

    @property
    def video(self) -> bool:
        return self.media_type in pictures.VIDEOS


_KEPT = select(*(_ATTACHMENT.c[name] for name in Kept.__dataclass_fields__))
#: more than anybody uploads to a ticket; a page shows no more
MOST = 500


def of_ticket(engine: Engine, ticket_id: int) -> list[Kept]:
    """The oldest first, at most MOST."""
    with reading(engine) as connection:
        rows = connection.execute(
            _KEPT.where(_ATTACHMENT.c.ticket_id == ticket_id).order_by(_ATTACHMENT.c.id).limit(MOST)
        )
        return [Kept(*row) for row in rows]


def one(engine: Engine, ticket_id: int, attachment_id: int) -> Kept | None:
    with reading(engine) as connection:
        question = _KEPT.where(_ATTACHMENT.c.ticket_id == ticket_id, _ATTACHMENT.c.id == attachment_id)
        row = connection.execute(question).first()
    return None if row is None else Kept(*row)


def already_there(engine: Engine, ticket_id: int, files: Sequence[Attachment]) -> dict[str, Kept]:
    """By SHA-256: what this ticket has of the same content."""
    with reading(engine) as connection:
        same = _ATTACHMENT.c.sha256.in_([file.sha256 for file in files])
        rows = connection.execute(_KEPT.where(_ATTACHMENT.c.ticket_id == ticket_id, same))
        return {kept.sha256: kept for kept in (Kept(*row) for row in rows)}


# ── what nobody refers to ──


def sweep(engine: Engine, folder: Folder, now: datetime, part: str = "??") -> int:
    """Removes files without a row that are older than a day, in one of PARTS or in all; gives how many."""
    old = [
        file for file in _files(folder, part) if now.timestamp() - file.stat().st_mtime > UNREFERENCED.total_seconds()
    ]
    removed = 0
    for some in (old[start : start + MOST] for start in range(0, len(old), MOST)):
        with reading(engine) as connection:
            names = [file.name for file in some]
            known = set(connection.execute(select(_ATTACHMENT.c.file).where(_ATTACHMENT.c.file.in_(names))).scalars())
        for file in some:
            if file.name not in known:
                file.unlink(missing_ok=True)
                removed += 1
    return removed


def _files(folder: Folder, part: str) -> Iterable[Path]:
    return (file for file in folder.path.glob(f"{part}/*") if file.is_file())
