"""The machine of a ticket: drawn, lit, said as a table, and a line of it beside the ticket."""

from __future__ import annotations

import re
from datetime import timedelta
from xml.etree import ElementTree as Xml

import pytest

from aftersales import diagram as drawing_of
from tests.web.conftest import RULES
from tests.web.languages import untranslated
from web import drawing
from web.pages import machine

WORKFLOWS = RULES.catalog.workflows
each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)


@each_workflow
def test_the_drawing_has_every_state_and_way_and_nothing_that_the_content_policy_forbids(workflow):
    drawn = machine.diagram(workflow)
    root = Xml.fromstring(drawn)
    places = {"viewBox", "width", "d", "points", "cx", "cy", "rx", "ry", "x", "y", "transform"}
    allowed = places | {"class", "id", "text-anchor", "role", "aria-label"}
    for element in root.iter():
        assert set(element.attrib) <= allowed, element.attrib
        assert element.tag.rpartition("}")[2] in {"svg", "g", "path", "polygon", "polyline", "ellipse", "text"}
    ids = [element.get("id") for element in root.iter() if (element.get("id") or "").startswith("m-")]
    wanted = [drawing_of.state_id(workflow, state.name) for state in drawing_of.drawn_states(workflow)]
    wanted += [
        drawing_of.edge_id(workflow, one.source.name, one.target.name, clock=one.clock)
        for one in drawing_of.arrows(workflow)
    ]
    assert sorted(ids) == sorted(wanted)
    assert len(set(ids)) == len(ids)


@each_workflow
def test_every_move_is_drawn_or_told_beside_the_drawing(workflow):
    told = {move for arrow in drawing_of.arrows(workflow) for move in arrow.moves} | set(drawing_of.anytime(workflow))
    for move in workflow.moves:
        leads = {target for source in move.sources for target in move.destinations(source)} - set(move.sources)
        if leads and move.sources:
            assert move in told, f"{move.label} is nowhere"


@each_workflow
def test_the_table_has_every_state_with_all_that_leads_out(workflow):
    rows = {row.name: row for row in machine.table(workflow)}
    assert list(rows) == [state.name for state in workflow.states]
    for state in workflow.states:
        labels = [way.label for way in rows[state.name].ways]
        assert labels == [one.label for one in [*workflow.steps_from(state), *workflow.timeouts_from(state)]]


@each_workflow
def test_what_usually_follows_leads_to_an_end_without_going_round(workflow):
    path = drawing_of.expected(workflow, workflow.initial())
    assert path[-1].final
    assert len(set(path)) == len(path)


def test_an_exchange_usually_goes_all_the_way():
    exchange = WORKFLOWS["exchange"]
    assert [state.name for state in drawing_of.expected(exchange, exchange.initial())] == [
        "awaiting_buyer_return", "awaiting_merchant_receipt", "inspecting", "awaiting_reship", "awaiting_buyer_receipt",
        "awaiting_buyer_confirm", "completed",
    ]  # fmt: skip


def test_the_walked_ways_are_lit_and_the_state_is_marked(world, browser):
    number = world.inspecting().number
    page = browser.get(f"/t/{number}/machine")
    lit = re.findall(r'<g id="(m-[^"]+)" class="[^"]*lit', page.html)
    assert "m-exchange-pending_merchant_review--awaiting_buyer_return" in lit
    assert "m-exchange-pending_merchant_review--awaiting_buyer_return--clock" not in lit, "it was a person"
    assert "m-exchange-inspecting--awaiting_reship" not in lit
    (here,) = re.findall(r'<g id="(m-[^"]+)" class="[^"]*here', page.html)
    assert here == "m-exchange-inspecting"
    current = [attributes for tag, attributes in page.tags if tag == "tr" and attributes.get("aria-current")]
    assert len(current) == 1
    assert "限7个24小时" in page.text or "KS-EX-03" in page.text


def test_what_the_clock_did_lights_the_dashed_way(world, browser):
    number = world.open().number
    world.now += timedelta(hours=49)
    world.desk.sweep(world.now)
    lit = re.findall(r'<g id="(m-[^"]+)" class="[^"]*lit', browser.get(f"/t/{number}/machine").html)
    assert "m-exchange-pending_merchant_review--awaiting_buyer_return--clock" in lit
    assert "m-exchange-pending_merchant_review--awaiting_buyer_return" not in lit


def test_without_graphviz_the_table_stands_alone_and_says_so(world, browser, monkeypatch):
    monkeypatch.setattr(drawing, "svg", lambda _dot: "")
    page = browser.get(f"/t/{world.open().number}/machine")
    assert page.status == 200
    assert "这台服务器画不了流程图" in page.text
    assert "待商家审核" in page.text


def test_what_cannot_be_drawn_is_empty_and_not_tried_again(monkeypatch):
    monkeypatch.setattr(drawing, "_drawn", {})
    assert drawing.svg("digraph { this is not") == ""
    assert len(drawing._drawn) == 1


def test_labels_are_escaped():
    assert drawing_of._quoted('a"b\\c\nd') == '"a\\"b\\\\c\\nd"'


def test_the_side_card_shows_where_it_was_and_what_usually_follows(world, browser):
    page = browser.get(f"/t/{world.inspecting().number}")
    stops = [
        attributes
        for tag, attributes in page.tags
        if tag == "li" and attributes.get("class") in ("been", "here", "next")
    ]
    assert [one["class"] for one in stops] == ["been"] * 3 + ["here"] + ["next"] * 4
    assert "中途随时：买家撤销" in page.text


def test_it_is_in_english_too(world, browser):
    number = world.inspecting().number
    browser.client.cookies.set("language", "en")
    assert untranslated(browser.get(f"/t/{number}/machine").html) == []
