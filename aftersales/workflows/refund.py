"""退款流程：未发货仅退款、已发货仅退款、退货退款、卡券退款。

钱只在进入「退款打款中」时下一次单，一张工单一笔；打款失败重试用同一笔。

怎么读、怎么改，见 exchange.py 开头。改完运行  aftersales check  。
"""

from aftersales.workflows import effects, facts, guards
from aftersales.workflows.effects import keep, keep_as, put, refund_is, release_refund
from aftersales.workflows.guards import both, is_given, is_one_of, lacks
from aftersales.workflows.vocabulary import (
    ADDS,
    AGENT,
    BUYER,
    COURIER,
    ENDS,
    FOR_BUYER,
    FOR_PLATFORM,
    MERCHANT,
    ON_THE_WAY,
    PAUSES,
    PLATFORM,
    RESUMES,
    RUNS_ON,
    STAY,
    SYSTEM,
    WITH_BUYER,
    WITH_MERCHANT,
    Escalation,
    Import,
    Opening,
    State,
    Step,
    Timeout,
    Workflow,
    choose,
    named_by,
    needed,
    otherwise,
    when,
)

return_refund = is_one_of(facts.refund_kind, "return_refund")
no_return = is_one_of(facts.refund_kind, "unshipped", "shipped_refund_only", "voucher")
on_its_way = both(is_one_of(facts.refund_kind, "shipped_refund_only"), lacks(facts.signed_at))


class Refund(Workflow, key="refund", label="退款", code="RF"):
    """退钱；退货退款先退货。"""

    remembers = [
        facts.amount_fen, facts.proposed_fen, facts.attempts_used, facts.proposal_unanswered,
        facts.refund_tried_at, facts.parcel_was_refused, facts.no_reason,
    ]  # fmt: skip

    # fmt: off
    # ── 状态 ──
    pending_merchant_review = State("待商家处理", waits_for=MERCHANT)
    negotiating             = State("待买家确认商家协商方案", waits_for=FOR_BUYER)
    intercepting            = State("物流拦截中", waits_for=COURIER)
    awaiting_refusal        = State("已同意拒收后退款，待买家拒收", waits_for=FOR_BUYER)
    rejected_pending_buyer  = State("商家拒绝，待买家处理", waits_for=FOR_BUYER)
    awaiting_buyer_return   = State("待买家退货", waits_for=FOR_BUYER, goods=WITH_BUYER)
    awaiting_merchant_receipt = State("待商家收货", waits_for=MERCHANT, goods=ON_THE_WAY)
    inspecting              = State("待验货退款", waits_for=MERCHANT, goods=WITH_MERCHANT)
    return_rejected         = State("商家拒绝收货", waits_for=FOR_BUYER)
    platform_intervening    = State("平台介入", waits_for=FOR_PLATFORM)
    refund_executing        = State("退款打款中", waits_for=FOR_PLATFORM, entering=[release_refund])
    refund_failed           = State("退款失败", waits_for=MERCHANT, entering=[refund_is("failed")])
    refunded               = State("退款成功", entering=[effects.close_zero_refund])
    cancelled              = State("买家撤销")
    closed_timeout         = State("超时关闭")
    closed_by_platform     = State("平台关闭")
    closed_order_confirmed = State("买家确认收货，退款关闭")
    converted_to_exchange  = State("转换货")

    # ── 开单 ──
    apply = Opening(
        "申请退款",
        choose(when(both(guards.agreed_at_once, guards.nothing_to_pay), refunded),
               when(guards.agreed_at_once, refund_executing),
               otherwise(pending_merchant_review)),
        by=[BUYER, SYSTEM],
        asks=[facts.refund_kind, facts.paid_fen, facts.refund_reason],
        asks_if=[needed(facts.voucher_total, when=is_given(facts.refund_kind, "voucher"))],
        accepts=[facts.refunded_fen, facts.amount_fen, facts.signed_at, facts.category,
                 facts.receipt_confirmed_at, facts.prior_attempts, facts.freight_fen, facts.region,
                 facts.voucher_used, facts.voucher_refunded, facts.voucher_count,
                 facts.expires_at, facts.note],
        needs=[guards.system_opens_only_expired_vouchers, guards.refunded_within_paid,
               guards.voucher_amount_is_computed, guards.some_voucher_left, guards.unused_vouchers_cover_it,
               guards.asked_amount_positive, guards.asked_amount_within_paid, guards.not_exempt_from_seven_days,
               guards.within_window, guards.attempts_left, guards.no_open_ticket_on_item],
        effects=[effects.use_attempt, effects.ask_amount])
    open_converted = Opening(
        "转单开出",
        named_by(facts.starts_at, awaiting_buyer_return, awaiting_merchant_receipt, refund_executing),
        by=SYSTEM,
        asks=[facts.refund_kind, facts.paid_fen, facts.refund_reason,
              facts.starts_at.one_of("awaiting_buyer_return", "awaiting_merchant_receipt", "refund_executing")],
        accepts=[facts.refunded_fen, facts.amount_fen, facts.region, facts.note],
        needs=[guards.asked_amount_positive, guards.asked_amount_within_paid, guards.no_open_ticket_on_item],
        effects=[effects.ask_amount])
    import_from_platform = Import("从平台导入")

    # ── 动作：审核 ──
    auto_strategy = Step(
        "自动退款策略", pending_merchant_review,
        choose(when(return_refund, awaiting_buyer_return), when(guards.nothing_to_pay, refunded),
               otherwise(refund_executing)),
        by=SYSTEM, asks=[facts.strategy_id])
    approve_refund = Step(
        "同意退款", pending_merchant_review,
        choose(when(guards.nothing_to_pay, refunded), otherwise(refund_executing)),
        only=[no_return])
    approve_return = Step(
        "同意退货", pending_merchant_review, awaiting_buyer_return,
        only=[return_refund], accepts=[facts.return_address], effects=[keep(facts.return_address)])
    reject = Step(
        "拒绝", pending_merchant_review, rejected_pending_buyer,
        asks=[facts.reason_code],
        needs=[guards.reject_allowed, guards.buyer_informed, guards.has_reject_evidence], clause="WX-11")
    modify = Step(
        "买家修改申请", [pending_merchant_review, rejected_pending_buyer, return_rejected],
        pending_merchant_review, by=BUYER, starts_anew=True,
        accepts=[facts.amount_fen, facts.refund_reason, facts.note],
        needs=[guards.voucher_amount_is_computed, guards.amount_positive, guards.amount_within_paid,
               guards.attempts_left],
        effects=[keep(facts.amount_fen, facts.refund_reason, facts.note), effects.use_attempt,
                 put(facts.proposal_unanswered, False)])
    switch_kind = Step(
        "改退款类型", pending_merchant_review, STAY, by=[AGENT, BUYER],
        asks=[facts.refund_kind.one_of("shipped_refund_only", "return_refund")],
        effects=[keep(facts.refund_kind)], clock=RUNS_ON, clause="KSO-03")
    cancel = Step(
        "买家撤销",
        [pending_merchant_review, negotiating, intercepting, awaiting_refusal, rejected_pending_buyer,
         awaiting_buyer_return, awaiting_merchant_receipt, return_rejected, platform_intervening],
        cancelled, by=BUYER, effects=[effects.goods_back_to_buyer])

    # ── 动作：协商 ──
    propose = Step(
        "提出协商方案", pending_merchant_review, negotiating,
        asks=[facts.proposal_reason], accepts=[facts.amount_fen],
        needs=[guards.amount_positive, guards.amount_editable, guards.amount_within_asked],
        effects=[effects.propose_amount], clock=PAUSES, clause="WX-08")
    accept_proposal = Step(
        "买家接受方案", negotiating,
        choose(when(return_refund, awaiting_buyer_return), when(guards.nothing_proposed, refunded),
               otherwise(refund_executing)),
        by=BUYER, effects=[effects.take_proposal])
    decline_proposal = Step(
        "买家拒绝方案", negotiating, pending_merchant_review, by=BUYER,
        effects=[put(facts.proposal_unanswered, True)], clock=RESUMES, clause="WX-11")

    # ── 动作：在途包裹 ──
    intercept = Step(
        "拦截快递", pending_merchant_review, intercepting,
        only=[on_its_way], needs=[guards.buyer_informed], clock=RUNS_ON)
    intercept_ok = Step(
        "拦截成功", intercepting, refund_executing, by=SYSTEM, accepts=[facts.occurred_at])
    intercept_failed = Step(
        "拦截失败", intercepting, pending_merchant_review, by=SYSTEM, accepts=[facts.occurred_at], clock=RUNS_ON)
    agree_refusal = Step(
        "同意拒收后退款", pending_merchant_review, awaiting_refusal, only=[on_its_way], needs=[guards.consent])
    parcel_refused = Step(
        "买家已拒收", awaiting_refusal, awaiting_merchant_receipt, by=SYSTEM,
        accepts=[facts.no_reason, facts.occurred_at],
        effects=[put(facts.parcel_was_refused, True), keep(facts.no_reason)], clock=ENDS)
    refused_parcel_back = Step(
        "拒收件已退回", awaiting_merchant_receipt,
        choose(when(guards.freight_eats_it, refunded), otherwise(refund_executing)), by=SYSTEM,
        only=[guards.is_yes(facts.parcel_was_refused)], accepts=[facts.occurred_at],
        effects=[effects.deduct_freight], clause="OP-07")
    parcel_signed_anyway = Step(
        "买家反而签收了", awaiting_refusal, pending_merchant_review, by=SYSTEM, accepts=[facts.occurred_at],
        effects=[effects.remember_signed])

    # ── 动作：退货 ──
    submit_return_waybill = Step(
        "填写退货运单", awaiting_buyer_return, awaiting_merchant_receipt, by=[BUYER, AGENT],
        asks=[facts.waybill_no], accepts=[facts.courier],
        needs=[guards.waybill_ok],
        effects=[effects.use_waybill, keep_as(facts.waybill_no, facts.return_waybill_no)])
    return_signed = Step(
        "退回件已签收", awaiting_merchant_receipt, inspecting, by=SYSTEM,
        accepts=[facts.occurred_at], clock=ADDS)
    accept_return = Step(
        "收货无误，退款", [awaiting_merchant_receipt, inspecting], refund_executing,
        accepts=[facts.deduct_fen], needs=[guards.deduction_below_asked, guards.consent_to_deduct],
        effects=[effects.deduct])
    reject_return = Step(
        "拒绝收货", inspecting, return_rejected,
        asks=[facts.reason_code.one_of(19, 20, 21, 22)],
        needs=[guards.has_return_defect, guards.video_of_empty_parcel])
    refuse_freight = Step(
        "退款，拒付退货运费", inspecting, refund_executing,
        asks=[facts.description], needs=[guards.has_freight_photo], clause="KSO-04")

    # ── 动作：介入、转换、关闭 ──
    request_intervention = Step(
        "买家申请平台介入", [rejected_pending_buyer, return_rejected, pending_merchant_review],
        platform_intervening, by=BUYER, accepts=[facts.text], needs=[guards.overdue])
    platform_rule = Step(
        "平台裁定", platform_intervening,
        named_by(facts.outcome, refund_executing, awaiting_buyer_return, closed_by_platform,
                 rejected_pending_buyer),
        by=PLATFORM,
        asks=[facts.outcome.one_of("refund_executing", "awaiting_buyer_return", "closed_by_platform",
                                   "rejected_pending_buyer")],
        accepts=[facts.amount_fen, facts.liable],
        needs=[guards.amount_positive, guards.amount_within_paid], effects=[keep(facts.amount_fen)])
    convert_to_exchange = Step(
        "转换货", [pending_merchant_review, rejected_pending_buyer], converted_to_exchange,
        needs=[guards.consent], clause="KSO-03")
    order_confirmed = Step(
        "买家确认收货", rejected_pending_buyer, closed_order_confirmed, by=BUYER,
        only=[guards.permitted_by_policy], clause="TB-10")

    # ── 动作：打款 ──
    payment_ok = Step(
        "打款成功", refund_executing, refunded, by=SYSTEM,
        accepts=[facts.occurred_at], effects=[refund_is("paid")])
    payment_failed = Step(
        "打款失败", refund_executing, refund_failed, by=SYSTEM, accepts=[facts.message], clock=RUNS_ON)
    retry_payment = Step(
        "重新打款", refund_failed, refund_executing, by=[SYSTEM, AGENT],
        needs=[guards.minute_since_last_try, guards.money_still_there], clock=RUNS_ON, clause="WX-09")
    offline_refund_proof = Step(
        "线下退款凭证", refund_failed, refunded,
        needs=[guards.has_transfer_photo, guards.consent, guards.money_still_there], effects=[refund_is("offline")])

    # ── 到期 ──
    auto_approve = Timeout(
        "逾期未处理，视为同意", [pending_merchant_review, intercepting],
        choose(when(return_refund, awaiting_buyer_return), when(guards.nothing_to_pay, refunded),
               otherwise(refund_executing)))
    proposal_timeout = Timeout(
        "买家逾期未答复方案，回到待处理", negotiating, pending_merchant_review,
        effects=[put(facts.proposal_unanswered, True)], clock=RESUMES)
    return_timeout     = Timeout("逾期未退货，关闭", awaiting_buyer_return, closed_timeout)
    auto_accept_return = Timeout(
        "逾期未确认收货，视为收货", [awaiting_merchant_receipt, inspecting], refund_executing)
    intervention_window_expired = Timeout(
        "逾期未申请介入，关闭", [rejected_pending_buyer, return_rejected], closed_timeout)
    payment_overdue    = Escalation(
        "逾期未到账，升级处理", [refund_executing, refund_failed], effects=[effects.escalate])
    # fmt: on
