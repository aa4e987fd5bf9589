"""Why a ticket is due when it is, and what then: read from the ticket, its history and the rule book.

    explain(engine, ticket, rules)          -> Explanation: plain values, for the command, the page and the API
    explained(ticket, events, rules, now)   -> the same, without a database
    render(explanation)                     -> sentences that an agent can read aloud to a buyer
    one_line(explanation)                   -> for lists
    explain_event(event, ticket, rules)     -> one line of the history: by which rule, due when, fired when

Nothing is decided here. What will happen is found by letting `decide` do it to a copy of the ticket, so it cannot
differ from what the scheduler will do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

from aftersales import clock as time
from aftersales import clocks, decide, machine, queries
from aftersales.clock import lasting, shown, shown_day
from aftersales.database import Engine
from aftersales.decide import Rules
from aftersales.durations import Duration
from aftersales.money import yuan
from aftersales.policies.vocabulary import APPLICATION, AgreesAtOnce, Limit, Policy, Rule, agreed, until
from aftersales.rows import json_instant
from aftersales.ticket import NOWHERE, Change, Clock, Event, Ticket
from aftersales.workflows.context import NOTHING_KNOWN, Context, Draft
from aftersales.workflows.links import LINKS
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import Actor, Escalation, Fact, Move, Opening, State, Timeout, Workflow

__all__ = ["NO_CLOCK", "Explanation", "Happened", "explain", "explain_event", "explained", "one_line", "render"]

ONE_SECOND, ONE_DAY = timedelta(seconds=1), timedelta(days=1)


# ── The tree ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Named:
    """What the tables call it, and what people do."""

    key: str
    label: str


@dataclass(frozen=True)
class Cited:
    """The line of the rule book behind a clock. Not `in_book`: only what the clock itself remembers."""

    rule: str
    version: str
    in_book: bool
    label: str = ""
    clause: str = ""
    #: in words, for this very ticket: 48小时
    length: str = ""
    document: str = ""
    source: str = ""
    checked_on: str | None = None
    #: seed, public-official, public-3rdparty
    confidence: str = ""
    quote: str = ""
    #: what the source leaves open, and how it was read
    assumed: str = ""
    #: a later version that is in force by now: this clock keeps the one it started under
    newer: str | None = None


@dataclass(frozen=True)
class Happened:
    """One line of the history."""

    seq: int
    kind: str
    trigger: str
    label: str
    who: str
    from_state: Named
    to_state: Named
    at: datetime
    recorded_at: datetime
    #: of the clock that caused it, with how late it fired and its rule; None where a person or a feed did
    due_at: datetime | None
    late_seconds: int | None
    cited: Cited | None
    sentence: str


@dataclass(frozen=True)
class Start:
    """What a clock counts from. `fact`: "entered", "applied_at", or the name of a recorded fact."""

    fact: str
    label: str
    #: short, as in 自申请起
    noun: str
    at: datetime
    by: Happened | None
    #: an outage: nobody was told at the time, so it counts from when they were (decision 8)
    told_late: bool = False


@dataclass(frozen=True)
class Day:
    day: date
    reason: str


@dataclass(frozen=True)
class Counting:
    """How the length was counted. `way`: hours, days, civil_days, workdays, until, given."""

    way: str
    how: str
    #: what counting alone gives; None where nothing is counted
    due_at: datetime | None = None
    skipped: tuple[Day, ...] = ()
    #: weekends that were worked and therefore counted
    made_up: tuple[Day, ...] = ()
    #: the last day fell on a holiday and moved
    rolled: bool = False
    #: years whose calendar is not published yet
    guessed_years: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pause:
    at: datetime
    left_seconds: int
    by: str
    resumed_at: datetime | None = None
    resumed_by: str = ""


@dataclass(frozen=True)
class Replacement:
    """The due time was replaced. `basis`: platform, agreement or calendar."""

    basis: str
    was: datetime | None
    due_at: datetime
    at: datetime
    who: str


@dataclass(frozen=True)
class Next:
    """A clock that starts, or goes on, when another has run out."""

    rule: str
    label: str
    length: str
    due_at: datetime
    resumed: bool = False


@dataclass(frozen=True)
class Way:
    """One way the timeout can end. `taken`: the one this ticket would take now."""

    condition: str
    to: Named
    taken: bool


@dataclass(frozen=True)
class Outcome:
    """What happens when the clock runs out and nobody has acted."""

    timeout: str
    label: str
    #: marks the ticket and leaves it where it is
    escalation: bool = False
    to: Named | None = None
    #: only where it depends on the ticket
    ways: tuple[Way, ...] = ()
    starts: tuple[Next, ...] = ()
    #: why no clock runs then; empty if one does or the ticket is closed
    no_clock: str = ""
    closes: bool = False
    #: steps that can be taken then and not before
    unlocks: tuple[str, ...] = ()
    money: tuple[str, ...] = ()
    remembers: tuple[str, ...] = ()
    #: what other tickets are told
    tells: tuple[str, ...] = ()
    #: why it cannot be foretold; then the rest is empty
    problem: str = ""


@dataclass(frozen=True)
class ClockStory:
    """One clock, running or paused."""

    cited: Cited
    start: Start
    counting: Counting
    #: None while it is paused
    due_at: datetime | None
    left_seconds: int
    #: rule, platform or agreement
    basis: str
    computed_due_at: datetime | None
    provisional: bool
    pauses: tuple[Pause, ...]
    replacements: tuple[Replacement, ...]
    outcome: Outcome


@dataclass(frozen=True)
class NoClock:
    """Why a waiting ticket has no clock: the code in the database, and a sentence."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Reminder:
    at: datetime
    label: str


@dataclass(frozen=True)
class Trouble:
    """The scheduler could not decide this ticket and has set it aside."""

    error: str
    times: int
    again_at: datetime | None


@dataclass(frozen=True)
class Explanation:
    """Everything that is to be said of a ticket's time at `now`."""

    number: str
    workflow: Named
    policy: Named
    #: local, or platform: whose steps count
    authority: str
    state: Named
    #: 商家, 买家, 平台, 快递; None once it is closed
    waits_for: str | None
    now: datetime
    #: the one that runs out first comes first
    clocks: tuple[ClockStory, ...]
    paused: tuple[ClockStory, ...]
    no_clock: NoClock | None
    reminders: tuple[Reminder, ...]
    trouble: Trouble | None
    #: how it was closed
    ending: Happened | None

    @property
    def due_at(self) -> datetime | None:
        return self.clocks[0].due_at if self.clocks else None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, instants in UTC; with both texts, so that a page need not make sentences of its own."""
        tree: dict[str, Any] = _plain(self)
        return {**tree, "due_at": _plain(self.due_at), "one_line": one_line(self), "text": render(self)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return json_instant(value)
    return value.isoformat() if isinstance(value, date) else value


# ── Explaining ────────────────────────────────────────────────────────────────────────────────────────────────────────


def explain(engine: Engine, ticket: Ticket, rules: Rules, *, now: datetime | None = None) -> Explanation:
    """Why this ticket is due when it is, as of `now` (this instant if left out)."""
    events = [event for event in queries.events(engine, ticket.id) if event.seq <= ticket.version]
    linked = queries.linked(engine, ticket.id)
    return explained(ticket, events, rules, time.whole_second(now or time.now()), linked=linked)


def explained(
    ticket: Ticket, events: Sequence[Event], rules: Rules, now: datetime, *, linked: Sequence[tuple[str, Ticket]] = ()
) -> Explanation:
    """The same from what is already loaded: `events` is the whole history, oldest first."""
    telling = _Telling(ticket, events, rules, now, linked)
    state = telling.state(ticket.state)
    waits_for = state.waits_for if state else None
    closed = ticket.closed_at is not None
    return Explanation(
        number=ticket.number,
        workflow=Named(ticket.workflow, telling.workflow.label),
        policy=Named(ticket.policy, telling.policy.label),
        authority=ticket.authority,
        state=telling.named(ticket.state),
        waits_for=waits_for.value if waits_for else None,
        now=now,
        clocks=tuple(telling.story(clock) for clock in sorted(ticket.clocks, key=lambda clock: clock.due_at)),
        paused=tuple(telling.story(clock) for clock in ticket.paused),
        no_clock=None if closed or ticket.clocks else telling.no_clock(ticket, events),
        reminders=telling.reminders(),
        trouble=Trouble(ticket.trouble, ticket.trouble_count, ticket.alarm_at) if ticket.trouble else None,
        ending=telling.ending() if closed else None,
    )


def explain_event(event: Event, ticket: Ticket, rules: Rules) -> Happened:
    """One line of the ticket's history; an automatic step with its rule, when it was due and when it fired."""
    return _Telling(ticket, [event], rules, event.recorded_at, ()).happened(event)


@dataclass(frozen=True)
class _Telling:
    """One ticket with all that is needed to tell about it."""

    ticket: Ticket
    events: Sequence[Event]
    rules: Rules
    now: datetime
    linked: Sequence[tuple[str, Ticket]]

    @property
    def workflow(self) -> type[Workflow]:
        return self.rules.workflow(self.ticket)

    @property
    def policy(self) -> Policy:
        return self.rules.policy(self.ticket)

    def state(self, name: str) -> State | None:
        """None for a state that the workflow no longer has."""
        return next((state for state in self.workflow.states if state.name == name), None)

    def named(self, name: str) -> Named:
        state = self.state(name)
        return Named(name, "新建" if name == NOWHERE else state.label if state else name)

    # ── one clock ──

    def story(self, clock: Clock) -> ClockStory:
        found = _line(self.policy, clock.rule, clock.version, clock.timeout)
        limit = found[1] if found else None
        paused = clock.left_seconds is not None
        return ClockStory(
            cited=self.cited(clock.rule, clock.version, clock.timeout),
            start=self.start(clock, limit),
            counting=self.counting(clock, limit),
            due_at=None if paused else clock.due_at,
            left_seconds=clock.left_seconds if clock.left_seconds is not None else _seconds(self.now, clock.due_at),
            basis=clock.basis,
            computed_due_at=clock.computed_due_at,
            provisional=clock.provisional,
            pauses=tuple(self.pauses(clock)),
            replacements=tuple(self.replacements(clock)),
            outcome=self.outcome(replace(clock, left_seconds=None)),
        )

    def cited(self, rule: str, version: str, timeout: str) -> Cited:
        found = _line(self.policy, rule, version, timeout)
        if found is None:
            return Cited(rule, version, in_book=False)
        row, limit = found
        document = limit.document
        return Cited(
            rule, version, True, row.label, limit.clause, _length(limit, self.ticket), document.title, document.source,
            document.checked_on, document.confidence, limit.quote, limit.assumed, _newer(row, limit, self.now),
        )  # fmt: skip

    # ── what it counts from ──

    def start(self, clock: Clock, limit: Limit | None) -> Start:
        fact = limit.counted_from if limit else None
        if fact is not None and self._recorded(fact) == clock.counted_from:
            by = self._event_of(fact, clock.counted_from)
            return Start(fact.name, fact.label, _noun_of(fact), clock.counted_from, self._happened(by))
        by = self._event_that_set(clock)
        state = self.named(by.to_state if by else self.ticket.state)
        late = by is not None and by.at < by.recorded_at == clock.counted_from
        noun = f"进入「{state.label}」" if by is None else self._noun(by)
        return Start("entered", f"进入「{state.label}」", noun, clock.counted_from, self._happened(by), late)

    def _recorded(self, fact: Fact) -> datetime | None:
        if fact is APPLICATION:
            return self.ticket.applied_at
        found: datetime | None = self.ticket.fields.get(fact.name)
        return found

    def _event_of(self, fact: Fact, instant: datetime) -> Event | None:
        """The event that reported the fact: it was filled in there, or the event itself is the fact."""
        if fact is APPLICATION:
            return next((event for event in self.events if event.seq == self.ticket.applied_seq), None)
        told = [event for event in self.events if event.facts.get(fact.name) == instant]
        told += [event for event in self.events if event.kind == "move" and event.at == instant]
        return told[0] if told else None

    def _event_that_set(self, clock: Clock) -> Event | None:
        """The latest event before which it did not exist, neither running nor paused."""
        first = None
        existed = False
        for event in self.events:
            running = any(_same(one, clock) for one in event.clocks)
            if running and not existed:
                first = event
            existed = running or (existed and not self._ends_clocks(event))
        return first

    def _ends_clocks(self, event: Event) -> bool:
        """A move that is not a pause ends the clocks that do not run after it."""
        return event.kind == "move" and not self._pauses(event) and not event.clocks

    def _pauses(self, event: Event) -> bool:
        move = self.workflow.move(event.trigger)
        return move is not None and any((way.clock or move.clock) is clocks.PAUSES for way in move.branches)

    def _noun(self, event: Event) -> str:
        move = self.workflow.move(event.trigger)
        if isinstance(move, Opening) and move.name == "apply":
            return "申请"
        return _consequence(self._label(event))

    # ── how it was counted ──

    def counting(self, clock: Clock, limit: Limit | None) -> Counting:
        if limit is None or limit.within is None or (clock.basis != "rule" and clock.computed_due_at is None):
            return Counting("given", _GIVEN.get(clock.basis, "规则册里已经没有这条规则的这个版本，无法重算"))
        if isinstance(limit.within, until):
            return Counting("until", f"到{limit.within.fact.label}为止", clock.computed_due_at or clock.due_at)
        length = clocks.length_of(limit.within, self.ticket)
        counted = length.after(clock.counted_from, self.rules.calendar)
        days = _days_counted(length, clock.counted_from, counted.due_at)
        known = self.rules.calendar.is_known
        return Counting(
            way=length.unit,
            how=_HOW[length.unit].format(n=length.count),
            due_at=counted.due_at,
            skipped=tuple(Day(day, reason) for day, reason in counted.skipped),
            made_up=tuple(self._made_up(days)),
            rolled=counted.rolled,
            guessed_years=tuple(sorted({day.year for day in days if not known(day)})) if counted.provisional else (),
        )

    def _made_up(self, days: Iterable[date]) -> Iterator[Day]:
        calendar = self.rules.calendar
        for day in days:
            if day.weekday() >= 5 and calendar.is_workday(day):
                yield Day(day, calendar.reason(day))

    # ── what became of it on the way ──

    def pauses(self, clock: Clock) -> Iterator[Pause]:
        """Gaps in the history of the clock that were closed with just the time it had left."""
        before, gap = None, None
        for event in self.events:
            running = next((one for one in event.clocks if _same(one, clock)), None)
            if before is not None and running is None:
                gap = Pause(event.at, max(0, _seconds(event.at, before.due_at)), self._label(event))
            elif running is not None and gap is not None:
                left = timedelta(seconds=gap.left_seconds)
                if running.due_at in (event.at + left, event.recorded_at + left):
                    yield replace(gap, resumed_at=running.due_at - left, resumed_by=self._label(event))
                gap = None
            before = running
        if gap is not None and clock.left_seconds is not None:
            yield replace(gap, left_seconds=clock.left_seconds)

    def replacements(self, clock: Clock) -> Iterator[Replacement]:
        """Every time the due time of the running clock was replaced."""
        before = None
        for event in self.events:
            running = next((one for one in event.clocks if _same(one, clock)), None)
            if running is not None:
                basis = "calendar" if event.kind == "calendar" else running.basis
                was = running.computed_due_at if before is None else before.due_at
                if (before is None and basis != "rule") or (before is not None and was != running.due_at):
                    yield Replacement(basis, was, running.due_at, event.recorded_at, _who(event))
            before = running

    # ── what then ──

    def outcome(self, clock: Clock) -> Outcome:
        move = self.workflow.move(clock.timeout)
        if not isinstance(move, Timeout):
            return Outcome(
                clock.timeout, clock.timeout, problem=f"到期动作「{clock.timeout}」已经不在{self.workflow.label}流程里"
            )
        when = max(self.now, clock.alarm_at + ONE_SECOND)
        alone = self.ticket.but(clocks=(clock,))
        try:
            change = decide.catch_up(alone, when, self.rules)
            assert change is not None
            return self._foretold(alone, clock, move, change, when)
        except Exception as error:  # noqa: BLE001 -- a rule that raises must not hide the rest of the story
            return Outcome(move.name, move.label, problem=f"到期动作「{move.label}」现在执行不了：{error}")

    def _foretold(self, alone: Ticket, clock: Clock, move: Timeout, change: Change, when: datetime) -> Outcome:
        event, after = change.events[0], change.after
        state = self.state(event.to_state)
        closes = state is not None and state.final
        stays = isinstance(move, Escalation)
        return Outcome(
            timeout=move.name,
            label=move.label,
            escalation=stays,
            to=self.named(event.to_state),
            ways=tuple(self._ways(alone, clock, move, when)),
            starts=tuple(self._next(one, after) for one in event.clocks if not _among(one, self.ticket.clocks)),
            no_clock="" if closes or event.clocks else self.no_clock(after, [*self.events, *change.events]).sentence,
            closes=closes,
            unlocks=tuple(self._unlocked(alone, after, when)) if stays else (),
            money=tuple(f"{_PURPOSES.get(p.purpose, p.purpose)} {yuan(p.amount_fen)}" for p in change.payments),
            remembers=tuple(self._remembered(alone, after)),
            tells=tuple(self._told(move, event)),
        )

    def _ways(self, alone: Ticket, clock: Clock, move: Timeout, when: datetime) -> Iterator[Way]:
        """Every branch of a timeout that has a choice, and which of them this ticket takes."""
        if len(move.branches) < 2:
            return
        draft = Draft(dict(alone.fields), list(alone.flags))
        context = Context(alone, move, {}, "system", clock.due_at, when, self.policy, (), NOTHING_KNOWN, draft)
        _, taken = machine.fire(context)
        for branch in move.branches:
            yield Way(branch.says, self.named(branch.to.name if branch.to else alone.state), branch is taken)

    def _next(self, clock: Clock, after: Ticket) -> Next:
        found = _line(self.policy, clock.rule, clock.version, clock.timeout)
        label, length = (found[0].label, _length(found[1], after)) if found else (clock.timeout, "")
        return Next(clock.rule, label, length, clock.due_at, resumed=_among(clock, self.ticket.paused))

    def _unlocked(self, before: Ticket, after: Ticket, when: datetime) -> Iterator[str]:
        for actor in Actor:
            possible = decide.allowed(before, actor, when, self.rules)
            for step in decide.allowed(after, actor, when, self.rules):
                if step not in possible:
                    yield step.label

    def _remembered(self, before: Ticket, after: Ticket) -> Iterator[str]:
        """The facts that the timeout writes down: what a buyer may claim after a breach, say."""
        facts = {fact.name: fact for fact in self.workflow.remembers if fact.kind != "time"}
        for name, fact in facts.items():
            value = after.fields.get(name)
            if value is not None and value != before.fields.get(name):
                yield f"{fact.label}：{_said(fact, value)}"

    def _told(self, move: Timeout, event: Event) -> Iterator[str]:
        for told in LINKS.told_by(move, event.from_state, event.to_state):
            for relation, other in self.linked:
                if relation == told.over and other.workflow == told.step.workflow.key and other.closed_at is None:
                    yield f"关联的{told.step.workflow.label}工单 {other.number}「{told.step.label}」"

    # ── no clock ──

    def no_clock(self, ticket: Ticket, events: Sequence[Event]) -> NoClock:
        code = ticket.no_clock_reason or ""
        say = NO_CLOCK.get(code)
        return NoClock(code, f"登记的原因是「{code}」" if say is None else say(self, ticket, events))

    def rules_here(self, ticket: Ticket, limits: bool) -> list[tuple[Rule, Limit]]:
        """The rules of the ticket's state that hold for it, each with its newest line that sets a limit, or none."""
        state = self.state(ticket.state)
        found = []
        for rule in self.policy.rules_for(state) if state else ():
            lines = [line for line in reversed(rule.history) if (line.within is not None) is limits]
            if lines and (rule.when is None or rule.when.test(self._view(ticket))):
                found.append((rule, lines[0]))
        return found

    def _view(self, ticket: Ticket) -> Context:
        draft = Draft(dict(ticket.fields), list(ticket.flags))
        return Context(ticket, self.workflow.moves[0], {}, "system", self.now, self.now, self.policy, draft=draft)

    # ── the rest ──

    def reminders(self) -> tuple[Reminder, ...]:
        """Reminders and the shop's own targets that are still to come."""
        ticket, state, house = self.ticket, self.state(self.ticket.state), self.rules.catalog.house
        if state is None or state.final:
            return ()
        targets = {target.id: target.label for target in house.targets}
        due, found = ticket.due_at, []
        for at, what in sorted(clocks.reminders(ticket.clocks, state, ticket.entered_at, house)):
            label = f"到期前 {lasting(_seconds(at, due))}" if due else f"店铺目标「{targets.get(what, what)}」"
            found += [Reminder(at, label)] if at > self.now else []
        return tuple(found)

    def ending(self) -> Happened | None:
        moves = [event for event in self.events if event.kind == "move" and event.from_state != event.to_state]
        return self.happened(moves[-1]) if moves else None

    # ── one line of the history ──

    def _happened(self, event: Event | None) -> Happened | None:
        return None if event is None else self.happened(event)

    def happened(self, event: Event) -> Happened:
        automatic = event.kind == "move" and event.due_at is not None and event.rule is not None
        cited = self.cited(event.rule, event.rule_version or "", event.trigger) if automatic and event.rule else None
        told = Happened(
            event.seq, event.kind, event.trigger, self._label(event), _who(event), self.named(event.from_state),
            self.named(event.to_state), event.at, event.recorded_at, event.due_at,
            _seconds(event.due_at, event.recorded_at) if automatic and event.due_at else None, cited, "",
        )  # fmt: skip
        return replace(told, sentence=_told(told))

    def _label(self, event: Event) -> str:
        if event.kind in _KINDS:
            return _KINDS[event.kind]
        if event.kind == "target":
            targets = {target.id: target.label for target in self.rules.catalog.house.targets}
            return f"店铺目标「{targets.get(event.trigger, event.trigger)}」已到"
        row: Any = PLAIN_ACTIONS.get(event.trigger) if event.kind != "move" else self.workflow.move(event.trigger)
        return event.trigger if row is None else str(row.label)


# ── The rule book ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _line(policy: Policy, rule: str, version: str, timeout: str) -> tuple[Rule, Limit] | None:
    """The rule and its line behind a clock. Rows may share an id, so the timeout has to fit too."""
    for row in policy.clock_rules:
        limit = row.line_of(version) if row.id == rule else None
        if limit is not None and limit.then is not None and limit.then.name == timeout:
            return row, limit
    return None


def _newer(rule: Rule, limit: Limit, now: datetime) -> str | None:
    """The label of the version in force by now, if that is a later one."""
    current = rule.at(now)
    if current is None or current is limit or current.document.begins <= limit.document.begins:
        return None
    return current.document.label


def _length(limit: Limit, ticket: Ticket) -> str:
    """In words: what was agreed on for this ticket, where that counts."""
    if isinstance(limit.within, until):
        return limit.within.fact.label
    if not isinstance(limit.within, agreed):
        return str(limit.within or "")
    length = clocks.length_of(limit.within, ticket)
    unagreed = ticket.fields.get(limit.within.fact.name) is None
    return f"{length}（双方没有另外约定）" if unagreed else f"{length}（双方约定）"


def _same(one: Clock, other: Clock) -> bool:
    """The same clock at two moments of its life: due time and basis may have changed."""
    return (one.rule, one.version, one.timeout, one.counted_from) == (
        other.rule, other.version, other.timeout, other.counted_from,
    )  # fmt: skip


def _among(clock: Clock, others: Iterable[Clock]) -> bool:
    return any(_same(clock, other) for other in others)


# ── Counting ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_HOW = {
    "hours": "按小时连续计，节假日不停",
    "days": "一天按连续 24 小时计，到期与起算是同一钟点，节假日不停",
    "civil_days": "起算当天不算，从次日数到第 {n} 天的 24 点",
    "workdays": "起算当天不算，从次日起只数工作日（调休上班的周末也算），到第 {n} 个工作日的 24 点",
}
_GIVEN = {"platform": "期限由平台直接给出，不是按规则算的", "agreement": "期限由双方约定，不是按规则算的"}


def _days_counted(length: Duration, start: datetime, due_at: datetime) -> list[date]:
    """The Shanghai days after the start up to the last, where days were counted by the calendar."""
    if length.unit not in ("workdays", "civil_days"):
        return []
    first, last = shown_day(start), shown_day(due_at)
    return [first + n * ONE_DAY for n in range(1, (last - first).days + 1)] if length.unit == "workdays" else [last]


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())


# ── Why there is no clock: one sentence per code ──────────────────────────────────────────────────────────────────────


def _no_limit(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    for rule, line in telling.rules_here(ticket, limits=False):
        return f"{line.because}（{rule.id}，{_version(line.document.label)}）"
    return "这一步没有新的时限"


def _no_rule(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    return f"{telling.policy.label}的规则里没有「{telling.named(ticket.state).label}」的时限"


def _off(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    for rule, line in telling.rules_here(ticket, limits=True):
        if line.off:
            return f"规则册里有 {rule.id}「{rule.label}」{_limit(_length(line, ticket))}，但没有启用：{line.off}"
    return "规则册里有这一步的时限，但没有启用"


def _policy_missing(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    end = "，当时还没有在用的版本，系统不猜时限，请人处理"
    for rule, _ in telling.rules_here(ticket, limits=True):
        return f"{rule.id}「{rule.label}」从 {_begins(rule.history[0].document.label)} 起才有规定{end}"
    for ruling in telling.policy.rules:
        opens = isinstance(ruling, AgreesAtOnce) and not ruling.holds(ticket.applied_at)
        if opens and any(move in telling.workflow.moves for move in ruling.moves):
            return f"{ruling.id}「{ruling.label}」从 {_begins(ruling.document.label)} 起才有规定{end}"
    return f"这一步的规则{end.removeprefix('，')}"


def _ran_out(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    moves = [event for event in events if event.kind == "move"]
    last = telling.happened(moves[-1]) if moves else None
    if last is None or last.cited is None or last.due_at is None:
        return "按起算时间，这一步的时限早已过完，不再计时"
    name = f"「{last.cited.label}」{_limit(last.cited.length)}（{last.cited.rule}）" if last.cited.label else ""
    return f"{name or last.cited.rule}已于 {shown(last.due_at)} 到期，工单留在这一步，没有新的时限"


def _ended(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    return f"{_last_step(telling, events)}结束了原来的时限，没有开始新的"


def _no_new_limit(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    return f"{_last_step(telling, events)}没有填新的期限，所以不计时"


def _platform_authority(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    return "工单从平台接管，这一步什么时候开始没有告知，系统不猜时限，以平台给出的期限和结果为准"


def _platform_past_due(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    return "接管时平台的期限已经过了，平台做了什么没有告知，系统不重复执行，等平台同步结果"


#: every reason that `clocks` and `decide` declare
NO_CLOCK = {
    "no_limit": _no_limit,
    "no_rule": _no_rule,
    "off": _off,
    "policy_missing": _policy_missing,
    "ran_out": _ran_out,
    "ended": _ended,
    "no_new_limit": _no_new_limit,
    "platform_authority": _platform_authority,
    "platform_past_due": _platform_past_due,
}


def _last_step(telling: _Telling, events: Sequence[Event]) -> str:
    moves = [event for event in events if event.kind == "move"]
    return f"上一步「{telling.happened(moves[-1]).label}」" if moves else "上一步"


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_KINDS = {"reminder": "到期前提醒", "calendar": "放假安排公布，重算到期时间"}
_PURPOSES = {"refund": "退款", "repair_cost": "维修费", "compensation": "补偿"}
_CONFIDENCE = {
    "seed": "原始资料",
    "public-official": "官方文档",
    "public-3rdparty": "第三方转载，可能过时或有误",
}
_BASES = {"platform": "平台", "agreement": "双方约定", "calendar": "放假安排公布后"}
_NOUNS = {"applied_at": "申请", "expires_at": "卡券到期"}


def _noun_of(fact: Fact) -> str:
    return _NOUNS.get(fact.name) or fact.label.removesuffix("时间")


def _who(event: Event) -> str:
    label = Actor(event.actor).label if event.actor in set(Actor) else event.actor
    return f"{label} {event.actor_name}" if event.actor_name else label


def _version(label: str) -> str:
    return "一直有效" if label == "undated" else f"{label}版"


def _begins(label: str) -> str:
    return label if label != "undated" else "一开始"


def _limit(length: str) -> str:
    """限48小时; a time that was agreed on is no length."""
    return f"限{length}" if length[:1].isdigit() else f"以{length}为限"


def _consequence(label: str) -> str:
    """What comes of it: of 逾期未处理，视为同意换货 the second half."""
    return label.rpartition("，")[2]


def _said(fact: Fact, value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "是" if value else "否"
    return str(dict(fact.choices).get(value, value))


def _told(told: Happened) -> str:
    moved = f"，工单从「{told.from_state.label}」转到「{told.to_state.label}」"
    if told.from_state.key == NOWHERE:
        moved = f"，工单在「{told.to_state.label}」"
    if told.from_state == told.to_state:
        moved = ""
    if told.cited is None or told.due_at is None:
        late = "" if told.at == told.recorded_at else f"（{shown(told.recorded_at)} 才记录）"
        return f"{shown(told.at)}，{told.who}「{told.label}」{late}{moved}"
    return (
        f"{_citation(told.cited)}，{shown(told.due_at)} 到期；"
        f"系统在 {shown(told.recorded_at)}（到期后 {lasting(told.late_seconds or 0)}）执行「{told.label}」，"
        f"自到期时刻起生效{moved}"
    )


def _citation(cited: Cited) -> str:
    """KS-EX-01「商家处理换货申请」限48小时（2022-09-30版）."""
    if cited.rule == clocks.PLATFORM_DEADLINE:
        return "平台给的期限"
    if not cited.in_book:
        return f"{cited.rule}（{_version(cited.version)}，规则册里已经没有这个版本）"
    return f"{cited.rule}「{cited.label}」{_limit(cited.length)}（{_version(cited.version)}）"


# ── One line ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def one_line(explanation: Explanation) -> str:
    """换货 EX-221001-0001：KS-EX-01 限48小时（2022-09-30版），自申请 2022-10-01 10:00:00 起，到 …，到期视为同意换货."""
    head = f"{explanation.workflow.label} {explanation.number}："
    if explanation.clocks:
        more = len(explanation.clocks) - 1
        rest = f"；另有 {more} 个时限在走，都在这之后" if more else ""
        return f"{head}{_clock_line(explanation.clocks[0])}{rest}"
    if explanation.waits_for is None:
        return f"{head}{_ending_line(explanation)}"
    turn = f"{head}{explanation.state.label}，等{explanation.waits_for}"
    if explanation.paused:
        return f"{turn}；{'；'.join(_paused_line(clock) for clock in explanation.paused)}"
    return f"{turn}，没有时限：{explanation.no_clock.sentence}" if explanation.no_clock else turn


def _clock_line(story: ClockStory) -> str:
    cited, due_at = story.cited, story.due_at
    assert due_at is not None
    rule = f"{cited.rule} {_limit(cited.length)}" if cited.in_book else cited.rule
    due = f"{shown(due_at)}（暂定）" if story.provisional else shown(due_at)
    if story.basis != "rule":
        was = f"（原按 {rule}到 {shown(story.computed_due_at)}）" if story.computed_due_at else ""
        return f"{_BASES[story.basis]}期限到 {due}{was}，{_then_line(story.outcome)}"
    paused = f"（暂停过 {len(story.pauses)} 次）" if story.pauses else ""
    start = f"自{story.start.noun} {shown(story.start.at)} 起"
    return f"{rule}（{_version(cited.version)}），{start}，到 {due}{paused}，{_then_line(story.outcome)}"


def _then_line(outcome: Outcome) -> str:
    return outcome.problem or f"到期{_consequence(outcome.label)}"


def _paused_line(story: ClockStory) -> str:
    name = f"「{story.cited.label}」（{story.cited.rule}）" if story.cited.label else story.cited.rule
    return f"{name}暂停，还剩 {lasting(story.left_seconds)}"


def _ending_line(explanation: Explanation) -> str:
    ending = explanation.ending
    if ending is None:
        return explanation.state.label
    cited = ending.cited
    if cited is None:
        return f"{explanation.state.label}，{shown(ending.at)} {ending.who}「{ending.label}」"
    rule = f"{cited.rule} {_limit(cited.length)}" if cited.in_book else cited.rule
    return f"{explanation.state.label}，{shown(ending.at)} {ending.label}（{rule}，{_version(cited.version)}）"


# ── The whole, for reading aloud ──────────────────────────────────────────────────────────────────────────────────────


def render(explanation: Explanation) -> str:
    """Several lines of Chinese, without any control characters. All times are Beijing time."""
    e = explanation
    lines = [f"{e.workflow.label} {e.number}（{e.policy.label}）", f"现在：{_now(e)}。"]
    if e.ending is not None:
        lines.append(f"结束：{e.ending.sentence}。")
        lines += _cited_lines(e.ending.cited) if e.ending.cited else []
    if len(e.clocks) > 1:
        lines.append(_which_first(e.clocks))
    for story in e.clocks:
        lines += _clock_lines(story, e.now)
    for story in e.paused:
        lines += _paused_lines(story)
    if e.no_clock is not None:
        lines.append(f"时限：没有在走的时限。{e.no_clock.sentence}。")
    if e.reminders:
        lines.append(f"还会提醒：{'、'.join(f'{shown(one.at)}（{one.label}）' for one in e.reminders)}。")
    if e.authority == "platform" and e.waits_for is not None:
        lines.append("说明：这张工单以平台为准，平台同步来的期限和结果优先于系统推算的。")
    lines += _trouble_lines(e.trouble)
    return "\n".join(lines)


def _now(e: Explanation) -> str:
    return f"{e.state.label}，等{e.waits_for}" if e.waits_for else f"{e.state.label}，已经结束"


def _which_first(stories: Sequence[ClockStory]) -> str:
    first, *others = stories
    assert first.due_at is not None
    rest = "、".join(f"{one.cited.rule} 到 {shown(one.due_at)}" for one in others if one.due_at)
    return (
        f"同时在走 {len(stories)} 个时限，先到的先执行：{first.cited.rule} 到 {shown(first.due_at)} 最早，"
        f"{rest}；前一个执行后，其余的随工单的新状态结束或继续。"
    )


def _clock_lines(story: ClockStory, now: datetime) -> list[str]:
    assert story.due_at is not None
    left = f"还剩 {lasting(story.left_seconds)}" if story.left_seconds >= 0 else lasting(story.left_seconds)
    waits = "，系统即将执行" if story.left_seconds < 0 else ""
    return [
        f"到期：{shown(story.due_at)}（北京时间），{left}{waits}。",
        *_cited_lines(story.cited),
        f"起算：{_start(story.start)}。",
        f"计法：{_counting(story.counting)}。",
        *_provisional_lines(story),
        f"暂停：{'；'.join(map(_pause, story.pauses)) or '没有'}。",
        f"改期：{'；'.join(map(_replacement, story.replacements)) or '没有'}。",
        f"到期会怎样：{_outcome(story.outcome)}。",
    ]


def _paused_lines(story: ClockStory) -> list[str]:
    return [
        f"暂停中的时限：{_citation(story.cited)}，还剩 {lasting(story.left_seconds)}，继续时从那一刻起走完剩下的时间。",
        *_cited_lines(story.cited)[1:],
        f"起算：{_start(story.start)}。",
        f"暂停：{'；'.join(map(_pause, story.pauses))}。",
        f"继续并到期会怎样：{_outcome(story.outcome)}。",
    ]


def _cited_lines(cited: Cited) -> list[str]:
    if not cited.in_book:
        return [f"依据：{_citation(cited)}。"]
    clause = "" if cited.clause == cited.rule else f"，条款 {cited.clause}"
    checked = f"，{cited.checked_on} 核对" if cited.checked_on else ""
    trust = _CONFIDENCE.get(cited.confidence, cited.confidence)
    lines = [f"依据：{_citation(cited)}，《{cited.document}》{clause}。"]
    lines += [f"原文：“{cited.quote}”（{trust}，{cited.source}{checked}）。"] if cited.quote else []
    lines += [f"假定：{cited.assumed}。"] if cited.assumed else []
    if cited.newer:
        lines.append(f"版本：后来有了{_version(cited.newer)}，这个时限仍按起算时的{_version(cited.version)}走。")
    return lines


def _start(start: Start) -> str:
    by = f"，{start.by.who}「{start.by.label}」" if start.by else ""
    told = ""
    if start.by and start.by.recorded_at != start.by.at and not start.told_late:
        told = f"（{shown(start.by.recorded_at)} 才收到）"
    if start.told_late and start.by:
        by += f"；它 {shown(start.by.at)} 就已生效，但停机期间没有人知道，所以从得知的时刻足额起算"
    return f"{start.label}，{shown(start.at)}{by}{told}"


def _counting(counting: Counting) -> str:
    parts = [counting.how]
    if counting.skipped:
        verb = "最后一天遇放假顺延，跳过" if counting.rolled else "跳过"
        parts.append(f"{verb} {len(counting.skipped)} 天：{_days(counting.skipped)}")
    if counting.made_up:
        parts.append(f"周末但要上班、照算的 {len(counting.made_up)} 天：{_days(counting.made_up)}")
    return "；".join(parts)


def _days(days: Sequence[Day]) -> str:
    """10-01 至 10-07 国庆节: days in a row with one reason are said together."""
    runs: list[list[Day]] = []
    for day in days:
        if runs and runs[-1][-1].reason == day.reason and day.day - runs[-1][-1].day == ONE_DAY:
            runs[-1].append(day)
        else:
            runs.append([day])
    return "、".join(f"{_span(run)} {run[0].reason}" for run in runs)


def _span(run: Sequence[Day]) -> str:
    return str(run[0].day) if len(run) == 1 else f"{run[0].day} 至 {run[-1].day}"


def _provisional_lines(story: ClockStory) -> list[str]:
    if not story.provisional:
        return []
    years = "、".join(map(str, story.counting.guessed_years))
    if not years:
        return ["暂定：放假安排已经公布，等待系统重算，到期时间可能变。"]
    return [f"暂定：{years} 年的放假安排还没有公布，先只按周末休息计；公布后系统会重算，到期时间可能变。"]


def _pause(pause: Pause) -> str:
    stopped = f"{shown(pause.at)}「{pause.by}」时暂停，当时还剩 {lasting(pause.left_seconds)}"
    if pause.resumed_at is None:
        return f"{stopped}，还没有继续"
    return f"{stopped}，{shown(pause.resumed_at)}「{pause.resumed_by}」后继续"


def _replacement(one: Replacement) -> str:
    was = f"从 {shown(one.was)} " if one.was else ""
    return f"{shown(one.at)} {one.who}按{_BASES.get(one.basis, one.basis)}的期限{was}改到 {shown(one.due_at)}"


def _outcome(outcome: Outcome) -> str:
    if outcome.problem:
        return f"{outcome.problem}；届时系统会把工单搁置并提醒人，不会自己移动它"
    parts = [f"系统执行「{outcome.label}」，{_where_to(outcome)}"]
    parts += [f"下单{money}" for money in outcome.money]
    parts += [f"登记{one}" for one in outcome.remembers]
    parts += [f"随后{_next_words(one)}" for one in outcome.starts]
    parts += [f"之后没有时限：{outcome.no_clock}"] if outcome.no_clock else []
    parts += [f"从那时起可以「{'」「'.join(outcome.unlocks)}」"] if outcome.unlocks else []
    parts += list(outcome.tells)
    return "；".join(parts)


def _where_to(outcome: Outcome) -> str:
    assert outcome.to is not None
    if outcome.escalation:
        return f"升级给主管，工单留在「{outcome.to.label}」，不会自己往下走"
    where = f"工单以「{outcome.to.label}」结束" if outcome.closes else f"工单转到「{outcome.to.label}」"
    return f"{_because(outcome.ways)}{where}"


def _because(ways: Sequence[Way]) -> str:
    """Why this way and not another, where it depends on the ticket."""
    taken = next((place for place, way in enumerate(ways) if way.taken), None)
    if taken is None:
        return ""
    if taken < len(ways) - 1:
        return f"因为{ways[taken].condition}，"
    others = "」或「".join(way.condition for way in ways[:taken])
    return f"因为不属于「{others}」，"


def _next_words(one: Next) -> str:
    if one.resumed:
        return f"继续「{one.label}」（{one.rule}）剩下的时间，到 {shown(one.due_at)}"
    return f"开始「{one.label}」{one.length}（{one.rule}），到 {shown(one.due_at)}"


def _trouble_lines(trouble: Trouble | None) -> list[str]:
    if trouble is None:
        return []
    again = f"，{shown(trouble.again_at)} 再试" if trouble.again_at else ""
    return [f"注意：系统处理这张工单失败过 {trouble.times} 次，暂时搁置{again}，请管理员查看：{trouble.error}。"]
