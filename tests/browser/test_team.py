"""The team's room in a real browser: from a new colleague to the first ticket that finds them."""

import pytest
from playwright.sync_api import expect

from aftersales import clock
from aftersales.office import accounts, duty, teams
from aftersales.routing import Rule
from tests.browser.conftest import accessible


@pytest.fixture
def office(site):
    world = site.world
    world.chen = accounts.add(world.engine, "羊毛:chen", "陈晓", world.now, role="lead")
    world.swaps = teams.add(world.engine, "换货组", members=[world.chen.id])
    teams.put_rule(world.engine, Rule("换货", world.swaps, workflow="exchange"), world.now, "羊毛:chen")
    return world


def test_a_new_colleague_is_put_on_duty_and_gets_the_next_ticket(office, page):
    page.goto("/team/people")
    page.get_by_label("账号名").fill("羊毛:wang")
    page.get_by_label("姓名").fill("王子涵")
    page.get_by_role("button", name="添加账号").click()
    expect(page.get_by_role("status").filter(has_text="已添加。")).to_be_visible()
    page.goto("/team/groups/1")
    page.get_by_label("王子涵").check()
    page.get_by_role("button", name="保存").click()
    page.goto("/team/duty")
    page.get_by_role("link", name="改每周 王子涵").click()
    for day in ("周一", "周二", "周三", "周四", "周五", "周六", "周日"):
        page.get_by_label(f"{day}第 1 班上班").fill("00:00")
        page.get_by_label(f"{day}第 1 班下班").fill("00:00")
    page.get_by_role("button", name="保存排班").click()
    expect(page.get_by_role("status").filter(has_text="已保存。")).to_be_visible()
    office.now = clock.now()
    assert office.open().owner == "羊毛:wang"
    page.goto("/team/groups?workflow=exchange&shop=1")
    expect(page.locator("#try").get_by_role("status")).to_contain_text("分给 王子涵")


def test_every_page_of_the_team_is_accessible(office, page):
    duty.plan_week(office.engine, office.chen.id, [(day, 9 * 60, 18 * 60) for day in range(7)])
    office.open()
    office.open("refund")
    page.goto("/me")
    page.get_by_role("button").filter(has_text="羊毛:chen").click()
    for path in (
        "/team", "/team/people", "/team/groups?workflow=exchange&shop=1", "/team/duty", "/team/shops", "/team/duty/1",
        "/team/calendar?start=2026-09-29T14:20&n=7&unit=workdays", "/team/transfer?owner=none", "/team/people/1/leave",
        "/team/rule",
    ):  # fmt: skip
        page.goto(path)
        accessible(page)


def test_nothing_scrolls_sideways_on_a_phone(office, page):
    duty.plan_week(office.engine, office.chen.id, [(day, 22 * 60, 30 * 60) for day in range(7)])
    page.set_viewport_size({"width": 320, "height": 700})
    for path in (
        "/team",
        "/team/people",
        "/team/groups",
        "/team/duty",
        "/team/shops",
        "/team/duty/1",
        "/team/calendar",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
