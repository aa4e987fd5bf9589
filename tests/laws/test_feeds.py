"""Laws of feeds: whatever the order, however often, one ticket ends where the platform last said, and pays once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from aftersales import audit, database
from aftersales.feeds import PLATFORMS, compare, kuaidi100
from aftersales.feeds import report as reports
from aftersales.feeds.report import Report
from aftersales.office import said
from tests.conftest import fresh_database
from tests.unit.test_feeds import NOW, RULES, Shop, courier, ks

MINUTE = timedelta(minutes=1)
STATUSES = [10, 12, 20, 30, 40, 50, 60, 70]
messages = st.lists(st.sampled_from(STATUSES), min_size=1, max_size=6)


def ledger(shop):
    with database.reading(shop.desk.engine) as connection:
        return connection.exec_driver_sql("SELECT purpose, amount_fen, status FROM payment").all()


def told(shop, statuses, order, repeats):
    """The messages of `statuses`, each a minute later than the one before, arriving in this order and again."""
    for turn, n in enumerate([*order, *repeats]):
        number = n % len(statuses)
        message = ks(statuses[number], NOW - HORIZON + number * MINUTE, logisticsNo="SF12345678")
        shop.tell("kuaishou", message, message_id=f"s{number}")
        if turn % 2:
            shop.work()
    shop.tell("kuaidi100", courier("SF12345678", "3", NOW), message_id="p1")
    shop.tell("kuaidi100", courier("SF12345678", "3", NOW), message_id="p2")
    shop.work()


HORIZON = timedelta(minutes=30)


@pytest.mark.parametrize("local", [False, True])
@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(statuses=messages, data=st.data())
def test_any_order_and_repetition_ends_where_the_platform_last_said_or_in_a_declared_difference(local, statuses, data):
    order = data.draw(st.permutations(range(len(statuses))))
    repeats = data.draw(st.lists(st.integers(0, 9), max_size=5))
    shop = Shop(fresh_database("sqlite"))
    if local:
        shop.local("refund", kind="return_refund")
    told(shop, statuses, order, repeats)
    [heard] = said.hear(shop.desk.engine, shop.id, [_newest(statuses)], "law")
    report, ticket = Report.from_json(heard.report), shop.ticket()
    differs = compare.differences(report, False, ticket, RULES, NOW)
    assert (ticket.state in report.agree) != bool(differs)
    assert bool(differs) == bool(said.inbox(shop.desk.engine)), "a difference is in the inbox, and nothing else is"
    if not local and all(status < 50 for status in statuses):
        assert ticket.state in report.agree, "nothing was paid or closed, so nothing stands in the way"
    # a parcel that no ticket has named yet is waited for
    assert {one.platform for one in shop.messages() if one.state != "done"} <= {"kuaidi100"}
    assert [row for row in ledger(shop) if row[2] == "ordered"] == [], "a platform's word orders no money"
    assert len(ledger(shop)) <= 1
    assert audit.audit(shop.desk.engine, RULES).ok
    before, paid = ticket.version, ledger(shop)
    told(shop, statuses, order, repeats)
    assert (shop.ticket().version, ledger(shop)) == (before, paid), "the same again changes nothing"


def _newest(statuses):
    last = len(statuses) - 1
    [found] = reports.read(PLATFORMS["kuaishou"], ks(statuses[last], NOW - HORIZON + last * MINUTE), NOW)
    return found.to_json()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["refundId", "status", "info", "data", "lastResult", "nu", "state", "time"]), inner
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_read_or_refused_in_words(message):
    for platform in PLATFORMS.values():
        found = reports.read(platform, message, NOW)
        assert isinstance(found, list) or found.why
        assert isinstance(reports.lane(platform, message), str)
    found = kuaidi100.read(message, NOW)
    assert isinstance(found, list) or found.why
