"""What the pixels of a page stand on: paper under letters, a shade as it is. Only in the worker."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
# The ground is looked for in cells of so many pixels; ink is at most twice as wide there (12 pixels, 1.5 mm).
CELL = 3
REACH = (1, 1, 2)
# Pixels of fine resolution to the farthest one that tells what another stands on.
FARTHEST = 16
# How much a gradient changes over so many cells.
DISTANCE, GRADIENT = 3, 6


@dataclass(frozen=True)
class Ground:
    """The ground of a part of a page: its tone by pixels, and by cells of so many rows."""

    pixels: Grey
    cells: Grey
    cell_rows: int

    @classmethod
    def of(cls, grey: Grey, finer: int) -> "Ground":
        """The part, `finer` rows for one of fine resolution, without its thin dark pieces.

        A morphological closing: the brightest around, then of that the darkest around. It leaves the borders of shades
        where they are, so that no dark rim comes to stand there.
        """
        cell_rows = CELL * finer
        cells = _brightest(grey, cell_rows)
        for step in REACH:
            cells = _spread(cells, np.maximum, step)
        for step in REACH:
            cells = _spread(cells, np.minimum, step)
        rows, width = grey.shape
        pixels = _by_pixels(cells, cell_rows, slice(0, rows), slice(0, width))
        return cls(_spread(pixels, np.minimum, 1), cells, cell_rows)

    def even(self, tones: range, rows: slice, columns: slice) -> Mask:
        """Those of these pixels whose ground is a fill or a gradient of such tones: it hardly changes."""
        cells = self.cells
        even = (cells >= tones.start) & (cells < tones.stop)
        for here, there in (
            (np.s_[:, DISTANCE:], np.s_[:, :-DISTANCE]),
            (np.s_[DISTANCE:], np.s_[:-DISTANCE]),
        ):
            one, other = cells[here], cells[there]
            even[here] &= np.maximum(one, other) - np.minimum(one, other) <= GRADIENT
        return _by_pixels(even.view(np.uint8), self.cell_rows, rows, columns).astype(np.bool_)

    def inverted(self) -> "Ground":
        """That of the page of which this is the ground when black and white are exchanged."""
        return Ground(~self.pixels, ~self.cells, self.cell_rows)

    def share(self, part: float) -> Grey:
        """So much of each pixel's tone."""
        return mapped(self.pixels, [int(tone * part) for tone in range(256)])


def mapped(grey: Grey, table: list[int]) -> Grey:
    """Each tone as the table of 256 has it."""
    return np.asarray(Image.fromarray(grey).point(table))


def _brightest(grey: Grey, cell_rows: int) -> Grey:
    """The brightest pixel of each cell; cells at the right and at the bottom may reach over the edge."""
    rows, width = grey.shape
    missing = -rows % cell_rows, -width % CELL
    if any(missing):
        grey = np.pad(grey, ((0, missing[0]), (0, missing[1])), mode="edge")
    columns: Grey = grey.reshape(-1, cell_rows, grey.shape[1]).max(axis=1)
    return np.maximum(np.maximum(columns[:, 0::CELL], columns[:, 1::CELL]), columns[:, 2::CELL])


def _by_pixels(cells: Grey, cell_rows: int, rows: slice, columns: slice) -> Grey:
    """These pixels, each with the tone of its cell."""
    top, left = rows.start // cell_rows, columns.start // CELL
    needed = cells[top : -(-rows.stop // cell_rows), left : -(-columns.stop // CELL)]
    size = (needed.shape[1] * CELL, needed.shape[0] * cell_rows)
    pixels = np.asarray(Image.fromarray(needed).resize(size, Image.Resampling.NEAREST))
    down, across = rows.start - top * cell_rows, columns.start - left * CELL
    return pixels[down : down + rows.stop - rows.start, across : across + columns.stop - columns.start]


def _spread(tones: Grey, pick: Any, step: int) -> Grey:
    """The brightest (or darkest) of each and its neighbours so many steps away, diagonal ones too."""
    down = tones.copy()
    pick(down[step:], tones[:-step], out=down[step:])
    pick(down[:-step], tones[step:], out=down[:-step])
    all_ways = down.copy()
    pick(all_ways[:, step:], down[:, :-step], out=all_ways[:, step:])
    pick(all_ways[:, :-step], down[:, step:], out=all_ways[:, :-step])
    return all_ways
