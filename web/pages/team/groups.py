"""Groups, the rules by which new tickets are given out, what changed in them, and who would get a ticket now."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, queries, routing
from aftersales.errors import Refused
from aftersales.office import accounts, duty, teams
from aftersales.office.teams import Book, Group
from aftersales.routing import LEVELS, Arriving, Choice, Rule
from web.identity import Me, people
from web.pages.team.frame import by, count, ids, number, team_page
from web.pages.team.people import Several, Text
from web.site import Site, TheSite

router = APIRouter()
HERE = "/team/groups"
LABELS = {
    "workflow": "类型", "policy": "平台", "shop": "店铺", "level": "投诉等级", "member": "会员等级",
    "words": "商品关键词",
}  # fmt: skip
ACTIONS = {"added": "添加", "changed": "修改", "removed": "删除", "moved": "调整顺序"}


# ── who would get it ──


@dataclass(frozen=True)
class Tried:
    """What would happen to such a ticket now: by rule, what it misses ("" for the one that matches)."""

    choice: Choice
    team: str
    owner: str
    load: int
    rules: Sequence[tuple[Rule, str]]


def tried(site: Site, book: Book, asked: Mapping[str, str]) -> Tried | None:
    """None unless the address asks for a type."""
    if asked.get("workflow") not in site.rules().catalog.workflows:
        return None
    shop = next(iter(ids([asked.get("shop", "")])), 0)
    arriving = Arriving(
        asked["workflow"], asked.get("policy", ""), shop, asked.get("level", ""), asked.get("member", ""),
        asked.get("item", ""),
    )  # fmt: skip
    engine = site.desk.engine
    rule = routing.matching(arriving, book.rules, book.teams)
    members = [] if rule is None else [person.login for person in book.teams[rule.team].people]
    loads = teams.loads(engine, members)
    awake = {shift.login for shift in duty.on_duty(engine, clock.now())}
    choice = routing.route(arriving, book.rules, book.teams, loads, awake)
    looked_at = []
    for one in book.rules:
        misses = one.misses(arriving) if one.team in book.teams else "team"
        looked_at.append((one, misses))
        if not misses:
            break
    owner = people(site).get(choice.owner or "")
    team = "" if choice.team is None else book.teams[choice.team].name
    return Tried(choice, team, owner.name if owner else "", loads.get(choice.owner or "", 0), looked_at)


# ── the page ──


def _page(
    site: Site, asked: Mapping[str, str], refusal: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Response:
    engine = site.desk.engine
    book, groups = teams.book(engine), teams.groups(engine)
    context = {
        "groups": groups,
        "group_names": {one.id: one.name for one in groups},
        "inactive": {one.id for one in groups if not one.active},
        "everyone": [one for one in accounts.everyone(engine) if one.active],
        "names": {login: account.name for login, account in people(site).items()},
        "book": book,
        "rules": _current(engine),
        "versions": teams.versions(engine, 10),
        "actions": ACTIONS,
        "labels": LABELS,
        "asked": asked,
        "tried": tried(site, book, asked),
        "typed": typed or {},
        **_lists(site),
    }
    return team_page("groups", HERE, context, refusal)


def _current(engine: Any) -> Sequence[Rule]:
    """The rules that hold, those of groups no longer active too."""
    newest = teams.versions(engine, 1)
    return newest[0].rules if newest else ()


def _lists(site: Site) -> dict[str, Any]:
    """What the lists of the forms offer."""
    catalog = site.rules().catalog
    return {
        "workflows": {key: table.label for key, table in catalog.workflows.items()},
        "policies": {key: policy.label for key, policy in catalog.policies.items()},
        "shops": dict(queries.shops(site.desk.engine)),
        "levels": LEVELS,
        "members": [f"V{n}" for n in range(1, 11)],
    }


@router.get(HERE)
def groups(request: Request, site: TheSite) -> Response:
    return _page(site, request.query_params)


@router.post(HERE)
def add(site: TheSite, member: Several, name: Text = "", most: Text = "") -> Response:
    try:
        teams.add(site.desk.engine, name, members=ids(member), each_at_most=count(most, "每人最多几张"))
    except Refused as refusal:
        return _page(site, {}, refusal, {"name": name, "members": ids(member), "most": most})
    return RedirectResponse(f"{HERE}?done=added", 303)


# ── one group ──


def _group(site: Site, group_id: str) -> Group:
    wanted = number(group_id)
    found = next((one for one in teams.groups(site.desk.engine) if one.id == wanted), None)
    if found is None:
        raise HTTPException(404)
    return found


def _group_page(
    site: Site, group: Group, refusal: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Response:
    everyone = [one for one in accounts.everyone(site.desk.engine) if one.active]
    said = {
        "name": group.name, "most": group.each_at_most or "", "active": group.active,
        "members": [one.id for one in everyone if one.login in group.members],
    }  # fmt: skip
    rules = [rule.name for rule in _current(site.desk.engine) if rule.team == group.id]
    context = {"group": group, "everyone": everyone, "typed": typed or said, "rules": rules}
    return team_page("group", HERE, context, refusal)


@router.get("/team/groups/{group_id}")
def group(group_id: str, site: TheSite) -> Response:
    return _group_page(site, _group(site, group_id))


@router.post("/team/groups/{group_id}")
def change(
    group_id: str, site: TheSite, member: Several, name: Text = "", most: Text = "", active: Text = ""
) -> Response:
    found = _group(site, group_id)
    try:
        teams.change(
            site.desk.engine, found.id, name, members=ids(member), each_at_most=count(most, "每人最多几张"),
            active=bool(active),
        )  # fmt: skip
    except Refused as refusal:
        typed = {"name": name, "members": ids(member), "most": most, "active": bool(active)}
        return _group_page(site, found, refusal, typed)
    return RedirectResponse(f"{HERE}?done=saved", 303)


@router.post("/team/groups/{group_id}/move")
def move(group_id: str, site: TheSite, where: Text = "up") -> Response:
    teams.move(site.desk.engine, _group(site, group_id).id, where == "up")
    return RedirectResponse(HERE, 303)


# ── rules ──


def _rule_page(site: Site, typed: Mapping[str, Any], old: str = "", refusal: Refused | None = None) -> Response:
    context = {
        "typed": typed,
        "old": old,
        "groups": [one for one in teams.groups(site.desk.engine) if one.active],
        **_lists(site),
    }
    return team_page("rule", HERE, context, refusal)


@router.get("/team/rule")
def rule(site: TheSite, name: str = "") -> Response:
    """A new one, or the one of this name."""
    if not name:
        return _rule_page(site, {})
    found = next((one for one in _current(site.desk.engine) if one.name == name), None)
    if found is None:
        raise HTTPException(404)
    typed = {**found.to_json(), "shop": str(found.shop or ""), "team": str(found.team), "words": "、".join(found.words)}
    return _rule_page(site, typed, name)


@router.post("/team/rule")
def put(
    site: TheSite, me: Me, old: Text = "", name: Text = "", team: Text = "", workflow: Text = "", policy: Text = "",
    shop: Text = "", level: Text = "", member: Text = "", words: Text = "",
) -> Response:  # fmt: skip
    typed = {
        "name": name, "team": team, "workflow": workflow, "policy": policy, "shop": shop, "level": level,
        "member": member, "words": words,
    }  # fmt: skip
    try:
        made = _rule(site, typed)
        teams.put_rule(site.desk.engine, made, clock.now(), by(me), instead_of=old or None)
    except Refused as refusal:
        return _rule_page(site, typed, old, refusal)
    return RedirectResponse(f"{HERE}?done=saved#rules", 303)


def _rule(site: Site, typed: Mapping[str, str]) -> Rule:
    """What is not in a list is not asked for."""
    lists = _lists(site)
    known = {
        "workflow": lists["workflows"], "policy": lists["policies"], "level": lists["levels"],
        "member": lists["members"],
    }  # fmt: skip
    asked = {name: typed[name] if typed[name] in among else "" for name, among in known.items()}
    shop = next((id for id in ids([typed["shop"]]) if id in lists["shops"]), None)
    words = tuple(dict.fromkeys(word for word in re.split(r"[\s,，、;；]+", typed["words"].strip()) if word))
    return Rule(typed["name"], next(iter(ids([typed["team"]])), 0), shop=shop, words=words, **asked)


@router.post("/team/rule/remove")
def remove(site: TheSite, me: Me, name: Annotated[str, Form()] = "") -> Response:
    teams.remove_rule(site.desk.engine, name, clock.now(), by(me))
    return RedirectResponse(f"{HERE}?done=removed#rules", 303)


@router.post("/team/rule/move")
def move_rule(site: TheSite, me: Me, name: Text = "", where: Text = "up") -> Response:
    teams.move_rule(site.desk.engine, name, where == "up", clock.now(), by(me))
    return RedirectResponse(f"{HERE}#rules", 303)
