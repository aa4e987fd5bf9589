"""What a step may ask for and what a ticket remembers. Shared, so that one name means one thing.

The names on the left are used in the tables; the first argument is the name in forms, files and the API
(fields.md). Money is 分, times are instants, periods are days.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from aftersales.workflows.vocabulary import Fact


class Evidence(StrEnum):
    """凭证种类."""

    CHAT_LOG = "chat_log"
    CALL_CONFIRMED_IN_IM = "call_confirmed_in_im"
    PHOTO = "photo"
    UNBOXING_VIDEO = "unboxing_video"
    WEIGHT_RECORD = "weight_record"
    WAYBILL_PHOTO = "waybill_photo"
    TRACKING_SNAPSHOT = "tracking_snapshot"
    INVOICE = "invoice"
    REPAIR_RECORD = "repair_record"
    INSPECTION_REPORT = "inspection_report"
    RECEIVER_STATEMENT = "receiver_statement"
    COURIER_REPLY = "courier_reply"

    @property
    def label(self) -> str:
        return EVIDENCE_LABELS[self.value]


EVIDENCE_LABELS = {
    "chat_log": "平台聊天记录",
    "call_confirmed_in_im": "电话沟通后的聊天确认",
    "photo": "照片",
    "unboxing_video": "拆包视频",
    "weight_record": "称重记录",
    "waybill_photo": "快递底单照片",
    "tracking_snapshot": "物流轨迹截图",
    "invoice": "发票",
    "repair_record": "维修记录",
    "inspection_report": "检测报告",
    "receiver_statement": "收件人说明",
    "courier_reply": "快递公司答复",
}


def _choices(**labels: str) -> tuple[tuple[Any, str], ...]:
    return tuple(labels.items())


def _text(name: str, label: str) -> Fact:
    return Fact(name, label)


def _fen(name: str, label: str, default: int | None = None) -> Fact:
    return Fact(name, label, "fen", default=default)


def _count(name: str, label: str, default: int | None = None, at_least: int = 0) -> Fact:
    return Fact(name, label, "int", default=default, at_least=at_least)


def _yes_no(name: str, label: str, default: bool | None = None) -> Fact:
    return Fact(name, label, "bool", default=default)


def _time(name: str, label: str) -> Fact:
    return Fact(name, label, "time")


# ── 通用 ──
paid_fen = Fact("paid_fen", "实付金额", "fen", at_least=0)
refunded_fen = Fact("refunded_fen", "已退金额", "fen", default=0, at_least=0)
note = _text("note", "说明")
text = _text("text", "内容")
message = _text("message", "原因说明")
occurred_at = _time("occurred_at", "实际发生时间")
amount_fen = _fen("amount_fen", "金额")
team = _text("team", "小组")
handing_reason = _text("reason", "原因")
handing_summary = _text("summary", "小结")
complaint_level = Fact(
    "complaint_level",
    "投诉等级",
    "choice",
    _choices(L1="L1 平静", L2="L2 不满", L3="L3 激烈", L4="L4 威胁投诉曝光"),
)
courier = _text("courier", "快递公司")
waybill_no = _text("waybill_no", "运单号")
return_waybill_no = _text("return_waybill_no", "退货运单号")
reship_waybill_no = _text("reship_waybill_no", "换货运单号")
address = _text("address", "收货地址")
return_address = _text("return_address", "退货地址")
liable = _text("liable", "责任方")
prior_attempts = _count("prior_attempts", "此前申请次数", default=0)
attempts_used = _count("attempts_used", "已用申请次数", default=0)
receipt_confirmed_at = _time("receipt_confirmed_at", "买家确认收货时间")
freight_fen = Fact("freight_fen", "去程运费", "fen", default=0, at_least=0)
region = Fact("region", "收货地区", "choice", _choices(mainland="中国大陆", hk_mo_tw="港澳台"), default="mainland")
no_reason = _yes_no("no_reason", "无理由拒收", default=False)
starts_at = Fact(
    "starts_at",
    "转入状态",
    "choice",
    _choices(
        awaiting_buyer_return="待买家寄回",
        awaiting_merchant_receipt="待商家收货",
        refund_executing="退款打款中",
        awaiting_reship="待商家发出换货商品",
    ),
)
reason_code = Fact(
    "reason_code",
    "拒绝理由",
    "choice",
    (
        (4, "包裹在发起时已寄出"),
        (6, "买家误操作或已协商取消"),
        (15, "特殊品类"),
        (16, "商品不存在所述问题"),
        (17, "已按时发货且物流正常"),
        (19, "退货单号有误或未收到货"),
        (20, "影响二次销售"),
        (21, "非本订单商品"),
        (22, "空包或缺配件赠品"),
        (24, "申请原因与实际不符"),
    ),
)
outcome = Fact(
    "outcome",
    "平台裁定",
    "choice",
    _choices(
        awaiting_buyer_return="买家寄回",
        awaiting_reship="商家换发",
        converted_to_refund="转退款",
        converted_to_return_refund="转退货退款",
        refund_executing="退款",
        repairing="商家继续维修",
        rejected_pending_buyer="支持商家，买家再处理",
        closed_by_platform="关闭售后",
        previous="回到介入前的状态",
    ),
)

# ── 换货 ──
exchange_reason = Fact(
    "reason",
    "换货原因",
    "choice",
    _choices(quality="质量问题", wrong_item="发错货", damaged="商品破损", size="尺码不合适", other="其他"),
)
ship_to = _text("ship_to", "买家收货地址")
sku_exchangeable = _yes_no("sku_exchangeable", "商品支持换货", default=True)
worn = _yes_no("worn", "已穿过洗过，影响二次销售", default=False)
parcel_issue = Fact(
    "issue",
    "包裹问题",
    "choice",
    _choices(
        urge="催件",
        trace="查件",
        signed_not_received="显示签收，买家未收到",
        lost="丢件",
        damaged="破损",
        shortage="内件短少",
        refused="拒收",
        stale="物流停滞",
    ),
)

# ── 维修 ──
fault = _text("fault", "故障描述")
needs_on_site = _yes_no("needs_on_site", "需要上门维修", default=False)
prior_repairs = _count("prior_repairs", "此前维修次数", default=0)
mode = Fact("mode", "维修方式", "choice", _choices(mail_in="寄修", on_site="上门", self_repair="买家自行维修"))
announced_days = _count("announced_days", "告知买家的维修周期（天）", at_least=1)
period = _count("period", "双方约定的维修期（天）", at_least=1)
agreed_period_days = _count("agreed_period_days", "双方约定的维修期（天）", at_least=1)
negotiated_fen = Fact("negotiated_fen", "协商的维修费", "fen", at_least=1)
invoice_fen = _fen("invoice_fen", "发票金额")
invoice_amount_fen = Fact("amount_fen", "维修费金额", "fen", at_least=1)
visit_at = _time("visit_at", "约定上门时间")
visit_limit_at = _time("visit_limit_at", "最迟上门时间")
first_visit_at = _time("first_visit_at", "首次上门时间")
new_due_at = _time("new_due_at", "新的期限")
repair_count = _count("repair_count", "维修次数", default=0)
entitlement = Fact("entitlement", "买家可主张", "choice", _choices(return_refund="退货退款", refund="退款"))
needs_mutual_evidence = _yes_no("needs_mutual_evidence", "须先由平台核实双方未达成一致")
merchant_collects = _yes_no("merchant_collects", "商户自行取回商品")
claim_kind = Fact("kind", "主张", "choice", _choices(return_refund="退货退款", refund="退款"))
no_agreement = _yes_no("no_agreement", "平台核实双方未达成一致")

# ── 退款 ──
refund_kind = Fact(
    "kind",
    "退款类型",
    "choice",
    _choices(
        unshipped="未发货仅退款", shipped_refund_only="已发货仅退款", return_refund="退货退款", voucher="卡券退款"
    ),
)
refund_reason = Fact(
    "reason",
    "退款原因",
    "choice",
    _choices(
        no_reason_7d="七天无理由",
        quality="质量问题",
        wrong_item="发错货",
        not_received="未收到货",
        damaged="商品破损",
        other="其他",
    ),
)
signed_at = _time("signed_at", "买家签收时间")
category = Fact(
    "category",
    "商品类目",
    "choice",
    _choices(
        normal="普通商品",
        custom_made="定作商品",
        perishable="鲜活易腐",
        opened_digital="已拆封数字化商品",
        periodical="报纸期刊",
        online_game="网游",
    ),
    default="normal",
)
voucher_total = _count("voucher_total", "订单卡券张数", at_least=1)
voucher_used = _count("voucher_used", "已使用张数", default=0)
voucher_refunded = _count("voucher_refunded", "此前已退张数", default=0)
voucher_count = _count("voucher_count", "本次退的张数", at_least=1)
expires_at = _time("expires_at", "卡券有效期至")
strategy_id = _text("strategy_id", "自动退款策略")
proposal_reason = _text("reason", "协商理由")
proposed_fen = _fen("proposed_fen", "协商金额")
proposal_unanswered = _yes_no("proposal_unanswered", "买家拒绝或未答复协商方案")
deduct_fen = Fact("deduct_fen", "扣减金额", "fen", at_least=0)
description = _text("description", "说明")
refund_tried_at = _time("refund_tried_at", "最近一次打款时间")
parcel_was_refused = _yes_no("parcel_was_refused", "包裹被拒收")

# ── 丢件 ──
answered = _yes_no("answered", "已当场答复", default=False)
courier_result = Fact(
    "result",
    "快递答复",
    "choice",
    _choices(delivered="已送达", suspected_lost="疑似丢件", lost="确认丢件", other="其他"),
)
redeliver = _yes_no("redeliver", "要求重新派送", default=False)
last_trace_at = _time("last_trace_at", "最后一条物流轨迹时间")
threshold_hours = _count("threshold_hours", "停滞多少小时算异常", at_least=1)
signed = _yes_no("signed", "已签收", default=False)
packaging_feedback = _text("packaging_feedback", "包装意见")
remedy_kind = Fact("kind", "处理方案", "choice", _choices(reship="补发", refund="退款", compensate="补偿"))

# ── 中差评 ──
review_id = _text("review_id", "评价编号")
rating = Fact("rating", "星级", "choice", ((1, "1 星"), (2, "2 星"), (3, "3 星")))
review_at = Fact("review_at", "评价时间", "time", default="now")
review_text = _text("text", "评价内容")
im_channel = Fact("channel", "联系方式", "choice", _choices(im="平台聊天"))
summary = _text("summary", "沟通内容")
offer_kind = Fact(
    "kind",
    "补救方案",
    "choice",
    _choices(refund="退款", exchange="换货", repair="维修", compensation="补偿"),
)
conditional_on_rating = _yes_no("conditional_on_rating", "以改评为条件", default=False)
new_rating = Fact("new_rating", "改后星级", "choice", ((4, "4 星"), (5, "5 星")))
malicious_reason = Fact(
    "reason",
    "恶意类型",
    "choice",
    _choices(extortion="要挟", competitor="同行", professional="职业差评", irrelevant="内容无关"),
)
root_cause = _text("root_cause", "根本原因")
replies = _count("replies", "已回复次数", default=0)
appeals = _count("appeals", "已再申诉次数", default=0)
can_amend = _yes_no("can_amend", "仍可改评", default=True)

# ── 各种工单都有的动作 ──
channel = Fact("channel", "沟通方式", "choice", _choices(im="平台聊天", phone="电话"))
evidence_kind = Fact("kind", "凭证种类", "choice", tuple(EVIDENCE_LABELS.items()))
#: SHA-256 of the files uploaded with it, so that the chain of events vouches for them; no form asks for it
fingerprints = Fact("fingerprints", "文件指纹", "evidence")
due_at = _time("due_at", "平台给的期限")
platform_state = _text("state", "平台状态")
agent = _text("agent", "交给谁")
