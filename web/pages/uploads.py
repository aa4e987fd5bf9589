"""Where files of evidence are sent to: from the page of a ticket, from a step's form, by a script or without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.background import BackgroundTask

from aftersales import clock
from aftersales.desk import Command
from aftersales.errors import Refused
from aftersales.office import evidence as office
from aftersales.office.evidence import Folder
from aftersales.ticket import Attachment, Ticket
from aftersales.workflows.plain import ADD_EVIDENCE
from aftersales.workflows.vocabulary import Actor
from web.forms import posted_of
from web.i18n import gettext, translated
from web.identity import Me
from web.pages import evidence
from web.pages.ticket import shown_again
from web.site import Site, TheSite, ticket_of
from web.uploads import Received, received

router = APIRouter()

NOTHING_CHOSEN = "还没有选文件，请选好图片、视频或 PDF 再上传"
#: no body is larger; what an installation takes is less (settings.upload_mb, held by the shield and while reading)
_NO_LIMIT_HERE = 2**40


async def _received(request: Request, site: TheSite) -> Received:
    return await received(request, Folder.of(site.settings), site.settings.upload_mb * 1_000_000)


@router.post("/t/{name}/evidence", max_body_size=_NO_LIMIT_HERE)
def upload(
    request: Request, name: str, site: TheSite, me: Me, sent: Annotated[Received, Depends(_received)]
) -> Response:
    """Takes what can be taken and says of the rest why not; then back to the ticket, or to the step it came from."""
    folder = Folder.of(site.settings)
    try:
        ticket, texts = ticket_of(site, name), _own(sent.texts)
    except BaseException:
        _drop(folder, [file for _, file in sent.files])
        raise
    problems = [*sent.problems]
    if not sent.files and not problems:
        problems.append(gettext(NOTHING_CHOSEN))
    added = 0
    for kind, files in _by_kind(sent.files, texts).items():
        command = _command(ticket, kind, texts, me.login if me else "")
        try:
            said = office.record(site.desk, folder, command, files)
        except Refused as refusal:
            problems.append(refusal.message)
        else:
            problems += said
            added += len(files) - len(said)
    return _answer(request, site, name, ticket, sent.texts, [str(translated(one)) for one in problems], added)


def _own(texts: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The upload's own texts; those of a step, if it stands in a step's form, are that step's."""
    return {name: text for name, text in texts if name.startswith("_")}


def _by_kind(files: Sequence[tuple[str, Attachment]], texts: dict[str, str]) -> dict[str, list[Attachment]]:
    """An input is called _file, or _file:2; the kind of its files is chosen beside it, in _kind or _kind:2."""
    found: dict[str, list[Attachment]] = {}
    for field, file in files:
        _, colon, place = field.partition(":")
        found.setdefault(texts.get(f"_kind{colon}{place}") or "photo", []).append(file)
    return found


def _command(ticket: Ticket, kind: str, texts: dict[str, str], login: str) -> Command:
    actor = texts.get("_who", "") or Actor.AGENT.value
    if actor not in [one.value for one in ADD_EVIDENCE.by]:
        actor = Actor.AGENT.value
    facts: dict[str, Any] = {"kind": kind, "note": texts.get("_note", "").strip() or None}
    return Command(ticket.id, ADD_EVIDENCE.name, actor, clock.now(), facts, actor_name=login)


def _answer(
    request: Request, site: Site, name: str, ticket: Ticket, texts: Sequence[tuple[str, str]], problems: Sequence[str],
    added: int,
) -> Response:  # fmt: skip
    sweep = BackgroundTask(office.sweep, site.desk.engine, Folder.of(site.settings), clock.now())
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"added": added, "problems": problems}, 422 if problems else 200, background=sweep)
    if problems:
        return evidence.evidence_page(site, name, ticket, problems, added)
    step = request.query_params.get("then")
    if step:  # back to the form it came from, with what was typed into it
        return shown_again(request, site, name, step, posted_of(texts))
    return RedirectResponse(f"/t/{name}#evidence-h", 303, background=sweep)


def _drop(folder: Folder, files: Sequence[Attachment]) -> None:
    for file in files:
        folder.remove(file.file)
