"""中差评处理：联系买家、补救、邀请改评；恶意的收集证据投诉。

补救不得以改评为条件；只有平台能删评；买家随时可以自行删评。

怎么读、怎么改，见 exchange.py 开头。改完运行  aftersales check  。
"""

from aftersales.workflows import facts, guards
from aftersales.workflows.effects import count_up, keep
from aftersales.workflows.guards import in_state
from aftersales.workflows.vocabulary import (
    AGENT,
    ANY_OPEN,
    ANYWHERE,
    BUYER,
    FOR_BUYER,
    FOR_PLATFORM,
    MERCHANT,
    PLATFORM,
    RUNS_ON,
    STAY,
    SYSTEM,
    Import,
    Opening,
    State,
    Step,
    Timeout,
    Workflow,
    choose,
    otherwise,
    when,
)


class BadReview(Workflow, key="bad_review", label="中差评", code="BR"):
    """一条中评或差评，到改评、回复、删除或结案为止。"""

    remembers = [facts.replies, facts.appeals, facts.root_cause]

    # fmt: off
    # ── 状态 ──
    detected            = State("发现中差评", waits_for=MERCHANT)
    contacting          = State("联系买家", waits_for=FOR_BUYER)
    understanding       = State("了解情况", waits_for=MERCHANT)
    remedy_offered      = State("已提出解决方案", waits_for=FOR_BUYER)
    remedy_executing    = State("执行补救", waits_for=MERCHANT)
    amendment_invited   = State("已邀请改评", waits_for=FOR_BUYER)
    public_reply_only   = State("仅公开回复", waits_for=MERCHANT)
    suspected_malicious = State("疑似恶意", waits_for=MERCHANT)
    collecting_evidence = State("收集证据", waits_for=MERCHANT)
    complaint_filed     = State("已投诉，平台审核", waits_for=FOR_PLATFORM)
    complaint_dismissed = State("投诉不成立", waits_for=MERCHANT)
    amended             = State("已改评")
    deleted_by_buyer    = State("买家已删评")
    removed_by_platform = State("平台已删除")
    closed_replied      = State("已回复结案")
    closed_unresolved   = State("未解决结案")
    window_expired      = State("改评期已过")

    # ── 开单 ──
    detect = Opening(
        "发现中差评", detected, by=SYSTEM,
        asks=[facts.review_id, facts.rating], accepts=[facts.review_at, facts.review_text],
        needs=[guards.no_open_ticket_on_item])
    import_from_platform = Import("从平台导入")

    # ── 动作：联系与补救 ──
    contact = Step(
        "联系买家", detected, contacting, asks=[facts.im_channel], accepts=[facts.summary], clause="OP-09")
    buyer_replied = Step("买家回复", contacting, understanding, by=BUYER, accepts=[facts.text])
    unreachable = Step("联系不上", [contacting, understanding, remedy_offered], public_reply_only)
    offer_remedy = Step(
        "提出补救方案", understanding, remedy_offered,
        asks=[facts.offer_kind, facts.text], accepts=[facts.amount_fen, facts.conditional_on_rating],
        needs=[guards.amount_positive, guards.no_forbidden_promise], clause="OP-08")
    accept = Step("买家接受", remedy_offered, remedy_executing, by=BUYER)
    decline = Step("买家不接受", remedy_offered, public_reply_only, by=BUYER)
    remedy_done = Step(
        "补救完成", remedy_executing, amendment_invited, by=SYSTEM, accepts=[facts.occurred_at], clause="LAW-06")
    remedy_failed = Step(
        "补救失败", remedy_executing, understanding, by=[AGENT, SYSTEM], accepts=[facts.message])
    amend = Step(
        "买家改评", amendment_invited, amended, by=BUYER,
        asks=[facts.new_rating], needs=[guards.within_window])
    buyer_deletes = Step(
        "买家删评", ANY_OPEN, deleted_by_buyer, by=BUYER, needs=[guards.within_window])

    # ── 动作：回复与追评 ──
    reply = Step(
        "公开回复", ANY_OPEN, STAY, asks=[facts.text],
        needs=[guards.within_window, guards.one_reply_only], effects=[count_up(facts.replies)],
        clock=RUNS_ON, clause="KSO-01")
    follow_up_review = Step(
        "买家追评", ANYWHERE, STAY, by=BUYER, asks=[facts.text], needs=[guards.within_window],
        clock=RUNS_ON, clause="KSO-01")

    # ── 动作：恶意评价 ──
    flag_malicious = Step(
        "标为疑似恶意", [understanding, contacting, detected], suspected_malicious,
        asks=[facts.malicious_reason])
    back_to_normal = Step("不是恶意", suspected_malicious, understanding)
    collect = Step("收集证据", suspected_malicious, collecting_evidence, accepts=[facts.text])
    file_complaint = Step(
        "向平台投诉", collecting_evidence, complaint_filed,
        accepts=[facts.text], needs=[guards.has_chat_log], clause="LAW-05")
    uphold = Step("投诉成立，平台删除", complaint_filed, removed_by_platform, by=PLATFORM)
    dismiss = Step("投诉不成立", complaint_filed, complaint_dismissed, by=PLATFORM, accepts=[facts.text])
    re_appeal = Step(
        "再次申诉", complaint_dismissed, complaint_filed, accepts=[facts.text],
        needs=[guards.has_new_evidence, guards.one_appeal_only], effects=[count_up(facts.appeals)])
    give_up = Step("放弃申诉", complaint_dismissed, public_reply_only)
    close = Step(
        "结案", [public_reply_only, amendment_invited, complaint_dismissed],
        choose(when(in_state(public_reply_only), closed_replied), otherwise(closed_unresolved)),
        asks=[facts.root_cause], effects=[keep(facts.root_cause)])

    # ── 到期 ──
    window_closed = Timeout("改评期已过", amendment_invited, window_expired)
    # fmt: on
