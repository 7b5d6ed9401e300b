"""Covers as they are drawn: each of ours in both languages, long and hostile ones, and what none of them fetches."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from netfax.covers.builtin import BUILT_IN
from netfax.covers.fill import fill, fill_pages
from netfax.covers.preview import look_at, preview
from netfax.covers.variables import VARIABLES, examples
from netfax.documents.convert import FaxImage, to_fax_tiff
from netfax.documents.cover import CoverPage, draw_cover
from netfax.documents.errors import TooManyPages
from netfax.documents.limits import MAX_PAGES
from netfax.documents.look import USUAL, Look, Resolution
from netfax.documents.tiff import whole_pages
from netfax.documents.tiffwrite import FaxTiffWriter
from tests.fixtures.documents.build import letter, put, tiff
from tests.golden import assert_golden

# Bytes on the line of a page with the examples; 1,800 go over it in a second.
MOST_BYTES = {"standard": 9_000, "standard-en": 9_000, "business": 9_000, "plain": 6_000, "plain-en": 6_000}
EMPTY = dict.fromkeys((name for name in VARIABLES if name != "PAGES"), "")


def cover(template: str, values: dict[str, str]) -> CoverPage:
    filled = fill(template, {name: value for name, value in values.items() if name != "PAGES"})
    return CoverPage("封面", lambda pages: fill_pages(filled, pages))


def draw(
    folder: Path, template: str, body: Path | None = None, look: Look = USUAL, **values: str
) -> tuple[Path, FaxImage, int]:
    target = folder / "fax.tif"
    image, pages = draw_cover(cover(template, EMPTY | values), target, look=look, body=body)
    return target, image, pages


def ink(page: Path, number: int = 0) -> bytes:
    with Image.open(page) as image:
        return [sheet.tobytes() for sheet in ImageSequence.Iterator(image)][number]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("key", BUILT_IN)
def test_ours_look_as_somebody_saw_them_once(tmp_path: Path, key: str, language: str) -> None:
    target, image, pages = draw(tmp_path, BUILT_IN[key].html, **examples(language))
    assert (image.pages, pages) == (1, 1)
    assert image.page_bytes[0] < MOST_BYTES[key], image.page_bytes
    assert_golden(target, f"cover-{key}-{language}")


@pytest.mark.parametrize("key", BUILT_IN)
def test_nothing_stands_for_what_is_not_said(tmp_path: Path, key: str) -> None:
    """The golden page has no label before nothing."""
    target, _, _ = draw(tmp_path, BUILT_IN[key].html, FROM="李明", DATE_TIME="2026-11-28 14:05", TEXT="收到请回电。")
    assert_golden(target, f"cover-{key}-least")


@pytest.mark.parametrize("key", BUILT_IN)
def test_a_long_text_goes_on_on_further_pages_and_the_total_is_theirs_too(tmp_path: Path, key: str) -> None:
    text = "\n".join(f"第 {number} 段：" + "传真的内容很长，需要写到下一页上。" * 9 for number in range(1, 61))
    assert len(text) < 10_000
    body = tmp_path / "body.tif"
    to_fax_tiff([put(tmp_path, "body", tiff(letter(), letter()))], body)
    target, image, pages = draw(tmp_path, BUILT_IN[key].html, body, **examples("zh") | {"TEXT": text})
    assert pages > 4 and image.pages == pages + 2
    # As drawn with a total that is known from the beginning: the first page and the heads of all say the same.
    whole = tmp_path / "whole"
    whole.mkdir()
    known = fill_pages(BUILT_IN[key].html, image.pages)
    again, _, _ = draw(whole, known, body, **examples("zh") | {"TEXT": text})
    assert target.read_bytes() == again.read_bytes()
    assert_golden_head(target, key)


def assert_golden_head(target: Path, key: str) -> None:
    """The second page begins with its head, apart from the text."""
    with Image.open(target) as image:
        image.seek(1)
        rows = image.convert("L").resize((1, image.height), Image.Resampling.BOX).tobytes()
    inked = [number for number, value in enumerate(rows) if value < 255]
    head = [number for number in inked if number < 155]
    assert head and max(head) - min(head) < 60, key


def test_ten_thousand_letters_without_a_space_are_all_there(tmp_path: Path) -> None:
    _, image, _ = draw(tmp_path, BUILT_IN["plain"].html, TEXT="x" * 10_000)
    assert 3 <= image.pages <= 6


@pytest.mark.parametrize("key", BUILT_IN)
def test_long_values_stay_on_the_paper(tmp_path: Path, key: str) -> None:
    values = {name: "長" * 120 for name in EMPTY if name != "TEXT"} | {"COMPANY": "W" * 128, "TO": "m" * 128}
    target, image, _ = draw(tmp_path, BUILT_IN[key].html, **values)
    assert image.pages <= 3
    with Image.open(target) as page:
        # Paper that had to be widened would be drawn smaller: the margin is where it always is.
        left = page.convert("L").point(lambda value: 255 - value).getbbox()
    assert left is not None and 120 < left[0] < 190 and left[2] < 1728 - 100


def test_a_value_is_letters_on_the_page_and_not_a_variable(tmp_path: Path) -> None:
    """`{$FROM}` in a text is drawn as a name that is as long in letters, not as the sender."""
    template = "<!doctype html><meta charset=utf-8><p>{$TEXT}"
    hostile, _, _ = draw(tmp_path, template, TEXT="{$FROM}<script>alert(1)</script>", FROM="李明")
    plain = tmp_path / "plain"
    plain.mkdir()
    same = "<!doctype html><meta charset=utf-8><p>&#123;$FROM}&lt;script>alert(1)&lt;/script>"
    again, _, _ = draw(plain, same)
    assert ink(hostile) == ink(again)


def test_the_cover_is_as_fine_as_what_follows(tmp_path: Path) -> None:
    look = Look(Resolution.STANDARD)
    body = tmp_path / "body.tif"
    to_fax_tiff([put(tmp_path, "body", tiff(letter()))], body, look=look)
    target, _, _ = draw(tmp_path, BUILT_IN["plain"].html, body, look, TEXT="x")
    assert {page.dpi for page in whole_pages(target)} == {(204, 98)}
    assert len(whole_pages(target)) == 2


def test_a_cover_before_as_many_pages_as_a_fax_takes_is_one_too_many(tmp_path: Path) -> None:
    body = tmp_path / "body.tif"
    one = tmp_path / "one.tif"
    to_fax_tiff([put(tmp_path, "body", tiff(letter()))], one)
    with one.open("rb") as file, body.open("wb") as out:
        writer = FaxTiffWriter(out)
        for _ in range(MAX_PAGES):
            writer.copy(file, whole_pages(one)[0])
    with pytest.raises(TooManyPages):
        draw(tmp_path, BUILT_IN["plain"].html, body, TEXT="x")


# --- Nothing from elsewhere ---


class Counting(BaseHTTPRequestHandler):
    """Takes note of every request."""

    def __init__(self, seen: list[str], *arguments: object) -> None:
        self.seen = seen
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_error(404)


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), partial(Counting, seen))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/x", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("where", "empty"),
    [
        *(("{url}", "data:,"), ("file:///etc/passwd", "data:,"), ("file:///in/0", "data:,")),
        ("/etc/passwd", "/nowhere/at/all"),
    ],
)
def test_a_template_fetches_nothing(tmp_path: Path, canary: tuple[str, list[str]], where: str, empty: str) -> None:
    """Also one that nobody has checked: what it refers to is as if it were empty."""
    url, seen = canary
    template = (
        "<!doctype html><meta charset=utf-8><link rel=stylesheet href='URL'><style>@import 'URL'; @import url(URL);"
        "@font-face { font-family: f; src: url(URL) } p { font-family: f; background: url(URL) }"
        "p::after { content: url(URL) }</style><p>words<img src='URL'><object data='URL'></object>"
        "<embed src='URL'><iframe src='URL'></iframe><svg><image href='URL'/></svg>{$TEXT}"
    )
    target, _, _ = draw(tmp_path, template.replace("URL", where.format(url=url)))
    bare = tmp_path / "bare"
    bare.mkdir()
    again, _, _ = draw(bare, template.replace("URL", empty))
    assert seen == []
    assert ink(target) == ink(again)


# --- In the editor ---


def test_a_page_that_shows_nothing_is_named_as_such(home: Path) -> None:
    found, shown = look_at("<!doctype html><style>p { visibility: hidden }</style><p>{$TEXT}</p>", "x", "en")
    assert [each.error.code for each in found] == ["cover_nothing_to_see"] and shown is None


def test_a_template_is_shown_with_examples(home: Path) -> None:
    found, shown = look_at(BUILT_IN["standard"].html, "x", "zh")
    assert found == [] and shown is not None
    assert shown.pages == 1 and shown.pictures[0].startswith(b"\x89PNG")


def test_of_a_long_cover_the_first_pages_are_shown(home: Path) -> None:
    shown = preview(cover(BUILT_IN["plain"].html, EMPTY | {"TEXT": "字\n" * 400}))
    assert shown.pages > 4 and len(shown.pictures) == 4
