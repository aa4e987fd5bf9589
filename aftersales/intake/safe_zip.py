"""Is this .xlsx safe to open? A spreadsheet of 2 KB can ask for 500 GB (measured: the process is aborted, no error).

Three ways are closed, before anything opens the file: packed data that unpacks without end; two cells in far corners,
since the reader allocates the whole rectangle between them (tafia/calamine#693); one long text that a million cells
share, since the reader copies it for each. Cells whose value the reader would lose without a word are found too.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aftersales.intake.errors import IntakeError

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one file may ask for."""

    #: bytes on disk
    file_bytes: int = 1 << 30
    #: bytes of all parts of a spreadsheet, unpacked
    unpacked_bytes: int = 1 << 30
    #: cells in the rectangle that encloses all used ones
    cells: int = 30_000_000
    #: bytes of text of all cells together
    text_bytes: int = 1 << 30


_SPLIT = "请按月分几次导出，或另存为 CSV 再导入"
_TOO_BIG = f"这个 Excel 文件展开后太大，程序不会打开它。{_SPLIT}"
_BROKEN = "这个 Excel 文件打不开：可能没有下载完整。请重新下载，或用 Excel 打开后另存为 .xlsx 再导入"
_REF = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,7})([0-9]{1,9})["']""")
_SHARED = re.compile(rb"""\bv(?:\s[^<>]*)?>\s*([0-9]{1,8})\s*<""")
_STRING_END = re.compile(rb"""</(?:\w+:)?si\s*>|<(?:\w+:)?si\s*/>""")
# An error value (#N/A), or a formula that the program which wrote it never computed: the reader gives an empty text.
_LOST = re.compile(
    rb"""<(?:\w+:)?c\s(?:[^<>]*\s)?(?:t\s*=\s*["']e["'])[^<>]*>|<(?:\w+:)?f(?:\s[^<>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)\s*</(?:\w+:)?c>"""
)
_LOST_SIGNS = (b'"e"', b"'e'", b"f></", b"/></")


@dataclass(slots=True)
class _Seen:
    """What the parts of a workbook ask for, gathered while they are unpacked once."""

    limits: Limits
    unpacked: int = 0
    lost: bool = False
    #: the largest row and column number used in the part being looked at
    rows: int = 1
    columns: int = 1
    #: bytes of each shared text, and of the one being looked at
    string_bytes: list[int] = field(default_factory=list)
    string_so_far: int = 0
    #: how often each shared text is used
    used: Counter[int] = field(default_factory=Counter)

    def text_bytes(self) -> int:
        lengths = self.string_bytes
        return sum(lengths[index] * times for index, times in self.used.items() if index < len(lengths))


def check(path: Path, limits: Limits) -> None:
    """IntakeError if the workbook asks for more than the limits, is damaged, or has values that would be lost."""
    seen = _Seen(limits)
    try:
        with zipfile.ZipFile(path) as workbook:
            for part in workbook.infolist():
                if part.flag_bits & 1:
                    raise IntakeError("这个 Excel 文件加了密码。请在 Excel 里取消密码后另存，再导入")
                _look_at(workbook, part, seen)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OSError, zlib.error) as error:
        raise IntakeError(_BROKEN) from error
    if seen.text_bytes() > limits.text_bytes:
        raise IntakeError(_TOO_BIG)
    if seen.lost:
        raise IntakeError(
            "表里有公式出错（如 #N/A）或没有结果。请在 Excel 里全选、复制、「选择性粘贴」为数值，改好出错的格再导入"
        )


def _look_at(workbook: zipfile.ZipFile, part: zipfile.ZipInfo, seen: _Seen) -> None:
    """Looked at as if it held cells and texts: which parts do is for the file to say, so not to be trusted."""
    seen.rows = seen.columns = 1
    for piece in _pieces(workbook, part, seen):
        _look_at_strings(piece, seen)
        _look_at_cells(piece, seen)


def _pieces(workbook: zipfile.ZipFile, part: zipfile.ZipInfo, seen: _Seen) -> Iterator[bytes]:
    """The part, unpacked, in pieces that end with a cell or a shared text, if one ends there at all."""
    rest = b""
    with workbook.open(part) as file:
        while chunk := file.read(CHUNK):
            seen.unpacked += len(chunk)
            if seen.unpacked > seen.limits.unpacked_bytes:
                raise IntakeError(_TOO_BIG)
            rest += chunk
            cut = max(rest.rfind(b"c>") + 2, rest.rfind(b"si>") + 3)
            cut = cut if cut > 2 else len(rest)
            yield rest[:cut]
            rest = rest[cut:]
    yield rest


def _look_at_strings(piece: bytes, seen: _Seen) -> None:
    start = -seen.string_so_far
    for end in _STRING_END.finditer(piece):
        seen.string_bytes.append(end.start() - start)
        start = end.end()
    seen.string_so_far = len(piece) - start


def _look_at_cells(piece: bytes, seen: _Seen) -> None:
    for letters, digits in set(_REF.findall(piece)):
        seen.rows = max(seen.rows, int(digits))
        seen.columns = max(seen.columns, _column_number(letters))
    if seen.rows * seen.columns > seen.limits.cells:
        used = f"第 {seen.rows} 行、第 {seen.columns} 列"
        raise IntakeError(f"这个工作表用到了{used}，太大了。请删掉远处多余的格子；{_SPLIT}")
    seen.used.update(map(int, _SHARED.findall(piece)))
    # The four plain texts are looked for first because the pattern is slow and nearly no file has any of them.
    seen.lost = seen.lost or (any(sign in piece for sign in _LOST_SIGNS) and _LOST.search(piece) is not None)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
