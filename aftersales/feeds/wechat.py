"""微信小店、视频号：售后消息（domain/vocabulary.md 3.4）。

怎么读，见 kuaishou.py 开头。字段名取自公开的开放平台文档，没有用真实账号核对过；微信推送的加密和签名也没有核对。
旧的数字编号（自定义交易组件）写在名字后面，两种都认。
"""

from aftersales.feeds.report import Kind, Platform, Status

_CLOSED = ("closed_by_platform", "cancelled", "closed_timeout")
_REVIEW = ("pending_merchant_review",)

_NAMED = (
    (("MERCHANT_PROCESSING", "2"), "商家受理中", ("pending_merchant_review", "intercepting"), _REVIEW),
    (("USER_WAIT_CONFIRM_UPDATE",), "待用户处理商家协商", ("negotiating",), _REVIEW),
    (("WAIT_PACKAGE_INTERCEPT",), "物流线上拦截中", ("intercepting",), ()),
    (("MERCHANT_REJECT_REFUND", "4"), "商家拒绝退款", ("rejected_pending_buyer", "return_rejected"), ()),
    (("MERCHANT_REJECT_RETURN", "5"), "商家拒绝退货退款", ("rejected_pending_buyer", "return_rejected"), ()),
    (("MERCHANT_REJECT_EXCHANGE",), "商家拒绝换货", (), ("rejected_pending_buyer", "return_rejected")),
    (("MERCHANT_REJECT_RESHIP",), "商家拒绝发货", (), ("return_rejected",)),
    (("USER_WAIT_RETURN", "6"), "待买家退货", ("awaiting_buyer_return",), ("awaiting_buyer_return",)),
    (
        ("RETURN_CLOSED", "7"),
        "退货退款关闭",
        ("closed_timeout", "cancelled", "closed_by_platform"),
        ("closed_timeout", "cancelled", "closed_by_platform"),
    ),
    (
        ("MERCHANT_WAIT_RECEIPT", "8"),
        "待商家收货",
        ("awaiting_merchant_receipt", "inspecting"),
        ("awaiting_merchant_receipt", "inspecting", "awaiting_reship"),
    ),
    (
        ("USER_WAIT_RECEIPT",),
        "待用户收货",
        (),
        ("awaiting_buyer_receipt", "awaiting_buyer_confirm", "reship_exception"),
    ),
    (("MERCHANT_OVERDUE_REFUND", "12"), "商家逾期未退款", ("refund_executing",), ()),
    (("PLATFORM_REFUNDING", "11"), "平台退款中", ("refund_executing",), ()),
    (("PLATFORM_REFUND_FAIL",), "退款失败", ("refund_failed",), ()),
    (("MERCHANT_REFUND_RETRY_FAIL",), "打款失败，客服关闭", ("closed_by_platform", "refund_failed"), ()),
    (("USER_WAIT_CONFIRM",), "待用户确认", ("refund_failed",), ()),
    (("MERCHANT_REFUND_SUCCESS", "13"), "退款完成", ("refunded",), ()),
    (("MERCHANT_RETURN_SUCCESS", "14"), "退货退款完成", ("refunded",), ()),
    (("MERCHANT_EXCHANGE_SUCCESS",), "换货完成", (), ("completed", "closed_reapplied")),
    # 平台自己少写了一个 L
    (("USER_CANCELD", "1"), "用户取消申请", ("cancelled", "closed_order_confirmed"), ("cancelled",)),
    (("MERCHANT_FAIL",), "售后关闭", _CLOSED, (*_CLOSED, "converted_to_refund")),
)

WECHAT = Platform(
    key="wechat",
    policy="wechat",
    title="微信小店",
    inside=("after_sale_order", "finder_shop_aftersale_status_update", "data"),
    places={
        "platform_no": ("after_sale_order_id",),
        "status": ("status",),
        "kind": ("type",),
        "said_at": ("update_time", "CreateTime"),
        "applied_at": ("create_time",),
        "due_at": ("deadline",),
        "amount_fen": ("refund_info.amount", "refund_amount"),
        "paid_fen": ("order_amount", "product_info.order_price"),
        "order_no": ("order_id",),
        "item_no": ("product_info.sku_id", "sku_id"),
        "buyer": ("openid",),
        "note": ("details.desc", "reason_text"),
        "waybill_no": ("return_info.waybill_id",),
        "courier": ("return_info.delivery_name",),
    },
    kinds={
        "REFUND": Kind("refund", "shipped_refund_only"),
        "RETURN": Kind("refund", "return_refund"),
        "EXCHANGE": Kind("exchange"),
        "1": Kind("refund", "shipped_refund_only"),
        "2": Kind("refund", "return_refund"),
        "3": Kind("exchange"),
    },
    ignored_kinds={},
    statuses=tuple(
        Status(code, words, refund, exchange) for codes, words, refund, exchange in _NAMED for code in codes
    ),
    ignored={
        "USER_WAIT_HANDLE_MERCHANT_AFTER_SALE": "商家代发起、买家还没有同意：同意之前不是一张售后单",
        "0": "旧编号「未受理」：还没有进入商家处理",
        "3": "旧编号「商家逾期未处理」：平台随后会推送它做了什么",
        **dict.fromkeys(("15", "16", "17", "18", "19"), "旧编号 15 到 19 在两份公开资料里意思不同，请用新的状态名推送"),
    },
    ignored_fields={
        "complaint": "纠纷单（100 到 116、305、307）另有流程；对售后单的结果以它自己的状态为准",
        "客诉工单": "客诉工单不是售后单",
        "filterType": "评价消息不是售后单",
    },
)
