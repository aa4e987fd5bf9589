"""PURE: who gets a new ticket. (ticket, rules, people, loads, on_duty) -> Choice. No database, no clock.

The first rule that matches says which group; within it, of those who serve the shop and are below the group's limit,
whoever is on duty comes before whoever is not, and of these the one with the fewest open tickets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from aftersales.saying import say

#: how upset the buyer is (desk systems 4.9); whoever reads a level finds "L3" in the ticket's fields
LEVELS = {"L1": "平静", "L2": "不满", "L3": "激烈", "L4": "威胁投诉曝光"}


class Arriving(NamedTuple):
    """What the rules look at, and the owner and the group of the ticket that this one was opened for."""

    workflow: str
    policy: str
    shop_id: int
    #: L1 to L4; "" if nobody has said
    level: str = ""
    #: the platform's or the shop's own, "V3"
    member: str = ""
    #: what may contain the words of an item
    item: str = ""
    parent: str = ""
    parent_owner: str | None = None
    parent_team: int | None = None


@dataclass(frozen=True)
class Rule:
    """What is empty is not asked. `level` and `member` mean that one and above; one of the `words` is enough."""

    name: str
    team: int
    workflow: str = ""
    policy: str = ""
    shop: int | None = None
    level: str = ""
    member: str = ""
    words: tuple[str, ...] = ()

    def misses(self, ticket: Arriving) -> str:
        """The first thing that keeps the ticket from matching: the name of a field; "" if it matches."""
        return next((name for name, holds in self._asked(ticket) if not holds), "")

    def _asked(self, ticket: Arriving) -> Iterator[tuple[str, bool]]:
        yield "workflow", self.workflow in ("", ticket.workflow)
        yield "policy", self.policy in ("", ticket.policy)
        yield "shop", self.shop in (None, ticket.shop_id)
        yield "level", _at_least(ticket.level, self.level)
        yield "member", _at_least(ticket.member, self.member)
        item = ticket.item.casefold()
        yield "words", not self.words or any(word.casefold() in item for word in self.words)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "words": list(self.words)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Rule:
        return cls(**{**told, "words": tuple(told.get("words", ()))})


def _at_least(has: str, wanted: str) -> bool:
    """V10 is more than V9. What has no number counts for nothing."""
    return not wanted or (_number(has) >= _number(wanted) > 0)


def _number(level: str) -> int:
    found = re.search(r"[0-9]{1,4}", level)
    return int(found.group()) if found else 0


@dataclass(frozen=True)
class Person:
    login: str
    name: str
    #: ids of the shops this person serves; none: all
    shops: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Team:
    """A group and who works in it: accounts that were closed are not among them."""

    id: int
    name: str
    people: tuple[Person, ...] = ()
    #: nobody is given more open tickets than this; None: as many as come
    each_at_most: int | None = None


class Choice(NamedTuple):
    """Without a team: no rule matched, the ticket lies in the queue of those nobody has. `rule`: its name."""

    team: int | None
    owner: str | None
    rule: str
    #: a sentence for the ticket's story; "" where nothing was chosen
    why: str
    #: owner, busy (all are at the limit or serve other shops), nobody (the group is empty), no_rule, parent
    kind: str
    #: whether the owner is on duty
    awake: bool = False


NOBODYS = Choice(None, None, "", "", "no_rule")


def route(
    ticket: Arriving, rules: Sequence[Rule], people: Mapping[int, Team], loads: Mapping[str, int],
    on_duty: Collection[str],
) -> Choice:  # fmt: skip
    """`people`: the active groups by id; `loads`: open tickets by login; `on_duty`: logins."""
    with_parent = _to_owner_of_parent(ticket, people, loads, on_duty)
    if with_parent is not None:
        return with_parent
    rule = matching(ticket, rules, people)
    if rule is None:
        return NOBODYS
    person = freest(people[rule.team], ticket.shop_id, loads, on_duty)
    why = say("规则「{rule}」", rule=rule.name)
    if person is None:
        return Choice(rule.team, None, rule.name, why, "busy" if people[rule.team].people else "nobody")
    return Choice(rule.team, person.login, rule.name, why, "owner", person.login in on_duty)


def matching(ticket: Arriving, rules: Sequence[Rule], people: Mapping[int, Team]) -> Rule | None:
    """The first rule of an active group that matches."""
    return next((rule for rule in rules if rule.team in people and not rule.misses(ticket)), None)


def freest(team: Team, shop_id: int, loads: Mapping[str, int], on_duty: Collection[str]) -> Person | None:
    """On duty before off duty, then the fewest open tickets, then by login; None if nobody has room."""
    able = [one for one in team.people if may_take(one, team, shop_id, loads)]
    return min(able, key=lambda one: (one.login not in on_duty, loads.get(one.login, 0), one.login), default=None)


def may_take(person: Person, team: Team, shop_id: int, loads: Mapping[str, int]) -> bool:
    """Serves the shop, and has room for one more."""
    serves = not person.shops or shop_id in person.shops
    return serves and (team.each_at_most is None or loads.get(person.login, 0) < team.each_at_most)


def _to_owner_of_parent(
    ticket: Arriving, people: Mapping[int, Team], loads: Mapping[str, int], on_duty: Collection[str]
) -> Choice | None:
    """A ticket that was opened for another stays with whoever has that one, if on duty and not at the limit."""
    if ticket.parent_owner not in on_duty:
        return None
    for team in _first(ticket.parent_team, people):
        for person in team.people:
            if person.login == ticket.parent_owner and may_take(person, team, ticket.shop_id, loads):
                why = say("跟着关联工单 {number}", number=ticket.parent)
                return Choice(team.id, person.login, "", why, "parent", True)
    return None


def _first(chosen: int | None, people: Mapping[int, Team]) -> list[Team]:
    return sorted(people.values(), key=lambda team: (team.id != chosen, team.id))
