"""An installation put together from its settings: a broken rule file never takes the running system down."""

from pathlib import Path

import aftersales.policies
from aftersales.application import assemble
from aftersales.policies.vocabulary import Target
from aftersales.settings import Settings

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
