"""What stands before everything: headers on every answer, forms from other sites refused, forms too big refused."""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aftersales.feeds.receive import LONGEST as LONGEST_MESSAGE
from web import visit
from web.errors import error_page
from web.forms import MAX_BODY
from web.pages import feeds
from web.uploads import too_long

HEADERS = {
    # nothing but our own files; data: for the pictures inside Tabler's stylesheet
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "media-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # not no-referrer: browsers would send `Origin: null` with our own forms
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: pages are asked for again each time, yet kept for Back, so that a half-filled form is still there
_PAGES = "private, no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"
_UPLOAD = re.compile("/t/[^/]+/evidence")
#: machines send these, without a browser and its cookies: signed, and answered in JSON
_FEED = re.compile("/feeds/[^/]+")
_SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}


class Shield:
    """Outermost of all, so that it also sees the answers of the error handlers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = visit.begin(HTTPConnection(scope))
        begun.known["site"] = getattr(scope["app"].state, "site", None)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), scope["path"], message["status"])
            await send(message)

        await self._app_for(scope)(scope, receive, guarded)

    def _app_for(self, scope: Scope) -> ASGIApp:
        headers = Headers(scope=scope)
        if scope["method"] == "POST" and _FEED.fullmatch(scope["path"]):
            return self.app if _short_enough(headers, LONGEST_MESSAGE) else feeds.too_long()
        if scope["method"] not in _SAFE and comes_from_elsewhere(headers):
            return error_page(403)
        longest, sentence = _longest(scope)
        return self.app if _short_enough(headers, longest) else error_page(413, sentence)


def _short_enough(headers: Headers, longest: int) -> bool:
    length = headers.get("content-length", "0")
    return length.isdecimal() and len(length) <= 12 and int(length) <= longest


def _longest(scope: Scope) -> tuple[int, str]:
    """How long a body may be, in bytes, and what is said of a longer one: files of evidence may be long."""
    site = getattr(scope["app"].state, "site", None)
    if site is None or scope["method"] != "POST" or not _UPLOAD.fullmatch(scope["path"]):
        return MAX_BODY, ""
    longest = site.settings.upload_mb * 1_000_000
    return longest, too_long(longest)


def comes_from_elsewhere(headers: Headers) -> bool:
    """Another site's page sent this form in our user's name (CSRF).

    Browsers tell it themselves: in Sec-Fetch-Site over HTTPS and on localhost, in Origin always. A client that sends
    neither is no browser and carries nobody's cookies.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return False
    host = origin.partition("://")[2].lower()
    return not host or host != headers.get("host", "").lower()


def _add_headers(headers: MutableHeaders, path: str, status: int) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    forever = path.startswith("/assets/") and status in (200, 304)
    headers.setdefault("Cache-Control", _FOR_EVER if forever else _PAGES)
