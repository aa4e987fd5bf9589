"""淘宝：只有两条守则在用；时限的数字来自第三方旧帮助页，未核实，全部关着，只作备查。

核实后把 off="..." 去掉即可启用。怎么改，见 kuaishou.py 开头。
"""

from aftersales.policies.statute import STATUTE, consumer_law
from aftersales.policies.vocabulary import (
    Document,
    Forbids,
    Permits,
    Policy,
    Rule,
    Window,
    days,
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
help_pages = Document(
    "淘宝旧帮助页", effective=None, source="第三方转载（2006-2016）", checked_on="2026-11-23",
    confidence="public-3rdparty",
)  # fmt: skip
open_api = Document(
    "淘宝开放平台退款接口说明", effective=None, source="TOP 文档公开副本", checked_on="2026-11-23",
    confidence="public-3rdparty",
)  # fmt: skip

UNVERIFIED = "数字来自第三方旧帮助页，未核实，不启用"

# fmt: off
unverified_rules = [
    Rule("TB-01", "卖家响应退货退款", Refund.pending_merchant_review,
         since(help_pages, days(5), then=Refund.auto_approve, off=UNVERIFIED,
               quote="您需要等待卖家在5天内做出响应")),
    Rule("TB-02", "买家退货", Refund.awaiting_buyer_return,
         since(help_pages, days(7), then=Refund.return_timeout, off=UNVERIFIED,
               quote="买家需要在卖家同意退款申请的7天内完成退货，否则会导致退款关闭")),
    Rule("TB-03", "卖家确认收货", Refund.awaiting_merchant_receipt,
         since(help_pages, days(10), then=Refund.auto_accept_return, off=UNVERIFIED,
               quote="快递/EMS 10天，平邮30天", assumed="按快递计")),
    Rule("TB-11", "买家改评", BadReview.amendment_invited,
         since(help_pages, days(30), then=BadReview.window_closed, counted_from=facts.review_at, off=UNVERIFIED,
               quote="评价后30天内，您有一次机会删除给对方的中评或差评，或者修改成好评")),
    Rule("TB-G1", "其余退款状态",
         [Refund.negotiating, Refund.intercepting, Refund.awaiting_refusal, Refund.rejected_pending_buyer,
          Refund.inspecting, Refund.return_rejected, Refund.platform_intervening, Refund.refund_executing,
          Refund.refund_failed],
         no_limit(help_pages, because="没有可核实的时限，以平台同步的期限为准")),
    Rule("TB-13", "换货、维修、丢件、其余中差评状态",
         [*Exchange.waiting, *Repair.waiting, *LostParcel.waiting, BadReview.detected, BadReview.contacting,
          BadReview.understanding, BadReview.remedy_offered, BadReview.remedy_executing,
          BadReview.public_reply_only, BadReview.suspected_malicious, BadReview.collecting_evidence,
          BadReview.complaint_filed, BadReview.complaint_dismissed],
         no_limit(help_pages, because="今天的时限没有找到可核实的公开文本")),
]

other_rules = [
    Forbids("TB-08", "未发货、七天无理由、网游订单的退款不能拒绝", Refund.reject, document=open_api,
            when=[is_one_of(facts.refund_kind, "unshipped"),
                  is_one_of(facts.refund_reason, "no_reason_7d"),
                  is_one_of(facts.category, "online_game")],
            quote="以下三种情况不能退款[拒绝]：卖家未发货；7天无理由退换货；网游订单"),
    Permits("TB-10", "拒绝退款后买家确认收货，退款关闭", Refund.order_confirmed, document=open_api,
            quote="卖家拒绝退款后，买家还确认收货时，此时也会产生此消息"),
    Window("TB-11", "买家改评、删评", BadReview.amend, BadReview.buyer_deletes, document=help_pages,
           within=days(30), counted_from=facts.review_at, off=UNVERIFIED,
           quote="评价后30天内，您有一次机会删除给对方的中评或差评，或者修改成好评"),
]
# fmt: on

TAOBAO = Policy(
    key="taobao",
    label="淘宝",
    documents=[help_pages, open_api, consumer_law],
    rules=[*unverified_rules, *other_rules, *STATUTE],
)
