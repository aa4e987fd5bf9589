"""The forecast against the engine itself: what was foretold of the clocks that run now is what then fires."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import event as sql_event

from aftersales import queries
from aftersales.clock import parse
from aftersales.database import create_engine, reading, writing
from aftersales.desk import Command, Desk
from aftersales.errors import Refused
from aftersales.forecast import Deed, Due, Way, asked_of_tickets, deed, forecast, hour_of
from aftersales.queries.forecast import Asked, due, largest, reminders
from aftersales.simulate import simulate, standard_rules
from aftersales.workflows.vocabulary import Timeout

RULES = standard_rules()
ASK = asked_of_tickets(RULES)
HOUR = timedelta(hours=1)


# ── pure ──


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (Way("exchange", "kuaishou", "pending_merchant_review", "auto_approve"), Deed.AGREE),
        (Way("exchange", "kuaishou", "awaiting_buyer_return", "return_timeout"), Deed.CLOSE),
        (Way("exchange", "kuaishou", "awaiting_buyer_confirm", "confirm_timeout"), Deed.CLOSE),
        (Way("exchange", "kuaishou", "inspecting", "inspect_overdue"), Deed.PEOPLE),
        (Way("refund", "wechat", "pending_merchant_review", "auto_approve", "return_refund"), Deed.AGREE),
        (Way("refund", "wechat", "pending_merchant_review", "auto_approve", "unshipped"), Deed.REFUND),
        (Way("refund", "wechat", "pending_merchant_review", "auto_approve", "unshipped", free=True), Deed.CLOSE),
        (Way("refund", "wechat", "inspecting", "auto_accept_return", "return_refund"), Deed.REFUND),
        (Way("refund", "wechat", "negotiating", "proposal_timeout"), Deed.PEOPLE),
        (Way("repair", "kuaishou", "visit_grace", "grace_expired"), Deed.PEOPLE),
        (Way("refund", "wechat", "pending_merchant_review", "no_such_timeout"), Deed.PEOPLE),
        (Way("no_such_type", "wechat", "anywhere", "auto_approve"), Deed.PEOPLE),
    ],
)
def test_what_a_clock_does_is_asked_of_the_engine(way, expected):
    assert deed(way, RULES) is expected


def test_every_timeout_of_every_table_has_a_deed():
    for workflow in RULES.catalog.workflows.values():
        for move in workflow.moves:
            for state in move.sources if isinstance(move, Timeout) else ():
                assert deed(Way(workflow.key, "wechat", state.name, move.name, "unshipped"), RULES) in Deed


def test_hours_begin_with_the_present_one_and_hold_what_is_overdue():
    now = parse("2026-10-02 14:32:00")
    way = Way("refund", "wechat", "pending_merchant_review", "auto_approve", "unshipped")
    groups = [Due(hour_of(now) + n * HOUR, way, 2, 300) for n in (-30, 0, 1, 71, 72)]
    seen = forecast(groups, [(now + HOUR, 3), (now - HOUR, 9), (now + 72 * HOUR, 9)], RULES, now)
    assert [(hour.steps, hour.fen) for hour in seen.hours if hour.steps] == [(4, 600), (2, 300), (2, 300)]
    assert (seen.steps, seen.fen, seen.reminders) == (8, 1200, 3)
    assert seen.hours[0].at == parse("2026-10-02 14:00:00")
    assert seen.paying == {way}


# ── against what fires ──


def _shop(url, seed, days=5, per_day=40):
    """A shop with tickets of all types in the middle of their lives, and the instant it stopped."""
    engine = create_engine(url)
    desk = Desk(engine, lambda: RULES)
    simulate(desk, RULES, seed=seed, days=days, per_day=per_day)
    with reading(engine) as connection:
        last = connection.exec_driver_sql("SELECT max(recorded_at) FROM ticket_event").scalar()
    now = parse(str(last)[:19] + "Z")
    desk.sweep(now + timedelta(seconds=1), 10_000)
    return desk, now + timedelta(seconds=1)


def _foretold(desk, now, hours=72, **rest):
    shops = [id for id, _ in queries.shops(desk.engine)]
    asked = Asked(now, hour_of(now) + hours * HOUR, shops, ASK, **rest)
    spans = RULES.catalog.house.reminder_spans
    return asked, forecast(due(desk.engine, asked), reminders(desk.engine, asked, spans), RULES, now, hours)


def _let_run(desk, now, end):
    """Fires everything up to `end`, alarm by alarm, and gives the first due events of each ticket and all reminders
    of the clocks that ran at `now`."""
    first: dict[int, tuple] = {}
    told: Counter = Counter()
    while (alarm := desk.next_alarm()) is not None and alarm < end:
        for ticket, event in desk.sweep(alarm + timedelta(seconds=1), 10_000).fired:
            if event.kind in ("reminder", "target"):
                told[hour_of(event.at)] += ticket.id not in first
            elif event.due_at is not None:
                first.setdefault(ticket.id, (ticket, event))
    return first, told


@pytest.mark.parametrize("seed", [3, 11])
def test_what_is_foretold_is_what_fires(database_url, seed):
    desk, now = _shop(database_url, seed)
    asked, seen = _foretold(desk, now)
    expected_hours = {hour.at: hour.steps for hour in seen.hours if hour.steps}
    foretold_told = {hour.at: hour.reminders for hour in seen.hours if hour.reminders}
    five = largest(desk.engine, asked, seen.paying, 5)
    assert seen.steps > 20
    assert seen.fen > 0

    first, told = _let_run(desk, now, asked.end)
    fired = Counter(hour_of(event.due_at) for _, event in first.values())
    assert dict(fired) == expected_hours
    assert {hour: count for hour, count in told.items() if count} == foretold_told

    with reading(desk.engine) as connection:
        rows = connection.exec_driver_sql("SELECT ticket_id, amount_fen, created_at FROM payment").all()
    paid = {
        ticket_id: amount
        for ticket_id, amount, created_at in rows
        if ticket_id in first and parse(str(created_at)[:19] + "Z") == first[ticket_id][1].recorded_at
    }
    assert sum(paid.values()) == seen.fen
    assert len(paid) == seen.deeds[Deed.REFUND]
    assert {one.id: one.fen for one in five}.items() <= paid.items()
    assert [one.fen for one in five] == sorted(paid.values(), reverse=True)[:5]

    closed = sum(1 for ticket, event in first.values() if _final(ticket, event))
    assert closed == seen.deeds[Deed.CLOSE]


def _final(ticket, event):
    return RULES.catalog.workflows[ticket.workflow].state(event.to_state).final


def test_spells_of_time_and_shops(database_url):
    desk, now = _shop(database_url, 5, days=3)
    asked, whole = _foretold(desk, now)
    edge = hour_of(now) + 20 * HOUR + timedelta(minutes=30)
    parts = [_foretold(desk, now, spells=[spell])[1] for spell in ((None, edge), (edge, asked.end))]
    assert sum(part.steps for part in parts) == whole.steps
    assert sum(part.fen for part in parts) == whole.fen
    nowhere = Asked(now, asked.end, [], ASK)
    assert due(desk.engine, nowhere) == []
    assert _foretold(desk, now, spells=[])[1].steps == 0


def test_what_is_overdue_counts_and_what_was_set_aside_does_not(database_url):
    desk, now = _shop(database_url, 5, days=3)
    _, seen = _foretold(desk, now)
    late = now + 30 * HOUR
    _, after = _foretold(desk, late)
    over = sum(hour.steps for hour in seen.hours if hour.at < hour_of(late))
    assert after.hours[0].steps >= over > 0
    with writing(desk.engine) as connection:
        connection.exec_driver_sql("UPDATE ticket SET trouble = 'x' WHERE due_at IS NOT NULL AND closed_at IS NULL")
    _, aside = _foretold(desk, late)
    assert aside.hours[0].steps < after.hours[0].steps


def test_people_who_act_in_between_make_it_less(sqlite_url):
    """The forecast is of what happens if nobody acts: a step taken in time takes its refund out."""
    desk, now = _shop(sqlite_url, 3)
    asked, seen = _foretold(desk, now)
    [one] = largest(desk.engine, asked, seen.paying, 1)
    try:
        desk.do(Command(one.id, "cancel", "buyer", now))
    except Refused:
        pytest.skip("this one cannot be cancelled")
    assert _foretold(desk, now)[1].fen == seen.fen - one.fen


def test_counting_reads_the_index_only(sqlite_url):
    """100,000 open tickets are counted in some tens of milliseconds because no ticket is looked at."""
    engine = create_engine(sqlite_url)
    seen = []
    sql_event.listen(engine, "before_cursor_execute", lambda *said: seen.append((said[2], said[3])))
    now = parse("2026-10-02 14:32:00")
    asked = Asked(now, now + 72 * HOUR, [1], ASK)
    due(engine, asked)
    statement, values = next(pair for pair in seen if "count(" in pair[0])
    with reading(engine) as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert "USING INDEX ix_ticket_queue (due_at<?)" in str(plan)
