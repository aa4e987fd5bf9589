"""Runs the pages, and by default the scheduler in the same process."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from typing import Any

import uvicorn
from fastapi import FastAPI

from aftersales import logs
from aftersales.application import Application
from aftersales.desk import Desk
from aftersales.sandbox import Sandbox
from aftersales.serving import collect_garbage_rarely, make_scheduler
from web.app import create_app
from web.live import Live
from web.site import Site
from web.warm import warm


def serve(application: Application, *, host: str, port: int, scheduler: bool, sandbox: bool = False) -> None:
    """Pages on http://host:port/ until interrupted. `sandbox`: its clock may be moved; NotASandbox if it is none."""
    logs.set_up(application.settings.log_format)
    # an error of a page is told by the page's own handler and by the logbook
    logging.getLogger("uvicorn.error").addFilter(lambda line: not line.msg.startswith("Exception in ASGI"))
    metronome = make_scheduler(application) if scheduler else None
    # the pages' own door to the same database: what is done there wakes the scheduler beside it
    desk = Desk(application.engine, application.rules, None if metronome is None else metronome.wake)
    ground = Sandbox(desk) if sandbox else None
    pages = create_app(
        desk, application.rules, application.settings, metronome, lambda: application.book.problems, ground
    )
    collect_garbage_rarely()
    server = Server(
        pages, host=host, port=port, log_config=None, access_log=False, proxy_headers=False, server_header=False
    )
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(3)


class Server(uvicorn.Server):
    """Once it answers, makes ready what a first look would wait for (warm.py). Stops at once: uvicorn waits for every
    answer, and a stream of live changes has no end of its own."""

    def __init__(self, pages: FastAPI, **options: Any) -> None:
        super().__init__(uvicorn.Config(pages, **options))
        self._live: Live = pages.state.live
        self._site: Site = pages.state.site

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        warm(self._site)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._live.close()
        await super().shutdown(sockets)
