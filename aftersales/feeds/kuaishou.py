"""快手小店：售后消息（domain/vocabulary.md 3.2）。

一行一个状态：平台的编号、平台的说法、我们的状态（第一个是要采用的，后面的也算一致）。
字段名取自公开的开放平台文档，没有用真实账号核对过；签名规则同样没有核对，默认用通用的签名（docs/feeds.md）。
"""

from aftersales.feeds.report import Kind, Platform, Status

#: 退款关闭 does not tell who closed it: every closed state agrees
_CLOSED = ("closed_by_platform", "cancelled", "closed_timeout")

KUAISHOU = Platform(
    key="kuaishou",
    policy="kuaishou",
    title="快手小店",
    inside=("info", "data", "param"),
    places={
        "platform_no": ("refundId", "refund_id", "afterSalesId"),
        "status": ("status", "refundStatus"),
        "kind": ("handlingWay", "refundType"),
        "said_at": ("updateTime", "update_time"),
        "applied_at": ("submitTime", "createTime"),
        "due_at": ("expireTime", "validTime"),
        "amount_fen": ("refundFee", "refundAmount"),
        "paid_fen": ("payFee", "totalFee"),
        "order_no": ("oid", "orderId"),
        "item_no": ("skuId", "itemId"),
        "buyer": ("buyerNick",),
        "note": ("refundDesc", "refundReasonDesc"),
        "waybill_no": ("logisticsNo", "logisticsInfo.expressNo"),
        "courier": ("expressName", "logisticsInfo.expressName"),
    },
    kinds={
        "1": Kind("refund", "return_refund"),
        "10": Kind("refund", "shipped_refund_only"),
        "3": Kind("exchange"),
        "5": Kind("repair"),
    },
    ignored_kinds={"4": "补寄不在这里处理"},
    statuses=(
        Status(
            "10",
            "买家已经申请退款，等待卖家同意",
            ("pending_merchant_review", "negotiating", "intercepting"),
            ("pending_merchant_review",),
            ("pending_merchant_review",),
        ),
        Status(
            "12",
            "卖家已拒绝，等待买家处理",
            ("rejected_pending_buyer", "return_rejected"),
            ("rejected_pending_buyer", "return_rejected"),
            ("rejected_pending_buyer",),
        ),
        Status(
            "20",
            "协商纠纷，等待平台处理",
            ("platform_intervening",),
            ("platform_intervening",),
            ("platform_intervening",),
        ),
        Status(
            "22",
            "平台介入-已确认退货退款",
            ("platform_intervening", "awaiting_merchant_receipt"),
            ("platform_intervening", "awaiting_merchant_receipt"),
            ("platform_intervening", "awaiting_merchant_receipt"),
        ),
        Status(
            "30",
            "卖家已经同意退款，等待买家退货",
            ("awaiting_buyer_return",),
            ("awaiting_buyer_return",),
            ("awaiting_buyer_send",),
        ),
        Status(
            "40",
            "买家已经退货，等待卖家确认收货",
            ("awaiting_merchant_receipt", "inspecting"),
            ("awaiting_merchant_receipt", "inspecting", "awaiting_reship"),
            ("awaiting_merchant_receipt", "repairing"),
        ),
        Status(
            "45",
            "卖家已经发货，等待买家确认收货",
            (),
            ("awaiting_buyer_receipt", "awaiting_buyer_confirm", "reship_exception"),
            ("awaiting_buyer_receipt", "awaiting_buyer_confirm"),
        ),
        Status("50", "卖家已经同意退款，等待系统执行退款", ("refund_executing", "refund_failed")),
        Status(
            "60",
            "退款成功",
            ("refunded",),
            ("completed", "closed_reapplied", "converted_to_refund"),
            ("completed", "converted_to_refund", "converted_to_return_refund", "converted_to_exchange"),
        ),
        Status(
            "70",
            "退款关闭",
            (*_CLOSED, "closed_order_confirmed", "converted_to_exchange"),
            (*_CLOSED, "converted_to_refund"),
            (*_CLOSED, "converted_to_refund", "converted_to_return_refund", "converted_to_exchange"),
        ),
    ),
    ignored={},
    ignored_fields={
        "negotiateStatus": "协商的进度已经在 status 里：1 就是 10，2 就是 30 或 50，3 就是 12",
        "eventType": "发生了什么以 status 为准：事件只说经过，不说现在",
    },
)
