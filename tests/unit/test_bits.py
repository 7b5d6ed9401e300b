"""Packed pixels against the same said pixel by pixel."""

from io import BytesIO

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from netfax.documents.bits import Bits
from netfax.documents.g4 import decode
from netfax.documents.tiff import walk
from netfax.documents.tiffwrite import FaxTiffWriter

Mask = NDArray[np.bool_]


@st.composite
def pages(draw: st.DrawFn) -> Mask:
    """Small pages of any width, with edges on which something is black."""
    rows, width = draw(st.integers(1, 24)), draw(st.integers(1, 40))
    dense = draw(st.sampled_from((0.05, 0.3, 0.5, 0.8)))
    return np.random.default_rng(draw(st.integers(0, 2**32))).random((rows, width)) < dense


def seen(bits: Bits) -> Mask:
    return np.unpackbits(bits.packed, axis=1)[:, : bits.width].astype(bool)


def around(page: Mask, row: int, column: int, far: int) -> Mask:
    """The neighbours of a pixel, white beyond the edge."""
    padded = np.pad(page, far)
    return padded[row : row + 2 * far + 1, column : column + 2 * far + 1]


def is_bump(page: Mask, row: int, column: int) -> bool:
    """By the definition: one side is the same, with a corner beside it, and nothing else is."""
    near = around(page, row, column, 1)
    same = near == near[1, 1]
    sides = [same[0, 1], same[1, 2], same[2, 1], same[1, 0]]
    if sum(sides) != 1:
        return False
    turned = np.rot90(same, sides.index(True))
    return bool((turned[0, 0] or turned[0, 2]) and not turned[2, 0] and not turned[2, 2])


@given(pages())
def test_bumps_and_notches_of_one_pixel_are_smoothed_away(page: Mask) -> None:
    inked = np.flatnonzero(page.any(axis=1))
    wanted = page.copy()
    for row in range(inked[0], inked[-1] + 1) if inked.size else ():
        for column in range(page.shape[1]):
            wanted[row, column] ^= is_bump(page, row, column)
    assert np.array_equal(seen(Bits.of(page).smoothed()), wanted)


@given(pages())
def test_a_speck_goes_where_nothing_is_two_pixels_beside_it(page: Mask) -> None:
    wanted = page.copy()
    for row, column in zip(*np.nonzero(page), strict=True):
        frame = around(page, row, column, 2)
        wanted[row, column] = frame[0].any() or frame[-1].any() or frame[:, 0].any() or frame[:, -1].any()
    assert np.array_equal(seen(Bits.of(page).without_specks()), wanted)


@given(pages())
def test_black_grows_by_all_of_its_steps(page: Mask) -> None:
    wanted = np.array(
        [[around(page, row, column, 3).any() for column in range(page.shape[1])] for row in range(page.shape[0])]
    )
    grown = Bits.of(page).grown((1, 2))
    assert np.array_equal(seen(grown), wanted)
    # What lies beyond the width stays white, or it would be coded.
    assert not np.unpackbits(grown.packed, axis=1)[:, page.shape[1] :].any()


@given(pages())
def test_one_row_of_two_is_black_where_either_is(page: Mask) -> None:
    wanted = [page[row : row + 2].any(axis=0) for row in range(0, len(page), 2)]
    assert np.array_equal(seen(Bits.of(page).halved()), wanted)


@given(pages(), st.integers(0, 3), st.integers(0, 5))
def test_a_page_lies_on_its_paper_where_it_was_put(page: Mask, left: int, below: int) -> None:
    rows, width = page.shape
    paper = seen(Bits.of(page).on_paper(80, rows + below, left * 8))
    wanted = np.zeros((rows + below, 80), bool)
    wanted[:rows, left * 8 : left * 8 + width] = page
    assert np.array_equal(paper, wanted)


@given(pages(), pages())
def test_a_part_is_laid_where_its_mask_is_set(part: Mask, mask: Mask) -> None:
    rows, width = min(len(part), len(mask)), min(part.shape[1], mask.shape[1]) // 8 * 8
    part, mask = part[:rows, :width], mask[:rows, :width]
    page = Bits.of(np.ones((rows + 4, width + 16), bool))
    page.lay(Bits.of(part), Bits.of(mask), top=3, left=8)
    wanted = np.ones((rows + 4, width + 16), bool)
    wanted[3 : rows + 3, 8 : width + 8] = part | ~mask
    assert np.array_equal(seen(page), wanted)


@given(pages())
def test_what_is_coded_is_decoded_to_the_same_pixels(page: Mask) -> None:
    held = BytesIO()
    FaxTiffWriter(held).add([Bits.of(page).coded()], width=page.shape[1], rows=page.shape[0])
    (directory,) = walk(held)
    assert np.array_equal(np.asarray(decode(held, directory)) == 0, page)
