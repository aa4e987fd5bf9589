"""Who works in the demo: believable people, three groups, rules, duty by day and evening and nobody at night."""

from __future__ import annotations

from datetime import datetime, timedelta

from aftersales import handing, queries
from aftersales.clock import shown_day
from aftersales.database import Engine
from aftersales.desk import Desk
from aftersales.handing import Receiver
from aftersales.office import accounts, duty, shops, teams
from aftersales.routing import Rule

MAIN = "羊毛旗舰店"
#: (sub-account, name, role, department, shift)
_PEOPLE = (
    ("chenxiao", "陈晓", "lead", "aftersale", "day"),
    ("liwen", "李雯", "agent", "aftersale", "evening"),
    ("zhoukai", "周凯", "agent", "aftersale", "day"),
    ("wangzihan", "王子涵", "agent", "aftersale", "day"),
    ("ouyanghuimin", "欧阳慧敏", "agent", "aftersale", "evening"),
    ("sunyue", "孙悦", "agent", "aftersale", "weekend"),
    ("hejie", "何洁", "agent", "presale", ""),
    ("linxiao", "林晓", "policy_author", "aftersale", ""),
)
_WORKDAYS, _WEEK = range(5), range(7)
_SHIFTS = {
    "day": [(day, 9 * 60, 18 * 60) for day in _WORKDAYS],
    "evening": [(day, 15 * 60, 24 * 60) for day in _WEEK],
    "weekend": [(day, 8 * 60, 16 * 60) for day in (5, 6)],
    "": [],
}
_GROUPS = (
    ("换货维修组", ("chenxiao", "zhoukai", "ouyanghuimin", "sunyue"), 60),
    ("退款组", ("liwen", "wangzihan", "sunyue"), 60),
    ("丢件与投诉组", ("chenxiao", "liwen", "ouyanghuimin"), 40),
)
#: what the people of `simulate` are called here
NAMES = {"小陈": "chenxiao", "小林": "liwen", "小周": "zhoukai", "小赵": "wangzihan"}


def login(sub: str) -> str:
    return f"{MAIN}:{sub}"


def furnish(engine: Engine, shop: str, policies: list[str], begins: datetime, now: datetime) -> None:
    """Before the first ticket comes, so that each is given to somebody."""
    shops.add(engine, shop, policies, begins)
    made = {}
    for sub, name, role, department, shift in _PEOPLE:
        account = accounts.add(engine, login(sub), name, begins, role=role, department=department)
        duty.plan_week(engine, account.id, _SHIFTS[shift])
        made[sub] = account.id
    groups = {
        name: teams.add(engine, name, members=[made[sub] for sub in members], each_at_most=most)
        for name, members, most in _GROUPS
    }
    for rule in _rules(groups):
        teams.put_rule(engine, rule, begins, login("chenxiao"))
    _exceptions(engine, made, now)


def _rules(groups: dict[str, int]) -> list[Rule]:
    """No rule for refunds of Taobao: those wait for somebody to take them."""
    swaps, refunds, complaints = groups.values()
    return [
        Rule("激烈的投诉", complaints, level="L3"),
        Rule("老会员退款", refunds, workflow="refund", member="V5"),
        Rule("换货", swaps, workflow="exchange"),
        Rule("维修", swaps, workflow="repair"),
        Rule("快手退款", refunds, workflow="refund", policy="kuaishou"),
        Rule("本地生活退款", refunds, workflow="refund", policy="kuaishou_local"),
        Rule("微信退款", refunds, workflow="refund", policy="wechat"),
        Rule("丢件", complaints, workflow="lost_parcel"),
        Rule("中差评", complaints, workflow="bad_review"),
    ]


def _exceptions(engine: Engine, made: dict[str, int], now: datetime) -> None:
    """Somebody is away tomorrow, and somebody else comes in."""
    morning = datetime.fromisoformat(f"{shown_day(now + timedelta(days=1))}T09:00:00+08:00")
    hours = timedelta(hours=9)
    duty.except_(engine, made["wangzihan"], morning, morning + hours, works=False, reason="年假")
    duty.except_(engine, made["hejie"], morning, morning + hours, works=True, reason="替王子涵")


def hand_on(desk: Desk, now: datetime) -> None:
    """What the leader finds under "handed to me"."""
    for sub, reason, summary in (
        ("liwen", "买家指名要组长回电", "已道歉两次，买家仍不满意；答应今天内给方案"),
        ("zhoukai", "金额超出我的权限", "照片已核对，确是发错货，建议同意"),
    ):
        held = queries.held_by(desk.engine, login(sub), 1)
        handing.hand_over(
            desk, [one.id for one in held], Receiver(login("chenxiao")), now, by=login(sub), reason=reason,
            summary=summary,
        )  # fmt: skip
