"""The tickets that hang together with this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aftersales import queries
from aftersales.decide import Rules
from aftersales.ticket import Event, Ticket
from web import words
from web.pages import steps
from web.pages.steps import ClockLine
from web.site import Site


@dataclass(frozen=True)
class Linked:
    """`relation` in words; `clock`: the one that runs out first."""

    relation: str
    ticket: Ticket
    address: str
    workflow: str
    state: str
    clock: ClockLine | None


def panel(site: Site, ticket: Ticket, events: Sequence[Event], rules: Rules, now: datetime) -> dict[str, Any]:
    """What ticket/linked.html shows."""
    return {
        "tickets": [_linked(one, relation, rules, now) for relation, one in queries.linked(site.desk.engine, ticket.id)]
    }


def _linked(ticket: Ticket, relation: str, rules: Rules, now: datetime) -> Linked:
    return Linked(
        words.relation_label(relation),
        ticket,
        f"/t/{ticket.id}",
        words.workflow_label(rules, ticket.workflow),
        words.state_label(rules, ticket.workflow, ticket.state),
        next(iter(steps.clock_lines(ticket, rules, now)), None),
    )
