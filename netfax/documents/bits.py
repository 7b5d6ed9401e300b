"""One-bit pages, eight pixels to a byte, as they are drawn, mended and coded. Only in the worker: it needs NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netfax.documents.g4 import encode

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
PIXELS = 8
# Specks: nothing black is this near to them.
NEAR = 2


@dataclass(frozen=True)
class Bits:
    """Rows × ⌈width ÷ 8⌉ bytes, the leftmost pixel the highest bit, 1 is black; 0 to the right of `width`."""

    packed: Bytes
    width: int

    @classmethod
    def of(cls, black: Mask) -> "Bits":
        """Of rows × width truths."""
        return cls(np.packbits(black, axis=1), black.shape[1])

    @classmethod
    def of_image(cls, image: Image.Image) -> "Bits":
        """Of an image of mode "1"."""
        return cls.of(np.asarray(image.convert("L")) == 0)

    @property
    def rows(self) -> int:
        return len(self.packed)

    @property
    def inked(self) -> bool:
        """Whether anything is black."""
        return bool(self.packed.any())

    def __and__(self, other: "Bits") -> "Bits":
        return Bits(self.packed & other.packed, self.width)

    def __or__(self, other: "Bits") -> "Bits":
        return Bits(self.packed | other.packed, self.width)

    def __sub__(self, other: "Bits") -> "Bits":
        """Without what is black on the other."""
        return Bits(self.packed & ~other.packed, self.width)

    def coded(self) -> bytes:
        """Its T.6 strip."""
        return encode(self.packed.tobytes(), self.width)

    def halved(self) -> "Bits":
        """One row of two, black where either is black; the last of an odd number of rows stays as it is."""
        half = self.packed[0::2].copy()
        half[: self.rows // 2] |= self.packed[1::2]
        return Bits(half, self.width)

    def on_paper(self, width: int, rows: int, left: int) -> "Bits":
        """Laid on white paper at its top, so far from its left edge; all three are whole bytes."""
        if (self.width, self.rows) == (width, rows):
            return self
        paper = np.zeros((rows, width // PIXELS), np.uint8)
        paper[: self.rows, left // PIXELS :][:, : self.packed.shape[1]] = self.packed
        return Bits(paper, width)

    def lay(self, part: "Bits", where: "Bits", top: int, left: int) -> None:
        """Put a part of the page (`left` is a whole byte) where `where`, as large as the part, is set."""
        place = self.packed[top : top + part.rows, left // PIXELS :][:, : part.packed.shape[1]]
        place ^= (place ^ part.packed) & where.packed

    def smoothed(self) -> "Bits":
        """Without the bumps and notches of one pixel that edges have by chance: each costs bits in three rows.

        A pixel changes when what has its colour touches it by one side and a corner beside that: nothing is parted or
        closed by it, and the ends of thin strokes, by which small letters are told apart, stay.
        """
        inked = np.flatnonzero(self.packed.any(axis=1))
        if not inked.size:
            return self
        top, bottom = int(inked[0]), int(inked[-1]) + 1
        ink = self.packed[top:bottom]
        middle = np.pad(ink, ((1, 1), (0, 0)))
        left, right = _right(middle, 1), _left(middle, 1)
        # Set where the neighbour has the other colour.
        above, below = middle[:-2] ^ ink, middle[2:] ^ ink
        before, behind = left[1:-1] ^ ink, right[1:-1] ^ ink
        upper_left, upper_right = left[:-2] ^ ink, right[:-2] ^ ink
        lower_left, lower_right = left[2:] ^ ink, right[2:] ^ ink
        bumps = before & behind & _one_way(above, upper_left & upper_right, below, lower_left & lower_right)
        bumps |= above & below & _one_way(before, upper_left & lower_left, behind, upper_right & lower_right)
        smooth = self.packed.copy()
        smooth[top:bottom] ^= bumps & self._within
        return Bits(smooth, self.width)

    def without_specks(self) -> "Bits":
        """Without black specks of up to 2 × 2 pixels that have nothing near them: dust, and a sensor's noise."""
        across = self.packed.copy()
        down = self.packed.copy()
        for step in range(1, NEAR + 1):
            across |= _left(self.packed, step) | _right(self.packed, step)
            down[step:] |= self.packed[:-step]
            down[:-step] |= self.packed[step:]
        near = _left(down, NEAR) | _right(down, NEAR)
        near[NEAR:] |= across[:-NEAR]
        near[:-NEAR] |= across[NEAR:]
        return Bits(self.packed & near, self.width)

    def grown(self, steps: Sequence[int]) -> "Bits":
        """What is black and all around it, as far as these steps (less than a byte each) go together."""
        grown = self.packed
        for step in steps:
            grown = grown | _left(grown, step) | _right(grown, step)
            down = grown.copy()
            down[step:] |= grown[:-step]
            down[:-step] |= grown[step:]
            grown = down
        return Bits(grown & self._within, self.width)

    @property
    def _within(self) -> Bytes:
        """A row with all pixels up to the width set."""
        return np.packbits(np.ones(self.width, np.bool_))


def _one_way(side: Bytes, corners: Bytes, other_side: Bytes, other_corners: Bytes) -> Bytes:
    """Where all that differs is on one of two sides, and on the other the side and a corner are the same."""
    to_side = ~(side | corners) & other_side & other_corners
    to_other = ~(other_side | other_corners) & side & corners
    return to_side | to_other


def _right(pixels: Bytes, steps: int) -> Bytes:
    """All rows moved to the right by less than a byte, so that each pixel is where its left neighbour looks from."""
    moved = pixels >> np.uint8(steps)
    moved[:, 1:] |= pixels[:, :-1] << np.uint8(PIXELS - steps)
    return moved


def _left(pixels: Bytes, steps: int) -> Bytes:
    """All rows moved to the left by less than a byte."""
    moved = pixels << np.uint8(steps)
    moved[:, :-1] |= pixels[:, 1:] >> np.uint8(PIXELS - steps)
    return moved
