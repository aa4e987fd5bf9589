"""抖店：售后消息（domain/vocabulary.md 3.3）。

怎么读，见 kuaishou.py 开头。字段名取自公开的开放平台文档，没有用真实账号核对过。
这里还没有抖店的时限规则，所以抖店的售后单不会在这里新开，只核对已有的。
"""

from aftersales.feeds.report import Kind, Platform, Status

_CLOSED = ("closed_by_platform", "cancelled", "closed_timeout")

DOUYIN = Platform(
    key="douyin",
    policy="",
    title="抖店",
    inside=("data", "param"),
    places={
        "platform_no": ("aftersale_id",),
        "status": ("aftersale_status",),
        "kind": ("aftersale_type",),
        "said_at": ("update_time", "modify_time"),
        "applied_at": ("apply_time", "create_time"),
        "due_at": ("status_deadline", "aftersale_status_to_final_time"),
        "amount_fen": ("refund_amount", "real_refund_amount"),
        "paid_fen": ("pay_amount",),
        "order_no": ("s_order_id", "p_id", "shop_order_id"),
        "item_no": ("sku_id", "product_id"),
        "note": ("reason", "remark"),
        "waybill_no": ("return_logistics_code", "logistics_no"),
        "courier": ("return_logistics_company_name",),
    },
    kinds={
        "0": Kind("refund", "return_refund"),
        "1": Kind("refund", "shipped_refund_only"),
        "2": Kind("refund", "unshipped"),
        "3": Kind("exchange"),
        "8": Kind("repair"),
    },
    ignored_kinds={"6": "价保不在这里处理", "7": "补寄不在这里处理"},
    statuses=(
        Status(
            "6",
            "售后申请，待商家同意",
            ("pending_merchant_review", "negotiating"),
            ("pending_merchant_review",),
            ("pending_merchant_review",),
        ),
        Status(
            "7",
            "售后退货中，待买家退货",
            ("awaiting_buyer_return",),
            ("awaiting_buyer_return",),
            ("awaiting_buyer_send",),
        ),
        Status("8", "待商家发货（补寄、维修返回）", (), ("awaiting_reship",), ("repairing",)),
        Status(
            "11",
            "售后已发货，待商家二次同意",
            ("awaiting_merchant_receipt", "inspecting"),
            ("awaiting_merchant_receipt", "inspecting", "awaiting_reship"),
            ("awaiting_merchant_receipt", "repairing"),
        ),
        Status("12", "售后成功", ("refunded",), ("completed",), ("completed",)),
        Status(
            "13",
            "商家已发货，待用户收货",
            (),
            ("awaiting_buyer_receipt", "awaiting_buyer_confirm", "reship_exception"),
            ("awaiting_buyer_receipt", "awaiting_buyer_confirm"),
        ),
        # 列表接口的返回里把「换货待买家收货」写成 3
        Status("3", "换货待买家收货", (), ("awaiting_buyer_receipt", "awaiting_buyer_confirm", "reship_exception")),
        Status("14", "用户已收货，换货补寄维修成功", (), ("completed",), ("completed",)),
        Status(
            "27", "拒绝售后申请", ("rejected_pending_buyer",), ("rejected_pending_buyer",), ("rejected_pending_buyer",)
        ),
        Status(
            "28",
            "售后失败",
            (*_CLOSED, "closed_order_confirmed", "converted_to_exchange"),
            (*_CLOSED, "converted_to_refund"),
            (*_CLOSED, "converted_to_refund", "converted_to_return_refund", "converted_to_exchange"),
        ),
        Status("29", "退货拒绝", ("return_rejected",), ("return_rejected",)),
        Status("51", "订单取消成功", ("refunded",), ("completed",), ("completed",)),
        Status("53", "逆向交易已完成", ("refunded",), ("completed",), ("completed",)),
    ),
    ignored={},
    ignored_fields={
        "refund_status": "钱的进度另成一列；到账以 aftersale_status 的 12 为准",
        "arbitrate_status": "请求和返回的编号不同，读错会把裁定读反；裁定的结果以 aftersale_status 为准",
        "apply_role": "谁申请的不改变工单",
        "forward_logistics": "正向物流只在拒收时有用，签收由快递的推送告知",
    },
)
