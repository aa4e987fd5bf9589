"""Tables as files that spreadsheets open: CSV (UTF-8 with a mark, so that Excel reads it) and XLSX.

A cell that begins like a formula is text, whoever wrote it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xlsxwriter

#: what spreadsheets take for the beginning of a formula
FORMULA = ("=", "+", "-", "@", "\t", "\r")
LONGEST_NAME = 31


@dataclass(frozen=True)
class Sheet:
    """A table: `rows` hold text, whole numbers, fractions, or None for what is not known."""

    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


def as_csv(sheets: Sequence[Sheet]) -> bytes:
    """All tables one below the other, each with its name above and an empty line after it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    for sheet in sheets:
        writer.writerow([plain(sheet.name)])
        writer.writerow([plain(cell) for cell in sheet.head])
        writer.writerows([plain(cell) for cell in row] for row in sheet.rows)
        writer.writerow([])
    return out.getvalue().encode("utf-8-sig", "replace")


def plain(cell: Any) -> Any:
    """Text that no spreadsheet will run."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def as_xlsx(sheets: Sequence[Sheet]) -> bytes:
    """One worksheet for each table."""
    out = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        bold = book.add_format({"bold": True})
        for place, sheet in enumerate(sheets, 1):
            page = book.add_worksheet(_name(sheet.name, place))
            page.freeze_panes(1, 0)
            page.write_row(0, 0, sheet.head, bold)
            for line, row in enumerate(sheet.rows, 1):
                page.write_row(line, 0, row)
    return out.getvalue()


def _name(name: str, place: int) -> str:
    """Worksheets forbid some characters, long names and two of the same."""
    kept = "".join(char for char in name if char not in "[]:*?/\\'")
    return f"{place} {kept}"[:LONGEST_NAME]
