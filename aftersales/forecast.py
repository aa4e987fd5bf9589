"""What the clock will do by itself. PURE: counted groups of tickets go in, hours with steps and money come out.

Only the clock that runs now is counted: the reminders before it, and what happens when it runs out. What follows from
that is not. It would need a state, a rule and a start for every ticket that moved, which is a simulation and no count;
and it is the least certain part, since people act in between. So the figures are what is sure if nobody does anything
now, and the pages say so.

What a timeout does is not told here a second time: the engine itself is asked, with one made-up ticket for each group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from aftersales import decide
from aftersales.decide import Rules
from aftersales.ticket import Change, Clock, Ticket
from aftersales.workflows.vocabulary import MERCHANT, Escalation, Timeout

ONE_HOUR = timedelta(hours=1)


class Deed(StrEnum):
    """What the system does when a clock runs out, in the order of the board."""

    #: money is ordered to leave
    REFUND = "refund"
    #: the merchant did not answer, which counts as a yes
    AGREE = "agree"
    #: the ticket is closed, completed
    CLOSE = "close"
    #: it is marked, or comes back, for people to see to
    PEOPLE = "people"


class Way(NamedTuple):
    """Everything that decides what a clock does when it runs out: tickets alike in this are moved alike.

    The rule that set the clock is not among it: rules say how long, the timeout that they name says what then.
    """

    workflow: str
    policy: str
    state: str
    timeout: str
    #: the kind of refund ("return_refund" ...), where the outcome depends on it
    kind: str = ""
    #: nothing is to be paid
    free: bool = False


class Due(NamedTuple):
    """Tickets whose clock runs out in one hour and which go the same way. `hour`: UTC; `fen`: what they are about."""

    hour: datetime
    way: Way
    tickets: int
    fen: int = 0


@dataclass
class Hour:
    """What fires from `at` on for one hour. `fen`: money that leaves by itself."""

    at: datetime
    deeds: Counter[Deed] = field(default_factory=Counter)
    fen: int = 0
    reminders: int = 0

    @property
    def steps(self) -> int:
        return self.deeds.total()


@dataclass(frozen=True)
class Forecast:
    """Hour by hour, beginning with the present one. What is due and has not fired counts to the present hour."""

    hours: Sequence[Hour]
    #: the ways on which money leaves
    paying: frozenset[Way]

    @property
    def deeds(self) -> Counter[Deed]:
        return sum((hour.deeds for hour in self.hours), Counter())

    @property
    def steps(self) -> int:
        return sum(hour.steps for hour in self.hours)

    @property
    def fen(self) -> int:
        return sum(hour.fen for hour in self.hours)

    @property
    def reminders(self) -> int:
        return sum(hour.reminders for hour in self.hours)


def hour_of(instant: datetime) -> datetime:
    """The hour it falls in. Shanghai is whole hours ahead of UTC, so hours begin at the same instants in both."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def forecast(
    due: Iterable[Due], reminders: Iterable[tuple[datetime, int]], rules: Rules, start: datetime, hours: int = 72
) -> Forecast:
    """`reminders`: (instant, how many). What lies beyond the last hour is left out."""
    first = hour_of(start)
    table = [Hour(first + n * ONE_HOUR) for n in range(hours)]
    deed_of = deeds(rules)
    paying: set[Way] = set()
    for group in due:
        place = max(0, _hours_between(first, group.hour))
        if place >= hours:
            continue
        deed = deed_of(group.way)
        table[place].deeds[deed] += group.tickets
        if deed is Deed.REFUND:
            table[place].fen += group.fen
            paying.add(group.way)
    for at, count in reminders:
        place = _hours_between(first, at)
        if 0 <= place < hours:
            table[place].reminders += count
    return Forecast(table, frozenset(paying))


def _hours_between(first: datetime, at: datetime) -> int:
    return int((hour_of(at) - first) // ONE_HOUR)


def asked_of_tickets(rules: Rules) -> list[tuple[str, str]]:
    """(workflow, timeout) of the timeouts whose outcome or whose money depends on the ticket; the others are told by
    the tables alone, so that counting them need not read the tickets."""
    return [
        (workflow.key, move.name)
        for workflow in rules.catalog.workflows.values()
        for move in workflow.moves
        if isinstance(move, Timeout)
        and (len(move.branches) > 1 or any(branch.to and branch.to.entering for branch in move.branches))
    ]


def deeds(rules: Rules) -> Callable[[Way], Deed]:
    """What happens on each way under these rules, each asked of the engine once."""
    known: dict[Way, Deed] = {}

    def of(way: Way) -> Deed:
        if way not in known:
            known[way] = deed(way, rules)
        return known[way]

    return of


def deed(way: Way, rules: Rules) -> Deed:
    """What the engine does to a ticket that goes this way. What it cannot decide is set aside for people."""
    try:
        ticket, now = _made_up(way)
        change = decide.catch_up(ticket, now, rules)
        assert change is not None
        return _named(change, way, rules)
    except Exception:  # noqa: BLE001 -- a rule that raises must not hide what all the others do
        return Deed.PEOPLE


def _named(change: Change, way: Way, rules: Rules) -> Deed:
    workflow, first = rules.catalog.workflows[way.workflow], change.events[0]
    if any(payment.status == "ordered" and payment.amount_fen > 0 for payment in change.payments):
        return Deed.REFUND
    to = workflow.state(first.to_state)
    if to.final:
        return Deed.CLOSE
    waited_for_merchant = workflow.state(way.state).waits_for is MERCHANT
    stays = isinstance(workflow.move(way.timeout), Escalation) or change.after.escalated
    return Deed.AGREE if waited_for_merchant and to.waits_for is not MERCHANT and not stays else Deed.PEOPLE


_THEN = datetime(2024, 1, 1, tzinfo=UTC)


def _made_up(way: Way) -> tuple[Ticket, datetime]:
    """A ticket that goes this way, with one 分 to pay (or none), and the instant at which its clock has run out."""
    amount = 0 if way.free else 1
    clock = Clock("", "", way.timeout, _THEN, _THEN, _THEN)
    ticket = Ticket(
        id=0, shop_id=0, number="", workflow=way.workflow, policy=way.policy, authority="local", state=way.state,
        version=1, opened_at=_THEN, applied_at=_THEN, entered_at=_THEN, applied_seq=1, entered_seq=1, moved_seq=1,
        paid_fen=amount, fields={"kind": way.kind or None, "amount_fen": amount}, clocks=(clock,), alarm_at=_THEN,
    )  # fmt: skip
    return ticket, _THEN + timedelta(seconds=1)
