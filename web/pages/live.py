"""The line to every open page: tickets that changed, who else is looking, whether the clock is at work."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Header, HTTPException, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from aftersales import clock
from aftersales.office import presence
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import Step
from web import presence as present
from web import shell, visit
from web.identity import Me
from web.live import Live, Message, Present, Stream, TooMany
from web.site import Site, TheSite, ticket_of

router = APIRouter()
#: milliseconds after which a browser that lost the line tries again by itself
_RETRY = 2_000


async def _stream(
    request: Request,
    after: Annotated[str, Query()] = "",
    last_event_id: Annotated[str, Header()] = "",
) -> AsyncIterator[Stream]:
    """A place among the listeners. `after`: the newest event when the page was made; what came since is told first."""
    live: Live = request.app.state.live
    host = request.client.host if request.client else ""
    since = last_event_id or after
    event_id = int(since) if re.fullmatch(r"[0-9]{1,18}", since) else None
    try:
        async with live.listening(visit.current.get().session or host, event_id) as stream:
            yield stream
    except TooMany:
        raise HTTPException(429, "打开的窗口太多，请关掉一些", {"Retry-After": "30"}) from None


@router.get("/live", response_class=EventSourceResponse)
async def live(stream: Annotated[Stream, Depends(_stream)], site: TheSite, me: Me) -> AsyncIterator[ServerSentEvent]:
    """Events `tickets`, `presence`, `pulse`, `reload`; their data in web/static/live.js."""
    yield ServerSentEvent(comment="live", retry=_RETRY)
    async for message in stream:
        id = None if message.event_id is None else str(message.event_id)
        # in a thread: a clock that stands still is asked about in the database
        said = await run_in_threadpool(_said, message, site, me.id if me else None)
        yield ServerSentEvent(event=message.what, data=said, id=id)


def _said(message: Message, site: Site, me: int | None) -> Any:
    """In the language of this visit, without the listener's own presence."""
    if message.what == "presence":
        return _presence(message.said, site, me)
    if message.what == "pulse":
        pulse = shell.pulse_at(site, message.said, clock.now())
        return {"well": pulse.well, "sentence": pulse.sentence}
    return message.said if message.said is not None else {}


def _presence(said: Present, site: Site, me: int | None) -> dict[str, Any]:
    tickets = []
    for ticket_id, people in said.of.items():
        of = present.of([one for one in people if one.account_id != me], site.rules())
        tickets.append({"id": ticket_id, "html": of.html, "mark": of.mark, "editing": of.editing})
    return {"all": said.all, "tickets": tickets}


@router.post("/t/{name}/here", status_code=204)
def here(
    name: str, site: TheSite, me: Me, doing: Annotated[str, Form()] = "", gone: Annotated[str, Form()] = ""
) -> Response:
    """This person has the ticket open, or has it no more. Of nobody it is not asked who."""
    if me is not None:
        ticket, engine = ticket_of(site, name), site.desk.engine
        if gone:
            presence.gone(engine, me.id, ticket.id, doing)
        else:
            form = PLAIN_ACTIONS.get(doing) or site.rules().workflow(ticket).move(doing)
            known = doing in PLAIN_ACTIONS or isinstance(form, Step)
            presence.here(engine, me.id, ticket.id, clock.now(), doing if known else "")
    return Response(status_code=204)
