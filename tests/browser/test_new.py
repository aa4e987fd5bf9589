"""Opening a ticket in a real browser: by keyboard alone, without scripts, and in both themes."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import accessible


def test_a_ticket_is_opened_by_keyboard_alone(site, page):
    earlier = site.world.do(site.world.open(), "cancel", "buyer")
    page.goto("/new")
    page.get_by_role("heading", level=1).focus()
    page.keyboard.press("1")
    page.wait_for_url("**/new/exchange")
    page.locator("#f-order_no").focus()
    page.keyboard.type(earlier.order_no)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=earlier.number)).to_be_visible()
    expect(page.locator("#f-paid_fen")).to_have_value("329.00")
    expect(page.locator("#f-buyer")).to_have_value("梅子酱")
    page.locator("#f-reason").focus()
    for key in (*["ArrowDown"] * 4, "Tab"):
        page.keyboard.press(key)
    expect(page.locator("#f-reason")).to_have_value("size")
    expect(page.locator("#verdict")).to_contain_text("待商家审核")
    page.get_by_role("button", name="开单").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="已办：申请换货")).to_be_visible()


def test_an_open_ticket_on_the_item_stands_there_before_anything_is_sent(site, page):
    there = site.world.open()
    page.goto("/new/exchange")
    page.locator("#f-order_no").fill(there.order_no)
    page.locator("#f-buyer").focus()
    expect(page.locator("#verdict .not_met")).to_contain_text(there.number)


def test_what_is_typed_meanwhile_is_not_filled_over(site, page):
    site.world.open()
    page.goto("/new/exchange")
    page.locator("#f-order_no").fill("订单0001")
    page.locator("#f-buyer").fill("别人")
    page.locator("#f-item_no").focus()
    expect(page.locator("#f-item_no")).to_have_value("马丁靴")
    expect(page.locator("#f-buyer")).to_have_value("别人")


def test_without_scripts_the_order_is_looked_up_by_a_button(chromium, site):
    earlier = site.world.do(site.world.open(), "cancel", "buyer")
    context = chromium.new_context(base_url=site.address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/new/exchange")
    page.get_by_label("订单号").fill(earlier.order_no)
    page.get_by_role("button", name="查订单").click()
    expect(page.get_by_role("link", name=earlier.number)).to_be_visible()
    expect(page.get_by_label("实付金额")).to_have_value("329.00")
    page.get_by_role("button", name="开单").click()
    expect(page.locator("#refusal")).to_contain_text("没有提交，有 1 处要改")
    page.get_by_label("换货原因").select_option("size")
    page.get_by_role("button", name="开单").click()
    expect(page.get_by_role("status").filter(has_text="已办：申请换货")).to_be_visible()
    context.close()


@pytest.mark.parametrize("path", ["/new", "/new/refund?order=订单0001", "/t/EX-990101-0001", "/nothing"])
def test_everybody_can_use_it(site, page, path):
    site.world.open("refund", "wechat")
    page.goto(path)
    accessible(page)


def test_a_form_with_gaps_can_be_used_by_everybody_and_fits_a_phone(site, page):
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto("/new/refund")
    page.get_by_role("button", name="开单").click()
    expect(page.locator("#refusal")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    accessible(page)
