"""Whole stories through plain forms, as a person at a browser without JavaScript lives them, on both databases."""

from datetime import timedelta

import pytest

from tests.web.conftest import made_world


@pytest.fixture
def world(database_url, clock):
    return clock(made_world(database_url))


def opened(browser, workflow, **given):
    page = browser.do(f"/new/{workflow}", **given)
    assert page.status == 200
    return next(word for word in page.text.split() if word[:3] in ("EX-", "RF-", "RP-", "LP-", "BR-"))


def test_an_exchange_from_the_application_to_its_end(world):
    browser = world.browser()
    number = opened(
        browser, "exchange", policy="kuaishou", order_no="2262410325178812", item_no="马丁靴 棕 42", buyer="梅子酱",
        _as="buyer", paid_fen="￥1,299.00", reason="size", ship_to="杭州文一西路 100 号",
    )  # fmt: skip
    assert world.ticket(number).paid_fen == 129900
    page = browser.get(f"/t/{number}")
    assert "待商家审核" in page.text
    assert "剩 48 小时" in page.text

    page = browser.do(f"/t/{number}/approve", return_address="杭州仓")
    assert "待买家寄回" in page.text
    assert "退货地址：杭州仓" in page.text

    world.now += timedelta(hours=1)
    page = browser.do(f"/t/{number}/submit_return_waybill", _as="agent", waybill_no="SF1234567890", courier="顺丰")
    assert "退回途中，待商家收货" in page.text

    world.now += timedelta(days=2)
    page = browser.do(f"/t/{number}/return_signed", occurred_at="2026-10-04T09:30:00")
    assert "2026-10-04 09:30:00" in page.text
    assert "2026-10-11 09:30:00 到期，逾期未验货，升级处理" in page.text

    browser.do(f"/t/{number}/accept_return")
    page = browser.do(f"/t/{number}/reship", waybill_no="SF1234567891")
    assert "换货商品运输中" in page.text
    browser.do(f"/t/{number}/new_item_signed")
    page = browser.do(f"/t/{number}/confirm")
    assert "换货完成" in page.text
    assert "已结束" in page.text
    assert "工单已结束，没有时限" in page.text

    moves = [event for event in world.events(number) if event.kind == "move"]
    assert [(event.trigger, event.actor) for event in moves] == [
        ("apply", "buyer"), ("approve", "agent"), ("submit_return_waybill", "agent"), ("return_signed", "system"),
        ("accept_return", "agent"), ("reship", "agent"), ("new_item_signed", "system"), ("confirm", "buyer"),
    ]  # fmt: skip
    assert f"/t/{number}?in=" not in browser.get("/").links


def test_a_rejection_needs_contact_and_evidence_which_are_recorded_on_the_way(world):
    browser = world.browser()
    number = world.open().number
    rejection = browser.get(f"/t/{number}/reject").form
    assert "与买家沟通" in browser.send(rejection, rejection.filled(reason_code="20")).text
    browser.do(f"/t/{number}/record_contact", channel="im", summary="已说明鞋底有磨损")
    rejection = browser.get(f"/t/{number}/reject").form
    assert "须上传凭证" in browser.send(rejection, rejection.filled(reason_code="20")).text
    page = browser.do(f"/t/{number}/reject", reason_code="20", _evidence=["photo"])
    assert "商家已驳回，待买家处理" in page.text
    assert "拒绝理由：影响二次销售" in page.text
    assert "登记了与买家的沟通沟通方式：平台聊天已说明鞋底有磨损" in page.text


def test_the_clock_acts_and_the_history_says_by_which_rule(world):
    browser = world.browser()
    number = world.open().number
    world.now += timedelta(hours=48, minutes=5)
    world.desk.sweep(world.now)
    page = browser.get(f"/t/{number}").text
    assert "系统 逾期未处理，视为同意换货 → 待买家寄回到期 2026-10-04 14:32:00，系统在到期后 5 分执行" in page
    assert "KS-EX-01 · 2022-09-30 版 14:3214:37 收到" in page
    assert "时限开始 买家寄回原商品，到 10-14 14:32从 10-04 14:32 起算" in page


def test_a_problem_with_the_new_parcel_opens_a_linked_ticket_and_pauses_the_clock(world):
    browser = world.browser()
    ticket = world.open()
    for trigger, actor, facts in (
        ("approve", "agent", {}), ("submit_return_waybill", "buyer", {"waybill_no": "SF00000011"}),
        ("accept_and_reship", "agent", {"waybill_no": "SF00000012"}), ("new_item_signed", "system", {}),
    ):  # fmt: skip
        world.do(ticket, trigger, actor, **facts)
    world.now += timedelta(days=3)
    page = browser.do(f"/t/{ticket.number}/report_reship_problem", _as="buyer", issue="lost")
    assert "已暂停，还剩 7 天" in page.text
    assert "暂停时还剩 7 天" in page.text
    assert "换货包裹" in page.text
    (link,) = {link for link in page.links if link.startswith("/t/") and link.removeprefix("/t/").isdecimal()}
    assert "丢件·物流异常" in browser.get(link).text


def test_plain_actions_leave_the_ticket_where_it_is(world):
    browser = world.browser()
    number = world.open().number
    browser.do(f"/t/{number}/note", _as="agent", text="库房说 43 码还有 2 双")
    browser.do(f"/t/{number}/add_evidence", _as="buyer", kind="photo", note="鞋底")
    browser.do(f"/t/{number}/assign", agent="陈晓")
    page = browser.do(f"/t/{number}/set_platform_deadline", due_at="2026-10-03T09:00")
    assert "库房说 43 码还有 2 双" in page.text
    assert "梅子酱 登记了凭证：照片鞋底" in page.text
    assert "负责人 陈晓" in page.text
    assert "2026-10-03 09:00:00 到期" in page.text
    assert "平台给的期限 · 按规则原为 2026-10-04 14:32:00" in page.text


def test_a_refund_in_yuan_is_stored_in_fen(world):
    browser = world.browser()
    number = opened(
        browser, "refund", policy="wechat", order_no="1", kind="return_refund", paid_fen="329", reason="quality",
        amount_fen="300.5", _as="buyer",
    )  # fmt: skip
    ticket = world.ticket(number)
    assert (ticket.paid_fen, ticket.fields["amount_fen"]) == (32900, 30050)
    page = browser.do(f"/t/{number}/propose", reason="少退 50 元", amount_fen="250.50")
    assert "协商金额¥250.50" in page.text


def test_a_voucher_that_is_refunded_at_once_waits_for_the_payment(world):
    number = opened(
        world.browser(), "refund", policy="kuaishou_local", order_no="1", kind="voucher", paid_fen="100",
        reason="other", voucher_total="3", voucher_count="1", _as="buyer",
    )  # fmt: skip
    assert world.ticket(number).refund_fen == 3333
    assert "退款打款中" in world.browser().get(f"/t/{number}").text


def test_a_box_that_is_ticked_from_the_start_can_be_unticked(world):
    browser = world.browser()
    form = browser.get("/new/exchange").form
    given = {"policy": "kuaishou", "order_no": "1", "paid_fen": "1", "reason": "size"}
    answer = browser.send(form, form.filled(**given, sku_exchangeable=None))
    assert answer.status == 422
    assert "不支持换货" in answer.text
    assert answer.form.get("sku_exchangeable") == "false"
    assert browser.send(answer.form, answer.form.filled(sku_exchangeable="true")).status == 303


def test_a_second_ticket_on_the_same_item_is_refused_with_the_first_one_s_number(world):
    browser = world.browser()
    given = {"policy": "kuaishou", "order_no": "1", "paid_fen": "1", "reason": "size"}
    first = opened(browser, "exchange", **given)
    form = browser.get("/new/exchange").form
    answer = browser.send(form, form.filled(**given))
    assert answer.status == 422
    assert f"已有进行中的售后单 {first}" in answer.text
