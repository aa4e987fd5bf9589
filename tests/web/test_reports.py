"""The reports page: every figure opens its tickets, every table is a file, nothing in it runs in a spreadsheet."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import timedelta

import pytest
from python_calamine import CalamineWorkbook

from aftersales.desk import Command
from aftersales.reports.sheets import Sheet, as_csv, as_xlsx
from tests.web.languages import untranslated

HOUR = timedelta(hours=1)


@pytest.fixture
def month(world):
    """Met, missed, answered at once, paid by the clock and by an agent."""
    met, missed = world.open(ago=20), world.open(ago=60)
    refund = world.open("refund", "wechat", kind="shipped_refund_only", amount_fen=1200, ago=60)
    world.desk.do(Command(met.id, "approve", "agent", met.opened_at + HOUR, {}, actor_name="店:陈晓"))
    world.desk.do(Command(missed.id, "assign", "agent", missed.opened_at + HOUR, {"agent": "=cmd|calc"}))
    world.desk.sweep(missed.opened_at + 48 * HOUR + timedelta(seconds=1))
    return {"met": met, "missed": missed, "refund": refund}


def behind(browser, page, measure):
    """The numbers of the tickets that the first figure of this measure opens."""
    link = next(link for link in page.links if f"measure={measure}&" in link)
    return {link.rpartition("/")[2] for link in browser.get(link).links if link.startswith("/t/")}


def test_every_figure_opens_its_tickets(browser, month):
    page = browser.get("/reports?period=quarter")
    assert behind(browser, page, "missed_merchant") == {str(month["missed"].id), str(month["refund"].id)}
    assert behind(browser, page, "paid_by_robot") == {str(month["refund"].id)}
    assert str(month["met"].id) in behind(browser, page, "met")
    assert "¥12.00" in page.text
    for link in {link for link in page.links if link.startswith("/reports/tickets")}:
        assert browser.get(link).status == 200


def test_every_number_is_the_number_of_rows_that_it_opens(browser, world, month):
    world.desk.do(Command(month["met"].id, "assign", "agent", month["met"].opened_at + 2 * HOUR, {"agent": "店:李雯"}))
    browser.get("/reports")
    page = browser.get("/reports?period=quarter")
    found = re.findall(r'<a href="(/reports/tickets[^"]*)">(?:新开 |办结 |商家超时 )?([0-9]+)\s*</a>', page.html)
    assert len(found) > 12
    for link, number in found:
        listed = browser.get(html.unescape(link)).html
        assert listed.count("<tr><td") == int(number), link


def test_a_period_that_is_not_over_is_compared_with_as_many_days_of_the_one_before(browser, world):
    for day, found in (
        ("2026-10-02", ("2026-09-01", "2026-09-02", "上月同期")),
        ("2026-02-10", ("2026-01-01", "2026-01-31", "上月")),
    ):
        asked = _asked_for(browser, day)
        assert (
            asked.earlier_scope.first.isoformat(),
            asked.earlier_scope.last.isoformat(),
            asked.earlier_name,
        ) == found


def _asked_for(browser, day):
    from web.pages.reports import _asked

    return _asked(browser.client.app.state.site, {"period": "month", "day": day})


def test_the_way_back_from_tickets_leads_to_the_report_they_are_of(browser, world):
    page = browser.get("/reports/tickets?measure=opened&from=2026-07-01&to=2026-09-30&workflow=exchange")
    assert "/reports?period=quarter&day=2026-07-01&workflow=exchange" in page.links


def test_a_period_without_tickets_has_no_figures_and_no_zeros_for_shares(browser, world):
    page = browser.get("/reports?period=day&day=2020-01-01")
    assert page.status == 200
    assert "按时率—" in page.text.replace(" ", "")
    assert "0.0%" not in page.text.replace(" ", "")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("period=day&day=2026-10-02", "2026-10-02"),
        ("period=month&day=2026-02-28", "2026-02"),
        ("period=quarter&day=2026-12-31", "2026 年第 4 季度"),
        ("period=year&day=2026-13-01&shop=99&workflow=x&policy=y&person=z", "2026-10"),
        ("day=", "2026-10"),
    ],
)
def test_an_address_asks_for_a_period_and_nonsense_for_the_present_month(browser, world, query, shown):
    page = browser.get(f"/reports?{query}")
    assert page.status == 200
    assert shown in page.text


def test_the_months_of_a_quarter(world, browser, month):
    for day, there in (("2026-07-01", False), ("2026-10-01", True), ("2026-12-31", True), ("2027-01-01", False)):
        assert ("KS-EX-01" in browser.get(f"/reports?period=quarter&day={day}").html) == there


def test_what_is_asked_for_wrongly_is_not_found_or_begins_at_the_beginning(browser, world, month):
    assert browser.get("/reports/tickets?measure=nonsense").status == 404
    assert browser.get("/reports.pdf").status == 404
    listed = browser.get("/reports/tickets?measure=opened&from=2026-09-01&to=2026-10-31&after=rubbish")
    assert len({link for link in listed.links if link.startswith("/t/")}) == 3
    assert browser.get("/reports/tickets?measure=opened&from=2026-99-99").status == 200


def test_a_file_for_every_table(browser, month):
    answer = browser.client.get("/reports.csv?period=quarter")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert ["每个人"] in lines
    assert any(line[:2] == ["KS-EX-01", "商家处理换货申请"] for line in lines)
    sheets = CalamineWorkbook.from_filelike(io.BytesIO(browser.client.get("/reports.xlsx?period=quarter").content))
    assert sheets.sheet_names[0] == "1 每个人"
    assert sheets.get_sheet_by_index(0).to_python()[0][0] == "人"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text):
    sheet = Sheet("表", ["头"], [[text], [-5]])
    written = list(csv.reader(io.StringIO(as_csv([sheet]).decode("utf-8-sig"), newline="")))
    assert written[2][0] == f"'{text}"
    assert written[3][0] == "-5"
    read = CalamineWorkbook.from_filelike(io.BytesIO(as_xlsx([sheet]))).get_sheet_by_index(0).to_python()
    assert str(read[1][0]).strip() == text.strip()


def test_in_english_nothing_of_the_page_is_left_in_chinese(browser, month):
    browser.client.cookies.set("language", "en")
    for path in ("/reports?period=quarter", "/reports/tickets?measure=missed_merchant&from=2026-09-01&to=2026-12-31"):
        page = browser.get(path)
        assert not [left for left in untranslated(page.html) if left in ("报表", "按时率", "次数", "商家超时", "工单")]


def test_a_backlog_is_told_and_counted_in_the_background(browser, world, monkeypatch):
    from web.pages import reports

    monkeypatch.setattr(reports, "AT_ONCE", 1)
    for _ in range(3):
        world.open()
    assert "还有 2 条经过正在统计" in browser.get("/reports").text
    for _ in range(50):
        if "正在统计" not in browser.get("/reports").text:
            break
    assert "新开 3" in browser.get("/reports").text
