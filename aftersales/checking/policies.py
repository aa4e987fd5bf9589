"""Layer 3: each policy fits the workflows and cites its sources.

A policy with no clock rule at all for a workflow says nothing about it: its tickets have no clock there, and that is
told as a remark. With one rule it must answer for every waiting state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from aftersales.checking.book import Book, facts_on, versions
from aftersales.checking.documents import check_answers, check_dates, check_documents, families_of, first_text
from aftersales.checking.kinds import check_kinds
from aftersales.checking.loading import Place
from aftersales.checking.machines import stuck
from aftersales.checking.problem import Problem, listed
from aftersales.checking.rulings import check_ruling
from aftersales.policies.vocabulary import APPLICATION, Limit, Policy, Rule, Ruling, agreed, until
from aftersales.workflows.vocabulary import Fact, State, Step, Timeout


def check_policy(book: Book) -> list[Problem]:
    """The problems of one. What is of the wrong kind or has no date makes further looking pointless."""
    wrong = [*check_kinds(book)] or [*check_dates(book)]
    if wrong:
        return wrong
    checks: list[Callable[[Book], Iterator[Problem]]] = [
        _itself, check_documents, _ids, check_answers, _rules, _states, _contradictions, _traps, _left_out,
    ]  # fmt: skip
    return [problem for check in checks for problem in check(book)]


# ── the policy itself, and its ids ──


def _itself(book: Book) -> Iterator[Problem]:
    if book.policy.pin not in ("clock", "ticket"):
        message = f'pin 写的是「{book.policy.pin}」，请写 "clock"（按时钟开始时的规定）或 "ticket"（按开单时的规定）'
        yield book.problem(book.policy, "P18", message)
    if not str(book.policy.label).strip():
        yield book.problem(book.policy, "P18", "label 是空的，请写平台的中文名")


def _ids(book: Book) -> Iterator[Problem]:
    """A ticket in the database names its clock by rule id and version, so an id must lead to one rule."""
    clocks: dict[str, Rule] = {}
    rulings: dict[tuple[str, type[Ruling], object], Ruling] = {}
    for rule in book.policy.rules:
        if not rule.id.strip() or not rule.label.strip():
            yield book.at(rule, "P8", f"规则「{rule.label or rule.id}」缺编号或名称，请补上")
        if isinstance(rule, Rule):
            if rule.id in clocks:
                message = f"编号 {rule.id} 在第 {clocks[rule.id].line} 行已经用过，请换一个，否则查不出时钟依据哪一条"
                yield book.at(rule, "P11", message)
            clocks.setdefault(rule.id, rule)
            continue
        for move in rule.moves:
            key = (rule.id, type(rule), move)
            if key in rulings:
                yield book.at(rule, "P11", f"「{rule.label}」（{rule.id}）与第 {rulings[key].line} 行重复，请删掉一处")
            rulings.setdefault(key, rule)


# ── single rules ──


def _rules(book: Book) -> Iterator[Problem]:
    for rule in book.policy.rules:
        yield from _clock_rule(book, rule) if isinstance(rule, Rule) else check_ruling(book, rule)


def _clock_rule(book: Book, rule: Rule) -> Iterator[Problem]:
    for earlier, later in pairwise(rule.history):
        if later.document.begins <= earlier.document.begins:
            message = f"「{rule.label}」的各行要按生效日期从早到晚，同一天只写一行，请调整"
            yield book.at(rule, "P6", message, later)
    for state in rule.states:
        if state.final:
            message = f"「{rule.label}」写在「{state.label}」，那里已经结束，不会有时钟，请换成还没办完的状态"
            yield book.at(rule, "P12", message)
    for limit in rule.history:
        yield from _line(book, rule, limit)


def _line(book: Book, rule: Rule, limit: Limit) -> Iterator[Problem]:
    if not limit.clause.strip():
        yield book.at(rule, "P8", f'「{rule.label}」缺条款号，请写 clause="第几条"', limit)
    if limit.within is None:
        if not limit.because.strip():
            yield book.at(rule, "P10", f'「{rule.label}」没有说为什么不限时，请写 because="…"', limit)
        return
    if not limit.quote.strip():
        yield book.at(rule, "P10", f'「{rule.label}」缺原文，请写 quote="原文里的一句话"', limit)
    for state in rule.states:
        if limit.then is not None and state not in limit.then.sources and not state.final:
            message = f"「{limit.then.label}」不能从「{state.label}」触发；可以用：{_timeouts_from(state)}"
            yield book.at(rule, "P9", message, limit)
    for fact, kind in _facts_counted_by(limit):
        yield from _known_fact(book, rule, limit, fact, kind)


def _timeouts_from(state: State) -> str:
    timeouts = state.workflow.timeouts_from(state)
    owner = state.workflow.__name__
    return (
        "、".join(f"{owner}.{move.name}（{move.label}）" for move in timeouts) or "没有，请先在流程的「到期」里加一行"
    )


def _facts_counted_by(limit: Limit) -> list[tuple[Fact, str]]:
    """What the length of this limit depends on, and the kind it must have."""
    found = [(limit.counted_from, "time")] if limit.counted_from not in (None, APPLICATION) else []
    if isinstance(limit.within, until):
        found.append((limit.within.fact, "time"))
    if isinstance(limit.within, agreed):
        found.append((limit.within.fact, "int"))
    return [(fact, kind) for fact, kind in found if fact is not None]


def _known_fact(book: Book, rule: Rule, limit: Limit, fact: Fact, kind: str) -> Iterator[Problem]:
    if fact.kind != kind:
        wanted = {"time": "一个时间", "int": "一个天数"}[kind]
        yield book.at(rule, "P14", f"「{rule.label}」按「{fact.label}」计算，可它不是{wanted}，请换一项", limit)
    for workflow in dict.fromkeys(state.workflow for state in rule.states):
        if fact.name not in facts_on(workflow):
            message = f"{workflow.label}工单上没有「{fact.label}」，这条规则永远算不出期限，请换一项"
            yield book.at(rule, "P14", message, limit)


# ── does every waiting state have a clock, or a reason why not? ──


def _states(book: Book) -> Iterator[Problem]:
    families = families_of(book.policy)
    for workflow in book.workflows:
        rules = book.rules_of(workflow)
        for state in workflow.waiting if rules else ():
            here = [rule for rule in rules if state in rule.states]
            first = first_text(here, families)
            if not here:
                message = f'{workflow.label}「{state.label}」没有规则；没有时限请写 no_limit(…, because="…")'
                yield book.problem(book.policy, "P4", message)
            elif first and not any(rule.at(first.begins) for rule in here):
                message = (
                    f"{workflow.label}「{state.label}」在 {first.label} 的文件里没有规定；没有时限请写 no_limit(…)"
                )
                yield book.at(here[0], "P4", message)


def _contradictions(book: Book) -> Iterator[Problem]:
    """For everybody a limit, and for everybody none: one of the two was forgotten."""
    for workflow in book.workflows:
        rules = [rule for rule in book.rules_of(workflow) if rule.when is None]
        for instant, state in ((instant, state) for instant in versions(rules) for state in workflow.waiting):
            lines = [(rule, rule.at(instant)) for rule in rules if state in rule.states]
            free = next((rule for rule, limit in lines if limit and limit.within is None), None)
            bound = next((rule for rule, limit in lines if limit and limit.within and not limit.off), None)
            if free and bound:
                message = f"「{state.label}」既写了限时（{bound.id}）又写了不限时（{free.id}），请删掉一处"
                yield book.at(free, "P19", message)
                return


def _traps(book: Book) -> Iterator[Problem]:
    """Nothing may wait for a clock that this policy never starts."""
    for workflow in book.workflows:
        rules = book.rules_of(workflow)
        lines = [limit for rule in rules for limit in rule.history if not limit.off]
        armed = {limit.then for limit in lines if limit.then is not None}
        steps = [move for move in workflow.moves if isinstance(move, Step) or move in armed]
        anyway = stuck(workflow, workflow.moves)
        for state in stuck(workflow, steps) if rules else ():
            if state in anyway:
                continue
            able = listed(move.label for move in workflow.moves if isinstance(move, Timeout) and state in move.sources)
            message = f"{workflow.label}「{state.label}」只有到期才能离开，这里却没有时钟，工单会卡死；请给{able}写时限"
            yield book.problem(book.policy, "P20", message)


def _left_out(book: Book) -> Iterator[Problem]:
    """Written but not handed in: it would be silently without effect."""
    used = {id(rule) for policy in book.room.policies() for rule in policy.rules}
    for kind in (Rule, Ruling):
        written: Iterable[tuple[Rule | Ruling, Place]] = book.room.written(kind)
        for rule, place in written:
            if id(rule) not in used and place.path == book.place.path:
                hint = f"*{place.name}" if place.name else "它"
                yield book.at(
                    rule, "P15", f"「{rule.label}」写了却没有交给 Policy，不会起作用，请在 rules=[…] 里加上 {hint}"
                )


# ── what was in force before must be found again ──


def check_kept(before: Policy, book: Book) -> Iterator[Problem]:
    """Running clocks name the rule and the version they were started under."""
    after = {rule.id: rule for rule in book.policy.clock_rules}
    for old in before.clock_rules:
        if old.id not in after:
            message = f"在用的规则里有 {old.id}（{old.label}），这里没有了；正在走的时钟还记着它，请把它放回来"
            yield book.problem(book.policy, "P21", f"{message}，不再限时就在末尾加一行 no_limit(…)")
            continue
        for limit in old.history:
            if after[old.id].line_of(limit.document.label) is None:
                message = f"「{old.label}」（{old.id}）少了 {limit.document.label} 那一行；正在走的时钟还按它办"
                yield book.at(after[old.id], "P21", f"{message}，旧的行不要删，请放回来")
