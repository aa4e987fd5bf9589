"""Where the platform and we differ: an inbox. Each difference is adopted, kept as ours, or somebody is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from secrets import token_hex
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Path, Query, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, queries
from aftersales.errors import Refused
from aftersales.feeds import TITLES, compare, reconcile
from aftersales.feeds.work import differences
from aftersales.office import said
from aftersales.office.said import Said
from aftersales.ticket import Ticket
from web import words
from web.identity import Me, people
from web.rendering import page
from web.site import Site, TheSite

router = APIRouter()
SIGN_IN_FIRST = "请先在 /me 选用自己的账号，再决定"
PAGE = 50
_Id = Annotated[int, Path(ge=1, lt=2**63)]
_Text = Annotated[str, Form()]
_KEY = re.compile("[0-9a-f]{16}")
#: kinds of which theirs can be adopted
ADOPTABLE = {"missing_here", "state", "closed_there", "deadline"}


@dataclass(frozen=True)
class Row:
    said: Said
    found: list[compare.Difference]
    ticket: Ticket | None
    shop: str

    @property
    def seen(self) -> str:
        return compare.mark(self.found)

    @property
    def adoptable(self) -> bool:
        return any(one.kind in ADOPTABLE for one in self.found) and (self.ticket is None or not self.ticket.closed_at)


@router.get("/reconcile")
def show(site: TheSite, after: Annotated[int, Query(ge=0, lt=2**63)] = 0) -> Response:
    return _page(site, after)


def _page(site: Site, after: int, refusal: Refused | None = None, at: int = 0) -> Response:
    engine, now = site.desk.engine, clock.now()
    heard = said.inbox(engine, after, PAGE + 1)
    found = differences(site.desk, heard[:PAGE], now)
    shops = dict(queries.shops(engine))
    rows = [_row(site, one, found[one.id], shops) for one in heard[:PAGE] if found[one.id]]
    context: dict[str, Any] = {
        "rows": rows, "kinds": compare.KINDS, "titles": TITLES, "several": len(shops) > 1,
        "older": heard[PAGE - 1].id if len(heard) > PAGE else None, "refusal": refusal, "at": at,
        "people": [one for one in people(site).values() if one.active], "key": token_hex(8), "now": now,
    }  # fmt: skip
    return page("reconcile.html", context, 200 if refusal is None else 409 if refusal.code == "stale_version" else 422)


def _row(site: Site, heard: Said, found: list[compare.Difference], shops: dict[int, str]) -> Row:
    ticket = queries.ticket(site.desk.engine, heard.ticket_id) if heard.ticket_id else None
    return Row(heard, found, ticket, shops.get(heard.shop_id, ""))


@router.post("/reconcile/{number}")
def decide(
    site: TheSite, me: Me, number: _Id, do: _Text = "", seen: _Text = "", key: _Text = "", reason: _Text = "",
    agent: _Text = "",
) -> Response:  # fmt: skip
    if me is None:
        raise HTTPException(403, SIGN_IN_FIRST)
    if not _KEY.fullmatch(key) or do not in ("adopt", "keep", "ask"):
        raise HTTPException(400, words.BROKEN_FORM)
    heard = said.one(site.desk.engine, number)
    if heard is None:
        raise HTTPException(404, "没有这一条")
    desk, now, once = site.desk, clock.now(), f"reconcile/{number}/{key}"
    try:
        if do == "adopt":
            reconcile.adopt(desk, heard, seen, me.login, once, now)
        elif do == "keep":
            reconcile.keep(desk, heard, seen, reason, me.login, now)
        else:
            if agent not in people(site):
                raise Refused("invalid_field", "没有这位同事，请从列表里选")
            reconcile.ask(desk, heard, seen, agent, reason, me.login, once, now)
    except Refused as refusal:
        return _page(site, number - 1, refusal, number)
    return RedirectResponse("/reconcile", 303)
