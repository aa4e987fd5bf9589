"""Layer 3: rules without a clock must be asked for by the step they are about, and the shop's own rules must fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from aftersales.checking.book import Book, facts_on
from aftersales.checking.loading import Room
from aftersales.checking.problem import Problem, listed
from aftersales.durations import Duration
from aftersales.policies.vocabulary import (
    AgreesAtOnce,
    Attempts,
    FixesAmount,
    Forbids,
    House,
    Permits,
    Ruling,
    Target,
    Window,
)
from aftersales.workflows import guards
from aftersales.workflows.guards import Guard
from aftersales.workflows.vocabulary import Move, State, Workflow

#: (the name of the condition that asks for it, where the step must have it, is it there)
_Asked = tuple[str, str, Callable[[Move], bool]]


def _needs(guard: Guard) -> Callable[[Move], bool]:
    return lambda move: guard in move.needs


_ASKED_BY: dict[type[Ruling], _Asked] = {
    Window: ("within_window", "needs", _needs(guards.within_window)),
    Attempts: ("attempts_left", "needs", _needs(guards.attempts_left)),
    Forbids: ("reject_allowed", "needs", _needs(guards.reject_allowed)),
    FixesAmount: ("amount_editable", "needs", _needs(guards.amount_editable)),
    Permits: ("permitted_by_policy", "only", lambda move: guards.permitted_by_policy in move.only),
    AgreesAtOnce: (
        "agreed_at_once",
        "choose",
        lambda move: any(branch.test is guards.agreed_at_once.test for branch in move.branches),
    ),
}


def check_ruling(book: Book, rule: Ruling) -> Iterator[Problem]:
    if not rule.quote.strip():
        yield book.at(rule, "P10", f'「{rule.label}」缺原文，请写 quote="原文里的一句话"')
    word, where, is_asked = _ASKED_BY[type(rule)]
    for move in rule.moves:
        if not is_asked(move):
            message = f"「{move.label}」不问这条规则，写了也不起作用；请开发给它加上 {where}=[guards.{word}]"
            yield book.at(rule, "P13", message)
        fact = rule.counted_from if isinstance(rule, Window) else None
        if fact is not None and fact.name not in facts_on(move.workflow) | {own.name for own in move.facts}:
            message = f"{move.workflow.label}工单上没有「{fact.label}」，「{rule.label}」永远不会起作用，请换一项"
            yield book.at(rule, "P14", message)
    if isinstance(rule, Window) and not isinstance(rule.within, Duration):
        yield book.at(rule, "P23", f"「{rule.label}」的 within 写的是「{rule.within}」，请写 days(7) 一类的长短")
    if isinstance(rule, Attempts) and rule.at_most < 1:
        yield book.at(rule, "P14", f"「{rule.label}」的 at_most 要写大于零的整数")


# ── the shop's own rules ──


def check_house(house: House, room: Room, workflows: Iterable[type[Workflow]]) -> Iterator[Problem]:
    path, line = room.place_of(house).path, room.place_of(house).line
    lengths = all(isinstance(before, Duration) for before in house.reminders)
    targets = all(isinstance(one, Target) and isinstance(one.within, Duration) for one in house.targets)
    if not lengths or not targets:
        message = '提醒请写成 hours(24) 这样，目标请写成 Target("编号", "名称", 流程.状态, hours(48)) 这样'
        yield Problem(path, line, "H4", message)
        return
    for before in house.reminders:
        if before.seconds is None:
            yield Problem(path, line, "H1", f"提醒「{before}」的长短要看日历，请改用 hours(…) 或 days(…)")
    known = {state for workflow in workflows for state in workflow.states}
    first: dict[str, str] = {}
    for target in house.targets:
        yield from _target(target, room.place_of(target, otherwise=house).line, path, known)
        if target.id in first:
            yield Problem(
                path, line, "H2", f"编号 {target.id} 用了两次（{listed([first[target.id], target.label])}），请换一个"
            )
        first.setdefault(target.id, target.label)
    where = [target.state for target in house.targets if not target.off and target.state in known]
    for state in dict.fromkeys(where):
        if where.count(state) > 1:
            yield Problem(path, line, "H2", f"「{state.label}」有两个启用的目标，只会用后一个，请删掉一个")


def _target(target: Target, line: int, path: str, known: set[State]) -> Iterator[Problem]:
    if target.state not in known:
        yield Problem(
            path, line, "H3", f"目标「{target.label}」里的「{target.state}」不是流程里的状态，请写成 流程.状态"
        )
    elif target.state.final:
        yield Problem(
            path, line, "H3", f"目标「{target.label}」写在「{target.state.label}」，那里已经结束，请换一个状态"
        )
    if target.within.seconds is None:
        yield Problem(
            path, line, "H1", f"目标「{target.label}」的长短「{target.within}」要看日历，请改用 hours(…) 或 days(…)"
        )
