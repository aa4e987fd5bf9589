"""What a ticket's story is told with beside its events: its ledger, linked tickets, others of the buyer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, select, text

from aftersales.database import reading
from aftersales.models import metadata

_PAYMENT, _LINK, _TICKET = (metadata.tables[name] for name in ("payment", "ticket_link", "ticket"))


@dataclass(frozen=True)
class Paid:
    """One order of the ledger. `status`: ordered, paid, failed, offline."""

    purpose: str
    amount_fen: int
    status: str
    created_at: datetime
    tried_at: datetime


def payments(engine: Engine, ticket_id: int) -> list[Paid]:
    """The oldest first; a ticket has one for each purpose at most."""
    columns = (_PAYMENT.c[name] for name in Paid.__dataclass_fields__)
    question = select(*columns).where(_PAYMENT.c.ticket_id == ticket_id).order_by(_PAYMENT.c.id)
    with reading(engine) as connection:
        return [Paid(*row) for row in connection.execute(question)]


@dataclass(frozen=True)
class Other:
    """Another ticket, as little of it as a side card shows."""

    id: int
    number: str
    workflow: str
    state: str
    due_at: datetime | None
    closed_at: datetime | None
    opened_at: datetime
    order_no: str


_OTHER = tuple(_TICKET.c[name] for name in Other.__dataclass_fields__)


@dataclass(frozen=True)
class Link:
    """`outgoing`: our ticket is `relation` of the other (reopened_from it); else the other is of ours."""

    relation: str
    outgoing: bool
    other: Other


def links(engine: Engine, ticket_id: int, most: int = 50) -> list[Link]:
    """Both directions, the oldest ticket first."""
    with reading(engine) as connection:
        found = []
        for mine, theirs, outgoing in ((_LINK.c.from_id, _LINK.c.to_id, True), (_LINK.c.to_id, _LINK.c.from_id, False)):
            rows = connection.execute(
                select(_LINK.c.relation, *_OTHER)
                .join_from(_LINK, _TICKET, _TICKET.c.id == theirs)
                .where(mine == ticket_id)
                .order_by(theirs)
                .limit(most)
            )
            found += [Link(row[0], outgoing, Other(*row[1:])) for row in rows]
    return sorted(found, key=lambda link: link.other.id)


def others(
    engine: Engine, shop_id: int, ticket_id: int, *, order_no: str, buyer: str, most: int = 6
) -> tuple[list[Other], list[Other]]:
    """(of the same order, of the same buyer but another order), the newest first."""
    with reading(engine) as connection:

        def few(*conditions: ColumnElement[bool] | Any) -> list[Other]:
            question = select(*_OTHER).where(_TICKET.c.shop_id == shop_id, _TICKET.c.id != ticket_id, *conditions)
            return [Other(*row) for row in connection.execute(question.order_by(_TICKET.c.id.desc()).limit(most))]

        of_order = few(_TICKET.c.order_no == order_no) if order_no else []
        # said as the index says it, so that it is used
        same_buyer = (_TICKET.c.buyer == buyer, text("buyer <> ''"), _TICKET.c.order_no != order_no)
        return of_order, few(*same_buyer) if buyer else []
