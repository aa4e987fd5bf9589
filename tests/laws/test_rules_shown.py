"""Whatever the day: every rule that holds is shown with its clause, and with exactly the limit the engine would use."""

import re
from collections import defaultdict
from datetime import timedelta
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from aftersales import clocks
from aftersales.catalog import built_in
from aftersales.clock import parse, shown_day
from aftersales.decide import Rules
from aftersales.durations import Duration
from aftersales.policies.vocabulary import Ruling
from aftersales.ticket import Ticket
from aftersales.work_calendar import WorkCalendar
from tests.conftest import fresh_database
from tests.unit.test_rule_queries import with_new_version
from tests.web.conftest import made_world
from web.app import create_app

#: the engine's units, written down a second time
UNITS = {"hours": "{} 小时", "days": "{} 天", "civil_days": "{} 个自然日", "workdays": "{} 个工作日"}
BUILT_IN = Rules(built_in(), WorkCalendar.default())
BOOKS = {"built in": BUILT_IN, "with a version to come": with_new_version("2026-12-01")}
boundaries = st.sampled_from([parse(day) for day in ("2022-09-30", "2022-12-22", "2026-12-01")])
around = st.builds(lambda at, seconds: at + timedelta(seconds=seconds), boundaries, st.integers(-90_000, 90_000))


@pytest.fixture(scope="module")
def client():
    current = {"rules": BUILT_IN}
    world = made_world(fresh_database("sqlite"))
    site = TestClient(create_app(world.desk, lambda: current["rules"], world.settings))
    return site, current


def rows_of(html):
    """The table rows by the id of their rule, tags taken out."""
    found = defaultdict(list)
    for anchor, row in re.findall(r'<tr role="row" id="([^"]+)" class="r(.*?)</tr>', html, re.DOTALL):
        text = unescape(re.sub("<[^>]+>", "", row))
        found[re.sub(r"(?<=\w)-\d$", "", anchor)].append(re.sub(r"\s+", " ", text))
    return found


def limit_shown(limit):
    if limit.within is None:
        return "不限时"
    if isinstance(limit.within, Duration):
        return UNITS[limit.within.unit].format(limit.within.count)
    return limit.within.fact.label


@given(books=st.sampled_from(sorted(BOOKS)), instant=around)
def test_every_rule_is_shown_with_the_limit_the_engine_would_use(client, books, instant):
    site, current = client
    current["rules"] = BOOKS[books]
    ticket = Ticket(id=1, shop_id=1, number="x", workflow="exchange", policy="kuaishou", authority="local",
                    state="x", version=1, opened_at=instant, applied_at=instant, entered_at=instant, applied_seq=1,
                    entered_seq=1, moved_seq=1)  # fmt: skip
    for policy in current["rules"].catalog.policies.values():
        html = site.get(f"/rules/{policy.key}?on={shown_day(instant)}").text
        rows = rows_of(html)
        for rule in policy.rules:
            shown = rows[rule.id]
            if isinstance(rule, Ruling):
                assert bool(shown) or rule.document.begins > instant, rule.id
                continue
            found = clocks.limit_for(rule, policy, ticket, instant)
            if found is None:
                assert not any(rule.label in one for one in shown), rule.id
                continue
            limit, _ = found
            assert any(
                limit_shown(limit) in one and limit.document.title in one and rule.label in one
                and (limit.clause == rule.id or limit.clause in one)
                and (limit.then is None or limit.then.label in one)
                for one in shown
            ), (rule.id, limit_shown(limit), shown)  # fmt: skip
