"""The story of a ticket: what will happen, what happened, by whom and by which clause; the newest first.

Three layers: `_Teller` makes items of events, `_future` makes those to come, `panel` chooses a page of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aftersales import clocks
from aftersales.clock import SHANGHAI, shown, shown_day
from aftersales.decide import Rules
from aftersales.money import yuan
from aftersales.queries import story as questions
from aftersales.queries.story import Link, Paid
from aftersales.ticket import NOWHERE, Clock, Event, Ticket
from aftersales.workflows.facts import fingerprints
from aftersales.workflows.links import TELLS
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import PAUSES, Actor, ClockEffect, Fact
from web import visit, words
from web.i18n import gettext, translated
from web.identity import name_of
from web.pages.evidence import FileLine, files_by_event
from web.pages.linked import RELATION_WORDS
from web.shell import WEEKDAYS
from web.site import Site

#: items on one page of the story
PAGE = 100
#: a text longer than this, in characters or lines, is folded
LONG, LONG_LINES = 240, 5
FILTERS = {"": "全部", "people": "人", "system": "系统", "clock": "时限", "evidence": "凭证", "note": "备注"}
PURPOSES = {"refund": "退款", "repair_cost": "维修费", "compensation": "补偿"}
PAYMENT_STATUS = {"ordered": "等待打款", "paid": "已到账", "failed": "打款失败", "offline": "线下已付"}


# ── what the templates are given ──


@dataclass(frozen=True)
class Clause:
    """A rule of a platform's book: where it stands, and what it is called."""

    rule: str
    version: str
    label: str
    address: str


@dataclass(frozen=True)
class Said:
    """A fact that was filled in. `folded`: its beginning, where the whole is long."""

    label: str
    value: str
    quoted: bool = False

    @property
    def folded(self) -> str:
        lines = self.value.splitlines()
        if len(self.value) <= LONG and len(lines) <= LONG_LINES:
            return ""
        return "\n".join(lines[:2])[:120]


@dataclass(frozen=True)
class Item:
    """One line of the story. `shape`: mt person, by buyer, rb system, ck2 clock; `kinds`: the filters that show it."""

    seq: int
    at: datetime | None
    shape: str
    icon: str
    kinds: frozenset[str]
    who: str
    what: str
    who_is_data: bool = False
    recorded_at: datetime | None = None
    moved: tuple[str, str] | None = None
    said: Sequence[Said] = ()
    hints: Sequence[str] = ()
    clause: Clause | None = None
    files: Sequence[FileLine] = ()
    link: tuple[str, str] | None = None
    #: of what is to come: how long until then
    left: str = ""

    @property
    def short(self) -> list[Said]:
        return [one for one in self.said if not one.folded and not one.quoted]

    @property
    def long(self) -> list[Said]:
        """Texts of people, and what has to be folded."""
        return [one for one in self.said if one.folded or one.quoted]

    @property
    def learned_later(self) -> str:
        """When we learned of it, if that was another minute than when it took effect."""
        if self.at is None or self.recorded_at is None or shown(self.at)[:16] == shown(self.recorded_at)[:16]:
            return ""
        same_day = shown_day(self.at) == shown_day(self.recorded_at)
        return shown(self.recorded_at)[11:16] if same_day else words.brief_now(self.recorded_at)


@dataclass(frozen=True)
class Day:
    """The items of one day, the newest first. `heading`: 10-02 周五 · 节假日."""

    heading: str
    items: Sequence[Item]


@dataclass(frozen=True)
class Chip:
    key: str
    label: str
    count: int
    address: str
    chosen: bool


def panel(site: Site, ticket: Ticket, events: Sequence[Event], rules: Rules, now: datetime) -> dict[str, Any]:
    """What ticket/story.html shows: the page of the story that the address asks for."""
    asked = dict(visit.current.get().pairs)
    chosen = asked.get("story", "") if asked.get("story", "") in FILTERS else ""
    before = int(asked["before"]) if asked.get("before", "").isdecimal() and len(asked["before"]) < 10 else None
    engine = site.desk.engine
    teller = _Teller(site, ticket, rules, files_by_event(site, ticket, events), questions.links(engine, ticket.id))
    told = list(teller.tell(events, questions.payments(engine, ticket.id)))[::-1]
    wanted = [one for one in told if chosen in ("", *one.kinds)]
    older = wanted if before is None else [one for one in wanted if one.seq < before]
    shown_now = _whole_events(older)
    left = len(older) - len(shown_now)
    coming = _future(site, ticket, rules, now) if before is None else []
    return {
        "coming": [one for one in coming if chosen in ("", *one.kinds)],
        "days": _by_day(shown_now, rules),
        "chips": [_chip(key, told, chosen) for key in FILTERS],
        "older": left,
        "older_address": visit.current.get().with_query({"before": shown_now[-1].seq}) + "#story-h" if left else "",
        "newest_address": visit.current.get().with_query({"before": None}) + "#story-h" if before is not None else "",
    }


def _whole_events(items: Sequence[Item]) -> Sequence[Item]:
    """A page of them, and whatever belongs to the event that the page ends with."""
    if len(items) <= PAGE:
        return items
    last = items[PAGE - 1].seq
    end = next((place for place in range(PAGE, len(items)) if items[place].seq != last), len(items))
    return items[:end]


def _chip(key: str, items: Sequence[Item], chosen: str) -> Chip:
    count = sum(not key or key in one.kinds for one in items)
    address = visit.current.get().with_query({"story": key or None, "before": None}) + "#story-h"
    return Chip(key, FILTERS[key], count, address, key == chosen)


def _by_day(items: Iterable[Item], rules: Rules) -> list[Day]:
    days: list[tuple[str, list[Item]]] = []
    for item in items:
        heading = _heading(item.at, rules) if item.at else ""
        if not days or days[-1][0] != heading:
            days.append((heading, []))
        days[-1][1].append(item)
    return [Day(heading, found) for heading, found in days]


def _heading(at: datetime, rules: Rules) -> str:
    day, weekday = shown_day(at), at.astimezone(SHANGHAI).weekday()
    parts = [f"{words.brief_now(at)[:-6]} {gettext(WEEKDAYS[weekday])}"]
    works = rules.calendar.is_workday(day)
    if works != (weekday < 5):
        parts.append(gettext("补班") if works else gettext("节假日"))
    return " · ".join(parts)


# ── what happened ──

_SHAPES = {"buyer": "by", "agent": "mt", "platform": "mt", "system": "rb"}
_ICONS = {
    "evidence": "clip", "contact": "chat", "note": "pencil", "assign": "user", "deadline": "clock",
    "reminder": "bolt", "target": "hurry", "calendar": "history",
}  # fmt: skip
_MOVE_ICONS = {"buyer": "user", "agent": "check", "platform": "shield", "system": "robot"}


@dataclass
class _Teller:
    """Goes through the events of a ticket, oldest first, and tells each in items."""

    site: Site
    ticket: Ticket
    rules: Rules
    files: dict[int, list[FileLine]]
    links: Sequence[Link]
    _running: Sequence[Clock] = ()
    _paused: dict[tuple[object, ...], Clock] = field(default_factory=dict)

    def tell(self, events: Sequence[Event], payments: Sequence[Paid]) -> Iterator[Item]:
        due = list(payments)
        for event in events:
            if event.seq == 1:
                yield from self._begun(event)
            yield self._event(event)
            yield from self._clocks(event)
            while due and due[0].created_at <= event.recorded_at:
                yield _payment(due.pop(0), event.seq)
        last = events[-1].seq if events else 0
        yield from (_payment(one, last) for one in due)

    def _begun(self, event: Event) -> Iterator[Item]:
        """The ticket this one came from."""
        for link in self.links:
            if link.outgoing:
                what = gettext(RELATION_WORDS.get((link.relation, True), link.relation))
                yield Item(
                    event.seq, event.at, "rb", "link", frozenset({"system"}), gettext("系统"), what,
                    recorded_at=event.recorded_at, link=(link.other.number, f"/t/{link.other.id}"),
                )  # fmt: skip

    def _event(self, event: Event) -> Item:
        by_clock = event.actor == Actor.SYSTEM and event.kind == "move" and event.rule is not None
        who, is_data = self._who(event)
        icon = _ICONS.get(event.kind) or ("clock" if by_clock else _MOVE_ICONS.get(event.actor, "user"))
        clock_only = event.kind in ("reminder", "target", "calendar", "deadline")
        return Item(
            seq=event.seq, at=event.at, recorded_at=event.recorded_at, who=who, who_is_data=is_data,
            shape="ck2" if clock_only else _SHAPES.get(event.actor, ""), icon="robot" if by_clock else icon,
            kinds=_kinds(event, by_clock=by_clock), what=self._what(event), moved=self._moved(event),
            said=self._said(event), hints=self._hints(event, by_clock=by_clock),
            clause=self.clause(event.rule, event.rule_version) if by_clock or event.kind == "reminder" else None,
            files=self.files.get(event.seq, ()), link=self._told_by(event),
        )  # fmt: skip

    def _who(self, event: Event) -> tuple[str, bool]:
        if event.actor == Actor.BUYER and self.ticket.buyer:
            return self.ticket.buyer, True
        if event.actor_name:
            return name_of(self.site, event.actor_name), True
        return str(translated(words.actor_label(event.actor))), False

    def _what(self, event: Event) -> str:
        if event.kind == "evidence":
            kind, count = words.evidence_label(event.facts.get("kind", "")), len(self.files.get(event.seq, ()))
            if count:
                return gettext("传了 {n} 份凭证：{kind}", n=count, kind=kind)
            return gettext("登记了凭证：{kind}", kind=kind)
        if event.kind == "note":
            return gettext("写了备注（买家看不到）")
        if event.kind == "contact":
            return gettext("登记了与买家的沟通")
        if event.kind == "assign":
            # to a group of which nobody has room, it waits there
            receiver = name_of(self.site, event.facts.get("agent")) or event.facts.get("team", "")
            return gettext("分给 {name}", name=receiver)
        if event.kind == "target":
            target = self._target(event.trigger)
            return gettext("店内目标「{what}」已到，提醒负责人", what=target)
        if event.kind == "reminder":
            return gettext("提醒：{span}后到期", span=_until(event))
        return str(translated(_title(self.ticket, event, self.rules)))

    def _target(self, name: str) -> str:
        return next((one.label for one in self.rules.catalog.house.targets if one.id == name), name)

    def _moved(self, event: Event) -> tuple[str, str] | None:
        return _moved(self.ticket, event, self.rules)

    def _said(self, event: Event) -> list[Said]:
        form = PLAIN_ACTIONS.get(event.trigger) or self.rules.workflow(self.ticket).move(event.trigger)
        shown_already = {fingerprints.name} | ({"kind"} if event.kind == "evidence" else set())
        shown_already |= {"agent"} if event.kind == "assign" else set()
        asked = () if form is None else form.facts
        shown_already |= {fact.name for fact in asked if _nobody_said(fact, event.facts.get(fact.name))}
        given = {name: value for name, value in event.facts.items() if name not in shown_already}
        pairs = words.named(given, asked)
        free = {str(given[name]) for name in ("text", "summary", "note", "message") if name in given}
        return [Said(label, value, quoted=value in free) for label, value in pairs]

    def _hints(self, event: Event, *, by_clock: bool) -> list[str]:
        if by_clock and event.due_at is not None:
            late = words.lasting((event.recorded_at - event.due_at).total_seconds())
            return [gettext("到期 {due}，系统在到期后 {late}执行", due=shown(event.due_at), late=late)]
        if event.kind == "target":
            return [gettext("店内目标，不影响平台时限")]
        return []

    def _told_by(self, event: Event) -> tuple[str, str] | None:
        """The linked ticket that made the system take this step."""
        if event.actor != Actor.SYSTEM or event.kind != "move" or event.rule is not None:
            return None
        over = {
            told.over
            for told in TELLS
            if told.step.name == event.trigger and told.step.workflow.key == self.ticket.workflow
        }
        other = next((link.other for link in self.links if link.relation in over), None)
        return None if other is None else (other.number, f"/t/{other.id}")

    def clause(self, rule: str | None, version: str | None, *, labelled: bool = True) -> Clause | None:
        if not rule:
            return None
        book = self.rules.policy(self.ticket).rule(rule)
        address = f"/rules/{self.ticket.policy}#{rule}" if book else ""
        return Clause(rule, version or "", book.label if book and labelled else "", address)

    # ── its clocks ──

    def _clocks(self, event: Event) -> Iterator[Item]:
        """What the event did to the clocks: ended, paused, resumed, started, moved to another time."""
        before = {_life(clock): clock for clock in self._running}
        after = {_life(clock): clock for clock in event.clocks}
        self._running = event.clocks
        for life, clock in before.items():
            if life not in after and not (clock.rule == event.rule and event.due_at == clock.due_at):
                yield self._gone(event, life, clock)
        for life, clock in after.items():
            if life not in before:
                yield self._come(event, life, clock)
            elif before[life].due_at != clock.due_at:
                what = gettext(
                    "由 {old} 改到 {new}", old=words.brief_now(before[life].due_at), new=words.brief_now(clock.due_at)
                )
                yield self._clock_item(event, clock, gettext("时限改期"), what, "history")

    def _gone(self, event: Event, life: tuple[object, ...], clock: Clock) -> Item:
        left = words.lasting(max(0.0, (clock.due_at - event.at).total_seconds()))
        label = self._clock_label(clock)
        if _effect(self.ticket, event, self.rules) is PAUSES:
            self._paused[life] = clock
            what = gettext("{clock}，还剩 {left}", clock=label, left=left)
            return self._clock_item(event, clock, gettext("时限暂停"), what, "pause")
        what = gettext("{clock}，还剩 {left} 没有用", clock=label, left=left)
        return self._clock_item(event, clock, gettext("时限结束"), what, "noclock")

    def _come(self, event: Event, life: tuple[object, ...], clock: Clock) -> Item:
        what = gettext("{clock}，到 {due}", clock=self._clock_label(clock), due=words.brief_now(clock.due_at))
        if self._paused.pop(life, None) is not None:
            return self._clock_item(event, clock, gettext("时限继续"), what, "clock")
        return self._clock_item(event, clock, gettext("时限开始"), what, "clock", counted=True)

    def _clock_label(self, clock: Clock) -> str:
        book = self.rules.policy(self.ticket).rule(clock.rule)
        return book.label if book else words.BASIS.get(clock.basis, clock.rule)

    def _clock_item(self, event: Event, clock: Clock, who: str, what: str, icon: str, *, counted: bool = False) -> Item:
        hints = [gettext("从 {start} 起算", start=words.brief_now(clock.counted_from))] if counted else []
        if clock.provisional:
            hints.append(gettext("暂定：跨到还没公布节假日的年份"))
        return Item(
            event.seq, event.at, "ck2", icon, frozenset({"clock"}), who, what, recorded_at=event.recorded_at,
            hints=hints, clause=self.clause(clock.rule, clock.version, labelled=False),
        )  # fmt: skip


def _kinds(event: Event, *, by_clock: bool) -> frozenset[str]:
    found = {"system" if event.actor == Actor.SYSTEM else "people"}
    if by_clock or event.kind in ("reminder", "target", "calendar", "deadline"):
        found.add("clock")
    return frozenset(found | {event.kind} & {"evidence", "note"})


def _life(clock: Clock) -> tuple[object, ...]:
    """The same clock, whatever its end was changed to."""
    return (clock.rule, clock.version, clock.timeout, clock.counted_from)


def _effect(ticket: Ticket, event: Event, rules: Rules) -> ClockEffect | None:
    move = rules.workflow(ticket).move(event.trigger)
    if move is None:
        return None
    taken = next((one for one in move.branches if one.to is not None and one.to.name == event.to_state), None)
    effect = (taken.clock if taken else None) or move.clock
    return effect if isinstance(effect, ClockEffect) else None


def _until(event: Event) -> str:
    return "" if event.due_at is None else words.lasting((event.due_at - event.at).total_seconds())


def _payment(paid: Paid, seq: int) -> Item:
    purpose, status = PURPOSES.get(paid.purpose, paid.purpose), PAYMENT_STATUS.get(paid.status, paid.status)
    what = gettext("下达{purpose} {amount}（{status}）", purpose=purpose, amount=yuan(paid.amount_fen), status=status)
    hints = [gettext("最近一次打款 {time}", time=shown(paid.tried_at))] if paid.tried_at != paid.created_at else []
    return Item(
        seq, paid.created_at, "rb", "yuan", frozenset({"system"}), gettext("系统"), what,
        recorded_at=paid.created_at, hints=hints,
    )  # fmt: skip


# ── what is to come ──


def _future(site: Site, ticket: Ticket, rules: Rules, now: datetime) -> list[Item]:
    """If nobody does anything: what the clock will do, reminders, the house's targets. The farthest on top."""
    if ticket.closed_at is not None:
        return []
    teller = _Teller(site, ticket, rules, {}, ())
    found = [_will_run_out(teller, clock, now) for clock in ticket.clocks]
    found += [_stands_still(teller, clock) for clock in ticket.paused]
    state, house = rules.workflow(ticket).state(ticket.state), rules.catalog.house
    for moment, what in clocks.reminders(ticket.clocks, state, ticket.entered_at, house):
        if moment > now:
            found.append(_will_remind(teller, moment, what, now))
    return sorted(found, key=lambda one: (one.at is not None, one.at or now), reverse=True)


_CLOCK_ONLY, _SYSTEM_TOO = frozenset({"clock"}), frozenset({"clock", "system"})


def _will_run_out(teller: _Teller, clock: Clock, now: datetime) -> Item:
    label = words.move_label(teller.rules, teller.ticket.workflow, clock.timeout)
    return Item(
        0, clock.due_at, "next", "robot", _SYSTEM_TOO, gettext("系统"), gettext("将执行「{what}」", what=label),
        hints=[gettext("没有人处理才会发生")], clause=teller.clause(clock.rule, clock.version),
        left=words.left(clock.due_at, now),
    )  # fmt: skip


def _stands_still(teller: _Teller, clock: Clock) -> Item:
    what = gettext(
        "{clock}暂停着，还剩 {left}", clock=teller._clock_label(clock), left=words.lasting(clock.left_seconds or 0)
    )
    return Item(
        0, None, "next", "pause", _CLOCK_ONLY, gettext("时限"), what, clause=teller.clause(clock.rule, clock.version)
    )


def _will_remind(teller: _Teller, moment: datetime, what: str, now: datetime) -> Item:
    if what == "reminder":
        due_at = teller.ticket.due_at or moment
        span = words.lasting((due_at - moment).total_seconds())
        said, hints = gettext("将提醒负责人"), [gettext("到期前 {span}", span=span)]
    else:
        said = gettext("店内目标「{what}」到期，将提醒负责人", what=teller._target(what))
        hints = [gettext("店内目标，不影响平台时限")]
    return Item(
        0, moment, "next", "bolt", _SYSTEM_TOO, gettext("系统"), said, hints=hints, left=words.left(moment, now)
    )


# ── the events alone, for what changed meanwhile ──


@dataclass(frozen=True)
class EventLine:
    """One event in words; `by_rule`: done by the clock, so the event names its rule and due time."""

    event: Event
    title: str
    who: str
    moved: tuple[str, str] | None
    facts: Sequence[tuple[str, str]]
    by_rule: bool
    started: Sequence[Clock]


def story(ticket: Ticket, events: Sequence[Event], rules: Rules, after: int = 0) -> list[EventLine]:
    """The newest first. `after`: only what happened after this version."""
    before: Sequence[Clock] = ()
    lines = []
    for event in events:
        if event.seq > after:
            lines.append(_event_line(ticket, event, before, rules))
        before = event.clocks
    return lines[::-1]


def _event_line(ticket: Ticket, event: Event, before: Sequence[Clock], rules: Rules) -> EventLine:
    known = {(clock.rule, clock.due_at) for clock in before}
    facts = {name: value for name, value in event.facts.items() if name != fingerprints.name}
    return EventLine(
        event=event,
        title=_title(ticket, event, rules),
        who=words.actor_label(event.actor),
        moved=_moved(ticket, event, rules),
        facts=words.named(facts, _facts_of(ticket, event, rules)),
        by_rule=event.actor == Actor.SYSTEM and event.kind == "move" and event.rule is not None,
        started=[clock for clock in event.clocks if (clock.rule, clock.due_at) not in known],
    )


def _nobody_said(fact: Fact, value: Any) -> bool:
    """What was filled in by itself: 已退金额 ¥0.00."""
    return fact.default is not None and value == fact.default


def _title(ticket: Ticket, event: Event, rules: Rules) -> str:
    if event.kind == "target":
        target = next((one for one in rules.catalog.house.targets if one.id == event.trigger), None)
        return gettext("店内目标：{target}", target=target.label if target else event.trigger)
    if event.kind in words.EVENT_KINDS:
        return gettext(words.EVENT_KINDS[event.kind])
    return words.move_label(rules, ticket.workflow, event.trigger)


def _moved(ticket: Ticket, event: Event, rules: Rules) -> tuple[str, str] | None:
    if event.from_state == event.to_state:
        return None
    source = "" if event.from_state == NOWHERE else words.state_label(rules, ticket.workflow, event.from_state)
    return source, words.state_label(rules, ticket.workflow, event.to_state)


def _facts_of(ticket: Ticket, event: Event, rules: Rules) -> Sequence[Fact]:
    form = PLAIN_ACTIONS.get(event.trigger) or rules.workflow(ticket).move(event.trigger)
    return () if form is None else form.facts
