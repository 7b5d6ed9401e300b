"""A real Chromium for the portal of the running system."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.acts import sign_in, speak
from tests.pages import make_tiff
from tests.system import System
from tests.system_plugin import *  # noqa: F403

CHROMIUM = "/usr/bin/chromium"
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
NewPage = Callable[..., Page]
# The machine is busy with another browser and the faults beside.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses to start as root.
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def sender(system: System, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The login of a user of this worker alone, since a language is a user's own; he has sent himself a fax."""
    worker = int(worker_id.removeprefix("gw")) if worker_id != "master" else 0
    identity = f"86736780406{worker}"
    login = system.add_user(f"sender{worker}", identity)
    (uuid,) = system.send(login, f"+{identity}", make_tiff(tmp_path_factory.mktemp("sender") / "own.tif", "own"))
    system.ended(login, uuid)
    return login


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


@pytest.fixture
def as_sender(system: System, sender: str, new_page: NewPage) -> NewPage:
    """Opens a page of the portal as `sender`, in a language: by the menu when it is not the present one."""

    def signed_in(language: str, **options: Any) -> Page:
        page = new_page(**options)
        sign_in(page, sender, system.users[sender])
        speak(page, language)
        return page

    return signed_in
