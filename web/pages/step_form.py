"""The form of a step: what it asks for, what is still missing, what it will do; and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException

from aftersales import decide, known, queries
from aftersales.database import reading
from aftersales.decide import Gap
from aftersales.errors import Refused
from aftersales.office import teams
from aftersales.ticket import Entry, Ticket
from aftersales.workflows.context import NOTHING_KNOWN, Known
from aftersales.workflows.facts import EVIDENCE_LABELS, channel
from aftersales.workflows.guards import HISTORY, KNOWN, buyer_informed, kinds_wanted
from aftersales.workflows.plain import ASSIGN, PLAIN_ACTIONS, RECORD_CONTACT, PlainAction
from aftersales.workflows.vocabulary import Actor, Step
from web import forms, identity
from web.forms import Drawn, Posted
from web.i18n import gettext, translated
from web.pages import steps
from web.pages.steps import StepCard, Surroundings
from web.site import Site

#: a condition about contacts is met by a contact, all others about the history by evidence
_BY_CONTACT = {buyer_informed.code}


@dataclass(frozen=True)
class Shown:
    """A form of a ticket, and how it is shown: for the first time, or again with a refusal."""

    ticket: Ticket
    form: Step | PlainAction
    actor: str = ""
    sent: Posted | None = None
    refusal: Refused | None = None

    @property
    def stale(self) -> bool:
        return self.refusal is not None and self.refusal.code == "stale_version"

    @property
    def version(self) -> int:
        """Whoever has seen what changed may go on from there; every other refusal leaves the form as old as it is."""
        return self.ticket.version if self.sent is None or self.stale else self.sent.version

    @property
    def changed_after(self) -> int | None:
        """The version that the form was drawn from, if that was its trouble."""
        return self.sent.version if self.sent is not None and self.stale else None


@dataclass(frozen=True)
class Check:
    """One line of the list of what the step needs beside its inputs."""

    ok: bool
    says: str
    #: a contact, else evidence
    contact: bool


@dataclass(frozen=True)
class Asked:
    """A form with everything the template shows of it."""

    form: Drawn
    name: str
    possible: bool
    #: None for a plain action
    step: StepCard | None
    checks: Sequence[Check]
    gaps: Sequence[Gap]
    refusal: Refused | None
    #: people to choose from: (login, name); for the form that asks for one
    people: Sequence[tuple[str, str]]
    #: names of groups
    groups: Sequence[str]
    channels: Sequence[tuple[str, str]]

    @property
    def lacking(self) -> str:
        """还缺 2 样."""
        return gettext("还缺 {n} 样", n=len(self.gaps)) if self.gaps else gettext("不缺什么了")

    @property
    def errors(self) -> list[tuple[str, str]]:
        """(where, what): the inputs that are wrong, for the summary on top, once something was sent."""
        return [] if self.refusal is None else [(gap.fact, translated(gap.says)) for gap in self.gaps]


def form_of(site: Site, ticket: Ticket, trigger: str) -> Step | PlainAction:
    """The row behind this address; 404 for a row that nobody can take by hand."""
    row = PLAIN_ACTIONS.get(trigger) or site.rules().workflow(ticket).move(trigger)
    if isinstance(row, (Step, PlainAction)):
        return row
    raise HTTPException(404)


def asked(site: Site, shown: Shown, around: Surroundings) -> Asked:
    row, ticket = shown.form, shown.ticket
    step = row if isinstance(row, Step) else None
    actor = _actor(shown)
    facts, wrong = shown.sent.read(row) if shown.sent is not None else ({}, {})
    others = NOTHING_KNOWN if step is None else _known(site, ticket, step, facts)
    gaps = [] if step is None else _gaps(around, step, actor, facts, shown.sent, others, wrong)
    if step is None:
        gaps = [Gap(refusal.code, refusal.message, name) for name, refusal in wrong.items()]
    errors = {} if shown.refusal is None else {gap.fact: translated(gap.says) for gap in reversed(gaps) if gap.fact}
    most = {} if step is None else _most(around, step, actor, others)
    drawn = forms.draw(
        row, row.by, version=shown.version, actor=actor, sent=shown.sent, errors=errors, most=most,
        evidence=step is not None or row is RECORD_CONTACT,
    )  # fmt: skip
    return Asked(
        form=drawn,
        name=row.name,
        possible=step is None or steps.possible(ticket, step, around.rules, around.now),
        step=None if step is None else steps.card(around, step, actor, facts, others),
        checks=[] if step is None else _checks(step, gaps),
        gaps=gaps,
        refusal=shown.refusal,
        people=_people(site, ticket) if row is ASSIGN else (),
        groups=[group.name for group in teams.groups(site.desk.engine) if group.active] if row is ASSIGN else (),
        channels=channel.choices,
    )


def _actor(shown: Shown) -> str:
    able = [one.value for one in sorted(shown.form.by, key=lambda one: one != Actor.AGENT)]
    wanted = shown.sent.actor if shown.sent is not None else shown.actor
    return wanted if wanted in able else able[0]


def known_of(site: Site, ticket: Ticket) -> Known:
    """What other tickets have to say to the steps of this one, as long as nothing is typed."""
    workflow = site.rules().workflow(ticket)
    steps_here = workflow.steps_from(workflow.state(ticket.state))
    asking = next((step for step in steps_here if any(guard.reads == KNOWN for guard in step.needs)), None)
    return NOTHING_KNOWN if asking is None else _known(site, ticket, asking, {})


def _known(site: Site, ticket: Ticket, step: Step, facts: Mapping[str, Any]) -> Known:
    with reading(site.desk.engine) as connection:
        return known.what_guards_ask(connection, ticket, step.name, facts, site.rules())


def _gaps(
    around: Surroundings,
    step: Step,
    actor: str,
    facts: dict[str, Any],
    sent: Posted | None,
    others: Known,
    wrong: Mapping[str, Refused],
) -> list[Gap]:
    """What is missing, with the evidence and the contact that are given along counted in."""
    evidence = [] if sent is None else [kind for kind in sent.evidence if kind in EVIDENCE_LABELS]
    attempt = decide.Attempt(step.name, actor, around.now, facts, evidence)
    history = [*around.history, *contact_given_along(sent, around)]
    found = decide.missing(around.ticket, attempt, around.rules, history=history, known=others)
    unread = [Gap(refusal.code, refusal.message, name) for name, refusal in wrong.items()]
    return [*unread, *(gap for gap in found if gap.fact not in wrong)]


def contact_given_along(sent: Posted | None, around: Surroundings) -> list[Entry]:
    """As the guards would see it, were it recorded."""
    if sent is None or not sent.summary:
        return []
    at = around.ticket.version + 1
    facts = {"channel": sent.channel, "summary": sent.summary}
    return [Entry(at, RECORD_CONTACT.kind, RECORD_CONTACT.name, Actor.AGENT.value, around.now, facts)]


def _most(around: Surroundings, step: Step, actor: str, others: Known) -> dict[str, int]:
    return decide.most(around.ticket, around.attempt(step, actor), around.rules, known=others)


def _checks(step: Step, gaps: Sequence[Gap]) -> list[Check]:
    """Evidence is not among them: it stands where it is uploaded."""
    open_ = {gap.guard for gap in gaps}
    return [
        Check(guard not in open_, guard.says, guard.code in _BY_CONTACT)
        for guard in step.needs
        if guard.reads == HISTORY and not kinds_wanted(guard)
    ]


def _people(site: Site, ticket: Ticket) -> list[tuple[str, str]]:
    """Everybody who works here, and who has the ticket now, if that is somebody else."""
    found = {login: account.name for login, account in identity.people(site).items() if account.active}
    if found and ticket.owner:
        found.setdefault(ticket.owner, identity.name_of(site, ticket.owner))
    return list(found.items())


def shop_of(site: Site, ticket: Ticket) -> str:
    return dict(queries.shops(site.desk.engine)).get(ticket.shop_id, "")
