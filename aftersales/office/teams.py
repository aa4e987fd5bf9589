"""Groups, who works in them, and the rules by which new tickets are given out, each change of them a new version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, Select, delete, func, insert, select, update

from aftersales.clock import whole_second
from aftersales.database import Connection, reading, writing
from aftersales.errors import Refused
from aftersales.fill_in import text_problem
from aftersales.models import metadata
from aftersales.routing import Person, Rule, Team
from aftersales.saying import say

_TEAM, _MEMBER, _ACCOUNT, _SHOP_OF, _VERSION, _TICKET, _SHOP = (
    metadata.tables[name]
    for name in ("team", "team_member", "account", "account_shop", "routing_version", "ticket", "shop")
)
LONGEST_NAME = 40
MOST_TEAMS, MOST_RULES, MOST_WORDS = 60, 200, 30


@dataclass(frozen=True)
class Group:
    """A group as the pages list it; `members`: logins."""

    id: int
    name: str
    position: int
    each_at_most: int | None
    active: bool
    members: tuple[str, ...] = ()


class Version(NamedTuple):
    """One change of the rules: who made it when, and the rules as they stood afterwards."""

    id: int
    at: datetime
    changed_by: str
    action: str
    rule: str
    rules: tuple[Rule, ...]


class Book(NamedTuple):
    """What giving out goes by at one moment."""

    rules: tuple[Rule, ...]
    teams: Mapping[int, Team]


# ── asked ──


def groups(engine: Engine) -> list[Group]:
    """All groups, those no longer active too, in their order."""
    with reading(engine) as connection:
        found = [Group(*row) for row in connection.execute(_GROUPS)]
        question = select(_MEMBER.c.team_id, _ACCOUNT.c.login).join_from(_MEMBER, _ACCOUNT)
        members: dict[int, list[str]] = {}
        for team_id, login in connection.execute(question.where(_ACCOUNT.c.active).order_by(_ACCOUNT.c.login)):
            members.setdefault(team_id, []).append(login)
    return [replace(one, members=tuple(members.get(one.id, ()))) for one in found]


_GROUPS = select(*(_TEAM.c[name] for name in ("id", "name", "position", "each_at_most", "active"))).order_by(
    _TEAM.c.position, _TEAM.c.id
)


def book(engine: Engine) -> Book:
    with reading(engine) as connection:
        return book_in(connection)


def book_in(connection: Connection) -> Book:
    teams = {
        id: Team(id, name, each_at_most=most) for id, name, _, most, active in connection.execute(_GROUPS) if active
    }
    if not teams:
        return Book((), {})
    people = _people(connection)
    members: dict[int, list[Person]] = {}
    question = select(_MEMBER.c.team_id, _MEMBER.c.account_id).order_by(_MEMBER.c.team_id, _MEMBER.c.account_id)
    for team_id, account_id in connection.execute(question):
        if account_id in people:
            members.setdefault(team_id, []).append(people[account_id])
    teams = {id: replace(team, people=tuple(members.get(id, ()))) for id, team in teams.items()}
    return Book(_rules(connection), teams)


def _people(connection: Connection) -> dict[int, Person]:
    """Everybody who works here, by the account's id."""
    shops: dict[int, set[int]] = {}
    for account_id, shop_id in connection.execute(select(_SHOP_OF.c.account_id, _SHOP_OF.c.shop_id)):
        shops.setdefault(account_id, set()).add(shop_id)
    question = select(_ACCOUNT.c.id, _ACCOUNT.c.login, _ACCOUNT.c.name).where(_ACCOUNT.c.active)
    return {id: Person(login, name, frozenset(shops.get(id, ()))) for id, login, name in connection.execute(question)}


def _newest() -> Select[Any]:
    return select(*(_VERSION.c[name] for name in Version._fields)).order_by(_VERSION.c.id.desc())


def _rules(connection: Connection) -> tuple[Rule, ...]:
    newest = connection.execute(_newest().limit(1)).first()
    return () if newest is None else tuple(map(Rule.from_json, newest.rules))


def versions(engine: Engine, limit: int = 20) -> list[Version]:
    """The changes of the rules, the newest first."""
    with reading(engine) as connection:
        rows = connection.execute(_newest().limit(limit)).all()
    return [
        Version(row.id, row.at, row.changed_by, row.action, row.rule, tuple(map(Rule.from_json, row.rules)))
        for row in rows
    ]


#: over the index of the queue of an owner alone: what is not open is not in it
_EVERYBODYS = (
    select(_TICKET.c.shop_id, _TICKET.c.owner, func.count())
    .where(_TICKET.c.closed_at.is_(None))
    .group_by(_TICKET.c.shop_id, _TICKET.c.owner)
)
#: of so few, each is looked up in each shop; of more, counting all is quicker (100,000 open: 4 and 7 ms)
_FEW = 12


def loads_in(connection: Connection, logins: Iterable[str]) -> dict[str, int]:
    """How many open tickets each of these has; who has none is not in it."""
    wanted = set(logins)
    if not wanted:
        return {}
    question = _EVERYBODYS
    if len(wanted) <= _FEW:
        question = question.where(_TICKET.c.shop_id.in_(select(_SHOP.c.id)), _TICKET.c.owner.in_(wanted))
    found: dict[str, int] = {}
    for _, owner, count in connection.execute(question):
        if owner in wanted:
            found[owner] = found.get(owner, 0) + count
    return found


def loads(engine: Engine, logins: Iterable[str]) -> dict[str, int]:
    with reading(engine) as connection:
        return loads_in(connection, logins)


# ── groups changed ──


def add(engine: Engine, name: str, *, members: Iterable[int] = (), each_at_most: int | None = None) -> int:
    """A new group at the end; gives its id. Refused: the name is taken or no name, or there are too many groups."""
    name = _named(name, say("小组名称"))
    with writing(engine) as connection:
        if connection.execute(select(func.count()).select_from(_TEAM)).scalar_one() >= MOST_TEAMS:
            raise Refused("invalid_field", say("小组最多 {most} 个，请先停用不用的", most=MOST_TEAMS))
        _free(connection, name, None)
        last = connection.execute(select(func.coalesce(func.max(_TEAM.c.position), 0))).scalar_one()
        values = {"name": name, "position": last + 1, "each_at_most": _limit(each_at_most), "active": True}
        made: int = connection.execute(insert(_TEAM).values(**values).returning(_TEAM.c.id)).scalar_one()
        _set_members(connection, made, members)
    return made


def change(
    engine: Engine, team_id: int, name: str, *, members: Iterable[int], each_at_most: int | None, active: bool = True
) -> None:
    """The group anew. Refused as for a new one."""
    name = _named(name, say("小组名称"))
    with writing(engine) as connection:
        _free(connection, name, team_id)
        values = {"name": name, "each_at_most": _limit(each_at_most), "active": active}
        if connection.execute(update(_TEAM).where(_TEAM.c.id == team_id).values(**values)).rowcount != 1:
            raise Refused("invalid_field", say("没有这个小组，请刷新后再试"))
        _set_members(connection, team_id, members)


def move(engine: Engine, team_id: int, up: bool) -> None:
    """One place up or down among the groups."""
    with writing(engine) as connection:
        order = [row.id for row in connection.execute(_GROUPS)]
        for place, id in enumerate(_moved(order, team_id, up)):
            connection.execute(update(_TEAM).where(_TEAM.c.id == id).values(position=place))


def _moved(order: Sequence[Any], what: Any, up: bool) -> list[Any]:
    """With this one place nearer to the beginning or to the end."""
    found = list(order)
    if what in found:
        place = found.index(what)
        other = place - 1 if up else place + 1
        if 0 <= other < len(found):
            found[place], found[other] = found[other], found[place]
    return found


def _named(name: str, label: str) -> str:
    name = name.strip()
    if not name:
        raise Refused("missing_field", say("还没有写{label}，请填写", label=label))
    if (problem := text_problem(name, LONGEST_NAME)) is not None:
        raise Refused("invalid_field", f"{label}：{problem}")
    return name


def _limit(each_at_most: int | None) -> int | None:
    if each_at_most is not None and not 1 <= each_at_most <= 100_000:
        raise Refused("invalid_field", say("每人最多几张要写 1 到 100000 的整数；不限就留空"))
    return each_at_most


def _free(connection: Connection, name: str, but: int | None) -> None:
    other = connection.execute(select(_TEAM.c.id).where(_TEAM.c.name == name)).scalar()
    if other is not None and other != but:
        raise Refused("invalid_field", say("已经有叫「{name}」的小组了，请换一个名称", name=name))


def _set_members(connection: Connection, team_id: int, members: Iterable[int]) -> None:
    connection.execute(delete(_MEMBER).where(_MEMBER.c.team_id == team_id))
    wanted = set(members)
    known = set(connection.execute(select(_ACCOUNT.c.id).where(_ACCOUNT.c.id.in_(wanted))).scalars())
    if wanted - known:
        raise Refused("invalid_field", say("成员里有不存在的账号，请刷新后再试"))
    if wanted:
        connection.execute(insert(_MEMBER), [{"team_id": team_id, "account_id": one} for one in sorted(wanted)])


# ── rules changed: each change is a version, what is assigned stays as it is ──


def put_rule(engine: Engine, rule: Rule, at: datetime, by: str, *, instead_of: str | None = None) -> None:
    """Adds a rule at the end, or puts it in the place of the one of this name. Refused: the name is taken or missing,
    there is no such group, or too many rules or words."""
    rule = replace(rule, name=_named(rule.name, say("规则名称")))
    _words_well_formed(rule)
    with writing(engine) as connection:
        if connection.execute(select(_TEAM.c.id).where(_TEAM.c.id == rule.team)).first() is None:
            raise Refused("invalid_field", say("请选择分给哪个小组"))
        rules = list(_rules(connection))
        names = [one.name for one in rules]
        if rule.name in names and rule.name != instead_of:
            raise Refused("invalid_field", say("已经有叫「{name}」的规则了，请换一个名称", name=rule.name))
        if instead_of is not None and instead_of not in names:
            raise Refused("stale_version", say("规则「{name}」刚刚被别人改了名或删了，请刷新后再改", name=instead_of))
        if instead_of is None and len(rules) >= MOST_RULES:
            raise Refused("invalid_field", say("规则最多 {most} 条，请先删掉不用的", most=MOST_RULES))
        if instead_of is None:
            rules.append(rule)
        else:
            rules[names.index(instead_of)] = rule
        _write(connection, rules, at, by, "added" if instead_of is None else "changed", rule.name)


def _words_well_formed(rule: Rule) -> None:
    if len(rule.words) > MOST_WORDS:
        raise Refused("invalid_field", say("商品关键词最多 {most} 个", most=MOST_WORDS))
    for word in rule.words:
        if (problem := text_problem(word, LONGEST_NAME)) is not None:
            raise Refused("invalid_field", f"{say('商品关键词')}：{problem}")


def remove_rule(engine: Engine, name: str, at: datetime, by: str) -> None:
    """One that is gone already is gone."""
    with writing(engine) as connection:
        rules = _rules(connection)
        left = [rule for rule in rules if rule.name != name]
        if len(left) < len(rules):
            _write(connection, left, at, by, "removed", name)


def move_rule(engine: Engine, name: str, up: bool, at: datetime, by: str) -> None:
    """One place up or down: the first rule that matches wins."""
    with writing(engine) as connection:
        rules = list(_rules(connection))
        one = next((rule for rule in rules if rule.name == name), None)
        moved = _moved(rules, one, up)
        if moved != rules:
            _write(connection, moved, at, by, "moved", name)


def _write(connection: Connection, rules: Sequence[Rule], at: datetime, by: str, action: str, name: str) -> None:
    told = [rule.to_json() for rule in rules]
    values = {"at": whole_second(at), "changed_by": by, "action": action, "rule": name, "rules": told}
    connection.execute(insert(_VERSION).values(**values))
