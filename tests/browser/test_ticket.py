"""The page of a ticket in a real browser: its journeys, with and without JavaScript, by keyboard alone."""

from contextlib import contextmanager

from playwright.sync_api import expect

from tests.browser.conftest import accessible


@contextmanager
def another_window(chromium, site, **choices):
    context = chromium.new_context(base_url=site.address, viewport={"width": 1280, "height": 900}, **choices)
    try:
        yield context.new_page()
    finally:
        context.close()


def test_the_page_the_form_and_a_refusal_are_accessible(site, page):
    number = site.world.open(ago=20).number
    page.goto(f"/t/{number}/reject?as=agent")
    accessible(page)
    page.get_by_role("button", name="驳回", exact=True).click()
    expect(page.locator("#refusal")).to_contain_text("没有办成")
    expect(page.locator("#f-reason_code")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#f-reason_code")).to_have_attribute("aria-describedby", "e-reason_code")
    accessible(page)


def test_a_phone_shows_the_list_instead_of_the_line_and_nothing_runs_out_of_it(site, chromium):
    number = site.world.open(ago=20, note="字" * 400).number
    with another_window(chromium, site) as page:
        for width in (320, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(f"/t/{number}/reject?as=agent")
            expect(page.locator("svg.tl").first).to_be_hidden()
            expect(page.locator(".tl-m").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        accessible(page)


def test_a_rejection_with_contact_and_evidence_says_what_is_missing_while_it_is_written(site, page):
    number = site.world.open().number
    page.goto(f"/t/{number}")
    page.get_by_role("link", name="驳回").click()
    lack = page.locator("#lack")
    expect(lack).to_contain_text("还缺 3 样")
    page.get_by_label("拒绝理由").select_option("20")
    expect(lack).to_contain_text("还缺 2 样")
    page.get_by_role("link", name="记一次沟通").click()
    page.get_by_label("说了什么").fill("已说明鞋底有磨损")
    expect(lack).to_contain_text("还缺 1 样")
    page.locator("#along-evidence summary").click()
    page.get_by_label("照片", exact=True).check()
    expect(lack).to_contain_text("不缺什么了")
    page.get_by_role("button", name="驳回", exact=True).click()
    expect(page.locator(".note.ok")).to_contain_text("已办：驳回")
    expect(page.locator(".state")).to_have_text("商家已驳回，待买家处理")


def test_a_draft_is_kept_and_gone_once_it_is_taken(site, page):
    number = site.world.open().number
    page.goto(f"/t/{number}/note")
    page.get_by_label("内容").fill("库房说还有 2 双")
    page.goto(f"/t/{number}")
    page.goto(f"/t/{number}/note")
    expect(page.get_by_label("内容")).to_have_value("库房说还有 2 双")
    expect(page.locator("[data-draft-said]")).to_have_text("已恢复您上次没提交的内容")
    page.get_by_role("button", name="备注").click()
    expect(page.locator(".note.ok")).to_contain_text("已办：备注")
    page.goto(f"/t/{number}/note")
    expect(page.get_by_label("内容")).to_have_value("")


def test_of_two_agents_the_second_sees_what_changed_and_loses_nothing(site, page, chromium):
    number = site.world.open().number
    page.goto(f"/t/{number}/convert_to_refund?as=agent")
    page.get_by_label("金额").fill("100")
    with another_window(chromium, site) as other:
        other.goto(f"/t/{number}/approve?as=agent")
        other.get_by_label("退货地址").fill("杭州仓")
        other.get_by_role("button", name="同意换货").click()
        expect(other.locator(".note.ok")).to_contain_text("已办：同意换货")
    page.locator("#along-evidence summary").click()
    page.get_by_label("平台聊天记录").check()
    page.get_by_role("button", name="转退款", exact=True).click()
    clash = page.locator(".clash")
    expect(clash).to_contain_text("先改了这张工单")
    expect(clash.get_by_role("row", name="状态")).to_contain_text("待买家寄回")
    accessible(page)
    expect(page.get_by_label("金额")).to_have_value("100")
    page.get_by_role("button", name="仍要转退款").click()
    expect(page.locator(".state")).to_have_text("转退款")


def test_a_ticket_by_keyboard_alone(site, page):
    number = site.world.open().number
    page.goto(f"/t/{number}")
    page.keyboard.press("w")
    expect(page.locator("#why-h")).to_be_in_viewport()
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="同意换货")).to_be_visible()
    expect(page.get_by_label("退货地址")).to_be_focused()
    page.keyboard.type("杭州仓")
    page.keyboard.press("Enter")
    expect(page.locator(".state")).to_have_text("待买家寄回")
    page.keyboard.press("n")
    expect(page.get_by_label("内容")).to_be_focused()
    page.keyboard.type("1 w")
    expect(page.get_by_label("内容")).to_have_value("1 w")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".note.ok")).to_contain_text("已办：备注")


def test_everything_works_without_javascript(site, chromium):
    number = site.world.open().number
    with another_window(chromium, site, java_script_enabled=False) as page:
        page.goto(f"/t/{number}")
        page.get_by_role("link", name="驳回").click()
        page.get_by_label("拒绝理由").select_option("20")
        page.get_by_role("button", name="驳回", exact=True).click()
        expect(page.locator("#refusal")).to_contain_text("没有办成")
        expect(page.get_by_label("拒绝理由")).to_have_value("20")
        page.locator("#along-contact summary").click()
        page.get_by_label("说了什么").fill("已说明")
        page.locator("#along-evidence summary").click()
        page.get_by_label("照片", exact=True).check()
        page.get_by_role("button", name="驳回", exact=True).click()
        expect(page.locator(".note.ok")).to_contain_text("已办：驳回")
