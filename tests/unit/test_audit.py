"""A clean database passes; break one invariant by hand, and just that one is named, with the ticket and what was found.

Whoever breaks something here seals the history again afterwards and puts the triggers back, as a careful forger would.
"""

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy

from aftersales import audit as auditing
from aftersales import database, invariants
from aftersales.audit import audit, render
from aftersales.catalog import built_in
from aftersales.clock import parse
from aftersales.decide import Imported, NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.models import TRIGGERS
from aftersales.policies.vocabulary import Document, Limit, civil_days, days, hours, workdays
from aftersales.rows import EVENT, event_from_row, event_hash
from aftersales.work_calendar import Overrides, WorkCalendar
from tests.conftest import fresh_database

RULES = Rules(built_in(), WorkCalendar.default())
DAY = timedelta(days=1)

#: the tickets of the database that every test gets a copy of
LATE, CLOSED = "EX-221001-0001", "EX-221001-0002"
OPEN, RETURNING, OTHER_SHOP = "EX-230301-0001", "EX-230301-0002", "EX-230302-0001"
PAID, REMEDY, VOUCHER, PARCEL = "RF-230301-0001", "RF-230301-0002", "RF-230301-0003", "LP-230301-0001"


def fill(engine):
    """Two shops: open and closed, moved by people and by the clock, on time and after an outage, paid and linked."""
    desk = Desk(engine, lambda: RULES)

    def opens(workflow, policy, at, shop="甲", by="buyer", **facts):
        opening = RULES.catalog.workflows[workflow].openings()[0].name
        order = f"E{at}{sorted(facts.items())}"
        facts = {"paid_fen": 19900, **facts}
        return desk.open(NewTicket(workflow, policy, opening, by, parse(at), facts, order_no=order), shop=shop).id

    def does(ticket, at, trigger, by="agent", evidence=(), key=None, **facts):
        desk.do(Command(ticket, trigger, by, parse(at), facts, evidence, key=key))

    opens("exchange", "kuaishou", "2022-10-01 10:00:00", reason="size")
    closed = opens("exchange", "kuaishou", "2022-10-01 10:00:01", reason="size")
    does(closed, "2022-10-01 12:00:00", "approve", key="k1")
    desk.sweep(parse("2022-10-14 00:00:00"))

    first = opens("exchange", "kuaishou", "2023-03-01 10:00:00", reason="size")
    does(first, "2023-03-01 11:00:00", "note", text="老客户", key="k2")
    back = opens("exchange", "kuaishou", "2023-03-01 10:30:00", reason="quality")
    does(back, "2023-03-01 11:00:00", "approve")
    does(back, "2023-03-01 12:00:00", "submit_return_waybill", "buyer", waybill_no="SF1000000001")
    opens("exchange", "kuaishou", "2023-03-02 10:00:00", shop="乙", reason="size")

    refund = opens("refund", "wechat", "2023-03-01 10:00:00", kind="unshipped", reason="other")
    does(refund, "2023-03-01 11:00:00", "approve_refund")
    does(refund, "2023-03-01 12:00:00", "payment_ok", "system")
    parcel = opens("lost_parcel", "wechat", "2023-03-01 10:00:00", waybill_no="SF2000000001", issue="lost")
    does(parcel, "2023-03-01 11:00:00", "trace")
    does(parcel, "2023-03-01 12:00:00", "courier_replied", evidence=["courier_reply"], result="lost")
    does(parcel, "2023-03-01 13:00:00", "record_packaging_feedback", text="加气泡膜")
    does(parcel, "2023-03-01 14:00:00", "choose_remedy", evidence=["chat_log"], kind="refund")
    opens("refund", "kuaishou_local", "2023-03-01 10:00:00", kind="voucher", reason="other", voucher_total=1)


@pytest.fixture(scope="module")
def filled():
    url = fresh_database("sqlite")
    engine = database.create_engine(url)
    fill(engine)
    database.checkpoint(engine)
    engine.dispose()
    return sqlalchemy.make_url(url).database


@pytest.fixture
def copy(filled, tmp_path):
    """The path of a database of one's own."""
    path = tmp_path / "copy.db"
    shutil.copyfile(filled, path)
    return path


def audited(path, rules=RULES, **options):
    engine = database.create_engine(f"sqlite:///{path}")
    try:
        return audit(engine, rules, **options)
    finally:
        engine.dispose()


# ── tampering ──


@contextmanager
def tampering(path, *, reseal=True):
    """Every row may be changed and every constraint ignored; then the history is sealed again."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        for name in TRIGGERS["sqlite"]:
            db.execute(f"DROP TRIGGER {name}")
        yield db
        if reseal:
            seal(db)
        for statement in TRIGGERS["sqlite"].values():
            db.execute(statement)


def seal(db):
    listed = ", ".join(f'"{name}"' for name in EVENT)
    for (ticket,) in db.execute("SELECT id FROM ticket").fetchall():
        head = ""
        rows = db.execute(f"SELECT id, {listed} FROM ticket_event WHERE ticket_id = ? ORDER BY seq", [ticket])
        for number, *row in rows.fetchall():
            event = event_from_row(row)
            sealed = event_hash(head, row[0], row[1], event, row[EVENT.index("command_key")])
            db.execute("UPDATE ticket_event SET previous_hash = ?, hash = ? WHERE id = ?", [head, sealed, number])
            head = sealed
        db.execute("UPDATE ticket SET last_hash = ? WHERE id = ?", [head, ticket])


def of(number):
    return f"(SELECT id FROM ticket WHERE number = '{number}')"


def ticket(number, change):
    return f"UPDATE ticket SET {change} WHERE number = '{number}'"


def event(number, seq, change):
    return f"UPDATE ticket_event SET {change} WHERE ticket_id = {of(number)} AND seq = {seq}"


def attached(number, seq, file="ab12", content=b"x"):
    digest = hashlib.sha256(content).hexdigest()
    return (
        "INSERT INTO attachment (shop_id, ticket_id, seq, kind, name, media_type, bytes, sha256, file, account,"
        f" created_at) VALUES (1, {of(number)}, {seq}, 'photo', 'a.png', 'image/png', {len(content)}, '{digest}',"
        f" '{file}', '', '2023-03-01 03:00:00.000000')"
    )


def moved(number, was, to):
    """Another due time, everywhere it stands."""
    written = f"clocks = replace(clocks, '{was}', '{to}')"
    column = f"due_at = '{to[:10]} {to[11:19]}.000000'"
    return [ticket(number, f"{written}, {column}"), f"UPDATE ticket_event SET {written} WHERE ticket_id = {of(number)}"]


def recorded(number, seq, at, *, ticket_too=True):
    """Another time of recording, everywhere it stands."""
    instant = f"'{at}.000000'"
    return [
        event(number, seq, f"recorded_at = {instant}"),
        f"UPDATE outbox SET created_at = {instant} WHERE ticket_id = {of(number)} AND seq = {seq}",
        *([ticket(number, f"recorded_at = {instant}")] if ticket_too else []),
    ]


def without_constraints(table):
    """The same rows in a table that takes everything."""
    return [
        f"CREATE TABLE loose AS SELECT * FROM {table}",
        f"ALTER TABLE {table} RENAME TO old_{table}",
        f"ALTER TABLE loose RENAME TO {table}",
    ]


#: invariant, what is done to the database, the ticket that is named, what is found
BREAKS = [
    ("I-01", [ticket(RETURNING, "no_clock_reason = NULL")], RETURNING, "没有时限，也没有写明理由"),
    ("I-01", [ticket(OPEN, "no_clock_reason = 'no_limit'")], OPEN, "时限和没有时限的理由同时存在"),
    (
        "I-01",
        [ticket(RETURNING, "no_clock_reason = 'forgotten'")],
        RETURNING,
        "没有时限的理由「forgotten」不是声明过的",
    ),
    ("I-01", [ticket(OPEN, "alarm_at = NULL")], OPEN, "闹钟设在 无，时限却在 2023-03-03 10:00:00 到期"),
    (
        "I-01",
        [ticket(OPEN, "due_at = '2023-03-04 02:00:00.000000'")],
        OPEN,
        "时限列写的是 2023-03-04 10:00:00 到期，时限本身是 2023-03-03 10:00:00",
    ),
    (
        "I-02",
        [ticket(CLOSED, "alarm_at = '2022-10-20 00:00:00.000000'")],
        CLOSED,
        "已经结束，闹钟还设在 2022-10-20 08:00:00",
    ),
    ("I-02", [ticket(PAID, "closed_at = NULL, no_clock_reason = 'no_limit', open_key = 'x'")], PAID,
     "状态「refunded」是终点，却没有结束时间"),
    ("I-03", [ticket(OPEN, "version = 3")], OPEN, "版本号是 3，记录有 2 条"),
    (
        "I-03",
        [event(OPEN, 2, "seq = 3"), "DELETE FROM command WHERE key = 'k2'"],
        OPEN,
        "记录的序号是 1、3，应从 1 起连续",
    ),
    (
        "I-04",
        [event(OPEN, 2, "from_state = 'inspecting', to_state = 'inspecting'")],
        OPEN,
        "第 2 条从「inspecting」开始，前一条到的是「pending_merchant_review」",
    ),
    (
        "I-05",
        [event(RETURNING, 2, "\"trigger\" = 'reject'")],
        RETURNING,
        "第 2 条「reject」从「pending_merchant_review」到「awaiting_buyer_return」：流程表里这一步不通到那里",
    ),
    (
        "I-05",
        [event(RETURNING, 2, "\"trigger\" = 'waved_through'")],
        RETURNING,
        "第 2 条「waved_through」从「pending_merchant_review」到「awaiting_buyer_return」：流程表里没有这一步",
    ),
    (
        "I-05",
        [event(RETURNING, 2, "\"trigger\" = 'accept_return'")],
        RETURNING,
        "第 2 条「accept_return」从「pending_merchant_review」到「awaiting_buyer_return」：流程表里这一步不从这里开始",
    ),
    (
        "I-05",
        [event(RETURNING, 2, "actor = 'buyer'")],
        RETURNING,
        "第 2 条「approve」从「pending_merchant_review」到「awaiting_buyer_return」：由 buyer 办理，流程表里不许",
    ),
    ("I-05", [event(OPEN, 2, "kind = 'rumour'")], OPEN, "第 2 条是「rumour」，没有这一类记录"),
    (
        "I-05",
        [ticket(OPEN, "policy = 'gone'")],
        OPEN,
        "没有「exchange」的流程或「gone」的规则，无法核对",
    ),
    (
        "I-21",
        ["INSERT INTO measured_day VALUES ('2023-03-01', 1, 'exchange', 'kuaishou', 'opened', '', '', 2, 0)",
         f"INSERT INTO measured VALUES ({of(OPEN)}, 0, 1, '2023-03-01', 'exchange', 'kuaishou', 'opened', '', '', 0)"],
        None,
        "2023-03-01 店铺 1 的 opened 记着 2 笔、合计 0，逐张加起来是 1 笔、合计 0",
    ),
    (
        "I-26",
        [attached(OPEN, 2)],
        OPEN,
        "凭证文件出自第 2 条记录，没有这一条登记凭证的记录",
    ),
    (
        "I-22",
        ["INSERT INTO ticket_team VALUES (999, 1, 1)", "INSERT INTO team VALUES (1, '一组', 0, NULL, 1)"],
        "#999",
        "ticket_team 里有 1 行，工单已经不在",
    ),
    (
        "T-01",
        [f"INSERT INTO ticket_team VALUES ({of(OPEN)}, 1, 7)"],
        OPEN,
        "所属的小组（编号 7）不存在",
    ),
    (
        "T-01",
        [f"INSERT INTO transfer VALUES ({of(OPEN)}, 1, '店:乙', '店:甲', '2023-03-01 03:00:00.000000', '', '', NULL)"],
        OPEN,
        "转交没有对应的记录",
    ),
    ("I-06", ["UPDATE command SET seq = 9 WHERE key = 'k2'"], OPEN, "答复过第 9 版，现在只到第 2 版"),
    ("I-08", ["UPDATE command SET key = 'k3' WHERE key = 'k2'"], OPEN, "答复过的请求没有它的记录（第 2 条）"),
    (
        "I-09",
        [event(CLOSED, 3, "at = '2022-10-11 03:59:59.000000'")],
        CLOSED,
        "第 3 条「return_timeout」生效于 2022-10-11 11:59:59，到期是 2022-10-11 12:00:00",
    ),
    (
        "I-09",
        [event(OPEN, 1, "due_at = '2023-03-01 02:00:00.000000'")],
        OPEN,
        "第 1 条「apply」不是到期动作，却记着时限",
    ),
    (
        "I-10",
        recorded(CLOSED, 3, "2022-10-11 04:00:00"),
        CLOSED,
        "第 3 条「return_timeout」2022-10-11 12:00:00 到期，2022-10-11 12:00:00 就执行了",
    ),
    (
        "I-12",
        recorded(OPEN, 2, "2023-03-03 02:00:01"),
        OPEN,
        "第 2 条「note」2023-03-03 10:00:01 办理，KS-EX-01 已在 2023-03-03 10:00:00 到期却没有先执行",
    ),
    (
        "I-13",
        [event(CLOSED, 2, "clocks = '[]'")],
        CLOSED,
        "第 3 条「return_timeout」：KS-EX-02 2022-10-11 12:00:00 的时限当时没有在走",
    ),
    (
        "I-14",
        moved(OPEN, "2023-03-03T02:00:00Z", "2023-03-03T03:00:00Z"),
        OPEN,
        "KS-EX-01（2022-09-30）自 2023-03-01 10:00:00 起算应到 2023-03-03 10:00:00，记的是 2023-03-03 11:00:00",
    ),
    (
        "I-14",
        moved(VOUCHER, "2023-03-10T15:59:59Z", "2023-03-13T15:59:59Z"),
        VOUCHER,
        "KS-LL-04（2022-12-22）自 2023-03-01 10:00:00 起算应到 2023-03-10 23:59:59，记的是 2023-03-13 23:59:59",
    ),
    (
        "I-14",
        [
            *moved(OPEN, "2023-03-03T02:00:00Z", "2023-03-03T04:00:00Z"),
            ticket(OPEN, "clocks = replace(clocks, '2023-03-01T02', '2023-03-01T04'),"
                         " clock_from = '2023-03-01 04:00:00.000000'"),
            event(OPEN, 1, "clocks = (SELECT clocks FROM ticket WHERE id = ticket_id)"),
            event(OPEN, 2, "clocks = (SELECT clocks FROM ticket WHERE id = ticket_id)"),
        ],
        OPEN,
        "KS-EX-01 从 2023-03-01 12:00:00 起算，那时没有发生什么",
    ),
    (
        "I-14",
        [
            ticket(OPEN, "clocks = replace(clocks, '2022-09-30', '2020-01-01'), rule_version = '2020-01-01'"),
            event(OPEN, 1, "clocks = replace(clocks, '2022-09-30', '2020-01-01')"),
            event(OPEN, 2, "clocks = replace(clocks, '2022-09-30', '2020-01-01')"),
        ],
        OPEN,
        "KS-EX-01 的 2020-01-01 版不在规则册里，无法重算",
    ),
    (
        "I-15",
        [
            ticket(OPEN, "clocks = replace(clocks, '\"due_at\":\"2023-03-03T02:00:00Z\"',"
                         " '\"basis\":\"platform\",\"computed_due_at\":\"2023-03-03T02:00:00Z\","
                         "\"due_at\":\"2023-03-03T03:00:00Z\"'),"
                         " due_at = '2023-03-03 03:00:00.000000', clock_basis = 'platform'"),
            event(OPEN, 2, "clocks = (SELECT clocks FROM ticket WHERE id = ticket_id)"),
        ],
        OPEN,
        "第 2 条「note」把 KS-EX-01 的到期从 2023-03-03 10:00:00 改到 2023-03-03 11:00:00，这一步不该改期",
    ),
    (
        "I-16",
        [event(OPEN, 2, "at = '2023-03-01 01:00:00.000000'"), *recorded(OPEN, 2, "2023-03-01 01:30:00")],
        OPEN,
        "第 2 条记于 2023-03-01 09:30:00，早于前一条的 2023-03-01 10:00:00",
    ),
    (
        "I-16",
        [event(OPEN, 2, "at = '2023-03-01 03:00:01.000000'")],
        OPEN,
        "第 2 条 2023-03-01 11:00:00 就记下了 2023-03-01 11:00:01 才生效的事",
    ),
    (
        "I-16",
        [event(OPEN, 2, "at = '2023-03-01 02:30:00.500000'")],
        OPEN,
        "ticket_event.at 不是到整秒的 UTC 时间",
    ),
    (
        "I-17",
        [event(CLOSED, 3, "rule_version = NULL")],
        CLOSED,
        "第 3 条「return_timeout」是到期动作，没有记规则版本",
    ),
    (
        "I-18",
        [
            ticket(LATE, "clocks = replace(replace(clocks, '2022-10-13T16:00:00Z', '2022-10-03T02:00:00Z'),"
                         " '2022-10-23T16:00:00Z', '2022-10-13T02:00:00Z'), due_at = '2022-10-13 02:00:00.000000',"
                         " clock_from = '2022-10-03 02:00:00.000000'"),
            ticket(LATE, "clocks = replace(clocks, '\"set_at\":\"2022-10-03T02', '\"set_at\":\"2022-10-13T16')"),
            event(LATE, 2, "clocks = (SELECT clocks FROM ticket WHERE id = ticket_id)"),
            ticket(LATE, "alarm_at = '2022-10-13 02:00:00.000000'"),
        ],
        LATE,
        (
            "第 2 条「auto_approve」迟到 2022-10-14 00:00:00 才执行，"
            "随后的 KS-EX-02 却从 2022-10-03 10:00:00 起算，没有给足时间"
        ),
    ),
    (
        "I-19",
        [ticket(PAID, "paid_fen = 100")],
        PAID,
        "已退 0 加本单退 19900 分，多于实付 100 分",
    ),
    ("I-19", [ticket(OPEN, "refunded_fen = -1")], OPEN, "金额有负数：实付 19900、已退 -1、本单退 0 分"),
    (
        "I-19",
        [f"UPDATE payment SET amount_fen = 1 WHERE ticket_id = {of(PAID)}"],
        PAID,
        "账上退款 1 分，工单上是 19900 分",
    ),
    (
        "I-20",
        [f"DELETE FROM payment WHERE ticket_id = {of(PAID)}"],
        PAID,
        "退款 19900 分已经下单，账上没有",
    ),
    (
        "I-20",
        [f"UPDATE payment SET status = 'ordered' WHERE ticket_id = {of(PAID)}"],
        PAID,
        "账上退款是「ordered」，工单在「refunded」",
    ),
    (
        "I-20",
        [
            (
                "INSERT INTO payment (shop_id, ticket_id, purpose, amount_fen, status, idempotency_key, tried_at,"
                " created_at) SELECT shop_id, id, 'compensation', 5, 'paid', 'x', recorded_at, recorded_at FROM ticket"
                f" WHERE id = {of(OPEN)}"
            )
        ],
        OPEN,
        "账上有 5 分「compensation」，没有一条记录让它付出去",
    ),
    ("I-22", [ticket(OPEN, "number = 'EX-220301-0001'")], "EX-220301-0001", "编号应以 EX-230301- 开头"),
    (
        "I-22",
        [f"DELETE FROM {table} WHERE ticket_id = {of(RETURNING)}" for table in ("ticket_event", "waybill", "outbox")]
        + [f"DELETE FROM ticket WHERE number = '{RETURNING}'"],
        None,
        "店铺 1 发出过 2 个 EX-230301 的编号，工单有 1 张",
    ),
    (
        "I-23",
        [ticket(OPEN, "recorded_at = '2023-03-01 05:00:00.000000'")],
        OPEN,
        "工单写于 2023-03-01 13:00:00，没有一条记录写于那时",
    ),
    (
        "I-23",
        [ticket(OPEN, "clocks = replace(clocks, '\"set_at\":\"2023-03-01T02', '\"set_at\":\"2023-03-01T01')")],
        OPEN,
        "工单的时限与最后一条记录（第 2 条）的不同",
    ),
    (
        "I-23",
        [f"UPDATE outbox SET created_at = '2023-03-01 02:00:01.000000' WHERE ticket_id = {of(OPEN)}"],
        OPEN,
        "发件箱里第 1 条的消息，没有与它同时写下的记录",
    ),
    (
        "I-23",
        [f"UPDATE waybill SET seq = 9 WHERE ticket_id = {of(RETURNING)}"],
        RETURNING,
        "占用的运单号出自第 9 条记录，没有这一条",
    ),
    (
        "I-23",
        [f"UPDATE payment SET created_at = '2023-03-01 03:00:01.000000' WHERE ticket_id = {of(PAID)}"],
        PAID,
        "账上的「refund」写于 2023-03-01 11:00:01，没有一条记录写于那时",
    ),
    (
        "I-24",
        [
            (
                "INSERT INTO outbox (shop_id, ticket_id, seq, topic, payload, created_at, attempts)"
                " SELECT shop_id, ticket_id, seq, topic, payload, created_at, 0 FROM outbox"
                f" WHERE ticket_id = {of(OPEN)}"
            )
        ],
        OPEN,
        "第 1 条记录在发件箱里有 2 行",
    ),
    (
        "I-25",
        [event(OPEN, 2, "shop_id = 2")],
        OPEN,
        "工单属于店铺 1，第 2 条记录属于店铺 2",
    ),
    (
        "I-25",
        [f"UPDATE waybill SET shop_id = 2 WHERE ticket_id = {of(RETURNING)}"],
        RETURNING,
        "工单属于店铺 1，waybill 里的一行属于店铺 2",
    ),
    (
        "I-25",
        [f"UPDATE ticket_link SET to_id = {of(OTHER_SHOP)}"],
        REMEDY,
        f"关联到另一家店铺的 {OTHER_SHOP}",
    ),
    (
        "I-31",
        [
            "DROP INDEX uq_ticket_i31_open_key",
            ticket(RETURNING, f"open_key = (SELECT open_key FROM ticket WHERE number = '{OPEN}')"),
        ],
        OPEN,
        "同一件商品上有 2 张未结的同类工单",
    ),
    (
        "I-32",
        [ticket(OPEN, "trouble = 'ValueError: 坏了', trouble_count = 1, alarm_at = NULL")],
        OPEN,
        "搁置了，却没有再试的时间：ValueError: 坏了",
    ),
    ("D4", [ticket(OPEN, "fields = '{'")], OPEN, "读不出来（JSONDecodeError）"),
    ("D4", without_constraints("payment"), None, "表 payment 不是 STRICT，什么都存得进去"),
]  # fmt: skip


def broken(report):
    return {check.id: check for check in report.checks if check.broken}


def test_a_database_that_only_the_desk_has_written_is_clean(database_url):
    engine = database.create_engine(database_url)
    fill(engine)
    report = audit(engine, RULES)
    assert (broken(report), report.ok, report.first) == ({}, True, None)
    assert (report.tickets, report.events) == (9, 23)


NAMES = [f"{row[0]} {place}" for place, row in enumerate(BREAKS)]


@pytest.mark.parametrize(("promise", "statements", "number", "found"), BREAKS, ids=NAMES)
def test_a_broken_invariant_is_named_with_the_first_ticket_and_what_was_found(copy, promise, statements, number, found):
    with tampering(copy) as db:
        for statement in statements:
            db.execute(statement)
    report = audited(copy)
    assert list(broken(report)) == [promise]
    assert report.first.first.ticket == number
    assert report.first.first.found == found


def test_files_of_evidence_are_looked_for_and_read(copy, tmp_path):
    folder, place = tmp_path / "evidence", tmp_path / "evidence" / "ab" / "ab12"
    with tampering(copy) as db:
        db.execute(event(OPEN, 2, "kind = 'evidence'"))
        db.execute(attached(OPEN, 2))

    def found(**how):
        return broken(audited(copy, folder=folder, **how)).get("I-26")

    def first():
        report = audited(copy, folder=folder, read_files=True)
        return next((check.first.found for check in report.checks if check.id == "I-26" and check.first), None)

    assert first() == "凭证文件 ab12 不见了"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"xy")
    assert first() == "凭证文件 ab12 有 2 字节，应有 1"
    place.write_bytes(b"y")
    assert found() is None, "the same length, and nobody has read it"
    assert first() == "凭证文件 ab12 的内容与上传时不一样"
    place.write_bytes(b"x")
    assert first() is None


def test_every_invariant_that_can_be_seen_is_broken_in_some_test_here():
    seen = {promise.id for promise in auditing.PROMISES if not promise.not_applicable}
    assert seen - {row[0] for row in BREAKS} == {"I-27", "I-28", "D8"}


# ── the seal, and what holds it ──


@pytest.mark.parametrize(
    ("statement", "number", "found"),
    [
        (event(OPEN, 2, """facts = '{"text":"新客户"}'"""), OPEN, "第 2 条的内容与它的哈希不符"),
        (event(OPEN, 2, "hash = previous_hash"), OPEN, "第 2 条的内容与它的哈希不符"),
        (event(OPEN, 2, "previous_hash = hash"), OPEN, "第 2 条接的不是前一条的哈希"),
        (ticket(OPEN, "last_hash = ''"), OPEN, "工单记着的最后哈希与最后一条记录的不同"),
    ],
)
def test_a_history_that_was_rewritten_is_named(copy, statement, number, found):
    with tampering(copy, reseal=False) as db:
        db.execute(statement)
    report = audited(copy)
    assert list(broken(report)) == ["I-27"]
    assert (report.first.first.ticket, report.first.first.found) == (number, found)


@pytest.mark.parametrize("name", TRIGGERS["sqlite"])
def test_a_trigger_that_is_gone_is_named(copy, name):
    with closing(sqlite3.connect(copy)) as db:
        db.execute(f"DROP TRIGGER {name}")
    assert str(broken(audited(copy))["I-28"].first) == f"缺触发器 {name}：历史可以被改写"


def test_a_trigger_that_lets_everything_pass_is_named(copy):
    with closing(sqlite3.connect(copy)) as db:
        db.execute("DROP TRIGGER i28_payment_no_delete")
        db.execute("CREATE TRIGGER i28_payment_no_delete BEFORE DELETE ON payment BEGIN SELECT 1; END")
    assert str(broken(audited(copy))["I-28"].first) == "触发器 i28_payment_no_delete 被改过：历史可以被改写"


def test_a_database_that_loses_answers_in_a_power_cut_is_named(copy):
    with closing(sqlite3.connect(copy)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    engine = sqlalchemy.create_engine(f"sqlite:///{copy}")

    @sqlalchemy.event.listens_for(engine, "connect")
    def carelessly(connection, _record):
        connection.execute("PRAGMA synchronous = NORMAL")

    report = audit(engine, RULES)
    engine.dispose()
    assert list(broken(report)) == ["D8"]
    assert (report.first.broken, str(report.first.first)) == (2, "journal_mode 是 delete，应是 wal")


# ── what a query alone can tell: rows that no constraint would let in ──


def test_one_payment_twice_is_named(copy):
    with tampering(copy) as db:
        for statement in without_constraints("payment"):
            db.execute(statement)
        db.execute(f"INSERT INTO payment SELECT * FROM payment WHERE ticket_id = {of(PAID)}")
    found = broken(audited(copy))
    assert set(found) == {"D4", "I-20"}
    assert str(found["I-20"].first) == f"{PAID}：「refund」在账上有 2 行"


def test_one_number_twice_is_named(copy):
    with tampering(copy) as db:
        for statement in without_constraints("ticket"):
            db.execute(statement)
        db.execute(ticket(RETURNING, f"number = '{OPEN}'"))
    assert str(broken(audited(copy))["I-22"].first) == f"{OPEN}：店铺 1 里有 2 张工单用这个编号"


def test_rows_of_a_ticket_that_is_gone_are_named(copy):
    with tampering(copy) as db:
        db.execute(f"DELETE FROM ticket WHERE number = '{OPEN}'")
    found = broken(audited(copy))
    assert set(found) == {"I-22"}
    assert str(found["I-22"].first) == "#3：ticket_event 里有 2 行，工单已经不在"


# ── several, and how they are told ──


def test_the_first_break_is_that_of_the_oldest_ticket(copy):
    with tampering(copy) as db:
        for number in (OTHER_SHOP, OPEN):
            db.execute(ticket(number, "alarm_at = NULL"))
    report = audited(copy)
    assert (report.first.id, report.first.broken, report.first.first.ticket) == ("I-01", 2, OPEN)


def test_a_ticket_that_cannot_be_read_does_not_hide_the_others(copy):
    with tampering(copy) as db:
        db.execute(ticket(OPEN, "clocks = 'oops'"))
        db.execute(ticket(RETURNING, "no_clock_reason = NULL"))
    assert set(broken(audited(copy))) == {"D4", "I-01"}


def test_what_people_read(copy):
    clean = render(audited(copy)).splitlines()
    assert clean[0].endswith(" 的快照：9 张工单，23 条记录，用时 0.0 秒") or "9 张工单，23 条记录，用时 " in clean[0]
    assert clean[1] == "通过   I-01 未结的工单有一个在走的时限，或一个写明的理由，两者只有其一"
    assert "看不出 I-07 答复成功的都在，答复失败的都不在：要与客户端自己留的请求历史比对" in clean
    assert (
        "看不出 I-11 到期后很快执行：要知道调度什么时候停过（执行过 2 次，到期后 99% 在 216000 秒内，最长 914400 秒）"
        in clean
    )
    assert clean[-1] == "结论：看得出的 31 项全部通过，8 项只凭数据库看不出"
    with tampering(copy) as db:
        db.execute(ticket(OPEN, "alarm_at = NULL"))
    found = render(audited(copy)).splitlines()
    assert found[1] == (
        "违反   I-01 未结的工单有一个在走的时限，或一个写明的理由，两者只有其一：1 处，"
        f"第一处 {OPEN}：闹钟设在 无，时限却在 2023-03-03 10:00:00 到期"
    )
    assert found[-1] == f"结论：1 项违反；第一处：I-01，{OPEN}：闹钟设在 无，时限却在 2023-03-03 10:00:00 到期"


def test_what_a_program_reads(copy):
    with tampering(copy) as db:
        db.execute(ticket(OPEN, "alarm_at = NULL"))
    told = json.loads(json.dumps(audited(copy).to_json()))
    assert (told["ok"], told["tickets"], told["events"], told["limit"]) == (False, 9, 23, None)
    assert told["first"] == {"id": "I-01", "ticket": OPEN, "found": "闹钟设在 无，时限却在 2023-03-03 10:00:00 到期"}
    assert {check["id"]: check["status"] for check in told["checks"]} == {
        promise.id: "broken" if promise.id == "I-01" else "not_applicable" if promise.not_applicable else "ok"
        for promise in auditing.PROMISES
    }
    assert all(check["how"] or check["not_applicable"] for check in told["checks"])


def test_each_invariant_of_the_list_is_answered():
    ids = [promise.id for promise in auditing.PROMISES]
    assert ids == [f"I-{n:02}" for n in range(1, 37)] + ["D4", "D8", "T-01"]


def test_only_the_newest_tickets(copy):
    with tampering(copy) as db:
        db.execute(ticket(OPEN, "alarm_at = NULL"))
        db.execute(ticket(VOUCHER, "alarm_at = NULL"))
    report = audited(copy, limit=2)
    assert (report.tickets, str(broken(report)["I-01"].first)[: len(VOUCHER)]) == (2, VOUCHER)
    assert "：2 张工单（只看最新 2 张），" in render(report)


def test_many_tickets_set_aside_at_once_are_a_fault_of_the_installation(copy, monkeypatch):
    with tampering(copy) as db:
        db.execute(ticket(OPEN, "trouble = 'ValueError: 坏了', trouble_count = 1"))
    report = audited(copy)
    assert report.ok
    assert f"（搁置 1 张，最久的是 {OPEN}：ValueError: 坏了）" in render(report)
    monkeypatch.setattr(auditing, "PARKED_AT_MOST", 0)
    assert str(broken(audited(copy))["I-32"].first) == "搁置了 1 张工单，最多 0 张"


# ── on a live database ──


def test_it_looks_at_one_moment_while_others_write(database_url, monkeypatch):
    engine, others = database.create_engine(database_url), database.create_engine(database_url)
    fill(engine)
    written, look = [], auditing._Found.look_at

    def while_others_write(found, case):
        if not written:
            written.append(True)
            fill_again(others)
        look(found, case)

    monkeypatch.setattr(auditing, "_BATCH", 1)
    monkeypatch.setattr(auditing._Found, "look_at", while_others_write)
    report = audit(engine, RULES)
    assert (broken(report), report.tickets) == ({}, 9)
    monkeypatch.undo()
    assert audit(engine, RULES).tickets == 10


def fill_again(engine):
    desk = Desk(engine, lambda: RULES)
    desk.sweep(parse("2023-03-03 12:00:00"))
    facts = {"paid_fen": 19900, "reason": "size"}
    desk.open(
        NewTicket("exchange", "kuaishou", "apply", "buyer", parse("2023-03-03 12:00:00"), facts, "E99"), shop="甲"
    )


def test_tickets_taken_over_from_a_platform_are_clean(database_url):
    engine = database.create_engine(database_url)
    desk, now = Desk(engine, lambda: RULES), parse("2023-03-01 10:00:00")
    fields = {"kind": "return_refund", "reason": "other", "amount_fen": 19900}
    arrived = [
        Imported("refund", "wechat", state.name, now - DAY, f"E{n}", 19900, amount_fen=19900, platform_no=f"P{n}",
                 fields=fields, platform_due_at=now + DAY if n % 2 else None)
        for n, state in enumerate(RULES.catalog.workflows["refund"].states)
    ]  # fmt: skip
    desk.import_tickets(arrived, shop="甲", now=now)
    desk.sweep(now + 3 * DAY)
    assert broken(audit(engine, RULES)) == {}


def test_on_postgresql_too(postgres_url):
    engine = database.create_engine(postgres_url)
    fill(engine)
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as db:
        db.execute("ALTER TABLE ticket_event DISABLE TRIGGER i28_ticket_event_no_update")
        db.execute(event(OPEN, 2, """facts = '{"text": "新客户"}'"""))
        db.execute(ticket(PAID, "closed_at = NULL, no_clock_reason = 'no_limit'"))
        db.execute("ALTER TABLE ticket ALTER COLUMN applied_seq TYPE integer")
        db.execute(ticket(RETURNING, "applied_at = applied_at + interval '0.5 s'"))
    found = {promise: str(check.first) for promise, check in broken(audit(engine, RULES)).items()}
    assert found == {
        "I-02": f"{PAID}：状态「refunded」是终点，却没有结束时间",
        "I-16": f"{RETURNING}：ticket.applied_at 不是到整秒的 UTC 时间",
        "I-27": f"{OPEN}：第 2 条的内容与它的哈希不符",
        "I-28": "缺触发器 i28_ticket_event_no_update：历史可以被改写",
        "D4": "ticket.applied_seq 的类型是 int4，应是 int8",
    }


# ── counted again ──


def limit(within):
    return Limit(Document("测试", None, "测试"), within, None)


@pytest.mark.parametrize(
    ("within", "start", "due"),
    [
        (hours(48), "2022-10-01 10:00:00", "2022-10-03 10:00:00"),
        (days(10), "2024-02-25 08:15:30", "2024-03-06 08:15:30"),
        (civil_days(7), "2024-02-27 11:00:00", "2024-03-05 23:59:59"),
        (civil_days(7, roll_forward=True), "2023-09-24 23:59:59", "2023-10-07 23:59:59"),
        (workdays(7), "2023-09-28 23:59:59", "2023-10-13 23:59:59"),
        (workdays(7), "2022-12-22 00:00:00", "2023-01-03 23:59:59"),
    ],
)
def test_the_audit_counts_by_arithmetic_of_its_own(within, start, due):
    counted = invariants.counted_again(limit(within), parse(start), {}, RULES.calendar)
    assert counted == invariants.Counted(parse(due))
    assert within.after(parse(start), RULES.calendar).due_at == parse(due)


def test_what_a_clock_counts_from_is_compared_with_the_fact(copy):
    engine = database.create_engine(f"sqlite:///{copy}")
    facts = {"paid_fen": 19900, "fault": "不开机", "needs_on_site": True}
    told = NewTicket("repair", "kuaishou", "apply", "buyer", parse("2023-03-01 10:00:00"), facts, "E8")
    repair = Desk(engine, lambda: RULES).open(told, shop="甲").number
    assert audit(engine, RULES).ok
    with tampering(copy) as db:
        db.execute(ticket(repair, "applied_at = '2023-03-01 03:00:00.000000'"))
    [check] = broken(audit(engine, RULES)).values()
    engine.dispose()
    assert (check.id, check.first.found) == (
        "I-14",
        "KS-RP-05 从 2023-03-01 10:00:00 起算，记下的起算事实是 2023-03-01 11:00:00",
    )


def test_a_clock_that_went_on_after_a_pause_is_counted_by_what_was_left(copy):
    engine = database.create_engine(f"sqlite:///{copy}")
    desk = Desk(engine, lambda: RULES)
    facts = {"paid_fen": 19900, "reason": "other", "kind": "return_refund"}
    told = NewTicket("refund", "wechat", "apply", "buyer", parse("2023-03-01 10:00:00"), facts, "E9")
    refund = desk.open(told, shop="甲")
    desk.do(Command(refund.id, "propose", "agent", parse("2023-03-01 20:00:00"), {"reason": "优惠券"}))
    desk.do(Command(refund.id, "decline_proposal", "buyer", parse("2023-03-02 06:00:00")))
    assert audit(engine, RULES).ok
    with tampering(copy) as db:
        for statement in moved(refund.number, "2023-03-03T12:00:00Z", "2023-03-03T02:00:00Z"):
            db.execute(statement)
    [check] = broken(audit(engine, RULES)).values()
    engine.dispose()
    assert (check.id, check.first.found) == (
        "I-14",
        "WX-02（undated）自 2023-03-01 10:00:00 起算，扣除暂停应到 2023-03-03 20:00:00，记的是 2023-03-03 10:00:00",
    )


def test_a_provisional_due_time_waits_for_the_recount(copy):
    engine = database.create_engine(f"sqlite:///{copy}")
    desk = Desk(engine, lambda: RULES)
    facts = {"paid_fen": 19900, "kind": "voucher", "reason": "other", "voucher_total": 1}
    told = NewTicket("refund", "kuaishou_local", "apply", "buyer", parse("2026-12-25 10:00:00"), facts, "E7")
    desk.open(told, shop="甲")
    assert audit(engine, RULES).ok
    published = Overrides(holidays={parse("2027-01-01").date(): "元旦"}, published_years=frozenset([2027]))
    later = replace(RULES, calendar=WorkCalendar(published))
    report = audit(engine, later)
    assert report.ok
    assert "（1 张的日历已经公布，等待重算）" in render(report)
    Desk(engine, lambda: later).recount_provisional(parse("2026-12-26 10:00:00"))
    assert "等待重算" not in render(audit(engine, later))
    engine.dispose()
