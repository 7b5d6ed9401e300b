"""Grey to black and white for the line: text and lines by threshold, photographs and shades by a screen of lines.

Fewer changes from black to white are fewer bytes, and a row that is like the one above costs next to nothing. So shades
become horizontal lines whose thickness is their tone: on a page-wide photograph a third of the bytes of a screen of
dots, with the same tone. Only in the worker.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netfax.documents.bits import PIXELS, Bits
from netfax.documents.ground import FARTHEST, Ground, mapped
from netfax.documents.look import Look, Mode, Resolution
from netfax.documents.manner import WHITE, Manner, drawn_lines
from netfax.documents.screen import BAND, DARK_FILL, in_whole_rows, screened

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]


# A page that is shade for the most part is a photograph: its lights are shades too.
PHOTOGRAPH_SHARE = 0.5
PAPER_OF_PHOTOGRAPHS = 240
# What letters are cleared on.
SHADES = range(DARK_FILL, PAPER_OF_PHOTOGRAPHS)
# On a shade only what is much darker, or much brighter, stands out, and keeps the screen away from it, or the lines
# would run into the letters.
INK_ON_SHADE = 0.60
CONTRAST = 96
# Three pixels, in these steps.
HALO = (1, 2)
# The share of pixels between ink and paper below which there is nothing to screen.
DARKEST_SHADE = 40
SCREENED_SHARE = 0.004
# A tone that this share of a page has is a fill; it is drawn in whole rows, which cost least.
FILL_SHARE = 0.01
# As good as black.
BLACK = 24
# A page is looked through in parts of so many rows, which stay in the processor's cache.
PART = 64


def _finer(look: Look) -> int:
    """The rows that are drawn for one of fine resolution."""
    return drawn_lines(look) // Resolution.FINE.lines


def to_bilevel(grey: Grey, manner: Manner, look: Look) -> Bits:
    """A page in black and white, of one in grey (rows × width, 0 is black) of `drawn_lines`."""
    if look.mode is Mode.PHOTO:
        return screened(grey, look.resolution)
    found = _look_through(grey, manner)
    black = _by_tone(grey, manner, found)
    area = found.everywhere if manner.noisy else found.shaded_area(_finer(look))
    if area is None:
        return Bits.of(black).smoothed()
    part = grey[area.rows, area.columns]
    ground = Ground.of(part, _finer(look))
    black[area.rows, area.columns] = part <= ground.share(manner.ink)
    page = Bits.of(black).smoothed()
    if manner.noisy:
        page = page.without_specks()
    if look.mode is not Mode.TEXT and found.shaded >= SCREENED_SHARE * grey.size:
        _lay_shades(page, area, part, ground, manner, look)
    return page


@dataclass(frozen=True)
class Area:
    """A part of a page, in pixels; its left edge is a whole byte, its top the first row of a screen's line."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def rows(self) -> slice:
        return slice(self.top, self.bottom)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.right)

    @classmethod
    def around(cls, rows: Mask, columns: Mask, *, far: tuple[int, int] = (0, 0)) -> "Area":
        """Of the rows and columns that are set, and those so far from them (across, down)."""
        (down, across), (height, width) = (np.flatnonzero(rows), np.flatnonzero(columns)), (len(rows), len(columns))
        left, top = max(0, int(across[0]) - far[0]), max(0, int(down[0]) - far[1])
        right, bottom = min(width, int(across[-1]) + 1 + far[0]), min(height, int(down[-1]) + 1 + far[1])
        return cls(left // PIXELS * PIXELS, top // BAND * BAND, right, bottom)


@dataclass(frozen=True)
class Found:
    """What a page has that is neither ink nor paper: how much of it is shade, and how much light ground.

    The rows and columns are those of both, and of what is paper but on a photograph.
    """

    shaded: int
    light: int
    shaded_rows: Mask
    shaded_columns: Mask

    @property
    def everywhere(self) -> Area:
        return Area(0, 0, len(self.shaded_columns), len(self.shaded_rows))

    def shaded_area(self, finer: int) -> Area | None:
        """All that is shaded, with what its ground is told by; None when that is next to nothing."""
        if self.shaded < SCREENED_SHARE * len(self.shaded_rows) * len(self.shaded_columns):
            return None
        return Area.around(self.shaded_rows, self.shaded_columns, far=(FARTHEST, FARTHEST * finer))


def _look_through(grey: Grey, manner: Manner) -> Found:
    shaded = light = 0
    rows, columns = np.zeros(grey.shape[0], np.bool_), np.zeros(grey.shape[1], np.bool_)
    ink = int(WHITE * manner.ink)
    for place, part in _parts(grey):
        # The lights of a photograph are shades too.
        tinted = _between(part, DARKEST_SHADE, PAPER_OF_PHOTOGRAPHS)
        if tinted.any():
            rows[place], some = _rows_and_columns(tinted)
            columns |= some
            shaded += int(np.count_nonzero(_between(part, DARKEST_SHADE, manner.paper)))
            light += int(np.count_nonzero(_between(part, manner.paper, ink)))
    return Found(shaded, light, rows, columns)


def _by_tone(grey: Grey, manner: Manner, found: Found) -> Mask:
    """What is black where nothing is shaded, by one threshold; light grounds, as of a table's head, are left white."""
    return grey < (manner.paper if found.light > SCREENED_SHARE * grey.size else int(WHITE * manner.ink))


def _lay_shades(page: Bits, area: Area, grey: Grey, ground: Ground, manner: Manner, look: Look) -> None:
    """Screen what stands on no paper in this area of a page, whose greys and grounds these are."""
    pixels = page.rows * page.width
    paper = manner.paper
    if look.mode is Mode.AUTO and np.count_nonzero(ground.pixels < paper) > PHOTOGRAPH_SHARE * pixels:
        paper = PAPER_OF_PHOTOGRAPHS
    shade = ground.pixels < paper
    if not shade.any():
        return
    box = Area.around(*_rows_and_columns(shade))
    inner = (box.rows, box.columns)
    fills = [] if manner.noisy else _fills(grey[inner], pixels)
    even = ground.even(SHADES, *inner)
    drawn = _shaded(grey[inner], ground.pixels[inner], even, fills, look)
    page.lay(drawn, Bits.of(shade[inner]), area.top + box.top, area.left + box.left)


def _fills(grey: Grey, pixels: int) -> list[int]:
    tones = np.zeros(256, np.int64)
    for _, part in _parts(grey):
        tones += np.bincount(part.ravel(), minlength=256)
    return [int(tone) for tone in np.flatnonzero(tones > FILL_SHARE * pixels)]


def _shaded(grey: Grey, ground: Grey, even_ground: Mask, fills: list[int], look: Look) -> Bits:
    """Part of a page as a shade all over: screened, with what stands out from its ground in pure black and white.

    Letters on an even ground are cleared of its lines: dark ones by white, bright ones by black around them. Between
    bright letters on a dark ground it is as white as they are, and letters are not what is dark there.
    """
    page = screened(mapped(grey, in_whole_rows(fills, look.resolution)) if fills else grey, look.resolution)
    even = Bits.of(even_ground)
    letters = Bits.of(_stands_out(ground, grey)) & even
    page = page - (letters.grown(HALO) & even)
    if (ground < WHITE - CONTRAST).any():
        below = Ground.of(~grey, _finer(look)).inverted()
        even = Bits.of(below.even(SHADES, *_whole(grey)))
        letters = Bits.of(_stands_out(grey, below.pixels)) & even
        page = (page | (letters.grown(HALO) & even)) - letters
    # White and black keep the edges that the screen would make ragged.
    page = page - Bits.of(grey >= PAPER_OF_PHOTOGRAPHS)
    ink = mapped(ground, [int(tone * INK_ON_SHADE) for tone in range(256)])
    return page | Bits.of((grey <= ink) | (grey < BLACK))


def _stands_out(bright: Grey, dark: Grey) -> Mask:
    """Where one is so much brighter than the other as letters are than their ground, or it than they."""
    return (bright > dark) & (bright - dark > CONTRAST)


def _whole(grey: Grey) -> tuple[slice, slice]:
    rows, width = grey.shape
    return slice(0, rows), slice(0, width)


def _parts(grey: Grey) -> Iterator[tuple[slice, Grey]]:
    for top in range(0, len(grey), PART):
        place = slice(top, top + PART)
        yield place, grey[place]


def _rows_and_columns(mask: Mask) -> tuple[Mask, Mask]:
    """Those in which anything is set."""
    return np.logical_or.reduce(mask, axis=1), np.logical_or.reduce(mask, axis=0)


def _between(grey: Grey, low: int, high: int) -> Mask:
    """Where a tone is from `low` on and below `high`."""
    return (grey - np.uint8(low)) < high - low
