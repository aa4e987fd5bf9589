"""The control that moves the clock: on every page of a training ground, nowhere else."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from aftersales import clock
from aftersales.sandbox import Sandbox, make
from tests.web.conftest import Browser, made_world
from tests.web.languages import untranslated
from web.app import create_app


@pytest.fixture(scope="module")
def ground_url(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('ground')}/sandbox.db"
    make(url)
    return url


@pytest.fixture
def ground(ground_url):
    world = made_world(ground_url)
    sandbox = Sandbox(world.desk)
    yield Browser(TestClient(create_app(world.desk, lambda: world.rules, world.settings, sandbox=sandbox)))
    clock.run_ahead(timedelta())


def control(page):
    return next(form for form in page.forms if form.action == "/sandbox/forward")


def forward(ground, way):
    """Land where the server sends one."""
    form = control(ground.get("/new"))
    answer = ground.send(form, [*form.values, ("way", way)])
    assert answer.response.headers["location"] == "/sandbox"
    return ground.get("/sandbox")


def test_every_page_says_that_this_is_training_and_how_far_ahead_it_is(ground):
    assert "训练场" in ground.get("/new").text
    assert "系统做了" in forward(ground, "48h").text
    assert "比真实时间快" in ground.get("/new").text


def test_what_happened_on_the_way_is_listed_with_its_rule(ground):
    went = forward(ground, "next")
    assert "KS-" in went.html or "WX-" in went.html or "HS-" in went.html
    assert "系统做了 0 步" not in went.text


def test_a_double_click_goes_forward_once(ground):
    form = control(ground.get("/new"))
    before = clock.now()
    for _ in range(2):
        ground.send(form, [*form.values, ("way", "10d")])
    assert timedelta(days=9, hours=23) < clock.now() - before < timedelta(days=11)


def test_a_way_that_does_not_exist_is_a_step_to_the_next_event(ground):
    assert "系统做了" in forward(ground, "backwards").text


def test_in_english(ground):
    ground.client.cookies.set("language", "en")
    assert not [left for left in untranslated(ground.get("/sandbox").html) if "训练" in left or "快进" in left]


def test_real_desks_have_no_such_thing(browser):
    assert browser.get("/sandbox").status == 404
    assert browser.post("/sandbox/forward", [("way", "10d")]).status == 404
    assert "训练场" not in browser.get("/new").text
