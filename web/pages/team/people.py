"""Accounts: who works here, as what, for which shops; and what becomes of a leaver's tickets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, handing, queries
from aftersales.errors import Refused
from aftersales.handing import Receiver
from aftersales.office import accounts, shops, teams
from aftersales.office.accounts import Account
from web.identity import Me
from web.pages.team.frame import by, ids, number, team_page, then
from web.site import Site, TheSite

router = APIRouter()
HERE = "/team/people"
Text = Annotated[str, Form()]
Several = Annotated[list[str], Form(default_factory=list)]


def _page(site: Site, refusal: Refused | None = None, typed: Mapping[str, Any] | None = None) -> Response:
    engine = site.desk.engine
    everyone = accounts.everyone(engine)
    groups: dict[str, list[str]] = {}
    for group in teams.groups(engine):
        for login in group.members:
            groups.setdefault(login, []).append(group.name)
    context = {
        "here": [one for one in everyone if one.active],
        "left": [one for one in everyone if not one.active],
        "loads": teams.loads(engine, [one.login for one in everyone]),
        "groups": groups,
        "served": accounts.shops_served(engine),
        "shops": dict(queries.shops(engine)),
        "quota": site.settings.accounts_per_shop,
        "roles": accounts.ROLES,
        "departments": accounts.DEPARTMENTS,
        "typed": typed or {},
    }
    return team_page("people", HERE, context, refusal)


@router.get(HERE)
def people(site: TheSite) -> Response:
    return _page(site)


@router.post(HERE)
def add(
    site: TheSite, shop: Several, login: Text = "", name: Text = "", role: Text = "agent",
    department: Text = "aftersale",
) -> Response:  # fmt: skip
    try:
        accounts.add(
            site.desk.engine, login.strip(), name, clock.now(), role=role, department=department, shops=ids(shop),
            quota=site.settings.accounts_per_shop,
        )  # fmt: skip
    except Refused as refusal:
        typed = {"login": login, "name": name, "role": role, "department": department, "shops": ids(shop)}
        return _page(site, refusal, typed)
    return RedirectResponse(f"{HERE}?done=added", 303)


# ── one account ──


def account_of(site: Site, account_id: str) -> Account:
    found = accounts.by_id(site.desk.engine, number(account_id))
    if found is None:
        raise HTTPException(404)
    return found


def _person(
    site: Site, account: Account, refusal: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Response:
    engine = site.desk.engine
    now_said = {
        "name": account.name, "role": account.role, "department": account.department,
        "shops": accounts.shops_of(engine, account.id),
    }  # fmt: skip
    context = {
        "account": account,
        "typed": typed or now_said,
        "shops": [(shop.id, shop.name) for shop in shops.everything(engine)],
        "roles": accounts.ROLES,
        "departments": accounts.DEPARTMENTS,
        "open": queries.how_many_have(engine, account.login),
        "groups": [one.name for one in teams.groups(engine) if account.login in one.members],
    }
    return team_page("person", HERE, context, refusal)


@router.get("/team/people/{account_id}")
def person(account_id: str, site: TheSite) -> Response:
    return _person(site, account_of(site, account_id))


@router.post("/team/people/{account_id}")
def change(
    account_id: str, site: TheSite, shop: Several, name: Text = "", role: Text = "", department: Text = ""
) -> Response:
    account = account_of(site, account_id)
    try:
        accounts.change(site.desk.engine, account.id, name, role=role, department=department, shops=ids(shop))
    except Refused as refusal:
        typed = {"name": name, "role": role, "department": department, "shops": ids(shop)}
        return _person(site, account, refusal, typed)
    return RedirectResponse(f"/team/people/{account.id}?done=saved", 303)


@router.post("/team/people/{account_id}/back")
def back(account_id: str, site: TheSite) -> Response:
    account = account_of(site, account_id)
    try:
        return then(
            f"{HERE}?done=back",
            lambda: accounts.activate(site.desk.engine, account.id, site.settings.accounts_per_shop),
        )
    except Refused as refusal:
        return _page(site, refusal)


# ── somebody leaves ──


def _leaving(site: Site, account: Account, refusal: Refused | None = None, to: str = "") -> Response:
    engine = site.desk.engine
    others = [one for one in accounts.everyone(engine) if one.active and one.login != account.login]
    context = {
        "account": account,
        "open": queries.how_many_have(engine, account.login),
        "held": queries.held_by(engine, account.login, 5),
        "most": handing.MOST,
        "others": others,
        "loads": teams.loads(engine, [one.login for one in others]),
        "groups": [one for one in teams.groups(engine) if one.active and set(one.members) - {account.login}],
        "to": to,
    }
    return team_page("leaving", HERE, context, refusal)


@router.get("/team/people/{account_id}/leave")
def leaving(account_id: str, site: TheSite) -> Response:
    return _leaving(site, account_of(site, account_id))


@router.post("/team/people/{account_id}/leave")
def leave(account_id: str, site: TheSite, me: Me, to: Text = "") -> Response:
    account = account_of(site, account_id)
    try:
        handed = handing.leave(site.desk, account.login, receiver(to), clock.now(), by=by(me))
    except Refused as refusal:
        return _leaving(site, account, refusal, to)
    if handed.refused or queries.how_many_have(site.desk.engine, account.login):
        return RedirectResponse(f"/team/people/{account.id}/leave", 303)
    return RedirectResponse(f"{HERE}?done=left", 303)


def receiver(to: str) -> Receiver:
    """ "person:<login>" or "team:<name>", as the lists of the forms send it."""
    kind, _, name = to.partition(":")
    return Receiver(login=name if kind == "person" else "", team=name if kind == "team" else "")
