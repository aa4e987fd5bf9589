"""Evidence and replies in a real browser: uploaded with a preview, looked at by keyboard, inserted, listened to."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from aftersales.office import evidence
from tests.browser.conftest import accessible
from tests.files import BAD, PDF, png


@pytest.fixture(autouse=True)
def own_folder(site, tmp_path):
    site.world.settings.evidence_dir = tmp_path / "evidence"


def file(name, content):
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def test_pictures_are_uploaded_with_a_preview_and_looked_at_with_the_keyboard(site, page):
    ticket = site.world.open()
    page.goto(f"/t/{ticket.number}")
    page.keyboard.press("e")
    card = page.locator("section:has(#evidence-h)")
    card.locator("input[type=file]").set_input_files([file("一.png", png(40, 30, 1)), file("二.png", png(40, 30, 2))])
    card.get_by_role("button", name="上传", exact=True).click()
    expect(card.locator("a.th img")).to_have_count(2)
    expect(page.locator(".story a.th img")).to_have_count(2)
    page.locator(".story a.th").first.focus()
    page.keyboard.press("Enter")
    light = page.locator("#light")
    expect(light.locator("[data-title]")).to_have_text("一.png")
    expect(light.locator("[data-place]")).to_have_text("1 / 2")
    page.keyboard.press("ArrowRight")
    expect(light.locator("[data-title]")).to_have_text("二.png")
    page.keyboard.press("ArrowRight")
    expect(light.locator("[data-title]")).to_have_text("一.png")
    accessible(page)
    page.keyboard.press("Escape")
    expect(light).not_to_be_visible()
    expect(page.locator(".story a.th").first).to_be_focused()
    accessible(page)


def test_a_bad_file_is_told_where_it_was_chosen(site, page):
    ticket = site.world.open()
    page.goto(f"/t/{ticket.number}/evidence")
    page.locator("input[type=file]").set_input_files([file("坏.svg", BAD["svg"])])
    page.get_by_role("button", name="上传", exact=True).click()
    expect(page.locator(".said .late")).to_contain_text("「坏.svg」不是能收的文件")
    accessible(page)


def test_a_file_is_dropped_onto_the_page(site, page):
    ticket = site.world.open()
    page.goto(f"/t/{ticket.number}/evidence")
    dropped = page.evaluate_handle(
        "text => { const all = new DataTransfer(); all.items.add(new File([text], '说明.pdf')); return all; }",
        PDF.decode(),
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": dropped})
    expect(page.locator("a.th-pdf")).to_have_count(1)


def test_a_step_takes_its_evidence_in_its_place_and_keeps_what_was_typed(site, page):
    ticket = site.world.open()
    page.goto(f"/t/{ticket.number}/reject")
    page.locator("#f-reason_code").select_option("20")
    expect(page.locator("#lack")).to_contain_text("还缺 2 样")
    page.locator("input[type=file][name='_file:0']").set_input_files([file("鞋底.png", png())])
    expect(page.locator("#wants li").first).to_have_class("yes")
    expect(page.locator("#lack")).to_contain_text("还缺 1 样")
    expect(page.locator("#f-reason_code")).to_have_value("20")
    assert len(evidence.of_ticket(site.world.engine, ticket.id)) == 1
    accessible(page)


def test_a_reply_is_inserted_where_the_cursor_was_and_two_colons_open_the_list(site, page):
    ticket = site.world.open()
    page.goto(f"/t/{ticket.number}/record_contact")
    field = page.locator("#f-summary")
    field.fill("前：")
    page.get_by_role("button", name="插入").nth(1).click()
    expect(field).to_have_value(re.compile("^前：梅子酱您好"))
    field.fill("")
    field.press_sequentially("再说::")
    expect(page.locator("#pick")).to_be_visible()
    accessible(page)
    page.locator("#pick input").fill("感谢")
    page.keyboard.press("Enter")
    expect(field).to_have_value(re.compile("^再说感谢您的配合"))
    field.fill("加我微信")
    expect(page.locator(".heard mark")).to_have_text("微信")
    field.fill("您好")
    expect(page.locator(".heard")).to_have_text("没有发现违禁词。")


@pytest.mark.parametrize("path", ["/t/{}/machine", "/replies?text=加微信", "/replies/new", "/replies/rules/new"])
def test_the_pages_owe_nothing_to_people_who_cannot_see_well(site, page, path):
    page.goto(path.format(site.world.inspecting().number))
    accessible(page)
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
