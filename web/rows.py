"""One line of the queue in words: the clock, what it will do, the ticket, whose turn, whose ticket, the last entry.

What the clock will do is found by letting `decide` do it to a copy, so it cannot differ from what the scheduler does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aftersales import decide
from aftersales.clock import shown, shown_to_machines
from aftersales.clocks import PLATFORM_DEADLINE
from aftersales.decide import Rules
from aftersales.money import yuan
from aftersales.office.accounts import Account
from aftersales.policies.vocabulary import Policy
from aftersales.queries import Waiting
from aftersales.queries.queue import LATE, RUNNING, amount_fen
from aftersales.ticket import Change, Clock, Event, Ticket
from aftersales.workflows import facts
from aftersales.workflows.vocabulary import Escalation, Party
from web import words
from web.i18n import gettext
from web.site import address_of

ONE_SECOND = timedelta(seconds=1)
TYPE_ICONS = {"exchange": "swap", "repair": "wrench", "refund": "yuan", "lost_parcel": "parcel", "bad_review": "star"}
TURN_ICONS = {Party.MERCHANT: "shop", Party.BUYER: "user", Party.COURIER: "truck", Party.PLATFORM: "shield"}
CLOCK_ICONS = {
    "late": "late", "crit": "hurry", "soon": "hurry", "day": "clock", "calm": "clock", "paused": "pause",
    "none": "noclock", "missing": "warn",
}  # fmt: skip
#: from here on an amount is set in bold, 分
LARGE_FEN = 500_000
_WITHOUT_CLOCK = {
    "policy_missing": "规则缺失，没有起表",
    "platform_authority": "平台未给期限",
    "platform_past_due": "平台期限已过",
}
_LONGEST_TITLE = 60


@dataclass(frozen=True)
class Bar:
    """How much of the time is used, and where the shop's own target stands: in percent. `dashed`: no clock."""

    used: str = "0%"
    notch: str = ""
    dashed: bool = False
    provisional: bool = False


@dataclass(frozen=True)
class Clause:
    label: str
    rule: str


@dataclass(frozen=True)
class Then:
    """What happens when the clock runs out, or why nothing does; `second` is what comes after that."""

    said: str
    at: datetime | None = None
    money: str = ""
    second: str = ""
    icon: str = ""


@dataclass(frozen=True)
class Entry:
    """The newest entry of the history; `quoted` is what somebody wrote."""

    who: str
    at: str
    said: str
    quoted: str = ""


@dataclass(frozen=True)
class Row:
    id: int
    version: int
    number: str
    address: str
    #: a section of the list: late, soon, today, later, none
    section: str
    #: the name of the clock's colour, as in desk.css
    urgency: str
    left: str
    due_at: datetime | None
    bar: Bar
    clause: Clause | None
    then: Then
    ticket: Ticket
    shop: str
    workflow: str
    policy: str
    state: str
    turn: str
    turn_icon: str
    #: words of the tables, and what people wrote
    about: Sequence[str]
    quoted: str
    item: str
    amount: str
    large: bool
    owner: str
    mine: bool
    last: Entry | None
    #: (colour of the tag, icon, words)
    marks: Sequence[tuple[str, str, str]] = ()
    level: str = ""
    member: str = ""

    @property
    def icon(self) -> str:
        return CLOCK_ICONS[self.urgency]

    @property
    def type_icon(self) -> str:
        return TYPE_ICONS.get(self.ticket.workflow, "list")

    @property
    def instant(self) -> str:
        """The due time for machines."""
        return "" if self.due_at is None else shown_to_machines(self.due_at)


@dataclass(frozen=True)
class Telling:
    """What all rows of a page have in common."""

    rules: Rules
    now: datetime
    #: the end of the day in Beijing
    midnight: datetime
    #: several shops may share a number, then tickets are named by id
    by_id: bool
    people: Mapping[str, Account] = field(default_factory=dict)
    me: Account | None = None

    def row(self, waiting: Waiting) -> Row:
        ticket, rules = waiting.ticket, self.rules
        timing = _timing(self, waiting)
        state = next((one for one in rules.workflow(ticket).waiting if one.name == ticket.state), None)
        party = state.waits_for if state else None
        return Row(
            id=ticket.id,
            version=ticket.version,
            number=ticket.number,
            address=address_of(ticket.id, ticket.number, several=self.by_id),
            section=self._section(waiting),
            **timing,
            ticket=ticket,
            shop=waiting.shop,
            workflow=words.workflow_label(rules, ticket.workflow),
            policy=words.policy_label(rules, ticket.policy),
            state=words.state_label(rules, ticket.workflow, ticket.state),
            turn=gettext("等{party}", party=party.value) if party else "",
            turn_icon=TURN_ICONS[party] if party else "check",
            about=_about(ticket),
            quoted=_quoted(ticket),
            item=_item(ticket),
            amount=yuan(amount_fen(ticket)),
            large=amount_fen(ticket) >= LARGE_FEN,
            owner=self._name(ticket.owner),
            mine=self.me is not None and ticket.owner == self.me.login,
            last=None if waiting.last is None else self._entry(ticket, waiting.last),
            marks=tuple(_marks(ticket)),
            level=str(ticket.fields.get("complaint_level") or ""),
            member=str(ticket.fields.get("member_level") or ""),
        )

    def _section(self, waiting: Waiting) -> str:
        due_at = waiting.ticket.due_at
        if waiting.part == LATE or (due_at is not None and due_at < self.now):
            return "late"
        if due_at is None or waiting.part != RUNNING:
            return "none"
        if due_at < self.now + timedelta(hours=4):
            return "soon"
        return "today" if due_at < self.midnight else "later"

    def _name(self, login: str | None) -> str:
        account = self.people.get(login or "")
        return account.name if account else login or ""

    def _entry(self, ticket: Ticket, event: Event) -> Entry:
        today = shown(event.recorded_at)[:10] == shown(self.now)[:10]
        at = shown(event.recorded_at)[11:16] if today else words.brief(event.recorded_at, self.now)
        said = words.EVENT_KINDS.get(event.kind) or words.move_label(self.rules, ticket.workflow, event.trigger)
        quoted = next((str(event.facts[name]) for name in ("text", "summary", "note") if event.facts.get(name)), "")
        who = self._name(event.actor_name) or words.actor_label(event.actor)
        return Entry(who, at, said, quoted[:_LONGEST_TITLE])


# ── the clock, and what it will do ──


def _timing(telling: Telling, waiting: Waiting) -> dict[str, Any]:
    ticket = waiting.ticket
    if ticket.clock is not None:
        return _running(telling, ticket, ticket.clock)
    if ticket.overdue and waiting.moved is not None and waiting.moved.due_at is not None:
        return _ran_out(telling, ticket, waiting.moved)
    if ticket.paused:
        return _paused(telling, ticket, min(ticket.paused, key=lambda clock: clock.left_seconds or 0))
    return _clockless(telling, ticket)


def _running(telling: Telling, ticket: Ticket, clock: Clock) -> dict[str, Any]:
    late = clock.due_at < telling.now
    whole = max((clock.due_at - clock.counted_from).total_seconds(), 1)
    used = 100 * (telling.now - clock.counted_from).total_seconds() / whole
    return {
        "urgency": words.urgency(clock.due_at, telling.now, late=late),
        "left": words.left(clock.due_at, telling.now),
        "due_at": clock.due_at,
        "bar": Bar(_percent(used), _notch(telling, ticket, clock, whole), provisional=clock.provisional),
        "clause": clause(telling.rules.policy(ticket), clock.rule, clock.version, clock.timeout),
        "then": foretold(ticket, clock, telling.rules, telling.now),
    }


def _notch(telling: Telling, ticket: Ticket, clock: Clock, whole: float) -> str:
    """Where the shop's own target for this state stands on the bar."""
    target = _target(telling, ticket)
    place = 0.0 if target is None else 100 * (target - clock.counted_from).total_seconds() / whole
    return _percent(place) if 0 < place < 100 else ""


def _target(telling: Telling, ticket: Ticket) -> datetime | None:
    state = next((one for one in telling.rules.workflow(ticket).waiting if one.name == ticket.state), None)
    target = telling.rules.catalog.house.target_for(state) if state else None
    return None if target is None else ticket.entered_at + timedelta(seconds=target.within.seconds or 0)


def _ran_out(telling: Telling, ticket: Ticket, moved: Event) -> dict[str, Any]:
    """The clock ran out and the ticket stayed where it is."""
    assert moved.due_at is not None
    said = words.move_label(telling.rules, ticket.workflow, moved.trigger)
    policy = telling.rules.policy(ticket)
    return {
        "urgency": "late",
        "left": words.left(moved.due_at, telling.now),
        "due_at": moved.due_at,
        "bar": Bar("100%"),
        "clause": clause(policy, moved.rule or "", moved.rule_version or "", moved.trigger),
        "then": Then(said, moved.at, second=_why_no_clock(ticket), icon="up"),
    }


def _paused(telling: Telling, ticket: Ticket, clock: Clock) -> dict[str, Any]:
    left = clock.left_seconds or 0
    whole = max((clock.due_at - clock.counted_from).total_seconds(), left, 1)
    return {
        "urgency": "paused",
        "left": gettext("已暂停 · 剩 {span}", span=words.lasting(left)),
        "due_at": None,
        "bar": Bar(_percent(100 - 100 * left / whole)),
        "clause": clause(telling.rules.policy(ticket), clock.rule, clock.version, clock.timeout),
        "then": Then(
            gettext("继续后接着走，暂停前还剩 {span}", span=words.lasting(left)), second=_why_no_clock(ticket)
        ),
    }


def _clockless(telling: Telling, ticket: Ticket) -> dict[str, Any]:
    reason = ticket.no_clock_reason or ""
    target = _target(telling, ticket)
    return {
        "urgency": "missing" if reason == "policy_missing" else "none",
        "left": gettext(_WITHOUT_CLOCK.get(reason, "没有时限")),
        "due_at": None,
        "bar": Bar(dashed=True),
        "clause": None,
        "then": Then(
            gettext("已升级，要人处理") if ticket.escalated else _why_no_clock(ticket),
            second="" if target is None else gettext("店内目标 {at}", at=words.brief(target, telling.now)),
        ),
    }


def _why_no_clock(ticket: Ticket) -> str:
    reason = ticket.no_clock_reason or ""
    return words.NO_CLOCK.get(reason, reason)


def foretold(ticket: Ticket, clock: Clock, rules: Rules, now: datetime) -> Then:
    """What the engine does to a copy of the ticket once this clock, the first of its clocks, has run out."""
    move = rules.workflow(ticket).move(clock.timeout)
    if move is None:
        return Then(clock.timeout, clock.due_at)
    try:
        change = decide.catch_up(ticket, max(now, clock.alarm_at + ONE_SECOND), rules)
        assert change is not None
    except Exception:  # noqa: BLE001 -- a rule that raises must not take the whole queue with it
        return Then(move.label, clock.due_at, second=gettext("现在执行不了，请打开工单看原因"))
    money = sum(payment.amount_fen for payment in change.payments)
    second = _after_that(ticket, change, rules, stays=isinstance(move, Escalation))
    return Then(move.label, clock.due_at, yuan(money) if money else "", second)


def _after_that(ticket: Ticket, change: Change, rules: Rules, *, stays: bool) -> str:
    event, workflow = change.events[0], rules.workflow(ticket)
    if stays:
        return gettext("留在这一步，升级给人处理")
    state = workflow.state(event.to_state)
    if state.final:
        return gettext("工单结束：{state}", state=state.label)
    before = {(one.rule, one.timeout) for one in ticket.clocks}
    fresh = [one for one in event.clocks if (one.rule, one.timeout) not in before]
    if not fresh:
        return gettext("到「{state}」，不再计时", state=state.label)
    starts = min(fresh, key=lambda one: one.due_at)
    said = clause(rules.policy(ticket), starts.rule, starts.version, starts.timeout)
    return gettext("接着开始{rule}（{id}）", rule=said.label, id=said.rule)


def clause(policy: Policy, rule: str, version: str, timeout: str) -> Clause:
    """The name of the rule behind a clock, with its id."""
    if rule == PLATFORM_DEADLINE:
        return Clause(words.BASIS["platform"], "")
    rows = [one for one in policy.clock_rules if one.id == rule]
    for one in rows:
        line = one.line_of(version)
        if line is not None and line.then is not None and line.then.name == timeout:
            return Clause(one.label, rule)
    return Clause(rows[0].label if rows else policy.label, rule)


def _percent(share: float) -> str:
    return f"{min(max(share, 0), 100):.0f}%"


def _marks(ticket: Ticket) -> list[tuple[str, str, str]]:
    clock = ticket.clock
    found = []
    if clock is not None and clock.provisional:
        found.append(("assume", "prov", "暂定"))
    if clock is not None and clock.basis != "rule":
        found.append(("line", "shield", words.BASIS[clock.basis]))
    if ticket.escalated:
        found.append(("late", "up", "已升级"))
    if ticket.trouble:
        found.append(("late", "warn", "处理出错"))
    flags = [flag for flag in ticket.flags if flag != "policy_missing" or ticket.no_clock_reason != "policy_missing"]
    return found + [("soon", "flag", label) for label in words.flag_labels(flags)]


# ── what it is about ──

_ABOUT = {
    "exchange": (facts.exchange_reason,),
    "refund": (facts.refund_kind, facts.refund_reason),
    "lost_parcel": (facts.parcel_issue,),
    "bad_review": (facts.rating,),
}
_WRITTEN = {"repair": "fault", "bad_review": "text", "lost_parcel": "note"}


def _about(ticket: Ticket) -> Sequence[str]:
    asked = _ABOUT.get(ticket.workflow, ())
    return [
        words.shown_value(fact, fact.name, ticket.fields[fact.name])
        for fact in asked
        if ticket.fields.get(fact.name) not in (None, "", "other")
    ]


def _quoted(ticket: Ticket) -> str:
    text = str(ticket.fields.get(_WRITTEN.get(ticket.workflow, "note")) or "")
    return text if len(text) <= _LONGEST_TITLE else text[: _LONGEST_TITLE - 1] + "…"


def _item(ticket: Ticket) -> str:
    title = str(ticket.fields.get("item_title") or ticket.item_no or "")
    spec = str(ticket.fields.get("item_spec") or "")
    return f"{title} {spec}".strip()
