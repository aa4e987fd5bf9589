"""What a step has to know of other tickets: asked before it is decided, so that deciding needs no database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aftersales import store
from aftersales.database import Connection
from aftersales.decide import Rules
from aftersales.fill_in import LONGEST_NAME, text_problem
from aftersales.ticket import Ticket
from aftersales.workflows.context import NOTHING_KNOWN, Known
from aftersales.workflows.guards import KNOWN


def what_guards_ask(
    connection: Connection, ticket: Ticket, trigger: str, facts: Mapping[str, Any], rules: Rules
) -> Known:
    """Asks only what the guards of this step will want to know."""
    move = rules.workflow(ticket).move(trigger)
    if move is None or all(guard.reads != KNOWN for guard in move.needs):
        return NOTHING_KNOWN
    refunded = store.refunded_on(connection, ticket.shop_id, ticket.order_no, ticket.item_no, but=ticket.id)
    return Known(_in_use(connection, ticket, facts.get("waybill_no")), refunded_fen=refunded)


def _in_use(connection: Connection, ticket: Ticket, waybill: Any) -> frozenset[str]:
    if not isinstance(waybill, str) or text_problem(waybill, LONGEST_NAME) is not None:
        return frozenset()  # refused for what it is; the database need not be asked
    used = store.waybill_used(connection, ticket.shop_id, waybill.strip())
    return frozenset([waybill.strip()] if used else [])
