"""What a person gets back from an import: a report of what was wrong, and the refused rows to mend and import again.

The report is a table (行号, 列, 内容, 原因) that Excel opens, with nothing in it that Excel would compute. The reject
file has the header, encoding, delimiter and line ends of the input, and each row's text unchanged. Both are written
beside their final place and put there when all is done; a file of an earlier import, perhaps half mended, is never
overwritten.
"""

from __future__ import annotations

import csv
import filecmp
import io
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from aftersales.intake.errors import IntakeError
from aftersales.intake.reader import Form, Row
from aftersales.intake.rows import RowProblem

HEADER = ("行号", "列", "内容", "原因")


@dataclass(frozen=True, slots=True)
class Written:
    """Where the two files are; None for one that there was nothing to put in."""

    report: Path | None = None
    rejects: Path | None = None


def beside(path: Path) -> tuple[Path, Path]:
    """Where report and rejects go unless told otherwise: export.csv -> export.report.csv, export.rejected.csv."""
    return path.with_name(f"{path.stem}.report.csv"), path.with_name(f"{path.stem}.rejected.csv")


class Report:
    """Collects refusals while the file is read. Use with `with`; `written` is known afterwards.

    If the block raises, nothing is left behind. IntakeError if the folder cannot be written to.
    """

    def __init__(self, form: Form, report: Path, rejects: Path) -> None:
        self.problems = self.rejected = 0
        self.written = Written()
        self._form = form
        self._report = _Draft(report)
        try:
            self._rejects = _Draft(rejects)
        except IntakeError:
            self._report.drop()
            raise

    def refuse(self, row: Row, problems: Iterable[RowProblem]) -> None:
        """Report a row that was not taken, with every reason, and hand it back."""
        for problem in problems:
            if not self.problems:
                self._report.write(("\ufeff" + _line(HEADER)).encode())
            self._report.write(_line((str(problem.line), problem.column, problem.value, problem.reason)).encode())
            self.problems += 1
        if not self.rejected:
            self._rejects.write(self._form.encode(self._form.bom + self._ended(self._form.header)))
        self._rejects.write(self._form.encode(self._ended(row.text)))
        self.rejected += 1

    def _ended(self, text: str) -> str:
        """The text with a line end: the last record of a file may lack one."""
        return text if text.endswith(("\n", "\r")) else text + self._form.newline

    def __enter__(self) -> Report:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.written = Written(self._report.keep(), self._rejects.keep())
        finally:
            self._report.drop()
            self._rejects.drop()


class _Draft:
    """A file being written under a temporary name, readable by its owner alone: the rows name buyers."""

    def __init__(self, target: Path) -> None:
        self._target = target
        try:
            handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
        except OSError as error:
            raise IntakeError(
                f"不能在「{target.parent}」里写报告（{error.strerror}）。请换一个能写的文件夹存放导入的文件，或另外指定报告的位置"
            ) from error
        self._name = Path(name)
        self._file: IO[bytes] = os.fdopen(handle, "wb")

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def keep(self) -> Path | None:
        """Put the file in its place, or beside an older one that differs; nothing written, no file."""
        self._file.close()
        if not self._name.stat().st_size:
            self._name.unlink()
            return None
        for number in range(1, 10_000):
            place = self._target if number == 1 else self._target.with_stem(f"{self._target.stem}-{number}")
            if not place.exists() or filecmp.cmp(place, self._name, shallow=False):
                return self._name.replace(place)
        raise IntakeError(f"「{self._target.parent}」里的旧报告太多。请移走旧的，再导入")

    def drop(self) -> None:
        self._file.close()
        self._name.unlink(missing_ok=True)


def _line(cells: Iterable[str]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line).writerow([_harmless(cell) for cell in cells])
    return line.getvalue()


def _harmless(cell: str) -> str:
    """A text that Excel neither computes (a quote mark before = + - @ tab) nor shortens (a tab after long numbers)."""
    if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{cell}"
    return f"{cell}\t" if len(cell) > 11 and cell.isdigit() else cell
