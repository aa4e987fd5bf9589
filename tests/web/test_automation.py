"""The page of the clock, and what every page says when it has stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersales import database, store
from tests.web.languages import untranslated
from web import recent


@pytest.fixture(autouse=True)
def counted_anew(monkeypatch):
    monkeypatch.setattr(recent, "CHEAP", 60.0)


def beat(world, age=0.0, name="one", note=""):
    with database.writing(world.engine) as connection:
        at = world.now - timedelta(seconds=age)
        store.beat(connection, name, started_at=at - timedelta(hours=1), at=at, fired=3, note=note)


def test_before_anything_ran(world, browser):
    page = browser.get("/automation")
    assert page.status == 200
    for said in ("没有在跑", "还没有跑过", "没有积压", "系统还没有做过什么。", "没有等着到期的工单。", "还没有启动过"):
        assert said in page.text


def test_at_work(world, browser):
    beat(world, 3)
    world.open(ago=48)
    world.desk.sweep(world.now + timedelta(seconds=1))
    world.open(ago=47)
    page = browser.get("/automation")
    for said in ("正常", "3 秒前跑过一轮", "逾期未处理，视为同意换货", "KS-EX-01", "在跑", "做了 3 步", "到期提醒"):
        assert said in page.text
    assert "没有消息了" not in page.text


def test_every_page_says_that_it_stopped_and_how_much_waits(world, browser):
    world.open(ago=49)
    world.open(ago=50)
    beat(world, 300)
    for path in ("/automation", "/shift", "/me"):
        page = browser.get(path)
        assert "自动执行停了 5 分" in page.text
        assert "到期的 2 张还没有执行；" in page.text
    assert "没有消息了" in browser.get("/automation").text


def test_a_process_that_was_ended_is_no_failure(world, browser):
    beat(world, 300, "昨天的", "stopped")
    beat(world, 1, "现在的")
    page = browser.get("/automation")
    assert "正常关闭" in page.text
    assert "没有消息了" not in page.text
    assert "没有在跑" not in page.text


def test_all_ended_is_said_as_such(world, browser):
    beat(world, 300, note="stopped")
    assert "自动执行已关闭 5 分" in browser.get("/me").text


def test_old_processes_are_forgotten(world, browser):
    beat(world, 3 * 24 * 3600, "vm:old")
    beat(world, 1, "vm:new")
    page = browser.get("/automation")
    assert "vm:new" in page.text
    assert "vm:old" not in page.text


def test_what_was_set_aside_and_what_failed(world, browser):
    ticket = world.open(ago=50)
    with database.writing(world.engine) as connection:
        store.set_aside(connection, ticket.id, "ValueError: <b>规则写错了", world.now + timedelta(hours=1))
    refund = world.open("refund", "wechat", kind="unshipped")
    world.do(refund, "approve_refund")
    world.do(refund, "payment_failed", "system")
    page = browser.get("/automation")
    for said in ("处理出错，先放在一边的", "ValueError: <b>规则写错了", "10-02 15:32", "失败，等人处理：1 笔 ¥329.00"):
        assert said in page.text


def test_in_english(world, browser):
    beat(world, 300)
    world.open(ago=48)
    world.desk.sweep(world.now + timedelta(seconds=1))
    world.place("refund", "refund_failed")
    world.open(ago=47)
    browser.client.cookies.set("language", "en")
    assert untranslated(browser.get("/automation").html) == []


def test_addresses_go_by_id_where_shops_share_numbers(world, browser):
    first, _ = world.open(ago=40, shop="甲店"), world.open(ago=40, shop="乙店")
    assert f"/t/{first.id}" in browser.get("/automation").links
