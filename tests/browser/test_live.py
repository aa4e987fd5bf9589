"""Two people at once: what one does, the other's page is told; and each sees that the other is there."""

import pytest
from playwright.sync_api import expect

from aftersales import clock, store
from aftersales.database import writing
from aftersales.office import accounts
from web import live

#: what a page heard, kept where a test can ask for it
LISTEN = "window.heard = []; desk.live.on('tickets', said => window.heard.push(...said))"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(live, "EVERY_SECONDS", 0.05)


def somebody(chromium, site, name):
    """A window of somebody who is signed in, before its first page."""
    account = accounts.add(site.world.engine, f"店铺:{name}", name, clock.now())
    context = chromium.new_context(base_url=site.address, locale="zh-CN")
    token = accounts.sign_in(site.world.engine, account, clock.now())
    context.add_cookies([{"name": "session", "value": token, "url": site.address}])
    return context


def heard(page, count):
    page.wait_for_timeout(50)
    for _ in range(100):
        found = page.evaluate("window.heard")
        if len(found) >= count:
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"heard {found}")


def test_what_one_does_the_other_is_told(site, window, page):
    ticket = site.world.open()
    other = window.new_page()
    for one in (page, other):
        one.goto(f"/t/{ticket.number}")
        one.evaluate(LISTEN)
    other.goto(f"/t/{ticket.number}/note")
    other.get_by_label("内容").fill("买家说外箱破损")
    other.locator("#do").get_by_role("button", name="备注").click()
    other.wait_for_url(f"**/t/{ticket.number}?*")
    (told,) = heard(page, 1)
    assert (told["id"], told["version"], told["trigger"]) == (ticket.id, 2, "note")


def test_each_sees_that_the_other_is_there(site, chromium):
    ticket = site.world.open()
    li, chen = somebody(chromium, site, "李雯"), somebody(chromium, site, "陈晓")
    hers, his = li.new_page(), chen.new_page()
    hers.goto(f"/t/{ticket.number}")
    place = hers.locator("[data-presence]")
    expect(place).to_have_text("")
    his.goto(f"/t/{ticket.number}")
    expect(place).to_have_text("陈晓也在看")
    expect(his.locator("[data-presence]")).to_have_text("李雯也在看")
    his.goto(f"/t/{ticket.number}/note")
    expect(place).to_have_text("陈晓正在填「备注」")
    his.goto("/")
    expect(place).to_have_text("")
    expect(his.locator(f"[data-presence-of='{ticket.id}']")).to_have_text("在看")
    li.close()
    expect(his.locator(f"[data-presence-of='{ticket.id}']")).to_have_text("")
    chen.close()


def test_a_lost_line_is_said_and_what_was_missed_is_told_when_it_is_back(site, window, page):
    ticket = site.world.open()
    page.clock.install()
    window.route("**/live?*", lambda asked: asked.fulfill(status=503))
    page.goto("/me")
    page.evaluate(LISTEN)
    state = page.locator("[data-line]")
    expect(state).to_have_text("")
    site.world.do(ticket, "note", text="x")
    page.clock.fast_forward(11_000)
    expect(state).to_have_text("连接断了，正在重连")
    window.unroute("**/live?*")
    page.clock.fast_forward(60_000)
    expect(state).to_have_text("")
    assert [told["id"] for told in heard(page, 1)] == [ticket.id]


def test_the_pulse_follows_the_scheduler(site, page):
    page.goto("/me")
    expect(page.locator(".notice-bar")).to_be_visible()
    with_beat(site)
    expect(page.locator(".pulse")).to_have_text("自动执行正常")
    expect(page.locator(".notice-bar")).to_be_hidden()


def with_beat(site):
    now = clock.now()
    with writing(site.world.engine) as connection:
        store.beat(connection, "test", started_at=now, at=now)
