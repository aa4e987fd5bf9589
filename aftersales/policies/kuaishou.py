"""快手小店：换货、维修的时限（2022-09-30 起）。

平台发布新规时怎么改：
  1. 在「文件」下加一份新文件：标题、生效日期、出处、核对日期；
  2. 在每条规则末尾加一行，回答新文件怎么规定：
       变了      since(哪份文件, 限多久, then=到期怎么办, quote="原文")
       没变      unchanged(哪份文件, quote="原文")
       不再限时  no_limit(哪份文件, because="为什么")
  3. 旧的行不要改、不要删——正在办的工单还按旧规走；
  4. 运行  aftersales check  ，全部通过再提交。
"""

from aftersales.policies.statute import STATUTE, consumer_law
from aftersales.policies.vocabulary import (
    APPLICATION,
    Document,
    Policy,
    Rule,
    Window,
    agreed,
    days,
    hours,
    no_limit,
    since,
    until,
)
from aftersales.workflows import facts
from aftersales.workflows.bad_review import BadReview
from aftersales.workflows.exchange import Exchange
from aftersales.workflows.guards import visit_needed
from aftersales.workflows.lost_parcel import LostParcel
from aftersales.workflows.refund import Refund
from aftersales.workflows.repair import Repair

# ── 文件 ──
v2022_09_30 = Document("快手小店售后服务管理规则", effective="2022-09-30", source="S3 第52行", checked_on="2026-11-23")
open_platform = Document(
    "快手开放平台：评价接口说明",
    effective=None,
    source="open.comment.add 接口文本（SDK 公开副本）",
    checked_on="2026-11-23",
    confidence="public-official",
)

# fmt: off
# ── 换货 ──
exchange_rules = [
    Rule("KS-EX-01", "商家处理换货申请", Exchange.pending_merchant_review,
         since(v2022_09_30, hours(48), then=Exchange.auto_approve,
               quote="商户应在48小时内处理，逾期未处理的，系统将默认商户同意该换货申请，进入消费者换货环节",
               assumed="买家修改申请后重新计48小时（决定 7）")),
    Rule("KS-EX-02", "买家寄回原商品", Exchange.awaiting_buyer_return,
         since(v2022_09_30, days(10), then=Exchange.return_timeout,
               quote="消费者须在10日内将商品寄回并且提交运单信息，如超时未上传物流单号，系统将在10日内自动关闭售后服务申请",
               assumed="“10日内自动关闭”读作第10日到期即关闭（决定 4）；裸“日”按连续24小时计（决定 1）")),
    Rule("KS-EX-03", "商家拆包验货", Exchange.inspecting,
         since(v2022_09_30, days(7), then=Exchange.inspect_overdue,
               quote="应签收（以物流签收记录为准）后7天内进行拆包验货",
               assumed="原文没写逾期后果：升级给主管，买家可申请介入，不自动通过（决定 5）")),
    Rule("KS-EX-04", "买家确认收货", Exchange.awaiting_buyer_confirm,
         since(v2022_09_30, days(10), then=Exchange.confirm_timeout,
               quote="消费者在签收换货换货后可在10天内点击确认收货",
               assumed="原文没写逾期后果：视为确认，换货完成（决定 6）")),
    Rule("KS-EX-G1", "商家发出换货商品", Exchange.awaiting_reship,
         no_limit(v2022_09_30, because="规则没有规定换货发出的时限，由店铺内部目标提醒")),
    Rule("KS-EX-G2", "买家处理驳回", [Exchange.rejected_pending_buyer, Exchange.return_rejected],
         no_limit(v2022_09_30, because="规则没有规定买家处理驳回的时限")),
    Rule("KS-EX-G3", "退回途中", Exchange.awaiting_merchant_receipt,
         no_limit(v2022_09_30, because="规则没有规定运输的时限，验货期从物流签收起算")),
    Rule("KS-EX-G4", "换货商品运输与异常", [Exchange.awaiting_buyer_receipt, Exchange.reship_exception],
         no_limit(v2022_09_30, because="规则没有规定运输的时限；包裹异常由关联的丢件工单跟进")),
    Rule("KS-EX-G5", "平台介入", Exchange.platform_intervening,
         no_limit(v2022_09_30, because="规则没有规定平台裁定的时限")),
]

# ── 维修 ──
repair_rules = [
    Rule("KS-RP-01", "商家处理维修申请", Repair.pending_merchant_review,
         no_limit(v2022_09_30, because="维修申请没有48小时时限，只要求告知维修周期",
                  quote="商户应告知商品维修周期，并按双方约定为消费者提供维修服务")),
    Rule("KS-RP-05", "协商上门时间", [Repair.pending_merchant_review, Repair.negotiating_visit],
         since(v2022_09_30, days(3), then=Repair.negotiation_expired, counted_from=APPLICATION,
               quote="在收到消费者维修申请之日起的3日内（自然日）与消费者就维修时间达成一致",
               assumed="从申请起算，不从同意上门起算；需要上门的申请，无人受理也照算；3日按连续24小时计"),
         when=visit_needed),
    Rule("KS-RP-02", "寄修：修好并寄回", Repair.repairing,
         since(v2022_09_30, agreed(facts.agreed_period_days, or_else=days(30)), then=Repair.repair_overdue,
               quote="若未就维修期进行约定，商户应在收到问题商品之日起30日内为消费者维修完成并寄回")),
    Rule("KS-RP-06", "按约定时间上门", Repair.visit_scheduled,
         since(v2022_09_30, until(facts.visit_at), then=Repair.visit_missed,
               quote="并在约定时间内上门维修，如商户逾期未履约上门维修的，快手小店将支持消费者退货退款申请")),
    Rule("KS-RP-07", "协商期过后上门", Repair.visit_grace,
         since(v2022_09_30, days(15), then=Repair.grace_expired,
               quote="自3日协商期过后，商户需在15日内上门维修")),
    Rule("KS-RP-08", "上门维修完成", Repair.on_site_repairing,
         since(v2022_09_30, days(30), then=Repair.on_site_overdue, counted_from=facts.first_visit_at,
               quote="并在首次上门维修的30日（自然日）内完成维修，否则快手小店将支持消费者退款申请")),
    Rule("KS-RP-G1", "买家寄送", Repair.awaiting_buyer_send,
         no_limit(v2022_09_30, because="规则没有规定买家寄送维修件的时限")),
    Rule("KS-RP-G2", "买家处理驳回", Repair.rejected_pending_buyer,
         no_limit(v2022_09_30, because="规则没有规定买家处理驳回的时限")),
    Rule("KS-RP-G3", "运输途中", [Repair.awaiting_merchant_receipt, Repair.awaiting_buyer_receipt],
         no_limit(v2022_09_30, because="规则没有规定运输的时限，维修期从收到商品起算、到寄出为止")),
    Rule("KS-RP-G4", "买家确认", Repair.awaiting_buyer_confirm,
         no_limit(v2022_09_30, because="规则没有规定买家确认维修结果的时限")),
    Rule("KS-RP-09", "买家自行维修的费用", [Repair.awaiting_invoice, Repair.reimbursing],
         no_limit(v2022_09_30, because="规则只规定承担费用，没有规定时限",
                  quote="商户承担对应的维修费用，具体金额以消费者提供的维修发票或双方协商为准")),
    Rule("KS-RP-03", "商家违约后", [Repair.breached, Repair.platform_intervening],
         no_limit(v2022_09_30, because="违约不会自动退款，须买家主张；平台裁定没有时限",
                  quote="且经过双方举证确认商户未与消费者达成一致，快手小店支持消费者退货退款")),
]

# ── 退款、丢件、中差评：快手没有公布时限 ──
silent_rules = [
    Rule("KS-RF-G1", "货品退款", Refund.waiting,
         no_limit(v2022_09_30, because="快手货品退款没有可核实的时限，以平台同步的期限为准")),
    Rule("KS-LG-G1", "丢件与物流异常", LostParcel.waiting,
         no_limit(v2022_09_30, because="时限是商户设置，默认没有")),
    Rule("KS-BR-G1", "中差评", BadReview.waiting,
         no_limit(v2022_09_30, because="时限是商户设置，默认没有")),
]

review_windows = [
    Window("KSO-01", "商家回复评价", BadReview.reply, document=open_platform, within=days(30),
           counted_from=facts.review_at, quote="评价产生30天内可回复，只可回复一次，不可修改"),
    Window("KSO-01", "买家追评", BadReview.follow_up_review, document=open_platform, within=days(180),
           counted_from=facts.review_at, quote="买家可在180天内追评"),
]
# fmt: on

KUAISHOU = Policy(
    key="kuaishou",
    label="快手小店",
    documents=[v2022_09_30, open_platform, consumer_law],
    rules=[*exchange_rules, *repair_rules, *silent_rules, *review_windows, *STATUTE],
)
