"""The rules as a book to read: by day, for people and for programs."""

import json
from datetime import date

import pytest

from aftersales import rulebook
from aftersales.catalog import built_in
from aftersales.checking import sources as reading
from aftersales.checking.examine import examine
from aftersales.checking.sources import Source

CATALOG = built_in()
KUAISHOU = CATALOG.policies["kuaishou"]
AFTER, BEFORE = date(2022, 10, 1), date(2022, 9, 29)


def line_of(policy, id, day=AFTER):
    return next(line for line in rulebook.rules_on(CATALOG.policies[policy], day) if line.id == id)


# ── one day ──


def test_a_clock_with_everything_that_is_known_of_it():
    assert line_of("kuaishou", "KS-RP-05") == rulebook.RuleLine(
        id="KS-RP-05",
        label="协商上门时间",
        kind="clock",
        workflow="维修",
        states=("待商家审核", "协商上门时间"),
        sentence=line_of("kuaishou", "KS-RP-05").sentence,
        clause="KS-RP-05",
        version="2022-09-30",
        document="快手小店售后服务管理规则",
        source="S3 第52行",
        confidence="seed",
        checked_on="2026-11-23",
        quote="在收到消费者维修申请之日起的3日内（自然日）与消费者就维修时间达成一致",
        assumed="从申请起算，不从同意上门起算；需要上门的申请，无人受理也照算；3日按连续24小时计",
        when="需要上门维修",
    )


@pytest.mark.parametrize(
    ("policy", "id", "kind", "sentence"),
    [
        ("kuaishou", "KS-EX-01", "clock", "限48小时，逾期未处理，视为同意换货"),
        ("kuaishou", "KS-EX-G1", "clock", "不限时：规则没有规定换货发出的时限，由店铺内部目标提醒"),
        ("kuaishou", "LAW-01", "window", "限买家签收时间起7个自然日（次日起算）内办理"),
        ("wechat", "WX-05", "attempts", "合计最多 5 次"),
        ("wechat", "WX-08", "fixes_amount", "退款类型为未发货仅退款、已发货仅退款：不能改金额"),
        (
            "taobao",
            "TB-08",
            "forbids",
            "退款类型为未发货仅退款；退款原因为七天无理由；商品类目为网游：不能办理",
        ),
        ("taobao", "TB-10", "permits", "这个平台有这一步"),
    ],
)
def test_each_kind_of_rule_is_a_sentence(policy, id, kind, sentence):
    line = line_of(policy, id)
    assert (line.kind, line.sentence) == (kind, sentence)


def test_a_rule_that_agrees_at_once_begins_with_its_document():
    policy = CATALOG.policies["kuaishou_local"]
    kinds = [line.kind for line in rulebook.rules_on(policy, date(2022, 12, 22)) if line.id == "KS-LL-04"]
    assert kinds == ["agrees_at_once", "clock"]
    assert [line.id for line in rulebook.rules_on(policy, date(2022, 12, 21))] == ["LAW-01"]


def test_what_is_off_is_in_the_book_with_its_reason():
    line = line_of("taobao", "TB-01")
    assert line.off == "数字来自第三方旧帮助页，未核实，不启用"


def test_a_rule_for_every_state_says_so_and_stands_under_each_type():
    lines = [line for line in rulebook.rules_on(CATALOG.policies["wechat"], AFTER) if line.id == "WX-G3"]
    assert [(line.workflow, line.states) for line in lines] == [
        (workflow, ("每个未办完的状态",)) for workflow in ("换货", "维修", "丢件·物流异常", "中差评")
    ]


def test_the_day_before_the_first_document_has_only_what_has_no_date():
    ids = {line.id for line in rulebook.rules_on(KUAISHOU, BEFORE)}
    assert ids == {"KSO-01", "LAW-01"}


# ── for people ──


def test_the_book_of_a_day_reads_like_this():
    said = rulebook.render(KUAISHOU, AFTER, rulebook.rules_on(KUAISHOU, AFTER))
    assert said.startswith("快手小店 · 2022-10-01 的规则：")
    assert (
        """
KS-EX-04  买家确认收货  「待买家确认收货」
    限10天，逾期未确认，换货完成
    依据《快手小店售后服务管理规则》（2022-09-30 起；原始资料，2026-11-23 核对）
    原文：“消费者在签收换货换货后可在10天内点击确认收货”
    我们的读法：原文没写逾期后果：视为确认，换货完成（决定 6）
"""
        in said
    )


def test_what_is_off_and_what_has_no_date_is_said():
    policy = CATALOG.policies["taobao"]
    said = rulebook.render(policy, AFTER, rulebook.rules_on(policy, AFTER))
    assert said.startswith("淘宝 · 2022-10-01 的规则：")
    assert "，5 条没有启用\n" in said
    assert "    限7天，逾期未退货，关闭  ——没有启用：数字来自第三方旧帮助页，未核实，不启用\n" in said
    assert (
        "    依据《淘宝旧帮助页》（没有生效日期，视为一直有效；第三方转载，可能过时或有误，2026-11-23 核对）\n" in said
    )


def test_a_day_without_rules_says_when_they_begin():
    shop = sole_policy(SHOP)
    assert rulebook.render(shop, date(2023, 1, 1), []) == (
        "示例平台 · 2023-01-01：这一天还没有规则，最早的文件是 2024-01-01"
    )


# ── as data ──


def test_the_book_of_a_day_as_data():
    told = rulebook.to_json(KUAISHOU, AFTER, rulebook.rules_on(KUAISHOU, AFTER))
    assert json.loads(json.dumps(told, ensure_ascii=False))["rules"][0]["id"] == "KS-EX-01"
    assert (told["policy"], told["on"]) == ("kuaishou", "2022-10-01")
    assert told["fingerprint"] == rulebook.fingerprint(KUAISHOU)


@pytest.fixture(scope="module")
def dumped():
    return json.loads(json.dumps(rulebook.dump(CATALOG), ensure_ascii=False))


def test_everything_is_in_the_dump(dumped):
    for workflow in CATALOG.workflows.values():
        told = dumped["workflows"][workflow.key]
        assert [state["name"] for state in told["states"]] == [state.name for state in workflow.states]
        assert told["terminals"] == [state.name for state in workflow.states if state.final]
        assert [move["trigger"] for move in told["transitions"]] == [move.name for move in workflow.moves]
    assert list(dumped["policies"]) == ["kuaishou", "kuaishou_local", "wechat", "taobao"]


def test_a_transition_says_where_it_leads_and_when(dumped):
    told = next(move for move in dumped["workflows"]["refund"]["transitions"] if move["trigger"] == "auto_approve")
    assert told["kind"] == "timeout"
    assert told["from"] == ["pending_merchant_review", "intercepting"]
    assert told["to"] == [
        {"state": "awaiting_buyer_return", "when": "退款类型为退货退款", "clock": "starts"},
        {"state": "refunded", "when": "退款额为 0", "clock": "starts"},
        {"state": "refund_executing", "when": "其他情况", "clock": "starts"},
    ]


def test_every_waiting_state_has_a_deadline_or_a_reason_on_every_platform_that_speaks_of_it(dumped):
    for key, workflow in CATALOG.workflows.items():
        told = dumped["workflows"][key]
        for policy in {line["policy"] for line in told["reasons"]}:
            lines = [line for line in told["deadlines"] + told["reasons"] if line["policy"] == policy]
            said = {state for line in lines for state in line["states"]}
            assert said >= {state.name for state in workflow.waiting}, (key, policy)
        assert all(line["because"] or line["off"] for line in told["reasons"])
        assert all(line["within"] and line["then"] for line in told["deadlines"])


def test_a_deadline_in_the_dump(dumped):
    told = next(line for line in dumped["workflows"]["exchange"]["deadlines"] if line["rule"] == "KS-EX-02")
    assert (told["policy"], told["version"], told["within"], told["then"], told["states"]) == (
        "kuaishou", "2022-09-30", "10天", "return_timeout", ["awaiting_buyer_return"],
    )  # fmt: skip


# ── fingerprints ──

SHOP = '''"""示例平台。"""

from aftersales.policies.vocabulary import Document, Policy, Rule, days, no_limit, since
from aftersales.workflows.bad_review import BadReview

v2024 = Document("示例规则", effective="2024-01-01", source="示例", checked_on="2026-11-23")

SHOP = Policy(
    key="shop", label="示例平台", documents=[v2024],
    rules=[Rule("SH-01", "中差评", BadReview.waiting, no_limit(v2024, because="规则没有规定"))],
)
'''


def sole_policy(text):
    source = Source("policies", "shop", "shop.py", text)
    [policy] = examine({source.module: source}, reading.shipped()[0], list(CATALOG.workflows.values())).policies
    return policy


def test_a_fingerprint_is_of_what_the_rules_say_and_not_of_how_the_file_looks():
    again = SHOP.replace('"""示例平台。"""', '"""又看了一遍。"""\n# 没有改')
    changed = SHOP.replace("规则没有规定", "规则另有规定")
    assert rulebook.fingerprint(sole_policy(SHOP)) == rulebook.fingerprint(sole_policy(again))
    assert rulebook.fingerprint(sole_policy(SHOP)) != rulebook.fingerprint(sole_policy(changed))


# ── running clocks find their rule ──


def test_every_clock_that_was_ever_started_finds_its_line_by_id_and_version():
    for policy in CATALOG.policies.values():
        for rule in policy.clock_rules:
            for limit in rule.history:
                [found] = [one for one in policy.clock_rules if one.id == rule.id]
                assert found.line_of(limit.document.label) is limit
