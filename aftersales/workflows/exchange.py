"""换货流程。

怎么读：先看「状态」——现在停在哪一步、等谁；再看「动作」——页面上的按钮和平台、快递送来的事实；
最后看「到期」——只有时钟会触发，多久触发写在 policies/ 里，这里不写天数。

怎么改：加一行、删一行或改中文名都可以；左边的英文名一旦上线就不要再改（数据库里存的是它）。
改完运行  aftersales check  。
"""

from aftersales.workflows import effects, facts, guards
from aftersales.workflows.effects import keep, keep_as
from aftersales.workflows.vocabulary import (
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
    back_to,
    named_by,
)


class Exchange(Workflow, key="exchange", label="换货", code="EX"):
    """买家寄回原商品，商家验货后换发新商品。"""

    # fmt: off
    # ── 状态 ── 第一行是起点；不等任何人的就是终点
    pending_merchant_review = State("待商家审核", waits_for=MERCHANT)
    rejected_pending_buyer  = State("商家已驳回，待买家处理", waits_for=FOR_BUYER)
    awaiting_buyer_return   = State("待买家寄回", waits_for=FOR_BUYER, goods=WITH_BUYER)
    awaiting_merchant_receipt = State("退回途中，待商家收货", waits_for=COURIER, goods=ON_THE_WAY)
    inspecting              = State("已签收，待拆包验货", waits_for=MERCHANT, goods=WITH_MERCHANT)
    return_rejected         = State("商家拒收退回件，待买家处理", waits_for=FOR_BUYER)
    awaiting_reship         = State("待商家发出换货商品", waits_for=MERCHANT, goods=WITH_MERCHANT)
    awaiting_buyer_receipt  = State("换货商品运输中", waits_for=COURIER, goods=WITH_MERCHANT)
    reship_exception        = State("换货包裹异常", waits_for=MERCHANT)
    awaiting_buyer_confirm  = State("待买家确认收货", waits_for=FOR_BUYER)
    platform_intervening    = State("平台介入中", waits_for=FOR_PLATFORM)
    completed           = State("换货完成")
    cancelled           = State("买家撤销")
    closed_timeout      = State("超时关闭")
    closed_by_platform  = State("平台关闭")
    converted_to_refund = State("转退款")
    closed_reapplied    = State("买家重新发起")

    # ── 开单 ──
    apply = Opening(
        "申请换货", pending_merchant_review, by=[BUYER, AGENT],
        asks=[facts.paid_fen, facts.exchange_reason],
        accepts=[facts.refunded_fen, facts.ship_to, facts.sku_exchangeable, facts.worn,
                 facts.receipt_confirmed_at, facts.prior_attempts, facts.note],
        needs=[guards.refunded_within_paid, guards.within_window, guards.no_open_ticket_on_item,
               guards.attempts_left, guards.sku_is_exchangeable, guards.not_worn],
        effects=[effects.use_attempt])
    open_converted = Opening(
        "转单开出", named_by(facts.starts_at, awaiting_buyer_return, awaiting_reship), by=SYSTEM,
        asks=[facts.paid_fen, facts.exchange_reason,
              facts.starts_at.one_of("awaiting_buyer_return", "awaiting_reship")],
        accepts=[facts.refunded_fen, facts.ship_to, facts.note],
        needs=[guards.no_open_ticket_on_item])
    import_from_platform = Import("从平台导入")

    # ── 动作 ──
    approve = Step(
        "同意换货", pending_merchant_review, awaiting_buyer_return,
        accepts=[facts.return_address], effects=[keep(facts.return_address)], clause="KS-EX-07")
    reject = Step(
        "驳回", pending_merchant_review, rejected_pending_buyer,
        asks=[facts.reason_code], needs=[guards.buyer_informed, guards.has_reject_evidence], clause="KS-EX-05")
    modify = Step(
        "买家修改申请", [pending_merchant_review, rejected_pending_buyer, return_rejected],
        pending_merchant_review, by=BUYER, starts_anew=True,
        accepts=[facts.exchange_reason, facts.note], needs=[guards.attempts_left],
        effects=[keep(facts.exchange_reason, facts.note), effects.use_attempt])
    cancel = Step(
        "买家撤销",
        [pending_merchant_review, rejected_pending_buyer, awaiting_buyer_return, awaiting_merchant_receipt,
         inspecting, return_rejected, awaiting_reship, platform_intervening],
        cancelled, by=BUYER, effects=[effects.goods_back_to_buyer])
    request_intervention = Step(
        "买家申请平台介入", [rejected_pending_buyer, return_rejected, inspecting, awaiting_reship],
        platform_intervening, by=BUYER, accepts=[facts.text], needs=[guards.overdue])
    submit_return_waybill = Step(
        "填写退货运单", awaiting_buyer_return, awaiting_merchant_receipt, by=[BUYER, AGENT],
        asks=[facts.waybill_no], accepts=[facts.courier],
        needs=[guards.waybill_ok],
        effects=[effects.use_waybill, keep_as(facts.waybill_no, facts.return_waybill_no)], clause="KS-EX-07")
    change_return_waybill = Step(
        "更正退货运单", awaiting_merchant_receipt, STAY, by=BUYER,
        asks=[facts.waybill_no], accepts=[facts.courier],
        needs=[guards.waybill_ok],
        effects=[effects.use_waybill, keep_as(facts.waybill_no, facts.return_waybill_no)], clock=RUNS_ON)
    return_signed = Step(
        "退回件已签收", awaiting_merchant_receipt, inspecting, by=SYSTEM, accepts=[facts.occurred_at])
    accept_return = Step(
        "验货通过", [inspecting, awaiting_merchant_receipt], awaiting_reship)
    reject_return = Step(
        "拒收退回件", inspecting, return_rejected,
        asks=[facts.reason_code.one_of(19, 20, 21, 22)],
        needs=[guards.has_return_defect, guards.video_of_empty_parcel])
    reship = Step(
        "发出换货商品", awaiting_reship, awaiting_buyer_receipt,
        asks=[facts.waybill_no], accepts=[facts.courier, facts.address],
        needs=[guards.waybill_ok, guards.address_ok],
        effects=[effects.use_waybill, keep_as(facts.waybill_no, facts.reship_waybill_no)], clause="OP-04")
    accept_and_reship = Step(
        "验货通过并发出", [inspecting, awaiting_merchant_receipt], awaiting_buyer_receipt,
        asks=[facts.waybill_no], accepts=[facts.courier, facts.address],
        needs=[guards.waybill_ok, guards.address_ok],
        effects=[effects.use_waybill, keep_as(facts.waybill_no, facts.reship_waybill_no)])
    refuse_reship = Step(
        "拒绝发货", awaiting_reship, return_rejected,
        asks=[facts.reason_code], needs=[guards.has_reject_evidence])
    convert_to_refund = Step(
        "转退款",
        [pending_merchant_review, rejected_pending_buyer, awaiting_buyer_return, awaiting_merchant_receipt,
         inspecting, awaiting_reship, return_rejected, reship_exception, platform_intervening],
        converted_to_refund, by=[AGENT, PLATFORM],
        accepts=[facts.amount_fen],
        needs=[guards.agent_has_consent, guards.amount_positive, guards.amount_within_paid], clause="KSO-02")
    new_item_signed = Step(
        "换货商品已签收", awaiting_buyer_receipt, awaiting_buyer_confirm, by=SYSTEM,
        accepts=[facts.occurred_at])
    report_reship_problem = Step(
        "换货包裹有问题", [awaiting_buyer_receipt, awaiting_buyer_confirm], reship_exception,
        by=[BUYER, SYSTEM],
        asks=[facts.parcel_issue.one_of("lost", "damaged", "signed_not_received", "stale")], clock=PAUSES)
    reship_found = Step(
        "换货包裹找到", reship_exception,
        back_to(awaiting_buyer_receipt, awaiting_buyer_confirm, clock=RESUMES), by=SYSTEM,
        accepts=[facts.occurred_at])
    reship_again = Step(
        "再次发出", reship_exception, awaiting_buyer_receipt,
        asks=[facts.waybill_no], accepts=[facts.courier, facts.address],
        needs=[guards.has_courier_reply, guards.waybill_ok, guards.address_ok],
        effects=[effects.use_waybill, keep_as(facts.waybill_no, facts.reship_waybill_no)])
    confirm = Step("买家确认收货", [awaiting_buyer_confirm, awaiting_buyer_receipt], completed, by=BUYER)
    reapply = Step(
        "买家重新发起", awaiting_buyer_confirm, closed_reapplied, by=BUYER,
        accepts=[facts.exchange_reason], clause="KS-EX-06")
    platform_rule = Step(
        "平台裁定", platform_intervening,
        named_by(facts.outcome, awaiting_buyer_return, awaiting_reship, converted_to_refund, closed_by_platform,
                 back_to(rejected_pending_buyer, return_rejected, inspecting, awaiting_reship, clock=ENDS)),
        by=PLATFORM,
        asks=[facts.outcome.one_of("awaiting_buyer_return", "awaiting_reship", "converted_to_refund",
                                   "closed_by_platform", "previous")],
        accepts=[facts.amount_fen, facts.liable],
        needs=[guards.amount_positive, guards.amount_within_paid])

    # ── 到期 ──
    auto_approve      = Timeout("逾期未处理，视为同意换货", pending_merchant_review, awaiting_buyer_return)
    return_timeout    = Timeout("逾期未寄回，关闭换货", awaiting_buyer_return, closed_timeout)
    inspect_overdue   = Escalation("逾期未验货，升级处理", inspecting, effects=[effects.escalate])
    confirm_timeout   = Timeout("逾期未确认，换货完成", awaiting_buyer_confirm, completed)
    intervention_window_expired = Timeout(
        "逾期未申请介入，关闭换货", [rejected_pending_buyer, return_rejected], closed_timeout)
    # fmt: on
