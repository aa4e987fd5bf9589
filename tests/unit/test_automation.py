"""What is told of the scheduler: heartbeats, backlog, lateness, tickets set aside, payments; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersales import database, store
from aftersales.clock import parse
from aftersales.database import writing
from aftersales.decide import NewTicket
from aftersales.desk import Command, Desk
from aftersales.queries import automation, board
from aftersales.scheduler import Scheduler
from aftersales.simulate import standard_rules

NOW = parse("2026-10-02 14:32:00")
HOUR = timedelta(hours=1)
RULES = standard_rules()


@pytest.fixture
def desk(database_url):
    return Desk(database.create_engine(database_url), lambda: RULES)


def opened(desk, at, number=1, workflow="exchange", **facts):
    basic = (
        {"paid_fen": 32900, "reason": "size"} if workflow == "exchange" else {"paid_fen": 32900, "reason": "quality"}
    )
    opening = RULES.catalog.workflows[workflow].openings()[0]
    new = NewTicket(workflow, "kuaishou" if workflow == "exchange" else "wechat", opening.name, "buyer", at,
                    {**basic, **facts}, f"订单{number}", "马丁靴")  # fmt: skip
    return desk.open(new, shop="我的店铺")


def beat(desk, name, at, note=""):
    with writing(desk.engine) as connection:
        store.beat(connection, name, started_at=at - HOUR, at=at, fired=3, note=note)


def test_heartbeats_of_the_last_days_those_stopped_last(desk):
    beat(desk, "old", NOW - timedelta(days=3))
    beat(desk, "stopped", NOW, "stopped")
    beat(desk, "running", NOW - timedelta(seconds=3))
    assert [(one.name, one.stopped) for one in automation.beats(desk.engine, NOW)] == [
        ("running", False),
        ("stopped", True),
    ]


def test_the_newest_heartbeat_is_there_however_old(desk):
    beat(desk, "older", NOW - timedelta(days=9))
    beat(desk, "old", NOW - timedelta(days=8))
    assert [one.name for one in automation.beats(desk.engine, NOW)] == ["old"]


def test_a_scheduler_that_ends_says_so(desk):
    scheduler = Scheduler(desk, poll_seconds=0.05, now=lambda: NOW)
    scheduler.start()
    scheduler.stop()
    [one] = automation.beats(desk.engine, NOW)
    assert one.stopped


def test_backlog_is_what_is_due_and_has_not_fired(desk):
    ticket = opened(desk, NOW - 48 * HOUR)  # due at NOW
    assert automation.backlog(desk.engine, NOW - 25 * HOUR).oldest_at is None
    early = automation.backlog(desk.engine, NOW - 23 * HOUR)
    assert (early.due, early.other) == (0, 1)
    assert early.oldest_at == NOW - 24 * HOUR
    desk.sweep(NOW - HOUR)
    late = automation.backlog(desk.engine, NOW + HOUR)
    assert (late.due, late.other, late.oldest_at) == (1, 0, NOW)
    desk.sweep(NOW + HOUR)
    assert automation.backlog(desk.engine, NOW + HOUR).due == 0
    assert ticket.due_at == NOW


def test_lateness_is_counted_from_the_second_in_which_it_might_fire(desk):
    for number, late in enumerate((1, 1, 31)):
        opened(desk, NOW - 48 * HOUR - timedelta(hours=number * 3), number)
        desk.sweep(NOW - timedelta(hours=number * 3) + timedelta(seconds=late))
    hour, day = automation.punctuality(desk.engine, NOW + timedelta(minutes=1), [HOUR, 24 * HOUR])
    assert (hour.count, hour.p50, hour.most) == (1, 0, 0)
    assert (day.count, day.p50, day.p95, day.most, day.whole) == (3, 0, 30, 30, True)


def test_only_the_newest_lines_are_looked_at_and_it_is_said(desk, monkeypatch):
    for number in range(4):
        opened(desk, NOW - 48 * HOUR, number)
    desk.sweep(NOW + timedelta(seconds=1))
    monkeypatch.setattr(automation, "LATEST", 2)
    [day] = automation.punctuality(desk.engine, NOW + HOUR, [24 * HOUR])
    assert (day.count, day.whole) == (2, False)


def test_what_is_set_aside_is_listed_with_its_error_and_is_no_backlog(desk):
    ticket = opened(desk, NOW - 50 * HOUR)
    with writing(desk.engine) as connection:
        store.set_aside(connection, ticket.id, "ValueError: 规则写错了", NOW + HOUR)
    [one] = automation.set_aside(desk.engine, NOW)
    assert (one.number, one.trouble, one.alarm_at, one.trouble_count) == (
        ticket.number, "ValueError: 规则写错了", NOW + HOUR, 1,
    )  # fmt: skip
    assert automation.backlog(desk.engine, NOW + 2 * HOUR).due == 0


def test_payments_and_last_steps(desk):
    refund = opened(desk, NOW - 48 * HOUR, workflow="refund", kind="unshipped")
    desk.do(Command(refund.id, "approve_refund", "agent", NOW - 47 * HOUR))
    ordered, failed = automation.payments(desk.engine)
    assert (ordered.count, ordered.fen, failed.count) == (1, 32900, 0)
    desk.do(Command(refund.id, "payment_failed", "system", NOW - 46 * HOUR))
    ordered, failed = automation.payments(desk.engine)
    assert (ordered.count, failed.count, failed.fen, failed.oldest_at) == (0, 1, 32900, NOW - 47 * HOUR)
    opened(desk, NOW - 48 * HOUR, 2)
    desk.sweep(NOW + timedelta(seconds=1))
    step = automation.last_steps(desk.engine)[0]
    assert (step.trigger, step.rule, step.due_at) == ("auto_approve", "KS-EX-01", NOW)
    assert automation.next_alarms(desk.engine, 1)[0].alarm_at > NOW


# ── in whose hands ──


def test_hands_and_standing_are_counted(desk):
    first, second, third = (opened(desk, NOW - ago * HOUR, number) for number, ago in enumerate((46, 30, 1)))
    for ticket, owner in ((first, "店:li"), (second, "店:li"), (third, "店:chen")):
        desk.do(Command(ticket.id, "assign", "agent", NOW, {"agent": owner}))
    opened(desk, NOW, 9)
    li, nobody, chen = sorted(board.hands(desk.engine, [1], NOW), key=lambda one: (-one.count, one.owner or ""))
    assert (li.owner, li.count, li.in_4h, li.in_24h, li.first_number) == ("店:li", 2, 1, 2, first.number)
    assert (nobody.owner, nobody.count, nobody.in_24h) == (None, 1, 0)
    assert chen.first_due_at == third.due_at
    [state] = board.standing(desk.engine, [1])  # all with a clock
    assert (state.count, state.late, state.since) == (4, 0, first.entered_at)
    assert board.hands(desk.engine, [2], NOW) == []


def test_an_escalated_ticket_is_late(desk):
    ticket = opened(desk, NOW - 24 * 12 * HOUR)
    desk.do(Command(ticket.id, "approve", "agent", ticket.opened_at))
    desk.do(Command(ticket.id, "submit_return_waybill", "buyer", ticket.opened_at, {"waybill_no": "SF0000012345"}))
    desk.do(Command(ticket.id, "return_signed", "system", ticket.opened_at))
    desk.sweep(NOW)
    [one] = board.hands(desk.engine, [1], NOW)
    assert (one.late, one.first_due_at) == (1, None)


def test_held_until_a_time_and_paused(desk):
    near, far = opened(desk, NOW - 40 * HOUR, 1), opened(desk, NOW, 2)
    for ticket in (near, far):
        desk.do(Command(ticket.id, "assign", "agent", NOW, {"agent": "店:li"}))
    assert [one.id for one in board.held_until(desk.engine, "店:li", [1], NOW + 24 * HOUR, 9)] == [near.id]
    assert board.held_paused(desk.engine, "店:li", [1], 9) == []
    talks = opened(desk, NOW - HOUR, 3, workflow="refund", kind="return_refund")
    desk.do(Command(talks.id, "propose", "agent", NOW, {"reason": "价格", "amount_fen": 1000}))
    desk.do(Command(talks.id, "assign", "agent", NOW, {"agent": "店:li"}))
    [paused] = board.held_paused(desk.engine, "店:li", [1], 9)
    assert paused.left_seconds == 47 * 3600
