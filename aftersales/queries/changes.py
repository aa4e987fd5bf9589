"""What has changed since: the events of every process, in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, or_, select

from aftersales.database import reading
from aftersales.models import metadata

_EVENT, _TICKET = metadata.tables["ticket_event"], metadata.tables["ticket"]


@dataclass(frozen=True, slots=True)
class Changed:
    """An event, and its ticket as it stands by now."""

    event_id: int
    ticket_id: int
    shop_id: int
    number: str
    workflow: str
    state: str
    version: int
    owner: str | None
    due_at: datetime | None
    closed_at: datetime | None
    #: of the event: what was done, and by whom
    trigger: str
    actor: str
    actor_name: str


_OF_TICKET = ("shop_id", "number", "workflow", "state", "version", "owner", "due_at", "closed_at")
_COLUMNS = (
    *(_EVENT.c.id, _EVENT.c.ticket_id, *(_TICKET.c[name] for name in _OF_TICKET)),
    *(_EVENT.c.trigger, _EVENT.c.actor, _EVENT.c.actor_name),
)


def newest_event(engine: Engine) -> int:
    """The id of the last event; 0 before the first."""
    with reading(engine) as connection:
        newest: int = connection.execute(select(func.coalesce(func.max(_EVENT.c.id), 0))).scalar_one()
        return newest


def newest_recorded(engine: Engine) -> datetime | None:
    """When the last event was written down; None before the first."""
    with reading(engine) as connection:
        newest: datetime | None = connection.execute(
            select(_EVENT.c.recorded_at).order_by(_EVENT.c.id.desc()).limit(1)
        ).scalar()
        return newest


def changed_after(engine: Engine, event_id: int, limit: int, *, late: Collection[int] = ()) -> list[Changed]:
    """Events with a greater id, the oldest first, `limit` at most; and those of `late` that are there by now."""
    wanted = or_(_EVENT.c.id > event_id, _EVENT.c.id.in_(late)) if late else _EVENT.c.id > event_id
    statement = select(*_COLUMNS).join_from(_EVENT, _TICKET, _TICKET.c.id == _EVENT.c.ticket_id).where(wanted)
    with reading(engine) as connection:
        rows = connection.execute(statement.order_by(_EVENT.c.id).limit(limit))
        return [Changed(*row) for row in rows]
