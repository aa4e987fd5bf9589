"""Which group a ticket belongs to, and what was handed to whom and not looked at yet.

Written in the transaction of the event that says so (desk.py); the events are the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine, delete, insert, select, update

from aftersales.clock import whole_second
from aftersales.database import Connection, reading, writing
from aftersales.errors import Refused
from aftersales.models import metadata
from aftersales.saying import say
from aftersales.ticket import Event, Ticket
from aftersales.workflows.vocabulary import Actor

_TEAM, _OF_TICKET, _TRANSFER, _TICKET = (
    metadata.tables[name] for name in ("team", "ticket_team", "transfer", "ticket")
)


class Transfer(NamedTuple):
    """A ticket that was handed on."""

    ticket_id: int
    number: str
    workflow: str
    policy: str
    state: str
    item_no: str
    buyer: str
    due_at: datetime | None
    by_login: str
    at: datetime
    reason: str
    summary: str
    seen_at: datetime | None


# ── written by the desk ──


def keep(connection: Connection, ticket: Ticket, events: Iterable[Event]) -> None:
    """What the assignments among these events say. Refused: a group that does not exist."""
    for event in events:
        if event.kind == "assign":
            _keep(connection, ticket, event)


def _keep(connection: Connection, ticket: Ticket, event: Event) -> None:
    name, receiver = event.facts.get("team"), event.facts.get("agent")
    if name:
        connection.execute(delete(_OF_TICKET).where(_OF_TICKET.c.ticket_id == ticket.id))
        row = {"ticket_id": ticket.id, "shop_id": ticket.shop_id, "team_id": team_named(connection, name)}
        connection.execute(insert(_OF_TICKET).values(**row))
    if event.actor == Actor.SYSTEM:
        return
    connection.execute(delete(_TRANSFER).where(_TRANSFER.c.ticket_id == ticket.id))
    if receiver and receiver != event.actor_name:  # taken for oneself is not handed on
        connection.execute(
            insert(_TRANSFER).values(
                ticket_id=ticket.id, shop_id=ticket.shop_id, to_login=receiver, by_login=event.actor_name,
                at=event.recorded_at, reason=event.facts.get("reason") or "", summary=event.facts.get("summary") or "",
            )
        )  # fmt: skip


def team_named(connection: Connection, name: str) -> int:
    found: int | None = connection.execute(select(_TEAM.c.id).where(_TEAM.c.name == name)).scalar()
    if found is None:
        raise Refused("invalid_field", say("没有叫「{name}」的小组，请从列表里选", name=name[:40]))
    return found


def team_in(connection: Connection, ticket_id: int) -> int | None:
    """The group of the ticket."""
    found: int | None = connection.execute(
        select(_OF_TICKET.c.team_id).where(_OF_TICKET.c.ticket_id == ticket_id)
    ).scalar()
    return found


# ── asked by pages ──


def team_of(engine: Engine, ticket_id: int) -> tuple[int, str] | None:
    """(id, name) of the group of the ticket."""
    question = select(_TEAM.c.id, _TEAM.c.name).join_from(_OF_TICKET, _TEAM)
    with reading(engine) as connection:
        row = connection.execute(question.where(_OF_TICKET.c.ticket_id == ticket_id)).first()
    return None if row is None else (row.id, row.name)


def unseen(engine: Engine, login: str, limit: int = 50) -> list[Transfer]:
    """Open tickets that were handed to this person and not opened yet, the newest first."""
    named = ("number", "workflow", "policy", "state", "item_no", "buyer", "due_at")
    told = ("by_login", "at", "reason", "summary", "seen_at")
    question = (
        select(_TICKET.c.id, *(_TICKET.c[name] for name in named), *(_TRANSFER.c[name] for name in told))
        .join_from(_TRANSFER, _TICKET)
        .where(_TRANSFER.c.to_login == login, _TRANSFER.c.seen_at.is_(None), _TICKET.c.closed_at.is_(None))
        .order_by(_TRANSFER.c.at.desc(), _TICKET.c.id)
        .limit(limit)
    )
    with reading(engine) as connection:
        return [Transfer(*row) for row in connection.execute(question)]


def unseen_among(engine: Engine, login: str, ticket_ids: Sequence[int]) -> set[int]:
    """Which of these tickets were handed to this person and not opened yet: for a mark in lists."""
    question = select(_TRANSFER.c.ticket_id).where(
        _TRANSFER.c.ticket_id.in_(ticket_ids), _TRANSFER.c.to_login == login, _TRANSFER.c.seen_at.is_(None)
    )
    with reading(engine) as connection:
        return set(connection.execute(question).scalars())


class Handed(NamedTuple):
    """How a ticket came to its owner."""

    by_login: str
    at: datetime
    reason: str
    summary: str


def opened(engine: Engine, ticket_id: int, login: str, at: datetime) -> Handed | None:
    """This person looks at the ticket: if it was handed to them and new, what was said with it; from now on it is
    not new. A page that is opened again and again writes once."""
    mine = (_TRANSFER.c.ticket_id == ticket_id, _TRANSFER.c.to_login == login, _TRANSFER.c.seen_at.is_(None))
    question = select(*(_TRANSFER.c[name] for name in Handed._fields)).where(*mine)
    with reading(engine) as connection:
        row = connection.execute(question).first()
    if row is None:
        return None
    with writing(engine) as connection:
        connection.execute(update(_TRANSFER).where(*mine).values(seen_at=whole_second(at)))
    return Handed(*row)
