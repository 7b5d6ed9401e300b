"""From files to the fax TIFF, through the sandbox."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageSequence

from netfax.documents.convert import FaxImage, to_fax_tiff
from netfax.documents.errors import DamagedDocument, FileTooLarge
from netfax.documents.tiff import count_pages
from tests.fixtures.documents.build import letter, pdf, photograph, put, saved, tiff

Convert = Callable[..., list[Image.Image]]


@pytest.fixture
def fax(tmp_path: Path) -> Convert:
    """Converts files given as bytes and returns the pages, checked for the form of a fax."""

    def convert(*files: bytes) -> list[Image.Image]:
        sources = [put(tmp_path, f"source-{index}", data) for index, data in enumerate(files)]
        image = to_fax_tiff(sources, tmp_path / "fax.tif")
        assert isinstance(image, FaxImage)
        assert image.pages == len(image.page_bytes) == count_pages(tmp_path / "fax.tif")
        assert image.bytes == (tmp_path / "fax.tif").stat().st_size > sum(image.page_bytes)
        return pages(tmp_path / "fax.tif")

    return convert


def pages(path: Path) -> list[Image.Image]:
    with Image.open(path) as image:
        found = []
        for frame in ImageSequence.Iterator(image):
            tags = frame.tag_v2
            assert (tags[256], tags[259], tags[262], tags[282], tags[283], tags[296]) == (1728, 4, 0, 204, 196, 2)
            assert len(tags[273]) == 1
            found.append(frame.convert("1").copy())
    return found


def black(image: Image.Image, box: tuple[int, int, int, int]) -> float:
    """The share of black in a part of the image."""
    part = image.crop(box).convert("L")
    return 1 - sum(level * count for level, count in enumerate(part.histogram())) / 255 / (part.width * part.height)


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and ImageChops.logical_xor(one, other).getbbox() is None


def alike(one: Image.Image, other: Image.Image) -> float:
    """How much two pages agree when looked at from afar, 1.0 for the same."""
    small = [image.convert("L").resize((72, 96), Image.Resampling.BOX) for image in (one, other)]
    difference = ImageChops.difference(*small)
    return 1 - sum(level * count for level, count in enumerate(difference.histogram())) / 255 / (72 * 96)


def test_an_a4_pdf_is_a_page_of_2292_lines(fax: Convert) -> None:
    (page,) = fax(pdf())
    assert page.size == (1728, 2292)
    # One inch square in the upper left corner of the paper, which begins 16 pixels from the edge.
    assert black(page, (17, 1, 219, 195)) == 1.0
    assert black(page, (226, 0, 1728, 2292)) == 0.0 == black(page, (0, 198, 1728, 2292))


def test_a_landscape_pdf_is_turned_and_not_mirrored(fax: Convert) -> None:
    (page,) = fax(pdf(size=(841.89, 595.28)))
    assert page.size == (1728, 2292)
    # Turned clockwise the upper left corner is the upper right one.
    assert black(page, (1703 - 203, 1, 1703 - 2, 195)) == 1.0
    assert black(page, (0, 0, 1480, 2292)) == 0.0


def test_pages_of_several_files_follow_each_other(fax: Convert) -> None:
    made = fax(pdf(2), "第二份文件".encode(), saved(letter().convert("L"), "PNG", dpi=(204, 204)))
    assert len(made) == 4
    assert made[0].size == made[2].size == (1728, 2292)


def test_hairlines_and_light_text_are_drawn(fax: Convert) -> None:
    (page,) = fax(pdf(content="0.1 w 0.6 G 100 100 m 100 700 l S  0.5 g 200 300 100 1 re f"))
    assert 0.9 < black(page, (0, 1000, 1728, 1100)) * 1728 <= 2.1
    assert black(page, (600, 1400, 860, 1520)) > 0.01


def test_a_shade_is_halftoned_to_its_grey(fax: Convert) -> None:
    (page,) = fax(pdf(content="0.5 g 0 300 595 300 re f"))
    assert black(page, (100, 700, 1600, 1400)) == pytest.approx(0.5, abs=0.05)


def test_a_photograph_keeps_its_shades(fax: Convert) -> None:
    picture = photograph()
    (page,) = fax(saved(picture, "JPEG", quality=90, dpi=(100, 100)))
    seen = page.crop((48, 0, 48 + 1632, 1960))
    assert alike(seen, picture) > 0.93
    assert black(seen, (0, 0, 1632, 200)) < 0.2 < 0.8 < black(seen, (0, 1760, 1632, 1960))


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "tiff_lzw", "packbits"])
def test_a_fax_sent_on_stays_the_same_to_the_pixel(fax: Convert, compression: str) -> None:
    originals = [letter(), letter(1728, 1000)]
    assert all(
        same(made, original)
        for made, original in zip(fax(tiff(*originals, compression=compression)), originals, strict=True)
    )


@pytest.mark.parametrize("across", [203, 204, 203.2])
def test_standard_resolution_is_doubled_to_the_pixel(fax: Convert, across: float) -> None:
    original = letter(1728, 1146)
    (page,) = fax(tiff(original, compression="group3", dpi=(across, 98)))
    assert same(page, original.resize((1728, 2292), Image.Resampling.NEAREST))


TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_every_orientation_stands_upright(fax: Convert, kind: str, orientation: int) -> None:
    upright = letter(850, 1100).convert("L")
    turn = TURNS[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif}
    (page,) = fax(saved(stored, kind, dpi=(100, 100), **options))
    assert page.size == (1728, 2149)
    assert alike(page, upright) > 0.97


def test_both_resolutions_of_a_turned_tiff_are_turned_with_it(fax: Convert) -> None:
    stored = letter(1728, 1146).transpose(Image.Transpose.ROTATE_90)
    (page,) = fax(saved(stored, "TIFF", compression="group4", dpi=(98, 204), tiffinfo={274: 6}))
    assert page.size == (1728, 2292)
    assert alike(page, letter(1728, 1146)) > 0.99


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "P", "LA", "RGBA", "I;16", "1"])
def test_every_sort_of_colour_is_drawn(fax: Convert, mode: str) -> None:
    original = letter(850, 1100)
    grey = original.convert("L")
    if mode == "I;16":
        image = grey.convert("I").point(lambda level: level * 257).convert("I;16")
    else:
        image = grey.convert("RGB").convert(mode) if mode in ("CMYK", "P", "RGBA") else grey.convert(mode)
    (page,) = fax(saved(image, "TIFF" if mode == "CMYK" else "PNG", dpi=(100, 100)))
    assert alike(page, original) > 0.97


def test_what_is_transparent_is_paper(fax: Convert) -> None:
    image = Image.new("RGBA", (850, 1100), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (100, 100, 300, 300))
    (page,) = fax(saved(image, "PNG", dpi=(100, 100)))
    assert black(page, (220, 210, 600, 560)) == 1.0
    assert black(page, (700, 700, 1728, 2100)) == 0.0


def test_a_picture_of_no_resolution_fills_the_paper(fax: Convert) -> None:
    (page,) = fax(saved(photograph(3000, 2000), "PNG"))
    assert page.size == (1728, 2292)


def test_chinese_text_is_drawn_with_its_characters(fax: Convert) -> None:
    pages_of = [fax((f"{text}\n" * 20).encode("gb18030")) for text in ("传真系统通知办公室", "合同付款条款内容书")]
    ink = [black(page, (150, 130, 900, 900)) for (page,) in pages_of]
    assert all(0.02 < share < 0.25 for share in ink)
    # Missing glyphs would be the same boxes in both.
    assert not same(pages_of[0][0], pages_of[1][0])


def test_thumbnails_in_a_tiff_are_no_pages(fax: Convert) -> None:
    held = BytesIO()
    small = letter(100, 130)
    small.encoderinfo = {"tiffinfo": {254: 1}}
    letter().save(held, "TIFF", save_all=True, append_images=[small], compression="group4", dpi=(204, 196))
    assert len(fax(held.getvalue())) == 1


def test_a_failed_conversion_leaves_nothing(tmp_path: Path) -> None:
    good = put(tmp_path, "good", pdf())
    bad = put(tmp_path, "bad", b"%PDF-1.4\nnothing\nstartxref\n0\n%%EOF")
    with pytest.raises(DamagedDocument) as refusal:
        to_fax_tiff([good, bad], tmp_path / "fax.tif", names=["信.pdf", "合同.pdf"])
    assert "合同.pdf" in refusal.value.text("zh") and "信" not in refusal.value.text("zh")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "good"]


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.pdf"
    with path.open("wb") as file:
        file.truncate(25 * 1024 * 1024 + 1)
    with pytest.raises(FileTooLarge, match="larger than 25 MB"):
        to_fax_tiff([path], tmp_path / "fax.tif", names=["large.pdf"])


def test_a_private_file_is_read_all_the_same(tmp_path: Path) -> None:
    source = put(tmp_path, "private.pdf", pdf())
    source.chmod(0o600)
    assert to_fax_tiff([source], tmp_path / "fax.tif").pages == 1
