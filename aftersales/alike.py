"""PURE: tickets alike take one decision: what a timeout does to one of them, it does to all. This says when that is so.

A *kind* is what the decision goes by: workflow, policy, state, the rule that set the clock, and its timeout. A *leap*
is what becomes of every ticket of a kind whose clock ran out: the real decision, taken for two made-up tickets that
differ in all that is not the kind. It is there only if the tables show that nothing else can matter:

* the row always leads to the same state, and neither it nor the state has an effect but `escalate`; nothing is paid,
  and no other ticket is opened or told;
* every rule of that state counts hours or days from entering it, for every ticket; no version of a rule begins while
  the scheduler catches up;
* nothing was read of the made-up tickets but what tickets alike have in common: reading anything else raises;
* of both came what the leap foretells, to the last field.

Everything else is decided ticket by ticket, as ever. tests/laws/test_alike.py holds both ways against each other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, NoReturn

from aftersales import decide
from aftersales.decide import Rules
from aftersales.durations import Duration
from aftersales.policies.vocabulary import Policy
from aftersales.ticket import Change, Clock, Event, Ticket
from aftersales.workflows.effects import escalate
from aftersales.workflows.links import LINKS
from aftersales.workflows.vocabulary import ENDS, STARTS, Move, State

SECOND, LONG = timedelta(seconds=1), timedelta(days=400)
#: no leap so near the end of the calendar: every length of the rules ends before
LAST_YEAR = 9980


class Kind(NamedTuple):
    """What tickets alike have in common. Beside it: nothing paused, no flag, no trouble, and the alarm is the one
    clock's own due time (`store.claim_alike` looks)."""

    workflow: str
    policy: str
    state: str
    rule: str
    version: str
    timeout: str


class Leap(NamedTuple):
    """What the timeout does to every ticket of a kind."""

    #: the made-up ticket afterwards, and its event
    after: Ticket
    event: Event
    #: the fields that changed beside `version`, `moved_seq` and `entered_seq`; all other fields stay as they are
    changed: tuple[str, ...]
    #: it arrives in another state, so `entered_seq` changes too
    arrives: bool
    #: so late that the next clock counts from when it was noticed, not from the due time
    late: bool
    #: of the next clock; None if none starts
    length: timedelta | None
    #: the next alarm is a reminder, so long before the next due time
    reminded: timedelta

    def happening(self, due: datetime, now: datetime) -> tuple[datetime | None, Event]:
        """The next alarm, and the made-up ticket's event, had the clock run out at `due`."""
        alarm_at, clocks = None, self.after.clocks
        if self.length is not None:
            starts = now if self.late else due
            clocks = (clocks[0]._replace(counted_from=starts, due_at=starts + self.length, set_at=now),)
            alarm_at = starts + self.length - self.reminded
        return alarm_at, self.event._replace(at=due, recorded_at=now, due_at=due, clocks=clocks)

    def landing(self, due: datetime, now: datetime) -> tuple[Ticket, Event]:
        """The made-up ticket afterwards, and its event, had the clock run out at `due`."""
        alarm_at, event = self.happening(due, now)
        after = self.after._replace(clocks=event.clocks, alarm_at=alarm_at, recorded_at=now)
        if self.arrives:
            after = after._replace(entered_at=due)
        return after._replace(closed_at=now) if "closed_at" in self.changed else after, event


class Leaps:
    """Every leap under these rules, each prepared once."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._known: dict[tuple[Kind, bool, int], Leap | None] = {}

    def late_before(self, now: datetime) -> datetime:
        """A clock that ran out before this instant is late: the next counts from now."""
        return now - self.rules.catch_up_grace

    def find(self, kind: Kind, late: bool, now: datetime) -> Leap | None:
        policy = self.rules.catalog.policies.get(kind.policy)
        if policy is None or now.year > LAST_YEAR:
            return None
        begins = _versions(policy)
        version = bisect_right(begins, now)
        if not late and version != bisect_right(begins, self.late_before(now)):
            return None  # some clocks start under the old version, some under the new one
        if (kind, late, version) not in self._known:
            self._known[kind, late, version] = _prepared(kind, late, now, self.rules)
        return self._known[kind, late, version]


def _versions(policy: Policy) -> list[datetime]:
    return sorted({line.document.begins for rule in policy.clock_rules for line in rule.history})


# ── what the tables must show ──


def _prepared(kind: Kind, late: bool, now: datetime, rules: Rules) -> Leap | None:
    workflow, policy = rules.catalog.workflows.get(kind.workflow), rules.catalog.policies[kind.policy]
    move = None if workflow is None else workflow.move(kind.timeout)
    if workflow is None or move is None:
        return None
    state = workflow.state(kind.state)
    (first, *others) = move.branches
    to = first.to or state
    plain = not others and first.always and state in move.sources and _does_nothing_else(move, to)
    effect = first.clock or move.clock
    if not plain or not (to.final or effect is ENDS or (effect is STARTS and _rolls(to, policy))):
        return None
    return _tried(kind, late, now, rules)


def _does_nothing_else(move: Move, to: State) -> bool:
    """No effect but `escalate`, and no other ticket concerned."""
    effects = {*move.effects, *to.entering}
    concerned = {move, to} & {*LINKS.opens, *LINKS.tells}
    return effects <= {escalate} and not concerned


def _rolls(state: State, policy: Policy) -> bool:
    """Every clock of the state counts hours or days from entering it, whatever the ticket."""
    rules = policy.rules_for(state)
    lines = [line for rule in rules for line in rule.history]
    rolling = all(
        line.within is None or (isinstance(line.within, Duration) and line.within.seconds and not line.counted_from)
        for line in lines
    )
    return rolling and policy.pin == "clock" and all(rule.when is None for rule in rules)


# ── the trial ──


class _Read(Exception):
    """The decision looks at something that tickets alike do not have in common."""


def _refuse(_: Any) -> NoReturn:
    raise _Read


class _Unread(Ticket):
    """A ticket of which only this may be read: its kind, what `claim_alike` has looked at, and what the leap counts on.

    `entered_at` is handed to whoever looks for an internal target, which a leap never has; `fields` are copied.
    """

    READABLE = frozenset({
        "workflow", "policy", "state", "clocks", "version", "entered_at", "fields", "flags", "paused", "overdue_in",
    })  # fmt: skip


for _name in set(Ticket._fields) - _Unread.READABLE:
    setattr(_Unread, _name, property(_refuse))


class _Closed(dict[str, Any]):
    """Fields that may be copied as a whole, and not be looked at."""

    def _look(self, *_: Any) -> NoReturn:
        raise _Read

    __getitem__ = __contains__ = get = keys = values = items = _look


def _made_up(kind: Kind, due: datetime, number: int) -> Ticket:
    """Two of different number differ in every field that is not the kind's."""
    odd, earlier = bool(number % 2), due - number * timedelta(days=1)
    clock = Clock(
        kind.rule, kind.version, kind.timeout, earlier, due, earlier,
        "platform" if odd else "rule", earlier if odd else None, odd,
    )  # fmt: skip
    word = f"made up {number}"
    return _Unread(
        number, number, word, kind.workflow, kind.policy, word, kind.state, number, earlier, earlier, earlier,
        number, number, number, left_state=word, escalated=odd, goods=word, paid_fen=number, refunded_fen=number,
        refund_fen=number, order_no=word, item_no=word, buyer=word, owner=word, fields=_Closed(made_up=number),
        clocks=(clock,), alarm_at=due, no_clock_reason=word, open_key=word, platform_no=word, recorded_at=earlier,
        last_hash=word,
    )  # fmt: skip


def _tried(kind: Kind, late: bool, now: datetime, rules: Rules) -> Leap | None:
    """The two fell due as early and as late as may be. What comes after whom only ever turns once between them: if a
    reminder is ahead of both, or behind both, it is so for all."""
    grace = rules.catch_up_grace
    dues = (now - grace - SECOND, now - grace - LONG) if late else (now - SECOND, now - grace)
    tickets = [_made_up(kind, due, number) for number, due in enumerate(dues, 101)]
    try:
        changes = [decide.catch_up(ticket, now, rules) for ticket in tickets]
    except Exception:  # noqa: BLE001 -- whatever it is, the ordinary way meets it again and says so
        return None
    trials = [(ticket, change) for ticket, change in zip(tickets, changes, strict=True) if change is not None]
    if len(trials) < len(dues):
        return None
    leap = _learnt(trials, late)
    return leap if leap is not None and all(_came_true(leap, *trial, now) for trial in trials) else None


def _learnt(trials: Sequence[tuple[Ticket, Change]], late: bool) -> Leap | None:
    (_, first), *_ = trials
    after, event = Ticket(*first.after), first.events[0]
    if len(after.clocks) > 1:
        return None
    clock = after.clocks[0] if after.clocks else None
    return Leap(
        after, event, _changed(trials), arrives=after.state != event.from_state, late=late,
        length=None if clock is None else clock.due_at - clock.counted_from,
        reminded=timedelta(0) if clock is None or after.alarm_at is None else clock.due_at - after.alarm_at,
    )  # fmt: skip


def _changed(trials: Sequence[tuple[Ticket, Change]]) -> tuple[str, ...]:
    """What is not as it was in any of them."""
    pairs = [(tuple(ticket), tuple(change.after)) for ticket, change in trials]
    return tuple(
        name
        for place, name in enumerate(Ticket._fields)
        if name not in ("version", "moved_seq", "entered_seq") and any(one[place] != two[place] for one, two in pairs)
    )


def _came_true(leap: Leap, ticket: Ticket, change: Change, now: datetime) -> bool:
    """This very ticket became what the leap foretells of it, and nothing else happened."""
    (clock,) = ticket.clocks
    after, event = leap.landing(clock.due_at, now)
    seq = ticket.version + 1
    told: dict[str, Any] = {name: after[Ticket._fields.index(name)] for name in leap.changed}
    if leap.arrives:
        told["entered_seq"] = seq
    foretold = ticket._replace(version=seq, moved_seq=seq, **told)
    return change == Change(ticket, foretold, (event._replace(seq=seq),))
