"""The writing half of `aftersales import FILE`: rows become tickets at the desk, and every other row is answered for.

Rows go to the desk 500 at a time, a transaction for each shop among them. Killed in the middle, an import leaves whole
batches and no half ones; the same file again does the rest.

A ticket is known again by shop, platform and its number there. What the platform said of it is kept in the event that
opened it: an event never changes and is sealed, while the ticket moves on with what agents and clocks do. So a row is
already there if it says what it said at its import, wherever the ticket has gone since. If it says anything else, that
is a difference for a person to decide: reported, handed back, never taken. What was read first stays.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aftersales import arrivals, clock, intake, store
from aftersales.arrivals import PLATFORM_CONTENT, Landed
from aftersales.database import Violation, reading
from aftersales.decide import Imported
from aftersales.desk import Desk
from aftersales.errors import Refused
from aftersales.intake.cells import shown
from aftersales.intake.rows import WHOLE_ROW
from aftersales.intake.shapes import Layout
from aftersales.ticket import Ticket
from aftersales.workflows import facts

if TYPE_CHECKING:
    from aftersales.application import Application
    from aftersales.catalog import Catalog

log = logging.getLogger(__name__)

#: rows that go to the desk together: few enough that others who write wait for some tens of milliseconds only
BATCH = 500

Progress = Callable[[int, int], None]


@dataclass
class Summary:
    """What became of the rows of one file. Every row is counted once."""

    opened: int = 0
    already_there: int = 0
    differing: int = 0
    refused: int = 0
    #: the tickets opened, by (workflow, state) and by shop
    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    shops: Counter[str] = field(default_factory=Counter)
    #: shops that were not known before this file
    new_shops: list[str] = field(default_factory=list)
    #: tickets opened without a clock, because the platform's deadline had passed before the import
    past_due: int = 0
    remarks: tuple[str, ...] = ()
    written: intake.Written = field(default_factory=intake.Written)

    @property
    def settled(self) -> bool:
        """Nothing in the file needs an answer."""
        return not self.differing and not self.refused

    def to_json(self) -> dict[str, Any]:
        states: dict[str, dict[str, int]] = {}
        for (workflow, state), count in sorted(self.states.items()):
            states.setdefault(workflow, {})[state] = count
        return {
            "opened": self.opened,
            "already_there": self.already_there,
            "differing": self.differing,
            "refused": self.refused,
            "settled": self.settled,
            "states": states,
            "shops": dict(self.shops),
            "new_shops": self.new_shops,
            "past_due": self.past_due,
            "remarks": list(self.remarks),
            "report": self.written.report and str(self.written.report),
            "rejects": self.written.rejects and str(self.written.rejects),
        }


def import_file(
    desk: Desk,
    path: Path | str,
    *,
    now: datetime,
    report: Path | None = None,
    rejects: Path | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Import a platform's export. Report and rejects go beside it unless told otherwise; `progress(done, total)`.

    IntakeError: the file cannot be read, or there is no place for its report; nothing was imported.
    """
    usual = intake.beside(Path(path))
    with intake.open_intake(path) as file:
        with intake.Report(file.form, report or usual[0], rejects or usual[1]) as problems:
            importing = _Importing(desk, file.layout, problems, now)
            for turn, outcomes in enumerate(_batches(file.outcomes(now)), start=1):
                importing.take(outcomes)
                if len(outcomes) == BATCH and turn.bit_count() == 1:  # the 1st, 2nd, 4th, 8th ...
                    arrivals.keep_statistics(desk.engine)
                if progress is not None:
                    progress(*file.progress())
        importing.summary.remarks = file.remarks
    importing.summary.written = problems.written
    return importing.summary


def _batches(outcomes: Iterator[intake.Outcome]) -> Iterator[list[intake.Outcome]]:
    while batch := list(islice(outcomes, BATCH)):
        yield batch


class _Importing:
    """One import under way."""

    def __init__(self, desk: Desk, layout: Layout, report: intake.Report, now: datetime) -> None:
        self.desk, self.layout, self.report, self.now = desk, layout, report, now
        self.summary = Summary()
        self._shops: set[str] = set()

    def take(self, outcomes: Sequence[intake.Outcome]) -> None:
        """The desk first, then the answers, in the order of the file."""
        landed = self._to_the_desk(one for one in outcomes if isinstance(one, intake.Good | intake.Again))
        for outcome in outcomes:
            if isinstance(outcome, intake.Good | intake.Again):
                self._answer(outcome, landed[outcome.row.line])
            elif isinstance(outcome, intake.Differs):
                self._differs(outcome.row, outcome.problems)
            else:
                self._refuse(outcome.row, outcome.problems)

    def _to_the_desk(self, rows: Iterable[intake.Good | intake.Again]) -> dict[int, Landed]:
        """What became of each, by line. A repeat goes too: only the desk knows whether its first was taken."""
        of_shop: dict[str, list[intake.ImportedTicket]] = {}
        for row in rows:
            of_shop.setdefault(row.ticket.shop_name, []).append(row.ticket)
        landed: dict[int, Landed] = {}
        for shop, tickets in of_shop.items():
            self._note_if_new(shop)
            found = self._import(shop, tickets)
            landed |= zip((ticket.line for ticket in tickets), found, strict=True)
        return landed

    def _import(self, shop: str, tickets: Sequence[intake.ImportedTicket]) -> list[Landed]:
        """What the database does not take stops one row only: it is looked for by halves."""
        imported = [_as_the_desk_takes_it(ticket, self.layout) for ticket in tickets]
        try:
            return self.desk.import_tickets(imported, shop=shop, now=self.now)
        except (Violation, store.Taken) as refused:
            if len(tickets) == 1:
                log.exception("line %s is refused by the database", tickets[0].line)
                return [Refused("invalid_field", f"数据库没有收下这一行（{refused}），请把这句话交给管理员")]
        middle = len(tickets) // 2
        return self._import(shop, tickets[:middle]) + self._import(shop, tickets[middle:])

    def _note_if_new(self, shop: str) -> None:
        if shop in self._shops:
            return
        self._shops.add(shop)
        with reading(self.desk.engine) as connection:
            if store.shop_id_of(connection, shop, create=False) is None:
                self.summary.new_shops.append(shop)

    # The answers

    def _answer(self, outcome: intake.Good | intake.Again, landed: Landed) -> None:
        if isinstance(landed, Ticket):
            self._opened(outcome.ticket, landed)
        elif isinstance(landed, Refused):
            self._refuse(outcome.row, [self._problem(outcome, "order_no", landed.message)])
        elif landed.said is None:
            reason = f"系统里 {landed.number} 已有同一个售后单号，但不是导入的，没有采用这一行；请核对那一张"
            self._differs(outcome.row, [self._problem(outcome, "platform_ticket_no", reason)])
        elif changed := _changed(outcome.ticket, landed.said, self.layout):
            where = f"系统里 {landed.number} "
            self._differs(outcome.row, intake.difference(outcome.ticket, self.layout, changed, where, landed.said))
        else:
            self.summary.already_there += 1

    def _opened(self, row: intake.ImportedTicket, ticket: Ticket) -> None:
        self.summary.opened += 1
        self.summary.states[ticket.workflow, ticket.state] += 1
        self.summary.shops[row.shop_name] += 1
        self.summary.past_due += ticket.no_clock_reason == "platform_past_due"

    def _problem(self, outcome: intake.Good | intake.Again, name: str, reason: str) -> intake.RowProblem:
        column = self.layout.columns.get(name, WHOLE_ROW)
        return intake.RowProblem(outcome.row.line, column, shown(outcome.row.cells.get(column, "")), reason)

    def _differs(self, row: intake.Row, problems: Iterable[intake.RowProblem]) -> None:
        self.summary.differing += 1
        self.report.refuse(row, problems)

    def _refuse(self, row: intake.Row, problems: Iterable[intake.RowProblem]) -> None:
        self.summary.refused += 1
        self.report.refuse(row, problems)


# ── one row, as the desk takes it ──

#: columns that the ticket keeps beside what its workflow asks for
_KEPT = (
    "signed_at", "item_title", "item_spec", "member_level",
    "return_courier", "return_waybill_no", "reship_courier", "reship_waybill_no",
)  # fmt: skip
#: a repair in one of these travels by mail: of the three ways of repairing, the export shows this one only
_IN_THE_MAIL = ("awaiting_buyer_send", "awaiting_merchant_receipt", "awaiting_buyer_receipt")


def _as_the_desk_takes_it(ticket: intake.ImportedTicket, layout: Layout) -> Imported:
    fields = {name: value for name in _KEPT if (value := getattr(ticket, name))} | ticket.facts()
    if ticket.workflow == "repair" and ticket.state in _IN_THE_MAIL:
        fields[facts.mode.name] = "mail_in"
    return Imported(
        workflow=ticket.workflow,
        policy=ticket.platform,
        state=ticket.state,
        applied_at=ticket.applied_at,
        order_no=ticket.order_no,
        paid_fen=ticket.paid_fen,
        amount_fen=ticket.amount_fen,
        item_no=ticket.item_no,
        buyer=ticket.buyer,
        platform_no=ticket.platform_ticket_no,
        platform_status=ticket.platform_status,
        platform_due_at=ticket.platform_due_at,
        fields=fields | {PLATFORM_CONTENT: _content(ticket, layout)},
    )


def _content(ticket: intake.ImportedTicket, layout: Layout) -> Mapping[str, str]:
    """What the platform says, to be kept: `ImportedTicket.content`, and under its name in 「」 what we do not know."""
    unknown = {f"「{name}」": text for name in layout.unknown if (text := ticket.raw.get(name))}
    return {name: text for name, text in ticket.content.items() if text} | unknown


def _changed(ticket: intake.ImportedTicket, said: Mapping[str, str], layout: Layout) -> list[str]:
    """The fields in which the row says something else than at its import. A column left out says nothing."""
    return [name for name, text in ticket.content.items() if name in layout.columns and text != said.get(name, "")]


# ── the command ──


def import_command(application: Application, file: Path, report: Path | None, *, as_json: bool) -> int:
    """0: every row is in the system; 1: some need an answer; 2: the file cannot be read."""
    rejects = report and report.with_name(f"{report.stem.removesuffix('.report')}.rejected.csv")
    try:
        with _bar(file) as progress:
            summary = import_file(
                application.desk, file, now=clock.now(), report=report, rejects=rejects, progress=progress
            )
    except intake.IntakeError as problem:
        return _failed(str(problem), 2, as_json)
    except KeyboardInterrupt:
        return _failed("已中断。导入了的工单都在；再导入一次同一个文件，就会补完余下的", 130, as_json)
    if as_json:
        told = json.dumps(summary.to_json(), ensure_ascii=False, indent=2)
    else:
        told = rendered(summary, application.rules().catalog)
    sys.stdout.write(f"{told}\n")
    return 0 if summary.settled else 1


def _failed(sentence: str, status: int, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps({"error": sentence}, ensure_ascii=False) + "\n")
    sys.stderr.write(f"{sentence}\n")
    return status


@contextmanager
def _bar(file: Path) -> Iterator[Progress | None]:
    """A progress bar, where somebody sees it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"导入 {escape(file.name)}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def rendered(summary: Summary, catalog: Catalog) -> str:
    """The summary for a person: Chinese, with one English line."""
    counts = (summary.opened, summary.already_there, summary.differing, summary.refused)
    lines = [
        "新开 {} 张工单；已在系统里 {} 行；与已有的不同、要人核对 {} 行；有问题没有导入 {} 行".format(*counts),
        "Imported: {} opened, {} already there, {} differing, {} refused".format(*counts),
        *_by_state(summary, catalog),
    ]
    if summary.shops:
        new = set(summary.new_shops)
        shops = (f"{shown(shop)} {n}{'（新店铺）' if shop in new else ''}" for shop, n in summary.shops.items())
        lines.append(f"  店铺：{'；'.join(shops)}")
    if summary.past_due:
        lines.append(f"其中 {summary.past_due} 张的处理期限在导入前已过，没有计时：请到平台后台查看现在的状态")
    lines += summary.remarks
    if summary.written.report is not None:
        lines.append(f"问题报告：{summary.written.report}")
    if summary.written.rejects is not None:
        lines.append(f"没有导入的行：{summary.written.rejects}（改好后直接导入这个文件）")
    return "\n".join(lines)


def _by_state(summary: Summary, catalog: Catalog) -> Iterator[str]:
    for key, workflow in catalog.workflows.items():
        counts = [(state.label, summary.states[key, state.name]) for state in workflow.states]
        if any(count for _, count in counts):
            yield f"  {workflow.label}：{'；'.join(f'{label} {count}' for label, count in counts if count)}"
