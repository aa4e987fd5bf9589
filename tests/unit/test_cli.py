"""The command line as people type it: what it prints, its exit status, and that --help stays light."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

STORIES = Path(__file__).parents[1] / "scenarios"


def typed(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "aftersales", *words],
        capture_output=True, text=True, encoding="utf-8", check=False,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment},
    )  # fmt: skip


def test_help_names_the_commands_and_loads_nothing_heavy():
    assert "scenario" in typed("--help").stdout
    heavy = ["sqlalchemy", "apscheduler", "fastapi", "transitions", "alembic", "pydantic"]
    asked = f"import sys, aftersales.cli; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["scenario", "run", str(STORIES / "voucher.yaml")], 0, "PASS KS-LL-04-leap-day 闰日是工作日，数得到2月29日"),
        (["scenario", "run", "no-such.yaml"], 2, "no-such.yaml: 读不了这个文件"),
        (["check"], 0, "检查通过：5 种工单，4 个平台"),
        (["rules", "kuaishou", "--on", "2022-10-01"], 0, "KS-EX-01  商家处理换货申请  「待商家审核」"),
        (["rules", "jd"], 1, "没有「jd」这个平台的规则，可选：kuaishou、kuaishou_local、wechat、taobao"),
        (["rules", "kuaishou", "--on", "yesterday"], 2, "yesterday"),
        (["explain", "EX-1"], 1, "请先运行 aftersales db upgrade"),
    ],
)
def test_a_command_says_what_it_did_or_what_to_do(words, status, said, tmp_path):
    found = typed(*words, AFTERSALES_DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")
    assert (found.returncode, said in found.stdout + found.stderr) == (status, True), found


def test_a_database_is_made_checked_and_audited(tmp_path):
    where = {"AFTERSALES_DATABASE_URL": f"sqlite:///{tmp_path}/shop.db"}
    assert typed("db", "upgrade", **where).stdout.startswith("数据库已是当前版本：")
    assert typed("db", "check", **where).stdout.startswith("数据库结构与程序一致：")
    audited = typed("audit", "--json", **where)
    assert audited.returncode == 0
    assert json.loads(audited.stdout)["tickets"] == 0
    assert typed("scheduler", "--once", **where).returncode == 0
    assert typed("explain", "EX-1", **where).stderr == "没有编号为 EX-1 的工单，请核对编号\n"


def test_rules_are_dumped_for_programs():
    dumped = json.loads(typed("rules", "dump").stdout)
    assert list(dumped["workflows"]) == ["exchange", "repair", "refund", "lost_parcel", "bad_review"]


def test_accounts_are_added_listed_and_closed(tmp_path):
    where = {"AFTERSALES_DATABASE_URL": f"sqlite:///{tmp_path}/shop.db"}
    typed("db", "upgrade", **where)
    assert "还没有账号" in typed("user", "list", **where).stdout
    added = typed("user", "add", "羊毛:chen", "陈晓", "--role", "lead", **where)
    assert added.stdout.startswith("已添加 羊毛:chen（陈晓，组长）")
    refused = typed("user", "add", "羊毛：li", "李雯", **where)
    assert (refused.returncode, "英文冒号" in refused.stderr) == (1, True)
    assert "羊毛:chen  陈晓  售后 组长  手上 0 张" in typed("user", "list", **where).stdout
    assert "转出 0 张工单" in typed("user", "deactivate", "羊毛:chen", **where).stdout
    [account] = json.loads(typed("user", "list", "--json", **where).stdout)
    assert (account["login"], account["active"], account["open"]) == ("羊毛:chen", False, 0)
    assert "没有在用的账号" in typed("user", "deactivate", "羊毛:nobody", **where).stderr
