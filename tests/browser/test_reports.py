"""The reports in a browser: readable by everybody, from the figure to the ticket by keyboard."""

from datetime import timedelta

from playwright.sync_api import expect

from tests.browser.conftest import accessible


def test_from_a_figure_to_its_ticket(site, page):
    ticket = site.world.open(ago=60)
    site.world.desk.sweep(ticket.opened_at + timedelta(hours=48, seconds=1))
    page.goto("/reports?period=quarter")
    accessible(page)
    page.get_by_text("看成表格").click()
    accessible(page)
    page.get_by_role("link", name="商家超时").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("商家超时")
    accessible(page)
    page.get_by_role("link", name=ticket.number).click()
    page.wait_for_url(f"**/t/{ticket.id}")
