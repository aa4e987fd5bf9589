"""PURE: (ticket, move, facts, at, rules) -> Change, or Refused. No database, no clock.

The checks come in this order (fields.md): does the row leave this state at all (illegal_transition), may this
actor (forbidden_actor), is everything filled in (missing_field), is it well formed (invalid_field), is it the
clock's own (not_yet_due), and then the guards in the order of the table. A refusal changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aftersales import clocks, machine
from aftersales.catalog import Catalog
from aftersales.durations import Duration
from aftersales.errors import Refused
from aftersales.fill_in import LONGEST_NAME, filled_in, sorted_out, text_problem, with_defaults
from aftersales.policies.vocabulary import Policy
from aftersales.saying import Written, listed, say
from aftersales.ticket import NOWHERE, Change, Clock, Entry, Event, Payment, Ticket
from aftersales.ticket import Opening as Opened
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows import facts as f
from aftersales.workflows.context import NOTHING_KNOWN, Context, Draft, Known
from aftersales.workflows.guards import NOTHING, Guard, refunded_within_paid
from aftersales.workflows.links import LINKS
from aftersales.workflows.plain import (
    ADD_EVIDENCE,
    ADOPT_PLATFORM_STATE,
    ASSIGN,
    GRADE,
    PLAIN_ACTIONS,
    RECORD_CONTACT,
    SET_PLATFORM_DEADLINE,
    PlainAction,
)
from aftersales.workflows.vocabulary import (
    ENDS,
    STARTS,
    Actor,
    Branch,
    Escalation,
    Fact,
    Import,
    Move,
    Opening,
    State,
    Step,
    Timeout,
    Workflow,
)


@dataclass(frozen=True)
class Rules:
    """Everything that deciding goes by."""

    catalog: Catalog
    calendar: WorkCalendar
    #: an automatic step fired at most this long after its due time starts the next clock at its due time;
    #: later than that, people get their full time from when they were told (decision 8)
    catch_up_grace: timedelta = timedelta(minutes=15)

    def workflow(self, ticket: Ticket) -> type[Workflow]:
        return self.catalog.workflows[ticket.workflow]

    def policy(self, ticket: Ticket) -> Policy:
        return self.catalog.policies[ticket.policy]


@dataclass(frozen=True)
class Attempt:
    """Somebody's wish to do something to a ticket, as the door hands it in. `at`: aware UTC, whole seconds."""

    trigger: str
    actor: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: evidence kinds given along; dropped with a refusal
    evidence: Sequence[str] = ()
    actor_name: str = ""


# ── one step of a person, a feed or a platform ──


def take(
    ticket: Ticket, attempt: Attempt, rules: Rules, *, history: Sequence[Entry] = (), known: Known = NOTHING_KNOWN
) -> Change:
    """The change that this step makes. Refused with a code of FORMAT.md otherwise."""
    move = _legal_move(ticket, attempt, rules)
    also = _also_needed(_context(ticket, move, attempt, attempt.facts, rules, (), NOTHING_KNOWN))
    given = _allowed_and_filled(move, attempt, also)
    if isinstance(move, Timeout):
        raise Refused("not_yet_due", say("「{step}」由系统在到期时执行，现在还没到期，不能手动办理", step=move.label))
    shown = _evidence_given_along(ticket, attempt)
    context = _context(ticket, move, attempt, given, rules, [*history, *map(_as_entry, shown)], known)
    _guarded(context)
    return _moved(context, rules, before_it=shown, actor_name=attempt.actor_name)


@dataclass(frozen=True)
class Gap:
    """One thing that still keeps a step from being taken."""

    code: str
    #: in words: what is wrong and what to do
    says: str
    #: the input it is about; "" where it is about evidence, contacts, other tickets or the ticket itself
    fact: str = ""
    #: the condition that refuses; None where an input is empty or not well formed
    guard: Guard | None = None


def missing(
    ticket: Ticket, attempt: Attempt, rules: Rules, *, history: Sequence[Entry] = (), known: Known = NOTHING_KNOWN
) -> list[Gap]:
    """Everything that keeps this step, possible in this state, from being taken with what is given so far; [] if
    nothing does. A condition about what is not filled in yet is not asked."""
    move = rules.workflow(ticket).move(attempt.trigger)
    assert move is not None
    also = _also_needed(_context(ticket, move, attempt, attempt.facts, rules, (), NOTHING_KNOWN))
    given, wrong = sorted_out(move, attempt.facts, attempt.at, also)
    shown = map(_as_entry, _evidence_given_along(ticket, attempt))
    context = _context(ticket, move, attempt, given, rules, [*history, *shown], known)
    gaps = [Gap(refusal.code, refusal.message, name) for name, refusal in wrong]
    return [*gaps, *(gap for guard in move.needs if (gap := _gap(guard, context)))]


def _gap(guard: Guard, context: Context) -> Gap | None:
    try:
        if guard.test(context):
            return None
        return Gap(guard.code, guard.sentence(context), guard.about, guard)
    except KeyError:  # it asks for a fact that is not there yet
        return None


def most(ticket: Ticket, attempt: Attempt, rules: Rules, *, known: Known = NOTHING_KNOWN) -> dict[str, int]:
    """The largest amount that each input of this step takes, in 分, where there is a limit."""
    move = rules.workflow(ticket).move(attempt.trigger)
    assert move is not None
    context = _context(ticket, move, attempt, {}, rules, (), known)
    limits: dict[str, int] = {}
    for guard in move.needs:
        if guard.about and guard.limit is not None:
            limits[guard.about] = min(guard.limit(context), limits.get(guard.about, guard.limit(context)))
    return limits


def supposing(
    ticket: Ticket, attempt: Attempt, rules: Rules, *, history: Sequence[Entry] = (), known: Known = NOTHING_KNOWN
) -> Change:
    """The change that this step makes once nothing is missing: nothing it needs is asked for, what is not well formed
    is left out. Refused or KeyError where it depends on what is not filled in yet."""
    move = _legal_move(ticket, attempt, rules)
    given, _ = sorted_out(move, attempt.facts, attempt.at)
    shown = _evidence_given_along(ticket, attempt)
    context = _context(ticket, move, attempt, given, rules, [*history, *map(_as_entry, shown)], known)
    return _moved(context, rules, before_it=shown, actor_name=attempt.actor_name)


def allowed(ticket: Ticket, actor: str, at: datetime, rules: Rules) -> list[Step]:
    """The steps this actor may take now, judged by what needs neither forms nor evidence (fields.md)."""
    workflow = rules.workflow(ticket)
    attempt = Attempt("", actor, at)
    return [
        step
        for step in workflow.steps_from(workflow.state(ticket.state))
        if actor in step.by and _seems_open(_context(ticket, step, attempt, {}, rules, (), NOTHING_KNOWN))
    ]


def why_not(ticket: Ticket, step: Step, actor: str, at: datetime, rules: Rules) -> str | None:
    """Why this actor may not take this step now, in words; None if it is allowed."""
    state = rules.workflow(ticket).state(ticket.state)
    if actor not in step.by:
        return say("只能由{who}办理", who=listed(one.label for one in step.by))
    if state not in step.sources:
        return say("要先到{states}", states=listed(say("「{state}」", state=one.label) for one in step.sources))
    context = _context(ticket, step, Attempt(step.name, actor, at), {}, rules, (), NOTHING_KNOWN)
    for condition in step.only:
        if not condition.test(context):
            return say("只有这时才有这一步：{condition}", condition=condition.says)
    if not _leads_somewhere(context):
        return say("工单不是从能回去的状态来的")
    failed = next((one for one in step.needs if one.reads == NOTHING and not one.test(context)), None)
    return None if failed is None else failed.sentence(context)


def _seems_open(context: Context) -> bool:
    move = context.move
    guards = [guard for guard in move.needs if guard.reads == NOTHING]
    return _is_there(context) and all(guard.test(context) for guard in guards)


def _leads_somewhere(context: Context) -> bool:
    if not any(branch.came_from for branch in context.move.branches):
        return True
    left = context.ticket.left_state
    return any(not b.came_from or (b.to and b.to.name == left) for b in context.move.branches)


def _legal_move(ticket: Ticket, attempt: Attempt, rules: Rules) -> Move:
    """Check 1: does the row leave this state, for this kind, mode, issue and policy."""
    workflow = rules.workflow(ticket)
    move, state = workflow.move(attempt.trigger), workflow.state(ticket.state)
    if move is None or isinstance(move, Opening):
        label = Written(attempt.trigger) if move is None else move.label
        says = say("{workflow}工单没有「{step}」这一步，请按页面上的按钮办理", workflow=workflow.label, step=label)
        raise Refused("illegal_transition", says)
    context = _context(ticket, move, attempt, {}, rules, (), NOTHING_KNOWN)
    if state not in move.sources or not _is_there(context):
        raise machine.illegal(move, ticket.state)
    return move


def _is_there(context: Context) -> bool:
    """For this kind, mode, issue and policy, and the state it came from, the row exists."""
    return all(one.test(context) for one in context.move.only) and _leads_somewhere(context)


def _allowed_and_filled(form: Move | PlainAction, attempt: Attempt, also: Sequence[Fact] = ()) -> dict[str, Any]:
    """Checks 2 to 4. `also`: what must be filled in this time, beside what always must."""
    if attempt.actor not in form.by:
        able = listed(actor.label for actor in form.by)
        who = Actor(attempt.actor).label if attempt.actor in set(Actor) else Written(attempt.actor)
        says = say("「{step}」只能由{able}办理，{who}不能代办", step=form.label, able=able, who=who)
        raise Refused("forbidden_actor", says)
    given = filled_in(form, attempt.facts, attempt.at, also)
    known_kinds = dict(f.evidence_kind.choices)
    for kind in attempt.evidence:
        if kind not in known_kinds:
            raise Refused("invalid_field", say("没有「{kind}」这种凭证，请从列表里选", kind=Written(kind)))
    return given


def _also_needed(context: Context) -> list[Fact]:
    """What must be filled in this time only; asked of what was typed, before it is checked."""
    return [needed.fact for needed in context.move.asks_if if needed.when.test(context)]


def _guarded(context: Context) -> None:
    """Check 6."""
    for guard in context.move.needs:
        if not guard.test(context):
            raise Refused(guard.code, guard.sentence(context))


def _context(
    ticket: Ticket,
    move: Move,
    attempt: Attempt,
    given: Mapping[str, Any],
    rules: Rules,
    history: Sequence[Entry],
    known: Known,
) -> Context:
    at = given.get("occurred_at") or attempt.at
    return Context(
        ticket, move, given, attempt.actor, at, attempt.at, rules.policy(ticket), history, known, _draft(ticket)
    )


def _draft(ticket: Ticket) -> Draft:
    return Draft(dict(ticket.fields), list(ticket.flags))


# ── the move itself ──


def _moved(
    context: Context,
    rules: Rules,
    *,
    before_it: Sequence[Event] = (),
    actor_name: str = "",
    starts: datetime | None = None,
    fired: Clock | None = None,
) -> Change:
    """Fire the machine, apply the effects, set the clocks, write the event."""
    ticket, move = context.ticket, context.move
    state, branch = machine.fire(context)
    context.to = state
    for effect in (*move.effects, *_entering(context, state)):
        effect(context)
    seq = ticket.version + len(before_it) + 1
    after = _in_new_state(context, state, seq)
    after = _with_clocks(after, context, branch, rules, starts or context.at, fired)
    event = _move_event(context, after, seq, actor_name, fired)
    return Change(
        before=ticket if ticket.state != NOWHERE else None,
        after=after,
        events=(*before_it, event),
        payments=_last_of_each_purpose(context.draft.payments),
        waybills=tuple(context.draft.waybills),
        opens=LINKS.opened_by(context, after),
    )


def _entering(context: Context, state: str) -> Sequence[Any]:
    if state == context.ticket.state:
        return ()
    return context.move.workflow.state(state).entering


def _in_new_state(context: Context, name: str, seq: int) -> Ticket:
    """The ticket after the move, before its clocks are known."""
    ticket, move, draft = context.ticket, context.move, context.draft
    state = move.workflow.state(name)
    changes: dict[str, Any] = dict(draft.changes)
    if name != ticket.state:
        changes |= {"entered_at": context.at, "entered_seq": seq, "left_state": _left(ticket)}
        if state.goods is not None:
            changes["goods"] = state.goods.value
        draft.lower_flag("policy_missing")
    if isinstance(move, Escalation):
        changes["overdue_in"] = name
    if _starts_anew(move):
        changes |= {"applied_at": context.at, "applied_seq": seq, "entered_seq": seq, "entered_at": context.at}
    if state.final:
        changes |= {"closed_at": context.now, "open_key": None}
    changes |= {"state": name, "version": seq, "moved_seq": seq, "recorded_at": context.now}
    return ticket.but(fields=draft.fields, flags=tuple(draft.flags), **changes)


def _left(ticket: Ticket) -> str | None:
    return None if ticket.state == NOWHERE else ticket.state


def _starts_anew(move: Move) -> bool:
    return move.starts_anew or isinstance(move, Opening)


def _with_clocks(
    after: Ticket, context: Context, branch: Branch, rules: Rules, starts: datetime, fired: Clock | None
) -> Ticket:
    state = context.move.workflow.state(after.state)
    if state.final:
        return after.but(**_CLOSED)
    effect = branch.clock or context.move.clock
    running = clocks.after_move(
        _looking_at(after, context),
        state,
        effect,
        policy=rules.policy(after),
        starts=starts,
        now=context.now,
        calendar=rules.calendar,
    )
    if fired is not None and effect is ENDS:
        running = running._replace(no_clock_reason="ran_out")
    return _armed(after, running, state, rules, context.now, fresh=effect is STARTS)


_CLOSED = {"clocks": (), "paused": (), "alarm_at": None, "no_clock_reason": None}


def _looking_at(ticket: Ticket, context: Context) -> Context:
    """The same attempt, looking at the ticket as it will be."""
    return Context(
        ticket, context.move, context.facts, context.actor, context.at, context.now, context.policy,
        context.history, context.known, context.draft, context.to,
    )  # fmt: skip


def _armed(after: Ticket, running: clocks.Running, state: State, rules: Rules, now: datetime, *, fresh: bool) -> Ticket:
    flags, reason = after.flags, running.no_clock_reason
    if running.policy_missing and "policy_missing" not in flags:
        flags = (*flags, "policy_missing")
    if reason is not None and "policy_missing" in flags:
        reason = "policy_missing"
    return after.but(
        clocks=running.clocks,
        paused=running.paused,
        flags=flags,
        no_clock_reason=reason,
        overdue_in=None if fresh and after.overdue_in == after.state else after.overdue_in,
        alarm_at=clocks.next_alarm(running.clocks, state, after.entered_at, rules.catalog.house, now),
    )


def _move_event(context: Context, after: Ticket, seq: int, actor_name: str, fired: Clock | None) -> Event:
    return Event(
        seq=seq,
        kind="move",
        trigger=context.move.name,
        actor=context.actor,
        actor_name=actor_name,
        from_state=context.ticket.state,
        to_state=after.state,
        at=context.at,
        recorded_at=context.now,
        facts=context.facts,
        due_at=None if fired is None else fired.due_at,
        rule=None if fired is None else fired.rule,
        rule_version=None if fired is None else fired.version,
        clocks=after.clocks,
    )


def _last_of_each_purpose(payments: Sequence[Payment]) -> tuple[Payment, ...]:
    return tuple({payment.purpose: payment for payment in payments}.values()) if payments else ()


# ── opening ──


@dataclass(frozen=True)
class NewTicket:
    """How a ticket is opened: its place in the shop and the workflow's own fields among `facts`."""

    workflow: str
    policy: str
    trigger: str
    actor: str
    at: datetime
    facts: Mapping[str, Any]
    order_no: str
    item_no: str = ""
    buyer: str = ""
    authority: str = "local"
    actor_name: str = ""
    platform_no: str | None = None
    #: things to show beside the fields: item title, shop's own words
    extra: Mapping[str, Any] = field(default_factory=dict)


#: types of which a parcel or a review may have one open ticket; of the others, the item of an order
KEYED_BY = {"lost_parcel": f.waybill_no, "bad_review": f.review_id}


def open_key(new: NewTicket) -> str:
    """What may have one open ticket of a kind only: the parcel, the review, or the item of the order.

    Vouchers of one order are refunded one by one, so the vouchers already refunded belong to the key.
    """
    if new.workflow in KEYED_BY:
        return str(new.facts.get(KEYED_BY[new.workflow].name, ""))
    voucher = f"#{new.facts.get('voucher_refunded') or 0}" if new.facts.get("kind") == "voucher" else ""
    return f"{new.order_no}/{new.item_no}{voucher}"


def open_ticket(
    new: NewTicket, rules: Rules, *, ticket_id: int, number: str, shop_id: int, known: Known = NOTHING_KNOWN
) -> Change:
    """The first change of a ticket. Refused: nothing is opened."""
    move, workflow = _opening(new, rules), rules.catalog.workflows[new.workflow]
    if move is None:
        says = say("{workflow}工单不能用「{step}」开单", workflow=workflow.label, step=Written(new.trigger))
        raise Refused("illegal_transition", says)
    _header_well_formed(new)
    given = _allowed_and_filled(move, _attempt(new), also_asked(new, rules))
    context = opening_context(new, given, rules, ticket_id=ticket_id, number=number, shop_id=shop_id, known=known)
    _guarded(context)
    if isinstance(move, Import):
        context.draft.fields.pop("state", None)
    if rules.policy(context.ticket).awaits_version(move, context):
        change = _moved(context, rules, actor_name=new.actor_name)
        return change._replace(after=_asking_a_human(change.after))
    return _moved(context, rules, actor_name=new.actor_name)


def _opening(new: NewTicket, rules: Rules) -> Opening | None:
    move = rules.catalog.workflows[new.workflow].move(new.trigger)
    return move if isinstance(move, Opening) else None


def _attempt(new: NewTicket) -> Attempt:
    return Attempt(new.trigger, new.actor, new.at, new.facts, actor_name=new.actor_name)


def also_asked(new: NewTicket, rules: Rules) -> list[Fact]:
    """What must be filled in this time, beside what an opening of this type always asks for."""
    move = _opening(new, rules)
    assert move is not None
    unfilled = _blank(new, {}, ticket_id=0, number="", shop_id=0)
    return _also_needed(_context(unfilled, move, _attempt(new), new.facts, rules, (), NOTHING_KNOWN))


def opening_context(
    new: NewTicket,
    given: Mapping[str, Any],
    rules: Rules,
    *,
    ticket_id: int = 0,
    number: str = "",
    shop_id: int = 0,
    known: Known = NOTHING_KNOWN,
) -> Context:
    """The opening as its guards see it. `given`: well formed; what is left out takes its default."""
    move = _opening(new, rules)
    assert move is not None
    filled = with_defaults(move, given, new.at)
    ticket = _blank(new, filled, ticket_id=ticket_id, number=number, shop_id=shop_id)
    # what our own tickets have refunded of the item counts, whatever the applicant says
    refunded = max(ticket.refunded_fen, known.refunded_fen)
    if refunded_within_paid not in move.needs:  # a review knows nothing of money, a converted ticket is never refused
        refunded = min(refunded, ticket.paid_fen)
    ticket = ticket.but(refunded_fen=refunded)
    return _context(ticket, move, _attempt(new), filled, rules, (), known)


def _header_well_formed(new: NewTicket) -> None:
    for label, value in (("订单编号", new.order_no), ("商品编号", new.item_no), ("买家", new.buyer)):
        problem = text_problem(value, LONGEST_NAME)
        if problem is not None:
            raise Refused("invalid_field", say("{label}：{problem}", label=label, problem=problem))


def _asking_a_human(ticket: Ticket) -> Ticket:
    """The rule that decides at once has no version yet: no clock, a person is asked (decision 2)."""
    return ticket.but(flags=(*ticket.flags, "policy_missing"), no_clock_reason="policy_missing")


def _blank(new: NewTicket, given: Mapping[str, Any], *, ticket_id: int, number: str, shop_id: int) -> Ticket:
    fields = {
        name: value
        for name, value in {**new.extra, **given}.items()
        if value is not None and name not in ("paid_fen", "refunded_fen", "starts_at")
    }
    return Ticket(
        id=ticket_id, shop_id=shop_id, number=number, workflow=new.workflow, policy=new.policy,
        authority=new.authority, state=NOWHERE, version=0, opened_at=new.at, applied_at=new.at, entered_at=new.at,
        applied_seq=0, entered_seq=0, moved_seq=0, paid_fen=given.get("paid_fen") or 0,
        refunded_fen=given.get("refunded_fen") or 0, order_no=new.order_no, item_no=new.item_no, buyer=new.buyer,
        fields=fields, open_key=open_key(new), platform_no=new.platform_no,
    )  # fmt: skip


@dataclass(frozen=True)
class Imported:
    """A ticket as a platform's export shows it. When the shown state began is not told."""

    workflow: str
    policy: str
    state: str
    applied_at: datetime
    order_no: str
    paid_fen: int
    #: what an application asks for, where there is an amount
    amount_fen: int | None = None
    item_no: str = ""
    buyer: str = ""
    platform_no: str | None = None
    platform_status: str = ""
    platform_due_at: datetime | None = None
    #: the workflow's own fields
    fields: Mapping[str, Any] = field(default_factory=dict)


def take_over(imported: Imported, rules: Rules, *, ticket_id: int, number: str, shop_id: int, now: datetime) -> Change:
    """The first change of an imported ticket, dated when the buyer applied.

    Its clock is computed only where its start is known: in the first state, from the application. Elsewhere the
    platform's deadline is the clock, and without one the platform's authority is the declared reason: never a guess.
    No money is ordered: what is being paid is paid by the platform.
    """
    workflow = rules.catalog.workflows[imported.workflow]
    move = next(row for row in workflow.openings() if isinstance(row, Import))
    given = {"state": imported.state, "platform_status": imported.platform_status}
    new = NewTicket(
        imported.workflow, imported.policy, move.name, "platform", imported.applied_at, imported.fields,
        order_no=imported.order_no, item_no=imported.item_no, buyer=imported.buyer, authority="platform",
        platform_no=imported.platform_no,
    )  # fmt: skip
    ticket = _blank(new, imported.fields, ticket_id=ticket_id, number=number, shop_id=shop_id)
    asked = imported.paid_fen if imported.amount_fen is None else imported.amount_fen
    ticket = ticket.but(
        paid_fen=imported.paid_fen,
        refund_fen=_released(imported),
        fields={**ticket.fields, **({"amount_fen": asked} if imported.workflow == "refund" else {})},
    )
    attempt = Attempt(move.name, "platform", imported.applied_at, given)
    context = _context(ticket, move, attempt, given, rules, (), NOTHING_KNOWN)
    context.now = now
    state, _ = machine.fire(context)
    context.to = state
    after = _taken_over_clocks(_in_new_state(context, state, 1), context, imported, rules, now)
    return Change(None, after, (_move_event(context, after, 1, "", None),))


def _released(imported: Imported) -> int | None:
    return imported.amount_fen if imported.state in ("refund_executing", "refund_failed", "refunded") else None


def _taken_over_clocks(after: Ticket, context: Context, imported: Imported, rules: Rules, now: datetime) -> Ticket:
    workflow, policy = rules.workflow(after), rules.policy(after)
    state = workflow.state(after.state)
    if state.final:
        return after.but(**_CLOSED)
    running = clocks.Running(no_clock_reason="platform_authority")
    if state is workflow.initial():
        view = _looking_at(after, context)
        running = clocks.start(view, state, policy=policy, starts=imported.applied_at, now=now, calendar=rules.calendar)
    timeout = next((row.name for row in _timeouts(after, Attempt("", "platform", now), rules)), None)
    if imported.platform_due_at is not None and timeout is not None:
        after = after.but(clocks=running.clocks)
        running = clocks.with_platform_deadline(after, state, timeout, policy, imported.platform_due_at, now)
    if any(clock.due_at < now for clock in running.clocks):
        # the platform has long acted, and how is not told: acting again on an old export would pay twice
        running = clocks.Running(no_clock_reason="platform_past_due")
    return _armed(after, running, state, rules, now, fresh=True)


# ── the clock ──


def catch_up(ticket: Ticket, now: datetime, rules: Rules) -> Change | None:
    """Every timeout whose time has come before `now`, each dated at its own due time; None if there is none.

    An instant equal to the due time is still on time, so an alarm fires only once now > due.
    """
    clock = ticket.clock
    if clock is None or clock.alarm_at >= now:
        return None
    first = ticket
    events: list[Event] = []
    payments: list[Payment] = []
    opens: list[Opened] = []
    while clock is not None and clock.alarm_at < now:
        change = _run_out(ticket, clock, now, rules)
        ticket = change.after
        events += change.events
        payments += change.payments
        opens += change.opens
        clock = ticket.clock
    return Change(first, ticket, tuple(events), _last_of_each_purpose(payments), opens=tuple(opens))


def _run_out(ticket: Ticket, clock: Clock, now: datetime, rules: Rules) -> Change:
    """The clock has run out: its timeout takes effect at the due time; what follows is counted from there
    too, unless nobody could have been told in time (decision 8)."""
    move = rules.workflow(ticket).move(clock.timeout)
    if move is None:
        raise LookupError(
            say(
                "规则 {rule} 的到期动作 {timeout} 不在{workflow}流程里",
                rule=clock.rule, timeout=clock.timeout, workflow=ticket.workflow,
            )
        )  # fmt: skip
    context = Context(
        ticket, move, {}, "system", clock.due_at, now, rules.policy(ticket), (), NOTHING_KNOWN, _draft(ticket)
    )
    late = now - clock.due_at > rules.catch_up_grace
    return _moved(context, rules, starts=now if late else clock.due_at, fired=clock)


def remind(ticket: Ticket, now: datetime, rules: Rules) -> Change:
    """An alarm that is no due time: a reminder before one, or the shop's own target. Nothing moves."""
    state, house = rules.workflow(ticket).state(ticket.state), rules.catalog.house
    told = clocks.reminders(ticket.clocks, state, ticket.entered_at, house)
    over = [(moment, what) for moment, what in told if moment < now]
    moment, what = max(over, default=(ticket.alarm_at or now, "reminder"))
    kind = "reminder" if what == "reminder" else "target"
    clock = ticket.clock
    event = Event(
        seq=ticket.version + 1, kind=kind, trigger=what, actor="system", actor_name="",
        from_state=ticket.state, to_state=ticket.state, at=moment, recorded_at=now,
        due_at=None if clock is None else clock.due_at, rule=None if clock is None else clock.rule,
        rule_version=None if clock is None else clock.version, clocks=ticket.clocks,
    )  # fmt: skip
    # what was just told is not told again: only moments after it
    alarm_at = clocks.next_alarm(ticket.clocks, state, ticket.entered_at, house, now)
    after = ticket.but(version=event.seq, alarm_at=alarm_at, recorded_at=now)
    return Change(ticket, after, (event,))


def recount(ticket: Ticket, now: datetime, rules: Rules) -> Change | None:
    """Counts provisional due times again with what the calendar knows by now; None if nothing is different."""
    counted = tuple(_recounted(clock, ticket, now, rules) for clock in ticket.clocks)
    if counted == ticket.clocks:
        return None
    seq = ticket.version + 1
    state = rules.workflow(ticket).state(ticket.state)
    alarm_at = clocks.next_alarm(counted, state, ticket.entered_at, rules.catalog.house, now)
    after = ticket.but(version=seq, moved_seq=seq, clocks=counted, recorded_at=now, alarm_at=alarm_at)
    event = Event(
        seq=seq, kind="calendar", trigger="calendar_published", actor="system", actor_name="",
        from_state=ticket.state, to_state=ticket.state, at=now, recorded_at=now, due_at=ticket.due_at,
        clocks=counted,
    )  # fmt: skip
    return Change(ticket, after, (event,))


def _recounted(clock: Clock, ticket: Ticket, now: datetime, rules: Rules) -> Clock:
    if not clock.provisional:
        return clock
    limit = rules.policy(ticket).limit(clock.rule, clock.version, clock.timeout)
    if limit is None or not isinstance(limit.within, Duration):
        return clock
    counted = limit.within.after(clock.counted_from, rules.calendar)
    if counted.due_at == clock.due_at and counted.provisional:
        return clock
    return clock._replace(due_at=counted.due_at, provisional=counted.provisional, set_at=now)


# ── plain actions: no transition ──


def act(ticket: Ticket, attempt: Attempt, rules: Rules) -> Change:
    """A plain action: it is written down, the ticket stays where it is."""
    action = PLAIN_ACTIONS[attempt.trigger]
    if action is SET_PLATFORM_DEADLINE:
        _may_have_a_clock(ticket, attempt, rules)
    given = _allowed_and_filled(action, attempt, _also_to_assign(attempt) if action is ASSIGN else ())
    shown = _evidence_given_along(ticket, attempt)
    seq = ticket.version + len(shown) + 1
    after = ticket.but(version=seq, recorded_at=attempt.at)
    if action is ADOPT_PLATFORM_STATE:
        return _adopted(after, attempt, given, rules, shown)
    if action is SET_PLATFORM_DEADLINE:
        after = _with_platform_deadline(after, given["due_at"], seq, attempt, rules)
    elif action is ASSIGN:
        after = after.but(owner=given.get("agent"))
    elif action is GRADE:
        after = after.but(fields={**after.fields, f.complaint_level.name: given[f.complaint_level.name]})
    elif action is RECORD_CONTACT:
        after = after.but(flags=tuple(flag for flag in after.flags if flag != "buyer_feedback_due"))
    return Change(ticket, after, (*shown, _plain_event(action, attempt, given, after)))


#: a refund here has its money ordered or released
_PAYING = {"refund_executing": "", "refund_failed": "failed", "refunded": "paid"}


def _adopted(
    ticket: Ticket, attempt: Attempt, given: Mapping[str, Any], rules: Rules, shown: Sequence[Event]
) -> Change:
    """The ticket in the state that the platform shows, whatever rows the workflow has between the two.

    As with an import its clock is the platform's deadline, or the platform's authority is the declared reason. Money
    that was ordered is written down as paid or failed; none is ordered. `ticket`: with its new version already.
    """
    workflow = rules.workflow(ticket)
    state = next((one for one in workflow.states if one.name == given[f.platform_state.name]), None)
    _may_be_adopted(ticket, attempt, state, workflow)
    assert state is not None
    at, seq = given.get(f.occurred_at.name) or attempt.at, ticket.version
    after = ticket.but(
        state=state.name, entered_at=at, entered_seq=seq, moved_seq=seq, left_state=ticket.state, overdue_in=None,
        goods=ticket.goods if state.goods is None else state.goods.value,
        flags=tuple(flag for flag in ticket.flags if flag != "policy_missing"), clocks=(), paused=(),
    )  # fmt: skip
    after, payments = _money_as_adopted(after, ticket)
    if state.final:
        after = after.but(**_CLOSED, closed_at=attempt.at, open_key=None)
    else:
        after = _adopted_clocks(after, state, attempt, given.get(f.due_at.name), rules)
    event = _plain_event(ADOPT_PLATFORM_STATE, attempt, given, after)._replace(from_state=ticket.state, at=at)
    return Change(ticket.but(version=seq - len(shown) - 1), after, (*shown, event), payments)


def _may_be_adopted(ticket: Ticket, attempt: Attempt, state: State | None, workflow: type[Workflow]) -> None:
    label = workflow.state_label(ticket.state)
    if state is None:
        says = say("{workflow}没有「{state}」这个状态", workflow=workflow.label, state=Written(attempt.facts["state"]))
        raise Refused("invalid_field", says)
    if ticket.closed_at is not None or state.name == ticket.state:
        raise Refused("illegal_transition", say("工单现在是「{state}」，没有什么可采用的", state=label))
    if ticket.authority != "platform" and not attempt.actor_name:
        raise Refused("forbidden_actor", "这张工单不以平台为准，要有人核对后才能采用平台的状态，请到「对账」页处理")
    if ticket.workflow == "refund" and ticket.refund_fen is not None and state.name not in _PAYING:
        raise Refused("illegal_transition", "这张工单的退款已经下单，请先登记打款结果，再核对平台的状态")


def _money_as_adopted(after: Ticket, before: Ticket) -> tuple[Ticket, tuple[Payment, ...]]:
    if after.workflow != "refund" or after.state not in _PAYING:
        return after, ()
    if before.refund_fen is not None:
        status = _PAYING[after.state]
        return after, (Payment("refund", before.refund_fen, status),) if status and before.refund_fen else ()
    released = after.fields.get(f.amount_fen.name) or after.left_fen
    if released > after.left_fen:
        raise Refused("amount_exceeded", "平台的退款金额大于这件商品还能退的金额，请核对后再采用")
    return after.but(refund_fen=released), ()


def _adopted_clocks(after: Ticket, state: State, attempt: Attempt, due_at: datetime | None, rules: Rules) -> Ticket:
    running = clocks.Running(no_clock_reason="platform_authority")
    timeout = next((row.name for row in _timeouts(after, attempt, rules)), None)
    if due_at is not None and timeout is not None:
        running = clocks.with_platform_deadline(after, state, timeout, rules.policy(after), due_at, attempt.at)
        if due_at < attempt.at:  # the platform has acted already, and how is not told
            running = clocks.Running(no_clock_reason="platform_past_due")
    return _armed(after, running, state, rules, attempt.at, fresh=True)


def _also_to_assign(attempt: Attempt) -> Sequence[Fact]:
    """Somebody must be named, or a group."""
    return () if attempt.facts.get(f.team.name) else (f.agent,)


def given_out(ticket: Ticket, *, owner: str | None, team: str | None, reason: str, at: datetime) -> Change:
    """The system gives a new ticket to a person, a group (by its name), or a person of a group."""
    told = {"agent": owner, "team": team, "reason": reason}
    given = {name: value for name, value in told.items() if value}
    after = ticket.but(version=ticket.version + 1, recorded_at=at, owner=owner)
    attempt = Attempt(ASSIGN.name, Actor.SYSTEM.value, at)
    return Change(ticket, after, (_plain_event(ASSIGN, attempt, given, after),))


def _timeouts(ticket: Ticket, attempt: Attempt, rules: Rules) -> list[Timeout]:
    """What the clock could do to this ticket where it stands."""
    workflow = rules.workflow(ticket)
    rows = workflow.timeouts_from(workflow.state(ticket.state))
    return [row for row in rows if _is_there(_context(ticket, row, attempt, {}, rules, (), NOTHING_KNOWN))]


def _may_have_a_clock(ticket: Ticket, attempt: Attempt, rules: Rules) -> None:
    if not ticket.clocks and not _timeouts(ticket, attempt, rules):
        label = rules.workflow(ticket).state_label(ticket.state)
        says = say("「{state}」没有到期会发生的事，不能设平台期限，请先同步平台的状态", state=label)
        raise Refused("illegal_transition", says)


def _with_platform_deadline(ticket: Ticket, due_at: datetime, seq: int, attempt: Attempt, rules: Rules) -> Ticket:
    state = rules.workflow(ticket).state(ticket.state)
    timeout = next((row.name for row in _timeouts(ticket, attempt, rules)), "")
    policy, now = rules.policy(ticket), attempt.at
    running = clocks.with_platform_deadline(ticket, state, timeout, policy, due_at, now)
    flags = tuple(flag for flag in ticket.flags if flag != "policy_missing")
    return _armed(ticket.but(moved_seq=seq, flags=flags), running, state, rules, now, fresh=True)


def _plain_event(action: PlainAction, attempt: Attempt, given: Mapping[str, Any], after: Ticket) -> Event:
    return Event(
        seq=after.version, kind=action.kind, trigger=action.name, actor=attempt.actor,
        actor_name=attempt.actor_name, from_state=after.state, to_state=after.state, at=attempt.at,
        recorded_at=attempt.at, facts=given, clocks=after.clocks,
    )  # fmt: skip


def _evidence_given_along(ticket: Ticket, attempt: Attempt) -> list[Event]:
    """Evidence named with an action is added before it."""
    first = ticket.version + 1
    return [_evidence_event(ticket, attempt, kind, seq) for seq, kind in enumerate(attempt.evidence, first)]


def _evidence_event(ticket: Ticket, attempt: Attempt, kind: str, seq: int) -> Event:
    given = {f.evidence_kind.name: kind}
    return _plain_event(ADD_EVIDENCE, attempt, given, ticket.but(version=seq))


def _as_entry(event: Event) -> Entry:
    return Entry(event.seq, event.kind, event.trigger, event.actor, event.at, event.facts)
