"""Endpoints, the log, and channels, as people set them up."""

from __future__ import annotations

from aftersales.office import accounts, channels, endpoints
from tests.web.languages import untranslated


def test_an_endpoint_is_added_its_secret_shown_once_and_paused_tested_removed(world, browser):
    world.open()
    form = next(form for form in browser.get("/outbound").forms if form.action == "/outbound")
    answer = browser.send(form, form.filled(url="https://example.com/hook"))
    assert answer.status == 200
    assert "whsec_" in answer.text
    assert answer.response.headers["cache-control"] == "no-store"
    (one,) = endpoints.everything(world.engine)
    assert one.secret not in browser.get("/outbound").html
    for action in ("test", "pause", "resume", "since", "remove"):
        sent = browser.post(f"/outbound/{one.id}/{action}", [("since", "2026-10-01T00:00")])
        assert sent.status == 303, sent.text
        shown = browser.get("/outbound")
        assert shown.status == 200
        assert one.secret not in shown.html
        if action == "test":
            assert "test-1" in shown.text
            assert browser.get("/outbound/delivery/1").status == 200
    assert endpoints.everything(world.engine) == []


def test_an_address_inside_is_refused_in_words_and_kept_in_the_form(world, browser):
    world.open()
    form = next(form for form in browser.get("/outbound").forms if form.action == "/outbound")
    answer = browser.send(form, form.filled(url="https://169.254.169.254/"))
    assert answer.status == 422
    assert "内网或保留的地址" in answer.text
    assert "169.254.169.254" in answer.html
    assert endpoints.everything(world.engine) == []


def test_one_sets_up_ones_own_messages_and_nobody_elses(world, browser):
    for login in ("店:甲", "店:乙"):
        accounts.add(world.engine, login, login[-1], world.now)
    browser.post("/sign-in", [("login", "店:甲")])
    form = next(form for form in browser.get("/me").forms if form.action == "/me/channels")
    assert browser.send(form, form.filled(kind="wecom", target="abcd-1234-secret")).status == 303
    (one,) = channels.of_account(world.engine, accounts.named(world.engine, "店:甲").id)
    assert (one.quiet_from, one.quiet_to, one.events) == (1320, 480, ["escalated", "due_soon", "handed"])
    assert "abcd-1234-secret" not in browser.get("/me").html
    browser.post("/sign-in", [("login", "店:乙")])
    browser.post(f"/me/channels/{one.id}/remove", [])
    assert channels.of_account(world.engine, one.account_id) == [one]
    browser.post("/sign-in", [("login", "店:甲")])
    browser.post(f"/me/channels/{one.id}/remove", [])
    assert channels.of_account(world.engine, one.account_id) == []


def test_strange_addresses_are_not_found(world, browser):
    for path in ("/outbound/delivery/x", "/outbound/delivery/99999999999999999999", "/outbound/delivery/5"):
        assert browser.get(path).status == 404
    assert browser.post("/outbound/7/pause", []).status == 404


def test_in_english(world, browser):
    world.open()
    browser.client.cookies.set("language", "en")
    assert untranslated(browser.get("/outbound").html) == []
    assert untranslated(browser.get("/me").html) == []
