"""The queue: what runs out first, by which rule, what then happens, whose turn it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from aftersales import clock, queries
from aftersales.clock import UTC
from aftersales.decide import Rules
from aftersales.queries import Place, Waiting, Wanted
from web import words
from web.i18n import gettext
from web.rendering import page
from web.site import TheSite

router = APIRouter()
ROWS = 50


@dataclass(frozen=True)
class Filters:
    """What the address asks for; anything that does not exist is not asked for."""

    workflow: str = ""
    #: workflow.state, since types share names of states
    state: str = ""
    policy: str = ""
    shop: str = ""

    @property
    def any(self) -> bool:
        return bool(self.workflow or self.state or self.policy or self.shop)

    def wanted(self) -> Wanted:
        of_state, _, state = self.state.partition(".")
        shop_id = int(self.shop) if self.shop else None
        return Wanted(self.workflow or of_state or None, state or None, self.policy or None, shop_id)

    def address(self, after: Place | None = None) -> str:
        asked = {name: value for name, value in vars(self).items() if value}
        if after is not None:
            asked["after"] = _written(after)
        return f"/?{urlencode(asked)}" if asked else "/"


def _filters(asked: Mapping[str, str], rules: Rules, shops: Sequence[tuple[int, str]]) -> Filters:
    workflow = asked.get("workflow", "") if asked.get("workflow") in rules.catalog.workflows else ""
    policy = asked.get("policy", "") if asked.get("policy") in rules.catalog.policies else ""
    shop = asked.get("shop", "") if asked.get("shop") in {str(id) for id, _ in shops} else ""
    states = {value for _, group in _states(rules, workflow) for value, _ in group}
    state = asked.get("state", "") if asked.get("state") in states else ""
    return Filters(workflow, state, policy, shop)


def _states(rules: Rules, workflow: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """(type, its waiting states) of this type, or of all."""
    return [
        (table.label, [(f"{key}.{state.name}", state.label) for state in table.waiting])
        for key, table in rules.catalog.workflows.items()
        if workflow in ("", key)
    ]


# ── a place in the queue, as it stands in an address ──


def _written(place: Place) -> str:
    return f"{place.part}-{int(place.at.timestamp())}-{place.id}"


def _read(text: str) -> Place | None:
    """None for anything that we did not write ourselves: then the queue begins at its beginning."""
    found = re.fullmatch(r"([012])-([0-9]{1,11})-([0-9]{1,18})", text)
    if found is None:
        return None
    part, seconds, id = map(int, found.groups())
    return Place(part, datetime.fromtimestamp(seconds, UTC), id)


# ── rows ──


@dataclass(frozen=True)
class Row:
    """One line of the queue in words; `urgency` is the name of its colour."""

    ticket: Waiting
    address: str
    workflow: str
    policy: str
    state: str
    turn: str
    urgency: str
    left: str
    due: str
    then: str
    #: what the paused clock had left
    paused: str
    marks: Sequence[str]


def _row(row: Waiting, rules: Rules, now: datetime, *, by_id: bool) -> Row:
    return Row(
        ticket=row,
        address=f"/t/{row.id if by_id else row.number}",
        workflow=words.workflow_label(rules, row.workflow),
        policy=words.policy_label(rules, row.policy),
        state=words.state_label(rules, row.workflow, row.state),
        turn=words.turn(rules, row.workflow, row.state),
        urgency=words.urgency(row.due_at, now, late=row.overdue),
        left="" if row.due_at is None else words.left(row.due_at, now),
        due="" if row.due_at is None else words.brief(row.due_at, now),
        then=_then(row, rules),
        paused=words.left_when_paused(row.paused),
        marks=words.flag_labels(row.flags),
    )


def _then(row: Waiting, rules: Rules) -> str:
    """What happens when the clock runs out; without a clock, why there is none."""
    if row.due_at is not None:
        return words.move_label(rules, row.workflow, row.clock_timeout)
    return gettext(words.NO_CLOCK.get(row.no_clock_reason or "", row.no_clock_reason or ""))


@router.get("/")
def queue(request: Request, site: TheSite) -> Response:
    rules, now, engine = site.rules(), clock.now(), site.desk.engine
    shops = queries.shops(engine)
    filters = _filters(request.query_params, rules, shops)
    wanted = filters.wanted()
    if len(shops) == 1:  # the indexes are by shop
        wanted = Wanted(wanted.workflow, wanted.state, wanted.policy, shops[0][0])
    after = _read(request.query_params.get("after", ""))
    found = queries.queue(engine, wanted, after=after, limit=ROWS)
    context: dict[str, Any] = {
        "rows": [_row(row, rules, now, by_id=len(shops) > 1) for row in found.rows],
        "filters": filters,
        "first_page": filters.address() if after is not None else None,
        "next_page": filters.address(found.next) if found.next is not None else None,
        "workflows": [(key, table.label) for key, table in rules.catalog.workflows.items()],
        "policies": [(key, policy.label) for key, policy in rules.catalog.policies.items()],
        "states": _states(rules, filters.workflow),
        "shops": [(str(id), name) for id, name in shops],
        "now": now,
        "rule_problems": [str(problem) for problem in site.rule_problems()],
    }
    return page("queue.html", context)
