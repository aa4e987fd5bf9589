"""Saved views of the queue: keep the present filter under a name, rename, share, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, queries
from aftersales.errors import Refused
from aftersales.office import views
from web import identity
from web.filters import Filters, of_query
from web.rendering import page
from web.site import Site, TheSite

router = APIRouter()


@router.get("/views")
def kept(site: TheSite, query: str = "") -> Response:
    """One's own views, each with its form; with `query`, also the form that keeps it."""
    return _page(site, query)


@router.post("/views")
def save(
    site: TheSite, query: Annotated[str, Form()] = "", name: Annotated[str, Form()] = "",
    shared: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    filters = _filters(site, query)
    try:
        views.save(site.desk.engine, _me(site), name, filters.query, clock.now(), shared=shared == "1")
    except Refused as refusal:
        return _page(site, query, refusal, name)
    return RedirectResponse(filters.address(), 303)


@router.post("/views/{id}")
def change(
    site: TheSite, id: int, do: Annotated[str, Form()] = "", name: Annotated[str, Form()] = ""
) -> Response:  # fmt: skip
    engine, login = site.desk.engine, _me(site)
    try:
        match do:
            case "rename":
                views.rename(engine, login, id, name)
            case "share" | "keep":
                views.share(engine, login, id, do == "share")
            case "up":
                views.move_up(engine, login, id)
            case "remove":
                views.remove(engine, login, id)
    except Refused as refusal:
        return _page(site, "", refusal, name)
    return RedirectResponse("/views", 303)


def _page(site: Site, query: str, refusal: Refused | None = None, name: str = "") -> Response:
    login = _me(site)
    own = [view for view in views.seen_by(site.desk.engine, login) if view.owner == login]
    context = {
        "views": [(view, _filters(site, view.query).address()) for view in own],
        "saving": _filters(site, query) if query else None,
        "refusal": refusal,
        "name": name,
        "signed_in": bool(login),
        "longest": views.LONGEST_NAME,
    }
    return page("views.html", context, 422 if refusal else 200)


def _filters(site: Site, query: str) -> Filters:
    return of_query(query, site.rules(), dict(queries.shops(site.desk.engine)))


def _me(site: Site) -> str:
    me = identity.me(site)
    return me.login if me else ""
