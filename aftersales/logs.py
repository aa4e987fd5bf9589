"""The log: one line for people, or one JSON object a line for programs (AFTERSALES_LOG_FORMAT=json).

    set_up("json")            once, by whoever starts a process
    about                     what is being done in this context: the request, its account, its ticket; on every line
    log.info(..., extra={"ticket": number})      the same for one line

Nothing of what buyers told us gets into it. Lines name tickets by their number and people by their login; of an error
the log has its kind and where it arose, and its message only if it is of a kind that cannot quote a row or a form
(`brief`). What exactly was wrong with a ticket stands on the ticket.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

from aftersales.database import DatabaseBusy

__all__ = ["Format", "about", "brief", "concerns", "set_up"]

Format = Literal["text", "json"]
#: what a line may say beside its message, in this order
FIELDS = ("request", "account", "ticket", "method", "route", "status", "ms")
about: ContextVar[dict[str, Any]] = ContextVar("about")

#: their messages are about the program or the machine, never about a value
_SPEAKS_OF_NO_ROW = (
    OSError, MemoryError, RecursionError, AttributeError, NameError, ImportError, SyntaxError, DatabaseBusy,
)  # fmt: skip
_DRIVERS = ("sqlalchemy.", "sqlite3", "psycopg")
_DRIVERS_KINDS = {"OperationalError", "InterfaceError", "ProgrammingError", "TimeoutError"}


def set_up(form: Format = "text") -> None:
    """This process logs to stderr, everything of ours and warnings of others."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in ("apscheduler", "alembic", "transitions"):
        logging.getLogger(name).setLevel(logging.WARNING)


def concerns(**known: str) -> None:
    """From here on lines of this context name this account or ticket too. Threads that work for it share it."""
    found = about.get(None)
    if found is not None:
        found.update(known)


def brief(error: BaseException) -> str:
    """What the log may say of an error in a few words: its kind, and what it says if that can be no buyer's word."""
    kind = type(error)
    driver = kind.__module__.startswith(_DRIVERS) and kind.__name__ in _DRIVERS_KINDS
    if not driver and not isinstance(error, _SPEAKS_OF_NO_ROW):
        return kind.__name__
    said = str(getattr(error, "orig", None) or error).splitlines() or [""]
    return f"{kind.__name__}: {said[0][:200]}"


def _story(error: BaseException) -> Iterator[str]:
    """The traceback, with every message as `brief` has it. Lines of code are ours, so they may stand."""
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in chain:
        chain.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    for one in reversed(chain):
        yield from traceback.format_tb(one.__traceback__)
        yield f"{brief(one)}\n"
        if one is not error:
            yield "and while that was handled:\n"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    known = {**about.get({}), **{name: value for name, value in vars(record).items() if name in FIELDS}}
    return {name: known[name] for name in FIELDS if known.get(name) not in (None, "")}


class _Text(logging.Formatter):
    """2026-10-02 14:32:00,123 INFO aftersales.web GET /t/{name} 200 in 12 ms (request=... ticket=...)"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- the library's name
        shown = " ".join(f"{name}={value}" for name, value in _fields(record).items() if name in FIELDS[:3])
        return super().formatMessage(record) + (f" ({shown})" if shown else "")

    def formatException(self, exc_info: Any) -> str:  # noqa: N802
        return "".join(_story(exc_info[1])).rstrip() if exc_info[1] is not None else ""


class _Json(logging.Formatter):
    """One object a line: time (UTC), level, logger, message, then FIELDS, then `error` with the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            told["error"] = "".join(_story(record.exc_info[1])).rstrip()
        # a lone surrogate of somebody's file name must not end the line
        line = json.dumps(told, ensure_ascii=False, default=str)
        return line.encode("utf-8", "replace").decode()
