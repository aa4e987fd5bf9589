"""The queue: late tickets, then what runs out first, then those without a clock; fifty at a time."""

from datetime import timedelta

import pytest

from aftersales.office import accounts, teams
from aftersales.workflows.vocabulary import Party
from tests.web.conftest import Page
from tests.web.languages import untranslated


def numbers(page: Page) -> list[str]:
    return [link.removeprefix("/t/").partition("?")[0] for link in page.links if link.startswith("/t/")]


def all_pages(browser, path="/"):
    pages = [browser.get(path)]
    while more := [link for link in pages[-1].links if "after=" in link]:
        pages.append(browser.get(more[0]))
    return pages


def test_the_empty_queue_says_so(browser):
    page = browser.get("/")
    assert page.status == 200
    assert "还没有工单" in page.text
    assert "/new" in page.links


def test_when_all_is_done_the_queue_says_so(world, browser):
    world.do(world.open(), "cancel", "buyer")
    assert "没有待办的工单" in browser.get("/").text


def test_what_runs_out_first_stands_first(world, browser):
    calm, soon = world.open(ago=1), world.open(ago=47)
    clockless = world.open("lost_parcel", ago=100)
    refund = world.open("refund", "wechat", ago=30)
    assert numbers(browser.get("/")) == [soon.number, refund.number, calm.number, clockless.number]


def test_late_tickets_stand_on_top_and_closed_ones_are_gone(world, browser):
    soon, closed = world.open(ago=47), world.open(ago=1)
    world.do(closed, "cancel", "buyer")
    late = world.inspecting()
    world.now += timedelta(days=7, seconds=1)
    world.desk.sweep(world.now)
    page = browser.get("/")
    assert numbers(page) == [late.number, soon.number]
    assert "已逾期或已升级 1" in page.text
    assert "逾期 1 秒" in page.text
    assert "商家拆包验货KS-EX-03 10-09 14:32 逾期未验货，升级处理" in page.text
    assert "时限已到，要人处理" in page.text
    assert "已升级" in page.text


def test_a_row_says_how_long_by_which_rule_what_then_and_whose_turn(world, browser):
    ticket = world.open(ago=28.5)
    world.do(ticket, "assign", agent="陈晓")
    row = browser.get("/").text
    assert "剩 19 小时 30 分 商家处理换货申请KS-EX-01 10-03 10:02 逾期未处理，视为同意换货" in row
    assert "视为同意换货接着开始买家寄回原商品（KS-EX-02）" in row
    assert "换货尺码不合适，马丁靴" in row
    assert f"{ticket.number} · 梅子酱 · 订单0001 · 我的店铺 · 快手小店" in row
    assert "待商家审核等商家 ¥329.00 陈陈晓" in row
    assert "客服 14:32：分配" in row


def test_an_unswept_ticket_is_overdue_by_a_length_of_time(world, browser):
    world.open(ago=48)
    world.now += timedelta(hours=6, minutes=12)
    assert "逾期 6 小时 12 分" in browser.get("/").text


def test_a_paused_clock_says_what_it_had_left(world, browser):
    ticket = world.open("refund", "wechat", ago=28.5, amount_fen=30000)
    world.do(ticket, "propose", reason="退 200 元", amount_fen=20000)
    page = browser.get("/?mark=paused")
    assert "已暂停 · 剩 19 小时 30 分" in page.text
    assert numbers(page) == [ticket.number]


def test_trouble_and_flags_are_marked(world, browser):
    ticket = world.open("lost_parcel")
    world.do(ticket, "urge")
    with world.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE ticket SET trouble = 'KeyError: x'")
    page = browser.get("/").text
    assert "须反馈买家" in page
    assert "处理出错" in page


def test_amounts_are_what_is_asked_for_or_paid(world, browser):
    world.open("refund", "wechat", amount_fen=12345)
    world.open("exchange", paid_fen=129900)
    page = browser.get("/").text
    assert "¥123.45" in page
    assert "¥1,299.00" in page


def test_pages_of_fifty_miss_nothing_and_repeat_nothing(world, browser):
    for place in range(60):
        world.open(ago=47 - place / 2)
    for place in range(60):
        world.open("lost_parcel", ago=place, waybill_no=f"SF{place:08d}")
    late = [world.inspecting() for _ in range(3)]
    world.now += timedelta(days=7, seconds=1)
    for _ in range(2):
        world.desk.sweep(world.now)
    pages = all_pages(browser)
    assert [len(numbers(page)) for page in pages] == [50, 50, 23]
    found = [number for page in pages for number in numbers(page)]
    assert len(set(found)) == 123
    assert found[:3] == [ticket.number for ticket in late]
    assert "/" in pages[1].links


def test_a_ticket_that_leaves_between_two_pages_takes_no_other_with_it(world, browser):
    tickets = [world.open(ago=47 - place / 2) for place in range(70)]
    first = browser.get("/")
    for ticket in tickets[:20]:
        world.do(ticket, "cancel", "buyer")
    second = browser.get(next(link for link in first.links if "after=" in link))
    assert numbers(second) == [ticket.number for ticket in tickets[50:]]


def test_tickets_due_at_the_same_second_are_paged_too(world, browser):
    for _ in range(101):
        world.open(ago=5)
    pages = all_pages(browser)
    assert [len(numbers(page)) for page in pages] == [50, 50, 1]
    assert len({number for page in pages for number in numbers(page)}) == 101


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("workflow=refund", ["refund"]),
        ("policy=kuaishou", ["exchange", "lost"]),
        ("state=exchange.pending_merchant_review", ["exchange"]),
        ("workflow=exchange&state=exchange.pending_merchant_review&policy=kuaishou", ["exchange"]),
        ("workflow=exchange&policy=wechat", []),
        # what contradicts itself or does not exist is not asked for
        ("workflow=refund&state=exchange.pending_merchant_review", ["refund"]),
        ("workflow=nonsense&policy=%00&shop=-1&state=a.b.c&after=9-9", ["refund", "exchange", "lost"]),
        ("shop=%C2%B2&after=0-99999999999999-1", ["refund", "exchange", "lost"]),
    ],
)
def test_filters_stand_in_the_address(world, browser, asked, wanted):
    tickets = {"refund": world.open("refund", "wechat", ago=30), "exchange": world.open(ago=20)}
    tickets["lost"] = world.open("lost_parcel")
    page = browser.get(f"/?{asked}")
    assert page.status == 200
    assert numbers(page) == [tickets[name].number for name in wanted]


def test_the_chosen_filter_stays_chosen_and_goes_along_to_the_next_page(world, browser):
    for _ in range(60):
        world.open(ago=5)
    page = browser.get("/?workflow=exchange")
    (chosen,) = [tag for name, tag in page.tags if name == "a" and tag.get("aria-current") == "true"]
    assert chosen["href"] == "/"
    (next_page,) = [link for link in page.links if "after=" in link]
    assert "workflow=exchange" in next_page


def test_shops_with_the_same_numbers_are_told_apart(world, browser):
    one, other = world.open(ago=3), world.open(shop="分店", ago=1)
    assert one.number == other.number
    page = browser.get("/")
    assert numbers(page) == [str(one.id), str(other.id)]
    assert f"/?shop={other.shop_id}" in page.links
    assert numbers(browser.get(f"/?shop={other.shop_id}")) == [str(other.id)]
    which = browser.get(f"/t/{one.number}")
    assert which.status == 300
    assert numbers(which) == [str(one.id), str(other.id)]
    assert "分店" in browser.get(f"/t/{other.id}").text


def test_a_filter_without_tickets_says_so(world, browser):
    world.open()
    assert "没有符合筛选的工单" in browser.get("/?workflow=repair").text


# ── what the clock will do is what it does ──


def test_money_that_will_leave_is_said(world, browser):
    world.open("refund", "wechat", kind="unshipped", amount_fen=12345)
    assert "逾期未处理，视为同意 ¥123.45" in browser.get("/").text


@pytest.mark.parametrize(
    ("workflow", "policy", "facts"),
    [("exchange", "kuaishou", {}), ("refund", "wechat", {}), ("refund", "wechat", {"kind": "unshipped"})],
)
def test_what_a_row_foretells_is_what_the_sweep_does(world, browser, workflow, policy, facts):
    ticket = world.open(workflow, policy, **facts)
    foretold = browser.get("/").text
    world.now += timedelta(hours=48, seconds=1)
    world.desk.sweep(world.now)
    after = world.ticket(ticket.number)
    assert world.rules.workflow(after).move(world.events(ticket.number)[-1].trigger).label in foretold
    if after.clock is not None:
        assert f"（{after.clock.rule}）" in foretold
    else:
        assert f"到「{world.rules.workflow(after).state_label(after.state)}」，不再计时" in foretold


# ── filters, chips and counts ──


@pytest.fixture
def many(world):
    """Tickets of every kind: (name, ticket)."""
    accounts.add(world.engine, "青禾:陈晓", "陈晓", world.now)
    found = {
        "soon": world.open(ago=47),
        "today": world.open(ago=40),
        "large": world.open("refund", "wechat", ago=1, amount_fen=600000, paid_fen=600000),
        "mine": world.open(ago=20),
        "lost": world.open("lost_parcel", ago=5),
        "member": world.place("refund", "pending_merchant_review", "wechat", member_level="3", complaint_level=2),
    }
    world.do(found["mine"], "assign", agent="青禾:陈晓")
    found["buyer"] = world.open(ago=2)
    world.do(found["buyer"], "approve")
    return found


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("due=4h", ["soon"]),
        ("due=today", ["soon", "today"]),
        ("due=72h", ["soon", "today", "mine", "large"]),
        ("owner=%E9%9D%92%E7%A6%BE%3A%E9%99%88%E6%99%93", ["mine"]),
        ("owner=none&workflow=exchange&due=72h", ["soon", "today"]),
        ("turn=buyer", ["buyer"]),
        ("turn=merchant&policy=wechat", ["large", "member"]),
        ("turn=system", []),
        ("from_yuan=5000", ["large"]),
        ("from_yuan=4999", ["large"]),
        ("level=2", ["member"]),
        ("member=3", ["member"]),
        ("due_from=2026-10-02T15:00&due_to=2026-10-02T16:00", ["soon"]),
        ("mark=late", []),
        ("due_from=yesterday", ["soon", "today", "mine", "large", "buyer", "lost", "member"]),
    ],
)
def test_every_part_of_a_filter_finds_its_tickets_and_counts_them(many, browser, asked, wanted):
    page = browser.get(f"/?{asked}")
    assert numbers(page) == [many[name].number for name in wanted]
    assert f"{len(wanted)} 张" in page.text


def test_views_and_chips_say_how_many(many, browser):
    page = browser.get("/").text
    assert "未分配6" in page
    assert "4 小时内到期1" in page
    assert "今天会自动执行2" in page
    assert "等买家1" in page
    assert "换货 4" in page
    assert "微信小店 2" in page


def test_a_chip_counts_under_the_filter_that_is_chosen(many, browser):
    page = browser.get("/?policy=wechat").text
    assert "换货 0" in page
    assert "退款 2" in page


def test_an_empty_filter_says_which_part_to_take_away(many, browser):
    page = browser.get("/?workflow=repair&policy=wechat&from_yuan=5000")
    assert "没有同时满足这 3 个条件的工单" in page.text
    assert "去掉：维修（1）" in page.text
    assert "去掉：微信小店（0）" in page.text


def test_a_group_finds_what_was_given_to_it(world, browser):
    team = teams.add(world.engine, "退款组")
    given, _ = world.open(), world.open()
    with world.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO ticket_team VALUES (?, ?, ?)", (given.id, given.shop_id, team))
    page = browser.get(f"/?team={team}")
    assert numbers(page) == [given.number]
    assert "分组：退款组" in page.text


def test_a_search_says_what_was_searched_and_how_to_clear_it(world, browser):
    ticket = world.open()
    world.open("lost_parcel")
    page = browser.get(f"/?q={ticket.order_no}")
    assert numbers(page) == [ticket.number]
    assert f"搜索：{ticket.order_no}清除搜索" in page.text
    nothing = browser.get("/?q=%E6%B2%A1%E6%9C%89%E7%9A%84&workflow=exchange")
    assert "没有找到" in nothing.text
    assert "/?workflow=exchange" in nothing.links


def test_every_party_has_a_turn_in_addresses(world, browser):
    page = browser.get("/")
    for party in Party:
        assert f"/?turn={party.name.lower()}" in page.links


# ── a part of a list, for a script ──


def test_rows_are_given_one_by_one_and_say_what_left_the_filter(world, browser):
    stays, leaves = world.open(), world.open()
    world.do(leaves, "approve")
    page = browser.get(f"/rows?ids={stays.id},{leaves.id},999&state=exchange.pending_merchant_review")
    rows = {tag["data-id"]: tag["class"] for name, tag in page.tags if name == "tr"}
    assert set(rows) == {str(stays.id), str(leaves.id)}
    assert "gone" in rows[str(leaves.id)]
    assert "gone" not in rows[str(stays.id)]
    assert "已不符合这个筛选" in page.text


def test_a_closed_ticket_left_the_list(world, browser):
    ticket = world.open()
    world.do(ticket, "cancel", "buyer")
    page = browser.get(f"/rows?ids={ticket.id}")
    assert "gone" in page.html
    assert "已结束" in page.text


@pytest.mark.parametrize("ids", ["", "x", "1,", "-1", "1;2", "9" * 30])
def test_nonsense_asks_for_no_rows(world, browser, ids):
    world.open()
    page = browser.get(f"/rows?ids={ids}")
    assert page.status == 200
    assert not [name for name, _ in page.tags if name == "tr"]


# ── in English, and with bad tables ──


def test_in_english_only_what_people_wrote_is_chinese(many, browser):
    browser.client.cookies.set("language", "en")
    for address in ("/", "/?workflow=repair&policy=wechat", "/?q=x", "/?mark=late&owner=none", "/?turn=buyer"):
        assert untranslated(browser.get(address).html) == []


def test_rule_problems_are_told_on_the_first_page(world):
    from starlette.testclient import TestClient

    from tests.web.conftest import Browser
    from web.app import create_app

    told = create_app(world.desk, lambda: world.rules, world.settings, rule_problems=lambda: ["kuaishou.py 第 3 行"])
    page = Browser(TestClient(told)).get("/").text
    assert "规则文件有错，没有启用；上一个正确的版本仍然有效" in page
    assert "kuaishou.py 第 3 行" in page
