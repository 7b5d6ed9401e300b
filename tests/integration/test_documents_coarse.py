"""A fax in standard fineness: half of the lines, and nothing thin is lost."""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy
import pytest
from PIL import Image, ImageSequence

from netfax.documents import sandbox, workshop
from netfax.documents.bits import Bits
from netfax.documents.coarse import STANDARD_DPI, to_standard
from netfax.documents.convert import FaxImage, to_fax_tiff
from netfax.documents.errors import DamagedDocument, NotDrawable, PageMissing
from netfax.documents.tiff import page_bytes, page_sizes, walk, whole_pages
from netfax.documents.tiffwrite import FaxTiffWriter
from tests.fixtures.documents.build import letter, pdf, put, tiff

Pixels = numpy.ndarray  # True is black
Halve = Callable[..., list[Pixels]]
TEXT = "传真系统通知办公室 The quick brown fox jumps over the lazy dog 0123456789\n" * 45


@pytest.fixture
def halve(tmp_path: Path) -> Halve:
    """The pages of a fax TIFF given as bytes, or of the one made of images, in standard fineness."""

    def halved(*pages: Image.Image, data: bytes = b"", first: int = 1) -> list[Pixels]:
        source = put(tmp_path, "fine.tif", data or fax(*pages))
        image = to_standard(source, tmp_path / "standard.tif", first=first)
        made = tmp_path / "standard.tif"
        assert image == FaxImage(len(whole_pages(made)), page_bytes(made), made.stat().st_size)
        return pixels(made)

    return halved


def fax(*pages: Image.Image, dpi: tuple[float, float] = (204, 196)) -> bytes:
    """A TIFF as our own conversion writes it."""
    out = BytesIO()
    writer = FaxTiffWriter(out)
    for page in pages:
        writer.add([Bits.of_image(page).coded()], width=page.width, rows=page.height, dpi=dpi)
    return out.getvalue()


def pixels(path: Path) -> list[Pixels]:
    """The pages as libtiff reads them."""
    with Image.open(path) as image:
        return [black(frame) for frame in ImageSequence.Iterator(image)]


def black(image: Image.Image) -> Pixels:
    return ~numpy.asarray(image.convert("1"))


def page(rows: int) -> Pixels:
    """White paper."""
    return numpy.zeros((rows, 1728), dtype=bool)


def drawn(ink: Pixels) -> Image.Image:
    return Image.fromarray(~ink)


def either(ink: Pixels) -> Pixels:
    """The rows by two, black where either is black."""
    even = numpy.pad(ink, ((0, len(ink) % 2), (0, 0)))
    return even[0::2] | even[1::2]


def test_each_row_is_black_where_either_of_two_is(halve: Halve) -> None:
    noise = numpy.random.default_rng(1).random((600, 1728)) < 0.3
    (made,) = halve(drawn(noise))
    assert numpy.array_equal(made, either(noise))


@pytest.mark.parametrize("row", [0, 1, 500, 501, 999, 1000])
def test_a_line_of_one_row_stays_one_row_wherever_it_lies(halve: Halve, row: int) -> None:
    ink = page(1001)
    ink[row, 100:1600] = True
    (made,) = halve(drawn(ink))
    assert made[row // 2, 100:1600].all()
    assert made.sum() == 1500


def test_an_upright_line_of_one_pixel_keeps_its_width(halve: Halve) -> None:
    ink = page(1000)
    ink[:, 864] = True
    (made,) = halve(drawn(ink))
    assert made.sum() == made[:, 864].sum() == 500


def test_a_single_dot_is_not_lost(halve: Halve) -> None:
    ink = page(1000)
    ink[333, 700] = True
    (made,) = halve(drawn(ink))
    assert numpy.argwhere(made).tolist() == [[166, 700]]


def test_a_page_of_text_grows_darker_by_less_than_a_third(tmp_path: Path, halve: Halve) -> None:
    to_fax_tiff([put(tmp_path, "letter.txt", TEXT.encode())], tmp_path / "drawn.tif")
    (made,) = halve(data=(tmp_path / "drawn.tif").read_bytes())
    (fine,) = pixels(tmp_path / "drawn.tif")
    assert 0.05 < fine.mean() < made.mean() < fine.mean() * 1.33


def test_the_white_inside_of_letters_stays_open(tmp_path: Path, halve: Halve) -> None:
    to_fax_tiff([put(tmp_path, "letter.txt", TEXT.encode())], tmp_path / "drawn.tif")
    (made,) = halve(data=(tmp_path / "drawn.tif").read_bytes())
    (fine,) = pixels(tmp_path / "drawn.tif")
    assert islands(~made) > 0.9 * islands(~fine) > 900


def islands(area: Pixels) -> int:
    """How many parts an area has that do not touch each other by their sides (runs of each row, joined)."""
    above: list[tuple[int, int, int]] = []
    parents: list[int] = []

    def root(of: int) -> int:
        while parents[of] != of:
            of = parents[of]
        return of

    for row in area:
        edges = numpy.flatnonzero(numpy.diff(numpy.concatenate(([0], row.astype(numpy.int8), [0]))))
        runs = []
        for start, end in edges.reshape(-1, 2).tolist():
            mine = len(parents)
            parents.append(mine)
            for other_start, other_end, other in above:
                if other_start < end and start < other_end:
                    parents[root(other)] = root(mine)
            runs.append((start, end, mine))
        above = runs
    return sum(parent == index for index, parent in enumerate(parents))


@pytest.mark.parametrize("grey", [0.25, 0.5, 0.75])
def test_a_shade_stays_a_shade(tmp_path: Path, halve: Halve, grey: float) -> None:
    shaded = put(tmp_path, "shade.pdf", pdf(content=f"{grey} g 0 0 595 842 re f"))
    to_fax_tiff([shaded], tmp_path / "drawn.tif")
    (made,) = halve(data=(tmp_path / "drawn.tif").read_bytes())
    (fine,) = pixels(tmp_path / "drawn.tif")
    # A line of the screen grows by a row where it does not end with a pair.
    assert fine.mean() <= made.mean() < fine.mean() + 0.17


@pytest.mark.parametrize(("rows", "half"), [(1, 1), (2, 1), (3, 2), (2291, 1146), (2292, 1146), (4000, 2000)])
def test_pages_of_any_length_are_halved_and_an_odd_row_stays(halve: Halve, rows: int, half: int) -> None:
    ink = page(rows)
    ink[-1] = True
    (made,) = halve(drawn(ink))
    assert made.shape == (half, 1728)
    assert made[-1].all() and made.sum() == 1728


def test_the_form_is_that_of_a_standard_fax(tmp_path: Path, halve: Halve) -> None:
    halve(letter(), letter(1728, 1001))
    pages = whole_pages(tmp_path / "standard.tif")
    assert page_sizes(tmp_path / "standard.tif") == ((1728, 1146), (1728, 501))
    assert [(each.compression, each.dpi, len(each.segments)) for each in pages] == [(4, (204.0, 98.0), 1)] * 2
    with Image.open(tmp_path / "standard.tif") as image:
        tags = image.tag_v2
        assert (tags[258], tags[262], tags[266], tags[278], tags[296], tags[282], tags[283]) == (
            *((1,), 0, 1, 1146, 2),
            *STANDARD_DPI,
        )


def test_a_text_has_fewer_bytes_than_in_fine(tmp_path: Path) -> None:
    source = put(tmp_path, "fine.tif", fax(letter(), letter(1728, 1001)))
    image = to_standard(source, tmp_path / "standard.tif")
    assert [made < 0.8 * fine for made, fine in zip(image.page_bytes, page_bytes(source), strict=True)] == [True] * 2


@pytest.mark.parametrize("first", [1, 2, 3])
def test_pages_from_the_first_wanted_on_are_halved(halve: Halve, first: int) -> None:
    originals = [letter(1728, rows) for rows in (300, 401, 500)]
    made = halve(*originals, first=first)
    wanted = [either(black(original)) for original in originals[first - 1 :]]
    assert len(made) == len(wanted)
    assert all(map(numpy.array_equal, made, wanted))


def test_a_tiff_of_many_strips_is_halved_to_one(tmp_path: Path, halve: Halve) -> None:
    (made,) = halve(data=tiff(letter()))
    (strips,) = [len(each.segments) for each in whole_pages(tmp_path / "fine.tif")]
    assert strips > 1
    assert numpy.array_equal(made, either(black(letter())))


@pytest.mark.parametrize("first", [0, 3, -1])
def test_a_page_that_is_not_there_is_named(tmp_path: Path, first: int) -> None:
    source = put(tmp_path, "fine.tif", fax(letter(1728, 100), letter(1728, 100)))
    with pytest.raises(PageMissing, match="it has 2"):
        to_standard(source, tmp_path / "standard.tif", first=first)
    assert [path.name for path in tmp_path.iterdir()] == ["fine.tif"]


def test_what_is_no_tiff_has_no_page(tmp_path: Path) -> None:
    with pytest.raises(PageMissing, match="it has 0"):
        to_standard(put(tmp_path, "fine.tif", b"%PDF-1.4"), tmp_path / "standard.tif")


@pytest.mark.parametrize(("lines", "rows"), [(98, 201), (392, 51)])
def test_pages_of_our_other_resolutions_are_squeezed_as_far_as_they_must(tmp_path: Path, lines: int, rows: int) -> None:
    target = tmp_path / "standard.tif"
    to_standard(put(tmp_path, "other.tif", fax(letter(1728, 201), dpi=(204, lines))), target)
    (page,) = whole_pages(target)
    assert (page.width, page.rows, page.dpi) == (1728, rows, (204, 98))


@pytest.mark.parametrize("dpi", [(100, 100), (204, 391), (204, 49)])
def test_pages_of_another_fineness_are_not_squeezed(tmp_path: Path, dpi: tuple[float, float]) -> None:
    source = put(tmp_path, "other.tif", fax(letter(1728, 200), dpi=dpi))
    with pytest.raises(NotDrawable):
        to_standard(source, tmp_path / "standard.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["other.tif"]


def test_a_page_of_another_width_is_refused(tmp_path: Path) -> None:
    source = put(tmp_path, "wide.tif", fax(letter(2048, 200)))
    with pytest.raises(NotDrawable):
        to_standard(source, tmp_path / "standard.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["wide.tif"]


def test_a_damaged_page_leaves_what_was_there(tmp_path: Path) -> None:
    data = bytearray(fax(letter(1728, 300), letter(1728, 400)))
    second = list(walk(BytesIO(bytes(data))))[1]
    (place, length), *_ = second.segments
    data[place : place + length] = b"\0" * length
    source, target = put(tmp_path, "damaged.tif", bytes(data)), put(tmp_path, "standard.tif", b"before")
    with pytest.raises(DamagedDocument):
        to_standard(source, target)
    assert target.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.tif", "standard.tif"]


LIES = {
    "nothing": b"",
    "a page less": fax(letter(1728, 100), dpi=STANDARD_DPI),
    "a page more": fax(*[letter(1728, 100)] * 3, dpi=STANDARD_DPI),
    "rows that are not the half": fax(letter(1728, 100), letter(1728, 99), dpi=STANDARD_DPI),
    "the fine resolution": fax(letter(1728, 100), letter(1728, 100)),
    "another width": fax(letter(1728, 100), letter(1729, 100), dpi=STANDARD_DPI),
    "another coding": tiff(letter(1728, 100), letter(1728, 100), compression="group3", dpi=STANDARD_DPI),
}


@pytest.fixture
def two_pages_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], FaxImage]:
    """Has two pages of 200 rows halved by a worker that writes these bytes and says that it is done."""

    def answered(made: bytes) -> FaxImage:
        def ask(verb: str, *arguments: int, outputs: Sequence[BinaryIO], **how: object) -> workshop.Answer:
            outputs[0].write(made)
            outputs[0].flush()
            return {}

        monkeypatch.setattr(workshop, "ask", ask)
        source = put(tmp_path, "fine.tif", fax(letter(1728, 200), letter(1728, 200)))
        return to_standard(source, tmp_path / "standard.tif")

    return answered


@pytest.mark.parametrize("lie", LIES)
def test_a_worker_that_lies_is_found_out(
    tmp_path: Path, two_pages_answered: Callable[[bytes], FaxImage], lie: str
) -> None:
    with pytest.raises(NotDrawable):
        two_pages_answered(LIES[lie])
    assert [path.name for path in tmp_path.iterdir()] == ["fine.tif"]


def test_a_worker_that_does_not_lie_is_believed(two_pages_answered: Callable[[bytes], FaxImage]) -> None:
    assert two_pages_answered(fax(letter(1728, 100), letter(1728, 100), dpi=STANDARD_DPI)).pages == 2


def test_nothing_is_decoded_where_there_is_no_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*argv: object, **how: object) -> sandbox.Completed:
        raise sandbox.SandboxUnavailable("none")

    monkeypatch.setattr(sandbox, "run", absent)
    source = put(tmp_path, "fine.tif", fax(letter(1728, 200)))
    with pytest.raises(sandbox.SandboxUnavailable):
        to_standard(source, tmp_path / "standard.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["fine.tif"]
