"""What somebody does in the portal."""

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}


def sign_in(page: Page, login: str, password: str) -> None:
    page.goto("/signin")
    page.fill("#login", login)
    page.fill("#password", password)
    page.click("form[data-once] button")
    page.wait_for_url("**/inbox")


def speak(page: Page, language: str) -> None:
    """Change the language by the menu; nothing happens when it is the present one."""
    if page.locator("html").get_attribute("lang") == {"zh": "zh-Hans", "en": "en"}[language]:
        return
    page.click(".menu summary")
    page.click(f'button[name="language"][value="{language}"]')
    expect(page.locator("html")).to_have_attribute("lang", {"zh": "zh-Hans", "en": "en"}[language])


def send(page: Page, numbers: str, files: list[Path], *, title: str = "") -> None:
    """Fill the form and send it; the next page is the queue, or the form with its problems."""
    fill_in(page, numbers, files, title=title)
    page.click(".form-acts .btn-primary")


def fill_in(page: Page, numbers: str, files: list[Path], *, title: str = "") -> None:
    """Open the form and write into it."""
    # A click waits for the answer alone, and files that are chosen before the scripts run are not shown.
    with page.expect_navigation(url="**/send"):
        page.click('.top a[href="/send"]')
    page.fill("#numbers", numbers)
    page.fill("#title", title)
    page.set_input_files("#attachments", files)


def barriers(page: Page) -> list[str]:
    """What axe finds on the page: rule, and the first element that breaks it."""
    page.wait_for_load_state()
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]
