"""The queue: late tickets, then what runs out first, then those without a clock; fifty at a time."""

from datetime import timedelta

import pytest

from tests.web.conftest import Page


def numbers(page: Page) -> list[str]:
    return [link.removeprefix("/t/") for link in page.links if link.startswith("/t/")]


def all_pages(browser, path="/"):
    pages = [browser.get(path)]
    while more := [link for link in pages[-1].links if "after=" in link]:
        pages.append(browser.get(more[0]))
    return pages


def test_the_empty_queue_says_so(browser):
    page = browser.get("/")
    assert page.status == 200
    assert "没有待办的工单" in page.text
    assert "/new" in page.links


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
    assert "已逾期 时限已到，要人处理" in page.text
    assert "已升级" in page.text


def test_a_row_says_how_long_by_which_rule_what_then_and_whose_turn(world, browser):
    ticket = world.open(ago=28.5)
    world.do(ticket, "assign", agent="陈晓")
    row = browser.get("/").text
    assert "剩 19 小时 30 分 KS-EX-01 10-03 10:02 逾期未处理，视为同意换货" in row
    assert f"{ticket.number} 换货" in row
    assert "我的店铺 · 快手小店 · 订单0001 · 马丁靴 · 梅子酱" in row
    assert "待商家审核等商家 ¥329.00 陈晓" in row.replace(" 等", "等")


def test_an_unswept_ticket_is_overdue_by_a_length_of_time(world, browser):
    world.open(ago=48)
    world.now += timedelta(hours=6, minutes=12)
    assert "逾期 6 小时 12 分" in browser.get("/").text


def test_a_paused_clock_says_what_it_had_left(world, browser):
    ticket = world.open("refund", "wechat", ago=28.5, amount_fen=30000)
    world.do(ticket, "propose", reason="退 200 元", amount_fen=20000)
    assert "已暂停 暂停前还剩 19 小时 30 分" in browser.get("/").text


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
    (filters,) = [form for form in page.forms if "workflow" in form.kinds]
    assert filters.get("workflow") == "exchange"
    (next_page,) = [link for link in page.links if "after=" in link]
    assert "workflow=exchange" in next_page


def test_shops_with_the_same_numbers_are_told_apart(world, browser):
    one, other = world.open(ago=3), world.open(shop="分店", ago=1)
    assert one.number == other.number
    page = browser.get("/")
    assert numbers(page) == [str(one.id), str(other.id)]
    (filters,) = [form for form in page.forms if "shop" in form.choices]
    shop = next(value for value in filters.choices["shop"] if value and value != str(one.shop_id))
    assert numbers(browser.get(f"/?shop={shop}")) == [str(other.id)]
    which = browser.get(f"/t/{one.number}")
    assert which.status == 300
    assert numbers(which) == [str(one.id), str(other.id)]
    assert "分店" in browser.get(f"/t/{other.id}").text


def test_a_filter_without_tickets_says_so(world, browser):
    world.open()
    assert "没有符合筛选的工单" in browser.get("/?workflow=repair").text
