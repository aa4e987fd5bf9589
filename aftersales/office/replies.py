"""Texts kept ready for buyers: by type and state, with variables that the ticket fills in.

A text with a forbidden promise, or a variable nobody can fill in, is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, case, delete, insert, or_, select, update

from aftersales.clock import lasting, shown, whole_second
from aftersales.database import reading, writing
from aftersales.errors import Refused
from aftersales.models import metadata
from aftersales.money import yuan
from aftersales.office import promises
from aftersales.saying import Written, listed, say
from aftersales.ticket import Ticket

_REPLY = metadata.tables["canned_reply"]
LONGEST_TITLE, LONGEST_TEXT = 60, 2000
#: on one page of the list / offered to one ticket
MOST, OFFERED = 300, 12


@dataclass(frozen=True)
class Reply:
    id: int | None
    title: str
    text: str
    workflow: str | None = None
    state: str | None = None
    shop_id: int | None = None
    used: int = 0
    updated_at: datetime | None = None
    updated_by: str = ""


_WHOLE = select(*(_REPLY.c[name] for name in Reply.__dataclass_fields__))


def everyone(engine: Engine) -> list[Reply]:
    """By type and state, the most used first."""
    order = (_REPLY.c.workflow, _REPLY.c.state, _REPLY.c.used.desc(), _REPLY.c.id)
    with reading(engine) as connection:
        return [Reply(*row) for row in connection.execute(_WHOLE.order_by(*order).limit(MOST))]


def one(engine: Engine, reply_id: int) -> Reply | None:
    with reading(engine) as connection:
        row = connection.execute(_WHOLE.where(_REPLY.c.id == reply_id)).first()
    return None if row is None else Reply(*row)


def offered(engine: Engine, workflow: str, state: str, shop_id: int) -> list[Reply]:
    """For a ticket of this type in this state: those of the state first, then of the type, then of every ticket."""
    fits = (
        or_(_REPLY.c.workflow.is_(None), _REPLY.c.workflow == workflow),
        or_(_REPLY.c.state.is_(None), _REPLY.c.state == state),
        or_(_REPLY.c.shop_id.is_(None), _REPLY.c.shop_id == shop_id),
    )
    nearness = case((_REPLY.c.state == state, 0), (_REPLY.c.workflow == workflow, 1), else_=2)
    with reading(engine) as connection:
        rows = connection.execute(
            _WHOLE.where(*fits).order_by(nearness, _REPLY.c.used.desc(), _REPLY.c.id).limit(OFFERED)
        )
        return [Reply(*row) for row in rows]


def keep(engine: Engine, reply: Reply, *, by: str, at: datetime) -> int:
    """Adds the reply, or changes the one of its id. Refused: too long, an unknown variable, a forbidden promise."""
    _sound(reply, promises.every_rule(engine))
    values = {
        "title": reply.title.strip(), "text": reply.text.strip(), "workflow": reply.workflow, "state": reply.state,
        "shop_id": reply.shop_id, "updated_at": whole_second(at), "updated_by": by,
    }  # fmt: skip
    with writing(engine) as connection:
        if reply.id is None:
            made = connection.execute(insert(_REPLY).values(**values, used=0).returning(_REPLY.c.id))
            return int(made.scalar_one())
        changed = connection.execute(update(_REPLY).where(_REPLY.c.id == reply.id).values(**values))
    if changed.rowcount != 1:
        raise Refused("stale_version", say("这条常用回复已经被别人删了，您填的内容还在，可以另存为新的一条"))
    return reply.id


def remove(engine: Engine, reply_id: int) -> None:
    with writing(engine) as connection:
        connection.execute(delete(_REPLY).where(_REPLY.c.id == reply_id))


def count_use(engine: Engine, reply_id: int) -> None:
    with writing(engine) as connection:
        connection.execute(update(_REPLY).where(_REPLY.c.id == reply_id).values(used=_REPLY.c.used + 1))


def _sound(reply: Reply, rules: list[promises.Promise]) -> None:
    for what, text, longest in (("标题", reply.title, LONGEST_TITLE), ("内容", reply.text, LONGEST_TEXT)):
        if not text.strip():
            raise Refused("missing_field", say("还缺：{what}，请填写", what=what))
        if len(text) > longest:
            raise Refused(
                "invalid_field", say("{what}最多 {n} 字，现在 {length} 字", what=what, n=longest, length=len(text))
            )
        if re.search("[\x00\ud800-\udfff]", text):
            raise Refused("invalid_field", say("{what}含有不能保存的字符，请删去后重填", what=what))
    unknown = [name for name in variables(reply.text) if name not in VARIABLES]
    if unknown:
        able = listed([f"{{{name}}}" for name in VARIABLES])
        raise Refused("invalid_field", say("没有「{name}」这个变量，可用：{able}", name=Written(unknown[0]), able=able))
    for hit in promises.find(f"{reply.title}\n{reply.text}", rules):
        said = f"{reply.title}\n{reply.text}"[hit.start : hit.end]
        raise Refused(
            "promise_forbidden",
            say(
                "「{said}」不能写：{reason}。可以改成：{instead}",
                said=Written(said),
                reason=hit.rule.reason,
                instead=hit.rule.instead,
            ),
        )


# ── variables ──

_VARIABLE = re.compile(r"\{([^{}\n]{0,20})\}")
#: what a variable is replaced by where the ticket has no value for it
MISSING = "＿＿"


def variables(text: str) -> list[str]:
    """The names in braces, in their order."""
    return [name.strip() for name in _VARIABLE.findall(text)]


def _due(ticket: Ticket, now: datetime) -> str:
    """10 月 3 日 10:00, in Beijing; the year only if it is another."""
    if ticket.due_at is None:
        return ""
    due, this_year = shown(ticket.due_at), shown(now)[:4]
    year = "" if due[:4] == this_year else f"{due[:4]} 年 "
    return f"{year}{int(due[5:7])} 月 {int(due[8:10])} 日 {due[11:16]}"


def _left(ticket: Ticket, now: datetime) -> str:
    seconds = -1 if ticket.due_at is None else int((ticket.due_at - now).total_seconds())
    return lasting(seconds) if seconds > 0 else ""


def _field(*names: str) -> Any:
    return lambda ticket, now: next((str(ticket.fields[name]) for name in names if ticket.fields.get(name)), "")


def _refund(ticket: Ticket, now: datetime) -> str:
    """What this ticket refunds, or else asks for; what was paid says nothing about it."""
    amount = ticket.refund_fen if ticket.refund_fen is not None else ticket.fields.get("amount_fen")
    return "" if amount is None else yuan(amount)


#: name -> (what it is, for the page; how it is found)
VARIABLES: Mapping[str, tuple[str, Any]] = {
    "买家": ("买家昵称", lambda ticket, now: ticket.buyer),
    "商品": ("商品", lambda ticket, now: str(ticket.fields.get("item_title") or ticket.item_no)),
    "订单号": ("订单号", lambda ticket, now: ticket.order_no),
    "工单号": ("工单号", lambda ticket, now: ticket.number),
    "到期": ("现在这一步的到期时间", _due),
    "剩余": ("离到期还有多久", _left),
    "运单号": (
        "最近的运单号",
        _field("reship_waybill_no", "return_waybill_no", "waybill_no"),
    ),
    "退款": ("退款金额", _refund),
    "退货地址": ("退货地址", _field("return_address")),
    "收货地址": ("换货的收货地址", _field("ship_to")),
}


def filled(text: str, ticket: Ticket, now: datetime) -> tuple[str, list[str]]:
    """The text for this ticket, and the variables it has no value for, which stay as a blank to fill in by hand."""
    missing: list[str] = []

    def value(found: re.Match[str]) -> str:
        name = found[1].strip()
        said = str(VARIABLES[name][1](ticket, now)) if name in VARIABLES else ""
        if not said:
            missing.append(name)
        return said or MISSING

    return _VARIABLE.sub(value, text), missing
