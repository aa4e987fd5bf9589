"""What holds for every decision, found without a database: `decide` alone, on random stories."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from aftersales import clocks, decide, rows
from aftersales.catalog import Catalog
from aftersales.clock import parse
from aftersales.decide import Attempt, Imported, Rules
from aftersales.durations import Duration
from aftersales.errors import Refused
from aftersales.policies.vocabulary import Document, Policy, Rule, days, hours, since
from aftersales.rows import Instants
from aftersales.ticket import Change, Clock, Entry, Ticket
from aftersales.workflows.exchange import Exchange
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import ADDS, ENDS, PAUSES, RESUMES, RUNS_ON, STARTS, State, Timeout
from tests.laws.stories import (
    ACTORS,
    GRACE,
    LEARNED,
    RULES,
    SECOND,
    TOLD_ONLY,
    USEFUL,
    Draw,
    Paper,
    imported,
    shown,
    stories,
    tell,
)

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
NOW = parse("2023-12-28 18:00:00")


def law(*drawn: Any, examples: int = 150) -> Callable[[Any], Any]:
    return lambda check: settings(max_examples=examples, phases=PHASES)(given(*drawn)(check))


def on_paper(story: Any, rules: Rules = RULES) -> Paper:
    paper = Paper(rules)
    tell(paper, story)
    return paper


def instants_around(ticket: Ticket, now: datetime) -> list[datetime]:
    """Now, and the seconds around everything that runs out."""
    ends = [end for clock in ticket.clocks for end in (clock.due_at, clock.alarm_at)]
    around = [end + timedelta(seconds=n) for end in ends for n in (0, 1, 900, 901, 40 * 86_400)]
    return [now, *(instant for instant in around if instant >= now)]


# ── the clock catches up ──────────────────────────────────────────────────────────────────────────────────────────────


@law(stories)
def test_catching_up_twice_is_catching_up_once(story):
    paper = on_paper(story)
    for ticket in paper.tickets():
        for now in instants_around(ticket, paper.now):
            change = decide.catch_up(ticket, now, RULES)
            assert change is None or decide.catch_up(change.after, now, RULES) is None


@law(stories)
def test_a_clock_never_fires_at_the_instant_it_is_due_and_always_a_second_later(story):
    paper = on_paper(story)
    for ticket in (change.after for _, change in paper.changes):
        if ticket.clock is None:
            continue
        first = min(clock.alarm_at for clock in ticket.clocks)
        assert decide.catch_up(ticket, first, RULES) is None
        change = decide.catch_up(ticket, ticket.clock.alarm_at + SECOND, RULES)
        assert change is not None
        assert change.events[0].due_at == ticket.clock.due_at
        assert change.events[0].at == ticket.clock.due_at


@law(stories, st.lists(st.integers(1, 15 * 60), min_size=1, max_size=4))
def test_catching_up_in_many_passes_is_catching_up_in_one(story, passes):
    """As long as the last of them is within the grace of the first alarm."""
    paper = on_paper(story)
    for ticket in paper.tickets():
        if ticket.clock is None:
            continue
        many, begins = ticket, max(paper.now, ticket.clock.alarm_at)
        for seconds in sorted(passes):
            change = decide.catch_up(many, begins + timedelta(seconds=seconds), RULES)
            many = many if change is None else change.after
        once = decide.catch_up(ticket, begins + timedelta(seconds=max(passes)), RULES)
        assume(begins - ticket.clock.alarm_at + timedelta(seconds=max(passes)) <= GRACE)
        assert once is not None
        assert shown(many, LEARNED) == shown(once.after, LEARNED)


@law(stories)
def test_a_reminder_moves_nothing_and_is_over(story):
    for _, change in on_paper(story).changes:
        if change.events[0].kind in TOLD_ONLY:
            before, after = change.before, change.after
            assert (before.state, before.clocks, before.moved_seq) == (after.state, after.clocks, after.moved_seq)
            assert after.alarm_at is None or after.alarm_at > before.alarm_at


# ── what a step does to the clocks ────────────────────────────────────────────────────────────────────────────────────


def moves(paper: Paper) -> list[tuple[Any, Change]]:
    """Every change made by a row of the table, with what that row (or the branch it took) does to the clocks."""
    found = []
    for _, change in paper.changes:
        event = change.events[-1]
        if change.before is None or event.kind != "move":
            continue
        workflow = paper.rules.workflow(change.after)
        move = workflow.move(event.trigger)
        effects = {branch.clock or move.clock for branch in move.branches if _arrives(branch, event)}
        if len(effects) == 1 and not workflow.state(event.to_state).final:
            found.append((effects.pop(), change))
    return found


def _arrives(branch: Any, event: Any) -> bool:
    return (event.from_state if branch.to is None else branch.to.name) == event.to_state


@law(stories)
def test_a_row_that_lets_the_clock_run_on_never_changes_a_due_time(story):
    for effect, change in moves(on_paper(story)):
        if effect is RUNS_ON:
            assert (change.after.clocks, change.after.paused) == (change.before.clocks, change.before.paused)


@law(stories)
def test_pausing_and_resuming_conserve_the_time_left_to_the_second(story):
    for effect, change in moves(on_paper(story)):
        before, after, at = change.before, change.after, change.events[-1].at
        if effect is PAUSES:
            assert [clock.left_seconds for clock in after.paused] == [seconds(c.due_at - at) for c in before.clocks]
        if effect is RESUMES:
            assert [seconds(clock.due_at - at) for clock in after.clocks] == [c.left_seconds for c in before.paused]
            assert not after.paused


def seconds(span: timedelta) -> int:
    return max(0, int(span.total_seconds()))


instants = st.integers(0, 400 * 86_400).map(lambda n: parse("2022-09-29") + timedelta(seconds=n))
spans = st.integers(0, 40 * 86_400).map(lambda n: timedelta(seconds=n))


@given(instants, spans, spans, spans)
def test_a_clock_paused_for_any_time_has_as_much_left_as_before(started, ran, left, slept):
    clock = Clock("R", "v", "t", started, started + ran + left, started)
    [paused] = clocks.pause([clock], started + ran)
    [resumed] = clocks.resume([paused], started + ran + slept, started + ran + slept)
    assert resumed.due_at - (started + ran + slept) == left
    assert resumed._replace(due_at=clock.due_at, set_at=clock.set_at) == clock


@law(stories)
def test_the_platform_s_deadline_replaces_one_due_time_and_keeps_what_was_computed(story):
    for attempt, change in on_paper(story).changes:
        if attempt is None or attempt.trigger != "set_platform_deadline":
            continue
        before, after = change.before, change.after
        asked = parse(attempt.facts["due_at"])
        [new] = [clock for clock in after.clocks if clock not in before.clocks] or [after.clock]
        assert (new.due_at, new.basis) == (asked, "platform")
        if before.clock is not None:
            old = before.clock
            assert new.computed_due_at == (old.computed_due_at or old.due_at)
            assert (new.rule, new.version, new.timeout) == (old.rule, old.version, old.timeout)
            assert len(after.clocks) == len(before.clocks)


@law(stories)
def test_every_due_time_follows_from_the_rule_version_in_force_when_its_clock_starts(story):
    for _, change in on_paper(story).changes:
        check_clocks(change.after, RULES)


# A book with two versions, the second half as long: the built-in ones have only one yet.
OLD, NEW = Document("旧规", "2023-01-01", "测试"), Document("新规", "2023-02-01", "测试")


def _halved(id: str, state: Any, timeout: Any, length: Any) -> Rule:
    return Rule(id, id, state, *[
        since(document, length(count), then=timeout, quote=id) for document, count in ((OLD, 4), (NEW, 2))
    ])  # fmt: skip


TWO_VERSIONS = Policy("kuaishou", "两版", [OLD, NEW], [
    _halved("V-1", Exchange.pending_merchant_review, Exchange.auto_approve, hours),
    _halved("V-2", Exchange.awaiting_buyer_return, Exchange.return_timeout, days),
    _halved("V-3", Exchange.inspecting, Exchange.inspect_overdue, days),
    _halved("V-4", Exchange.awaiting_buyer_confirm, Exchange.confirm_timeout, days),
])  # fmt: skip
VERSIONED = Rules(
    Catalog(RULES.catalog.workflows, {**RULES.catalog.policies, "kuaishou": TWO_VERSIONS}, RULES.catalog.house),
    RULES.calendar,
)
around_the_change = st.integers(-6 * 86_400, 2 * 86_400).map(lambda n: parse("2023-02-01") + timedelta(seconds=n))


@law(stories, around_the_change)
def test_a_new_version_holds_for_clocks_that_start_under_it_and_for_no_other(story, starts_at):
    story = replace(story, starts_at=starts_at, kind=("exchange", "kuaishou"))
    for _, change in on_paper(story, VERSIONED).changes:
        check_clocks(change.after, VERSIONED)


def check_clocks(ticket: Ticket, rules: Rules) -> None:
    """Computed again, by the book alone."""
    for clock in ticket.clocks:
        rule = rules.policy(ticket).rule(clock.rule)
        if not isinstance(rule, Rule) or clock.basis != "rule":
            continue
        in_force = [limit for limit in rule.history if limit.document.begins <= clock.counted_from]
        assert clock.version == in_force[-1].document.label
        if isinstance(in_force[-1].within, Duration) and not _was_paused(ticket, clock):
            assert clock.due_at == in_force[-1].within.after(clock.counted_from, rules.calendar).due_at


def _was_paused(ticket: Ticket, clock: Clock) -> bool:
    return clock.counted_from < ticket.entered_at <= clock.set_at and clock.set_at > ticket.applied_at


# ── books and forms ───────────────────────────────────────────────────────────────────────────────────────────────────


@law(stories)
def test_the_version_is_the_number_of_events(story):
    for _, change in on_paper(story).changes:
        first = 0 if change.before is None else change.before.version
        assert [event.seq for event in change.events] == list(range(first + 1, change.after.version + 1))


@law(stories)
def test_what_becomes_json_comes_back_as_it_was(story):
    for _, change in on_paper(story).changes:
        ticket, at = change.after, Instants()
        for running in (ticket.clocks, ticket.paused, *(event.clocks for event in change.events)):
            assert rows.clocks_from_json(rows.clocks_to_json(running, at)) == running
        for values in (ticket.fields, *(event.facts for event in change.events)):
            assert rows.from_json(rows.to_json(values)) == dict(values)
        for event in change.events:
            sealed = rows.event_values("", ticket, event, rows.clocks_to_json(event.clocks, at), None, at)
            assert rows.event_from_row(sealed) == event


@law(stories, st.sampled_from(ACTORS))
def test_a_button_that_is_shown_can_be_pressed_and_one_that_is_not_cannot(story, actor):
    """Shown: nothing but what is filled in, evidence or other tickets can stand against it."""
    paper = on_paper(story)
    for ticket in paper.tickets():
        if decide.catch_up(ticket, paper.now, RULES) is not None:
            continue
        buttons = {step.name for step in decide.allowed(ticket, actor, paper.now, RULES)}
        for move in RULES.workflow(ticket).moves:
            code = refusal(ticket, Attempt(move.name, actor, paper.now))
            if move.name in buttons:
                assert code not in ("illegal_transition", "forbidden_actor", "not_yet_due")
            else:
                assert code is not None, f"{move} is not shown, but can be taken"
                assert not isinstance(move, Timeout) or code in ("illegal_transition", "forbidden_actor", "not_yet_due")


def refusal(ticket: Ticket, attempt: Attempt) -> str | None:
    try:
        decide.take(ticket, attempt, RULES)
    except Refused as refused:
        return refused.code
    return None


@law(stories)
def test_what_was_taken_had_been_shown(story):
    paper = on_paper(story)
    for attempt, change in paper.changes:
        if attempt is not None and attempt.trigger not in PLAIN_ACTIONS:
            buttons = decide.allowed(change.before, attempt.actor, attempt.at, RULES)
            assert attempt.trigger in {step.name for step in buttons}


@law(stories)
def test_money_is_a_whole_number_of_fen_and_never_more_than_was_paid(story):
    for _, change in on_paper(story).changes:
        ticket = change.after
        assert all(type(n) is int for n in (ticket.paid_fen, ticket.refunded_fen, ticket.refund_fen or 0))
        assert 0 <= (ticket.refund_fen or 0) <= ticket.left_fen
        if ticket.workflow == "refund":  # what is asked for, and what the shop offers instead
            asked = ticket.fields["amount_fen"]
            assert 0 <= ticket.fields.get("proposed_fen", 0) <= asked <= ticket.left_fen
        for payment in change.payments:
            assert payment.amount_fen > 0
            assert payment.purpose == "repair_cost" or payment.amount_fen <= ticket.left_fen


# ── every state, every step ───────────────────────────────────────────────────────────────────────────────────────────

STATES = [(key, state) for key, workflow in RULES.catalog.workflows.items() for state in workflow.states]
in_every_state = pytest.mark.parametrize(("key", "state"), STATES, ids=[f"{key}-{state.name}" for key, state in STATES])
SAID = [("contact", {"channel": "im"}), *(("evidence", {"kind": kind}) for kind in USEFUL)]


def in_state(r: Random, key: str, policy: str, state: State) -> Ticket:
    """A ticket of the platform that shows this state."""
    came = imported(r, key, policy, state.name, NOW)
    return decide.take_over(came, RULES, ticket_id=1, number="1", shop_id=1, now=NOW).after


def tried(r: Random, ticket: Ticket, at: datetime = NOW) -> Iterator[Change]:
    """Every step from where the ticket stands, as far as it is taken."""
    workflow = RULES.workflow(ticket)
    first = ticket.version + 1
    before = [Entry(seq, kind, kind, "agent", at, facts) for seq, (kind, facts) in enumerate(SAID, first)]
    for step in workflow.steps_from(workflow.state(ticket.state)):
        with suppress(Refused):
            attempt = Attempt(step.name, r.choice(step.by).value, at, Draw(r, at, ticket).facts(step))
            yield decide.take(ticket, attempt, RULES, history=before)


@in_every_state
def test_a_ticket_imported_in_any_state_goes_on_or_says_why_not(key, state):
    """Whatever the platform's export did not tell is missing on it, and no step may fall over that."""
    for number, policy in itertools.product(range(8), RULES.catalog.policies):
        r = Random(f"{number}/{policy}/{key}/{state.name}")
        ticket = in_state(r, key, policy, state)
        list(tried(r, ticket))
        decide.catch_up(ticket, NOW + timedelta(days=400), RULES)


@in_every_state
def test_every_row_does_to_the_clock_what_its_table_says(key, state):
    for number, policy in itertools.product(range(8), RULES.catalog.policies):
        r = Random(f"{number}/{policy}/{key}/{state.name}")
        ticket = in_state(r, key, policy, state)
        if ticket.clocks and decide.catch_up(ticket, NOW + timedelta(hours=1), RULES) is None:
            for change in tried(r, ticket, NOW + SECOND):
                the_clock_obeys(change)
                for later in tried(r, change.after, NOW + timedelta(hours=1)):
                    the_clock_obeys(later)


def the_clock_obeys(change: Change) -> None:
    before, after, event = change.before, change.after, change.events[-1]
    workflow = RULES.workflow(after)
    move = workflow.move(event.trigger)
    effects = {branch.clock or move.clock for branch in move.branches if _arrives(branch, event)}
    if len(effects) == 1 and not workflow.state(after.state).final:
        effect = effects.pop()
        assert OBEYS.get(effect, lambda *_: True)(before, after, event.at), f"{move}: {effect}"


def _left(clocks: Sequence[Clock], at: datetime) -> list[int]:
    return [seconds(clock.due_at - at) for clock in clocks]


OBEYS: dict[Any, Callable[[Ticket, Ticket, datetime], bool]] = {
    RUNS_ON: lambda before, after, at: (after.clocks, after.paused) == (before.clocks, before.paused),
    STARTS: lambda before, after, at: not set(before.clocks) & set(after.clocks) and not after.paused,
    ADDS: lambda before, after, at: set(before.clocks) <= set(after.clocks),
    ENDS: lambda before, after, at: not after.clocks and not after.paused,
    PAUSES: lambda before, after, at: [clock.left_seconds for clock in after.paused] == _left(before.clocks, at),
    RESUMES: lambda before, after, at: _left(after.clocks, at) == [clock.left_seconds for clock in before.paused],
}


def test_an_imported_refund_of_nothing_orders_no_payment():
    came = Imported("refund", "taobao", "inspecting", NOW, "E1", 0, 0, fields={"kind": "return_refund"})
    ticket = decide.take_over(came, RULES, ticket_id=1, number="1", shop_id=1, now=NOW).after
    change = decide.take(ticket, Attempt("accept_return", "agent", NOW), RULES)
    assert all(payment.amount_fen > 0 for payment in change.payments)
