"""Whose tickets, how many, and what runs out while nobody is there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, Select, func, select

from aftersales.database import reading
from aftersales.models import metadata

_TICKET, _SHOP, _OF_TICKET = (metadata.tables[name] for name in ("ticket", "shop", "ticket_team"))
#: by shop, since the indexes begin with it
_OPEN = (_TICKET.c.shop_id.in_(select(_SHOP.c.id)), _TICKET.c.closed_at.is_(None))


class Held(NamedTuple):
    """A ticket somebody has, or nobody."""

    id: int
    shop_id: int
    number: str
    workflow: str
    policy: str
    state: str
    item_no: str
    buyer: str
    owner: str | None
    due_at: datetime | None


_HELD = select(*(_TICKET.c[name] for name in Held._fields))


def held_by(engine: Engine, owner: str | None, limit: int = 200) -> list[Held]:
    """Open tickets of this person, or of nobody, what runs out first standing first."""
    question = _HELD.where(*_OPEN, _TICKET.c.owner == owner)
    order = (_TICKET.c.due_at.is_(None), _TICKET.c.due_at, _TICKET.c.id)
    return _held(engine, question.order_by(*order).limit(limit))


def these(engine: Engine, ids: Sequence[int]) -> list[Held]:
    """Those of them that are open, by id."""
    return _held(engine, _HELD.where(_TICKET.c.id.in_(ids), _TICKET.c.closed_at.is_(None)).order_by(_TICKET.c.id))


def _held(engine: Engine, question: Select[Any]) -> list[Held]:
    with reading(engine) as connection:
        return [Held(*row) for row in connection.execute(question)]


def how_many_have(engine: Engine, owner: str | None) -> int:
    """Open tickets of this person, or of nobody."""
    with reading(engine) as connection:
        question = select(func.count()).select_from(_TICKET).where(*_OPEN, _TICKET.c.owner == owner)
        return connection.execute(question).scalar_one()


def groups_of(engine: Engine, ids: Sequence[int]) -> dict[int, int]:
    """The group of each ticket that has one."""
    question = select(_OF_TICKET.c.ticket_id, _OF_TICKET.c.team_id).where(_OF_TICKET.c.ticket_id.in_(ids))
    with reading(engine) as connection:
        return {row[0]: row[1] for row in connection.execute(question)}


def run_out_between(engine: Engine, start: datetime, end: datetime) -> int:
    """How many clocks run out from the one instant up to the other."""
    between = (_TICKET.c.due_at >= start, _TICKET.c.due_at < end)
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(_TICKET).where(*_OPEN, *between)).scalar_one()
