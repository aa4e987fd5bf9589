"""Who works here: the account this browser is signed in with, and the people that names stand for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from aftersales import clock, logs
from aftersales.office import accounts
from aftersales.office.accounts import Account
from web import visit
from web.site import Site, TheSite


def me(site: Site) -> Account | None:
    """The account of this visit, asked for once; None where nobody is signed in."""
    known = visit.current.get().known
    if "me" not in known:
        known["me"] = accounts.signed_in(site.desk.engine, visit.current.get().session, clock.now())
        if known["me"] is not None:
            logs.concerns(account=known["me"].login)
    found: Account | None = known["me"]
    return found


def _me(site: TheSite) -> Account | None:
    return me(site)


Me = Annotated[Account | None, Depends(_me)]


def people(site: Site) -> dict[str, Account]:
    """Every account by its login, asked for once a visit."""
    known = visit.current.get().known
    if "people" not in known:
        known["people"] = {account.login: account for account in accounts.everyone(site.desk.engine)}
    found: dict[str, Account] = known["people"]
    return found


def name_of(site: Site, login: str | None) -> str:
    """What people call the owner of a ticket: the account's name, or what was typed in."""
    account = people(site).get(login or "")
    return account.name if account else login or ""
