"""Many tickets handed on at once, each through the one door: a transfer, a leaver's tickets, those that nobody has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from aftersales import queries, routing, store
from aftersales.database import Engine, reading
from aftersales.desk import Command, Desk
from aftersales.dispatch import arriving_as
from aftersales.errors import Refused, UnknownTicket
from aftersales.office import accounts, duty, teams
from aftersales.routing import Team
from aftersales.saying import say
from aftersales.workflows.plain import ASSIGN

#: so many at a time: each is a transaction of its own
MOST = 200


@dataclass(frozen=True)
class Receiver:
    """A person, or a group that picks the person, or a person as one of a group. `team`: its name."""

    login: str = ""
    team: str = ""


@dataclass
class Handed:
    done: list[int] = field(default_factory=list)
    #: (ticket id, why not)
    refused: list[tuple[int, str]] = field(default_factory=list)


def hand_over(
    desk: Desk, ticket_ids: Iterable[int], to: Receiver, at: datetime, *, by: str, reason: str, summary: str = ""
) -> Handed:
    """Clocks run on. Refused: nobody to hand to, or somebody who does not work here; then nothing is handed on."""
    _is_there(desk.engine, to)
    told = {"agent": to.login, "team": to.team, "reason": reason, "summary": summary}
    facts = {name: value for name, value in told.items() if value}
    handed = Handed()
    for ticket_id in list(dict.fromkeys(ticket_ids))[:MOST]:
        try:
            desk.do(Command(ticket_id, ASSIGN.name, "agent", at, facts, actor_name=by))
            handed.done.append(ticket_id)
        except (Refused, UnknownTicket) as refused:
            handed.refused.append((ticket_id, str(refused)))
    return handed


def _is_there(engine: Engine, to: Receiver) -> None:
    """Refused: nobody is named, or somebody who does not work here, or no such group."""
    if not to.login and not to.team:
        raise Refused("missing_field", say("还没有选转给谁，请选一个人或一个小组"))
    if to.login:
        receiver = accounts.named(engine, to.login)
        if receiver is None or not receiver.active:
            raise Refused("invalid_field", say("没有在用的账号「{login}」，请从列表里选", login=to.login[:60]))
    if to.team and to.team not in {team.name for team in teams.book(engine).teams.values()}:
        raise Refused("invalid_field", say("没有叫「{name}」的小组，请从列表里选", name=to.team[:40]))


# ── what nobody has, dealt out ──


class Dealt(NamedTuple):
    """One ticket, and who would get it of which group."""

    ticket_id: int
    number: str
    login: str
    team: str


@dataclass
class Plan:
    """Who would get what. `loads`: open tickets before, of everybody concerned."""

    dealt: list[Dealt] = field(default_factory=list)
    loads: dict[str, int] = field(default_factory=dict)
    #: no group, or nobody of the group has room
    left: int = 0

    def gets(self, login: str) -> int:
        return sum(1 for one in self.dealt if one.login == login)


def balanced(engine: Engine, at: datetime, otherwise: int | None = None) -> Plan:
    """The first of what nobody has, each in its group, or by the rules, or `otherwise` in this one."""
    book = teams.book(engine)
    held = queries.held_by(engine, None, MOST)
    groups = _groups(engine, [one.id for one in held], book, otherwise)
    people = sorted({person.login for team in book.teams.values() for person in team.people})
    plan = Plan(loads=dict.fromkeys(people, 0) | teams.loads(engine, people))
    awake = {shift.login for shift in duty.on_duty(engine, at)}
    counted = dict(plan.loads)
    for one in held:
        team = groups.get(one.id)
        person = None if team is None else routing.freest(team, one.shop_id, counted, awake)
        if team is None or person is None:
            plan.left += 1
        else:
            plan.dealt.append(Dealt(one.id, one.number, person.login, team.name))
            counted[person.login] = counted.get(person.login, 0) + 1
    return plan


def _groups(engine: Engine, ids: Sequence[int], book: teams.Book, otherwise: int | None) -> dict[int, Team]:
    found = {id: book.teams[team] for id, team in queries.groups_of(engine, ids).items() if team in book.teams}
    with reading(engine) as connection:
        tickets = store.load(connection, [id for id in ids if id not in found])
    for ticket in tickets:
        rule = routing.matching(arriving_as(ticket), book.rules, book.teams)
        team = book.teams.get(rule.team if rule is not None else otherwise or 0)
        if team is not None:
            found[ticket.id] = team
    return found


def deal(desk: Desk, plan: Plan, at: datetime, *, by: str) -> Handed:
    """Does it; what somebody has taken meanwhile stays with them."""
    handed = Handed()
    for one in plan.dealt:
        if queries.ticket(desk.engine, one.ticket_id).owner is not None:
            handed.refused.append((one.ticket_id, say("刚刚已经有人领了")))
            continue
        done = hand_over(desk, [one.ticket_id], Receiver(one.login, one.team), at, by=by, reason=say("按负载均分"))
        handed.done += done.done
        handed.refused += done.refused
    return handed


# ── somebody leaves ──


def leave(desk: Desk, login: str, to: Receiver, at: datetime, *, by: str) -> Handed:
    """The account is closed, then its open tickets are handed on, the most urgent first; `MOST` at a time."""
    account = accounts.named(desk.engine, login)
    if account is None:
        raise Refused("invalid_field", say("没有在用的账号「{login}」，请从列表里选", login=login[:60]))
    if to.login == login:
        raise Refused("invalid_field", say("不能转给正在离职的人自己，请选别人"))
    held = queries.held_by(desk.engine, login, MOST)
    if held and not to.login and not to.team:
        raise Refused("missing_field", say("手上还有工单，请选转给谁"))
    if held:
        _is_there(desk.engine, to)
    accounts.deactivate(desk.engine, account.id)
    if not held:
        return Handed()
    reason = say("{name} 离职", name=account.name)
    return hand_over(desk, [one.id for one in held], to, at, by=by, reason=reason)
