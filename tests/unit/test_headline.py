"""The line at the top of a page that goes out: its pixels, and those of the page below it."""

from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageSequence

from netfax.documents.bits import Bits
from netfax.documents.headline import ROWS, WHITE, Headline, write_headlines
from netfax.documents.tiff import whole_pages
from netfax.documents.tiffwrite import FAX_WIDTH, FaxTiffWriter

LINE = Headline("2026-11-28 12:34   演示公司 0736-7804001 → 0736-7721001", pages=12)
Pixels = numpy.ndarray[tuple[int, int], numpy.dtype[numpy.bool_]]


def page(rows: int = 2292, *, top: int = 100) -> Image.Image:
    """A page with some black below a margin of `top` rows."""
    image = Image.new("1", (FAX_WIDTH, rows), WHITE)
    draw = ImageDraw.Draw(image)
    for row in range(top, rows - 1, 37):
        draw.rectangle((row % 400, row, FAX_WIDTH - row % 333, min(row + 9, rows - 1)), fill=0)
    return image


def fax(path: Path, *pages: Image.Image, lines: int = 196) -> Path:
    with path.open("w+b") as file:
        writer = FaxTiffWriter(file)
        for each in pages:
            writer.add([Bits.of_image(each).coded()], width=each.width, rows=each.height, dpi=(204, lines))
    return path


def black(path: Path) -> list[Pixels]:
    """The pages as another decoder (libtiff) reads them; True is black."""
    with Image.open(path) as image:
        return [~numpy.asarray(each.convert("1")) for each in ImageSequence.Iterator(image)]


def lined(tmp_path: Path, *pages: Image.Image, lines: int = 196, first: int = 1) -> list[Pixels]:
    target = tmp_path / "lined.tif"
    write_headlines(fax(tmp_path / "drawn.tif", *pages, lines=lines), target, LINE, first=first)
    return black(target)


def test_the_line_stands_in_the_margin_and_the_page_keeps_every_other_pixel(tmp_path: Path) -> None:
    (made,) = lined(tmp_path, page())
    drawn = ~numpy.asarray(page())
    assert made.shape == drawn.shape
    assert numpy.array_equal(made[ROWS:], drawn[ROWS:])
    assert 300 < made[:ROWS].sum() < 6000
    # White above, below and at the sides: machines print to none of these edges.
    assert not made[0].any() and not made[ROWS - 2 : ROWS].any()
    assert not made[:ROWS, :40].any() and not made[:ROWS, -40:].any()


@pytest.mark.parametrize("top", [0, 1, 7, 23])
def test_a_page_without_a_margin_gets_the_line_above_its_first_row(tmp_path: Path, top: int) -> None:
    (made,) = lined(tmp_path, page(top=top))
    drawn = ~numpy.asarray(page(top=top))
    assert made.shape == (2292 + ROWS, FAX_WIDTH)
    assert numpy.array_equal(made[ROWS:], drawn)
    assert made[:ROWS].any()


def test_a_margin_that_is_just_as_high_as_the_line_is_enough(tmp_path: Path) -> None:
    (made,) = lined(tmp_path, page(top=ROWS))
    assert made.shape == (2292, FAX_WIDTH)


def test_a_white_page_and_a_black_one_are_lined(tmp_path: Path) -> None:
    white, dark = lined(tmp_path, Image.new("1", (FAX_WIDTH, 200), WHITE), Image.new("1", (FAX_WIDTH, 200), 0))
    assert white.shape == (200, FAX_WIDTH) and not white[ROWS:].any()
    assert dark.shape == (200 + ROWS, FAX_WIDTH) and dark[ROWS:].all()


def test_each_page_has_its_own_number_of_the_whole_fax(tmp_path: Path) -> None:
    """A try that goes on from page 3 does not count from 1 again."""
    third, fourth = lined(tmp_path, page(), page(), first=3)
    again, other = lined(tmp_path, page(), page(), first=3)
    assert numpy.array_equal(third, again) and numpy.array_equal(fourth, other)
    apart = numpy.argwhere(third != fourth)
    assert len(apart) > 5 and apart[:, 1].min() > FAX_WIDTH - 150 and apart[:, 0].max() < ROWS


@pytest.mark.parametrize(("lines", "rows"), [(98, ROWS // 2), (196, ROWS), (392, ROWS * 2)])
def test_the_line_is_as_high_on_the_paper_in_every_resolution(tmp_path: Path, lines: int, rows: int) -> None:
    (made,) = lined(tmp_path, page(2000, top=200), lines=lines)
    drawn = ~numpy.asarray(page(2000, top=200))
    assert numpy.array_equal(made[rows:], drawn[rows:])
    assert made[: rows - 1].any() and not made[rows - 1].any()
    assert whole_pages(tmp_path / "lined.tif")[0].dpi == (204.0, lines)


def test_a_name_that_is_too_long_is_shortened_and_the_page_number_stays(tmp_path: Path) -> None:
    target, drawn = tmp_path / "lined.tif", fax(tmp_path / "drawn.tif", page())
    write_headlines(drawn, target, Headline("常德鼎城电子设备有限公司" * 30, pages=2), first=1)
    (long,) = black(target)
    write_headlines(drawn, target, Headline("短", pages=2), first=1)
    (short,) = black(target)
    assert numpy.array_equal(long[:, -100:], short[:, -100:]) and short[:ROWS, -100:].any()
    assert not long[:ROWS, -98:-84].any()


@settings(deadline=None, max_examples=60)
@given(left=st.text(max_size=60), rows=st.integers(30, 300), top=st.integers(0, 60), number=st.integers(1, 200))
def test_whatever_stands_in_it_the_page_is_a_page(
    tmp_path_factory: pytest.TempPathFactory, left: str, rows: int, top: int, number: int
) -> None:
    folder = tmp_path_factory.mktemp("headline")
    source = fax(folder / "drawn.tif", page(rows, top=min(top, rows - 2)))
    write_headlines(source, folder / "lined.tif", Headline(left, pages=200), first=number)
    (made,) = black(folder / "lined.tif")
    drawn = ~numpy.asarray(page(rows, top=min(top, rows - 2)))
    below = drawn[ROWS:] if len(made) == rows else drawn
    assert numpy.array_equal(made[ROWS:], below)
