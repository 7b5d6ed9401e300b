"""The pages of a fax, before it is sent (R3.6) and after, in a real browser: by mouse, by keys, on a telephone."""

import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, Request, expect
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from netfax.documents.look import Mode, Resolution
from netfax.faxes.models import Document, Preview, Submission
from tests.browser.acts import barriers, fill_in
from tests.browser.conftest import NARROW, WIDE, NewPage
from tests.pages import make_tiff
from tests.system import System, eventually
from webapp.pictures import SCREEN, SHARP, THUMBNAIL

PAGES = 10


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    """A PDF of ten pages."""
    sheets = []
    for number in range(1, PAGES + 1):
        sheet = Image.new("L", (1240, 1754), 255)
        ImageDraw.Draw(sheet).text((150, 150), f"NetFax, page {number}", fill=0, font_size=60)
        sheets.append(sheet)
    path = tmp_path / "letter.pdf"
    sheets[0].save(path, save_all=True, append_images=sheets[1:])
    return path


def expect_pictures(page: Page, count: int) -> None:
    """So many thumbnails have come."""
    page.wait_for_function(
        f"count => [...document.querySelectorAll('.thumbs img')].filter(each => each.naturalWidth === {THUMBNAIL})"
        ".length >= count",
        arg=count,
        timeout=30_000,
    )


@pytest.fixture
def own_fax(system: System, sender: str, tmp_path: Path) -> str:
    """A fax of three pages that the sender has sent to himself; its address."""
    return own(system, sender, tmp_path, 3)


def own(system: System, sender: str, folder: Path, pages: int) -> str:
    number = f"+86736780406{sender.removeprefix('sender').partition('@')[0]}"
    (uuid,) = system.send(sender, number, make_tiff(folder / "own.tif", "own", pages=pages))
    system.ended(sender, uuid)
    return f"/fax/{uuid}"


def test_fax_is_looked_at_and_then_sent_as_it_was_chosen(system: System, as_sender: NewPage, letter: Path) -> None:
    page = as_sender("en")
    fill_in(page, system.fax_machine, [letter], title="Looked at before")
    page.select_option("#resolution", "standard")
    page.select_option("#mode", "text")
    page.check('input[name="priority"][value="high"]', force=True)
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    began = time.monotonic()
    page.dblclick("#show-preview")
    expect(page.locator(".preview h2")).to_be_focused()
    expect(page.locator(".thumbs li")).to_have_count(PAGES)
    page.locator(".thumbs li").last.scroll_into_view_if_needed()
    expect_pictures(page, PAGES)
    print(f"a preview of {PAGES} pages after {time.monotonic() - began:.2f} s")
    expect(page.locator(".preview-head")).to_contain_text(f"{PAGES} pages")
    expect(page.locator(".preview-head")).to_contain_text("on the line")
    # Looked at, and not sent.
    assert [url.removeprefix(system.portal_url) for url in posts] == ["/send/preview"]
    assert barriers(page) == []

    # The form is as it was, and so are its files.
    expect(page.locator("#title")).to_have_value("Looked at before")
    expect(page.locator("#resolution")).to_have_value("standard")
    expect(page.locator("#mode")).to_have_value("text")
    expect(page.locator('input[name="priority"][value="high"]')).to_be_checked()
    assert page.locator("#attachments").evaluate("input => input.files.length") == 1

    # Keys turn the pages while the preview has the focus, and are letters in a field.
    page.locator(".preview .stage").focus()
    page.keyboard.press("n")
    expect(page.locator("[data-page-now]")).to_have_text("2")
    page.click('.preview [data-turn-by="90"]')
    expect(page.locator("[data-sheet]")).to_have_js_property("naturalHeight", SCREEN)
    page.click('.preview [data-fit-to="100"]')
    expect(page.locator("[data-zoom-now]")).to_have_text("100 %")
    page.click('.preview [data-step="1"]')
    expect(page.locator("[data-page-now]")).to_have_text("3")
    page.keyboard.press("p")
    page.focus("#title")
    page.keyboard.press("n")
    expect(page.locator("[data-page-now]")).to_have_text("2")

    # What was changed is looked at anew.
    page.select_option("#resolution", "fine")
    page.click("#show-preview")
    expect(page.locator("[data-page-now]")).to_have_text("1")
    expect(page.locator("#title")).to_have_value("Looked at beforen")
    page.click(".form-acts .btn-primary")
    page.wait_for_url("**/queue")
    expect(page.locator("#list")).to_contain_text("Looked at beforen")
    sent = select(Document).join(Document.submission).where(Submission.title == "Looked at beforen")
    (document,) = eventually(
        lambda: system.read(sent.options(joinedload(Document.submission))), 60, "the pages are not drawn"
    )
    assert (document.submission.resolution, document.submission.mode) == (Resolution.FINE, Mode.TEXT)
    # It has the pages that were looked at.
    assert document.made_of in system.read(select(Preview.made_of))


def test_refused_number_is_named_beside_its_field_and_the_pages_are_there(
    system: System, as_sender: NewPage, letter: Path
) -> None:
    page = as_sender("zh")
    fill_in(page, f"{system.fax_machine}, 772100x", [letter])
    page.click("#show-preview")
    expect(page.locator("#problems-numbers .problem")).to_have_count(1)
    expect(page.locator(".thumbs li")).to_have_count(PAGES)
    page.fill("#numbers", "")
    page.click("#show-preview")
    expect(page.locator("#problems-numbers .problem")).to_have_count(1)
    expect(page.locator("#numbers")).to_have_value("")


def test_what_cannot_be_drawn_has_no_preview(as_sender: NewPage, system: System, letter: Path, tmp_path: Path) -> None:
    page = as_sender("en")
    fill_in(page, system.fax_machine, [letter])
    page.click("#show-preview")
    expect(page.locator(".preview")).to_have_count(1)
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.4 and no more")
    page.set_input_files("#attachments", broken)
    page.click("#show-preview")
    expect(page.locator("#problems-attachments .problem")).to_have_count(1)
    expect(page.locator(".preview")).to_have_count(0)
    assert page.locator("#attachments").evaluate("input => input.files.length") == 2
    expect(page.locator("#show-preview")).to_be_enabled()


def test_preview_without_an_answer_says_so(as_sender: NewPage, system: System, letter: Path) -> None:
    page = as_sender("en")
    fill_in(page, system.fax_machine, [letter])
    page.route("**/send/preview", lambda route: route.abort())
    page.click("#show-preview")
    expect(page.locator("#send-lost")).to_contain_text("Ask for the preview again")
    expect(page.locator("#show-preview")).to_be_enabled()
    expect(page.locator(".form-acts .btn-primary")).to_be_enabled()
    assert page.locator("#attachments").evaluate("input => input.files.length") == 1


def test_preview_works_without_scripts(as_sender: NewPage, system: System, letter: Path) -> None:
    page = as_sender("zh", java_script_enabled=False)
    fill_in(page, system.fax_machine, [letter])
    page.click("#show-preview")
    expect(page.locator(".thumbs li")).to_have_count(PAGES)
    expect(page.locator("[data-sheet]")).to_have_js_property("naturalWidth", SCREEN)
    expect(page.locator("#numbers")).to_have_value(system.fax_machine)
    # Each thumbnail leads to its page, which the browser shows by itself.
    third = page.locator(".thumbs a").nth(2).get_attribute("href") or ""
    assert "/page/3.png" in third
    assert page.request.get(third).headers["content-type"] == "image/png"


def test_viewer_obeys_its_keys(as_sender: NewPage, own_fax: str) -> None:
    page = as_sender("en")
    page.goto(own_fax)
    now, zoom, sheet = page.locator("[data-page-now]"), page.locator("[data-zoom-now]"), page.locator("[data-sheet]")
    for key, number in [("n", 2), ("PageDown", 3), ("n", 3), ("p", 2), ("End", 3), ("Home", 1), ("ArrowRight", 2)]:
        page.keyboard.press(key)
        expect(now).to_have_text(str(number))
    page.keyboard.press("0")
    expect(zoom).to_have_text("100 %")
    page.keyboard.press("+")
    expect(zoom).to_have_text("125 %")
    page.keyboard.press("-")
    page.keyboard.press("-")
    expect(zoom).to_have_text("75 %")
    for _ in range(5):
        page.keyboard.press("+")
    expect(zoom).to_have_text("300 %")
    # Larger than it was drawn, it is drawn sharper.
    expect(sheet).to_have_js_property("naturalWidth", SHARP)
    page.keyboard.press("w")
    expect(page.locator('[data-fit-to="width"]')).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("f")
    expect(page.locator('[data-fit-to="whole"]')).to_have_attribute("aria-pressed", "true")
    assert page.locator(".stage").evaluate("stage => stage.scrollHeight <= stage.clientHeight")
    # And the same by the mouse.
    page.click('[data-fit-to="100"]')
    page.click('[data-zoom-by="1"]')
    expect(zoom).to_have_text("125 %")
    page.click('[data-fit-to="width"]')
    expect(page.locator('[data-fit-to="width"]')).to_have_attribute("aria-pressed", "true")
    page.click('[data-step="-1"]')
    expect(now).to_have_text("1")
    page.keyboard.press("?")
    expect(page.locator(".keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".keys")).to_be_hidden()
    assert barriers(page) == []


def test_turned_pages_stay_turned(as_sender: NewPage, own_fax: str) -> None:
    page = as_sender("en")
    page.goto(own_fax)
    sheet = page.locator("[data-sheet]")
    expect(sheet).to_have_js_property("naturalWidth", SCREEN)
    with page.expect_response("**/turn*") as kept:
        page.keyboard.press("r")
    assert kept.value.status == 204
    expect(sheet).to_have_js_property("naturalHeight", SCREEN)
    page.reload()
    expect(sheet).to_have_js_property("naturalHeight", SCREEN)
    with page.expect_download() as saved:
        page.click('a[href$="fax.pdf"]')
    assert b"/Rotate 90" in saved.value.path().read_bytes()
    page.click('[data-turn-by="270"]')
    expect(sheet).to_have_js_property("naturalWidth", SCREEN)
    # Without scripts the same buttons are a form's.
    plain = as_sender("en", java_script_enabled=False)
    plain.goto(f"{own_fax}?page=2")
    plain.click('[data-turn-by="180"]')
    expect(plain.locator(".viewer")).to_have_attribute("data-turn", "180")
    assert plain.url.endswith("?page=2")


def test_long_fax_is_opened_without_all_its_pages(
    system: System, sender: str, as_sender: NewPage, tmp_path: Path
) -> None:
    fax = own(system, sender, tmp_path, 80)
    page = as_sender("en")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if ".png" in request.url else None)
    page.goto(fax, wait_until="networkidle")
    assert 5 < len(asked) < 40
    page.keyboard.press("End")
    expect(page.locator("[data-page-now]")).to_have_text("80")
    expect(page.locator('.thumbs [data-show="80"] img')).to_have_js_property("naturalWidth", THUMBNAIL)
    expect(page.locator('.thumbs [data-show="80"]')).to_be_in_viewport()
    assert not any("/page/40.png" in url for url in asked)


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_stand_in_nobodys_way(
    system: System, as_sender: NewPage, own_fax: str, letter: Path, language: str, viewport: dict[str, int]
) -> None:
    page = as_sender(language, viewport=viewport)
    failed: list[Request] = []
    page.on("requestfailed", lambda request: failed.append(request))
    page.goto(own_fax)
    expect_pictures(page, 3)
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    fill_in(page, system.fax_machine, [letter])
    page.click("#show-preview")
    expect_pictures(page, 5)
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Only what the reader left behind by going on may have been cut off.
    assert not [request.url for request in failed if "preview" in request.url]
