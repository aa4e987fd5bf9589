"""Which rules open tickets go by: on both databases, and against what the engine then does."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aftersales.catalog import Catalog, built_in
from aftersales.clock import parse, shown_day
from aftersales.decide import Rules
from aftersales.durations import days
from aftersales.policies.kuaishou import KUAISHOU
from aftersales.policies.vocabulary import Document, Policy, Rule, since
from aftersales.queries.rules import going, next_under, rule_files
from aftersales.rule_changes import coming
from aftersales.rule_files import StoredRuleFiles
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows.exchange import Exchange
from tests.conftest import fresh_database
from tests.web.conftest import made_world

NOW = parse("2026-10-02 14:32:00")


def with_new_version(effective):
    """Kuaishou with another time to send goods back, from that day on."""
    new = Document("新规", effective=effective, source="x", partial=True)
    rules = [
        rule
        if rule.id != "KS-EX-02"
        else Rule(rule.id, rule.label, list(rule.states), *rule.history,
                  since(new, days(7), then=Exchange.return_timeout, quote="七日"))
        for rule in KUAISHOU.rules
    ]  # fmt: skip
    policy = Policy("kuaishou", "快手小店", [*KUAISHOU.documents, new], rules)
    base = built_in()
    return Rules(Catalog(base.workflows, {**base.policies, "kuaishou": policy}, base.house), WorkCalendar.default())


def test_every_open_ticket_is_counted_once_under_its_first_clock(database_url):
    world = made_world(database_url)
    for _ in range(3):
        world.open()
    world.inspecting()
    world.open(policy="taobao", workflow="refund", kind="return_refund")
    closed = world.open()
    world.do(closed, "cancel", "buyer")
    found = {(row.policy, row.state, row.rule_id, row.rule_version): row.count for row in going(world.engine)}
    assert found == {
        ("kuaishou", "pending_merchant_review", "KS-EX-01", "2022-09-30"): 3,
        ("kuaishou", "inspecting", "KS-EX-03", "2022-09-30"): 1,
        ("taobao", "pending_merchant_review", None, None): 1,
    }


def test_a_ticket_whose_clock_runs_out_under_the_new_version_is_found(database_url):
    world = made_world(database_url, with_new_version("2026-10-04"))
    later, sooner = world.open(), world.open(ago=20)  # due 10-04 14:32, and 10-03 18:32
    world.inspecting()  # an escalation starts no clock
    [one] = coming(world.rules.catalog.policies["kuaishou"], NOW)
    count, [found] = next_under(world.engine, "kuaishou", one.begins, one.leading)
    assert (count, found.number, found.due_at) == (1, later.number, later.due_at)
    assert found.rule_id == "KS-EX-01"
    assert sooner.due_at < one.begins
    assert next_under(world.engine, "wechat", one.begins, one.leading) == (0, [])


def test_only_the_first_few_are_listed(database_url):
    world = made_world(database_url, with_new_version("2026-10-04"))
    numbers = [world.open(ago=minutes / 60).number for minutes in (3, 2, 1)]
    [one] = coming(world.rules.catalog.policies["kuaishou"], NOW)
    count, found = next_under(world.engine, "kuaishou", one.begins, one.leading, limit=2)
    assert (count, [row.number for row in found]) == (3, numbers[:2])


def test_where_nothing_leads_to_the_new_version_nothing_is_asked(database_url):
    assert next_under(made_world(database_url).engine, "kuaishou", NOW, ()) == (0, [])


def test_rule_files_in_force_with_the_time_since_when(database_url):
    world = made_world(database_url)
    assert rule_files(world.engine) == []
    StoredRuleFiles(world.engine).put("kuaishou", "text")
    [file] = rule_files(world.engine)
    assert (file.name, file.text) == ("kuaishou", "text")
    assert file.accepted_at.tzinfo is not None


@pytest.mark.parametrize("kind", ["sqlite"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(opened=st.integers(0, 48 * 3600 - 60), ahead=st.integers(1, 3))
def test_who_is_announced_is_who_gets_the_new_version(kind, opened, ahead):
    """The law of the notice: a ticket is in it exactly if the clock that starts next is one of the new version."""
    day = shown_day(NOW) + timedelta(days=ahead)
    world = made_world(fresh_database(kind), with_new_version(day.isoformat()))
    ticket = world.open(ago=opened / 3600)
    [one] = coming(world.rules.catalog.policies["kuaishou"], NOW)
    count, _ = next_under(world.engine, "kuaishou", one.begins, one.leading)
    world.desk.sweep(ticket.due_at + timedelta(seconds=1))
    after = world.ticket(ticket.number)
    assert after.state == "awaiting_buyer_return"
    assert (after.clocks[0].version == day.isoformat()) == (count == 1)
