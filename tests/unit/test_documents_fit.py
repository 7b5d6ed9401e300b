"""Where pages come to lie: inches in, fax pixels out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfax.documents.fit import FITTING_WIDTH, SHORTEST, fit
from netfax.documents.tiffwrite import FAX_DPI, FAX_WIDTH

MILLIMETRE = 1 / 25.4


def test_a4_keeps_its_size() -> None:
    place = fit(210 * MILLIMETRE, 297 * MILLIMETRE)
    assert (place.turned, place.width, place.page_rows, place.left) == (False, 1687, 2292, 16)


def test_letter_and_legal_are_as_long_as_on_paper() -> None:
    assert fit(8.5, 11).page_rows == pytest.approx(11 * 196, rel=0.005)
    assert fit(8.5, 14).page_rows == pytest.approx(14 * 196, rel=0.005)


def test_landscape_a4_is_turned_to_the_same_place() -> None:
    upright, turned = fit(210 * MILLIMETRE, 297 * MILLIMETRE), fit(297 * MILLIMETRE, 210 * MILLIMETRE)
    assert turned.turned
    assert (turned.width, turned.rows) == (upright.width, upright.rows)


def test_a_short_slip_stays_short_and_upright() -> None:
    place = fit(200 * MILLIMETRE, 90 * MILLIMETRE)
    assert not place.turned
    assert place.page_rows == round(90 * MILLIMETRE * 196)


def test_a_larger_sheet_shrinks_to_a4() -> None:
    place = fit(297 * MILLIMETRE, 420 * MILLIMETRE)
    assert place.page_rows <= 2292 and place.width <= FAX_WIDTH


def test_a_stamp_gets_a_page_of_an_inch() -> None:
    assert fit(0.2, 0.2).page_rows == SHORTEST * FAX_DPI[1]


@settings(deadline=None)
@given(width=st.floats(0.01, 500), length=st.floats(0.01, 500))
def test_nothing_is_cut_and_proportion_is_kept(width: float, length: float) -> None:
    place = fit(width, length)
    assert place.left >= 0 and place.left + place.width <= FAX_WIDTH
    assert 1 <= place.rows <= place.page_rows <= 14 * 196
    assert place.turned == (width > length and width > FITTING_WIDTH)
    across, down = (length, width) if place.turned else (width, length)
    if place.width > 20 and place.rows > 20:
        assert (place.width / 204) / (place.rows / 196) == pytest.approx(across / down, rel=0.05)
