"""What a page says before anybody presses a button is what then happens; what it says is missing is what is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import Phase, given, note, settings

from aftersales import decide, queries, store
from aftersales.clock import whole_second
from aftersales.database import create_all, create_engine, reading
from aftersales.decide import Attempt
from aftersales.desk import Desk
from aftersales.errors import Refused
from aftersales.explain import earlier
from aftersales.known import what_guards_ask
from aftersales.preview import Preview, preview
from aftersales.ticket import Ticket
from aftersales.workflows.vocabulary import Step
from tests.laws.stories import ACTORS, IDS, RULES, Line, Paper, World, differences, readable, shown, stories, tell

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
#: what the store adds when it writes
SEALED = IDS | {"last_hash"}


@dataclass
class Foreseeing(World):
    """Every command is foreseen before it is said, and held to it."""

    wrong: list[str] = field(default_factory=list)
    #: how often each thing was foreseen, so that nobody believes in a law that never looked
    seen: Counter[str] = field(default_factory=Counter)

    def say(self, line: Line) -> None:
        foreseen = None if line.command is None or line.command.key else self._foresee(line)
        payments, links = self.payments(), self.links()
        super().say(line)
        if foreseen is None or self.handed is None:
            return
        self.wrong += differences(shown(foreseen.after, but=SEALED), shown(self.handed, but=SEALED), line.number)
        self._money(foreseen, payments)
        self._others(foreseen, links)

    def _foresee(self, line: Line) -> Preview | None:
        command = self._command(line)
        ticket = queries.ticket(self.desk.engine, command.ticket_id)
        if not isinstance(RULES.workflow(ticket).move(command.trigger), Step):
            return None
        at = whole_second(max(self.now, ticket.recorded_at or self.now))
        attempt = Attempt(command.trigger, command.actor, at, command.facts, command.evidence, command.actor_name)
        if decide.catch_up(ticket, at, RULES) is not None:
            return None  # what the clock does first is not the step's
        with reading(self.desk.engine) as connection:
            history = store.history(connection, ticket.id)
            known = what_guards_ask(connection, ticket, command.trigger, command.facts, RULES)
        linked = queries.linked(self.desk.engine, ticket.id)
        return preview(ticket, attempt, RULES, history=history, known=known, linked=linked)

    def _money(self, foreseen: Preview, before: list[tuple[Any, ...]]) -> None:
        number = foreseen.after.number
        ordered = {(number, one.purpose, one.amount_fen, one.status) for one in foreseen.payments}
        # an order that is there already is not ordered again
        here = {(*row[:3], row[3]) for row in self.payments() if row[0] == number}
        fresh = here - {(*row[:3], row[3]) for row in before}
        self.seen["money"] += bool(fresh)
        if not fresh <= ordered:
            self.wrong.append(f"{number}: money {fresh} was not foreseen: {ordered}")

    def _others(self, foreseen: Preview, before: list[tuple[Any, ...]]) -> None:
        number, tickets = foreseen.after.number, {ticket.number: ticket for ticket in self.tickets()}
        opened = [row for row in self.links() if row not in before and number in (row[0], row[2])]
        relations = Counter(row[1] for row in opened)
        if relations != Counter(one.relation for one in foreseen.opens):
            self.wrong.append(f"{number}: opened {opened}, foreseen {foreseen.opens}")
        self.seen["opened"] += len(opened)
        for told in foreseen.tells:
            self.seen["told"] += 1
            if tickets[told.ticket.number].state != told.to_state:
                self.wrong.append(f"{told.ticket.number} is {tickets[told.ticket.number].state}, foreseen {told}")


def world() -> Foreseeing:
    engine = create_engine("sqlite://")
    create_all(engine)
    return Foreseeing(Desk(engine, lambda: RULES))


def test_what_is_foreseen_is_what_then_happens():
    seen: Counter[str] = Counter()

    @settings(max_examples=60, phases=PHASES)
    @given(stories)
    def holds(story):
        here = world()
        try:
            script: list[Line] = []
            tell(here, story, script)
            note(readable(script))
            assert here.wrong == []
            seen.update(here.seen)
        finally:
            here.desk.engine.dispose()

    holds()
    assert all(seen[what] > 0 for what in ("money", "opened")), f"a law that never looked: {seen}"


@dataclass
class Asking(Paper):
    """Before every step it is asked what is missing."""

    wrong: list[str] = field(default_factory=list)

    def _done(self, line: Line) -> Ticket:
        assert line.command is not None
        caught_up = decide.catch_up(self.shelf[line.number], self.now, self.rules)
        ticket = self.shelf[line.number] if caught_up is None else caught_up.after
        step = RULES.workflow(ticket).move(line.command.trigger)
        state = RULES.workflow(ticket).state(ticket.state)
        actor = line.command.actor
        if not isinstance(step, Step) or state not in step.sources or actor not in step.by:
            return super()._done(line)
        attempt = Attempt(step.name, actor, self.now, line.command.facts, line.command.evidence)
        history = [decide._as_entry(event) for event in self.history(line.number)]
        gaps = decide.missing(ticket, attempt, RULES, history=history)
        try:
            after = super()._done(line)
        except Refused as refused:
            if refused.code != "illegal_transition" and refused.code not in {gap.code for gap in gaps}:
                self.wrong.append(f"{step}: {refused.code} {refused.message}, but missing said {gaps}")
            raise
        if gaps:
            self.wrong.append(f"{step} was taken, but missing said {gaps}")
        return after


@settings(max_examples=200, phases=PHASES)
@given(stories)
def test_what_is_missing_is_what_is_refused_and_nothing_else(story):
    paper = Asking()
    tell(paper, story)
    assert paper.wrong == []


@settings(max_examples=60, phases=PHASES)
@given(stories)
def test_whatever_cannot_be_done_has_a_reason_and_nothing_else_has(story):
    paper = Paper()
    tell(paper, story)
    for ticket in paper.tickets():
        workflow = RULES.workflow(ticket)
        for actor in ACTORS:
            allowed = decide.allowed(ticket, actor, paper.now, RULES)
            for step in (move for move in workflow.moves if isinstance(move, Step)):
                why = decide.why_not(ticket, step, actor, paper.now, RULES)
                assert (why is None) == (step in allowed), f"{step} by {actor} in {ticket.state}: {why}"


def _life(clock):
    return (clock.rule, clock.version, clock.timeout, clock.counted_from)


@settings(max_examples=60, phases=PHASES)
@given(stories)
def test_every_clock_of_a_ticket_is_running_paused_or_over(story):
    """None is told twice, none is forgotten."""
    paper = Paper()
    tell(paper, story)
    for ticket in paper.tickets():
        events = paper.history(ticket.number)
        lives = {_life(clock) for event in events for clock in event.clocks}
        here = {_life(clock) for clock in (*ticket.clocks, *ticket.paused)}
        over = [(one.cited.rule, one.cited.version, one.start_at) for one in earlier(ticket, events, RULES, paper.now)]
        assert len(over) == len(lives - here)
        assert {(rule, version, at) for rule, version, _, at in lives - here} == set(over)
