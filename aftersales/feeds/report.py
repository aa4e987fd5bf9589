"""The words in which a platform's messages are described, and how one is read. Pure: (table, message) -> reports.

A platform is a table (see kuaishou.py): where things stand in its messages, what its statuses mean here, and which of
them are left alone and why. Money becomes 分, times become aware UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from aftersales import clock, money
from aftersales.fill_in import LONGEST_NAME, text_problem

#: reports in one message
MOST = 200


@dataclass(frozen=True)
class Status:
    """A status of the platform: its code, its words, and by workflow our states that agree with it. The first of them
    is the one a ticket takes that is in none; of a workflow left out, the platform has no such status."""

    code: str
    words: str
    refund: tuple[str, ...] = ()
    exchange: tuple[str, ...] = ()
    repair: tuple[str, ...] = ()

    def agree(self, workflow: str) -> tuple[str, ...]:
        return {"refund": self.refund, "exchange": self.exchange, "repair": self.repair}.get(workflow, ())


@dataclass(frozen=True)
class Kind:
    """A kind of after-sales request: the workflow, and the kind of refund, it is here."""

    workflow: str
    refund_kind: str | None = None


@dataclass(frozen=True)
class Platform:
    """Everything we go by in this platform's messages. Places: the names a value may have; `a.b` is b inside a."""

    key: str
    #: whose rules its tickets run on; "": none of ours yet, so its tickets are not opened here
    policy: str
    title: str
    statuses: tuple[Status, ...]
    #: code of a status -> why nothing is done about it
    ignored: Mapping[str, str]
    kinds: Mapping[str, Kind]
    ignored_kinds: Mapping[str, str]
    #: other fields of the platform that say something of a ticket -> why they are not followed
    ignored_fields: Mapping[str, str]
    #: what the message itself stands in; may be JSON in a text
    inside: tuple[str, ...]
    places: Mapping[str, tuple[str, ...]]
    #: of amounts: fen or yuan
    unit: str = "fen"
    #: the kind where the message names none
    usual: str = ""

    def status_of(self, code: str) -> Status | None:
        return next((one for one in self.statuses if one.code == code), None)

    def agreeing(self, workflow: str, state: str) -> tuple[str, ...]:
        """All states that the platform's word for this state may mean here."""
        found = (one.agree(workflow) for one in self.statuses)
        return next((states for states in found if states and states[0] == state), (state,))


@dataclass(frozen=True)
class Report:
    """What the platform says of one ticket. Texts may be empty, amounts (分) and times None where it does not say."""

    policy: str
    platform_no: str
    workflow: str
    status: str
    #: our states that agree; the first is the one to take
    agree: tuple[str, ...]
    said_at: datetime
    refund_kind: str | None = None
    due_at: datetime | None = None
    applied_at: datetime | None = None
    amount_fen: int | None = None
    paid_fen: int | None = None
    order_no: str = ""
    item_no: str = ""
    buyer: str = ""
    note: str = ""
    waybill_no: str = ""
    courier: str = ""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "agree": list(self.agree)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Report:
        return cls(**{**told, "agree": tuple(told["agree"])})


@dataclass(frozen=True)
class Parcel:
    """What the courier says of one parcel: signed, moving, refused, returned or stale."""

    waybill_no: str
    what: str
    at: datetime
    last_trace_at: datetime | None = None


@dataclass(frozen=True)
class Nothing:
    """Understood, and nothing of ours."""

    why: str


@dataclass(frozen=True)
class Unclear:
    """Cannot be understood: somebody has to look."""

    why: str


Understood = Sequence[Report] | Sequence[Parcel] | Nothing | Unclear


class _Wrong(Exception):
    pass


def read(platform: Platform, message: Any, received_at: datetime) -> Sequence[Report] | Nothing | Unclear:
    """The reports in a message, in its order. One that cannot be understood: nothing of the message is taken."""
    found: list[Report] = []
    ignored: list[str] = []
    try:
        for told in _unwrapped(platform, message):
            one = _read(platform, told, received_at)
            if isinstance(one, str):
                ignored.append(one)
            else:
                found.append(one)
    except _Wrong as wrong:
        return Unclear(str(wrong))
    if len(found) > MOST:
        return Unclear(f"一条消息里最多 {MOST} 张售后单")
    return found or Nothing("；".join(dict.fromkeys(ignored)) or "消息里没有售后单")


def lane(platform: Platform, message: Any) -> str:
    """What the message is about: messages of one lane are worked on in their order. "": cannot be told."""
    try:
        told = next(iter(_unwrapped(platform, message)), {})
        return _text(told, platform, "platform_no")
    except _Wrong:
        return ""


def _unwrapped(platform: Platform, message: Any) -> Iterator[Mapping[str, Any]]:
    for one in message if isinstance(message, list) else [message]:
        yield _opened(platform, one)


def _opened(platform: Platform, told: Any, depth: int = 0) -> Mapping[str, Any]:
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except (ValueError, RecursionError):
            raise _Wrong("消息里该是 JSON 的地方不是 JSON") from None
    if not isinstance(told, dict):
        raise _Wrong("消息不是 JSON 对象")
    inner = next((told[name] for name in platform.inside if isinstance(told.get(name), dict | str)), None)
    return told if inner is None or depth > 2 else _opened(platform, inner, depth + 1)


def _read(platform: Platform, told: Mapping[str, Any], received_at: datetime) -> Report | str:
    number = _text(told, platform, "platform_no")
    code = _text(told, platform, "status")
    if not number and not code:
        return "不是售后单的消息"
    if not number or not code:
        lacking = "status" if number else "platform_no"
        label = {"status": "状态", "platform_no": "售后单号"}[lacking]
        raise _Wrong(f"缺{label}（{'、'.join(platform.places[lacking])}）")
    kind_code = _text(told, platform, "kind") or platform.usual
    if kind_code in platform.ignored_kinds:
        return platform.ignored_kinds[kind_code]
    kind = platform.kinds.get(kind_code)
    if kind is None:
        raise _Wrong(f"不认识的售后类型「{kind_code[:40]}」")
    if code in platform.ignored:
        return platform.ignored[code]
    status = platform.status_of(code)
    if status is None:
        raise _Wrong(f"不认识的状态「{code[:40]}」")
    agree = status.agree(kind.workflow)
    if not agree:
        raise _Wrong(f"{status.words}（{code}）不是这类售后单会有的状态")
    return _report(platform, told, received_at, number, kind, status, agree)


def _report(
    platform: Platform, told: Mapping[str, Any], received_at: datetime, number: str, kind: Kind, status: Status,
    agree: tuple[str, ...],
) -> Report:  # fmt: skip
    # by our clock, which may be slow, nothing is told before it happens
    said_at = min(_instant(told, platform, "said_at") or received_at, received_at)
    applied_at = _instant(told, platform, "applied_at")
    rest: dict[str, Any] = {name: _text(told, platform, name) for name in _TEXTS}
    rest |= {name: _amount(told, platform, name) for name in ("amount_fen", "paid_fen")}
    return Report(
        platform.policy, number, kind.workflow, status.words, agree, said_at, kind.refund_kind,
        _instant(told, platform, "due_at"), applied_at and min(applied_at, said_at), **rest,
    )  # fmt: skip


_TEXTS = ("order_no", "item_no", "buyer", "note", "waybill_no", "courier")


def _value(told: Mapping[str, Any], platform: Platform, name: str) -> Any:
    for place in platform.places.get(name, ()):
        value: Any = told
        for part in place.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None and value != "":
            return value
    return None


def _text(told: Mapping[str, Any], platform: Platform, name: str) -> str:
    value = _value(told, platform, name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _Wrong(f"{platform.places[name][0]} 应是文字或整数")
    text = str(value).strip()
    if text_problem(text, LONGEST_NAME if name != "note" else 5000) is not None:
        raise _Wrong(f"{platform.places[name][0]} 太长或有存不下的字符")
    return text


def _amount(told: Mapping[str, Any], platform: Platform, name: str) -> int | None:
    value = _value(told, platform, name)
    if value is None:
        return None
    try:
        if platform.unit == "yuan":
            return money.fen(str(value))
        if isinstance(value, bool) or not isinstance(value, int | str) or not 0 <= int(value) <= 10**12:
            raise ValueError
        return int(value)
    except ValueError:
        raise _Wrong(f"{platform.places[name][0]} 不是金额") from None


def _instant(told: Mapping[str, Any], platform: Platform, name: str) -> datetime | None:
    value = _value(told, platform, name)
    if value is None or value == 0:
        return None
    try:
        return instant(value)
    except (ValueError, OverflowError, OSError):
        raise _Wrong(f"{platform.places[name][0]} 不是时间") from None


def instant(value: Any) -> datetime:
    """Seconds or milliseconds since 1970, or a time as people write it (Beijing time)."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(value)
    if isinstance(value, str):
        return clock.parse(value)
    return clock.whole_second(datetime.fromtimestamp(value / 1000 if value > 10**11 else value, UTC))
