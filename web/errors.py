"""What people see when something cannot be done: what happened, what became of their work and the clock, what to do."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aftersales import queries
from aftersales.database import DatabaseBusy
from aftersales.errors import Refused, UnknownTicket
from aftersales.logs import brief
from aftersales.queries import UNREACHABLE
from aftersales.saying import said_by
from aftersales.store import Stale, Taken
from web import logbook, visit
from web.rendering import page
from web.site import Site

log = logging.getLogger(__name__)
#: seconds after which a client may try again
_RETRY = {"Retry-After": "5"}
_AGAIN = {429, 503}


@dataclass(frozen=True)
class Words:
    """`happened` is said where nothing more exact is known."""

    title: str
    happened: str
    became: str
    remedy: str
    icon: str = "warn"


_NOTHING = "什么也没有写入，工单和时限都没有动。"
_WORDS = {
    400: Words("表单不完整", "提交的内容看不懂。", _NOTHING, "请回到工单重新打开表单再提交。"),
    403: Words("没有提交", "这次提交不是从本站的页面发出的。", _NOTHING, "请在本站打开工单再提交。", "lock"),
    404: Words("没有找到", "没有这个页面，请核对地址。", "", "", "search"),
    405: Words("不能这样打开", "这个地址只收表单。", _NOTHING, "请从工单页面进入。"),
    409: Words(
        "已有变动", "别人先改了这张工单。", "您的没有提交，什么也没有写入。", "请打开工单看过最新情况再提交。", "pencil"
    ),
    410: Words("文件不见了", "这份凭证的文件不在凭证文件夹里。", "", "请找管理员从备份恢复。", "search"),
    413: Words(
        "内容太大", "整张表单最多 2 MB。", _NOTHING, "请按浏览器的返回键回到表单，把长内容改为凭证再提交。"
    ),
    422: Words("表单有问题", "提交的内容看不懂。", _NOTHING, "请回到工单重新打开表单再提交。"),
    429: Words("太频繁了", "短时间内的请求太多。", _NOTHING, "请过几秒再试。", "late"),
    500: Words(
        "这一步没有做成，是我们的问题", "系统出错，原因已经记下。", "时限照走，到期的步骤仍按时执行。",
        "请先看工单现在的状态，再决定要不要重来；还不行，把下面的编号告诉管理员。", "warn",
    ),
    507: Words("没有存下", "服务器现在存不下文件。", _NOTHING, "请告诉管理员，空出地方之后再传一次。", "late"),
    503: Words(
        "暂时忙", "数据库暂时用不了。", "这次什么也没有写入；时限照走，到期的步骤恢复后按原来的时间补做。",
        "几秒后请再试一次；刚才填的内容，按浏览器的返回键还在。", "late",
    ),
}  # fmt: skip
_OTHER = Words("不能这样做", "这个请求办不了。", _NOTHING, "请从工单页面进入。")


def error_page(status: int, sentence: str = "", error_id: str = "", *, unknown_ticket: bool = False) -> Response:
    """The page of this status. `sentence`: what exactly was wrong, where that is known."""
    number = _number_asked_for() if unknown_ticket or (status == 404 and not sentence) else ""
    context = {
        "status": status,
        "words_of": _WORDS.get(status, _WORDS[500] if status > 500 else _OTHER),
        "sentence": sentence,
        "error_id": error_id,
        "number": number,
        "near": _near(number) if number else [],
        "retry": visit.current.get().method in ("GET", "HEAD"),
    }
    return page("error.html", context, status, _RETRY if status in _AGAIN else {})


def _number_asked_for() -> str:
    """What stands for a ticket in the address: /t/EX-221001-0042."""
    found = re.fullmatch(r"/t/([^/]{1,60})(?:/(?!evidence/).*)?", visit.current.get().path)
    return found[1] if found else ""


def _near(number: str) -> Sequence[tuple[int, str, str]]:
    """Tickets that may have been meant; none without the database."""
    site: Site | None = visit.current.get().known.get("site")
    with suppress(DatabaseBusy, *UNREACHABLE):
        return queries.near(site.desk.engine, number.upper()) if site and number.isascii() else []
    return []


def _answer(request: Request, status: int, sentence: str = "", error_id: str = "") -> Response:
    if request.url.path.endswith(".json"):
        told = {"status": status, "message": sentence} | ({"error": error_id} if error_id else {})
        return JSONResponse(told, status, _RETRY if status in _AGAIN else {})
    return error_page(status, sentence, error_id)


def _unknown(request: Request, error: Exception) -> Response:
    if request.url.path.endswith(".json"):
        return _answer(request, 404, said_by(error))
    return error_page(404, said_by(error), unknown_ticket=True)


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
    return _answer(request, error.status, said_by(error))


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
    """The number on the page is that of the request in the log. Starlette raises the error again after this answer."""
    error_id = logbook.request_id()
    log.error("%s failed: %s", error_id, brief(error), exc_info=error)
    return _answer(request, 500, error_id=error_id)


def install(app: FastAPI) -> None:
    app.add_exception_handler(UnknownTicket, _unknown)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Told, _told)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _unreadable)
    for busy in (DatabaseBusy, Stale, Taken, *UNREACHABLE):
        app.add_exception_handler(busy, _busy)
    app.add_exception_handler(Exception, _failed)
