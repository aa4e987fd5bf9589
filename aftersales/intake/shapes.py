"""The words in which one platform's export is described, and how a file is recognised by its header.

A shape is a table (see kuaishou.py): which columns there are, what stands in them, and what the platform's words for
types, statuses and reasons mean here. A new platform is a new table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from aftersales import clock, money
from aftersales.intake.cells import did_you_mean, key, scientific
from aftersales.intake.errors import IntakeError

# ── What stands in a column: text -> value, ValueError in Chinese saying what to do ─────


def words(text: str) -> str:
    """Any text, as it is."""
    return text


def number(text: str) -> str:
    """A number that names something (ticket, order, item, waybill): text of digits and letters, never arithmetic."""
    if scientific(text):
        raise ValueError("单号变成了科学计数法，后几位已经丢失；请从平台后台重新导出，或查到完整单号后以文本格式填入")
    # ASCII only: isalnum() alone would let Chinese and full-width digits pass.
    if text and not (text.isascii() and text.replace("-", "").replace("_", "").isalnum()):
        raise ValueError("单号只能有半角数字、字母和连字符；请到平台后台核对后改正")
    return text


def instant(text: str) -> datetime | None:
    """A moment, aware UTC; no offset means Beijing time. A date alone is refused: clocks count from it in seconds."""
    if not text:
        return None
    moment = clock.parse(text)
    if ":" not in text and "：" not in text:
        raise ValueError(f"「{text}」只有日期没有时间；请补上时、分，写成 2022-10-01 10:00:00 这样")
    return moment


def amount(text: str) -> int | None:
    """Money in 分."""
    if not text:
        return None
    fen = money.fen(text, allow_negative=True)
    if fen < 0:
        raise ValueError("金额不能是负数；请到平台后台核对原单金额后改正")
    return fen


# ── The table ──────────────────────────────────────────────────────────────────────

Value = str | int | datetime | None


@dataclass(frozen=True)
class Column:
    """One column: the ticket's field it fills and its name in the export, then other names it goes by."""

    field: str
    names: tuple[str, ...]
    read: Callable[[str], Value] = words
    #: the file must have the column
    required: bool = False
    #: and no row may leave it empty
    filled: bool = False
    #: the most characters it may hold
    longest: int = 100


@dataclass(frozen=True)
class Type:
    """One kind of after-sales request: its code, its words, and the workflow (and kind) it is here."""

    code: int
    names: tuple[str, ...]
    workflow: str
    kind: str | None = None


@dataclass(frozen=True)
class Status:
    """One status: its code, its words, and the state it is in each workflow; a workflow left out does not have it."""

    code: int
    names: tuple[str, ...]
    states: Mapping[str, str]


@dataclass(frozen=True)
class Shape:
    """One platform's export."""

    #: the policy that tickets of this platform run under
    platform: str
    title: str
    columns: tuple[Column, ...]
    types: tuple[Type, ...]
    statuses: tuple[Status, ...]
    #: workflow -> the platform's word for a reason -> ours; what is not listed is `other`
    reasons: Mapping[str, Mapping[str, str]]

    @cached_property
    def type_of(self) -> Mapping[str, Type]:
        """By code and by each word, in their plain spelling (cells.key)."""
        return {key(word): type_ for type_ in self.types for word in (str(type_.code), *type_.names)}

    @cached_property
    def statuses_of(self) -> Mapping[str, tuple[Status, ...]]:
        """By code and by each word. Several may share a code (60 is 退款成功 and 换货成功)."""
        found: dict[str, tuple[Status, ...]] = {}
        for status in self.statuses:
            for word in (str(status.code), *status.names):
                found[key(word)] = (*found.get(key(word), ()), status)
        return found

    @cached_property
    def _reasons_of(self) -> Mapping[str, Mapping[str, str]]:
        return {flow: {key(word): ours for word, ours in reasons.items()} for flow, reasons in self.reasons.items()}

    def reason_of(self, workflow: str, text: str) -> str | None:
        """Our word for a reason; None where the workflow has no list of them (repair takes a text)."""
        reasons = self._reasons_of.get(workflow)
        return None if reasons is None else reasons.get(key(text), "other")


# ── Which shape a file has ─────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Layout:
    """A shape found in a file: which of the file's columns fills which."""

    shape: Shape
    #: field -> the column's name in this file
    columns: Mapping[str, str]
    #: columns of the file that the shape does not know: kept with the ticket, not read
    unknown: tuple[str, ...]
    #: columns of the shape that the file does not have: left empty
    absent: tuple[str, ...]


def recognise(header: Sequence[str], shapes: Sequence[Shape]) -> Layout:
    """The shape whose columns this header has. IntakeError names the missing columns, or says that none fits."""
    layout = max((_lay_out(header, shape) for shape in shapes), key=lambda one: len(one.columns))
    required = [column for column in layout.shape.columns if column.required]
    missing = [column.names[0] for column in required if column.field not in layout.columns]
    if len(missing) * 2 > len(required):
        raise IntakeError(
            f"认不出这是哪个平台的导出表。第一行要是列名，现在是：{'、'.join(header)[:120]}。"
            f"能读的有：{'、'.join(shape.title for shape in shapes)}；"
            f"{layout.shape.title}必须有的列：{'、'.join(column.names[0] for column in required)}"
        )
    if missing:
        hints = "；".join(f"缺「{name}」{did_you_mean(name, list(layout.unknown))}" for name in missing)
        raise IntakeError(f"{layout.shape.title}少了必须有的列：{hints}。请补上这些列，或改正列名，再导入")
    return layout


def _lay_out(header: Sequence[str], shape: Shape) -> Layout:
    by_key = {key(name): name for name in reversed(header)}
    columns: dict[str, str] = {}
    for column in shape.columns:
        found = next((by_key[key(name)] for name in column.names if key(name) in by_key), None)
        if found is not None:
            columns[column.field] = found
    used = set(columns.values())
    unknown = tuple(name for name in header if name not in used)
    absent = tuple(column.names[0] for column in shape.columns if column.field not in columns)
    return Layout(shape, columns, unknown, absent)
