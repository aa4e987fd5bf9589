"""微信小店：退款、退货退款的时限（官方文档，没有给出生效日期，视为一直有效）。

日历官方没有说明；单笔有到秒的 deadline，“小时/天”按连续时间计。怎么改，见 kuaishou.py 开头。
"""

from aftersales.policies.statute import STATUTE, consumer_law
from aftersales.policies.vocabulary import (
    Attempts,
    Document,
    FixesAmount,
    Policy,
    Rule,
    Window,
    civil_days,
    days,
    hours,
    no_limit,
    since,
)
from aftersales.workflows import facts
from aftersales.workflows.bad_review import BadReview
from aftersales.workflows.exchange import Exchange
from aftersales.workflows.guards import is_one_of
from aftersales.workflows.lost_parcel import LostParcel
from aftersales.workflows.refund import Refund
from aftersales.workflows.repair import Repair

# ── 文件 ──
aftersale_docs = Document(
    "微信小店售后文档",
    effective=None,
    source="developers.weixin.qq.com aftersale/introduction.html、QA.html",
    checked_on="2026-11-23",
    confidence="public-official",
)
refund_law = Document(
    "消费者权益保护法第二十五条（退还价款）",
    effective=None,
    source="公开副本",
    checked_on="2026-11-23",
    confidence="public-3rdparty",
)

refund_only = is_one_of(facts.refund_kind, "unshipped", "shipped_refund_only")
return_refund = is_one_of(facts.refund_kind, "return_refund")

# fmt: off
refund_rules = [
    Rule("WX-01", "商家处理仅退款", Refund.pending_merchant_review,
         since(aftersale_docs, hours(48), then=Refund.auto_approve, quote="商家处理退款超时 48小时"),
         when=refund_only),
    Rule("WX-02", "商家处理退货退款", Refund.pending_merchant_review,
         since(aftersale_docs, hours(48), then=Refund.auto_approve, quote="商家处理退货超时 48小时",
               assumed="到期自动同意退货，用默认退货地址（商家社区帖）"),
         when=return_refund),
    Rule("WX-03", "买家退货", Refund.awaiting_buyer_return,
         since(aftersale_docs, days(7), then=Refund.return_timeout, quote="用户上传退货物流超时 7天",
               assumed="到期关闭，由回调和状态名推出")),
    Rule("WX-04", "商家确认收货", Refund.awaiting_merchant_receipt,
         since(aftersale_docs, days(10), then=Refund.auto_accept_return, quote="商家超时未确认收货 10天",
               assumed="从买家上传运单起算；到期退款，由回调推出")),
    Rule("LAW-02", "收到退货后退款", Refund.inspecting,
         since(refund_law, civil_days(7), then=Refund.auto_accept_return,
               quote="自收到退回商品之日起七日内返还消费者支付的商品价款",
               assumed="作为法定外限，与 WX-04 并行，先到者为准")),
    Rule("WX-06", "买家申请平台介入", [Refund.rejected_pending_buyer, Refund.return_rejected],
         since(aftersale_docs, days(7), then=Refund.intervention_window_expired,
               quote="用户超时未申请平台接入 7天")),
    Rule("WX-G1", "协商、拦截、拒收", [Refund.negotiating, Refund.intercepting, Refund.awaiting_refusal],
         no_limit(aftersale_docs, because="以平台同步的 deadline 为准；拦截期间审核时限照走")),
    Rule("WX-G2", "平台介入与打款", [Refund.platform_intervening, Refund.refund_executing, Refund.refund_failed],
         no_limit(aftersale_docs, because="文档没有给出平台裁定与打款的时限")),
    Rule("WX-G3", "换货、维修、丢件、中差评",
         [*Exchange.waiting, *Repair.waiting, *LostParcel.waiting, *BadReview.waiting],
         no_limit(aftersale_docs, because="核实过的微信时限只有退款")),
]

other_rules = [
    Attempts("WX-05", "申请和修改合计五次", Refund.apply, Refund.modify, Exchange.apply, Exchange.modify,
             document=aftersale_docs, at_most=5, quote="同一商品申请和修改累计五次，取消的也计入"),
    Window("WX-07", "确认收货后申请售后", Refund.apply, Exchange.apply, document=aftersale_docs,
           within=days(7), counted_from=facts.receipt_confirmed_at, quote="确认收货后默认7天"),
    FixesAmount("WX-08", "仅退款金额不可修改", Refund.propose, document=aftersale_docs, when=refund_only,
                quote="仅退款不可修改金额，退货退款只能改低"),
]
# fmt: on

WECHAT = Policy(
    key="wechat",
    label="微信小店",
    documents=[aftersale_docs, refund_law, consumer_law],
    rules=[*refund_rules, *other_rules, *STATUTE],
)
