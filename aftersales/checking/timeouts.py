"""Layer 4: clocks alone must never lead a ticket round in circles.

A timeout that leads back, by clocks only, to a state the ticket has left, would let the sweep move it for ever: each
round is dated and paid for, and nobody has done anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from aftersales.checking.book import Book, versions
from aftersales.checking.problem import Problem
from aftersales.policies.vocabulary import Limit, Rule
from aftersales.workflows.vocabulary import ENDS, State, Workflow


@dataclass(frozen=True)
class _Edge:
    """A clock that runs in a state, and one place its timeout can lead to with a clock of its own."""

    to: State
    rule: Rule
    limit: Limit


def check_timeouts(book: Book) -> list[Problem]:
    found: dict[tuple[State, ...], Problem] = {}
    for workflow in book.workflows:
        for instant in versions(book.rules_of(workflow)):
            edges = _edges(book, workflow, instant)
            for loop in _loops(edges):
                first = loop[0]
                path = " → ".join(f"「{edge.to.label}」" for edge in (loop[-1], *loop))
                limits = "、".join(f"{edge.rule.id} 限{edge.limit.within}" for edge in loop)
                message = f"没有人动时会一直打转：{path}（{limits}），请让其中一个到期通向终点，或停下来等人"
                problem = book.at(first.rule, "L1", message, first.limit)
                found.setdefault(tuple(sorted((edge.to for edge in loop), key=lambda state: state.line)), problem)
    return list(found.values())


def _edges(book: Book, workflow: type[Workflow], instant: datetime) -> dict[State, list[_Edge]]:
    edges: dict[State, list[_Edge]] = {}
    for state in workflow.waiting:
        for rule in book.policy.rules_for(state):
            limit = rule.at(instant)
            if limit is not None and limit.then is not None and not limit.off:
                edges.setdefault(state, []).extend(_led_to(state, rule, limit))
    return edges


def _led_to(state: State, rule: Rule, limit: Limit) -> Iterator[_Edge]:
    assert limit.then is not None
    for branch in limit.then.branches:
        if (branch.clock or limit.then.clock) is not ENDS:
            yield _Edge(branch.to or state, rule, limit)


def _loops(edges: dict[State, list[_Edge]]) -> Iterator[list[_Edge]]:
    """Every way round, once, each beginning with the edge that leaves its first state."""
    for start in edges:
        ways = [[edge] for edge in edges[start]]
        while ways:
            way = ways.pop()
            here = way[-1].to
            if here is start:
                yield way
            elif here not in {edge.to for edge in way[:-1]}:
                ways += [[*way, edge] for edge in edges.get(here, ())]
