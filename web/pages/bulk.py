"""Many tickets at once: what would come of a step, then one button that does it, then what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from aftersales import clock, queries
from aftersales.queries.queue import MOST
from aftersales.workflows.plain import ASSIGN
from web import bulk, forms, identity, visit
from web.bulk import Offer, Picked, PickedTickets, Preview, steps_for
from web.filters import of_query
from web.forms import Input
from web.i18n import gettext, translated
from web.rendering import page
from web.site import Site, TheSite, several_shops

router = APIRouter()


@router.post("/bulk")
def preview(site: TheSite, picked: PickedTickets) -> Response:
    """What would come of it; for a script the part that stands in the bar."""
    picked = _everything(site, picked)
    shown = bulk.preview(site, picked, _who(site), clock.now(), by_id=several_shops(site))
    template = "bulk_bar.html" if visit.current.get().partial else "bulk.html"
    return page(template, _context(site, shown))


@router.post("/bulk/do")
def do(site: TheSite, picked: PickedTickets) -> Response:
    """Does it; for a script, which sends a few tickets at a time, as JSON."""
    done = bulk.do(site, picked, _who(site), clock.now(), by_id=several_shops(site))
    if visit.current.get().partial:
        failed = [
            {"id": one.ticket.id, "version": one.ticket.version, "number": one.ticket.number,
             "reason": translated(one.reason)} for one in done.failed
        ]  # fmt: skip
        return JSONResponse({"done": [ticket.id for ticket in done.done], "failed": failed})
    context = {"done": done, "back": _back(site, picked.back), "picked": picked, "more": _steps(site, picked)}
    return page("bulk_done.html", context)


def _context(site: Site, shown: Preview) -> dict[str, Any]:
    return {
        "shown": shown,
        "inputs": _inputs(site, shown),
        "steps": _steps(site, shown.picked),
        "back": _back(site, shown.picked.back),
        "most": MOST,
        "kinds": (
            ("lack", "clip", gettext("{n} 张缺凭证或信息", n=len(shown.of("lack")))),
            ("busy", "pencil", gettext("{n} 张刚被他人修改", n=len(shown.of("busy")))),
            ("not", "warn", gettext("{n} 张现在不能办", n=len(shown.of("not")))),
        ),
    }


def _inputs(site: Site, shown: Preview) -> Sequence[Input]:
    if shown.form is None:
        return ()
    asked = {fact.name for fact in bulk.same_for_all(shown.form)}
    drawn = [one for one in forms.inputs(shown.form, shown.picked.texts or None) if one.name in asked]
    people = [account for account in identity.people(site).values() if account.active]
    if shown.form is ASSIGN and people:
        choices = tuple((account.login, account.name) for account in people)
        drawn = [replace(one, widget="select", choices=choices) for one in drawn]
    return drawn


def _steps(site: Site, picked: Picked) -> list[Offer]:
    return steps_for(site.rules(), queries.loaded(site.desk.engine, picked.ids))


def _everything(site: Site, picked: Picked) -> Picked:
    """The whole list instead of the rows ticked, as far as a selection goes."""
    if not picked.everything:
        return picked
    filters = of_query(picked.back, site.rules(), dict(queries.shops(site.desk.engine)))
    found = queries.chosen(site.desk.engine, filters.wanted(site.rules()), clock.now())
    return replace(picked, tickets=found)


def _back(site: Site, query: str) -> str:
    return of_query(query, site.rules(), dict(queries.shops(site.desk.engine))).address()


def _who(site: Site) -> str:
    me = identity.me(site)
    return me.login if me else ""
