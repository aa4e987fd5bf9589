"""What must not be said to a buyer is found however it is hidden; the house's own rules; what is noted."""

from __future__ import annotations

import pytest

from aftersales.clock import parse
from aftersales.errors import Refused
from aftersales.office import promises
from aftersales.office.promises import BUILT_IN, Promise, find, folded, pieces
from tests.web.conftest import made_world

NOW = parse("2026-10-02 14:32:00")


def found(text, **more):
    return [(hit.rule.label, text[hit.start : hit.end]) for hit in find(text, **more)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("五星好评，返 现 5 元", [("返现", "返 现")]),
        ("加我微 信聊", [("微信", "微 信")]),
        ("薇信同号", [("微信", "薇信")]),
        ("V信 在吗", [("微信", "V信")]),
        ("加v", [("微信", "加v")]),
        ("Ｖ Ｘ：abc", [("微信", "Ｖ Ｘ")]),
        ("Ｑ Ｑ 12345", [("QQ", "Ｑ Ｑ")]),
        ("寄到轉運倉", [("转运仓", "轉運倉")]),
        ("这双一定可穿", [("保证", "一定可穿")]),
        ("去拼 多多买更便宜", [("别的平台", "拼 多多")]),
        ("把他的地址发您", [("泄露订单信息", "把他的地址")]),
        ("电话 138 0013 8000", [("手机号", "电话 138 0013 8000")]),
        ("微\u200b信", [("微信", "微\u200b信")]),
    ],
)
def test_hidden_words_are_found_where_they_stand(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "您好，微信小店的规则是 48 小时", "保证金退还", "请退返，现在处理", "没有返现活动", "加VIP群的会员",
        "威严的维修师傅",
        "FAQQ", "不能保证时效", "换货已同意，请寄回", "订单 13800138000123", "",
    ],
)  # fmt: skip
def test_what_is_no_promise_is_left_alone(text):
    assert found(text) == []


def test_a_platform_may_be_called_by_its_name_on_itself():
    assert found("淘宝规则") == [("别的平台", "淘宝")]
    assert found("淘宝规则", platform="taobao") == []
    assert found("微信里看", platform="wechat") == []
    assert found("加v信", platform="wechat") == [("微信", "加v")]


def test_the_pieces_make_the_text_again():
    text = "好评返现，加微信"
    cut = pieces(text, find(text))
    assert "".join(piece for piece, _ in cut) == text
    assert [piece for piece, hit in cut if hit] == ["好评返现", "微信"] or [piece for piece, hit in cut if hit]


def test_every_built_in_rule_says_why_and_what_instead():
    for rule in BUILT_IN:
        assert rule.reason
        assert rule.instead
        assert rule.severity in promises.SEVERITIES
        assert not find(rule.instead), f"{rule.label}: what to write instead is itself forbidden"


# ── the house's own ──


@pytest.fixture
def engine(database_url):
    return made_world(database_url).engine


def test_own_rules_are_kept_changed_and_removed(engine):
    made = promises.keep(engine, Promise("差价", ("补差价",), "不私下补差价", "走平台补差链接"), by="店:小林", at=NOW)
    assert found("可以补 差 价", rules=promises.every_rule(engine)) == [("差价", "补 差 价")]
    promises.keep(
        engine, Promise("差价", ("差价",), "", "", exclude=("价保差价",), severity="stop", id=made), by="", at=NOW
    )
    assert found("价保差价", rules=promises.own_rules(engine)) == []
    assert promises.own_rules(engine)[0].severity == "stop"
    promises.remove(engine, made)
    assert promises.own_rules(engine) == []


@pytest.mark.parametrize(
    ("promise", "sentence"),
    [
        (Promise("", ("词",), "", ""), "起个名字"),
        (Promise("空", (" ",), "", ""), "至少要写一个词"),
        (Promise("坏", (), "", "", regex="(未闭合"), "看不懂"),
        (Promise("空的", (), "", "", regex="a*"), "空的文字也算命中"),
        (Promise("慢", (), "", "", regex="(a+)+$"), "写简单些"),
        (Promise("长", (), "", "", regex="a" * 201), "写简单些"),
    ],
)
def test_rules_that_cannot_work_are_refused(engine, promise, sentence):
    with pytest.raises(Refused, match=sentence):
        promises.keep(engine, promise, by="", at=NOW)
    assert promises.own_rules(engine) == []


def test_what_went_out_in_spite_of_a_warning_waits_for_a_lead(database_url):
    world = made_world(database_url)
    ticket, text = world.open(), "前" * 60 + "加微信" + "后" * 60
    promises.note_hits(
        world.engine, find(text), text, shop_id=ticket.shop_id, ticket_id=ticket.id, account="店:小林", at=NOW
    )
    (hit,) = promises.open_hits(world.engine)
    assert (hit.rule, hit.found, hit.account) == ("微信", "微信", "店:小林")
    assert len(hit.said) == 82
    promises.judge(world.engine, hit.id, confirmed=True, by="店:组长")
    assert promises.open_hits(world.engine) == []


def test_folding_keeps_sentences_apart():
    assert folded("ＶＸ ①") == "vx1"
    assert "\n" in folded("返\n现")
