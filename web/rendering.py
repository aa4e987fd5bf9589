"""Templates: one Jinja environment, everything escaped, and what every template may use."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from aftersales.clock import lasting, shown
from aftersales.money import yuan
from web import words

STATIC = Path(__file__).parent / "static"

_templates = Environment(
    loader=PackageLoader("web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


@cache
def static(name: str) -> str:
    """The address of a static file; another content is another address, so browsers may keep each for ever."""
    content = (STATIC / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


_templates.globals |= {"static": static, "words": words}
_templates.filters |= {"yuan": yuan, "shown": shown, "lasting": lasting}


def page(
    name: str, context: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """The page of this template. A lone surrogate, which no page can carry, becomes a question mark."""
    text = _templates.get_template(name).render(context)
    return HTMLResponse(text.encode("utf-8", "replace"), status, dict(headers or {}))
