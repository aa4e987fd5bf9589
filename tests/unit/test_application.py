"""An installation put together from its settings: a broken rule file never takes the running system down."""

from pathlib import Path

from starlette.testclient import TestClient

import aftersales.policies
from aftersales.application import assemble
from aftersales.policies.vocabulary import Target
from aftersales.settings import Settings
from web.app import create_app

HOUSE = Path(aftersales.policies.__file__).with_name("house.py").read_text(encoding="utf-8")


def first_target(application) -> Target:
    return application.rules().catalog.house.targets[0]


def test_the_operator_s_file_replaces_the_shipped_one_while_the_system_runs(database_url, tmp_path):
    settings = Settings(database_url=database_url, rules_dir=tmp_path)
    application = assemble(settings)
    assert str(first_target(application).within) == "48小时"

    (tmp_path / "house.py").write_text(HOUSE.replace("hours(48)", "hours(12)", 1), encoding="utf-8")
    assert application.book.refresh() == ()
    assert str(first_target(application).within) == "12小时"


def test_a_broken_file_leaves_the_last_good_version_in_force_even_after_a_restart(database_url, tmp_path):
    settings = Settings(database_url=database_url, rules_dir=tmp_path)
    (tmp_path / "house.py").write_text(HOUSE.replace("hours(48)", "hours(12)", 1), encoding="utf-8")
    application = assemble(settings)

    (tmp_path / "house.py").write_text(HOUSE.replace("hours(48)", "hours(48", 1), encoding="utf-8")
    [problem] = application.book.refresh()
    assert "house.py" in str(problem)
    assert str(first_target(application).within) == "12小时"

    restarted = assemble(settings)
    assert str(first_target(restarted).within) == "12小时"
    assert [str(one) for one in restarted.book.problems] == [str(problem)]


def test_what_is_wrong_with_a_rule_file_is_shown_on_the_first_page(sqlite_url, tmp_path):
    (tmp_path / "house.py").write_text("不是规则", encoding="utf-8")
    application = assemble(Settings(database_url=sqlite_url, rules_dir=tmp_path))
    site = create_app(application.desk, application.rules, application.settings, (), lambda: application.book.problems)
    with TestClient(site) as client:
        shown = client.get("/").text
    assert "规则文件有错，没有启用；上一个正确的版本仍然有效：" in shown
    assert "house.py:1" in shown
