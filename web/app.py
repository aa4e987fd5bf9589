"""The site, made by a factory: everything it needs is handed to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from aftersales.decide import Rules
from aftersales.desk import Desk
from aftersales.sandbox import Sandbox
from aftersales.settings import Settings
from web import assets, errors
from web.forms import MAX_BODY
from web.live import Live
from web.logbook import Logbook
from web.metrics import Metrics
from web.pages import (
    automation,
    bulk,
    choices,
    evidence,
    health,
    live,
    machine,
    moment,
    new,
    palette,
    queue,
    reply_book,
    reports,
    rules,
    search,
    shift,
    team,
    ticket,
    training,
    uploads,
    views,
)
from web.rendering import page
from web.shield import Shield
from web.site import SeveralShops, Site


class Metronome(Protocol):
    """What the site asks of a scheduler that lives in its process."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


def create_app(
    desk: Desk,
    rules_provider: Callable[[], Rules],
    settings: Settings,
    scheduler: Metronome | None = None,
    rule_problems: Callable[[], Sequence[object]] = tuple,
    sandbox: Sandbox | None = None,
) -> FastAPI:
    """The site over this desk. A scheduler that is handed in starts and stops with it; `rule_problems` are shown."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if scheduler is not None:
            await run_in_threadpool(scheduler.start)
        yield
        if scheduler is not None:
            await run_in_threadpool(scheduler.stop)

    app = _Site(
        lifespan=lifespan, max_body_size=MAX_BODY, redirect_slashes=False,
        docs_url=None, redoc_url=None, openapi_url=None,
    )  # fmt: skip
    app.state.site = Site(desk, rules_provider, settings, rule_problems, sandbox)
    app.state.live = Live(desk.engine)
    app.state.metrics = Metrics(app.state.site, app.state.live)
    rooms = (
        assets,
        health,
        choices,
        live,
        queue,
        bulk,
        views,
        palette,
        new,
        reply_book,
        # before the ticket, whose /t/<number>/<step> would take their addresses
        evidence,
        uploads,
        machine,
        ticket,
        reports,
        search,
        rules,
        shift,
        automation,
        team,
        moment,
    )
    for room in rooms:
        app.include_router(room.router)
    if sandbox is not None:
        app.include_router(training.router)
    errors.install(app)
    app.add_exception_handler(SeveralShops, _which_shop)
    return app


class _Site(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        """The shield stands outside even of the handler of errors, so that its answers carry the headers too; and
        what it answers is in the log as well."""
        return Logbook(Shield(super().build_middleware_stack()))


def _which_shop(_request: Request, error: Exception) -> Response:
    assert isinstance(error, SeveralShops)
    return page("which.html", {"number": error.number, "found": error.found}, 300)
