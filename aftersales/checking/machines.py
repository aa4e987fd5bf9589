"""Layer 2: each workflow is a sound machine: it can begin, everything can be reached, nothing gets stuck, what is
closed stays closed, and every row can be told from its neighbours."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
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
    wrong = [*_wrong_kinds(workflow, path)]
    if wrong:
        return wrong
    checks: list[Callable[[type[Workflow], str], Iterator[Problem]]] = [
        _names, _beginning, _reachable, _no_trap, _finals, _labels, _no_numbers, _moves, _choices, _timeouts_end,
        _ways_back,
    ]  # fmt: skip
    found = [problem for check in checks for problem in check(workflow, path)]
    return sorted(found, key=lambda problem: problem.line)


# ── rows are what they should be ──


def _wrong_kinds(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    for state in workflow.states:
        if not isinstance(state.waits_for, Party | None) or not isinstance(state.goods, Goods | None):
            parties, places = "MERCHANT、FOR_BUYER、FOR_PLATFORM、COURIER", "WITH_BUYER、ON_THE_WAY、WITH_MERCHANT"
            message = f"「{state.label}」的 waits_for= 请写 {parties} 里的一个，goods= 请写 {places} 里的一个"
            yield Problem(path, state.line, "W13", message)
        yield from _wrong_effects(state.entering, state, path)
    for move in workflow.moves:
        own = [*move.sources, *(branch.to for branch in move.branches if branch.to is not None)]
        for state in own:
            if not isinstance(state, State):
                yield Problem(
                    path, move.line, "W13", f"「{move.label}」里的「{state}」不是状态，请写上面「状态」里的一行"
                )
            elif getattr(state, "workflow", None) is not workflow:
                yield Problem(
                    path, move.line, "W13", f"「{move.label}」用了别的流程的状态「{state.label}」，请改用本流程的"
                )
        for fact in move.facts:
            if not isinstance(fact, Fact):
                yield Problem(
                    path, move.line, "W13", f"「{move.label}」要填的「{fact}」不是 facts 里的一项，请改写成 facts.名字"
                )
        yield from _wrong_words(move, path)


def _wrong_words(move: Move, path: str) -> Iterator[Problem]:
    for guard in (*move.only, *move.needs):
        if not isinstance(guard, Guard):
            name = getattr(guard, "__name__", guard)
            yield Problem(
                path,
                move.line,
                "W11",
                f"「{move.label}」的条件「{name}」不能当条件，请写 guards 里的条件，该有括号的写上括号",
            )
    yield from _wrong_effects(move.effects, move, path)


def _wrong_effects(effects: Iterable[object], row: Row, path: str) -> Iterator[Problem]:
    for effect in effects:
        if not _is_effect(effect):
            name = getattr(effect, "__name__", effect)
            yield Problem(
                path, row.line, "W12", f"「{row.label}」的「{name}」不起作用，请写 effects 里的一项，该有括号的写上括号"
            )


def _is_effect(effect: Any) -> bool:
    """One that writes on the draft, and not the word that would make one: `keep(facts.note)`, not `keep`."""
    if not callable(effect) or isinstance(effect, type | Guard | Fact):
        return False
    name = getattr(effect, "__name__", "")
    made_by_calling = inspect.isfunction(effect) and inspect.get_annotations(effect).get("return") == "Effect"
    return not (made_by_calling and vars(effects).get(name) is effect)


def _names(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    rows: list[Row] = [*workflow.states, *workflow.moves]
    for row in rows:
        if row.name == NOWHERE or row.name in PLAIN_ACTIONS or row.name in _TAKEN:
            yield Problem(path, row.line, "W18", f"「{row.name}」是系统自己用的名字，请给「{row.label}」换一个英文名")
        elif not row.name.isascii():
            yield Problem(path, row.line, "W18", f"等号左边请写英文名，不能写「{row.name}」；中文写在引号里")


# ── the shape of the machine ──


def _ways(workflow: type[Workflow], moves: Iterable[Move]) -> dict[State, set[State]]:
    ways: dict[State, set[State]] = {state: set() for state in workflow.states}
    for move in moves:
        for source in move.sources:
            ways[source].update(move.destinations(source))
    return ways


def reach(starts: Iterable[State], ways: Mapping[State, set[State]]) -> set[State]:
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
    return [state for state in workflow.waiting if not any(end.final for end in reach([state], ways))]


def _openings(workflow: type[Workflow]) -> list[Opening]:
    """Those by which a ticket really begins: what a platform shows may be any state."""
    return [opening for opening in workflow.openings() if not isinstance(opening, Import)]


def _beginning(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    openings = _openings(workflow)
    if not workflow.states:
        yield Problem(path, 1, "W1", '没有一个状态，请先写「状态」：名字 = State("中文名", waits_for=…)')
    elif not openings:
        yield Problem(path, 1, "W1", "没有开单的行，这种工单开不出来，请加一行 apply = Opening(…)")
    elif not any(workflow.initial() in opening.destinations(None) for opening in openings):
        first = workflow.initial()
        yield Problem(
            path, first.line, "W2", f"第一行「{first.label}」应该是起点，却没有一种开单到这里，请把起点写在第一行"
        )


def _reachable(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    openings = _openings(workflow)
    starts = [state for opening in openings for state in opening.destinations(None)]
    seen = reach(starts, _ways(workflow, workflow.moves))
    for state in workflow.states if openings else ():
        if state not in seen:
            yield Problem(path, state.line, "W3", f"从开单走不到「{state.label}」，请加一个通向它的动作，或删掉它")


def _no_trap(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    leaving = {state for move in workflow.moves for state in move.sources if set(move.destinations(state)) - {state}}
    for state in stuck(workflow, workflow.moves):
        message = "走不到任何终点，工单永远办不完" if state in leaving else "没有任何动作能离开，工单会卡死在这里"
        yield Problem(path, state.line, "W4", f"「{state.label}」{message}，请加一个通向终点的动作")


def _finals(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    for move in workflow.moves:
        for state in move.sources:
            if state.final and (isinstance(move, Timeout) or move.destinations(state) != [state]):
                yield Problem(
                    path,
                    move.line,
                    "W5",
                    f"「{state.label}」是终点，不能再有动作「{move.label}」；要重新办理请另开一单",
                )


def _labels(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    """Buttons, states and what the clock does: one name means one thing to everybody who reads the history."""
    for code, what, rows in (
        ("W6", "状态", workflow.states),
        ("W7", "开单", [row for row in workflow.moves if isinstance(row, Opening)]),
        ("W7", "动作", [row for row in workflow.moves if isinstance(row, Step)]),
        ("W7", "到期", [row for row in workflow.moves if isinstance(row, Timeout)]),
    ):
        first: dict[str, int] = {}
        for row in rows:
            if row.label in first:
                line = first[row.label]
                yield Problem(
                    path, row.line, code, f"{what}「{row.label}」与第 {line} 行同名，看记录的人分不清，请改一个中文名"
                )
            first.setdefault(row.label, row.line)


def _no_numbers(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    """How long stands in the policies; a number here would stay when theirs changes."""
    rows: list[Row] = [*workflow.states, *workflow.moves]
    for row in rows:
        found = _LENGTH.search(row.label)
        if found:
            message = f"「{row.label}」里写了「{found[0]}」，时限只写在平台的规则文件里，请从流程里删掉"
            yield Problem(path, row.line, "W20", message)


# ── single moves ──


def _moves(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    for move in workflow.moves:
        if not move.by or not all(isinstance(actor, Actor) for actor in move.by):
            able = "BUYER、AGENT、PLATFORM、SYSTEM"
            yield Problem(path, move.line, "W9", f"「{move.label}」没有写对谁能做，请写 by= 加上 {able} 里的一个或几个")
        for name, times in Counter(fact.name for fact in move.facts).items():
            if times > 1:
                label = next(fact.label for fact in move.facts if fact.name == name)
                yield Problem(path, move.line, "W10", f"「{move.label}」里「{label}」（{name}）要填两次，请删掉一个")


def _choices(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    for move in workflow.moves:
        missing = missing_values(move)
        if missing:
            yield Problem(
                path, move.line, "W8", f"「{move.label}」没写{missing}时到哪里去，请补上，或加一行 otherwise(…)"
            )
        for branch in never_taken(move):
            yield Problem(
                path, move.line, "W16", f"「{move.label}」写了「{branch}」，但这一步填不出它，请补进 asks 或删掉这一支"
            )


def _timeouts_end(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    """A clock that ran out must end: kept running it would run out again at once, and for ever."""
    for move in workflow.moves:
        if not isinstance(move, Timeout):
            continue
        clocks = [branch.clock or move.clock for branch in move.branches]
        if any(clock in (RUNS_ON, ADDS, PAUSES) or isinstance(clock, Until) for clock in clocks):
            yield Problem(
                path, move.line, "W14",
                f"到期「{move.label}」的 clock= 会把到期的时钟留着，不停地重复到期；请去掉，或改成 ENDS、RESUMES",
            )  # fmt: skip


def _ways_back(workflow: type[Workflow], path: str) -> Iterator[Problem]:
    """`back_to` must name every state that one may have come from, or the ticket cannot go back there."""
    came_from = {state: _entered_from(workflow, state) for state in workflow.states}
    for move in workflow.moves:
        back = {branch.to for branch in move.branches if branch.came_from and branch.to is not None}
        if not back:
            continue
        could = set().union(*(came_from[source] for source in move.sources))
        for state in sorted(could - back, key=lambda state: state.line):
            yield Problem(path, move.line, "W15", f"「{move.label}」回不到「{state.label}」，请把它加进 back_to(…)")
        for state in sorted(back - could, key=lambda state: state.line):
            yield Problem(
                path,
                move.line,
                "W15",
                f"「{move.label}」的 back_to 写了「{state.label}」，可是没有从那里来的路，请删掉它",
            )


def _entered_from(workflow: type[Workflow], state: State) -> set[State]:
    moves = [move for move in workflow.moves if not isinstance(move, Opening)]
    return {
        source
        for move in moves
        for source in move.sources
        if source is not state and state in move.destinations(source)
    }
