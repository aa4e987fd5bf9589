"""Evidence of a ticket: what is there, what a step wants, and the files themselves."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Response
from fastapi.responses import FileResponse

from aftersales import decide, queries
from aftersales.decide import Attempt, Rules
from aftersales.office import evidence as office
from aftersales.office.evidence import Folder, Kept
from aftersales.ticket import Event, Ticket
from aftersales.workflows.facts import EVIDENCE_LABELS
from aftersales.workflows.guards import HISTORY, Guard, kinds_wanted
from aftersales.workflows.vocabulary import Step
from web import words
from web.identity import name_of
from web.pages.step_form import Shown
from web.pages.steps import Surroundings
from web.rendering import page
from web.site import Site, TheSite, ticket_of

router = APIRouter()

#: what file choosers offer; the server looks at the content
ACCEPT = "image/jpeg,image/png,image/webp,image/gif,video/mp4,video/webm,video/quicktime,application/pdf"
#: a file opened by itself may load nothing and run nothing. Browsers show a PDF in a viewer of their own, which a
#: sandbox would keep from starting.
_ALONE = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_SANDBOXED = f"{_ALONE}; sandbox"


# ── what is there ──


@dataclass(frozen=True)
class FileLine:
    """A file as the pages show it. `who`: the account's name, or buyer, agent, platform."""

    kept: Kept
    address: str
    label: str
    who: str

    @property
    def size(self) -> str:
        return size_words(self.kept.bytes)

    @property
    def sort(self) -> str:
        """picture, video or pdf: how it is shown."""
        return "picture" if self.kept.picture else "video" if self.kept.video else "pdf"


@dataclass(frozen=True)
class Evidenced:
    """One piece of evidence: the event that added it, and its files, if it has any."""

    event: Event
    label: str
    who: str
    files: Sequence[FileLine]


def size_words(length: int) -> str:
    """1.2 MB, 340 KB; never less than 1 KB."""
    return f"{length / 1_000_000:.1f} MB" if length >= 1_000_000 else f"{max(1, round(length / 1000))} KB"


def files_by_event(site: Site, ticket: Ticket, events: Sequence[Event]) -> dict[int, list[FileLine]]:
    """The files of a ticket by the event that added them."""
    of_seq = {event.seq: event for event in events}
    found: dict[int, list[FileLine]] = {}
    for kept in office.of_ticket(site.desk.engine, ticket.id):
        label, address = words.evidence_label(kept.kind), f"/t/{ticket.id}/evidence/{kept.id}"
        event = of_seq.get(kept.seq)
        who = name_of(site, kept.account) or (words.actor_label(event.actor) if event else "")
        found.setdefault(kept.seq, []).append(FileLine(kept, address, label, who))
    return found


def evidenced(site: Site, ticket: Ticket, events: Sequence[Event]) -> list[Evidenced]:
    """The newest first."""
    files = files_by_event(site, ticket, events)
    return [
        Evidenced(
            event, words.evidence_label(event.facts.get("kind", "")),
            name_of(site, event.actor_name) or words.actor_label(event.actor), files.get(event.seq, []),
        )
        for event in reversed(events)
        if event.kind == "evidence"
    ]  # fmt: skip


def panel(site: Site, ticket: Ticket, events: Sequence[Event], rules: Rules, now: datetime) -> dict[str, Any]:
    """What ticket/evidence.html shows."""
    pieces = evidenced(site, ticket, events)
    by = {actor: sum(one.event.actor == actor for one in pieces) for actor in ("buyer", "agent")}
    return {
        "pieces": pieces[:12], "more": max(0, len(pieces) - 12), "by": by, "address": f"/t/{ticket.id}",
        "form": upload_form(site),
    }  # fmt: skip


def upload_form(site: Site, *, kind: str = "photo") -> dict[str, Any]:
    """What the form of an upload needs; its key is new each time."""
    settings = site.settings
    return {
        "kinds": list(EVIDENCE_LABELS.items()), "kind": kind, "accept": ACCEPT, "key": secrets.token_urlsafe(18),
        "picture_mb": settings.picture_mb, "video_mb": settings.video_mb, "pdf_mb": settings.pdf_mb,
    }  # fmt: skip


# ── what a step wants ──


@dataclass(frozen=True)
class Want:
    """One condition of a step about evidence: what would satisfy it, and what does. `entries`: what was added since."""

    says: str
    kinds: Sequence[tuple[str, str]]
    met: bool
    entries: Sequence[Evidenced] = ()
    #: its place in the list: what tells its inputs from those of the others
    place: int = 0


def wants(site: Site, around: Surroundings, shown: Shown, events: Sequence[Event]) -> list[Want]:
    """What this form wants in evidence, each with what is there. Conditions about other things are not among them."""
    if not isinstance(shown.form, Step):
        return []
    actor = shown.sent.actor if shown.sent else shown.actor or shown.form.by[0].value
    facts = shown.sent.read(shown.form)[0] if shown.sent else {}
    attempt = Attempt(shown.form.name, actor, around.now, facts)
    open_ = {gap.guard for gap in decide.missing(around.ticket, attempt, around.rules, history=around.history)}
    there = evidenced(site, around.ticket, events)
    found = [want for guard in shown.form.needs for want in _wants(guard, guard not in open_, around.ticket, there)]
    return [replace(want, place=place) for place, want in enumerate(found)]


def _wants(guard: Guard, met: bool, ticket: Ticket, there: Sequence[Evidenced]) -> Iterator[Want]:
    groups = kinds_wanted(guard) if guard.reads == HISTORY else ()
    for group in groups:
        since = [one for one in there if one.event.facts.get("kind") in group and one.event.seq > ticket.applied_seq]
        enough = met or (len(groups) > 1 and any(one.event.seq > ticket.entered_seq for one in since))
        yield Want(guard.says, [(kind.value, kind.label) for kind in group], enough, since if enough else [])


# ── the page of all of it, and one file ──


def evidence_page(site: Site, name: str, ticket: Ticket, problems: Sequence[str] = (), added: int = 0) -> Response:
    """Every piece of evidence, and the form. `problems`: what was not taken just now, and why."""
    events, rules = queries.events(site.desk.engine, ticket.id), site.rules()
    context = {
        "ticket": ticket, "address": f"/t/{name}", "pieces": evidenced(site, ticket, events), "problems": problems,
        "added": added, "form": upload_form(site), "workflow": words.workflow_label(rules, ticket.workflow),
        "state": words.state_label(rules, ticket.workflow, ticket.state),
    }  # fmt: skip
    return page("evidence.html", context, 422 if problems else 200)


@router.get("/t/{name}/evidence")
def all_of_it(name: str, site: TheSite) -> Response:
    return evidence_page(site, name, ticket_of(site, name))


@router.get("/t/{name}/evidence/{attachment}")
def file(name: str, attachment: Annotated[int, Path(ge=1, lt=2**63)], site: TheSite, save: bool = False) -> Response:
    """The file itself, in ranges where asked for; with `save` to be kept, else to be looked at."""
    ticket = ticket_of(site, name)
    kept = office.one(site.desk.engine, ticket.id, attachment)
    if kept is None:
        raise HTTPException(404)
    place = Folder.of(site.settings).place(kept.file)
    if not place.is_file():
        raise HTTPException(410)
    headers = {
        "Content-Security-Policy": _ALONE if kept.media_type == "application/pdf" else _SANDBOXED,
        "Cache-Control": "private, max-age=86400",
    }
    how = "attachment" if save else "inline"
    return FileResponse(
        place, media_type=kept.media_type, filename=kept.name, content_disposition_type=how, headers=headers
    )
