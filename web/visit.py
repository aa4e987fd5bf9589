"""Who looks at the page, in which language and theme: known everywhere while one request is answered."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import HTTPConnection

from web import i18n

THEMES = ("auto", "light", "dark")
LANGUAGE, THEME, KEYS, SESSION = "language", "theme", "keys", "session"


@dataclass
class Visit:
    """What the request says of itself; `me` is filled in by identity.py when a page asks for it."""

    method: str = "GET"
    path: str = "/"
    query: str = ""
    language: str = i18n.DEFAULT
    theme: str = "auto"
    #: single-key shortcuts may be switched off (WCAG 2.1.4)
    keys: bool = True
    session: str = ""
    #: asked for by a script, as a part of a page that is there already
    partial: bool = False
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query, keep_blank_values=True, max_num_fields=200)

    def with_query(self, changed: Mapping[str, Any]) -> str:
        """This address with these values in its query; None takes one out."""
        kept = [pair for pair in parse_qsl(self.query, keep_blank_values=True) if pair[0] not in changed]
        pairs = kept + [(name, str(value)) for name, value in changed.items() if value is not None]
        return f"{self.path}?{urlencode(pairs)}" if pairs else self.path


current: ContextVar[Visit] = ContextVar("visit", default=Visit())  # noqa: B039 -- nobody changes this one


def begin(connection: HTTPConnection) -> Visit:
    """Of this request: cookies first, then what the browser asks for."""
    cookies = connection.cookies
    language = cookies.get(LANGUAGE, "")
    theme = cookies.get(THEME, "auto")
    visit = Visit(
        method=connection.scope.get("method", "GET"),
        path=connection.url.path,
        query=connection.url.query,
        language=language if language in i18n.LOCALES else i18n.DEFAULT,
        theme=theme if theme in THEMES else "auto",
        keys=cookies.get(KEYS) != "off",
        session=cookies.get(SESSION, ""),
        partial="hx-request" in connection.headers,
    )
    current.set(visit)
    i18n.locale.set(visit.language)
    return visit
