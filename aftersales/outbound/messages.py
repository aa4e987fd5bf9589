"""What people are told: number, type, state, time left, a link. Nothing of the buyer; both languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from aftersales.clock import lasting
from aftersales.decide import Rules
from aftersales.money import yuan
from aftersales.office.channels import LINES, Waiting
from aftersales.outbound import topics
from aftersales.saying import Said, say

#: says a sentence in a language ("zh-CN", "en")
Speaks = Callable[[Said | str, str], str]

TEST = "test"


def chinese(sentence: Said | str, _language: str) -> str:
    return str(sentence)


def message(
    waiting: Sequence[Waiting], language: str, now: datetime, rules: Rules, public_url: str, speak: Speaks
) -> tuple[str, str]:
    """(title, text) of one message that tells of all of them; more lines than fit are counted."""
    lines = [_line(one, now, rules, public_url, language, speak) for one in waiting[:LINES]]
    if len(waiting) > LINES:
        lines.append(speak(say("还有 {n} 条，请到页面上看", n=len(waiting) - LINES), language))
    if len(waiting) == 1:
        return speak(_title(waiting[0].event), language), lines[0]
    return speak(say("售后台：{n} 条通知", n=len(waiting)), language), "\n".join(lines)


def _title(event: str) -> Said:
    return say("售后台：{what}", what=_name(event))


def _name(event: str) -> Said:
    return say("测试消息") if event == TEST else say(topics.EVENTS[event])


def _line(one: Waiting, now: datetime, rules: Rules, public_url: str, language: str, speak: Speaks) -> str:
    words = speak(_sentence(one, now, rules), language)
    base = public_url.rstrip("/")
    link = "" if not base else f"{base}/t/{one.ticket_id}" if one.ticket_id else f"{base}/automation"
    return f"{words} {link}".rstrip()


def _sentence(one: Waiting, now: datetime, rules: Rules) -> Said:
    if one.event == TEST:
        return say("收到这条，说明通知能送到。")
    if one.number is None:
        return say("{what}：{detail}", what=_name(one.event), detail=_detail(one.facts))
    labels: dict[str, Any] = {"what": _name(one.event), "number": one.number, **_labels(one, rules)}
    if one.event == topics.MONEY:
        return say("{what}：{number} {type}，{amount}", **labels, amount=yuan(one.facts["fen"]))
    if one.due_at is None:
        return say("{what}：{number} {type}，{state}", **labels)
    left = (one.due_at - now).total_seconds()
    if left < 0:
        return say("{what}：{number} {type}，{state}，已超时 {span}", **labels, span=_span(-left))
    return say("{what}：{number} {type}，{state}，还剩 {span}", **labels, span=_span(left))


def _detail(facts: Any) -> Said:
    if "url" in facts:
        return say("接收地址 {host} 一直失败，已暂停", host=facts["url"])
    if "problems" in facts:
        return say("{n} 处错误，上一个正确的版本仍然有效", n=facts["problems"])
    return say("到期的工单没有在处理，请检查执行程序")


def _labels(one: Waiting, rules: Rules) -> dict[str, str]:
    workflow = rules.catalog.workflows.get(one.workflow or "")
    if workflow is None:
        return {"type": one.workflow or "", "state": one.state or ""}
    try:
        return {"type": workflow.label, "state": workflow.state_label(one.state or "")}
    except KeyError:
        return {"type": workflow.label, "state": one.state or ""}


def _span(seconds: float) -> str:
    return lasting(seconds)
