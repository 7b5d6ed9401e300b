"""The TIFF's directories, read and written by ourselves."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageSequence

from netfax.documents.bits import Bits
from netfax.documents.errors import PageMissing
from netfax.documents.g4 import decode
from netfax.documents.tiff import BrokenTiff, count_pages, page_bytes, page_sizes, walk, whole_pages
from netfax.documents.tiffwrite import FaxTiffWriter, extract_pages
from tests.fixtures.documents.build import letter, put, tiff, tiff_header


def fax(pages: int, *, rows: int = 200) -> bytes:
    out = BytesIO()
    writer = FaxTiffWriter(out)
    for page in range(pages):
        image = letter(1728, rows)
        image.paste(0, (300, 100, 310 + 40 * page, 140))
        writer.add([Bits.of_image(image).coded()], width=1728, rows=rows)
    return out.getvalue()


def pictures(data: bytes) -> list[Image.Image]:
    with Image.open(BytesIO(data)) as image:
        return [frame.convert("1").copy() for frame in ImageSequence.Iterator(image)]


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and ImageChops.logical_xor(one, other).getbbox() is None


def test_our_pages_are_read_back_by_libtiff_to_the_pixel() -> None:
    out = BytesIO()
    FaxTiffWriter(out).add([Bits.of_image(letter()).coded()], width=1728, rows=2292)
    (read,) = pictures(out.getvalue())
    assert same(read, letter())


def test_our_page_has_the_fields_of_a_fax() -> None:
    (page,) = walk(BytesIO(fax(1)))
    assert (page.width, page.rows, page.compression, page.dpi) == (1728, 200, 4, (204.0, 196.0))
    assert page.whole and page.bilevel and len(page.segments) == 1
    with Image.open(BytesIO(fax(1))) as image:
        tags = image.tag_v2
        assert (tags[254], tags[262], tags[266], tags[278], tags[296]) == (2, 0, 1, 200, 2)


def test_metric_resolutions_survive_the_copy(tmp_path: Path) -> None:
    out = BytesIO()
    FaxTiffWriter(out).add([Bits.of_image(letter(1728, 98)).coded()], width=1728, rows=98, dpi=(203.2, 97.79))
    extract_pages(put(tmp_path, "in.tif", out.getvalue()), tmp_path / "out.tif", 1)
    assert whole_pages(tmp_path / "out.tif")[0].dpi == (203.2, 97.79)


def test_pages_are_counted_without_decoding(tmp_path: Path) -> None:
    path = put(tmp_path, "three.tif", fax(3))
    assert count_pages(path) == 3
    assert page_sizes(path) == ((1728, 200),) * 3
    assert all(size > 100 for size in page_bytes(path))


@pytest.mark.parametrize("data", [b"", b"I", b"II*\0", b"%PDF-1.4", b"II*\0\xff\xff\xff\xff", b"\0" * 4096])
def test_what_is_no_tiff_has_no_pages(tmp_path: Path, data: bytes) -> None:
    assert count_pages(put(tmp_path, "none.tif", data)) == 0


def test_a_truncated_fax_keeps_the_pages_before_the_cut(tmp_path: Path) -> None:
    data = fax(3)
    ends = [len(fax(pages)) for pages in (1, 2, 3)]
    for cut in range(0, len(data) + 1, 37):
        path = put(tmp_path, "cut.tif", data[:cut])
        assert count_pages(path) == sum(end <= cut for end in ends), cut


def test_a_page_whose_strip_is_cut_off_is_no_page(tmp_path: Path) -> None:
    whole = tiff_header(1728, 10, strip=64)
    assert count_pages(put(tmp_path, "whole.tif", whole)) == 1
    assert count_pages(put(tmp_path, "cut.tif", whole[:-1])) == 0


def test_directories_that_run_in_a_circle_end(tmp_path: Path) -> None:
    looped = tiff_header(1728, 10, next_directory=8)
    with pytest.raises(BrokenTiff):
        list(walk(BytesIO(looped)))
    assert count_pages(put(tmp_path, "loop.tif", looped)) == 1


def test_big_endian_and_metric_files_are_read() -> None:
    (page,) = walk(BytesIO(tiff(letter(100, 100), dpi=(254, 254))))
    assert page.dpi == pytest.approx((254, 254))
    held = BytesIO()
    letter(100, 100).save(held, "TIFF", big_tiff=True)
    (page,) = walk(held)
    assert page.whole and page.width == 100


def test_the_rest_of_a_fax_is_its_pages_to_the_byte(tmp_path: Path) -> None:
    source = put(tmp_path, "four.tif", fax(4))
    extract_pages(source, tmp_path / "rest.tif", 3)
    assert page_bytes(tmp_path / "rest.tif") == page_bytes(source)[2:]
    rest = pictures((tmp_path / "rest.tif").read_bytes())
    assert all(same(one, other) for one, other in zip(rest, pictures(source.read_bytes())[2:], strict=True))


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_the_rest_of_a_received_fax_keeps_its_coding(tmp_path: Path, compression: str) -> None:
    images = [letter(), letter(1728, 1100)]
    source = put(tmp_path, "in.tif", tiff(*images, compression=compression, dpi=(204, 98)))
    extract_pages(source, tmp_path / "rest.tif", 2)
    (read,) = pictures((tmp_path / "rest.tif").read_bytes())
    assert same(read, images[1])
    assert page_bytes(tmp_path / "rest.tif") == page_bytes(source)[1:]


@pytest.mark.parametrize("first", [0, 3, -1])
def test_a_page_that_is_not_there_is_named(tmp_path: Path, first: int) -> None:
    with pytest.raises(PageMissing, match="it has 2"):
        extract_pages(put(tmp_path, "two.tif", fax(2)), tmp_path / "rest.tif", first)
    assert not (tmp_path / "rest.tif").exists()


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_every_fax_coding_is_decoded_from_its_strips_alone(compression: str) -> None:
    held = BytesIO(tiff(letter(), compression=compression))
    (page,) = walk(held)
    assert same(decode(held, page), letter())
