"""Tickets alike take one decision (alike.py), and nothing in the database shows it: not a row, not a hash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from aftersales import audit
from aftersales.alike import Kind, Leaps
from aftersales.catalog import Catalog
from aftersales.clock import parse
from aftersales.database import create_all, create_engine
from aftersales.decide import Rules
from aftersales.desk import Desk, Swept
from aftersales.durations import civil_days, days, hours, workdays
from aftersales.policies.vocabulary import APPLICATION, Document, House, Policy, Rule, Target, agreed, no_limit, since
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows import facts, guards
from aftersales.workflows.exchange import Exchange
from tests.conftest import fresh_database
from tests.faults.due_tickets import application
from tests.laws.stories import (
    DAY,
    HOUR,
    MINUTE,
    RULES,
    SHOP,
    Scheduler,
    World,
    differences,
    play,
    readable,
    stories,
    tell,
)

HOURS, TICKETS = timedelta(hours=1), 60
KINDS = ("memory", pytest.param("postgres", marks=pytest.mark.postgres))

# ── books in which much, or little, is alike ──────────────────────────────────────────────────────────────────────────

OLD, NEW = Document("旧规", "2023-01-01", "测试"), Document("新规", "2023-02-01", "测试")
BOUNDARY = NEW.begins


def rule(id: str, state: Any, then: Any, *lengths: Any, **more: Any) -> Rule:
    """One line for each length: under the old document, then under the new one."""
    when = more.pop("when", None)
    lines = [
        since(document, length, then=then, quote=id, **more)
        for document, length in zip((OLD, NEW), lengths, strict=False)
    ]
    return Rule(id, id, state, *lines, when=when)


REVIEW = Exchange.pending_merchant_review, Exchange.auto_approve
RETURN = Exchange.awaiting_buyer_return, Exchange.return_timeout


def book(
    *rules: Rule, house: House = RULES.catalog.house, grace: timedelta = RULES.catch_up_grace, **more: Any
) -> Rules:
    policy = Policy("kuaishou", "测试", [OLD, NEW], rules, **more)
    policies = {**RULES.catalog.policies, "kuaishou": policy}
    return Rules(Catalog(RULES.catalog.workflows, policies, house), WorkCalendar.default(), grace)


def reviewed(*rest: Rule, **more: Any) -> Rules:
    return book(rule("V-1", *REVIEW, hours(4)), *rest, **more)


INSPECTION = rule("V-3", Exchange.inspecting, Exchange.inspect_overdue, days(2))
CONFIRMATION = rule("V-4", Exchange.awaiting_buyer_confirm, Exchange.confirm_timeout, days(2))
UNSURE_REMINDER = House([hours(24 * 10 - 1)], [])

#: what differs from ticket to ticket in each of these must be found out by `alike`
NOT_ALIKE = {
    "workdays": reviewed(rule("V-2", *RETURN, workdays(3))),
    "civil days": reviewed(rule("V-2", *RETURN, civil_days(3))),
    "from the application": reviewed(rule("V-2", *RETURN, days(3), counted_from=APPLICATION)),
    "from a fact": reviewed(rule("V-2", *RETURN, days(3), counted_from=facts.receipt_confirmed_at)),
    "agreed": reviewed(rule("V-2", *RETURN, agreed(facts.agreed_period_days, days(3)))),
    "for some": reviewed(rule("V-2", *RETURN, days(3), when=guards.visit_needed)),
    "pinned to the ticket": reviewed(rule("V-2", *RETURN, days(10), days(5)), pin="ticket"),
    "a target": reviewed(house=House([], [Target("T", "T", Exchange.awaiting_buyer_return, hours(9))])),
}
ALIKE = {
    "as built in": RULES,
    "two versions": book(*(rule(id, *row, days(2), days(1)) for id, row in (("V-1", REVIEW), ("V-2", RETURN)))),
    "two clocks of one state": reviewed(rule("V-2", *RETURN, days(3)), rule("V-2b", *RETURN, days(2))),
    "no rule yet": reviewed(Rule("V-2", "V-2", RETURN[0], since(NEW, days(2), then=RETURN[1], quote="V-2"))),
    "no limit": reviewed(Rule("V-2", "V-2", RETURN[0], no_limit(OLD, because="无"))),
    "much grace": reviewed(rule("V-2", *RETURN, days(10)), INSPECTION, house=UNSURE_REMINDER, grace=2 * HOURS),
}
BOOKS = {**ALIKE, **NOT_ALIKE}
LATENESS = st.sampled_from([1, 2, 14 * MINUTE, 15 * MINUTE, 15 * MINUTE + 1, 2 * HOUR, 3 * HOUR, 9 * DAY])


# ── two worlds ────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def a_world_under(rules: Rules, kind: str, *, alike: bool) -> Iterator[World]:
    engine = create_engine("sqlite://" if kind == "memory" else fresh_database(kind))
    if kind == "memory":
        create_all(engine)
    try:
        desk = Desk(engine, lambda: rules)
        desk.sweep = partial(desk.sweep, alike=alike)  # type: ignore[method-assign]
        yield World(desk)
    finally:
        engine.dispose()


def same_in_both(rules: Rules, kind: str, happens: Any) -> tuple[Any, Any]:
    """What happens in a world that takes one decision for all alike leaves the rows it leaves in one that does not."""
    results, dumps = [], []
    for alike in (False, True):
        with a_world_under(rules, kind, alike=alike) as world:
            results.append(happens(world))
            dumps.append(world.dump())
            if kind != "memory":
                assert audit.audit(world.desk.engine, rules).ok
    assert differences(*[{name: [list(row) for row in rows] for name, rows in dump.items()} for dump in dumps]) == []
    assert dumps[0] == dumps[1]
    return tuple(results)  # type: ignore[return-value]


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_shows_that_one_decision_was_taken_for_many(kind: str) -> None:
    around = st.one_of(st.none(), st.integers(-6 * DAY, 2 * DAY).map(lambda n: BOUNDARY + timedelta(seconds=n)))

    @settings(max_examples=80 if kind == "memory" else 8)
    @given(stories, st.sampled_from(sorted(BOOKS)), st.lists(LATENESS, min_size=1, max_size=3), around)
    def holds(story: Any, name: str, lateness: list[int], starts_at: datetime | None) -> None:
        rules = BOOKS[name]
        if rules is not RULES or starts_at is not None:
            story = replace(story, starts_at=starts_at or BOUNDARY, kind=("exchange", "kuaishou"))
        with a_world_under(rules, "memory", alike=False) as world:
            script = tell(world, story)
            until = world.now + timedelta(days=30)
        note(name)
        note(readable(script))
        same_in_both(rules, kind, lambda world: play(world, script, until, Scheduler(tuple(lateness))))

    holds()


# ── a storm, around everything that could make a difference ───────────────────────────────────────────────────────────


def storm(rules: Rules, kind: str, opened: datetime, every: timedelta, late: timedelta) -> tuple[Swept, Swept]:
    """Sixty applications, and one sweep of all of them."""

    def happens(world: World) -> Swept:
        for number in range(TICKETS):
            world.desk.open(application(opened + number * every, f"E{number}"), shop=SHOP)
        due = max(ticket.due_at for ticket in world.tickets() if ticket.due_at)
        for reminders in (timedelta(days=-1), timedelta(hours=-4)):
            world.desk.sweep(due + reminders)
        swept = world.desk.sweep(due + late)
        world.now = due + timedelta(days=20)
        world.sweep()
        return swept

    return same_in_both(rules, kind, happens)


def test_a_storm_is_swept_as_one_ticket_after_the_other(database_url: str) -> None:
    kind = "postgres" if database_url.startswith("postgres") else "sqlite"
    for late in (timedelta(seconds=1), timedelta(minutes=20), timedelta(days=3)):
        each, alike = storm(RULES, kind, parse("2023-05-01 10:00"), timedelta(seconds=17), late)
        assert len(each.fired) == len(alike.leapt) == TICKETS
        assert each.alarms == alike.alarms


@pytest.mark.parametrize("name", sorted(BOOKS))
@pytest.mark.parametrize(("every", "late"), [(10, 1), (10, 10 * MINUTE), (16 * MINUTE, HOUR), (16 * MINUTE, 3 * DAY)])
def test_in_any_book_around_a_new_version(name: str, every: int, late: int) -> None:
    """Half of the clocks run out before it begins, half after."""
    length = (48 if name in ("as built in", "two versions") else 4) * HOURS
    step = timedelta(seconds=every)
    storm(BOOKS[name], "memory", BOUNDARY - length - TICKETS // 2 * step, step, timedelta(seconds=late))


NOW = parse("2023-05-01 10:00")


def leaps_of(rules: Rules, now: datetime = NOW) -> list[bool]:
    kind = Kind("exchange", "kuaishou", REVIEW[0].name, "V-1", "2023-01-01", REVIEW[1].name)
    return [Leaps(rules).find(kind, late, now) is not None for late in (False, True)]


@pytest.mark.parametrize("name", sorted(NOT_ALIKE))
def test_what_differs_from_ticket_to_ticket_is_never_taken_for_alike(name: str) -> None:
    assert leaps_of(NOT_ALIKE[name]) == [False, False]


@pytest.mark.parametrize("name", sorted(set(ALIKE) - {"much grace"}))
def test_what_is_alike_is_taken_so(name: str) -> None:
    assert leaps_of(ALIKE[name]) == [True, True]


def test_a_reminder_that_some_get_and_others_do_not_is_looked_at_one_by_one() -> None:
    assert leaps_of(ALIKE["much grace"]) == [False, True]


def test_while_a_new_version_begins_each_is_looked_at_but_for_the_late_ones() -> None:
    rules = ALIKE["two versions"]
    assert leaps_of(rules, BOUNDARY - timedelta(seconds=1)) == [True, True]
    assert leaps_of(rules, BOUNDARY) == [False, True]
    assert leaps_of(rules, BOUNDARY + rules.catch_up_grace) == [True, True]


def test_what_tells_pays_or_writes_down_something_is_looked_at_one_by_one() -> None:
    """A refund that closes tells the lost parcel it was the remedy of; a breach remembers what the buyer may claim."""
    kinds = [
        Kind("refund", "wechat", "awaiting_buyer_return", "WX-03", "undated", "return_timeout"),
        Kind("refund", "wechat", "pending_merchant_review", "WX-01", "undated", "auto_approve"),
        Kind("repair", "kuaishou", "repairing", "KS-RP-02", "2022-09-30", "repair_overdue"),
    ]
    leaps = Leaps(RULES)
    assert [leaps.find(kind, late, NOW) for kind in kinds for late in (False, True)] == [None] * 6


def test_an_escalation_that_stays_where_it_is_is_alike_too() -> None:
    kind = Kind("exchange", "kuaishou", "inspecting", "KS-EX-03", "2022-09-30", "inspect_overdue")
    leap = Leaps(RULES).find(kind, False, NOW)
    assert leap is not None
    assert not leap.arrives
    assert set(leap.changed) >= {"overdue_in", "escalated", "clocks", "no_clock_reason"}
