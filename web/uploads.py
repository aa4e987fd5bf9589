"""A form with files, taken apart while it arrives: files go to the evidence folder piece by piece, never to memory.

Starlette's own parser would first put every file into a temporary directory, which may be memory, and look at it only
when all of it is there; this one looks at the first kilobytes and stops writing what it does not take.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import HTTPException, Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from aftersales.office.evidence import Folder, Incoming, shown_name
from aftersales.saying import Said
from aftersales.ticket import Attachment
from web import words
from web.i18n import gettext

#: files in one upload, texts beside them, and how long those may be (bytes)
MOST_FILES, _MOST_TEXTS, _LONGEST_TEXTS = 20, 200, 2 * 1024 * 1024
TOO_MANY = "一次最多传 20 个文件，请分几次上传"
DISK_FULL = "服务器的磁盘满了，这次的文件没有存下。"
CANNOT_WRITE = "凭证文件夹现在写不进去，这次的文件没有存下。"
CUT_OFF = "上传到一半断了，这次的文件没有存下，请再传一次"


def too_long(longest: int) -> str:
    return gettext("一次上传最多 {mb} MB，什么也没有存下。请分几次上传，或先压缩", mb=longest // 1_000_000)


@dataclass
class Received:
    """What a form brought: texts, files by the name of their input, and why some files were not taken."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    files: list[tuple[str, Attachment]] = field(default_factory=list)
    problems: list[Said | str] = field(default_factory=list)


async def received(request: Request, folder: Folder, longest: int) -> Received:
    """The files lie in the folder then. `longest`: of all of it, in bytes.

    HTTPException 400, 413 or 507, with a sentence: nothing of it is kept.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise HTTPException(400, words.BROKEN_FORM)
    form, length = _Form(folder, boundary), 0
    try:
        async for piece in request.stream():
            length += len(piece)
            if length > longest:
                raise HTTPException(413, too_long(longest))
            await run_in_threadpool(form.feed, piece)
        if not form.whole:
            raise HTTPException(400, CUT_OFF)
    except MultipartParseError:
        await run_in_threadpool(form.drop)
        raise HTTPException(400, words.BROKEN_FORM) from None
    except OSError as problem:
        await run_in_threadpool(form.drop)
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise HTTPException(507, DISK_FULL if full else CANNOT_WRITE) from None
    except ClientDisconnect:
        await run_in_threadpool(form.drop)
        raise HTTPException(400, CUT_OFF) from None  # nobody is there to read it
    except BaseException:
        form.drop()
        raise
    return form.received


class _Form:
    """One multipart body. `feed` it; `whole` once its end has come; `drop` removes the files it wrote."""

    def __init__(self, folder: Folder, boundary: bytes) -> None:
        self.received, self.whole = Received(), False
        self._folder = folder
        self._header, self._value = b"", b""
        self._name, self._text, self._texts_length = "", b"", 0
        self._incoming: Incoming | None = None
        self._parser = MultipartParser(boundary, self._callbacks())

    def feed(self, piece: bytes) -> None:
        self._parser.write(piece)

    def drop(self) -> None:
        if self._incoming is not None:
            self._incoming.drop()
        for _, file in self.received.files:
            self._folder.remove(file.file)

    def _callbacks(self) -> Any:
        found: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin, "on_part_data": self._data, "on_part_end": self._end,
            "on_header_field": self._on_header, "on_header_value": self._on_value, "on_header_end": self._on_header_end,
            "on_end": self._on_end,
        }  # fmt: skip
        return found

    def _begin(self) -> None:
        self._name, self._text, self._incoming = "", b"", None

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        header, value, self._header, self._value = self._header.lower(), self._value, b"", b""
        if header != b"content-disposition":
            return
        _, options = parse_options_header(value)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options:
            given = options[b"filename"].decode("utf-8", "replace")
            self._incoming = Incoming(self._folder, shown_name(given)) if given else Incoming(self._folder, "")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._incoming is not None:
            if len(self.received.files) >= MOST_FILES:
                raise HTTPException(413, TOO_MANY)
            self._incoming.write(data[start:end])
            return
        self._texts_length += end - start
        if self._texts_length > _LONGEST_TEXTS or len(self.received.texts) >= _MOST_TEXTS:
            raise HTTPException(413)
        self._text += data[start:end]

    def _end(self) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            self.received.texts.append((self._name, self._text.decode("utf-8", "replace").replace("\r\n", "\n")))
            return
        if not incoming.name and not incoming.length:
            return  # an input in which nothing was chosen
        file = incoming.close()
        if file is not None:
            self.received.files.append((self._name, file))
        elif incoming.problem is not None:
            self.received.problems.append(incoming.problem.message)

    def _on_end(self) -> None:
        self.whole = True
