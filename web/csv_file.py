"""Tables for spreadsheets: CSV that opens in Excel with its Chinese, and in which no cell is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import Response

#: a cell that begins like this would be run as a formula
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: Any) -> str:
    """Text as it is, but never a formula. Numbers stay numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_answer(name: str, rows: Iterable[Sequence[Any]]) -> Response:
    """The file of this name, UTF-8 with the mark by which Excel knows it."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows([safe_cell(cell) for cell in row] for row in rows)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(b"\xef\xbb\xbf" + written.getvalue().encode("utf-8", "replace"), 200, headers, "text/csv")
