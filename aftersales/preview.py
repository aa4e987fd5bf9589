"""PURE: what a step would do, decided on a copy of the ticket: what the page says before anybody presses the button.

    preview(ticket, attempt, rules, ...) -> Preview, or None where that depends on what is not filled in yet

It is the engine's own answer, so it cannot differ from what the desk then does; a law holds that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aftersales import decide
from aftersales.decide import Attempt, Rules
from aftersales.errors import Refused
from aftersales.ticket import Change, Clock, Entry, Opening, Payment, Ticket
from aftersales.workflows.context import NOTHING_KNOWN, Known
from aftersales.workflows.links import LINKS


@dataclass(frozen=True)
class Told:
    """A linked ticket that takes a step of its own because of this one."""

    ticket: Ticket
    trigger: str
    to_state: str


@dataclass(frozen=True)
class Preview:
    """`before`: once the clock has caught up; `after`: once the step is taken."""

    before: Ticket
    after: Ticket
    payments: tuple[Payment, ...]
    #: the tickets it opens beside this one
    opens: tuple[Opening, ...]
    tells: tuple[Told, ...]

    @property
    def closes(self) -> bool:
        return self.after.closed_at is not None

    @property
    def started(self) -> tuple[Clock, ...]:
        """Clocks that were not running before, nor paused: new ones, and those whose end is a new one."""
        known = (*self.before.clocks, *self.resumed)
        return tuple(one for one in self.after.clocks if one not in known)

    @property
    def resumed(self) -> tuple[Clock, ...]:
        paused = {_life(clock) for clock in self.before.paused}
        still = {_life(clock) for clock in self.after.paused}
        return tuple(one for one in self.after.clocks if _life(one) in paused - still)

    @property
    def paused(self) -> tuple[Clock, ...]:
        """Clocks that were running and stand still now."""
        before = {_life(clock) for clock in self.before.paused}
        return tuple(one for one in self.after.paused if _life(one) not in before)

    @property
    def runs_on(self) -> tuple[Clock, ...]:
        return tuple(one for one in self.after.clocks if one in self.before.clocks)

    @property
    def ended(self) -> tuple[Clock, ...]:
        lives = {_life(clock) for clock in (*self.after.clocks, *self.after.paused)}
        return tuple(one for one in self.before.clocks if _life(one) not in lives)


def _life(clock: Clock) -> tuple[object, ...]:
    """The same clock at every moment of its life, whatever its end was changed to."""
    return (clock.rule, clock.version, clock.timeout, clock.counted_from)


def preview(
    ticket: Ticket,
    attempt: Attempt,
    rules: Rules,
    *,
    history: Sequence[Entry] = (),
    known: Known = NOTHING_KNOWN,
    linked: Sequence[tuple[str, Ticket]] = (),
) -> Preview | None:
    """`linked`: (relation, ticket), as the queries give them. The clock catches up first, as it does at the desk."""
    caught_up = decide.catch_up(ticket, attempt.at, rules)
    before = ticket if caught_up is None else caught_up.after
    try:
        change = decide.supposing(before, attempt, rules, history=history, known=known)
    except (Refused, KeyError, TypeError):
        return None
    return Preview(before, change.after, change.payments, change.opens, tuple(_told(change, linked, attempt, rules)))


def _told(change: Change, linked: Sequence[tuple[str, Ticket]], attempt: Attempt, rules: Rules) -> Iterator[Told]:
    event = change.events[-1]
    move = rules.workflow(change.after).move(event.trigger)
    assert move is not None
    for told in LINKS.told_by(move, event.from_state, event.to_state):
        for relation, other in linked:
            if relation != told.over or other.workflow != told.step.workflow.key or other.closed_at is not None:
                continue
            caught_up = decide.catch_up(other, attempt.at, rules)
            at_hand = other if caught_up is None else caught_up.after
            try:
                after = decide.take(at_hand, Attempt(told.step.name, "system", attempt.at), rules).after
            except Refused:  # it has gone another way: that stands
                continue
            yield Told(at_hand, told.step.name, after.state)
