"""The address that platforms send to, and the pages of what came of it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from aftersales import store
from aftersales.database import writing
from aftersales.decide import NewTicket
from aftersales.feeds import PLATFORMS
from aftersales.feeds.verify import HMAC, signature
from aftersales.feeds.work import work
from aftersales.office import accounts, said
from aftersales.office import feeds as office
from tests.web.languages import untranslated
from web.app import create_app
from web.i18n import knows


class Sender:
    """A platform's machine: no cookie, no browser."""

    def __init__(self, world):
        self.world = world
        with writing(world.engine) as connection:
            self.shop = store.shop_id_of(connection, "我的店铺")
        self.secret = office.connect(world.engine, self.shop, "kuaishou", HMAC, world.now)
        self.client = TestClient(create_app(world.desk, lambda: world.rules, world.settings))

    def headers(self, body, message_id="m1", at=None):
        stamp = str(int((at or self.world.now).timestamp()))
        signed = signature(self.secret, message_id, stamp, body)
        return {"X-Feed-Id": message_id, "X-Feed-Timestamp": stamp, "X-Feed-Signature": signed}

    def send(self, told, message_id="m1", path="/feeds/kuaishou", shop=None, **headers):
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        address = f"{path}?shop={self.shop if shop is None else shop}"
        return self.client.post(address, content=body, headers={**self.headers(body, message_id), **headers})

    def work(self):
        work(self.world.desk, lambda: self.world.now)

    def kept(self):
        return office.last(self.world.engine)


def ks(world, status=30, **more):
    return {
        "refundId": "8001", "status": status, "handlingWay": 1, "updateTime": int(world.now.timestamp() * 1000),
        "oid": "D1", "payFee": 32900, "refundFee": 32900, **more,
    }  # fmt: skip


@pytest.fixture
def sender(world):
    return Sender(world)


def test_a_message_is_kept_and_answered_before_it_is_worked_on(sender, world):
    answer = sender.send(ks(world))
    assert (answer.status_code, answer.json()) == (202, {"ok": True, "id": "m1", "again": False})
    assert sender.kept()[0].state == "new"
    assert (sender.send(ks(world)).status_code, len(sender.kept())) == (200, 1)
    sender.work()
    assert sender.kept()[0].state == "done"


def test_it_is_answered_in_milliseconds(sender, world):
    sender.send(ks(world), "warm")
    began = time.perf_counter()
    for n in range(20):
        sender.send(ks(world), f"m{n}")
    assert (time.perf_counter() - began) / 20 < 0.05


@pytest.mark.parametrize(
    ("told", "changed", "status", "error"),
    [
        ({"x": 1}, {"path": "/feeds/nobody"}, 404, "unknown_platform"),
        ({"x": 1}, {"shop": "999"}, 404, "unknown_shop"),
        ({"x": 1}, {"shop": "1' OR 1=1"}, 404, "unknown_shop"),
        ({"x": 1}, {"shop": ""}, 404, "unknown_shop"),
        ({"x": 1}, {"path": "/feeds/wechat"}, 404, "unknown_shop"),
        ({"x": 1}, {"X-Feed-Signature": "0" * 64}, 401, "bad_signature"),
        ({"x": 1}, {"X-Feed-Signature": ""}, 401, "bad_signature"),
        ({"x": 1}, {"X-Feed-Timestamp": "1"}, 401, "bad_signature"),
        ({"x": 1}, {"X-Feed-Id": "other"}, 401, "bad_signature"),
        (b"<xml/>", {}, 400, "not_json"),
        (b"\xff\xfe", {}, 400, "not_json"),
        (b"", {}, 400, "not_json"),
        (b'{"a": NaN}', {}, 400, "not_json"),
        (b"[" * 100_000, {}, 400, "not_json"),
        (b"1" * 6000, {}, 400, "not_json"),
        (b'"' + b"x" * 1024 * 1024 + b'"', {}, 413, "too_long"),
        (b"x" * 50_000_000, {}, 413, "too_long"),
    ],
    ids=str,
)
def test_what_is_not_taken_is_answered_clearly_and_leaves_nothing(sender, told, changed, status, error):
    answer = sender.send(told, **changed)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["detail"]
    assert sender.kept() == []


def test_a_body_without_a_length_is_stopped_where_it_gets_too_long(sender):
    def endless():
        for _ in range(3):
            yield b"x" * 1_000_000

    answer = sender.client.post(f"/feeds/kuaishou?shop={sender.shop}", content=endless(), headers=sender.headers(b""))
    assert answer.status_code == 413
    assert sender.kept() == []


def test_twenty_at_once_are_kept_once(sender, world):
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: sender.send(ks(world)).status_code, range(20)))
    assert sorted(answers) == [200] * 19 + [202]
    assert len(sender.kept()) == 1


def test_a_secret_is_on_no_page(sender, world, browser):
    sender.send(ks(world))
    for path in ("/feeds", f"/feeds/messages/{sender.kept()[0].id}"):
        assert sender.secret not in browser.get(path).html


def test_the_page_shows_what_came_of_it(sender, world, browser):
    assert "还没有收到消息" in browser.get("/feeds").text
    sender.send(ks(world))
    sender.send(ks(world, 999, refundId="<script>"), "m2")
    sender.work()
    page = browser.get("/feeds")
    assert "已从平台接过来" in page.text
    assert "不认识的状态「999」" in page.text
    letter = next(one for one in sender.kept() if one.state == "dead")
    shown = browser.get(f"/feeds/messages/{letter.id}")
    assert "<script>" in shown.text
    assert "<script>" not in shown.html.split("<main")[1].split("</main")[0]
    assert browser.get("/feeds/messages/999999").status == 404
    assert "/feeds" in browser.get("/automation").links


def test_strangers_retry_nothing(sender, world, browser):
    sender.send(ks(world, 999))
    sender.work()
    [letter] = sender.kept()
    assert browser.post(f"/feeds/messages/{letter.id}/retry", []).status == 403
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert browser.client.post(f"/feeds/messages/{letter.id}/retry", headers=elsewhere).status_code == 403
    assert browser.client.post("/reconcile/1", headers=elsewhere).status_code == 403


def login(world, browser):
    accounts.add(world.engine, "main:zhou", "小周", world.now)
    assert browser.post("/sign-in", [("login", "main:zhou")]).status == 303


def test_a_dead_letter_is_retried(sender, world, browser):
    login(world, browser)
    sender.send(ks(world, 999))
    sender.work()
    [letter] = sender.kept()
    assert browser.post(f"/feeds/messages/{letter.id}/retry", []).status == 303
    assert sender.kept()[0].state == "new"
    assert browser.post(f"/feeds/messages/{letter.id}/retry", []).status == 409


def a_difference(sender, world):
    facts = {"paid_fen": 32900, "reason": "quality", "kind": "return_refund"}
    new = NewTicket("refund", "kuaishou", "apply", "buyer", world.now, facts, "D1", "", "梅子酱", platform_no="8001")
    ticket = world.desk.open(new, shop="我的店铺")
    sender.send(ks(world))
    sender.work()
    return ticket


def decide(browser, do, **given):
    page = browser.get("/reconcile")
    form = next(form for form in page.forms if form.action.startswith("/reconcile/"))
    return browser.send(form, [*form.filled(**given), ("do", do)])


def test_theirs_is_adopted_by_a_person_once(sender, world, browser):
    ticket = a_difference(sender, world)
    assert "状态不同" in browser.get("/reconcile").text
    assert decide(browser, "adopt").status == 403
    login(world, browser)
    form = next(form for form in browser.get("/reconcile").forms if form.action.startswith("/reconcile/"))
    assert browser.send(form, [*form.values, ("do", "adopt")]).status == 303
    assert browser.send(form, [*form.values, ("do", "adopt")]).status == 409
    assert world.ticket(ticket.number).state == "awaiting_buyer_return"
    assert "没有要决定的" in browser.get("/reconcile").text
    assert browser.get(f"/t/{ticket.number}").status == 200


def test_ours_is_kept_with_a_reason(sender, world, browser):
    ticket = a_difference(sender, world)
    login(world, browser)
    assert "请写明为什么" in decide(browser, "keep").text
    assert decide(browser, "keep", reason="平台慢").status == 303
    assert "没有要决定的" in browser.get("/reconcile").text
    assert world.events(ticket.number)[-1].kind == "note"


def test_somebody_is_asked(sender, world, browser):
    ticket = a_difference(sender, world)
    login(world, browser)
    assert decide(browser, "ask", reason="平台同意了吗？", agent="main:zhou").status == 303
    assert world.ticket(ticket.number).owner == "main:zhou"
    assert "状态不同" in browser.get("/reconcile").text
    assert decide(browser, "ask", reason="x", agent="nobody").status == 422
    assert browser.post("/reconcile/1", [("do", "burn"), ("key", "0" * 16)]).status == 400
    assert browser.post("/reconcile/99999", [("do", "keep"), ("key", "0" * 16)]).status == 404


def test_a_difference_that_holds_no_more_is_gone(sender, world, browser):
    ticket = a_difference(sender, world)
    world.do(ticket, "approve_return")
    assert said.inbox(world.engine) != []
    assert "没有要决定的" in browser.get("/reconcile").text


@pytest.mark.parametrize("path", ["/feeds", "/reconcile", "message"])
def test_the_pages_are_there_in_english(sender, world, browser, path):
    a_difference(sender, world)
    sender.send(ks(world, 999), "m2")
    sender.work()
    browser.client.cookies.set("language", "en")
    page = browser.get(f"/feeds/messages/{sender.kept()[0].id}" if path == "message" else path)
    assert page.status == 200
    assert untranslated(page.html) == []


def test_every_platform_has_a_name_in_english():
    assert all(knows(one.title) for one in PLATFORMS.values())
