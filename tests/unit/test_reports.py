"""Figures: what one ticket's history says, and sums that stay right whatever happens and whenever they are counted."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from aftersales import queries
from aftersales.clock import parse
from aftersales.database import reading
from aftersales.desk import Command
from aftersales.models import metadata
from aftersales.office import teams
from aftersales.reports import rollup
from aftersales.reports.figures import NOBODY, Scope, behind, by_day, figures
from aftersales.reports.measures import Measure
from tests.web.conftest import made_world

NOW = parse("2026-10-02 14:32:00")
HOUR = timedelta(hours=1)
OCTOBER = Scope(date(2026, 9, 1), date(2026, 10, 31))


@pytest.fixture
def world(database_url):
    return made_world(database_url)


def do(world, ticket, trigger, actor="agent", *, after, name="", evidence=(), **facts):
    command = Command(ticket.id, trigger, actor, ticket.opened_at + after, facts, evidence, actor_name=name)
    return world.desk.do(command)


def counted(world, scope=OCTOBER):
    rollup.catch_up(world.engine, world.rules)
    return figures(world.engine, scope)


def test_an_answer_within_two_minutes_and_one_after_an_hour(world):
    quick, slow, never = world.open(), world.open(), world.open()
    do(world, quick, "record_contact", after=timedelta(seconds=120), name="店:陈晓", channel="im", summary="您好")
    do(world, slow, "approve", after=HOUR, name="店:李雯")
    world.desk.sweep(never.opened_at + 48 * HOUR + timedelta(seconds=1))
    world.desk.sweep(never.opened_at + timedelta(days=12, seconds=1))
    found = counted(world)
    assert (found.of(Measure.RESPONDED).count, found.of(Measure.RESPONDED).amount) == (2, 120 + 3600)
    assert found.by_person(Measure.RESPONDED_FAST).keys() == {"店:陈晓"}
    assert found.of(Measure.UNANSWERED).count == 1


def test_a_time_limit_is_met_up_to_its_last_second_and_missed_after_it(world):
    in_time, late = world.open(), world.open()
    do(world, late, "assign", after=HOUR, agent="店:李雯")
    do(world, in_time, "approve", after=48 * HOUR, name="店:陈晓")
    world.desk.sweep(late.opened_at + 48 * HOUR + timedelta(seconds=1))
    found = counted(world)
    assert found.by_cause(Measure.MET)[0][0] == "KS-EX-01"
    assert [(person, one.count) for person, one in found.by_person(Measure.MISSED).items()] == [("店:李雯", 1)]
    assert found.share(Measure.MET, Measure.MISSED) == 0.5


def test_a_paused_limit_has_not_ended(world):
    ticket = world.inspecting()
    do(world, ticket, "record_contact", after=HOUR, channel="im", summary="在查")
    assert "KS-EX-03" not in dict(counted(world).by_cause(Measure.MET))


def test_money_that_the_clock_orders_is_the_robot_s_and_what_an_agent_orders_hers(world):
    by_clock = world.open("refund", "wechat", kind="shipped_refund_only", amount_fen=1200)
    by_agent = world.open("refund", "wechat", kind="shipped_refund_only", amount_fen=3400)
    do(world, by_agent, "approve_refund", after=HOUR, name="店:陈晓")
    world.desk.sweep(by_clock.opened_at + timedelta(days=3))
    found = counted(world)
    assert found.of(Measure.PAID_BY_ROBOT).amount == 1200
    assert {person: one.amount for person, one in found.by_person(Measure.PAID_BY_PEOPLE).items()} == {"店:陈晓": 3400}


def test_time_is_told_by_whom_the_ticket_waited_for(world):
    ticket = world.open()
    do(world, ticket, "approve", after=5 * HOUR)
    do(world, ticket, "submit_return_waybill", "buyer", after=29 * HOUR, waybill_no="SF0000012345")
    found = counted(world)
    assert found.of(Measure.WAITED_MERCHANT).amount == 5 * 3600
    assert found.of(Measure.WAITED_BUYER).amount == 24 * 3600


def test_what_it_is_about_and_what_buyers_say_of_the_packaging(world):
    lost, back = world.open("lost_parcel"), world.open()
    do(world, back, "approve", after=HOUR)
    do(world, back, "submit_return_waybill", "buyer", after=HOUR, waybill_no="SF0000012345", courier="顺丰")
    do(world, lost, "record_packaging_feedback", after=HOUR, text="箱子\n太薄")
    found = counted(world)
    assert [cause for cause, _ in found.by_cause(Measure.REASON)] == ["issue:lost", "reason:size"]
    assert found.by_cause(Measure.COURIER)[0][0] == "顺丰"
    assert found.by_cause(Measure.PACKAGING)[0][0] == "箱子 太薄"


def test_nothing_is_none_and_never_zero(world):
    found = counted(world)
    assert found.of(Measure.RESPONDED).mean is None
    assert found.share(Measure.MET, Measure.MISSED) is None


def test_days_are_those_of_shanghai(world):
    world.now = parse("2026-10-03 00:30:00")
    world.open()
    assert list(by_day(world.engine, OCTOBER, [Measure.OPENED])) == []
    rollup.catch_up(world.engine, world.rules)
    assert list(by_day(world.engine, OCTOBER, [Measure.OPENED])) == [("opened", "2026-10-03")]


def test_every_figure_opens_its_tickets_page_by_page(world):
    opened = [world.open() for _ in range(7)]
    rollup.catch_up(world.engine, world.rules)
    seen, after = [], None
    while True:
        page = behind(world.engine, OCTOBER, Measure.OPENED, after=after, limit=3)
        seen += [row.ticket_id for row in page.rows]
        if (after := page.next) is None:
            break
    assert seen == [ticket.id for ticket in opened]
    assert behind(world.engine, OCTOBER, Measure.REASON, cause="reason:size").rows
    assert not behind(world.engine, OCTOBER, Measure.REASON, cause="reason:other").rows


def test_a_scope_leaves_out_other_shops_types_and_days(world):
    world.open()
    other = world.open("refund", "wechat", shop="分店", kind="unshipped", amount_fen=100)
    whole = counted(world)
    assert whole.of(Measure.OPENED).count == 2
    assert counted(world, Scope(NOW.date(), NOW.date(), shop_id=other.shop_id)).of(Measure.OPENED).count == 1
    assert counted(world, Scope(NOW.date(), NOW.date(), workflow="repair")).of(Measure.OPENED).count == 0


def sums(world):
    """Of `measured`, as `measured_day` should have them."""
    table = metadata.tables["measured"]
    counts, amounts = Counter(), Counter()
    with reading(world.engine) as connection:
        for row in connection.execute(select(table)):
            alike = tuple(getattr(row, name) for name in rollup.KEY)
            counts[alike] += 1
            amounts[alike] += row.amount
    return {alike: (counts[alike], amounts[alike]) for alike in counts}


def days(world):
    table = metadata.tables["measured_day"]
    with reading(world.engine) as connection:
        rows = connection.execute(select(table)).all()
    return {tuple(getattr(row, name) for name in rollup.KEY): (row.count, row.amount) for row in rows}


def test_sums_by_day_are_those_of_the_tickets_however_often_and_in_whatever_portions_they_are_counted(world):
    tickets = [world.open(ago=30) for _ in range(5)]
    rollup.catch_up(world.engine, world.rules)
    for step, ticket in enumerate(tickets):
        do(world, ticket, "note", after=HOUR, name="店:陈晓", text="看过")
        if step % 2:
            do(world, ticket, "approve", after=2 * HOUR, name="店:陈晓")
        rollup.step(world.engine, world.rules, at_most=1)
        assert days(world) == sums(world)
    world.desk.sweep(tickets[0].opened_at + timedelta(days=15))
    rollup.catch_up(world.engine, world.rules)
    assert days(world) == sums(world)
    before = days(world)
    rollup.catch_up(world.engine, world.rules)
    assert days(world) == before
    assert sum(count for key, (count, _) in before.items() if key[4] == "opened") == len(tickets)


def test_of_two_who_count_at_once_the_second_leaves_it(world, monkeypatch):
    world.open()
    measure = rollup._measured_anew

    def overtaken(*asked):
        monkeypatch.setattr(rollup, "_measured_anew", measure)
        rollup.catch_up(world.engine, world.rules)
        return measure(*asked)

    monkeypatch.setattr(rollup, "_measured_anew", overtaken)
    assert rollup.step(world.engine, world.rules).tickets == 0
    assert days(world) == sums(world)


def test_a_large_backlog_is_counted_to_its_end_although_nothing_in_it_is_settled(world, monkeypatch):
    monkeypatch.setattr(rollup, "PORTION", 2)
    monkeypatch.setattr(rollup.clock, "now", lambda: NOW)
    tickets = [world.open() for _ in range(7)]
    done = rollup.step(world.engine, world.rules, at_most=2)
    total = done.tickets
    while done.behind:
        done = rollup.step(world.engine, world.rules, after=done.upto, at_most=2)
        total += done.tickets
    assert total == len(tickets)
    assert figures(world.engine, OCTOBER).of(Measure.OPENED).count == len(tickets)
    assert queries.ticket(world.engine, tickets[0].id)


# ── odd histories ──


def test_a_limit_that_is_paused_now_has_neither_been_met_nor_missed(world):
    ticket = world.open("refund", "wechat", kind="return_refund", amount_fen=1200)
    do(world, ticket, "propose", after=HOUR, name="店:陈晓", reason="只退一半", amount_fen=600)
    assert queries.ticket(world.engine, ticket.id).paused
    found = counted(world)
    assert (found.of(Measure.MET).count, found.of(Measure.MISSED).count) == (0, 0)
    do(world, ticket, "accept_proposal", "buyer", after=2 * HOUR)
    assert counted(world).of(Measure.MET).count == 1


def test_a_limit_that_the_buyer_takes_away_is_no_merit_of_the_merchant(world):
    withdrawn, modified = world.open(), world.open()
    do(world, withdrawn, "cancel", "buyer", after=HOUR)
    do(world, modified, "modify", "buyer", after=HOUR)
    found = counted(world)
    assert not found.of(Measure.MET).count
    assert not found.of(Measure.MISSED).count


def test_a_deadline_of_the_platform_in_place_of_the_rule_s_is_one_limit(world):
    ticket = world.open()
    due = ticket.opened_at + 20 * HOUR
    do(world, ticket, "set_platform_deadline", "platform", after=HOUR, due_at=due)
    do(world, ticket, "set_platform_deadline", "platform", after=2 * HOUR, due_at=due + HOUR)
    assert not counted(world).of(Measure.MET).count
    do(world, ticket, "approve", after=20 * HOUR, name="店:陈晓")
    assert counted(world).of(Measure.MET).count == 1
    assert counted(world).of(Measure.MISSED).count == 0


def test_an_escalation_that_keeps_the_ticket_is_one_miss_and_the_state_goes_on(world):
    ticket = world.inspecting()
    world.desk.sweep(ticket.opened_at + timedelta(days=8))
    after = queries.ticket(world.engine, ticket.id)
    assert (after.state, after.escalated) == ("inspecting", True)
    do(world, ticket, "accept_return", after=timedelta(days=9), name="店:陈晓")
    found = counted(world)
    assert dict(found.by_cause(Measure.MISSED))["KS-EX-03"].count == 1
    assert "KS-EX-03" not in dict(found.by_cause(Measure.MET))
    waited = dict(found.by_cause(Measure.WAITED_MERCHANT))["exchange.inspecting"]
    assert waited.count == 1
    assert waited.amount == timedelta(days=9).total_seconds()


def test_of_a_ticket_from_the_platform_nothing_is_said_of_what_went_before(world):
    moved, closed = world.place("exchange", "inspecting"), world.place("exchange", "completed")
    do(world, moved, "accept_return", after=HOUR, name="店:陈晓")
    found = counted(world)
    assert found.of(Measure.OPENED).count == 2
    assert found.of(Measure.RESOLVED).count == 1
    for unknown in (Measure.RESPONDED, Measure.UNANSWERED, Measure.CLOSED, Measure.WAITED_MERCHANT):
        assert not found.of(unknown).count, unknown
    assert closed.closed_at is not None


def test_a_ticket_that_came_over_as_it_began_has_waited_since_the_application(world):
    ticket = world.place("exchange", "pending_merchant_review")
    do(world, ticket, "approve", after=3 * HOUR, name="店:陈晓")
    assert counted(world).of(Measure.WAITED_MERCHANT).amount == 3 * 3600


def test_a_ticket_that_goes_on_from_another_has_no_first_answer_of_its_own(world):
    ticket = world.inspecting()
    do(world, ticket, "convert_to_refund", "platform", after=HOUR, amount_fen=100)
    refund = queries.ticket(world.engine, ticket.id + 1)
    do(world, refund, "note", after=HOUR, name="店:陈晓", text="在办")
    found = counted(world)
    assert found.of(Measure.OPENED).count == 2
    assert found.by_person(Measure.RESPONDED).keys() == {""}


def test_a_ticket_given_back_to_a_group_is_nobody_s_when_its_time_runs_out(world):
    ticket = world.open()
    teams.add(world.engine, "换货组")
    do(world, ticket, "assign", after=HOUR, agent="店:李雯")
    do(world, ticket, "assign", after=2 * HOUR, team="换货组")
    world.desk.sweep(ticket.opened_at + 48 * HOUR + timedelta(seconds=1))
    found = counted(world)
    assert found.by_person(Measure.MISSED).keys() == {""}
    nobody = Scope(OCTOBER.first, OCTOBER.last, person=NOBODY)
    assert [row.ticket_id for row in behind(world.engine, nobody, Measure.MISSED).rows] == [ticket.id]
    assert not behind(world.engine, Scope(OCTOBER.first, OCTOBER.last, person="店:李雯"), Measure.MISSED).rows
