"""The words of the pages that are not in a template: labels of codes, and how values are shown.

What the tables name themselves (states, steps, facts, choices) is never repeated here. Functions answer in the
language of the visit; the dictionaries are Chinese and are shown with `| t`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from aftersales import clock
from aftersales.clock import shown
from aftersales.decide import Rules
from aftersales.money import yuan
from aftersales.saying import Written, say
from aftersales.workflows import facts
from aftersales.workflows.facts import EVIDENCE_LABELS
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import Actor, ClockEffect, Fact, Party, Workflow
from web.i18n import gettext, translated

FLAGS = {
    "policy_missing": "规则缺失",
    "return_to_buyer": "须退回买家",
    "collect_goods": "须取回商品",
    "parcel_found": "包裹已找到",
    "buyer_feedback_due": "须反馈买家",
}
NO_CLOCK = {
    "no_limit": "规则没有规定时限",
    "no_rule": "这个平台没有这一步的时限规则",
    "off": "时限规则未启用",
    "ended": "时限已结束",
    "ran_out": "时限已到，要人处理",
    "policy_missing": "没有生效的规则版本，要人判断",
    "no_new_limit": "没有约定新的期限",
    "platform_authority": "以平台为准，等平台同步期限",
    "platform_past_due": "平台的期限已过，等平台的结果",
}
BASIS = {"rule": "按规则计算", "platform": "平台给的期限", "agreement": "双方约定"}
AUTHORITIES = {"local": "按本系统的时限", "platform": "以平台为准"}
PLACE_LABEL = "开单"
#: what a ticket is asked at its opening, whatever its type
PLACE = {
    "policy": "平台规则",
    "order_no": "订单号",
    "item_no": "商品",
    "buyer": "买家",
    "shop": "店铺",
    "authority": "时限以谁为准",
}
CLOCK_EFFECTS = {
    ClockEffect.RUNS_ON: "时限照走",
    ClockEffect.ADDS: "原时限照走，另加新时限",
    ClockEffect.PAUSES: "现在的时限暂停",
    ClockEffect.RESUMES: "暂停的时限继续",
    ClockEffect.ENDS: "停止计时",
}
EVENT_KINDS = {"reminder": "到期提醒", "target": "店内目标", "calendar": "工作日历更新"}
PURPOSES = {"refund": "退款", "repair_cost": "维修费", "compensation": "补偿"}
TYPE_ICONS = {"exchange": "swap", "repair": "wrench", "refund": "yuan", "lost_parcel": "parcel", "bad_review": "star"}
PARTY_ICONS = {Party.MERCHANT: "shop", Party.BUYER: "user", Party.PLATFORM: "shield", Party.COURIER: "truck"}
GOODS = {"buyer": "在买家处", "on_the_way": "在途", "merchant": "在商家处"}
#: fields that no fact of the tables stands for
_OTHER_FIELDS = {
    "refund_fen": "本单退款",
    "compensation_fen": "补偿金额",
    "item_title": "商品",
    "item_spec": "规格",
    "member_level": "会员等级",
    "return_courier": "退货快递公司",
    "reship_courier": "换货快递公司",
    "platform_status": "平台状态",
    "state": "平台状态",
}
_EVERY_FACT = {fact.name: fact for fact in vars(facts).values() if isinstance(fact, Fact)}


BROKEN_FORM = "这张表单不完整，请回到工单重新打开再提交"
UNSTORABLE = "含有不能保存的字符，请删去后重填"
UNKNOWN_FIELD = "表单"
UNKNOWN_NAME = "这张表单没有这一项"
SENT_BEFORE = "这张表单刚才已经提交过，那一次已经办成。这次的内容不同：确实还要再办，请再提交一次"


def no_such_ticket(number: str) -> str:
    return say("没有编号为 {number} 的工单，请核对编号", number=Written(number))


def too_long(label: str, length: int, longest: int) -> str:
    return say("{label}：太长了（{length} 字），最多 {longest} 字", label=label, length=length, longest=longest)


# ── tables ──


def state_label(rules: Rules, workflow: str, state: str) -> str:
    """The state's name; its code, if a row still has one that the tables no longer know."""
    table = rules.catalog.workflows.get(workflow)
    try:
        return state if table is None else gettext(table.state_label(state))
    except KeyError:
        return state


def party(rules: Rules, workflow: str, state: str) -> Party | None:
    """Whom the ticket waits for; None for nobody."""
    table = rules.catalog.workflows.get(workflow)
    found = next((one for one in table.states if one.name == state), None) if table else None
    return None if found is None else found.waits_for


def turn(rules: Rules, workflow: str, state: str) -> str:
    """The same in words; "" for nobody."""
    found = party(rules, workflow, state)
    return "" if found is None else gettext(found.value)


def workflow_label(rules: Rules, key: str) -> str:
    return gettext(rules.catalog.workflows[key].label) if key in rules.catalog.workflows else key


def policy_label(rules: Rules, key: str) -> str:
    return gettext(rules.catalog.policies[key].label) if key in rules.catalog.policies else key


def move_label(rules: Rules, workflow: str, trigger: str | None) -> str:
    table = rules.catalog.workflows.get(workflow)
    move = table.move(trigger) if table and trigger else None
    if move is not None:
        return gettext(move.label)
    return gettext(PLAIN_ACTIONS[trigger].label) if trigger in PLAIN_ACTIONS else trigger or ""


def actor_label(actor: str) -> str:
    return gettext(Actor(actor).label) if actor in set(Actor) else actor


def flag_labels(flags: Iterable[str]) -> list[str]:
    return [gettext(FLAGS.get(flag, flag)) for flag in flags]


# ── facts ──


def named(given: Mapping[str, Any], known: Iterable[Fact]) -> list[tuple[str, str]]:
    """(label, value) of everything filled in or remembered: the `known` first, in their order."""
    of_name = {fact.name: fact for fact in known}
    of_name |= {name: fact for name, fact in _EVERY_FACT.items() if name not in of_name}
    order = {name: place for place, name in enumerate(of_name)}
    ordered = sorted(given, key=lambda name: (order.get(name, len(order)), name))
    return [pair for name in ordered for pair in _named(of_name.get(name), name, given[name])]


def facts_of(workflow: type[Workflow]) -> list[Fact]:
    """What a ticket of this type remembers, as it was called when the ticket was opened."""
    asked = list(workflow.openings()[0].facts)
    names = {fact.name for fact in asked}
    return [*asked, *(fact for fact in workflow.remembers if fact.name not in names)]


def _named(fact: Fact | None, name: str, value: Any) -> list[tuple[str, str]]:
    if value in (None, ""):
        return []
    if isinstance(value, Mapping):  # what a platform's export says of a ticket, in its own words
        return [(str(label), str(said)) for label, said in value.items() if said]
    return [(gettext(field_label(fact, name)), shown_value(fact, name, value))]


def fact_named(name: str) -> Fact | None:
    """A fact that some type of ticket has."""
    return _EVERY_FACT.get(name)


def field_label(fact: Fact | None, name: str) -> str:
    return _OTHER_FIELDS.get(name, name) if fact is None else fact.label


def shown_value(fact: Fact | None, name: str, value: Any) -> str:
    """As people read it: ¥, Beijing time, 是 or 否, the label of a choice."""
    if isinstance(value, datetime):
        return shown(value)
    if isinstance(value, bool):
        return gettext("是") if value else gettext("否")
    if fact is not None and fact.choices:
        return gettext(str(dict(fact.choices).get(value, value)))
    if name.endswith("_fen") and isinstance(value, int):
        return yuan(value)
    return str(value)


def evidence_label(kind: str) -> str:
    return gettext(EVIDENCE_LABELS.get(kind, kind))


# ── time ──


def lasting(seconds: float) -> str:
    """19 小时 28 分, 2 天 14 小时; in English 19 h 28 min."""
    return str(translated(clock.lasting(seconds)))


def left(due_at: datetime, now: datetime) -> str:
    """剩 19 小时 28 分, 逾期 6 小时 12 分."""
    seconds = int((due_at - now).total_seconds())
    if seconds < 0:
        return gettext("逾期 {span}", span=lasting(-seconds))
    return gettext("剩 {span}", span=lasting(seconds))


def urgency(due_at: datetime | None, now: datetime, *, late: bool = False) -> str:
    """late, crit (under 1 h), soon (4 h), day (24 h), calm or none: the name of a colour, never the only sign."""
    if late:
        return "late"
    if due_at is None:
        return "none"
    hours = (due_at - now).total_seconds() / 3600
    names = ((0, "late"), (1, "crit"), (4, "soon"), (24, "day"))
    return next((name for limit, name in names if hours < limit), "calm")


def brief(instant: datetime, now: datetime) -> str:
    """Beijing time to the minute, the year only if it is another: 10-03 10:00."""
    text, year = shown(instant), shown(now)[:4]
    return text[5:16] if text[:4] == year else text[:16]


def brief_now(instant: datetime) -> str:
    return brief(instant, clock.now())
