"""Files of a ticket, the others of its buyer, canned replies, and promises that must not be made.

Revision: 0005, after 0002
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0005"
down_revision = "0002"
branch_labels = None
depends_on = None

STRICT: dict[str, Any] = {"sqlite_strict": True}
HAS_BUYER = sa.text("buyer <> ''")
OPEN = sa.text("verdict IS NULL")

# fmt: off
#: (title, workflow, state, text): what a shop begins with; the live deadline stands in {到期} and {剩余}
STARTERS = [
    ("请稍等，正在核实", None, None, "{买家}您好，您的问题已经记下（{工单号}），正在核实，有结果马上在这里回复您。"),
    ("电话里说定的，请在这里确认", None, None, "{买家}您好，刚才电话里和您商定的处理办法，麻烦您在这里回复“确认”，我们好按约定办理。"),
    ("感谢配合", None, None, "感谢您的配合，{商品}的这次售后已经办好。之后有任何问题，随时在这里找我们。"),
    ("已收到换货申请", "exchange", "pending_merchant_review",
     "{买家}您好，{商品}的换货申请收到了，我们会在 {到期} 前给您答复。麻烦先不要剪吊牌、不要穿出门。"),
    ("请补鞋底和吊牌照片", "exchange", "pending_merchant_review",
     "{买家}您好，为了尽快审核，麻烦补三张照片：商品正面、鞋底或有问题的地方、吊牌和包装。"),
    ("驳回后可修改、撤销、申请介入", "exchange", "rejected_pending_buyer",
     "{买家}您好，这次换货申请没有通过。您有三种选择：一、修改申请，补充说明或照片；二、撤销申请；三、在订单页申请平台介入。"
     "请在 {到期} 前选择（还有 {剩余}），到期没有操作，申请会自动关闭。"),
    ("同意换货，告知寄回地址和截止日", "exchange", "awaiting_buyer_return",
     "{买家}您好，换货已同意。请在 {到期} 前（还有 {剩余}）把{商品}寄到：{退货地址}，寄出后在订单页填写运单号。到期没有填写，换货会自动关闭。"),
    ("退回件已收到，正在验货", "exchange", "inspecting",
     "{买家}您好，您寄回的{商品}已经收到，我们会在 {到期} 前验好并告诉您结果。"),
    ("拒收退回件后的三种选择", "exchange", "return_rejected",
     "{买家}您好，退回的{商品}没有通过验货，原因和照片已经发给您。您可以：一、修改申请；二、撤销申请，我们把商品寄还给您；三、申请平台介入。"
     "请在 {到期} 前选择。"),
    ("换货商品已发出", "exchange", "awaiting_buyer_receipt", "{买家}您好，换的{商品}已经发出，运单号 {运单号}。收到后请先检查再确认收货。"),
    ("请确认收货", "exchange", "awaiting_buyer_confirm",
     "{买家}您好，换的{商品}显示已签收。没有问题请点确认收货；有问题请在 {到期} 前告诉我们。"),
    ("换货包裹异常，正在查", "exchange", "reship_exception",
     "{买家}您好，您反馈的换货包裹（{运单号}）问题，我们已经联系快递核实，期间您的确认期限暂停计时，请放心。"),
    ("已收到维修申请", "repair", "pending_merchant_review", "{买家}您好，{商品}的维修申请收到了，我们会在 {到期} 前答复您。方便的话请拍一段故障视频。"),
    ("维修被拒后的三种选择", "repair", "rejected_pending_buyer",
     "{买家}您好，这次维修申请没有通过。您可以：一、修改申请，补充故障说明或照片；二、撤销申请；三、申请平台介入。请在 {到期} 前选择（还有 {剩余}）。"),
    ("同意寄修，告知寄回地址", "repair", "awaiting_buyer_send",
     "{买家}您好，维修已同意。请在 {到期} 前把{商品}寄到：{退货地址}，寄出后填写运单号。请取出个人物品和资料，附上故障说明。"),
    ("正在维修", "repair", "repairing", "{买家}您好，{商品}正在维修，约定的完成时间是 {到期}。有进展会在这里告诉您。"),
    ("请提交维修发票", "repair", "awaiting_invoice", "{买家}您好，维修好后请在 {到期} 前上传维修发票和维修记录，我们核对后把费用付给您。"),
    ("修好寄回", "repair", "awaiting_buyer_receipt", "{买家}您好，{商品}已经修好寄回，运单号 {运单号}，里面附有维修记录。"),
    ("已收到退款申请", "refund", "pending_merchant_review", "{买家}您好，退款申请（{退款}）收到了，我们会在 {到期} 前处理。"),
    ("退款被拒后的三种选择", "refund", "rejected_pending_buyer",
     "{买家}您好，这次退款申请没有通过，原因已在订单页写明。您可以：一、修改申请；二、撤销申请；三、申请平台介入。"
     "请在 {到期} 前选择（还有 {剩余}），到期没有操作，申请会自动关闭。"),
    ("同意退货，告知寄回地址", "refund", "awaiting_buyer_return",
     "{买家}您好，退货退款已同意。请在 {到期} 前（还有 {剩余}）把{商品}寄到：{退货地址}，寄出后填写运单号，我们收到验货后退款。"),
    ("协商方案待您确认", "refund", "negotiating", "{买家}您好，我们提了一个协商方案，请在 {到期} 前到订单页查看并确认；不同意也可以直接告诉我们。"),
    ("退款已打款", "refund", "refund_executing", "{买家}您好，退款 {退款} 已经提交打款，会原路退回，到账时间以付款渠道为准。"),
    ("退款失败，请核对账户", "refund", "refund_failed", "{买家}您好，退款 {退款} 没有打款成功，多半是收款账户有变。麻烦您核对账户，我们会尽快再次打款。"),
    ("已登记物流问题", "lost_parcel", "reported", "{买家}您好，{运单号} 的物流问题已经登记，我们马上联系快递，有消息第一时间告诉您。"),
    ("请补充信息", "lost_parcel", "need_buyer_info",
     "{买家}您好，为了向快递核实，麻烦告诉我们：一、家人、物业、驿站是否代收；二、包裹外观照片；三、方便联系的时间段。"),
    ("正在联系快递", "lost_parcel", "contacting_courier", "{买家}您好，我们已经请快递核实 {运单号}，收到答复会马上告诉您。"),
    ("确认丢件，给出方案", "lost_parcel", "confirmed_lost", "{买家}您好，快递确认 {运单号} 的包裹丢失，很抱歉让您久等。您希望补发还是退款？我们马上办理。"),
    ("破损请拍照和视频", "lost_parcel", "assessing_damage", "{买家}您好，很抱歉商品受损。麻烦拍下外箱六面、内件破损处和快递面单，有拆包视频也请一并发来。"),
    ("补发已寄出", "lost_parcel", "reshipping", "{买家}您好，补发的{商品}已经寄出，收到后请先检查外包装再签收。"),
    ("联系中差评买家", "bad_review", "detected", "{买家}您好，看到您对{商品}的评价，很抱歉没有让您满意。方便说说具体情况吗？我们想先把问题解决好。"),
    ("了解情况", "bad_review", "understanding", "{买家}您好，谢谢您说明情况。请问问题是收到时就有，还是使用后出现的？有照片的话麻烦发一张。"),
    ("说明处理方案", "bad_review", "remedy_offered", "{买家}您好，针对您反映的问题，我们可以为您换货、维修或退款，您看哪种方便？处理与评价无关，您如实评价就好。"),
    ("问题已解决，欢迎更新评价", "bad_review", "amendment_invited",
     "{买家}您好，问题已经处理好。如果您愿意，可以按现在的实际感受更新评价；不更新也没有关系，谢谢您帮助我们改进。"),
]


# fmt: on
def upgrade() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("ticket_id", models.Whole(), nullable=False),
        sa.Column("seq", models.Whole(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("bytes", models.Whole(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.Column("width", models.Whole(), nullable=True),
        sa.Column("height", models.Whole(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
        sa.UniqueConstraint("ticket_id", "sha256", name=op.f("uq_attachment_ticket_id_sha256")),
        sa.UniqueConstraint("file", name=op.f("uq_attachment_file")),
        sa.CheckConstraint("bytes > 0", name=op.f("ck_attachment_has_content")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_attachment_ticket_id")),
        **STRICT,
    )
    made = op.create_table(
        "canned_reply",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("shop_id", models.Whole(), nullable=True),
        sa.Column("used", models.Whole(), nullable=False),
        sa.Column("updated_at", models.Instant(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_reply")),
        sa.CheckConstraint("state IS NULL OR workflow IS NOT NULL", name=op.f("ck_canned_reply_state_has_workflow")),
        **STRICT,
    )
    op.create_index("ix_canned_reply_place", "canned_reply", ["workflow", "state"])
    begun = datetime(2026, 10, 1, tzinfo=UTC)
    columns = ("title", "workflow", "state", "text")
    rest = {"shop_id": None, "used": 0, "updated_at": begun, "updated_by": ""}
    op.bulk_insert(made, [{**dict(zip(columns, row, strict=True)), **rest} for row in STARTERS])
    op.create_table(
        "keyword_rule",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("include", models.Json(), nullable=False),
        sa.Column("exclude", models.Json(), nullable=False),
        sa.Column("regex", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("instead", sa.Text(), nullable=False),
        sa.Column("active", models.YesNo(), nullable=False),
        sa.Column("updated_at", models.Instant(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keyword_rule")),
        sa.CheckConstraint("severity IN ('warn', 'stop')", name=op.f("ck_keyword_rule_severity_known")),
        **STRICT,
    )
    op.create_table(
        "promise_hit",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("ticket_id", models.Whole(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", models.Instant(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("judged_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promise_hit")),
        sa.CheckConstraint("verdict IN ('confirmed', 'false_positive')", name=op.f("ck_promise_hit_verdict_known")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_promise_hit_ticket_id")),
        **STRICT,
    )
    op.create_index("ix_promise_hit_open", "promise_hit", ["id"], sqlite_where=OPEN, postgresql_where=OPEN)

    op.create_index(
        "ix_ticket_buyer", "ticket", ["shop_id", "buyer", "id"], sqlite_where=HAS_BUYER, postgresql_where=HAS_BUYER
    )


def downgrade() -> None:
    op.drop_index("ix_ticket_buyer", "ticket")
    for table in ("promise_hit", "keyword_rule", "canned_reply", "attachment"):
        op.drop_table(table)
