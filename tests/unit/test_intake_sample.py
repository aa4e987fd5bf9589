"""The sample export of 快手小店, end to end, and the same file in every other encoding."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from aftersales import clock, intake
from tests.data.intake_files import SAMPLE, outcomes, problems, sample_table, tickets, write_csv, write_xlsx

EXPECTED = {
    17: ("申请时间", "", "这一格不能空着；请到平台后台查到后填上时间，写成 2022-10-01 10:00:00 这样"),
    95: (
        "售后类型",
        "以旧换新",
        "没有这种售后类型，能导入的是退货退款、仅退款、换货、维修；请核对后改正，导不进来的请在平台后台处理",
    ),
    112: ("售后状态", "处理中??", "认不出这个售后状态；请到平台后台查看这一单的状态，照原文填写"),
    120: ("实付金额(元)", "八十九元", "看不懂金额「八十九元」，请写成 1299.00 这样"),
    186: ("申请退款金额(元)", "588.00", "申请退款金额 ¥588.00 大于实付金额 ¥58.80；请到平台后台核对后改正"),
    189: (
        "申请时间",
        "2022-13-45 10:00:00",
        "没有「2022-13-45 10:00:00」这个时间，请检查月、日、时、分、秒和时区",
    ),
    210: ("订单编号", "", "这一格不能空着；请到平台后台查到后填上内容"),
    244: (
        "订单编号",
        "2.20345E+16",
        "单号变成了科学计数法，后几位已经丢失；请从平台后台重新导出，或查到完整单号后以文本格式填入",
    ),
    259: ("实付金额(元)", "-89.00", "金额不能是负数；请到平台后台核对原单金额后改正"),
    303: (
        "售后状态",
        "退款关闭",
        "第 3 行已有同一个售后单号，内容却不同，没有采用这一行；请到平台后台核对哪一个是对的，再处理这一单",
    ),
}


def test_nine_rows_are_refused_one_repeat_differs_and_one_is_already_there():
    found = Counter(type(outcome).__name__ for outcome in outcomes(SAMPLE))
    assert found == {"Good": 291, "Bad": 9, "Differs": 1, "Again": 1}


def test_each_line_that_needs_an_answer_gets_one_in_words():
    assert {one.line: (one.column, one.value, one.reason) for one in problems(SAMPLE)} == EXPECTED
    assert len(problems(SAMPLE)) == len(EXPECTED), "one reason each"


def test_a_repeat_with_the_same_content_is_already_there():
    again = [outcome for outcome in outcomes(SAMPLE) if isinstance(outcome, intake.Again)]
    assert [(one.row.line, one.first_line) for one in again] == [(302, 2)]


def test_a_repeat_with_another_status_is_not_taken_and_says_where_the_first_stands():
    (differs,) = [outcome for outcome in outcomes(SAMPLE) if isinstance(outcome, intake.Differs)]
    assert (differs.row.line, differs.first_line, differs.changed) == (303, 3, ("platform_status",))
    kept = next(ticket for ticket in tickets(SAMPLE) if ticket.line == 3)
    assert (kept.state, differs.ticket.state) == ("refund_executing", "closed_by_platform")


def test_every_status_of_the_sample_is_mapped():
    assert Counter((ticket.type_text, ticket.platform_status, ticket.state) for ticket in tickets(SAMPLE)) == {
        ("仅退款", "商家已拒绝，等待买家处理", "rejected_pending_buyer"): 27,
        ("仅退款", "待商家处理", "pending_merchant_review"): 18,
        ("仅退款", "退款关闭", "closed_by_platform"): 34,
        ("仅退款", "退款成功", "refunded"): 19,
        ("换货", "买家已退货，等待商家确认收货", "awaiting_merchant_receipt"): 8,
        ("换货", "商家已发货，等待买家确认收货", "awaiting_buyer_receipt"): 10,
        ("换货", "商家已同意，等待买家退货", "awaiting_buyer_return"): 7,
        ("换货", "商家已拒绝，等待买家处理", "rejected_pending_buyer"): 12,
        ("换货", "待商家处理", "pending_merchant_review"): 9,
        ("换货", "换货成功", "completed"): 7,
        ("换货", "退款关闭", "closed_by_platform"): 12,
        ("维修", "买家已退货，等待商家确认收货", "awaiting_merchant_receipt"): 4,
        ("维修", "商家已发货，等待买家确认收货", "awaiting_buyer_receipt"): 2,
        ("维修", "商家已同意，等待买家退货", "awaiting_buyer_send"): 7,
        ("维修", "待商家处理", "pending_merchant_review"): 4,
        ("退货退款", "买家已退货，等待商家确认收货", "awaiting_merchant_receipt"): 13,
        ("退货退款", "商家已同意退款，等待系统执行退款", "refund_executing"): 17,
        ("退货退款", "商家已同意，等待买家退货", "awaiting_buyer_return"): 15,
        ("退货退款", "商家已拒绝，等待买家处理", "rejected_pending_buyer"): 13,
        ("退货退款", "平台介入中", "platform_intervening"): 16,
        ("退货退款", "待商家处理", "pending_merchant_review"): 11,
        ("退货退款", "退款关闭", "closed_by_platform"): 12,
        ("退货退款", "退款成功", "refunded"): 14,
    }


def test_one_ticket_carries_every_column():
    ticket = next(ticket for ticket in tickets(SAMPLE) if ticket.line == 6)
    assert ticket == intake.ImportedTicket(
        line=6,
        platform="kuaishou",
        shop_name="小鹿女装",
        platform_ticket_no="2368038640557828",
        order_no="22243966190962454",
        item_no="2451642674",
        item_title="落地台灯",
        item_spec="蓝色;42码",
        buyer="用户8837162",
        member_level="V1",
        workflow="refund",
        kind="return_refund",
        state="awaiting_merchant_receipt",
        type_text="退货退款",
        platform_status="买家已退货，等待商家确认收货",
        applied_at=clock.parse("2022-11-03T16:01:36Z"),
        platform_due_at=None,
        paid_fen=65700,
        amount_fen=65700,
        reason="other",
        reason_text="尺码不合适",
        note="客服说可以换",
        signed_at=clock.parse("2022-10-27T05:28:36Z"),
        return_courier="顺丰速运",
        return_waybill_no="SF3465447235721",
        reship_courier="",
        reship_waybill_no="",
        raw={},
    )
    assert len(ticket.raw) == 21
    assert ticket.raw["实付金额(元)"] == "¥657.00"


def test_odd_cells_come_through_as_they_are():
    found = tickets(SAMPLE)
    by_line = {ticket.line: ticket for ticket in found}
    assert by_line[2].note == '"全新"未拆'
    assert by_line[3].note == "收到就是坏的，\n图片已上传"
    assert by_line[9].buyer == "𠮷野家的猫"
    assert by_line[5].buyer == "张三;DROP TABLE"
    assert by_line[3].buyer == "Ａｎｎａ", "full-width letters are the buyer's own"
    assert by_line[8].buyer == "=1+1", "looks like a formula, is a name"
    assert by_line[16].paid_fen == by_line[16].amount_fen == 569700


CLOTHES = {
    "GB18030 with tabs": ("gb18030", "\t"),
    "UTF-8": ("utf-8", ","),
    "UTF-8 with a mark": ("utf-8-sig", ","),
    "UTF-16": ("utf-16", "\t"),
    "UTF-16 big end first": ("utf-16-be", ";"),
}


@pytest.mark.parametrize("clothes", CLOTHES)
def test_the_same_file_in_other_clothes_gives_the_same(tmp_path, clothes):
    encoding, delimiter = CLOTHES[clothes]
    table = sample_table()
    if encoding == "utf-16-be":
        table[0][0] = "\ufeff" + table[0][0]
    path = write_csv(tmp_path / "same.csv", table, encoding, delimiter)
    assert tickets(path) == tickets(SAMPLE)
    assert [ticket.fingerprint for ticket in tickets(path)] == [ticket.fingerprint for ticket in tickets(SAMPLE)]
    assert problems(path) == problems(SAMPLE)


def test_the_same_file_as_a_spreadsheet_of_texts_gives_the_same(tmp_path):
    path = write_xlsx(tmp_path / "same.xlsx", sample_table())
    assert tickets(path) == tickets(SAMPLE)
    assert problems(path) == problems(SAMPLE)


def test_the_same_file_as_a_spreadsheet_of_dates_and_numbers_gives_the_same(tmp_path):
    def typed(name, cell):
        if name.endswith("时间") and cell and "13-45" not in cell:
            return datetime.fromisoformat(cell.replace("/", "-"))
        if name.endswith("(元)") and cell != "八十九元":
            return float(cell.replace("¥", "").replace(",", ""))
        if name in ("售后单号", "商品ID") and not cell.strip().endswith("0"):
            return int(cell)
        return cell.strip("\t").removeprefix('="').removesuffix('"') if name.endswith("编号") else cell

    header, *rows = sample_table()
    table = [header, *([typed(name, cell) for name, cell in zip(header, row, strict=True)] for row in rows)]
    path = write_xlsx(tmp_path / "same.xlsx", table)
    assert tickets(path) == tickets(SAMPLE)
    assert {one.line: one.column for one in problems(path)} == {line: found[0] for line, found in EXPECTED.items()}
