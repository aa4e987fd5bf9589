"""One ticket: where it stands, why that time, what may be done by whom, how it came to this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, queries, rows
from aftersales.clock import whole_second
from aftersales.desk import Command
from aftersales.errors import Refused
from aftersales.explain import Explanation, explained, render
from aftersales.ticket import Event, Ticket
from aftersales.workflows.plain import PLAIN_ACTIONS, PlainAction
from aftersales.workflows.vocabulary import Actor, Step
from web import forms, words
from web.forms import Posted, PostedForm
from web.pages import story
from web.rendering import page
from web.site import Site, TheSite, ticket_of

router = APIRouter()


#: what the JSON of a ticket tells of it; its clocks are in the explanation
_TOLD = (
    *("id", "number", "workflow", "policy", "authority", "state", "version", "due_at", "no_clock_reason"),
    *("escalated", "overdue", "flags", "opened_at", "applied_at", "entered_at", "closed_at"),
    *("order_no", "item_no", "buyer", "owner", "platform_no"),
)


# ── the ticket ──


@router.get("/t/{name}.json")
def ticket_json(name: str, site: TheSite) -> Response:
    """The ticket as it stands, and why it is due when it is."""
    found = ticket_of(site, name)
    history = _History.of(site, found)
    told = {name: getattr(found, name) for name in _TOLD} | {"fields": found.shown_fields}
    told["explanation"] = history.explanation(found, site, clock.now()).to_json()
    return Response(rows.to_json(told), media_type="application/json")


@router.get("/t/{name}")
def ticket(name: str, site: TheSite) -> Response:
    found, rules, now = ticket_of(site, name), site.rules(), clock.now()
    history, by_actor = _History.of(site, found), story.steps_by_actor(found, rules, now)
    context = {
        **_header(site, found, name, now),
        "clocks": story.clock_lines(found, rules, now),
        "why": render(history.explanation(found, site, now)).items,
        "own_steps": [step for actor, steps in by_actor if actor is Actor.AGENT for step in steps],
        "reported_steps": [(actor, steps) for actor, steps in by_actor if actor is not Actor.AGENT],
        "actions": story.plain_actions(found, rules),
        "fields": words.named(found.shown_fields, words.facts_of(rules.workflow(found))),
        "linked": [
            (words.relation_label(relation), _header(site, other, str(other.id), now))
            for relation, other in history.linked
        ],
        "story": story.story(found, history.events, rules),
    }
    return page("ticket.html", context)


@dataclass(frozen=True)
class _History:
    """What happened to a ticket, and the tickets it hangs together with."""

    events: Sequence[Event]
    linked: Sequence[tuple[str, Ticket]]

    @classmethod
    def of(cls, site: Site, ticket: Ticket) -> _History:
        engine = site.desk.engine
        return cls(queries.events(engine, ticket.id), queries.linked(engine, ticket.id))

    def explanation(self, ticket: Ticket, site: Site, now: datetime) -> Explanation:
        events = [event for event in self.events if event.seq <= ticket.version]
        return explained(ticket, events, site.rules(), whole_second(now), linked=self.linked)


def _header(site: Site, ticket: Ticket, name: str, now: datetime) -> dict[str, Any]:
    """What stands on top of every page of a ticket."""
    rules = site.rules()
    return {
        "ticket": ticket,
        "address": f"/t/{name}",
        "workflow": words.workflow_label(rules, ticket.workflow),
        "policy": words.policy_label(rules, ticket.policy),
        "shop": _shop(site, ticket),
        "state": words.state_label(rules, ticket.workflow, ticket.state),
        "turn": words.turn(rules, ticket.workflow, ticket.state),
        "clock": next(iter(story.clock_lines(ticket, rules, now)), None),
        "marks": words.flag_labels(ticket.flags),
        "now": now,
    }


def _shop(site: Site, ticket: Ticket) -> str:
    return dict(queries.shops(site.desk.engine)).get(ticket.shop_id, "")


# ── one form of it ──


@dataclass(frozen=True)
class Shown:
    """A form of a ticket, and how it is shown: for the first time, or again with a refusal."""

    ticket: Ticket
    form: Step | PlainAction
    actor: str = ""
    sent: Posted | None = None
    refusal: Refused | None = None

    @property
    def _stale(self) -> bool:
        return self.refusal is not None and self.refusal.code == "stale_version"

    @property
    def version(self) -> int:
        """Whoever has seen what changed may go on from there; every other refusal leaves the form as old as it is."""
        return self.ticket.version if self.sent is None or self._stale else self.sent.version

    @property
    def changed_after(self) -> int | None:
        """The version that the form was drawn from, if that was its trouble."""
        return self.sent.version if self.sent is not None and self._stale else None


@router.get("/t/{name}/{trigger}")
def form(request: Request, name: str, trigger: str, site: TheSite) -> Response:
    found = ticket_of(site, name)
    actor = request.query_params.get("as", "")
    return _form_page(site, name, Shown(found, _form_of(site, found, trigger), actor))


@router.post("/t/{name}/{trigger}")
def submit(name: str, trigger: str, site: TheSite, posted: PostedForm) -> Response:
    """Through the one door; then back to the ticket, or back to the form with the reason and all that was typed."""
    found = ticket_of(site, name)
    of_ticket = _form_of(site, found, trigger)
    try:
        facts = posted.facts(of_ticket)
        site.desk.do(
            Command(
                found.id, trigger, posted.actor, clock.now(), facts, posted.evidence,
                version=posted.version, key=posted.key,
            )
        )  # fmt: skip
    except Refused as refusal:
        now_there = queries.ticket(site.desk.engine, found.id)
        refusal = forms.sent_before(site, _shop(site, found), posted, refusal)
        return _form_page(site, name, Shown(now_there, of_ticket, posted.actor, posted, refusal))
    return RedirectResponse(f"/t/{name}", 303)


def _form_of(site: Site, ticket: Ticket, trigger: str) -> Step | PlainAction:
    """The row behind this address; 404 for a row that nobody can take by hand."""
    row = PLAIN_ACTIONS.get(trigger) or site.rules().workflow(ticket).move(trigger)
    if isinstance(row, (Step, PlainAction)):
        return row
    raise HTTPException(404)


def _form_page(site: Site, name: str, shown: Shown) -> Response:
    ticket, row, rules, now = shown.ticket, shown.form, site.rules(), clock.now()
    drawn = forms.draw(row, row.by, version=shown.version, actor=shown.actor, sent=shown.sent)
    step, after = row if isinstance(row, Step) else None, shown.changed_after
    events = [] if after is None else queries.events(site.desk.engine, ticket.id)
    context = {
        **_header(site, ticket, name, now),
        "form": drawn,
        "action": f"/t/{name}/{row.name}",
        "possible": step is None or story.possible(ticket, step, rules, now),
        "step": None if step is None else story.step_line(ticket, step, Actor(drawn.actor), rules, now),
        "requirements": [] if step is None else story.requirements(step),
        "refusal": shown.refusal,
        "changes": None if after is None else story.story(ticket, events, rules, after),
    }
    return page("form.html", context, forms.status(shown.refusal))
