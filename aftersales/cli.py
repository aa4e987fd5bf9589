"""The command line. Everything heavy is imported by the command that needs it, so that --help is instant."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from aftersales.application import Application
    from aftersales.settings import Settings

app = typer.Typer(
    name="aftersales",
    help="网店售后工单：每类工单一台状态机，平台时限到点自动流转。After-sales tickets that move on time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
database_app = typer.Typer(help="数据库：建表、升级、检查。Database schema.", no_args_is_help=True)
scenario_app = typer.Typer(help="剧本：在真实引擎上演一遍。Scenario files.", no_args_is_help=True)
user_app = typer.Typer(help="账号：添加、列出、停用。Sub-accounts.", no_args_is_help=True)
app.add_typer(database_app, name="db")
app.add_typer(scenario_app, name="scenario")
app.add_typer(user_app, name="user")

Json = Annotated[bool, typer.Option("--json", help="输出 JSON，给程序读。")]
DatabaseUrl = Annotated[str | None, typer.Option("--db", help="数据库地址；默认取 AFTERSALES_DATABASE_URL。")]


def main() -> None:
    """Errors that people can do something about are one sentence, not a traceback."""
    from aftersales.errors import Refused, TablesUnsound, UnknownTicket

    try:
        app()
    except (Refused, UnknownTicket, TablesUnsound) as problem:
        _fail(str(problem))
    except Exception as problem:
        from aftersales.database import DatabaseBusy

        if isinstance(problem, DatabaseBusy):
            _fail(f"数据库正忙，请稍后再试：{problem}")
        raise


def _fail(sentence: str, status: int = 1) -> NoReturn:
    typer.echo(sentence, err=True)
    raise SystemExit(status)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def _settings(database_url: str | None) -> Settings:
    from aftersales.settings import Settings

    settings = Settings()
    return settings if database_url is None else settings.model_copy(update={"database_url": database_url})


def _application(database_url: str | None = None, *, upgrade: bool = False) -> Application:
    from aftersales import database
    from aftersales.application import assemble

    settings = _settings(database_url)
    if upgrade:
        database.migrate(settings.database_url)
    elif (schema := database.check_schema(settings.database_url)).found != schema.wanted:
        found = schema.found or "空"
        _fail(f"数据库版本是 {found}，程序需要 {schema.wanted}，请先运行 aftersales db upgrade")
    return assemble(settings)


# ── running it ──


@app.command()
def demo(
    database: Annotated[Path, typer.Option(help="演示数据库文件，每次重建。")] = Path("demo.db"),
) -> None:
    """演示：一家店、几百张工单，时钟走 45 天，看系统替你做了什么。A shop, 45 days of clock, explained."""
    from aftersales.demo import run_demo

    run_demo(f"sqlite:///{database}", sys.stdout)


@app.command()
def serve(
    db: DatabaseUrl = None,
    host: Annotated[str | None, typer.Option(help="监听地址。")] = None,
    port: Annotated[int | None, typer.Option(help="端口。")] = None,
    scheduler: Annotated[bool, typer.Option(help="同一进程里运行调度。")] = True,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="训练场：另用一个数据库，时间可以快进。")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="训练场从头来过。")] = False,
) -> None:
    """网页和调度一起运行。The pages, and the scheduler in the same process."""
    from web.serve import serve as run

    application = _training_ground(db, fresh=fresh) if sandbox else _real(_application(db, upgrade=True))
    settings = application.settings
    run(application, host=host or settings.host, port=port or settings.port, scheduler=scheduler, sandbox=sandbox)


def _training_ground(database_url: str | None, *, fresh: bool) -> Application:
    """Never the database of the settings, whatever they say."""
    from aftersales.sandbox import NotASandbox, make
    from aftersales.settings import Settings

    url = database_url or Settings().sandbox_database_url
    try:
        make(url, fresh=fresh)
    except NotASandbox as problem:
        _fail(str(problem), 2)
    return _application(url)


def _real(application: Application) -> Application:
    from aftersales.sandbox import is_sandbox

    if is_sandbox(application.engine):
        _fail("这个数据库是训练场，请用 aftersales serve --sandbox 打开", 2)
    return application


@app.command("scheduler")
def run_scheduler(
    db: DatabaseUrl = None,
    once: Annotated[bool, typer.Option("--once", help="处理完已到期的就结束。")] = False,
    tick: Annotated[float | None, typer.Option(help="至少每隔几秒看一次。")] = None,
) -> None:
    """只运行调度。The scheduler alone."""
    from aftersales.serving import run_scheduler as run

    run(_real(_application(db, upgrade=True)), once=once, tick=tick)


@database_app.command("upgrade")
def db_upgrade(db: DatabaseUrl = None) -> None:
    """建表或升级到当前版本。Create or upgrade the schema."""
    from aftersales import database

    url = _url(db)
    database.migrate(url)
    typer.echo(f"数据库已是当前版本：{database.shown(url)}")


@database_app.command("check")
def db_check(db: DatabaseUrl = None) -> None:
    """数据库结构与程序一致吗。Does the schema match the program?"""
    from aftersales import database

    url = _url(db)
    schema = database.check_schema(url)
    if schema.found != schema.wanted:
        _fail(f"数据库版本是 {schema.found or '空'}，程序需要 {schema.wanted}，请先运行 aftersales db upgrade")
    if schema.differences:
        _fail("\n".join(["数据库结构与程序不一致，请用备份核对：", *schema.differences]))
    typer.echo(f"数据库结构与程序一致：{database.shown(url)}")


@database_app.command("reindex")
def db_reindex(
    db: DatabaseUrl = None,
    check: Annotated[bool, typer.Option("--check", help="只看缺哪些，不写。")] = False,
) -> None:
    """重建搜索索引；重建时可以照常办公，只是搜索暂时不全。Makes the search index anew."""
    from aftersales import search_index

    engine = _application(db).engine
    if not check:
        typer.echo(f"搜索索引已重建：{search_index.rebuild(engine)} 条")
        return
    if lacking := [*search_index.missing(engine)]:
        shown = "、".join(map(str, lacking[:20])) + (" 等" if len(lacking) > 20 else "")
        _fail(f"{len(lacking)} 张工单有内容搜不到（编号 {shown}），请运行 aftersales db reindex")
    typer.echo("搜索索引完整")


def _url(db: str | None) -> str:
    from aftersales.settings import Settings

    return db or Settings().database_url


# ── rules ──


@app.command()
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="只查这些文件；默认全部。")] = None,
    as_json: Json = False,
) -> None:
    """检查流程表和规则表。Are the tables sound?"""
    from aftersales.check import run_check

    raise SystemExit(run_check(paths, as_json))


@app.command()
def rules(
    platform: Annotated[str, typer.Argument(help="平台，如 kuaishou；或 dump：导出全部。")],
    on: Annotated[str | None, typer.Option("--on", help="哪一天，如 2022-10-01；默认今天。")] = None,
    as_json: Json = False,
) -> None:
    """某平台某一天的全部规则。The consolidated rules of a day."""
    from aftersales import clock, rulebook
    from aftersales.catalog import RuleBook
    from aftersales.settings import Settings

    catalog = RuleBook(Settings().rules_dir).catalog
    if platform == "dump":
        _print_json(rulebook.dump(catalog))
        return
    if platform not in catalog.policies:
        _fail(f"没有「{platform}」这个平台的规则，可选：{'、'.join(catalog.policies)}")
    try:
        day = clock.shown_day(clock.now() if on is None else clock.parse(on))
    except ValueError as problem:
        _fail(str(problem), status=2)
    policy = catalog.policies[platform]
    lines = rulebook.rules_on(policy, day)
    if as_json:
        _print_json(rulebook.to_json(policy, day, lines))
    else:
        typer.echo(rulebook.render(policy, day, lines))


@app.command()
def explain(
    ticket: Annotated[str, typer.Argument(help="工单编号，如 EX-221001-0042。")],
    shop: Annotated[str | None, typer.Option(help="店铺；几家店有同一编号时要写。")] = None,
    db: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """为什么是这个到期时间，到期会怎样。Why this due time, and what then."""
    from aftersales import explain as explaining
    from aftersales import queries

    application = _application(db)
    found = queries.ticket_by_number(application.engine, ticket, shop)
    explanation = explaining.explain(application.engine, found, application.rules())
    if as_json:
        _print_json(explanation.to_json())
    else:
        typer.echo(explaining.render(explanation))


@scenario_app.command("run")
def scenario_run(paths: Annotated[list[Path], typer.Argument(help="剧本文件或文件夹。")]) -> None:
    """演剧本：逐条 PASS 或 FAIL。Plays stories on the real engine."""
    from aftersales import scenarios
    from aftersales.application import in_memory

    failed = False
    try:
        for outcome in scenarios.run(paths, in_memory):
            typer.echo(str(outcome))
            failed = failed or outcome.problem is not None
    except scenarios.BadScenarioFile as problem:
        _fail(str(problem), status=2)
    raise SystemExit(1 if failed else 0)


# ── data ──


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="平台导出的 CSV 或 XLSX。")],
    db: DatabaseUrl = None,
    report: Annotated[Path | None, typer.Option(help="问题报告写到哪里；默认放在原文件旁边。")] = None,
    as_json: Json = False,
) -> None:
    """导入平台导出的售后单。Imports a platform's export; bad rows are reported, good ones kept."""
    from aftersales.intake.run import import_command

    raise SystemExit(import_command(_application(db, upgrade=True), file, report, as_json=as_json))


@app.command()
def audit(
    db: DatabaseUrl = None,
    files: Annotated[bool, typer.Option("--files", help="凭证文件也逐个重算 SHA-256。")] = False,
    as_json: Json = False,
) -> None:
    """只读检查全部不变量和事件哈希链。Checks every invariant, read-only."""
    from aftersales import audit as auditing

    application = _application(db)
    folder = application.settings.evidence_folder
    found = auditing.audit(application.engine, application.rules(), folder=folder, read_files=files)
    if as_json:
        _print_json(found.to_json())
    else:
        typer.echo(auditing.render(found))
    raise SystemExit(0 if found.ok else 1)


@app.command()
def doctor(db: DatabaseUrl = None, as_json: Json = False) -> None:
    """这套安装好不好：一项一行，不好的写明怎么办。Is this installation sound? With remedies."""
    from pydantic import ValidationError

    from aftersales import doctor as examining

    try:
        settings = _settings(db)
        findings = list(examining.examine(settings))
    except ValidationError as problem:
        wrong = "、".join(f"AFTERSALES_{str(error['loc'][0]).upper()}" for error in problem.errors())
        findings = [examining.Finding("设置", f"{wrong} 的值看不懂", "请照 docs/operating.md 的设置表改好")]
    except ValueError as problem:
        findings = [examining.Finding("设置", str(problem), "请改好 AFTERSALES_DATABASE_URL")]
    if as_json:
        _print_json(examining.to_json(findings))
    else:
        typer.echo("\n".join(map(str, findings)))
    raise SystemExit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(help="新的文件夹，还不能有。")],
    db: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """备份数据库和凭证文件，不用停机。A consistent copy of database and evidence, while people work."""
    from aftersales import backup as backing_up

    settings = _settings(db)
    if settings.database_url.startswith("postgres"):
        _fail(backing_up.postgres_advice(settings, to, restoring=False), 2)
    try:
        made = backing_up.back_up(settings, to)
    except backing_up.BackupError as problem:
        _fail(str(problem))
    if as_json:
        _print_json(backing_up.to_json(made))
    else:
        size = f"{made.bytes / 1e6:.1f} MB"
        typer.echo(f"备份好了：{to}，{made.tickets} 张工单，{len(made.files) - 1} 个凭证文件，{size}")
    if made.lacking:
        first = "、".join(made.lacking[:3])
        _fail(f"备份可用，但 {len(made.lacking)} 个凭证文件缺失或与上传时不一样（{first} 等），请从以前的备份找回")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="aftersales backup 做的文件夹。")],
    replace: Annotated[bool, typer.Option("--replace", help="替换现有数据；原来的留在旁边。")] = False,
    db: DatabaseUrl = None,
) -> None:
    """从备份恢复，恢复后自动审计。Restores a backup, and audits what was restored."""
    from aftersales import backup as backing_up

    settings = _settings(db)
    if settings.database_url.startswith("postgres"):
        _fail(backing_up.postgres_advice(settings, source, restoring=True), 2)
    try:
        found, kept = backing_up.restore(settings, source, replace=replace)
    except backing_up.BackupError as problem:
        _fail(str(problem))
    beside = "" if kept is None else f"；原来的在 {kept}"
    typer.echo(f"已恢复 {found.started_at} 的备份，{found.tickets} 张工单{beside}")
    audit(db, files=True, as_json=False)


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="随机种子：同一个种子，同一个结果。")] = 1,
    days: Annotated[int, typer.Option(help="演多少天。")] = 30,
    per_day: Annotated[int, typer.Option(help="每天多少张工单。")] = 200,
    db: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """在虚拟时钟上演一家店，打印事件日志的哈希。A seeded shop on a virtual clock."""
    from aftersales.simulate import simulate_command

    raise SystemExit(simulate_command(seed=seed, days=days, per_day=per_day, database_url=db, as_json=as_json))


# ── people ──


@user_app.command("add")
def user_add(
    login: Annotated[str, typer.Argument(help="账号名「主账号:子账号」，英文冒号，建好后不能改。")],
    name: Annotated[str, typer.Argument(help="姓名，以后可以改。")],
    role: Annotated[str, typer.Option(help="agent、lead、policy_author、operator 或 admin。")] = "agent",
    department: Annotated[str, typer.Option(help="presale 或 aftersale。")] = "aftersale",
    db: DatabaseUrl = None,
) -> None:
    """添加账号。Adds a sub-account."""
    from aftersales import clock
    from aftersales.office import accounts

    application = _application(db)
    accounts.add(
        application.engine, login, name, clock.now(), role=role, department=department,
        quota=application.settings.accounts_per_shop,
    )  # fmt: skip
    typer.echo(f"已添加 {login}（{name}，{accounts.ROLES[role]}），在网页 /me 里选用")


@user_app.command("list")
def user_list(db: DatabaseUrl = None, as_json: Json = False) -> None:
    """列出账号和手上的工单数。Lists the accounts."""
    from aftersales.office import accounts, teams

    engine = _application(db).engine
    found = accounts.everyone(engine)
    loads = teams.loads(engine, [one.login for one in found])
    if as_json:
        keys = ("login", "name", "department", "role", "active")
        _print_json([{key: getattr(one, key) for key in keys} | {"open": loads.get(one.login, 0)} for one in found])
        return
    for one in found:
        state = "" if one.active else "（已停用）"
        where = f"{accounts.DEPARTMENTS[one.department]} {accounts.ROLES[one.role]}"
        typer.echo(f"{one.login}  {one.name}{state}  {where}  手上 {loads.get(one.login, 0)} 张")
    if not found:
        typer.echo("还没有账号，添加：aftersales user add 主账号:子账号 姓名")


@user_app.command("deactivate")
def user_deactivate(
    login: Annotated[str, typer.Argument(help="账号名。")],
    to: Annotated[str, typer.Option("--to", help="手上的工单转给哪个账号。")] = "",
    team: Annotated[str, typer.Option("--team", help="手上的工单转给哪个小组。")] = "",
    db: DatabaseUrl = None,
) -> None:
    """停用账号，手上的工单转给别人。Closes an account and hands its tickets on."""
    from aftersales import clock, handing, queries

    application = _application(db)
    handed = handing.leave(application.desk, login, handing.Receiver(to, team), clock.now(), by="")
    done, refused = len(handed.done), handed.refused
    while handed.done and queries.how_many_have(application.engine, login):
        handed = handing.leave(application.desk, login, handing.Receiver(to, team), clock.now(), by="")
        done, refused = done + len(handed.done), handed.refused
    typer.echo(f"已停用 {login}，转出 {done} 张工单，时限照走")
    if refused:
        _fail("\n".join(["这些没有转成：", *(f"{number}  {why}" for number, why in refused)]))
