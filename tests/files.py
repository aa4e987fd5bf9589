"""Small files of every kind that is taken, and some that are not, made here so that nothing binary is kept."""

from __future__ import annotations

import struct
import zlib


def png(width: int = 4, height: int = 3, shade: int = 0) -> bytes:
    """A picture of one colour; another `shade` is another file."""
    rows = b"".join(b"\0" + bytes([shade, 80, 160]) * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


GIF = b"GIF89a" + struct.pack("<HH", 7, 5) + b"\x80\0\0" + b"\0" * 6 + b"\x2c" + b"\0" * 9 + b"\x02\x02\x44\x01\0;"
JPEG = (
    b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x11\x08\0\x09\0\x0b" + b"\0" * 12 + b"\xff\xd9"
)
WEBP = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (15).to_bytes(3, "little") + (11).to_bytes(3, "little")
MP4 = b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + b"\0" * 100
MOV = b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + b"\0" * 100
WEBM = b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x86\x81\x01\x42\x82\x84webm" + b"\0" * 100
PDF = b"%PDF-1.7\n" + b"x" * 100

GOOD = {
    "image/png": png(), "image/gif": GIF, "image/jpeg": JPEG, "image/webp": WEBP, "video/mp4": MP4,
    "video/quicktime": MOV, "video/webm": WEBM, "application/pdf": PDF,
}  # fmt: skip
BAD = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": b"<!doctype html><script>alert(1)</script>" + b" " * 9000,
    "script": b"#!/bin/sh\nrm -rf /\n",
    "zip": b"PK\x03\x04" + b"\0" * 100,
    "exe": b"MZ" + b"\0" * 100,
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + b"\0" * 100,
    "text": "只是一段文字".encode(),
}
