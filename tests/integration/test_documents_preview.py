"""Previews and PDFs of faxes, sent and received."""

import struct
import subprocess
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageChops

from netfax.documents import workshop
from netfax.documents.bits import Bits
from netfax.documents.convert import to_fax_tiff
from netfax.documents.errors import PageMissing
from netfax.documents.pdfwrite import REVERSED
from netfax.documents.preview import page_png, page_pngs, papers, to_pdf
from netfax.documents.tiff import Tag, page_bytes, walk
from netfax.documents.tiffwrite import FaxTiffWriter
from tests.fixtures.documents.build import letter, pdf, put, saved, tiff
from tests.pages import damaged_rows


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


def test_many_pages_are_drawn_by_one_start_and_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "fax.tif", tiff(*(letter(1728, 500 + 100 * number) for number in range(5))))
    one_by_one = [page_png(path, page, width=160) for page in range(2, 6)]
    starts: list[str] = []
    ask = workshop.ask
    monkeypatch.setattr(workshop, "ask", lambda verb, *words, **how: starts.append(verb) or ask(verb, *words, **how))
    assert page_pngs(path, 2, [0] * 20, width=160) == one_by_one
    assert page_pngs(path, 2, [0, 0], width=160) == one_by_one[:2]
    assert starts == ["png", "png"]
    assert len({picture(each or b"").height for each in one_by_one}) == 4


@pytest.mark.parametrize(
    ("turn", "transposed"),
    [(90, Image.Transpose.ROTATE_270), (180, Image.Transpose.ROTATE_180), (270, Image.Transpose.ROTATE_90)],
)
def test_a_page_is_turned_clockwise_with_every_pixel(tmp_path: Path, turn: int, transposed: Image.Transpose) -> None:
    path = put(tmp_path, "fax.tif", tiff(letter(1728, 1146), dpi=(204, 98)))
    upright = picture(page_png(path, 1, width=600))
    assert picture(page_png(path, 1, width=600, turn=turn)).tobytes() == upright.transpose(transposed).tobytes()


def test_the_pdf_of_a_fax_is_not_coded_anew(tmp_path: Path) -> None:
    to_fax_tiff([put(tmp_path, "letter.pdf", pdf(2))], tmp_path / "fax.tif")
    to_pdf(tmp_path / "fax.tif", tmp_path / "fax.pdf")
    listed = ["pdfimages", "-list", tmp_path / "fax.pdf"]
    _, _, *rows = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines()
    # page, number, type, width, height, colour, components, bits, coding, … dots an inch across and down.
    assert [(row.split()[7], row.split()[8]) for row in rows] == [("1", "ccitt")] * 2
    assert {(row.split()[3], *row.split()[12:14]) for row in rows} == {("1728", "204", "196")}


RECEIVED = [
    (1728, 1146, (204, 98)),
    (1728, 2292, (204, 196)),
    (1728, 4573, (204, 391)),
    (2048, 1376, (204, 98)),
    (2432, 3241, (204, 196)),
    (2592, 3508, (300, 300)),
    (3456, 4677, (400, 400)),
    (4864, 6614, (400, 400)),
    (864, 1169, (100, 100)),
]


@pytest.mark.parametrize("compression", ["group3", "group4"])
@pytest.mark.parametrize(("width", "rows", "dpi"), RECEIVED)
def test_every_fineness_and_width_of_a_received_page_is_right(
    tmp_path: Path, compression: str, width: int, rows: int, dpi: tuple[int, int]
) -> None:
    original = letter(width, rows)
    path = put(tmp_path, "received.tif", tiff(original, compression=compression, dpi=dpi))
    seen = picture(page_png(path, 1, width=864))
    assert seen.width == 864
    # As on paper: the page's inches down to its inches across.
    assert seen.height / seen.width == pytest.approx((rows / dpi[1]) / (width / dpi[0]), abs=0.001)
    assert difference(seen, original.convert("L").resize(seen.size, Image.Resampling.BOX)) < 0.02
    to_pdf(path, tmp_path / "received.pdf")
    assert same(pdf_pixels(tmp_path / "received.pdf", 1), original)
    said = subprocess.run(["pdfinfo", tmp_path / "received.pdf"], capture_output=True, text=True, check=True).stdout
    (size,) = [line.split() for line in said.splitlines() if line.startswith("Page size")]
    inches = float(size[2]) / 72, float(size[4]) / 72
    assert inches == pytest.approx((width / dpi[0], rows / dpi[1]), abs=0.01)
    (paper,) = papers(path)
    assert (paper.width, paper.height) == pytest.approx(inches, abs=0.01)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("rows_of_a_strip", [1, 64, 500])
def test_a_page_in_several_strips_is_whole(tmp_path: Path, compression: str, rows_of_a_strip: int) -> None:
    original = letter(1728, 1146)
    held = saved(original, "TIFF", compression=compression, dpi=(204, 98), tiffinfo={278: rows_of_a_strip})
    (page,) = walk(BytesIO(held))
    assert len(page.segments) == -(-1146 // rows_of_a_strip)
    path = put(tmp_path, "strips.tif", held)
    seen = picture(page_png(path, 1, width=864))
    assert difference(seen, original.convert("L").resize(seen.size, Image.Resampling.BOX)) < 0.02
    to_pdf(path, tmp_path / "strips.pdf")
    assert same(pdf_pixels(tmp_path / "strips.pdf", 1), original)


@pytest.mark.parametrize(("rows", "lines"), [(1146, 98), (2292, 196)])
def test_a_page_without_a_word_of_its_fineness_is_shown_as_on_paper(tmp_path: Path, rows: int, lines: int) -> None:
    original = letter(1728, rows)
    out = BytesIO()
    FaxTiffWriter(out).add([Bits.of_image(original).coded()], width=1728, rows=rows)
    bare = out.getvalue()
    # The tags become ones that nobody knows.
    for tag, kind in ((Tag.X_RESOLUTION, 5), (Tag.Y_RESOLUTION, 5), (Tag.RESOLUTION_UNIT, 3)):
        entry = struct.pack("<HHI", tag, kind, 1)
        assert bare.count(entry) == 1
        bare = bare.replace(entry, struct.pack("<HHI", 65000 + tag % 100, kind, 1))
    path = put(tmp_path, "bare.tif", bare)
    assert [page.dpi for page in walk(BytesIO(bare))] == [None]
    assert papers(path)[0].height == pytest.approx(rows / lines, abs=0.01)
    seen = picture(page_png(path, 1, width=864))
    assert difference(seen, original.convert("L").resize(seen.size, Image.Resampling.BOX)) < 0.02


# Eight bytes are part of one line or two; in two dimensions those that follow, to the next that stands for itself (T.4
# 4.2.2: every second in standard resolution, every fourth in fine), are drawn after them.
ROWS_OF_A_CLICK, ROWS_OF_A_CLICK_2D = 2, 6


@pytest.mark.parametrize("two_dimensional", [False, True], ids=["1-D", "2-D"])
@pytest.mark.parametrize("clicks", [1, 5, 20])
def test_lines_that_were_damaged_on_the_way_leave_the_others(
    tmp_path: Path, two_dimensional: bool, clicks: int
) -> None:
    """T.4 without error correction: a click of the line takes some bytes, and the next end-of-line code mends it."""
    original = letter(1728, 1146)
    options = {"compression": "group3", "dpi": (204, 98), "strip_size": 2**31 - 1}
    held = bytearray(saved(original, "TIFF", **options, tiffinfo={292: 1 if two_dimensional else 0}))
    (page,) = walk(BytesIO(bytes(held)))
    (start, length), chance = page.segments[0], Random(clicks)
    for _ in range(clicks):
        at = start + chance.randrange(length // 20, length - 16)
        held[at : at + 8] = chance.randbytes(8)
    path = put(tmp_path, "noisy.tif", bytes(held))
    to_pdf(path, tmp_path / "noisy.pdf")
    pixels = pdf_pixels(tmp_path / "noisy.pdf", 1)
    damaged = damaged_rows(~np.asarray(original), ~np.asarray(pixels))
    assert 0 < damaged <= (ROWS_OF_A_CLICK_2D if two_dimensional else ROWS_OF_A_CLICK) * clicks
    seen = picture(page_png(path, 1, width=864))
    assert difference(seen, pixels.convert("L").resize(seen.size, Image.Resampling.BOX)) < 0.02


def test_a_page_that_is_nothing_but_noise_does_not_hide_the_others(tmp_path: Path) -> None:
    out = BytesIO()
    writer = FaxTiffWriter(out)
    pages = [
        Bits.of_image(letter(1728, 500)).coded(),
        Random(1).randbytes(4000),
        Bits.of_image(letter(1728, 700)).coded(),
    ]
    for coded, rows in zip(pages, (500, 600, 700), strict=True):
        writer.add([coded], width=1728, rows=rows)
    path = put(tmp_path, "noise.tif", out.getvalue())
    first, _, third = page_pngs(path, 1, [0, 0, 0], width=300)
    assert first is not None and third is not None
    for each, rows in ((first, 500), (third, 700)):
        seen = picture(each)
        assert difference(seen, letter(1728, rows).convert("L").resize(seen.size, Image.Resampling.BOX)) < 0.02
    to_pdf(path, tmp_path / "noise.pdf")
    assert same(pdf_pixels(tmp_path / "noise.pdf", 3), letter(1728, 700))


def test_a_turn_that_is_none_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "fax.tif", tiff(letter(1728, 100)))
    with pytest.raises(ValueError, match=r"turned by \[45\]"):
        page_png(path, 1, width=100, turn=45)


def test_a_pdf_tells_viewers_to_turn_its_pages_and_keeps_their_strips(tmp_path: Path) -> None:
    path = put(tmp_path, "received.tif", tiff(*[letter(1728, 1146)] * 3, dpi=(204, 98)))
    to_pdf(path, tmp_path / "received.pdf", (180, 0))
    said = subprocess.run(
        ["pdfinfo", "-l", "3", tmp_path / "received.pdf"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [line.split()[-1] for line in said if " rot: " in line] == ["180", "0", "0"]
    # pdfimages takes out what is stored, whichever way up it is shown.
    assert same(pdf_pixels(tmp_path / "received.pdf", 1), letter(1728, 1146))
