"""The rules room in a real browser: both themes, phone, keyboard, finding as one types, a draft tried out."""

import pytest
from playwright.sync_api import expect

from aftersales.checking.sources import PACKAGE
from tests.browser.conftest import accessible

PAGES = [
    "/rules/kuaishou",
    "/rules/house",
    "/rules/kuaishou/rule/KS-EX-01",
    "/rules/kuaishou/history",
    "/rules/kuaishou/diff?from=2022-09-29&to=2022-09-30",
    "/rules/check",
    "/rules/assumed",
    "/rules/machines/exchange",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_accessible(site, page, path):
    site.world.inspecting()
    page.goto(path)
    accessible(page)


@pytest.mark.parametrize("path", ["/rules/kuaishou", "/rules/check?name=kuaishou", "/rules/kuaishou/diff",
                                  "/rules/machines/refund"])  # fmt: skip
def test_a_phone_shows_everything_without_scrolling_sideways(site, page, path):
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    accessible(page)


def test_a_link_to_a_rule_leads_to_its_row(site, page):
    page.goto("/rules/find/KS-RP-08")
    expect(page.locator("#KS-RP-08")).to_be_in_viewport()
    assert page.url.endswith("/rules/kuaishou#KS-RP-08")


def test_finding_as_one_types(site, page):
    page.goto("/rules/kuaishou")
    page.get_by_label("编号或文字").fill("拆包验货")
    expect(page.locator("tr.r:visible")).to_have_count(1)
    expect(page.locator("#KS-EX-03")).to_be_visible()
    page.get_by_label("编号或文字").fill("没有这样的字")
    expect(page.get_by_text("没有符合的规则。")).to_be_visible()
    page.get_by_label("编号或文字").fill("")
    page.get_by_label("工单类型").select_option("repair")
    expect(page.locator("#KS-EX-03")).to_be_hidden()
    expect(page.locator("#KS-RP-08")).to_be_visible()


def test_a_draft_by_keyboard(site, page):
    page.goto("/rules/check?name=kuaishou#draft")
    draft = page.get_by_label("或把规则文件的内容贴在这里")
    text = (PACKAGE / "policies" / "kuaishou.py").read_text(encoding="utf-8")
    expect(draft).to_have_value(text)
    draft.fill(text.replace("hours(48)", "hours(72)"))
    draft.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("可以启用")).to_be_visible()
    expect(page.locator("#answer ins").first).to_have_text("72 小时")
    accessible(page)
