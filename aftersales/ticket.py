"""What the engine knows of one ticket, as plain values: Ticket, Clock, Event, Change.

Everything here is immutable and knows neither the database nor the time. `decide` takes a Ticket
and gives back a Change; `store` writes Changes, one or a thousand, in one transaction. Named tuples rather than data
classes: the sweep makes some hundred thousand of them a second, and these cost a third.

All instants are aware UTC datetimes in whole seconds, all money is an integer number of 分 (`_fen`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

#: the only event of a ticket that comes from no state
NOWHERE = "new"

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Clock(NamedTuple):
    """One running (or paused) time limit: which rule set it, what it counts from, when it ends."""

    rule: str
    version: str
    #: the timeout or escalation that this clock causes when it runs out
    timeout: str
    counted_from: datetime
    due_at: datetime
    #: when the clock was set; an alarm cannot fire before somebody knew of it
    set_at: datetime
    #: "rule" (computed), "platform" (the platform's own deadline) or "agreement" (buyer and merchant)
    basis: str = "rule"
    #: what the rule alone had given, where platform or agreement replaced it
    computed_due_at: datetime | None = None
    #: the work calendar of a year it counts through is not published yet
    provisional: bool = False
    #: seconds that were left when the clock was paused; None while it runs
    left_seconds: int | None = None

    @property
    def alarm_at(self) -> datetime:
        return max(self.due_at, self.set_at)


class Ticket(NamedTuple):
    """A ticket as it stands. `fields` are the workflow's own facts, by the names of fields.md."""

    id: int
    shop_id: int
    number: str
    workflow: str
    policy: str
    authority: str
    state: str
    version: int
    opened_at: datetime
    #: the latest apply, modify, report or not_fixed: what "since the application" means
    applied_at: datetime
    #: when the present state took effect
    entered_at: datetime
    #: sequence numbers of the events behind the two, to tell evidence before from evidence after
    applied_seq: int
    entered_seq: int
    #: the newest event that moved the ticket or changed its clock: older forms are stale
    moved_seq: int
    #: the state it came from, for moves that lead back
    left_state: str | None = None
    #: the state in which a clock ran out and the ticket stayed
    overdue_in: str | None = None
    escalated: bool = False
    #: where the buyer's goods are: buyer, on_the_way, merchant
    goods: str = "buyer"
    paid_fen: int = 0
    #: refunded before this ticket
    refunded_fen: int = 0
    #: released by this ticket; None until then
    refund_fen: int | None = None
    order_no: str = ""
    item_no: str = ""
    buyer: str = ""
    owner: str | None = None
    fields: Mapping[str, Any] = _NOTHING
    flags: tuple[str, ...] = ()
    clocks: tuple[Clock, ...] = ()
    paused: tuple[Clock, ...] = ()
    #: when the scheduler must look at the ticket again: a reminder, an internal target or the due time
    alarm_at: datetime | None = None
    #: why a waiting ticket has no clock; exactly one of clock and reason is there until the ticket is closed
    no_clock_reason: str | None = None
    closed_at: datetime | None = None
    #: keeps a second open ticket of this kind off the same item; None once closed
    open_key: str | None = None
    #: the ticket's number on the platform, one per shop and policy
    platform_no: str | None = None
    recorded_at: datetime | None = None
    last_hash: str = ""
    trouble: str | None = None
    trouble_count: int = 0

    def but(self, **changes: Any) -> Ticket:
        """The same ticket with these changes."""
        return self._replace(**changes)

    @property
    def clock(self) -> Clock | None:
        """The clock that people see: of several, the one that runs out first."""
        if len(self.clocks) == 1:
            return self.clocks[0]
        return min(self.clocks, key=lambda clock: clock.due_at, default=None)

    @property
    def due_at(self) -> datetime | None:
        clock = self.clock
        return None if clock is None else clock.due_at

    @property
    def overdue(self) -> bool:
        """A clock ran out in this very state and the ticket stayed."""
        return self.overdue_in == self.state

    @property
    def shown_fields(self) -> dict[str, Any]:
        """Every field by its name in fields.md, money included."""
        money = {"paid_fen": self.paid_fen, "refunded_fen": self.refunded_fen, "refund_fen": self.refund_fen}
        return {**self.fields, **money}

    @property
    def left_fen(self) -> int:
        """What may still be refunded of what was paid."""
        return self.paid_fen - self.refunded_fen


class Entry(NamedTuple):
    """A past event as guards see it: evidence, contacts and moves, oldest first."""

    seq: int
    kind: str
    trigger: str
    actor: str
    at: datetime
    facts: Mapping[str, Any]


class Event(NamedTuple):
    """One line of a ticket's history. `at`: took effect; `recorded_at`: we learned (or the alarm fired)."""

    seq: int
    #: move, evidence, contact, note, assign, grade, deadline, reminder, target, calendar
    kind: str
    trigger: str
    actor: str
    actor_name: str
    from_state: str
    to_state: str
    at: datetime
    recorded_at: datetime
    facts: Mapping[str, Any] = _NOTHING
    #: the clock that caused this event: its due time, rule and version
    due_at: datetime | None = None
    rule: str | None = None
    rule_version: str | None = None
    #: the clocks that run after this event
    clocks: tuple[Clock, ...] = ()


class Payment(NamedTuple):
    """Money ordered to leave: one row of the ledger, unique by ticket and purpose."""

    #: refund, repair_cost or compensation
    purpose: str
    amount_fen: int
    #: ordered, paid, failed; `offline` when the agent paid outside the platform
    status: str = "ordered"


class Attachment(NamedTuple):
    """A file of a piece of evidence, as it lies in the evidence folder under the random name `file`."""

    name: str
    media_type: str
    bytes: int
    sha256: str
    file: str
    #: in pixels, of pictures that say so
    width: int | None = None
    height: int | None = None


class Opening(NamedTuple):
    """A ticket that a move opens beside this one."""

    workflow: str
    trigger: str
    relation: str
    facts: Mapping[str, Any]


class Change(NamedTuple):
    """Everything one command (or one alarm) does to one ticket. Written whole or not at all."""

    before: Ticket | None
    after: Ticket
    events: tuple[Event, ...]
    payments: tuple[Payment, ...] = ()
    waybills: tuple[str, ...] = ()
    opens: tuple[Opening, ...] = ()
