"""What the pages of the team have in common: tabs, a form that comes back, ids in addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import HTTPException, Response
from fastapi.responses import RedirectResponse

from aftersales.errors import Refused
from aftersales.office.accounts import Account
from aftersales.saying import say
from web import forms, visit
from web.rendering import page

TABS = (
    ("/team", "概览"),
    ("/team/people", "人员"),
    ("/team/groups", "小组与分流"),
    ("/team/duty", "排班"),
    ("/team/shops", "店铺"),
    ("/team/calendar", "工作日历"),
    ("/replies", "常用回复"),
)
#: what has just been done, by the word in the address
DONE = {
    "saved": "已保存。",
    "added": "已添加。",
    "removed": "已删除。",
    "left": "已停用，手上的工单已转出，时限照走。",
    "back": "已重新启用。",
    "handed": "已转出，时限照走。",
    "dealt": "已分配，时限照走。",
}


def team_page(name: str, here: str, context: Mapping[str, Any], refusal: Refused | None = None) -> Response:
    """`here`: the tab that this page belongs to."""
    done = None if refusal is not None else DONE.get(_asked("done"))
    frame = {"tabs": TABS, "tab": here, "refusal": refusal, "done": done}
    return page(f"team/{name}.html", {**frame, **context}, forms.status(refusal))


def _asked(name: str) -> str:
    found = re.search(rf"(?:^|&){name}=([a-z]+)", visit.current.get().query)
    return found.group(1) if found else ""


def then(address: str, do: Callable[[], object]) -> RedirectResponse:
    """Does it, then goes there. Refused goes through: the page shows the form again."""
    do()
    return RedirectResponse(address, 303)


def by(me: Account | None) -> str:
    """Whoever does it, as events and versions name them."""
    return "" if me is None else me.login


def number(text: str) -> int:
    """An id in an address; 404 for anything else."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise HTTPException(404)
    return int(text)


def ids(texts: Iterable[str]) -> list[int]:
    """Ids that a form sent; what is none was not drawn by us."""
    return list(dict.fromkeys(int(text) for text in texts if re.fullmatch(r"[0-9]{1,18}", text)))


def count(text: str, label: str) -> int | None:
    """A whole number, or nothing. Refused: something else."""
    text = text.strip()
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Refused("invalid_field", say("{label}要写整数，不填就是不限", label=label))
    return int(text)
