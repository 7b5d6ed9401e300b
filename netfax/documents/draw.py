"""Grey to black and white for the line: text and lines by threshold, photographs and shades by a screen of lines.

Fewer changes from black to white are fewer bytes, and a row that is like the one above costs next to nothing. So shades
become horizontal lines whose thickness is their tone: on a page-wide photograph a third of the bytes of a screen of
dots, with the same tone. Only in the worker: this module needs Pillow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageChops, ImageFilter, ImageMorph

from netfax.documents.look import Look, Mode, Resolution

WHITE = 255


@dataclass(frozen=True)
class Manner:
    """How a page was made, which decides what is ink and what is paper on it.

    Ink is what is darker than the share `ink` of the ground it stands on; ground that is not as bright as `paper`
    (0 to 255) is none, but a photograph or a shade. `noisy` pages have specks that nobody meant.
    """

    ink: float
    paper: int
    noisy: bool


# What a program drew has no soft edges, its light grey and yellow are meant, and so are its shades.
DRAWN = Manner(ink=0.90, paper=215, noisy=False)
# In a picture the edges of letters are half paper, and paper under a lamp is grey.
PICTURED = Manner(ink=0.68, paper=170, noisy=True)
# A page that is shade for the most part is a photograph: its lights are shades too.
PHOTOGRAPH_SHARE = 0.5
PAPER_OF_PHOTOGRAPHS = 240
# On a shade only what is much darker, or much brighter, stands out …
INK_ON_SHADE = 0.60
CONTRAST = 96
# … and keeps the screen three pixels away, reached in these steps, or the lines would run into the letters.
HALO = (1, 2)
# The share of pixels between ink and paper below which there is nothing to screen.
DARKEST_SHADE = 40
SCREENED_SHARE = 0.004
# The ground is looked for on a third of the resolution; ink is at most twice this wide there (12 pixels, 1.5 mm).
COARSE = 3
REACH = (1, 1, 2)
# The screen: a line in so many rows of fine resolution (33 an inch). Between the tones of whole rows, pieces of a row
# that repeat at this distance make the difference.
BAND = 6
PIECE = 24
# A tone that this share of a page has is a fill; it is drawn in whole rows, which cost least.
FILL_SHARE = 0.01
# As good as black.
BLACK = 24
# How much a gradient changes over so many pixels.
EVEN, GRADIENT = 8, 6
# Nearly black; what stands on it is read better on black.
DARK_FILL = 60
# Finer than the screen shows it, a photograph's grain only costs.
GRAIN = 1.0


def drawn_lines(look: Look) -> int:
    """The lines an inch at which pages are drawn: those of standard resolution at twice as many, then `halved`."""
    return max(look.resolution.lines, Resolution.FINE.lines)


def halved(page: Image.Image) -> Image.Image:
    """One row of two, black where either is black; the last of an odd number of rows stays as it is."""
    # The mean of two pixels is full white only where both are.
    return page.convert("L").reduce((1, 2)).point([0] * WHITE + [WHITE], "1")


def to_bilevel(grey: Image.Image, manner: Manner, look: Look) -> Image.Image:
    """A one-bit image (mode "1") of a grey one (mode "L") of `drawn_lines`, the same pixels wide and high."""
    if look.mode is Mode.PHOTO:
        return _screened(grey, look)
    tones = grey.histogram()
    pixels = grey.width * grey.height
    if not manner.noisy and sum(tones[DARKEST_SHADE : manner.paper]) < SCREENED_SHARE * pixels:
        return _smoothed(_by_tone(grey, tones, manner))
    ground = _ground(grey, look)
    ink = _smoothed(_darker(grey, _share_of(ground, manner.ink)))
    if manner.noisy:
        ink = _without_specks(ink)
    if look.mode is Mode.TEXT or sum(tones[DARKEST_SHADE : manner.paper]) < SCREENED_SHARE * pixels:
        return ink
    paper = manner.paper
    if look.mode is Mode.AUTO and sum(ground.histogram()[:paper]) > PHOTOGRAPH_SHARE * pixels:
        paper = PAPER_OF_PHOTOGRAPHS
    shade = _within(ground, 0, paper)
    box = shade.getbbox()
    if box is None:
        return ink
    box = (box[0], box[1] // BAND * BAND, box[2], box[3])
    fills = [] if manner.noisy else [tone for tone, count in enumerate(tones) if count > FILL_SHARE * pixels]
    shaded = _shaded(grey.crop(box), ground.crop(box), fills, look)
    ink.paste(shaded, box, shade.crop(box))
    return ink


def _by_tone(grey: Image.Image, tones: list[int], manner: Manner) -> Image.Image:
    """A page without shades, cut by one threshold; light grounds, as of the head of a table, are left white."""
    ink = int(WHITE * manner.ink)
    has_light_ground = sum(tones[manner.paper : ink]) > SCREENED_SHARE * grey.width * grey.height
    threshold = manner.paper if has_light_ground else ink
    return grey.point([0 if tone < threshold else WHITE for tone in range(256)], "1")


def _smoothed(ink: Image.Image) -> Image.Image:
    """The page without the bumps and notches of one pixel that edges have by chance: each costs bits in three rows.

    A pixel changes when what has its colour touches it by one side and a corner beside that: nothing is parted or
    closed by it, and the ends of thin strokes, by which small letters are told apart, stay.
    """
    box = ImageChops.invert(ink).getbbox()
    if box is None:
        return ink
    # MorphOp looks at pixels that have all their neighbours, and leaves out the others.
    ink_and_edge = (box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1)
    _, smooth = ImageMorph.MorphOp(lut=_bumps()).apply(ink.crop(ink_and_edge))
    ink.paste(smooth.crop((1, 1, smooth.width - 1, smooth.height - 1)), box)
    return ink


@cache
def _bumps() -> bytearray:
    """The pixel that comes of each 3 × 3 (the first bit is the upper left pixel)."""
    table = bytearray(512)
    for pattern in range(512):
        upper_left, above, upper_right, left, pixel, right, lower_left, below, lower_right = (
            pattern >> bit & 1 for bit in range(8, -1, -1)
        )
        # Clockwise; sides are the odd ones.
        around = (upper_left, above, upper_right, right, lower_right, below, lower_left, left)
        same = [each == pixel for each in around]
        parts = sum(same[place] and not same[place - 1] for place in range(8))
        bump = sum(same[1::2]) == 1 and sum(same) > 1 and parts == 1
        table[pattern] = 1 - pixel if bump else pixel
    return table


def _shaded(grey: Image.Image, ground: Image.Image, fills: list[int], look: Look) -> Image.Image:
    """Part of a page as a shade all over: screened, with what stands out from its ground in pure black and white.

    Letters on an even ground are cleared of its lines: dark ones by white, bright ones by black around them.
    """
    page = _screened(grey.point(_in_whole_rows(fills, look)), look)
    dark = ImageChops.invert(_darker(grey, _share_of(ground, INK_ON_SHADE)))
    even = _even(ground)
    letters = ImageChops.logical_and(_above(ground, grey), even)
    if letters.getbbox() is not None:
        page = ImageChops.logical_or(page, ImageChops.logical_and(_grown(letters), even))
    if any(ground.histogram()[: WHITE - CONTRAST]):
        base = ImageChops.invert(_ground(ImageChops.invert(grey), look))
        even = _even(base)
        letters = ImageChops.logical_and(_above(grey, base), even)
        page = _cut(page, ImageChops.logical_and(_grown(letters), even))
        page = ImageChops.logical_or(page, letters)
    # White and black keep the edges that the screen would make ragged.
    page = ImageChops.logical_or(page, _within(grey, PAPER_OF_PHOTOGRAPHS, 256))
    return _cut(page, ImageChops.logical_or(dark, _within(grey, 0, BLACK)))


def _within(image: Image.Image, low: int, high: int) -> Image.Image:
    """Set where a tone is from `low` on and below `high`."""
    return image.point([WHITE if low <= tone < high else 0 for tone in range(256)], "1")


def _above(bright: Image.Image, dark: Image.Image) -> Image.Image:
    """Where one is so much brighter than the other as letters are than their ground, or it than they."""
    return _within(ImageChops.subtract(bright, dark), CONTRAST + 1, 256)


def _even(ground: Image.Image) -> Image.Image:
    """Where a ground is a fill or a gradient: it hardly changes, and is neither white nor black.

    Between bright letters on a dark ground it is as white as they are, and letters are not what is dark there.
    """
    changes = [ImageChops.difference(ground, _moved(ground, across, down)) for across, down in ((EVEN, 0), (0, EVEN))]
    gentle = _within(ImageChops.lighter(*changes), 0, GRADIENT + 1)
    return ImageChops.logical_and(gentle, _within(ground, DARK_FILL, PAPER_OF_PHOTOGRAPHS))


def _cut(page: Image.Image, black: Image.Image) -> Image.Image:
    """The page with black where the mask is set."""
    return ImageChops.logical_and(page, ImageChops.invert(black))


def _grown(mask: Image.Image) -> Image.Image:
    """The mask (mode "1") and all within three pixels of it."""
    for step in HALO:
        mask = _spread(mask, ImageChops.logical_or, step)
    return mask


def _share_of(ground: Image.Image, share: float) -> Image.Image:
    return ground.point([int(level * share) for level in range(256)])


def _darker(grey: Image.Image, threshold: Image.Image) -> Image.Image:
    """Black where the image is not brighter than the threshold."""
    return ImageChops.subtract(grey, threshold).point([0] + [WHITE] * 255, "1")


def _without_specks(ink: Image.Image) -> Image.Image:
    """The page without black specks of up to 2 × 2 pixels that have nothing near them: dust, and a sensor's noise."""
    black = ImageChops.invert(ink)
    column = _line(black, (0, 1))
    row = _line(black, (1, 0))
    around = ImageChops.logical_or(
        ImageChops.logical_or(_moved(column, -2, 0), _moved(column, 2, 0)),
        ImageChops.logical_or(_moved(row, 0, -2), _moved(row, 0, 2)),
    )
    return ImageChops.invert(ImageChops.logical_and(black, around))


def _line(mask: Image.Image, way: tuple[int, int]) -> Image.Image:
    """Each pixel or any of the two before and behind it on one way."""
    across, down = way
    found = mask
    for step in (-2, -1, 1, 2):
        found = ImageChops.logical_or(found, _moved(mask, across * step, down * step))
    return found


def _ground(grey: Image.Image, look: Look) -> Image.Image:
    """What each pixel stands on: the image without its thin dark parts, so paper under letters, a shade as it is.

    A morphological closing: the brightest around, then of that the darkest around. It leaves the borders of shades
    where they are, so that no dark rim comes to stand there.
    """
    finer = drawn_lines(look) // Resolution.FINE.lines
    small = (max(1, grey.width // COARSE), max(1, grey.height // (COARSE * finer)))
    ground = _spread(grey, ImageChops.lighter, 1).resize(small, Image.Resampling.NEAREST)
    for step in REACH:
        ground = _spread(ground, ImageChops.lighter, step)
    for step in REACH:
        ground = _spread(ground, ImageChops.darker, step)
    return _spread(ground.resize(grey.size, Image.Resampling.NEAREST), ImageChops.darker, 1)


def _spread(image: Image.Image, pick: Callable[[Image.Image, Image.Image], Image.Image], step: int) -> Image.Image:
    """The brightest (or darkest) of each pixel and its neighbours `step` pixels away, diagonal ones too."""
    for across, down in ((step, 0), (0, step)):
        image = pick(image, pick(_moved(image, across, down), _moved(image, -across, -down)))
    return image


def _moved(image: Image.Image, across: int, down: int) -> Image.Image:
    """The image moved by some pixels; what leaves at one border is not let in at the other."""
    moved = image.copy()
    moved.paste(image, (across, down))
    return moved


def _screened(grey: Image.Image, look: Look) -> Image.Image:
    """Every tone by lines."""
    smooth = grey.filter(ImageFilter.GaussianBlur(GRAIN))
    if look.resolution is Resolution.STANDARD:
        # Two rows will be one: they are the same from here on.
        smooth = smooth.reduce((1, 2)).resize(grey.size, Image.Resampling.NEAREST)
    return _darker(smooth, _screen(grey.size, look.resolution))


def _in_whole_rows(fills: list[int], look: Look) -> list[int]:
    """The tones of a page, those of its fills moved to where a whole number of rows is white."""
    rows = _rows_of_a_band(look.resolution)
    white_rows = [0 if tone < DARK_FILL else round(tone * rows / WHITE) for tone in range(256)]
    return [round(white_rows[tone] * LAST / rows) if tone in fills else tone for tone in range(256)]


# The brightest threshold is below white, and the darkest above black, so that these stay what they are.
LAST = WHITE - 1


def _rows_of_a_band(resolution: Resolution) -> int:
    return BAND * resolution.lines // Resolution.FINE.lines


@cache
def _band(resolution: Resolution) -> Image.Image:
    """The thresholds of two bands, `PIECE` pixels wide.

    A line grows from the middle of its band by whole rows, and each row by pieces that grow from their middles, those
    of the second band between those of the first.
    """
    rows = _rows_of_a_band(resolution)
    # By pairs of rows, where there are any: halved, a line keeps its thickness as far as it can.
    pair = 1 if resolution is Resolution.STANDARD else 2
    middle = (rows // pair - 1) / 2
    rank = {row: place for place, row in enumerate(sorted(range(rows), key=lambda row: abs(row // pair - middle)))}
    band = Image.new("L", (PIECE, 2 * rows))
    for row in range(2 * rows):
        for column in range(PIECE):
            place = (column + row // rows * PIECE // 2) % PIECE
            part = abs(place + 0.5 - PIECE / 2) / (PIECE / 2)
            band.putpixel((column, row), round((rank[row % rows] + min(max(part, 0.05), 0.95)) * LAST / rows))
    if resolution is Resolution.STANDARD:
        band = band.resize((PIECE, 4 * rows), Image.Resampling.NEAREST)
    return band


def _screen(size: tuple[int, int], resolution: Resolution) -> Image.Image:
    """The screen's thresholds over an area, doubled with each paste."""
    screen = Image.new("L", size)
    band = _band(resolution)
    screen.paste(band, (0, 0))
    wide, high = band.size
    while wide < size[0] or high < size[1]:
        known = screen.crop((0, 0, wide, high))
        for place in ((wide, 0), (0, high), (wide, high)):
            screen.paste(known, place)
        wide, high = 2 * wide, 2 * high
    return screen
