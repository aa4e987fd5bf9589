"""Read-only: a ticket with its story, the queue, counts. Nothing here changes anything."""

from __future__ import annotations

from sqlalchemy import Engine, text

from aftersales import store
from aftersales.database import reading
from aftersales.errors import UnknownTicket
from aftersales.rows import EVENT, event_from_row
from aftersales.ticket import Event, Ticket


def ticket(engine: Engine, ticket_id: int) -> Ticket:
    """UnknownTicket if there is none."""
    with reading(engine) as connection:
        found = store.load(connection, [ticket_id], lock=False)
    if not found:
        raise UnknownTicket(f"没有编号为 {ticket_id} 的工单")
    return found[0]


_IDS_OF_NUMBER = text(
    "SELECT id FROM ticket WHERE number = :number AND (CAST(:shop AS BIGINT) IS NULL OR shop_id = :shop)"
)


def ticket_by_number(engine: Engine, number: str, shop_id: int | None = None) -> Ticket:
    """By the number people read (EX-221001-0042) or by id. UnknownTicket if there is none, or more than one."""
    with reading(engine) as connection:
        ids = connection.execute(_IDS_OF_NUMBER, {"number": number, "shop": shop_id}).scalars().all()
    if not ids and number.isdigit():
        return ticket(engine, int(number))
    if len(ids) != 1:
        many = "有不止一张" if ids else "没有"
        raise UnknownTicket(f"{many}编号为 {number} 的工单，请核对编号")
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
