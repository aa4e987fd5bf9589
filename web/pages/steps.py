"""What may be done to a ticket now, and what comes of it: its clocks and its steps in words, for the templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aftersales import decide
from aftersales.decide import Attempt, Gap, Rules
from aftersales.money import yuan
from aftersales.policies.vocabulary import Limit, Policy, Rule
from aftersales.preview import Preview, preview
from aftersales.saying import Listed, listed
from aftersales.ticket import Clock, Entry, Ticket
from aftersales.workflows.context import NOTHING_KNOWN, Context, Known
from aftersales.workflows.guards import HISTORY
from aftersales.workflows.plain import ADOPT_PLATFORM_STATE, PLAIN_ACTIONS, SET_PLATFORM_DEADLINE, PlainAction
from aftersales.workflows.vocabulary import STARTS, Actor, Branch, ClockEffect, State, Step
from web import words
from web.i18n import gettext, translated

# ── clocks ──


@dataclass(frozen=True)
class ClockLine:
    """A running clock; `rule`: what the book calls the rule that set it."""

    clock: Clock
    left: str
    urgency: str
    then: str
    basis: str
    rule: str


def clock_lines(ticket: Ticket, rules: Rules, now: datetime) -> list[ClockLine]:
    """The one that ends first stands first."""
    return [_clock_line(ticket, clock, rules, now) for clock in sorted(ticket.clocks, key=lambda one: one.due_at)]


def _clock_line(ticket: Ticket, clock: Clock, rules: Rules, now: datetime) -> ClockLine:
    rule = rules.policy(ticket).rule(clock.rule)
    return ClockLine(
        clock=clock,
        left=words.left(clock.due_at, now),
        urgency=words.urgency(clock.due_at, now),
        then=words.move_label(rules, ticket.workflow, clock.timeout),
        basis=words.BASIS.get(clock.basis, clock.basis),
        rule="" if rule is None else rule.label,
    )


# ── steps ──


@dataclass(frozen=True)
class Surroundings:
    """A ticket with all that foreseeing a step needs. `history`: what guards look at, oldest first."""

    ticket: Ticket
    rules: Rules
    now: datetime
    history: Sequence[Entry] = ()
    linked: Sequence[tuple[str, Ticket]] = ()
    #: what other tickets have to say to any of its steps, but for what is typed
    known: Known = NOTHING_KNOWN

    def attempt(self, step: Step, actor: str, facts: dict[str, Any] | None = None) -> Attempt:
        return Attempt(step.name, actor, self.now, facts or {})


@dataclass(frozen=True)
class StepCard:
    """A step somebody may take now: where it leads, what it does to the clock, what it still needs."""

    name: str
    label: str
    icon: str
    leads_to: Listed
    lines: Sequence[str]
    lacks: Sequence[Gap]


def cards_by_actor(around: Surroundings) -> list[tuple[Actor, list[StepCard]]]:
    """The steps that the tables allow now, the agent's own first; nobody without a step."""
    found = []
    for actor in (Actor.AGENT, Actor.BUYER, Actor.PLATFORM, Actor.SYSTEM):
        steps = decide.allowed(around.ticket, actor.value, around.now, around.rules)
        if steps:
            found.append((actor, [card(around, step, actor.value) for step in steps]))
    return found


def possible(ticket: Ticket, step: Step, rules: Rules, now: datetime) -> bool:
    """Whether anybody may take this step now."""
    return any(step in decide.allowed(ticket, actor.value, now, rules) for actor in step.by)


def card(
    around: Surroundings, step: Step, actor: str, facts: dict[str, Any] | None = None, known: Known | None = None
) -> StepCard:
    attempt, known = around.attempt(step, actor, facts), known or around.known
    foreseen = preview(around.ticket, attempt, around.rules, history=around.history, known=known, linked=around.linked)
    gaps = decide.missing(around.ticket, attempt, around.rules, history=around.history, known=known)
    states, lines = _by_the_tables(around, step, actor) if foreseen is None else _as_foreseen(foreseen, around)
    most = decide.most(around.ticket, attempt, around.rules, known=known)
    if "amount_fen" in most and not facts and not (foreseen and foreseen.payments):
        lines.append(gettext("至多 {amount}", amount=yuan(most["amount_fen"])))
    return StepCard(
        name=step.name,
        label=step.label,
        icon=_icon(step),
        leads_to=listed(states),
        lines=lines,
        lacks=[gap for gap in gaps if gap.guard is not None and gap.guard.reads == HISTORY],
    )


#: words in the name of a step, and the picture that goes with them
_ICONS = (
    ("check", ("approve", "accept", "agree", "confirm", "found", "resolve", "delivered", "done")),
    ("x", ("reject", "refuse", "cancel", "close", "deny", "withdraw", "not_")),
    ("yuan", ("refund", "pay", "compensat", "invoice", "reimburs", "deduct", "propose")),
    ("truck", ("ship", "waybill", "signed", "courier", "parcel", "return")),
    ("shield", ("platform", "interven", "complain", "appeal")),
    ("chat", ("contact", "reply", "offer", "answer", "feedback", "review")),
    ("wrench", ("repair", "visit", "fix", "diagnos")),
)


def _icon(step: Step) -> str:
    return next((icon for icon, parts in _ICONS if any(part in step.name for part in parts)), "chev")


def _as_foreseen(foreseen: Preview, around: Surroundings) -> tuple[list[str], list[str]]:
    """(the state it leads to, what else it does), as the engine has decided it on a copy."""
    label = words.state_label(around.rules, foreseen.after.workflow, foreseen.after.state)
    return [label], list(foreseen_lines(foreseen, around.rules, around.now))


def foreseen_lines(foreseen: Preview, rules: Rules, now: datetime) -> Iterator[str]:
    yield from (_started(clock, foreseen, rules, now) for clock in foreseen.started)
    for clock in foreseen.resumed:
        rule = _rule_label(clock, foreseen, rules)
        yield gettext("「{rule}」继续走，到 {due}", rule=rule, due=words.brief(clock.due_at, now))
    for clock in foreseen.paused:
        left = words.lasting(clock.left_seconds or 0)
        yield gettext("「{rule}」暂停，还剩 {left}", rule=_rule_label(clock, foreseen, rules), left=left)
    if foreseen.runs_on:
        yield gettext("时限照走")
    if foreseen.closes:
        yield gettext("本单结束")
    elif not foreseen.after.clocks and foreseen.before.clocks:
        yield gettext("停止计时")
    for payment in foreseen.payments:
        yield _money(payment.purpose, payment.amount_fen, payment.status)
    for opening in foreseen.opens:
        yield gettext("另开{type}工单", type=words.workflow_label(rules, opening.workflow))
    for told in foreseen.tells:
        step = words.move_label(rules, told.ticket.workflow, told.trigger)
        yield gettext("关联工单 {number}「{step}」", number=told.ticket.number, step=step)


def _started(clock: Clock, foreseen: Preview, rules: Rules, now: datetime) -> str:
    policy, due = rules.policy(foreseen.after), words.brief(clock.due_at, now)
    limit = policy.limit(clock.rule, clock.version, clock.timeout)
    label = _rule_label(clock, foreseen, rules)
    if limit is None or clock.basis != "rule":
        return gettext("开始「{rule}」，到 {due}", rule=label, due=due)
    return gettext("开始「{rule}」{length}，到 {due}", rule=label, length=str(limit.within or ""), due=due)


def _rule_label(clock: Clock, foreseen: Preview, rules: Rules) -> str:
    rule = rules.policy(foreseen.after).rule(clock.rule)
    return words.move_label(rules, foreseen.after.workflow, clock.timeout) if rule is None else rule.label


def _money(purpose: str, amount_fen: int, status: str) -> str:
    what = words.PURPOSES.get(purpose, purpose)
    says = {"ordered": "下单{what} {amount}", "offline": "登记线下{what} {amount}"}.get(status, "{what} {amount}")
    return gettext(says, what=what, amount=yuan(amount_fen))


def _by_the_tables(around: Surroundings, step: Step, actor: str) -> tuple[list[str], list[str]]:
    """Where it depends on what is not filled in yet: every state it may lead to, and the rules there."""
    ticket, rules, now = around.ticket, around.rules, around.now
    context = Context(ticket, step, {}, actor, now, now, rules.policy(ticket))
    source = step.workflow.state(ticket.state)
    branches = [one for one in step.branches if not one.came_from or (one.to and one.to.name == ticket.left_state)]
    states = list(dict.fromkeys(branch.to or source for branch in branches))
    lines = _clocks_of(branches[0], states[0], context, rules) if len(states) == 1 else []
    return [one.label for one in states], lines


def _clocks_of(branch: Branch, state: State, context: Context, rules: Rules) -> list[str]:
    """What happens to the clock, for a step that can lead to one state only."""
    if state.final:
        return [gettext("本单结束")]
    effect = branch.clock or context.move.clock
    if isinstance(effect, ClockEffect) and effect is not STARTS:
        words_of_effect = words.CLOCK_EFFECTS.get(effect)
        return [translated(words_of_effect)] if words_of_effect else []
    return [
        gettext("{rule}：{limit}", rule=rule.label, limit=limit.sentence)
        for rule, limit in _limits_in(state, context, rules)
    ]


def _limits_in(state: State, context: Context, rules: Rules) -> Iterable[tuple[Rule, Limit]]:
    policy: Policy = rules.policy(context.ticket)
    for rule in policy.rules_for(state):
        limit = rule.at(policy.version_instant(context.ticket, context.now))
        holds = rule.when is None or rule.when.test(context)
        if limit is not None and limit.within is not None and not limit.off and holds:
            yield rule, limit


# ── what cannot be done now ──


@dataclass(frozen=True)
class Barred:
    label: str
    why: str


def barred(around: Surroundings) -> list[Barred]:
    """The agent's steps of this type that cannot be taken now, in the order of the table, each with the reason."""
    workflow = around.rules.workflow(around.ticket)
    steps = [move for move in workflow.moves if isinstance(move, Step) and Actor.AGENT in move.by]
    found = []
    for step in steps:
        reason = decide.why_not(around.ticket, step, Actor.AGENT.value, around.now, around.rules)
        if reason is not None:
            found.append(Barred(step.label, reason))
    return found


def plain_actions(ticket: Ticket, rules: Rules) -> list[PlainAction]:
    workflow = rules.workflow(ticket)
    has_clock = bool(ticket.clocks or workflow.timeouts_from(workflow.state(ticket.state)))
    # what the platform shows is adopted on the page where both are seen side by side
    here = [one for one in PLAIN_ACTIONS.values() if one is not ADOPT_PLATFORM_STATE]
    return [one for one in here if has_clock or one is not SET_PLATFORM_DEADLINE]
