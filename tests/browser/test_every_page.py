"""Every page of the desk, over a filled demo: it answers, nothing is wrong in the console, no other host is asked, axe
is content in both themes, no Chinese is left in English, and nothing runs out of a phone. One test for each page, so
that they run side by side.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from aftersales import clock
from aftersales.database import create_engine, reading
from aftersales.demo import run_demo
from aftersales.desk import Desk
from aftersales.office import accounts
from aftersales.reports.measures import Measure
from aftersales.settings import Settings
from aftersales.simulate import standard_rules
from tests.browser.conftest import Site, accessible, served, watched
from tests.web.conftest import World
from tests.web.languages import untranslated

#: {type} stands for the number of an open ticket of this type, {account} for the id of somebody who works here
PAGES = [
    "/", "/?workflow=refund&turn=merchant", "/?q=羊毛", "/?q=没有这样的", "/views?query=mark%3Dlate",
    "/new", "/new/exchange", "/new/repair", "/new/refund", "/new/lost_parcel", "/new/bad_review",
    "/t/{exchange}", "/t/{repair}", "/t/{refund}", "/t/{lost_parcel}", "/t/{bad_review}",
    "/t/{review}/reject", "/t/{exchange}/note", "/t/{exchange}/assign", "/t/{exchange}/evidence",
    "/t/{exchange}/machine", "/me", "/shift", "/automation", "/try",
    "/rules", "/rules/kuaishou", "/rules/house", "/rules/kuaishou/rule/KS-EX-01", "/rules/kuaishou/history",
    "/rules/kuaishou/diff", "/rules/check", "/rules/assumed", "/rules/machines", "/rules/machines/refund",
    "/reports", "/reports/tickets?measure={measure}", "/replies", "/replies/new", "/replies/rules/new",
    "/team", "/team/people", "/team/people/{account}", "/team/people/{account}/leave", "/team/groups", "/team/rule",
    "/team/duty", "/team/duty/{account}", "/team/shops", "/team/shops/1", "/team/calendar", "/team/transfer",
    "/team/balance",
]  # fmt: skip
PHONE = {"width": 320, "height": 700}


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Iterator[Site]:
    url = f"sqlite:///{tmp_path_factory.mktemp('every_page') / 'demo.db'}"
    run_demo(url, io.StringIO())
    rules = standard_rules()
    world = World(Desk(create_engine(url), lambda: rules), rules, Settings(database_url=url), clock.now())
    with served(world) as site:
        yield site


@pytest.fixture(scope="module")
def names(demo) -> dict[str, str]:
    """What stands for the names in PAGES."""
    with reading(demo.world.engine) as connection:
        newest = "SELECT workflow, MAX(number) FROM ticket WHERE closed_at IS NULL GROUP BY workflow"
        found = {row[0]: row[1] for row in connection.exec_driver_sql(newest)}
        waiting = "SELECT MAX(number) FROM ticket WHERE state = 'pending_merchant_review' AND workflow = 'exchange'"
        found["review"] = connection.exec_driver_sql(waiting).scalar_one()
    return found | {"measure": Measure.CLOSED.value, "account": str(accounts.everyone(demo.world.engine)[0].id)}


@pytest.mark.parametrize("path", PAGES)
def test_it_is_fit_to_be_worked_in(demo, names, chromium, path):
    address = path.format(**names)
    account = accounts.everyone(demo.world.engine)[0]
    token = accounts.sign_in(demo.world.engine, account, clock.now())
    with watched(chromium, demo.address, viewport=PHONE) as window:
        window.add_cookies([cookie(demo, "session", token), cookie(demo, "language", "en")])
        page = window.new_page()
        answer = page.goto(address)
        assert answer.status == 200
        assert untranslated(answer.text()) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.set_viewport_size({"width": 1280, "height": 900})
        accessible(page)


def cookie(site: Site, name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value, "url": site.address}
