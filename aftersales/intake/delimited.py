"""CSV as shops' back offices write it: which encoding, which delimiter, where each record begins and ends.

Memory does not grow with the file: bytes are decoded and split as they are asked for. Each record keeps its text as it
stood in the file, so that a refused one can be handed back unchanged.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from aftersales.intake.errors import IntakeError

CHUNK = 1 << 20
#: characters looked at to find the delimiter
_SAMPLE = 1 << 16
_DELIMITERS = ",\t;"

_SAVE_AS = "请用 Excel 打开后「另存为」CSV UTF-8 或 .xlsx，再导入"


@dataclass(frozen=True, slots=True)
class Form:
    """How the file is written, so that another can be written the same way. `header` is its first record, verbatim."""

    encoding: str
    bom: str
    delimiter: str
    newline: str
    header: str

    def encode(self, text: str) -> bytes:
        """These characters as bytes of such a file (no byte order mark)."""
        return text.encode(self.encoding, _errors(self.encoding))


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its cells, or `fault`: why it has none. `text` is verbatim, with its line end."""

    line: int
    values: tuple[str, ...]
    text: str
    fault: str = ""


# ── Encoding ───────────────────────────────────────────────────────────────────────


def encoding_of(path: Path) -> str:
    """The encoding that the whole file decodes in: UTF-16 by its mark, else UTF-8, else GB18030. IntakeError if none.

    The whole file is tried before the first row is given, so that no import stops half-way at a byte it cannot read.
    """
    with path.open("rb") as file:
        start = file.read(4)
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if start.startswith(mark):
            return _or_refuse(path, encoding)
    if _first_bad_byte(path, "utf-8") is None:
        return "utf-8"
    if start.startswith(codecs.BOM_UTF8) or _says_utf_8(path):
        return _or_refuse(path, "utf-8")
    return _or_refuse(path, "gb18030")


def _or_refuse(path: Path, encoding: str) -> str:
    bad = _first_bad_byte(path, encoding)
    if bad is None:
        return encoding
    raise IntakeError(
        f"文件第 {_line_of(path, bad)} 行附近有认不出的字符（按 {encoding.upper()} 读到第 {bad + 1} 个字节处）。"
        f"文件可能不是表格、没有下载完整，或编码不是 UTF-8、UTF-16、GB18030。请重新下载；{_SAVE_AS}"
    )


def _first_bad_byte(path: Path, encoding: str) -> int | None:
    """The offset of the first byte that does not decode, None if all do."""
    decoder = codecs.getincrementaldecoder(encoding)(_errors(encoding))
    done = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK)
            kept = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return done - kept + error.start
            if not chunk:
                return None
            done += len(chunk)


def _says_utf_8(path: Path) -> bool:
    """Whether the first line holds Chinese written in UTF-8: then a bad byte further down is damage, not GB18030."""
    with path.open("rb") as file:
        line = file.readline(_SAMPLE)
    try:
        return not line.decode("utf-8").isascii()
    except UnicodeDecodeError:
        return False


def _line_of(path: Path, offset: int) -> int:
    with path.open("rb") as file:
        return 1 + sum(file.read(min(CHUNK, offset - at)).count(b"\n") for at in range(0, offset, CHUNK))


def _errors(encoding: str) -> str:
    """UTF-16 of Windows programs may hold half a surrogate pair: such a cell is reported with its row, not the file."""
    return "surrogatepass" if encoding.startswith("utf-16") else "strict"


# ── Records ────────────────────────────────────────────────────────────────────────


class _Lines:
    """The lines of a text, each with its line end; remembers those of the record being read."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self._taken: list[str] = []
        self._quotes = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline()
        if not line:
            raise StopIteration
        self._taken.append(line)
        self._quotes += line.count('"')
        return line

    @property
    def quote_is_open(self) -> bool:
        return self._quotes % 2 == 1

    def take(self) -> list[str]:
        taken, self._taken, self._quotes = self._taken, [], 0
        return taken


class CsvFile:
    """An open CSV file: `form`, its `header` cells, and its records after that, once."""

    def __init__(self, path: Path) -> None:
        """IntakeError if no encoding fits, the file is empty, or its first record is not a row of a table."""
        encoding = encoding_of(path)
        self.size = path.stat().st_size
        self._file = path.open("rb")
        # Held here: a wrapper that nobody holds closes the file below it.
        self._text = io.TextIOWrapper(self._file, encoding, _errors(encoding), newline="")
        try:
            bom = _skip_mark(self._text)
            delimiter = _delimiter_of(self._text, len(bom))
            self._records = _records(self._text, delimiter)
            first = next(self._records, None)
            if first is None:
                raise IntakeError("文件是空的。请重新从平台后台导出，再导入")
            if first.fault:
                raise IntakeError(f"第 {first.line} 行应该是列名，但{first.fault}。{_SAVE_AS}")
        except BaseException:
            self.close()
            raise
        self.header = first.values
        self.header_line = first.line
        ending = first.text[len(first.text.rstrip("\r\n")) :]
        self.form = Form(encoding, bom, delimiter, ending or "\r\n", first.text)

    def records(self) -> Iterator[Record]:
        """The records after the header, in the file's order; empty lines count but are not given."""
        return self._records

    def done(self) -> int:
        """Bytes read so far, of `size`."""
        return self.size if self._file.closed else self._file.tell()

    def close(self) -> None:
        self._text.close()


def _skip_mark(text: io.TextIOWrapper) -> str:
    bom = text.read(1)
    if bom == "\ufeff":
        return bom
    text.seek(0)
    return ""


def _delimiter_of(text: io.TextIOWrapper, skip: int) -> str:
    """The delimiter that splits the first record into most columns; leaves the text where its records begin."""
    sample = text.read(_SAMPLE).lstrip("\r\n")
    text.seek(0)
    text.read(skip)

    def columns(delimiter: str) -> int:
        try:
            return len(next(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), ()))
        except csv.Error:
            return 0

    return max(_DELIMITERS, key=columns)


def _records(text: IO[str], delimiter: str) -> Iterator[Record]:
    """Every record with anything in it. `line` counts records as a person does, empty ones too.

    A record that cannot be split is given with its fault and counts as many lines as it takes up: after an unbalanced
    quote nobody can say where the records would have been.
    """
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = _fault(error, lines)
            taken = lines.take()
            yield Record(line, (), "".join(taken), fault.format(lines=len(taken)))
            line += len(taken)
            continue
        record = Record(line, tuple(values), "".join(lines.take()))
        line += 1
        if any(value.strip() for value in values):
            yield record


def _fault(error: csv.Error, lines: _Lines) -> str:
    """Why a record cannot be split; reads on to its end where that is certain."""
    too_long = "field limit" in str(error)
    while too_long and lines.quote_is_open and next(lines, None) is not None:
        pass
    if lines.quote_is_open and (too_long or "end of data" in str(error)):
        return "有个引号一直没有闭合，文件余下的 {lines} 行都被读进了这一格；请补上引号后再导入"
    if too_long:
        return "有一格太长（超过 13 万字），请缩短后再导入"
    return '引号不成对，这里的 {lines} 行分不清格子；格子里的引号要写成两个（""），请改好后再导入'
