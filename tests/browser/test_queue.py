"""The queue in a real browser: by keyboard alone, many rows at once, rows that change while they are looked at."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import accessible


@pytest.fixture
def tickets(site):
    """Three exchanges, the first due first; a refund; a parcel without a clock."""
    found = [site.world.open(ago=40 - hours) for hours in range(3)]
    return [*found, site.world.open("refund", "wechat", ago=1), site.world.open("lost_parcel")]


def states(site, tickets):
    return [site.world.ticket(ticket.number).state for ticket in tickets]


def test_by_keyboard_alone(site, page, tickets):
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    expect(page.locator("tr.r.on")).to_have_attribute("data-id", str(tickets[1].id))
    page.keyboard.press("x")
    expect(page.locator("tr.r.on input")).to_be_checked()
    expect(page.locator("[data-picked]")).to_have_text("已选 1 张")
    page.keyboard.press("x")
    expect(page.locator("[data-bulk]")).to_be_hidden()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/t/{tickets[1].number}*")


def test_a_range_of_rows(site, page, tickets):
    page.goto("/")
    boxes = page.locator("tr.r input[type=checkbox]")
    boxes.nth(0).click()
    boxes.nth(3).click(modifiers=["Shift"])
    expect(page.locator("[data-picked]")).to_have_text("已选 4 张")
    page.get_by_label("选中本页全部").check()
    expect(page.locator("[data-picked]")).to_have_text("已选 5 张")
    page.get_by_role("button", name="取消选择").click()
    expect(page.locator("[data-bulk]")).to_be_hidden()


def test_many_are_approved_after_a_preview(site, page, tickets):
    page.goto("/")
    for n in range(4):
        page.locator("tr.r input[type=checkbox]").nth(n).check()
    site.world.do(tickets[2], "modify", "buyer", note="改 43 码")
    page.get_by_label("要做的步骤").select_option("exchange.approve")
    expect(page.locator(".pre .ok")).to_have_text("2 张可执行")
    expect(page.locator(".pre")).to_contain_text("1 张刚被他人修改")
    accessible(page)
    page.get_by_role("button", name="同意换货：这 2 张").click()
    expect(page.locator("[data-said]")).to_have_text("2 张做成，2 张没有")
    assert states(site, tickets[:3]) == ["awaiting_buyer_return"] * 2 + ["pending_merchant_review"]
    row = page.locator(f'tr.r[data-id="{tickets[0].id}"]')
    expect(row).to_contain_text("待买家寄回")
    expect(row.locator("input")).not_to_be_checked()
    expect(page.locator(f'tr.r[data-id="{tickets[2].id}"] input')).to_be_checked()


def test_a_ticket_is_given_to_somebody(site, page, tickets):
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.get_by_label("交给谁").fill("青禾:陈晓")
    page.keyboard.press("Enter")
    expect(page.locator("tr.r.on .c-w")).to_contain_text("青禾:陈晓")
    assert site.world.ticket(tickets[0].number).owner == "青禾:陈晓"


def test_rows_change_where_they_stand(site, page, tickets):
    """As the colleague's stream of changes would have it: a list of what changed, and what is new."""
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => {"
        " window.desk.live = { on: (what, told) => { if (what === 'tickets') window.told = told; } };"
        " }, { capture: true, once: true });"
    )
    page.goto("/?state=exchange.pending_merchant_review")
    page.keyboard.press("j")
    page.keyboard.press("j")
    site.world.do(tickets[1], "approve")
    new = site.world.open(ago=2)
    page.evaluate("ids => window.told(ids.map(id => ({ id, version: 99 })))", [tickets[1].id, new.id])
    row = page.locator("tr.r").nth(1)
    expect(row).to_have_class(re.compile(r"\bgone\b"))
    expect(row).to_contain_text("已不符合这个筛选")
    expect(row.locator("a[data-open]")).to_be_focused()
    expect(page.locator("tr.r")).to_have_count(3)
    page.get_by_role("link", name="有 1 张新工单，点按载入").click()
    expect(page.locator(f'tr.r[data-id="{new.id}"]')).to_be_visible()


def test_the_palette_goes_and_does(site, page, tickets):
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="去哪里、做什么")
    expect(page.get_by_role("option").first).to_contain_text("同意换货")
    box.fill("已逾期")
    expect(page.get_by_role("option").first).to_contain_text("已逾期")
    accessible(page)
    page.keyboard.press("Enter")
    page.wait_for_url("**/?mark=late")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="去哪里、做什么").fill(tickets[0].number)
    expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/t/{tickets[0].number}*")


def test_the_palette_finds_tickets_by_what_is_in_them(site, page, tickets):
    page.goto("/")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="去哪里、做什么").fill("梅子酱")
    page.get_by_role("option").filter(has_text=tickets[0].number).click()
    page.wait_for_url(f"**/t/{tickets[0].number}")


def test_the_palette_sets_the_theme(site, page):
    page.goto("/")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="去哪里、做什么").fill("深色")
    page.get_by_role("option", name="深浅色 深色").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


@pytest.mark.parametrize("width", [320, 1280])
def test_accessible_at_every_width(site, window, page, tickets, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/")
    accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("details.menu").first.locator("summary").click()
    accessible(page)
    page.keyboard.press("Escape")
    expect(page.locator("details.menu[open]")).to_have_count(0)
    page.goto("/?workflow=repair&policy=wechat")
    accessible(page)
    page.goto("/views?query=mark%3Dlate")
    accessible(page)


def test_without_javascript_many_are_approved(site, chromium, tickets):
    context = chromium.new_context(base_url=site.address, java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    page.goto("/")
    for n in range(3):
        page.locator("tr.r input[type=checkbox]").nth(n).check()
    page.get_by_label("要做的步骤").select_option("exchange.approve")
    page.get_by_role("button", name="看能做几张").click()
    page.get_by_role("button", name="同意换货：这 3 张").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("3 张做成")
    assert states(site, tickets[:3]) == ["awaiting_buyer_return"] * 3
    context.close()
