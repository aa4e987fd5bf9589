"""healthz: the process answers. readyz: it can do its work, else the reasons."""

import dataclasses
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from aftersales import clock as time
from aftersales import database, store
from aftersales.scheduler import Scheduler
from tests.web.conftest import made_world
from web.app import create_app


def beat(world, age=0.0):
    with database.writing(world.engine) as connection:
        store.beat(connection, "one", started_at=world.now, at=world.now - timedelta(seconds=age))


def ready(browser):
    response = browser.client.get("/readyz")
    return response.status_code, response.json()["reasons"]


def test_the_process_answers_whatever_the_database_does(world, browser):
    assert browser.client.get("/healthz").json() == {"ok": True}
    assert browser.client.head("/healthz").status_code == 200


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_ready_with_a_database_and_a_scheduler_that_was_just_there(kind, request, clock):
    world = clock(made_world(request.getfixturevalue(f"{kind}_url")))
    assert ready(world.browser()) == (503, ["scheduler: none has run yet"])
    beat(world, age=14)
    assert ready(world.browser()) == (200, [])
    beat(world, age=16)
    assert ready(world.browser()) == (503, ["scheduler: last round 16 s ago"])


def test_any_of_several_schedulers_will_do(world, browser):
    beat(world, age=60)
    with database.writing(world.engine) as connection:
        store.beat(connection, "two", started_at=world.now, at=world.now)
    assert ready(browser) == (200, [])


def test_one_that_was_stopped_on_purpose_says_nothing_of_the_others(world, browser):
    with database.writing(world.engine) as connection:
        store.beat(connection, "two", started_at=world.now, at=world.now, note="stopped")
    assert ready(browser) == (503, ["scheduler: stopped on purpose, and none is at work"])
    beat(world, age=60)
    assert ready(browser) == (503, ["scheduler: last round 60 s ago"])
    beat(world, age=1)
    assert ready(browser) == (200, [])


def test_every_reason_has_its_line(world, browser, monkeypatch, tmp_path):
    beat(world)
    monkeypatch.setattr("web.assets.missing", lambda: ["htmx.min.js"])
    (tmp_path / "file").write_text("")
    settings = world.settings.model_copy(update={"evidence_dir": tmp_path / "file" / "evidence"})
    site = browser.client.app.state.site
    browser.client.app.state.site = dataclasses.replace(site, settings=settings)
    assert ready(browser) == (
        503,
        [
            "assets: htmx.min.js missing, install the package again",
            f"evidence: {tmp_path}/file is no folder",
        ],
    )


def test_not_ready_when_the_schema_is_another(world, browser):
    beat(world)
    with world.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER i28_payment_no_delete")
    assert ready(browser) == (503, ["schema: missing: trigger i28_payment_no_delete"])
    with world.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0'")
    status, (reason,) = ready(browser)
    assert status == 503
    assert reason.startswith("schema: version 0, wanted ")


def test_not_ready_without_a_database(clock, tmp_path):
    world = clock(made_world(f"sqlite:///{tmp_path}/nowhere/at_all.db"))
    assert ready(world.browser()) == (503, ["database: OperationalError"])


def test_the_scheduler_lives_as_long_as_the_site(sqlite_url):
    world = made_world(sqlite_url)
    world.now = time.now()
    ticket = world.open(ago=48.01)
    scheduler = Scheduler(world.desk, poll_seconds=0.05)
    with TestClient(create_app(world.desk, lambda: world.rules, world.settings, scheduler)) as client:
        assert client.get("/healthz").status_code == 200
        for _ in range(200):
            if scheduler.status.fired:
                break
            scheduler._stopping.wait(0.05)
        assert client.get("/readyz").json() == {"ok": True, "reasons": []}
    assert world.ticket(ticket.number).state == "awaiting_buyer_return"
    assert not scheduler.status.running
