"""Stylesheets, scripts and pictures: ours and those in wheels, each under an address that changes with its content.

    asset("desk.css")  -> /assets/desk.3f9a0c51d2e4.css      served for ever, so browsers ask once
    integrity("desk.css") -> sha384-...                       what the browser checks it against

Nothing is copied into the repository and nothing is fetched from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from fastapi import APIRouter, HTTPException, Response

STATIC = Path(__file__).parent / "static"
#: name -> (package, path in it)
FROM_WHEELS = {
    "tabler.min.css": ("starlette_admin", "static/css/vendor/tabler.min.css"),
}
router = APIRouter()


@dataclass(frozen=True)
class Asset:
    content: bytes
    media_type: str
    digest: str
    integrity: str


def names() -> list[str]:
    """Every asset there is, ours and theirs."""
    return [*FROM_WHEELS, *sorted(file.name for file in STATIC.iterdir() if file.is_file())]


@cache
def load(name: str) -> Asset:
    """KeyError if there is no such asset; FileNotFoundError if a wheel no longer has it."""
    content = _content(name)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind.endswith(("javascript", "svg+xml"))
    return Asset(
        content,
        f"{kind}; charset=utf-8" if text else kind,
        hashlib.sha256(content).hexdigest()[:12],
        f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}",
    )


def _content(name: str) -> bytes:
    if name in FROM_WHEELS:
        package, path = FROM_WHEELS[name]
        return (resources.files(package) / path).read_bytes()
    if name not in {file.name for file in STATIC.iterdir() if file.is_file()}:
        raise KeyError(name)
    return (STATIC / name).read_bytes()


@cache
def asset(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return f"/assets/{stem}.{load(name).digest}{dot}{ending}"


def integrity(name: str) -> str:
    return load(name).integrity


@router.get("/assets/{name}")
def serve(name: str) -> Response:
    """An address of an older content is answered with 404: a page of another version must not take this one."""
    stem, _, rest = name.rpartition(".")
    stem, _, digest = stem.rpartition(".")
    try:
        found = load(f"{stem}.{rest}")
    except KeyError:
        raise HTTPException(404) from None
    if found.digest != digest:
        raise HTTPException(404)
    return Response(found.content, media_type=found.media_type)


def missing() -> list[str]:
    """What cannot be served, for /readyz: a wheel that changed under us."""
    found = []
    for name in names():
        try:
            load(name)
        except (OSError, KeyError, ModuleNotFoundError):
            found.append(name)
    return found
