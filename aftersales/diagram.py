"""PURE: the machine of a workflow as a drawing for Graphviz (DOT), and as rows of a table.

What can be done nearly everywhere (the buyer withdraws, both agree on a refund) would draw a line from every state:
it is told in words beside the drawing, `anytime`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aftersales.workflows.vocabulary import Move, Party, State, Step, Timeout, Workflow

#: a step that leaves from so many states is told beside the drawing
EVERYWHERE = 4
#: names of classes and colours: whom a state waits for
PARTY = {Party.MERCHANT: "merchant", Party.BUYER: "buyer", Party.PLATFORM: "platform", Party.COURIER: "courier"}
#: Graphviz takes Chinese signs for narrower than they are; pages draw these sizes smaller (px)
_STATE_SIZE, _LABEL_SIZE, _SIGN, _LETTER = 13, 16, 14, 7.6
#: letters on one line of a label
_LONGEST = 24


def party(state: State) -> str:
    """merchant, buyer, platform, courier, or final."""
    return "final" if state.waits_for is None else PARTY[state.waits_for]


def state_id(workflow: type[Workflow], state: str) -> str:
    return f"m-{workflow.key}-{state}"


def edge_id(workflow: type[Workflow], source: str, target: str, *, clock: bool = False) -> str:
    return f"m-{workflow.key}-{source}--{target}{'--clock' if clock else ''}"


@dataclass(frozen=True)
class Arrow:
    """Every way from one state to another: what people do, or what the clock does."""

    source: State
    target: State
    moves: Sequence[Move]
    clock: bool


def arrows(workflow: type[Workflow]) -> list[Arrow]:
    """Without those that stay in a state, and those that can be taken nearly everywhere."""
    found: dict[tuple[State, State, bool], list[Move]] = {}
    beside = set(anytime(workflow))
    for move in workflow.moves:
        if move in beside or not isinstance(move, (Step, Timeout)):
            continue
        for source in move.sources:
            for target in move.destinations(source):
                if target is not source:
                    found.setdefault((source, target, isinstance(move, Timeout)), []).append(move)
    return [Arrow(source, target, moves, clock) for (source, target, clock), moves in found.items()]


def anytime(workflow: type[Workflow]) -> list[Move]:
    """Steps from EVERYWHERE or more states that lead to an end of the story or to the platform."""
    return [
        move
        for move in workflow.moves
        if isinstance(move, Step) and len(move.sources) >= EVERYWHERE and not _only_here(move)
    ]


def _only_here(move: Move) -> bool:
    """It leads on, not to an end or to the platform: the drawing needs it."""
    targets = {target for source in move.sources for target in move.destinations(source)}
    return any(one.waits_for in (Party.MERCHANT, Party.COURIER) or _pays(one) for one in targets - set(move.sources))


def drawn_states(workflow: type[Workflow]) -> list[State]:
    """States with a line to or from them; those that only an `anytime` step reaches stand alone and are left out."""
    lines = arrows(workflow)
    reached = {state for arrow in lines for state in (arrow.source, arrow.target)}
    return [state for state in workflow.states if state in reached or state is workflow.initial()]


def dot(workflow: type[Workflow], said: Callable[[str], str] = str) -> str:
    """The drawing, the start on top, with ids and classes for the style sheet. `said`: in which language."""
    lines = [
        f"digraph {_quoted(workflow.key)} {{",
        "graph [rankdir=TB, nodesep=0.35, ranksep=0.45, margin=0.05, newrank=true];",
        f'node [shape=box, style=rounded, fontname="sans-serif", fontsize={_STATE_SIZE}, height=0.42];',
        f'edge [fontname="sans-serif", fontsize={_LABEL_SIZE}, arrowsize=0.7];',
        *(_node(workflow, state, said) for state in drawn_states(workflow)),
        *(_edge(workflow, arrow, said) for arrow in arrows(workflow)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _node(workflow: type[Workflow], state: State, said: Callable[[str], str]) -> str:
    classes = ["st", f"by-{party(state)}"] + (["start"] if state in starts(workflow) else [])
    label = said(state.label)
    width = (sum(_SIGN if ord(sign) > 0x2E80 else _LETTER for sign in label) + 26) / 72
    more = ", peripheries=2" if state.final else ""
    return (
        f"{_quoted(state.name)} [label={_quoted(label)}, id={_quoted(state_id(workflow, state.name))}, "
        f"class={_quoted(' '.join(classes))}, width={width:.2f}{more}];"
    )


def starts(workflow: type[Workflow]) -> list[State]:
    """Where tickets of people begin: imports and conversions may begin elsewhere."""
    return [workflow.initial()]


def _edge(workflow: type[Workflow], arrow: Arrow, said: Callable[[str], str]) -> str:
    labels = ["\n".join(textwrap.wrap(said(move.label), _LONGEST)) for move in arrow.moves]
    label = "\n".join(labels[:3]) + (f"\n+{len(labels) - 3}" if len(labels) > 3 else "")
    name = edge_id(workflow, arrow.source.name, arrow.target.name, clock=arrow.clock)
    kind = "mv clock" if arrow.clock else "mv"
    style = ", style=dashed" if arrow.clock else ""
    back = ", constraint=false" if _backwards(workflow, arrow) else ""
    return (
        f"{_quoted(arrow.source.name)} -> {_quoted(arrow.target.name)} "
        f"[label={_quoted(label)}, id={_quoted(name)}, class={_quoted(kind)}{style}{back}];"
    )


def _backwards(workflow: type[Workflow], arrow: Arrow) -> bool:
    """Back to a state that the table lists earlier: it must not turn the drawing upside down."""
    order = {state: place for place, state in enumerate(workflow.states)}
    return order[arrow.target] < order[arrow.source]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


# ── the same as a table ──


@dataclass(frozen=True)
class Way:
    """One row of a state: who may do what, and where it leads."""

    move: Move
    targets: Sequence[State]

    @property
    def clock(self) -> bool:
        return isinstance(self.move, Timeout)


def ways(workflow: type[Workflow], state: State) -> list[Way]:
    """What people may do, then what the clock does."""
    found: Iterable[Move] = [*workflow.steps_from(state), *workflow.timeouts_from(state)]
    return [Way(move, move.destinations(state)) for move in found]


# ── one line through it ──

#: where a move leads from a state
Leads = Callable[[Move, State], Sequence[State]]
_Onward = Callable[[State, set[State], State], list[State]]


def expected(
    workflow: type[Workflow],
    state: State,
    been: Sequence[State] = (),
    leads: Leads = lambda move, at: move.destinations(at),
) -> list[State]:
    """The states that usually follow, up to the first end of the table that can be reached without going back.

    The rows of the table in their order; a state with a step back to where the ticket was is a detour, and comes last.
    """
    beside = set(anytime(workflow))

    def onward(at: State, seen: set[State], goal: State) -> list[State]:
        steps = [move for move in workflow.steps_from(at) if move not in beside]
        targets = dict.fromkeys(target for move in steps for target in leads(move, at))
        able = [one for one in targets if one.waits_for is not Party.PLATFORM or _pays(one)]
        return sorted(able, key=lambda one: 1 if one is goal else 2 * (not seen.isdisjoint(_next(workflow, one))))

    for goal in (one for one in workflow.states if one.final):
        path = _path(state, goal, {state, *been}, onward)
        if path is not None:
            return path
    return []


def _next(workflow: type[Workflow], state: State) -> set[State]:
    return {target for move in workflow.steps_from(state) for target in move.destinations(state)} - {state}


def _pays(state: State) -> bool:
    """A platform that only pays out is no intervention."""
    return bool(state.entering)


def _path(state: State, goal: State, seen: set[State], onward: _Onward) -> list[State] | None:
    if state is goal:
        return []
    for following in onward(state, seen, goal):
        if following is goal:
            return [goal]
        if following.final or following in seen:
            continue
        rest = _path(following, goal, seen | {following}, onward)
        if rest is not None:
            return [following, *rest]
    return None
