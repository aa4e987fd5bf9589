"""The reading half of `aftersales import FILE`: a platform's export becomes tickets and reported problems.

path -> reader (cells) -> shapes (which platform) -> rows (one ticket or its problems) -> outcomes (repeats) -> report.
Nothing here knows the database, the engine or the time; the writing half, run.py, does.
"""

from aftersales.intake.errors import IntakeError
from aftersales.intake.outcomes import (
    SHAPES,
    Again,
    Bad,
    Differs,
    Good,
    Intake,
    Outcome,
    difference,
    open_intake,
)
from aftersales.intake.reader import Limits, Row
from aftersales.intake.report import Report, Written, beside
from aftersales.intake.rows import CONTENT, ImportedTicket, RowProblem

__all__ = [
    "CONTENT",
    "SHAPES",
    "Again",
    "Bad",
    "Differs",
    "Good",
    "ImportedTicket",
    "Intake",
    "IntakeError",
    "Limits",
    "Outcome",
    "Report",
    "Row",
    "RowProblem",
    "Written",
    "beside",
    "difference",
    "open_intake",
]
