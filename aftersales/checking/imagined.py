"""Imagined tickets: what conditions say of tickets that do not exist, found by asking them.

A condition is a function; nobody can read off it when it holds. But it asks the ticket for facts, and most facts that
matter have a handful of values. So the facts it asks for are noted, and every combination of their values is tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aftersales.policies.vocabulary import Policy
from aftersales.saying import listed, say
from aftersales.ticket import NOWHERE, Ticket
from aftersales.workflows.context import Context, Draft
from aftersales.workflows.vocabulary import Branch, Choice, Fact, Import, Move, State

Test = Callable[[Context], bool]

NOW = datetime(2023, 3, 1, 2, tzinfo=UTC)
#: more combinations than these are not tried: each fact alone is varied then
_MOST = 512


@dataclass
class _Listening(Context):
    """Notes which facts it is asked for."""

    asked: dict[str, Fact] = field(default_factory=dict)

    def remembered(self, fact: Fact) -> Any:
        self.asked[fact.name] = fact
        return super().remembered(fact)


def values_of(fact: Fact, now: datetime = NOW) -> Sequence[Any]:
    """The values worth trying: all choices; yes and no; not known and past."""
    if fact.kind == "choice":
        return [value for value, _ in fact.choices]
    if fact.kind == "bool":
        return [False, True]
    return [None, now - timedelta(hours=1)] if fact.kind == "time" else []


def combinations(facts: Iterable[Fact], now: datetime = NOW) -> Iterator[dict[str, Any]]:
    """Every way the facts can be, those that have only one way left out."""
    varied = {fact.name: values_of(fact, now) for fact in facts}
    varied = {name: values for name, values in varied.items() if len(values) > 1}
    total = 1
    for values in varied.values():
        total *= len(values)
    if total <= _MOST:
        for chosen in itertools.product(*varied.values()):
            yield dict(zip(varied, chosen, strict=True))
        return
    for name, values in varied.items():
        yield from ({name: value} for value in values)


def facts_asked(tests: Sequence[Test], move: Move, state: str, policy: Policy, now: datetime = NOW) -> list[Fact]:
    """The facts that these conditions look at, one behind the other."""
    known: dict[str, Fact] = {}
    while True:
        found = dict(known)
        for fields in combinations(known.values(), now):
            context = imagine(move, state, policy, fields, now=now)
            for test in tests:
                holds(test, context)
            found = context.asked | found
        if found.keys() == known.keys():
            return list(known.values())
        known = found


def imagine(
    move: Move,
    state: str,
    policy: Policy,
    fields: Mapping[str, Any],
    *,
    now: datetime = NOW,
    facts: Mapping[str, Any] | None = None,
) -> _Listening:
    """An attempt at this move on a ticket that is like this."""
    ticket = Ticket(
        id=0, shop_id=0, number="", workflow=move.workflow.key, policy=policy.key, authority="local", state=state,
        version=1, opened_at=now, applied_at=now, entered_at=now, applied_seq=1, entered_seq=1, moved_seq=1,
        paid_fen=10_000, fields={name: value for name, value in fields.items() if value is not None},
    )  # fmt: skip
    actor = move.by[0] if move.by else "system"
    return _Listening(ticket, move, facts or {}, actor, now, now, policy, draft=Draft(dict(ticket.fields), []))


def arrived(move: Move, source: State | None, state: State, policy: Policy, fields: Mapping[str, Any]) -> Context:
    """The ticket in that state, after this move from that one has left on it what it leaves."""
    before = imagine(move, source.name if source else NOWHERE, policy, fields)
    before.to = state.name
    for effect in move.effects:
        holds(lambda context, effect=effect: effect(context), before)  # type: ignore[misc]
    return imagine(move, state.name, policy, before.draft.fields)


def holds(test: Test, context: Context) -> bool:
    """Whether the condition holds; False where it cannot be asked of an imagined ticket."""
    try:
        return bool(test(context))
    except Exception:  # noqa: BLE001 -- it misses something that a real ticket has
        return False


def described(facts: Iterable[Fact], some: Sequence[Mapping[str, Any]], all_: Sequence[Mapping[str, Any]]) -> str:
    """What these tickets of all have in common: “退款类型为「卡券退款」”. Empty if there are none."""
    said: list[str] = []
    for fact in facts if some else ():
        values = dict.fromkeys(fields.get(fact.name) for fields in some)
        if len(values) < len({fields.get(fact.name) for fields in all_}):
            said.append(_said(fact, values))
    return listed(said, "，") if said else say("任何工单") if some else ""


def _said(fact: Fact, values: Iterable[Any]) -> str:
    if fact.kind == "bool":
        return say("{fact}：{values}", fact=fact.label, values=listed("是" if value else "否" for value in values))
    if fact.kind == "time":
        known = listed("没有" if value is None else "已过" for value in values)
        return say("{fact}：{values}", fact=fact.label, values=known)
    labels = [say("「{value}」", value=dict(fact.choices).get(value, value)) for value in values]
    return say("{fact}为{values}", fact=fact.label, values=listed(labels))


# ── does a choice always lead somewhere? ──

_NO_POLICY = Policy("", "", [], [])


def missing_values(move: Move) -> str:
    """What can be filled in although no branch answers to it; empty if every case leads somewhere."""
    if _always_leads_somewhere(move):
        return ""
    for fact in move.asks:
        answered = {value: _answers(move, fact, value) for value, _ in fact.choices}
        missing = [label for value, label in fact.choices if not answered[value]]
        if fact.choices and not missing:
            return ""
        if len(missing) < len(answered):
            return f"{fact.label}为" + "、".join(f"「{label}」" for label in missing)
    return "其他情况"


def _always_leads_somewhere(move: Move) -> bool:
    """By its form alone: one way only, an `otherwise`, or back to where it came from (looked at elsewhere)."""
    if isinstance(move, Import) or not isinstance(move.to, Choice):
        return True
    return any(branch.test is None for branch in move.branches)


def _answers(move: Move, fact: Fact, value: Any) -> list[Branch]:
    context = imagine(move, "", _NO_POLICY, {}, facts={fact.name: value})
    return [branch for branch in move.branches if branch.test is not None and holds(branch.test, context)]


def never_taken(move: Move) -> list[str]:
    """The branches that answer to a value which the step does not let anybody give."""
    if _always_leads_somewhere(move):
        return []
    taken = {id(branch) for fact in move.asks for value, _ in fact.choices for branch in _answers(move, fact, value)}
    return [branch.says for branch in move.branches if id(branch) not in taken] if taken else []
