"""Each type of ticket as a table: in every state, whose turn it is, what can be done, and which clocks run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from aftersales.policies.vocabulary import Policy
from aftersales.rule_words import Entry, entries_on
from aftersales.workflows.vocabulary import Escalation, Import, Move, State, Workflow
from web.pages.machine import diagram
from web.pages.rules import shelf
from web.pages.rules.room import address_of, frame_of
from web.rendering import page
from web.site import TheSite

router = APIRouter()


@dataclass(frozen=True)
class Way:
    """A step from a state. `to`: every state it may lead to; none where the ticket stays."""

    move: Move
    to: Sequence[State]


@dataclass(frozen=True)
class Stand:
    """One state with everything that may happen in it."""

    state: State
    steps: Sequence[Way]
    timeouts: Sequence[Way]
    clocks: Sequence[tuple[Entry, str]]


def stands(workflow: type[Workflow], policy: Policy, day: date) -> list[Stand]:
    clocks = [entry for entry in entries_on(policy, day) if entry.workflow is workflow and entry.limit]
    return [
        Stand(
            state,
            [_way(move, state) for move in workflow.steps_from(state)],
            [_way(move, state) for move in workflow.timeouts_from(state)],
            [(one, address_of(policy.key, one.id, day)) for one in clocks if state in one.states],
        )
        for state in workflow.states
    ]


def _way(move: Move, state: State) -> Way:
    stays = isinstance(move, Escalation | Import)
    return Way(move, [] if stays else [to for to in move.destinations(state) if to is not state])


@router.get("/rules/machines")
def first(site: TheSite) -> Response:
    return RedirectResponse(f"/rules/machines/{next(iter(site.rules().catalog.workflows))}", 303)


@router.get("/rules/machines/{key}")
def machine(key: str, request: Request, site: TheSite) -> Response:
    """`?policy=&on=`: whose clocks are shown, and of which day."""
    workflow, catalog, day = shelf.workflow_of(site, key), site.rules().catalog, shelf.day_of(request)
    policy = shelf.book_of(site, request.query_params.get("policy") or next(iter(catalog.policies)))
    context = {
        "workflow": workflow, "workflows": list(catalog.workflows.values()), "policy": policy,
        "policies": list(catalog.policies.values()), "stands": stands(workflow, policy, day),
        "diagram": diagram(workflow),
    }  # fmt: skip
    return page("rules/machine.html", {**frame_of(site, "machines", day), **context})
