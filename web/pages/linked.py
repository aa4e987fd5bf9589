"""The tickets that hang together with this one, and what else its order and its buyer have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aftersales.decide import Rules
from aftersales.queries import story as questions
from aftersales.queries.story import Other
from aftersales.ticket import Event, Ticket
from aftersales.workflows.links import CONVERTED_FROM, FOLLOW_UP_OF, PARCEL_OF, REMEDY_OF, REOPENED_FROM
from web import words
from web.i18n import gettext
from web.site import Site

#: (relation, whether this ticket says it of the other): what the other is to this one
RELATION_WORDS = {
    (REOPENED_FROM, True): "本单由它重新发起",
    (REOPENED_FROM, False): "由本单重新发起",
    (CONVERTED_FROM, True): "本单由它转来",
    (CONVERTED_FROM, False): "由本单转出",
    (PARCEL_OF, True): "本单查的是它的换货包裹",
    (PARCEL_OF, False): "本单的换货包裹",
    (REMEDY_OF, True): "本单为它退款",
    (REMEDY_OF, False): "本单的退款",
    (FOLLOW_UP_OF, True): "本单是它的追评",
    (FOLLOW_UP_OF, False): "本单的追评",
}


@dataclass(frozen=True)
class OtherLine:
    """Another ticket in words. `left`: of its clock; `urgency`: the name of a colour."""

    relation: str
    number: str
    address: str
    icon: str
    workflow: str
    state: str
    left: str
    urgency: str
    closed_at: datetime | None
    opened_at: datetime


ICONS = {"exchange": "swap", "repair": "wrench", "refund": "yuan", "lost_parcel": "parcel", "bad_review": "star"}


def panel(site: Site, ticket: Ticket, events: Sequence[Event], rules: Rules, now: datetime) -> dict[str, Any]:
    """What ticket/linked.html shows."""
    engine = site.desk.engine
    links = questions.links(engine, ticket.id)
    known = {link.other.id for link in links}
    of_order, of_buyer = questions.others(
        engine, ticket.shop_id, ticket.id, order_no=ticket.order_no, buyer=ticket.buyer
    )
    return {
        "tickets": [
            _line(link.other, RELATION_WORDS.get((link.relation, link.outgoing), link.relation), rules, now)
            for link in links
        ],
        "of_order": [_line(one, "", rules, now) for one in of_order if one.id not in known],
        "of_buyer": [_line(one, "", rules, now) for one in of_buyer if one.id not in known],
    }


def _line(other: Other, relation: str, rules: Rules, now: datetime) -> OtherLine:
    return OtherLine(
        relation=gettext(relation) if relation else "",
        number=other.number,
        address=f"/t/{other.id}",
        icon=ICONS.get(other.workflow, "box"),
        workflow=words.workflow_label(rules, other.workflow),
        state=words.state_label(rules, other.workflow, other.state),
        left="" if other.due_at is None else words.left(other.due_at, now),
        urgency=words.urgency(other.due_at, now),
        closed_at=other.closed_at,
        opened_at=other.opened_at,
    )
