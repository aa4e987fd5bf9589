"""Tables to take away: CSV that spreadsheets open without asking, and XLSX."""

from __future__ import annotations

import csv as files
import io
from collections.abc import Sequence

from fastapi import Response
from xlsxwriter import Workbook

Table = Sequence[Sequence[str]]
#: a cell that begins so is a formula to a spreadsheet
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_WIDEST = 60


def csv(name: str, table: Table) -> Response:
    """UTF-8 with a mark, so that Excel reads Chinese; a cell is never a formula."""
    written = io.StringIO()
    files.writer(written).writerows([_harmless(cell) for cell in row] for row in table)
    return _file(f"{name}.csv", "text/csv; charset=utf-8", written.getvalue().encode("utf-8-sig"))


def xlsx(name: str, table: Table) -> Response:
    """The first row stays in sight and can be filtered."""
    written = io.BytesIO()
    with Workbook(written, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet, bold = book.add_worksheet(), book.add_format({"bold": True})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        for place, row in enumerate(table):
            sheet.write_row(place, 0, row, bold if place == 0 else wrapped)
        for column, cells in enumerate(zip(*table, strict=True)):
            sheet.set_column(column, column, min(_WIDEST, 2 + 2 * max(map(len, cells))))
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, len(table) - 1, len(table[0]) - 1)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return _file(f"{name}.xlsx", kind, written.getvalue())


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _file(name: str, kind: str, content: bytes) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
