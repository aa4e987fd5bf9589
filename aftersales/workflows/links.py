"""How tickets of different types hang together: which move opens another ticket, and what one tells the other.

The tables of the types do not know each other; this one knows them all. Relations have the same word on both
sides (fields.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aftersales import ticket as t
from aftersales.workflows.bad_review import BadReview
from aftersales.workflows.context import Context
from aftersales.workflows.exchange import Exchange
from aftersales.workflows.lost_parcel import LostParcel
from aftersales.workflows.refund import Refund
from aftersales.workflows.repair import Repair
from aftersales.workflows.vocabulary import Move, Opening, State, Step

REOPENED_FROM, CONVERTED_FROM = "reopened_from", "converted_from"
PARCEL_OF, REMEDY_OF, FOLLOW_UP_OF = "parcel_of", "remedy_of", "follow_up_of"
RELATIONS = {
    REOPENED_FROM: "重新发起",
    CONVERTED_FROM: "转单",
    PARCEL_OF: "换货包裹",
    REMEDY_OF: "丢件退款",
    FOLLOW_UP_OF: "追评",
}

#: (the attempt, the ticket as it is after it) -> the facts of the ticket to open
Facts = Callable[[Context, t.Ticket], Mapping[str, Any]]


@dataclass(frozen=True)
class Opens:
    """Arriving in this state (or taking this step) opens a ticket."""

    upon: State | Step
    opening: Opening
    relation: str
    facts: Facts


@dataclass(frozen=True)
class Tells:
    """Arriving in one of these states (or taking this step) takes a step on the linked ticket, if it can."""

    upon: State | Step | tuple[State, ...]
    over: str
    step: Step


# ── what the opened ticket starts with ──


def _money(after: t.Ticket) -> dict[str, Any]:
    return {"paid_fen": after.paid_fen, "refunded_fen": after.refunded_fen}


def _where_goods_are(after: t.Ticket) -> str:
    places = {"buyer": "awaiting_buyer_return", "on_the_way": "awaiting_merchant_receipt"}
    return places.get(after.goods, "refund_executing")


def _refund(c: Context, after: t.Ticket, *, kind: str, starts_at: str) -> Mapping[str, Any]:
    reason = after.fields.get("reason", "other")
    known = {value for value, _ in next(fact for fact in Refund.apply.facts if fact.name == "reason").choices}
    facts = {"kind": kind, "reason": reason if reason in known else "other", "starts_at": starts_at}
    return {**_money(after), **facts, "amount_fen": c.facts.get("amount_fen"), "region": after.fields.get("region")}


def _return_refund(c: Context, after: t.Ticket) -> Mapping[str, Any]:
    """With return: it starts where the goods are; claimed after a breach, or collected by the merchant: at once."""
    at_once = c.move is Repair.claim_refund or after.fields.get("merchant_collects")
    starts_at = "refund_executing" if at_once else _where_goods_are(after)
    return _refund(c, after, kind="return_refund", starts_at=starts_at)


def _refund_at_once(c: Context, after: t.Ticket) -> Mapping[str, Any]:
    return _refund(c, after, kind="shipped_refund_only", starts_at="refund_executing")


def _remedy_refund(c: Context, after: t.Ticket) -> Mapping[str, Any]:
    return {**_refund_at_once(c, after), "amount_fen": after.refund_fen}


def _exchange(c: Context, after: t.Ticket) -> Mapping[str, Any]:
    reason = after.fields.get("reason", "other")
    known = {value for value, _ in next(fact for fact in Exchange.apply.facts if fact.name == "reason").choices}
    starts_at = "awaiting_reship" if after.goods == "merchant" else "awaiting_buyer_return"
    facts = {"reason": reason if reason in known else "other", "starts_at": starts_at}
    return {**_money(after), **facts, "ship_to": after.fields.get("ship_to")}


def _same_again(c: Context, after: t.Ticket) -> Mapping[str, Any]:
    kept = {fact.name: after.fields.get(fact.name) for fact in Exchange.apply.facts if fact.name in after.fields}
    reason = c.facts.get("reason") or after.fields.get("reason")
    return {**kept, **_money(after), "reason": reason, "prior_attempts": after.fields.get("attempts_used", 0)}


def _parcel(c: Context, after: t.Ticket) -> Mapping[str, Any]:
    waybill = after.fields.get("reship_waybill_no", after.number.replace("-", ""))
    return {**_money(after), "waybill_no": waybill, "issue": c.facts["issue"]}


def _follow_up(c: Context, after: t.Ticket) -> Mapping[str, Any]:
    fields = after.fields
    review_id = f"{fields['review_id']}+{after.version}"
    return {"review_id": review_id, "rating": fields["rating"], "review_at": c.now, "text": c.facts["text"]}


# fmt: off
OPENS = [
    Opens(Exchange.converted_to_refund,      Refund.open_converted,   CONVERTED_FROM, _return_refund),
    Opens(Repair.converted_to_return_refund, Refund.open_converted,   CONVERTED_FROM, _return_refund),
    Opens(Repair.converted_to_refund,        Refund.open_converted,   CONVERTED_FROM, _refund_at_once),
    Opens(Repair.converted_to_exchange,      Exchange.open_converted, CONVERTED_FROM, _exchange),
    Opens(Refund.converted_to_exchange,      Exchange.open_converted, CONVERTED_FROM, _exchange),
    Opens(Exchange.reapply,                  Exchange.apply,          REOPENED_FROM,  _same_again),
    Opens(Exchange.report_reship_problem,    LostParcel.report,       PARCEL_OF,      _parcel),
    Opens(LostParcel.refunding,              Refund.open_converted,   REMEDY_OF,      _remedy_refund),
    Opens(BadReview.follow_up_review,        BadReview.detect,        FOLLOW_UP_OF,   _follow_up),
]

TELLS = [
    Tells(Exchange.reship_found,         PARCEL_OF, LostParcel.delivered),
    Tells(LostParcel.resolved_delivered, PARCEL_OF, Exchange.reship_found),
    Tells(Refund.refunded,               REMEDY_OF, LostParcel.remedy_done),
    Tells((Refund.cancelled, Refund.closed_timeout, Refund.closed_by_platform, Refund.closed_order_confirmed,
           Refund.converted_to_exchange),
          REMEDY_OF, LostParcel.remedy_failed),
    # what another remedy may now cost must not leave twice
    Tells(LostParcel.remedy_failed,      REMEDY_OF, Refund.payment_failed),
]
# fmt: on


@dataclass(frozen=True)
class Links:
    """The two tables, found by what has just happened."""

    opens: Mapping[State | Move, list[Opens]] = field(default_factory=dict)
    tells: Mapping[State | Move, list[Tells]] = field(default_factory=dict)

    def opened_by(self, context: Context, after: t.Ticket) -> tuple[t.Opening, ...]:
        if not self._concern(self.opens, context.move, after.state):
            return ()
        return tuple(
            t.Opening(row.opening.workflow.key, row.opening.name, row.relation, row.facts(context, after))
            for upon in _what_happened(context.move, context.ticket.state, after.state)
            for row in self.opens.get(upon, ())
        )

    def told_by(self, move: Move, from_state: str, to_state: str) -> list[Tells]:
        if not self._concern(self.tells, move, to_state):
            return []
        return [row for upon in _what_happened(move, from_state, to_state) for row in self.tells.get(upon, ())]

    @staticmethod
    def _concern(rows: Mapping[State | Move, Any], move: Move, to_state: str) -> bool:
        """Nearly every step of a sweep concerns nobody else: said without looking further."""
        return move in rows or move.workflow.state(to_state) in rows


def _what_happened(move: Move, from_state: str, to_state: str) -> list[State | Move]:
    return [move] if from_state == to_state else [move, move.workflow.state(to_state)]


def _by_event(rows: list[Any]) -> dict[State | Move, list[Any]]:
    found: dict[State | Move, list[Any]] = {}
    for row in rows:
        for upon in row.upon if isinstance(row.upon, tuple) else (row.upon,):
            found.setdefault(upon, []).append(row)
    return found


LINKS = Links(_by_event(OPENS), _by_event(TELLS))
