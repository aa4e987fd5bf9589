"""What /metrics tells, and that asking costs little."""

from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from aftersales import database, store
from aftersales.meters import BOUNDS, counted, read
from aftersales.scheduler import Scheduler
from tests.web.conftest import made_world


def told(browser):
    """By name and labels: the value."""
    answer = browser.client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name.removeprefix("aftersales_"), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_what_the_clock_did_and_what_waits(kind, request, clock):
    world = clock(made_world(request.getfixturevalue(f"{kind}_url")))
    browser = world.browser()
    for hours in (48.01, 49, 50):
        world.open(ago=hours)
    waiting = told(browser)
    assert waiting["alarms_overdue", ("kind", "clock")] == 3
    assert waiting["alarms_overdue_oldest_seconds",] >= 2 * 3600
    assert waiting["alarms_fired_total",] == 0
    Scheduler(world.desk, name="one").run_once(world.now)
    found = told(browser)
    assert found["database_up",] == 1
    assert found["alarms_fired_total",] == 3
    assert found["alarm_lateness_seconds_count",] == 3
    assert found["alarm_lateness_seconds_bucket", ("le", "60.0")] == 1
    assert found["alarm_lateness_seconds_bucket", ("le", "+Inf")] == 3
    assert found["alarm_lateness_last_hour_seconds", ("quantile", "1")] == 2 * 3600 - 1
    assert found["alarms_overdue", ("kind", "clock")] == 0
    assert found["scheduler_last_round_timestamp_seconds", ("name", "one")] == world.now.timestamp()
    assert found["next_alarm_timestamp_seconds",] == world.desk.next_alarm().timestamp()
    assert found["outbox_unsent",] > 0
    assert ("payments", ("status", "failed")) in found


def test_counts_go_up_over_schedulers(world, browser):
    for number in range(2):
        world.open(ago=48.01)
        Scheduler(world.desk, name=f"number {number}").run_once(world.now)
    assert told(browser)["alarms_fired_total",] == 2


def test_requests_are_counted_by_template(world, browser):
    ticket = world.open()
    browser.get(f"/t/{ticket.number}")
    browser.get("/t/EX-990101-0001")
    browser.client.get("/nowhere/13800138000")
    browser.client.request("BREW", "/healthz")
    found = told(browser)
    seen = {
        (labels[1][1], labels[2][1]): value
        for (name, *labels), value in found.items()
        if name == "request_seconds_count"
    }
    assert seen["/t/{name}", "200"] == 1
    assert seen["/t/{name}", "404"] == 1
    assert seen["-", "404"] == 1
    assert "13800138000" not in browser.client.get("/metrics").text


def test_without_a_database_it_still_tells_of_itself(clock, tmp_path):
    world = clock(made_world(f"sqlite:///{tmp_path}/nowhere/at_all.db"))
    found = told(world.browser())
    assert found["database_up",] == 0
    assert ("live_streams",) in found
    assert ("database_connections_in_use",) in found


def test_what_it_asks_is_bounded(world, browser):
    statements = []
    event.listen(world.engine, "before_cursor_execute", lambda *all: statements.append(" ".join(all[2].split())))
    told(browser)
    assert len(statements) <= 15
    for one in statements:
        small = "FROM meter" in one or "max(" in one
        assert small or "LIMIT" in one or "ticket_event.id >" in one, one


def test_a_stopped_scheduler_is_not_among_the_living(world, browser):
    with database.writing(world.engine) as connection:
        for name, note in (("gone", "stopped"), ("here", "")):
            store.beat(connection, name, started_at=world.now, at=world.now - timedelta(seconds=1), note=note)
    named = [labels[0][1] for (name, *labels) in told(browser) if name == "scheduler_last_round_timestamp_seconds"]
    assert named == ["here"]


def test_every_lateness_falls_into_one_bucket():
    late = [0.0, 0.1, 0.100001, 5.0, 3600.0, 9999.0]
    meters = read(counted(late, set_aside=2))
    assert (meters.fired, meters.set_aside) == (6, 2)
    assert dict(meters.buckets) == {
        **{str(bound): sum(one <= bound for one in late) for bound in BOUNDS}, "+Inf": 6,
    }  # fmt: skip
    assert meters.seconds == pytest.approx(sum(late), abs=0.001)
