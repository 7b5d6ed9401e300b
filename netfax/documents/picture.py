"""Pictures: PNG, JPEG and TIFF of every sort. Only in the worker: it needs Pillow."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL import Image

from netfax.documents.errors import DamagedDocument, PageTooLarge, Refusal, TooManyPages
from netfax.documents.fit import Placement, fit
from netfax.documents.kinds import Kind
from netfax.documents.limits import MAX_PAGE_PIXELS, MAX_PAGES
from netfax.documents.look import Look
from netfax.documents.manner import PICTURED, WHITE, drawn_lines
from netfax.documents.tiff import BrokenTiff, Tag, TiffPage, walk
from netfax.documents.tiffwrite import FAX_DPI, FAX_WIDTH

if TYPE_CHECKING:
    from netfax.documents.bits import Bits

# Our own limit is checked on the header, before Pillow decodes; its warnings come later and say less.
Image.MAX_IMAGE_PIXELS = None
# What Pillow's readers raise on files that lie: a decoder's fault is damage, whatever it is called.
# (MemoryError is not among them: it has a meaning of its own.)
DECODER_FAULTS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    struct.error,
)
# Believed when a picture names its resolution; else it counts as 72, a screen's.
CREDIBLE_DPI = range(50, 2401)
SCREEN_DPI = 72.0
# What fax machines call their resolutions (T.30 inch and metric forms), and what we take them for.
FAX_ACROSS = range(198, 210)
FAX_DOWN = ((range(96, 101), 98), (range(193, 198), 196), (range(385, 394), 392))
BILEVEL = "1"
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = range(5, 9)  # EXIF and TIFF orientations that swap width and height
JPEG_SHRINKS_BY = 8
# Rows that are made grey at once.
PART = 512
# A one-bit page made smaller keeps its thin lines when grey counts as ink rather than as paper.
THIN_INK = 160


@contextmanager
def _opened(data: bytes, kind: Kind) -> Iterator[Image.Image]:
    """The picture, not decoded yet; what its reader raises is damage."""
    try:
        with Image.open(BytesIO(data), formats=[kind.name]) as image:
            yield image
    except DECODER_FAULTS as fault:
        raise Refusal(DamagedDocument) from fault


def count_pages(data: bytes, kind: Kind) -> int:
    """The pages of a picture, with their sizes checked, by its headers alone."""
    pages = len(_tiff_pages(data)) if kind is Kind.TIFF else 1
    with _opened(data, kind) as image:
        check_size(*image.size)
    return pages


def check_whole(data: bytes, kind: Kind) -> None:
    """Refuse a PNG or JPEG whose data ends too early or is wrong; a TIFF's directories have told it already."""
    if kind is Kind.TIFF:
        return
    with _opened(data, kind) as image:
        # A JPEG is read through just as well when it is decoded at an eighth of its size.
        image.draft("L", (image.width // JPEG_SHRINKS_BY, image.height // JPEG_SHRINKS_BY))
        image.load()


def draw_pages(data: bytes, kind: Kind, pages: Sequence[int], look: Look) -> Iterator[tuple["Bits", Placement]]:
    """Each of these pages (0 is the first) in black and white, as large as its place on the fax page."""
    frames = list(_tiff_pages(data).items()) if kind is Kind.TIFF else [(0, None)]
    with _opened(data, kind) as image:
        for frame, page in (frames[number] for number in pages):
            if page is not None:
                image.seek(frame)
            yield _draw(image, page, look)


def _tiff_pages(data: bytes) -> dict[int, TiffPage | None]:
    """The pages of a TIFF by the number of their frame, checked on the directories alone."""
    pages: dict[int, TiffPage | None] = {}
    try:
        for frame, page in enumerate(walk(BytesIO(data))):
            if page.thumbnail:
                continue
            check_size(page.width, page.rows)
            if not page.whole:
                raise Refusal(DamagedDocument)
            pages[frame] = page
            if len(pages) > MAX_PAGES:
                raise Refusal(TooManyPages)
    except BrokenTiff as fault:
        raise Refusal(DamagedDocument) from fault
    if not pages:
        raise Refusal(DamagedDocument)
    return pages


def check_size(width: int, height: int) -> None:
    if width * height > MAX_PAGE_PIXELS:
        raise Refusal(PageTooLarge)


def _draw(image: Image.Image, page: TiffPage | None, look: Look) -> tuple["Bits", Placement]:
    """One page upright, in its place's size."""
    import numpy as np

    from netfax.documents.bits import Bits
    from netfax.documents.draw import to_bilevel

    across, down = _dpi(image, page)
    width, height = image.size if page is None else (page.width, page.rows)
    orientation = image.getexif().get(ORIENTATION, 1) if page is None else page.first(Tag.ORIENTATION, 1)
    size = (width / across, height / down)
    wide, long = reversed(size) if orientation in SIDEWAYS else size
    place = fit(wide, long, drawn_lines(look))
    if page is None:
        # Decodes a JPEG at a half, a quarter or an eighth when that is still more than the line carries.
        image.draft("L", (FAX_WIDTH, FAX_WIDTH))
    image.load()
    # Pillow has turned a TIFF by its orientation as it loaded it.
    turns = [TURNS[orientation]] if page is None and orientation in TURNS else []
    if place.turned:
        turns.append(Image.Transpose.ROTATE_270)
    if image.mode == BILEVEL:
        return Bits.of_image(_resized_bilevel(_turned(image, turns), place)), place
    lies = place.turned != (page is None and orientation in SIDEWAYS)
    size = (place.rows, place.width) if lies else (place.width, place.rows)
    grey = _grey(image).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return to_bilevel(np.asarray(_turned(grey, turns)), PICTURED, look), place


def _turned(image: Image.Image, turns: Sequence[Image.Transpose]) -> Image.Image:
    for turn in turns:
        image = image.transpose(turn)
    return image


def _dpi(image: Image.Image, page: TiffPage | None) -> tuple[float, float]:
    """Dots per inch across and down; what a fax machine calls its resolution is taken for the line's own."""
    across, down = map(float, (image.info.get("dpi") if page is None else page.dpi) or (0, 0))
    if page is not None and page.width == FAX_WIDTH and round(across) in FAX_ACROSS:
        for named, meant in FAX_DOWN:
            if round(down) in named:
                return float(FAX_DPI[0]), float(meant)
    if not all(CREDIBLE_DPI.start <= dpi < CREDIBLE_DPI.stop for dpi in (across, down)):
        return SCREEN_DPI, SCREEN_DPI
    return across, down


def _resized_bilevel(image: Image.Image, place: Placement) -> Image.Image:
    """A one-bit page in its place's size; a page in fax pixels stays as it is, to the pixel."""
    size = (place.width, place.rows)
    if image.size == size:
        return image
    if image.width == place.width and place.rows % image.height == 0:
        # Standard resolution, 98 lines an inch: each line twice.
        return image.resize(size, Image.Resampling.NEAREST)
    smooth = image.convert("L").resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return smooth.point([0 if level < THIN_INK else WHITE for level in range(256)], BILEVEL)


def _grey(image: Image.Image) -> Image.Image:
    """The picture in 8-bit grey, on white where it is transparent; a part after the other, for it may be large."""
    extent = image.getextrema() if image.mode in ("I", "F") else None
    grey = Image.new("L", image.size)
    for top in range(0, image.height, PART):
        part = (0, top, image.width, min(image.height, top + PART))
        grey.paste(_grey_part(image.crop(part), extent), part)
    return grey


def _grey_part(image: Image.Image, extent: Any) -> Image.Image:
    if image.mode.startswith("I;16"):
        return image.point(lambda level: level * (1 / 256)).convert("L")
    if image.mode in ("I", "F"):
        darkest, brightest = map(float, extent)
        scale = WHITE / ((brightest - darkest) or 1.0)
        return image.point(lambda level: level * scale + -darkest * scale).convert("L")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.composite(seen.convert("L"), Image.new("L", image.size, WHITE), seen.getchannel("A"))
    return image.convert("L")
