"""A ticket's clocks, steps and history in words, for the templates of its pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aftersales import decide
from aftersales.decide import Rules
from aftersales.policies.vocabulary import Limit, Policy, Rule
from aftersales.ticket import NOWHERE, Clock, Event, Ticket
from aftersales.workflows.context import Context
from aftersales.workflows.guards import HISTORY
from aftersales.workflows.plain import PLAIN_ACTIONS, SET_PLATFORM_DEADLINE, PlainAction
from aftersales.workflows.vocabulary import STARTS, Actor, Branch, ClockEffect, Fact, Move, State, Step
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
        basis=gettext(words.BASIS.get(clock.basis, clock.basis)),
        rule="" if rule is None else gettext(rule.label),
    )


# ── steps ──


@dataclass(frozen=True)
class StepLine:
    """A step somebody may take now: where it leads, what it does to the clock."""

    name: str
    label: str
    leads_to: Sequence[str]
    clocks: Sequence[str]


def steps_by_actor(ticket: Ticket, rules: Rules, now: datetime) -> list[tuple[Actor, list[StepLine]]]:
    """The steps that the tables allow now, the agent's own first; nobody without a step."""
    found = []
    for actor in (Actor.AGENT, Actor.BUYER, Actor.PLATFORM, Actor.SYSTEM):
        steps = decide.allowed(ticket, actor.value, now, rules)
        if steps:
            found.append((actor, [step_line(ticket, step, actor, rules, now) for step in steps]))
    return found


def possible(ticket: Ticket, step: Step, rules: Rules, now: datetime) -> bool:
    """Whether anybody may take this step now."""
    return any(step in decide.allowed(ticket, actor.value, now, rules) for actor in step.by)


def step_line(ticket: Ticket, step: Step, actor: Actor, rules: Rules, now: datetime) -> StepLine:
    context = Context(ticket, step, {}, actor.value, now, now, rules.policy(ticket))
    source = step.workflow.state(ticket.state)
    branches = [one for one in step.branches if not one.came_from or (one.to and one.to.name == ticket.left_state)]
    states = list(dict.fromkeys(branch.to or source for branch in branches))
    lines = _clocks_of(branches[0], states[0], context, rules) if len(states) == 1 else []
    return StepLine(step.name, gettext(step.label), [gettext(one.label) for one in states], lines)


def _clocks_of(branch: Branch, state: State, context: Context, rules: Rules) -> list[str]:
    """What happens to the clock, for a step that can lead to one state only."""
    if state.final:
        return []
    effect = branch.clock or context.move.clock
    if isinstance(effect, ClockEffect) and effect is not STARTS:
        words_of_effect = words.CLOCK_EFFECTS.get(effect)
        return [gettext(words_of_effect)] if words_of_effect else []
    limits = _limits_in(state, context, rules)
    return [gettext("{label}：{value}", label=rule.label, value=limit.sentence) for rule, limit in limits]


def _limits_in(state: State, context: Context, rules: Rules) -> Iterable[tuple[Rule, Limit]]:
    policy: Policy = rules.policy(context.ticket)
    for rule in policy.rules_for(state):
        limit = rule.at(policy.version_instant(context.ticket, context.now))
        holds = rule.when is None or rule.when.test(context)
        if limit is not None and limit.within is not None and not limit.off and holds:
            yield rule, limit


def requirements(move: Move) -> list[str]:
    """What the step needs beside its fields: evidence, contacts."""
    return [translated(guard.says) for guard in move.needs if guard.reads == HISTORY]


def plain_actions(ticket: Ticket, rules: Rules) -> list[PlainAction]:
    workflow = rules.workflow(ticket)
    has_clock = bool(ticket.clocks or workflow.timeouts_from(workflow.state(ticket.state)))
    return [one for one in PLAIN_ACTIONS.values() if has_clock or one is not SET_PLATFORM_DEADLINE]


# ── history ──


@dataclass(frozen=True)
class EventLine:
    """One event in words; `by_rule`: done by the clock, so the event names its rule and due time."""

    event: Event
    title: str
    who: str
    moved: tuple[str, str] | None
    facts: Sequence[tuple[str, str]]
    by_rule: bool
    started: Sequence[Clock]


def story(ticket: Ticket, events: Sequence[Event], rules: Rules, after: int = 0) -> list[EventLine]:
    """The newest first. `after`: only what happened after this version."""
    before: Sequence[Clock] = ()
    lines = []
    for event in events:
        if event.seq > after:
            lines.append(_event_line(ticket, event, before, rules))
        before = event.clocks
    return lines[::-1]


def _event_line(ticket: Ticket, event: Event, before: Sequence[Clock], rules: Rules) -> EventLine:
    known = {(clock.rule, clock.due_at) for clock in before}
    return EventLine(
        event=event,
        title=_title(ticket, event, rules),
        who=words.actor_label(event.actor),
        moved=_moved(ticket, event, rules),
        facts=words.named(event.facts, _facts_of(ticket, event, rules)),
        by_rule=event.actor == Actor.SYSTEM and event.kind == "move" and event.rule is not None,
        started=[clock for clock in event.clocks if (clock.rule, clock.due_at) not in known],
    )


def _title(ticket: Ticket, event: Event, rules: Rules) -> str:
    if event.kind == "target":
        target = next((one for one in rules.catalog.house.targets if one.id == event.trigger), None)
        return gettext("店内目标：{target}", target=target.label if target else event.trigger)
    if event.kind in words.EVENT_KINDS:
        return gettext(words.EVENT_KINDS[event.kind])
    return words.move_label(rules, ticket.workflow, event.trigger)


def _moved(ticket: Ticket, event: Event, rules: Rules) -> tuple[str, str] | None:
    if event.from_state == event.to_state:
        return None
    source = "" if event.from_state == NOWHERE else words.state_label(rules, ticket.workflow, event.from_state)
    return source, words.state_label(rules, ticket.workflow, event.to_state)


def _facts_of(ticket: Ticket, event: Event, rules: Rules) -> Sequence[Fact]:
    form = PLAIN_ACTIONS.get(event.trigger) or rules.workflow(ticket).move(event.trigger)
    return () if form is None else form.facts
