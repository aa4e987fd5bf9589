"""What is known of an order before a ticket is opened on it, on both databases."""

from datetime import timedelta

import pytest

from aftersales import database, preview_opening, queries
from aftersales.catalog import built_in
from aftersales.clock import parse
from aftersales.decide import NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.preview_opening import look, remembered
from aftersales.queries import orders
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows.guards import NOT_MET

RULES = Rules(built_in(), WorkCalendar.default())
NOW = parse("2026-10-02 14:32:00")


@pytest.fixture
def desk(database_url):
    return Desk(database.create_engine(database_url), lambda: RULES)


def application(order_no, item_no="靴", policy="kuaishou", at=NOW, buyer="梅子酱", **facts):
    told = {"paid_fen": 32900, "reason": "size", **facts}
    return NewTicket("exchange", policy, "apply", "buyer", at, told, order_no, item_no, buyer)


def test_the_tickets_of_an_order_in_one_shop_or_in_all_the_latest_first(desk):
    first = desk.open(application("A", "靴"), shop="甲")
    second = desk.open(application("A", "帽"), shop="甲")
    desk.open(application("B"), shop="甲")
    elsewhere = desk.open(application("A"), shop="乙")
    assert [one.id for one in orders.of_order(desk.engine, "A")] == [elsewhere.id, second.id, first.id]
    assert [one.id for one in orders.of_order(desk.engine, "A", first.shop_id)] == [second.id, first.id]
    assert orders.of_order(desk.engine, "C") == []
    assert len(orders.of_order(desk.engine, "A", limit=1)) == 1


def test_the_tickets_of_a_buyer_of_just_this_name(desk):
    mine = desk.open(application("A"), shop="甲")
    desk.open(application("B", buyer="梅子酱不加糖"), shop="甲")
    other = desk.open(application("C"), shop="甲")
    assert [one.id for one in orders.of_buyer(desk.engine, "梅子酱", mine.shop_id, [mine.id])] == [other.id]
    assert orders.of_buyer(desk.engine, "", mine.shop_id) == []


def test_the_last_platform_of_a_shop_is_that_of_its_newest_ticket_of_the_type(desk):
    day = timedelta(days=1)
    shop_id = desk.open(application("A", policy="wechat"), shop="甲").shop_id
    desk.open(application("B", policy="kuaishou", at=NOW + day), shop="甲")
    assert orders.last_policy(desk.engine, shop_id, "EX") == "kuaishou"
    assert orders.last_policy(desk.engine, shop_id, "RP") is None


def test_earlier_tickets_tell_of_the_item_they_are_about(desk):
    signed = NOW - timedelta(days=3)
    boot = desk.open(application("A", "靴", receipt_confirmed_at=signed), shop="甲")
    hat = desk.open(application("A", "帽", paid_fen=100), shop="甲")
    both = remembered([hat, boot])
    assert both.items == ("帽", "靴")
    assert "paid_fen" not in both.values
    assert both.values["buyer"] == "梅子酱"
    of_boot = remembered([hat, boot], "靴")
    assert (of_boot.values["paid_fen"], of_boot.values["receipt_confirmed_at"]) == (32900, signed)
    assert of_boot.ticket == boot.number
    assert remembered([]) == preview_opening.Remembered()


def test_a_ticket_whose_clock_has_run_out_is_not_in_the_way(desk):
    ticket = desk.open(application("A"), shop="甲")
    desk.do(Command(ticket.id, "approve", "agent", NOW))
    [in_the_way] = look(desk.engine, application("A", at=NOW), "甲", RULES).verdicts(NOT_MET)
    assert in_the_way.ticket == ticket.number
    later = application("A", at=NOW + timedelta(days=10, seconds=1))
    assert look(desk.engine, later, "甲", RULES).refused is None
    assert queries.ticket(desk.engine, ticket.id).state == "awaiting_buyer_return"  # nothing was written


def test_two_digits_changed_about(desk):
    ticket = desk.open(application("A"), shop="甲")
    assert queries.near(desk.engine, "EX-261002-0010") == [(ticket.id, ticket.number, "甲")]
    assert queries.near(desk.engine, "EX-261002-9999") == []
    assert queries.near(desk.engine, "") == []
