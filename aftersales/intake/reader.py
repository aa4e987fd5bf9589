"""A file as a platform exports it, read row by row: path -> Table -> Row. CSV or XLSX, told apart by content.

    with open_table(path) as table:
        for row in table.rows(): ...

What a table *means* is not known here; see shapes.py.
"""

from __future__ import annotations

import csv
import io
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

import python_calamine

from aftersales.intake import safe_zip
from aftersales.intake.cells import clean, spreadsheet_text, unstorable
from aftersales.intake.delimited import CsvFile, Form
from aftersales.intake.errors import IntakeError
from aftersales.intake.safe_zip import Limits

__all__ = ["Form", "IntakeError", "Limits", "Row", "Table", "open_table"]

_LEFT_OUT = "请重新导出一份带列名的表，第一行是列名"


@dataclass(frozen=True, slots=True)
class Row:
    """One row under the header. `line` counts records as a person does: the header is 1, empty ones count too."""

    line: int
    #: by column name, cleaned; empty if there is a fault
    cells: Mapping[str, str]
    #: the row as the reject file holds it: verbatim from a CSV
    text: str = field(repr=False)
    #: why the row could not be split into the header's columns, Chinese
    fault: str = ""


class Table(Protocol):
    """An open file with a header. Rows can be read once."""

    columns: tuple[str, ...]
    #: how to write another file like it
    form: Form
    #: what a person should know of the reading, such as sheets left aside, Chinese
    remarks: tuple[str, ...]

    def rows(self) -> Iterator[Row]: ...

    def progress(self) -> tuple[int, int]:
        """(done, total), in bytes or rows: for a progress bar."""

    def close(self) -> None: ...

    def __enter__(self) -> Table: ...

    def __exit__(self, *_: object) -> None: ...


def open_table(path: Path | str, limits: Limits | None = None) -> Table:
    """Open a CSV or XLSX file and read its header. IntakeError says, in Chinese, why not and what to do."""
    path, limits = Path(path), limits or Limits()
    try:
        start = _start_of(path, limits)
        return XlsxTable(path, limits) if start.startswith(b"PK\x03\x04") else CsvTable(path)
    except FileNotFoundError:
        raise IntakeError(f"没有文件「{path}」。请检查路径和文件名") from None
    except PermissionError:
        raise IntakeError(f"没有权限读文件「{path}」。请检查文件权限，或复制一份再导入") from None
    except OSError as error:
        raise IntakeError(f"读不了文件「{path}」（{error.strerror or error}）。请复制到本机再导入") from error


def _start_of(path: Path, limits: Limits) -> bytes:
    """The first bytes, after refusing what is no file, too large, or a kind we do not read."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise IntakeError(f"「{path}」不是文件。请给出导出的 CSV 或 .xlsx 文件")
    if status.st_size > limits.file_bytes:
        size, most = status.st_size >> 20, limits.file_bytes >> 20
        raise IntakeError(f"文件有 {size} MB，最多 {most} MB。请按月分几次导出再导入")
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise IntakeError("这是旧版 Excel（.xls）或加了密码的文件。请在 Excel 里取消密码，另存为 .xlsx 再导入")
    if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        raise IntakeError("这是网页或 XML 文件，只是名字像表格。请用 Excel 打开后另存为 .xlsx 再导入")
    return start


class _Table:
    """What both kinds of file share."""

    columns: tuple[str, ...]
    form: Form
    remarks: tuple[str, ...] = ()

    def _row(self, line: int, values: Sequence[str], text: str) -> Row:
        """A row by column name; a row with more or fewer cells than the header cannot be read safely."""
        width = len(self.columns)
        if len(values) < width or any(map(clean, values[width:])):
            fault = f"这一行有 {len(values)} 格，列名有 {width} 个；多半是格子里的逗号或引号没有处理好，请对照列名改好"
            return Row(line, {}, text, fault)
        return Row(line, {name: clean(value) for name, value in zip(self.columns, values, strict=False)}, text)

    def close(self) -> None:
        """Nothing is left open by default."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CsvTable(_Table):
    def __init__(self, path: Path) -> None:
        self._file = CsvFile(path)
        self.form = self._file.form
        try:
            self.columns = _column_names(self._file.header)
        except IntakeError:
            self.close()
            raise

    def rows(self) -> Iterator[Row]:
        for record in self._file.records():
            if record.fault:
                yield Row(record.line, {}, record.text, record.fault)
            else:
                yield self._row(record.line, record.values, record.text)

    def progress(self) -> tuple[int, int]:
        return self._file.done(), self._file.size

    def close(self) -> None:
        self._file.close()


class XlsxTable(_Table):
    """The first visible sheet that holds anything. Its rejects are written as CSV UTF-8, which Excel opens too."""

    def __init__(self, path: Path, limits: Limits) -> None:
        safe_zip.check(path, limits)
        sheet, others = _first_sheet(path)
        if others:
            self.remarks = (f"只读了工作表「{sheet.name}」，没有读：{'、'.join(others)}",)
        self._total = sheet.total_height
        self._line = 0
        self._cells = sheet.iter_rows()
        header: list[str] = []
        while not any(map(clean, header)):
            header = self._next() or []
        self.columns = _column_names(header)
        self.form = Form("utf-8", "\ufeff", ",", "\r\n", _as_csv(self.columns))

    def _next(self) -> list[str] | None:
        cells = next(self._cells, None)
        if cells is None:
            return None
        self._line += 1
        return [spreadsheet_text(cell) for cell in cells]

    def rows(self) -> Iterator[Row]:
        while (values := self._next()) is not None:
            if any(map(clean, values)):
                yield self._row(self._line, values, _as_csv(values))

    def progress(self) -> tuple[int, int]:
        return self._line, self._total


def _first_sheet(path: Path) -> tuple[python_calamine.CalamineSheet, list[str]]:
    """The first visible sheet with anything in it, and the names of the other visible ones that are not empty."""
    try:
        book = python_calamine.load_workbook(str(path))
        shows = python_calamine.SheetVisibleEnum.Visible
        visible = [sheet.name for sheet in book.sheets_metadata if sheet.visible == shows]
        used = [sheet for sheet in map(book.get_sheet_by_name, visible) if sheet.height]
    except BaseException as error:
        # A damaged file makes the Rust below panic, and PyO3's PanicException is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise IntakeError("这个 Excel 文件读不了，可能已损坏。请用 Excel 打开后另存为 .xlsx 或 CSV，再导入") from error
    if not used:
        raise IntakeError("Excel 文件里没有数据。请重新从平台后台导出，再导入")
    return used[0], [sheet.name for sheet in used[1:]]


def _column_names(header: Sequence[str]) -> tuple[str, ...]:
    """The names in the header, trailing empty ones dropped. IntakeError if it is none, or names repeat."""
    names = [clean(cell) for cell in header]
    while names and not names[-1]:
        names.pop()
    if any(map(unstorable, names)):
        raise IntakeError(f"第一行有认不出的字符，可能是编码不对，或不是表格文件。{_LEFT_OUT}")
    if len(names) < 2:
        raise IntakeError(f"这不像表格：第一行只有一格。列之间要用逗号、制表符或分号隔开。{_LEFT_OUT}")
    twice = [name for name, count in Counter(filter(None, names)).items() if count > 1]
    if twice:
        raise IntakeError(f"列名重复：{'、'.join(twice)}。请删掉或改名，每个列名只留一列")
    return tuple(name or f"（第 {place} 列）" for place, name in enumerate(names, start=1))


def _as_csv(values: Sequence[str]) -> str:
    """A CSV record of these texts that Excel shows as they are: a tab keeps it from computing or shortening them."""
    line = io.StringIO(newline="")
    csv.writer(line).writerow([_kept_as_text(value) for value in values])
    return line.getvalue()


def _kept_as_text(value: str) -> str:
    if value.startswith(("=", "+", "-", "@")):
        return f"\t{value}"
    return f"{value}\t" if len(value) > 10 and value.isdigit() else value
