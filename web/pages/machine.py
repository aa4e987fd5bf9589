"""The machine of a ticket: the drawing with the path it has walked, the same as a table, and a line for the side."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from markupsafe import Markup, escape

from aftersales import clock, queries
from aftersales import diagram as drawing_of
from aftersales.clock import shown
from aftersales.decide import Rules
from aftersales.policies.vocabulary import Limit, Policy, Rule
from aftersales.ticket import NOWHERE, Event, Ticket
from aftersales.workflows.context import Context
from aftersales.workflows.vocabulary import Move, State, Timeout, Workflow
from web import drawing, words
from web.i18n import gettext, translated
from web.rendering import page
from web.site import Site, TheSite, ticket_of

router = APIRouter()

#: ways a ticket went: (from, to, whether the clock did it), by the names of the states
Walked = Collection[tuple[str, str, bool]]
_GROUP = re.compile(r'<g id="(m-[^"]+)" class="(node|edge) ([^"]*)"')


# ── the drawing ──


def diagram(workflow: type[Workflow], walked: Walked = (), at: str | None = None) -> Markup:
    """The machine as SVG, the ways `walked` lit, the state `at` marked; empty where it cannot be drawn.

    It is laid out once for each workflow and language; lighting it is a matter of classes.
    """
    drawn = drawing.svg(drawing_of.dot(workflow, lambda label: str(translated(label))))
    if not drawn:
        return Markup("")
    lit = _lit(workflow, walked)
    here = drawing_of.state_id(workflow, at) if at else ""

    def marked(found: re.Match[str]) -> str:
        name, sort, classes = found.groups()
        more = (" lit" if name in lit else "") + (" here" if name == here else "")
        return f'<g id="{name}" class="{sort} {classes}{more}"'

    title = _title(workflow, at)
    head = f'<svg class="machine" role="img" aria-label="{escape(title)}"'
    return Markup(_GROUP.sub(marked, drawn).replace("<svg", head, 1))  # noqa: S704 -- Graphviz's, cleaned; labels escaped


def draw_all(rules: Rules) -> None:
    """Every machine once, so that the first who looks at one does not wait for a second."""
    drawing.ahead([drawing_of.dot(workflow) for workflow in rules.catalog.workflows.values()])


def _lit(workflow: type[Workflow], walked: Walked) -> set[str]:
    states = {drawing_of.state_id(workflow, name) for source, target, _ in walked for name in (source, target)}
    return states | {drawing_of.edge_id(workflow, one, two, clock=clock) for one, two, clock in walked}


def _title(workflow: type[Workflow], at: str | None) -> str:
    label = translated(workflow.label)
    if at is None:
        return gettext("{workflow}的流程图，下面有同样内容的表格", workflow=label)
    return gettext(
        "{workflow}的流程图，现在在「{state}」，下面有同样内容的表格", workflow=label, state=workflow.state_label(at)
    )


# ── the table ──


@dataclass(frozen=True)
class WayLine:
    """One way out of a state. `by`: who can take it; `clock`: it happens by itself."""

    label: str
    by: Sequence[str]
    targets: Sequence[str]
    clock: bool


@dataclass(frozen=True)
class StateLine:
    """One state as a row. `limits`: (rule, sentence, assumed); `when`: when this ticket came there, each time."""

    name: str
    label: str
    turn: str
    final: bool
    ways: Sequence[WayLine]
    limits: Sequence[tuple[str, str]]
    here: bool = False
    when: Sequence[datetime] = ()


def table(
    workflow: type[Workflow], policy: Policy | None = None, now: datetime | None = None, *,
    at: str | None = None, events: Sequence[Event] = (),
) -> list[StateLine]:  # fmt: skip
    """Every state of a workflow; with the limits that a policy sets now, if one is given."""
    came: dict[str, list[datetime]] = {}
    for event in events:
        if event.from_state != event.to_state:
            came.setdefault(event.to_state, []).append(event.at)
    return [
        StateLine(
            state.name, state.label, state.waits_for.value if state.waits_for else "", state.final,
            [_way(way.move, way.targets) for way in drawing_of.ways(workflow, state)],
            [] if policy is None or now is None else list(_limits(policy, state, now)),
            state.name == at, came.get(state.name, ()),
        )
        for state in workflow.states
    ]  # fmt: skip


def _way(move: Move, targets: Iterable[State]) -> WayLine:
    by = [] if isinstance(move, Timeout) else [actor.label for actor in move.by]
    return WayLine(move.label, by, [one.label for one in targets], isinstance(move, Timeout))


def _limits(policy: Policy, state: State, now: datetime) -> Iterable[tuple[str, str]]:
    for rule in policy.rules_for(state):
        limit = rule.at(now)
        if limit is not None and limit.within is not None and not limit.off:
            yield rule.id, limit.sentence


# ── the line in the side column ──


@dataclass(frozen=True)
class Stop:
    """One state of the line: been, here, or to come. `clock`: its limit, short; `exits`: where else it may lead."""

    label: str
    sort: str
    clock: str
    at: datetime | None
    exits: Sequence[str]


def panel(site: Site, ticket: Ticket, events: Sequence[Event], rules: Rules, now: datetime) -> dict[str, Any]:
    """What ticket/machine.html shows."""
    workflow = rules.workflow(ticket)
    return {
        "stops": _line(ticket, events, rules, now), "address": f"/t/{ticket.id}/machine",
        "anytime": [move.label for move in drawing_of.anytime(workflow) if ticket.closed_at is None],
    }  # fmt: skip


def _line(ticket: Ticket, events: Sequence[Event], rules: Rules, now: datetime) -> list[Stop]:
    """Where it has been, each state once, the latest time; where it is; what usually follows."""
    workflow, policy = rules.workflow(ticket), rules.policy(ticket)
    here = workflow.state(ticket.state)
    came: dict[str, datetime] = {}
    for event in events:
        if event.from_state != event.to_state:
            came.pop(event.to_state, None)
            came[event.to_state] = event.at
    been = [workflow.state(name) for name in came if name != ticket.state]
    to_come = drawing_of.expected(workflow, here, been, _leads(ticket, rules, now))
    path = [*been, here, *to_come]
    return [
        Stop(
            state.label, "been" if state in been else "here" if state is here else "next",
            "" if state in been else _short_limit(policy, state, now), came.get(state.name),
            [] if state in been else _exits(workflow, state, path),
        )
        for state in path
    ]  # fmt: skip


def _leads(ticket: Ticket, rules: Rules, now: datetime) -> drawing_of.Leads:
    """Where a step leads for a ticket like this one: of its kind, on its platform."""

    def leads(move: Move, source: State) -> Sequence[State]:
        context = Context(ticket, move, {}, move.by[0].value, now, now, rules.policy(ticket))
        try:
            if not all(guard.test(context) for guard in move.only):
                return ()
            taken = next(one for one in move.branches if not one.came_from and (not one.test or one.test(context)))
            return (taken.to or source,)
        except (KeyError, TypeError, StopIteration):  # it depends on what will be filled in
            return move.destinations(source)

    return leads


def _short_limit(policy: Policy, state: State, now: datetime) -> str:
    if state.final:
        return ""
    found: list[tuple[Rule, Limit]] = [(rule, limit) for rule in policy.rules_for(state) if (limit := rule.at(now))]
    limits = [str(limit.within) for _, limit in found if limit.within is not None and not limit.off]
    if limits:
        return limits[0]
    return gettext("看物流") if drawing_of.party(state) == "courier" else gettext("没有时限")


def _exits(workflow: type[Workflow], state: State, path: Sequence[State]) -> list[str]:
    """驳回 → 商家已驳回; two at most, those of the clock among them."""
    beside = set(drawing_of.anytime(workflow))
    found = []
    for way in drawing_of.ways(workflow, state):
        away = [one for one in way.targets if one is not state and one not in path]
        if away and way.move not in beside:
            found.append(f"{translated(way.move.label)} → {translated(away[0].label)}")
    return found[:2]


# ── the page ──


@router.get("/t/{name}/machine")
def machine(name: str, site: TheSite) -> Response:
    ticket, rules, now = ticket_of(site, name), site.rules(), clock.now()
    workflow, events = rules.workflow(ticket), queries.events(site.desk.engine, ticket.id)
    moves = [event for event in events if event.from_state not in (event.to_state, NOWHERE)]
    walked = {(one.from_state, one.to_state, one.rule is not None) for one in moves}
    context = {
        "ticket": ticket, "address": f"/t/{name}", "workflow": workflow.label,
        "state": words.state_label(rules, ticket.workflow, ticket.state), "policy": rules.policy(ticket),
        "drawing": diagram(workflow, walked, ticket.state),
        "rows": table(workflow, rules.policy(ticket), now, at=ticket.state, events=events),
        "anytime": [move.label for move in drawing_of.anytime(workflow)], "shown_now": shown(now)[:16],
    }  # fmt: skip
    return page("machine.html", context)
