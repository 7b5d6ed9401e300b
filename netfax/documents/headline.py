"""The line at the top of every page that goes out: when, from whom, to whom, and which page of how many.

Many countries ask for it by law. It is ours, for each try on a copy: SpanDSP's own adds its rows to the page, knows no
Chinese, and counts from 1 in every call. No pixel of the page is decoded for it. In T.6 a white row below a white row
is a single 1 bit, so the white rows that nearly every page begins with are as many 1 bits, which the line's own code
replaces; it ends with a white row, as which the page's rest is coded on. A page that has no such margin gets the line
above its first row, and so many rows more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont

from netfax.documents.g4 import encode
from netfax.documents.look import Resolution
from netfax.documents.tiff import Tag, TiffPage, strips, whole_pages
from netfax.documents.tiffwrite import FAX_DPI, FAX_WIDTH, MIN_IS_WHITE, MSB_FIRST, FaxTiffWriter

FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
# Rows of fine resolution: 3 mm, of which letters take two thirds and the last is white.
ROWS = 24
LETTERS = 17
# Printers do not print to the edge.
MARGIN = 48
# The gap between what is on the left and on the right.
GAP = 24
WHITE = 255
# Two end-of-line codes end a T.6 strip (T.6 2.4.1): 000000000001, twice.
END_BITS = 24


@dataclass(frozen=True)
class Headline:
    """What the line says: `left` as it is, shortened where it is too long; on the right the page of `pages`."""

    left: str
    pages: int

    def right(self, page: int) -> str:
        return f"{page}/{self.pages}"


def write_headlines(source: Path, target: Path, headline: Headline, *, first: int) -> None:
    """Copy our own fax TIFF with the line on every page; its first page is page `first` of the fax."""
    with source.open("rb") as file, target.open("wb") as out:
        writer = FaxTiffWriter(out)
        for number, page in enumerate(whole_pages(source), start=first):
            (strip,) = strips(file, page)
            _check(page)
            coded, rows = _with_line(strip, page.rows, *_line(headline.left, headline.right(number), _resolution(page)))
            writer.add([coded], width=page.width, rows=rows, dpi=page.dpi or FAX_DPI)


def _check(page: TiffPage) -> None:
    """Only what we have drawn ourselves is coded so that a line can be laid into it."""
    form = (page.first(Tag.FILL_ORDER, MSB_FIRST), page.first(Tag.PHOTOMETRIC, MIN_IS_WHITE), page.width)
    if form != (MSB_FIRST, MIN_IS_WHITE, FAX_WIDTH):
        raise ValueError(f"a page that is not our own: {form}")


def _resolution(page: TiffPage) -> Resolution:
    lines = (page.dpi or FAX_DPI)[1]
    return next(resolution for resolution in Resolution if resolution.lines == lines)


def _with_line(strip: bytes, rows: int, line: int, bits: int, line_rows: int) -> tuple[bytes, int]:
    """The page's code with the line's (so many bits) at its beginning, and the page's rows then."""
    white = _leading_ones(strip, line_rows)
    replaced = line_rows if white >= line_rows and rows > line_rows else 0
    rest = len(strip) * 8 - replaced
    code = line << rest | int.from_bytes(strip) & (1 << rest) - 1
    padding = -(bits + rest) % 8
    return (code << padding).to_bytes((bits + rest + padding) // 8), rows - replaced + line_rows


def _leading_ones(strip: bytes, most: int) -> int:
    """How many bits the strip begins with that are 1, looked at as far as it matters."""
    start = strip[: most // 8 + 1]
    bits = len(start) * 8
    return bits - (~int.from_bytes(start) & (1 << bits) - 1).bit_length()


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, LETTERS, layout_engine=ImageFont.Layout.BASIC)


def _line(left: str, right: str, resolution: Resolution) -> tuple[int, int, int]:
    """The line's code as a number, its bits without the end of a strip, and its rows."""
    image = _drawn(left, right)
    if resolution is Resolution.STANDARD:
        # Black where either of two rows is.
        image = image.convert("L").reduce((1, 2)).point([0] * WHITE + [WHITE], "1")
    elif resolution is Resolution.SUPERFINE:
        image = image.resize((image.width, 2 * image.height), Image.Resampling.NEAREST)
    # In an image of mode "1" a set bit is white.
    strip = encode(ImageChops.invert(image).tobytes(), image.width)
    code = int.from_bytes(strip)
    # Behind the end of the strip there is nothing but zeros to the next byte.
    padding = (code & -code).bit_length() - 1
    bits = len(strip) * 8 - padding - END_BITS
    return code >> padding + END_BITS, bits, image.height


def _drawn(left: str, right: str) -> Image.Image:
    image = Image.new("1", (FAX_WIDTH, ROWS), WHITE)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"
    left = "".join(letter if letter.isprintable() else " " for letter in left)
    room = FAX_WIDTH - 2 * MARGIN - GAP - _font().getlength(right)
    draw.text((MARGIN, LETTERS), _shortened(left, room), fill=0, font=_font(), anchor="ls")
    draw.text((FAX_WIDTH - MARGIN, LETTERS), right, fill=0, font=_font(), anchor="rs")
    # Letters that reach deep must not end on the row by which the page goes on, nor on its pair.
    image.paste(WHITE, (0, ROWS - 2, FAX_WIDTH, ROWS))
    return image


def _shortened(text: str, room: float) -> str:
    if _font().getlength(text) <= room:
        return text
    return next(short for short in _shorter(text) if _font().getlength(short) <= room)


def _shorter(text: str) -> Iterator[str]:
    for length in range(len(text) - 1, -1, -1):
        yield text[:length].rstrip() + "…"
