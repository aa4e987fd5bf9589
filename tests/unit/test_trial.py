"""A draft of a rule file is judged in a process of its own, and nothing of it reaches this one."""

import subprocess
from datetime import date

import pytest

from aftersales.checking import trial
from aftersales.checking.sources import PACKAGE
from aftersales.checking.trial import try_out

TODAY = date(2026, 10, 2)


def shipped(name):
    return (PACKAGE / "policies" / f"{name}.py").read_text(encoding="utf-8")


def tried(text, name="kuaishou", in_force=None):
    return try_out(name, text, in_force or {}, TODAY)


def test_what_is_in_force_changes_nothing():
    verdict = tried(shipped("kuaishou"))
    assert (verdict.accepted, verdict.problems, verdict.days) == (True, (), ())


def test_a_change_is_told_for_today():
    verdict = tried(shipped("kuaishou").replace("hours(48)", "hours(72)"))
    assert verdict.accepted
    [day] = verdict.days
    assert (day.policy, day.day) == ("kuaishou", TODAY)
    [change] = day.changes
    assert (change.id, change.parts[0].before, change.parts[0].after) == ("KS-EX-01", "48 小时", "72 小时")


def test_a_version_to_come_is_told_for_its_day():
    text = shipped("kuaishou").replace(
        'open_platform = Document(',
        'later = Document("新规", effective="2026-12-01", source="x", checked_on="2026-10-01", partial=True)\n'
        'open_platform = Document(', 1,
    ).replace("documents=[v2022_09_30,", "documents=[v2022_09_30, later,")  # fmt: skip
    text = text.replace(
        '（决定 7）")),', '（决定 7）"),\n         since(later, hours(24), then=Exchange.auto_approve, quote="新")),'
    )
    verdict = tried(text)
    assert verdict.problems == ()
    assert [(day.day, [change.id for change in day.changes]) for day in verdict.days] == [
        (date(2026, 12, 1), ["KS-EX-01"])
    ]


def test_it_is_compared_with_the_operators_own_file_where_that_is_in_force():
    own = shipped("kuaishou").replace("hours(48)", "hours(72)")
    assert tried(own, in_force={"kuaishou": own}).days == ()


def test_the_law_is_told_for_every_platform_that_goes_by_it():
    verdict = tried(shipped("statute").replace("civil_days(7)", "civil_days(8)"), "statute")
    assert verdict.accepted
    assert {day.policy for day in verdict.days} == {"kuaishou", "kuaishou_local", "wechat", "taobao"}


def test_a_new_platform_is_new_in_every_rule():
    text = shipped("taobao").replace('key="taobao"', 'key="pinduoduo"').replace('label="淘宝"', 'label="拼多多"')
    verdict = tried(text, "pinduoduo")
    assert verdict.accepted
    assert {change.how for change in verdict.changes} == {"added"}


def test_a_mistake_names_line_and_remedy_and_shows_no_path_of_this_machine():
    verdict = tried(shipped("kuaishou").replace("hours(48)", "hour(48)"))
    assert not verdict.accepted
    assert [problem.path for problem in verdict.problems] == ["kuaishou.py（草稿）"]
    assert "是不是「hours」" in verdict.problems[0].message
    assert verdict.problems[0].line == shipped("kuaishou").splitlines().index(
        '         since(v2022_09_30, hours(48), then=Exchange.auto_approve,'
    ) + 1  # fmt: skip


def test_a_line_that_running_clocks_refer_to_cannot_be_dropped():
    text = shipped("kuaishou").replace("KS-EX-01", "KS-EX-91")
    verdict = tried(text)
    assert not verdict.accepted
    assert any("KS-EX-01" in problem.message for problem in verdict.problems)


@pytest.mark.parametrize(
    "draft",
    [
        'import os\nos.system("touch {path}")',
        '"""x"""\n__import__("os").system("touch {path}")',
        '"""x"""\nfrom pathlib import Path\nPath("{path}").touch()',
        '"""x"""\nx = [*(().__class__.__base__.__subclasses__())]\nopen("{path}", "w")',
        '"""x"""\nfrom aftersales.policies.vocabulary import sys\nsys.exit(0)',
        '"""x"""\nfrom aftersales.database import create_engine\ncreate_engine("sqlite:///{path}").connect()',
    ],
)
def test_a_program_is_refused_and_never_run(draft, tmp_path):
    path = tmp_path / "harm"
    verdict = tried(draft.format(path=path))
    assert not verdict.accepted
    assert verdict.problems
    assert not path.exists()


@pytest.mark.parametrize("draft", ["", "\x00", "(" * 5000, '"""', "这不是规则", "x = " + "[" * 200 + "]" * 200])
def test_whatever_is_sent_there_is_an_answer(draft):
    assert not tried(draft).accepted


def test_a_draft_that_would_fill_all_memory_is_stopped():
    grow = '"""x"""\na0 = ["x", "x", "x", "x", "x", "x", "x", "x", "x", "x"]\n'
    for number in range(1, 12):
        before = f"*a{number - 1}"
        grow += f"a{number} = [{', '.join([before] * 10)}]\n"
    assert not tried(grow).accepted


def test_a_draft_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(trial, "_WALL_SECONDS", 0.01)
    [problem] = tried(shipped("kuaishou")).problems
    assert problem.message == trial.TOO_LONG


def test_the_process_has_no_environment(monkeypatch):
    monkeypatch.setenv("AFTERSALES_DATABASE_URL", "sqlite:///secret.db")
    asked = {}
    run = subprocess.run

    def watched(*arguments, **rest):
        asked.update(rest)
        return run(*arguments, **rest)

    monkeypatch.setattr(trial.subprocess, "run", watched)
    assert tried(shipped("kuaishou")).accepted
    assert asked["env"] == {}


def test_only_two_are_looked_at_at_a_time(monkeypatch):
    monkeypatch.setattr(trial, "_PATIENCE_SECONDS", 0.01)
    with trial._seats, trial._seats:
        [problem] = tried(shipped("kuaishou")).problems
    assert problem.message == trial.BUSY
    assert tried(shipped("kuaishou")).accepted
