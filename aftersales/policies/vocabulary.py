"""The words a policy file may use.

    Document                       a published text: title, the day it takes effect, where it can be read
    Rule                           a clock: while a ticket is in this state, so long, and then this happens
    since, unchanged, no_limit     one line of a rule's history for every document, oldest first
    hours, days, civil_days, workdays, until, agreed     how long
    counted_from=                  what the time counts from; left out: from entering the state
    Window                         so long after this fact a step may still be taken
    Attempts, Forbids, Permits, AgreesAtOnce, FixesAmount     rules without a clock
    Target, House                  the shop's own reminders and internal targets

A line says only when it begins, so two lines can neither overlap nor leave a gap. Every rule answers every
document of its policy, if only with unchanged(...): a rule nobody looked at must not pass for one that stayed.
`quote` is a short piece of the source; `assumed` says what the source leaves open and how it was read;
`off` keeps a line in the book without letting it act, and says why.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TypeVar

from aftersales.clock import parse, shown
from aftersales.durations import Duration, civil_days, days, hours, workdays
from aftersales.saying import say
from aftersales.ticket import Ticket
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows.context import Closing, Context
from aftersales.workflows.guards import Guard
from aftersales.workflows.vocabulary import Fact, Move, State, Timeout

__all__ = [
    "APPLICATION",
    "AgreesAtOnce",
    "Attempts",
    "Document",
    "FixesAmount",
    "Forbids",
    "House",
    "Permits",
    "Policy",
    "Rule",
    "Target",
    "Window",
    "agreed",
    "civil_days",
    "days",
    "hours",
    "no_limit",
    "since",
    "unchanged",
    "until",
    "workdays",
]

#: counted from the application: the latest apply, modify, report or not_fixed
APPLICATION = Fact("applied_at", "申请时间", "time")

_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Document:
    """A published text. `effective` is its first day (Asia/Shanghai, from 00:00:00); None: its source gives
    no date, it is taken to hold at every instant. `checked_on`: when a person last compared it with this file.
    """

    title: str
    effective: str | None
    source: str
    published: str | None = None
    checked_on: str | None = None
    #: seed, public-official, public-3rdparty: how far the text can be trusted
    confidence: str = "seed"
    #: changes a few rules only and leaves the others alone
    partial: bool = False

    @property
    def label(self) -> str:
        return self.effective or "undated"

    @cached_property
    def begins(self) -> datetime:
        return _ALWAYS if self.effective is None else parse(date.fromisoformat(self.effective))


@dataclass(frozen=True)
class until:  # noqa: N801 -- a word of the tables, read aloud: until(visit_at)
    """Until the instant that was agreed on."""

    fact: Fact

    def __str__(self) -> str:
        return say("至{label}", label=self.fact.label)


@dataclass(frozen=True)
class agreed:  # noqa: N801
    """As many days (rolling) as were agreed on, else this long."""

    fact: Fact
    or_else: Duration

    def __str__(self) -> str:
        return say("{label}，未约定则{length}", label=self.fact.label, length=str(self.or_else))


Within = Duration | until | agreed


@dataclass(frozen=True)
class Limit:
    """One line of a rule's history: from this document on, within this long, otherwise this happens."""

    document: Document
    within: Within | None
    then: Timeout | None
    clause: str = ""
    counted_from: Fact | None = None
    quote: str = ""
    assumed: str = ""
    because: str = ""
    off: str = ""
    same_as_before: bool = False
    line: int = field(default=0, compare=False)

    @property
    def sentence(self) -> str:
        """“限48小时，逾期未处理，视为同意换货”."""
        if self.within is None or self.then is None:
            return say("不限时：{because}", because=self.because)
        return say("限{length}，{then}", length=str(self.within), then=self.then.label)


def since(
    document: Document,
    within: Within,
    *,
    then: Timeout,
    clause: str = "",
    counted_from: Fact | None = None,
    quote: str,
    assumed: str = "",
    off: str = "",
) -> Limit:
    if not isinstance(within, Duration | until | agreed):
        raise TypeError(f"时限要写成 hours(48)、days(10)、civil_days(7) 或 workdays(7)，不能写 {within!r}")
    if not isinstance(then, Timeout):
        label = getattr(then, "label", then)
        raise TypeError(f"then 只能写「到期」里的一行，「{label}」不是，请换成 流程.到期 一类的行")
    return Limit(document, within, then, clause, counted_from, quote, assumed, "", off, line=_line())


def unchanged(document: Document, *, clause: str = "", quote: str = "") -> Limit:
    """The document says the same as the line above, perhaps under another clause number."""
    return Limit(document, None, None, clause, quote=quote, same_as_before=True, line=_line())


def no_limit(document: Document, *, because: str, clause: str = "", quote: str = "") -> Limit:
    """The document sets no limit here. Saying so keeps silence from looking like an oversight."""
    return Limit(document, None, None, clause, quote=quote, because=because, line=_line())


class Rule:
    """While a ticket is in this state (or one of these), these limits hold, oldest first.

    `when`: holds only for tickets of which this is true.
    """

    def __init__(
        self,
        id: str,
        label: str,
        while_in: State | Sequence[State],
        *history: Limit,
        when: Guard | None = None,
    ) -> None:
        self.id, self.label, self.when, self.line = id, label, when, _line()
        self.states = (while_in,) if isinstance(while_in, State) else tuple(while_in)
        self.history: list[Limit] = []
        for limit in history:
            self.history.append(self._filled(limit))

    def _filled(self, limit: Limit) -> Limit:
        clause = limit.clause or self.id
        if not limit.same_as_before:
            return replace(limit, clause=clause)
        if not self.history:
            raise ValueError(f"「{self.label}」的第一行不能写 unchanged，前面没有可沿用的规定")
        before = self.history[-1]
        return replace(before, document=limit.document, clause=limit.clause or before.clause, line=limit.line)

    def at(self, instant: datetime) -> Limit | None:
        """The line in force then; None before the first document."""
        for limit in reversed(self.history):
            if limit.document.begins <= instant:
                return limit
        return None

    def line_of(self, version: str) -> Limit | None:
        return next((limit for limit in self.history if limit.document.label == version), None)

    @property
    def sets_clocks(self) -> bool:
        return any(limit.within is not None and not limit.off for limit in self.history)


class Ruling:
    """A rule without a clock, about these moves. In force from its document on."""

    def __init__(
        self, id: str, label: str, moves: Sequence[Move], document: Document, quote: str, assumed: str, off: str
    ) -> None:
        self.id, self.label, self.moves, self.document = id, label, tuple(moves), document
        self.line = _line()
        self.quote, self.assumed, self.off = quote, assumed, off

    def holds(self, instant: datetime) -> bool:
        return not self.off and self.document.begins <= instant


class Window(Ruling):
    """These steps may be taken only within this long of the fact; an unknown fact closes nothing."""

    def __init__(
        self,
        id: str,
        label: str,
        *moves: Move,
        document: Document,
        within: Duration,
        counted_from: Fact,
        when: Guard | None = None,
        quote: str,
        assumed: str = "",
        off: str = "",
    ) -> None:
        super().__init__(id, label, moves, document, quote, assumed, off)
        self.within, self.counted_from, self.when = within, counted_from, when


class Attempts(Ruling):
    """So often in all may these steps be taken."""

    def __init__(
        self, id: str, label: str, *moves: Move, document: Document, at_most: int, quote: str, assumed: str = ""
    ) -> None:
        super().__init__(id, label, moves, document, quote, assumed, "")
        self.at_most = at_most


class Forbids(Ruling):
    """The step may not be taken while any of these is true."""

    def __init__(
        self, id: str, label: str, move: Move, *, document: Document, when: Iterable[Guard], quote: str
    ) -> None:
        super().__init__(id, label, [move], document, quote, "", "")
        self.when = tuple(when)


class Permits(Ruling):
    """The step exists on this platform; elsewhere it does not."""

    def __init__(self, id: str, label: str, move: Move, *, document: Document, quote: str) -> None:
        super().__init__(id, label, [move], document, quote, "", "")


class AgreesAtOnce(Ruling):
    """The application is agreed to by the system as it is made; before the document, a person decides."""

    def __init__(self, id: str, label: str, move: Move, *, document: Document, when: Guard, quote: str) -> None:
        super().__init__(id, label, [move], document, quote, "", "")
        self.when = when


class FixesAmount(Ruling):
    """The amount cannot be changed in this step while this is true."""

    def __init__(self, id: str, label: str, move: Move, *, document: Document, when: Guard, quote: str) -> None:
        super().__init__(id, label, [move], document, quote, "", "")
        self.when = when


R = TypeVar("R", bound=Ruling)


@dataclass(frozen=True)
class Policy:
    """One platform's rule book. `pin`: "clock" takes the version in force when the clock starts,
    "ticket" the one in force when the ticket was opened (decision 2)."""

    key: str
    label: str
    documents: Sequence[Document]
    rules: Sequence[Rule | Ruling]
    pin: str = "clock"
    _by_state: dict[State, tuple[Rule, ...]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for rule in self.clock_rules:
            for state in rule.states:
                self._by_state[state] = (*self._by_state.get(state, ()), rule)

    @property
    def clock_rules(self) -> list[Rule]:
        return [rule for rule in self.rules if isinstance(rule, Rule)]

    def rules_for(self, state: State) -> tuple[Rule, ...]:
        return self._by_state.get(state, ())

    def rule(self, id: str) -> Rule | Ruling | None:
        """A clock rule before a rule without a clock, where both go by the same id."""
        return next((rule for rule in (*self.clock_rules, *self.rules) if rule.id == id), None)

    def limit(self, id: str, version: str, timeout: str) -> Limit | None:
        """The line that set a clock, by what the clock remembers of it; None if the book no longer has it."""
        for rule in self.clock_rules:
            found = rule.line_of(version) if rule.id == id else None
            if found is not None and found.then is not None and found.then.name == timeout:
                return found
        return None

    def version_instant(self, ticket: Ticket, starts: datetime) -> datetime:
        return ticket.opened_at if self.pin == "ticket" else starts

    # ── rules without a clock, asked by guards ──

    def _rulings(self, kind: type[R], move: Move) -> list[R]:
        return [rule for rule in self.rules if isinstance(rule, kind) and move in rule.moves]

    def permits(self, move: Move) -> bool:
        return any(not rule.off for rule in self._rulings(Permits, move))

    def forbids(self, move: Move, context: Context) -> str | None:
        """Why the step is forbidden, or None."""
        for rule in self._rulings(Forbids, move):
            if rule.holds(context.now) and any(one.test(context) for one in rule.when):
                return say("{policy}规则（{rule}）：{label}", policy=self.label, rule=rule.id, label=rule.label)
        return None

    def attempts(self, move: Move) -> int | None:
        found = self.attempts_by(move)
        return None if found is None else found[1]

    def attempts_by(self, move: Move) -> tuple[str, int] | None:
        """(rule, how often at most)."""
        rules = self._rulings(Attempts, move)
        return min(((rule.id, rule.at_most) for rule in rules), key=lambda found: found[1], default=None)

    def windows(self, move: Move, context: Context) -> list[Closing]:
        """Those in force that concern the attempt, or may once more is known."""
        found = []
        for rule in self._rulings(Window, move):
            awaits = () if rule.when is None else rule.when.awaits(context)
            if not rule.holds(context.now) or (rule.when and not awaits and not rule.when.test(context)):
                continue
            start = None if awaits else context.value(rule.counted_from)
            closes = None if start is None else rule.within.after(start, WorkCalendar.default()).due_at
            found.append(Closing(rule.id, rule.label, str(rule.within), rule.counted_from, closes, awaits))
        return found

    def window_closed(self, move: Move, context: Context) -> str | None:
        """The sentence that says which window closed when, or None."""
        for window in self.windows(move, context):
            if window.closes is not None and context.now > window.closes:
                words = "{label}的期限 {time} 已过（{rule}），不能再办理"
                return say(words, label=window.label, time=shown(window.closes), rule=window.rule)
        return None

    def agrees_at_once(self, move: Move, context: Context) -> bool:
        rules = self._rulings(AgreesAtOnce, move)
        return any(rule.holds(context.now) and rule.when.test(context) for rule in rules)

    def awaits_version(self, move: Move, context: Context) -> bool:
        """The book has such a rule for this ticket, but no version was in force."""
        rules = self._rulings(AgreesAtOnce, move)
        return any(not rule.holds(context.now) and rule.when.test(context) for rule in rules)

    def fixes_amount(self, move: Move, context: Context) -> bool:
        rules = self._rulings(FixesAmount, move)
        return any(rule.holds(context.now) and rule.when.test(context) for rule in rules)


@dataclass(frozen=True)
class Target:
    """The shop's own aim for a state in which the platform sets no clock: people are reminded, nothing moves."""

    id: str
    label: str
    state: State
    within: Duration
    off: str = ""


@dataclass(frozen=True)
class House:
    """The shop's own rules: reminders so long before every due time, and internal targets."""

    reminders: Sequence[Duration]
    targets: Sequence[Target]

    def target_for(self, state: State) -> Target | None:
        return self._targets.get(state)

    @cached_property
    def reminder_spans(self) -> list[timedelta]:
        return [timedelta(seconds=before.seconds or 0) for before in self.reminders]

    @cached_property
    def _targets(self) -> Mapping[State, Target]:
        return {target.state: target for target in self.targets if not target.off}


def _line() -> int:
    """The line of the policy file that wrote this row."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return frame.f_lineno
