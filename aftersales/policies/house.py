"""店铺自己的规矩：到期前提醒，以及平台没有时限的地方自己定的目标。

这里的都只提醒人，不移动工单，也不显示为平台期限。
  提醒：到期前多久提醒一次，想加就加一行，例如 hours(1)
  目标：停在某个状态多久该处理完；去掉 off="..." 就启用
改完运行  aftersales check  。
"""

from aftersales.policies.vocabulary import House, Target, days, hours
from aftersales.workflows.bad_review import BadReview
from aftersales.workflows.exchange import Exchange
from aftersales.workflows.lost_parcel import LostParcel
from aftersales.workflows.repair import Repair

OPTIONAL = "商户设置，默认不启用"

# fmt: off
HOUSE = House(
    reminders=[hours(24), hours(4)],
    targets=[
        Target("HS-01", "发出换货商品", Exchange.awaiting_reship, hours(48)),
        Target("HS-02", "处理维修申请", Repair.pending_merchant_review, hours(48)),
        Target("HS-03", "支付维修费", Repair.reimbursing, days(3)),
        Target("HS-04", "联系中差评买家", BadReview.detected, hours(24), off=OPTIONAL),
        Target("HS-05", "物流问题首次响应", LostParcel.reported, hours(24), off=OPTIONAL),
        Target("HS-06", "快递答复", LostParcel.contacting_courier, hours(72), off=OPTIONAL),
        Target("HS-07", "核实签收", LostParcel.verifying_sign_off, hours(72), off=OPTIONAL),
        Target("HS-08", "破损短少核定", LostParcel.assessing_damage, hours(48), off=OPTIONAL),
        Target("HS-09", "给出处理方案", LostParcel.remedy_pending, hours(24), off=OPTIONAL),
    ],
)
# fmt: on
