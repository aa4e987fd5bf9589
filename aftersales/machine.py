"""Runs workflows on `transitions`, the only module that knows it.

One machine per workflow, shared by every ticket. Tickets are never registered with it: what moves is a
token that carries the state in and out, so a failure half-way leaves the ticket itself untouched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from transitions import EventData, Machine, MachineError

from aftersales.errors import Refused
from aftersales.saying import say
from aftersales.ticket import NOWHERE
from aftersales.workflows.context import Context
from aftersales.workflows.vocabulary import Branch, Move, Opening, State, Workflow


class _Token:
    __slots__ = ("branch", "context", "state")

    def __init__(self, context: Context) -> None:
        self.state = context.ticket.state
        self.context = context
        self.branch: Branch | None = None


def fire(context: Context) -> tuple[str, Branch]:
    """Where this move leads from here, and by which branch. Refused (illegal_transition) if nowhere."""
    move = context.move
    if move.branches[0].always:
        # it asks nothing of the ticket: what the machine said of one holds for all
        alike = (move, context.ticket.state)
        if alike not in _answers:
            _answers[alike] = _fired(context)
        return _answers[alike]
    return _fired(context)


_answers: dict[tuple[Move, str], tuple[str, Branch]] = {}


def _fired(context: Context) -> tuple[str, Branch]:
    move, token = context.move, _Token(context)
    try:
        moved = _machine(move.workflow).events[move.name].trigger(token)
    except MachineError:
        moved = False
    if not moved:
        raise illegal(move, context.ticket.state)
    return token.state, token.branch or move.branches[0]


def illegal(move: Move, state: str) -> Refused:
    label = move.workflow.state_label(state)
    says = say("工单现在是「{state}」，不能「{step}」，请刷新后按页面上的按钮办理", state=label, step=move.label)
    return Refused("illegal_transition", says)


_machines: dict[type[Workflow], Machine] = {}


def _machine(workflow: type[Workflow]) -> Machine:
    if workflow not in _machines:
        _machines[workflow] = _built(workflow)
    return _machines[workflow]


def _built(workflow: type[Workflow]) -> Machine:
    return Machine(
        model=None,
        states=[NOWHERE, *({"name": state.name, "final": state.final} for state in workflow.states)],
        transitions=[
            {
                "trigger": move.name,
                "source": NOWHERE if source is None else source.name,
                "dest": "=" if branch.to is None else branch.to.name,
                "conditions": _conditions(move, branch),
            }
            for move in workflow.moves
            for source in _sources(move)
            for branch in move.branches
        ],
        initial=NOWHERE,
        auto_transitions=False,
        send_event=True,
    )


def _sources(move: Move) -> list[State | None]:
    return [None] if isinstance(move, Opening) else list(move.sources)


def _conditions(move: Move, branch: Branch) -> list[Callable[[EventData], bool]]:
    """None for a row without a choice."""
    return [] if branch.always and len(move.branches) == 1 else [_Takes(branch)]


class _Takes:
    """True if this branch is the one; the token remembers it."""

    def __init__(self, branch: Branch) -> None:
        self.branch = branch

    def __call__(self, event: EventData) -> bool:
        branch, token = self.branch, cast(_Token, event.model)
        if branch.came_from and (branch.to is None or token.context.ticket.left_state != branch.to.name):
            return False
        if branch.test is not None and not branch.test(token.context):
            return False
        token.branch = branch
        return True
