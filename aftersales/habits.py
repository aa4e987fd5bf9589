"""Who usually does what, and after how long: the tables from which `simulate` and `demo` play a shop.

    arrives(30, Exchange.apply, "kuaishou", ...)    thirty of so many new tickets begin like this
    does(60, Exchange.approve, (1, 30), ...)        in this state, sixty go on like this, in 1 to 30 hours
    nobody(20)                                      twenty are forgotten: only the clock moves them

Every step of every workflow stands here at least once; a test sees to it. Invented, not measured: it is meant to be
lively, and to go wrong as often as things go wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from aftersales.ticket import Ticket
from aftersales.workflows.bad_review import BadReview
from aftersales.workflows.exchange import Exchange
from aftersales.workflows.facts import Evidence
from aftersales.workflows.lost_parcel import LostParcel
from aftersales.workflows.refund import Refund
from aftersales.workflows.repair import Repair
from aftersales.workflows.vocabulary import Fact, Opening, State, Step

T = TypeVar("T")


class Dice:
    """Chance, the same for the same seed on every machine and in every version of Python: only `random()` is used."""

    def __init__(self, seed: str) -> None:
        self._next = Random(seed).random

    def chance(self, probability: float) -> bool:
        return self._next() < probability

    def between(self, least: float, most: float) -> float:
        return least + (most - least) * self._next()

    def number(self, least: int, most: int) -> int:
        """From `least` to `most`, both possible."""
        return least + int((most - least + 1) * self._next())

    def one_of(self, some: Sequence[T]) -> T:
        return some[int(len(some) * self._next())]

    def weighted(self, some: Sequence[T], weight: Callable[[T], float]) -> T:
        left = self._next() * sum(weight(one) for one in some)
        for one in some:
            left -= weight(one)
            if left < 0:
                return one
        return some[-1]


@dataclass(frozen=True)
class Scene:
    """What a made-up fact may look at."""

    dice: Dice
    at: datetime
    ticket: Ticket | None = None


#: a value to fill in, or how to make one up
Value = Any


@dataclass(frozen=True)
class Arrival:
    often: int
    opening: Opening
    policy: str
    facts: Mapping[str, Value]
    authority: str = "local"
    by: str | None = None


@dataclass(frozen=True)
class Habit:
    often: int
    #: None: nobody does anything
    step: Step | None
    #: hours after the ticket came here, evenly between these
    after: tuple[float, float] = (0, 0)
    shows: tuple[Evidence, ...] = ()
    #: the agent talks to the buyer first, and writes it down
    talks: bool = False
    #: the feed reports it up to so many hours after it happened
    reported: float = 0
    facts: Mapping[str, Value] | None = None
    by: str | None = None


def arrives(
    often: int, opening: Opening, policy: str, *, authority: str = "local", by: str | None = None, **facts: Value
) -> Arrival:
    return Arrival(often, opening, policy, facts, authority, by)


def does(
    often: int,
    step: Step,
    after: tuple[float, float],
    *shows: Evidence,
    talks: bool = False,
    reported: float = 0,
    by: str | None = None,
    **facts: Value,
) -> Habit:
    return Habit(often, step, after, shows, talks, reported, facts, by)


def nobody(often: int) -> Habit:
    return Habit(often, None)


# ── what is filled in ─────────────────────────────────────────────────────────────────────────────────────────────────


def ago(least: float, most: float) -> Value:
    """So many hours before."""
    return lambda scene: _whole(scene.at - timedelta(hours=scene.dice.between(least, most)))


def ahead(least: float, most: float) -> Value:
    return lambda scene: _whole(scene.at + timedelta(hours=scene.dice.between(least, most)))


def any_of(*values: Any) -> Value:
    return lambda scene: scene.dice.one_of(values)


def part(percent: int, of: str = "amount_fen") -> Value:
    """So many hundredths of an amount of the ticket, in 分."""
    return lambda scene: max(1, int(_field(scene, of)) * percent // 100)


def same(field: str) -> Value:
    return lambda scene: _field(scene, field)


def _field(scene: Scene, name: str) -> Any:
    assert scene.ticket is not None
    return scene.ticket.shown_fields.get(name) or scene.ticket.left_fen


def before_limit(scene: Scene) -> datetime:
    """In a few days, but before the clock runs out if that is nearer."""
    assert scene.ticket is not None
    wanted = scene.at + timedelta(hours=scene.dice.between(20, 80))
    limit = scene.ticket.due_at if scene.ticket.state == "visit_grace" else None
    return _whole(wanted if limit is None else min(wanted, limit))


def _whole(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)


def _waybill(scene: Scene) -> str:
    return f"{scene.dice.one_of(['SF', 'YT', 'ZT', 'JD', 'EMS'])}{scene.dice.number(10**11, 10**12 - 1)}"


def _paid(scene: Scene) -> int:
    return scene.dice.one_of([1_990, 3_900, 5_980, 9_900, 12_800, 19_900, 32_900, 59_900, 129_900, 459_900])


MADE_UP: Mapping[str, Value] = {
    "paid_fen": _paid,
    "waybill_no": _waybill,
    "review_id": lambda scene: f"R{scene.dice.number(10**9, 10**10 - 1)}",
    "fault": any_of("屏幕不亮", "开机没反应", "有异响", "充不进电", "按键失灵"),
    "courier": any_of("顺丰", "圆通", "中通", "京东", "邮政"),
    "summary": any_of("已在平台聊天里说明情况", "与买家确认了处理办法", "买家要求尽快处理"),
    "text": any_of("东西和描述的不一样", "请尽快处理", "等了很多天还没有消息", "补充了照片和说明"),
    "description": "退货运费由买家自付，见图片",
    "root_cause": any_of("尺码表不准", "包装太薄", "发货慢", "说明书没写清楚"),
    "strategy_id": "小额未发货极速退",
    "note": "请尽快处理",
    "reason": any_of("优惠券补偿", "部分退款", "保价补差"),
}
_BY_KIND: Mapping[str, Value] = {
    "choice": None,
    "bool": any_of(True, False),
    "int": any_of(7, 15, 30),
    "time": ahead(20, 60),
    "fen": part(100, "paid_fen"),
    "text": "（无）",
}


def fill_in(asks: Sequence[Fact], given: Mapping[str, Value], scene: Scene) -> dict[str, Any]:
    """Everything that must be filled in, and what was given besides."""
    made_up = {fact.name: _made_up(fact) for fact in asks if fact.name not in given}
    return {name: value(scene) if callable(value) else value for name, value in {**made_up, **given}.items()}


def _made_up(fact: Fact) -> Value:
    if fact.kind == "choice":
        return any_of(*(value for value, _ in fact.choices))
    return MADE_UP.get(fact.name, _BY_KIND[fact.kind])


# ── who comes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_SIGNED = ago(5, 140)
# fmt: off
ARRIVALS: Sequence[Arrival] = (
    arrives(18, Exchange.apply, "kuaishou", ship_to="浙江省杭州市西湖区文三路 1 号"),
    arrives( 1, Exchange.apply, "kuaishou", ship_to="广州白云某转运仓 7 号库"),
    arrives( 4, Exchange.apply, "wechat", authority="platform"),
    arrives( 3, Exchange.apply, "taobao"),
    arrives( 5, Repair.apply, "kuaishou"),
    arrives( 4, Repair.apply, "kuaishou", needs_on_site=True),
    arrives( 1, Repair.apply, "taobao"),
    arrives( 6, Refund.apply, "wechat", authority="platform", kind="unshipped", reason="other"),
    arrives( 8, Refund.apply, "wechat", kind="shipped_refund_only", reason="not_received"),
    arrives(10, Refund.apply, "wechat", kind="return_refund", signed_at=_SIGNED),
    arrives( 2, Refund.apply, "wechat", authority="platform", kind="return_refund", signed_at=_SIGNED,
             region="hk_mo_tw", freight_fen=1_500),
    arrives( 2, Refund.apply, "wechat", kind="shipped_refund_only", reason="other", region="hk_mo_tw",
             freight_fen=1_500),
    arrives( 6, Refund.apply, "taobao", kind="return_refund", reason=any_of("quality", "wrong_item", "other")),
    arrives( 3, Refund.apply, "taobao", kind="unshipped"),
    arrives( 3, Refund.apply, "kuaishou", kind=any_of("unshipped", "shipped_refund_only", "return_refund")),
    arrives( 4, Refund.apply, "kuaishou_local", kind="voucher", reason="other", voucher_total=any_of(1, 2, 3, 5),
             expires_at=ahead(100, 2000)),
    arrives( 2, Refund.apply, "kuaishou_local", by="system", kind="voucher", reason="other", voucher_total=1,
             expires_at=ago(0.1, 23)),
    arrives( 3, LostParcel.report, "kuaishou", issue=any_of("urge", "trace", "stale")),
    arrives( 3, LostParcel.report, "taobao", issue="signed_not_received"),
    arrives( 3, LostParcel.report, "wechat", issue="lost"),
    arrives( 3, LostParcel.report, "taobao", issue=any_of("damaged", "shortage")),
    arrives( 2, LostParcel.report, "wechat", issue="refused", region=any_of("mainland", "hk_mo_tw"), freight_fen=1_200),
    arrives( 5, BadReview.detect, "kuaishou", text="和图片差太多", review_at=ago(1, 60)),
    arrives( 4, BadReview.detect, "taobao", text="等了半个月", review_at=ago(1, 60)),
)

# ── who does what ─────────────────────────────────────────────────────────────────────────────────────────────────────

CHAT, CALL, PHOTO, VIDEO = Evidence.CHAT_LOG, Evidence.CALL_CONFIRMED_IN_IM, Evidence.PHOTO, Evidence.UNBOXING_VIDEO
REPLY, RECORD, INVOICE = Evidence.COURIER_REPLY, Evidence.REPAIR_RECORD, Evidence.INVOICE
E, R, F, L, B = Exchange, Repair, Refund, LostParcel, BadReview

HABITS: Mapping[State, Sequence[Habit]] = {
    # ── 换货 ──
    E.pending_merchant_review: (
        does(58, E.approve, (0.2, 40)), does(9, E.reject, (1, 40), PHOTO, talks=True),
        does(5, E.cancel, (1, 40)), does(4, E.modify, (1, 30)), does(2, E.convert_to_refund, (1, 40), CHAT),
        nobody(22)),
    E.rejected_pending_buyer: (
        does(35, E.modify, (1, 60)), does(25, E.cancel, (1, 90)), does(35, E.request_intervention, (1, 90)),
        does(5, E.convert_to_refund, (5, 90), CHAT)),
    E.awaiting_buyer_return: (
        does(75, E.submit_return_waybill, (3, 190)), does(5, E.cancel, (2, 150)),
        does(1, E.convert_to_refund, (5, 90), CALL), nobody(19)),
    E.awaiting_merchant_receipt: (
        does(80, E.return_signed, (20, 100), reported=20), does(6, E.change_return_waybill, (1, 20)),
        does(6, E.accept_return, (30, 120)), does(5, E.accept_and_reship, (30, 120)), does(3, E.cancel, (2, 20))),
    E.inspecting: (
        does(55, E.accept_return, (1, 130)), does(14, E.accept_and_reship, (1, 130)),
        does(8, E.reject_return, (1, 130), PHOTO, VIDEO), does(10, E.request_intervention, (1, 60)), nobody(13)),
    E.return_rejected: (
        does(40, E.request_intervention, (1, 70)), does(20, E.modify, (1, 70)), does(35, E.cancel, (5, 200)),
        does(5, E.convert_to_refund, (5, 90), CHAT)),
    E.awaiting_reship: (
        does(86, E.reship, (1, 90), address="浙江省杭州市西湖区文三路 1 号"), does(4, E.reship, (1, 90)),
        does(4, E.refuse_reship, (1, 60), PHOTO), does(3, E.convert_to_refund, (5, 90), CHAT),
        does(3, E.cancel, (1, 40))),
    E.awaiting_buyer_receipt: (
        does(84, E.new_item_signed, (20, 110), reported=12), does(9, E.report_reship_problem, (40, 160)),
        does(7, E.confirm, (40, 160))),
    E.reship_exception: (
        does(40, E.reship_found, (10, 150), reported=5), does(50, E.reship_again, (20, 120), REPLY),
        does(10, E.convert_to_refund, (20, 200), CHAT)),
    E.awaiting_buyer_confirm: (
        does(55, E.confirm, (1, 200)), does(6, E.reapply, (2, 150)), does(4, E.report_reship_problem, (1, 60)),
        nobody(35)),
    E.platform_intervening: (
        does(20, E.platform_rule, (20, 140), outcome="awaiting_reship"),
        does(20, E.platform_rule, (20, 140), outcome="awaiting_buyer_return"),
        does(25, E.platform_rule, (20, 140), outcome="converted_to_refund"),
        does(20, E.platform_rule, (20, 140), outcome="closed_by_platform"),
        does(10, E.platform_rule, (20, 140), outcome="previous"), does(5, E.cancel, (5, 60))),

    # ── 维修 ──
    R.pending_merchant_review: (
        does(45, R.approve_mail_in, (1, 60)), does(10, R.approve_mail_in, (1, 60), period=any_of(7, 15)),
        does(18, R.approve_on_site, (1, 60)),
        does(8, R.approve_self_repair, (1, 60), CHAT, negotiated_fen=any_of(5_000, 8_000, 12_000)),
        does(6, R.reject, (1, 60), PHOTO, talks=True), does(4, R.cancel, (1, 60)),
        does(3, R.convert_to_exchange, (1, 60), CHAT), nobody(6)),
    R.rejected_pending_buyer: (does(60, R.request_intervention, (2, 90)), does(40, R.cancel, (2, 200))),
    R.awaiting_buyer_send: (does(88, R.buyer_ship, (5, 120)), does(12, R.cancel, (5, 200))),
    R.awaiting_merchant_receipt: (does(100, R.goods_received, (20, 90), reported=10),),
    R.repairing: (
        does(74, R.ship_back, (24, 600), RECORD), does(10, R.extend_by_agreement, (24, 300), CHAT),
        does(4, R.convert_to_exchange, (24, 300), CHAT), nobody(12)),
    R.awaiting_buyer_receipt: (does(85, R.repaired_item_signed, (20, 90), reported=10), does(15, R.confirm, (30, 120))),
    R.negotiating_visit: (
        does(65, R.agree_visit, (1, 60), CHAT, visit_at=before_limit), does(5, R.cancel, (1, 60)), nobody(30)),
    R.visit_scheduled: (
        does(72, R.visit, (2, 70), PHOTO), does(12, R.extend_by_agreement, (1, 20), CALL, new_due_at=ahead(30, 90)),
        does(4, R.cancel, (1, 20)), nobody(12)),
    R.visit_grace: (
        does(40, R.visit, (5, 300), PHOTO), does(35, R.agree_visit, (5, 200), CHAT, visit_at=before_limit),
        does(4, R.cancel, (5, 200)), nobody(21)),
    R.on_site_repairing: (
        does(72, R.finish_on_site, (1, 400)), does(10, R.visit, (20, 200), PHOTO),
        does(5, R.extend_by_agreement, (20, 400), CHAT, new_due_at=ahead(100, 500)),
        does(3, R.convert_to_exchange, (20, 300), CHAT), nobody(10)),
    R.awaiting_invoice: (
        does(55, R.submit_invoice, (20, 150), amount_fen=same("negotiated_fen")),
        does(40, R.submit_invoice, (20, 150), INVOICE, amount_fen=any_of(4_500, 9_900)), does(5, R.cancel, (5, 90))),
    R.reimbursing: (does(100, R.pay_repair_cost, (5, 110), amount_fen=same("invoice_fen")),),
    R.awaiting_buyer_confirm: (
        does(78, R.confirm, (2, 200)), does(14, R.not_fixed, (2, 200)), does(8, R.request_intervention, (10, 200))),
    R.breached: (
        does(45, R.claim_refund, (2, 90), kind=same("entitlement")), does(35, R.request_intervention, (2, 120)),
        does(15, R.cure, (2, 120), CHAT, waybill_no=_waybill), does(5, R.convert_to_exchange, (5, 120), CHAT)),
    R.platform_intervening: (
        does(25, R.platform_rule, (20, 140), outcome="converted_to_return_refund", no_agreement=True),
        does(20, R.platform_rule, (20, 140), outcome="converted_to_refund"),
        does(20, R.platform_rule, (20, 140), outcome="repairing", new_due_at=ahead(100, 300)),
        does(20, R.platform_rule, (20, 140), outcome="closed_by_platform"),
        does(15, R.platform_rule, (20, 140), outcome="previous", no_agreement=True)),

    # ── 退款 ──
    F.pending_merchant_review: (
        does(40, F.approve_refund, (0.2, 44)), does(40, F.approve_return, (0.2, 44)),
        does(8, F.reject, (1, 44), PHOTO, talks=True), does(6, F.propose, (1, 40)),
        does(4, F.propose, (1, 40), amount_fen=part(60)), does(3, F.auto_strategy, (0.01, 0.1)),
        does(3, F.modify, (1, 40), amount_fen=part(80)), does(3, F.cancel, (1, 44)),
        does(3, F.switch_kind, (1, 30)), does(7, F.intercept, (0.5, 20), talks=True),
        does(6, F.agree_refusal, (0.5, 20), CHAT), does(2, F.convert_to_exchange, (1, 40), CHAT),
        does(4, F.request_intervention, (1, 40)), nobody(22)),
    F.negotiating: (
        does(50, F.accept_proposal, (1, 60)), does(30, F.decline_proposal, (1, 60)), does(15, F.cancel, (1, 80)),
        nobody(5)),
    F.intercepting: (
        does(55, F.intercept_ok, (2, 40), reported=4), does(35, F.intercept_failed, (2, 40), reported=4),
        does(4, F.cancel, (1, 30)), nobody(6)),
    F.awaiting_refusal: (
        does(60, F.parcel_refused, (5, 90), reported=10, no_reason=any_of(True, False)),
        does(32, F.parcel_signed_anyway, (5, 90), reported=10), does(8, F.cancel, (5, 90))),
    F.rejected_pending_buyer: (
        does(30, F.request_intervention, (1, 150)), does(20, F.modify, (1, 150)), does(10, F.cancel, (1, 150)),
        does(15, F.order_confirmed, (1, 150)), does(4, F.convert_to_exchange, (1, 150), CHAT), nobody(25)),
    F.awaiting_buyer_return: (
        does(76, F.submit_return_waybill, (3, 160)), does(5, F.cancel, (3, 150)), nobody(19)),
    F.awaiting_merchant_receipt: (
        does(70, F.return_signed, (20, 100), reported=30), does(70, F.refused_parcel_back, (30, 120), reported=10),
        does(10, F.accept_return, (30, 120)), does(3, F.cancel, (3, 30)), nobody(10)),
    F.inspecting: (
        does(62, F.accept_return, (1, 130)), does(8, F.accept_return, (1, 130), CHAT, deduct_fen=part(10)),
        does(8, F.reject_return, (1, 130), PHOTO, VIDEO), does(6, F.refuse_freight, (1, 130), PHOTO), nobody(16)),
    F.return_rejected: (
        does(50, F.request_intervention, (1, 150)), does(15, F.modify, (1, 150)), does(15, F.cancel, (1, 150)),
        nobody(20)),
    F.platform_intervening: (
        does(45, F.platform_rule, (20, 140), outcome="refund_executing"),
        does(15, F.platform_rule, (20, 140), outcome="awaiting_buyer_return"),
        does(25, F.platform_rule, (20, 140), outcome="closed_by_platform"),
        does(10, F.platform_rule, (20, 140), outcome="rejected_pending_buyer"), does(5, F.cancel, (5, 100))),
    F.refund_executing: (
        does(90, F.payment_ok, (0.01, 30), reported=1), does(8, F.payment_failed, (0.01, 5), message="账户异常"),
        does(2, F.payment_ok, (150, 300))),
    F.refund_failed: (
        does(80, F.retry_payment, (0.03, 20)), does(20, F.offline_refund_proof, (5, 90), PHOTO, CHAT)),

    # ── 丢件 ──
    L.reported: (
        does(14, L.ask_info, (1, 20)), does(22, L.urge, (0.5, 20)), does(12, L.trace, (0.5, 20), answered=False),
        does(6, L.trace, (0.5, 20), answered=True), does(60, L.verify_sign_off, (0.5, 20)),
        does(20, L.report_damage, (1, 40), PHOTO, VIDEO), does(60, L.refused, (1, 30), reported=5, no_reason=True),
        does(6, L.stale_detected, (1, 20), last_trace_at=ago(90, 160), threshold_hours=72),
        does(4, L.record_packaging_feedback, (1, 20)), does(4, L.cancel, (1, 40)), does(4, L.delivered, (5, 60)),
        does(3, L.close_no_fault, (5, 60), PHOTO, talks=True)),
    L.need_buyer_info: (
        does(85, L.provide_info, (1, 90)), does(8, L.cancel, (1, 90)),
        does(7, L.close_no_fault, (60, 200), PHOTO, talks=True)),
    L.contacting_courier: (
        does(30, L.courier_replied, (2, 60), REPLY, result="delivered"),
        does(20, L.courier_replied, (2, 60), REPLY, result="suspected_lost"),
        does(15, L.courier_replied, (2, 60), REPLY, result="lost"),
        does(8, L.courier_replied, (2, 60), REPLY, result="other"), does(20, L.delivered, (2, 90), reported=10),
        does(5, L.stale_detected, (30, 90), last_trace_at=ago(90, 160), threshold_hours=72),
        does(2, L.cancel, (1, 60))),
    L.verifying_sign_off: (
        does(40, L.sign_off_genuine, (2, 60), Evidence.RECEIVER_STATEMENT), does(30, L.sign_off_false, (2, 60)),
        does(25, L.sign_off_false, (2, 60), redeliver=True), does(5, L.cancel, (2, 60))),
    L.assessing_damage: (
        does(45, L.record_packaging_feedback, (1, 20)),
        does(30, L.choose_remedy, (2, 60), CHAT, kind="compensate", amount_fen=part(30, "paid_fen")),
        does(12, L.choose_remedy, (2, 60), CHAT, kind="refund"),
        does(10, L.close_no_fault, (2, 60), PHOTO, talks=True), does(3, L.cancel, (2, 60))),
    L.suspected_lost: (
        does(35, L.parcel_moves, (5, 90), reported=5), does(35, L.declare_lost, (5, 90), REPLY),
        does(20, L.delivered, (5, 90)), does(10, L.choose_remedy, (5, 90), CHAT, kind="refund")),
    L.confirmed_lost: (
        does(55, L.record_packaging_feedback, (1, 20)),
        does(20, L.choose_remedy, (1, 60), CHAT, kind="reship", waybill_no=_waybill),
        does(20, L.choose_remedy, (1, 60), CHAT, kind="refund"), does(5, L.delivered, (5, 90))),
    L.returning_to_merchant: (does(100, L.refused_back, (20, 120), reported=10),),
    L.remedy_pending: (
        does(25, L.choose_remedy, (1, 60), CHAT, kind="reship", waybill_no=_waybill),
        does(45, L.choose_remedy, (1, 60), CHAT, kind="refund"),
        does(15, L.choose_remedy, (1, 60), CHAT, kind="compensate", amount_fen=part(20, "paid_fen")),
        does(15, L.record_packaging_feedback, (1, 20))),
    L.reshipping: (
        does(82, L.remedy_done, (20, 120), reported=10), does(8, L.remedy_failed, (20, 120)),
        does(10, L.delivered, (5, 60))),
    L.refunding: (does(6, L.delivered, (5, 60)), nobody(94)),
    L.compensating: (
        does(85, L.remedy_done, (0.1, 30), reported=1), does(10, L.remedy_failed, (0.1, 30)),
        does(5, L.delivered, (5, 60))),

    # ── 中差评 ──
    B.detected: (
        does(72, B.contact, (0.2, 30), channel="im"), does(8, B.flag_malicious, (0.5, 30)),
        does(12, B.reply, (0.5, 60)), does(8, B.buyer_deletes, (5, 90))),
    B.contacting: (
        does(55, B.buyer_replied, (0.2, 40)), does(30, B.unreachable, (20, 90)), does(5, B.flag_malicious, (2, 60)),
        does(10, B.reply, (1, 60))),
    B.understanding: (
        does(70, B.offer_remedy, (0.5, 30), text="给您换一件新的"),
        does(4, B.offer_remedy, (0.5, 30), text="改好评就返现五元"), does(10, B.flag_malicious, (1, 30)),
        does(8, B.unreachable, (20, 90)), does(8, B.reply, (1, 60))),
    B.remedy_offered: (
        does(62, B.accept, (0.5, 60)), does(24, B.decline, (0.5, 60)), does(14, B.unreachable, (40, 120))),
    B.remedy_executing: (does(88, B.remedy_done, (20, 160)), does(12, B.remedy_failed, (20, 160))),
    B.amendment_invited: (
        does(45, B.amend, (2, 200)), does(20, B.buyer_deletes, (2, 200)), does(25, B.close, (100, 300)), nobody(10)),
    B.public_reply_only: (does(50, B.reply, (0.5, 60)), does(50, B.close, (1, 90))),
    B.suspected_malicious: (does(75, B.collect, (1, 40)), does(25, B.back_to_normal, (1, 40))),
    B.collecting_evidence: (does(100, B.file_complaint, (1, 60), CHAT),),
    B.complaint_filed: (does(50, B.uphold, (30, 160)), does(50, B.dismiss, (30, 160))),
    B.complaint_dismissed: (
        does(30, B.re_appeal, (1, 60), PHOTO), does(40, B.give_up, (1, 60)), does(30, B.close, (1, 60))),
    B.amended: (does(4, B.follow_up_review, (50, 500)), nobody(96)),
    B.closed_replied: (does(6, B.follow_up_review, (50, 500)), nobody(94)),
}
# fmt: on
