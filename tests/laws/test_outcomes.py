"""The laws: whatever people, feeds, platforms and the clock do, in whatever order, these stay true.

Most stories are told on SQLite in memory, some on PostgreSQL. A story that breaks a law is printed in words.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import Phase, assume, given, note, settings
from hypothesis import strategies as st

from aftersales import queries
from aftersales.database import reading
from aftersales.decide import NewTicket
from aftersales.desk import Command
from aftersales.rows import EVENT, event_hash
from aftersales.ticket import NOWHERE
from aftersales.workflows.vocabulary import Import, Timeout
from tests.laws.stories import (
    GRACE,
    HOUR,
    IDS,
    MINUTE,
    RULES,
    STARTS,
    TOLD_ONLY,
    Line,
    Scheduler,
    Story,
    World,
    a_world,
    differences,
    fired,
    outcome,
    play,
    readable,
    shown,
    stories,
    tell,
)

#: LAWS_TIMES=20 pytest tests/laws: a long night's hunt
TIMES = int(os.environ.get("LAWS_TIMES", "1"))
#: explaining a failure takes longer than finding it
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
KINDS = ("memory", pytest.param("postgres", marks=pytest.mark.postgres))


def law(*drawn: Any, memory: int = 60, postgres: int = 5) -> Callable[[Any], Any]:
    """A test that holds for everything drawn: on this many examples in memory, and this many on PostgreSQL."""

    def of(check: Callable[..., None]) -> Callable[[str], None]:
        @pytest.mark.parametrize("kind", KINDS)
        def test(kind: str) -> None:
            def holds(found: tuple[Any, ...]) -> None:
                check(kind, *found)

            holds.__name__ = holds.__qualname__ = check.__name__  # each law draws stories of its own
            examples = {"memory": memory, "postgres": postgres}[kind]
            settings(max_examples=examples * TIMES, phases=PHASES)(given(st.tuples(*drawn))(holds))()

        test.__doc__ = check.__doc__
        return test

    return of


def told(world: World, story: Story) -> list[Line]:
    script: list[Line] = []
    try:
        return tell(world, story, script)
    finally:
        note(readable(script))


# ── the clock ─────────────────────────────────────────────────────────────────────────────────────────────────────────

in_time = st.lists(st.sampled_from([1, 2, MINUTE, 14 * MINUTE, 15 * MINUTE - 1, 15 * MINUTE]), min_size=1, max_size=4)
schedulers = st.one_of(
    st.builds(Scheduler, in_time.map(tuple), busy=st.booleans()),
    st.builds(Scheduler, in_time.map(tuple), absent=st.just(True)),
)


@law(stories, schedulers, memory=150, postgres=12)
def test_outcomes_never_depend_on_when_or_how_often_the_scheduler_ran(kind, story, scheduler):
    """As long as no alarm is more than 15 minutes late.

    One that was set when its time was long over is late whatever the scheduler does: what follows counts from when
    people were told (decision 8). And a payment may be tried again a minute after the payment service was really asked
    (WX-09). Such stories say nothing here.
    """
    with a_world(kind) as ideal, a_world(kind) as other:
        ideal.forms_say_their_version = other.forms_say_their_version = False
        script = told(ideal, story)
        assume(not any(line.command and line.command.trigger == "retry_payment" for line in script))
        play(other, script, ideal.now, scheduler)
        assume(all(one.event.recorded_at - one.event.at <= GRACE for one in fired(other)))
        assert differences(outcome(ideal), outcome(other)) == []


outages = st.lists(st.sampled_from([1, 15 * MINUTE, 15 * MINUTE + 1, 9 * HOUR, 300 * HOUR]), min_size=1, max_size=5)


@law(stories, outages)
def test_after_a_long_outage_people_have_their_full_time_from_when_they_were_told(kind, story, lateness):
    """Decision 8: within 15 minutes the next clock starts when the last one ran out, after that when it was noticed."""
    with a_world(kind) as told_in_time, a_world(kind) as world:
        script = told(told_in_time, story)
        play(world, script, told_in_time.now, Scheduler(tuple(lateness)))
        for one in fired(world):
            for clock in one.started:
                limit = RULES.catalog.policies[one.ticket.policy].limit(clock.rule, clock.version, clock.timeout)
                if limit is None or limit.counted_from is not None or clock.basis != "rule":
                    continue
                late = one.event.recorded_at - one.event.at > GRACE
                assert clock.counted_from == (one.event.recorded_at if late else one.event.at)


@law(stories, schedulers)
def test_no_alarm_fires_before_its_time_or_twice(kind, story, scheduler):
    with a_world(kind) as ideal, a_world(kind) as world:
        play(world, told(ideal, story), ideal.now, scheduler)
        for ticket in world.tickets():
            events = world.events(ticket)
            for before, event in pairwise(events):
                move = RULES.workflow(ticket).move(event.trigger)
                if isinstance(move, Timeout):
                    clock = min(before.clocks, key=lambda one: one.due_at)
                    assert (event.due_at, event.rule) == (clock.due_at, clock.rule), "it was not the clock that ran"
                    assert event.recorded_at > clock.due_at, "an instant equal to the due time is in time"
                    assert event.recorded_at > clock.set_at, "nobody could have known of it"
                    assert (event.actor, event.at) == ("system", clock.due_at)
                    assert clock not in event.clocks, "it would fire again"
                if event.kind in TOLD_ONLY:
                    assert event.recorded_at > event.at
            reminded = Counter((event.trigger, event.at, event.due_at) for event in events if event.kind in TOLD_ONLY)
            assert all(times == 1 for times in reminded.values()), reminded


# ── the history ───────────────────────────────────────────────────────────────────────────────────────────────────────


@law(stories)
def test_the_events_of_a_ticket_explain_its_state(kind, story):
    """Contiguous, one per change, each a row of the workflow's table; the last one says what runs now."""
    with a_world(kind) as world:
        told(world, story)
        for ticket in world.tickets():
            events = world.events(ticket)
            assert [event.seq for event in events] == list(range(1, ticket.version + 1))
            assert [event.from_state for event in events] == [NOWHERE, *(event.to_state for event in events[:-1])]
            assert (events[-1].to_state, events[-1].clocks) == (ticket.state, ticket.clocks)
            assert all(one.recorded_at <= other.recorded_at for one, other in pairwise(events))
            arrived = [event for event in events if event.kind == "move" and event.from_state != event.to_state][-1]
            assert (ticket.entered_seq, ticket.entered_at) in [(e.seq, e.at) for e in events if e.seq >= arrived.seq]
            workflow = RULES.workflow(ticket)
            for event in events:
                if event.kind != "move":
                    assert event.from_state == event.to_state
                    continue
                source = None if event.from_state == NOWHERE else workflow.state(event.from_state)
                move = workflow.move(event.trigger)
                told_at = event.facts.get("occurred_at", event.recorded_at)
                assert isinstance(move, Import) or event.at == (event.due_at or told_at)
                assert source is None or source in move.sources
                assert event.to_state in {state.name for state in move.destinations(source)}


@law(stories)
def test_the_seal_of_every_event_holds(kind, story):
    """Each is sealed with the one before, so that nobody changes the past unnoticed."""
    sql = f"SELECT {', '.join(EVENT)} FROM ticket_event ORDER BY ticket_id, seq"
    with a_world(kind) as world:
        told(world, story)
        with reading(world.desk.engine) as connection:
            sealed = [dict(zip(EVENT, row, strict=True)) for row in connection.exec_driver_sql(sql)]
        events = {(ticket.id, event.seq): event for ticket in world.tickets() for event in world.events(ticket)}
        heads: dict[int, str] = {}
        for row in sealed:
            previous, event = heads.get(row["ticket_id"], ""), events[row["ticket_id"], row["seq"]]
            assert row["previous_hash"] == previous
            assert row["hash"] == event_hash(previous, row["shop_id"], row["ticket_id"], event, row["command_key"])
            heads[row["ticket_id"]] = row["hash"]
        assert heads == {ticket.id: ticket.last_hash for ticket in world.tickets()}


@law(stories)
def test_the_ticket_that_is_handed_back_is_the_one_in_the_books(kind, story):
    with a_world(kind) as world:

        def say(line: Line) -> None:
            usual(line)
            if world.handed is not None:
                kept = queries.ticket(world.desk.engine, world.handed.id)
                assert world.handed._replace(last_hash=kept.last_hash) == kept  # a hash is made by writing only

        usual, world.say = world.say, say
        told(world, story)


@law(stories)
def test_every_command_taken_is_one_change(kind, story):
    """What was asked for, its evidence, and what the clock had to do before: nothing more."""
    with a_world(kind) as world:
        seen: dict[str, int] = {}

        def say(line: Line) -> None:
            world.sweep()
            seen.update({ticket.number: ticket.version for ticket in world.tickets()})
            usual(line)
            now = {ticket.number: ticket.version for ticket in world.tickets()}
            if line.command is None or world.handed is None:
                return
            grown = now[line.number] - seen[line.number]
            assert grown == 1 + len(line.command.evidence) or (grown == 0 and line.command.key is not None)

        usual, world.say = world.say, say
        told(world, story)


# ── refusals and repeats ──────────────────────────────────────────────────────────────────────────────────────────────


@law(stories)
def test_a_refusal_changes_nothing(kind, story):
    with a_world(kind) as world:

        def say(line: Line) -> None:
            world.sweep()
            before = world.dump()
            usual(line)
            if world.handed is None:
                assert world.dump() == before, line

        usual, world.say = world.say, say
        told(world, story)


@law(stories)
def test_the_same_key_a_second_time_has_no_effect_and_the_same_answer(kind, story):
    with a_world(kind) as world:

        def say(line: Line) -> None:
            world.sweep()
            line = line.keyed(f"key of line {len(world.answers)}")
            usual(line)
            before = world.dump()
            if world.handed is not None and line.imported is None:
                usual(line)
                assert world.dump() == before
                assert world.answers.pop() == world.answers[-1]

        usual, world.say = world.say, say
        told(world, story)


@law(stories)
def test_a_form_drawn_before_the_ticket_last_moved_loses_and_no_other_does(kind, story):
    with a_world(kind) as world:

        def say(line: Line) -> None:
            world.sweep()
            moved = {ticket.number: ticket.moved_seq for ticket in world.tickets()}
            usual(line)
            command = line.command
            if command is not None and command.key is None:
                stale = command.version is not None and command.version < moved.get(line.number, 0)
                assert (world.answers[-1] == "stale_version") == stale

        usual, world.say = world.say, say
        told(world, story)


# ── money, and waiting ────────────────────────────────────────────────────────────────────────────────────────────────


@law(stories, memory=120)
def test_money_never_exceeds_what_was_paid(kind, story):
    """Of a ticket, and of all tickets that hang together by links."""
    with a_world(kind) as world:
        told(world, story)
        tickets = {ticket.number: ticket for ticket in world.tickets()}
        leaving: Counter[str] = Counter()
        for number, purpose, amount, status in world.payments():
            ticket = tickets[number]
            assert amount > 0
            if purpose == "refund":
                assert (status == "failed") or amount == ticket.refund_fen
            if purpose != "repair_cost" and status != "failed":
                leaving[number] += amount
        for family in families(tickets, world.links()):
            paid = max(tickets[number].left_fen for number in family)
            assert sum(leaving[number] for number in family) <= paid, [(n, leaving[n]) for n in sorted(family)]
        for ticket in tickets.values():
            assert 0 <= ticket.refunded_fen + (ticket.refund_fen or 0) <= ticket.paid_fen


def families(tickets: dict[str, Any], links: list[tuple[Any, ...]]) -> list[set[str]]:
    found = {number: {number} for number in tickets}
    for one, _, other in links:
        joined = found[one] | found[other]
        for number in joined:
            found[number] = joined
    return [family for number, family in found.items() if number == min(family)]


@law(stories)
def test_every_waiting_ticket_has_a_clock_or_a_declared_reason(kind, story):
    """And the scheduler knows when to look at it; a closed ticket waits for nothing."""
    with a_world(kind) as world:
        told(world, story)
        for ticket in world.tickets():
            state = RULES.workflow(ticket).state(ticket.state)
            assert state.final == (ticket.closed_at is not None)
            if state.final:
                assert (ticket.clocks, ticket.paused) == ((), ())
                assert (ticket.alarm_at, ticket.no_clock_reason) == (None, None)
                continue
            assert bool(ticket.clocks) != bool(ticket.no_clock_reason)
            assert not ticket.clocks or (ticket.alarm_at is not None and ticket.alarm_at <= ticket.clock.alarm_at)
            assert all(clock.left_seconds is None for clock in ticket.clocks)
            assert all(clock.left_seconds is not None for clock in ticket.paused)
            for clock in ticket.clocks:  # what it causes can happen here
                assert state in RULES.workflow(ticket).move(clock.timeout).sources


# ── two databases ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.postgres
@settings(max_examples=12, phases=PHASES)
@given(stories, schedulers)
def test_both_databases_keep_the_same_history(story, scheduler):
    with a_world("memory") as ideal, a_world("sqlite") as one, a_world("postgres") as other:
        script = told(ideal, story)
        play(one, script, ideal.now, scheduler)
        play(other, script, ideal.now, scheduler)
        assert one.answers == other.answers
        assert differences(whole_history(one), whole_history(other)) == []


def whole_history(world: World) -> Any:
    """All but the ids, and the hashes that seal them."""
    return {
        "tickets": {ticket.number: shown(ticket, but={"last_hash"} | IDS) for ticket in world.tickets()},
        "events": {ticket.number: shown(world.events(ticket)) for ticket in world.tickets()},
        "payments": world.payments(),
        "links": world.links(),
    }


# ── stories that these laws found ─────────────────────────────────────────────────────────────────────────────────────

AT = STARTS[2]
FOR_100_YUAN = {"paid_fen": 10_000}


def applied(world: World, workflow: str, policy: str, **facts: Any) -> str:
    opening = RULES.catalog.workflows[workflow].openings()[0]
    told = {**FOR_100_YUAN, **facts}
    world.say(Line(world.now, "", new=NewTicket(workflow, policy, opening.name, "buyer", world.now, told, "E1")))
    return world.tickets()[-1].number


def takes(world: World, number: str, trigger: str, by: str, *evidence: str, **facts: Any) -> None:
    world.say(Line(world.now, number, Command(0, trigger, by, world.now, facts, evidence)))
    assert world.handed is not None, world.answers


@pytest.mark.parametrize("late", [1, 10 * MINUTE])
def test_a_limit_that_was_over_when_it_became_known_starts_the_next_one_when_its_alarm_fired(late):
    """On-site repair agreed to on day 4: the 3 days from the application ended a day ago, more than the grace, so
    KS-RP-07 runs 15 days from when people were told (decision 8)."""
    with a_world("memory") as world:
        world.now = AT
        number = applied(world, "repair", "kuaishou", fault="不开机")
        world.now = agreed_at = AT + timedelta(days=4)
        takes(world, number, "approve_on_site", "agent")
        world.now += timedelta(seconds=late)
        world.sweep()
        assert world.tickets()[0].due_at == agreed_at + timedelta(seconds=late, days=15)


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_applies_again_finds_the_first_ticket_as_the_clock_left_it(kind):
    """Its 10 days to ship back are over, and so it is closed, whether the scheduler has got round to it or not."""
    with a_world(kind) as world:
        world.now = AT
        takes(world, applied(world, "exchange", "kuaishou", reason="size"), "approve", "agent")
        world.now += timedelta(days=10, seconds=5)
        applied(world, "exchange", "kuaishou", reason="size")
        assert world.answers[-1].endswith(": pending_merchant_review")


def lost_parcel_refunded(world: World, number: str) -> None:
    takes(world, number, "urge", "agent")
    takes(world, number, "courier_replied", "agent", "courier_reply", result="lost")
    takes(world, number, "record_packaging_feedback", "agent", text="太薄")
    takes(world, number, "choose_remedy", "agent", "chat_log", kind="refund")


def ordered(world: World) -> int:
    return sum(amount for _, _, amount, status in world.payments() if status != "failed")


def test_a_remedy_called_off_while_its_refund_is_paid_out_frees_no_money_for_another():
    with a_world("memory") as world:
        world.now = AT
        number = applied(world, "lost_parcel", "wechat", issue="lost", waybill_no="SF00000001")
        lost_parcel_refunded(world, number)
        for trigger, facts in (
            ("remedy_failed", {}),
            ("choose_remedy", {"kind": "compensate", "amount_fen": 10_000}),
        ):
            world.say(Line(AT, number, Command(0, trigger, "agent", AT, facts, ["chat_log"])))
        assert ordered(world) == 10_000


def test_an_exchange_whose_lost_parcel_was_refunded_is_not_refunded_again():
    with a_world("memory") as world:
        world.now = AT
        number = applied(world, "exchange", "kuaishou", reason="size")
        takes(world, number, "approve", "agent")
        takes(world, number, "submit_return_waybill", "buyer", waybill_no="SF00000001")
        takes(world, number, "accept_and_reship", "agent", waybill_no="SF00000002")
        takes(world, number, "report_reship_problem", "buyer", issue="lost")
        lost_parcel_refunded(world, world.tickets()[-1].number)
        takes(world, world.tickets()[-1].number, "payment_ok", "system")
        world.say(Line(AT, number, Command(0, "convert_to_refund", "agent", AT, {}, ["chat_log"])))
        assert ordered(world) == 10_000


def test_a_clock_that_is_set_back_does_not_make_history_run_backwards():
    with a_world("memory") as world:
        world.now = AT
        number = applied(world, "exchange", "kuaishou", reason="size")
        world.now = AT - timedelta(hours=1)
        takes(world, number, "approve", "agent")
        [ticket] = world.tickets()
        opened, approved = world.events(ticket)
        assert (approved.at, approved.recorded_at) >= (opened.at, opened.recorded_at)
        assert ticket.due_at >= AT + timedelta(days=10)
