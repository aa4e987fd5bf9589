"""Runs the pages, and by default the scheduler in the same process."""

from __future__ import annotations

import uvicorn

from aftersales.application import Application
from aftersales.desk import Desk
from aftersales.sandbox import Sandbox
from aftersales.serving import collect_garbage_rarely, log_to_stderr, make_scheduler
from web.app import create_app


def serve(application: Application, *, host: str, port: int, scheduler: bool, sandbox: bool = False) -> None:
    """Pages on http://host:port/ until interrupted. `sandbox`: its clock may be moved; NotASandbox if it is none."""
    log_to_stderr()
    metronome = make_scheduler(application) if scheduler else None
    # the pages' own door to the same database: what is done there wakes the scheduler beside it
    desk = Desk(application.engine, application.rules, None if metronome is None else metronome.wake)
    ground = Sandbox(desk) if sandbox else None
    pages = create_app(
        desk, application.rules, application.settings, metronome, lambda: application.book.problems, ground
    )
    collect_garbage_rarely()
    uvicorn.run(pages, host=host, port=port, log_level="info", proxy_headers=False, server_header=False)
