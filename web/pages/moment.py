"""A moment tried out on a page of its own: everything is in the address, nothing is changed."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from web import try_moment
from web.rendering import page
from web.site import TheSite

router = APIRouter()


@router.get("/try")
def moment(request: Request, site: TheSite) -> Response:
    tried = try_moment.tried(site, request.query_params)
    return page("try.html", {"tried": tried}, 422 if tried.problem else 200)
