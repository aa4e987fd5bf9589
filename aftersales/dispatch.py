"""New tickets are given out as they are opened, in the same transaction: what routing.py needs to know is read here.

Where there are no groups, nothing is given out and nothing is asked but for the groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from aftersales import decide, routing
from aftersales.database import Connection
from aftersales.office import duty, teams, transfers
from aftersales.routing import Arriving, Choice, Team
from aftersales.ticket import Change, Ticket

#: the fields in which an item is described, beside its number
ITEM_WORDS = ("item_title", "item_spec")


class Dispatch:
    """One transaction's giving out. `at`: who is on duty is asked for this instant."""

    def __init__(self, connection: Connection, at: datetime) -> None:
        self._connection, self._at = connection, at
        self._book = teams.book_in(connection)
        self._loads: dict[str, int] = {}

    def opened(self, change: Change, parent: Ticket | None = None) -> Change:
        """The change that opens a ticket, with one more event if somebody gets it."""
        ticket = change.after
        if not self._book.teams or ticket.closed_at is not None:
            return change
        choice = self._choice(ticket, parent)
        if choice.team is None:
            return change
        team = self._book.teams[choice.team].name
        at = change.events[-1].recorded_at
        given = decide.given_out(ticket, owner=choice.owner, team=team, reason=choice.why, at=at)
        self._one_more(choice.owner)
        return change._replace(after=given.after, events=(*change.events, *given.events))

    def freest(self, team: str, shop_id: int, but: str | None) -> str | None:
        """Who of this group would get a ticket of this shop now, `but` this person, who has it."""
        found = self._book.teams.get(transfers.team_named(self._connection, team))
        if found is None:
            return None
        found = replace(found, people=tuple(person for person in found.people if person.login != but))
        person = routing.freest(found, shop_id, self._loads_of([found]), self.on_duty)
        return None if person is None else person.login

    @cached_property
    def on_duty(self) -> frozenset[str]:
        return frozenset(shift.login for shift in duty.on_duty_in(self._connection, self._at))

    def _choice(self, ticket: Ticket, parent: Ticket | None) -> Choice:
        arriving = arriving_as(ticket)
        concerned: Iterable[Team] = ()
        rule = routing.matching(arriving, self._book.rules, self._book.teams)
        if rule is not None:
            concerned = [self._book.teams[rule.team]]
        if parent is not None:
            team = transfers.team_in(self._connection, parent.id)
            arriving = arriving._replace(parent=parent.number, parent_owner=parent.owner, parent_team=team)
            concerned = self._book.teams.values()
        return routing.route(arriving, self._book.rules, self._book.teams, self._loads_of(concerned), self.on_duty)

    def _loads_of(self, concerned: Iterable[Team]) -> Mapping[str, int]:
        """Open tickets of the people of these groups, counted once a transaction."""
        unknown = {person.login for team in concerned for person in team.people} - self._loads.keys()
        if unknown:
            self._loads |= dict.fromkeys(unknown, 0) | teams.loads_in(self._connection, unknown)
        return self._loads

    def _one_more(self, owner: str | None) -> None:
        if owner is not None:
            self._loads[owner] = self._loads.get(owner, 0) + 1


def arriving_as(ticket: Ticket) -> Arriving:
    """What the rules look at."""
    fields: Mapping[str, Any] = ticket.fields
    item = " ".join([ticket.item_no, *(str(fields[name]) for name in ITEM_WORDS if fields.get(name))])
    return Arriving(
        ticket.workflow, ticket.policy, ticket.shop_id, str(fields.get("complaint_level") or ""),
        str(fields.get("member_level") or ""), item,
    )  # fmt: skip
