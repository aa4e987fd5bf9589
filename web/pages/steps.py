"""What may be done to a ticket now: its clocks and its steps in words, for the templates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aftersales import decide
from aftersales.decide import Rules
from aftersales.policies.vocabulary import Limit, Policy, Rule
from aftersales.ticket import Clock, Ticket
from aftersales.workflows.context import Context
from aftersales.workflows.guards import HISTORY
from aftersales.workflows.plain import PLAIN_ACTIONS, SET_PLATFORM_DEADLINE, PlainAction
from aftersales.workflows.vocabulary import STARTS, Actor, Branch, ClockEffect, Move, State, Step
from web import words

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
    return StepLine(step.name, step.label, [one.label for one in states], lines)


def _clocks_of(branch: Branch, state: State, context: Context, rules: Rules) -> list[str]:
    """What happens to the clock, for a step that can lead to one state only."""
    if state.final:
        return []
    effect = branch.clock or context.move.clock
    if isinstance(effect, ClockEffect) and effect is not STARTS:
        words_of_effect = words.CLOCK_EFFECTS.get(effect)
        return [words_of_effect] if words_of_effect else []
    return [f"{rule.label}：{limit.sentence}" for rule, limit in _limits_in(state, context, rules)]


def _limits_in(state: State, context: Context, rules: Rules) -> Iterable[tuple[Rule, Limit]]:
    policy: Policy = rules.policy(context.ticket)
    for rule in policy.rules_for(state):
        limit = rule.at(policy.version_instant(context.ticket, context.now))
        holds = rule.when is None or rule.when.test(context)
        if limit is not None and limit.within is not None and not limit.off and holds:
            yield rule, limit


def requirements(move: Move) -> list[str]:
    """What the step needs beside its fields: evidence, contacts."""
    return [guard.says for guard in move.needs if guard.reads == HISTORY]


def plain_actions(ticket: Ticket, rules: Rules) -> list[PlainAction]:
    workflow = rules.workflow(ticket)
    has_clock = bool(ticket.clocks or workflow.timeouts_from(workflow.state(ticket.state)))
    return [one for one in PLAIN_ACTIONS.values() if has_clock or one is not SET_PLATFORM_DEADLINE]
