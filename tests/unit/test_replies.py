"""Canned replies: what a shop begins with, what a ticket fills in, what is not kept."""

from __future__ import annotations

import pytest

from aftersales.clock import parse
from aftersales.errors import Refused
from aftersales.office import promises, replies
from aftersales.office.replies import VARIABLES, Reply, filled, variables
from tests.web.conftest import RULES, made_world

NOW = parse("2026-10-02 14:32:00")


@pytest.fixture
def world(database_url):
    return made_world(database_url)


def test_a_shop_begins_with_replies_for_every_type_that_can_be_filled_in_and_promise_nothing(world):
    found = replies.everyone(world.engine)
    assert {reply.workflow for reply in found} == {None, *RULES.catalog.workflows}
    for reply in found:
        assert set(variables(reply.text)) <= set(VARIABLES), reply.title
        assert not promises.find(reply.text), reply.title
        if reply.state:
            assert RULES.catalog.workflows[reply.workflow].state(reply.state)
    rejected = [reply for reply in found if reply.state == "rejected_pending_buyer"]
    assert {reply.workflow for reply in rejected} == {"exchange", "repair", "refund"}
    for reply in rejected:
        assert all(word in reply.text for word in ("修改", "撤销", "平台介入", "{到期}")), "the three options, by when"


def test_the_ticket_fills_in_its_values(world):
    ticket = world.open()
    text, missing = filled("{买家}您好，{商品} 请在 {到期} 前（还有 {剩余}）寄到 {退货地址}", ticket, NOW)
    assert text == "梅子酱您好，马丁靴 请在 10 月 4 日 14:32 前（还有 48 小时）寄到 ＿＿"
    assert missing == ["退货地址"]
    world.do(ticket, "approve", return_address="杭州仓")
    text, missing = filled("{退货地址} {退款}", world.ticket(ticket.number), NOW)
    assert (text, missing) == ("杭州仓 ＿＿", ["退款"])


def test_braces_that_are_no_variable_stay(world):
    assert filled("{} {\n} { 买家 }", world.open(), NOW)[0] == "＿＿ {\n} 梅子酱"


def test_replies_of_the_state_come_first_then_of_the_type_and_only_those_that_fit(world):
    ticket = world.open()
    other = world.open(shop="另一家")
    for title, workflow, state, shop in (
        ("本店", "exchange", None, ticket.shop_id), ("别店", "exchange", None, other.shop_id),
        ("退款的", "refund", None, None),
    ):  # fmt: skip
        replies.keep(world.engine, Reply(None, title, "您好", workflow, state, shop), by="", at=NOW)
    offered = replies.offered(world.engine, "exchange", "pending_merchant_review", ticket.shop_id)
    titles = [reply.title for reply in offered]
    assert "本店" in titles
    assert not {"别店", "退款的"} & set(titles)
    ranks = [(reply.state is None) + (reply.workflow is None) for reply in offered]
    assert ranks == sorted(ranks)


def test_the_most_used_comes_first(world):
    made = [replies.keep(world.engine, Reply(None, title, "您好"), by="", at=NOW) for title in ("甲", "乙")]
    replies.count_use(world.engine, made[1])
    titles = [reply.title for reply in replies.offered(world.engine, "repair", "nowhere", 1) if reply.title in "甲乙"]
    assert titles == ["乙", "甲"]


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(None, "", "您好"), "还缺：标题"),
        (Reply(None, "标题", " "), "还缺：内容"),
        (Reply(None, "长", "字" * 2001), "最多 2000 字，现在 2001 字"),
        (Reply(None, "变量", "{快递员}您好"), "没有「快递员」这个变量，可用：{买家}"),
        (Reply(None, "返现", "您好"), "「返现」不能写"),
        (Reply(None, "加微信", "您好"), "「微信」不能写：不能引到平台外沟通。可以改成"),
        (Reply(None, "坏", "a\0b"), "不能保存的字符"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_place_and_the_remedy(world, reply, sentence):
    before = len(replies.everyone(world.engine))
    with pytest.raises(Refused) as refused:
        replies.keep(world.engine, reply, by="", at=NOW)
    assert sentence in refused.value.message
    assert len(replies.everyone(world.engine)) == before


def test_a_reply_that_somebody_deleted_meanwhile_is_said_so(world):
    made = replies.keep(world.engine, Reply(None, "甲", "您好"), by="", at=NOW)
    replies.remove(world.engine, made)
    with pytest.raises(Refused, match="已经被别人删了"):
        replies.keep(world.engine, Reply(made, "甲", "您好"), by="", at=NOW)
