"""The shift board in a real browser: handing over from one account to another, keys alone, refreshing in place."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from aftersales.office import accounts, duty
from tests.browser.conftest import accessible
from web import recent


@pytest.fixture(autouse=True)
def counted_anew(monkeypatch):
    monkeypatch.setattr(recent, "CHEAP", 60.0)


@pytest.fixture
def people(site):
    """陈晓 is on duty for another hour; then 李雯 is."""
    world = site.world
    chen, li = (
        accounts.add(world.engine, f"店:{login}", name, world.now) for login, name in (("chen", "陈晓"), ("li", "李雯"))
    )
    hour = timedelta(hours=1)
    duty.except_(world.engine, chen.id, world.now - hour, world.now + hour, works=True)
    duty.except_(world.engine, chen.id, world.now + 20 * hour, world.now + 28 * hour, works=True)
    duty.except_(world.engine, li.id, world.now + hour, world.now + 9 * hour, works=True)
    return chen, li


def sign_in(page, account):
    page.goto("/me")
    page.locator(f'button[value="{account.login}"]').click()
    page.wait_for_url("**/")


def filled(world, chen):
    """Something in each part of the board."""
    night = world.open(ago=40)
    world.do(night, "assign", agent=chen.login)
    world.do(world.open(ago=47.5), "assign", agent=chen.login)
    world.open("refund", "wechat", ago=33, kind="unshipped", paid_fen=12_888_800)
    world.inspecting()
    return night


def test_handing_over_from_one_account_to_another_by_keys_alone(site, page, people):
    chen, li = people
    night = filled(site.world, chen)
    sign_in(page, chen)
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/shift")
    accessible(page)
    note = page.get_by_label("您要交代的")
    note.focus()
    page.keyboard.type("43 码只剩 2 双，同意后马上锁")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="交班", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("1 张工单换了负责人")
    assert site.world.ticket(night.number).owner == li.login

    sign_in(page, li)
    page.goto("/shift")
    expect(page.locator(".nav-main .tg")).to_contain_text("1")
    expect(page.get_by_text("43 码只剩 2 双")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="看过了，确认接班").click()
    expect(page.locator(".nav-main .tg")).to_have_count(0)


def test_the_board_keeps_itself_up_to_date_and_leaves_what_is_typed(site, page, people):
    chen, _ = people
    sign_in(page, chen)
    page.goto("/shift")
    page.get_by_label("您要交代的").fill("写到一半")
    page.locator("#strip .scroll").focus()
    site.world.open(ago=10)
    page.evaluate("() => window.desk.refresh()")
    expect(page.locator("#turns")).to_contain_text("等商家1")
    expect(page.locator("#strip .scroll")).to_be_focused()
    expect(page.get_by_label("您要交代的")).to_have_value("写到一半")


def test_an_hour_opens_its_tickets(site, page):
    ticket = site.world.open(ago=40)
    page.goto("/shift")
    page.locator(".strip a.hour").first.click()
    assert "due_to=" in page.url
    expect(page.get_by_text(ticket.number).first).to_be_visible()


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_nothing_runs_over(site, window, people, width):
    filled(site.world, people[0])
    page = window.new_page()
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, people[0])
    for path in ("/shift", "/automation"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        accessible(page)


def test_automation_in_both_themes_and_languages(site, page):
    site.world.open(ago=49)
    site.world.desk.sweep(site.world.now)
    site.world.open(ago=49)
    page.goto("/automation")
    accessible(page)
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Automation")
    accessible(page)
