"""Who else is looking at a ticket, and who is filling in a form of it.

A page that is being looked at says so every 15 seconds; whoever was not heard of for 30 is not there any more.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from aftersales.clock import whole_second
from aftersales.database import reading, writing
from aftersales.models import metadata

_PRESENCE, _ACCOUNT, _TICKET = (metadata.tables[name] for name in ("presence", "account", "ticket"))
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

GONE_AFTER = timedelta(seconds=30)
#: people shown of one ticket; in a queue nobody reads more
MOST = 200


@dataclass(frozen=True, slots=True)
class Looking:
    """One person before one ticket. `doing`: the form being filled in, by its name; empty while only reading."""

    ticket_id: int
    workflow: str
    account_id: int
    name: str
    since: datetime
    doing: str


def here(engine: Engine, account_id: int, ticket_id: int, now: datetime, doing: str = "") -> None:
    """This person has this ticket open. The ticket must exist."""
    now = whole_second(now)
    row = {"account_id": account_id, "ticket_id": ticket_id, "since": now, "at": now, "doing": doing}
    stays = _PRESENCE.c.at > now - GONE_AFTER
    insert = _INSERT[engine.dialect.name](_PRESENCE).values(**row)
    with writing(engine) as connection:
        # own rows only: two people never wait for each other
        connection.execute(delete(_PRESENCE).where(_PRESENCE.c.account_id == account_id, ~stays))
        again = {"at": now, "doing": doing}
        connection.execute(insert.on_conflict_do_update(index_elements=["account_id", "ticket_id"], set_=again))


def gone(engine: Engine, account_id: int, ticket_id: int, doing: str = "") -> None:
    """This person closed the page, on which was this form or none. From it to another page of the ticket: stays."""
    columns = _PRESENCE.c
    mine = and_(columns.account_id == account_id, columns.ticket_id == ticket_id, columns.doing == doing)
    with writing(engine) as connection:
        connection.execute(delete(_PRESENCE).where(mine))


def looking(
    engine: Engine, ticket_ids: Collection[int], now: datetime, *, but: int | None = None
) -> dict[int, list[Looking]]:
    """By ticket: who has it open, the first comer first. `but`: an account that knows of itself."""
    return _by_ticket(engine, now, but, _PRESENCE.c.ticket_id.in_(ticket_ids)) if ticket_ids else {}


def everywhere(engine: Engine, now: datetime) -> dict[int, list[Looking]]:
    """The same of every ticket that somebody has open."""
    return _by_ticket(engine, now, None)


def _by_ticket(
    engine: Engine, now: datetime, but: int | None, *wanted: ColumnElement[bool]
) -> dict[int, list[Looking]]:
    columns = _PRESENCE.c
    statement = (
        select(
            *(columns.ticket_id, _TICKET.c.workflow, columns.account_id),
            *(_ACCOUNT.c.name, columns.since, columns.doing),
        )
        .join_from(_PRESENCE, _ACCOUNT, _ACCOUNT.c.id == columns.account_id)
        .join(_TICKET, _TICKET.c.id == columns.ticket_id)
        .where(and_(columns.at > now - GONE_AFTER, *wanted))
        .order_by(columns.ticket_id, columns.since, columns.account_id)
    )
    if but is not None:
        statement = statement.where(columns.account_id != but)
    found: dict[int, list[Looking]] = {}
    with reading(engine) as connection:
        for row in connection.execute(statement.limit(MOST)):
            found.setdefault(row.ticket_id, []).append(Looking(*row))
    return found
