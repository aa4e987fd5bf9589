"""One row of a recognised file: an ImportedTicket, or every problem that keeps it from being one."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from aftersales import clock, money
from aftersales.intake.cells import LONGEST_CELL, did_you_mean, key, shown, unstorable
from aftersales.intake.reader import Row
from aftersales.intake.shapes import Column, Layout, Shape, Type, Value, instant

#: before this no platform of ours sold anything: such a time is an empty cell of some program (1970, 1900)
EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
#: how far the exporting computer's clock may be ahead of ours
AHEAD = timedelta(hours=1)
#: no platform gives a merchant longer than this
LONGEST_DEADLINE = timedelta(days=366)
WHOLE_ROW = "（整行）"


@dataclass(frozen=True)
class RowProblem:
    """One thing wrong with one row. `value` is the cell, made safe to show; `reason` is Chinese and says what to do."""

    line: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True)
class ImportedTicket:
    """A ticket as the platform has it. Money in 分, times aware UTC; a text that the file leaves out is empty."""

    line: int
    #: the policy, such as kuaishou
    platform: str
    shop_name: str
    platform_ticket_no: str
    order_no: str
    item_no: str
    item_title: str
    item_spec: str
    buyer: str
    member_level: str
    workflow: str
    #: of a refund, by fields.md; None for the others
    kind: str | None
    state: str
    #: what the platform calls type and state
    type_text: str
    platform_status: str
    applied_at: datetime
    platform_due_at: datetime | None
    paid_fen: int
    #: asked to be refunded; None where no money is asked for (exchange, repair)
    amount_fen: int | None
    #: by the workflow's list in fields.md; None for a repair, which takes a text
    reason: str | None
    #: the buyer's reason and explanation, as written
    reason_text: str
    note: str
    signed_at: datetime | None
    return_courier: str
    return_waybill_no: str
    reship_courier: str
    reship_waybill_no: str
    #: every cell of the row by its column in the file, unknown columns too
    raw: Mapping[str, str] = field(compare=False, repr=False)

    @property
    def said(self) -> str:
        """The buyer's reason and explanation in one text; may be empty."""
        return "：".join(filter(None, (self.reason_text, self.note)))

    def facts(self) -> dict[str, str | int | datetime]:
        """The opening fields of the workflow, by the names and types of fields.md."""
        facts: dict[str, str | int | datetime | None] = {"paid_fen": self.paid_fen}
        if self.workflow == "repair":
            facts["fault"] = self.said or "（平台导出中没有故障说明）"
        else:
            facts |= {"reason": self.reason, "note": self.said or None}
        if self.workflow == "refund":
            facts |= {"kind": self.kind, "amount_fen": self.amount_fen, "signed_at": self.signed_at}
        return {name: value for name, value in facts.items() if value is not None}

    @cached_property
    def content(self) -> Mapping[str, str]:
        """What the platform says of the ticket, field by field, in one spelling.

        Not what we make of it (workflow, state, reason): a better mapping here must not make an old file look changed.
        Encoding, file type, date style, ¥ and thousands separators make no difference.
        """
        return {name: _spelt(getattr(self, name)) for name in CONTENT}

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits, equal exactly if `platform` and `content` are equal."""
        said = json.dumps([self.platform, *self.content.values()])
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()

    @cached_property
    def marks(self) -> bytes:
        """Four bytes of each field of `content`: tells which ones differ, and is small enough to keep for a million."""
        return b"".join(zlib.crc32(text.encode()).to_bytes(4) for text in self.content.values())


#: The fields that come from the file itself. Keep the order: fingerprints in the database depend on it.
CONTENT = (
    "platform_ticket_no", "order_no", "type_text", "platform_status", "applied_at", "platform_due_at", "reason_text",
    "note", "item_title", "item_no", "item_spec", "paid_fen", "amount_fen", "buyer", "member_level", "signed_at",
    "return_courier", "return_waybill_no", "reship_courier", "reship_waybill_no", "shop_name",
)  # fmt: skip


def changed_fields(one: bytes, other: bytes) -> tuple[str, ...]:
    """The fields whose marks differ; once in four thousand million differences, none although one does."""
    return tuple(name for at, name in enumerate(CONTENT) if one[4 * at : 4 * at + 4] != other[4 * at : 4 * at + 4])


def _spelt(value: Value) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return "" if value is None else str(value)


def content_shown(name: str, text: str) -> str:
    """A field of `content` as people read it."""
    if text and name.endswith("_fen"):
        return money.yuan(int(text))
    if text and name.endswith("_at"):
        return clock.shown(datetime.fromisoformat(text))
    return shown(text) or "空"


# ── Reading ────────────────────────────────────────────────────────────────────────


def read(row: Row, layout: Layout, now: datetime) -> ImportedTicket | tuple[RowProblem, ...]:
    """The ticket in this row, or all that is wrong with it, in the order of the columns. `now` is aware."""
    if row.fault:
        return (RowProblem(row.line, WHOLE_ROW, shown(row.text.rstrip("\r\n")), row.fault),)
    reading = _Reading(row, layout, now)
    reading.read_cells()
    reading.check_them_together()
    return reading.sorted_problems() or reading.ticket()


class _Reading:
    """The work on one row: values so far, and problems found."""

    def __init__(self, row: Row, layout: Layout, now: datetime) -> None:
        self.row, self.layout, self.now = row, layout, now
        self.values: dict[str, Value] = {}
        self.problems: list[RowProblem] = []
        self.type: Type | None = None

    @property
    def shape(self) -> Shape:
        return self.layout.shape

    def text(self, field_name: str) -> str:
        return self.row.cells.get(self.layout.columns.get(field_name, ""), "")

    def wrong(self, field_name: str, reason: str) -> None:
        column = self.layout.columns[field_name]
        self.problems.append(RowProblem(self.row.line, column, shown(self.text(field_name)), reason))

    def sorted_problems(self) -> tuple[RowProblem, ...]:
        place = {name: at for at, name in enumerate(self.row.cells)}
        return tuple(sorted(self.problems, key=lambda problem: place[problem.column]))

    # Each cell by itself

    def read_cells(self) -> None:
        for column in self.shape.columns:
            text = self.text(column.field)
            reason = _unfit(text, column)
            try:
                if reason is None:
                    self.values[column.field] = column.read(text)
            except ValueError as error:
                reason = str(error)
            if reason is not None:
                self.wrong(column.field, reason)
        for name in self.layout.unknown:
            reason = _unfit(self.row.cells[name], _UNKNOWN)
            if reason is not None:
                self.problems.append(RowProblem(self.row.line, name, shown(self.row.cells[name]), reason))

    # What one cell says about another; only cells that could be read are looked at

    def check_them_together(self) -> None:
        self._find_type()
        self._find_state()
        for name in ("applied_at", "signed_at"):
            self._check_time(name)
        self._check_deadline()
        self._check_amount()

    def _find_type(self) -> None:
        if "type_text" not in self.values:
            return
        self.type = self.shape.type_of.get(key(self.text("type_text")))
        if self.type is None:
            known = [type_.names[0] for type_ in self.shape.types]
            hint = did_you_mean(self.text("type_text"), known) or f"，能导入的是{'、'.join(known)}；"
            self.wrong("type_text", f"没有这种售后类型{hint}请核对后改正，导不进来的请在平台后台处理")

    def _find_state(self) -> None:
        if "platform_status" not in self.values:
            return
        text, shape, type_ = self.text("platform_status"), self.shape, self.type
        found = shape.statuses_of.get(key(text), ())
        if not found:
            hint = did_you_mean(text, [status.names[0] for status in shape.statuses])
            self.wrong("platform_status", f"认不出这个售后状态{hint or '；'}请到平台后台查看这一单的状态，照原文填写")
        elif type_ is not None:
            states = [status.states[type_.workflow] for status in found if type_.workflow in status.states]
            if states:
                self.values["state"] = states[0]
            else:
                self.wrong("platform_status", f"「{type_.names[0]}」的售后单不会有这个状态；请到平台后台核对类型和状态")

    def _check_time(self, name: str) -> None:
        moment = self.values.get(name)
        if not isinstance(moment, datetime):
            return
        if moment > self.now + AHEAD:
            self.wrong(name, f"这个时间还没有到（现在是 {clock.shown(self.now)}）；请核对年份和日期")
        elif moment < EARLIEST:
            self.wrong(name, "这个时间太早，多半是空格子被导出成了日期；请到平台后台核对后改正")

    def _check_deadline(self) -> None:
        applied, due = self.values.get("applied_at"), self.values.get("platform_due_at")
        if not (isinstance(applied, datetime) and isinstance(due, datetime)):
            return
        if due < applied:
            self.wrong("platform_due_at", "截止时间早于申请时间；请核对这两个时间")
        elif due > applied + LONGEST_DEADLINE:
            self.wrong("platform_due_at", "截止时间比申请时间晚了一年以上；请核对年份")

    def _check_amount(self) -> None:
        """A refund asks for some of what was paid. Nothing asked for is never read as all of it: this is money."""
        asked, paid = self.values.get("amount_fen"), self.values.get("paid_fen")
        if isinstance(asked, int) and isinstance(paid, int) and asked > paid:
            reason = f"申请退款金额 {money.yuan(asked)} 大于实付金额 {money.yuan(paid)}；请到平台后台核对后改正"
            self.wrong("amount_fen", reason)
        elif "amount_fen" in self.values and not asked and self.type is not None and self.type.workflow == "refund":
            self.wrong("amount_fen", "退款单要有大于 0 的申请退款金额；请到平台后台查到后填上")

    # The result

    def ticket(self) -> ImportedTicket:
        assert self.type is not None  # else there is a problem
        fields: dict[str, Any] = self.values | {
            "workflow": self.type.workflow,
            "kind": self.type.kind,
            "reason": self.shape.reason_of(self.type.workflow, self.text("reason_text")),
            "amount_fen": self.values.get("amount_fen") or None,
        }
        return ImportedTicket(line=self.row.line, platform=self.shape.platform, raw=self.row.cells, **fields)


_UNKNOWN = Column("", (), longest=LONGEST_CELL)


def _unfit(text: str, column: Column) -> str | None:
    """Why a text cannot stand in this column whatever it means, None if it can."""
    if not text:
        needs = "时间，写成 2022-10-01 10:00:00 这样" if column.read is instant else "内容"
        return f"这一格不能空着；请到平台后台查到后填上{needs}" if column.filled else None
    if len(text) > column.longest:
        return f"太长：有 {len(text)} 个字，最多 {column.longest} 个；请删短"
    if unstorable(text):
        return "有无法保存的字符（空字符或半个表情）；请在这一格里重新输入文字"
    return None
