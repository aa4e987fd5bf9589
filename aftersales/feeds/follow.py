"""What a report asks of the ticket here: at most one step to where the platform stands, and its deadline. Pure.

A step of the workflow where there is one that a buyer, the platform or the system takes; else the platform's state is
adopted, if the ticket goes by the platform or a person says so. None of these orders money.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from aftersales.decide import Rules
from aftersales.feeds.report import Report
from aftersales.feeds.wish import Wish
from aftersales.ticket import Ticket
from aftersales.workflows.plain import ADOPT_PLATFORM_STATE, SET_PLATFORM_DEADLINE
from aftersales.workflows.vocabulary import Step


class Row(NamedTuple):
    workflow: str
    to: str
    trigger: str
    actor: str
    #: of the facts the step takes, those the report fills in; one that it must and does not: no step
    gives: tuple[str, ...] = ()
    #: said besides
    also: Mapping[str, Any] = {}


_WAYBILL = ("waybill_no", "courier")
# fmt: off
ROWS = (
    Row("refund", "pending_merchant_review", "modify", "buyer"),
    Row("refund", "cancelled", "cancel", "buyer"),
    Row("refund", "closed_order_confirmed", "order_confirmed", "buyer"),
    Row("refund", "awaiting_merchant_receipt", "submit_return_waybill", "buyer", _WAYBILL),
    Row("refund", "platform_intervening", "request_intervention", "buyer"),
    Row("refund", "closed_by_platform", "platform_rule", "platform", (), {"outcome": "closed_by_platform"}),
    Row("refund", "awaiting_buyer_return", "platform_rule", "platform", (), {"outcome": "awaiting_buyer_return"}),
    Row("refund", "rejected_pending_buyer", "platform_rule", "platform", (), {"outcome": "rejected_pending_buyer"}),
    Row("refund", "refunded", "payment_ok", "system", ("occurred_at",)),
    Row("refund", "refund_failed", "payment_failed", "system"),
    Row("exchange", "pending_merchant_review", "modify", "buyer"),
    Row("exchange", "cancelled", "cancel", "buyer"),
    Row("exchange", "awaiting_merchant_receipt", "submit_return_waybill", "buyer", _WAYBILL),
    Row("exchange", "platform_intervening", "request_intervention", "buyer"),
    Row("exchange", "closed_by_platform", "platform_rule", "platform", (), {"outcome": "closed_by_platform"}),
    Row("exchange", "awaiting_buyer_return", "platform_rule", "platform", (), {"outcome": "awaiting_buyer_return"}),
    Row("exchange", "awaiting_reship", "platform_rule", "platform", (), {"outcome": "awaiting_reship"}),
    Row("exchange", "completed", "confirm", "buyer"),
    Row("repair", "cancelled", "cancel", "buyer"),
    Row("repair", "awaiting_merchant_receipt", "buyer_ship", "buyer", _WAYBILL),
    Row("repair", "platform_intervening", "request_intervention", "buyer"),
    Row("repair", "closed_by_platform", "platform_rule", "platform", (), {"outcome": "closed_by_platform"}),
    Row("repair", "completed", "confirm", "buyer"),
)
# fmt: on


def agrees(report: Report, ticket: Ticket) -> bool:
    return ticket.state in report.agree


def step(report: Report, ticket: Ticket, rules: Rules) -> Wish | None:
    """The workflow's own step to a state that agrees; None if there is none from here."""
    if agrees(report, ticket) or ticket.closed_at is not None or ticket.workflow != report.workflow:
        return None
    for to in report.agree:
        for row in ROWS:
            move = rules.workflow(ticket).move(row.trigger) if (row.workflow, row.to) == (ticket.workflow, to) else None
            if isinstance(move, Step) and rules.workflow(ticket).state(ticket.state) in move.sources:
                given = _given(row, report)
                if all(fact.name in given for fact in move.asks):
                    return Wish(row.trigger, row.actor, given)
    return None


def _given(row: Row, report: Report) -> dict[str, Any]:
    told = {"waybill_no": report.waybill_no, "courier": report.courier, "occurred_at": report.said_at}
    return {**row.also, **{name: told[name] for name in row.gives if told[name]}}


def adoption(report: Report, ticket: Ticket, now: datetime) -> Wish | None:
    """The platform's state, past the workflow's rows; None if there is nothing to adopt."""
    if agrees(report, ticket) or ticket.closed_at is not None or ticket.workflow != report.workflow:
        return None
    given: dict[str, Any] = {"state": report.agree[0], "occurred_at": report.said_at}
    if report.due_at is not None and report.due_at > now:
        given["due_at"] = report.due_at
    return Wish(ADOPT_PLATFORM_STATE.name, "platform", given)


def deadline(report: Report, ticket: Ticket, now: datetime) -> Wish | None:
    """Of a ticket that stands where the platform's does. A deadline that is over was acted on by the platform."""
    if not agrees(report, ticket) or ticket.closed_at is not None or report.due_at is None:
        return None
    if report.due_at <= now or report.due_at == ticket.due_at:
        return None
    return Wish(SET_PLATFORM_DEADLINE.name, "platform", {"due_at": report.due_at})
