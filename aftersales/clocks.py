"""Which clocks run after a move. Pure: the rules, the ticket and the instants go in, clocks come out.

Instants are aware UTC in whole seconds. `starts` is when the new state took effect for counting, `now` when it
became known: an alarm never fires before somebody knew of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from aftersales.durations import Duration
from aftersales.policies.vocabulary import APPLICATION, House, Limit, Policy, Rule, agreed, until
from aftersales.ticket import Clock, Ticket
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows.context import Context
from aftersales.workflows.vocabulary import (
    ADDS,
    ENDS,
    PAUSES,
    RESUMES,
    RUNS_ON,
    STARTS_IF_TIME_IS_LEFT,
    STAY,
    ClockEffect,
    State,
    Until,
)

#: rule of a clock that no rule of the book has set
PLATFORM_DEADLINE = "platform_deadline"


class Running(NamedTuple):
    """The clocks after a move, those kept for later, and why there are none if there are none."""

    clocks: tuple[Clock, ...] = ()
    paused: tuple[Clock, ...] = ()
    #: the book has a rule for the state, but no version of it was in force (decision 2)
    policy_missing: bool = False
    no_clock_reason: str | None = None


def after_move(
    context: Context,
    state: State,
    effect: ClockEffect | Until,
    *,
    policy: Policy,
    starts: datetime,
    now: datetime,
    calendar: WorkCalendar,
) -> Running:
    """What runs once the ticket is in `state`. `context.ticket` already carries the new state and fields."""
    before = context.ticket
    if effect is RUNS_ON:
        return _with_reason(Running(before.clocks, before.paused), before.no_clock_reason or "no_limit")
    if effect is ENDS:
        return Running(no_clock_reason="ended")
    if effect is RESUMES:
        return _with_reason(Running(tuple(resume(before.paused, starts, now))), "no_limit")
    if isinstance(effect, Until):
        return _until(context, state, context.facts.get(effect.fact.name), policy=policy, now=now)
    fresh = start(context, state, policy=policy, starts=starts, now=now, calendar=calendar)
    if effect is ADDS:
        both = fresh._replace(clocks=(*before.clocks, *fresh.clocks), paused=before.paused)
        return _with_reason(both._replace(policy_missing=fresh.policy_missing and not both.clocks), "no_limit")
    if effect is PAUSES:
        return fresh._replace(paused=tuple(pause(before.clocks, starts)))
    if effect is STARTS_IF_TIME_IS_LEFT:
        in_time = tuple(clock for clock in fresh.clocks if clock.due_at >= now)
        return _with_reason(fresh._replace(clocks=in_time), fresh.no_clock_reason or "ran_out")
    return fresh


def start(
    context: Context, state: State, *, policy: Policy, starts: datetime, now: datetime, calendar: WorkCalendar
) -> Running:
    """The clocks that the policy's rules set for the state, each under the version in force when it starts."""
    clocks: list[Clock] = []
    missing, reason = False, "no_rule"
    for rule in policy.rules_for(state):
        if rule.when is not None and not rule.when.test(context):
            continue
        found = limit_for(rule, policy, context.ticket, starts)
        if found is None:
            missing = missing or rule.sets_clocks
            continue
        limit, counted_from = found
        clock = None if limit.off else _clock(rule, limit, context.ticket, counted_from, now, calendar)
        if clock is not None:
            clocks.append(clock)
        else:
            reason = "off" if limit.off else "no_limit"
    missing = missing and not clocks
    running = Running(_earliest_of_each(clocks), policy_missing=missing)
    return _with_reason(running, "policy_missing" if missing else reason)


def _earliest_of_each(clocks: Sequence[Clock]) -> tuple[Clock, ...]:
    """Of several rules of one state that lead to the same, the earliest is the clock and the others are none."""
    if len(clocks) < 2:
        return tuple(clocks)
    found: dict[str, Clock] = {}
    for clock in sorted(clocks, key=lambda clock: clock.due_at):
        found.setdefault(clock.timeout, clock)
    return tuple(found.values())


def limit_for(rule: Rule, policy: Policy, ticket: Ticket, starts: datetime) -> tuple[Limit, datetime] | None:
    """The line of the rule in force at the instant its clock starts, with that instant; None: no version yet."""
    for limit in reversed(rule.history):
        counted_from = _counted_from(limit, ticket, starts)
        if limit.document.begins <= policy.version_instant(ticket, counted_from):
            return limit, counted_from
    return None


def _counted_from(limit: Limit, ticket: Ticket, starts: datetime) -> datetime:
    if limit.counted_from is None:
        return starts
    if limit.counted_from is APPLICATION:
        return ticket.applied_at
    recorded: datetime | None = ticket.fields.get(limit.counted_from.name)
    return starts if recorded is None else recorded


def _clock(
    rule: Rule, limit: Limit, ticket: Ticket, counted_from: datetime, now: datetime, calendar: WorkCalendar
) -> Clock | None:
    if limit.within is None or limit.then is None:
        return None
    provisional = False
    if isinstance(limit.within, until):
        due_at = ticket.fields.get(limit.within.fact.name)
        if due_at is None:
            return None
    else:
        counted = length_of(limit.within, ticket).after(counted_from, calendar)
        due_at, provisional = counted.due_at, counted.provisional
    return Clock(rule.id, limit.document.label, limit.then.name, counted_from, due_at, now, provisional=provisional)


def length_of(within: Duration | agreed, ticket: Ticket) -> Duration:
    if isinstance(within, agreed):
        days = ticket.fields.get(within.fact.name)
        return within.or_else if days is None else Duration(days, "days")
    return within


def pause(clocks: Iterable[Clock], at: datetime) -> Iterable[Clock]:
    """Each with the seconds it had left."""
    for clock in clocks:
        left = int((clock.due_at - at).total_seconds())
        yield clock._replace(left_seconds=max(0, left))


def resume(paused: Iterable[Clock], at: datetime, now: datetime) -> Iterable[Clock]:
    for clock in paused:
        due_at = at + timedelta(seconds=clock.left_seconds or 0)
        yield clock._replace(due_at=due_at, set_at=now, left_seconds=None)


def _until(context: Context, state: State, due_at: datetime | None, *, policy: Policy, now: datetime) -> Running:
    """The clock ends at an agreed instant, in place of the running one; without an instant, none runs."""
    if due_at is None:
        return Running(no_clock_reason="no_new_limit")
    ticket = context.ticket
    # from another state, its clocks are not this one's
    running = ticket.clocks if context.move.to is STAY else ()
    timeout = state.workflow.timeouts_from(state)[0].name
    return Running(_replaced(running, state, timeout, policy, due_at, "agreement", now), ticket.paused)


def with_platform_deadline(
    ticket: Ticket, state: State, timeout: str, policy: Policy, due_at: datetime, now: datetime
) -> Running:
    """Decision 11: the platform's deadline replaces the computed one (the earliest, if two run); with none running
    it starts the state's own `timeout`."""
    running = _replaced(ticket.clocks, state, timeout, policy, due_at, "platform", now)
    return Running(running, ticket.paused)


def _replaced(
    running: tuple[Clock, ...],
    state: State,
    timeout: str,
    policy: Policy,
    due_at: datetime,
    basis: str,
    now: datetime,
) -> tuple[Clock, ...]:
    first = min(running, key=lambda clock: clock.due_at, default=None)
    if first is None:
        return (_unruled_clock(state, timeout, policy, due_at, basis, now),)
    changed = first._replace(
        due_at=due_at,
        set_at=now,
        basis=basis,
        provisional=False,
        computed_due_at=first.computed_due_at or first.due_at,
    )
    return tuple(changed if clock is first else clock for clock in running)


def _unruled_clock(state: State, timeout: str, policy: Policy, due_at: datetime, basis: str, now: datetime) -> Clock:
    """No clock ran: the state's own timeout, under the rule that the book has for it, if any."""
    for rule in policy.rules_for(state):
        limit = rule.at(now)
        if limit is not None and limit.then is not None and limit.then.name == timeout and not limit.off:
            return Clock(rule.id, limit.document.label, timeout, now, due_at, now, basis)
    return Clock(PLATFORM_DEADLINE, "", timeout, now, due_at, now, basis)


def _with_reason(running: Running, reason: str) -> Running:
    return running._replace(no_clock_reason=None if running.clocks else reason)


# ── when the scheduler must look ──


def next_alarm(
    running: Sequence[Clock], state: State, entered_at: datetime, house: House, after: datetime
) -> datetime | None:
    """The earliest of: a due time, a reminder before it, the shop's own target. Reminders and targets
    at or before `after` are over; a due time never is."""
    alarms = [clock.alarm_at for clock in running]
    alarms += [moment for moment, _ in reminders(running, state, entered_at, house) if moment > after]
    return min(alarms, default=None)


def reminders(running: Sequence[Clock], state: State, entered_at: datetime, house: House) -> list[tuple[datetime, str]]:
    """Every reminder of the state as it stands: (moment, "reminder" or the target's id)."""
    if running:
        due_at = min(clock.due_at for clock in running)
        return [(due_at - span, "reminder") for span in house.reminder_spans]
    target = house.target_for(state)
    if target is None:
        return []
    return [(entered_at + timedelta(seconds=target.within.seconds or 0), target.id)]
