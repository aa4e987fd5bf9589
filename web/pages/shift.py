"""The shift board: what the clock does in the next 72 hours, whose hands are full, and the hand-over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, queries
from aftersales.clock import shown
from aftersales.errors import Refused
from aftersales.office import handover
from aftersales.office.accounts import Account
from aftersales.office.handover import Note
from aftersales.reports.sheets import as_csv, as_xlsx
from web import board, handing, identity, words
from web.handing import Typed
from web.i18n import gettext
from web.identity import Me
from web.pages.reports import FILES
from web.rendering import page
from web.site import Site, TheSite, address_of

router = APIRouter()
SIGN_IN_FIRST = "先选择账号，才能交班"
_KEY = re.compile(r"[0-9A-Za-z_-]{16,64}")


@dataclass(frozen=True)
class View:
    """Which shops are looked at. `chosen`: one of them; None is all."""

    shops: Sequence[tuple[int, str]]
    chosen: int | None

    @property
    def ids(self) -> list[int]:
        return [id for id, _ in self.shops] if self.chosen is None else [self.chosen]

    def address(self, id: int, number: str) -> str:
        """Of a ticket: shops count for themselves, so where there are several a number is not enough."""
        return address_of(id, number, several=len(self.shops) > 1)


def _view(site: Site, shop: str) -> View:
    """An unknown shop is all of them."""
    shops = queries.shops(site.desk.engine)
    known = {str(id): id for id, _ in shops}
    return View(shops, known.get(shop))


@router.get("/shift")
def shift(site: TheSite, me: Me, shop: str = "", handed: str = "", before: str = "") -> Response:
    return _page(site, me, _view(site, shop), handed=_number(handed), before=_number(before))


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _page(
    site: Site, me: Account | None, view: View, *, typed: Typed | None = None, refusal: Refused | None = None,
    handed: int | None = None, before: int | None = None,
) -> Response:  # fmt: skip
    now, rules, everyone = clock.now(), site.rules(), identity.people(site)
    found = board.figures(site, view.ids, now)
    late, late_since = board.late(found)
    context: dict[str, Any] = {
        "now": now, "view": view, "found": found, "me": me, "refusal": refusal,
        "rows": board.rows(found, view.chosen),
        "holiday": board.holiday(rules.calendar, now),
        "late": late, "late_since": late_since,
        "people": board.people(found, everyone.values(), me.login if me else None),
        "turns": board.turns(found, rules),
        "day": timedelta(days=1),
        "link": lambda **asked: board.queue(view.chosen, **asked),
        "short": lambda at: board.brief(at, now),
        "name_of": lambda login: identity.name_of(site, login),
        "move": lambda one: words.move_label(rules, one.workflow, one.timeout),
        "state": lambda one: words.state_label(rules, one.workflow, one.state),
        "left": lambda at: words.left(at, now),
    }  # fmt: skip
    context |= _hand_over(site, me, everyone, view, now, typed, handed, before)
    return page("shift.html", context, 422 if refusal else 200)


def _hand_over(
    site: Site, me: Account | None, everyone: Any, view: View, now: datetime, typed: Typed | None,
    handed: int | None, before: int | None,
) -> dict[str, Any]:  # fmt: skip
    """The form and the notes; nothing of it without an account."""
    nothing: dict[str, Any] = {"form": None, "unseen": [], "history": [], "older": None, "just": None}
    if me is None:
        return nothing
    engine = site.desk.engine
    # hands are full over all shops, whichever is looked at
    shops = [id for id, _ in view.shops]
    notes = handover.history(engine, me.login, handing.HISTORY + 1, before)
    told = handing.told(site, notes[: handing.HISTORY])
    unseen = handing.told(site, handover.unseen(engine, me.login, now))
    on_top = {one.note.id for one in unseen}
    return {
        "form": handing.handing(site, me, everyone, shops, now, typed),
        "unseen": unseen,
        "history": [one for one in told if one.note.id not in on_top],
        "older": told[-1].note.id if len(notes) > handing.HISTORY else None,
        "just": next((one for one in told if one.note.id == handed and one.note.from_login == me.login), None),
    }


@router.post("/shift/handover")
def hand_over(
    site: TheSite,
    me: Me,
    key: Annotated[str, Form()] = "",
    do: Annotated[str, Form()] = "hand",
    to: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
    confirm: Annotated[str, Form()] = "",
    move: Annotated[str, Form()] = "",
    ticket: Annotated[list[str] | None, Form()] = None,
    shop: Annotated[str, Form()] = "",
) -> Response:
    if me is None:
        raise HTTPException(403, SIGN_IN_FIRST)
    if not _KEY.fullmatch(key):
        raise HTTPException(400, words.BROKEN_FORM)
    engine, now, view = site.desk.engine, clock.now(), _view(site, shop)
    typed = Typed(to, text.replace("\r\n", "\n"), bool(confirm), bool(move))
    offered = [one for one in map(_number, ticket or ()) if one is not None] if move else []
    note = Note(to, typed.text.strip(), typed.confirm, list(dict.fromkeys(offered)))
    try:
        if do == "save":
            handover.save(engine, me, note, key, now)
            return RedirectResponse(_back(view, "#handover"), 303)
        done = handing.hand_over(site, me, identity.people(site).get(to), note, key, now)
    except Refused as refusal:
        return _page(site, me, view, typed=typed, refusal=refusal)
    board.forget()
    return RedirectResponse(_back(view, "#handover", handed=done.id), 303)


def _back(view: View, place: str, **query: Any) -> str:
    pairs = {"shop": view.chosen, **query}
    asked = "&".join(f"{name}={value}" for name, value in pairs.items() if value is not None)
    return f"/shift{'?' if asked else ''}{asked}{place}"


@router.post("/shift/handover/{note}/seen")
def seen(site: TheSite, me: Me, note: str) -> Response:
    number = _number(note)
    if me is None:
        raise HTTPException(403, SIGN_IN_FIRST)
    if number is None or not handover.seen(site.desk.engine, me, number, clock.now()):
        raise HTTPException(404, "没有这份交班，或不是交给您的")
    return RedirectResponse("/shift", 303)


@router.get("/shift.{ending}")
def export(site: TheSite, ending: str, shop: str = "") -> Response:
    """The 72 hours as a table: CSV or XLSX."""
    if ending not in FILES:
        raise HTTPException(404)
    view, now = _view(site, shop), clock.now()
    found = board.figures(site, view.ids, now)
    sheet = board.table(found, site.rules())
    content = as_csv([sheet]) if ending == "csv" else as_xlsx([sheet])
    name = quote(" ".join([gettext("值班"), f"{shown(found.now)[:16].replace(':', '')}.{ending}"]))
    return Response(content, media_type=FILES[ending], headers={
        "Content-Disposition": f"attachment; filename=\"shift.{ending}\"; filename*=UTF-8''{name}"
    })  # fmt: skip
