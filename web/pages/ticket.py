"""One ticket: where it stands, why that time, what may be done by whom, how it came to this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, queries, rows
from aftersales.clock import whole_second
from aftersales.desk import Command
from aftersales.errors import Refused
from aftersales.explain import Explanation, explained
from aftersales.office import transfers
from aftersales.ticket import Entry, Event, Ticket
from aftersales.workflows.plain import RECORD_CONTACT
from aftersales.workflows.vocabulary import Actor, Party, Step
from web import forms, identity, words
from web.forms import Posted, PostedForm
from web.identity import Me
from web.pages import evidence, linked, machine, neighbours, replies, step_form, steps, story
from web.pages.conflict import conflict
from web.pages.step_form import Shown, form_of, shop_of
from web.pages.steps import Surroundings
from web.pages.subject import about, subject
from web.pages.why import why
from web.rendering import page
from web.site import Site, TheSite, ticket_of

router = APIRouter()

#: what the JSON of a ticket tells of it; its clocks are in the explanation
_TOLD = (
    *("id", "number", "workflow", "policy", "authority", "state", "version", "due_at", "no_clock_reason"),
    *("escalated", "overdue", "flags", "opened_at", "applied_at", "entered_at", "closed_at"),
    *("order_no", "item_no", "buyer", "owner", "platform_no"),
)
#: of an address, in characters: more than any list's own
_LONGEST_VIEW = 2000
#: the parts of the page that stand in files of their own: `ticket/<name>.html` is given the value `<name>`
_PANELS = {
    "story": story.panel,
    "evidence": evidence.panel,
    "linked": linked.panel,
    "machine": machine.panel,
    "replies": replies.panel,
}


@dataclass(frozen=True)
class _History:
    """What happened to a ticket, and the tickets it hangs together with."""

    events: Sequence[Event]
    linked: Sequence[tuple[str, Ticket]]

    @classmethod
    def of(cls, site: Site, ticket: Ticket) -> _History:
        engine = site.desk.engine
        return cls(queries.events(engine, ticket.id), queries.linked(engine, ticket.id))

    def upto(self, ticket: Ticket) -> list[Event]:
        """An event written since the ticket was read is not of this page yet."""
        return [event for event in self.events if event.seq <= ticket.version]

    def explanation(self, ticket: Ticket, site: Site, now: datetime) -> Explanation:
        return explained(ticket, self.upto(ticket), site.rules(), now, linked=self.linked)

    def around(self, ticket: Ticket, site: Site, now: datetime) -> Surroundings:
        looked_at = [event for event in self.upto(ticket) if event.kind in ("evidence", "contact", "move")]
        entries = [Entry(one.seq, one.kind, one.trigger, one.actor, one.at, one.facts) for one in looked_at]
        return Surroundings(ticket, site.rules(), now, entries, self.linked, step_form.known_of(site, ticket))


# ── what is shown ──


@router.get("/t/{name}.json")
def ticket_json(name: str, site: TheSite) -> Response:
    """The ticket as it stands, and why it is due when it is."""
    found, now = ticket_of(site, name), whole_second(clock.now())
    history = _History.of(site, found)
    told = {name: getattr(found, name) for name in _TOLD} | {"fields": found.shown_fields}
    told["explanation"] = history.explanation(found, site, now).to_json()
    return Response(rows.to_json(told), media_type="application/json")


@router.get("/t/{name}")
def ticket(request: Request, name: str, site: TheSite) -> Response:
    return _page(request, site, name, ticket_of(site, name))


@router.get("/t/{name}/{trigger}")
def form(request: Request, name: str, trigger: str, site: TheSite) -> Response:
    found = ticket_of(site, name)
    shown = Shown(found, form_of(site, found, trigger), request.query_params.get("as", ""))
    return _page(request, site, name, found, shown)


def _page(request: Request, site: Site, name: str, ticket: Ticket, shown: Shown | None = None) -> Response:
    rules, now = site.rules(), whole_second(clock.now())
    history = _History.of(site, ticket)
    around, events = history.around(ticket, site, now), history.upto(ticket)
    by_actor, done = steps.cards_by_actor(around), _done(request, ticket, events, site)
    shops = [id for id, _ in queries.shops(site.desk.engine)]
    asked = None if shown is None else step_form.asked(site, shown, around)
    context = {
        **_header(request, site, ticket, name, now),
        "neighbours": neighbours.of(site, _view(request), ticket, now, shops, _before(done, events)),
        **{panel: of(site, ticket, events, rules, now) for panel, of in _PANELS.items()},
        "why": why(ticket, events, history.explanation(ticket, site, now), rules, now),
        "own_steps": [step for actor, found in by_actor if actor is Actor.AGENT for step in found],
        "reported_steps": [(actor, found) for actor, found in by_actor if actor is not Actor.AGENT],
        "barred": steps.barred(around),
        "actions": steps.plain_actions(ticket, rules),
        "asked": asked,
        "conflict": asked and shown and conflict(shown, asked, events, rules, now, partial(identity.name_of, site)),
        "done": done,
        "wants": [] if shown is None else evidence.wants(site, around, shown, events),
        "spoken": None if shown is None else replies.heard(site, shown),
    }
    return page("ticket.html", context, forms.status(None if shown is None else shown.refusal))


def _view(request: Request) -> str | None:
    """The query of the list that the ticket was opened from; None if it was not."""
    view = request.query_params.get("in")
    return None if view is None else view[:_LONGEST_VIEW]


def _header(request: Request, site: Site, ticket: Ticket, name: str, now: datetime) -> dict[str, Any]:
    """What stands on top of the page, and beside it."""
    rules = site.rules()
    party = words.party(rules, ticket.workflow, ticket.state)
    return {
        "ticket": ticket,
        "address": f"/t/{name}",
        "view": _view(request),
        "workflow": words.workflow_label(rules, ticket.workflow),
        "policy": words.policy_label(rules, ticket.policy),
        "shop": shop_of(site, ticket),
        "state": words.state_label(rules, ticket.workflow, ticket.state),
        "turn": words.turn(rules, ticket.workflow, ticket.state),
        "turn_icon": words.PARTY_ICONS.get(party, "check") if party else "check",
        "ours": party is Party.MERCHANT,
        "clock": next(iter(steps.clock_lines(ticket, rules, now)), None),
        "marks": words.flag_labels(ticket.flags),
        "owner": identity.name_of(site, ticket.owner),
        "me": identity.me(site),
        "handed": _handed_to_me(site, ticket, now),
        "subject": subject(ticket, rules),
        "about": about(ticket, rules),
        "now": now,
    }


def _handed_to_me(site: Site, ticket: Ticket, now: datetime) -> transfers.Handed | None:
    """What was said, and by whom, when the ticket was handed to whoever looks at it for the first time since."""
    me = identity.me(site)
    found = None if me is None else transfers.opened(site.desk.engine, ticket.id, me.login, now)
    return None if found is None else found._replace(by_login=identity.name_of(site, found.by_login))


def _done(request: Request, ticket: Ticket, events: Sequence[Event], site: Site) -> story.EventLine | None:
    """The event that this page is the answer to, with what it started."""
    wanted = request.query_params.get("done", "")
    if not wanted.isascii() or not wanted.isdecimal() or len(wanted) > 9:
        return None
    lines = story.story(ticket, [event for event in events if event.seq <= int(wanted)][-2:], site.rules())
    return next((line for line in lines if line.event.seq == int(wanted)), None)


def _before(done: story.EventLine | None, events: Sequence[Event]) -> Event | None:
    """The event before what was just done."""
    return None if done is None else next((event for event in events if event.seq == done.event.seq - 1), None)


# ── what is sent ──


def shown_again(request: Request, site: Site, name: str, trigger: str, posted: Posted) -> Response:
    """The form of a step with all that was typed into it, after something else was done from it."""
    found = ticket_of(site, name)
    return _page(request, site, name, found, Shown(found, form_of(site, found, trigger), posted.actor, posted))


@router.post("/t/{name}/{trigger}")
def submit(request: Request, name: str, trigger: str, site: TheSite, posted: PostedForm, me: Me) -> Response:
    """Through the one door; then back to the ticket, or back to the form with the reason and all that was typed."""
    found = ticket_of(site, name)
    of_ticket = form_of(site, found, trigger)
    login = "" if me is None else me.login
    try:
        facts = posted.facts(of_ticket)
        spoken = replies.listen(site, found, of_ticket, posted)
        _contact_first(site, found, posted, login)
        after = site.desk.do(
            Command(
                found.id, trigger, posted.actor, clock.now(), facts, posted.evidence, login,
                version=posted.version, key=posted.key,
            )
        )  # fmt: skip
    except Refused as refusal:
        now_there = queries.ticket(site.desk.engine, found.id)
        refusal = forms.sent_before(site, shop_of(site, found), posted, refusal)
        return _page(request, site, name, now_there, Shown(now_there, of_ticket, posted.actor, posted, refusal))
    spoken.note(site, login)
    view = _view(request)
    query = {"done": after.version} | ({} if view is None else {"in": view})
    return RedirectResponse(f"/t/{name}?{urlencode(query)}", 303)


def _contact_first(site: Site, ticket: Ticket, posted: PostedForm, login: str) -> None:
    """A contact that was written down in the form of a step is recorded before it. It has taken place whatever becomes
    of the step; a form that is stale is not half taken, so then it stays with the form."""
    if not posted.summary or posted.version < ticket.moved_seq:
        return
    facts = {"channel": posted.channel, "summary": posted.summary}
    command = Command(
        ticket.id,
        RECORD_CONTACT.name,
        Actor.AGENT.value,
        clock.now(),
        facts,
        (),
        login,
        key=f"{posted.key[:48]}-contact",
    )
    site.desk.do(command)


@router.post("/t/{name}/{trigger}/missing")
def missing(name: str, trigger: str, site: TheSite, posted: PostedForm) -> Response:
    """What the form as it is now still lacks, and what it would do: parts of the page, for a script to put in."""
    found, now = ticket_of(site, name), whole_second(clock.now())
    row = form_of(site, found, trigger)
    history, shown = _History.of(site, found), Shown(found, row, posted.actor, posted)
    around = history.around(found, site, now)
    wants = evidence.wants(site, around, shown, history.upto(found))
    asked = step_form.asked(site, shown, around)
    return page("ticket/missing.html", {"asked": asked, "is_step": isinstance(row, Step), "wants": wants})
