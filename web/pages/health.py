"""For those who watch the service: is the process there, and can it do its work?"""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from aftersales import clock, queries
from aftersales.database import DatabaseBusy, Schema, in_memory, reading, schema_of
from aftersales.queries import UNREACHABLE
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
    """Database reachable, schema right, some scheduler at work; else 503 with the reasons."""
    try:
        reasons = [*_wrong_schema(site), *_no_scheduler(site)]
    except _DOWN as error:
        reasons = [f"database: {type(error).__name__}"]
    return JSONResponse({"ok": not reasons, "reasons": reasons}, 503 if reasons else 200)


def _wrong_schema(site: Site) -> list[str]:
    engine = site.desk.engine
    if in_memory(engine):  # made whole, without a history
        return []
    with reading(engine) as connection:
        schema: Schema = schema_of(connection)
    if schema.found != schema.wanted:
        return [f"schema: version {schema.found}, wanted {schema.wanted}"]
    return [f"schema: {difference}" for difference in schema.differences]


def _no_scheduler(site: Site) -> list[str]:
    beat = queries.last_beat(site.desk.engine)
    if beat is None:
        return ["scheduler: none has run yet"]
    age = (clock.now() - beat).total_seconds()
    if age > max(_POLLS * site.settings.poll_seconds, _AT_LEAST_SECONDS):
        return [f"scheduler: last round {age:.0f} s ago"]
    return []
