"""The filter of the queue as it stands in an address: read from it, written to it, and what it asks of tickets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aftersales import clock
from aftersales.clock import SHANGHAI
from aftersales.decide import Rules
from aftersales.queries import Wanted
from aftersales.queries.queue import DUE, MARKS
from aftersales.workflows.vocabulary import Party

#: nobody's, in an address
NOBODY = "none"
#: whom a ticket waits for, as in an address
TURNS = {party.name.lower(): party for party in Party} | {"system": None}
LONGEST_TEXT = 100
_STORABLE = re.compile("[^\x00-\x1f\x7f\ud800-\udfff]*")


@dataclass(frozen=True)
class Filters:
    """What an address asks for, each part as text; "" asks for nothing. What does not exist is never in here."""

    workflow: str = ""
    #: workflow.state, since types share names of states
    state: str = ""
    policy: str = ""
    shop: str = ""
    #: a login, or NOBODY
    owner: str = ""
    team: str = ""
    turn: str = ""
    due: str = ""
    #: 2026-10-02T14:00, Beijing time
    due_from: str = ""
    due_to: str = ""
    mark: str = ""
    level: str = ""
    member: str = ""
    from_yuan: str = ""
    q: str = ""

    @property
    def given(self) -> dict[str, str]:
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}

    def but(self, **changed: str) -> Filters:
        return replace(self, **changed)

    @property
    def query(self) -> str:
        return urlencode(self.given)

    def address(self, **more: str) -> str:
        query = urlencode(self.given | more)
        return f"/?{query}" if query else "/"

    def wanted(self, rules: Rules) -> Wanted:
        return Wanted(
            workflow=self.workflow,
            policy=self.policy,
            shop_id=int(self.shop) if self.shop else None,
            states=_states(self, rules),
            owners=_owners(self),
            team_id=int(self.team) if self.team else None,
            due=self.due,
            due_from=_instant(self.due_from),
            due_to=_instant(self.due_to),
            mark=self.mark,
            level=self.level,
            member=self.member,
            from_fen=int(self.from_yuan or 0) * 100,
            text=self.q,
        )


def read(asked: Mapping[str, str], rules: Rules, shops: Collection[int]) -> Filters:
    """The filter of a query; what contradicts itself or does not exist is left out."""
    checks: dict[str, Any] = {
        "workflow": rules.catalog.workflows.__contains__,
        "policy": rules.catalog.policies.__contains__,
        "shop": {str(id) for id in shops}.__contains__,
        "team": re.compile(r"[0-9]{1,9}").fullmatch,
        "turn": TURNS.__contains__,
        "due": DUE.__contains__,
        "mark": MARKS.__contains__,
        "due_from": _instant,
        "due_to": _instant,
        "from_yuan": re.compile(r"[1-9][0-9]{0,9}").fullmatch,
    }
    found: dict[str, str] = {}
    for field in fields(Filters):
        value = asked.get(field.name, "").strip()
        whole = bool(value) and len(value) <= 2 * LONGEST_TEXT and _STORABLE.fullmatch(value)
        if whole and checks.get(field.name, bool)(value):
            found[field.name] = value
    found["q"] = found.get("q", "")[:LONGEST_TEXT]
    if found.get("state") not in _known_states(rules, found.get("workflow", "")):
        found.pop("state", None)
    return Filters(**found)


def of_query(query: str, rules: Rules, shops: Collection[int]) -> Filters:
    return read(dict(parse_qsl(query.removeprefix("?"))), rules, shops)


def states_of(rules: Rules, workflow: str) -> list[tuple[str, str]]:
    """(workflow.state, label) of every state in which somebody is waited for, of this type or of all."""
    return [
        (f"{key}.{state.name}", state.label)
        for key, table in rules.catalog.workflows.items()
        for state in table.waiting
        if workflow in ("", key)
    ]


def written(instant: datetime) -> str:
    """As `due_from` and `due_to` have it."""
    return f"{instant.astimezone(SHANGHAI):%Y-%m-%dT%H:%M}"


def _known_states(rules: Rules, workflow: str) -> set[str]:
    return {value for value, _ in states_of(rules, workflow)}


def _states(filters: Filters, rules: Rules) -> frozenset[tuple[str, str]] | None:
    if not filters.state and not filters.turn:
        return None
    party = TURNS.get(filters.turn)
    return frozenset(
        (key, state.name)
        for key, table in rules.catalog.workflows.items()
        for state in table.waiting
        if filters.state in ("", f"{key}.{state.name}") and (not filters.turn or state.waits_for is party)
    )


def _owners(filters: Filters) -> frozenset[str | None] | None:
    if filters.owner:
        return frozenset([None if filters.owner == NOBODY else filters.owner])
    return None


def _instant(text: str) -> datetime | None:
    try:
        return clock.parse(text) if text else None
    except ValueError:
        return None
