"""Saved views of the queue: a filter under a name, for oneself or for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, func, insert, or_, select, update

from aftersales.clock import whole_second
from aftersales.database import Violation, reading, writing
from aftersales.errors import Refused
from aftersales.fill_in import text_problem
from aftersales.models import metadata
from aftersales.saying import say

_VIEW = metadata.tables["saved_view"]
LONGEST_NAME, LONGEST_QUERY = 40, 1000
#: as many as fit beside a list
MOST = 40


@dataclass(frozen=True)
class View:
    id: int
    #: login; "" where nobody signs in
    owner: str
    shared: bool
    name: str
    #: as in the queue's address, without "?"
    query: str
    position: int


_WHOLE = select(*(_VIEW.c[name] for name in View.__dataclass_fields__))


def seen_by(engine: Engine, login: str) -> list[View]:
    """One's own, in their order, then what others share."""
    mine = _VIEW.c.owner == login
    statement = _WHOLE.where(or_(mine, _VIEW.c.shared)).order_by(mine.desc(), _VIEW.c.position, _VIEW.c.id)
    with reading(engine) as connection:
        return [View(*row) for row in connection.execute(statement.limit(3 * MOST))]


def save(engine: Engine, login: str, name: str, query: str, at: datetime, *, shared: bool = False) -> None:
    """A new view at the end of one's own. Refused: no name, a name one has already, or too many."""
    values = {"name": _named(name), "query": query[:LONGEST_QUERY], "shared": shared}
    with _taken(name), writing(engine) as connection:
        of_owner = select(func.count(), func.coalesce(func.max(_VIEW.c.position), 0)).where(_VIEW.c.owner == login)
        have, last = connection.execute(of_owner).one()
        if have >= MOST:
            raise Refused("invalid_field", say("最多存 {n} 个视图，请先删掉不用的", n=MOST))
        connection.execute(
            insert(_VIEW).values(owner=login, position=last + 1, created_at=whole_second(at), **values)
        )  # fmt: skip


def rename(engine: Engine, login: str, id: int, name: str) -> None:
    with _taken(name):
        _change(engine, login, id, name=_named(name))


def share(engine: Engine, login: str, id: int, shared: bool) -> None:
    _change(engine, login, id, shared=shared)


def remove(engine: Engine, login: str, id: int) -> None:
    with writing(engine) as connection:
        connection.execute(delete(_VIEW).where(_VIEW.c.id == id, _VIEW.c.owner == login))


def move_up(engine: Engine, login: str, id: int) -> None:
    """Changes places with the view before it."""
    mine = select(_VIEW.c.id).where(_VIEW.c.owner == login).order_by(_VIEW.c.position, _VIEW.c.id)
    with writing(engine) as connection:
        order = list(connection.execute(mine).scalars())
        if id in order[1:]:
            place = order.index(id)
            order[place - 1], order[place] = order[place], order[place - 1]
        for position, view in enumerate(order, 1):
            connection.execute(update(_VIEW).where(_VIEW.c.id == view).values(position=position))


def _change(engine: Engine, login: str, id: int, **values: Any) -> None:
    """Others' views stay as they are."""
    with writing(engine) as connection:
        connection.execute(update(_VIEW).where(_VIEW.c.id == id, _VIEW.c.owner == login).values(**values))


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise Refused("missing_field", "视图要有个名字，请填写")
    problem = text_problem(name, LONGEST_NAME)
    if problem is not None:
        raise Refused("invalid_field", say("视图名字：{problem}", problem=problem))
    return name


@contextmanager
def _taken(name: str) -> Iterator[None]:
    """A name that one has already is said so, whoever was first."""
    try:
        yield
    except Violation:
        raise Refused("invalid_field", say("已经有叫「{name}」的视图了，请换个名字", name=name)) from None
