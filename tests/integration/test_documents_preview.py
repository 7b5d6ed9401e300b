"""Previews and PDFs of faxes, sent and received."""

import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from netfax.documents.bits import Bits
from netfax.documents.convert import to_fax_tiff
from netfax.documents.errors import PageMissing
from netfax.documents.pdfwrite import REVERSED
from netfax.documents.preview import page_png, to_pdf
from netfax.documents.tiff import page_bytes, walk
from netfax.documents.tiffwrite import FaxTiffWriter
from tests.fixtures.documents.build import letter, pdf, put, tiff


def picture(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data), formats=["PNG"]) as image:
        return image.convert("L")


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two grey pictures, 0.0 for the same and 1.0 for black and white."""
    histogram = ImageChops.difference(one, other).histogram()
    return sum(level * count for level, count in enumerate(histogram)) / 255 / (one.width * one.height)


def pdf_pixels(path: Path, page: int) -> Image.Image:
    """The image in a page of the PDF as another program (poppler) takes it out: every pixel, no scaling."""
    out = path.with_suffix("")
    subprocess.run(["pdfimages", "-png", "-f", str(page), "-l", str(page), path, out], check=True)
    (made,) = path.parent.glob(f"{out.name}-*.png")
    with Image.open(made) as image:
        pixels = image.convert("1").copy()
    made.unlink()
    return pixels


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and ImageChops.logical_xor(one, other).getbbox() is None


def test_a_preview_is_the_page_made_smaller(tmp_path: Path) -> None:
    path = put(tmp_path, "fax.tif", tiff(letter(), letter(1728, 1146)))
    seen = picture(page_png(path, 1, width=864))
    assert seen.size == (864, round(864 * (2292 / 196) / (1728 / 204)))
    assert difference(seen, letter().convert("L").resize(seen.size, Image.Resampling.BOX)) < 0.02


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_standard_resolution_is_shown_in_true_proportion(tmp_path: Path, compression: str) -> None:
    original = letter(1728, 1146)
    path = put(tmp_path, "received.tif", tiff(original, compression=compression, dpi=(204, 98)))
    seen = picture(page_png(path, 1, width=600))
    assert seen.size == (600, 828)
    assert difference(seen, original.convert("L").resize(seen.size, Image.Resampling.BOX)) < 0.02


@pytest.mark.parametrize("page", [0, 3, -1])
def test_a_page_that_is_not_there_is_named(tmp_path: Path, page: int) -> None:
    path = put(tmp_path, "fax.tif", tiff(letter(1728, 100), letter(1728, 100)))
    with pytest.raises(PageMissing, match="it has 2"):
        page_png(path, page, width=100)


def test_a_received_fax_that_was_cut_off_shows_its_whole_pages(tmp_path: Path) -> None:
    out = BytesIO()
    writer = FaxTiffWriter(out)
    for _ in range(2):
        writer.add([Bits.of_image(letter(1728, 500)).coded()], width=1728, rows=500)
    path = put(tmp_path, "cut.tif", out.getvalue()[:-10])
    assert picture(page_png(path, 1, width=300)).width == 300
    to_pdf(path, tmp_path / "cut.pdf")
    assert same(pdf_pixels(tmp_path / "cut.pdf", 1), letter(1728, 500))
    with pytest.raises(PageMissing):
        page_png(path, 2, width=300)


def test_a_pdf_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PageMissing):
        to_pdf(put(tmp_path, "empty.tif", b""), tmp_path / "empty.pdf")


def test_the_pdf_of_a_fax_holds_its_strips_to_the_byte(tmp_path: Path) -> None:
    to_fax_tiff([put(tmp_path, "letter.pdf", pdf(2))], tmp_path / "fax.tif")
    to_pdf(tmp_path / "fax.tif", tmp_path / "fax.pdf")
    made = (tmp_path / "fax.pdf").read_bytes()
    with (tmp_path / "fax.tif").open("rb") as file:
        for page in walk(file):
            file.seek(page.segments[0][0])
            assert file.read(page.segments[0][1]) in made
    assert len(made) < sum(page_bytes(tmp_path / "fax.tif")) + 2000


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "packbits"])
def test_the_pdf_of_a_received_fax_has_the_same_pixels(tmp_path: Path, compression: str) -> None:
    originals = [letter(1728, 1146), letter(1728, 700)]
    path = put(tmp_path, "received.tif", tiff(*originals, compression=compression, dpi=(204, 98)))
    to_pdf(path, tmp_path / "received.pdf")
    for number, original in enumerate(originals, 1):
        assert same(pdf_pixels(tmp_path / "received.pdf", number), original)


def test_the_pdf_page_has_the_size_of_the_paper(tmp_path: Path) -> None:
    path = put(tmp_path, "received.tif", tiff(letter(1728, 1146), dpi=(204, 98)))
    to_pdf(path, tmp_path / "received.pdf")
    said = subprocess.run(["pdfinfo", tmp_path / "received.pdf"], capture_output=True, text=True, check=True).stdout
    (size,) = [line for line in said.splitlines() if line.startswith("Page size")]
    width, _, height = size.split()[2:5]
    assert (float(width), float(height)) == (
        pytest.approx(1728 / 204 * 72, 0.001),
        pytest.approx(1146 / 98 * 72, 0.001),
    )


@pytest.mark.parametrize("fill_order", [1, 2])
@pytest.mark.parametrize("photometric", [0, 1])
def test_every_form_of_group4_is_shown_and_embedded_right(tmp_path: Path, fill_order: int, photometric: int) -> None:
    original = letter(1728, 400)
    strip = Bits.of_image(original if photometric == 0 else ImageChops.invert(original)).coded()
    out = BytesIO()
    FaxTiffWriter(out).add(
        [strip if fill_order == 1 else strip.translate(REVERSED)],
        width=1728,
        rows=400,
        photometric=photometric,
        fill_order=fill_order,
    )
    path = put(tmp_path, "fax.tif", out.getvalue())
    to_pdf(path, tmp_path / "fax.pdf")
    assert same(pdf_pixels(tmp_path / "fax.pdf", 1), original)
    seen = picture(page_png(path, 1, width=864))
    assert difference(seen, original.convert("L").resize(seen.size, Image.Resampling.BOX)) < 0.02


def test_damaged_lines_of_a_received_page_still_show_the_rest(tmp_path: Path) -> None:
    original = letter(1728, 1146)
    data = bytearray(tiff(original, compression="group3", dpi=(204, 98)))
    (page,) = walk(BytesIO(bytes(data)))
    place = page.segments[0][0] + page.segments[0][1] // 2
    data[place] ^= 0x5A
    seen = picture(page_png(put(tmp_path, "noisy.tif", bytes(data)), 1, width=864))
    assert difference(seen, original.convert("L").resize(seen.size, Image.Resampling.BOX)) < 0.05
