"""Saved views: a filter under a name, one's own or everybody's; and what the palette offers."""

import pytest

from aftersales.errors import Refused
from aftersales.office import accounts, views
from tests.web.languages import untranslated

CHEN, LI = "青禾:陈晓", "青禾:李雯"


@pytest.fixture
def people(world):
    for login in (CHEN, LI):
        accounts.add(world.engine, login, login[3:], world.now)


def signed_in(world, login):
    browser = world.browser()
    browser.post("/sign-in", [("login", login)])
    return browser


def save(browser, query, name, **more):
    page = browser.get(f"/views?query={query}")
    (form,) = [form for form in page.forms if form.action == "/views"]
    return browser.send(form, form.filled(name=name, **more))


def test_a_filter_is_kept_and_stands_beside_the_list_with_its_count(world, people):
    world.open()
    world.open("refund", "wechat")
    mine = signed_in(world, CHEN)
    link = next(link for link in mine.get("/?workflow=refund").links if link.startswith("/views?query="))
    answer = save(mine, link.removeprefix("/views?query="), "退款的")
    assert answer.status == 303
    page = mine.get(answer.response.headers["location"])
    assert "退款的1" in page.text
    chosen = [tag["href"] for name, tag in page.tags if name == "a" and tag.get("aria-current") == "page"]
    assert "/?workflow=refund" in chosen


def test_ones_own_are_ones_own_until_they_are_shared(world, people):
    save(signed_in(world, CHEN), "workflow%3Drefund", "陈晓的退款")
    save(signed_in(world, CHEN), "workflow%3Drepair", "大家的维修", shared=["1"])
    page = signed_in(world, LI).get("/").text
    assert "陈晓的退款" not in page
    assert "大家的维修" in page


def test_views_are_renamed_moved_shared_and_removed(world, people):
    browser = signed_in(world, CHEN)
    for name in ("一", "二"):
        save(browser, "mark%3Dlate", name)
    first, second = views.seen_by(world.engine, CHEN)
    browser.post(f"/views/{second.id}", [("do", "up"), ("name", "二")])
    browser.post(f"/views/{first.id}", [("do", "rename"), ("name", "第一")])
    browser.post(f"/views/{first.id}", [("do", "share"), ("name", "第一")])
    assert [(view.name, view.shared) for view in views.seen_by(world.engine, CHEN)] == [("二", False), ("第一", True)]
    browser.post(f"/views/{second.id}", [("do", "remove")])
    assert [view.name for view in views.seen_by(world.engine, CHEN)] == ["第一"]


def test_others_views_cannot_be_changed(world, people):
    save(signed_in(world, CHEN), "mark%3Dlate", "晚了", shared=["1"])
    (view,) = views.seen_by(world.engine, CHEN)
    stranger = signed_in(world, LI)
    for do in ("rename", "share", "keep", "up", "remove"):
        stranger.post(f"/views/{view.id}", [("do", do), ("name", "我的")])
    assert views.seen_by(world.engine, CHEN) == [view]


def test_a_name_is_asked_for_and_has_to_be_new(world, people):
    browser = signed_in(world, CHEN)
    save(browser, "mark%3Dlate", "晚了")
    again = save(browser, "mark%3Dpaused", "晚了")
    assert again.status == 422
    assert "已经有叫「晚了」的视图了，请换个名字" in again.text
    assert "视图要有个名字" in save(browser, "mark%3Dpaused", " ").text
    assert "太长了" in save(browser, "mark%3Dpaused", "长" * 41).text
    assert len(views.seen_by(world.engine, CHEN)) == 1


def test_so_many_views_are_enough(world):
    for number in range(views.MOST):
        views.save(world.engine, CHEN, str(number), "", world.now)
    with pytest.raises(Refused, match="最多存 40 个视图"):
        views.save(world.engine, CHEN, "又一个", "", world.now)


def test_where_nobody_signs_in_views_are_everybodys(world, browser):
    save(browser, "workflow%3Drefund", "退款")
    assert "退款0" in world.browser().get("/").text


def test_a_view_of_what_is_gone_asks_for_what_is_left(world, browser):
    views.save(world.engine, "", "旧", "workflow=gone&shop=77&mark=late", world.now)
    assert "/?mark=late" in browser.get("/").links


def test_views_in_english(world, browser):
    save(browser, "workflow%3Drefund", "退款")
    browser.client.cookies.set("language", "en")
    assert untranslated(browser.get("/views?query=mark%3Dlate").html) == []


# ── palette ──


def test_the_palette_offers_rooms_views_settings_and_steps(world, browser):
    ticket = world.open()
    views.save(world.engine, "", "我们的", "mark=late", world.now)
    offers = browser.client.get(f"/palette.json?ticket={ticket.id}").json()
    assert offers[0]["href"] == f"/t/{ticket.id}/approve"
    assert offers[0]["label"] == "同意换货"
    labels = {offer["label"]: offer for offer in offers}
    assert labels["工单"]["href"] == "/"
    assert labels["我们的"]["href"] == "/?mark=late"
    assert labels["深色"]["choose"] == {"name": "theme", "value": "dark"}
    assert labels["English"]["choose"] == {"name": "language", "value": "en"}


@pytest.mark.parametrize("ticket", ["0", "99", str(10**30)])
def test_a_ticket_that_is_not_there_has_no_steps(browser, ticket):
    answer = browser.client.get(f"/palette.json?ticket={ticket}")
    assert answer.status_code == 200
    assert all(not offer.get("href", "").startswith("/t/") for offer in answer.json())
