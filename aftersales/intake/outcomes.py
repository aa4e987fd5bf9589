"""A whole file, row by row, with repeats inside it found.

    with open_intake(path) as intake, Report(intake.form, *beside(path)) as report:
        for outcome in intake.outcomes(now):
            match outcome:
                case Good(): ...            # give outcome.ticket to the desk
                case Bad(): report.refuse(outcome.row, outcome.problems)
                case Again(): ...           # count it
                case Differs(): report.refuse(outcome.row, outcome.problems)

`difference` words a difference from a ticket known from elsewhere (the database) in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aftersales.intake.cells import shown
from aftersales.intake.kuaishou import KUAISHOU
from aftersales.intake.reader import Form, Limits, Row, Table, open_table
from aftersales.intake.rows import WHOLE_ROW, ImportedTicket, RowProblem, changed_fields, content_shown, read
from aftersales.intake.shapes import Layout, Shape, recognise

SHAPES: tuple[Shape, ...] = (KUAISHOU,)


@dataclass(frozen=True, slots=True)
class Good:
    """A row that can be imported."""

    row: Row
    ticket: ImportedTicket


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that cannot."""

    row: Row
    problems: tuple[RowProblem, ...]


@dataclass(frozen=True, slots=True)
class Again:
    """A ticket that stands further up in the file with the same content: already there."""

    row: Row
    ticket: ImportedTicket
    first_line: int


@dataclass(frozen=True, slots=True)
class Differs:
    """A ticket that stands further up in the file with other content. Which one is right is for a person to say."""

    row: Row
    ticket: ImportedTicket
    first_line: int
    #: the fields of ImportedTicket that differ
    changed: tuple[str, ...]
    problems: tuple[RowProblem, ...]


Outcome = Good | Bad | Again | Differs


def difference(
    ticket: ImportedTicket, layout: Layout, changed: Sequence[str], where: str, said: Mapping[str, str] | None = None
) -> tuple[RowProblem, ...]:
    """One problem for each field that differs from what is already known.

    `where` says where that stands (第 3 行), `said` what stands there, if it was kept, spelt as `content` is.
    """
    before = {name: f"（那时是「{content_shown(name, said.get(name, ''))}」）" for name in changed} if said else {}
    return tuple(
        RowProblem(
            ticket.line,
            layout.columns.get(name, WHOLE_ROW),
            shown(ticket.raw.get(layout.columns.get(name, ""), "")),
            f"{where}已有同一个售后单号，内容却不同{before.get(name, '')}，没有采用这一行；"
            "请到平台后台核对哪一个是对的，再处理这一单",
        )
        for name in [name for name in changed if name in layout.columns] or [WHOLE_ROW]
    )


class Intake:
    """An open file whose shape is known. Use with `with`."""

    def __init__(self, table: Table, layout: Layout) -> None:
        self._table, self.layout = table, layout

    @property
    def form(self) -> Form:
        return self._table.form

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know before trusting the result, Chinese."""
        remarks = list(self._table.remarks)
        if self.layout.absent:
            remarks.append(f"文件里没有这些列，当作空的：{'、'.join(self.layout.absent)}")
        if self.layout.unknown:
            remarks.append(f"这些列不认识，原样保存、不作处理：{'、'.join(self.layout.unknown)}")
        return tuple(remarks)

    def progress(self) -> tuple[int, int]:
        """(done, total), in bytes or rows."""
        return self._table.progress()

    def outcomes(self, now: datetime) -> Iterator[Outcome]:
        """Every row, once, in the file's order. `now` is aware; a time after it is a mistake in the file."""
        # By ticket number: its line and its marks. Some 250 bytes a ticket, so a million rows fit.
        seen: dict[str, tuple[int, str, bytes]] = {}
        for row in self._table.rows():
            ticket = read(row, self.layout, now)
            if not isinstance(ticket, ImportedTicket):
                yield Bad(row, ticket)
                continue
            first_line, fingerprint, marks = seen.setdefault(
                ticket.platform_ticket_no, (row.line, ticket.fingerprint, ticket.marks)
            )
            if first_line == row.line:
                yield Good(row, ticket)
            elif fingerprint == ticket.fingerprint:
                yield Again(row, ticket, first_line)
            else:
                changed = changed_fields(marks, ticket.marks)
                problems = difference(ticket, self.layout, changed, f"第 {first_line} 行")
                yield Differs(row, ticket, first_line, changed, problems)

    def __enter__(self) -> Intake:
        return self

    def __exit__(self, *_: object) -> None:
        self._table.close()


def open_intake(path: Path | str, limits: Limits | None = None) -> Intake:
    """Open a file and recognise its shape. IntakeError, in Chinese, if that cannot be done."""
    table = open_table(path, limits)
    try:
        return Intake(table, recognise(table.columns, SHAPES))
    except BaseException:
        table.close()
        raise
