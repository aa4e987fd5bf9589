"""What a parcel's news does to a ticket. Pure. A table: where the ticket stands, which parcel it is, what happened.

The same parcel is judged by the ticket's state: what arrives late or twice finds no row and does nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from aftersales.feeds.kuaidi100 import STALE_HOURS
from aftersales.feeds.report import Parcel
from aftersales.feeds.wish import Wish
from aftersales.ticket import Ticket
from aftersales.workflows import facts


class Row(NamedTuple):
    workflow: str
    state: str
    #: back: from the buyer; out: to the buyer; lost: the one that was reported
    which: str
    what: str
    trigger: str
    #: what a report of trouble calls it
    issue: str = ""


# fmt: off
ROWS = (
    Row("exchange", "awaiting_merchant_receipt", "back", "signed", "return_signed"),
    Row("exchange", "awaiting_buyer_receipt", "out", "signed", "new_item_signed"),
    Row("exchange", "awaiting_buyer_receipt", "out", "stale", "report_reship_problem", "stale"),
    Row("exchange", "reship_exception", "out", "signed", "reship_found"),
    Row("refund", "awaiting_merchant_receipt", "back", "signed", "return_signed"),
    Row("repair", "awaiting_merchant_receipt", "back", "signed", "goods_received"),
    Row("repair", "awaiting_buyer_receipt", "out", "signed", "repaired_item_signed"),
    Row("lost_parcel", "reported", "lost", "signed", "delivered"),
    Row("lost_parcel", "contacting_courier", "lost", "signed", "delivered"),
    Row("lost_parcel", "suspected_lost", "lost", "signed", "delivered"),
    Row("lost_parcel", "confirmed_lost", "lost", "signed", "delivered"),
    Row("lost_parcel", "reshipping", "lost", "signed", "delivered"),
    Row("lost_parcel", "refunding", "lost", "signed", "delivered"),
    Row("lost_parcel", "compensating", "lost", "signed", "delivered"),
    Row("lost_parcel", "reshipping", "out", "signed", "remedy_done"),
    Row("lost_parcel", "suspected_lost", "lost", "moving", "parcel_moves"),
    Row("lost_parcel", "reported", "lost", "stale", "stale_detected"),
    Row("lost_parcel", "contacting_courier", "lost", "stale", "stale_detected"),
    Row("lost_parcel", "reported", "lost", "refused", "refused"),
    Row("lost_parcel", "returning_to_merchant", "lost", "returned", "refused_back"),
)
# fmt: on
#: steps that say when it happened
_DATED = {row.trigger for row in ROWS} - {"report_reship_problem", "stale_detected"}


def news(parcel: Parcel, ticket: Ticket) -> Wish | None:
    """The step it makes; None: nothing to this ticket, where it stands."""
    found = (row for row in ROWS if (row.workflow, row.state, row.what) == (ticket.workflow, ticket.state, parcel.what))
    row = next((row for row in found if row.which == which(parcel.waybill_no, ticket)), None)
    if row is None or _in_dispute(parcel, ticket):
        return None
    given: dict[str, object] = {facts.occurred_at.name: parcel.at} if row.trigger in _DATED else {}
    if row.issue:
        given[facts.parcel_issue.name] = row.issue
    if row.trigger == "stale_detected":
        given |= {"last_trace_at": parcel.last_trace_at, "threshold_hours": STALE_HOURS}
    return Wish(row.trigger, "system", given)


def which(waybill_no: str, ticket: Ticket) -> str:
    """Of a repair, which writes down no numbers, the state tells."""
    fields = ticket.fields
    if ticket.workflow == "lost_parcel":
        return "lost" if fields.get(facts.waybill_no.name) == waybill_no else "out"
    if ticket.workflow == "repair":
        return "out" if ticket.state == "awaiting_buyer_receipt" else "back"
    return "out" if fields.get(facts.reship_waybill_no.name) == waybill_no else "back"


def _in_dispute(parcel: Parcel, ticket: Ticket) -> bool:
    """「签收未收到」: that the courier says signed is what the buyer disputes, and settles nothing."""
    return parcel.what == "signed" and ticket.fields.get(facts.parcel_issue.name) == "signed_not_received"
