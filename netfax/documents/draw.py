"""Grey to black and white for the line: text and lines by threshold, photographs and shades by a screen.

Fewer changes from black to white are fewer bytes. A clustered screen of 45° packs a page-wide photograph into a sixth
of what error diffusion takes. Only in the worker: this module needs Pillow.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageChops

WHITE = 255


@dataclass(frozen=True)
class Manner:
    """How a page was made, which decides what is ink and what is paper on it.

    Ink is what is darker than the share `ink` of the ground it stands on; ground that is not as bright as `paper`
    (0 to 255) is none, but a photograph or a shade.
    """

    ink: float
    paper: int


# What a program drew has no soft edges, its light grey lines are meant, and so are its shades.
DRAWN = Manner(ink=0.80, paper=215)
# In a picture the edges of letters are half paper, and paper under a lamp is grey.
PICTURED = Manner(ink=0.68, paper=170)
# A page that is shade for the most part is a photograph: its lights are shades too.
PHOTOGRAPH_SHARE = 0.5
PAPER_OF_PHOTOGRAPHS = 240
# On a shade only what is much darker stands out.
INK_ON_SHADE = 0.60
# The share of pixels between ink and paper below which there is nothing to screen.
DARKEST_SHADE = 40
SCREENED_SHARE = 0.004
# The ground is looked for on a third of the resolution; ink is at most twice this wide there (12 pixels, 1.5 mm).
COARSE = 3
REACH = (1, 1, 2)
# The screen: dots at 45°, in a cell of this many pixels with two of them (29 dots an inch).
CELL = 10
# What is nearly black or white becomes so: single dots cost much and show little.
BLACKEST, WHITEST = 32, 232


def to_bilevel(grey: Image.Image, manner: Manner) -> Image.Image:
    """A one-bit image (mode "1") of a grey one (mode "L"), the same pixels wide and high."""
    ground = _ground(grey)
    ink = _darker(grey, _share_of(ground, manner.ink))
    if sum(grey.histogram()[DARKEST_SHADE : manner.paper]) < SCREENED_SHARE * grey.width * grey.height:
        return ink
    paper = manner.paper
    if sum(ground.histogram()[:paper]) > PHOTOGRAPH_SHARE * grey.width * grey.height:
        paper = PAPER_OF_PHOTOGRAPHS
    shade = ground.point([WHITE if level < paper else 0 for level in range(256)], "1")
    if shade.getbbox() is None:
        return ink
    screened = _darker(grey.point(_contrast()), _screen(grey.size))
    solid = _darker(grey, _share_of(ground, INK_ON_SHADE))
    return Image.composite(ImageChops.logical_and(screened, solid), ink, shade)


def _share_of(ground: Image.Image, share: float) -> Image.Image:
    return ground.point([int(level * share) for level in range(256)])


def _darker(grey: Image.Image, threshold: Image.Image) -> Image.Image:
    """Black where the image is not brighter than the threshold."""
    return ImageChops.subtract(grey, threshold).point([0] + [WHITE] * 255, "1")


def _ground(grey: Image.Image) -> Image.Image:
    """What each pixel stands on: the image without its thin dark parts, so paper under letters, a shade as it is.

    A morphological closing: the brightest around, then of that the darkest around. It leaves the borders of shades
    where they are, so that no dark rim comes to stand there.
    """
    small = (max(1, grey.width // COARSE), max(1, grey.height // COARSE))
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


@cache
def _contrast() -> list[int]:
    scale = WHITE / (WHITEST - BLACKEST)
    return [min(WHITE, max(0, round((level - BLACKEST) * scale))) for level in range(256)]


@cache
def _cell() -> Image.Image:
    """The thresholds of one cell: every dot grows from its middle, and so does every hole between dots."""
    turn = 2 * math.pi / CELL

    def order(place: int) -> tuple[float, float]:
        x, y = place % CELL + 0.5, place // CELL + 0.5
        return round(math.cos(turn * x) * math.cos(turn * y), 6), math.atan2(y - CELL / 2, x - CELL / 2)

    levels = bytearray(CELL * CELL)
    for rank, place in enumerate(sorted(range(CELL * CELL), key=order)):
        levels[place] = round((rank + 0.5) * 254 / (CELL * CELL))
    return Image.frombytes("L", (CELL, CELL), bytes(levels))


def _screen(size: tuple[int, int]) -> Image.Image:
    """The screen's thresholds over an area, doubled with each paste."""
    screen = Image.new("L", size)
    screen.paste(_cell(), (0, 0))
    done = CELL
    while done < max(size):
        known = screen.crop((0, 0, done, done))
        for place in ((done, 0), (0, done), (done, done)):
            screen.paste(known, place)
        done *= 2
    return screen
