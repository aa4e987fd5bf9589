"""What the history of one ticket says of how it went: a list of measures, each with its day, person and cause.

Pure, and always of the whole history, so that a ticket that has moved is simply measured anew. A measure counts (its
number), and may carry an amount: seconds or 分. Days are those of Asia/Shanghai. A value that is not known is not
measured at all; nothing counts as 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from aftersales.clock import shown_day
from aftersales.decide import Rules
from aftersales.ticket import NOWHERE, Clock, Event, Ticket
from aftersales.workflows.vocabulary import Actor, Import, Party, State

#: a good first answer comes within two minutes (desk_systems.md 4.13: S2 l.54)
FAST_SECONDS = 120
LONGEST_CAUSE = 100


class Measure(StrEnum):
    """`amount` is in seconds, in 分, or not used."""

    OPENED = "opened"
    #: dated on the day the ticket was opened: "of those opened then, so many are closed by now"
    RESOLVED = "resolved"
    #: amount: seconds from opening to closing; cause: the last state, as workflow.state
    CLOSED = "closed"
    #: it goes on from an earlier ticket that had been closed
    REOPENED = "reopened"
    #: amount: seconds from opening to the first thing an agent did; not where the buyer was answered before it began
    RESPONDED = "responded"
    RESPONDED_FAST = "responded_fast"
    #: it was closed and no agent had done anything
    UNANSWERED = "unanswered"
    #: the merchant's time limits that the merchant's act or news of it ended in time; cause: the rule
    MET = "met"
    #: time limits that ran out, by whose they were; cause: the rule
    MISSED = "missed_merchant"
    EXPIRED_BUYER = "missed_buyer"
    EXPIRED_COURIER = "missed_courier"
    EXPIRED_PLATFORM = "missed_platform"
    #: the shop's own targets that were missed; cause: the target
    TARGET_MISSED = "target_missed"
    #: amount: 分 ordered to be paid; cause: the purpose
    PAID_BY_ROBOT = "paid_by_robot"
    PAID_BY_PEOPLE = "paid_by_people"
    #: amount: seconds in a state that waited for this party; cause: the state, as workflow.state
    WAITED_MERCHANT = "waited_merchant"
    WAITED_BUYER = "waited_buyer"
    WAITED_COURIER = "waited_courier"
    WAITED_PLATFORM = "waited_platform"
    #: one thing an agent did; person: who
    STEP = "step"
    #: what it is about; cause: the reason, the item, the courier
    REASON = "reason"
    ITEM = "item"
    COURIER = "courier"
    #: what buyers say of the packaging (S1-LG-04); cause: their words
    PACKAGING = "packaging"


MISSED_OF = {
    Party.MERCHANT: Measure.MISSED,
    Party.BUYER: Measure.EXPIRED_BUYER,
    Party.COURIER: Measure.EXPIRED_COURIER,
    Party.PLATFORM: Measure.EXPIRED_PLATFORM,
}
WAITED_OF = {
    Party.MERCHANT: Measure.WAITED_MERCHANT,
    Party.BUYER: Measure.WAITED_BUYER,
    Party.COURIER: Measure.WAITED_COURIER,
    Party.PLATFORM: Measure.WAITED_PLATFORM,
}
#: what counts as an agent's answer and work; being assigned does not
WORK = {"move", "contact", "evidence", "note"}
#: whose acts meet the merchant's limits: agents, and the feeds that tell what the merchant did (sent, paid). A limit
#: that ended because the buyer withdrew or the platform stepped in was neither met nor missed.
MERCHANTS = {Actor.AGENT, Actor.SYSTEM}
#: the row by which a ticket goes on from one of another type
OPEN_CONVERTED = "open_converted"
#: fields that say what a ticket is about, and which courier carried it
REASONS = ("reason", "issue", "root_cause")
COURIERS = ("return_courier", "reship_courier")


class Measured(NamedTuple):
    measure: str
    day: str
    person: str = ""
    cause: str = ""
    amount: int = 0


class Paid(NamedTuple):
    """A payment of the ledger. `at`: when the event that first ordered it was recorded; a retry decides nothing."""

    purpose: str
    amount_fen: int
    at: datetime


def measure(
    ticket: Ticket, events: Sequence[Event], payments: Sequence[Paid], rules: Rules, *, reopened: bool = False
) -> list[Measured]:
    """All that counts of this ticket. `events`: its whole history, oldest first; `reopened`: it is the second."""
    history = _History(ticket, events, rules)
    found = [*_beginning(ticket, reopened), *_answer(history), *_limits(history), *_waits(history)]
    found += [*_work(history), *_money(history, payments), *_about(history), *_end(history)]
    return found


class _History:
    """The events, with who owned the ticket at each, and the states by name."""

    def __init__(self, ticket: Ticket, events: Sequence[Event], rules: Rules) -> None:
        self.ticket, self.events = ticket, events
        self.workflow = rules.workflow(ticket)
        self.owners = list(_owners(events))

    @property
    def taken_over(self) -> bool:
        """It came over from the platform, as it stood there: what went before is not told."""
        return isinstance(self.workflow.move(self.events[0].trigger), Import)

    @property
    def answered_before(self) -> bool:
        """Its buyer talked to somebody before it began: on the platform, or about the ticket that it goes on from."""
        return self.taken_over or self.events[0].trigger == OPEN_CONVERTED

    def state(self, name: str) -> State | None:
        """None for nowhere, and for a state that the tables no longer know."""
        return next((one for one in self.workflow.states if one.name == name), None)

    def party(self, name: str) -> Party | None:
        state = self.state(name)
        return None if state is None else state.waits_for

    def named(self, state: str) -> str:
        """Types share names of states, and do not call them alike."""
        return f"{self.ticket.workflow}.{state}"


def _owners(events: Sequence[Event]) -> Iterator[str]:
    """Who had the ticket when each event happened."""
    owner = ""
    for event in events:
        yield owner
        if event.kind == "assign":
            owner = str(event.facts.get("agent") or "")  # a group alone is nobody yet


def _day(at: datetime) -> str:
    return shown_day(at).isoformat()


def _seconds(start: datetime, end: datetime) -> int:
    return max(0, int((end - start).total_seconds()))


def _beginning(ticket: Ticket, reopened: bool) -> Iterator[Measured]:
    yield Measured(Measure.OPENED, _day(ticket.opened_at))
    if reopened:
        yield Measured(Measure.REOPENED, _day(ticket.opened_at), ticket.owner or "")


def _answer(history: _History) -> Iterator[Measured]:
    if history.answered_before:
        return
    opened = history.ticket.opened_at
    # the first event opens the ticket, also where an agent typed it in
    for event, owner in list(zip(history.events, history.owners, strict=True))[1:]:
        if event.actor == Actor.AGENT and event.kind in WORK:
            took, person = _seconds(opened, event.recorded_at), event.actor_name or owner
            yield Measured(Measure.RESPONDED, _day(opened), person, amount=took)
            if took <= FAST_SECONDS:
                yield Measured(Measure.RESPONDED_FAST, _day(opened), person)
            return
    if history.ticket.closed_at is not None:
        yield Measured(Measure.UNANSWERED, _day(opened), history.ticket.owner or "")


def _limits(history: _History) -> Iterator[Measured]:
    """Each time limit that ended: met by somebody's act, or run out."""
    running: Sequence[Clock] = ()
    for place, (event, owner) in enumerate(zip(history.events, history.owners, strict=True)):
        if event.kind == "target":
            yield Measured(Measure.TARGET_MISSED, _day(event.at), owner, event.trigger)
        party = history.party(event.from_state)
        ran_out = event.kind == "move" and event.due_at is not None and event.rule is not None
        if ran_out and party is not None:
            yield Measured(MISSED_OF[party], _day(event.at), owner, event.rule or "")
        if party is Party.MERCHANT and event.actor in MERCHANTS:
            person = event.actor_name if event.actor == Actor.AGENT and event.actor_name else owner
            for clock in running:
                if not ran_out and _ended(clock, history, place) and event.at <= clock.due_at:
                    yield Measured(Measure.MET, _day(event.at), person, clock.rule)
        running = event.clocks


def _ended(clock: Clock, history: _History, place: int) -> bool:
    """It runs no more after the event at this place, and was not only paused."""
    later = (one for event in history.events[place:] for one in event.clocks)
    alive = ((one.rule, one.counted_from) for one in (*later, *history.ticket.paused))
    return (clock.rule, clock.counted_from) not in alive


def _waits(history: _History) -> Iterator[Measured]:
    since: datetime | None = None
    for event in history.events:
        if event.from_state == event.to_state:
            continue
        party = None if since is None else history.party(event.from_state)
        if party is not None and since is not None:
            cause = history.named(event.from_state)
            yield Measured(WAITED_OF[party], _day(event.at), "", cause, _seconds(since, event.at))
        since = None if event.from_state == NOWHERE and _begun_unseen(history) else event.at


def _begun_unseen(history: _History) -> bool:
    """Nobody told when the state began in which the ticket came over from the platform."""
    return history.taken_over and history.state(history.events[0].to_state) is not history.workflow.initial()


def _work(history: _History) -> Iterator[Measured]:
    for event in history.events:
        if event.actor == Actor.AGENT and event.kind in WORK:
            yield Measured(Measure.STEP, _day(event.at), event.actor_name, event.trigger)


def _money(history: _History, payments: Sequence[Paid]) -> Iterator[Measured]:
    for paid in payments:
        ordering = [event for event in history.events if event.kind == "move" and event.recorded_at <= paid.at]
        by = ordering[-1] if ordering else None
        robot = by is None or by.actor == Actor.SYSTEM
        kind = Measure.PAID_BY_ROBOT if robot else Measure.PAID_BY_PEOPLE
        person = "" if robot or by is None else by.actor_name
        yield Measured(kind, _day(paid.at), person, paid.purpose, paid.amount_fen)


def _about(history: _History) -> Iterator[Measured]:
    ticket = history.ticket
    day, fields = _day(ticket.opened_at), ticket.fields
    for name in REASONS:
        if fields.get(name) not in (None, ""):
            yield Measured(Measure.REASON, day, "", _cause(f"{name}:{fields[name]}"))
    if ticket.item_no:
        yield Measured(Measure.ITEM, day, "", _cause(fields.get("item_title") or ticket.item_no))
    couriers = [fields.get(name) for name in COURIERS] + [event.facts.get("courier") for event in history.events]
    for courier in dict.fromkeys(str(one) for one in couriers if one):
        yield Measured(Measure.COURIER, day, "", _cause(courier))
    for event in history.events:
        if event.trigger == "record_packaging_feedback" and event.facts.get("text"):
            yield Measured(Measure.PACKAGING, _day(event.at), event.actor_name, _cause(event.facts["text"]))


def _cause(value: Any) -> str:
    """On one line, and short enough to stand in a table."""
    return " ".join(str(value).split())[:LONGEST_CAUSE]


def _end(history: _History) -> Iterator[Measured]:
    ticket = history.ticket
    if ticket.closed_at is None:
        return
    yield Measured(Measure.RESOLVED, _day(ticket.opened_at), ticket.owner or "")
    if history.taken_over and history.events[0].to_state == ticket.state:
        return  # the platform closed it, and when is not told
    took, cause = _seconds(ticket.opened_at, ticket.closed_at), history.named(ticket.state)
    yield Measured(Measure.CLOSED, _day(ticket.closed_at), ticket.owner or "", cause, took)
