"""What platforms send: where they send it, and the page of what came of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from aftersales import clock, queries
from aftersales.database import DatabaseBusy
from aftersales.feeds import TITLES
from aftersales.feeds.receive import LONGEST, TOO_LONG, NotTaken, receive
from aftersales.office import feeds as office
from aftersales.queries import UNREACHABLE
from web.identity import Me
from web.rendering import page
from web.site import TheSite

router = APIRouter()
#: said to programs, in both languages at once
CUT_OFF, BUSY = (
    "消息没有传完，没有收下。Cut off; not taken.",
    "数据库暂时忙，没有收下，请稍后再发。Busy; send it again.",
)
SIGN_IN_FIRST = "请先在 /me 选用自己的账号，再重试消息"
PAGE = 50
_AWAY: tuple[type[BaseException], ...] = (DatabaseBusy, *UNREACHABLE)
_Id = Annotated[int, Path(ge=1, lt=2**63)]


# ── for machines ──


@router.post("/feeds/{platform}")
async def take(request: Request, site: TheSite, platform: str, shop: str = "") -> Response:
    """Kept, and answered; it is worked on in the background."""
    try:
        body = await _body(request)
        headers = dict(request.headers)
        taken = await run_in_threadpool(receive, site.desk.engine, platform, shop, headers, body, clock.now())
    except NotTaken as refused:
        return _refused(refused)
    except ClientDisconnect:
        return _refused(NotTaken(400, "cut_off", CUT_OFF))
    except _AWAY:
        return _refused(NotTaken(503, "busy", BUSY))
    return JSONResponse({"ok": True, "id": taken.message_id, "again": taken.again}, 200 if taken.again else 202)


async def _body(request: Request) -> bytes:
    """The raw bytes, however they come: a body without a length is stopped where it gets too long."""
    pieces, length = [], 0
    async for piece in request.stream():
        length += len(piece)
        if length > LONGEST:
            raise TOO_LONG
        pieces.append(piece)
    return b"".join(pieces)


def _refused(why: NotTaken) -> Response:
    headers = {"Retry-After": "5"} if why.status == 503 else {}
    return JSONResponse({"ok": False, "error": why.code, "detail": why.says}, why.status, headers)


def too_long() -> Response:
    return _refused(TOO_LONG)


# ── for people ──


@router.get("/feeds")
def show(site: TheSite, before: Annotated[int | None, Query(ge=1, lt=2**63)] = None) -> Response:
    engine, now = site.desk.engine, clock.now()
    messages = office.last(engine, before, limit=PAGE + 1)
    context: dict[str, Any] = {
        "now": now, "health": office.health(engine, now), "dead": office.last(engine, dead=True, limit=100),
        "messages": messages[:PAGE], "older": messages[PAGE - 1].id if len(messages) > PAGE else None,
        "titles": TITLES, "shops": dict(queries.shops(engine)), "newest": before is None,
    }  # fmt: skip
    return page("feeds.html", context)


@router.get("/feeds/messages/{number}")
def one(site: TheSite, number: _Id) -> Response:
    found = office.message(site.desk.engine, number)
    if found is None:
        raise HTTPException(404, "没有这条消息，或已过了保留期")
    shops = dict(queries.shops(site.desk.engine))
    return page("feed_message.html", {"one": found, "titles": TITLES, "shop": shops.get(found.shop_id, "")})


@router.post("/feeds/messages/{number}/retry")
def retry(site: TheSite, me: Me, number: _Id) -> Response:
    if me is None:
        raise HTTPException(403, SIGN_IN_FIRST)
    if not office.retry(site.desk.engine, number, clock.now()):
        raise HTTPException(409, "这条消息不在死信里了，可能别人刚刚重试过")
    return RedirectResponse("/feeds", 303)
