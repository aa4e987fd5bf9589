"""The pages of feeds and of reconciling in a real browser: nothing that axe finds."""

from __future__ import annotations

from tests.browser.conftest import accessible
from tests.web.test_feeds import Sender, a_difference, ks


def test_the_pages_can_be_read_by_everybody(site, page):
    sender = Sender(site.world)
    a_difference(sender, site.world)
    sender.send(ks(site.world, 999), "m2")
    sender.work()
    for path in ("/feeds", f"/feeds/messages/{sender.kept()[0].id}", "/reconcile"):
        page.goto(path)
        accessible(page)
