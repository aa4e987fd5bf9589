"""淘宝、天猫：退款和换货消息（domain/vocabulary.md 3.1）。金额是「元」，两位小数。

怎么读，见 kuaishou.py 开头。字段名取自公开的 TOP 文档，没有用真实账号核对过。
"""

from aftersales.feeds.report import Kind, Platform, Status

_CLOSED = ("closed_by_platform", "cancelled", "closed_timeout")

TAOBAO = Platform(
    key="taobao",
    policy="taobao",
    title="淘宝天猫",
    unit="yuan",
    usual="REFUND_AND_RETURN",
    inside=("content", "data", "refund"),
    places={
        "platform_no": ("refund_id", "dispute_id"),
        "status": ("status", "refund_status"),
        "kind": ("dispute_type", "refund_type"),
        "said_at": ("modified",),
        "applied_at": ("created",),
        "due_at": ("refund_remind_timeout.timeout", "timeout"),
        "amount_fen": ("refund_fee",),
        "paid_fen": ("payment", "total_fee"),
        "order_no": ("tid",),
        "item_no": ("oid",),
        "buyer": ("buyer_open_uid", "buyer_nick"),
        "note": ("desc", "reason"),
        "waybill_no": ("sid", "buyer_logistic_no"),
        "courier": ("company_name", "buyer_logistic_name"),
    },
    kinds={
        "REFUND_AND_RETURN": Kind("refund", "return_refund"),
        "REFUND": Kind("refund", "shipped_refund_only"),
        "REFUND_UNSHIPPED": Kind("refund", "unshipped"),
        "TMALL_EXCHANGE": Kind("exchange"),
        "EXCHANGE": Kind("exchange"),
        "REPAIR": Kind("repair"),
    },
    ignored_kinds={"RESHIPPING": "补寄不在这里处理", "PRICE_PROTECT": "价保不在这里处理"},
    statuses=(
        Status(
            "WAIT_SELLER_AGREE",
            "买家已经申请退款，等待卖家同意",
            ("pending_merchant_review", "negotiating", "intercepting"),
            ("pending_merchant_review",),
            ("pending_merchant_review",),
        ),
        Status(
            "WAIT_BUYER_RETURN_GOODS",
            "卖家已经同意，等待买家退货",
            ("awaiting_buyer_return",),
            ("awaiting_buyer_return",),
            ("awaiting_buyer_send",),
        ),
        Status(
            "WAIT_SELLER_CONFIRM_GOODS",
            "买家已经退货，等待卖家确认收货",
            ("awaiting_merchant_receipt", "inspecting"),
            ("awaiting_merchant_receipt", "inspecting"),
            ("awaiting_merchant_receipt", "repairing"),
        ),
        Status(
            "SELLER_REFUSE_BUYER",
            "卖家拒绝退款",
            ("rejected_pending_buyer", "return_rejected"),
            ("rejected_pending_buyer",),
            ("rejected_pending_buyer",),
        ),
        Status(
            "WAIT_BUYER_MODIFY",
            "卖家拒绝确认收货，等待买家修改",
            ("return_rejected", "rejected_pending_buyer"),
            ("return_rejected", "rejected_pending_buyer"),
            ("rejected_pending_buyer",),
        ),
        Status("WAIT_SELLER_SEND_GOODS", "卖家确认收货，等待卖家发货", (), ("awaiting_reship",), ("repairing",)),
        Status(
            "WAIT_BUYER_CONFIRM_GOODS",
            "待买家收货",
            (),
            ("awaiting_buyer_receipt", "awaiting_buyer_confirm", "reship_exception"),
            ("awaiting_buyer_receipt", "awaiting_buyer_confirm"),
        ),
        Status("EXCHANGE_TRANSFER_REFUND", "换货关闭，转退货退款", (), ("converted_to_refund",)),
        Status(
            "CLOSED",
            "退款关闭",
            (*_CLOSED, "closed_order_confirmed", "converted_to_exchange"),
            (*_CLOSED, "converted_to_refund"),
            (*_CLOSED, "converted_to_refund", "converted_to_return_refund", "converted_to_exchange"),
        ),
        Status("SUCCESS", "成功", ("refunded",), ("completed", "closed_reapplied"), ("completed",)),
    ),
    ignored={},
    ignored_fields={
        "cs_status": "客服介入的进度另成一列；对退款的结果以 status 为准",
        "advance_status": "平台先行垫付是平台与商家之间的账",
        "good_status": "货在哪里由 status 和快递的推送告知",
        "refund_phase": "售中还是售后不改变工单",
        "operation_contraint": "平台的限制在规则册里（TB-08）",
        "refund_version": "只用于调平台的接口",
        "disputeStatus": "阿里 LinkedMall 是另一个平台，编号不同，不从这里进来",
    },
)
