"""What the desk tells the outside: endpoints and how they are, what was delivered, where groups are told."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, HTTPException, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, queries
from aftersales.clock import parse, whole_second
from aftersales.errors import Refused
from aftersales.office import channels, endpoints, teams
from aftersales.outbound import pace, reach, signing, topics
from web import channel_form
from web.channel_form import TypedForm
from web.identity import Me
from web.rendering import page
from web.site import Site, TheSite

router = APIRouter()
HERE = "/outbound"
Text = Annotated[str, Form()]
Several = Annotated[list[str], Form(default_factory=list)]
NOTHING: dict[str, Any] = {"url": "", "topics": (), "shop": ""}
DONE = {
    "saved": "已保存",
    "test": "测试消息已排队，几秒后看投递记录",
    "again": "已排队重发",
    "paused": "已暂停，消息先留着",
    "resumed": "已恢复，留着的消息马上发出",
    "removed": "已删除",
}


def _number(text: str) -> int:
    """An id in an address; 404 for what none can be."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise HTTPException(404)
    return int(text)


def _endpoint(site: Site, text: str) -> endpoints.Endpoint:
    found = endpoints.by_id(site.desk.engine, _number(text))
    if found is None:
        raise HTTPException(404)
    return found


def _page(
    site: Site, *, refusal: Refused | None = None, typed: dict[str, Any] | None = None, secret: str = "",
    endpoint: str = "", state: str = "", before: str = "", done: str = "",
) -> Response:  # fmt: skip
    engine = site.desk.engine
    one = _number(endpoint) if endpoint else None
    state = state if state in endpoints.STATES else ""
    log = endpoints.log(engine, endpoint_id=one, state=state, before=_number(before) if before else None)
    shops = dict(queries.shops(engine))
    context = {
        "now": clock.now(), "endpoints": endpoints.everything(engine), "health": endpoints.health(engine),
        "shops": shops, "several": len(shops) > 1, "topics": topics.TOPICS, "usual": topics.USUAL,
        "states": endpoints.STATES, "log": log[: endpoints.PAGE],
        "older": log[endpoints.PAGE - 1].id if len(log) > endpoints.PAGE else None,
        "filter": {"endpoint": one, "state": state},
        "with_filter": lambda **more: _log_address({"endpoint": endpoint, "state": state, **more}),
        "groups": channels.of_groups(engine), "teams": [one for one in teams.groups(engine) if one.active],
        "form": channel_form.context(), "refusal": refusal, "typed": typed or NOTHING,
        "secret": secret,
        "done": DONE.get(done, ""),
    }  # fmt: skip
    headers = {"Cache-Control": "no-store"} if secret else None
    return page("outbound.html", context, 422 if refusal is not None else 200, headers)


def _log_address(chosen: dict[str, Any]) -> str:
    return f"{HERE}?{urlencode({name: value for name, value in chosen.items() if value})}#log"


@router.get(HERE)
def show(site: TheSite, endpoint: str = "", state: str = "", before: str = "", done: str = "") -> Response:
    return _page(site, endpoint=endpoint, state=state, before=before, done=done)


@router.post(HERE)
def add(site: TheSite, topic: Several, shop: Text = "", url: Text = "") -> Response:
    """The secret is shown in the answer, and never again."""
    secret = signing.new_secret()
    try:
        reach.target(url.strip(), loopback=site.settings.webhooks_to_loopback)
        wanted = [one for one in topic if one in topics.TOPICS]
        shop_id = int(shop) if shop.isascii() and shop.isdigit() and len(shop) < 19 else 0
        endpoints.add(site.desk.engine, shop_id, url.strip(), wanted, secret, whole_second(clock.now()))
    except Refused as refusal:
        return _page(site, refusal=refusal, typed={"url": url[:600], "topics": topic, "shop": shop})
    return _page(site, secret=secret)


def _then(done: str, anchor: str = "") -> Response:
    return RedirectResponse(f"{HERE}?done={done}{anchor}", 303)


@router.post("/outbound/{id}/pause")
def pause(site: TheSite, id: str) -> Response:
    endpoints.pause(site.desk.engine, _endpoint(site, id).id, clock.now())
    return _then("paused")


@router.post("/outbound/{id}/resume")
def resume(site: TheSite, id: str) -> Response:
    endpoints.resume(site.desk.engine, _endpoint(site, id).id, clock.now())
    return _then("resumed")


@router.post("/outbound/{id}/test")
def test(site: TheSite, id: str) -> Response:
    endpoints.add_test(site.desk.engine, _endpoint(site, id).id, clock.now())
    return _then("test", "#log")


@router.post("/outbound/{id}/rotate")
def rotate(site: TheSite, id: str) -> Response:
    one, secret = _endpoint(site, id), signing.new_secret()
    endpoints.rotate(site.desk.engine, one.id, secret, clock.now())
    return _page(site, secret=secret)


@router.post("/outbound/{id}/remove")
def remove(site: TheSite, id: str) -> Response:
    endpoints.remove(site.desk.engine, _endpoint(site, id).id)
    return _then("removed")


@router.post("/outbound/{id}/since")
def since(site: TheSite, id: str, since: Text = "") -> Response:
    one = _endpoint(site, id)
    try:
        endpoints.again_since(site.desk.engine, one.id, parse(since), clock.now())
    except ValueError as problem:
        return _page(site, refusal=Refused("invalid_field", str(problem)))
    return _then("again", "#log")


@router.get("/outbound/delivery/{id}")
def delivery(site: TheSite, id: str) -> Response:
    found = endpoints.logged(site.desk.engine, _number(id))
    if found is None:
        raise HTTPException(404)
    one, attempts = found
    url = next((it.url for it in endpoints.everything(site.desk.engine) if it.id == one.endpoint_id), "")
    context = {
        "one": one, "attempts": attempts, "url": url, "states": endpoints.STATES, "topics": topics.TOPICS,
        "most": len(pace.STEPS) + 1,
    }  # fmt: skip
    return page("delivery.html", context)


@router.post("/outbound/delivery/{id}/again")
def again(site: TheSite, id: str) -> Response:
    endpoints.again(site.desk.engine, _number(id), clock.now())
    return _then("again", "#log")


# ── groups ──


@router.post("/outbound/groups")
def add_group(site: TheSite, typed: TypedForm, team: Text = "") -> Response:
    try:
        team_id = int(team) if team.isascii() and team.isdigit() and len(team) < 19 else 0
        channels.add(site.desk.engine, clock.now(), team_id=team_id, **typed.values())
    except Refused as refusal:
        return _page(site, refusal=refusal)
    return _then("saved", "#groups")


@router.post("/outbound/groups/{id}/remove")
def remove_group(site: TheSite, id: str) -> Response:
    channels.remove(site.desk.engine, _number(id), None)
    return _then("removed", "#groups")


@router.post("/outbound/groups/{id}/test")
def test_group(site: TheSite, id: str) -> Response:
    channel_form.test(site, _number(id), None)
    return _then("test", "#groups")


# ── one's own, on /me ──


@router.post("/me/channels")
def add_mine(site: TheSite, me: Me, typed: TypedForm) -> Response:
    if me is None:
        return RedirectResponse("/me", 303)
    try:
        channels.add(site.desk.engine, clock.now(), account_id=me.id, **typed.values())
    except Refused as refusal:
        return channel_form.me_page(site, me, refusal)
    return RedirectResponse("/me?done=saved#tell", 303)


@router.post("/me/channels/{id}/remove")
def remove_mine(site: TheSite, me: Me, id: str) -> Response:
    if me is not None:
        channels.remove(site.desk.engine, _number(id), me.id)
    return RedirectResponse("/me?done=removed#tell", 303)


@router.post("/me/channels/{id}/test")
def test_mine(site: TheSite, me: Me, id: str) -> Response:
    if me is not None:
        channel_form.test(site, _number(id), me.id)
    return RedirectResponse("/me?done=test#tell", 303)
