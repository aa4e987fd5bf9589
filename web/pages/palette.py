"""What the command palette offers: rooms, views, settings, and the steps of the ticket under the cursor."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from aftersales import clock, decide, queries
from aftersales.errors import UnknownTicket
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import Actor
from web import i18n
from web.i18n import gettext, translated
from web.pages.queue import named_views
from web.shell import ROOMS
from web.site import Site, TheSite

router = APIRouter()


@router.get("/palette.json")
def palette(site: TheSite, ticket: int | None = None) -> Response:
    """[{group, label, href} or {group, label, choose: {name, value}}], the likeliest first."""
    found = _steps(site, ticket) if ticket is not None and 0 < ticket < 10**18 else []
    found += [_link(gettext("去"), gettext(room.label), room.path) for room in ROOMS]
    found += [_link(gettext("去"), gettext("新建工单"), "/new"), _link(gettext("去"), gettext("我的设置"), "/me")]
    found += [_link(gettext("视图"), label, address) for label, address in named_views(site)]
    found += _choices()
    return JSONResponse(found, headers={"Cache-Control": "private, no-store"})


def _link(group: str, label: str, href: str) -> dict[str, Any]:
    return {"group": group, "label": label, "href": href}


def _choices() -> list[dict[str, Any]]:
    themes = (("auto", "跟随系统"), ("light", "浅色"), ("dark", "深色"))
    found = [
        {"group": gettext("深浅色"), "label": gettext(label), "choose": {"name": "theme", "value": value}}
        for value, label in themes
    ]
    languages = [
        {"group": gettext("语言"), "label": name, "choose": {"name": "language", "value": code}}
        for code, name in i18n.LOCALES.items()
    ]
    return found + languages


def _steps(site: Site, ticket_id: int) -> list[dict[str, Any]]:
    """What an agent may do to this ticket now."""
    try:
        ticket = queries.ticket(site.desk.engine, ticket_id)
    except UnknownTicket:
        return []
    steps = [] if ticket.closed_at else decide.allowed(ticket, Actor.AGENT, clock.now(), site.rules())
    rows = [(step.name, step.label) for step in steps]
    rows += [(action.name, action.label) for action in PLAIN_ACTIONS.values() if Actor.AGENT in action.by]
    return [_link(ticket.number, translated(label), f"/t/{ticket.id}/{name}") for name, label in rows]
