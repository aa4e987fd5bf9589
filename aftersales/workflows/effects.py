"""What a move leaves behind on the ticket beside its new state. Pure: an effect writes on the draft only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aftersales.ticket import Payment
from aftersales.workflows import facts as f
from aftersales.workflows import guards
from aftersales.workflows.context import Context
from aftersales.workflows.vocabulary import Fact

Effect = Callable[[Context], None]


def keep(*facts: Fact) -> Effect:
    """The ticket remembers what was filled in; what was left empty stays as it was."""

    def effect(c: Context) -> None:
        for fact in facts:
            if c.facts.get(fact.name) is not None:
                c.draft.fields[fact.name] = c.facts[fact.name]

    return effect


def keep_as(given: Fact, remembered: Fact) -> Effect:
    def effect(c: Context) -> None:
        c.draft.fields[remembered.name] = c.facts.get(given.name)

    return effect


def put(fact: Fact, value: Any) -> Effect:
    return lambda c: c.draft.fields.__setitem__(fact.name, value)


def forget(*facts: Fact) -> Effect:
    def effect(c: Context) -> None:
        for fact in facts:
            c.draft.fields.pop(fact.name, None)

    return effect


def count_up(fact: Fact) -> Effect:
    return lambda c: c.draft.fields.__setitem__(fact.name, (c.remembered(fact) or 0) + 1)


def raise_flag(flag: str) -> Effect:
    return lambda c: c.draft.raise_flag(flag)


def lower_flag(flag: str) -> Effect:
    return lambda c: c.draft.lower_flag(flag)


def escalate(c: Context) -> None:
    """Marks the ticket for a supervisor."""
    c.draft.changes["escalated"] = True


def use_waybill(c: Context) -> None:
    """No other ticket, nor this one again, may use the number."""
    if c.facts.get("waybill_no") is not None:
        c.draft.waybills.append(c.facts["waybill_no"])


def use_attempt(c: Context) -> None:
    """WX-05: applying and modifying use one attempt each, counted on from those before this ticket."""
    used = c.ticket.fields.get(f.attempts_used.name, c.value(f.prior_attempts))
    c.draft.fields[f.attempts_used.name] = used + 1


def goods_back_to_buyer(c: Context) -> None:
    """The buyer withdrew while the goods were on the way back or with the merchant: a task to return them."""
    if c.ticket.goods != "buyer":
        c.draft.raise_flag("return_to_buyer")


# ── 退款金额 ──


def ask_amount(c: Context) -> None:
    """What is asked for, in 分: given, or all that is left; vouchers by KS-LL-01/02."""
    c.draft.fields["amount_fen"] = guards.asked_amount(c)
    if c.value(f.refund_kind) == "voucher":
        c.draft.fields["voucher_count"] = c.facts.get("voucher_count") or guards.vouchers_left(c)


def propose_amount(c: Context) -> None:
    given = c.facts.get("amount_fen")
    c.draft.fields["proposed_fen"] = c.ticket.fields["amount_fen"] if given is None else given


def take_proposal(c: Context) -> None:
    c.draft.fields["amount_fen"] = c.draft.fields.pop("proposed_fen", c.ticket.fields["amount_fen"])


def deduct(c: Context) -> None:
    c.draft.fields["amount_fen"] = c.ticket.fields["amount_fen"] - (c.facts.get("deduct_fen") or 0)


def deduct_freight(c: Context) -> None:
    """OP-07."""
    c.draft.fields["amount_fen"] = max(0, c.ticket.fields["amount_fen"] - guards.freight_deducted(c))


def release_refund(c: Context) -> None:
    """The money is ordered: one ledger row per ticket, however often payment is tried."""
    amount: int = c.draft.fields["amount_fen"] if c.ticket.refund_fen is None else c.ticket.refund_fen
    c.draft.changes["refund_fen"] = amount
    c.draft.fields[f.refund_tried_at.name] = c.now
    if amount > 0:
        c.draft.payments.append(Payment("refund", amount, "ordered"))


def close_zero_refund(c: Context) -> None:
    """0 分: closed as refunded with no payment call (decision 10)."""
    if c.ticket.refund_fen is None:
        c.draft.changes["refund_fen"] = 0


def refund_is(status: str) -> Effect:
    """The ledger row of this refund: paid, failed, or paid `offline`."""

    def effect(c: Context) -> None:
        if c.ticket.refund_fen:
            c.draft.payments.append(Payment("refund", c.ticket.refund_fen, status))

    return effect


def pay_repair_cost(c: Context) -> None:
    c.draft.payments.append(Payment("repair_cost", c.facts["amount_fen"], "ordered"))


def remember_signed(c: Context) -> None:
    """Signed for after all: it can no longer be intercepted or refused."""
    c.draft.fields[f.signed_at.name] = c.at


# ── 维修 ──


def remember_visit_limit(c: Context) -> None:
    """KS-RP-07 stays the outer limit of a visit agreed in the grace period."""
    clock = c.ticket.clock
    if c.ticket.state == "visit_grace" and clock is not None:
        c.draft.fields[f.visit_limit_at.name] = clock.due_at


def remember_first_visit(c: Context) -> None:
    """KS-RP-08 counts from the first visit, whenever later ones follow."""
    if c.remembered(f.first_visit_at) is None and c.to == "on_site_repairing":
        c.draft.fields[f.first_visit_at.name] = c.at


def entitles_to(entitlement: str, *, needs_mutual_evidence: bool, merchant_collects: bool) -> Effect:
    """A breach never refunds by itself: what the buyer may claim is recorded, people are told (decision 16)."""

    def effect(c: Context) -> None:
        c.draft.fields[f.entitlement.name] = entitlement
        c.draft.fields[f.needs_mutual_evidence.name] = needs_mutual_evidence
        c.draft.fields[f.merchant_collects.name] = merchant_collects
        escalate(c)

    return effect


def clear_entitlement(c: Context) -> None:
    for fact in (f.entitlement, f.needs_mutual_evidence, f.merchant_collects):
        c.draft.fields.pop(fact.name, None)


def note_no_agreement(c: Context) -> None:
    """KS-RP-03: both sides' evidence shows that no agreement was reached."""
    if c.facts.get("no_agreement"):
        c.draft.fields[f.needs_mutual_evidence.name] = False


def collect_goods(c: Context) -> None:
    """商户需自行联系取回商品."""
    if c.remembered(f.merchant_collects) and c.to.startswith("converted_to"):
        c.draft.raise_flag("collect_goods")


# ── 丢件 ──


def remedy_amount(c: Context) -> None:
    """What the remedy costs, in 分: a refund takes all that may be refunded unless less is given."""
    given = c.facts.get("amount_fen")
    if c.facts["kind"] == "refund":
        c.draft.changes["refund_fen"] = guards.remedy_limit(c) if given is None else given
    if c.facts["kind"] == "compensate":
        c.draft.fields["compensation_fen"] = given
        c.draft.payments.append(Payment("compensation", c.facts["amount_fen"], "ordered"))


def compensation_is(status: str) -> Effect:
    """The ledger row of a compensation under way; an imported one has none: the platform pays it."""

    def effect(c: Context) -> None:
        amount = c.ticket.fields.get("compensation_fen")
        if c.ticket.state == "compensating" and amount is not None:
            c.draft.payments.append(Payment("compensation", amount, status))

    return effect


def take_back_remedy(c: Context) -> None:
    """The remedy came to nothing: another may be chosen."""
    c.draft.changes["refund_fen"] = None


def note_found_parcel(c: Context) -> None:
    """Found after a remedy was chosen: the buyer gives it back, nothing is paid twice."""
    if c.ticket.state in ("reshipping", "refunding", "compensating"):
        c.draft.raise_flag("parcel_found")
