"""The portal in a real browser, on the running system: a fax out, a fax in, and what stands in nobody's way."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, Request, expect

from tests.browser.acts import barriers, fill_in, send, sign_in, speak
from tests.browser.conftest import NARROW, WIDE, NewPage
from tests.e2e.helpers import BOB, call_ended, call_in
from tests.pages import make_tiff
from tests.system import System
from webapp.pictures import SCREEN

# A call takes 25 to 30 s, and another may be before it.
A_CALL = 150_000
LISTS = ("/inbox", "/queue", "/sent", "/send")


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    """A PDF of two pages."""
    sheets = []
    for number in (1, 2):
        sheet = Image.new("L", (1240, 1754), 255)
        ImageDraw.Draw(sheet).text((150, 150), f"NetFax, page {number}", fill=0, font_size=60)
        sheets.append(sheet)
    path = tmp_path / "letter.pdf"
    sheets[0].save(path, save_all=True, append_images=sheets[1:])
    return path


def expect_sheet(page: Page) -> None:
    """The picture of the page is there."""
    expect(page.locator("[data-sheet]")).to_have_js_property("naturalWidth", SCREEN, timeout=20_000)


@pytest.mark.timeout(300)
def test_pdf_is_sent_watched_to_its_end_and_read_in_the_viewer(
    system: System, as_sender: NewPage, letter: Path
) -> None:  # R3.1, R5.1, R5.4
    page = as_sender("en")
    send(page, system.fax_machine, [letter], title="Seen in the browser")
    page.wait_for_url("**/queue")
    expect(page.locator(".alert-success")).to_contain_text("1 fax accepted.")
    row = page.locator("tr", has_text="Seen in the browser").first
    row_id = row.get_attribute("id")
    expect(row.locator(".state")).to_have_attribute("data-state", "sent", timeout=A_CALL)
    # It is the same row that changed, in place.
    assert row.get_attribute("id") == row_id

    row.locator(".row-link").click()
    expect(page.locator("[data-page-now]")).to_have_text("1")
    expect_sheet(page)
    page.keyboard.press("n")
    expect(page.locator("[data-page-now]")).to_have_text("2")
    assert page.url.endswith("?page=2")
    page.keyboard.press("n")
    expect(page.locator("[data-page-now]")).to_have_text("2")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-page-now]")).to_have_text("1")
    expect_sheet(page)
    with page.expect_download() as saved:
        page.click('a[href$="fax.pdf"]')
    assert saved.value.path().read_bytes().startswith(b"%PDF-")

    page.click('.viewer-bar a[href$="/details"]')
    expect(page.locator(".timeline")).to_contain_text("Every page was confirmed.")
    expect(page.locator(".timeline")).to_contain_text("2 of 2 pages confirmed")
    assert barriers(page) == []


@pytest.mark.timeout(300)
def test_received_fax_is_in_an_inbox_and_is_read_page_by_page(
    system: System, new_page: NewPage, tmp_path: Path
) -> None:  # R4.1
    call_id = call_in(system, make_tiff(tmp_path / "in.tif", "in", pages=2), "7804002", "07367721041")
    assert call_ended(system, call_id).status == "SUCCESS"
    system.inbox_from(BOB, "867367721041")
    page = new_page()
    sign_in(page, BOB, system.users[BOB])
    row = page.locator("tr", has_text="7721041")
    expect(row.locator(".state")).to_have_attribute("data-state", "received")
    row.locator(".row-link").click()
    expect_sheet(page)
    page.keyboard.press("n")
    expect(page.locator("[data-page-now]")).to_have_text("2")
    expect_sheet(page)
    assert barriers(page) == []


def test_problems_stand_beside_their_fields_and_the_chosen_files_stay(as_sender: NewPage, letter: Path) -> None:
    page = as_sender("en")
    send(page, "772100x", [letter], title="Kept")
    expect(page.locator("#problems-numbers")).to_contain_text("is not a fax number")
    expect(page.locator("#title")).to_have_value("Kept")
    expect(page.locator("[data-files]")).to_contain_text("letter.pdf")
    assert page.locator("#attachments").evaluate("input => input.files.length") == 1
    expect(page.locator(".form-acts .btn-primary")).to_be_enabled()
    assert barriers(page) == []


def written(system: System, as_sender: NewPage, letter: Path, title: str = "") -> Page:
    """The send page in English as the sender has filled it in."""
    page = as_sender("en")
    fill_in(page, system.fax_machine, [letter], title=title)
    return page


def test_form_from_before_another_sign_in_says_so_and_keeps_what_was_written(
    system: System, as_sender: NewPage, sender: str, letter: Path
) -> None:
    page = written(system, as_sender, letter, "Written before")
    other = page.context.new_page()
    # A page that does not renew itself: that would lead to the sign-in when its cookies are gone.
    other.goto("/send")
    other.context.clear_cookies()
    sign_in(other, sender, system.users[sender])
    speak(other, "en")
    page.click(".form-acts .btn-primary")
    expect(page.locator("#send-lost")).to_contain_text("You have signed in anew since you opened this form.")
    expect(page.locator("#title")).to_have_value("Written before")
    expect(page.locator(".form-acts .btn-primary")).to_be_enabled()
    assert barriers(page) == []
    page.click(".form-acts .btn-primary")
    page.wait_for_url("**/queue")
    expect(page.locator("#list")).to_contain_text("Written before")


def test_form_of_another_user_is_not_sent_as_his_who_has_signed_in_since(
    system: System, as_sender: NewPage, letter: Path
) -> None:
    page = written(system, as_sender, letter)
    other = page.context.new_page()
    other.context.clear_cookies()
    sign_in(other, "bob@demo", system.users["bob@demo"])
    speak(other, "en")
    for _ in range(2):
        page.click(".form-acts .btn-primary")
        expect(page.locator("#send-lost")).to_contain_text("This form is no longer valid.")


def test_form_outlives_its_session(system: System, as_sender: NewPage, sender: str, letter: Path) -> None:
    page = written(system, as_sender, letter, "Outlived")
    page.context.clear_cookies()
    page.click(".form-acts .btn-primary")
    expect(page.locator("#send-lost")).to_contain_text("what you have written stays here")
    other = page.context.new_page()
    sign_in(other, sender, system.users[sender])
    speak(other, "en")
    page.click(".form-acts .btn-primary")
    expect(page.locator("#send-lost")).to_contain_text("You have signed in anew")
    page.click(".form-acts .btn-primary")
    page.wait_for_url("**/queue")
    expect(page.locator("#list")).to_contain_text("Outlived")


def test_what_was_written_is_there_in_the_other_language(system: System, as_sender: NewPage, letter: Path) -> None:
    page = written(system, as_sender, letter, "Bilingual")
    page.check('input[name="priority"][value="high"]', force=True)
    page.select_option("#mode", "photo")
    speak(page, "zh")
    expect(page.locator("#numbers")).to_have_value(system.fax_machine)
    expect(page.locator("#title")).to_have_value("Bilingual")
    expect(page.locator('input[name="priority"][value="high"]')).to_be_checked()
    expect(page.locator("#mode")).to_have_value("photo")
    expect(page.locator("[data-file-problem]")).to_be_visible()
    page.reload()
    expect(page.locator("#title")).to_have_value("")
    expect(page.locator("[data-file-problem]")).to_be_hidden()


def test_send_without_an_answer_says_where_to_look(system: System, as_sender: NewPage, letter: Path) -> None:
    page = written(system, as_sender, letter)
    page.route("**/send", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.set_viewport_size({"width": 390, "height": 560})
    page.click(".form-acts .btn-primary")
    expect(page.locator("#send-lost")).to_contain_text("No answer from the system. Look at the send queue")
    # The page glides there, so it may take a moment.
    page.wait_for_function(
        """() => {
            const place = (selector) => document.querySelector(selector).getBoundingClientRect();
            const said = place("#send-lost");
            return said.height > 0 && said.bottom < place(".rail").top;
        }"""
    )
    expect(page.locator(".form-acts .btn-primary")).to_be_enabled()
    assert page.locator("#attachments").evaluate("input => input.files.length") == 1


def test_double_click_sends_one_form(as_sender: NewPage, letter: Path) -> None:
    page = as_sender("zh")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.goto("/send")
    page.fill("#numbers", "772100x")
    page.set_input_files("#attachments", letter)
    page.dblclick(".form-acts .btn-primary")
    expect(page.locator("#problems-numbers .problem")).to_have_count(1)
    assert len(posts) == 1
    # And it can be sent again once the answer is there.
    page.click(".form-acts .btn-primary")
    expect(page.locator(".form-acts .btn-primary")).to_be_enabled()
    assert len(posts) == 2


def test_sending_and_reading_work_without_scripts(as_sender: NewPage, letter: Path) -> None:
    page = as_sender("zh", java_script_enabled=False)
    send(page, "", [letter])
    # The browser itself asks for the number.
    assert page.url.endswith("/send")
    send(page, "772100x", [letter])
    expect(page.locator("#problems-numbers .problem")).to_have_count(1)
    # The number, and that the file must be chosen again.
    expect(page.locator(".problem:visible")).to_have_count(2)
    page.goto("/sent")
    page.locator(".row-link").first.click()
    expect(page.locator("[data-sheet]")).to_have_count(1)


def test_page_says_when_contact_is_lost_and_when_it_is_back(as_sender: NewPage) -> None:
    page = as_sender("zh")
    page.goto("/queue")
    lost = page.locator("#contact-lost")
    expect(lost).to_be_hidden()
    page.route("**/queue/rows*", lambda route: route.abort())
    expect(lost).to_be_visible(timeout=15_000)
    page.unroute("**/queue/rows*")
    expect(lost).to_be_hidden(timeout=15_000)


def test_theme_follows_the_system_until_it_is_chosen(as_sender: NewPage) -> None:
    page = as_sender("zh", color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.click(".menu summary")
    page.click("[data-theme-toggle]")
    page.goto("/queue")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_stands_in_anybodys_way(
    system: System, sender: str, new_page: NewPage, language: str, scheme: str, viewport: dict[str, int]
) -> None:
    """axe finds nothing on any page, in both languages and themes, and nothing is wider than the screen."""
    page = new_page(viewport=viewport, color_scheme=scheme)
    page.goto(f"/signin?lang={language}")
    assert barriers(page) == []
    sign_in(page, sender, system.users[sender])
    speak(page, language)
    for address in LISTS:
        page.goto(address)
        assert barriers(page) == [], address
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
    page.click(".menu summary")
    assert barriers(page) == []


def test_first_view_is_light(new_page: NewPage) -> None:
    """Everything that the first page needs is 250 KB at most, as it comes over the wire."""
    page = new_page()
    finished: list[Request] = []
    page.on("requestfinished", lambda request: finished.append(request))
    page.goto("/signin", wait_until="networkidle")
    sizes = [request.sizes()["responseBodySize"] for request in finished]
    assert len(sizes) >= 4
    assert sum(sizes) <= 250 * 1024
