"""The page of a ticket: why that time, what each step would do, what is missing, and who was first."""

from datetime import timedelta

import pytest

from aftersales.office import accounts
from tests.web.languages import untranslated
from web import i18n


def signed_in(world, browser, login="云步:陈晓", name="陈晓"):
    account = accounts.named(world.engine, login) or accounts.add(world.engine, login, name, world.now)
    browser.client.cookies.set("session", accounts.sign_in(world.engine, account, world.now))
    return account


def section(page, heading, until=None):
    text = page.text.split(heading, 1)[1]
    return text if until is None else text.split(until, 1)[0]


# ── header ──


def test_the_header_says_where_it_stands_whose_turn_it_is_and_what_then_happens(world, browser):
    ticket = world.open(ago=20)
    page = browser.get(f"/t/{ticket.number}")
    head = section(page, "全部待办", "为什么是这个时间")
    for said in ("换货", "尺码不合适", "马丁靴", ticket.number, "待商家审核", "等商家", "剩 28 小时", "未分配"):
        assert said.replace("28 小时", "1 天 4 小时") in head
    assert "10-03 18:32 逾期未处理，视为同意换货" in head
    assert ("a", {"class": "left", "href": "#why-h", "data-key": "w", "title": "为什么是这个时间（按 w）"}) in page.tags
    assert any(attributes.get("data-presence") == str(ticket.id) for _, attributes in page.tags)


def test_the_owner_is_called_by_name_and_people_are_chosen_from_a_list(world, browser):
    signed_in(world, browser)
    ticket = world.open()
    form = browser.get(f"/t/{ticket.number}/assign").form
    assert form.choices["agent"] == ["", "云步:陈晓"]
    page = browser.do(f"/t/{ticket.number}/assign", agent="云步:陈晓")
    assert "负责人 陈晓" in page.text
    assert world.ticket(ticket.number).owner == "云步:陈晓"
    assert world.events(ticket.number)[-1].actor_name == "云步:陈晓"


def test_an_owner_from_before_accounts_can_be_kept(world, browser):
    ticket = world.open()
    browser.do(f"/t/{ticket.number}/assign", agent="老王")
    signed_in(world, browser)
    form = browser.get(f"/t/{ticket.number}/assign").form
    assert form.choices["agent"] == ["", "云步:陈晓", "老王"]
    assert form.get("agent") == "老王"


def test_a_long_name_and_a_ticket_of_many_events_are_still_a_page(world, browser):
    ticket = world.open(note="很长" * 2000)
    for n in range(150):
        world.do(ticket, "note", text=f"第 {n} 条")
    page = browser.get(f"/t/{ticket.number}/reject")
    assert page.status == 200


# ── why ──


def test_the_time_line_says_in_words_what_it_draws(world, browser):
    page = browser.get(f"/t/{world.open(ago=24).number}")
    assert "10-01 14:32 申请，开始计时；10-02 14:32 现在；10-03 14:32 到期，逾期未处理，视为同意换货" in page.text
    assert "已用 24 小时（50%）" in page.text
    assert "10-01 14:32 + 48小时 = 10-03 14:32（含到期那一秒）" in page.text
    assert "假日照走：10-01 至 10-03 国庆节" in page.text
    assert ("rect", {"class": "u", "width": "50%", "height": "10", "rx": "5"}) in page.tags
    assert "/rules/kuaishou#KS-EX-01" in page.links


def test_nothing_is_styled_by_hand(world, browser):
    page = browser.get(f"/t/{world.open(ago=24).number}/reject")
    assert not [tag for tag, attributes in page.tags if "style" in attributes or any(a[:2] == "on" for a in attributes)]


def test_clocks_that_are_over_are_told_with_what_ended_them(world, browser):
    ticket = world.open(ago=10)
    world.do(ticket, "approve")
    page = browser.get(f"/t/{ticket.number}")
    past = section(page, "这一单之前走过的时限（1 段）", "用一段话说")
    assert "商家处理换货申请 · 48小时" in past
    assert "10-02 14:32 同意换货" in past
    assert "走完了" not in past
    other = world.open(ago=49)
    world.desk.sweep(world.now)
    assert "走完了" in section(browser.get(f"/t/{other.number}"), "这一单之前走过的时限（1 段）", "用一段话说")


def test_a_platform_s_deadline_stands_beside_what_the_rule_had_given(world, browser):
    ticket = world.open()
    world.do(ticket, "set_platform_deadline", "platform", due_at=world.now + timedelta(hours=5))
    text = browser.get(f"/t/{ticket.number}").text
    assert "按规则原来的到期" in text
    assert "改期：1 次" in text
    assert "平台给的期限 · 按规则原为 2026-10-04 14:32:00" in text


def test_a_ticket_without_a_clock_says_why(world, browser):
    ticket = world.place("bad_review", "understanding")
    text = browser.get(f"/t/{ticket.number}").text
    assert "没有在走的时限" in text
    assert "这张工单以平台为准" in text


# ── next steps ──


def test_the_last_card_is_always_what_the_clock_will_do(world, browser):
    cards = section(browser.get(f"/t/{world.open().number}"), "轮到商家。", "代买家、平台或快递登记")
    assert "驳回2 → 商家已驳回，待买家处理" in cards
    assert "还缺 2 样" in cards
    assert cards.index("转退款3") < cards.index("什么也不做")
    assert "10-04 14:32 → 逾期未处理，视为同意换货，记作系统操作" in cards


def test_money_and_other_tickets_are_said_beforehand(world, browser):
    exchange = section(browser.get(f"/t/{world.open().number}"), "转退款3", "什么也不做")
    assert "本单结束 另开退款工单 至多 ¥329.00" in exchange
    refund = world.open("refund", "wechat", kind="unshipped")
    assert "下单退款 ¥329.00" in browser.get(f"/t/{refund.number}").text


def test_steps_that_cannot_be_taken_now_are_listed_with_the_reason(world, browser):
    barred = section(browser.get(f"/t/{world.open().number}"), "现在还不能做的", "登记沟通")
    assert "发出换货商品：要先到「待商家发出换货商品」" in barred


@pytest.mark.parametrize("view", ["workflow=exchange&due=4h", "q=%E9%9D%B4&owner=a%3Ab"])
def test_the_view_it_was_opened_from_is_carried_along(world, browser, view):
    from urllib.parse import parse_qs, quote, urlsplit

    ticket = world.open()
    page = browser.get(f"/t/{ticket.number}?in={quote(view, safe='')}")
    assert f"/?{view}" in page.links
    step = next(link for link in page.links if "/approve?" in link)
    answer = browser.send(browser.get(step.partition("#")[0]).form)
    assert parse_qs(urlsplit(answer.response.headers["location"]).query) == {"done": ["2"], "in": [view]}


# ── forms ──


def test_what_is_missing_is_said_while_the_form_is_filled_in(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/reject").form
    part = browser.post(f"{form.action}/missing", form.values)
    assert part.status == 200
    assert "还缺 3 样：拒绝理由还没有填。现在提交会被退回" in part.text
    given = form.filled(reason_code="20", _evidence=["photo"], _summary="已说明鞋底有磨损", _channel="im")
    part = browser.post(f"{form.action}/missing", given)
    assert "不缺什么了" in part.text
    assert world.ticket(number).version == 1
    assert browser.send(form, given).status == 303


def test_a_contact_is_recorded_on_the_way_and_once(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/reject").form
    given = form.filled(reason_code="20", _evidence=["photo"], _summary="已说明鞋底有磨损", _channel="im")
    assert [browser.send(form, given).status for _ in range(2)] == [303, 303]
    kinds = [event.kind for event in world.events(number)]
    assert kinds == ["move", "contact", "evidence", "move"]


def test_a_stale_form_takes_no_contact_along(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/reject").form
    world.do(world.ticket(number), "approve")
    given = form.filled(reason_code="20", _evidence=["photo"], _summary="已说明", _channel="im")
    answer = browser.send(form, given)
    assert answer.status == 409
    assert [event.kind for event in world.events(number)] == ["move", "move"]
    assert answer.form.get("_summary") == "已说明"


def test_each_error_stands_beside_its_field(world, browser):
    number = world.open("refund", "wechat").number
    form = browser.get(f"/t/{number}/propose").form
    answer = browser.send(form, form.filled(amount_fen="12.345"))
    wrong = {attributes["name"]: attributes for _, attributes in answer.tags if "aria-invalid" in attributes}
    assert set(wrong) == {"reason", "amount_fen"}
    for name, attributes in wrong.items():
        assert f"e-{name}" in attributes["aria-describedby"].split()
        assert any(a.get("id") == f"e-{name}" for _, a in answer.tags)
        assert f"#f-{name}" in answer.links
    assert "协商理由还没有填" in answer.text


def test_the_largest_amount_is_said_beforehand(world, browser):
    form = browser.get(f"/t/{world.open().number}/convert_to_refund")
    assert "最多 ¥329.00" in form.text
    answer = browser.send(form.form, form.form.filled(amount_fen="329.01", _evidence=["chat_log"]))
    assert "金额 ¥329.01 超过还能退的金额 ¥329.00" in answer.text
    assert "amount_fen" in {a.get("name") for _, a in answer.tags if "aria-invalid" in a}


def test_what_was_done_is_told_on_the_next_page(world, browser):
    number = world.open().number
    page = browser.do(f"/t/{number}/approve")
    assert "已办：同意换货，现在是「待买家寄回」。 开始计时 KS-EX-02，到 10-12 14:32" in page.text
    assert "已办" not in browser.get(f"/t/{number}?done=99").text
    assert "已办" not in browser.get(f"/t/{number}?done=x").text


# ── conflict ──


def test_who_was_first_is_shown_beside_what_was_to_be_sent(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/reject").form
    li = world.browser()
    signed_in(world, li, "云步:李雯", "李雯")
    world.now += timedelta(minutes=3)
    li.do(f"/t/{number}/approve", return_address="杭州仓")
    answer = browser.send(form, form.filled(reason_code="20"))
    assert answer.status == 409
    clash = section(answer, "没有提交：", "为什么是这个时间")
    assert "您打开之后，李雯先改了这张工单" in clash
    assert "您看的是第 1 版，现在是第 2 版" in clash
    assert "状态待商家审核 待买家寄回" in clash.replace("  ", " ")
    assert "10-04 14:32 逾期未处理，视为同意换货（KS-EX-01）" in clash
    assert "退货地址— 杭州仓—" in clash.replace("  ", " ")
    assert "影响二次销售" in clash
    assert "「驳回」在「待买家寄回」时不能做" in clash
    note = next(one for one in answer.forms if one.action.endswith("/note"))
    assert browser.send(note).status == 303
    assert world.events(number)[-1].facts["text"] == "拒绝理由：影响二次销售"


def test_notes_and_reminders_make_no_form_stale(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/approve").form
    world.do(world.ticket(number), "note", text="别人的备注")
    world.now += timedelta(hours=25)
    world.desk.sweep(world.now)
    assert browser.send(form).status == 303


# ── trouble, ends ──


def test_a_ticket_set_aside_says_so(world, browser):
    from sqlalchemy import text

    ticket = world.open()
    with world.engine.begin() as connection:
        connection.execute(
            text("UPDATE ticket SET trouble = 'KeyError: x', trouble_count = 3 WHERE id = :id"), {"id": ticket.id}
        )
    page = browser.get(f"/t/{ticket.number}")
    assert "系统处理这张工单时出错" in page.text
    assert "失败过 3 次" in page.text


def test_a_closed_ticket_says_what_came_of_it(world, browser):
    ticket = world.open()
    world.do(ticket, "cancel", "buyer")
    text = browser.get(f"/t/{ticket.number}").text
    assert "工单已结束，没有时限" in text
    assert "买家 买家撤销 → 买家撤销" in text
    assert "什么也不做" not in text


# ── English ──


@pytest.mark.parametrize("path", ["", "/reject", "/note", "/assign"])
def test_the_page_s_own_words_are_english(world, browser, path):
    ticket = world.open(ago=20)
    browser.client.cookies.set("language", "en")
    page = browser.get(f"/t/{ticket.number}{path}")
    left = untranslated(page.html.partition('id="story-h"')[0])
    own = [text for text in left if text in i18n.catalog("en")]
    assert own == []
    assert "Why this time" in page.text
    assert "Do nothing" in page.text


# ── the list it was opened from ──


def test_previous_and_next_follow_the_list_it_was_opened_from(world, browser):
    first, second, other, third = (
        world.open(ago=30), world.open(ago=20), world.open("refund", "wechat", ago=18), world.open(ago=10),
    )  # fmt: skip
    link = next(link for link in browser.get("/?workflow=exchange").links if second.number in link)
    page = browser.get(link)
    assert "第 2 张，共 3 张" in page.text
    keys = {attributes["data-key"]: attributes["href"] for _, attributes in page.tags if "data-key" in attributes}
    assert keys["["] == f"/t/{first.id}?in=workflow%3Dexchange"
    assert keys["]"] == f"/t/{third.id}?in=workflow%3Dexchange"
    assert f"/t/{other.id}?in=workflow%3Dexchange" not in page.links
    ends = {a["data-key"] for _, a in browser.get(keys["["]).tags if "data-key" in a}
    assert "[" not in ends


def test_the_list_goes_on_from_where_the_ticket_stood(world, browser):
    first, second = world.open(ago=30), world.open(ago=20)
    step = browser.get(f"/t/{first.number}/approve?in=").form
    page = browser.get(browser.send(step).response.headers["location"])
    assert f"/t/{second.id}?in=" in page.links


@pytest.mark.parametrize("view", ["", "%00", "workflow=nothing", "x" * 5000, "q=%F0%9F%98%80", "due_from=yesterday"])
def test_no_list_is_an_error_of_ours(world, browser, view):
    assert browser.client.get(f"/t/{world.open().number}", params={"in": view}).status_code == 200
