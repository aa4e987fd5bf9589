"""A new row in a workflow table is a new button with its form: nothing in the web names a step."""

from dataclasses import replace

import pytest

from aftersales.policies.vocabulary import Policy
from aftersales.workflows.vocabulary import (
    AGENT,
    BUYER,
    MERCHANT,
    PLATFORM,
    RUNS_ON,
    STAY,
    Fact,
    Import,
    Opening,
    State,
    Step,
    Workflow,
)
from tests.web.conftest import RULES, made_world

FACTS = [
    Fact("colour", "颜色", "choice", ((1, "红"), (2, "蓝"))),
    Fact("gift", "送赠品", "bool"),
    Fact("price_fen", "差价", "fen"),
    Fact("count", "件数", "int", at_least=1),
    Fact("picked_at", "取件时间", "time"),
    Fact("words", "留言"),
    Fact("parcel_no", "包裹号"),
]


class Gift(Workflow, key="gift", label="赠品", code="GF"):
    """送一件赠品。"""

    remembers = ()
    waiting_here = State("待送出", waits_for=MERCHANT)
    given = State("已送出")
    ask = Opening("要赠品", waiting_here, by=[BUYER, AGENT], asks=[Fact("paid_fen", "实付金额", "fen")])
    import_from_platform = Import("从平台导入")
    wrap = Step("包起来", waiting_here, STAY, asks=FACTS[:4], accepts=FACTS[4:], clock=RUNS_ON)
    hand_over = Step("送出", waiting_here, given, by=[AGENT, PLATFORM])


@pytest.fixture
def world(sqlite_url, clock):
    catalog = replace(RULES.catalog, workflows={"gift": Gift}, policies={"any": Policy("any", "任意平台", [], [])})
    return clock(made_world(sqlite_url, replace(RULES, catalog=catalog)))


def test_a_new_type_can_be_opened_and_worked_on_at_once(world, browser):
    number = browser.do("/new/gift", policy="any", order_no="1", paid_fen="1").text.split()[0]
    page = browser.get(f"/t/{number}")
    assert "包起来1 → 待送出" in page.text
    assert f"/t/{number}/hand_over?as=platform#form" in page.links
    page = browser.do(
        f"/t/{number}/wrap", colour="2", gift="true", price_fen="9.90", count="3", picked_at="2026-10-02T08:00",
        words="生日快乐", parcel_no="P1",
    )  # fmt: skip
    assert world.events(number)[-1].facts == {
        "colour": 2, "gift": True, "price_fen": 990, "count": 3, "words": "生日快乐", "parcel_no": "P1",
        "picked_at": world.events(number)[-1].facts["picked_at"],
    }  # fmt: skip
    told = (
        "颜色：蓝",
        "送赠品：是",
        "差价：¥9.90",
        "件数：3",
        "取件时间：2026-10-02 08:00:00",
        "留言：生日快乐",
        "包裹号：P1",
    )
    assert [one for one in told if one not in page.text.replace("： ", "：")] == []
    assert "已送出" in browser.do(f"/t/{number}/hand_over", _as="platform").text


def test_it_stands_in_the_queue_and_its_filters(world, browser):
    world.orders = 1
    number = browser.do("/new/gift", policy="any", order_no="1", paid_fen="1").text.split()[0]
    page = browser.get("/?workflow=gift&state=gift.waiting_here&policy=any")
    assert f"/t/{number}?in=workflow%3Dgift%26state%3Dgift.waiting_here%26policy%3Dany" in page.links
    assert "没有时限 这个平台没有这一步的时限规则" in page.text
