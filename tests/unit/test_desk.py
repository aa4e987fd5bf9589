"""The one door: what it promises to callers, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from aftersales import database, decide, queries
from aftersales.catalog import built_in
from aftersales.clock import parse
from aftersales.decide import Imported, NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.errors import Refused, UnknownTicket
from aftersales.work_calendar import WorkCalendar

RULES = Rules(built_in(), WorkCalendar.default())
MORNING = parse("2022-10-01 10:00:00")
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def desk(database_url):
    return Desk(database.create_engine(database_url), lambda: RULES)


def an_exchange(order_no="E1", at=MORNING, **facts):
    told = {"paid_fen": 19900, "reason": "size", **facts}
    return NewTicket("exchange", "kuaishou", "apply", "buyer", at, told, order_no=order_no, item_no="1")


def approve(ticket, at=MORNING + HOUR, **rest):
    return Command(ticket.id, "approve", "agent", at, **rest)


def triggers(desk, ticket):
    return [event.trigger for event in queries.events(desk.engine, ticket.id)]


def test_a_ticket_gets_a_number_that_people_can_read(desk):
    first = desk.open(an_exchange("E1"), shop="甲")
    second = desk.open(an_exchange("E2"), shop="甲")
    elsewhere = desk.open(an_exchange("E1"), shop="乙")
    assert [first.number, second.number, elsewhere.number] == ["EX-221001-0001", "EX-221001-0002", "EX-221001-0001"]


def test_a_second_open_ticket_on_the_same_item_is_refused_by_the_number_of_the_first(desk):
    desk.open(an_exchange(), shop="甲")
    with pytest.raises(Refused, match="这个商品已有进行中的售后单 EX-221001-0001，请在那一张上处理") as refused:
        desk.open(an_exchange(), shop="甲")
    assert refused.value.code == "duplicate_open_ticket"


def test_a_bad_review_of_an_item_that_was_refunded_is_opened_all_the_same(desk):
    facts = {"kind": "voucher", "paid_fen": 19900, "reason": "other", "voucher_total": 1}
    refund = NewTicket("refund", "kuaishou_local", "apply", "buyer", parse("2023-01-04 10:00:00"), facts, "E1", "1")
    assert desk.open(refund, shop="甲").refund_fen == 19900
    review = NewTicket(
        "bad_review", "kuaishou", "detect", "system", refund.at, {"review_id": "R", "rating": 1}, "E1", "1"
    )
    assert desk.open(review, shop="甲").refunded_fen == 0


def test_the_same_key_twice_opens_one_ticket(desk):
    first = desk.open(an_exchange(), shop="甲", key="k1")
    again = desk.open(an_exchange(), shop="甲", key="k1")
    assert again.id == first.id


def test_the_same_key_twice_is_one_step_and_the_same_answer(desk):
    ticket = desk.open(an_exchange(), shop="甲")
    first = desk.do(approve(ticket, key="k2"))
    again = desk.do(approve(ticket, key="k2"))
    assert (again.state, again.version) == (first.state, first.version) == ("awaiting_buyer_return", 2)
    assert triggers(desk, ticket) == ["apply", "approve"]


def test_a_key_cannot_be_used_for_something_else(desk):
    ticket = desk.open(an_exchange(), shop="甲")
    desk.do(approve(ticket, key="k3"))
    with pytest.raises(Refused, match="这个幂等键已经用于另一个请求，请换一个键重新提交"):
        desk.do(Command(ticket.id, "cancel", "buyer", MORNING + HOUR, key="k3"))


def test_a_form_drawn_before_the_ticket_moved_loses_politely(desk):
    ticket = desk.open(an_exchange(), shop="甲")
    desk.do(Command(ticket.id, "cancel", "buyer", MORNING + HOUR))
    with pytest.raises(
        Refused, match="工单在您打开之后已有变动，请刷新看过最新情况再提交，已填的内容不会丢"
    ) as refused:
        desk.do(approve(ticket, version=ticket.version))
    assert refused.value.code == "stale_version"


def test_a_colleague_s_note_does_not_make_a_form_stale(desk):
    ticket = desk.open(an_exchange(), shop="甲")
    desk.do(Command(ticket.id, "note", "agent", MORNING + HOUR, {"text": "老客户"}))
    assert desk.do(approve(ticket, version=ticket.version)).state == "awaiting_buyer_return"


def test_a_refusal_changes_nothing_and_drops_the_evidence_given_with_it(desk):
    ticket = desk.open(an_exchange(), shop="甲")
    with pytest.raises(Refused):
        desk.do(Command(ticket.id, "reject", "agent", MORNING + HOUR, {"reason_code": 16}, evidence=["photo"]))
    assert triggers(desk, ticket) == ["apply"]


def test_the_clock_catches_up_before_anybody_acts_and_that_stands_even_if_the_step_is_refused(desk):
    ticket = desk.open(an_exchange(), shop="甲")
    late = MORNING + 48 * HOUR + SECOND
    with pytest.raises(Refused) as refused:
        desk.do(approve(ticket, at=late))
    assert refused.value.code == "illegal_transition"
    found = queries.ticket(desk.engine, ticket.id)
    assert (found.state, triggers(desk, ticket)) == ("awaiting_buyer_return", ["apply", "auto_approve"])


def test_two_agents_at_once_one_step(desk):
    ticket = desk.open(an_exchange(), shop="甲")

    def press(number):
        try:
            return desk.do(approve(ticket, actor_name=f"客服{number}")).state
        except Refused as refused:
            return refused.code

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(press, range(4)))
    assert answers == ["awaiting_buyer_return", *["illegal_transition"] * 3]
    assert triggers(desk, ticket) == ["apply", "approve"]


def test_two_tickets_cannot_use_one_waybill_even_at_once(desk):
    tickets = [desk.open(an_exchange(f"E{number}"), shop="甲") for number in range(4)]
    for ticket in tickets:
        desk.do(approve(ticket))

    def ship(ticket):
        facts = {"waybill_no": "SF1000000001"}
        try:
            return desk.do(Command(ticket.id, "submit_return_waybill", "buyer", MORNING + 2 * HOUR, facts)).state
        except Refused as refused:
            return refused.code

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(ship, tickets))
    assert answers == ["awaiting_merchant_receipt", *["invalid_waybill"] * 3]


def test_an_unknown_ticket_says_so(desk):
    with pytest.raises(UnknownTicket, match="没有编号为 77 的工单"):
        desk.do(Command(77, "approve", "agent", MORNING))


def test_an_unknown_policy_or_workflow_says_what_there_is(desk):
    with pytest.raises(Refused, match="没有「jd」这个平台的规则，可选：kuaishou、kuaishou_local、wechat、taobao"):
        desk.open(NewTicket("exchange", "jd", "apply", "buyer", MORNING, {}, order_no="1"), shop="甲")


def test_a_conversion_opens_the_linked_ticket_in_the_same_transaction_or_neither(desk):
    ticket = desk.open(an_exchange(), shop="甲")
    # a refund of the same item is already open, so the conversion cannot open its own
    refund = {"kind": "unshipped", "paid_fen": 19900, "reason": "other"}
    desk.open(NewTicket("refund", "kuaishou", "apply", "buyer", MORNING, refund, order_no="E1", item_no="1"), shop="甲")
    command = Command(ticket.id, "convert_to_refund", "agent", MORNING + HOUR, evidence=["chat_log"])
    with pytest.raises(Refused) as refused:
        desk.do(command)
    assert refused.value.code == "duplicate_open_ticket"
    assert triggers(desk, ticket) == ["apply"]
    assert queries.linked(desk.engine, ticket.id) == []


def test_a_refunded_remedy_tells_the_lost_parcel(desk):
    facts = {"waybill_no": "SF2000000001", "issue": "lost", "paid_fen": 9900}
    told = NewTicket("lost_parcel", "kuaishou", "report", "buyer", MORNING, facts, order_no="L1")
    parcel = desk.open(told, shop="甲")
    for trigger, given, evidence in [
        ("urge", {}, []),
        ("courier_replied", {"result": "lost"}, ["courier_reply"]),
        ("record_packaging_feedback", {"text": "纸箱太薄"}, []),
        ("choose_remedy", {"kind": "refund"}, ["chat_log"]),
    ]:
        parcel = desk.do(Command(parcel.id, trigger, "agent", MORNING + HOUR, given, evidence))
    [(relation, refund)] = queries.linked(desk.engine, parcel.id)
    desk.do(Command(refund.id, "payment_ok", "system", MORNING + 2 * HOUR))
    assert relation == "remedy_of"
    assert queries.ticket(desk.engine, parcel.id).state == "resolved_refunded"


def test_a_reminder_tells_people_once_and_moves_nothing(desk):
    ticket = desk.open(an_exchange(), shop="甲")
    desk.sweep(MORNING + 24 * HOUR + SECOND)
    desk.sweep(MORNING + 25 * HOUR)
    found = queries.ticket(desk.engine, ticket.id)
    assert (found.state, triggers(desk, ticket)) == ("pending_merchant_review", ["apply", "reminder"])
    assert desk.do(approve(ticket, at=MORNING + 26 * HOUR, version=ticket.version)).state == "awaiting_buyer_return"


def test_nothing_fires_at_the_due_time_and_once_a_second_later(desk):
    ticket = desk.open(an_exchange(), shop="甲")
    due = MORNING + 48 * HOUR
    assert [event.kind for _, event in desk.sweep(due).fired] == ["reminder"]
    fired = [event for at in (due + SECOND, due + SECOND, due + HOUR) for _, event in desk.sweep(at).fired]
    assert [(event.trigger, event.at, event.due_at) for event in fired] == [("auto_approve", due, due)]
    assert fired[0].recorded_at == due + SECOND
    assert triggers(desk, ticket) == ["apply", "reminder", "auto_approve"]


def test_an_alarm_is_told_to_the_scheduler(database_url):
    told = []
    desk = Desk(database.create_engine(database_url), lambda: RULES, told.append)
    desk.open(an_exchange(), shop="甲")
    assert told == [MORNING + 24 * HOUR]


def test_a_ticket_that_cannot_be_decided_is_set_aside_and_stops_no_other(desk, monkeypatch):
    broken, sound = (desk.open(an_exchange(order), shop="甲") for order in ("E1", "E2"))
    real = decide.catch_up

    def raising(ticket, now, rules):
        if ticket.id == broken.id:
            raise ZeroDivisionError("规则算错了")
        return real(ticket, now, rules)

    monkeypatch.setattr(decide, "catch_up", raising)
    due = MORNING + 48 * HOUR + SECOND
    swept = desk.sweep(due)
    assert swept.set_aside == [(broken.id, "ZeroDivisionError: 规则算错了")]
    aside = queries.ticket(desk.engine, broken.id)
    assert (aside.state, aside.trouble_count, aside.alarm_at) == (
        "pending_merchant_review", 1, due + timedelta(minutes=1),
    )  # fmt: skip
    assert queries.ticket(desk.engine, sound.id).state == "awaiting_buyer_return"
    monkeypatch.undo()
    desk.sweep(due + 2 * HOUR)
    assert queries.ticket(desk.engine, broken.id).state == "awaiting_buyer_return"


def test_a_provisional_due_time_is_counted_again_when_the_calendar_is_there(database_url, tmp_path):
    engine = database.create_engine(database_url)
    facts = {"kind": "voucher", "voucher_total": 1, "paid_fen": 9900, "reason": "other"}
    at = parse("2026-12-28 10:00:00")
    told = NewTicket("refund", "kuaishou_local", "apply", "buyer", at, facts, order_no="V1")
    ticket = Desk(engine, lambda: RULES).open(told, shop="甲")
    assert (ticket.due_at, ticket.clock.provisional) == (parse("2027-01-06 23:59:59"), True)

    published = tmp_path / "calendar.yaml"
    published.write_text("published_years: [2027]\nholidays: [2027-01-01, 2027-01-04]\n", encoding="utf-8")
    known = Rules(built_in(), WorkCalendar.default(published))
    desk = Desk(engine, lambda: known)
    assert desk.recount_provisional(at + HOUR) == 1
    found = queries.ticket(engine, ticket.id)
    assert (found.due_at, found.clock.provisional) == (parse("2027-01-08 23:59:59"), False)
    assert desk.recount_provisional(at + HOUR) == 0


def test_an_imported_ticket_whose_deadline_is_long_past_is_left_to_the_platform(desk):
    shown = Imported(
        "refund", "kuaishou", "pending_merchant_review", MORNING, "R1", 5000, amount_fen=5000, platform_no="P1",
        platform_due_at=MORNING + 48 * HOUR, fields={"kind": "shipped_refund_only", "reason": "other"},
    )  # fmt: skip
    [late] = desk.import_tickets([shown], shop="甲", now=MORNING + 100 * HOUR)
    assert (late.due_at, late.no_clock_reason, late.authority) == (None, "platform_past_due", "platform")
    assert desk.sweep(MORNING + 200 * HOUR).fired == []


def test_a_remedy_that_failed_leaves_its_money_to_the_next_one_only(desk):
    facts = {"waybill_no": "SF2000000002", "issue": "lost", "paid_fen": 9900}
    parcel = desk.open(
        NewTicket("lost_parcel", "kuaishou", "report", "buyer", MORNING, facts, order_no="L2"), shop="甲"
    )
    for trigger, given, evidence in [
        ("urge", {}, []),
        ("courier_replied", {"result": "lost"}, ["courier_reply"]),
        ("record_packaging_feedback", {"text": "纸箱太薄"}, []),
        ("choose_remedy", {"kind": "refund"}, ["chat_log"]),
        ("remedy_failed", {}, []),
        ("choose_remedy", {"kind": "compensate", "amount_fen": 9900}, ["chat_log"]),
    ]:
        parcel = desk.do(Command(parcel.id, trigger, "agent", MORNING + HOUR, given, evidence))
    [(_, refund)] = queries.linked(desk.engine, parcel.id)
    assert (parcel.state, refund.state) == ("compensating", "refund_failed")
    with pytest.raises(Refused, match="这件商品的钱已经用别的方案退给买家，不能再打款"):
        desk.do(Command(refund.id, "retry_payment", "agent", MORNING + 2 * HOUR))
