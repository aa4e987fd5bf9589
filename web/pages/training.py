"""The training ground's clock: forward by an hour, two days, ten days, or to what happens next. Not in real desks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from aftersales import clock
from aftersales.sandbox import Sandbox
from aftersales.ticket import Event, Ticket
from web import words
from web.pages.story import EventLine, story
from web.rendering import page
from web.site import Site, TheSite

router = APIRouter()
#: name -> (label, how far); "next" goes to the next alarm
WAYS = {
    "next": ("到下一件事", None),
    "1h": ("快进 1 小时", timedelta(hours=1)),
    "48h": ("快进 48 小时", timedelta(hours=48)),
    "10d": ("快进 10 天", timedelta(days=10)),
}
#: what one page tells of a way forward
MOST_LINES = 200


@dataclass(frozen=True)
class Line:
    """What the clock did to one ticket."""

    ticket: Ticket
    workflow: str
    told: EventLine


@router.get("/sandbox")
def look(site: TheSite) -> Response:
    ground = _ground(site)
    went = ground.last
    context: dict[str, Any] = {
        "ahead": ground.ahead,
        "now": clock.now(),
        "ways": [(name, label) for name, (label, _) in WAYS.items()],
        "next_alarm": site.desk.next_alarm(),
        "went": went,
        "lines": [] if went is None else _lines(site, went.fired[:MOST_LINES]),
        "more": 0 if went is None else max(0, len(went.fired) - MOST_LINES),
    }
    return page("sandbox.html", context)


@router.post("/sandbox/forward")
def forward(site: TheSite, way: Annotated[str, Form()] = "next", seen: Annotated[int, Form()] = -1) -> Response:
    """`seen`: how far ahead it was when the button was drawn, so that a double click goes forward once."""
    ground = _ground(site)
    if seen == ground.ahead.total_seconds():
        span = WAYS.get(way, WAYS["next"])[1]
        _ = ground.to_the_next_alarm() if span is None else ground.forward(span)
    return RedirectResponse("/sandbox", 303)


def _ground(site: Site) -> Sandbox:
    assert site.sandbox is not None  # the router is there for training grounds only
    return site.sandbox


def _lines(site: Site, fired: Sequence[tuple[Ticket, Event]]) -> list[Line]:
    rules = site.rules()
    return [
        Line(ticket, words.workflow_label(rules, ticket.workflow), story(ticket, [event], rules)[0])
        for ticket, event in fired
    ]
