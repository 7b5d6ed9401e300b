"""The dots of a fax page: uneven, of odd widths, and sometimes not said at all."""

import pytest

from netfax.documents.paper import fineness, paper_of
from netfax.documents.tiff import Tag, TiffPage


def page(
    width: int, rows: int, across: tuple[int, int] | None = None, down: tuple[int, int] | None = None, unit: int = 2
) -> TiffPage:
    fields: dict[int, tuple[int, ...]] = {Tag.WIDTH: (width,), Tag.LENGTH: (rows,), Tag.RESOLUTION_UNIT: (unit,)}
    if across:
        fields[Tag.X_RESOLUTION] = across
    if down:
        fields[Tag.Y_RESOLUTION] = down
    return TiffPage(fields, ((8, 1),), True)


@pytest.mark.parametrize(
    ("width", "rows", "dpi", "inches"),
    [
        (1728, 1146, (204, 98), (8.47, 11.69)),
        (1728, 2292, (204, 196), (8.47, 11.69)),
        (1728, 4573, (204, 391), (8.47, 11.70)),
        (2048, 1376, (204, 98), (10.04, 14.04)),
        (2432, 3241, (204, 196), (11.92, 16.54)),
        (2592, 3508, (300, 300), (8.64, 11.69)),
        (3456, 4677, (400, 400), (8.64, 11.69)),
        (4864, 6614, (400, 400), (12.16, 16.54)),
        (864, 1169, (100, 100), (8.64, 11.69)),
        (3456, 4573, (408, 391), (8.47, 11.70)),
    ],
)
def test_the_files_word_holds(width: int, rows: int, dpi: tuple[int, int], inches: tuple[float, float]) -> None:
    paper = paper_of(page(width, rows, (dpi[0], 1), (dpi[1], 1)))
    assert (paper.width, paper.height) == pytest.approx(inches, abs=0.01)


def test_dots_by_the_centimetre() -> None:
    assert fineness(page(1728, 1146, (8031, 100), (385, 10), unit=3)) == pytest.approx((203.99, 97.79), abs=0.01)


@pytest.mark.parametrize(
    ("width", "rows", "dpi"),
    [
        (1728, 1146, (204, 98)),
        (1728, 2292, (204, 196)),
        (2048, 2750, (204, 196)),
        (2432, 1620, (204, 98)),
        (2592, 3508, (300, 300)),
        (3648, 4960, (300, 300)),
        (3456, 4677, (400, 400)),
        (864, 1169, (100, 100)),
        (1700, 2200, (204, 196)),
    ],
)
def test_without_a_word_the_width_tells(width: int, rows: int, dpi: tuple[float, float]) -> None:
    assert fineness(page(width, rows)) == dpi
    # Half a word, or one that can't be, is none.
    assert fineness(page(width, rows, across=(204, 1))) == dpi
    assert fineness(page(width, rows, (1, 1000), (4_000_000, 1))) == dpi


def test_a_word_without_a_unit_is_a_proportion() -> None:
    assert fineness(page(1728, 2292, (2, 1), (1, 1), unit=1)) == (204, 102)
