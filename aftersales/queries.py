"""Read-only: a ticket with its story, the queue, counts. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, and_, func, not_, or_, select, text, true
from sqlalchemy.exc import InterfaceError, OperationalError

from aftersales import store
from aftersales.database import reading
from aftersales.errors import UnknownTicket
from aftersales.models import metadata
from aftersales.rows import EVENT, event_from_row
from aftersales.ticket import Event, Ticket


def ticket(engine: Engine, ticket_id: int) -> Ticket:
    """UnknownTicket if there is none."""
    with reading(engine) as connection:
        found = store.load(connection, [ticket_id], lock=False)
    if not found:
        raise UnknownTicket(f"没有编号为 {ticket_id} 的工单")
    return found[0]


_IDS_OF_NUMBER = text("SELECT id FROM ticket WHERE number = :number")
_IDS_IN_SHOP = text(
    "SELECT ticket.id FROM ticket JOIN shop ON shop.id = shop_id WHERE number = :number AND shop.name = :shop"
)


def ticket_by_number(engine: Engine, number: str, shop: str | None = None) -> Ticket:
    """By the number people read (EX-221001-0042) or by id. UnknownTicket if there is none, or more than one."""
    with reading(engine) as connection:
        question = _IDS_OF_NUMBER if shop is None else _IDS_IN_SHOP.bindparams(shop=shop)
        ids = connection.execute(question, {"number": number}).scalars().all()
    if not ids and shop is None and number.isascii() and number.isdecimal() and len(number) < 19:
        return ticket(engine, int(number))
    if not ids:
        raise UnknownTicket(f"没有编号为 {number} 的工单，请核对编号")
    if len(ids) > 1:
        raise UnknownTicket(f"几家店都有编号为 {number} 的工单，请用 --shop 说明是哪家店")
    return ticket(engine, ids[0])


def linked(engine: Engine, ticket_id: int) -> list[tuple[str, Ticket]]:
    """(relation, ticket), on whichever side this one stands."""
    with reading(engine) as connection:
        return store.linked(connection, ticket_id)


_EVENTS = text(f"SELECT {', '.join(EVENT)} FROM ticket_event WHERE ticket_id = :id ORDER BY seq")  # noqa: S608 -- names


def events(engine: Engine, ticket_id: int) -> list[Event]:
    """The whole history, oldest first."""
    with reading(engine) as connection:
        return [event_from_row(row) for row in connection.execute(_EVENTS, {"id": ticket_id})]


# ── the queue ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which open tickets; None is all of them."""

    workflow: str | None = None
    state: str | None = None
    policy: str | None = None
    shop_id: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the queue ended: the next one begins after it, however many tickets came and went since."""

    part: int
    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row of the queue."""

    id: int
    number: str
    workflow: str
    policy: str
    state: str
    shop: str
    owner: str | None
    order_no: str
    item_no: str
    buyer: str
    paid_fen: int
    refund_fen: int | None
    fields: Mapping[str, Any]
    flags: Sequence[str]
    escalated: bool
    overdue_in: str | None
    trouble: str | None
    entered_at: datetime
    due_at: datetime | None
    rule_id: str | None
    #: the timeout that the clock causes when it runs out
    clock_timeout: str | None
    #: "rule", "platform" or "agreement"
    clock_basis: str | None
    provisional: bool
    paused: Sequence[Mapping[str, Any]]
    no_clock_reason: str | None

    @property
    def amount_fen(self) -> int:
        """What it is about: the money released, else asked for, else paid."""
        asked: int | None = self.fields.get("amount_fen")
        if self.refund_fen is not None:
            return self.refund_fen
        return self.paid_fen if asked is None else asked

    @property
    def overdue(self) -> bool:
        """A clock ran out in this very state and the ticket stayed."""
        return self.overdue_in == self.state


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Waiting]
    #: None: this was the last page
    next: Place | None


_TICKET, _SHOP, _HEARTBEAT = (metadata.tables[name] for name in ("ticket", "shop", "heartbeat"))
_LATE = or_(_TICKET.c.escalated == true(), _TICKET.c.overdue_in.is_not_distinct_from(_TICKET.c.state))
#: The parts of the queue, one after the other, each with its order: late, those with a clock, those without. Each is
#: a range of the index on (shop_id, due_at, id) or a pass over the open tickets of the shop.
_PARTS = (
    (_LATE, _TICKET.c.entered_at),
    (and_(not_(_LATE), _TICKET.c.due_at.is_not(None)), _TICKET.c.due_at),
    (and_(not_(_LATE), _TICKET.c.due_at.is_(None)), _TICKET.c.entered_at),
)
_WAITING = (
    *(_SHOP.c.name.label("shop") if field.name == "shop" else _TICKET.c[field.name] for field in fields(Waiting)),
)


def queue(engine: Engine, wanted: Wanted, *, after: Place | None = None, limit: int = 50) -> Page:
    """Open tickets: late ones, then by due time, then those without a clock, the longest waiting first."""
    rows: list[tuple[int, Waiting]] = []
    first = 0 if after is None else after.part
    with reading(engine) as connection:
        for part in range(first, len(_PARTS)):
            statement = _part_of_queue(part, wanted, after if part == first else None, limit + 1 - len(rows))
            rows += [(part, Waiting(*row)) for row in connection.execute(statement)]
            if len(rows) > limit:
                break
    shown = rows[:limit]
    return Page([row for _, row in shown], _place(*shown[-1]) if len(rows) > limit else None)


def _part_of_queue(part: int, wanted: Wanted, after: Place | None, limit: int) -> Select[Any]:
    """`limit` rows of one part: keyset paging, since OFFSET reads all that it leaves out."""
    columns, (belongs, order) = _TICKET.c, _PARTS[part]
    statement = select(*_WAITING).join_from(_TICKET, _SHOP, _SHOP.c.id == columns.shop_id)
    statement = statement.where(columns.closed_at.is_(None), belongs)
    for column, value in (
        (columns.shop_id, wanted.shop_id),
        (columns.workflow, wanted.workflow),
        (columns.state, wanted.state),
        (columns.policy, wanted.policy),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if after is not None:
        statement = statement.where(or_(order > after.at, and_(order == after.at, columns.id > after.id)))
    return statement.order_by(order, columns.id).limit(limit)


def _place(part: int, row: Waiting) -> Place:
    at = row.due_at if _PARTS[part][1].name == "due_at" else row.entered_at
    assert at is not None
    return Place(part, at, row.id)


def shops(engine: Engine) -> list[tuple[int, str]]:
    """(id, name) of every shop, the oldest first."""
    with reading(engine) as connection:
        return [(row.id, row.name) for row in connection.execute(select(_SHOP.c.id, _SHOP.c.name).order_by(_SHOP.c.id))]


def numbered(engine: Engine, number: str) -> list[tuple[int, str]]:
    """(ticket id, shop) of every ticket of this number: shops count for themselves."""
    statement = (
        select(_TICKET.c.id, _SHOP.c.name)
        .join_from(_TICKET, _SHOP, _SHOP.c.id == _TICKET.c.shop_id)
        .where(_TICKET.c.number == number)
        .order_by(_TICKET.c.shop_id)
    )
    with reading(engine) as connection:
        return [(row.id, row.name) for row in connection.execute(statement)]


def key_used(engine: Engine, shop: str, key: str) -> bool:
    """Whether a command with this idempotency key has already been taken in this shop."""
    with reading(engine) as connection:
        shop_id = store.shop_id_of(connection, shop, create=False)
        return shop_id is not None and store.remembered(connection, shop_id, key) is not None


# ── health ────────────────────────────────────────────────────────────────────────────────────────────────────────────

#: what the driver raises when the database cannot be reached, or cannot go on (disk full)
UNREACHABLE: tuple[type[Exception], ...] = (OperationalError, InterfaceError)


def last_beat(engine: Engine) -> datetime | None:
    """When any scheduler last finished a round; None if none ever did."""
    with reading(engine) as connection:
        last: datetime | None = connection.execute(select(func.max(_HEARTBEAT.c.at))).scalar()
        return last
