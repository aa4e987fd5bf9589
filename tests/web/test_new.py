"""The page that opens a ticket: the order looked up, what could refuse it and what it starts, before it is sent."""

import logging
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from aftersales.errors import Refused
from tests.web.conftest import Browser, made_world
from tests.web.languages import untranslated
from web.app import create_app

GOOD = {"order_no": "订单0001", "policy": "kuaishou", "paid_fen": "329.00", "reason": "size"}


def looked(browser, path="/new/exchange", **given):
    """The whole form as the button 查订单 shows it."""
    form = browser.get(path).form
    return browser.post(form.action, [*form.filled(**given), ("_look", "1")])


def in_english(browser):
    browser.client.cookies.set("language", "en")
    return browser


# ── choosing the type ──


def test_every_type_says_what_it_is_for(world, browser):
    page = browser.get("/new")
    assert "退款 1" not in page.text
    for table in world.rules.catalog.workflows.values():
        assert f"/new/{table.key}" in page.links
        assert table.__doc__ in page.text


def test_what_the_address_brings_along_goes_on_to_the_form(world, browser):
    ticket = world.open()
    page = browser.get(f"/new?order={ticket.order_no}")
    [link] = [link for link in page.links if link.startswith("/new/exchange?")]
    form = browser.get(link).form
    assert form.get("order_no") == ticket.order_no
    assert form.get("buyer") == "梅子酱"
    assert form.filled(sku_exchangeable=form.get("sku_exchangeable")).count(("sku_exchangeable", "true")) == 1


# ── the order ──


def test_the_order_s_tickets_are_listed_and_what_they_know_is_filled_in(world, browser):
    ticket = world.do(world.open(policy="wechat"), "cancel", "buyer")
    page = looked(browser, order_no=ticket.order_no)
    assert page.status == 200
    assert f"/t/{ticket.number}" in page.links
    assert "买家撤销" in page.text
    given = {name: page.form.get(name) for name in ("item_no", "buyer", "paid_fen", "policy", "prior_attempts")}
    assert given == {
        "item_no": "马丁靴", "buyer": "梅子酱", "paid_fen": "329.00", "policy": "wechat", "prior_attempts": "1",
    }  # fmt: skip


def test_nothing_that_was_typed_is_filled_over(world, browser):
    ticket = world.open()
    page = looked(browser, order_no=ticket.order_no, buyer="别人", paid_fen="1.00", policy="taobao")
    assert [page.form.get(name) for name in ("buyer", "paid_fen", "policy")] == ["别人", "1.00", "taobao"]


def test_the_platform_that_was_put_in_gives_way_to_the_order_s_own(world, browser):
    world.open()
    bought_there = world.open(policy="wechat")
    world.open()
    form = browser.get("/new/exchange").form
    assert form.get("policy") == "kuaishou"  # the shop's last
    page = browser.post(form.action, [*form.filled(order_no=bought_there.order_no), ("_look", "1")])
    assert page.form.get("policy") == "wechat"


def test_tickets_of_the_same_buyer_are_listed_apart(world, browser):
    mine, other = world.open(), world.open()
    page = looked(browser, order_no=mine.order_no)
    assert "这位买家的其他工单" in page.text
    assert f"/t/{other.number}" in page.links


def test_an_order_tells_its_shop(world, browser):
    world.open(shop="甲店")
    ticket = world.open("refund", "wechat", shop="乙店")
    page = looked(browser, "/new/refund", order_no=ticket.order_no)
    assert page.form.get("shop") == "乙店"
    assert page.form.get("policy") == "wechat"
    assert "甲店" in page.form.choices["shop"]


def test_a_shop_that_is_not_there_is_pointed_out(world, browser):
    world.open()
    assert "「新的店」是新店铺" in looked(browser, shop="新的店", order_no="1").text


# ── what could refuse it ──


def test_an_open_ticket_on_the_item_is_named_before_anything_is_sent(world, browser):
    ticket = world.open()
    page = looked(browser, order_no=ticket.order_no)
    assert f"不通过：这个商品已有进行中的售后单 {ticket.number}，请在那一张上处理" in page.text


def test_a_window_says_until_when_by_which_clause(world, browser):
    received = world.now - timedelta(days=6)
    given = {**GOOD, "policy": "wechat", "receipt_confirmed_at": f"{received:%Y-%m-%dT%H:%M:%S}"}
    assert "通过：确认收货后申请售后：到 2026-10-03 06:32:00 为止 WX-07" in looked(browser, **given).text
    world.now += timedelta(days=2)
    page = looked(browser, **given)
    assert "不通过：确认收货后申请售后的期限 2026-10-03 06:32:00 已过（WX-07），不能再办理 WX-07" in page.text
    assert "现在提交会被退回" in page.text


def test_what_is_not_known_says_what_would_tell(world, browser):
    page = looked(browser, **{**GOOD, "policy": "wechat"})
    assert "还不知道：确认收货后申请售后：限7天 填了这些才知道：买家确认收货时间 WX-07" in page.text
    assert "申请次数：最多 5 次，已用 0 次 WX-05" in page.text


def test_money_that_earlier_tickets_refunded_counts(world, browser):
    order = world.open("refund", "kuaishou_local", kind="voucher", voucher_total=1).order_no
    page = looked(browser, order_no=order, item_no="马丁靴", paid_fen="329.00", policy="kuaishou")
    assert "还能退 ¥0.00：实付 ¥329.00，已退 ¥329.00" in page.text


def test_what_happens_next_is_said_with_its_clock(world, browser):
    page = looked(browser, **GOOD)
    then = page.text.split("提交以后")[1]
    assert "待商家审核 等商家 「商家处理换货申请」到 2026-10-04 14:32:00 KS-EX-01" in then
    assert "到期：逾期未处理，视为同意换货" in then


def test_what_is_missing_is_said_until_it_is_filled_in(world, browser):
    assert "还缺：换货原因" in looked(browser, **{**GOOD, "reason": ""}).text


def test_looking_writes_nothing(world, browser):
    looked(browser, **GOOD, shop="新的店")
    assert [link for link in browser.get("/").links if link.startswith("/t/")] == []
    assert browser.client.get("/new/exchange").text.count("新的店") == 0


def test_a_script_is_given_the_parts_alone(world, browser):
    form = browser.get("/new/exchange").form
    values = dict([*form.filled(**GOOD), ("_look", "1")])
    headers = {"Sec-Fetch-Site": "same-origin", "HX-Request": "true"}
    answer = browser.client.post(form.action, data=values, headers=headers)
    assert "<html" not in answer.text
    assert 'id="known"' in answer.text
    assert 'id="verdict"' in answer.text


# ── sending ──


def test_gaps_keep_everything_and_each_is_told_beside_its_field(world, browser):
    form = browser.get("/new/exchange").form
    page = browser.send(form, form.filled(order_no="", policy="", paid_fen="12.345", note="写了很久"))
    assert page.status == 422
    assert "没有提交，有 4 处要改" in page.text
    for name in ("order_no", "policy", "paid_fen", "reason"):
        assert f"#f-{name}" in page.links
        assert ("p", f"e-{name}") in [(tag, attributes.get("id")) for tag, attributes in page.tags]
    assert page.form.get("paid_fen") == "12.345"
    assert page.form.get("note") == "写了很久"
    mended = page.form.filled(**GOOD)
    assert browser.send(page.form, mended).status == 303


def test_a_refusal_of_a_rule_stands_beside_the_field_it_is_about(world, browser):
    form = browser.get("/new/exchange").form
    page = browser.send(form, form.filled(**GOOD, worn="true"))
    assert page.status == 422
    assert "没有提交。 穿过、洗过或影响二次销售的商品不受理换货" in page.text
    assert ("p", "e-worn") in [(tag, attributes.get("id")) for tag, attributes in page.tags]


def test_the_new_ticket_greets_with_what_was_started(world, browser):
    page = browser.do("/new/exchange", **GOOD)
    assert "已办：申请换货" in page.text
    assert "KS-EX-01" in page.text


def test_a_field_that_the_form_does_not_have_is_refused(world, browser):
    form = browser.get("/new/exchange").form
    page = browser.send(form, [*form.filled(**GOOD), ("colour", "red")])
    assert page.status == 422
    assert "这张表单没有这一项" in page.text


@pytest.mark.parametrize("key", ["exchange", "repair", "refund", "lost_parcel", "bad_review"])
def test_in_english_nothing_of_ours_is_left_in_chinese(world, browser, key):
    ticket = world.open(key, "wechat")
    for page in (
        in_english(browser).get("/new"),
        browser.get(f"/new/{key}"),
        looked(browser, f"/new/{key}", order_no=ticket.order_no, policy="kuaishou"),
    ):
        left = [
            text for text in untranslated(page.html) if text not in ("我的店铺", "马丁靴", "梅子酱", ticket.order_no)
        ]
        assert left == []


def test_a_refused_form_in_english(world, browser):
    form = in_english(browser).get("/new/exchange").form
    page = browser.send(form, form.filled(**GOOD | {"paid_fen": "abc", "order_no": "1"}))
    assert "The amount “abc” cannot be read, write it like 1299.00" in page.text
    assert untranslated(page.html) == []


# ── pages of errors ──


@pytest.fixture
def failing(world):
    """A site on which everything goes wrong in the way that is asked for."""
    app = create_app(world.desk, lambda: world.rules, world.settings)

    @app.get("/fails/{status}")
    def fails(status: int):
        from fastapi import HTTPException

        if status == 500:
            raise RuntimeError("ein Fehler")
        if status == 422:
            raise Refused("invalid_field", "要填整数")
        raise HTTPException(status)

    return Browser(TestClient(app, raise_server_exceptions=False))


ERRORS = [400, 403, 404, 405, 409, 413, 418, 422, 429, 500, 503, 507]


@pytest.mark.parametrize("status", ERRORS)
def test_every_error_says_what_happened_and_leads_back_in_both_languages(failing, status):
    page = failing.get(f"/fails/{status}")
    assert page.status == status
    assert "/" in page.links
    assert len([tag for tag, _ in page.tags if tag == "h1"]) == 1
    assert untranslated(in_english(failing).get(f"/fails/{status}").html) == []


@pytest.mark.parametrize("status", [429, 503])
def test_what_passes_says_when_to_try_again(failing, status):
    page = failing.get(f"/fails/{status}")
    assert page.response.headers["retry-after"] == "5"
    assert f"/fails/{status}" in page.links


def test_the_number_of_an_error_stands_in_the_log(failing, caplog):
    with caplog.at_level(logging.ERROR):
        page = failing.get("/fails/500")
    [number] = [word for word in page.text.split() if word.startswith("r-")]
    assert any(number in record.getMessage() for record in caplog.records)


def test_a_number_with_two_digits_changed_about_is_offered(world, browser):
    number = world.open().number  # EX-261002-0001
    page = browser.get("/t/EX-261002-0010")
    assert page.status == 404
    assert "没有 EX-261002-0010 这张工单" in page.text
    assert number in page.text
    [search] = [form for form in page.forms if form.action == "/" and form.get("q")]
    assert search.get("q") == "EX-261002-0010"


def test_errors_are_shown_without_a_database(clock):
    world = clock(made_world("postgresql://nobody@127.0.0.1:1/nothing"))
    browser = Browser(TestClient(create_app(world.desk, lambda: world.rules, world.settings)))
    for path, status in (("/nothing", 404), ("/t/EX-261002-0001", 503)):
        page = browser.get(path)
        assert page.status == status
        assert "回到工单" in page.text
