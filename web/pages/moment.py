"""A moment tried out on a page of its own: everything is in the address, nothing is changed."""

from __future__ import annotations

from fastapi import APIRouter, Response

from web import try_moment
from web.rendering import page

router = APIRouter()


@router.get("/try")
def moment() -> Response:
    return page("try.html", {}, 422 if try_moment.of_visit().problem else 200)
