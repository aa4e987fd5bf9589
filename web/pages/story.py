"""The story of a ticket: every event in words, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aftersales.decide import Rules
from aftersales.ticket import NOWHERE, Clock, Event, Ticket
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import Actor, Fact
from web import words
from web.i18n import gettext
from web.site import Site


def panel(site: Site, ticket: Ticket, events: Sequence[Event], rules: Rules, now: datetime) -> dict[str, Any]:
    """What ticket/story.html shows."""
    return {"lines": story(ticket, events, rules)}


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
