"""Random stories for the laws: what buyers, agents, feeds and platforms do to a few tickets, and when.

A story is drawn without knowing where it will lead: "the third thing that can be done now", "wait until one second
before the clock runs out". It is *told* once, with a scheduler that fires every alarm one second after it came due;
the telling writes a *script* of absolute times and whole commands. A script can then be *played* to the letter on
another database, under another scheduler.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import strategies as st

from aftersales import decide, queries, store
from aftersales.catalog import built_in
from aftersales.clock import parse
from aftersales.clock import shown as beijing
from aftersales.database import create_all, create_engine, reading
from aftersales.decide import Attempt, Imported, NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.errors import Refused
from aftersales.models import metadata
from aftersales.ticket import Change, Clock, Entry, Event, Ticket
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows.context import Known
from aftersales.workflows.facts import EVIDENCE_LABELS
from aftersales.workflows.guards import HISTORY
from aftersales.workflows.plain import PLAIN_ACTIONS, SET_PLATFORM_DEADLINE
from aftersales.workflows.vocabulary import Actor, Fact, Import, Move, Step, Workflow
from tests.conftest import fresh_database

RULES = Rules(built_in(), WorkCalendar.default())
GRACE = RULES.catch_up_grace
SECOND = timedelta(seconds=1)
SHOP = "定律店铺"
ACTORS = [actor.value for actor in Actor]

# ── what a story is made of ───────────────────────────────────────────────────────────────────────────────────────────

MINUTE, HOUR, DAY = 60, 3_600, 86_400
SPANS = (1, MINUTE, 61, 14 * MINUTE, 15 * MINUTE, 15 * MINUTE + 1, HOUR, 9 * HOUR, DAY, 2 * DAY, 4 * DAY, 11 * DAY)
#: seconds after the next clock runs out
LANDINGS = (-1, 0, 0, 1, 1, 2, 59, 14 * MINUTE, 15 * MINUTE, 15 * MINUTE + 1, HOUR)


@dataclass(frozen=True)
class Story:
    """What happens in a beat is drawn from the seed and the beat's own bytes: leaving a beat out changes no other."""

    starts_at: datetime
    #: workflow and policy of the first ticket
    kind: tuple[str, str]
    seed: bytes
    beats: Sequence[bytes]

    def dice(self, beat: bytes) -> Random:
        return Random(self.seed + beat)


#: days on which rules begin, a year ends, a holiday lies; or any
STARTS = [
    parse(f"{minute}:00") for minute in ("2022-09-29 23:59", "2022-12-21 12:00", "2023-12-28 18:00", "2026-12-20 09:00")
]
any_start = st.integers(0, 3 * 365 * DAY).map(lambda seconds: parse("2023-01-01") + timedelta(seconds=seconds))
#: workflow and policy; those with clocks more often
KINDS = list(itertools.product(sorted(RULES.catalog.workflows), sorted(RULES.catalog.policies)))
KINDS += 6 * [("exchange", "kuaishou"), ("repair", "kuaishou"), ("refund", "wechat")] + 2 * [
    ("refund", "kuaishou_local")
]
#: a list of lists is long more often than a list
plots = st.lists(st.lists(st.binary(min_size=3, max_size=3), min_size=1, max_size=10), min_size=1, max_size=8)
stories = st.builds(
    Story,
    starts_at=st.one_of(st.sampled_from(STARTS), any_start),
    kind=st.sampled_from(KINDS),
    seed=st.binary(min_size=8, max_size=8),
    beats=plots.map(lambda plot: list(itertools.chain(*plot))),
)

# ── plausible facts, evidence and actors ──────────────────────────────────────────────────────────────────────────────

BEFORE = [timedelta(seconds=s) for s in (0, 1, HOUR, 2 * DAY, 8 * DAY, 31 * DAY)]
AFTER = [timedelta(seconds=s) for s in (1, 5 * MINUTE, HOUR, 3 * DAY, 12 * DAY)]
#: of a new ticket, in 分; the last of what is asked is 1 分 too much
AMOUNTS = {"refunded_fen": [0, 0, 5_000], "freight_fen": [1_200], "amount_fen": [1, 10_000, 19_999, 20_000]}
PAST = {"occurred_at", "signed_at", "receipt_confirmed_at", "review_at", "last_trace_at"}
USEFUL = ["chat_log", "photo", "unboxing_video", "invoice", "repair_record", "courier_reply"]


@dataclass
class Draw:
    """Draws facts for one attempt: mostly sensible ones, now and then a wrong one."""

    r: Random
    at: datetime
    ticket: Ticket | None = None

    def facts(self, form: Any) -> dict[str, Any]:
        """Nearly everything that must be filled in, and some of what may be."""
        wanted = [fact for fact in form.facts if self.r.random() < (0.98 if fact in form.asks else 0.4)]
        return {fact.name: self.value(fact) for fact in wanted}

    def value(self, fact: Fact) -> Any:
        return self.sensible(fact) if self.r.random() > 0.01 else "?"

    def sensible(self, fact: Fact) -> Any:
        return getattr(self, f"_{fact.kind}")(fact)

    def _choice(self, fact: Fact) -> Any:
        return self.r.choice([value for value, _ in fact.choices])

    def _bool(self, fact: Fact) -> bool:
        return self.r.random() < (0.1 if fact.name in ("worn", "conditional_on_rating") else 0.5)

    def _int(self, fact: Fact) -> int:
        small = (0, 1) if fact.at_least == 0 else (1, 2, 30)
        return 5 if fact.name == "voucher_total" else self.r.choice(small)

    def _fen(self, fact: Fact) -> int:
        if self.ticket is None:
            return self.r.choice(AMOUNTS.get(fact.name, [19_999]))
        remembered = [self.ticket.fields.get(name) for name in ("invoice_fen", "negotiated_fen", "amount_fen")]
        known = [self.ticket.left_fen, *remembered]
        return self.r.choice([1, *(n for n in known if n), *(n for n in known if n), self.ticket.left_fen + 1, 0])

    def _time(self, fact: Fact) -> datetime:
        if fact.name in PAST or self.r.random() < 0.15:
            return self.at - self.r.choice(BEFORE)
        return self.at + self.r.choice(AFTER)

    def _text(self, fact: Fact) -> str:
        if fact.name == "waybill_no":
            return self.r.choice(["1", "SF00000001", *(f"SF{self.r.randrange(10**8):08}" for _ in range(8))])
        if fact.name in ("address", "ship_to"):
            return self.r.choice(["上海市浦东新区", "上海市浦东新区", "某转运仓"])
        return f"说明{self.r.randrange(100)}"

    def _evidence(self, fact: Fact) -> str:
        return f"{self.r.randrange(16):x}" * 64

    def evidence(self) -> list[str]:
        chance = self.r.random()
        if chance < 0.25:
            return []
        return USEFUL if chance < 0.75 else self.r.sample(sorted(EVIDENCE_LABELS), 2)


# ── one run ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Line:
    """One line of a script: at this time, this command to the ticket of this number, or this application."""

    at: datetime
    number: str
    command: Command | None = None
    new: NewTicket | None = None
    imported: Imported | None = None
    key: str | None = None

    def keyed(self, key: str) -> Line:
        """The same line with an idempotency key."""
        return replace(self, key=key, command=None if self.command is None else replace(self.command, key=key))


@dataclass
class World:
    """A shop with a desk of its own, and the time it is there."""

    desk: Desk
    now: datetime = STARTS[0]
    #: what every line of the script was answered: a state, or the code of a refusal
    answers: list[str] = field(default_factory=list)
    #: what people see on a page depends on whether the scheduler has run: then no form says what it was drawn from
    forms_say_their_version: bool = True
    #: the ticket that the last line was answered with; None if it was refused
    handed: Ticket | None = None
    #: the ids here of the numbers in the script
    ids: dict[str, int] = field(default_factory=dict)

    def tickets(self) -> list[Ticket]:
        """All of them, oldest first."""
        with reading(self.desk.engine) as connection:
            ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM ticket ORDER BY id")]
            return store.load(connection, ids)

    def dump(self) -> dict[str, list[Any]]:
        """Every row of every table."""
        with reading(self.desk.engine) as connection:
            tables = [table for table in metadata.sorted_tables if table.name != "shop"]
            return {table.name: [tuple(row) for row in connection.execute(table.select())] for table in tables}

    def events(self, ticket: Ticket) -> list[Event]:
        return queries.events(self.desk.engine, ticket.id)

    def payments(self) -> list[tuple[Any, ...]]:
        sql = (
            "SELECT number, purpose, amount_fen, status FROM payment JOIN ticket ON ticket.id = ticket_id"
            " ORDER BY number, purpose"
        )
        return self._rows(sql)

    def links(self) -> list[tuple[Any, ...]]:
        sql = (
            "SELECT a.number, relation, b.number FROM ticket_link JOIN ticket a ON a.id = from_id"
            " JOIN ticket b ON b.id = to_id ORDER BY a.number, b.number"
        )
        return self._rows(sql)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with reading(self.desk.engine) as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]

    def sweep(self) -> int:
        """Until nothing is left to fire at this instant. A ticket set aside is a failure of every law."""
        fired = 0
        for _ in range(100):
            swept = self.desk.sweep(self.now)
            assert not swept.set_aside, swept.set_aside
            if not swept.claimed:
                break
            fired += len(swept.fired)
        else:
            raise AssertionError("the sweep never comes to an end")
        return fired

    def advance(self, to: datetime, lateness: Iterator[int]) -> None:
        """Every alarm on the way is fired so many seconds late."""
        late = timedelta(seconds=next(lateness))
        while (alarm := self.desk.next_alarm()) is not None and alarm + late <= to:
            self.now = max(self.now, alarm + late)
            self.sweep()
            late = timedelta(seconds=next(lateness))
        self.now = max(self.now, to)

    def catch_up_by_refusals(self, to: datetime, lateness: Iterator[int]) -> None:
        """Without a scheduler: somebody looks at the ticket in time and tries what cannot be done."""
        late = timedelta(seconds=next(lateness))
        while (due := self._first_due()) is not None and due[0] + late <= to:
            self.now = max(self.now, due[0] + late)
            with suppress(Refused):
                self.desk.do(Command(due[1], "no such step", "agent", self.now))
            assert due != self._first_due() or self.now <= due[0], "the clock did not catch up before a person's step"
            late = timedelta(seconds=next(lateness))
        self.now = max(self.now, to)

    def _first_due(self) -> tuple[datetime, int] | None:
        dues = [(clock.alarm_at, ticket.id) for ticket in self.tickets() for clock in ticket.clocks]
        return min(dues, default=None)

    def say(self, line: Line) -> None:
        """One line of the script, through the one door."""
        self.handed = None
        try:
            if line.new is not None:
                self.handed = self.desk.open(line.new, shop=SHOP, key=line.key)
            elif line.imported is not None:
                self.handed = self._import(line.imported)
            else:
                self.handed = self.desk.do(self._command(line))
        except Refused as refused:
            self.answers.append(refused.code)
        else:
            self.answers.append(f"{self.handed.number}: {self.handed.state}")

    def _import(self, imported: Imported) -> Ticket:
        [landed] = self.desk.import_tickets([imported], shop=SHOP, now=self.now)
        if isinstance(landed, Refused):
            raise landed
        return queries.ticket_by_number(self.desk.engine, landed.number)

    def _command(self, line: Line) -> Command:
        assert line.command is not None
        if line.number not in self.ids:
            self.ids = {ticket.number: ticket.id for ticket in self.tickets()}
        if line.number not in self.ids:  # here the story took another turn
            raise Refused("no such ticket", line.number)
        version = line.command.version if self.forms_say_their_version else None
        return replace(line.command, ticket_id=self.ids[line.number], version=version)


@contextmanager
def a_world(kind: str) -> Iterator[World]:
    """kind: memory (SQLite), sqlite (a file) or postgres."""
    engine = create_engine("sqlite://" if kind == "memory" else fresh_database(kind))
    if kind == "memory":
        create_all(engine)
    try:
        yield World(Desk(engine, lambda: RULES))
    finally:
        engine.dispose()


@dataclass
class Paper:
    """A shop on paper: `decide` alone, fast. Tickets opened beside others, and what linked ones tell, are left out."""

    rules: Rules = RULES
    now: datetime = STARTS[0]
    answers: list[str] = field(default_factory=list)
    shelf: dict[str, Ticket] = field(default_factory=dict)
    #: every change that was made, in order, with the attempt that made it; None for the clock's own
    changes: list[tuple[Attempt | None, Change]] = field(default_factory=list)

    def tickets(self) -> list[Ticket]:
        return list(self.shelf.values())

    def history(self, number: str) -> list[Event]:
        return [event for _, change in self.changes if change.after.number == number for event in change.events]

    def say(self, line: Line) -> None:
        try:
            if line.new is not None:
                after = self._opened(line.new)
            elif line.imported is not None:
                after = self._keep(None, decide.take_over(line.imported, self.rules, **self._numbered(), now=self.now))
            else:
                after = self._done(line)
        except Refused as refused:
            self.answers.append(refused.code)
        else:
            self.answers.append(f"{after.number}: {after.state}")

    def _opened(self, new: NewTicket) -> Ticket:
        key = (new.workflow, decide.open_key(new))
        known = Known(duplicate_open=next((t.number for t in self.tickets() if (t.workflow, t.open_key) == key), None))
        return self._keep(None, decide.open_ticket(new, self.rules, **self._numbered(), known=known))

    def _numbered(self) -> dict[str, Any]:
        number = len(self.shelf) + 1
        return {"ticket_id": number, "number": f"{number:04}", "shop_id": 1}

    def _done(self, line: Line) -> Ticket:
        assert line.command is not None
        told = line.command
        caught_up = decide.catch_up(self.shelf[line.number], self.now, self.rules)
        ticket = self.shelf[line.number] if caught_up is None else self._keep(None, caught_up)
        attempt = Attempt(told.trigger, told.actor, self.now, told.facts, told.evidence)
        if told.trigger in PLAIN_ACTIONS:
            return self._keep(attempt, decide.act(ticket, attempt, self.rules))
        entries = [Entry(e.seq, e.kind, e.trigger, e.actor, e.at, e.facts) for e in self.history(ticket.number)]
        return self._keep(attempt, decide.take(ticket, attempt, self.rules, history=entries))

    def _keep(self, attempt: Attempt | None, change: Change) -> Ticket:
        self.changes.append((attempt, change))
        self.shelf[change.after.number] = change.after
        return change.after

    def advance(self, to: datetime, lateness: Iterator[int]) -> None:
        late = timedelta(seconds=next(lateness))
        while (alarm := min((t.alarm_at for t in self.tickets() if t.alarm_at), default=None)) and alarm + late <= to:
            self.now = max(self.now, alarm + late)
            self.sweep()
            late = timedelta(seconds=next(lateness))
        self.now = max(self.now, to)

    def sweep(self) -> None:
        for ticket in self.tickets():
            for times in itertools.count():
                if ticket.alarm_at is None or ticket.alarm_at >= self.now:
                    break
                assert times < 100, "the sweep never comes to an end"
                fired = decide.catch_up(ticket, self.now, self.rules) or decide.remind(ticket, self.now, self.rules)
                ticket = self._keep(None, fired)


# ── telling: the story becomes a script ───────────────────────────────────────────────────────────────────────────────


def tell(world: World | Paper, story: Story, script: list[Line] | None = None) -> list[Line]:
    """Plays the story with a scheduler that fires a second after every alarm; what was done, and when."""
    world.now = story.starts_at
    script = [] if script is None else script
    first = _application(world, story.dice(b"first"), *story.kind)
    _do(world, script, Line(world.now, "", new=first))
    for beat in story.beats:
        r = story.dice(beat)
        world.advance(world.now + _wait(world, r), punctual())
        for line in _lines(world, r):
            _do(world, script, line)
    world.advance(world.now + DAY * SECOND, punctual())
    world.sweep()
    return script


def _do(world: World | Paper, script: list[Line], line: Line) -> None:
    script.append(line)
    world.say(line)


def punctual() -> Iterator[int]:
    while True:
        yield 1


def _wait(world: World | Paper, r: Random) -> timedelta:
    """Mostly a moment; now and then days; often to the second on which something runs out, or just beside it."""
    chance = r.random()
    if chance < 0.5:
        return timedelta(seconds=r.choice([0, 1, MINUTE, 9 * MINUTE, HOUR]))
    if chance < 0.6:
        return timedelta(seconds=r.choice(SPANS))
    dues = [ticket.due_at for ticket in world.tickets() if ticket.due_at is not None]
    if not dues:
        return timedelta(0)
    return max(timedelta(0), min(dues) + timedelta(seconds=r.choice(LANDINGS)) - world.now)


def _lines(world: World | Paper, r: Random) -> Iterator[Line]:
    tickets = world.tickets()
    if not tickets or r.random() < 0.08:
        workflow, policy = r.choice(KINDS)
        if tickets and r.random() < 0.5:  # the same item again, perhaps in the second its ticket closes
            workflow, policy = tickets[0].workflow, tickets[0].policy
        if r.random() < 0.2:
            yield Line(world.now, "", imported=_imported(world, r, workflow, policy))
        else:
            yield Line(world.now, "", new=_application(world, r, workflow, policy))
        return
    near = [one for one in tickets if one.due_at is not None and abs(one.due_at - world.now) <= timedelta(hours=1)]
    ticket = r.choice([*tickets, *[one for one in tickets if one.closed_at is None] * 3, *near * 6])
    if r.random() < 0.35:
        said = {"channel": r.choice(["im", "im", "phone"]), "summary": "已沟通"}
        yield Line(world.now, ticket.number, Command(ticket.id, "record_contact", "agent", world.now, said))
    yield Line(world.now, ticket.number, _attempt(r, world.now, ticket))


def _application(world: World | Paper, r: Random, key: str, policy: str) -> NewTicket:
    known = [ticket for ticket in world.tickets() if ticket.workflow == key]
    order_no = r.choice(known).order_no if known and r.random() < 0.5 else f"E{r.randrange(100)}"
    workflow = RULES.catalog.workflows[key]
    usual, *others = [move for move in workflow.openings() if not isinstance(move, Import)]
    opening = r.choice([usual, usual, usual, *others])
    facts = Draw(r, world.now).facts(opening)
    for name in ("waybill_no", "review_id"):
        if name in facts and r.random() < 0.3:
            facts[name] = "SAME00001"
    return NewTicket(
        workflow=key, policy=policy, trigger=opening.name, actor=_actor(r, opening), at=world.now, facts=facts,
        order_no=order_no, item_no="1", authority=r.choice(["local", "platform"]),
    )  # fmt: skip


def _imported(world: World | Paper, r: Random, key: str, policy: str) -> Imported:
    return imported(r, key, policy, r.choice(RULES.catalog.workflows[key].states).name, world.now)


def imported(r: Random, key: str, policy: str, state: str, now: datetime) -> Imported:
    """A ticket that lives on the platform, applied for some time ago."""
    opening = RULES.catalog.workflows[key].openings()[0]
    facts = {fact.name: Draw(r, now).sensible(fact) for fact in opening.asks if fact.kind != "fen"}
    applied_at = now - timedelta(seconds=r.choice([0, HOUR, 47 * HOUR, 3 * DAY, 20 * DAY]))
    paid_fen = r.choice([1, 9_900])
    return Imported(
        workflow=key, policy=policy, state=state, applied_at=applied_at,
        order_no=f"P{r.randrange(100)}", paid_fen=paid_fen, amount_fen=r.choice([None, paid_fen, 1]),
        platform_no=r.choice([None, f"N{r.randrange(100)}"]), fields=facts,
        platform_due_at=r.choice([None, None, now + timedelta(hours=5), now - timedelta(hours=5)]),
    )  # fmt: skip


def _actor(r: Random, move: Any) -> str:
    return r.choice(ACTORS) if r.random() < 0.03 else r.choice(move.by).value


def _attempt(r: Random, at: datetime, ticket: Ticket) -> Command:
    workflow = RULES.workflow(ticket)
    possible: Sequence[Any] = workflow.steps_from(workflow.state(ticket.state))
    chance = r.random()
    if chance < 0.2 or not possible:
        possible = [*PLAIN_ACTIONS.values(), *[SET_PLATFORM_DEADLINE] * 5]
    elif chance < 0.26:
        possible = workflow.moves
    else:  # an end is the end of the story: it comes less often
        possible = [*possible, *possible, *(step for step in possible if not _only_ends(step, workflow, ticket))]
    move = r.choice(possible)
    draw = Draw(r, at, ticket)
    shows = isinstance(move, Step) and (r.random() < 0.1 or any(guard.reads == HISTORY for guard in move.needs))
    evidence = draw.evidence() if shows else []
    return Command(
        ticket.id, move.name, _actor(r, move), at, draw.facts(move), evidence,
        version=ticket.version - r.randrange(3) if r.random() < 0.1 else None,
        key=f"key{r.randrange(3)}" if r.random() < 0.1 else None,
    )  # fmt: skip


def _only_ends(step: Move, workflow: type[Workflow], ticket: Ticket) -> bool:
    return all(state.final for state in step.destinations(workflow.state(ticket.state)))


# ── playing a script under another scheduler ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Scheduler:
    """How the scheduler of a run behaves."""

    #: seconds between an alarm and the pass that fires it, one after the other, over and over
    lateness: tuple[int, ...] = (1,)
    #: it also runs before and after every line of the script, mostly in vain
    busy: bool = False
    #: there is none: somebody tries something that is refused, and the clock of that ticket catches up
    absent: bool = False


def play(world: World, script: Sequence[Line], until: datetime, scheduler: Scheduler) -> None:
    """The script to the letter, until the time at which the telling ended."""
    world.now = script[0].at
    lateness = itertools.cycle(scheduler.lateness)
    for line in script:
        _pass_time(world, line.at, lateness, scheduler)
        world.say(line)
        if scheduler.busy:
            world.sweep()
    _pass_time(world, until, lateness, scheduler)
    world.sweep()


def _pass_time(world: World, to: datetime, lateness: Iterator[int], scheduler: Scheduler) -> None:
    if scheduler.absent:
        world.catch_up_by_refusals(to, lateness)
    else:
        world.advance(to, lateness)
    if scheduler.busy:
        world.sweep()


# ── what came of it ───────────────────────────────────────────────────────────────────────────────────────────────────

#: people are told besides: it moves nothing, and depends on when the scheduler ran
TOLD_ONLY = ("reminder", "target")
#: when something was learned, and how many reminders came before it. `refund_tried_at` is when the payment service
#: was really asked: WX-09 counts its minute from there. `alarm_at` is the next reminder, or what `due_at` says too
LEARNED = {
    *("recorded_at", "set_at", "closed_at", "refund_tried_at", "alarm_at"),
    *("seq", "version", "applied_seq", "entered_seq", "moved_seq", "last_hash"),
}
IDS = {"id", "shop_id"}


def outcome(world: World) -> dict[str, Any]:
    """Everything that matters to a buyer or a shop, and nothing of when the scheduler happened to run."""
    return {
        "tickets": {ticket.number: shown(ticket, but=LEARNED | IDS) for ticket in world.tickets()},
        "events": {
            ticket.number: [shown(e, but=LEARNED) for e in world.events(ticket) if e.kind not in TOLD_ONLY]
            for ticket in world.tickets()
        },
        "answers": world.answers,
        "payments": world.payments(),
        "links": world.links(),
    }


def shown(value: Any, but: Collection[str] = ()) -> Any:
    """Tickets, events and clocks as plain values, without these fields."""
    if isinstance(value, Mapping):
        return {name: shown(one, but) for name, one in sorted(value.items()) if name not in but}
    names = getattr(value, "_fields", None) or getattr(value, "__dataclass_fields__", None)
    if names is not None:
        return {name: shown(getattr(value, name), but) for name in names if name not in but}
    if isinstance(value, (list, tuple)):
        return [shown(one, but) for one in value]
    return value


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """The first few places where two outcomes differ, in words."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other}, key=str)
        return [d for key in keys for d in differences(one.get(key), other.get(key), f"{path}.{key}")][:8]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [d for n, pair in pairs for d in differences(*pair, f"{path}[{n}]")][:8]
    return [] if one == other else [f"{path}: {one!r} != {other!r}"]


@dataclass(frozen=True)
class Fired:
    """A clock that ran out, the event it caused, and the clocks that this event started."""

    ticket: Ticket
    clock: Clock
    event: Event
    started: Sequence[Clock]


def fired(world: World) -> Iterator[Fired]:
    for ticket in world.tickets():
        seen: set[tuple[str, datetime]] = set()
        for before, event in pairwise([None, *world.events(ticket)]):
            begun = [(clock.rule, clock.counted_from) for clock in event.clocks]
            if before is not None and event.kind == "move" and event.due_at is not None:
                started = [clock for clock, one in zip(event.clocks, begun, strict=True) if one not in seen]
                yield Fired(ticket, min(before.clocks, key=lambda clock: clock.due_at), event, started)
            seen.update(begun)


def readable(script: Sequence[Line]) -> str:
    """A script as a person would tell it."""
    return "\n".join(_readable(line) for line in script)


def _readable(line: Line) -> str:
    at = beijing(line.at)
    if line.new is not None:
        new = line.new
        return f"{at}  {new.trigger} {new.workflow}/{new.policy} by {new.actor} {new.order_no} {dict(new.facts)}"
    if line.imported is not None:
        return f"{at}  import {line.imported}"
    assert line.command is not None
    c = line.command
    extra = "".join(f" {name}={value}" for name, value in (("version", c.version), ("key", c.key)) if value is not None)
    return f"{at}  {line.number} {c.trigger} by {c.actor} {dict(c.facts)} {list(c.evidence)}{extra}"
