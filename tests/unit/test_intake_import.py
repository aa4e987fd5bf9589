"""`aftersales import FILE` into a database: kept, already there, differing, refused; twice, killed, two at once."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from aftersales import arrivals, audit, clock, decide, queries, store
from aftersales.application import assemble
from aftersales.arrivals import PLATFORM_CONTENT, There
from aftersales.database import reading
from aftersales.decide import Imported, NewTicket
from aftersales.desk import Command
from aftersales.errors import Refused
from aftersales.intake import IntakeError
from aftersales.intake.run import import_command, import_file, rendered
from aftersales.models import metadata
from aftersales.rows import EVENT, event_from_row, event_hash
from aftersales.settings import Settings
from aftersales.ticket import Ticket
from tests.conftest import BACKENDS, fresh_database
from tests.data.intake_files import GOOD, NOW, SAMPLE, export, sample_table, write_csv, write_xlsx
from tests.unit.test_intake_report import MENDED

HOUR = timedelta(hours=1)
APPLIED = clock.parse("2022-11-09 10:00:00")
FRESH = {"申请时间": "2022-11-09 10:00:00", "商家处理截止时间": "", "订单签收时间": ""}


@pytest.fixture
def application(database_url):
    return assemble(Settings(database_url=database_url))


@pytest.fixture
def desk(application):
    return application.desk


@pytest.fixture
def load(desk, tmp_path):
    """Import a file, or rows that say this, into the desk; report and rejects go into a folder of their own."""

    def run(file, now=NOW, desk=desk, **rest):
        path = file if isinstance(file, Path) else numbered(tmp_path / "rows.csv", file)
        out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
        out.mkdir()
        return import_file(desk, path, now=now, report=out / "report.csv", rejects=out / "rejected.csv", **rest)

    return run


def numbered(path, rows, columns=None):
    """An export of these rows, each of an order of its own unless it says which."""
    rows = [{"订单编号": f"22{place:015}", **FRESH, **row} for place, row in enumerate(rows)]
    return export(path, rows, *([columns] if columns else []))


def counts(summary):
    return summary.opened, summary.already_there, summary.differing, summary.refused


def dump(desk):
    """Every row of every table."""
    with reading(desk.engine) as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table)).all())) for table in metadata.sorted_tables
        }


def tickets(desk, **wanted):
    """Every ticket, in the order of their ids."""
    table = metadata.tables["ticket"]
    with reading(desk.engine) as connection:
        ids = connection.execute(select(table.c.id).order_by(table.c.id)).scalars().all()
        found = store.load(connection, ids)
    return [one for one in found if all(getattr(one, name) == value for name, value in wanted.items())]


def numbers_on_platform(desk):
    return {ticket.platform_no: ticket.number for ticket in tickets(desk)}


def report_of(summary):
    return list(csv.reader(summary.written.report.read_text("utf-8-sig").splitlines()))[1:]


def as_they_stand(desk):
    """What tickets are, whatever their ids are and whenever they were recorded."""
    return [one.but(last_hash="", recorded_at=None) for one in tickets(desk)]


# ── The sample, end to end ─────────────────────────────────────────────────────────


def test_the_sample(desk, load):
    seen = []
    summary = load(SAMPLE, progress=lambda done, total: seen.append((done, total)))
    assert counts(summary) == (291, 1, 1, 9)
    assert not summary.settled
    assert summary.shops == {"清风数码旗舰店": 159, "小鹿女装": 132}
    assert summary.new_shops == ["清风数码旗舰店", "小鹿女装"]
    assert sum(summary.states.values()) == len(tickets(desk)) == 291
    assert summary.states["refund", "refunded"] == 33
    assert summary.states["exchange", "awaiting_buyer_receipt"] == 10
    assert summary.past_due == 38
    assert [int(line[0]) for line in report_of(summary)] == [17, 95, 112, 120, 186, 189, 210, 244, 259, 303]
    assert seen[-1] == (SAMPLE.stat().st_size, SAMPLE.stat().st_size)


def test_the_ticket_read_first_stays_as_it_was_read(desk, load):
    load(SAMPLE)
    (ticket,) = tickets(desk, platform_no="2344518020994774")
    assert ticket.state == "refund_executing", "line 3; line 303 says 退款关闭 and is reported"


def test_every_chain_is_valid_and_every_ticket_at_its_first_version(desk, load):
    load(SAMPLE)
    events = metadata.tables["ticket_event"]
    with reading(desk.engine) as connection:
        rows = connection.execute(select(*(events.c[name] for name in EVENT))).all()
    heads = {ticket.id: ticket for ticket in tickets(desk)}
    assert len(rows) == len(heads) == 291
    for row in rows:
        event, ticket = event_from_row(row), heads[row.ticket_id]
        assert (event.seq, ticket.version, row.previous_hash) == (1, 1, "")
        assert (event.from_state, event.to_state) == ("new", ticket.state)
        assert (event.actor, event.trigger, ticket.authority) == ("platform", "import_from_platform", "platform")
        assert (event.at, event.recorded_at) == (ticket.applied_at, NOW)
        assert row.hash == ticket.last_hash == event_hash("", row.shop_id, row.ticket_id, event)


def test_the_audit_finds_nothing(desk, load):
    load(SAMPLE, now=clock.parse("2022-11-06 10:00:00"))
    assert {ticket.no_clock_reason for ticket in tickets(desk)} >= {None, "platform_authority", "platform_past_due"}
    assert audit.audit(desk.engine, desk.rules()).ok


def test_no_money_is_ordered(desk, load):
    load(SAMPLE)
    assert dump(desk)["payment"] == []


def test_numbers_count_by_shop_workflow_and_day_in_the_order_of_the_file(desk, load):
    load(SAMPLE)
    groups = {}
    for ticket in tickets(desk):
        day = f"{clock.shown_day(ticket.applied_at):%y%m%d}"
        groups.setdefault((ticket.shop_id, ticket.number.rpartition("-")[0]), []).append(ticket.number[-4:])
        assert ticket.number.split("-")[1] == day
    assert all(found == [f"{n:04}" for n in range(1, len(found) + 1)] for found in groups.values())


CLOTHES = ("gb18030", "utf-8", "utf-8-sig", "utf-16", "xlsx")


def test_the_same_file_in_other_clothes_gives_the_same_tickets(desk, load, tmp_path, database_url):
    load(SAMPLE)
    kind = "sqlite" if database_url.startswith("sqlite") else "postgres"
    for clothes in CLOTHES[1:]:
        path = tmp_path / f"same.{clothes}"
        if clothes == "xlsx":
            write_xlsx(path, sample_table())
        else:
            write_csv(path, sample_table(), clothes)
        other = assemble(Settings(database_url=fresh_database(kind))).desk
        assert counts(load(path, desk=other)) == (291, 1, 1, 9)
        assert tickets(other) == tickets(desk), "down to the hash"
        assert counts(load(path)) == (0, 292, 1, 9), "and in one database, they are there already"


# ── A second time ──────────────────────────────────────────────────────────────────


def test_a_second_import_changes_nothing_at_all(desk, load):
    first = load(SAMPLE)
    before = dump(desk)
    second = load(SAMPLE, now=NOW + 24 * HOUR)
    assert counts(second) == (0, 292, 1, 9)
    assert second.new_shops == []
    assert dump(desk) == before
    assert report_of(second) == report_of(first)


def test_a_ticket_that_has_moved_since_is_still_there(desk, load):
    rows = [{"售后类型": "换货", "申请退款金额(元)": ""}, {"售后类型": "仅退款"}]
    load(rows)
    exchange, refund = tickets(desk)
    desk.do(Command(refund.id, "approve_refund", "agent", NOW + HOUR))
    desk.sweep(APPLIED + 48 * HOUR + timedelta(seconds=1))
    assert [one.state for one in tickets(desk)] == ["awaiting_buyer_return", "refund_executing"]
    before = dump(desk)
    assert counts(load(rows, now=NOW + 100 * HOUR)) == (0, 2, 0, 0)
    assert dump(desk) == before
    assert exchange.number != refund.number


def test_another_status_is_a_difference_to_decide_and_taken_by_nobody(desk, load):
    load([{}, {}])
    before = dump(desk)
    later = load([{}, {"售后状态": "退款关闭", "退货运单号": "SF12345678"}])
    assert counts(later) == (0, 1, 1, 0)
    assert dump(desk) == before
    number = tickets(desk)[1].number
    advice = "没有采用这一行；请到平台后台核对哪一个是对的，再处理这一单"
    already = f"系统里 {number} 已有同一个售后单号，内容却不同"
    assert report_of(later) == [
        ["3", "售后状态", "退款关闭", f"{already}（那时是「待商家处理」），{advice}"],
        ["3", "退货运单号", "SF12345678", f"{already}（那时是「空」），{advice}"],
    ]
    assert counts(load(later.written.rejects)) == (0, 0, 1, 0), "handed back, and a difference still"


def test_amounts_and_times_of_a_difference_are_shown_as_people_read_them(load):
    load([{}])
    report = report_of(load([{"申请时间": "2022-11-09 11:00:00", "实付金额(元)": "1659"}]))
    assert "（那时是「2022-11-09 10:00:00」）" in report[0][3]
    assert "（那时是「¥1,658.00」）" in report[1][3]


def test_a_column_left_out_says_nothing_and_a_new_one_does(load, tmp_path):
    with_level, without = tuple(GOOD), tuple(name for name in GOOD if name != "会员等级")
    load(numbered(tmp_path / "a.csv", [{}], with_level))
    assert counts(load(numbered(tmp_path / "b.csv", [{}], without))) == (0, 1, 0, 0)
    load(numbered(tmp_path / "c.csv", [{"售后单号": "9", "订单编号": "9"}], without))
    differs = load(numbered(tmp_path / "d.csv", [{"售后单号": "9", "订单编号": "9"}], with_level))
    assert [line[1:3] for line in report_of(differs)] == [["会员等级", "V5"]], "the system lacks what it says"


def test_mended_rejects_are_imported(desk, load, tmp_path):
    data = load(SAMPLE).written.rejects.read_bytes()
    for wrong, right in MENDED.items():
        data = data.replace(wrong, right)
    mended = tmp_path / "mended.csv"
    mended.write_bytes(data)
    summary = load(mended)
    assert counts(summary) == (7, 0, 1, 2)
    assert len(tickets(desk)) == 298
    (closing,) = [line for line in report_of(summary) if line[1] == "售后状态"]
    assert closing[3].startswith(f"系统里 {numbers_on_platform(desk)['2344518020994774']} 已有同一个售后单号")
    assert counts(load(mended)) == (0, 7, 1, 2)


def test_a_number_that_is_here_but_was_not_imported_cannot_be_compared(desk, load):
    told = {"paid_fen": 165800, "reason": "size"}
    here = desk.open(
        NewTicket("exchange", "kuaishou", "apply", "buyer", NOW, told, order_no="1", platform_no="2333767157900000"),
        shop="清风数码旗舰店",
    )
    summary = load([{}])
    assert counts(summary) == (0, 0, 1, 0)
    reason = f"系统里 {here.number} 已有同一个售后单号，但不是导入的，没有采用这一行；请核对那一张"
    assert report_of(summary) == [["2", "售后单号", "2333767157900000\t", reason]]


def test_shops_keep_their_numbers_apart(desk, load):
    load([{"店铺": "甲"}])
    elsewhere = load([{"店铺": "乙"}])
    assert (counts(elsewhere), elsewhere.new_shops) == ((1, 0, 0, 0), ["乙"])
    first, second = tickets(desk)
    assert (first.platform_no, first.number) == (second.platform_no, second.number)


# ── What a ticket is taken over with ───────────────────────────────────────────────


def one(load, desk, now=NOW, **cells):
    load([{f"{name}(元)" if name.endswith("金额") else name: text for name, text in cells.items()}], now=now)
    return tickets(desk)[-1]


EXCHANGE = {"售后类型": "换货", "申请退款金额": ""}
SENT = {"售后类型": "换货", "申请退款金额(元)": "", "售后状态": "商家已发货，等待买家确认收货"}


def test_a_deadline_of_the_platform_in_the_future_is_the_clock(load, desk):
    refund = one(load, desk, 售后类型="仅退款", 商家处理截止时间="2022-11-11 10:00:00")
    assert (refund.due_at, refund.clock.basis) == (APPLIED + 48 * HOUR, "platform")
    assert (refund.clock.timeout, refund.no_clock_reason) == ("auto_approve", None)
    assert refund.alarm_at is not None


def test_a_deadline_of_the_platform_long_past_is_no_clock(load, desk):
    late = APPLIED + 100 * HOUR
    refund = one(load, desk, late, 售后类型="仅退款", 商家处理截止时间="2022-11-11 10:00:00")
    assert (refund.due_at, refund.no_clock_reason, refund.alarm_at) == (None, "platform_past_due", None)
    exchange = one(load, desk, late, 售后单号="2", 订单编号="2", **EXCHANGE)
    assert (exchange.due_at, exchange.no_clock_reason) == (None, "platform_past_due")
    before = dump(desk)
    assert desk.sweep(late + 1000 * HOUR).fired == []
    assert dump(desk) == before


def test_an_exchange_to_be_looked_at_runs_under_the_rule_from_the_application(load, desk):
    exchange = one(load, desk, **EXCHANGE)
    assert (exchange.clock.rule, exchange.clock.basis) == ("KS-EX-01", "rule")
    assert (exchange.clock.counted_from, exchange.due_at) == (APPLIED, APPLIED + 48 * HOUR)
    both = one(load, desk, 售后单号="2", 订单编号="2", 商家处理截止时间="2022-11-11 09:00:00", **EXCHANGE)
    assert (both.clock.rule, both.clock.basis) == ("KS-EX-01", "platform")
    assert (both.due_at, both.clock.computed_due_at) == (APPLIED + 47 * HOUR, APPLIED + 48 * HOUR)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("商家已拒绝，等待买家处理", "rejected_pending_buyer"),
        ("平台介入中", "platform_intervening"),
        ("商家已同意，等待买家退货", "awaiting_buyer_return"),
        ("买家已退货，等待商家确认收货", "awaiting_merchant_receipt"),
        ("商家已发货，等待买家确认收货", "awaiting_buyer_receipt"),
    ],
)
def test_where_the_start_is_not_known_there_is_no_clock_and_it_says_why(load, desk, status, state):
    exchange = one(load, desk, 售后状态=status, **EXCHANGE)
    assert (exchange.state, exchange.due_at, exchange.no_clock_reason) == (state, None, "platform_authority")


def test_an_application_ahead_of_our_clock_is_dated_now(load, desk):
    exchange = one(load, desk, 申请时间="2022-11-10 00:40:00", **EXCHANGE)
    assert (exchange.applied_at, exchange.due_at) == (NOW, NOW + 48 * HOUR)
    assert audit.audit(desk.engine, desk.rules()).ok
    assert counts(load([{**SENT, "售后状态": "待商家处理", "申请时间": "2022-11-10 00:40:00"}])) == (0, 1, 0, 0)


def test_what_is_over_is_over(load, desk):
    refund = one(load, desk, 售后状态="退款成功")
    assert (refund.state, refund.refund_fen, refund.closed_at) == ("refunded", 65800, NOW)
    assert (refund.clocks, refund.no_clock_reason, refund.open_key) == ((), None, None)


def test_the_fields_of_a_ticket(load, desk):
    ticket = one(
        load, desk, 售后状态="买家已退货，等待商家确认收货", 申请说明="穿不下", 订单签收时间="2022-11-01 10:00:00",
        退货物流公司="顺丰速运", 退货运单号="SF3465447235721",
    )  # fmt: skip
    assert (ticket.workflow, ticket.policy, ticket.authority) == ("refund", "kuaishou", "platform")
    assert (ticket.platform_no, ticket.order_no) == ("2333767157900000", "22000000000000000")
    assert (ticket.item_no, ticket.buyer, ticket.paid_fen) == ("8462228289", "李雷&韩梅梅", 165800)
    assert ticket.fields == {
        "kind": "return_refund",
        "reason": "no_reason_7d",
        "note": "七天无理由：穿不下",
        "amount_fen": 65800,
        "signed_at": clock.parse("2022-11-01 10:00:00"),
        "item_title": "复古马丁靴",
        "item_spec": "白/M",
        "member_level": "V5",
        "return_courier": "顺丰速运",
        "return_waybill_no": "SF3465447235721",
    }


def test_what_the_platform_said_is_kept_in_the_event_and_sealed(load, desk, tmp_path):
    load(numbered(tmp_path / "a.csv", [{"客服备注": "急", "note": ""}], (*GOOD, "客服备注", "note")))
    (ticket,) = tickets(desk)
    (event,) = queries.events(desk.engine, ticket.id)
    said = event.facts[PLATFORM_CONTENT]
    assert event.facts["platform_status"] == said["platform_status"] == "待商家处理"
    assert (said["type_text"], said["applied_at"], said["paid_fen"]) == (
        "退货退款", "2022-11-09T02:00:00+00:00", "165800",
    )  # fmt: skip
    assert said["「客服备注」"] == "急", "columns that nobody knows are kept"
    assert "return_courier" not in said, "empty ones are left out"
    assert PLATFORM_CONTENT not in ticket.fields


@pytest.mark.parametrize(
    ("status", "mode"),
    [("待商家处理", None), ("商家已同意，等待买家退货", "mail_in"), ("商家已发货，等待买家确认收货", "mail_in")],
)
def test_a_repair_that_travels_is_one_by_mail(load, desk, status, mode):
    assert one(load, desk, 售后类型="维修", 售后状态=status, 申请退款金额="").fields.get("mode") == mode


def test_an_imported_ticket_goes_on_at_the_desk(load, desk):
    refund = one(load, desk, 售后类型="仅退款")
    moved = desk.do(Command(refund.id, "approve_refund", "agent", NOW + HOUR))
    assert (moved.state, moved.version, moved.refund_fen) == ("refund_executing", 2, 65800)


# ── Waybills ───────────────────────────────────────────────────────────────────────


def waybills(desk):
    table = metadata.tables["waybill"]
    with reading(desk.engine) as connection:
        return {row.waybill_no: row.ticket_id for row in connection.execute(select(table))}


def test_the_parcels_of_an_export_are_used(load, desk):
    load([{**SENT, "退货运单号": "SF00000001", "换货运单号": "SF00000002"}, {"售后类型": "仅退款"}, {}])
    ticket, _, other = tickets(desk)
    assert waybills(desk) == {"SF00000001": ticket.id, "SF00000002": ticket.id}
    desk.do(Command(other.id, "approve_return", "agent", NOW + HOUR))
    with pytest.raises(Refused) as refused:
        desk.do(Command(other.id, "submit_return_waybill", "buyer", NOW + HOUR, {"waybill_no": "SF00000001"}))
    assert refused.value.code == "invalid_waybill"


def test_one_parcel_of_two_tickets_stays_with_the_first(load, desk):
    back = {"售后状态": "买家已退货，等待商家确认收货", "退货运单号": "SF00000001"}
    assert counts(load([back, back])) == (2, 0, 0, 0)
    assert counts(load([{**back, "售后单号": "3", "订单编号": "3"}])) == (1, 0, 0, 0)
    assert waybills(desk) == {"SF00000001": tickets(desk)[0].id}
    assert {one.fields["return_waybill_no"] for one in tickets(desk)} == {"SF00000001"}


# ── Two open tickets on one item (I-31) ────────────────────────────────────────────


def test_a_second_open_ticket_on_an_item_is_refused_by_the_number_of_the_first(load, desk):
    same = {"订单编号": "7"}
    rows = [same, same, {**same, "售后状态": "退款关闭"}, {**same, "售后类型": "换货", "申请退款金额(元)": ""}]
    summary = load(rows)
    assert counts(summary) == (3, 0, 0, 1), "one is closed, one is of another kind"
    number = tickets(desk)[0].number
    refused = [["3", "订单编号", "7", f"这个商品已有进行中的售后单 {number}，请在那一张上处理"]]
    assert report_of(summary) == refused
    before = dump(desk)
    again = load(rows)
    assert (counts(again), report_of(again)) == ((0, 3, 0, 1), refused)
    assert dump(desk) == before, "not even a number was used up"


def test_a_repeat_of_a_row_that_was_refused_is_refused_too(load):
    same = {"订单编号": "7"}
    assert counts(load([same, {**same, "售后单号": "8"}, {**same, "售后单号": "8"}])) == (1, 0, 0, 2)


def test_a_ticket_opened_by_hand_is_in_the_way(load, desk):
    told = {"paid_fen": 165800, "reason": "size"}
    by_hand = NewTicket("exchange", "kuaishou", "apply", "buyer", NOW, told, order_no="7", item_no="8462228289")
    here = desk.open(by_hand, shop="清风数码旗舰店")
    summary = load([{"售后类型": "换货", "申请退款金额(元)": "", "订单编号": "7"}])
    assert (counts(summary), here.number in report_of(summary)[0][3]) == ((0, 0, 0, 1), True)


# ── Trouble ────────────────────────────────────────────────────────────────────────


def spoilt(monkeypatch, number, spoil):
    """The decision on the ticket of this number is spoilt."""
    real = decide.take_over

    def take_over(imported, rules, **rest):
        change = real(imported, rules, **rest)
        return spoil(change) if imported.platform_no == number else change

    monkeypatch.setattr(decide, "take_over", take_over)


def test_a_rule_that_fails_stops_one_row(load, desk, monkeypatch):
    spoilt(monkeypatch, "2333767157900001", lambda change: 1 / 0)
    summary = load([{}, {}, {}])
    assert counts(summary) == (2, 0, 0, 1)
    assert report_of(summary)[0][3] == "规则算不出这张工单（ZeroDivisionError），请把日志交给管理员"
    monkeypatch.undo()
    assert counts(load([{}, {}, {}])) == (1, 2, 0, 0)


def test_what_the_database_does_not_take_stops_one_row(load, desk, monkeypatch):
    spoilt(monkeypatch, "2333767157900003", lambda change: change._replace(after=change.after.but(paid_fen=-1)))
    summary = load([{} for _ in range(7)])
    assert counts(summary) == (6, 0, 0, 1)
    assert report_of(summary)[0][0] == "5"
    assert report_of(summary)[0][3].startswith("数据库没有收下这一行（")
    assert "i19" in report_of(summary)[0][3] or "CHECK" in report_of(summary)[0][3]


def test_a_file_that_cannot_be_read_changes_nothing(load, desk, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("姓名,电话\n", encoding="utf-8")
    before = dump(desk)
    with pytest.raises(IntakeError):
        load(path)
    assert dump(desk) == before


@pytest.mark.parametrize("kind", BACKENDS)
def test_two_imports_of_one_file_at_once(kind, tmp_path):
    url = fresh_database(kind)
    found, trouble = [], []

    def work(place):
        desk = assemble(Settings(database_url=url)).desk
        try:
            found.append(
                import_file(
                    desk, SAMPLE, now=NOW, report=tmp_path / f"{place}.csv", rejects=tmp_path / f"{place}.bad.csv"
                )
            )
        except Exception as problem:  # noqa: BLE001 -- told below
            trouble.append(problem)
        finally:
            desk.engine.dispose()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert sum(summary.opened for summary in found) == 291
    assert sum(summary.already_there for summary in found) == 3 + 2 * 291
    desk = assemble(Settings(database_url=url)).desk
    assert len(tickets(desk)) == 291


# ── Killed ─────────────────────────────────────────────────────────────────────────

MANY = 6000


@pytest.fixture
def many(tmp_path):
    days = [clock.shown(APPLIED - day * 24 * HOUR) for day in range(7)]
    return numbered(tmp_path / "many.csv", [{"申请时间": days[n % 7]} for n in range(MANY)])


def how_many(desk):
    with reading(desk.engine) as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM ticket").scalar_one()


def test_killed_in_the_middle_and_imported_again_it_is_complete_and_nothing_twice(
    application, database_url, many, load, tmp_path
):
    desk = application.desk
    command = [sys.executable, "-m", "aftersales", "import", many, "--db", database_url]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while how_many(desk) < 1000 and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    time.sleep(0.2)  # PostgreSQL notices a moment later
    kept = how_many(desk)
    assert 1000 <= kept < MANY
    assert kept % 500 == 0, "whole batches"
    assert counts(load(many)) == (MANY - kept, kept, 0, 0)
    numbers = numbers_on_platform(desk)
    assert len(numbers) == len(set(numbers.values())) == MANY
    days = {}
    for number in numbers.values():
        days.setdefault(number[:9], []).append(int(number[10:]))
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in days.values()), "no gap, no repeat"
    assert counts(load(many)) == (0, MANY, 0, 0)


# ── The command ────────────────────────────────────────────────────────────────────


@pytest.fixture
def here(tmp_path):
    path = tmp_path / "十月.csv"
    path.write_bytes(SAMPLE.read_bytes())
    return path


def test_what_the_command_says(application, here, capsys):
    assert import_command(application, here, None, as_json=False) == 1
    told = capsys.readouterr()
    assert told.out == (
        "新开 291 张工单；已在系统里 1 行；与已有的不同、要人核对 1 行；有问题没有导入 9 行\n"
        "Imported: 291 opened, 1 already there, 1 differing, 9 refused\n"
        "  换货：待商家审核 9；商家已驳回，待买家处理 12；待买家寄回 7；退回途中，待商家收货 8；换货商品运输中 10；"
        "换货完成 7；平台关闭 12\n"
        "  维修：待商家审核 4；待买家寄送 7；待商家收货 4；已寄回，待买家收货 2\n"
        "  退款：待商家处理 29；商家拒绝，待买家处理 40；待买家退货 15；待商家收货 13；平台介入 16；退款打款中 17；"
        "退款成功 33；平台关闭 46\n"
        "  店铺：清风数码旗舰店 159（新店铺）；小鹿女装 132（新店铺）\n"
        "其中 38 张的处理期限在导入前已过，没有计时：请到平台后台查看现在的状态\n"
        f"问题报告：{here.with_name('十月.report.csv')}\n"
        f"没有导入的行：{here.with_name('十月.rejected.csv')}（改好后直接导入这个文件）\n"
    )
    assert told.err == "", "no progress bar where nobody sees it"


def test_the_same_for_a_program(application, here, tmp_path, capsys):
    assert import_command(application, here, tmp_path / "problems.report.csv", as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["states"]["repair"] == {
        "awaiting_buyer_receipt": 2,
        "awaiting_buyer_send": 7,
        "awaiting_merchant_receipt": 4,
        "pending_merchant_review": 4,
    }
    assert {name: told[name] for name in ("opened", "already_there", "differing", "refused", "settled")} == {
        "opened": 291, "already_there": 1, "differing": 1, "refused": 9, "settled": False,
    }  # fmt: skip
    assert told["report"] == str(tmp_path / "problems.report.csv")
    assert told["rejects"] == str(tmp_path / "problems.rejected.csv")


def test_nothing_to_answer_is_success(application, tmp_path, capsys):
    path = numbered(tmp_path / "a.csv", [{}, {}])
    assert import_command(application, path, None, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["opened"], told["report"], told["rejects"]) == (2, None, None)
    assert import_command(application, path, None, as_json=False) == 0
    assert capsys.readouterr().out.startswith("新开 0 张工单；已在系统里 2 行")


def test_a_file_that_cannot_be_read(application, tmp_path, capsys):
    assert import_command(application, tmp_path / "no.csv", None, as_json=False) == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"没有文件「{tmp_path / 'no.csv'}」。请检查路径和文件名\n")
    assert import_command(application, tmp_path / "no.csv", None, as_json=True) == 2
    assert json.loads(capsys.readouterr().out)["error"].startswith("没有文件")


def test_interrupted_it_says_how_to_go_on(application, here, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(application.desk, "import_tickets", interrupted)
    assert import_command(application, here, None, as_json=False) == 130
    assert capsys.readouterr().err == "已中断。导入了的工单都在；再导入一次同一个文件，就会补完余下的\n"
    assert [path.name for path in here.parent.iterdir()] == [here.name]


def test_a_progress_bar_where_somebody_sees_it(sqlite_url, here):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "aftersales", "import", here, "--db", sqlite_url]
    with subprocess.Popen(command, cwd=here.parent, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how Linux says that nobody has the other end
            while more := os.read(ours, 4096):
                shown += more
        out = process.stdout.read().decode()
    os.close(ours)
    assert process.returncode == 1
    assert "导入 十月.csv" in shown.decode()
    assert out.startswith("新开 291 张工单")


def test_a_name_of_a_shop_cannot_speak_to_the_terminal(application, load):
    summary = load([{"店铺": "甲\x1b[2J"}])
    assert "店铺：甲\\u001b[2J 1（新店铺）" in rendered(summary, application.rules().catalog)


# ── The desk's own promise ─────────────────────────────────────────────────────────


def an_import(number="P1", order="R1", **rest):
    values = {"amount_fen": 5000, "platform_no": number, "fields": {"kind": "shipped_refund_only", "reason": "other"}}
    return Imported("refund", "kuaishou", "pending_merchant_review", APPLIED, order, 5000, **values | rest)


def test_a_batch_with_a_number_twice(desk):
    found = desk.import_tickets([an_import(), an_import("P2", "R2"), an_import()], shop="甲", now=NOW)
    first, second, third = found
    assert [type(one) for one in found] == [Ticket, Ticket, There]
    assert third == There(first.number, None)
    assert [one.number for one in (first, second)] == ["RF-221109-0001", "RF-221109-0002"]
    assert desk.import_tickets([an_import()], shop="甲", now=NOW) == [There(first.number, None)]


def test_tickets_without_a_number_on_the_platform(desk):
    found = desk.import_tickets([an_import(None), an_import(None, "R2")], shop="甲", now=NOW)
    assert [type(one) for one in found] == [Ticket, Ticket]


def test_an_empty_batch(desk):
    assert desk.import_tickets([], shop="甲", now=NOW) == []


def test_the_scheduler_is_told_of_the_clocks(desk):
    told = []
    desk._told = told.append
    due = APPLIED + 48 * HOUR
    desk.import_tickets([an_import(platform_due_at=due), an_import("P2", "R2")], shop="甲", now=NOW)
    assert len(told) == 1
    assert told[0] <= due


def test_somebody_faster_takes_the_number(desk, monkeypatch):
    """On PostgreSQL, between looking and writing."""
    real, faster = arrivals.there_already, []

    def there_already(connection, shop_id, keys):
        found = real(connection, shop_id, keys)
        if not faster:
            faster.append(True)
            raise store.Taken("platform_no")
        return found

    monkeypatch.setattr(arrivals, "there_already", there_already)
    assert [type(one) for one in desk.import_tickets([an_import()], shop="甲", now=NOW)] == [Ticket]
