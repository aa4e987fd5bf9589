"""A row of 快手's export to a ticket: what each cell must be, what each word means, what is refused and why."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersales import clock, intake
from aftersales.catalog import built_in
from aftersales.intake.kuaishou import KUAISHOU
from aftersales.intake.rows import CONTENT, ImportedTicket, changed_fields
from aftersales.workflows import facts
from tests.data.intake_files import GOOD, NOW, export, outcomes, problems, tickets, write_csv


@pytest.fixture
def ticket(tmp_path):
    """Import one row that says this; the ticket."""

    def read(**cells):
        (found,) = tickets(export(tmp_path / "a.csv", [named(cells)]))
        return found

    return read


@pytest.fixture
def refused(tmp_path):
    """Import one row that says this; the refusals as (column, reason)."""

    def read(**cells):
        found = outcomes(export(tmp_path / "a.csv", [named(cells)]))
        assert [type(one) for one in found] == [intake.Bad]
        return [(problem.column, problem.reason) for problem in problems(tmp_path / "a.csv")]

    return read


def named(cells):
    """Column names have brackets, keywords have none."""
    return {f"{name}(元)" if name.endswith("金额") else name: text for name, text in cells.items()}


# ── What the words mean (domain/vocabulary.md 3.2) ─────────────────────────────────

REVIEW, INTERVENING = "pending_merchant_review", "platform_intervening"
TYPES = {
    "退货退款": ("refund", "return_refund"),
    "仅退款": ("refund", "shipped_refund_only"),
    "换货": ("exchange", None),
    "维修": ("repair", None),
    "1": ("refund", "return_refund"),
    "10": ("refund", "shipped_refund_only"),
    "3": ("exchange", None),
    "5": ("repair", None),
    " 退货 退款": ("refund", "return_refund"),
}


@pytest.mark.parametrize("word", TYPES)
def test_types(ticket, word):
    found = ticket(售后类型=word)
    assert (found.workflow, found.kind) == TYPES[word]


# One line: the code, a word for it, then the state of a refund, an exchange, a repair (None: there is none).
STATUSES = [
    ("10", "待商家处理", REVIEW, REVIEW, REVIEW),
    ("10", "买家已经申请退款，等待卖家同意", REVIEW, REVIEW, REVIEW),
    ("12", "商家已拒绝，等待买家处理", *["rejected_pending_buyer"] * 3),
    ("12", "卖家已拒绝，等待买家处理", *["rejected_pending_buyer"] * 3),
    ("20", "平台介入中", INTERVENING, INTERVENING, INTERVENING),
    ("20", "协商纠纷，等待平台处理", INTERVENING, INTERVENING, INTERVENING),
    ("22", "平台介入-已确认退货退款", INTERVENING, INTERVENING, INTERVENING),
    ("30", "商家已同意，等待买家退货", "awaiting_buyer_return", "awaiting_buyer_return", "awaiting_buyer_send"),
    ("30", "卖家已经同意退款，等待买家退货", "awaiting_buyer_return", "awaiting_buyer_return", "awaiting_buyer_send"),
    ("30", "商品回寄信息待买家更新", "awaiting_buyer_return", "awaiting_buyer_return", "awaiting_buyer_send"),
    ("40", "买家已退货，等待商家确认收货", *["awaiting_merchant_receipt"] * 3),
    ("40", "买家已经退货，等待卖家确认收货", *["awaiting_merchant_receipt"] * 3),
    ("40", "回寄信息待卖家确认", *["awaiting_merchant_receipt"] * 3),
    ("45", "商家已发货，等待买家确认收货", None, "awaiting_buyer_receipt", "awaiting_buyer_receipt"),
    ("45", "卖家已经发货，等待买家确认收货", None, "awaiting_buyer_receipt", "awaiting_buyer_receipt"),
    ("50", "商家已同意退款，等待系统执行退款", "refund_executing", None, None),
    ("50", "卖家已经同意退款，等待系统执行退款", "refund_executing", None, None),
    ("60", "退款成功", "refunded", "completed", "completed"),
    ("60", "换货成功", None, "completed", None),
    ("70", "退款关闭", *["closed_by_platform"] * 3),
]


@pytest.mark.parametrize(("code", "word", "refund", "exchange", "repair"), STATUSES, ids=[row[1] for row in STATUSES])
def test_statuses(ticket, refused, code, word, refund, exchange, repair):
    for type_, state in (("退货退款", refund), ("仅退款", refund), ("换货", exchange), ("维修", repair)):
        for text in (word, word.replace("，", ","), f" {word}\t"):
            if state is None:
                reason = f"「{type_}」的售后单不会有这个状态；请到平台后台核对类型和状态"
                assert refused(售后类型=type_, 售后状态=text) == [("售后状态", reason)]
            else:
                assert ticket(售后类型=type_, 售后状态=text).state == state
        if state is not None:
            assert ticket(售后类型=type_, 售后状态=code).state == state


def test_every_status_of_the_table_is_tested():
    assert {word for status in KUAISHOU.statuses for word in status.names} == {row[1] for row in STATUSES}


REASONS = {
    "退货退款": {
        "七天无理由": "no_reason_7d",
        "质量问题": "quality",
        "发错货": "wrong_item",
        "商品破损": "damaged",
        "物流一直不更新": "not_received",
        "尺码不合适": "other",
        "不想要了": "other",
        "与描述不符": "other",
        "少件/漏发": "other",
        "": "other",
        "从没见过的原因": "other",
    },
    "换货": {
        "尺码不合适": "size",
        "发错货": "wrong_item",
        "质量问题": "quality",
        "商品破损": "damaged",
        "异响": "other",
    },
    "维修": {"异响": None, "无法开机": None},
}


@pytest.mark.parametrize(("type_", "word"), [(type_, word) for type_ in REASONS for word in REASONS[type_]])
def test_reasons(ticket, type_, word):
    found = ticket(售后类型=type_, 申请原因=word)
    assert (found.reason, found.reason_text) == (REASONS[type_][word], word)


def test_the_opening_fields_are_those_of_the_workflow(ticket):
    assert ticket(申请说明="穿不下").facts() == {
        "kind": "return_refund",
        "paid_fen": 165800,
        "amount_fen": 65800,
        "reason": "no_reason_7d",
        "signed_at": clock.parse("2022-10-22 09:58:12"),
        "note": "七天无理由：穿不下",
    }
    exchange = ticket(售后类型="换货", 申请退款金额="0.00", 申请原因="尺码不合适")
    assert exchange.facts() == {"paid_fen": 165800, "reason": "size", "note": "尺码不合适"}
    repair = ticket(售后类型="维修", 申请退款金额="", 申请原因="异响", 申请说明="有时")
    assert repair.facts() == {"paid_fen": 165800, "fault": "异响：有时"}
    silent = ticket(售后类型="维修", 申请原因="", 申请说明="")
    assert silent.facts()["fault"] == "（平台导出中没有故障说明）"


def test_the_table_uses_only_words_that_the_workflows_know(ticket):
    catalog = built_in()
    assert KUAISHOU.platform in catalog.policies
    for status in KUAISHOU.statuses:
        for workflow, state in status.states.items():
            assert state in {one.name for one in catalog.workflows[workflow].states}
    assert {type_.kind for type_ in KUAISHOU.types if type_.kind} <= set(dict(facts.refund_kind.choices))
    assert set(KUAISHOU.reasons["refund"].values()) <= set(dict(facts.refund_reason.choices))
    assert set(KUAISHOU.reasons["exchange"].values()) <= set(dict(facts.exchange_reason.choices))
    for type_ in KUAISHOU.types:
        opening = catalog.workflows[type_.workflow].move("apply")
        known = {fact.name for fact in (*opening.asks, *opening.accepts)}
        assert set(ticket(售后类型=type_.names[0]).facts()) <= known


# ── Cells that are refused ─────────────────────────────────────────────────────────

LOST = "单号变成了科学计数法，后几位已经丢失；请从平台后台重新导出，或查到完整单号后以文本格式填入"
EMPTY = "这一格不能空着；请到平台后台查到后填上内容"
REFUSED = [
    ("售后单号", "", EMPTY),
    ("售后单号", "2.33377E+15", LOST),
    ("订单编号", "2.2E16", LOST),
    ("订单编号", "22716324425178812.0", "单号只能有半角数字、字母和连字符；请到平台后台核对后改正"),
    ("退货运单号", "7.25693E+14", LOST),
    ("售后类型", "", EMPTY),
    ("售后类型", "退货退歀", "没有这种售后类型，是不是「退货退款」？请核对后改正，导不进来的请在平台后台处理"),
    (
        "售后类型",
        "补寄",
        "没有这种售后类型，能导入的是退货退款、仅退款、换货、维修；请核对后改正，导不进来的请在平台后台处理",
    ),
    ("售后状态", "商家处理", "认不出这个售后状态，是不是「待商家处理」？请到平台后台查看这一单的状态，照原文填写"),
    ("申请时间", "", "这一格不能空着；请到平台后台查到后填上时间，写成 2022-10-01 10:00:00 这样"),
    ("申请时间", "2022-02-30 10:00:00", "没有「2022-02-30 10:00:00」这个时间，请检查月、日、时、分、秒和时区"),
    ("申请时间", "2022-10-30", "「2022-10-30」只有日期没有时间；请补上时、分，写成 2022-10-01 10:00:00 这样"),
    ("申请时间", "2023-10-30 10:00:00", "这个时间还没有到（现在是 2022-11-10 00:00:00）；请核对年份和日期"),
    ("申请时间", "1970-01-01 08:00:00", "这个时间太早，多半是空格子被导出成了日期；请到平台后台核对后改正"),
    ("订单签收时间", "昨天", "看不懂时间「昨天」，请写成 2022-10-01 10:00:00 这样（不写时区就是北京时间）"),
    ("订单签收时间", "2022-11-11 10:00:00", "这个时间还没有到（现在是 2022-11-10 00:00:00）；请核对年份和日期"),
    ("商家处理截止时间", "2022-10-30 12:29:11", "截止时间早于申请时间；请核对这两个时间"),
    ("商家处理截止时间", "2023-11-01 12:29:12", "截止时间比申请时间晚了一年以上；请核对年份"),
    ("实付金额(元)", "", EMPTY),
    ("实付金额(元)", "-1658", "金额不能是负数；请到平台后台核对原单金额后改正"),
    ("实付金额(元)", "1658.005", "金额「1658.005」最多写两位小数，到分为止，请写成 1299.00 这样"),
    ("申请退款金额(元)", "1658.01", "申请退款金额 ¥1,658.01 大于实付金额 ¥1,658.00；请到平台后台核对后改正"),
    ("申请退款金额(元)", "0.00", "退款单要有大于 0 的申请退款金额；请到平台后台查到后填上"),
    ("申请退款金额(元)", "", "退款单要有大于 0 的申请退款金额；请到平台后台查到后填上"),
    ("店铺", "", EMPTY),
    ("买家账号", "\x00", "有无法保存的字符（空字符或半个表情）；请在这一格里重新输入文字"),
    ("申请说明", "长" * 5001, "太长：有 5001 个字，最多 5000 个；请删短"),
]


@pytest.mark.parametrize(("column", "text", "reason"), REFUSED, ids=lambda value: value[:20])
def test_a_bad_cell_is_refused_in_words(refused, column, text, reason):
    no_deadline = {"商家处理截止时间": ""} if column == "申请时间" else {}
    assert refused(**no_deadline, **{column: text}) == [(column, reason)]


def test_all_that_is_wrong_with_a_row_is_said_at_once_in_the_order_of_the_columns(refused):
    found = refused(订单编号="", 售后类型="借用", 售后状态="借出", 申请时间="?", 实付金额="百元", 店铺="")
    assert [column for column, _ in found] == ["订单编号", "售后类型", "售后状态", "申请时间", "实付金额(元)", "店铺"]


def test_half_an_emoji_spoils_its_own_row_only(tmp_path):
    table = [list(GOOD), list(GOOD.values()), list({**GOOD, "售后单号": "2", "买家账号": "😀"}.values())]
    table[1][13] = "\ud83d"
    path = write_csv(tmp_path / "a.csv", table, "utf-16")
    assert [type(one) for one in outcomes(path)] == [intake.Bad, intake.Good]
    assert problems(path)[0].value == "\\ud83d"


def test_one_second_past_the_edge_is_not(refused):
    assert refused(申请时间="2022-11-10 01:00:01", 商家处理截止时间="") == [
        ("申请时间", "这个时间还没有到（现在是 2022-11-10 00:00:00）；请核对年份和日期")
    ]


def test_on_the_edge_is_still_good(ticket):
    assert ticket(申请退款金额="1658.00").amount_fen == 165800
    assert ticket(商家处理截止时间="2022-10-30 12:29:12").platform_due_at == clock.parse("2022-10-30 12:29:12")
    assert ticket(申请时间="2022-11-10 01:00:00", 商家处理截止时间="").applied_at == NOW + timedelta(hours=1)
    assert len(ticket(申请说明="𠮷" * 5000).note) == 5000


def test_times_without_an_offset_are_beijing_time(ticket):
    assert ticket(申请时间="2022-10-30T04:29:12Z") == ticket(申请时间="2022/10/30 12:29:12")


# ── The header ─────────────────────────────────────────────────────────────────────


def refusal(path):
    with pytest.raises(intake.IntakeError) as found:
        outcomes(path)
    return str(found.value)


def test_a_missing_column_is_named_with_a_guess(tmp_path):
    path = write_csv(tmp_path / "a.csv", [[name.replace("售后单号", "售后单编号") for name in GOOD if name != "店铺"]])
    assert refusal(path) == (
        "快手小店售后单少了必须有的列：缺「售后单号」，是不是「售后单编号」？；缺「店铺」。请补上这些列，或改正列名，再导入"
    )


def test_a_file_of_something_else(tmp_path):
    path = write_csv(tmp_path / "a.csv", [["姓名", "电话"]])
    assert refusal(path).startswith(
        "认不出这是哪个平台的导出表。第一行要是列名，现在是：姓名、电话。能读的有：快手小店售后单；"
    )


def test_columns_in_any_order_and_full_width_brackets(tmp_path):
    columns = [name.replace("(元)", "（元）") for name in reversed(GOOD)]
    path = write_csv(tmp_path / "a.csv", [columns, list(reversed(GOOD.values()))])
    assert tickets(path) == tickets(write_csv(tmp_path / "b.csv", [list(GOOD), list(GOOD.values())]))


def test_columns_left_out_and_columns_unknown_are_said(tmp_path):
    table = [[*list(GOOD)[:-5], "店铺", "客服备注"], [*list(GOOD.values())[:-5], "小鹿女装", "急"]]
    path = write_csv(tmp_path / "a.csv", table)
    with intake.open_intake(path) as file:
        assert file.remarks == (
            "文件里没有这些列，当作空的：退货物流公司、退货运单号、换货物流公司、换货运单号",
            "这些列不认识，原样保存、不作处理：客服备注",
        )
    (found,) = tickets(path)
    assert (found.return_waybill_no, found.raw["客服备注"]) == ("", "急")


# ── Fingerprints ───────────────────────────────────────────────────────────────────


def test_the_fingerprint_is_of_what_the_platform_says_not_of_how_it_is_written_or_understood(ticket):
    one = ticket(售后单号="1")
    other = ticket(售后单号='="1"', 申请时间="2022/10/30 12:29:12", 实付金额="1658", 申请退款金额="￥658")
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint == replace(one, line=99, state="elsewhere", reason="quality", raw={}).fingerprint


@pytest.mark.parametrize("name", CONTENT)
def test_every_field_counts(ticket, name):
    one = ticket()
    value = getattr(one, name)
    other = replace(one, **{name: "x" if isinstance(value, str) else None})
    assert one.fingerprint != other.fingerprint
    assert changed_fields(one.marks, other.marks) == (name,)


FINGERPRINT = "a849ebfeea7ffb12597b34da50d27635"


def test_fingerprints_of_old_imports_stay_valid(ticket):
    """They stand in databases: a change here makes every ticket of an earlier import look different."""
    assert ticket(售后单号="1").fingerprint == FINGERPRINT


def test_every_field_is_content_or_derived_from_it():
    derived = {"line", "platform", "workflow", "kind", "state", "reason", "raw"}
    assert {field.name for field in fields(ImportedTicket)} == derived | set(CONTENT)
    assert set(CONTENT) == {column.field for column in KUAISHOU.columns}


@given(column=st.sampled_from(list(GOOD)), text=st.text(max_size=20))
def test_no_text_in_any_cell_brings_it_down(tmp_path_factory, column, text):
    """A ticket, or reasons in words."""
    path = write_csv(tmp_path_factory.mktemp("any") / "a.csv", [list(GOOD), list({**GOOD, column: text}.values())])
    (found,) = outcomes(path)
    assert isinstance(found, intake.Good) or all(problem.reason for problem in found.problems)
