"""What people see when something cannot be done: what happened, what became of their work, what to do."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aftersales.database import DatabaseBusy
from aftersales.errors import Refused, UnknownTicket
from aftersales.queries import UNREACHABLE
from aftersales.saying import said_by
from aftersales.store import Stale, Taken
from web.rendering import page

#: seconds after which a client may try again
_RETRY = {"Retry-After": "5"}


def error_page(status: int, sentence: str = "") -> Response:
    """The page of this status. `sentence`: what exactly was wrong, where that is known."""
    headers = _RETRY if status == 503 else {}
    return page("error.html", {"status": status, "sentence": sentence}, status, headers)


def _answer(request: Request, status: int, sentence: str = "") -> Response:
    if request.url.path.endswith(".json"):
        return JSONResponse({"status": status, "message": sentence}, status, _RETRY if status == 503 else {})
    return error_page(status, sentence)


def _unknown(request: Request, error: Exception) -> Response:
    return _answer(request, 404, said_by(error))


def _refused(request: Request, error: Exception) -> Response:
    return _answer(request, 422, said_by(error))


def _busy(request: Request, error: Exception) -> Response:
    return _answer(request, 503, said_by(error) if isinstance(error, DatabaseBusy) else "")


class Told(Exception):
    """A page that cannot be: what is wrong with the address, in the language of the visit, and what to do."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, Told)
    return _answer(request, error.status, str(error))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = _answer(request, error.status_code, _own(error))
    answer.headers.update(error.headers or {})
    return answer


def _unreadable(request: Request, error: Exception) -> Response:
    """An address with something else than the number it is made of leads nowhere; a form like that is none of ours."""
    assert isinstance(error, RequestValidationError)
    in_path = any(one["loc"][:1] == ("path",) for one in error.errors())
    return _answer(request, 404 if in_path else 422)


def _own(error: HTTPException) -> str:
    """Our own sentences are Chinese; those of the framework stay unsaid."""
    return error.detail if not error.detail.isascii() else ""


def _failed(request: Request, error: Exception) -> Response:
    """Starlette raises the error again after this answer, so that the server logs it."""
    return _answer(request, 500)


def install(app: FastAPI) -> None:
    app.add_exception_handler(UnknownTicket, _unknown)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Told, _told)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _unreadable)
    for busy in (DatabaseBusy, Stale, Taken, *UNREACHABLE):
        app.add_exception_handler(busy, _busy)
    app.add_exception_handler(Exception, _failed)
