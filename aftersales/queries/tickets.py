"""One ticket with its story, and what is known of shops and numbers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, select, text

from aftersales import store
from aftersales.database import reading
from aftersales.errors import UnknownTicket
from aftersales.models import metadata
from aftersales.rows import EVENT, event_from_row
from aftersales.saying import Written, say
from aftersales.ticket import Event, Ticket

_TICKET, _SHOP = (metadata.tables[name] for name in ("ticket", "shop"))


def ticket(engine: Engine, ticket_id: int) -> Ticket:
    """UnknownTicket if there is none."""
    with reading(engine) as connection:
        found = store.load(connection, [ticket_id], lock=False)
    if not found:
        raise UnknownTicket(say("没有编号为 {number} 的工单", number=ticket_id))
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
        raise UnknownTicket(say("没有编号为 {number} 的工单，请核对编号", number=Written(number)))
    if len(ids) > 1:
        raise UnknownTicket(say("几家店都有编号为 {number} 的工单，请用 --shop 说明是哪家店", number=number))
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


def near(engine: Engine, number: str) -> list[tuple[int, str, str]]:
    """(ticket id, number, shop) of numbers that are this one with two neighbouring digits changed about."""
    pairs = [place for place in range(len(number) - 1) if number[place : place + 2].isdecimal()]
    swapped = {number[:place] + number[place + 1] + number[place] + number[place + 2 :] for place in pairs[:20]}
    statement = select(_TICKET.c.id, _TICKET.c.number, _SHOP.c.name).join_from(
        _SHOP, _TICKET, _SHOP.c.id == _TICKET.c.shop_id
    )
    statement = statement.where(_TICKET.c.number.in_(swapped - {number})).order_by(_TICKET.c.id.desc()).limit(3)
    with reading(engine) as connection:
        return [(row.id, row.number, row.name) for row in connection.execute(statement)]


def key_used(engine: Engine, shop: str, key: str) -> bool:
    """Whether a command with this idempotency key has already been taken in this shop."""
    with reading(engine) as connection:
        shop_id = store.shop_id_of(connection, shop, create=False)
        return shop_id is not None and store.remembered(connection, shop_id, key) is not None


def loaded(engine: Engine, ids: Sequence[int]) -> list[Ticket]:
    """These tickets, in this order, without those that do not exist."""
    with reading(engine) as connection:
        return store.load(connection, ids)
