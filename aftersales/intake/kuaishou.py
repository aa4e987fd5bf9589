"""快手小店: the after-sales export of a shop's back office (domain/vocabulary.md 3.2).

Assumptions, where the export says less than we keep:

* 仅退款 does not tell whether the goods were sent: `shipped_refund_only`, the kind that claims less.
* 退款关闭 does not tell who closed it or why: `closed_by_platform`.
* 买家已退货 does not tell whether the courier has delivered: `awaiting_merchant_receipt`; the courier feed moves it on.
* 平台介入-已确认退货退款 (22) does not tell where the goods are: still `platform_intervening`; the platform's next
  status decides, and no clock of ours runs until then.
"""

from __future__ import annotations

from aftersales.intake.shapes import Column, Shape, Status, Type, amount, instant, number


def _everywhere(state: str) -> dict[str, str]:
    return {"refund": state, "exchange": state, "repair": state}


KUAISHOU = Shape(
    platform="kuaishou",
    title="快手小店售后单",
    columns=(
        Column("platform_ticket_no", ("售后单号",), number, required=True, filled=True, longest=64),
        Column("order_no", ("订单编号", "订单号"), number, required=True, filled=True, longest=64),
        Column("type_text", ("售后类型",), required=True, filled=True),
        Column("platform_status", ("售后状态",), required=True, filled=True),
        Column("applied_at", ("申请时间",), instant, required=True, filled=True),
        Column("platform_due_at", ("商家处理截止时间",), instant),
        Column("reason_text", ("申请原因",), longest=200),
        Column("note", ("申请说明",), longest=5000),
        Column("item_title", ("商品名称",), longest=500),
        Column("item_no", ("商品ID",), number, longest=64),
        Column("item_spec", ("规格",), longest=500),
        Column("paid_fen", ("实付金额(元)", "实付金额"), amount, required=True, filled=True),
        Column("amount_fen", ("申请退款金额(元)", "申请退款金额"), amount, required=True),
        Column("buyer", ("买家账号",), longest=200),
        Column("member_level", ("会员等级",)),
        Column("signed_at", ("订单签收时间",), instant),
        Column("return_courier", ("退货物流公司",)),
        Column("return_waybill_no", ("退货运单号",), number, longest=64),
        Column("reship_courier", ("换货物流公司",)),
        Column("reship_waybill_no", ("换货运单号",), number, longest=64),
        Column("shop_name", ("店铺", "店铺名称"), required=True, filled=True),
    ),
    # 4 补寄 has no workflow here, so such a row is reported.
    types=(
        Type(1, ("退货退款",), "refund", "return_refund"),
        Type(10, ("仅退款",), "refund", "shipped_refund_only"),
        Type(3, ("换货",), "exchange"),
        Type(5, ("维修",), "repair"),
    ),
    statuses=(
        Status(10, ("待商家处理", "买家已经申请退款，等待卖家同意"), _everywhere("pending_merchant_review")),
        Status(12, ("商家已拒绝，等待买家处理", "卖家已拒绝，等待买家处理"), _everywhere("rejected_pending_buyer")),
        Status(20, ("平台介入中", "协商纠纷，等待平台处理"), _everywhere("platform_intervening")),
        Status(22, ("平台介入-已确认退货退款",), _everywhere("platform_intervening")),
        Status(
            30,
            ("商家已同意，等待买家退货", "卖家已经同意退款，等待买家退货", "商品回寄信息待买家更新"),
            {"refund": "awaiting_buyer_return", "exchange": "awaiting_buyer_return", "repair": "awaiting_buyer_send"},
        ),
        Status(
            40,
            ("买家已退货，等待商家确认收货", "买家已经退货，等待卖家确认收货", "回寄信息待卖家确认"),
            _everywhere("awaiting_merchant_receipt"),
        ),
        Status(
            45,
            ("商家已发货，等待买家确认收货", "卖家已经发货，等待买家确认收货"),
            {"exchange": "awaiting_buyer_receipt", "repair": "awaiting_buyer_receipt"},
        ),
        Status(
            50,
            ("商家已同意退款，等待系统执行退款", "卖家已经同意退款，等待系统执行退款"),
            {"refund": "refund_executing"},
        ),
        # 60 is one code for every type, so 退款成功 also ends an exchange or a repair; 换货成功 is an exchange's alone.
        Status(60, ("退款成功",), {"refund": "refunded", "exchange": "completed", "repair": "completed"}),
        Status(60, ("换货成功",), {"exchange": "completed"}),
        Status(70, ("退款关闭",), _everywhere("closed_by_platform")),
    ),
    # Where nothing of ours fits, `other`: the buyer's words stay with the ticket. 不想要了 and 尺码不合适 are not read
    # as a seven-day return, because that word starts the legal window of LAW-01 and only the buyer can claim it.
    reasons={
        "refund": {
            "七天无理由": "no_reason_7d",
            "质量问题": "quality",
            "商品破损": "damaged",
            "发错货": "wrong_item",
            "物流一直不更新": "not_received",
        },
        "exchange": {
            "质量问题": "quality",
            "商品破损": "damaged",
            "发错货": "wrong_item",
            "尺码不合适": "size",
        },
    },
)
