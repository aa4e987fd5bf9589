"""法律：对每个平台都有效的规定。各平台的规则文件用 *STATUTE 引入，平台的时限不能比它更差。

条文出处没有给出生效日期的，视为一直有效（undated）。怎么改，见 kuaishou.py 开头。
"""

from aftersales.policies.vocabulary import Document, Window, civil_days
from aftersales.workflows import facts
from aftersales.workflows.guards import is_given
from aftersales.workflows.refund import Refund

consumer_law = Document(
    "消费者权益保护法第二十五条、网络购买商品七日无理由退货暂行办法",
    effective=None,
    source="公开副本",
    checked_on="2026-11-23",
    confidence="public-3rdparty",
)

STATUTE = [
    Window(
        "LAW-01",
        "七天无理由退货",
        Refund.apply,
        document=consumer_law,
        within=civil_days(7),
        counted_from=facts.signed_at,
        when=is_given(facts.refund_reason, "no_reason_7d"),
        quote="签收商品的次日开始起算",
        assumed="第7天24点截止，遇节假日不顺延（决定 12）",
    ),
]
