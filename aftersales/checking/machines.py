"""Layer 2: each workflow is a sound machine: it can begin, everything can be reached, nothing gets stuck, what is
closed stays closed, and every row can be told from its neighbours."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aftersales.checking.imagined import missing_values, never_taken
from aftersales.checking.problem import Problem
from aftersales.ticket import NOWHERE
from aftersales.workflows import effects
from aftersales.workflows.guards import Guard
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import (
    ADDS,
    PAUSES,
    RUNS_ON,
    Actor,
    Fact,
    Goods,
    Import,
    Move,
    Opening,
    Party,
    Row,
    State,
    Step,
    Timeout,
    Until,
    Workflow,
)

_LENGTH = re.compile(r"[0-9]+ ?个?(?:自然|工作)?(?:小时|分钟|天|日|月)")
#: names that a workflow has already, so that a row of that name would hide one of them
_TAKEN = {name for name in dir(Workflow) if not name.startswith("_")} | {"states", "waiting", "moves"}


@dataclass(frozen=True)
class Sheet:
    """One workflow and the file it stands in."""

    workflow: type[Workflow]
    path: str

    @property
    def states(self) -> list[State]:
        return self.workflow.states

    @property
    def moves(self) -> list[Move]:
        return self.workflow.moves

    @property
    def openings(self) -> list[Opening]:
        """Those by which a ticket really begins: what a platform shows may be any state."""
        return [opening for opening in self.workflow.openings() if not isinstance(opening, Import)]

    def at(self, row: Row, code: str, message: str) -> Problem:
        return Problem(self.path, row.line, code, message)


def check_workflows(workflows: Iterable[tuple[type[Workflow], str]]) -> Iterator[Problem]:
    """All of them together, each with its path: none may be taken for another."""
    workflows = list(workflows)
    for word, field in (("英文名 key", "key"), ("工单号前缀 code", "code"), ("中文名 label", "label")):
        first: dict[str, str] = {}
        for workflow, path in workflows:
            value = getattr(workflow, field)
            if value in first:
                yield Problem(path, 1, "W17", f"{word}「{value}」在 {first[value]} 已经用过，请换一个")
            first.setdefault(value, path)


def check_workflow(workflow: type[Workflow], path: str) -> list[Problem]:
    """The problems of one. Rows of the wrong kind make further looking pointless, so they come first."""
    sheet = Sheet(workflow, path)
    wrong = [*_wrong_states(sheet), *_wrong_moves(sheet)]
    if wrong:
        return wrong
    checks: list[Callable[[Sheet], Iterator[Problem]]] = [
        _names, _beginning, _reachable, _no_trap, _finals, _labels, _no_numbers, _actors, _asked_once, _choices,
        _timeouts_end, _ways_back,
    ]  # fmt: skip
    return sorted((problem for check in checks for problem in check(sheet)), key=lambda problem: problem.line)


# ── rows are what they should be ──


def _wrong_states(sheet: Sheet) -> Iterator[Problem]:
    for state in sheet.states:
        if not isinstance(state.waits_for, Party | None) or not isinstance(state.goods, Goods | None):
            parties, places = "MERCHANT、FOR_BUYER、FOR_PLATFORM、COURIER", "WITH_BUYER、ON_THE_WAY、WITH_MERCHANT"
            message = f"「{state.label}」的 waits_for= 请写 {parties} 里的一个，goods= 请写 {places} 里的一个"
            yield sheet.at(state, "W13", message)
        yield from _wrong_effects(sheet, state, state.entering)


def _wrong_moves(sheet: Sheet) -> Iterator[Problem]:
    for move in sheet.moves:
        for state in (*move.sources, *(branch.to for branch in move.branches if branch.to is not None)):
            if not isinstance(state, State):
                message = f"「{move.label}」里的「{state}」不是状态，请写上面「状态」里的一行"
                yield sheet.at(move, "W13", message)
            elif state.workflow is not sheet.workflow:
                message = f"「{move.label}」用了别的流程的状态「{state.label}」，请改用本流程的"
                yield sheet.at(move, "W13", message)
        for fact in move.facts:
            if not isinstance(fact, Fact):
                message = f"「{move.label}」要填的「{fact}」不是 facts 里的一项，请改写成 facts.名字"
                yield sheet.at(move, "W13", message)
        for guard in (*move.only, *move.needs):
            if not isinstance(guard, Guard):
                message = f"「{move.label}」的「{_name(guard)}」不能当条件，请写 guards 里的条件，该有括号的写上括号"
                yield sheet.at(move, "W11", message)
        yield from _wrong_effects(sheet, move, move.effects)


def _wrong_effects(sheet: Sheet, row: Row, found: Iterable[object]) -> Iterator[Problem]:
    for effect in found:
        if not _is_effect(effect):
            message = f"「{row.label}」的「{_name(effect)}」不起作用，请写 effects 里的一项，该有括号的写上括号"
            yield sheet.at(row, "W12", message)


def _is_effect(effect: Any) -> bool:
    """One that writes on the draft, and not the word that would make one: `keep(facts.note)`, not `keep`."""
    if not callable(effect) or isinstance(effect, type | Guard | Fact):
        return False
    made_by_calling = inspect.isfunction(effect) and inspect.get_annotations(effect).get("return") == "Effect"
    return not (made_by_calling and vars(effects).get(effect.__name__) is effect)


def _name(thing: object) -> object:
    return getattr(thing, "__name__", getattr(thing, "label", thing))


def _names(sheet: Sheet) -> Iterator[Problem]:
    rows: list[Row] = [*sheet.states, *sheet.moves]
    for row in rows:
        if row.name == NOWHERE or row.name in PLAIN_ACTIONS or row.name in _TAKEN:
            yield sheet.at(row, "W18", f"「{row.name}」是系统自己用的名字，请给「{row.label}」换一个英文名")
        elif not row.name.isascii():
            yield sheet.at(row, "W18", f"等号左边请写英文名，不能写「{row.name}」；中文写在引号里")


# ── the shape of the machine ──


def _ways(workflow: type[Workflow], moves: Iterable[Move]) -> dict[State, set[State]]:
    ways: dict[State, set[State]] = {state: set() for state in workflow.states}
    for move in moves:
        for source in move.sources:
            ways[source].update(move.destinations(source))
    return ways


def _reach(starts: Iterable[State], ways: Mapping[State, set[State]]) -> set[State]:
    """Everywhere one can get to from there."""
    seen = set(starts)
    ahead = list(seen)
    while ahead:
        for state in ways[ahead.pop()] - seen:
            seen.add(state)
            ahead.append(state)
    return seen


def stuck(workflow: type[Workflow], moves: Iterable[Move]) -> list[State]:
    """The waiting states from which these moves lead to no final one."""
    ways = _ways(workflow, moves)
    return [state for state in workflow.waiting if not any(end.final for end in _reach([state], ways))]


def _beginning(sheet: Sheet) -> Iterator[Problem]:
    if not sheet.states:
        yield Problem(sheet.path, 1, "W1", '没有一个状态，请先写「状态」：名字 = State("中文名", waits_for=…)')
    elif not sheet.openings:
        yield Problem(sheet.path, 1, "W1", "没有开单的行，这种工单开不出来，请加一行 apply = Opening(…)")
    else:
        first = sheet.workflow.initial()
        if not any(first in opening.destinations(None) for opening in sheet.openings):
            message = f"第一行「{first.label}」应该是起点，却没有一种开单到这里，请把起点写在第一行"
            yield sheet.at(first, "W2", message)


def _reachable(sheet: Sheet) -> Iterator[Problem]:
    starts = [state for opening in sheet.openings for state in opening.destinations(None)]
    seen = _reach(starts, _ways(sheet.workflow, sheet.moves))
    for state in sheet.states if starts else ():
        if state not in seen:
            yield sheet.at(state, "W3", f"从开单走不到「{state.label}」，请加一个通向它的动作，或删掉它")


def _no_trap(sheet: Sheet) -> Iterator[Problem]:
    leaving = {state for move in sheet.moves for state in move.sources if set(move.destinations(state)) - {state}}
    for state in stuck(sheet.workflow, sheet.moves):
        message = "走不到任何终点，工单永远办不完" if state in leaving else "没有任何动作能离开，工单会卡死在这里"
        yield sheet.at(state, "W4", f"「{state.label}」{message}，请加一个通向终点的动作")


def _finals(sheet: Sheet) -> Iterator[Problem]:
    for move in sheet.moves:
        for state in move.sources:
            if state.final and (isinstance(move, Timeout) or move.destinations(state) != [state]):
                message = f"「{state.label}」是终点，不能再有动作「{move.label}」；要重新办理请另开一单"
                yield sheet.at(move, "W5", message)


# ── what people read ──


def _labels(sheet: Sheet) -> Iterator[Problem]:
    """Buttons, states and what the clock does: one name means one thing to everybody who reads the history."""
    for code, what, rows in (
        ("W6", "状态", sheet.states),
        ("W7", "开单", [row for row in sheet.moves if isinstance(row, Opening)]),
        ("W7", "动作", [row for row in sheet.moves if isinstance(row, Step)]),
        ("W7", "到期", [row for row in sheet.moves if isinstance(row, Timeout)]),
    ):
        first: dict[str, int] = {}
        for row in rows:
            if row.label in first:
                message = f"{what}「{row.label}」与第 {first[row.label]} 行同名，看记录的人分不清，请改一个中文名"
                yield sheet.at(row, code, message)
            first.setdefault(row.label, row.line)


def _no_numbers(sheet: Sheet) -> Iterator[Problem]:
    """How long stands in the policies; a number here would stay when theirs changes."""
    rows: list[Row] = [*sheet.states, *sheet.moves]
    for row in rows:
        found = _LENGTH.search(row.label)
        if found:
            message = f"「{row.label}」里写了「{found[0]}」，时限只写在平台的规则文件里，请从流程里删掉"
            yield sheet.at(row, "W20", message)


# ── single moves ──


def _actors(sheet: Sheet) -> Iterator[Problem]:
    for move in sheet.moves:
        if not move.by or not all(isinstance(actor, Actor) for actor in move.by):
            able = "BUYER、AGENT、PLATFORM、SYSTEM"
            yield sheet.at(move, "W9", f"「{move.label}」没有写对谁能做，请写 by= 加上 {able} 里的一个或几个")


def _asked_once(sheet: Sheet) -> Iterator[Problem]:
    for move in sheet.moves:
        labels = {fact.name: fact.label for fact in move.facts}
        for name, times in Counter(fact.name for fact in move.facts).items():
            if times > 1:
                yield sheet.at(move, "W10", f"「{move.label}」里「{labels[name]}」（{name}）要填两次，请删掉一个")


def _choices(sheet: Sheet) -> Iterator[Problem]:
    for move in sheet.moves:
        missing = missing_values(move)
        if missing:
            message = f"「{move.label}」没写{missing}时到哪里去，请补上，或加一行 otherwise(…)"
            yield sheet.at(move, "W8", message)
        for branch in never_taken(move):
            message = f"「{move.label}」写了「{branch}」，但这一步填不出它，请补进 asks 或删掉这一支"
            yield sheet.at(move, "W16", message)


def _timeouts_end(sheet: Sheet) -> Iterator[Problem]:
    """A clock that ran out must end: kept running it would run out again at once, and for ever."""
    for move in sheet.moves:
        clocks = [branch.clock or move.clock for branch in move.branches] if isinstance(move, Timeout) else []
        if any(clock in (RUNS_ON, ADDS, PAUSES) or isinstance(clock, Until) for clock in clocks):
            what = f"到期「{move.label}」的 clock= 会把到期的时钟留着，不停地重复到期"
            yield sheet.at(move, "W14", f"{what}；请去掉，或改成 ENDS、RESUMES")


def _ways_back(sheet: Sheet) -> Iterator[Problem]:
    """`back_to` must name every state that one may have come from, or the ticket cannot go back there."""
    for move in sheet.moves:
        back = {branch.to for branch in move.branches if branch.came_from and branch.to is not None}
        could = {state for source in move.sources for state in _entered_from(sheet, source)}
        for state in _in_order(could - back) if back else ():
            yield sheet.at(move, "W15", f"「{move.label}」回不到「{state.label}」，请把它加进 back_to(…)")
        for state in _in_order(back - could):
            message = f"「{move.label}」的 back_to 写了「{state.label}」，可是没有从那里来的路，请删掉它"
            yield sheet.at(move, "W15", message)


def _entered_from(sheet: Sheet, state: State) -> set[State]:
    """The states from which a move leads here."""
    ways = [(move, source) for move in sheet.moves for source in move.sources if source is not state]
    return {source for move, source in ways if state in move.destinations(source)}


def _in_order(states: Iterable[State]) -> list[State]:
    return sorted(states, key=lambda state: state.line)
