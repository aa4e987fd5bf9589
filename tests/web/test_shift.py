"""The shift board as it is drawn, the hand-over from one account to another, the file for spreadsheets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersales import queries
from aftersales.office import accounts, duty, handover
from aftersales.office.handover import Note
from tests.web.conftest import made_world
from tests.web.languages import untranslated
from web import board, recent

HOUR = timedelta(hours=1)
A_DAY = [(day, 9 * 60, 18 * 60) for day in range(7)]
AN_EVENING = [(day, 18 * 60, 24 * 60) for day in range(7)]


@pytest.fixture(autouse=True)
def counted_anew(monkeypatch):
    monkeypatch.setattr(recent, "CHEAP", 60.0)


@pytest.fixture
def people(world):
    """陈晓 by day, 李雯 in the evening."""
    chen, li = (
        accounts.add(world.engine, f"店:{login}", name, world.now) for login, name in (("chen", "陈晓"), ("li", "李雯"))
    )
    duty.plan_week(world.engine, chen.id, A_DAY)
    duty.plan_week(world.engine, li.id, AN_EVENING)
    return chen, li


def signed_in(world, account):
    browser = world.browser()
    browser.post("/sign-in", [("login", account.login)])
    return browser


def form_of(page):
    [form] = [form for form in page.forms if form.action == "/shift/handover"]
    return form


def given_to(world, ticket, account):
    world.do(ticket, "assign", agent=account.login)
    return ticket


# ── the board ──


def test_an_empty_desk_has_an_empty_board(world, browser):
    page = browser.get("/shift")
    assert page.status == 200
    for said in (
        "共 0 步",
        "¥0.00",
        "没有逾期的",
        "没有会自动退的钱",
        "还没有排班",
        "还没有账号，也没有待办的工单。",
        "24 小时内没有到期的",
    ):
        assert said in page.text


def test_every_hour_with_steps_opens_its_tickets(world, browser):
    world.open(ago=46.5)  # due 2026-10-02 16:02
    page = browser.get("/shift")
    assert "10-02 16:00：共 1 步（退款 0，视为同意 1，关闭、完成 0，升级、转人工 0），自动退款 ¥0.00" in page.text
    assert "/?due_from=2026-10-02T16%3A00&due_to=2026-10-02T17%3A00" in page.links
    assert "退款 0、同意 1、关闭 0、转人工 0" in page.text


def test_what_is_overdue_stands_in_the_present_hour(world, browser):
    world.open(ago=50)
    page = browser.get("/shift")
    assert "10-02 14:00：共 1 步" in page.text
    assert "/?due_to=2026-10-02T15%3A00" in page.links


def test_money_that_leaves_by_itself(world, browser):
    world.open("refund", "wechat", ago=40, kind="unshipped", paid_fen=12_888_800)
    world.open("refund", "wechat", ago=40, kind="unshipped", paid_fen=100)
    page = browser.get("/shift")
    assert "¥128,889.00" in page.text
    assert "最大一笔 ¥128,888.00" in page.text
    assert "12.9万" in page.text
    assert page.text.index("¥128,888.00") < page.text.rindex("¥1.00")


def test_hours_without_anybody_are_told_with_their_money(world, browser, people):
    world.open("refund", "wechat", ago=48 - 13.5, kind="unshipped", paid_fen=4_260_00)  # at night
    world.open("refund", "wechat", ago=40, kind="unshipped", paid_fen=9_000_00)  # 22:32, while 李雯 is there
    page = browser.get("/shift")
    assert "未来 72 小时有 27 小时无人值班" in page.text
    assert "其间系统会自己做 1 步，退出 ¥4,260.00" in page.text
    assert "无人值班时会退出去的钱" in page.text
    night = page.html[page.html.index('id="night"') :]
    assert "¥4,260.00" in night
    assert "¥9,000.00" not in night
    assert "在班到 18:00" in page.text
    assert "18:00 接班" in page.text
    assert "无人值班，系统照常执行" in page.text


def test_a_holiday_says_until_when_and_what_skips_it(world, browser):
    assert "国庆" in browser.get("/shift").text
    assert "到 10-07。按小时、按自然日的时限照走不停；现在没有按工作日算的时限。" in browser.get("/shift").text


def test_a_plain_weekend_is_no_holiday(world, browser):
    world.now += timedelta(days=15)
    assert "照走不停" not in browser.get("/shift").text


def test_hands_with_their_links(world, browser, people):
    chen, _ = people
    ticket = given_to(world, world.open(ago=46), chen)
    world.open(ago=1)
    page = browser.get("/shift")
    assert f"/t/{ticket.number}" in page.links
    assert "/?owner=%E5%BA%97%3Achen&due=4h" in page.links
    assert "/?owner=none" in page.links
    assert "/team/transfer?owner=%E5%BA%97%3Achen" in page.links
    assert "剩 2 小时" in page.text


def test_waiting_for_whom(world, browser):
    world.open()
    world.place("exchange", "awaiting_buyer_return")
    page = browser.get("/shift")
    assert "等商家1" in page.text.replace(" ", "")
    assert "/?turn=buyer" in page.links


def test_one_shop_of_several(world, browser):
    world.open(ago=46, shop="甲店")
    world.open(ago=46, shop="乙店")
    (first, _), (second, _) = queries.shops(world.engine)
    whole, one = browser.get("/shift"), browser.get(f"/shift?shop={second}")
    assert "全部 2 家店" in whole.text
    assert "10-02 16:00：共 2 步" in whole.text
    assert "10-02 16:00：共 1 步" in one.text
    assert f"/?shop={second}&turn=merchant" in one.links
    assert f"/shift.csv?shop={second}" in one.links
    assert f"/?shop={first}&turn=merchant" not in one.links
    assert browser.get("/shift?shop=999999999999999999999").status == 200
    assert browser.get("/shift?shop=%F0%9F%8E%89&before=x&handed=-1").status == 200


def test_in_english(world, people):
    chen, li = people
    given_to(world, world.open("refund", "wechat", ago=40, kind="unshipped"), chen)
    handover.hand_over(world.engine, li, chen, Note(chen.login, "请看"), "key-of-a-form-000001", world.now)
    browser = signed_in(world, chen)
    browser.client.cookies.set("language", "en")
    page = browser.get("/shift")
    assert untranslated(page.html) == []
    assert "Nobody is on duty for 27 of the next 72 hours" in page.text


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_the_file_for_spreadsheets(kind, request, clock):
    world = clock(made_world(request.getfixturevalue(f"{kind}_url")))
    world.open("refund", "wechat", ago=40, kind="unshipped")
    answer = world.browser().client.get("/shift.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[1] == "小时,类型,平台规则,状态,到期动作,会怎样,张数,自动退款（元）"
    assert lines[2].startswith("2026-10-02 22:00,退款,")
    assert lines[2].endswith(",退款,1,329.0")
    assert any(line.startswith("2026-10-02 18:00,,,,,提醒,1,") for line in lines)
    assert world.browser().client.get("/shift.xlsx").content[:2] == b"PK"
    assert world.browser().client.get("/shift.exe").status_code == 404


def test_a_hundred_looks_count_once(world, browser, monkeypatch):
    monkeypatch.setattr(recent, "CHEAP", 0.0)
    counted = []
    real = board._counted
    monkeypatch.setattr(board, "_counted", lambda *asked: counted.append(asked) or real(*asked))
    for _ in range(3):
        assert browser.get("/shift").status == 200
    assert len(counted) == 1
    world.now += HOUR
    browser.get("/shift")
    assert len(counted) == 2


# ── the hand-over ──


def test_without_an_account_nobody_hands_over(world, browser, people):
    assert "选择账号" in browser.get("/shift").text
    answer = browser.post("/shift/handover", [("key", "k" * 20), ("to", "店:li"), ("text", "x")])
    assert answer.status == 403
    assert browser.post("/shift/handover/1/seen", []).status == 403


def test_handing_over_moves_the_tickets_and_leaves_their_clocks(world, people):
    chen, li = people
    now_due = given_to(world, world.open(ago=46), chen)  # 16:32, before 18:00
    night = given_to(world, world.open(ago=38), chen)  # 0:32, before 9:00
    later = given_to(world, world.open(ago=1), chen)
    page = signed_in(world, chen).get("/shift")
    form = form_of(page)
    assert "交班：陈晓 → 李雯" in page.text
    assert "1 张 在您下班前到期（18:00）" in page.text
    assert "1 张 在您下次上班前到期（10-03 09:00）" in page.text
    assert form.get("to") == li.login

    world.now = world.now.replace(hour=9, minute=50)  # 17:50
    browser = signed_in(world, chen)
    answer = browser.send(
        form_of(browser.get("/shift")),
        [*form_of(browser.get("/shift")).filled(text="梅子酱的 43 码只剩 2 双"), ("do", "hand")],
    )
    assert answer.status == 303
    landed = browser.get(answer.response.headers["location"].partition("#")[0])
    assert "已交班给：李雯 1 张工单换了负责人，时限不变。" in landed.text
    assert world.ticket(night.number).owner == li.login
    assert world.ticket(night.number).due_at == night.due_at
    assert world.ticket(now_due.number).owner == world.ticket(later.number).owner == chen.login
    last = world.events(night.number)[-1]
    assert (last.kind, last.actor_name, last.facts["agent"], last.facts["reason"]) == (
        "assign",
        chen.login,
        li.login,
        "交班",
    )

    receiver = signed_in(world, li)
    page = receiver.get("/shift")
    assert "陈晓 交班给您" in page.text
    assert "梅子酱的 43 码只剩 2 双" in page.text
    assert "1 份交班没有确认" in receiver.get("/me").text
    [seen] = [form for form in page.forms if form.action.endswith("/seen")]
    assert browser.send(seen).status == 404, "the one who handed over cannot confirm it"
    assert receiver.send(seen).status == 303
    after = receiver.get("/shift")
    assert "交班给您" not in after.text
    assert "份交班没有确认" not in after.text
    assert "已确认" in browser.get("/shift").text


def test_sent_twice_it_is_handed_over_once(world, people):
    chen, li = people
    night = given_to(world, world.open(ago=38), chen)
    browser = signed_in(world, chen)
    form = form_of(browser.get("/shift"))
    for _ in range(2):
        assert browser.send(form, [*form.filled(text="一"), ("do", "hand")]).status == 303
    assert len(handover.history(world.engine, li.login)) == 1
    assert len([event for event in world.events(night.number) if event.kind == "assign"]) == 2


def test_a_ticket_that_is_mine_no_more_stays_where_it_is(world, people):
    chen, _ = people
    zhou = accounts.add(world.engine, "店:zhou", "周凯", world.now)
    night = given_to(world, world.open(ago=38), chen)
    browser = signed_in(world, chen)
    form = form_of(browser.get("/shift"))
    given_to(world, night, zhou)
    stranger = world.open(ago=38)
    values = [
        *form.filled(text="一"),
        ("ticket", str(stranger.id)),
        ("ticket", "999999"),
        ("ticket", "x"),
        ("do", "hand"),
    ]
    landed = browser.get(browser.send(form, values).response.headers["location"].partition("#")[0])
    assert "0 张工单换了负责人" in landed.text
    assert f"没有换成，因为已不在您手上或已办结： {night.number}" in landed.text
    assert world.ticket(night.number).owner == zhou.login
    assert world.ticket(stranger.number).owner is None


def test_unticked_no_ticket_moves(world, people):
    chen, _ = people
    night = given_to(world, world.open(ago=38), chen)
    browser = signed_in(world, chen)
    form = form_of(browser.get("/shift"))
    browser.send(form, [*form.filled(text="一", move=None), ("do", "hand")])
    assert world.ticket(night.number).owner == chen.login


def test_what_was_typed_is_not_lost_when_it_is_refused(world, people):
    chen, _ = people
    browser = signed_in(world, chen)
    form = form_of(browser.get("/shift"))
    answer = browser.send(form, [*form.filled(text="写了很久\n第二行", to=""), ("do", "hand")])
    assert answer.status == 422
    assert "接班人：没有这个账号，或已停用，请从列表里选" in answer.text
    assert form_of(answer).get("text") == "写了很久\n第二行"
    long = browser.send(form, [*form.filled(text="长" * 6000), ("do", "hand")])
    assert long.status == 422
    assert "太长了（6000 字），最多 5000 字" in long.text
    assert browser.send(form, [*form.filled(text="长" * 900_000), ("do", "hand")]).status == 413
    assert handover.history(world.engine, chen.login) == []


def test_a_draft_is_there_again(world, people):
    chen, li = people
    browser = signed_in(world, chen)
    form = form_of(browser.get("/shift"))
    assert browser.send(form, [*form.filled(text="写到一半 <b>"), ("do", "save")]).status == 303
    page = browser.get("/shift")
    assert form_of(page).get("text") == "写到一半 <b>"
    assert "还没有交出" in page.text
    assert "交班给您" not in signed_in(world, li).get("/shift").text


def test_without_a_plan_of_duty_the_usual_day_is_taken_and_said(world):
    chen = accounts.add(world.engine, "店:chen", "陈晓", world.now)
    accounts.add(world.engine, "店:li", "李雯", world.now)
    page = signed_in(world, chen).get("/shift")
    assert "您还没有排班，这里按 18:00 下班、次日 9:00 上班算。" in page.text
    assert "在您下次上班前到期（10-03 09:00）" in page.text


def test_a_broken_form_is_refused(world, people):
    browser = signed_in(world, people[0])
    assert browser.post("/shift/handover", [("key", "短"), ("to", "店:li"), ("text", "x")]).status == 400
    assert browser.post("/shift/handover/99999999999999999999/seen", []).status == 404
    assert browser.post("/shift/handover/7/seen", []).status == 404


def test_history_is_paged(world, people):
    chen, li = people
    for number in range(12):
        handover.hand_over(
            world.engine, chen, li, Note(li.login, f"第{number}次交班"), f"key-of-a-form-1000{number:02}", world.now
        )
    browser = signed_in(world, chen)
    page = browser.get("/shift")
    assert "第11次交班" in page.text
    assert "第1次交班" not in page.text
    [older] = [link for link in page.links if "before=" in link]
    assert "第1次交班" in browser.get(older.partition("#")[0]).text
