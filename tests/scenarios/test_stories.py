"""Every story in this folder, on both databases."""

from pathlib import Path

import pytest

from aftersales import database, scenarios
from aftersales.catalog import built_in
from aftersales.decide import Rules
from aftersales.desk import Desk
from aftersales.work_calendar import WorkCalendar
from tests.conftest import BACKENDS, fresh_database

FILES = sorted(Path(__file__).parent.glob("*.yaml"))
RULES = Rules(built_in(), WorkCalendar.default())


@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_story_holds(file, kind):
    def fresh_desk():
        engine = database.create_engine(fresh_database(kind))
        return Desk(engine, lambda: RULES), RULES

    told = [str(outcome) for outcome in scenarios.run([file], fresh_desk)]
    assert [line for line in told if not line.startswith("PASS")] == []
    assert told
