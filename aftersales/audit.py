"""Does the database keep every promise? `aftersales audit`: read-only, on a live database, in one snapshot.

    audit(engine, rules) -> Report      every invariant of RELIABILITY.md: kept, broken (how often, and where first),
                                        or not to be seen in this database and why
    render(report) -> str

Tickets are read in the order of their ids, a thousand at a time, each with its history and its payments, and looked at
by the functions of invariants.py. What is about rows of several tickets, or about the tables themselves, is a query.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from aftersales import clock, invariants
from aftersales.clock import shown
from aftersales.database import in_memory, reading
from aftersales.decide import Rules
from aftersales.invariants import Case, Columns, Line, Paid
from aftersales.models import TRIGGERS, Instant, Whole, metadata
from aftersales.rows import EVENT, TICKET, event_from_row, json_instant, ticket_from_row

__all__ = ["Break", "Check", "Report", "audit", "render"]

#: tickets read at once
_BATCH = 1_000
#: more tickets than this set aside at once (I-32) is a fault of the installation, not of a ticket
PARKED_AT_MOST = 20


# ── What is reported ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Break:
    """`ticket`: its number; None where it is about the database itself."""

    ticket: str | None
    found: str

    def __str__(self) -> str:
        return self.found if self.ticket is None else f"{self.ticket}：{self.found}"


@dataclass(frozen=True)
class Check:
    """One invariant. `not_applicable`: why this database cannot show it; then nothing was looked at."""

    id: str
    says: str
    #: how it is decided
    how: str
    broken: int = 0
    first: Break | None = None
    not_applicable: str = ""
    note: str = ""

    @property
    def status(self) -> str:
        return "broken" if self.broken else "not_applicable" if self.not_applicable else "ok"


@dataclass(frozen=True)
class Report:
    at: datetime
    seconds: float
    tickets: int
    events: int
    checks: tuple[Check, ...]
    #: only the newest tickets were looked at
    limit: int | None = None

    @property
    def ok(self) -> bool:
        return not any(check.broken for check in self.checks)

    @property
    def first(self) -> Check | None:
        """The first broken invariant, in the order of their ids."""
        return next((check for check in self.checks if check.broken), None)

    def to_json(self) -> dict[str, Any]:
        first = self.first
        return {
            "ok": self.ok,
            "at": json_instant(self.at),
            "seconds": round(self.seconds, 3),
            "tickets": self.tickets,
            "events": self.events,
            "limit": self.limit,
            "first": None if first is None else {"id": first.id, **asdict(first.first or Break(None, ""))},
            "checks": [{**asdict(check), "status": check.status} for check in self.checks],
        }


def render(report: Report) -> str:
    """One line for each invariant, and a verdict."""
    newest = "" if report.limit is None else f"（只看最新 {report.limit} 张）"
    looked_at = f"{report.tickets} 张工单{newest}，{report.events} 条记录，用时 {report.seconds:.1f} 秒"
    checks = [_line_of(check) for check in report.checks]
    return "\n".join([f"审计 {shown(report.at)} 的快照：{looked_at}", *checks, _verdict(report)])


def _line_of(check: Check) -> str:
    word = {"ok": "通过  ", "broken": "违反  ", "not_applicable": "看不出"}[check.status]
    line = f"{word} {check.id} {check.says}"
    if check.broken:
        line += f"：{check.broken} 处，第一处 {check.first}"
    elif check.not_applicable:
        line += f"：{check.not_applicable}"
    return f"{line}（{check.note}）" if check.note else line


def _verdict(report: Report) -> str:
    first = report.first
    unseen = sum(check.status == "not_applicable" for check in report.checks)
    if first is None:
        return f"结论：看得出的 {len(report.checks) - unseen} 项全部通过，{unseen} 项只凭数据库看不出"
    broken = sum(check.status == "broken" for check in report.checks)
    return f"结论：{broken} 项违反；第一处：{first.id}，{first.first}"


# ── The promises ──────────────────────────────────────────────────────────────────────────────────────────────────────

Look = Callable[[Connection], Iterator[Break]]


@dataclass(frozen=True)
class Promise:
    """An invariant, and what decides it: a look at each ticket, queries over all, or why neither can."""

    id: str
    says: str
    how: str
    each: invariants.Check | None = None
    whole: Sequence[Look] = ()
    not_applicable: str = ""


def _rows(connection: Connection, sql: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
    """The driver's own rows: SQLAlchemy's cost as much again. `?` stands for a parameter."""
    if connection.dialect.name == "postgresql":
        sql = sql.replace("%", "%%").replace("?", "%s")
    cursor = connection.exec_driver_sql(sql, parameters).cursor
    assert cursor is not None
    return cursor.fetchall()


def query(sql: str) -> Look:
    """Rows of (ticket number, what was found): each is a break."""

    def broken(connection: Connection) -> Iterator[Break]:
        for number, found in _rows(connection, sql):
            yield Break(number, found)

    return broken


# ── Queries over many tickets ──

ANSWERED_BEYOND_THE_VERSION = query("""
SELECT t.number, '答复过第 ' || CAST(c.seq AS TEXT) || ' 版，现在只到第 ' || CAST(t.version AS TEXT) || ' 版'
FROM command c JOIN ticket t ON t.id = c.ticket_id WHERE c.seq > t.version ORDER BY t.id
""")

ANSWERED_WITHOUT_EVENT = query("""
SELECT t.number, '答复过的请求没有它的记录（第 ' || CAST(c.seq AS TEXT) || ' 条）'
FROM command c JOIN ticket t ON t.id = c.ticket_id
LEFT JOIN ticket_event e ON e.ticket_id = c.ticket_id AND e.seq = c.seq
WHERE e.command_key IS DISTINCT FROM c."key" AND c.seq <= t.version ORDER BY t.id
""")

PAID_TWICE = query("""
SELECT t.number, '「' || p.purpose || '」在账上有 ' || CAST(count(*) AS TEXT) || ' 行'
FROM payment p JOIN ticket t ON t.id = p.ticket_id
GROUP BY t.id, t.number, p.purpose HAVING count(*) > 1 ORDER BY t.id
""")

PAID_UNDER_ONE_KEY = query("""
SELECT min(t.number), '有 ' || CAST(count(*) AS TEXT) || ' 笔付款用同一个幂等键'
FROM payment p JOIN ticket t ON t.id = p.ticket_id
GROUP BY p.idempotency_key HAVING count(*) > 1 ORDER BY min(t.id)
""")

ONE_NUMBER_TWICE = query("""
SELECT number, '店铺 ' || CAST(shop_id AS TEXT) || ' 里有 ' || CAST(count(*) AS TEXT) || ' 张工单用这个编号'
FROM ticket GROUP BY shop_id, number HAVING count(*) > 1 ORDER BY min(id)
""")


def _without_ticket(table: str, column: str) -> Look:
    return query(f"""
SELECT '#' || CAST(o.{column} AS TEXT), '{table} 里有 ' || CAST(count(*) AS TEXT) || ' 行，工单已经不在'
FROM {table} o LEFT JOIN ticket t ON t.id = o.{column} WHERE t.id IS NULL GROUP BY o.{column} ORDER BY o.{column}
""")  # noqa: S608 -- names of tables


def _of_another_shop(table: str) -> Look:
    return query(f"""
SELECT t.number, '工单属于店铺 ' || CAST(t.shop_id AS TEXT) || '，{table} 里的一行属于店铺 ' || CAST(o.shop_id AS TEXT)
FROM {table} o JOIN ticket t ON t.id = o.ticket_id WHERE o.shop_id <> t.shop_id ORDER BY t.id
""")  # noqa: S608 -- names of tables


LINKED_ACROSS_SHOPS = query("""
SELECT a.number, '关联到另一家店铺的 ' || b.number
FROM ticket_link l JOIN ticket a ON a.id = l.from_id JOIN ticket b ON b.id = l.to_id
WHERE a.shop_id <> b.shop_id OR l.shop_id <> a.shop_id ORDER BY a.id
""")

WAYBILL_WITHOUT_EVENT = query("""
SELECT t.number, '占用的运单号出自第 ' || CAST(w.seq AS TEXT) || ' 条记录，没有这一条'
FROM waybill w JOIN ticket t ON t.id = w.ticket_id
LEFT JOIN ticket_event e ON e.ticket_id = w.ticket_id AND e.seq = w.seq WHERE e.id IS NULL ORDER BY t.id
""")

TOLD_WITHOUT_EVENT = query("""
SELECT t.number, '发件箱里第 ' || CAST(o.seq AS TEXT) || ' 条的消息，没有与它同时写下的记录'
FROM outbox o JOIN ticket t ON t.id = o.ticket_id
LEFT JOIN ticket_event e ON e.ticket_id = o.ticket_id AND e.seq = o.seq
WHERE o.created_at IS DISTINCT FROM e.recorded_at ORDER BY t.id
""")

TOLD_TWICE = query("""
SELECT t.number, '第 ' || CAST(o.seq AS TEXT) || ' 条记录在发件箱里有 ' || CAST(count(*) AS TEXT) || ' 行'
FROM outbox o JOIN ticket t ON t.id = o.ticket_id
GROUP BY t.id, t.number, o.seq, o.topic HAVING count(*) > 1 ORDER BY t.id
""")

OPEN_TWICE_ON_ONE_ITEM = query("""
SELECT min(number), '同一件商品上有 ' || CAST(count(*) AS TEXT) || ' 张未结的同类工单'
FROM ticket WHERE closed_at IS NULL GROUP BY shop_id, workflow, open_key HAVING count(*) > 1 ORDER BY min(id)
""")

PARKED_FOR_GOOD = query("""
SELECT number, '搁置了，却没有再试的时间：' || trouble
FROM ticket WHERE trouble IS NOT NULL AND (alarm_at IS NULL OR trouble_count < 1) ORDER BY id
""")


# ── What hangs on tickets, and what is summed up of them ──

FILE_WITHOUT_EVENT = query("""
SELECT t.number, '凭证文件出自第 ' || CAST(a.seq AS TEXT) || ' 条记录，没有这一条登记凭证的记录'
FROM attachment a JOIN ticket t ON t.id = a.ticket_id
LEFT JOIN ticket_event e ON e.ticket_id = a.ticket_id AND e.seq = a.seq AND e.kind = 'evidence'
WHERE e.id IS NULL ORDER BY t.id
""")

FILE_TWICE = query("""
SELECT min(t.number), '有 ' || CAST(count(*) AS TEXT) || ' 条凭证指着同一个文件'
FROM attachment a JOIN ticket t ON t.id = a.ticket_id GROUP BY a.file HAVING count(*) > 1 ORDER BY min(t.id)
""")

TWO_GROUPS = query("""
SELECT t.number, '属于 ' || CAST(count(*) AS TEXT) || ' 个小组'
FROM ticket_team o JOIN ticket t ON t.id = o.ticket_id GROUP BY t.id, t.number HAVING count(*) > 1 ORDER BY t.id
""")

GROUP_UNKNOWN = query("""
SELECT t.number, '所属的小组（编号 ' || CAST(o.team_id AS TEXT) || '）不存在'
FROM ticket_team o JOIN ticket t ON t.id = o.ticket_id LEFT JOIN team g ON g.id = o.team_id
WHERE g.id IS NULL ORDER BY t.id
""")

HANDED_WITHOUT_EVENT = query("""
SELECT t.number, '转交没有对应的记录'
FROM transfer o JOIN ticket t ON t.id = o.ticket_id
WHERE NOT EXISTS (
    SELECT 1 FROM ticket_event e WHERE e.ticket_id = o.ticket_id AND e.kind = 'assign' AND e.recorded_at = o.at
) ORDER BY t.id
""")

_ALIKE = "day, shop_id, workflow, policy, measure, person, cause"
SUMS = query(f"""
SELECT NULL, day || ' 店铺 ' || CAST(shop_id AS TEXT) || ' 的 ' || measure || ' 记着 ' || CAST(sum(kept) AS TEXT)
    || ' 笔、合计 ' || CAST(sum(kept_amount) AS TEXT) || '，逐张加起来是 ' || CAST(sum(there) AS TEXT) || ' 笔、合计 '
    || CAST(sum(amount) AS TEXT)
FROM (
    SELECT {_ALIKE}, count AS kept, amount AS kept_amount, 0 AS there, 0 AS amount FROM measured_day
    UNION ALL SELECT {_ALIKE}, 0, 0, 1, amount FROM measured
) both_of_them
GROUP BY {_ALIKE} HAVING sum(kept) <> sum(there) OR sum(kept_amount) <> sum(amount) ORDER BY {_ALIKE}
""")  # noqa: S608 -- names of columns


def files_are_there(connection: Connection, folder: Path, *, read_them: bool) -> Iterator[Break]:
    """Of every row: its file is in the evidence folder, as long as it was, and (`read_them`) the same bytes."""
    after = 0
    while rows := _rows(connection, FILES, after, _BATCH):
        after = rows[-1][0]
        yield from _wrong_files(rows, folder, read_them=read_them)


def newest_files(connection: Connection, folder: Path, count: int) -> Iterator[Break]:
    """The same of the last so many, with their bytes."""
    yield from _wrong_files(_rows(connection, NEWEST_FILES, count), folder, read_them=True)


def _wrong_files(rows: Sequence[tuple[Any, ...]], folder: Path, *, read_them: bool) -> Iterator[Break]:
    for _, number, name, length, digest in rows:
        place = folder / name[:2] / name
        if not place.is_file():
            yield Break(number, f"凭证文件 {name} 不见了")
        elif place.stat().st_size != length:
            yield Break(number, f"凭证文件 {name} 有 {place.stat().st_size} 字节，应有 {length}")
        elif read_them and _sha256(place) != digest:
            yield Break(number, f"凭证文件 {name} 的内容与上传时不一样")


_FILE = "SELECT a.id, t.number, a.file, a.bytes, a.sha256 FROM attachment a JOIN ticket t ON t.id = a.ticket_id"
FILES = f"{_FILE} WHERE a.id > ? ORDER BY a.id LIMIT ?"
NEWEST_FILES = f"{_FILE} ORDER BY a.id DESC LIMIT ?"


def _sha256(place: Path) -> str:
    with place.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def too_many_parked(connection: Connection) -> Iterator[Break]:
    [(parked,)] = _rows(connection, "SELECT count(*) FROM ticket WHERE trouble IS NOT NULL")
    if parked > PARKED_AT_MOST:
        yield Break(None, f"搁置了 {parked} 张工单，最多 {PARKED_AT_MOST} 张")


def _parked(connection: Connection) -> str:
    sql = "SELECT number, trouble, recorded_at FROM ticket WHERE trouble IS NOT NULL ORDER BY recorded_at, id"
    found = _rows(connection, sql)
    return f"搁置 {len(found)} 张，最久的是 {found[0][0]}：{found[0][1]}" if found else "没有搁置的工单"


# ── The tables themselves ──

_SECONDS = "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9].000000"


def instants_are_utc(connection: Connection) -> Iterator[Break]:
    """Of tickets and events: UTC, whole seconds. SQLite keeps them as text of one form."""
    for table in ("ticket", "ticket_event"):
        columns = [column.name for column in metadata.tables[table].columns if isinstance(column.type, Instant)]
        wrong = [_wrong_instant(connection.dialect.name, column) for column in columns]
        number = "o.number" if table == "ticket" else "(SELECT number FROM ticket t WHERE t.id = o.ticket_id)"
        named = "CASE " + " ".join(f"WHEN {test} THEN '{column}'" for column, test in zip(columns, wrong, strict=True))
        sql = f"SELECT {number}, {named} END FROM {table} o WHERE {' OR '.join(wrong)} ORDER BY o.id"  # noqa: S608
        for found, column in _rows(connection, sql):
            yield Break(found, f"{table}.{column} 不是到整秒的 UTC 时间")


def _wrong_instant(dialect: str, column: str) -> str:
    if dialect == "sqlite":
        return f"o.{column} NOT GLOB '{_SECONDS}'"
    return f"date_trunc('second', o.{column}) <> o.{column}"


def columns_have_their_types(connection: Connection) -> Iterator[Break]:
    """SQLite: STRICT tables, and no amount that is no integer. PostgreSQL: bigint, timestamptz, jsonb, boolean."""
    if connection.dialect.name == "sqlite":
        yield from _strict(connection)
        yield from _integers(connection)
        return
    sql = (
        "SELECT table_name, column_name, udt_name FROM information_schema.columns WHERE table_schema = current_schema()"
    )
    found = {(table, column): kind for table, column, kind in _rows(connection, sql)}
    for table in metadata.sorted_tables:
        for column in table.columns:
            wanted = _POSTGRES[str(column.type.compile(dialect=connection.dialect))]
            kind = found.get((table.name, column.name))
            if kind != wanted:
                yield Break(None, f"{table.name}.{column.name} 的类型是 {kind or '无'}，应是 {wanted}")


_POSTGRES = {
    "BIGINT": "int8", "TEXT": "text", "JSONB": "jsonb", "BOOLEAN": "bool", "TIMESTAMP WITH TIME ZONE": "timestamptz",
}  # fmt: skip


def _strict(connection: Connection) -> Iterator[Break]:
    strict = {name: bool(flag) for _, name, _, _, _, flag in _rows(connection, "PRAGMA main.table_list")}
    for table in metadata.sorted_tables:
        if not strict.get(table.name, False):
            yield Break(None, f"表 {table.name} 不是 STRICT，什么都存得进去")


def _integers(connection: Connection) -> Iterator[Break]:
    for table, number in (("ticket", "o.number"), ("payment", "CAST(o.ticket_id AS TEXT)")):
        names = [column.name for column in metadata.tables[table].columns if isinstance(column.type, Whole)]
        tests = " OR ".join(f"typeof(o.{name}) NOT IN ('integer', 'null')" for name in names)
        for found, _ in _rows(connection, f"SELECT {number}, o.id FROM {table} o WHERE {tests} ORDER BY o.id"):  # noqa: S608
            yield Break(found if table == "ticket" else f"#{found}", f"{table} 里有不是整数的数")


def triggers_hold(connection: Connection) -> Iterator[Break]:
    """The triggers that refuse changes are there, switched on, and say what they should."""
    kind = connection.dialect.name
    found = dict(_rows(connection, _TRIGGERS[kind]))
    for name, statement in TRIGGERS[kind].items():
        if name not in found:
            yield Break(None, f"缺触发器 {name}：历史可以被改写")
        elif kind == "sqlite" and _squeezed(found[name]) != _squeezed(statement):
            yield Break(None, f"触发器 {name} 被改过：历史可以被改写")
    if kind == "postgresql":
        body = _rows(connection, "SELECT prosrc FROM pg_proc WHERE proname = 'i28_refuse'")
        if not any("RAISE EXCEPTION" in source for (source,) in body):
            yield Break(None, "函数 i28_refuse 不再拒绝：历史可以被改写")


_TRIGGERS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')",
}


def _squeezed(statement: str) -> str:
    return re.sub(r"\s+", "", statement).removesuffix(";")


def answers_survive_power_loss(connection: Connection) -> Iterator[Break]:
    """SQLite: WAL and synchronous=FULL."""
    if connection.dialect.name != "sqlite" or in_memory(connection.engine):
        return
    [(mode,)] = _rows(connection, "PRAGMA journal_mode")
    [(synchronous,)] = _rows(connection, "PRAGMA synchronous")
    if mode != "wal":
        yield Break(None, f"journal_mode 是 {mode}，应是 wal")
    if synchronous < 2:
        yield Break(None, f"synchronous 是 {synchronous}，应是 2（FULL）：断电会丢已答复的")


def durability(connection: Connection) -> str:
    """What of the server speaks against it; "" if nothing does."""
    if connection.dialect.name == "sqlite":
        return "内存数据库，关了就没有" if in_memory(connection.engine) else ""
    settings = ("fsync", "synchronous_commit", "full_page_writes")
    values = {name: _rows(connection, f"SHOW {name}")[0][0] for name in settings}
    off = [name for name, value in values.items() if value == "off"]
    return f"注意：这台服务器关掉了 {'、'.join(off)}，断电会丢已答复的" if off else ""


_CHILDREN = ("ticket_event", "payment", "outbox", "waybill", "command", "attachment", "ticket_team", "transfer")
_OF_A_SHOP = ("outbox", "waybill", "command", "attachment", "ticket_team", "transfer")
_BY_HTTP = "要与客户端自己留的请求历史比对"

PROMISES = [
    Promise(
        "I-01", "未结的工单有一个在走的时限，或一个写明的理由，两者只有其一",
        "逐张：时限列表与理由恰有其一，理由是声明过的；时限列与列表一致；闹钟不晚于到期",
        invariants.clock_or_reason),
    Promise(
        "I-02", "结束的工单没有时限",
        "逐张：状态是终点当且仅当有结束时间；结束的没有时限、暂停的时限和闹钟",
        invariants.closed_without_clock),
    Promise(
        "I-03", "记录的条数就是版本号，序号从 1 起连续",
        "逐张：按序号读出全部记录", invariants.version_counts_events),
    Promise(
        "I-04", "每条记录从前一条到的状态开始，最后一条到的就是工单的状态",
        "逐张：第一条从 new 开始，逐条相接", invariants.states_chain),
    Promise(
        "I-05", "每次流转都在这类工单的流程表里",
        "逐条：动作、起点、终点、谁办理，与现在的流程表比对；备注、凭证、提醒等不移动工单",
        invariants.moves_exist),
    Promise(
        "I-06", "看得到的版本只增不减",
        "答复过的版本（command 表）不大于现在的版本；历史不可改写见 I-03、I-28",
        whole=[ANSWERED_BEYOND_THE_VERSION]),
    Promise("I-07", "答复成功的都在，答复失败的都不在", "", not_applicable=_BY_HTTP),
    Promise(
        "I-08", "同一个幂等键只办一次，重试得到同样的答复",
        "command 表的每一行都有带着这个键的那条记录", whole=[ANSWERED_WITHOUT_EVENT]),
    Promise(
        "I-09", "到期的时限与到期的记录一一对应",
        "逐条：到期动作都记着时限，在到期那一刻生效，同一个时限只执行一次；别的动作不记时限",
        invariants.fired_once),
    Promise(
        "I-10", "不到期不执行", "逐条：到期动作的记录时间严格晚于到期时间", invariants.never_early),
    Promise(
        "I-11", "到期后很快执行", "", not_applicable="要知道调度什么时候停过"),
    Promise(
        "I-12", "到期前办理的算数，到期后时限先执行",
        "逐条：人办理时，最早的时限还没有过；过了的必先有它的到期记录（客户端那一半看不出）",
        invariants.acts_in_time),
    Promise(
        "I-13", "取消的、换掉的时限不执行",
        "逐条：到期动作的时限在前一条记录之后在走，执行之后不再走", invariants.only_running_clocks_fire),
    Promise(
        "I-14", "到期时间由规则版本、起算时间和日历算得出",
        "逐张：在走的时限用另一套算法重算；暂停过的按剩余时间；平台和双方约定的核对原来算的那个",
        invariants.due_times),
    Promise(
        "I-15", "在走的时限只被有记录的改期改动",
        "逐条：到期变了的，只能是平台改期、双方约定、日历公布", invariants.moved_only_by_record),
    Promise(
        "I-16", "时间都是 UTC 整秒，记录时间只往前走",
        "逐条：记录时间不减，生效不晚于记录；另查每个时间列的写法",
        invariants.time_goes_on, [instants_are_utc]),
    Promise(
        "I-17", "每个自动步骤写明由谁、哪条规则、哪个版本、何时到期",
        "逐条：到期动作由 system 办理，规则、版本、到期时间齐全", invariants.automatic_steps_say_why),
    Promise(
        "I-18", "停机以后不连环到期",
        "逐条：迟到超过宽限才执行的，随后的时限从执行时起算", invariants.no_cascade),
    Promise(
        "I-19", "退款不超过实付，金额都是整数分",
        "逐张：金额不为负，已退加本单退不多于实付；账上的数为正，与工单一致",
        invariants.money_is_within_paid),
    Promise(
        "I-20", "一笔钱只付一次，付款都有让它付出去的记录",
        "账上每张工单每种用途一行、幂等键不重复；逐张：有付款当且仅当有打款的记录，付了当且仅当退款成功",
        invariants.money_has_its_event, [PAID_TWICE, PAID_UNDER_ONE_KEY]),
    Promise("I-21", "合计等于各项之和", "报表按天的合计与逐张的明细比对，笔数和数额都一样", whole=[SUMS]),
    Promise(
        "I-22", "工单一张不少，编号不重复",
        "逐张：开单记录恰一条，编号与类型和开单日相符；各表没有工单已不在的行；发出的编号个个有工单",
        invariants.opened_once, [ONE_NUMBER_TWICE, *(_without_ticket(table, "ticket_id") for table in _CHILDREN),
                                 _without_ticket("ticket_link", "from_id"), _without_ticket("ticket_link", "to_id")]),
    Promise(
        "I-23", "状态、记录、时限、账、发件箱同一次写下",
        "逐张：时限和写入时间与记录相同，账与记录同时；运单、发件箱的每一行都有那条记录",
        invariants.one_transaction, [WAYBILL_WITHOUT_EVENT, TOLD_WITHOUT_EVENT]),
    Promise(
        "I-24", "每件事对外只有一个稳定的消息号",
        "发件箱里每条记录每个主题一行（是否送到要在收信那一端看）", whole=[TOLD_TWICE]),
    Promise(
        "I-25", "一行数据只属于一家店铺",
        "逐条：记录、账与工单同店；发件箱、运单、请求、关联同店",
        invariants.one_shop, [*(_of_another_shop(table) for table in _OF_A_SHOP),
                              LINKED_ACROSS_SHOPS]),
    Promise(
        "I-26", "凭证文件齐全，每个文件只属于一张工单",
        "每行凭证有登记它的记录；文件在凭证文件夹里，大小一样；加 --files 时内容的 SHA-256 也一样",
        whole=[FILE_WITHOUT_EVENT, FILE_TWICE]),
    Promise(
        "I-27", "记录的哈希链接得上",
        "逐条：按内容重算哈希，接前一条的哈希，最后一条与工单记着的相同（另存一份才防得住整链重写）",
        invariants.sealed),
    Promise("I-28", "历史和账不能改写", "拒绝改写的触发器都在，内容没被动过", whole=[triggers_hold]),
    Promise("I-29", "每个要审计的操作有一行记录", "", not_applicable="还没有登录和权限，没有这样的表"),
    Promise("I-30", "大额由两个人批准", "", not_applicable="还没有审批，没有这样的表"),
    Promise(
        "I-31", "一件商品上同类未结工单至多一张",
        "未结工单按店铺、类型、商品分组，每组一张", whole=[OPEN_TWICE_ON_ONE_ITEM]),
    Promise(
        "I-32", "搁置的工单不多，并且会再试",
        f"至多 {PARKED_AT_MOST} 张，每张有再试的时间", whole=[PARKED_FOR_GOOD, too_many_parked]),
    Promise("I-33", "调度活着", "", not_applicable="数据库是静的，看 /readyz"),
    Promise("I-34", "同样的输入得到同样的记录", "", not_applicable="用 aftersales simulate 在两个数据库上比"),
    Promise("I-35", "备份可以恢复", "", not_applicable="恢复出来的库上再跑一次 audit 就是"),
    Promise("I-36", "导出再导入不变", "", not_applicable="要真的导入一次"),
    Promise(
        "D4", "每列都是它该有的类型，每行都读得出来",
        "SQLite：STRICT 表，数都是整数；PostgreSQL：列类型；逐行：读得出来", whole=[columns_have_their_types]),
    Promise(
        "D8", "答复过的断电不丢", "SQLite：journal_mode=WAL，synchronous=FULL", whole=[answers_survive_power_loss]),
    Promise(
        "T-01", "一张工单至多属于一个小组，每次转交有记录",
        "小组存在；转交时间与那次转交的记录相同", whole=[TWO_GROUPS, GROUP_UNKNOWN, HANDED_WITHOUT_EVENT]),
]  # fmt: skip


# ── Auditing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def audit(
    engine: Engine, rules: Rules, *, limit: int | None = None, folder: Path | None = None, read_files: bool = False
) -> Report:
    """Checks every invariant in one read-only snapshot. `limit`: only the newest tickets; the queries still see all.

    folder       where the files of evidence are: without it they are not looked at
    read_files   all their bytes, too
    """
    started, at = time.monotonic(), clock.now()
    with reading(engine) as connection:
        found = _Found(rules)
        for promise in PROMISES:
            for whole in promise.whole:
                for broken in whole(connection):
                    found.broken(promise.id, broken)
        if folder is not None:
            for broken in files_are_there(connection, folder, read_them=read_files):
                found.broken("I-26", broken)
        for case in _cases(connection, rules, found, limit):
            found.look_at(case)
        if limit is None:
            _numbers_given_out(connection, found)
        notes = {"I-11": found.lateness(), "I-14": found.waiting(), "I-32": _parked(connection)}
        notes |= {"I-33": _heartbeat(connection), "D8": durability(connection)}
        notes["I-26"] = "" if read_files else "没有看文件" if folder is None else "没有读内容，加 --files 逐个读"
    checks = tuple(found.check(promise, notes.get(promise.id, "")) for promise in PROMISES)
    return Report(at, time.monotonic() - started, found.tickets, found.events, checks, limit)


@dataclass
class _Found:
    """What was found so far. Tickets come in the order of their ids, so the first break is the first ticket's."""

    rules: Rules
    tickets: int = 0
    events: int = 0
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    firsts: dict[str, Break] = field(default_factory=dict)
    #: seconds between due and fired
    late: list[int] = field(default_factory=list)
    recounts: int = 0
    #: how many tickets have a number of this counter: (shop, EX-221001)
    numbered: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))

    def broken(self, promise: str, found: Break) -> None:
        self.counts[promise] += 1
        self.firsts.setdefault(promise, found)

    def look_at(self, case: Case) -> None:
        self.events += len(case.lines)
        for promise, check in _EACH:
            for found in check(case):
                self.broken(promise, Break(case.ticket.number, found))
        self.recounts += any(one.provisional for one in case.ticket.clocks) and invariants.waits_for_recount(case)
        for event, _ in case.fired:
            if event.due_at is not None:
                self.late.append(int((event.recorded_at - event.due_at).total_seconds()))

    def check(self, promise: Promise, note: str) -> Check:
        broken, first = self.counts.get(promise.id, 0), self.firsts.get(promise.id)
        return Check(promise.id, promise.says, promise.how, broken, first, promise.not_applicable, note)

    def lateness(self) -> str:
        if not self.late:
            return "还没有到期执行过"
        late = sorted(self.late)
        return f"执行过 {len(late)} 次，到期后 99% 在 {late[(len(late) - 1) * 99 // 100]} 秒内，最长 {late[-1]} 秒"

    def waiting(self) -> str:
        return f"{self.recounts} 张的日历已经公布，等待重算" if self.recounts else ""


_EACH = [(promise.id, promise.each) for promise in PROMISES if promise.each is not None]


# ── Reading ──


def _cases(connection: Connection, rules: Rules, found: _Found, limit: int | None) -> Iterator[Case]:
    """Every ticket with its history and payments, in the order of ids; what cannot be read is a break of its own."""
    after = _before_the_newest(connection, limit)
    said = partial(_spoken, connection.dialect.name)
    while rows := _rows(connection, said(TICKETS), after, _BATCH):
        last = rows[-1][0]
        lines = _grouped(_rows(connection, said(EVENTS), after, last), EVENT.index("ticket_id"))
        payments = _grouped(_rows(connection, PAYMENTS, after, last), 0)
        for row in rows:
            found.tickets += 1
            found.numbered[row[1], row[2].rpartition("-")[0]] += 1
            case = _readable(row, lines.get(row[0], ()), payments.get(row[0], ()), rules, found)
            if case is not None:
                yield case
        after = last


def _before_the_newest(connection: Connection, limit: int | None) -> int:
    if limit is None:
        return 0
    [(last,)] = _rows(connection, "SELECT min(id) FROM (SELECT id FROM ticket ORDER BY id DESC LIMIT ?) newest", limit)
    return 0 if last is None else int(last) - 1


#: as store.py reads them, and then the columns of the clock
_CLOCK = ("due_at", "rule_id", "rule_version", "clock_timeout", "clock_from", "clock_basis", "provisional")
TICKETS = "SELECT {ticket} FROM ticket WHERE id > ? ORDER BY id LIMIT ?"
EVENTS = "SELECT {event} FROM ticket_event WHERE ticket_id > ? AND ticket_id <= ? ORDER BY ticket_id, seq"
PAYMENTS = """
SELECT ticket_id, purpose, amount_fen, status, shop_id, created_at FROM payment
WHERE ticket_id > ? AND ticket_id <= ? ORDER BY id
"""


@cache
def _spoken(dialect: str, sql: str) -> str:
    """With the columns, and JSON as text."""
    as_text = {"fields", "flags", "clocks", "paused", "facts"} if dialect == "postgresql" else set()
    for word, names in (("{ticket}", (*TICKET, *_CLOCK)), ("{event}", EVENT)):
        listed = ", ".join(f'"{name}"::text' if name in as_text else f'"{name}"' for name in names)
        sql = sql.replace(word, listed)
    return sql


def _grouped(rows: Sequence[tuple[Any, ...]], place: int) -> dict[int, list[tuple[Any, ...]]]:
    groups: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        groups[row[place]].append(row)
    return groups


def _readable(
    row: Sequence[Any], lines: Sequence[Any], payments: Sequence[Any], rules: Rules, found: _Found
) -> Case | None:
    number = row[2]
    try:
        ticket = ticket_from_row(row[: len(TICKET)])
        columns = _columns(row[len(TICKET) :])
        history = [_line(line) for line in lines]
        ledger = [Paid(what, fen, status, shop, _instant(at)) for _, what, fen, status, shop, at in payments]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        found.broken("D4", Break(number, f"读不出来（{type(error).__name__}）"))
        return None
    if ticket.workflow not in rules.catalog.workflows or ticket.policy not in rules.catalog.policies:
        found.broken("I-05", Break(number, f"没有「{ticket.workflow}」的流程或「{ticket.policy}」的规则，无法核对"))
        return None
    return Case(ticket, columns, history, ledger, rules, rules.workflow(ticket))


def _columns(row: Sequence[Any]) -> Columns:
    due_at, rule, version, timeout, counted_from, basis, provisional = row
    return Columns(_instant(due_at), rule, version, timeout, _instant(counted_from), basis, bool(provisional))


def _line(row: Sequence[Any]) -> Line:
    shop_id, ticket_id, *_, command_key, previous, sealed = row
    return Line(event_from_row(row), shop_id, ticket_id, command_key, previous, sealed)


def _instant(value: Any) -> Any:
    return datetime.fromisoformat(f"{value}+00:00") if isinstance(value, str) else value


def _numbers_given_out(connection: Connection, found: _Found) -> None:
    """I-22: every number that was given out stands on a ticket: none has vanished."""
    for shop_id, name, value in _rows(connection, "SELECT shop_id, name, value FROM counter ORDER BY shop_id, name"):
        there = found.numbered.get((shop_id, name), 0)
        if there != value:
            found.broken("I-22", Break(None, f"店铺 {shop_id} 发出过 {value} 个 {name} 的编号，工单有 {there} 张"))


def _heartbeat(connection: Connection) -> str:
    [(last,)] = _rows(connection, "SELECT max(at) FROM heartbeat")
    return "没有调度的心跳" if last is None else f"最后一次心跳 {shown(_instant(last))}"
