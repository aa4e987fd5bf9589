"""What an uploaded file is, by its content alone: neither its name nor the word of a browser counts.

Allowed are pictures, videos and PDF. Whatever could run as a page (SVG, HTML) is not among them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import filetype

#: how much of the beginning of a file is looked at, in bytes
HEAD = 8192
PICTURES = {"image/jpeg", "image/png", "image/webp", "image/gif"}
VIDEOS = {"video/mp4", "video/webm", "video/quicktime"}
PDF = "application/pdf"
#: what filetype calls by another name
_SAME = {"image/apng": "image/png", "video/x-m4v": "video/mp4"}
#: what phones and cameras write at the beginning of an MP4
_MP4_BRANDS = {
    b"isom",
    b"iso2",
    b"iso4",
    b"iso5",
    b"iso6",
    b"mp41",
    b"mp42",
    b"avc1",
    b"M4V ",
    b"MSNV",
    b"3gp4",
    b"3gp5",
}


def media_type(head: bytes) -> str:
    """Of a file that begins like this; "" for what is not known, or not allowed. "image/heic" is told apart."""
    found = filetype.guess(head)
    kind = "" if found is None else _SAME.get(found.mime, found.mime)
    if kind in PICTURES | VIDEOS | {PDF, "image/heic"}:
        return str(kind)
    return "video/mp4" if head[4:8] == b"ftyp" and head[8:12] in _MP4_BRANDS else ""


def size(kind: str, head: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels, where the beginning of the picture says so."""
    read = _SIZES.get(kind)
    try:
        found = read(head) if read else None
    except struct.error:
        return None
    return found if found and all(0 < side < 100_000 for side in found) else None


def _png(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _gif(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", head[6:10])
    return width, height


def _webp(head: bytes) -> tuple[int, int] | None:
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """The frame header, which stands behind what the camera wrote."""
    place = 2
    while place + 9 < len(head) and head[place] == 0xFF:
        marker, length = head[place + 1], int.from_bytes(head[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[place + 5 : place + 9])
            return width, height
        place += 2 + length
    return None


_SIZES: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "image/png": _png, "image/gif": _gif, "image/webp": _webp, "image/jpeg": _jpeg,
}  # fmt: skip
