"""Canned replies and the rules of what must not be said: the lists, their forms, a place to try a text."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Path, Query, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, queries
from aftersales.errors import Refused
from aftersales.fill_in import LONGEST_TEXT
from aftersales.office import promises
from aftersales.office import replies as office
from aftersales.office.promises import SEVERITIES, Promise
from aftersales.office.replies import VARIABLES, Reply
from web import words
from web.identity import Me
from web.pages.team.frame import TABS
from web.rendering import page
from web.site import Site, TheSite

router = APIRouter()

Text = Annotated[str, Form()]
Id = Annotated[int, Path(ge=1, lt=2**63)]


def _places(site: Site) -> list[tuple[str, list[tuple[str, str]]]]:
    """(type, [(address, label)]): every type and each of its states, for the choice of where a reply is offered."""
    return [
        (table.label, [(key, table.label), *((f"{key}.{one.name}", one.label) for one in table.states)])
        for key, table in site.rules().catalog.workflows.items()
    ]


def _place(reply: Reply) -> str:
    return ".".join(part for part in (reply.workflow, reply.state) if part)


def _place_words(site: Site, reply: Reply) -> tuple[str, str]:
    if reply.workflow is None:
        return "", ""
    rules = site.rules()
    state = words.state_label(rules, reply.workflow, reply.state) if reply.state else ""
    return words.workflow_label(rules, reply.workflow), state


# ── the lists ──


@router.get("/replies")
def book(site: TheSite, text: Annotated[str, Query(max_length=LONGEST_TEXT)] = "") -> Response:
    """`text`: one to be tried against the rules."""
    engine = site.desk.engine
    rules = promises.every_rule(engine)
    hits = promises.find(text, rules) if text else []
    context = {
        "tabs": TABS, "tab": "/replies",
        "replies": [(reply, *_place_words(site, reply)) for reply in office.everyone(engine)],
        "rules": rules, "severities": SEVERITIES, "tried": text,
        "pieces": promises.pieces(text, hits), "found": list({hit.rule.label: hit.rule for hit in hits}.values()),
        "hits": promises.open_hits(engine), "shops": dict(queries.shops(engine)),
    }  # fmt: skip
    return page("replies.html", context)


@router.post("/replies/check")
def check(site: TheSite, text: Text = "", policy: str = "") -> Response:
    """A part of a page: what the rules find in this text, asked while it is typed."""
    rules = promises.every_rule(site.desk.engine)
    hits = promises.find(text[:LONGEST_TEXT], rules, platform=policy)
    found = list({hit.rule.label: hit.rule for hit in hits}.values())
    return page("promises_found.html", {"pieces": promises.pieces(text[:LONGEST_TEXT], hits), "found": found})


# ── one reply ──


@router.get("/replies/new")
def new(site: TheSite, place: str = "") -> Response:
    workflow, _, state = place.partition(".")
    return _form(site, Reply(None, "", "", workflow or None, state or None))


@router.get("/replies/{reply_id}")
def edit(reply_id: Id, site: TheSite) -> Response:
    return _form(site, _found(site, reply_id))


@router.post("/replies/new")
def add(site: TheSite, me: Me, title: Text = "", text: Text = "", place: Text = "", shop: Text = "") -> Response:
    return _keep(site, _reply(site, None, title, text, place, shop), me.login if me else "")


@router.post("/replies/{reply_id}")
def save(
    reply_id: Id, site: TheSite, me: Me, title: Text = "", text: Text = "", place: Text = "", shop: Text = ""
) -> Response:
    return _keep(site, _reply(site, reply_id, title, text, place, shop), me.login if me else "")


@router.post("/replies/{reply_id}/delete")
def delete(reply_id: Id, site: TheSite) -> Response:
    office.remove(site.desk.engine, reply_id)
    return RedirectResponse("/replies#replies-h", 303)


@router.post("/replies/{reply_id}/used")
def used(reply_id: Id, site: TheSite) -> Response:
    """Said by a script when the reply was inserted."""
    office.count_use(site.desk.engine, reply_id)
    return Response(status_code=204)


def _found(site: Site, reply_id: int) -> Reply:
    found = office.one(site.desk.engine, reply_id)
    if found is None:
        raise HTTPException(404)
    return found


def _reply(site: Site, reply_id: int | None, title: str, text: str, place: str, shop: str) -> Reply:
    workflow, _, state = place.partition(".")
    known = {address for _, places in _places(site) for address, _ in places}
    if place and place not in known:
        workflow, state = "", ""
    shop_id = int(shop) if shop.isascii() and shop.isdecimal() and len(shop) < 19 else None
    return Reply(reply_id, title, text.replace("\r\n", "\n"), workflow or None, state or None, shop_id)


def _keep(site: Site, reply: Reply, by: str) -> Response:
    try:
        office.keep(site.desk.engine, reply, by=by, at=clock.now())
    except Refused as refusal:
        if refusal.code == "stale_version":
            reply = replace(reply, id=None)
        return _form(site, reply, refusal)
    return RedirectResponse("/replies#replies-h", 303)


def _form(site: Site, reply: Reply, refusal: Refused | None = None) -> Response:
    hits = promises.find(reply.text, promises.every_rule(site.desk.engine)) if refusal else []
    context: dict[str, Any] = {
        "reply": reply, "place": _place(reply), "places": _places(site), "shops": queries.shops(site.desk.engine),
        "variables": [(name, what) for name, (what, _) in VARIABLES.items()], "refusal": refusal,
        "pieces": promises.pieces(reply.text, hits), "hits": hits,
        "longest": (office.LONGEST_TITLE, office.LONGEST_TEXT),
    }  # fmt: skip
    return page("reply.html", context, 422 if refusal else 200)


# ── one rule ──


@router.get("/replies/rules/new")
def new_rule() -> Response:
    return _rule_form(Promise("", (), "", ""))


@router.get("/replies/rules/{rule_id}")
def edit_rule(rule_id: Id, site: TheSite) -> Response:
    found = next((one for one in promises.own_rules(site.desk.engine) if one.id == rule_id), None)
    if found is None:
        raise HTTPException(404)
    return _rule_form(found)


@router.post("/replies/rules/{rule}")
def save_rule(
    rule: str, site: TheSite, me: Me, label: Text = "", include: Text = "", exclude: Text = "", regex: Text = "",
    severity: Text = "warn", reason: Text = "", instead: Text = "",
) -> Response:  # fmt: skip
    rule_id = int(rule) if rule.isascii() and rule.isdecimal() and len(rule) < 19 else None
    promise = Promise(
        label.strip()[:60], _words(include), reason.strip()[:500], instead.strip()[:500], _words(exclude),
        regex.strip(), severity if severity in SEVERITIES else "warn", id=rule_id,
    )  # fmt: skip
    try:
        promises.keep(site.desk.engine, promise, by=me.login if me else "", at=clock.now())
    except Refused as refusal:
        return _rule_form(promise, refusal)
    return RedirectResponse("/replies#rules-h", 303)


@router.post("/replies/rules/{rule_id}/delete")
def delete_rule(rule_id: Id, site: TheSite) -> Response:
    promises.remove(site.desk.engine, rule_id)
    return RedirectResponse("/replies#rules-h", 303)


def _words(text: str) -> tuple[str, ...]:
    """One a line, or between commas; a hundred at most."""
    found = (one.strip()[:40] for one in text.replace("，", "\n").replace("、", "\n").replace(",", "\n").splitlines())
    return tuple(dict.fromkeys(one for one in found if one))[:100]


def _rule_form(promise: Promise, refusal: Refused | None = None) -> Response:
    context = {"rule": promise, "severities": SEVERITIES, "refusal": refusal}
    return page("keyword_rule.html", context, 422 if refusal else 200)


# ── what was said in spite of a warning ──


@router.post("/replies/hits/{hit_id}")
def judge(hit_id: Id, site: TheSite, me: Me, verdict: Text = "") -> Response:
    if verdict not in ("confirmed", "false_positive"):
        raise HTTPException(422)
    promises.judge(site.desk.engine, hit_id, confirmed=verdict == "confirmed", by=me.login if me else "")
    return RedirectResponse("/replies#hits-h", 303)
