"""快手本地生活：卡券退款（2022-12-14 公布，2022-12-22 起）。

卡券退款没有商户审核：申请即自动同意，7 个工作日内退回。怎么改，见 kuaishou.py 开头。
"""

from aftersales.policies.statute import STATUTE, consumer_law
from aftersales.policies.vocabulary import (
    AgreesAtOnce,
    Document,
    Policy,
    Rule,
    no_limit,
    since,
    workdays,
)
from aftersales.workflows import facts
from aftersales.workflows.guards import is_expired_voucher, is_one_of, is_voucher_in_validity
from aftersales.workflows.refund import Refund

# ── 文件 ──
v2022_12_22 = Document(
    "快手本地生活卡券管理规则",
    effective="2022-12-22",
    published="2022-12-14",
    source="S3 第58行",
    checked_on="2026-11-23",
)

# fmt: off
agrees = [
    AgreesAtOnce("KS-LL-04", "卡券申请退款，系统自动同意", Refund.apply, document=v2022_12_22,
                 when=is_one_of(facts.refund_kind, "voucher"),
                 quote="买家发起退款申请，系统将执行自动同意退款操作"),
]

voucher_rules = [
    Rule("KS-LL-03", "过期卡券自动退款", Refund.refund_executing,
         since(v2022_12_22, workdays(7), then=Refund.payment_overdue, counted_from=facts.expires_at,
               quote="过期后的7个工作日内，订单自动退款",
               assumed="与 KS-LL-05 起算点不同，取较早的（决定 10）；逾期升级给人，钱仍然要退"),
         when=is_expired_voucher),
    Rule("KS-LL-05", "过期卡券同意后到账", Refund.refund_executing,
         since(v2022_12_22, workdays(7), then=Refund.payment_overdue,
               quote="过期的24小时内系统将会自动发起退款且系统将执行自动同意退款操作，7个工作日内退回",
               assumed="从自动同意起算"),
         when=is_expired_voucher),
    Rule("KS-LL-04", "有效期内卡券同意后到账", Refund.refund_executing,
         since(v2022_12_22, workdays(7), then=Refund.payment_overdue,
               quote="7个工作日内退回到买家购买卡券的支付账户中",
               assumed="从同意起算；逾期升级给人，钱仍然要退"),
         when=is_voucher_in_validity),
    Rule("KS-LL-G1", "没有在用版本时由人处理", Refund.pending_merchant_review,
         no_limit(v2022_12_22, because="卡券没有商户审核环节；规则生效前申请的由人处理")),
    Rule("KS-LL-G2", "其余状态", [
            Refund.negotiating, Refund.intercepting, Refund.awaiting_refusal, Refund.rejected_pending_buyer,
            Refund.awaiting_buyer_return, Refund.awaiting_merchant_receipt, Refund.inspecting,
            Refund.return_rejected, Refund.platform_intervening, Refund.refund_failed],
         no_limit(v2022_12_22, because="卡券规则没有规定；打款失败时到账期限照走")),
]
# fmt: on

KUAISHOU_LOCAL = Policy(
    key="kuaishou_local",
    label="快手本地生活",
    documents=[v2022_12_22, consumer_law],
    rules=[*agrees, *voucher_rules, *STATUTE],
)
