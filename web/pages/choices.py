"""What a person chooses for the pages, and who that person is: language, theme, keys, account."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from aftersales import clock
from aftersales.office import accounts
from web import channel_form, identity, visit
from web.i18n import LOCALES
from web.site import TheSite
from web.visit import KEYS, LANGUAGE, SESSION, THEME, THEMES

router = APIRouter()
YEAR = 365 * 24 * 3600


def safe(address: str) -> str:
    """A path of this site; anything that could lead elsewhere becomes the queue."""
    return address if re.fullmatch(r"/(?![/\\])[^\s\\]*", address) else "/"


@router.get("/me")
def me(site: TheSite, me: identity.Me, done: str = "") -> Response:
    """Settings of this browser, the accounts to sign in with, and where this person is told."""
    return channel_form.me_page(site, me, done=done)


@router.post("/choices")
def choose(
    back: Annotated[str, Form()] = "/",
    language: Annotated[str, Form()] = "",
    theme: Annotated[str, Form()] = "",
    keys: Annotated[str, Form()] = "",
) -> Response:
    answer = RedirectResponse(safe(back), 303)
    for name, value, able in ((LANGUAGE, language, LOCALES), (THEME, theme, THEMES), (KEYS, keys, ("on", "off"))):
        if value in able:
            answer.set_cookie(name, value, max_age=YEAR, samesite="lax", httponly=name != THEME)
    return answer


@router.post("/sign-in")
def sign_in(site: TheSite, login: Annotated[str, Form()], back: Annotated[str, Form()] = "/") -> Response:
    account = accounts.named(site.desk.engine, login)
    if account is None or not account.active:
        return RedirectResponse("/me", 303)
    answer = RedirectResponse(safe(back), 303)
    token = accounts.sign_in(site.desk.engine, account, clock.now())
    answer.set_cookie(SESSION, token, max_age=int(accounts.IDLE.total_seconds()), samesite="lax", httponly=True)
    return answer


@router.post("/sign-out")
def sign_out(site: TheSite) -> Response:
    accounts.sign_out(site.desk.engine, visit.current.get().session)
    answer = RedirectResponse("/me", 303)
    answer.delete_cookie(SESSION)
    return answer
