"""Covers in a real browser: one is written and looked at while it is written, and a fax is sent with it."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from netfax.org.models import Role
from tests.browser.acts import barriers, sign_in, speak
from tests.browser.conftest import NARROW, WIDE, NewPage
from tests.pages import make_tiff
from tests.system import System

SOON = 60_000
TEMPLATE = "<!doctype html>\n<meta charset=utf-8>\n<h1>Letterhead of {$COMPANY}</h1>\n<p>{$TEXT}</p>"
SEEN = "#cover-seen .cover-page"


@pytest.fixture(scope="session")
def keeper(system: System, worker_id: str) -> str:
    """The login of an administrator of the demo domain who is this worker's alone."""
    worker = int(worker_id.removeprefix("gw")) if worker_id != "master" else 0
    return system.add_user(f"keeper{worker}", f"86736780408{worker}", Role.DOMAIN_ADMIN)


@pytest.fixture
def administrator(system: System, keeper: str, new_page: NewPage) -> Page:
    page = new_page()
    sign_in(page, keeper, system.users[keeper])
    speak(page, "en")
    return page


def copied(page: Page, name: str) -> str:
    """A copy of the plain cover with this name, open in the editor; its address."""
    page.goto("/covers")
    page.get_by_role("button", name="Copy: Plain (English)", exact=True).click()
    page.wait_for_url("**/covers/*-*-*-*-*")
    page.fill("#name", name)
    return page.url


@pytest.mark.timeout(180)
def test_a_template_is_checked_and_drawn_as_it_is_written(administrator: Page) -> None:  # R8.6
    page = administrator
    address = copied(page, "Written in the browser")
    expect(page.locator(SEEN)).to_have_js_property("naturalWidth", 864, timeout=SOON)
    before = page.locator(SEEN).get_attribute("src")

    page.fill("#html", TEMPLATE.replace("{$COMPANY}", "{$COMPNY}"))
    expect(page.locator("#cover-problems")).to_contain_text("There is no variable {$COMPNY}.", timeout=SOON)
    page.get_by_role("button", name="Line 3, column 19").click()
    assert page.locator("#html").evaluate("text => text.value.slice(text.selectionStart)").startswith("{$COMPNY}")
    assert barriers(page) == []

    page.fill("#html", TEMPLATE)
    expect(page.locator(SEEN)).to_have_js_property("naturalWidth", 864, timeout=SOON)
    assert page.locator(SEEN).get_attribute("src") != before
    assert barriers(page) == []

    page.get_by_role("button", name="Save").click()
    expect(page.locator(".alert-success")).to_contain_text("“Written in the browser” is saved.")
    assert page.url == address
    expect(page.locator("#html")).to_have_value(TEMPLATE)

    page.goto("/covers")
    page.get_by_role("link", name="Delete: Written in the browser").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".alert-success")).to_contain_text("is deleted.")
    expect(page.locator("main")).not_to_contain_text("Written in the browser /")


@pytest.mark.timeout(180)
def test_two_who_write_at_once_lose_nothing(administrator: Page) -> None:
    page = administrator
    other = page.context.new_page()
    other.goto(copied(page, "Written by two"))
    other.fill("#name", "Written by two")
    other.fill("#html", TEMPLATE + "theirs")
    other.get_by_role("button", name="Save").click()
    expect(other.locator(".alert-success")).to_be_visible(timeout=SOON)
    page.fill("#html", TEMPLATE + "mine")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".alert-danger")).to_contain_text("has changed this template meanwhile", timeout=SOON)
    expect(page.locator("#html")).to_have_value(TEMPLATE + "mine")
    expect(page.locator('textarea[aria-label="What stands there now"]')).to_have_value(TEMPLATE + "theirs")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".alert-success")).to_be_visible(timeout=SOON)


@pytest.mark.timeout(300)
def test_a_fax_is_sent_with_a_cover_that_was_looked_at(
    system: System, as_sender: NewPage, tmp_path: Path
) -> None:  # R3.2, R3.4
    page = as_sender("en")
    page.goto("/send")
    expect(page.locator("#text")).to_be_hidden()
    page.fill("#numbers", system.fax_machine)
    page.fill("#title", "Covered in the browser")
    page.select_option("#cover", "standard-en")
    page.fill("#text", "Dear Sir,\n\nplease call back.")
    page.get_by_role("button", name="Preview cover").click()
    expect(page.locator("#cover-preview .cover-page")).to_have_js_property("naturalWidth", 864, timeout=SOON)
    assert barriers(page) == []

    # What was written is there in the other language too, the choice as well.
    speak(page, "zh")
    expect(page.locator("#cover")).to_have_value("standard-en")
    expect(page.locator("#text")).to_have_value("Dear Sir,\n\nplease call back.")
    speak(page, "en")

    page.set_input_files("#attachments", make_tiff(tmp_path / "letter.tif", "letter"))
    page.click(".form-acts button")
    page.wait_for_url("**/queue")
    row = page.locator("tr", has_text="Covered in the browser").first
    expect(row.locator(".state")).to_have_attribute("data-state", "sent", timeout=150_000)
    row.locator(".row-link").click()
    expect(page.locator(".viewer-bar")).to_contain_text("2")
    page.click('.viewer-bar a[href$="/details"]')
    expect(page.locator(".facts")).to_contain_text("Standard (English)")
    page.get_by_text("Text on the cover").click()
    expect(page.locator(".facts")).to_contain_text("please call back.")
    assert barriers(page) == []


@pytest.mark.timeout(180)
def test_enter_in_a_field_sends_the_form_and_not_its_preview(system: System, as_sender: NewPage) -> None:
    page = as_sender("en")
    page.goto("/send")
    page.select_option("#cover", "plain-en")
    page.fill("#numbers", system.fax_machine)
    page.fill("#title", "Sent by Enter")
    page.press("#title", "Enter")
    page.wait_for_url("**/queue")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_what_a_user_says_of_himself_is_kept_and_his_default_chosen(
    as_sender: NewPage, viewport: dict[str, int]
) -> None:  # R6.1, R6.2
    page = as_sender("en", viewport=viewport)
    page.click(".menu summary")
    page.get_by_role("link", name="Personal information").click()
    page.fill("#company", "湘江贸易")
    page.select_option("#cover", "business")
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".alert-success")).to_contain_text("Your personal information is saved.")
    page.goto("/send")
    expect(page.locator("#cover")).to_have_value("business")
    page.goto("/settings/personal")
    page.select_option("#cover", "")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".alert-success")).to_be_visible()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_places_of_templates_stand_in_nobodys_way_on_a_telephone(
    system: System, keeper: str, new_page: NewPage, language: str
) -> None:
    page = new_page(viewport=NARROW)
    sign_in(page, keeper, system.users[keeper])
    speak(page, language)
    for address in ("/covers", "/covers/standard"):
        page.goto(address)
        assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
