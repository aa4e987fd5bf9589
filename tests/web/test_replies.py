"""Canned replies and forbidden promises: the card of a ticket, the ear on its forms, the pages of both."""

from __future__ import annotations

import pytest

from aftersales.office import promises, replies
from tests.web.conftest import BROWSER_SAYS, Page
from tests.web.languages import untranslated


def post(browser, path, **given):
    return Page(browser.client.post(path, data=given, headers=BROWSER_SAYS, follow_redirects=False))


def reply_id(world, title):
    return next(one.id for one in replies.everyone(world.engine) if one.title == title)


# ── the card ──


def test_the_card_offers_the_replies_of_the_state_with_the_tickets_values_in_them(world, browser):
    page = browser.get(f"/t/{world.open().number}")
    assert "梅子酱您好，马丁靴的换货申请收到了，我们会在 10 月 4 日 14:32 前给您答复" in page.text
    assert "请补鞋底和吊牌照片" in page.text
    assert "已收到退款申请" not in page.text


def test_an_inserted_reply_is_counted(world, browser):
    number = reply_id(world, "感谢配合")
    assert browser.client.post(f"/replies/{number}/used", headers=BROWSER_SAYS).status_code == 204
    assert replies.one(world.engine, number).used == 1


# ── an ear on what is said ──


def test_a_doubtful_text_is_marked_and_may_be_sent_by_whoever_insists(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/record_contact").form
    answer = browser.send(form, form.filled(channel="im", summary="您加我微 信，我保证合适"))
    assert answer.status == 422
    assert "<mark>微 信</mark>" in answer.html
    assert "OP-09" in answer.text
    assert answer.form.get("summary") == "您加我微 信，我保证合适"
    assert len(world.events(number)) == 1
    insisting = [*answer.form.values, ("_insists", "yes")]
    assert browser.send(answer.form, insisting).status == 303
    assert {hit.rule for hit in promises.open_hits(world.engine)} == {"微信", "保证"}


def test_what_must_not_be_said_cannot_be_insisted_on(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/record_contact").form
    answer = browser.send(form, [*form.filled(channel="im", summary="好评返现"), ("_insists", "yes")])
    assert answer.status == 422
    assert "不能说的：返现" in answer.text
    assert "_insists" not in answer.html
    assert len(world.events(number)) == 1


def test_a_note_that_the_buyer_does_not_read_may_say_anything(world, browser):
    number = world.open().number
    browser.do(f"/t/{number}/note", text="买家想要返现，已拒绝")
    assert promises.open_hits(world.engine) == []


def test_the_contact_given_along_with_a_step_is_heard_too(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/reject").form
    answer = browser.send(form, form.filled(reason_code="20", _summary="加微信聊", _evidence=["photo"]))
    assert answer.status == 422
    assert "<mark>微信</mark>" in answer.html
    assert len(world.events(number)) == 1, "nothing is half done"


def test_a_text_is_checked_while_it_is_typed(browser):
    assert "<mark>返 现</mark>" in post(browser, "/replies/check", text="好评有礼，返 现").html
    assert post(browser, "/replies/check", text="您好").html.strip() == ""
    assert post(browser, "/replies/check?policy=taobao", text="淘宝规则").html.strip() == ""


# ── the pages ──


def test_a_reply_is_written_changed_and_deleted(world, browser):
    form = browser.get("/replies/new?place=exchange.inspecting").form
    assert form.get("place") == "exchange.inspecting"
    assert browser.send(form, form.filled(title="验货中", text="{买家}您好😀")).status == 303
    made = reply_id(world, "验货中")
    assert (replies.one(world.engine, made).workflow, replies.one(world.engine, made).state) == (
        "exchange",
        "inspecting",
    )
    edit = next(form for form in browser.get(f"/replies/{made}").forms if form.action == f"/replies/{made}")
    assert browser.send(edit, edit.filled(place="", text="改过")).status == 303
    changed = replies.one(world.engine, made)
    assert (changed.title, changed.text, changed.workflow, changed.state) == ("验货中", "改过", None, None)
    assert post(browser, f"/replies/{made}/delete").status == 303
    assert replies.one(world.engine, made) is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"title": "", "text": "您好"}, "还缺：标题"),
        ({"title": "变量", "text": "{快递员}"}, "没有「快递员」这个变量"),
        ({"title": "坏", "text": "加薇信"}, "「薇信」不能写"),
        ({"title": "长", "text": "字" * 3000}, "最多 2000 字"),
    ],
)
def test_a_reply_that_cannot_be_kept_comes_back_as_it_was_typed(world, browser, given, sentence):
    before = len(replies.everyone(world.engine))
    answer = post(browser, "/replies/new", **given)
    assert answer.status == 422
    assert sentence in answer.text
    assert answer.form.get("text") == given["text"]
    assert len(replies.everyone(world.engine)) == before


def test_a_rule_is_added_tried_changed_and_deleted(world, browser):
    form = browser.get("/replies/rules/new").form
    given = form.filled(
        label="差价", include="补差价\n私下补", exclude="不补差价", reason="走平台", instead="发补差链接"
    )
    assert browser.send(form, given).status == 303
    (rule,) = promises.own_rules(world.engine)
    assert (rule.include, rule.exclude) == (("补差价", "私下补"), ("不补差价",))
    page = browser.get("/replies?text=可以私 下补")
    assert "<mark>私 下补</mark>" in page.html
    assert "发补差链接" in page.text
    bad = post(browser, f"/replies/rules/{rule.id}", label="差价", regex="(")
    assert (bad.status, "表达式看不懂" in bad.text) == (422, True)
    assert post(browser, f"/replies/rules/{rule.id}/delete").status == 303
    assert promises.own_rules(world.engine) == []


def test_a_lead_judges_what_went_out(world, browser):
    ticket = world.open()
    hits = promises.find("加微信")
    promises.note_hits(world.engine, hits, "加微信", shop_id=1, ticket_id=ticket.id, account="店:小林", at=world.now)
    page = browser.get("/replies")
    assert "等组长复核" in page.text
    assert (
        post(browser, f"/replies/hits/{promises.open_hits(world.engine)[0].id}", verdict="false_positive").status == 303
    )
    assert "等组长复核" not in browser.get("/replies").text


@pytest.mark.parametrize(
    "path", ["/replies/999", "/replies/abc", "/replies/0", "/replies/rules/999", "/replies/" + "9" * 40]
)
def test_what_is_not_there_is_a_404(browser, path):
    assert browser.get(path).status == 404


def test_the_pages_are_in_english_too(world, browser):
    browser.client.cookies.set("language", "en")
    for path in ("/replies?text=好评返现", "/replies/new", "/replies/1", "/replies/rules/new"):
        assert untranslated(browser.get(path).html) == [], path
    refused = post(browser, "/replies/new", title="坏", text="加薇信")
    assert untranslated(refused.html) == []
