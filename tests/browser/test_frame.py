"""The frame around every page: rooms, keys, theme, language; with scripts and without."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import accessible


def test_the_settings_page_in_both_languages_and_themes(site, page):
    page.goto("/me")
    accessible(page)
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My settings")
    accessible(page)


def test_a_letter_after_g_goes_to_a_room_unless_somebody_is_typing(site, page):
    page.goto("/me")
    page.keyboard.press("/")
    page.keyboard.type("gq")
    assert page.url.endswith("/me")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_url(site.address + "/")


def test_single_keys_can_be_switched_off(site, page):
    page.goto("/me")
    page.get_by_label("单键快捷键").select_option("off")
    page.get_by_role("button", name="保存").click()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_kept(site, page, theme):
    page.goto("/me")
    page.get_by_label("深浅色", exact=True).select_option(theme)
    page.get_by_role("button", name="保存").click()
    page.goto("/new")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
