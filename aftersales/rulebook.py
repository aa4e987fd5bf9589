"""The rules as a book to read: those of one platform on one day, and everything as data.

rules_on(policy, day)       the consolidated rules of that day, in the order of the table
render, to_json             the same for people, for programs
dump(catalog)               every workflow and policy, with versions and fingerprints (contract X7)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import groupby
from typing import Any

from aftersales.catalog import Catalog
from aftersales.policies.vocabulary import (
    AgreesAtOnce,
    Attempts,
    Document,
    FixesAmount,
    Forbids,
    Limit,
    Permits,
    Policy,
    Rule,
    Ruling,
    Window,
)
from aftersales.rule_words import TRUST, Entry, entries_on
from aftersales.saying import listed, say
from aftersales.workflows.vocabulary import (
    ClockEffect,
    Escalation,
    Fact,
    Import,
    Move,
    Opening,
    State,
    Timeout,
    Until,
    Workflow,
)


@dataclass(frozen=True)
class RuleLine:
    """One rule as it reads on a day."""

    id: str
    label: str
    #: "clock", or what else it is: window, attempts, forbids, permits, agrees_at_once, fixes_amount
    kind: str
    workflow: str
    #: where it holds, in Chinese; for a rule without a clock, the steps it is about
    states: tuple[str, ...]
    sentence: str
    clause: str
    version: str
    document: str
    source: str
    confidence: str
    checked_on: str | None
    quote: str = ""
    assumed: str = ""
    #: why the line does not act, if it does not
    off: str = ""
    #: for which tickets only
    when: str = ""


def rules_on(policy: Policy, day: date) -> list[RuleLine]:
    """The lines in force on that day (Asia/Shanghai, from 00:00:00), and those that are written but `off`."""
    return [_line(entry) for entry in entries_on(policy, day)]


def _line(entry: Entry) -> RuleLine:
    if isinstance(entry.rule, Ruling):
        return _of_ruling(entry.rule, entry.workflow)
    return _of_rule(entry.rule, entry.line, entry.workflow)


def _of_rule(rule: Rule, limit: Limit, workflow: type[Workflow]) -> RuleLine:
    sentence = limit.sentence
    if limit.counted_from is not None and limit.within is not None:
        sentence = say("{sentence}（从{fact}起）", sentence=sentence, fact=limit.counted_from.label)
    return RuleLine(
        rule.id, rule.label, "clock", workflow.label, _state_labels(rule, workflow), sentence, limit.clause,
        limit.document.label, limit.document.title, limit.document.source, limit.document.confidence,
        limit.document.checked_on, limit.quote, limit.assumed, limit.off, rule.when.says if rule.when else "",
    )  # fmt: skip


def _state_labels(rule: Rule, workflow: type[Workflow]) -> tuple[str, ...]:
    own = [state for state in rule.states if state.workflow is workflow]
    return ("每个未办完的状态",) if set(own) == set(workflow.waiting) else tuple(state.label for state in own)


def _of_ruling(rule: Ruling, workflow: type[Workflow]) -> RuleLine:
    kind, sentence = _said(rule)
    when = rule.when.says if isinstance(rule, Window) and rule.when else ""
    moves = tuple(move.label for move in rule.moves if move.workflow is workflow)
    return RuleLine(
        rule.id, rule.label, kind, workflow.label, moves, sentence, rule.id, rule.document.label, rule.document.title,
        rule.document.source, rule.document.confidence, rule.document.checked_on, rule.quote, rule.assumed, rule.off,
        when,
    )  # fmt: skip


def _said(rule: Ruling) -> tuple[str, str]:
    """(kind, sentence)."""
    if isinstance(rule, Window):
        words = "限{fact}起{length}内办理"
        return "window", say(words, fact=rule.counted_from.label, length=str(rule.within))
    if isinstance(rule, Attempts):
        return "attempts", say("合计最多 {n} 次", n=rule.at_most)
    if isinstance(rule, Forbids):
        return "forbids", say("{when}：不能办理", when=listed((one.says for one in rule.when), "；"))
    if isinstance(rule, AgreesAtOnce):
        return "agrees_at_once", say("{when}：系统立即同意", when=rule.when.says)
    if isinstance(rule, FixesAmount):
        return "fixes_amount", say("{when}：不能改金额", when=rule.when.says)
    return ("permits", "这个平台有这一步") if isinstance(rule, Permits) else (type(rule).__name__.lower(), rule.label)


# ── for people ──


def render(policy: Policy, day: date, lines: Sequence[RuleLine]) -> str:
    active = sum(not line.off for line in lines)
    head = f"{policy.label} · {day.isoformat()} 的规则：{active} 条在用，{len(lines) - active} 条没有启用"
    if not lines:
        return f"{policy.label} · {day.isoformat()}：这一天还没有规则，最早的文件是 {_first(policy)}"
    parts = [head]
    for workflow, own in groupby(sorted(lines, key=_workflow_order(lines)), key=lambda line: line.workflow):
        parts += ["", f"【{workflow}】"]
        parts += ["\n".join(_shown(line)) for line in own]
    return "\n".join(parts)


def _first(policy: Policy) -> str:
    return min((document.label for document in policy.documents if document.effective), default="（没有）")


def _workflow_order(lines: Iterable[RuleLine]) -> Any:
    order = list(dict.fromkeys(line.workflow for line in lines))
    return lambda line: order.index(line.workflow)


def _shown(line: RuleLine) -> Iterable[str]:
    where = "、".join(f"「{state}」" for state in line.states)
    yield f"{line.id}  {line.label}  {where}" + (f"，只管：{line.when}" if line.when else "")
    yield f"    {line.sentence}" + (f"  ——没有启用：{line.off}" if line.off else "")
    clause = "" if line.clause == line.id else f" {line.clause}"
    version = "没有生效日期，视为一直有效" if line.version == "undated" else f"{line.version} 起"
    checked = f"，{line.checked_on} 核对" if line.checked_on else "，没有核对过"
    yield f"    依据《{line.document}》{clause}（{version}；{TRUST.get(line.confidence, line.confidence)}{checked}）"
    if line.quote:
        yield f"    原文：“{line.quote}”"
    if line.assumed:
        yield f"    我们的读法：{line.assumed}"


def to_json(policy: Policy, day: date, lines: Sequence[RuleLine]) -> dict[str, Any]:
    return {
        "policy": policy.key,
        "label": policy.label,
        "on": day.isoformat(),
        "fingerprint": fingerprint(policy),
        "rules": [asdict(line) for line in lines],
    }


# ── as data ──


def dump(catalog: Catalog) -> dict[str, Any]:
    """Per type: states, terminals, transitions, guards, deadlines, declared reasons; per policy: version and hash."""
    policies = {key: _policy(policy) for key, policy in catalog.policies.items()}
    return {
        "workflows": {key: _workflow(workflow, catalog) for key, workflow in catalog.workflows.items()},
        "policies": policies,
        "house": _house(catalog),
        "hash": _hash(policies),
    }


def fingerprint(policy: Policy) -> str:
    """SHA-256 of what the policy says, whatever its file looks like."""
    return _hash(_rules(policy))


def _hash(value: Any) -> str:
    plain = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _policy(policy: Policy) -> dict[str, Any]:
    newest = max(policy.documents, key=lambda document: document.begins, default=None)
    return {
        "label": policy.label,
        "version": newest.label if newest else "undated",
        "hash": fingerprint(policy),
        "pin": policy.pin,
        "documents": [_document(document) for document in policy.documents],
        "rules": _rules(policy),
    }


def _document(document: Document) -> dict[str, Any]:
    return {
        "title": document.title,
        "version": document.label,
        "published": document.published,
        "source": document.source,
        "checked_on": document.checked_on,
        "confidence": document.confidence,
        "partial": document.partial,
    }


def _rules(policy: Policy) -> list[dict[str, Any]]:
    return [_clock_rule(rule) if isinstance(rule, Rule) else _ruling(rule) for rule in policy.rules]


def _clock_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "kind": "clock",
        "label": rule.label,
        "when": rule.when.says if rule.when else None,
        "states": [_named(state) for state in rule.states],
        "history": [_limit(limit) for limit in rule.history],
    }


def _limit(limit: Limit) -> dict[str, Any]:
    return {
        "version": limit.document.label,
        "document": limit.document.title,
        "within": None if limit.within is None else str(limit.within),
        "then": None if limit.then is None else limit.then.name,
        "counted_from": limit.counted_from.name if limit.counted_from else None,
        "clause": limit.clause,
        "quote": limit.quote,
        "assumed": limit.assumed or None,
        "because": limit.because or None,
        "off": limit.off or None,
    }


def _ruling(rule: Ruling) -> dict[str, Any]:
    kind, sentence = _said(rule)
    return {
        "id": rule.id,
        "kind": kind,
        "label": rule.label,
        "sentence": sentence,
        "moves": [_named(move) for move in rule.moves],
        "version": rule.document.label,
        "document": rule.document.title,
        "quote": rule.quote,
        "assumed": rule.assumed or None,
        "off": rule.off or None,
    }


def _named(row: State | Move) -> str:
    return f"{row.workflow.key}.{row.name}"


def _workflow(workflow: type[Workflow], catalog: Catalog) -> dict[str, Any]:
    return {
        "label": workflow.label,
        "code": workflow.code,
        "initial": workflow.initial().name,
        "states": [_state(state) for state in workflow.states],
        "terminals": [state.name for state in workflow.states if state.final],
        "transitions": [_transition(move) for move in workflow.moves],
        "guards": _guards(workflow),
        "deadlines": [*_lines(workflow, catalog, clocked=True)],
        "reasons": [*_lines(workflow, catalog, clocked=False)],
    }


def _state(state: State) -> dict[str, Any]:
    return {
        "name": state.name,
        "label": state.label,
        "waits_for": state.waits_for.value if state.waits_for else None,
        "final": state.final,
        "goods": state.goods.value if state.goods else None,
    }


def _transition(move: Move) -> dict[str, Any]:
    return {
        "trigger": move.name,
        "label": move.label,
        "kind": _kind(move),
        "by": [actor.value for actor in move.by],
        "from": [state.name for state in move.sources],
        "to": [
            {"state": branch.to.name if branch.to else None, "when": branch.says or None, "clock": _clock(move, branch)}
            for branch in move.branches
        ],
        "asks": [_fact(fact) for fact in move.asks],
        "accepts": [_fact(fact) for fact in move.accepts],
        "only": [guard.says for guard in move.only],
        "needs": [guard.code for guard in move.needs],
        "clause": move.clause or None,
    }


def _kind(move: Move) -> str:
    kinds: list[tuple[type[Move], str]] = [
        (Import, "import"), (Opening, "opening"), (Escalation, "escalation"), (Timeout, "timeout"),
    ]  # fmt: skip
    return next((name for kind, name in kinds if isinstance(move, kind)), "step")


def _clock(move: Move, branch: Any) -> str:
    clock: ClockEffect | Until = branch.clock or move.clock
    return f"until {clock.fact.name}" if isinstance(clock, Until) else clock.value


def _fact(fact: Fact) -> dict[str, Any]:
    choices = [value for value, _ in fact.choices]
    return {"name": fact.name, "label": fact.label, "kind": fact.kind, **({"choices": choices} if choices else {})}


def _guards(workflow: type[Workflow]) -> list[dict[str, str]]:
    """Every condition of the workflow once: the refusal it gives, and the sentence that goes with it."""
    guards = dict.fromkeys(guard for move in workflow.moves for guard in (*move.only, *move.needs))
    return [{"code": guard.code, "says": guard.says, "reads": guard.reads} for guard in guards]


def _lines(workflow: type[Workflow], catalog: Catalog, *, clocked: bool) -> Iterable[dict[str, Any]]:
    """With a clock: every deadline of every state; without: the declared reason why there is none."""
    for policy in catalog.policies.values():
        for rule in policy.clock_rules:
            states = [state.name for state in rule.states if state.workflow is workflow]
            for limit in rule.history if states else ():
                if (limit.within is not None and not limit.off) == clocked:
                    yield {"policy": policy.key, "rule": rule.id, "states": states, **_limit(limit)}


def _house(catalog: Catalog) -> dict[str, Any]:
    targets = [
        {
            "id": one.id,
            "label": one.label,
            "state": _named(one.state),
            "within": str(one.within),
            "off": one.off or None,
        }
        for one in catalog.house.targets
    ]
    return {"reminders": [str(before) for before in catalog.house.reminders], "targets": targets}
