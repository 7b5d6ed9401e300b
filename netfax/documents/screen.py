"""Tones as lines: the screen that shades and photographs are drawn by. Only in the worker.

A line in so many rows of fine resolution (33 an inch); between the tones of whole rows, pieces of a row that repeat at
a distance make the difference.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from netfax.documents.bits import Bits
from netfax.documents.look import Resolution
from netfax.documents.manner import WHITE

Grey = NDArray[np.uint8]
BAND = 6
PIECE = 24
# Nearly black; what stands on it is read better on black.
DARK_FILL = 60
# Finer than the screen shows it, a photograph's grain only costs.
GRAIN = 1.0
# The brightest threshold is below white, and the darkest above black, so that these stay what they are.
LAST = WHITE - 1


def screened(grey: Grey, resolution: Resolution) -> Bits:
    """Every tone by lines; the first row of the area is the first of a line's."""
    image = Image.fromarray(grey)
    smooth = image.filter(ImageFilter.GaussianBlur(GRAIN))
    if resolution is Resolution.STANDARD:
        # Two rows will be one: they are the same from here on.
        smooth = smooth.reduce((1, 2)).resize(image.size, Image.Resampling.NEAREST)
    return Bits.of(np.asarray(smooth) <= _thresholds(grey.shape, resolution))


def in_whole_rows(fills: list[int], resolution: Resolution) -> list[int]:
    """For each tone what is drawn for it: those of fills are moved to where a whole number of rows is white."""
    rows = _rows_of_a_band(resolution)
    white_rows = [0 if tone < DARK_FILL else round(tone * rows / WHITE) for tone in range(256)]
    return [round(white_rows[tone] * LAST / rows) if tone in fills else tone for tone in range(256)]


def _rows_of_a_band(resolution: Resolution) -> int:
    return BAND * resolution.lines // Resolution.FINE.lines


@cache
def _band(resolution: Resolution) -> Grey:
    """The thresholds of two bands, `PIECE` pixels wide.

    A line grows from the middle of its band by whole rows, and each row by pieces that grow from their middles, those
    of the second band between those of the first.
    """
    rows = _rows_of_a_band(resolution)
    # By pairs of rows, where there are any: halved, a line keeps its thickness as far as it can.
    pair = 1 if resolution is Resolution.STANDARD else 2
    middle = (rows // pair - 1) / 2
    rank = {row: place for place, row in enumerate(sorted(range(rows), key=lambda row: abs(row // pair - middle)))}
    band = np.zeros((2 * rows, PIECE), np.uint8)
    for row in range(2 * rows):
        for column in range(PIECE):
            place = (column + row // rows * PIECE // 2) % PIECE
            part = abs(place + 0.5 - PIECE / 2) / (PIECE / 2)
            band[row, column] = round((rank[row % rows] + min(max(part, 0.05), 0.95)) * LAST / rows)
    return band.repeat(2, axis=0) if resolution is Resolution.STANDARD else band


def _thresholds(shape: tuple[int, ...], resolution: Resolution) -> Grey:
    """The screen over an area of rows × pixels."""
    rows, width = shape
    band = _band(resolution)
    high, wide = band.shape
    return np.tile(band, (-(-rows // high), -(-width // wide)))[:rows, :width]
