"""What is known of an order before a ticket is opened on it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, select, text

from aftersales import bigrams, store
from aftersales.database import reading
from aftersales.models import metadata
from aftersales.queries.search import matching
from aftersales.ticket import Ticket

_TICKET, _SHOP = (metadata.tables[name] for name in ("ticket", "shop"))


def of_order(engine: Engine, order_no: str, shop_id: int | None = None, limit: int = 20) -> list[Ticket]:
    """Tickets of this order, open and closed, the latest first; of one shop or of all."""
    columns = _TICKET.c
    # by shop first, as the index is
    statement = select(columns.id).join_from(_SHOP, _TICKET, columns.shop_id == _SHOP.c.id)
    statement = statement.where(columns.order_no == order_no).order_by(columns.id.desc()).limit(limit)
    if shop_id is not None:
        statement = statement.where(_SHOP.c.id == shop_id)
    with reading(engine) as connection:
        return store.load(connection, connection.execute(statement).scalars().all())


def of_buyer(engine: Engine, buyer: str, shop_id: int, but: Sequence[int] = (), limit: int = 5) -> list[Ticket]:
    """The latest tickets of the buyer of just this name in the shop, `but` those of these ids."""
    if not bigrams.asked(buyer):
        return []
    columns = _TICKET.c
    with reading(engine) as connection:
        statement = select(columns.id).where(
            matching(connection.dialect.name, buyer), columns.buyer == buyer, columns.shop_id == shop_id,
            columns.id.not_in(but),
        )  # fmt: skip
        ids = connection.execute(statement.order_by(columns.id.desc()).limit(limit)).scalars().all()
        return store.load(connection, ids)


#: the counters of numbers are few: one for each type and day
_LAST_NUMBER = text(
    "SELECT name, value FROM counter WHERE shop_id = :shop AND name LIKE :of_type ORDER BY name DESC LIMIT 1"
)


def last_policy(engine: Engine, shop_id: int, code: str) -> str | None:
    """The platform of the shop's newest ticket of this type. `code`: the prefix of its numbers, EX."""
    with reading(engine) as connection:
        counted = connection.execute(_LAST_NUMBER, {"shop": shop_id, "of_type": f"{code}-______"}).first()
        if counted is None:
            return None
        ticket = store.load_by_number(connection, shop_id, f"{counted.name}-{counted.value:04d}")
    return None if ticket is None else ticket.policy
