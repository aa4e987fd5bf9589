"""The words a workflow file may use.

    Workflow                     one ticket type; its class body is the table
    State                        where a ticket stands and whose turn it is
    Opening, Step                what somebody may do; every row of them is a button or a feed
    Timeout, Escalation          what only the clock does; an Escalation marks the ticket and leaves it there
    choose / when / otherwise    where a move leads, when that depends on the ticket or on what was filled in
    named_by, back_to            where a move leads, when a fact names the state, or it leads back
    needed                       what must be filled in in some cases only
    STAY, ANY_OPEN, ANYWHERE     stay in the state; from every state that is not final; from every state
    STARTS, RUNS_ON ...          what the move does to the running clock

A workflow file is a table, not a program; `aftersales check` refuses anything else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from aftersales.saying import say
from aftersales.ticket import NOWHERE

if TYPE_CHECKING:
    from aftersales.workflows.context import Context
    from aftersales.workflows.effects import Effect
    from aftersales.workflows.guards import Guard


class Party(Enum):
    """Whom a ticket waits for."""

    MERCHANT = "商家"
    BUYER = "买家"
    PLATFORM = "平台"
    COURIER = "快递"


class Actor(StrEnum):
    """Who does something. Courier and payment feeds, and the scheduler, are `system`."""

    BUYER = "buyer"
    AGENT = "agent"
    PLATFORM = "platform"
    SYSTEM = "system"

    @property
    def label(self) -> str:
        return {"buyer": "买家", "agent": "客服", "platform": "平台", "system": "系统"}[self.value]


class Goods(StrEnum):
    """Where the buyer's goods are."""

    WITH_BUYER = "buyer"
    ON_THE_WAY = "on_the_way"
    WITH_MERCHANT = "merchant"


class ClockEffect(Enum):
    """What a move does to the clocks of a ticket."""

    #: the old clocks end, those of the new state start
    STARTS = "starts"
    #: the old clocks run on, and nothing starts
    RUNS_ON = "runs on"
    #: the old clocks run on, and those of the new state start beside them
    ADDS = "adds"
    #: the old clocks are kept with the time they had left, those of the new state start
    PAUSES = "pauses"
    #: the paused clocks go on with the time they had left
    RESUMES = "resumes"
    #: the old clocks end and nothing starts
    ENDS = "ends"
    #: as STARTS, but a clock that would already have run out is not started
    STARTS_IF_TIME_IS_LEFT = "starts if time is left"


STARTS, RUNS_ON, ADDS = ClockEffect.STARTS, ClockEffect.RUNS_ON, ClockEffect.ADDS
PAUSES, RESUMES, ENDS = ClockEffect.PAUSES, ClockEffect.RESUMES, ClockEffect.ENDS
STARTS_IF_TIME_IS_LEFT = ClockEffect.STARTS_IF_TIME_IS_LEFT

MERCHANT, FOR_BUYER, FOR_PLATFORM, COURIER = Party.MERCHANT, Party.BUYER, Party.PLATFORM, Party.COURIER
BUYER, AGENT, PLATFORM, SYSTEM = Actor.BUYER, Actor.AGENT, Actor.PLATFORM, Actor.SYSTEM
WITH_BUYER, ON_THE_WAY, WITH_MERCHANT = Goods.WITH_BUYER, Goods.ON_THE_WAY, Goods.WITH_MERCHANT


@dataclass(frozen=True)
class Until:
    """The clock ends at the instant that was filled in; without it, there is no clock."""

    fact: Fact


@dataclass(frozen=True)
class Fact:
    """Something a step asks for or a ticket remembers: one input of a form, one column of an export.

    `kind` is one of text, int, fen (money in 分), bool, time, choice, evidence.
    `choices` maps the values that may be given to their Chinese names. A time whose default is "now" takes
    the step's own time.
    """

    name: str
    label: str
    kind: str = "text"
    choices: tuple[tuple[Any, str], ...] = ()
    default: Any = None
    at_least: int | None = None

    def one_of(self, *values: Any) -> Fact:
        """The same fact with fewer choices."""
        kept = tuple((value, label) for value, label in self.choices if value in values)
        if len(kept) != len(values):
            unknown = [value for value in values if value not in dict(self.choices)]
            raise ValueError(f"「{self.label}」没有 {unknown} 这样的选项")
        return Fact(self.name, self.label, self.kind, kept, self.default, self.at_least)


class Row:
    """A row of the table: it learns its name from the left-hand side, its line from the file."""

    name: str
    workflow: type[Workflow]

    def __init__(self, label: str) -> None:
        self.label = label
        self.line = _line_of_table()

    def __set_name__(self, owner: type[Workflow], name: str) -> None:
        self.workflow, self.name = owner, name

    def __repr__(self) -> str:
        return f"{self.workflow.__name__}.{self.name}"


class State(Row):
    """Where a ticket stands, and whom everyone waits for. Waiting for nobody means closed."""

    def __init__(
        self,
        label: str,
        *,
        waits_for: Party | None = None,
        goods: Goods | None = None,
        entering: Iterable[Effect] = (),
    ) -> None:
        super().__init__(label)
        #: `goods`: where the buyer's goods are from here on; None leaves them where they were
        self.waits_for, self.goods = waits_for, goods
        #: what happens whenever a ticket arrives here from another state
        self.entering = tuple(entering)

    @property
    def final(self) -> bool:
        return self.waits_for is None


class _Where(Enum):
    STAY = "stay"
    ANY_OPEN = "any open"
    ANYWHERE = "anywhere"


STAY, ANY_OPEN, ANYWHERE = _Where.STAY, _Where.ANY_OPEN, _Where.ANYWHERE


@dataclass(frozen=True)
class Branch:
    """One way a move can end: taken when `test` holds, the first that does."""

    test: Callable[[Context], bool] | None
    to: State | None  # None: stays
    clock: ClockEffect | Until | None = None
    #: taken only if the ticket came from this state
    came_from: bool = False
    says: str = ""

    @cached_property
    def always(self) -> bool:
        """It asks nothing of the ticket: as the first of a row, it is the only way."""
        return self.test is None and not self.came_from


def when(condition: Guard, to: State | _Where, *, clock: ClockEffect | Until | None = None) -> Branch:
    return Branch(condition.test, to if isinstance(to, State) else None, clock, says=condition.says)


def otherwise(to: State | _Where, *, clock: ClockEffect | Until | None = None) -> Branch:
    return Branch(None, to if isinstance(to, State) else None, clock, says="其他情况")


@dataclass(frozen=True)
class Choice:
    branches: tuple[Branch, ...]


def choose(*branches: Branch | Choice) -> Choice:
    """The first branch whose condition holds."""
    flat: list[Branch] = []
    for branch in branches:
        flat.extend(branch.branches if isinstance(branch, Choice) else [branch])
    return Choice(tuple(flat))


def named_by(fact: Fact, *states: State | Branch | Choice) -> Choice:
    """The state that the fact names; `back_to(...)` among them answers to the value `previous`."""
    branches: list[Branch] = []
    for row in states:
        if isinstance(row, Choice):
            branches += [_only_if(fact, "previous", branch) for branch in row.branches]
        else:
            branch = row if isinstance(row, Branch) else Branch(None, row)
            branches.append(_only_if(fact, branch.to, branch))
    return Choice(tuple(branches))


def ends_at(fact: Fact, state: State) -> Branch:
    """Leads to the state, whose clock ends at the instant filled in (no instant: no clock)."""
    return Branch(None, state, Until(fact))


def _only_if(fact: Fact, value: State | str | None, branch: Branch) -> Branch:
    # a state learns its name only when the class body is complete, so it is asked for as late as possible
    def test(context: Context) -> bool:
        return bool(context.facts.get(fact.name) == (value.name if isinstance(value, State) else value))

    label = value.label if isinstance(value, State) else dict(fact.choices).get(value, str(value))
    says = say("{label}：{value}", label=fact.label, value=label)
    return Branch(test, branch.to, branch.clock, branch.came_from, says=says)


def back_to(*states: State, clock: ClockEffect = ENDS) -> Choice:
    """The one of these states that the ticket came from."""
    return Choice(tuple(Branch(None, state, clock, came_from=True, says="回到原状态") for state in states))


@dataclass(frozen=True)
class Needed:
    """A fact that must be filled in only if the condition holds, and may be otherwise."""

    fact: Fact
    when: Guard


def needed(fact: Fact, *, when: Guard) -> Needed:
    return Needed(fact, when)


Source = State | Sequence[State] | _Where
Target = State | Choice | _Where


class Move(Row):
    """A row that moves a ticket (or may): from these states, to that one."""

    def __init__(
        self,
        label: str,
        source: Source | None,
        to: Target,
        *,
        by: Actor | Sequence[Actor] = AGENT,
        asks: Iterable[Fact] = (),
        asks_if: Iterable[Needed] = (),
        accepts: Iterable[Fact] = (),
        only: Iterable[Guard] = (),
        needs: Iterable[Guard] = (),
        effects: Iterable[Effect] = (),
        clock: ClockEffect | Until = STARTS,
        clause: str = "",
        starts_anew: bool = False,
    ) -> None:
        super().__init__(label)
        self.source, self.to = source, to
        self.by = (by,) if isinstance(by, Actor) else tuple(by)
        #: must be filled in / must be in some cases / may be filled in
        self.asks, self.asks_if, self.accepts = tuple(asks), tuple(asks_if), tuple(accepts)
        #: this row is not there at all otherwise (illegal_transition) / conditions with a refusal of their own
        self.only, self.needs = tuple(only), tuple(needs)
        self.effects, self.clock = tuple(effects), clock
        self.clause, self.starts_anew = clause, starts_anew

    @property
    def facts(self) -> tuple[Fact, ...]:
        return (*self.asks, *(needed.fact for needed in self.asks_if), *self.accepts)

    @property
    def sources(self) -> tuple[State, ...]:
        return self._sources

    @cached_property
    def branches(self) -> tuple[Branch, ...]:
        if isinstance(self.to, Choice):
            return self.to.branches
        return (Branch(None, self.to if isinstance(self.to, State) else None),)

    def destinations(self, source: State | None) -> list[State]:
        """Every state this row can lead to from there."""
        ends = [branch.to or source for branch in self.branches]
        return [state for state in dict.fromkeys(ends) if state is not None]

    def _settle(self, states: Sequence[State]) -> None:
        """Once all states of the workflow are known: say what ANY_OPEN and ANYWHERE mean."""
        if self.source is None:
            self._sources: tuple[State, ...] = ()
        elif isinstance(self.source, State):
            self._sources = (self.source,)
        elif isinstance(self.source, _Where):
            everywhere = self.source is ANYWHERE
            self._sources = tuple(state for state in states if everywhere or not state.final)
        else:
            self._sources = tuple(self.source)


class Step(Move):
    """A move that somebody makes: a button on the ticket page, or a fact reported by a feed.

    `starts_anew`: counts as a new application (modify, not_fixed): evidence and contacts from before
    no longer count.
    """


class Opening(Move):
    """How a ticket begins."""

    def __init__(self, label: str, to: Target, *, by: Actor | Sequence[Actor] = BUYER, **rest: Any) -> None:
        super().__init__(label, None, to, by=by, **rest)


class Import(Opening):
    """A ticket that already lives on the platform: it begins in the state the platform shows."""

    def __init__(self, label: str) -> None:
        super().__init__(label, STAY, by=PLATFORM)

    def _settle(self, states: Sequence[State]) -> None:
        super()._settle(states)
        shown = Fact("state", "平台状态", "choice", tuple((state.name, state.label) for state in states))
        self.asks = (shown,)
        self.to = named_by(shown, *states)


class Timeout(Move):
    """A move that only the clock makes. Policies say which limit, once run out, causes it."""

    def __init__(self, label: str, source: Source, to: Target, **rest: Any) -> None:
        super().__init__(label, source, to, by=SYSTEM, **rest)


class Escalation(Timeout):
    """The clock ran out and the ticket stays: it is marked, people are told, and steps that
    ask for `overdue` are unlocked."""

    def __init__(self, label: str, source: Source, **rest: Any) -> None:
        super().__init__(label, source, STAY, clock=ENDS, **rest)


class Workflow:
    """Subclass this in a file of its own. The first state listed is where tickets start.

    `code` is the prefix of ticket numbers (EX-221001-0042).
    """

    key: ClassVar[str]
    label: ClassVar[str]
    code: ClassVar[str]
    states: ClassVar[list[State]]
    #: the states in which somebody is waited for: all but the final ones
    waiting: ClassVar[list[State]]
    moves: ClassVar[list[Move]]
    #: facts that a ticket of this type remembers beside those it was opened with
    remembers: ClassVar[Sequence[Fact]] = ()
    _state: ClassVar[dict[str, State]]
    _move: ClassVar[dict[str, Move]]

    def __init_subclass__(cls, *, key: str, label: str, code: str) -> None:
        cls.key, cls.label, cls.code = key, label, code
        cls.states = [row for row in vars(cls).values() if isinstance(row, State)]
        cls.waiting = [state for state in cls.states if not state.final]
        cls.moves = [row for row in vars(cls).values() if isinstance(row, Move)]
        for move in cls.moves:
            move._settle(cls.states)
        cls._state = {state.name: state for state in cls.states}
        cls._move = {move.name: move for move in cls.moves}

    @classmethod
    def initial(cls) -> State:
        return cls.states[0]

    @classmethod
    def state(cls, name: str) -> State:
        return cls._state[name]

    @classmethod
    def move(cls, name: str) -> Move | None:
        return cls._move.get(name)

    @classmethod
    def openings(cls) -> list[Opening]:
        return [move for move in cls.moves if isinstance(move, Opening)]

    @classmethod
    def steps_from(cls, state: State) -> list[Step]:
        return [move for move in cls.moves if isinstance(move, Step) and state in move.sources]

    @classmethod
    def timeouts_from(cls, state: State) -> list[Timeout]:
        return [move for move in cls.moves if isinstance(move, Timeout) and state in move.sources]

    @classmethod
    def state_label(cls, name: str) -> str:
        return "（新建）" if name == NOWHERE else cls._state[name].label


def _line_of_table() -> int:
    """The line of the workflow file that wrote this row."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return frame.f_lineno
