"""Which workflows and policies this installation runs."""

from __future__ import annotations

from dataclasses import dataclass

from aftersales.policies.house import HOUSE
from aftersales.policies.kuaishou import KUAISHOU
from aftersales.policies.kuaishou_local import KUAISHOU_LOCAL
from aftersales.policies.taobao import TAOBAO
from aftersales.policies.vocabulary import House, Policy
from aftersales.policies.wechat import WECHAT
from aftersales.workflows.bad_review import BadReview
from aftersales.workflows.exchange import Exchange
from aftersales.workflows.lost_parcel import LostParcel
from aftersales.workflows.refund import Refund
from aftersales.workflows.repair import Repair
from aftersales.workflows.vocabulary import Workflow


@dataclass(frozen=True)
class Catalog:
    workflows: dict[str, type[Workflow]]
    policies: dict[str, Policy]
    house: House


def built_in() -> Catalog:
    workflows: list[type[Workflow]] = [Exchange, Repair, Refund, LostParcel, BadReview]
    policies = [KUAISHOU, KUAISHOU_LOCAL, WECHAT, TAOBAO]
    return Catalog({one.key: one for one in workflows}, {one.key: one for one in policies}, HOUSE)
