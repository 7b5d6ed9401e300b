"""A real Chromium for the portal of the running system."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.system import System
from tests.system_plugin import *  # noqa: F403

CHROMIUM = "/usr/bin/chromium"
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
NewPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses to start as root.
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser: Browser, system: System) -> Iterator[NewPage]:
    """Opens a page of the portal in a browser profile of its own; at the end no script has failed."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(
            **{"base_url": system.portal_url, "viewport": WIDE, "locale": "zh-CN", "color_scheme": "light"} | options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        # What the Content-Security-Policy stops is a defect of a page.
        page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
