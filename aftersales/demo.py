"""`aftersales demo`: a shop of a few hundred tickets in a database of its own, 45 days of clock up to now, explained.

The shop is that of `simulate`, with the people of `habits.py`. Besides those who come by chance, every state of every
ticket type gets visitors who make for it and stay there, so that the queue afterwards shows all of them. What the clock
does is done by the real sweep.
"""

from __future__ import annotations

import heapq
import sqlite3
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TextIO

from aftersales import clock, decide, demo_goods, demo_office, explain, machine, queries
from aftersales.clock import shown, shown_day, whole_second
from aftersales.clocks import PLATFORM_DEADLINE
from aftersales.database import checkpoint, create_engine, migrate, reading
from aftersales.database import shown as shown_url
from aftersales.decide import NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.durations import Duration
from aftersales.errors import Refused
from aftersales.explanation import happened_words
from aftersales.habits import ARRIVALS, HABITS, Arrival, Dice, Habit, Scene, fill_in
from aftersales.policies.vocabulary import Within, agreed
from aftersales.settings import Settings
from aftersales.simulate import ONE_DAY, ONE_HOUR, Case, Shop, standard_rules
from aftersales.ticket import Event, Ticket
from aftersales.workflows.context import Context
from aftersales.workflows.exchange import Exchange
from aftersales.workflows.links import LINKS
from aftersales.workflows.lost_parcel import LostParcel
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import State, Step, Timeout, Workflow

DAYS = 45
SEED = "demo"
#: tickets a day that come by chance, and visitors for each state
BY_CHANCE, VISITORS = 3, 2
#: hours that a step usually takes; until a deadline that the platform sets; until a linked ticket is through
STEP_TAKES, PLATFORM_TAKES, LINKED_TAKES = 7.0, 12.0, 40.0
#: a ticket stays here only as long as nobody sees to the one that it opened
LINKED_TICKET_MOVES_IT = (LostParcel.refunding, Exchange.reship_exception)
#: marks a file as a demo, which may be made anew ("demo")
APPLICATION_ID = 0x64656D6F


# ── visitors: how to get to a state ───────────────────────────────────────────────────────────────────────────────────


class Routes:
    """The ways of one ticket to a state: over what people do, and over clocks that run out. Lengths are in hours."""

    def __init__(self, ticket: Ticket, goal: State, rules: Rules) -> None:
        self.ticket, self.goal, self.rules = ticket, goal, rules
        self.workflow: type[Workflow] = goal.workflow

    @cached_property
    def hours(self) -> dict[State, float]:
        """From each state; one that is missing leads nowhere near."""
        into: dict[State, list[tuple[State, float]]] = {}
        for state in self.workflow.waiting:
            for to, hours in self._ways(state):
                into.setdefault(to, []).append((state, hours))
        found: dict[State, float] = {}
        ahead: list[tuple[float, str]] = [(0, self.goal.name)]
        while ahead:
            far, name = heapq.heappop(ahead)
            state = self.workflow.state(name)
            if state not in found:
                found[state] = far
                for source, hours in into.get(state, ()):
                    heapq.heappush(ahead, (far + hours, source.name))
        return found

    def _ways(self, state: State) -> Iterator[tuple[State, float]]:
        there = self.ticket.but(state=state.name)
        for habit in HABITS.get(state, ()):
            to = None if habit.step is None else leads_to(there, habit.step, habit, self.rules)
            if to is not None and to is not state:
                yield to, STEP_TAKES
        for timeout in self.timeouts(there):
            for to in timeout.destinations(state):
                yield to, self.clock_hours(there, timeout) or PLATFORM_TAKES
        for to in self.told(there):
            yield to, LINKED_TAKES

    def told(self, there: Ticket) -> list[State]:
        """Where a linked ticket may take it by what it tells."""
        rows = {row.step: Habit(1, row.step) for rows in LINKS.tells.values() for row in rows}
        here = self.workflow.state(there.state)
        mine = [(step, habit) for step, habit in rows.items() if here in step.sources]
        return [to for step, habit in mine if (to := leads_to(there, step, habit, self.rules)) is not None]

    def timeouts(self, there: Ticket) -> list[Timeout]:
        """What a clock could do to the ticket."""
        rows = self.workflow.timeouts_from(self.workflow.state(there.state))
        return [row for row in rows if all(guard.test(_view(there, row, self.rules)) for guard in row.only)]

    def clock_hours(self, there: Ticket, timeout: Timeout) -> float | None:
        """How long the clock runs that causes this; None if no rule sets one."""
        policy = self.rules.policy(there)
        for rule in policy.rules_for(self.workflow.state(there.state)):
            limit = rule.history[-1]
            view = _view(there, timeout, self.rules)
            if limit.then is timeout and not limit.off and (rule.when is None or rule.when.test(view)):
                return _hours(limit.within)
        return None

    @property
    def on_the_way(self) -> float:
        return self.hours[self.workflow.state(self.ticket.state)]

    @property
    def stays(self) -> float:
        """How many hours a ticket may stay at the goal before its clock runs out."""
        if self.goal.final:
            return 24.0 * DAYS
        there = self.ticket.but(state=self.goal.name)
        clocks = [self.clock_hours(there, timeout) for timeout in self.timeouts(there)]
        return min((hours for hours in clocks if hours), default=200.0)


def leads_to(ticket: Ticket, step: Step, habit: Habit, rules: Rules) -> State | None:
    """Where this step would take the ticket; None if nowhere."""
    facts = fill_in(step.asks, habit.facts or {}, Scene(Dice("any"), ticket.opened_at, ticket))
    context = Context(
        ticket, step, facts, step.by[0].value, ticket.opened_at, ticket.opened_at, rules.policy(ticket)
    )  # fmt: skip
    if not all(guard.test(context) for guard in step.only):
        return None
    try:
        return step.workflow.state(machine.fire(context)[0])
    except Refused:
        return None


def _view(ticket: Ticket, timeout: Timeout, rules: Rules) -> Context:
    return Context(ticket, timeout, {}, "system", ticket.opened_at, ticket.opened_at, rules.policy(ticket))


# ── the shop on stage ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Fired:
    """What the clock did under one rule: how often, and an event to show."""

    times: int
    ticket: Ticket
    event: Event


@dataclass(frozen=True)
class _Way:
    """One way on from here: somebody's step; or nobody's, but the clock's or a linked ticket's."""

    hours: float
    name: str
    habit: Habit | None
    by_clock: bool = False


@dataclass
class Stage(Shop):
    """The shop of `simulate`, with visitors who know where they want to go, and a notebook."""

    #: by order number: where the first ticket of this order is going
    goals: dict[str, Routes] = field(default_factory=dict)
    #: (rule or kind, trigger): what the clock did
    noted: dict[tuple[str, str], Fired] = field(default_factory=dict)
    #: by day: tickets opened, timeouts, reminders, and what people and platforms did
    diary: Counter[tuple[int, str]] = field(default_factory=Counter)
    #: nobody ever answers these
    unanswered: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._going: dict[int, Routes] = {}
        self._arrived: set[int] = set()
        #: tickets whose opening stands in the diary
        self._written: set[int] = set()
        #: by order number: tickets of other types than this are left alone
        self._kept_waiting: dict[str, str] = {}
        #: by ticket and stay in a state: how often each way on was tried
        self._tried: dict[tuple[int, int], Counter[str]] = {}

    # ── who comes ──

    def expect_visitors(self) -> None:
        """For every state, so early that they are there by now, and not so early that the clock took them on."""
        for workflow in self.rules.catalog.workflows.values():
            for state in workflow.states:
                for n in range(VISITORS):
                    dice = Dice(f"{self.seed}/{workflow.key}/{state.name}/{n}")
                    self._expect_visitor(state, dice, just_came=n > 0 and not state.final)

    def expect_forgotten(self) -> None:
        """For every clock of every platform, so early that it has run out by now."""
        for policy in self.rules.catalog.policies.values():
            for rule in policy.clock_rules:
                limit = rule.history[-1]
                if limit.then is not None and not limit.off:
                    dice = Dice(f"{self.seed}/{policy.key}/{rule.id}")
                    self._expect_visitor(rule.states[0], dice, policy=policy.key, forgotten=_hours(limit.within))

    def _expect_visitor(
        self, goal: State, dice: Dice, *, policy: str | None = None, just_came: bool = False, forgotten: float = 0
    ) -> None:
        found = [one for one in self._routes(goal, dice) if policy in (None, one[0].policy)]
        if not found:
            return
        least = min(routes.on_the_way for _, routes in found)
        near = [one for one in found if one[1].on_the_way <= least + STEP_TAKES]
        arrival, routes = dice.weighted(near, lambda one: one[0].often)
        stays = dice.between(1, 5) if just_came else dice.between(0.05, 0.7) * routes.stays
        there = forgotten + dice.between(5, 100) if forgotten else stays
        order_no = f"D{len(self.goals) + 1:06}"
        self.goals[order_no] = routes
        comes = self.end - ONE_HOUR * (1.2 * routes.on_the_way + there)
        self.at(max(self.start, comes), self.arrival(arrival, order_no, dice))

    def _routes(self, goal: State, dice: Dice) -> Iterator[tuple[Arrival, Routes]]:
        for arrival in ARRIVALS:
            if arrival.opening.workflow is goal.workflow:
                settled = _settled(arrival, Scene(dice, self.end))
                ticket = _on_paper(settled, dice, self.end, self.rules)
                routes = Routes(ticket, goal, self.rules)
                if self.state(ticket) in routes.hours:
                    yield settled, routes

    # ── what they do ──

    def choose(self, case: Case, habits: Sequence[Habit], now: datetime) -> Habit | None:
        ticket = case.ticket
        kept_waiting = self._kept_waiting.get(ticket.order_no, ticket.workflow) != ticket.workflow
        if kept_waiting or ticket.order_no in self.unanswered:
            return None
        routes = self._going.get(ticket.id) or self.goals.pop(ticket.order_no, None)
        if routes is None or routes.workflow.key != ticket.workflow:
            return super().choose(case, habits, now)
        self._going[ticket.id] = routes
        if routes.goal in LINKED_TICKET_MOVES_IT:
            self._kept_waiting[ticket.order_no] = ticket.workflow
        if self.state(ticket) is routes.goal and not ticket.overdue:
            self._arrived.add(ticket.id)
            return None
        if ticket.id in self._arrived:  # and the clock took it on
            return super().choose(case, habits, now)
        return self._towards(case, habits, routes, now)

    def _towards(self, case: Case, habits: Sequence[Habit], routes: Routes, now: datetime) -> Habit | None:
        """The next step of the shortest way; after a refusal what may help, then again, then another way."""
        tried = self._tried.setdefault((case.ticket.id, case.ticket.entered_seq), Counter())
        ways = [way for way in self._ways(case, habits, routes) if tried[way.name] < 5]
        helpful = [habit for habit in habits if self._leads_to(case, habit) is self.state(case.ticket)]
        best = min(ways, key=lambda way: way.hours, default=_Way(0, "none", None))
        tried[best.name] += 1
        if helpful and (tried[best.name] % 2 == 0 or (not ways and tried[best.name] < 5)):
            return case.dice.one_of(helpful)
        if best.by_clock and not case.ticket.clocks:
            self.platform_moves_deadline(case, now + ONE_HOUR, now + ONE_HOUR * PLATFORM_TAKES)
        return best.habit

    def _ways(self, case: Case, habits: Sequence[Habit], routes: Routes) -> Iterator[_Way]:
        here, far = self.state(case.ticket), routes.hours
        for habit in habits:
            to = self._leads_to(case, habit)
            if habit.step is not None and to is not here and to in far:
                yield _Way(far[to] + STEP_TAKES, f"{habit.step.name} to {to.name}", habit)
        for timeout in routes.timeouts(case.ticket):
            hours = routes.clock_hours(case.ticket, timeout) or PLATFORM_TAKES
            for to in timeout.destinations(here):
                if to is not here and to in far:
                    yield _Way(far[to] + hours, timeout.name, None, by_clock=True)
        for to in routes.told(case.ticket):
            if to is not here and to in far:
                yield _Way(far[to] + LINKED_TAKES, "told", None)

    def _leads_to(self, case: Case, habit: Habit) -> State | None:
        return None if habit.step is None else leads_to(case.ticket, habit.step, habit, self.rules)

    def when(self, case: Case, habit: Habit, now: datetime) -> datetime:
        if case.ticket.id in self._going:
            return now + ONE_HOUR * case.dice.between(1, STEP_TAKES)
        return super().when(case, habit, now)

    def think(self, case: Case, now: datetime) -> None:
        if case.ticket.id not in self._written:
            self._written.add(case.ticket.id)
            self._note("opened", now)
        case.agent = case.ticket.owner or demo_office.login(demo_office.NAMES.get(case.agent, "chenxiao"))
        super().think(case, now)

    def _opened(self, new: NewTicket, dice: Dice, now: datetime, key: str | None) -> None:
        """With what is known of the buyer, by dice of its own: everything else falls as it would."""
        own = Dice(f"{self.seed}/buyer/{new.order_no}")
        extra = {"member_level": f"V{own.number(1, 7)}"} if own.chance(0.5) else {}
        if own.chance(0.3):
            extra["complaint_level"] = own.weighted(list(_UPSET), lambda level: _UPSET[level])
        new = demo_goods.bought(replace(new, extra={**new.extra, **extra}), own)
        super()._opened(new, dice, now, key)

    def _command(self, case: Case, habit: Habit, seen: int, now: datetime) -> Command:
        """Whoever sends a parcel says who carries it."""
        command = super()._command(case, habit, seen, now)
        courier = demo_goods.courier_of(command.facts.get("waybill_no") or "")
        if habit.step is None or courier is None or all(fact.name != "courier" for fact in habit.step.accepts):
            return command
        return replace(command, facts={**command.facts, "courier": courier})

    def act(self, case: Case, habit: Habit, plan: int, seen: int, now: datetime) -> None:
        if plan == case.plan:
            self._note("acts", now)
        super().act(case, habit, plan, seen, now)

    def noticed(self, ticket: Ticket, event: Event, now: datetime) -> None:
        kind = "fired" if event.kind == "move" else "told"
        self._note(kind, now)
        name = event.rule if event.kind == "move" else event.trigger
        fired = self.noted.setdefault((name or "", event.trigger), Fired(0, ticket, event))
        fired.times += 1
        super().noticed(ticket, event, now)

    def _note(self, what: str, now: datetime) -> None:
        self.diary[int((now - self.start) / ONE_DAY), what] += 1


def _hours(within: Within | None) -> float:
    """About how long this is, for a visitor who waits for it to be over."""
    if isinstance(within, agreed):
        return _hours(within.or_else)
    if not isinstance(within, Duration):
        return 60.0
    return within.count * 40.0 if within.seconds is None else within.seconds / 3_600


def _settled(arrival: Arrival, scene: Scene) -> Arrival:
    """With what is left to chance decided, but for times: they are counted from when the visitor comes."""
    drawn = fill_in((), arrival.facts, scene)
    facts = {name: arrival.facts[name] if name.endswith("_at") else value for name, value in drawn.items()}
    return replace(arrival, facts=facts)


def _on_paper(arrival: Arrival, dice: Dice, at: datetime, rules: Rules) -> Ticket:
    """The ticket that would be opened, without opening it."""
    opening = arrival.opening
    new = NewTicket(
        opening.workflow.key, arrival.policy, opening.name, arrival.by or opening.by[0].value, at,
        fill_in(opening.asks, arrival.facts, Scene(dice, at)), "0",
    )  # fmt: skip
    return decide.open_ticket(new, rules, ticket_id=0, number="0", shop_id=0).after


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Demo:
    """What the demo has made: for whoever tests it."""

    tickets: int
    #: the exchange that nobody answered
    example: Ticket
    #: (workflow, state) that no ticket is in
    missing: list[tuple[str, str]]


def run_demo(database_url: str, out: TextIO, *, now: datetime | None = None) -> Demo:
    """Makes the database anew, plays the shop and tells what happened. SystemExit(2) if the file is not a demo."""
    now = whole_second(now or clock.now())
    file = _room_for(database_url, out)
    migrate(database_url)
    engine = create_engine(database_url)
    try:
        stage = _played(Desk(engine, standard_rules), now)
        checkpoint(engine)
        return _Telling(stage, file, out).tell()
    finally:
        engine.dispose()


def _room_for(database_url: str, out: TextIO) -> Path:
    """A demo is made anew; anything else stays as it is."""
    file = Path(database_url.removeprefix("sqlite:///"))
    if not database_url.startswith("sqlite:///") or (file.exists() and file.stat().st_size and not _is_demo(file)):
        out.write(
            f"{shown_url(database_url)} 不是演示数据库，不会动它。请换一个文件：aftersales demo --database 新.db\n"
        )
        raise SystemExit(2)
    for name in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
        name.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    return file


def _is_demo(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return bool(database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID)
    except sqlite3.DatabaseError:
        return False


def _played(desk: Desk, now: datetime) -> Stage:
    stage = Stage(desk, desk.rules(), SEED, now - ONE_DAY * DAYS, DAYS, name=Settings().shop)
    policies = sorted({arrival.policy for arrival in ARRIVALS})
    demo_office.furnish(desk.engine, stage.name, policies, stage.start, now)
    stage.expect_visitors()
    stage.expect_forgotten()
    _expect_nobody_to_answer(stage)
    stage.run(BY_CHANCE)
    demo_office.hand_on(desk, now)
    return stage


#: how often a buyer is how upset
_UPSET = {"L1": 4, "L2": 3, "L3": 2, "L4": 1}
#: order number of the worked example
UNANSWERED = "D000000"


def _expect_nobody_to_answer(stage: Stage) -> None:
    """An exchange three days and some hours ago, at ten in the morning; the agents overlook it."""
    opened = clock.parse(f"{shown_day(stage.end - ONE_DAY * 3)} 10:00:00")
    exchange = next(arrival for arrival in ARRIVALS if arrival.opening is Exchange.apply)
    stage.unanswered.add(UNANSWERED)
    stage.at(opened, stage.arrival(exchange, UNANSWERED, Dice(UNANSWERED)))


#: where no rule of the book set the clock
_RULE_NAMES = {PLATFORM_DEADLINE: "（平台期限）"}

# ── telling ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Telling:
    stage: Stage
    file: Path
    out: TextIO

    def tell(self) -> Demo:
        tickets = self._tickets()
        example = next(ticket for ticket in tickets if ticket.order_no == UNANSWERED)
        missing = self._missing(tickets)
        self._head(tickets)
        self._example(example)
        self._diary()
        self._by_rule()
        self._by_kind()
        self._shop_now(tickets, missing)
        self._next(example)
        return Demo(len(tickets), example, missing)

    def say(self, *lines: str) -> None:
        self.out.write("".join(f"{line}\n" for line in lines))

    def title(self, chinese: str, english: str) -> None:
        self.say("", f"■ {chinese}  {english}", "")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
        widths = [max(width(row[n]) for row in (head, *rows)) for n in range(len(head))]
        for row in (head, *rows):
            cells = (padded(cell, widths[n], right=n in right) for n, cell in enumerate(row))
            self.say(("  " + "  ".join(cells)).rstrip())

    # ── what there is ──

    @property
    def rules(self) -> Rules:
        return self.stage.rules

    def _tickets(self) -> list[Ticket]:
        engine = self.stage.desk.engine
        with reading(engine) as connection:
            ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM ticket ORDER BY id")]
        return [queries.ticket(engine, number) for number in ids]

    def _missing(self, tickets: Sequence[Ticket]) -> list[tuple[str, str]]:
        there = {(ticket.workflow, ticket.state) for ticket in tickets}
        workflows = self.rules.catalog.workflows.items()
        every = [(key, state.name) for key, workflow in workflows for state in workflow.states]
        return [one for one in every if one not in there]

    # ── what is said ──

    def _head(self, tickets: Sequence[Ticket]) -> None:
        first, last = shown_day(self.stage.start), shown_day(self.stage.end)
        self.say(
            f"一家店的 {DAYS} 天（{first} 至 {last}），{len(tickets)} 张工单，五种类型。",
            f"A shop over {DAYS} days: {len(tickets)} tickets of five types, moved by people and by the clock.",
        )

    def _example(self, example: Ticket) -> None:
        self.title("没人理的换货单", "An exchange that nobody answered")
        for event in queries.events(self.stage.desk.engine, example.id):
            told = explain.explain_event(event, example, self.rules)
            moved = f" → {told.to_state.label}" if event.kind == "move" else ""
            self.say(f"  {shown(event.at)}  {told.who}「{told.label}」{moved}")
            self.say(*_indented(told.sentence if told.cited else ""))
        self.say("", "  现在为什么是这个期限（工单页上是同样的话）  Why it is due when it is now:")
        now = explain.explain(self.stage.desk.engine, example, self.rules, now=self.stage.end)
        self.say(*_indented(explain.render(now)))

    def _diary(self) -> None:
        self.title(f"时钟走了 {DAYS} 天", f"The clock ran {DAYS} days")
        rows = []
        for first in range(0, DAYS, 9):
            days = range(first, first + 9)
            counts = [sum(self.stage.diary[day, what] for day in days) for what in ("opened", "acts", "fired", "told")]
            span = f"{shown_day(self.stage.start + ONE_DAY * first)} 起 9 天"
            rows.append([span, *map(str, counts)])
        self.table(["日期", "新开工单", "人与平台动作", "到期动作", "提醒"], rows, right=(1, 2, 3, 4))

    def _by_rule(self) -> None:
        self.title("调度做了什么", "What the scheduler did, by rule")
        fired = sorted(self.stage.noted.items(), key=lambda one: (one[1].event.kind != "move", -one[1].times, one[0]))
        rows = []
        for (rule, _), one in fired:
            name = _RULE_NAMES.get(rule, rule) if one.event.kind == "move" else "（提醒）"
            rows.append([name, self._label(one), str(one.times), one.ticket.number])
        self.table(["规则", "到期动作", "次数", "例"], rows, right=(2,))
        self.say("", "  每种一句话  One line for each:")
        for _, one in fired:
            self.say(f"  · {one.ticket.number}  {self._sentence(one.event, one.ticket)}")

    def _label(self, one: Fired) -> str:
        return explain.explain_event(one.event, one.ticket, self.rules).label

    def _sentence(self, event: Event, ticket: Ticket) -> str:
        return happened_words(explain.explain_event(event, ticket, self.rules))

    def _by_kind(self) -> None:
        self.title("人、快递和平台做的，各一例", "One line for each kind of event")
        for kind, ticket_id, seq in self._kinds():
            ticket = queries.ticket(self.stage.desk.engine, ticket_id)
            event = queries.events(self.stage.desk.engine, ticket_id)[seq - 1]
            self.say(f"  · {padded(kind, 12)}{ticket.number}  {self._sentence(event, ticket)}")

    def _kinds(self) -> list[tuple[str, int, int]]:
        """(what it is, ticket, event): an example of a move by each actor, and of each plain action."""
        sql = """
            SELECT CASE kind WHEN 'move' THEN actor ELSE "trigger" END AS what, ticket_id, seq FROM ticket_event
            WHERE due_at IS NULL AND (seq > 1 OR kind <> 'move') ORDER BY ticket_id, seq
        """
        labels = {"buyer": "买家", "agent": "客服", "platform": "平台", "system": "快递与支付"}
        labels |= {action.name: action.label for action in PLAIN_ACTIONS.values()}
        found: dict[str, tuple[str, int, int]] = {}
        with reading(self.stage.desk.engine) as connection:
            for what, ticket_id, seq in connection.exec_driver_sql(sql):
                if what in labels:
                    found.setdefault(what, (labels[what], ticket_id, seq))
        return [found[what] for what in labels if what in found]

    def _shop_now(self, tickets: Sequence[Ticket], missing: Sequence[tuple[str, str]]) -> None:
        self.title("现在店里", "The shop now")
        rows = [self._row(key, workflow, tickets) for key, workflow in self.rules.catalog.workflows.items()]
        self.table(["类型", "工单", "进行中", "在走时限", "24 小时内到期", "状态"], rows, right=(1, 2, 3, 4, 5))
        every = sum(len(workflow.states) for workflow in self.rules.catalog.workflows.values())
        self.say("", f"  {every} 种状态里有 {every - len(missing)} 种现在就有工单。")
        if missing:
            workflows = self.rules.catalog.workflows
            names = [f"{workflows[key].label}「{workflows[key].state_label(name)}」" for key, name in missing]
            self.say(f"  没有的：{'、'.join(names)}。")

    def _row(self, key: str, workflow: type[Workflow], tickets: Sequence[Ticket]) -> list[str]:
        mine = [ticket for ticket in tickets if ticket.workflow == key]
        due = [ticket.due_at for ticket in mine if ticket.due_at is not None]
        states = len({ticket.state for ticket in mine})
        counts = [len(mine), sum(ticket.closed_at is None for ticket in mine), len(due)]
        soon = sum(due_at <= self.stage.end + ONE_DAY for due_at in due)
        return [workflow.label, *map(str, counts), str(soon), f"{states}/{len(workflow.states)}"]

    def _next(self, example: Ticket) -> None:
        self.title("接下来", "Next")
        self.say(
            "  make serve                         然后打开 http://127.0.0.1:8000/",
            f"  aftersales explain {example.number}  --db sqlite:///{self.file}",
            f"  这家店在 {self.file} 里，时钟接着走：到点的工单，开着 make serve 就会自己动。",
            "  The same shop in the browser; its clock goes on from here.",
        )


def _indented(text: str) -> list[str]:
    return [f"      {line}" for line in text.splitlines()]


def width(text: str) -> int:
    """Columns on a screen: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def padded(text: str, columns: int, *, right: bool = False) -> str:
    room = " " * (columns - width(text))
    return room + text if right else text + room
