"""Gives every request a number, and writes it down once it is answered: in the log, and in the figures of /metrics.

The number is that of the header X-Request-Id where a proxy has given one, else made here; it goes back in the same
header, stands on every line that is logged meanwhile, and on the page that says that something failed.

Addresses are written as the route they lead to (`/t/{name}`), never as they were sent: people search for buyers.
"""

from __future__ import annotations

import logging
import re
import secrets
from time import perf_counter
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aftersales import logs
from aftersales.logs import brief

log = logging.getLogger("aftersales.web")
HEADER = "X-Request-Id"
_WELL_FORMED = re.compile("[A-Za-z0-9._-]{8,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
#: asked for all the time, by machines or for every page; they are counted, and logged only if they go wrong
_QUIET = {"/healthz", "/readyz", "/metrics", "/assets/{name}"}
#: nobody was there any more to be answered, as nginx calls it
GONE = 499


def request_id() -> str:
    """Of the request that is being answered."""
    found: str = logs.about.get({}).get("request", "")
    return found or _made()


def _made() -> str:
    return f"r-{secrets.token_hex(4)}"


class Logbook:
    """Outermost of all, so that nothing that is answered is left out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        number = given if _WELL_FORMED.fullmatch(given) else _made()
        token = logs.about.set({"request": number})
        began, answered = perf_counter(), _Answered()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = number
                answered.status, answered.seconds = message["status"], perf_counter() - began
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as error:
            if answered.status != 500:  # else the page of the error has told it
                log.error("the answer broke off: %s", brief(error), exc_info=error)
            raise
        finally:
            answered.seconds = answered.seconds or perf_counter() - began
            _note(scope, answered)
            logs.about.reset(token)


class _Answered:
    """`seconds` until the answer began: a stream has no end of its own, and a download takes as long as its reader."""

    def __init__(self) -> None:
        self.status, self.seconds = GONE, 0.0


def _note(scope: Scope, answered: _Answered) -> None:
    method = scope["method"] if scope["method"] in _METHODS else "OTHER"
    route, milliseconds = _route(scope), round(answered.seconds * 1000, 1)
    scope["app"].state.metrics.answered(method, route, answered.status, answered.seconds)
    level = logging.DEBUG if route in _QUIET and answered.status < 500 else logging.INFO
    extra: dict[str, Any] = {"method": method, "route": route, "status": answered.status, "ms": milliseconds}
    log.log(level, "%s %s %d in %.0f ms", method, route, answered.status, milliseconds, extra=extra)


def _route(scope: Scope) -> str:
    """The template of the address; `-` where it leads nowhere."""
    return getattr(scope.get("route"), "path", "") or "-"
