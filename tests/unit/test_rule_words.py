"""Rules in words that a clerk reads aloud."""

from datetime import date

import pytest

from aftersales import rule_words
from aftersales.catalog import built_in
from aftersales.durations import civil_days, days, hours, workdays
from aftersales.policies.vocabulary import Document, Policy, Rule, since
from aftersales.rule_words import Entry, entries_on
from aftersales.workflows.exchange import Exchange

CATALOG = built_in()
DAY = date(2026, 10, 2)


def entry(policy, id, kind=None, workflow=None) -> Entry:
    return next(
        one
        for one in entries_on(CATALOG.policies[policy], DAY)
        if one.id == id and kind in (None, one.kind) and workflow in (None, one.workflow.key)
    )


def test_a_clock_is_told_by_its_parts():
    one = entry("kuaishou", "KS-EX-04")
    assert rule_words.places(one) == "待买家确认收货"
    assert [party.value for party in rule_words.turns(one)] == ["买家"]
    assert rule_words.length(one) == "10 天"
    assert rule_words.way(one) == "滚动"
    assert rule_words.counting(one) == "一直走，节假日不停"
    assert rule_words.pauses(one) == "「换货包裹有问题」时暂停"
    assert rule_words.ends(one) == "逾期未确认，换货完成"
    assert rule_words.leads_to(one) == "系统办结：换货完成"


@pytest.mark.parametrize(
    ("length", "said", "counting"),
    [
        (hours(1), "1 小时", "一直走，节假日不停"),
        (days(10), "10 天", "一直走，节假日不停"),
        (civil_days(7), "7 个自然日", "次日起算，到第 7 天 24 点，节假日不停"),
        (civil_days(7, roll_forward=True), "7 个自然日", "次日起算，到第 7 天 24 点；末日是法定休假日就顺延"),
        (workdays(3), "3 个工作日", "次日起只数工作日，到第 3 个的 24 点；节假日不算，补班算"),
    ],
)
def test_each_way_of_counting_says_what_holidays_do(length, said, counting):
    document = Document("规则", effective="2026-01-01", source="x")
    line = since(document, length, then=Exchange.auto_approve, quote="原文")
    policy = Policy("p", "P", [document], [Rule("P-1", "一条", Exchange.pending_merchant_review, line)])
    [one] = entries_on(policy, DAY)
    assert (rule_words.length(one), rule_words.counting(one)) == (said, counting)


@pytest.mark.parametrize(
    ("policy", "id", "kind", "length", "ends"),
    [
        ("kuaishou", "LAW-01", "window", "7 个自然日", "过期不能再办理"),
        ("wechat", "WX-05", "attempts", "合计最多 5 次", "用完后不能再办理"),
        ("taobao", "TB-10", "permits", "可以办理", "这个平台有这一步"),
        ("kuaishou_local", "KS-LL-04", "agreesatonce", "立即同意", "退款类型为卡券退款：系统立即同意"),
        ("kuaishou", "KS-EX-G1", "clock", "不限时", "没有自动动作"),
        ("kuaishou", "KS-RP-02", "clock", "按「双方约定的维修期（天）」，没约定 30 天", "逾期未寄回，商家违约"),
        ("kuaishou", "KS-RP-06", "clock", "到「约定上门时间」为止", "逾期未上门，商家违约"),
    ],
)
def test_every_kind_of_rule_has_words(policy, id, kind, length, ends):
    one = entry(policy, id, kind)
    assert (rule_words.length(one), rule_words.ends(one)) == (length, ends)


@pytest.mark.parametrize(
    ("policy", "id", "starts"),
    [
        ("kuaishou", "KS-EX-01", "从申请起"),
        ("kuaishou", "KS-EX-02", "从进入这一步起"),
        ("kuaishou", "KS-RP-08", "从「首次上门时间」起"),
        ("kuaishou", "KS-RP-05", "从申请起"),
        ("kuaishou", "KS-EX-G1", ""),
        ("kuaishou", "KS-RP-06", ""),
    ],
)
def test_what_a_clock_counts_from(policy, id, starts):
    assert rule_words.starts(entry(policy, id)) == starts


def test_a_rule_of_several_types_stands_under_each():
    found = {one.workflow.key for one in entries_on(CATALOG.policies["wechat"], DAY) if one.id == "WX-G3"}
    assert found == {"exchange", "repair", "lost_parcel", "bad_review"}
    assert rule_words.places(entry("wechat", "WX-G3")) == "每个未办完的状态"


def test_what_is_off_does_nothing_and_says_so():
    one = entry("taobao", "TB-01", "clock")
    assert not one.limits
    assert rule_words.leads_to(one) == "没有启用，到期不会动"
