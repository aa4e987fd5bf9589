"""A seeded shop on a virtual clock: the same seed gives the same history, event by event, on every database.

Buyers apply, ship, forget, cancel and appeal; agents keep working hours and sometimes overlook a ticket; couriers and
payment services report late and fail; answers are lost and the request is repeated; the scheduler restarts, and now
and then is down for hours; platforms move deadlines. All of them use the one door, as in life: nothing is written
past it. Who does what is in `habits.py`.

Every ticket has dice of its own, so that what one does changes nothing for the others.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TextIO

from aftersales import decide, queries, store
from aftersales.catalog import built_in
from aftersales.clock import SHANGHAI, parse, shown_day, whole_second
from aftersales.database import Connection, create_engine, migrate, reading
from aftersales.decide import NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.errors import Refused
from aftersales.habits import ARRIVALS, HABITS, MADE_UP, Arrival, Dice, Habit, Scene, fill_in
from aftersales.rows import EVENT, event_from_row, event_hash
from aftersales.ticket import NOWHERE, Event, Ticket
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows.links import LINKS
from aftersales.workflows.vocabulary import Actor, State

START = parse("2026-01-05 00:00:00")
SHOP = "模拟店铺"
ONE_SECOND, ONE_MINUTE, ONE_HOUR, ONE_DAY = (timedelta(seconds=n) for n in (1, 60, 3_600, 86_400))

#: from when to when people do things, hours of the day in Shanghai
AWAKE = {Actor.AGENT.value: (9, 21), Actor.BUYER.value: (7, 24)}
#: how often an answer is lost and the request sent again
ANSWER_LOST = 0.02
AGENTS = ("小陈", "小林", "小周", "小赵")
#: how often an agent who looks at a ticket takes it over, and how often one leaves a note
TAKES_OVER, NOTES = 0.2, 0.06
#: how often something is forgotten or mistyped
MISTAKE = 0.03
#: how often a buyer applies a second time for the same item
APPLIES_TWICE = 0.01
#: how often a platform moves the deadline of a ticket that it has the say on
PLATFORM_MOVES_DEADLINE = 0.15
#: restarts a day, and of each: how likely, how many minutes down
OUTAGES: Sequence[tuple[float, float, float]] = ((0.6, 0.1, 2), (0.2, 5, 14), (0.02, 30, 900))
#: a ticket that has been done this much to is left alone
MOST_ACTS = 60
SWEEP_BATCH = 500


@dataclass(frozen=True)
class Simulated:
    """What a simulation came to. `hash` covers every event of every ticket, and no database id."""

    seed: int
    days: int
    tickets: int
    events: int
    fired: int
    refused: dict[str, int]
    #: requests that were sent again because the answer was lost; each had one effect
    repeated: int
    outages: int
    #: workflow: {state: tickets}
    states: dict[str, dict[str, int]]
    hash: str
    #: promises found broken; empty when all is well
    problems: list[str]
    seconds: float


Progress = Callable[[datetime, int], None]


def simulate(
    desk: Desk,
    rules: Rules,
    *,
    seed: int,
    days: int,
    per_day: int = 200,
    start: datetime = START,
    progress: Progress | None = None,
) -> Simulated:
    """Plays `days` of a shop that opens on an empty database, and reads back what came of it."""
    began = perf_counter()
    shop = Shop(desk, rules, str(seed), start, days, progress)
    shop.run(per_day)
    log = read_log(desk, rules)
    return Simulated(
        seed, days, log.tickets, log.events, shop.fired, dict(sorted(shop.refused.items())), shop.repeated,
        shop.scheduler.outages, log.states, log.hash, [*shop.problems, *log.problems],
        round(perf_counter() - began, 1),
    )  # fmt: skip


# ── the scheduler ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Scheduler:
    """When the scheduler looks: a second after an alarm, unless it is down just then."""

    def __init__(self, dice: Dice, start: datetime, days: int) -> None:
        self.down = [
            (begins, begins + ONE_MINUTE * dice.between(least, most))
            for day in range(days)
            for chance, least, most in OUTAGES
            if dice.chance(chance)
            for begins in [start + ONE_DAY * (day + dice.between(0, 1))]
        ]
        self.down.sort(key=lambda outage: outage[0])
        self.outages, self._next = len(self.down), 0

    def looks_at(self, alarm: datetime) -> datetime:
        """Asked in the order of time."""
        while self._next < len(self.down) and self.down[self._next][1] <= alarm:
            self._next += 1
        looks = alarm + ONE_SECOND
        for begins, ends in itertools.islice(self.down, self._next, None):
            if begins > looks:
                break
            looks = max(looks, whole_second(ends))
        return looks


# ── the shop ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Case:
    """A ticket as those who have to do with it last saw it, and what they are going to do."""

    ticket: Ticket
    dice: Dice
    agent: str = ""
    #: counts plans: an older one is void
    plan: int = 0
    acts: int = 0

    def __post_init__(self) -> None:
        self.agent = self.dice.one_of(AGENTS)


#: what may open or move a linked ticket
_STIRS = frozenset(row.name for row in {*LINKS.opens, *LINKS.tells})


@dataclass
class Shop:
    """Everybody who has to do with the tickets of one shop, and the time it is there."""

    desk: Desk
    rules: Rules
    seed: str
    start: datetime
    days: int
    progress: Progress | None = None
    name: str = SHOP
    fired: int = 0
    repeated: int = 0
    opened: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.end = self.start + ONE_DAY * self.days
        self.scheduler = Scheduler(Dice(f"{self.seed}/scheduler"), self.start, self.days)
        #: the tickets that somebody may still do something to
        self.cases: dict[int, Case] = {}
        self._known: set[int] = set()
        self._alarm: datetime | None = None
        self._serial = itertools.count()
        self._plans: list[tuple[datetime, int, Callable[[datetime], None]]] = []

    # ── time ──

    def at(self, when: datetime, what: Callable[[datetime], None]) -> None:
        """Of two things in the same second, the one planned first comes first."""
        heapq.heappush(self._plans, (whole_second(when), next(self._serial), what))

    def run(self, per_day: int) -> None:
        """Until the last day is over: whatever comes next, the scheduler's turn or somebody's."""
        for day in range(self.days):
            self.at(self.start + ONE_DAY * day, self._new_day(day, per_day))
        while True:
            planned = self._plans[0][0] if self._plans else self.end
            looks = self.end + ONE_SECOND if self._alarm is None else self.scheduler.looks_at(self._alarm)
            if looks <= min(planned, self.end):
                self.sweep(looks)
            elif self._plans and planned <= self.end:
                when, _, what = heapq.heappop(self._plans)
                what(when)
            else:
                break

    def sweep(self, now: datetime) -> None:
        claimed = SWEEP_BATCH
        while claimed == SWEEP_BATCH:
            swept = self.desk.sweep(now, SWEEP_BATCH)
            claimed = swept.claimed
            self.fired += len(swept.fired)
            self.problems += [f"set aside: {reason}" for _, reason in swept.set_aside]
            for ticket, event in swept.fired:
                self.noticed(ticket, event, now)
        self._alarm = self.desk.next_alarm()
        if self._alarm is not None and self._alarm < now:
            raise RuntimeError(f"the sweep of {now} left an alarm of {self._alarm}: it would fire for ever")

    def noticed(self, ticket: Ticket, event: Event, now: datetime) -> None:
        """An alarm has fired."""
        if event.kind == "move":
            self.stirred(ticket, now, event.trigger)

    def _new_day(self, day: int, per_day: int) -> Callable[[datetime], None]:
        """Who comes in the course of it, more in the evening than at night."""

        def begins(now: datetime) -> None:
            if self.progress is not None:
                self.progress(now, self.opened)
            for n in range(day * per_day + 1, (day + 1) * per_day + 1):
                dice = Dice(f"{self.seed}/{n}")
                hours = dice.between(0, 24) if dice.chance(0.3) else dice.between(9, 23)
                self.at(now + ONE_HOUR * hours, self.arrival(None, f"{self.start:%y}{n:07}", dice))

        return begins

    # ── arrivals ──

    def arrival(self, kind: Arrival | None, order_no: str, dice: Dice) -> Callable[[datetime], None]:
        """Somebody comes: with this, or with whatever people come with."""

        def comes(now: datetime) -> None:
            self.arrive(kind or dice.weighted(ARRIVALS, lambda one: one.often), order_no, dice, now)

        return comes

    def arrive(self, arrival: Arrival, order_no: str, dice: Dice, now: datetime) -> None:
        opening = arrival.opening
        facts = fill_in(opening.asks, arrival.facts, Scene(dice, now))
        new = NewTicket(
            workflow=opening.workflow.key, policy=arrival.policy, trigger=opening.name,
            actor=arrival.by or opening.by[0].value, at=now, facts=facts, order_no=order_no, item_no="1",
            buyer=f"买家{dice.number(1, 99_999):05}", authority=arrival.authority,
        )  # fmt: skip
        self._opened(new, dice, now, f"open {order_no}" if dice.chance(ANSWER_LOST) else None)
        if dice.chance(APPLIES_TWICE):
            self.at(now + ONE_MINUTE * dice.between(1, 600), lambda later: self._applies_again(new, later))

    def _opened(self, new: NewTicket, dice: Dice, now: datetime, key: str | None) -> None:
        try:
            ticket = self.desk.open(new, shop=self.name, key=key)
            if key is not None:
                self._had_one_effect(ticket, self.desk.open(new, shop=self.name, key=key))
        except Refused as refused:
            self.refused[refused.code] += 1
        else:
            self._alarm_set(ticket)
            self.think(self._met(ticket, dice), now)

    def _met(self, ticket: Ticket, dice: Dice) -> Case:
        """A ticket that nobody knew."""
        self.opened += 1
        self._known.add(ticket.id)
        case = self.cases[ticket.id] = Case(ticket, dice)
        return case

    def _applies_again(self, new: NewTicket, now: datetime) -> None:
        at_hand = {name: value for name, value in new.facts.items() if not name.endswith("_at")}
        again = NewTicket(
            new.workflow, new.policy, new.trigger, new.actor, now, at_hand, new.order_no, new.item_no, new.buyer,
            new.authority,
        )  # fmt: skip
        self._opened(again, Dice(f"{self.seed}/again/{new.order_no}"), now, None)

    def _had_one_effect(self, first: Ticket, second: Ticket) -> None:
        self.repeated += 1
        if first._replace(last_hash=second.last_hash) != second:  # a hash is made by writing only
            self.problems.append(f"{first.number}: a repeated request had another answer")

    # ── what people do ──

    def think(self, case: Case, now: datetime) -> None:
        """Whoever's turn it is makes a plan for this ticket; earlier plans are void."""
        case.plan += 1
        if case.acts >= MOST_ACTS:
            return
        habits = self.possible(case, now)
        habit = self.choose(case, habits, now) if habits else None
        if habit is None or habit.step is None:
            if case.ticket.closed_at is not None:
                self.cases.pop(case.ticket.id, None)
        else:
            plan, seen = case.plan, case.ticket.version
            self.at(self.when(case, habit, now), lambda then: self.act(case, habit, plan, seen, then))
        if case.ticket.authority == "platform" and case.ticket.clocks and case.dice.chance(PLATFORM_MOVES_DEADLINE):
            hours = case.dice.between(0.2, 12), case.dice.between(20, 150)
            self.platform_moves_deadline(case, now + ONE_HOUR * hours[0], now + ONE_HOUR * hours[1])

    def choose(self, case: Case, habits: Sequence[Habit], now: datetime) -> Habit | None:
        """What comes next; None: nobody does anything."""
        return case.dice.weighted(habits, lambda habit: habit.often)

    def possible(self, case: Case, now: datetime) -> list[Habit]:
        """What the page would offer for this ticket."""
        found = []
        allowed: dict[str, set[str]] = {}
        for habit in HABITS.get(self.state(case.ticket), ()):
            if habit.step is not None:
                actor = _actor(habit)
                if actor not in allowed:
                    steps = decide.allowed(case.ticket, actor, now, self.rules)
                    allowed[actor] = {step.name for step in steps}
                if habit.step.name not in allowed[actor]:
                    continue
            found.append(habit)
        return found

    def state(self, ticket: Ticket) -> State:
        return self.rules.workflow(ticket).state(ticket.state)

    def when(self, case: Case, habit: Habit, now: datetime) -> datetime:
        then = now + ONE_HOUR * case.dice.between(*habit.after)
        return _awake(then, AWAKE.get(_actor(habit)), case.dice)

    def act(self, case: Case, habit: Habit, plan: int, seen: int, now: datetime) -> None:
        """The plan is carried out, if nothing has come between."""
        if plan != case.plan or habit.step is None:
            return
        case.acts += 1
        if _actor(habit) == Actor.AGENT:
            self._chores(case, now)
        if habit.talks and not case.dice.chance(MISTAKE):
            self._do(case, self._contact(case, now))
        self._do(case, self._command(case, habit, seen, now))
        self.think(case, now)

    def _chores(self, case: Case, now: datetime) -> None:
        """What agents do beside: nothing moves."""
        if case.ticket.owner is None and case.dice.chance(TAKES_OVER):
            mine = {"agent": case.agent}
            self._do(case, Command(case.ticket.id, "assign", Actor.AGENT, now, mine, actor_name=case.agent))
        if case.dice.chance(NOTES):
            said = {"text": MADE_UP["text"](Scene(case.dice, now))}
            self._do(case, Command(case.ticket.id, "note", Actor.AGENT, now, said, actor_name=case.agent))

    def _contact(self, case: Case, now: datetime) -> Command:
        said = {"channel": "im", "summary": MADE_UP["summary"](Scene(case.dice, now))}
        return Command(case.ticket.id, "record_contact", Actor.AGENT, now, said, actor_name=case.agent)

    def _command(self, case: Case, habit: Habit, seen: int, now: datetime) -> Command:
        step, dice = habit.step, case.dice
        assert step is not None
        facts = fill_in(step.asks, habit.facts or {}, Scene(dice, now, case.ticket))
        if habit.reported:
            happened = now - ONE_HOUR * dice.between(0, habit.reported)
            facts["occurred_at"] = whole_second(max(happened, case.ticket.entered_at))
        if "waybill_no" in facts and dice.chance(MISTAKE):
            facts["waybill_no"] = facts["waybill_no"][:5]
        actor = _actor(habit)
        return Command(
            case.ticket.id, step.name, actor, now, {name: value for name, value in facts.items() if value is not None},
            () if dice.chance(MISTAKE) else habit.shows, actor_name=case.agent if actor == Actor.AGENT else "",
            version=seen if actor in AWAKE and dice.chance(0.5) else None,
            key=f"{case.ticket.number} {case.acts}" if dice.chance(ANSWER_LOST) else None,
        )  # fmt: skip

    def _do(self, case: Case, command: Command) -> None:
        try:
            ticket = self.desk.do(command)
            if command.key is not None:  # the answer got lost: the same again
                self._had_one_effect(ticket, self.desk.do(command))
        except Refused as refused:
            self.refused[refused.code] += 1
            ticket = queries.ticket(self.desk.engine, case.ticket.id)
        moved = ticket.state != case.ticket.state
        case.ticket = ticket
        self._alarm_set(ticket)
        if moved or command.trigger in _STIRS:
            self._stir_linked(ticket, command.at, command.trigger)

    def stirred(self, ticket: Ticket, now: datetime, trigger: str) -> None:
        """The ticket moved without anybody of this shop having a hand in it: they see it, and plan anew."""
        case = self.cases.get(ticket.id)
        if case is None and ticket.id not in self._known:
            case = self._met(ticket, Dice(f"{self.seed}/{ticket.number}"))
        self._alarm_set(ticket)
        if case is not None:
            case.ticket = ticket
            self.think(case, now)
        self._stir_linked(ticket, now, trigger)

    def _stir_linked(self, ticket: Ticket, now: datetime, trigger: str) -> None:
        if ticket.state not in _STIRS and trigger not in _STIRS:
            return
        for _, other in queries.linked(self.desk.engine, ticket.id):
            case = self.cases.get(other.id)
            if other.id not in self._known or (case is not None and case.ticket.state != other.state):
                self.stirred(other, now, "")

    def platform_moves_deadline(self, case: Case, then: datetime, due_at: datetime) -> None:
        entered, told = case.ticket.entered_seq, {"due_at": whole_second(due_at)}

        def move(later: datetime) -> None:
            if case.ticket.entered_seq == entered:
                self._do(case, Command(case.ticket.id, "set_platform_deadline", Actor.PLATFORM, later, told))

        self.at(then, move)

    def _alarm_set(self, ticket: Ticket) -> None:
        if ticket.alarm_at is not None and (self._alarm is None or ticket.alarm_at < self._alarm):
            self._alarm = ticket.alarm_at


def _actor(habit: Habit) -> str:
    assert habit.step is not None
    return habit.by or habit.step.by[0].value


def _awake(then: datetime, hours: tuple[int, int] | None, dice: Dice) -> datetime:
    """Not at night: then the next morning."""
    if hours is None:
        return then
    local = then.astimezone(SHANGHAI)
    if hours[0] <= local.hour < hours[1]:
        return then
    morning = local.replace(hour=hours[0], minute=0, second=0, microsecond=0)
    return morning + ONE_DAY * (local.hour >= hours[1]) + ONE_HOUR * dice.between(0, 3)


# ── the log ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Log:
    tickets: int
    events: int
    states: dict[str, dict[str, int]]
    hash: str
    problems: list[str]


#: tickets whose events are read at once
PAGE = 2_000


def read_log(desk: Desk, rules: Rules) -> Log:
    """Every event of every ticket in the order of (number, seq), hashed without ids; and do they hold together?"""
    seals: dict[str, str] = {}
    states: dict[str, Counter[str]] = {key: Counter() for key in rules.catalog.workflows}
    count, problems = 0, []
    with reading(desk.engine) as connection:
        for ticket, events in _stories(connection):
            head = ""
            for event, command_key in events:
                head = event_hash(head, 0, 0, event, command_key)
            seals[ticket.number] = head
            states[ticket.workflow][ticket.state] += 1
            count += len(events)
            problems += _broken(ticket, [event for event, _ in events])
    whole = "\n".join(f"{number} {seal}" for number, seal in sorted(seals.items()))
    by_state = {key: dict(sorted(found.items())) for key, found in states.items()}
    return Log(len(seals), count, by_state, hashlib.sha256(whole.encode()).hexdigest(), problems)


def _stories(connection: Connection) -> Iterator[tuple[Ticket, list[tuple[Event, str | None]]]]:
    """Each ticket with its events, oldest first."""
    ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM ticket ORDER BY id")]
    for first in range(0, len(ids), PAGE):
        page = ids[first : first + PAGE]
        within = f"ticket_id BETWEEN {page[0]} AND {page[-1]}"
        sql = f"SELECT {', '.join(EVENT)} FROM ticket_event WHERE {within} ORDER BY ticket_id, seq"  # noqa: S608
        found: dict[int, list[tuple[Event, str | None]]] = {number: [] for number in page}
        for row in connection.exec_driver_sql(sql):
            found[row[1]].append((event_from_row(tuple(row)), row[-3]))
        for ticket in store.load(connection, page):
            yield ticket, found[ticket.id]


def _broken(ticket: Ticket, events: Sequence[Event]) -> list[str]:
    """Promises that the history of this ticket breaks."""
    last, waits = events[-1], ticket.closed_at is None
    chain = [NOWHERE, *(event.to_state for event in events[:-1])]
    fired = [event for event in events if event.due_at is not None and event.kind == "move"]
    promises = {
        "its events are not numbered 1 to its version": [e.seq for e in events] == [*range(1, ticket.version + 1)],
        "an event does not begin where the one before ended": [e.from_state for e in events] == chain,
        "its last event does not lead to its state": (last.to_state, last.clocks) == (ticket.state, ticket.clocks),
        "an alarm fired before its time": all(e.due_at < e.recorded_at for e in fired if e.due_at is not None),
        "it waits without clock or reason": not waits or bool(ticket.clocks) != bool(ticket.no_clock_reason),
        "it is closed and has a clock": waits or not (ticket.clocks or ticket.alarm_at),
        "more is refunded than was paid": (ticket.refund_fen or 0) <= ticket.left_fen,
    }
    return [f"{ticket.number}: {promise}" for promise, kept in promises.items() if not kept]


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────


def simulate_command(*, seed: int, days: int, per_day: int, database_url: str | None, as_json: bool) -> int:
    """`aftersales simulate`. 0: all promises held; 1: one was broken; 2: the database is not empty."""
    with tempfile.TemporaryDirectory(prefix="aftersales-simulate-") as folder:
        url = database_url or f"sqlite:///{Path(folder) / 'simulation.db'}"
        migrate(url)
        engine = create_engine(url)
        try:
            desk, rules = Desk(engine, lambda: rules), standard_rules()
            if not _is_empty(desk):
                sys.stderr.write("这个数据库里已经有工单，模拟只在空库上演，请换一个 --db\n")
                return 2
            if database_url is None:
                _in_a_hurry(desk)
            found = simulate(desk, rules, seed=seed, days=days, per_day=per_day, progress=_dots(sys.stderr))
        finally:
            engine.dispose()
    sys.stdout.write(json.dumps(asdict(found), ensure_ascii=False, indent=2) if as_json else told(found))
    sys.stdout.write("\n")
    return 1 if found.problems else 0


def standard_rules() -> Rules:
    """The built-in tables and the published calendar: what is simulated must not depend on the settings of a shop."""
    return Rules(built_in(), WorkCalendar.default())


def _in_a_hurry(desk: Desk) -> None:
    """A file that is thrown away afterwards need not survive a power cut. One thread has one connection."""
    connection = desk.engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA synchronous = OFF")
    finally:
        connection.close()


def _is_empty(desk: Desk) -> bool:
    with reading(desk.engine) as connection:
        return connection.exec_driver_sql("SELECT 1 FROM ticket LIMIT 1").first() is None


def _dots(out: TextIO) -> Progress | None:
    """Where somebody is watching: the day and the tickets so far."""
    if not out.isatty():
        return None
    return lambda now, tickets: print_over(out, f"{shown_day(now)}  {tickets:,} 张工单")


def print_over(out: TextIO, line: str) -> None:
    out.write(f"\r{line}  ")
    out.flush()


def told(found: Simulated) -> str:
    """For people."""
    states = [
        f"  {key:12} {sum(by_state.values()):>7,}  " + "  ".join(f"{name} {count}" for name, count in by_state.items())
        for key, by_state in found.states.items()
    ]
    refused = "  ".join(f"{code} {count}" for code, count in found.refused.items()) or "无"
    problems = ["没有一条承诺被打破。"] if not found.problems else ["被打破的承诺：", *found.problems[:20]]
    return "\n".join([
        f"种子 {found.seed}，{found.days} 天：{found.tickets:,} 张工单，{found.events:,} 条事件，{found.seconds} 秒。",
        f"调度触发 {found.fired:,} 次，停机 {found.outages} 次；请求重发 {found.repeated} 次，都只生效一次。",
        *states,
        f"拒绝：{refused}",
        *problems,
        f"事件日志哈希：{found.hash}",
    ])  # fmt: skip
