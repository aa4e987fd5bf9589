"""Runs the pages, and by default the scheduler in the same process."""

from __future__ import annotations

import uvicorn

from aftersales.application import Application
from aftersales.desk import Desk
from aftersales.serving import collect_garbage_rarely, log_to_stderr, make_scheduler
from web.app import create_app


def serve(application: Application, *, host: str, port: int, scheduler: bool) -> None:
    """Pages on http://host:port/ until interrupted."""
    log_to_stderr()
    metronome = make_scheduler(application) if scheduler else None
    # the pages' own door to the same database: what is done there wakes the scheduler beside it
    desk = Desk(application.engine, application.rules, None if metronome is None else metronome.wake)
    pages = create_app(desk, application.rules, application.settings, metronome, lambda: application.book.problems)
    collect_garbage_rarely()
    uvicorn.run(pages, host=host, port=port, log_level="info", proxy_headers=False, server_header=False)
