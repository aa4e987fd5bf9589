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
from aftersales.explanation import (
    ONE_DAY,
    Cited,
    ClockStory,
    Counting,
    Day,
    Explanation,
    Happened,
    Named,
    Next,
    NoClock,
    Outcome,
    Past,
    Pause,
    Reminder,
    Replacement,
    Start,
    Trouble,
    Way,
    happened_words,
    limit_words,
    one_line,
    render,
    version_words,
)
from aftersales.money import yuan
from aftersales.policies.vocabulary import APPLICATION, AgreesAtOnce, Document, Limit, Policy, Rule, agreed, until
from aftersales.saying import Written, said_by, say
from aftersales.ticket import NOWHERE, Change, Clock, Event, Payment, Ticket
from aftersales.workflows.context import NOTHING_KNOWN, Context, Draft
from aftersales.workflows.links import LINKS
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import Actor, Escalation, Fact, Opening, State, Timeout, Workflow

__all__ = [
    "NO_CLOCK",
    "Explanation",
    "Happened",
    "earlier",
    "explain",
    "explain_event",
    "explained",
    "one_line",
    "render",
]

ONE_SECOND = timedelta(seconds=1)


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


def earlier(ticket: Ticket, events: Sequence[Event], rules: Rules, now: datetime) -> tuple[Past, ...]:
    """The clocks of this ticket that are over, the last to end first."""
    return tuple(_Telling(ticket, events, rules, now, ()).past())[::-1]


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
            outcome=self.outcome_once_resumed(clock) if paused else self.outcome(clock, self.ticket),
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
            by, noun = self._event_of(fact, clock.counted_from), _noun_of(fact)
            return Start(fact.name, noun, noun, clock.counted_from, self._happened(by))
        by = self._event_that_set(clock)
        state = self.named(by.to_state if by else self.ticket.state)
        late = by is not None and by.due_at is not None and by.at < by.recorded_at == clock.counted_from
        entered = say("进入「{state}」", state=state.label)
        noun = entered if by is None else self._noun(by)
        return Start("entered", entered, noun, clock.counted_from, self._happened(by), late)

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
        """The latest event that took effect, or became known, at just the instant it counts from."""
        found = None
        before: Sequence[Clock] = ()
        for event in self.events:
            appears = _among(clock, event.clocks) and not _among(clock, before)
            if appears and (found is None or clock.counted_from in (event.at, event.recorded_at)):
                found = event
            before = event.clocks
        return found

    def _noun(self, event: Event) -> str:
        move = self.workflow.move(event.trigger)
        if isinstance(move, Opening) and move.name == "apply":
            return "申请"
        label = self._label(event)
        return say("「{step}」", step=label) if "，" in label else label

    # ── how it was counted ──

    def counting(self, clock: Clock, limit: Limit | None) -> Counting:
        if limit is None or limit.within is None or (clock.basis != "rule" and clock.computed_due_at is None):
            return Counting("given", _GIVEN.get(clock.basis, "规则册里已经没有这条规则的这个版本，无法重算"))
        if isinstance(limit.within, until):
            how = say("到{label}为止", label=limit.within.fact.label)
            return Counting("until", how, clock.computed_due_at or clock.due_at)
        length = clocks.length_of(limit.within, self.ticket)
        counted = length.after(clock.counted_from, self.rules.calendar)
        days = _days_counted(length, clock.counted_from, counted.due_at)
        known = self.rules.calendar.is_known
        return Counting(
            way=length.unit,
            how=say(_HOW[length.unit], n=length.count),
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

    def past(self) -> Iterator[Past]:
        """In the order of their ends: clocks that an event left out, and that are neither running nor paused now."""
        gone: dict[tuple[Any, ...], tuple[Clock, Event]] = {}
        before: Sequence[Clock] = ()
        for event in self.events:
            for clock in event.clocks:
                gone.pop(_life(clock), None)
            gone |= {_life(clock): (clock, event) for clock in before if not _among(clock, event.clocks)}
            before = event.clocks
        for clock, event in gone.values():
            if _among(clock, (*self.ticket.clocks, *self.ticket.paused)):
                continue
            ran_out = event.due_at is not None and event.trigger == clock.timeout
            yield Past(
                self.cited(clock.rule, clock.version, clock.timeout), clock.counted_from, clock.due_at, event.at,
                self.happened(event), ran_out, tuple(self.pauses(clock)),
            )  # fmt: skip

    # ── what then ──

    def outcome(self, clock: Clock, ticket: Ticket) -> Outcome:
        """What the engine does to a copy of the ticket once this clock has run out."""
        move = self.workflow.move(clock.timeout)
        if not isinstance(move, Timeout):
            label = self.workflow.label
            problem = say("到期动作「{step}」已经不在{workflow}流程里", step=clock.timeout, workflow=label)
            return Outcome(clock.timeout, clock.timeout, problem=problem)
        when = max(self.now, clock.alarm_at + ONE_SECOND)
        first = ticket if clock == ticket.clock else ticket.but(clocks=(clock,))
        try:
            change = decide.catch_up(first, when, self.rules)
            assert change is not None
            return self._foretold(first, clock, move, change, when)
        except Exception as error:  # noqa: BLE001 -- a rule that raises must not hide the rest of the story
            problem = say("到期动作「{step}」现在执行不了：{error}", step=move.label, error=said_by(error))
            return Outcome(move.name, move.label, problem=problem)

    def outcome_once_resumed(self, clock: Clock) -> Outcome:
        """As if the ticket were back in the state where the clock was running."""
        last = next((event for event in reversed(self.events) if _among(clock, event.clocks)), None)
        [running] = clocks.resume([clock], self.now, self.now)
        back = self.ticket.but(state=last.to_state if last else self.ticket.state, clocks=(running,), paused=())
        return self.outcome(running, back)

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
            starts=tuple(self._next(one, after) for one in event.clocks if not _among(one, alone.clocks)),
            runs_on=tuple(one.rule for one in event.clocks if _among(one, alone.clocks)),
            no_clock="" if stays or closes or event.clocks else self._none_then(after, change),
            closes=closes,
            unlocks=tuple(self._unlocked(alone, after, when)) if stays else (),
            money=tuple(_money(payment) for payment in change.payments),
            remembers=tuple(self._remembered(alone, after)),
            tells=tuple(self._told(move, event)),
        )

    def _none_then(self, after: Ticket, change: Change) -> str:
        return self.no_clock(after, [*self.events, *change.events]).sentence

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
            if value not in (None, False) and value != before.fields.get(name):
                yield say("{label}：{value}", label=fact.label, value=_said(fact, value))

    def _told(self, move: Timeout, event: Event) -> Iterator[str]:
        for told in LINKS.told_by(move, event.from_state, event.to_state):
            for relation, other in self.linked:
                if relation == told.over and other.workflow == told.step.workflow.key and other.closed_at is None:
                    yield say(
                        "关联的{workflow}工单 {number}「{step}」",
                        workflow=told.step.workflow.label, number=other.number, step=told.step.label,
                    )  # fmt: skip

    # ── no clock ──

    def no_clock(self, ticket: Ticket, events: Sequence[Event]) -> NoClock:
        code = ticket.no_clock_reason or ""
        why = NO_CLOCK.get(code)
        return NoClock(code, say("登记的原因是「{code}」", code=code) if why is None else why(self, ticket, events))

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
            target = say("店铺目标「{target}」", target=targets.get(what, what))
            label = say("到期前 {span}", span=lasting(_seconds(at, due))) if due else target
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
        return replace(told, sentence=happened_words(told))

    def _label(self, event: Event) -> str:
        if event.kind in _KINDS:
            return _KINDS[event.kind]
        if event.kind == "target":
            targets = {target.id: target.label for target in self.rules.catalog.house.targets}
            return say("店铺目标「{target}」已到", target=targets.get(event.trigger, event.trigger))
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
    words = "{length}（双方没有另外约定）" if unagreed else "{length}（双方约定）"
    return say(words, length=str(length))


def _life(clock: Clock) -> tuple[Any, ...]:
    return (clock.rule, clock.version, clock.timeout, clock.counted_from)


def _same(one: Clock, other: Clock) -> bool:
    """The same clock at two moments of its life: due time and basis may have changed."""
    return _life(one) == _life(other)


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
        version = version_words(line.document.label)
        return say("{because}（{rule}，{version}）", because=line.because, rule=rule.id, version=version)
    return "这一步没有新的时限"


def _no_rule(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    state = telling.named(ticket.state).label
    where = say("{policy}的规则里没有「{state}」的时限", policy=telling.policy.label, state=state)
    here = [*telling.rules_here(ticket, limits=True), *telling.rules_here(ticket, limits=False)]
    begins = min((rule.history[0].document.label for rule, _ in here), default=None)
    return say("{where}，{day} 起的版本才有规定", where=where, day=begins) if begins else where


def _off(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    for rule, line in telling.rules_here(ticket, limits=True):
        if line.off:
            return say(
                "规则册里有 {rule}「{label}」{limit}，但没有启用：{why}",
                rule=rule.id, label=rule.label, limit=limit_words(_length(line, ticket)), why=line.off,
            )  # fmt: skip
    return "规则册里有这一步的时限，但没有启用"


def _policy_missing(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    for rule, _ in telling.rules_here(ticket, limits=True):
        return _not_yet(rule.id, rule.label, rule.history[0].document)
    for ruling in telling.policy.rules:
        if not isinstance(ruling, AgreesAtOnce) or ruling.holds(ticket.applied_at):
            continue
        if any(move in telling.workflow.moves for move in ruling.moves):
            return _not_yet(ruling.id, ruling.label, ruling.document)
    return "这一步的规则当时还没有在用的版本，系统不猜时限，请人处理"


def _not_yet(rule: str, label: str, document: Document) -> str:
    return say(
        "{rule}「{label}」从 {day} 起才有规定，当时还没有在用的版本，系统不猜时限，请人处理",
        rule=rule, label=label, day=_begins(document.label),
    )  # fmt: skip


def _ran_out(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    moves = [event for event in events if event.kind == "move"]
    last = telling.happened(moves[-1]) if moves else None
    if last is None or last.cited is None or last.due_at is None:
        return "按起算时间，这一步的时限早已过完，不再计时"
    name, cited = last.cited.rule, last.cited
    if cited.label:
        limit = limit_words(cited.length)
        name = say("「{label}」{limit}（{rule}）", label=cited.label, limit=limit, rule=cited.rule)
    return say("{rule}已于 {time} 到期，工单留在这一步，没有新的时限", rule=name, time=shown(last.due_at))


def _ended(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    return say("{step}结束了原来的时限，没有开始新的", step=_last_step(telling, events))


def _no_new_limit(telling: _Telling, ticket: Ticket, events: Sequence[Event]) -> str:
    return say("{step}没有填新的期限，所以不计时", step=_last_step(telling, events))


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
    return say("上一步「{step}」", step=telling.happened(moves[-1]).label) if moves else "上一步"


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_KINDS = {"reminder": "到期前提醒", "calendar": "放假安排公布，重算到期时间"}
_PURPOSES = {"refund": "退款", "repair_cost": "维修费", "compensation": "补偿"}
_NOUNS = {"applied_at": "申请", "expires_at": "卡券到期"}


def _noun_of(fact: Fact) -> str:
    return _NOUNS.get(fact.name) or fact.label.removesuffix("时间")


def _who(event: Event) -> str:
    label = Actor(event.actor).label if event.actor in set(Actor) else event.actor
    return say("{who} {name}", who=label, name=Written(event.actor_name)) if event.actor_name else label


def _money(payment: Payment) -> str:
    what = _PURPOSES.get(payment.purpose, payment.purpose)
    return say("{what} {amount}", what=what, amount=yuan(payment.amount_fen))


def _begins(label: str) -> str:
    return label if label != "undated" else "一开始"


def _said(fact: Fact, value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "是" if value else "否"
    return str(dict(fact.choices).get(value, value))
