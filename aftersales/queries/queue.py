"""The queue: open tickets, the most urgent first, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, and_, not_, or_, select, true

from aftersales.database import reading
from aftersales.models import metadata


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


_TICKET, _SHOP = (metadata.tables[name] for name in ("ticket", "shop"))
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
