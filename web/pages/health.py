"""For those who watch the service: is the process there, can it do its work, and how does it do?"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from aftersales import clock
from aftersales.database import DatabaseBusy, Schema, in_memory, reading, schema_of
from aftersales.office.evidence import Folder
from aftersales.queries import UNREACHABLE, automation
from web import assets
from web.metrics import Metrics
from web.site import Site, TheSite

router = APIRouter()
#: a scheduler that has not finished a round in so many polls is not well (I-33), but no sooner than in 10 s
_POLLS, _AT_LEAST_SECONDS = 3, 10.0
_DOWN: tuple[type[Exception], ...] = (DatabaseBusy, *UNREACHABLE)


@router.api_route("/healthz", methods=["GET", "HEAD"])
def healthz() -> Response:
    """The process answers."""
    return JSONResponse({"ok": True})


@router.api_route("/readyz", methods=["GET", "HEAD"])
def readyz(site: TheSite) -> Response:
    """Everything it needs is there and some scheduler is at work; else 503 with the reasons, a line each."""
    reasons = [*_no_assets(), *_no_folder(site)]
    try:
        reasons += [*_wrong_schema(site), *_no_scheduler(site)]
    except _DOWN as error:
        reasons.append(f"database: {type(error).__name__}")
    return JSONResponse({"ok": not reasons, "reasons": reasons}, 503 if reasons else 200)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """web/metrics.py says what."""
    found: Metrics = request.app.state.metrics
    return Response(found.text(), media_type=CONTENT_TYPE_LATEST)


def _no_assets() -> Iterator[str]:
    if missing := assets.missing():
        yield f"assets: {', '.join(missing)} missing, install the package again"


def _no_folder(site: Site) -> Iterator[str]:
    if problem := Folder.of(site.settings).problem():
        yield f"evidence: {problem}"


def _wrong_schema(site: Site) -> list[str]:
    engine = site.desk.engine
    if in_memory(engine):  # made whole, without a history
        return []
    with reading(engine) as connection:
        schema: Schema = schema_of(connection)
    if schema.found != schema.wanted:
        return [f"schema: version {schema.found}, wanted {schema.wanted}"]
    return [f"schema: {difference}" for difference in schema.differences]


def _no_scheduler(site: Site) -> Iterator[str]:
    """One that was stopped on purpose says nothing against those that live, and nothing for itself."""
    beats = automation.beats(site.desk.engine, clock.now())
    living = [beat for beat in beats if not beat.stopped]
    if not beats:
        yield "scheduler: none has run yet"
    elif not living:
        yield "scheduler: stopped on purpose, and none is at work"
    else:
        age = (clock.now() - max(beat.at for beat in living)).total_seconds()
        if age > max(_POLLS * site.settings.poll_seconds, _AT_LEAST_SECONDS):
            yield f"scheduler: last round {age:.0f} s ago"
