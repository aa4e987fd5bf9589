"""Random stories for the laws: what buyers, agents, feeds and platforms do to a few tickets, and when.

A story is drawn without knowing where it will lead: "the third thing that can be done now", "wait until one second
before the clock runs out". It is *told* once, with a scheduler that fires every alarm one second after it came due;
the telling writes a *script* of absolute times and whole commands. A script can then be *played* to the letter on
another database, under another scheduler.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import strategies as st

from aftersales import queries
from aftersales.catalog import built_in
from aftersales.clock import parse
from aftersales.database import create_all, create_engine, reading
from aftersales.decide import NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.errors import Refused
from aftersales.ticket import Event, Ticket
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows.facts import EVIDENCE_LABELS
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import Actor, Fact, Import, Move, Opening
from tests.conftest import fresh_database

RULES = Rules(built_in(), WorkCalendar.default())
GRACE = RULES.catch_up_grace
SECOND = timedelta(seconds=1)
SHOP = "定律店铺"
ACTORS = [actor.value for actor in Actor]

# ── what a story is made of ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Opens:
    """Somebody applies: the first ticket of the story, or one more, perhaps on the same item."""

    workflow: str
    policy: str
    seed: int


@dataclass(frozen=True)
class Does:
    """Somebody does something to one of the tickets; what it is, the seed draws from what the tables offer."""

    seed: int


@dataclass(frozen=True)
class Waits:
    seconds: int


@dataclass(frozen=True)
class Until:
    """Until so many seconds after the next clock runs out."""

    seconds: int


MINUTE, HOUR, DAY = 60, 3_600, 86_400
SPANS = (1, MINUTE, 61, 14 * MINUTE, 15 * MINUTE, 15 * MINUTE + 1, HOUR, 9 * HOUR, DAY, 2 * DAY, 4 * DAY, 11 * DAY)
LANDINGS = (-1, 0, 1, 2, 59, 14 * MINUTE, 15 * MINUTE, 15 * MINUTE + 1, HOUR)

seeds = st.integers(0, 2**20)
opens = st.builds(Opens, st.sampled_from(sorted(RULES.catalog.workflows)), st.sampled_from(sorted(RULES.catalog.policies)), seeds)
beats = st.one_of(
    st.builds(Does, seeds),
    st.builds(Does, seeds),
    st.builds(Does, seeds),
    st.builds(Waits, st.sampled_from(SPANS)),
    st.builds(Until, st.sampled_from(LANDINGS)),
    st.builds(Until, st.sampled_from(LANDINGS)),
    opens,
)


@dataclass(frozen=True)
class Story:
    starts_at: datetime
    beats: Sequence[Any]


#: days on which rules begin, a year ends, a holiday lies; or any
STARTS = [parse(day) for day in ("2022-09-29 23:59:00", "2022-12-21 12:00:00", "2023-12-28 18:00:00", "2026-12-20 09:00:00")]
starts = st.one_of(
    st.sampled_from(STARTS), st.integers(0, 3 * 365 * DAY).map(lambda s: parse("2023-01-01") + timedelta(seconds=s))
)
stories = st.builds(
    lambda at, first, rest: Story(at, [first, *rest]), starts, opens, st.lists(beats, min_size=1, max_size=14)
)

# ── plausible facts, evidence and actors ──────────────────────────────────────────────────────────────────────────────

BEFORE = [timedelta(seconds=s) for s in (0, 1, HOUR, 2 * DAY, 8 * DAY, 31 * DAY)]
AFTER = [timedelta(seconds=s) for s in (1, 5 * MINUTE, HOUR, 3 * DAY, 12 * DAY)]
PAST = {"occurred_at", "signed_at", "receipt_confirmed_at", "review_at", "last_trace_at"}
USEFUL = ["chat_log", "photo", "unboxing_video", "invoice", "repair_record", "courier_reply"]


@dataclass
class Draw:
    """Draws facts for one attempt: mostly sensible ones, now and then a wrong one."""

    r: Random
    at: datetime
    ticket: Ticket | None = None

    def facts(self, asks: Sequence[Fact], accepts: Sequence[Fact]) -> dict[str, Any]:
        wanted = [fact for fact in asks if self.r.random() > 0.02]
        wanted += [fact for fact in accepts if self.r.random() < 0.4]
        return {fact.name: self.value(fact) for fact in wanted}

    def value(self, fact: Fact) -> Any:
        drawn = getattr(self, f"_{fact.kind}")(fact)
        return drawn if self.r.random() > 0.01 else "?"

    def _choice(self, fact: Fact) -> Any:
        return self.r.choice([value for value, _ in fact.choices])

    def _bool(self, fact: Fact) -> bool:
        return self.r.random() < (0.1 if fact.name in ("worn", "conditional_on_rating") else 0.5)

    def _int(self, fact: Fact) -> int:
        small = (0, 1) if fact.at_least == 0 else (1, 2, 30)
        return 5 if fact.name == "voucher_total" else self.r.choice(small)

    def _fen(self, fact: Fact) -> int:
        if self.ticket is None:
            return {"refunded_fen": self.r.choice([0, 0, 5_000]), "freight_fen": 1_200}.get(fact.name, 19_999)
        fields = self.ticket.fields
        known = [self.ticket.left_fen, fields.get("invoice_fen"), fields.get("negotiated_fen"), fields.get("amount_fen")]
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


@dataclass
class World:
    """A shop with a desk of its own, and the time it is there."""

    desk: Desk
    now: datetime = STARTS[0]
    #: what every line of the script was answered: a state, or the code of a refusal
    answers: list[str] = field(default_factory=list)
    #: (now, alarm that was asked for) of every pass of the scheduler that fired something
    sweeps: list[datetime] = field(default_factory=list)

    def tickets(self) -> list[Ticket]:
        with reading(self.desk.engine) as connection:
            ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM ticket ORDER BY number")]
        return [queries.ticket(self.desk.engine, number) for number in ids]

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
        if fired:
            self.sweeps.append(self.now)
        return fired

    def advance(self, to: datetime, lateness: Iterator[int]) -> None:
        """Every alarm on the way is fired so many seconds late."""
        late = timedelta(seconds=next(lateness))
        while (alarm := self.desk.next_alarm()) is not None and alarm + late <= to:
            self.now = max(self.now, alarm + late)
            self.sweep()
            late = timedelta(seconds=next(lateness))
        self.now = max(self.now, to)

    def say(self, line: Line) -> None:
        """One line of the script, through the one door."""
        try:
            if line.new is not None:
                ticket = self.desk.open(line.new, shop=SHOP)
            else:
                ticket = self.desk.do(self._command(line))
        except Refused as refused:
            self.answers.append(refused.code)
        else:
            self.answers.append(f"{ticket.number}: {ticket.state}")

    def _command(self, line: Line) -> Command:
        assert line.command is not None
        ticket = queries.ticket_by_number(self.desk.engine, line.number)
        return Command(**{**_plain(line.command), "ticket_id": ticket.id})


def _plain(command: Command) -> dict[str, Any]:
    return {name: getattr(command, name) for name in command.__dataclass_fields__}


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


# ── telling: the story becomes a script ───────────────────────────────────────────────────────────────────────────────


def tell(world: World, story: Story) -> list[Line]:
    """Plays the story with a scheduler that fires a second after every alarm; what was done, and when."""
    world.now = story.starts_at
    script: list[Line] = []
    for beat in story.beats:
        if isinstance(beat, Waits):
            world.advance(world.now + timedelta(seconds=beat.seconds), punctual())
        elif isinstance(beat, Until):
            dues = [ticket.due_at for ticket in world.tickets() if ticket.due_at is not None]
            to = min(dues, default=world.now) + timedelta(seconds=beat.seconds)
            world.advance(max(world.now, to), punctual())
        else:
            for line in _lines(world, beat):
                world.say(line)
                script.append(line)
    world.advance(world.now + DAY * SECOND, punctual())
    world.sweep()
    return script


def punctual() -> Iterator[int]:
    while True:
        yield 1


def _lines(world: World, beat: Any) -> Iterator[Line]:
    if isinstance(beat, Opens):
        yield Line(world.now, "", new=_application(world, beat))
        return
    r = Random(beat.seed)
    tickets = world.tickets()
    if not tickets:
        return
    ticket = r.choice([*tickets, *(one for one in tickets if one.closed_at is None)])
    if r.random() < 0.35:
        said = {"channel": r.choice(["im", "im", "phone"]), "summary": "已沟通"}
        yield Line(world.now, ticket.number, Command(ticket.id, "record_contact", "agent", world.now, said))
    yield Line(world.now, ticket.number, _attempt(r, world.now, ticket))


def _application(world: World, beat: Opens) -> NewTicket:
    r = Random(beat.seed)
    workflow = RULES.catalog.workflows[beat.workflow]
    opening = r.choice([move for move in workflow.openings() if not isinstance(move, Import)][:1] * 4 + workflow.openings()[1:2])
    facts = Draw(r, world.now).facts(opening.asks, opening.accepts)
    if r.random() < 0.4:
        facts["review_id" if beat.workflow == "bad_review" else "waybill_no"] = "SAME00001"
        facts = {name: value for name, value in facts.items() if name in {fact.name for fact in opening.facts}}
    return NewTicket(
        workflow=beat.workflow, policy=beat.policy, trigger=opening.name, actor=_actor(r, opening), at=world.now,
        facts=facts, order_no=f"E{r.randrange(2)}", item_no="1", authority=r.choice(["local", "platform"]),
    )  # fmt: skip


def _actor(r: Random, move: Any) -> str:
    return r.choice(ACTORS) if r.random() < 0.05 else r.choice(move.by).value


def _attempt(r: Random, at: datetime, ticket: Ticket) -> Command:
    workflow = RULES.workflow(ticket)
    possible: Sequence[Any] = workflow.steps_from(workflow.state(ticket.state))
    chance = r.random()
    if chance < 0.15 or not possible:
        possible = sorted(PLAIN_ACTIONS.values(), key=lambda action: action.name)
    elif chance < 0.25:
        possible = workflow.moves
    move = r.choice(possible)
    draw = Draw(r, at, ticket)
    evidence = draw.evidence() if isinstance(move, Move) and not isinstance(move, Opening) else []
    return Command(
        ticket.id, move.name, _actor(r, move), at, draw.facts(move.asks, move.accepts), evidence,
        version=ticket.version - r.randrange(3) if r.random() < 0.1 else None,
        key=f"key{r.randrange(3)}" if r.random() < 0.1 else None,
    )  # fmt: skip


# ── playing a script under another scheduler ──────────────────────────────────────────────────────────────────────────


def play(world: World, script: Sequence[Line], until: datetime, lateness: Iterator[int], *, busy: bool = False) -> None:
    """The script to the letter. `busy`: the scheduler also runs, in vain, before and after every line."""
    world.now = script[0].at if script else until
    for line in script:
        world.advance(line.at, lateness)
        if busy:
            world.sweep()
        world.say(line)
        if busy:
            world.sweep()
    world.advance(until, lateness)
    world.sweep()


# ── what came of it ───────────────────────────────────────────────────────────────────────────────────────────────────

#: what people are told besides: it moves nothing, and depends on when the scheduler ran
TOLD_ONLY = ("reminder", "target")
#: when something was learned, not what it was
LEARNED = ("recorded_at", "set_at", "seq", "version", "applied_seq", "entered_seq", "moved_seq", "last_hash", "alarm_at")


def outcome(world: World) -> dict[str, Any]:
    """Everything that matters to a buyer or a shop, and nothing of when the scheduler happened to run."""
    tickets = world.tickets()
    return {
        "answers": world.answers,
        "tickets": {ticket.number: _shown(ticket) for ticket in tickets},
        "events": {ticket.number: [_shown(e) for e in world.events(ticket) if e.kind not in TOLD_ONLY] for ticket in tickets},
        "payments": world.payments(),
        "links": world.links(),
    }


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _shown(one) for name, one in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [_shown(one) for one in value]
    names = getattr(value, "__dataclass_fields__", None)
    if names is None:
        return value
    return {name: _shown(getattr(value, name)) for name in names if name not in (*LEARNED, "id", "shop_id")}


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """The first few places where two outcomes differ, in words."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other}, key=str)
        return [d for key in keys for d in differences(one.get(key), other.get(key), f"{path}.{key}")][:8]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [d for n, pair in enumerate(zip(one, other, strict=True)) for d in differences(*pair, f"{path}[{n}]")][:8]
    return [] if one == other else [f"{path}: {one!r} != {other!r}"]


def latest(world: World) -> timedelta:
    """By how much the latest alarm was late: after its due time, or after it was set, whichever is later."""
    late = timedelta(0)
    for ticket in world.tickets():
        for before, event in pairwise(world.events(ticket)):
            if event.kind == "move" and event.due_at is not None:
                ran = min(before.clocks, key=lambda clock: clock.due_at)
                late = max(late, event.recorded_at - ran.alarm_at)
    return late
