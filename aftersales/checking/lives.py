"""How long a ticket lives if nobody ever acts: every way of opening one is played on the real engine, under every
version of the rules, for every kind of ticket that the rules tell apart, until it is closed or no clock runs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from aftersales.catalog import Catalog
from aftersales.checking.book import versions
from aftersales.checking.imagined import NOW, combinations, described, facts_asked
from aftersales.decide import NewTicket, Rules, catch_up, open_ticket
from aftersales.durations import Duration
from aftersales.errors import Refused
from aftersales.policies.vocabulary import AgreesAtOnce, Limit, Policy, Rule, Ruling, agreed, until
from aftersales.ticket import NOWHERE, Clock, Ticket
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows.vocabulary import Fact, Import, Opening, Timeout, Workflow

#: no shipped table comes near; more would mean that layer 4 has missed a loop
_MOST_CLOCKS = 100


@dataclass(frozen=True)
class Clocked:
    """One clock that ran out."""

    state: str
    rule: str
    #: "48小时", with what must be known to read it
    words: str
    then: str
    #: None where it depends on the calendar or on an instant agreed on
    seconds: int | None


@dataclass(frozen=True)
class Life:
    """What becomes of a ticket that nobody touches."""

    policy: str
    workflow: str
    opening: str
    version: str
    #: which tickets: empty for all
    which: str
    clocks: tuple[Clocked, ...]
    #: where it ends, or stands for ever
    state: str
    closed: bool
    #: why it stands there
    because: str = ""

    @property
    def seconds(self) -> int | None:
        """How long in all; None if it never ends or depends on the calendar."""
        each = [clocked.seconds for clocked in self.clocks]
        return sum(filter(None, each)) if self.closed and None not in each else None

    @property
    def sentence(self) -> str:
        """“48小时 + 10天 = 12天，到「超时关闭」”."""
        clocks = " + ".join(clocked.words for clocked in self.clocks).replace("） +", "）+")
        if not self.closed:
            passed = f"{clocks}，然后" if clocks else ""
            return f"不会自己结束：{passed}停在「{self.state}」，{self.because}"
        if len(self.clocks) > 1 and self.seconds is not None:
            clocks += f" = {_length(self.seconds)}"
        return f"{clocks or '当场办结'}，到「{self.state}」"

    def to_json(self) -> dict[str, Any]:
        clocks = [{**vars(clocked)} for clocked in self.clocks]
        return {**vars(self), "clocks": clocks, "seconds": self.seconds, "sentence": self.sentence}


def _length(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours = rest / 3_600
    return "".join([f"{days}天" if days else "", f"{hours:g}小时" if hours else ""])


def lives(catalog: Catalog) -> list[Life]:
    """Every different life, per policy, workflow, opening and version; the longest of an opening first."""
    return [
        life
        for policy in catalog.policies.values()
        for workflow in catalog.workflows.values()
        for instant in versions(_clock_rules(policy, workflow))
        for opening in workflow.openings()
        if not isinstance(opening, Import)
        for life in _lives_of(opening, _as_of(policy, instant), instant, catalog)
    ]


def longest_first(life: Life) -> tuple[bool, int, int]:
    """To sort by: what never ends before what does, what takes long before what takes short."""
    return life.closed, -(life.seconds or 0), -len(life.clocks)


def _clock_rules(policy: Policy, workflow: type[Workflow]) -> list[Rule]:
    return [rule for rule in policy.clock_rules if any(state.workflow is workflow for state in rule.states)]


def _as_of(policy: Policy, instant: datetime) -> Policy:
    """The policy as if nothing had been published after that instant."""
    return replace(policy, rules=[_rule_as_of(rule, instant) for rule in policy.rules if _begun(rule, instant)])


def _begun(rule: Rule | Ruling, instant: datetime) -> bool:
    return rule.at(instant) is not None if isinstance(rule, Rule) else rule.document.begins <= instant


def _rule_as_of(rule: Rule | Ruling, instant: datetime) -> Rule | Ruling:
    limit = rule.at(instant) if isinstance(rule, Rule) else None
    if limit is None or not isinstance(rule, Rule):
        return rule
    alone = copy.copy(rule)
    alone.history = [limit]
    return alone


# ── one opening ──


def _lives_of(opening: Opening, policy: Policy, instant: datetime, catalog: Catalog) -> list[Life]:
    rules = Rules(Catalog(catalog.workflows, {policy.key: policy}, catalog.house), WorkCalendar.default())
    begins = max(instant, NOW)
    facts = _facts_that_matter(opening, policy, begins)
    everybody = list(combinations(facts, begins))
    found: dict[Life, list[Mapping[str, Any]]] = {}
    for fields in everybody:
        ticket = _opened(opening, fields, begins, rules)
        if ticket is not None:
            version = _version(policy, opening.workflow, instant)
            life = _life(ticket, rules, opening.label, version)
            found.setdefault(life, []).append(fields)
    opened = [fields for some in found.values() for fields in some]
    told = [replace(life, which=described(facts, some, opened)) for life, some in found.items()]
    told = [replace(life, which="") for life in told] if len(told) == 1 else told
    return sorted(told, key=longest_first)


def _version(policy: Policy, workflow: type[Workflow], instant: datetime) -> str:
    """The label of the newest document that this workflow's clocks go by."""
    lines = [limit for rule in _clock_rules(policy, workflow) for limit in rule.history]
    documents = [limit.document for limit in lines if limit.document.begins <= instant]
    return max(documents, key=lambda document: document.begins).label


def _facts_that_matter(opening: Opening, policy: Policy, now: datetime) -> list[Fact]:
    """What can be filled in at the opening, and makes a difference to some condition on the way."""
    workflow = opening.workflow
    clock_rules = _clock_rules(policy, workflow)
    tests = [branch.test for branch in opening.branches if branch.test is not None]
    for rule in policy.rules:
        about_it = opening in rule.moves if isinstance(rule, AgreesAtOnce) else rule in clock_rules
        when = rule.when if isinstance(rule, Rule | AgreesAtOnce) else None
        if about_it and when is not None:
            tests.append(when.test)
    for move in workflow.moves:
        if isinstance(move, Timeout):
            tests += [branch.test for branch in move.branches if branch.test is not None]
    asked = {fact.name for fact in facts_asked(tests, opening, NOWHERE, policy, now)}
    named = {fact.name for fact in opening.asks if fact.name in _names_read(opening)}
    return [fact for fact in opening.facts if fact.name in asked | named]


def _names_read(opening: Opening) -> set[str]:
    """`named_by(fact, ...)` reads what is filled in without asking the ticket, so it is known by its choices."""
    states = {branch.to.name for branch in opening.branches if branch.to is not None}
    return {fact.name for fact in opening.asks if fact.choices and {value for value, _ in fact.choices} <= states}


def _opened(opening: Opening, fields: Mapping[str, Any], at: datetime, rules: Rules) -> Ticket | None:
    """A ticket like this as it stands after its opening; None if no such ticket can be opened."""
    facts = {**{fact.name: _made_up(fact, at) for fact in _wanted(opening)}, **fields}
    [policy] = rules.catalog.policies
    new = NewTicket(
        opening.workflow.key, policy, opening.name, opening.by[0], at,
        {name: value for name, value in facts.items() if value is not None}, order_no="1",
    )  # fmt: skip
    try:
        return open_ticket(new, rules, ticket_id=0, number="", shop_id=0).after
    except Refused:
        return None


def _wanted(opening: Opening) -> list[Fact]:
    """What must be filled in, and the numbers that some kinds of ticket cannot do without."""
    counts = [fact for fact in opening.facts if fact.kind == "int" and fact.at_least and fact.default is None]
    return [*opening.asks, *counts]


def _made_up(fact: Fact, at: datetime) -> Any:
    if fact.kind == "choice":
        return fact.choices[0][0]
    return {"int": fact.at_least or 0, "fen": 10_000, "bool": False, "time": at}.get(fact.kind, "1")


# ── one ticket ──


def _life(ticket: Ticket, rules: Rules, opening: str, version: str) -> Life:
    policy, workflow = rules.policy(ticket), rules.workflow(ticket)
    clocks: list[Clocked] = []
    while (clock := ticket.clock) is not None and len(clocks) < _MOST_CLOCKS:
        clocks.append(_clocked(ticket, clock, policy, workflow))
        change = catch_up(ticket, clock.alarm_at + timedelta(seconds=1), rules)
        assert change is not None
        ticket = change.after
    state = workflow.state(ticket.state)
    because = "" if state.final else _why_it_stands(ticket, policy, clocks)
    return Life(policy.label, workflow.label, opening, version, "", tuple(clocks), state.label, state.final, because)


def _clocked(ticket: Ticket, clock: Clock, policy: Policy, workflow: type[Workflow]) -> Clocked:
    limit = _line_of(policy, clock)
    move = workflow.move(clock.timeout)
    then = clock.timeout if move is None else move.label
    words, seconds = _words(limit) if limit else ("?", None)
    return Clocked(workflow.state_label(ticket.state), clock.rule, words, then, seconds)


def _line_of(policy: Policy, clock: Clock) -> Limit | None:
    rules = [rule for rule in policy.clock_rules if rule.id == clock.rule]
    return rules[0].line_of(clock.version) if rules else None


def _words(limit: Limit) -> tuple[str, int | None]:
    within = limit.within
    if isinstance(within, until):
        return f"到{within.fact.label}", None
    length = within.or_else if isinstance(within, agreed) else within
    assert isinstance(length, Duration)
    words = f"{length}（未约定{within.fact.label}时）" if isinstance(within, agreed) else str(length)
    if limit.counted_from is not None:
        words += f"（从{limit.counted_from.label}起）"
    return words, length.seconds


def _why_it_stands(ticket: Ticket, policy: Policy, clocks: Sequence[Clocked]) -> str:
    if ticket.no_clock_reason == "ran_out" and clocks:
        return f"逾期后升级给人，不再自动推进（{clocks[-1].rule}）"
    told = {"off": "时限没有启用", "no_limit": "规则未规定时限", "no_rule": "这类工单没有规则"}
    said = told.get(ticket.no_clock_reason or "", "没有时钟")
    ids = "、".join(rule.id for rule in _rules_standing(ticket, policy))
    return f"{said}（{ids}）" if ids and ticket.no_clock_reason != "no_rule" else said


def _rules_standing(ticket: Ticket, policy: Policy) -> Iterator[Rule]:
    """The rules that say why there is no clock where the ticket stands."""
    for rule in policy.clock_rules:
        limit = rule.history[-1]
        here = any((state.workflow.key, state.name) == (ticket.workflow, ticket.state) for state in rule.states)
        if here and rule.when is None and (limit.within is None or limit.off):
            yield rule
