"""One step for many tickets: what would come of it, doing it once, and what becomes of those that cannot."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from aftersales.office import accounts
from tests.web.conftest import BROWSER_SAYS
from tests.web.languages import untranslated

APPROVE = "exchange.approve"


def chosen(tickets):
    return [f"{ticket.id}.{ticket.version}" for ticket in tickets]


def pick(browser, tickets, step, **facts):
    """The preview that a person without JavaScript gets."""
    form = browser.get("/").forms
    (bulk,) = [form for form in form if form.action == "/bulk"]
    return browser.send(bulk, bulk.filled(_t=chosen(tickets), _step=step) + list(facts.items()))


def press(browser, preview, **facts):
    """The button that names the number."""
    return browser.post("/bulk/do", preview.form.filled(**facts))


@pytest.fixture
def mixed(world):
    """Three that can be approved, one that somebody has changed since, one of another type."""
    found = [world.open(ago=n) for n in (1, 2, 3)]
    changed, refund = world.open(ago=4), world.open("refund", "wechat")
    world.do(changed, "modify", "buyer", note="改要 43 码")
    return found, changed, refund


def test_the_preview_says_how_many_can_and_why_others_cannot(mixed, browser):
    can, changed, refund = mixed
    page = pick(browser, [*can, changed, refund], APPROVE)
    assert page.status == 200
    assert "3 张可执行" in page.text
    assert "1 张刚被他人修改" in page.text
    assert f"{changed.number}：工单在您打开之后已有变动" in page.text
    assert f"{refund.number}：「同意换货」不是退款工单的步骤" in page.text
    assert "执行后：3 张进入「待买家寄回」，开始买家寄回原商品（KS-EX-02）" in page.text
    assert "同意换货：这 3 张" in page.form.buttons


def test_a_preview_changes_nothing(world, mixed, browser):
    can, changed, refund = mixed
    pick(browser, [*can, changed, refund], APPROVE)
    assert {world.ticket(str(ticket.id)).state for ticket in can} == {"pending_merchant_review"}


def test_what_can_is_done_and_the_rest_stays_selected_with_its_reason(world, mixed, browser):
    can, changed, refund = mixed
    done = press(browser, pick(browser, [*can, changed, refund], APPROVE))
    assert "同意换货：3 张做成，2 张没有" in done.text
    assert {world.ticket(str(ticket.id)).state for ticket in can} == {"awaiting_buyer_return"}
    assert world.ticket(str(changed.id)).state == "pending_merchant_review"
    assert {value for name, value in done.form.values if name == "_t"} == {
        f"{changed.id}.{world.ticket(str(changed.id)).version}", f"{refund.id}.{refund.version}",
    }  # fmt: skip
    again = press(browser, browser.send(done.form))
    assert "1 张做成" in again.text, "the versions are those of now, so what was changed can be done"


def test_what_is_missing_is_said_of_each(world, browser):
    tickets = [world.open(), world.open()]
    world.do(tickets[0], "add_evidence", kind="chat_log")
    world.do(tickets[0], "add_evidence", kind="photo")
    page = pick(browser, tickets, "exchange.reject", reason_code="16")
    assert "张缺凭证或信息" in page.text
    assert f"{tickets[1].number}：" in page.text


def test_a_step_that_asks_something_asks_it_once_for_all(world, browser):
    tickets = [world.open(), world.open()]
    page = pick(browser, tickets, "note")
    assert "2 张缺凭证或信息" in page.text
    done = browser.send(page.form, page.form.filled(text="已电话联系"))
    assert "2 张可执行" in done.text
    assert done.form.get("text") == "已电话联系"
    press(browser, done)
    assert [world.events(str(one.id))[-1].facts["text"] for one in tickets] == ["已电话联系"] * 2


def test_tickets_are_given_to_somebody_by_name(world, browser):
    accounts.add(world.engine, "青禾:陈晓", "陈晓", world.now)
    tickets = [world.open(), world.open()]
    page = pick(browser, tickets, "assign")
    assert page.form.choices["agent"] == ["", "青禾:陈晓"]
    press(browser, page, agent="青禾:陈晓")
    assert {world.ticket(str(one.id)).owner for one in tickets} == {"青禾:陈晓"}
    assert "陈晓" in browser.get("/").text


def test_a_second_click_does_nothing_more(world, browser):
    tickets = [world.open(), world.open()]
    preview = pick(browser, tickets, "note", text="一次")
    values = preview.form.filled()
    with ThreadPoolExecutor() as clicks:
        pages = list(clicks.map(lambda _: browser.post("/bulk/do", values), range(2)))
    assert ["2 张做成" in page.text for page in pages] == [True, True]
    for ticket in tickets:
        assert [event.kind for event in world.events(str(ticket.id))].count("note") == 1


def test_all_of_a_list_can_be_chosen(world, browser):
    for _ in range(55):
        world.open(ago=1)
    other = world.open("lost_parcel")
    page = browser.get("/?workflow=exchange")
    (bulk,) = [form for form in page.forms if form.action == "/bulk"]
    assert "选中全部 55 张" in page.text
    preview = browser.send(bulk, bulk.filled(_all=["1"], _step=APPROVE))
    assert "55 张可执行" in preview.text
    assert "55 张做成" in press(browser, preview).text
    assert world.ticket(str(other.id)).version == 1
    assert "/?workflow=exchange" in preview.links


def test_a_script_gets_the_bar_and_json(world, browser):
    tickets = [world.open(), world.open("refund", "wechat")]
    headers = {**BROWSER_SAYS, "HX-Request": "true"}
    data = {"_t": chosen(tickets), "_step": APPROVE, "_back": ""}
    bar = browser.client.post("/bulk", data=data, headers=headers).text
    assert "<html" not in bar
    assert f'data-can="{tickets[0].id} "' in bar
    key = re.search(r'name="_key" value="([^"]+)"', bar)[1]
    said = browser.client.post("/bulk/do", data={**data, "_key": key}, headers=headers).json()
    assert said["done"] == [tickets[0].id]
    assert [one["number"] for one in said["failed"]] == [tickets[1].number]
    assert "不是退款工单的步骤" in said["failed"][0]["reason"]


@pytest.mark.parametrize(
    "values",
    [
        [("_t", "x"), ("_t", "99999.1"), ("_step", APPROVE)],
        [("_t", "1.1"), ("_step", "exchange.auto_approve")],
        [("_t", "1.1"), ("_step", "exchange.submit_return_waybill")],
        [("_t", "1.1"), ("_step", "nonsense"), ("text", "\ud800")],
        [("_back", "workflow=%00&shop=x"), ("_all", "1")],
        [],
    ],
)
def test_nonsense_is_answered_and_does_nothing(world, browser, values):
    ticket = world.open()
    assert browser.post("/bulk", [pair for pair in values if "\ud800" not in pair[1]]).status == 200
    assert browser.post("/bulk/do", [pair for pair in values if "\ud800" not in pair[1]]).status == 400
    assert world.ticket(ticket.number).version == 1


def test_no_more_than_five_hundred_go_at_once(world, browser):
    ticket = world.open()
    many = [("_t", f"{ticket.id + n}.1") for n in range(560)]
    assert browser.post("/bulk", [*many, ("_step", "note"), ("_back", "")]).status == 200
    assert browser.post("/bulk", [("_t", "1.1")] * 800).status == 400


def test_in_english_only_what_people_wrote_is_chinese(mixed, browser):
    can, changed, refund = mixed
    browser.client.cookies.set("language", "en")
    preview = pick(browser, [*can, changed, refund], APPROVE)
    assert untranslated(preview.html) == []
    assert untranslated(press(browser, preview).html) == []
