"""What the palette asks while somebody types: a few tickets, as JSON, in the words of the page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from aftersales import clock
from aftersales.clock import shown_to_machines
from aftersales.decide import Rules
from aftersales.queries.search import Found, found
from web import words
from web.i18n import translated
from web.site import TheSite, address_of, several_shops

router = APIRouter()
#: of the palette
ROWS = 10


@router.get("/search.json")
def search(site: TheSite, q: str = "") -> Response:
    """{"tickets": [...]}: at most 10, open ones first, the newest first. What people wrote stays as it is."""
    engine, now = site.desk.engine, clock.now()
    by_id = several_shops(site)
    rows = [_line(one, site.rules(), now, by_id=by_id) for one in found(engine, q, limit=ROWS)]
    return JSONResponse({"tickets": rows})


def _line(one: Found, rules: Rules, now: datetime, *, by_id: bool) -> dict[str, Any]:
    due = one.due_at
    return {
        "id": one.id,
        "number": one.number,
        "address": address_of(one.id, one.number, several=by_id),
        "shop": one.shop,
        "workflow": translated(words.workflow_label(rules, one.workflow)),
        "state": translated(words.state_label(rules, one.workflow, one.state)),
        "closed": one.closed_at is not None,
        "buyer": one.buyer,
        "order_no": one.order_no,
        "due": None if due is None else shown_to_machines(due),
        "left": "" if due is None else words.left(due, now),
        "urgency": words.urgency(due, now),
    }
