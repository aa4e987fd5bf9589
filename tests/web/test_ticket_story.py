"""The story of a ticket: what is to come, what happened and by whom, filters, pages, long texts, linked tickets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.web.languages import untranslated


def kinds(page):
    """The classes of the lines of the story."""
    found = [attributes.get("class") or "" for tag, attributes in page.tags if tag == "li"]
    return [one.removeprefix("ev ") for one in found if one.startswith("ev")]


def test_what_the_clock_will_do_stands_on_top_hollow_with_its_clause(world, browser):
    page = browser.get(f"/t/{world.open().number}")
    assert kinds(page)[:3] == ["next"] * 3
    assert "将要发生系统 将执行「逾期未处理，视为同意换货」没有人处理才会发生 · 商家处理换货申请 KS-EX-01" in page.text
    assert "/rules/kuaishou#KS-EX-01" in page.links
    assert page.text.rindex("到期前 4 小时") < page.text.rindex("到期前 24 小时"), "the farthest on top"


def test_a_closed_ticket_has_nothing_to_come(world, browser):
    ticket = world.open()
    world.do(ticket, "cancel", "buyer")
    page = browser.get(f"/t/{ticket.number}")
    assert "将要发生" not in page.text
    assert "时限结束 商家处理换货申请，还剩 48 小时 没有用" in page.text


def test_a_clock_is_paused_and_goes_on(world, browser):
    ticket = world.open()
    for trigger, actor, facts in (
        ("approve", "agent", {}), ("submit_return_waybill", "buyer", {"waybill_no": "SF00000011"}),
        ("accept_and_reship", "agent", {"waybill_no": "SF00000012"}), ("new_item_signed", "system", {}),
    ):  # fmt: skip
        world.do(ticket, trigger, actor, **facts)
    world.now += timedelta(days=3)
    world.do(ticket, "report_reship_problem", "buyer", issue="lost")
    page = browser.get(f"/t/{ticket.number}")
    assert "时限暂停" in page.text
    assert "暂停着，还剩 7 天" in page.text
    world.now += timedelta(hours=1)
    world.do(ticket, "reship_found", "system")
    page = browser.get(f"/t/{ticket.number}")
    assert "时限继续" in page.text
    assert "本单的换货包裹" in page.text


def test_both_times_are_told_when_we_learned_later(world, browser):
    ticket = world.open()
    world.do(ticket, "approve")
    world.do(ticket, "submit_return_waybill", "buyer", waybill_no="SF00000011")
    world.now += timedelta(days=2)
    world.do(ticket, "return_signed", "system", occurred_at=world.now - timedelta(hours=1))
    assert "13:3214:32 收到" in browser.get(f"/t/{ticket.number}").text


@pytest.mark.parametrize(
    ("chosen", "there", "gone"),
    [
        ("people", "写了备注", "时限开始"), ("clock", "时限开始", "写了备注"), ("note", "写了备注", "申请换货 →"),
        ("evidence", "登记了凭证", "写了备注"), ("nonsense", "写了备注", "\0"),
    ],
)  # fmt: skip
def test_filters_are_links_and_keep_to_what_they_say(world, browser, chosen, there, gone):
    ticket = world.open()
    world.do(ticket, "note", text="库房还有 2 双")
    world.do(ticket, "add_evidence", kind="photo")
    page = browser.get(f"/t/{ticket.number}?story={chosen}")
    story = page.text[page.text.index("经过 全部") : page.text.index("走到哪一步")]
    assert there in story
    assert gone not in story
    assert f"/t/{ticket.number}?story=note#story-h" in page.links


def test_long_stories_come_in_pages_that_miss_and_repeat_nothing(world, browser):
    ticket = world.open()
    for number in range(230):
        world.do(ticket, "note", text=f"第{number:03}条备注")
    address, seen = f"/t/{ticket.number}?story=note", []
    for _ in range(4):
        page = browser.get(address)
        seen += [word for word in (f"第{number:03}条备注" for number in range(229, -1, -1)) if word in page.text]
        address = next((link for link in page.links if "before=" in link), "")
        if not address:
            break
        assert "更早的" in page.text
    assert seen == [f"第{number:03}条备注" for number in range(229, -1, -1)]
    assert "回到最新的" in page.text


@pytest.mark.parametrize("before", ["0", "abc", "9" * 40, "²", "-1", ""])
def test_a_page_of_nowhere_is_no_error(world, browser, before):
    assert browser.get(f"/t/{world.open().number}?before={before}").status == 200


def test_long_texts_are_folded_and_whole(world, browser):
    ticket, text = world.open(), "很长的备注。" * 3000
    world.do(ticket, "note", text=text)
    page = browser.get(f"/t/{ticket.number}")
    assert text in page.html
    assert '<details class="d long">' in page.html


def test_money_that_was_ordered_is_part_of_the_story(world, browser):
    ticket = world.open("refund", kind="unshipped", reason="other")
    world.do(ticket, "approve_refund")
    assert "系统 下达退款 ¥329.00（等待打款）" in browser.get(f"/t/{ticket.number}").text


def test_tickets_of_the_same_order_and_buyer_stand_beside_it_and_those_of_others_do_not(world, browser):
    first, second, stranger = world.open(), world.open(), world.open(shop="另一家")
    page = browser.get(f"/t/{first.id}")
    assert "这位买家的其他工单" in page.text
    assert f"/t/{second.id}" in page.links
    assert f"/t/{stranger.id}" not in page.links
    converted = world.do(first, "convert_to_refund", evidence=["chat_log"])
    page = browser.get(f"/t/{converted.id}")
    assert "由本单转出" in page.text
    refund = next(link for link in page.links if link.removeprefix("/t/").isdecimal() and link != f"/t/{second.id}")
    assert "本单由它转来" in browser.get(refund).text


def test_the_story_is_in_english_too(world, browser):
    ticket = world.inspecting()
    world.do(ticket, "note", text="库房")
    browser.client.cookies.set("language", "en")
    html = browser.get(f"/t/{ticket.number}").html
    story = html[html.index('aria-labelledby="story-h"') : html.index('aria-labelledby="map-h"')]
    assert untranslated(f"<html lang='en'><body>{story}") == []
