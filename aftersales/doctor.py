"""Is this installation sound? `aftersales doctor`: one line for each thing, and what to do about those that are not.

examine(settings) -> list[Finding]      nothing is changed, and nothing that is wrong stops the rest
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from aftersales import audit, clock, database, search_index
from aftersales.catalog import RuleBook
from aftersales.clock import SHANGHAI, lasting, shown
from aftersales.database import Engine, reading
from aftersales.office.evidence import Folder
from aftersales.queries import automation, changes
from aftersales.rule_files import StoredRuleFiles
from aftersales.settings import Settings
from aftersales.work_calendar import OverridesError, WorkCalendar

#: less free space than this is too little: a day's work of a large shop, and a backup beside it
ROOM_BYTES = 2_000_000_000
#: a clock that differs less from the newest record is right
CLOCK_SECONDS = 120
#: due times reach so far
AHEAD = timedelta(days=60)
#: the newest files of evidence that are looked for
SAMPLE = 200
#: missing tickets that are counted out
MOST_MISSING = 100


@dataclass(frozen=True)
class Finding:
    """`remedy`: what to do; "" where all is well."""

    what: str
    says: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        return not self.remedy

    def __str__(self) -> str:
        return f"✓ {self.what}：{self.says}" if self.ok else f"✗ {self.what}：{self.says}。{self.remedy}"


def to_json(findings: list[Finding]) -> dict[str, Any]:
    return {
        "ok": all(one.ok for one in findings),
        "findings": [{**asdict(one), "ok": one.ok} for one in findings],
    }


def examine(settings: Settings) -> Iterator[Finding]:
    yield Finding("设置", f"数据库 {database.shown(settings.database_url)}")
    yield from _guarded("工作日历", lambda: _calendar(settings))
    yield from _guarded("流程表和规则表", lambda: _tables(settings))
    yield from _guarded("凭证文件夹", lambda: _folder(settings))
    yield from _guarded("磁盘空间", lambda: _room(settings))
    sound = True
    for finding in _guarded("数据库结构", lambda: _schema(settings)):
        sound = sound and finding.ok
        yield finding
    if sound:
        yield from _in_database(settings)


def _guarded(what: str, look: Callable[[], Finding]) -> Iterator[Finding]:
    try:
        yield look()
    except Exception as error:  # noqa: BLE001 -- whatever is broken, the rest is looked at
        yield Finding(what, f"查不了（{type(error).__name__}: {error}）", "请先解决这一条")


def _in_database(settings: Settings) -> Iterator[Finding]:
    engine = database.create_engine(settings.database_url)
    try:
        yield from _guarded("断电不丢", lambda: _durable(engine))
        yield from _guarded("时钟", lambda: _clock(engine))
        yield from _guarded("调度", lambda: _scheduler(engine, settings))
        yield from _guarded("规则文件", lambda: _rule_files(engine, settings))
        yield from _guarded("搜索索引", lambda: _search(engine))
        yield from _guarded("凭证文件", lambda: _evidence(engine, settings))
    finally:
        engine.dispose()


# ── without the database ──


def _calendar(settings: Settings) -> Finding:
    try:
        calendar = WorkCalendar.default(settings.calendar_file)
    except (OverridesError, OSError) as problem:
        return Finding("工作日历", str(problem), "请改好 AFTERSALES_CALENDAR_FILE 指的文件")
    until = clock.now().astimezone(SHANGHAI).date() + AHEAD
    if calendar.is_known(until):
        return Finding("工作日历", f"已公布到 {calendar.known_years[-1]} 年")
    remedy = "升级 chinesecalendar，或在 AFTERSALES_CALENDAR_FILE 里写上已公布的安排"
    return Finding("工作日历", f"{until.year} 年的还没有，{AHEAD.days} 天内的时限会标为暂定", remedy)


def _tables(settings: Settings) -> Finding:
    from aftersales.check import check_everything

    found = check_everything(rules_dir=settings.rules_dir)
    if found.ok:
        return Finding("流程表和规则表", "检查通过")
    return Finding(
        "流程表和规则表", f"{len(found.problems)} 处错误，第一处 {found.problems[0]}", "运行 aftersales check 看全部"
    )


def _folder(settings: Settings) -> Finding:
    problem = Folder.of(settings).problem()
    if problem:
        return Finding("凭证文件夹", problem, "请改正 AFTERSALES_EVIDENCE_DIR，或给运行的账号写权限")
    return Finding("凭证文件夹", f"{settings.evidence_folder} 可写")


def _room(settings: Settings) -> Finding:
    file = database.sqlite_file(settings.database_url)
    places = {_there(place) for place in (settings.evidence_folder, *([file.absolute().parent] if file else []))}
    least = min(places, key=lambda place: shutil.disk_usage(place).free)
    free = shutil.disk_usage(least).free
    says = f"{least} 还剩 {free / 1e9:.1f} GB"
    return Finding("磁盘空间", says, "" if free >= ROOM_BYTES else f"请腾出空间，至少 {ROOM_BYTES / 1e9:.0f} GB")


def _there(place: Path) -> Path:
    return next(one for one in (place, *place.parents) if one.exists())


def _schema(settings: Settings) -> Finding:
    schema = database.check_schema(settings.database_url)
    if schema.found != schema.wanted:
        says = f"版本是 {schema.found or '空'}，程序需要 {schema.wanted}"
        return Finding("数据库结构", says, "备份后运行 aftersales db upgrade")
    if schema.differences:
        says = f"{len(schema.differences)} 处与程序不一致：{schema.differences[0]}"
        return Finding("数据库结构", says, "运行 aftersales db check 看全部，用备份核对")
    return Finding("数据库结构", f"版本 {schema.found}，与程序一致")


# ── in the database ──


def _durable(engine: Engine) -> Finding:
    with reading(engine) as connection:
        wrong = [str(one) for one in audit.answers_survive_power_loss(connection)]
        off = audit.durability(connection)
    file = database.sqlite_file(engine.url)
    if file is not None and not wrong:
        with closing(sqlite3.connect(file, timeout=10)) as plain:
            (found,) = plain.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            return Finding(
                "断电不丢", f"数据库文件已经损坏（{found[:80]}）", "停掉程序，从备份恢复：aftersales restore"
            )
    if wrong or off:
        return Finding("断电不丢", "；".join([*wrong, *([off] if off else [])]), "请改正数据库的设置")
    return Finding("断电不丢", "写入前先落盘")


def _clock(engine: Engine) -> Finding:
    newest, now = changes.newest_recorded(engine), clock.now()
    if newest is None:
        return Finding("时钟", f"{shown(now)}，还没有记录可以比对")
    behind = (newest - now).total_seconds()
    if behind > CLOCK_SECONDS:
        says = f"现在 {shown(now)}，最新的记录却在 {shown(newest)}"
        return Finding("时钟", says, "这台机器的时钟慢了，请校时（NTP）：时钟追上之前不会有工单到期")
    return Finding("时钟", f"{shown(now)}，最新的记录 {shown(newest)}")


def _scheduler(engine: Engine, settings: Settings) -> Finding:
    now = clock.now()
    living = [beat for beat in automation.beats(engine, now) if not beat.stopped]
    remedy = "请启动 aftersales scheduler（或不带 --no-scheduler 的 aftersales serve）"
    if not living:
        return Finding("调度", "没有在运行的", remedy)
    age = (now - max(beat.at for beat in living)).total_seconds()
    if age > max(3 * settings.poll_seconds, 10):
        return Finding("调度", f"最后一轮在 {lasting(age)}前", remedy)
    return Finding("调度", f"{len(living)} 个，最后一轮在 {max(0, age):.0f} 秒前")


def _rule_files(engine: Engine, settings: Settings) -> Finding:
    if settings.rules_dir is None:
        return Finding("规则文件", "用自带的规则")
    problems = RuleBook(settings.rules_dir, _OnlyRead(engine)).problems
    if problems:
        return Finding("规则文件", f"{len(problems)} 处错误，第一处 {problems[0]}", "请改好；上一个正确的版本仍然有效")
    return Finding("规则文件", f"{settings.rules_dir} 里的都有效")


class _OnlyRead(StoredRuleFiles):
    def put(self, name: str, source: str) -> None:
        """Putting files in force is for those who serve."""


def _search(engine: Engine) -> Finding:
    lacking = list(islice(search_index.missing(engine), MOST_MISSING))
    if lacking:
        many = "以上" if len(lacking) == MOST_MISSING else ""
        return Finding("搜索索引", f"{len(lacking)} 张{many}工单有内容搜不到", "运行 aftersales db reindex")
    return Finding("搜索索引", "完整")


def _evidence(engine: Engine, settings: Settings) -> Finding:
    with reading(engine) as connection:
        wrong = [str(one) for one in audit.newest_files(connection, settings.evidence_folder, SAMPLE)]
    if wrong:
        return Finding(
            "凭证文件",
            f"最新 {SAMPLE} 个里 {len(wrong)} 个有问题：{wrong[0]}",
            "从备份找回；看全部：aftersales audit --files",
        )
    return Finding("凭证文件", f"最新的 {SAMPLE} 个都在")
