"""维修流程：寄修、上门、买家自行维修。

三种方式在商家同意时选定。违约不会自动退款：只登记买家可以主张什么、提醒人、升级，由买家来主张。

怎么读、怎么改，见 exchange.py 开头。改完运行  aftersales check  。
"""

from aftersales.workflows import effects, facts, guards
from aftersales.workflows.effects import count_up, entitles_to, forget, keep, keep_as, put
from aftersales.workflows.guards import is_given, is_one_of
from aftersales.workflows.vocabulary import (
    AGENT,
    BUYER,
    COURIER,
    ENDS,
    FOR_BUYER,
    FOR_PLATFORM,
    MERCHANT,
    ON_THE_WAY,
    PLATFORM,
    RUNS_ON,
    STARTS_IF_TIME_IS_LEFT,
    STAY,
    SYSTEM,
    WITH_BUYER,
    WITH_MERCHANT,
    Import,
    Opening,
    State,
    Step,
    Timeout,
    Until,
    Workflow,
    back_to,
    choose,
    ends_at,
    named_by,
    needed,
    otherwise,
    when,
)


class Repair(Workflow, key="repair", label="维修", code="RP"):
    """修好同一件商品，寄修、上门或由买家自己修。"""

    remembers = [
        facts.mode, facts.announced_days, facts.agreed_period_days, facts.negotiated_fen, facts.invoice_fen,
        facts.visit_at, facts.visit_limit_at, facts.first_visit_at, facts.repair_count, facts.entitlement,
        facts.needs_mutual_evidence, facts.merchant_collects,
    ]  # fmt: skip

    # fmt: off
    # ── 状态 ──
    pending_merchant_review = State("待商家审核", waits_for=MERCHANT)
    rejected_pending_buyer  = State("商家拒绝，待买家处理", waits_for=FOR_BUYER)
    awaiting_buyer_send     = State("待买家寄送", waits_for=FOR_BUYER, goods=WITH_BUYER)
    awaiting_merchant_receipt = State("待商家收货", waits_for=COURIER, goods=ON_THE_WAY)
    repairing               = State("维修中", waits_for=MERCHANT, goods=WITH_MERCHANT)
    awaiting_buyer_receipt  = State("已寄回，待买家收货", waits_for=COURIER, goods=ON_THE_WAY)
    negotiating_visit       = State("协商上门时间", waits_for=MERCHANT, goods=WITH_BUYER)
    visit_scheduled         = State("已约定上门", waits_for=MERCHANT, goods=WITH_BUYER)
    visit_grace             = State("协商未成，待上门", waits_for=MERCHANT, goods=WITH_BUYER)
    on_site_repairing       = State("上门维修中", waits_for=MERCHANT, goods=WITH_BUYER)
    awaiting_invoice        = State("待买家提交维修发票", waits_for=FOR_BUYER, goods=WITH_BUYER)
    reimbursing             = State("待商家支付维修费", waits_for=MERCHANT)
    awaiting_buyer_confirm  = State("待买家确认", waits_for=FOR_BUYER, goods=WITH_BUYER)
    breached                = State("商家逾期违约，买家可主张", waits_for=FOR_BUYER)
    platform_intervening    = State("平台介入中", waits_for=FOR_PLATFORM)
    completed                  = State("维修完成")
    cancelled                  = State("买家撤销")
    closed_timeout             = State("超时关闭")
    closed_by_platform         = State("平台关闭")
    converted_to_return_refund = State("转退货退款")
    converted_to_refund        = State("转退款")
    converted_to_exchange      = State("以换代修")

    # ── 开单 ──
    apply = Opening(
        "申请维修", pending_merchant_review, by=BUYER,
        asks=[facts.paid_fen, facts.fault],
        accepts=[facts.refunded_fen, facts.needs_on_site, facts.prior_repairs],
        needs=[guards.refunded_within_paid, guards.no_open_ticket_on_item],
        effects=[keep_as(facts.prior_repairs, facts.repair_count)])
    import_from_platform = Import("从平台导入")

    # ── 动作：审核 ──
    approve_mail_in = Step(
        "同意寄修", pending_merchant_review, awaiting_buyer_send,
        asks=[facts.announced_days], accepts=[facts.period],
        effects=[put(facts.mode, "mail_in"), keep(facts.announced_days),
                 keep_as(facts.period, facts.agreed_period_days)], clause="KS-RP-01")
    approve_on_site = Step(
        "同意上门维修", pending_merchant_review, negotiating_visit, effects=[put(facts.mode, "on_site")])
    approve_self_repair = Step(
        "同意买家自行维修", pending_merchant_review, awaiting_invoice,
        accepts=[facts.negotiated_fen], needs=[guards.consent],
        effects=[put(facts.mode, "self_repair"), keep(facts.negotiated_fen)], clause="KS-RP-09")
    reject = Step(
        "拒绝维修", pending_merchant_review, rejected_pending_buyer,
        asks=[facts.reason_code], needs=[guards.buyer_informed, guards.has_reject_evidence], clause="KS-RP-04")
    cancel = Step(
        "买家撤销",
        [pending_merchant_review, rejected_pending_buyer, awaiting_buyer_send, negotiating_visit,
         visit_scheduled, visit_grace, awaiting_invoice],
        cancelled, by=BUYER)

    # ── 动作：寄修 ──
    buyer_ship = Step(
        "买家已寄出", awaiting_buyer_send, awaiting_merchant_receipt, by=BUYER,
        asks=[facts.waybill_no], accepts=[facts.courier],
        needs=[guards.waybill_ok], effects=[effects.use_waybill])
    goods_received = Step(
        "收到维修件", awaiting_merchant_receipt, repairing, by=[SYSTEM, AGENT], accepts=[facts.occurred_at])
    extend_by_agreement = Step(
        "双方同意延期", [repairing, visit_scheduled, on_site_repairing], STAY,
        asks=[facts.new_due_at],
        needs=[guards.in_future(facts.new_due_at), guards.visit_not_beyond_limit(facts.new_due_at), guards.consent],
        clock=Until(facts.new_due_at))
    ship_back = Step(
        "修好寄回", repairing, awaiting_buyer_receipt,
        asks=[facts.waybill_no], accepts=[facts.courier],
        needs=[guards.waybill_ok, guards.has_repair_record],
        effects=[effects.use_waybill, count_up(facts.repair_count)], clause="KS-RP-02")
    repaired_item_signed = Step(
        "维修件已签收", awaiting_buyer_receipt, awaiting_buyer_confirm, by=SYSTEM, accepts=[facts.occurred_at])

    # ── 动作：上门 ──
    agree_visit = Step(
        "约定上门时间", [negotiating_visit, visit_grace], visit_scheduled, by=[AGENT, BUYER],
        asks=[facts.visit_at],
        needs=[guards.not_past(facts.visit_at), guards.visit_not_beyond_limit(facts.visit_at), guards.consent],
        effects=[effects.remember_visit_limit, keep(facts.visit_at)], clause="KS-RP-06")
    visit = Step(
        "已上门", [visit_scheduled, visit_grace, on_site_repairing],
        choose(when(guards.in_state(on_site_repairing), STAY, clock=RUNS_ON), otherwise(on_site_repairing)),
        accepts=[facts.occurred_at], needs=[guards.has_check_in_photo],
        effects=[effects.remember_first_visit], clause="KS-RP-08")
    finish_on_site = Step(
        "上门修好", on_site_repairing, awaiting_buyer_confirm, effects=[count_up(facts.repair_count)])

    # ── 动作：自行维修 ──
    submit_invoice = Step(
        "提交维修费", awaiting_invoice, reimbursing, by=BUYER,
        asks=[facts.invoice_amount_fen], needs=[guards.invoice_or_negotiated_amount],
        effects=[keep_as(facts.invoice_amount_fen, facts.invoice_fen)], clause="KS-RP-09")
    pay_repair_cost = Step(
        "支付维修费", reimbursing, completed,
        asks=[facts.invoice_amount_fen], needs=[guards.pays_submitted_amount],
        effects=[effects.pay_repair_cost])

    # ── 动作：确认、违约、介入 ──
    confirm = Step("买家确认", [awaiting_buyer_receipt, awaiting_buyer_confirm], completed, by=BUYER)
    not_fixed = Step(
        "没修好，再次申请", awaiting_buyer_confirm, pending_merchant_review, by=BUYER, starts_anew=True,
        accepts=[facts.text],
        effects=[forget(facts.mode, facts.agreed_period_days, facts.visit_at, facts.visit_limit_at,
                        facts.first_visit_at)])
    claim_refund = Step(
        "买家主张退款",
        breached,
        choose(when(is_given(facts.claim_kind, "return_refund"), converted_to_return_refund),
               otherwise(converted_to_refund)),
        by=BUYER, asks=[facts.claim_kind],
        needs=[guards.claims_entitlement, guards.no_agreement_proven], effects=[effects.collect_goods])
    cure = Step(
        "补救履约", breached,
        choose(when(is_one_of(facts.mode, "mail_in"), awaiting_buyer_receipt),
               otherwise(on_site_repairing, clock=STARTS_IF_TIME_IS_LEFT)),
        asks_if=[needed(facts.waybill_no, when=is_one_of(facts.mode, "mail_in"))],
        accepts=[facts.courier],
        needs=[guards.waybill_ok, guards.consent],
        effects=[effects.use_waybill, effects.remember_first_visit, effects.clear_entitlement], clause="KS-RP-03")
    convert_to_exchange = Step(
        "以换代修", [pending_merchant_review, repairing, on_site_repairing, breached], converted_to_exchange,
        needs=[guards.consent])
    request_intervention = Step(
        "买家申请平台介入", [rejected_pending_buyer, breached, awaiting_buyer_confirm], platform_intervening,
        by=BUYER, accepts=[facts.text])
    platform_rule = Step(
        "平台裁定", platform_intervening,
        named_by(facts.outcome, converted_to_return_refund, converted_to_refund,
                 ends_at(facts.new_due_at, repairing), closed_by_platform,
                 back_to(rejected_pending_buyer, breached, awaiting_buyer_confirm, clock=ENDS)),
        by=PLATFORM,
        asks=[facts.outcome.one_of("converted_to_return_refund", "converted_to_refund", "repairing",
                                   "closed_by_platform", "previous")],
        accepts=[facts.no_agreement, facts.new_due_at, facts.amount_fen, facts.liable],
        needs=[guards.amount_positive, guards.amount_within_paid],
        effects=[effects.note_no_agreement, effects.collect_goods])

    # ── 到期 ──
    send_timeout        = Timeout("逾期未寄送，关闭维修", awaiting_buyer_send, closed_timeout)
    repair_overdue      = Timeout(
        "逾期未寄回，商家违约", repairing, breached,
        effects=[entitles_to("return_refund", needs_mutual_evidence=True, merchant_collects=False)])
    negotiation_expired = Timeout(
        "协商期已过，待上门", [negotiating_visit, pending_merchant_review], visit_grace, only=[guards.visit_needed],
        effects=[put(facts.mode, "on_site")])
    visit_missed        = Timeout(
        "逾期未上门，商家违约", visit_scheduled, breached,
        effects=[entitles_to("return_refund", needs_mutual_evidence=False, merchant_collects=True)])
    grace_expired       = Timeout(
        "宽限期内未上门，商家违约", visit_grace, breached,
        effects=[entitles_to("refund", needs_mutual_evidence=False, merchant_collects=True)])
    on_site_overdue     = Timeout(
        "逾期未修好，商家违约", on_site_repairing, breached,
        effects=[entitles_to("refund", needs_mutual_evidence=False, merchant_collects=True)])
    # fmt: on
