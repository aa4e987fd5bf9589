"""丢件与物流异常：催件、查件、签收未收到、丢件、破损、短少、拒收、停滞。

买家不等快递公司：先把买家这边办完，向快递索赔另走。

怎么读、怎么改，见 exchange.py 开头。改完运行  aftersales check  。
"""

from aftersales.workflows import effects, facts, guards
from aftersales.workflows.effects import compensation_is, keep, keep_as, lower_flag, raise_flag
from aftersales.workflows.guards import is_given, is_one_of
from aftersales.workflows.vocabulary import (
    AGENT,
    ANY_OPEN,
    BUYER,
    COURIER,
    FOR_BUYER,
    FOR_PLATFORM,
    MERCHANT,
    RUNS_ON,
    STAY,
    SYSTEM,
    Import,
    Opening,
    State,
    Step,
    Workflow,
    choose,
    needed,
    otherwise,
    when,
)


class LostParcel(Workflow, key="lost_parcel", label="丢件·物流异常", code="LP"):
    """包裹出了问题，给买家一个处理方案。"""

    remembers = [facts.packaging_feedback, facts.no_reason]

    # fmt: off
    # ── 状态 ──
    reported              = State("已登记", waits_for=MERCHANT)
    need_buyer_info       = State("待买家补充信息", waits_for=FOR_BUYER)
    contacting_courier    = State("联系快递", waits_for=COURIER)
    verifying_sign_off    = State("核实签收", waits_for=MERCHANT)
    assessing_damage      = State("破损短少核定", waits_for=MERCHANT)
    suspected_lost        = State("疑似丢件", waits_for=COURIER)
    confirmed_lost        = State("确认丢件", waits_for=MERCHANT)
    returning_to_merchant = State("拒收退回中", waits_for=COURIER)
    remedy_pending        = State("待处理方案", waits_for=MERCHANT)
    reshipping            = State("补发中", waits_for=COURIER)
    refunding             = State("转退款", waits_for=FOR_PLATFORM)
    compensating          = State("补偿中", waits_for=FOR_PLATFORM)
    resolved_delivered    = State("已送达")
    resolved_reshipped    = State("补发完成")
    resolved_refunded     = State("退款完成")
    resolved_compensated  = State("补偿完成")
    closed_no_fault       = State("无责结案")
    cancelled             = State("买家撤销")

    # ── 开单 ──
    report = Opening(
        "登记物流问题", reported, by=[BUYER, AGENT, SYSTEM],
        asks=[facts.waybill_no, facts.parcel_issue, facts.paid_fen],
        accepts=[facts.refunded_fen, facts.freight_fen, facts.region, facts.note],
        needs=[guards.refunded_within_paid, guards.no_open_ticket_on_item])
    import_from_platform = Import("从平台导入")

    # ── 动作：问买家、问快递 ──
    ask_info = Step("请买家补充信息", reported, need_buyer_info, asks=[facts.text])
    provide_info = Step("买家补充信息", need_buyer_info, reported, by=BUYER, asks=[facts.text])
    urge = Step(
        "催件", reported, contacting_courier, effects=[raise_flag("buyer_feedback_due")], clause="S1-LG-01")
    trace = Step(
        "查件", reported,
        choose(when(is_given(facts.answered, True), STAY, clock=RUNS_ON), otherwise(contacting_courier)),
        by=[AGENT, SYSTEM], accepts=[facts.answered], clause="S1-LG-02")
    courier_replied = Step(
        "快递已答复", contacting_courier,
        choose(when(is_given(facts.courier_result, "delivered"), resolved_delivered),
               when(is_given(facts.courier_result, "suspected_lost"), suspected_lost),
               when(is_given(facts.courier_result, "lost"), confirmed_lost),
               otherwise(reported)),
        by=[AGENT, SYSTEM], asks=[facts.courier_result], needs=[guards.has_courier_reply])
    stale_detected = Step(
        "物流停滞", [reported, contacting_courier], suspected_lost, by=SYSTEM,
        asks=[facts.last_trace_at, facts.threshold_hours], accepts=[facts.signed],
        needs=[guards.parcel_not_signed, guards.quiet_long_enough], clause="EX-09")
    parcel_moves = Step(
        "物流恢复", suspected_lost, contacting_courier, by=SYSTEM, accepts=[facts.occurred_at])
    declare_lost = Step(
        "确认丢件", suspected_lost, confirmed_lost, needs=[guards.has_courier_reply], clause="EX-06")
    delivered = Step(
        "包裹已送达",
        [contacting_courier, suspected_lost, confirmed_lost, reported, reshipping, refunding, compensating],
        choose(when(guards.in_state(reshipping, refunding, compensating), STAY, clock=RUNS_ON),
               otherwise(resolved_delivered)),
        by=SYSTEM, accepts=[facts.occurred_at], effects=[effects.note_found_parcel], clause="EX-05")

    # ── 动作：签收未收到 ──
    verify_sign_off = Step(
        "核实签收", reported, verifying_sign_off,
        only=[is_one_of(facts.parcel_issue, "signed_not_received")], clause="S1-LG-03")
    sign_off_genuine = Step(
        "签收属实，无责", verifying_sign_off, closed_no_fault, needs=[guards.has_receiver_proof], clause="EX-03")
    sign_off_false = Step(
        "虚假签收", verifying_sign_off,
        choose(when(is_given(facts.redeliver, True), contacting_courier), otherwise(confirmed_lost)),
        accepts=[facts.redeliver], clause="S1-LG-03")

    # ── 动作：破损、拒收 ──
    report_damage = Step(
        "买家提交破损凭证", reported, assessing_damage, by=BUYER, needs=[guards.has_damage_proof])
    record_packaging_feedback = Step(
        "登记包装意见", ANY_OPEN, STAY, asks=[facts.text],
        effects=[keep_as(facts.text, facts.packaging_feedback)], clock=RUNS_ON, clause="S1-LG-04")
    refused = Step(
        "包裹被拒收", reported, returning_to_merchant, by=SYSTEM,
        only=[is_one_of(facts.parcel_issue, "refused")],
        accepts=[facts.no_reason, facts.occurred_at], effects=[keep(facts.no_reason)])
    refused_back = Step(
        "拒收件已退回", returning_to_merchant, remedy_pending, by=SYSTEM,
        accepts=[facts.occurred_at], clause="OP-07")

    # ── 动作：方案 ──
    choose_remedy = Step(
        "确定处理方案", [confirmed_lost, assessing_damage, remedy_pending, suspected_lost],
        choose(when(is_given(facts.remedy_kind, "reship"), reshipping),
               when(is_given(facts.remedy_kind, "refund"), refunding),
               otherwise(compensating)),
        asks=[facts.remedy_kind],
        asks_if=[needed(facts.amount_fen, when=is_given(facts.remedy_kind, "compensate")),
                 needed(facts.waybill_no, when=is_given(facts.remedy_kind, "reship"))],
        accepts=[facts.address],
        needs=[guards.amount_positive, guards.packaging_feedback_recorded, guards.consent,
               guards.something_left_to_refund, guards.remedy_within_paid, guards.waybill_ok,
               guards.address_ok_for_reship],
        effects=[effects.use_waybill, effects.remedy_amount])
    remedy_done = Step(
        "方案已完成", [reshipping, refunding, compensating],
        choose(when(guards.in_state(reshipping), resolved_reshipped),
               when(guards.in_state(refunding), resolved_refunded),
               otherwise(resolved_compensated)),
        by=SYSTEM, accepts=[facts.occurred_at], effects=[compensation_is("paid")])
    remedy_failed = Step(
        "方案失败", [reshipping, refunding, compensating], remedy_pending, by=[SYSTEM, AGENT],
        accepts=[facts.message], effects=[compensation_is("failed"), effects.take_back_remedy])

    # ── 动作：结案 ──
    close_no_fault = Step(
        "无责结案", [reported, need_buyer_info, assessing_damage], closed_no_fault,
        needs=[guards.buyer_informed, guards.has_agent_evidence])
    cancel = Step(
        "买家撤销",
        [reported, need_buyer_info, contacting_courier, verifying_sign_off, assessing_damage],
        cancelled, by=BUYER, effects=[lower_flag("buyer_feedback_due")])
    # fmt: on
