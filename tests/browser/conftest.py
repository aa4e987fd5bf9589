"""A real Chromium before a real server on a real database. Nothing may be asked of any other host.

`site` is a served desk whose clock runs; `page` is a tab of a browser window of 1280 x 900. A test that wants axe calls
`accessible(page)`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from aftersales import clock
from aftersales.scheduler import Scheduler
from tests.conftest import fresh_database
from tests.web.conftest import World, made_world
from web.app import create_app
from web.serve import Server

CHROMIUM = "/usr/bin/chromium"
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
expect.set_options(timeout=10_000)


@dataclass
class Site:
    """A desk that is being served. `world` opens tickets behind its back."""

    world: World
    address: str


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@contextmanager
def served(world: World, scheduler: Scheduler | None = None) -> Iterator[Site]:
    """The pages of this world, with the scheduler that is given in the same process, as `aftersales serve` has it."""
    app = create_app(world.desk, lambda: world.rules, world.settings, scheduler)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = Server(app, log_level="warning", lifespan="on")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield Site(world, f"http://127.0.0.1:{port}")
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def site() -> Iterator[Site]:
    """Its clock is the real one: a browser's own cannot be set."""
    world = made_world(fresh_database("sqlite"))
    world.now = clock.now()
    with served(world) as site:
        yield site


@contextmanager
def watched(chromium: Browser, address: str, **choices: Any) -> Iterator[BrowserContext]:
    """A browser window. Requests to any other host, errors of scripts and of the content policy fail the test."""
    known: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "locale": "zh-CN", "reduced_motion": "reduce"}
    context = chromium.new_context(base_url=address, **{**known, **choices})
    strangers: list[str] = []
    problems: list[str] = []
    context.on(
        "request", lambda asked: None if asked.url.startswith((address, "data:")) else strangers.append(asked.url)
    )
    context.on("weberror", lambda error: problems.append(str(error.error)))
    context.on(
        "console",
        lambda said: problems.append(said.text) if said.type == "error" and "status of" not in said.text else None,
    )
    yield context
    context.close()
    assert strangers == []
    assert problems == []


@pytest.fixture
def window(chromium: Browser, site: Site) -> Iterator[BrowserContext]:
    with watched(chromium, site.address) as context:
        yield context


@pytest.fixture
def page(window: BrowserContext) -> Page:
    return window.new_page()


WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def accessible(page: Page) -> None:
    """axe finds nothing of WCAG 2.2 AA, in both themes; a colour on its way to the other theme is neither."""
    page.emulate_media(reduced_motion="reduce")
    for theme in ("light", "dark"):
        page.evaluate("theme => document.documentElement.dataset.bsTheme = theme", theme)
        found = Axe().run(page, options={"runOnly": WCAG})
        wrong = [
            f"{theme}: {one['id']}: {one['help']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for one in found.response["violations"]
            for node in one["nodes"]
        ]
        assert wrong == []
