"""The main journeys of an agent's day, each whole: from the first click to the ticket that has moved.

What else belongs to them stands with its page: bulk approval, also without JavaScript, in test_queue.py; the conflict
of two agents, drafts and single steps by keyboard in test_ticket.py; opening by keyboard alone in test_new.py.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from aftersales import clock
from aftersales.desk import Desk
from aftersales.office import evidence
from aftersales.scheduler import Scheduler
from tests.browser.conftest import served, watched
from tests.conftest import fresh_database
from tests.files import png
from tests.web.conftest import made_world
from web import live

#: the merchant has so many hours to answer an exchange
ANSWER_WITHIN = 48
#: how long before its end, in hours, the ticket of a journey is met: 4 seconds
ALMOST_OVER = 4 / 3600


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(live, "EVERY_SECONDS", 0.05)


@pytest.fixture(autouse=True)
def own_folder(site, tmp_path):
    site.world.settings.evidence_dir = tmp_path / "evidence"


@pytest.fixture
def running():
    """A desk whose scheduler is at work in the same process."""
    world = made_world(fresh_database("sqlite"))
    world.now = clock.now()
    scheduler = Scheduler(world.desk, poll_seconds=1)
    world.desk = Desk(world.engine, lambda: world.rules, scheduler.wake)
    with served(world, scheduler) as site:
        yield site


def open_an_exchange(page: Page, order_no: str) -> str:
    """By the form, as a buyer's request that came by telephone; its number."""
    page.goto("/")
    page.get_by_role("link", name="新建工单").first.click()
    page.get_by_role("main").get_by_role("link", name=re.compile("^换货")).click()
    page.get_by_label("订单号").fill(order_no)
    page.get_by_label("平台规则").select_option("kuaishou")
    page.get_by_label("商品", exact=True).fill("马丁靴 棕 42 码")
    page.get_by_label("买家", exact=True).first.fill("梅子酱")
    page.get_by_label("实付金额").fill("329")
    page.get_by_label("换货原因").select_option("size")
    page.get_by_role("button", name="开单").click()
    expect(page.get_by_role("status").filter(has_text="已办：申请换货")).to_be_visible()
    expect(page.locator(".state")).to_have_text("待商家审核")
    return page.locator("[data-number]").inner_text()


def test_a_ticket_is_opened_and_rejected_with_evidence_and_contact(site, page):
    number = open_an_exchange(page, "2610020001")
    page.get_by_role("link", name="驳回").click()
    page.get_by_label("拒绝理由").select_option("20")
    page.locator("input[type=file][name='_file:0']").set_input_files(picture("鞋底.png"))
    expect(page.locator("#wants li").first).to_have_class("yes")
    page.get_by_role("link", name="记一次沟通").click()
    page.get_by_label("说了什么").fill("已说明鞋底有磨损，买家同意不换")
    expect(page.locator("#lack")).to_contain_text("不缺什么了")
    page.get_by_role("button", name="驳回", exact=True).click()
    expect(page.locator(".note.ok")).to_contain_text("已办：驳回")
    expect(page.locator(".state")).to_have_text("商家已驳回，待买家处理")
    expect(page.locator(".story")).to_contain_text("已说明鞋底有磨损，买家同意不换")
    expect(page.locator(".story a.th img")).to_have_count(1)
    assert kept(site, number) == ["鞋底.png"]


def test_the_same_without_javascript(site, chromium):
    with watched(chromium, site.address, java_script_enabled=False) as window:
        page = window.new_page()
        number = open_an_exchange(page, "2610020002")
        page.get_by_role("link", name="驳回").click()
        page.get_by_label("拒绝理由").select_option("20")
        page.locator("input[type=file][name='_file:0']").set_input_files(picture("鞋底.png"))
        page.get_by_role("button", name="上传", exact=True).first.click()
        expect(page.locator("#wants li").first).to_have_class("yes")
        page.get_by_label("拒绝理由").select_option("20")
        page.locator("#along-contact summary").click()
        page.get_by_label("说了什么").fill("已说明鞋底有磨损，买家同意不换")
        page.get_by_role("button", name="驳回", exact=True).click()
        expect(page.locator(".note.ok")).to_contain_text("已办：驳回")
        expect(page.locator(".state")).to_have_text("商家已驳回，待买家处理")
        expect(page.locator(".story")).to_contain_text("已说明鞋底有磨损，买家同意不换")
        assert kept(site, number) == ["鞋底.png"]


def test_the_clock_moves_a_ticket_before_the_eyes_of_those_who_look_at_it(running, chromium):
    """Nobody answered for 48 hours: the row in the queue and the page of the ticket change by themselves."""
    with watched(chromium, running.address) as window:
        queue, beside = window.new_page(), window.new_page()
        queue.goto("/")
        beside.goto("/")
        running.world.now = clock.now()
        ticket = running.world.open(ago=ANSWER_WITHIN - ALMOST_OVER)
        queue.reload()
        beside.goto(f"/t/{ticket.number}")
        row = queue.locator(f'tr.r[data-id="{ticket.id}"]')
        expect(row).to_contain_text("待商家审核")
        expect(beside.locator(".state")).to_have_text("待商家审核")
        for page in (queue, beside):
            page.evaluate("window.sameDocument = true")
        expect(row).to_contain_text("待买家寄回")
        expect(row).to_contain_text("买家寄回原商品")
        expect(beside.get_by_role("main")).to_contain_text("逾期未处理，视为同意换货")
        assert all(page.evaluate("window.sameDocument") for page in (queue, beside))
        beside.reload()
        expect(beside.locator(".state")).to_have_text("待买家寄回")
        expect(beside.locator(".story")).to_contain_text("KS-EX-01")


def test_by_keyboard_alone_from_the_queue_to_a_ticket_that_is_done_and_back(site, page):
    first, second = (site.world.open(ago=hours) for hours in (40, 30))
    page.goto("/")
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url(f"**/t/{first.number}*")
    page.keyboard.press("1")
    expect(page.get_by_label("退货地址")).to_be_focused()
    page.keyboard.type("杭州市余杭区仓前街道 8 号仓")
    page.keyboard.press("Enter")
    expect(page.locator(".note.ok")).to_contain_text("已办：同意换货")
    expect(page.locator(".state")).to_have_text("待买家寄回")
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_url("**/")
    expect(page.locator("tr.r").first).to_have_attribute("data-id", str(second.id))
    expect(page.locator(f'tr.r[data-id="{first.id}"]')).to_contain_text("待买家寄回")


def picture(name: str) -> dict[str, object]:
    return {"name": name, "mimeType": "image/png", "buffer": png()}


def kept(site, number: str) -> list[str]:
    """The files of a ticket."""
    return [one.name for one in evidence.of_ticket(site.world.engine, site.world.ticket(number).id)]
