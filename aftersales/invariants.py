"""The invariants that one ticket shows, with its history and its payments. Pure: one function for each.

A function yields one sentence for every break it finds. It must be able to look at anything that a broken database
may hold, so nothing here trusts what `decide` guarantees; and nothing here asks `durations` or `clocks`, whose work
is what I-14 checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

from aftersales.clock import UTC, shown
from aftersales.clocks import PLATFORM_DEADLINE
from aftersales.decide import Rules
from aftersales.durations import Duration
from aftersales.explain import NO_CLOCK
from aftersales.policies.vocabulary import APPLICATION, Limit, agreed, until
from aftersales.rows import event_hash
from aftersales.ticket import NOWHERE, Clock, Event, Ticket
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows.plain import ADOPT_PLATFORM_STATE, PLAIN_ACTIONS
from aftersales.workflows.vocabulary import RESUMES, Actor, Import, Move, Opening, State, Timeout, Until, Workflow

#: events that keep the ticket where it is, and what may have caused each
PLAIN_KINDS = {action.kind for action in PLAIN_ACTIONS.values()} | {"reminder", "target", "calendar"}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the history: the event, and what its row holds beside it."""

    event: Event
    shop_id: int
    ticket_id: int
    command_key: str | None
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Paid:
    """One row of the ledger."""

    purpose: str
    amount_fen: int
    status: str
    shop_id: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Columns:
    """What the ticket's row tells queries of the clock that runs out first."""

    due_at: datetime | None
    rule: str | None
    version: str | None
    timeout: str | None
    counted_from: datetime | None
    basis: str | None
    provisional: bool


@dataclass(frozen=True)
class Case:
    """One ticket as the database has it, and the rules it is judged by."""

    ticket: Ticket
    columns: Columns
    lines: Sequence[Line]
    payments: Sequence[Paid]
    rules: Rules
    workflow: type[Workflow]

    @property
    def state(self) -> State | None:
        return next((state for state in self.workflow.states if state.name == self.ticket.state), None)

    @property
    def imported(self) -> bool:
        """Taken over from a platform, which has paid what was being paid then."""
        return bool(self.lines) and isinstance(self.workflow.move(self.lines[0].event.trigger), Import)

    def move(self, event: Event) -> Move | None:
        return self.workflow.move(event.trigger) if event.kind == "move" else None

    @cached_property
    def fired(self) -> Sequence[tuple[Event, Sequence[Clock]]]:
        """Every event that a clock caused, with the clocks that ran just before it."""
        return [
            (line.event, before.event.clocks)
            for before, line in pairwise(self.lines)
            if isinstance(self.move(line.event), Timeout)
        ]

    def limit(self, clock: Clock) -> Limit | None:
        return self.rules.policy(self.ticket).limit(clock.rule, clock.version, clock.timeout)


Check = Callable[[Case], Iterator[str]]


# ── where a ticket stands ──


def clock_or_reason(case: Case) -> Iterator[str]:
    """I-01"""
    ticket, first = case.ticket, case.ticket.clock
    if ticket.closed_at is not None:
        return
    if bool(ticket.clocks) == (ticket.no_clock_reason is not None):
        yield "时限和没有时限的理由同时存在" if ticket.clocks else "没有时限，也没有写明理由"
    if ticket.no_clock_reason is not None and ticket.no_clock_reason not in NO_CLOCK:
        yield f"没有时限的理由「{ticket.no_clock_reason}」不是声明过的"
    if _columns_of(first) != case.columns:
        yield f"时限列写的是 {_of(case.columns.due_at)} 到期，时限本身是 {_of(first and first.due_at)}"
    if first is not None and ticket.trouble is None and (ticket.alarm_at is None or ticket.alarm_at > first.alarm_at):
        yield f"闹钟设在 {_of(ticket.alarm_at)}，时限却在 {shown(first.alarm_at)} 到期"


def _columns_of(clock: Clock | None) -> Columns:
    if clock is None:
        return Columns(None, None, None, None, None, None, False)
    return Columns(
        clock.due_at, clock.rule, clock.version, clock.timeout, clock.counted_from, clock.basis, clock.provisional
    )


def closed_without_clock(case: Case) -> Iterator[str]:
    """I-02"""
    ticket, state = case.ticket, case.state
    final = state is not None and state.final
    if final != (ticket.closed_at is not None):
        yield f"状态「{ticket.state}」{'是终点，却没有结束时间' if final else '不是终点，却写了结束时间'}"
    if ticket.closed_at is None:
        return
    if ticket.clocks or ticket.paused or case.columns.due_at is not None:
        yield "已经结束，时限还在"
    if ticket.alarm_at is not None:
        yield f"已经结束，闹钟还设在 {shown(ticket.alarm_at)}"


def version_counts_events(case: Case) -> Iterator[str]:
    """I-03"""
    found = [line.event.seq for line in case.lines]
    if found != list(range(1, len(found) + 1)):
        yield f"记录的序号是 {_list(found)}，应从 1 起连续"
    if len(found) != case.ticket.version:
        yield f"版本号是 {case.ticket.version}，记录有 {len(found)} 条"


def states_chain(case: Case) -> Iterator[str]:
    """I-04"""
    before = NOWHERE
    for line in case.lines:
        event = line.event
        if event.from_state != before:
            yield f"第 {event.seq} 条从「{event.from_state}」开始，前一条到的是「{before}」"
        before = event.to_state
    if before != case.ticket.state:
        yield f"工单在「{case.ticket.state}」，最后一条记录到的是「{before}」"


def moves_exist(case: Case) -> Iterator[str]:
    """I-05"""
    table: Any = case.workflow  # mypy does not take a class for hashable
    for line in case.lines:
        event = line.event
        if event.kind == "move":
            wrong = _wrong_move(table, event.trigger, event.from_state, event.to_state, event.actor)
            if wrong is not None:
                yield f"第 {event.seq} 条{wrong}"
        elif event.kind == ADOPT_PLATFORM_STATE.kind:
            yield from _wrongly_adopted(table, event)
        elif event.kind not in PLAIN_KINDS:
            yield f"第 {event.seq} 条是「{event.kind}」，没有这一类记录"
        elif event.from_state != event.to_state:
            yield f"第 {event.seq} 条是「{event.kind}」，却把工单从「{event.from_state}」移到「{event.to_state}」"


def _wrongly_adopted(workflow: type[Workflow], event: Event) -> Iterator[str]:
    """The one move that is not in the table: to any state of it, from one that is not final, by the platform."""
    states = {state.name: state for state in workflow.states}
    source = states.get(event.from_state)
    if event.actor != Actor.PLATFORM.value or event.to_state not in states or source is None or source.final:
        way = f"从「{event.from_state}」到「{event.to_state}」"
        yield f"第 {event.seq} 条采用平台状态，{way}，由 {event.actor} 办理：不许这样"


@cache
def _wrong_move(workflow: type[Workflow], trigger: str, from_state: str, to_state: str, actor: str) -> str | None:
    """Why the workflow's table has no such row; None if it has one. Few are ever asked for, each a million times."""
    move, opens = workflow.move(trigger), from_state == NOWHERE
    source = next((state for state in workflow.states if state.name == from_state), None)
    way = f"「{trigger}」从「{from_state}」到「{to_state}」"
    if move is None:
        return f"{way}：流程表里没有这一步"
    if opens != isinstance(move, Opening) or (not opens and source not in move.sources):
        return f"{way}：流程表里这一步不从这里开始"
    if to_state not in [state.name for state in move.destinations(source)]:
        return f"{way}：流程表里这一步不通到那里"
    if actor not in [one.value for one in move.by]:
        return f"{way}：由 {actor} 办理，流程表里不许"
    return None


# ── what the clock did ──


def fired_once(case: Case) -> Iterator[str]:
    """I-09"""
    seen = set()
    for line in case.lines:
        event = line.event
        if event.kind != "move":
            continue
        if not isinstance(case.move(event), Timeout):
            if event.due_at is not None or event.rule is not None:
                yield f"第 {event.seq} 条「{event.trigger}」不是到期动作，却记着时限"
            continue
        fired = (event.rule, event.rule_version, event.due_at)
        if event.due_at is None or event.at != event.due_at:
            yield f"第 {event.seq} 条「{event.trigger}」生效于 {shown(event.at)}，到期是 {_of(event.due_at)}"
        if fired in seen:
            yield f"第 {event.seq} 条：{event.rule} {_of(event.due_at)} 的时限执行了两次"
        seen.add(fired)


def never_early(case: Case) -> Iterator[str]:
    """I-10"""
    for event, _ in case.fired:
        if event.due_at is not None and event.recorded_at <= event.due_at:
            yield f"第 {event.seq} 条「{event.trigger}」{shown(event.due_at)} 到期，{shown(event.recorded_at)} 就执行了"


def acts_in_time(case: Case) -> Iterator[str]:
    """I-12"""
    for before, line in pairwise(case.lines):
        event = line.event
        first = min(before.event.clocks, key=lambda clock: clock.due_at, default=None)
        late = first is not None and first.alarm_at < event.recorded_at
        if first and late and event.kind != "calendar" and not isinstance(case.move(event), Timeout):
            yield (
                f"第 {event.seq} 条「{event.trigger}」{shown(event.recorded_at)} 办理，"
                f"{first.rule} 已在 {shown(first.due_at)} 到期却没有先执行"
            )


def only_running_clocks_fire(case: Case) -> Iterator[str]:
    """I-13"""
    for event, running in case.fired:
        named = [clock for clock in running if clock.timeout == event.trigger and _is_named(clock, event)]
        if not named:
            yield f"第 {event.seq} 条「{event.trigger}」：{event.rule} {_of(event.due_at)} 的时限当时没有在走"
        elif any(clock in event.clocks for clock in named):
            yield f"第 {event.seq} 条「{event.trigger}」：{event.rule} 的时限执行以后还在走"


def _is_named(clock: Clock, event: Event) -> bool:
    """What the event leaves out is another matter (I-17)."""
    told = ((event.rule, clock.rule), (event.rule_version, clock.version), (event.due_at, clock.due_at))
    return all(said is None or said == is_so for said, is_so in told)


def moved_only_by_record(case: Case) -> Iterator[str]:
    """I-15"""
    for before, line in pairwise(case.lines):
        event = line.event
        if event.kind in ("deadline", "calendar") or _sets_until(case.move(event)):
            continue
        for clock in event.clocks:
            was = _same_clock(clock, before.event.clocks)
            if was is not None and was.due_at != clock.due_at:
                yield (
                    f"第 {event.seq} 条「{event.trigger}」把 {clock.rule} 的到期"
                    f"从 {shown(was.due_at)} 改到 {shown(clock.due_at)}，这一步不该改期"
                )


def _sets_until(move: Move | None) -> bool:
    return move is not None and any(isinstance(branch.clock or move.clock, Until) for branch in move.branches)


def automatic_steps_say_why(case: Case) -> Iterator[str]:
    """I-17"""
    for event, _ in case.fired:
        missing = [
            label
            for label, there in (
                ("规则", event.rule),
                ("规则版本", event.rule_version is not None),
                ("到期时间", event.due_at),
            )
            if not there
        ]
        if event.actor != Actor.SYSTEM.value:
            yield f"第 {event.seq} 条「{event.trigger}」是到期动作，记的却是 {event.actor} 办理"
        if missing:
            yield f"第 {event.seq} 条「{event.trigger}」是到期动作，没有记{'、'.join(missing)}"


def no_cascade(case: Case) -> Iterator[str]:
    """I-18"""
    for event, running in case.fired:
        if event.due_at is None or event.recorded_at - event.due_at <= case.rules.catch_up_grace:
            continue
        for clock in event.clocks:
            if clock in running or clock.counted_from < event.due_at or clock.counted_from >= event.recorded_at:
                continue
            yield (
                f"第 {event.seq} 条「{event.trigger}」迟到 {shown(event.recorded_at)} 才执行，"
                f"随后的 {clock.rule} 却从 {shown(clock.counted_from)} 起算，没有给足时间"
            )


# ── when it is due, counted again ──


def due_times(case: Case) -> Iterator[str]:
    """I-14"""
    for clock in case.ticket.clocks:
        if clock.rule == PLATFORM_DEADLINE:
            continue
        limit = case.limit(clock)
        if limit is None:
            yield f"{clock.rule} 的 {clock.version} 版不在规则册里，无法重算"
            continue
        yield from _wrong_start(case, clock, limit)
        yield from _wrong_due(case, clock, limit)


def _wrong_start(case: Case, clock: Clock, limit: Limit) -> Iterator[str]:
    fact = limit.counted_from
    told = None if fact is None else _fact(case.ticket, fact.name)
    if told is not None and clock.counted_from != told:
        yield f"{clock.rule} 从 {shown(clock.counted_from)} 起算，记下的起算事实是 {shown(told)}"
    moments = {moment for line in case.lines for moment in (line.event.at, line.event.recorded_at)}
    if told is None and clock.counted_from not in moments:
        yield f"{clock.rule} 从 {shown(clock.counted_from)} 起算，那时没有发生什么"


def _fact(ticket: Ticket, name: str) -> datetime | None:
    told: datetime | None = ticket.applied_at if name == APPLICATION.name else ticket.fields.get(name)
    return told


def _wrong_due(case: Case, clock: Clock, limit: Limit) -> Iterator[str]:
    """The rule's own due time: replaced by platform or agreement, it is kept as `computed_due_at`."""
    by_rule = clock.basis == "rule"
    due_at = clock.due_at if by_rule else clock.computed_due_at
    counted = counted_again(limit, clock.counted_from, case.ticket.fields, case.rules.calendar)
    resumed = _after_pauses(case, clock)
    if due_at is None or counted is None or due_at in resumed:
        return
    if clock.provisional and not counted.provisional:
        return  # published since, and waiting to be counted again: `waits_for_recount`
    expected = min(resumed) if resumed and by_rule else counted.due_at
    if due_at != expected:
        yield (
            f"{clock.rule}（{clock.version}）自 {shown(clock.counted_from)} 起算{'，扣除暂停' if resumed else ''}"
            f"应到 {shown(expected)}，记的是 {shown(due_at)}"
        )
    elif by_rule and clock.provisional != counted.provisional:
        yield f"{clock.rule} 到 {shown(due_at)}，{'不该' if clock.provisional else '应当'}标为暂定"


def waits_for_recount(case: Case) -> bool:
    """A provisional clock whose calendar has been published since."""
    for clock in case.ticket.clocks:
        limit = case.limit(clock) if clock.provisional else None
        again = limit and counted_again(limit, clock.counted_from, case.ticket.fields, case.rules.calendar)
        if again and not again.provisional:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Counted:
    due_at: datetime
    provisional: bool = False


#: Asia/Shanghai, which has had no summer time since 1991
_EAST_8 = timedelta(hours=8)
_DAY = timedelta(days=1)


def counted_again(limit: Limit, start: datetime, fields: Mapping[str, Any], calendar: WorkCalendar) -> Counted | None:
    """The due time by this module's own arithmetic; None where the rule gives none."""
    within = limit.within
    if isinstance(within, until):
        agreed_on = fields.get(within.fact.name)
        return None if agreed_on is None else Counted(agreed_on)
    if isinstance(within, agreed):
        days = fields.get(within.fact.name)
        within = within.or_else if days is None else Duration(days, "days")
    if within is None:
        return None
    if within.unit in ("hours", "days"):
        return Counted(start + within.count * (timedelta(hours=1) if within.unit == "hours" else _DAY))
    first = (start + _EAST_8).date()
    if within.unit == "workdays":
        return _working_days(first, within.count, calendar)
    return _civil_days(first, within.count, calendar, rolls=within.roll_forward)


def _working_days(first: date, count: int, calendar: WorkCalendar) -> Counted:
    day, guessed = first, False
    while count > 0:
        day += _DAY
        guessed |= not calendar.is_known(day)
        count -= calendar.is_workday(day)
    return Counted(_midnight_after(day), guessed)


def _civil_days(first: date, count: int, calendar: WorkCalendar, *, rolls: bool) -> Counted:
    day, guessed = first + count * _DAY, False
    if rolls:
        guessed = not calendar.is_known(day)
        while not calendar.is_workday(day):
            day += _DAY
            guessed |= not calendar.is_known(day)
    return Counted(_midnight_after(day), guessed)


def _midnight_after(day: date) -> datetime:
    """Its last second, 23:59:59 in Shanghai."""
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC) - _EAST_8


def _after_pauses(case: Case, clock: Clock) -> set[datetime]:
    """Where the clock was paused and went on with the time it had left: the due times that gives."""
    before, gap = None, None
    found: set[datetime] = set()
    for line in case.lines:
        event = line.event
        running = _same_clock(clock, event.clocks)
        if before is not None and running is None:
            gap = max(timedelta(0), before.due_at - event.at)
        elif running is not None and before is None and gap is not None:
            found = {event.at + gap, event.recorded_at + gap} if _resumes(case.move(event)) else set()
        before = running
    return found


def _resumes(move: Move | None) -> bool:
    return move is not None and any((branch.clock or move.clock) is RESUMES for branch in move.branches)


def _same_clock(clock: Clock, among: Sequence[Clock]) -> Clock | None:
    """The same clock at another moment, whatever its due time was then."""
    key = (clock.rule, clock.version, clock.timeout, clock.counted_from)
    return next((one for one in among if (one.rule, one.version, one.timeout, one.counted_from) == key), None)


# ── time, money, shop, seal ──


def time_goes_on(case: Case) -> Iterator[str]:
    """I-16"""
    before = None
    for line in case.lines:
        event = line.event
        if event.at > event.recorded_at:
            yield f"第 {event.seq} 条 {shown(event.recorded_at)} 就记下了 {shown(event.at)} 才生效的事"
        if before is not None and event.recorded_at < before:
            yield f"第 {event.seq} 条记于 {shown(event.recorded_at)}，早于前一条的 {shown(before)}"
        before = event.recorded_at


def money_is_within_paid(case: Case) -> Iterator[str]:
    """I-19"""
    ticket = case.ticket
    refund = ticket.refund_fen or 0
    if min(ticket.paid_fen, ticket.refunded_fen, refund) < 0:
        yield f"金额有负数：实付 {ticket.paid_fen}、已退 {ticket.refunded_fen}、本单退 {refund} 分"
    if ticket.refunded_fen + refund > ticket.paid_fen:
        yield f"已退 {ticket.refunded_fen} 加本单退 {refund} 分，多于实付 {ticket.paid_fen} 分"
    for paid in case.payments:
        if paid.amount_fen <= 0:
            yield f"账上的{paid.purpose}是 {paid.amount_fen} 分"
        if paid.purpose == "refund" and paid.amount_fen != ticket.refund_fen:
            yield f"账上退款 {paid.amount_fen} 分，工单上是 {_of(ticket.refund_fen)} 分"


def money_has_its_event(case: Case) -> Iterator[str]:
    """I-20"""
    reached = {line.event.to_state for line in case.lines}
    # what the platform pays is adopted, not ordered
    adopted = {line.event.to_state for line in case.lines if line.event.kind == ADOPT_PLATFORM_STATE.kind}
    taken = {line.event.trigger for line in case.lines if line.event.kind == "move"}
    ledger = {paid.purpose: paid for paid in case.payments}
    for purpose, paid in ledger.items():
        if purpose not in _ORDERED_BY:
            yield f"账上有「{purpose}」，没有这种付款"
        elif not _ORDERED_BY[purpose] & (reached | taken):
            yield f"账上有 {paid.amount_fen} 分「{purpose}」，没有一条记录让它付出去"
    refund = ledger.get("refund")
    if refund is None and case.ticket.refund_fen and "refund_executing" in reached - adopted and not case.imported:
        yield f"退款 {case.ticket.refund_fen} 分已经下单，账上没有"
    if refund is not None and (refund.status in ("paid", "offline")) != (case.ticket.state == "refunded"):
        yield f"账上退款是「{refund.status}」，工单在「{case.ticket.state}」"


#: the states or steps of which one must be in the history of a ticket that has such a payment
_ORDERED_BY = {
    "refund": {"refund_executing", "refund_failed", "refunded"},
    "repair_cost": {"pay_repair_cost"},
    "compensation": {"compensating"},
}


def opened_once(case: Case) -> Iterator[str]:
    """I-22"""
    openings = [line.event.seq for line in case.lines if line.event.from_state == NOWHERE]
    if openings != [1]:
        yield f"开单的记录有 {len(openings)} 条，应是第 1 条"
    day = (case.ticket.opened_at + _EAST_8).date()
    prefix = f"{case.workflow.code}-{day:%y%m%d}-"
    if not case.ticket.number.startswith(prefix):
        yield f"编号应以 {prefix} 开头"


def one_transaction(case: Case) -> Iterator[str]:
    """I-23"""
    if not case.lines:
        return
    last = case.lines[-1].event
    recorded = {line.event.recorded_at for line in case.lines}
    if case.ticket.clocks != last.clocks:
        yield f"工单的时限与最后一条记录（第 {last.seq} 条）的不同"
    if case.ticket.recorded_at not in recorded:
        yield f"工单写于 {_of(case.ticket.recorded_at)}，没有一条记录写于那时"
    for paid in case.payments:
        if paid.created_at not in recorded:
            yield f"账上的「{paid.purpose}」写于 {shown(paid.created_at)}，没有一条记录写于那时"


def one_shop(case: Case) -> Iterator[str]:
    """I-25"""
    for line in case.lines:
        if line.shop_id != case.ticket.shop_id:
            yield f"工单属于店铺 {case.ticket.shop_id}，第 {line.event.seq} 条记录属于店铺 {line.shop_id}"
    for paid in case.payments:
        if paid.shop_id != case.ticket.shop_id:
            yield f"工单属于店铺 {case.ticket.shop_id}，账上的「{paid.purpose}」属于店铺 {paid.shop_id}"


def sealed(case: Case) -> Iterator[str]:
    """I-27"""
    head = ""
    for line in case.lines:
        if line.previous != head:
            yield f"第 {line.event.seq} 条接的不是前一条的哈希"
        head = event_hash(line.previous, line.shop_id, line.ticket_id, line.event, line.command_key)
        if line.hash != head:
            yield f"第 {line.event.seq} 条的内容与它的哈希不符"
        head = line.hash
    if head != case.ticket.last_hash:
        yield "工单记着的最后哈希与最后一条记录的不同"


# ── words ──


def _of(value: Any) -> str:
    return "无" if value is None else shown(value) if isinstance(value, datetime) else str(value)


def _list(numbers: Sequence[int]) -> str:
    listed = "、".join(map(str, numbers[:10]))
    return f"{listed}……" if len(numbers) > 10 else listed or "空"
