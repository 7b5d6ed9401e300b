"""The pages that tests send are what they were drawn as: blank ones would be the same whatever became of them."""

from pathlib import Path

import numpy as np
import pytest

from tests.pages import assert_same_page, damaged_rows, draw_page, make_tiff, read_pages, save_tiff


@pytest.mark.parametrize("dense", [0, 45])
def test_a_saved_page_has_the_pixels_that_were_drawn(tmp_path: Path, dense: int) -> None:
    drawn = [draw_page("one", dense=dense), draw_page("another", dense=dense)]
    read = read_pages(save_tiff(tmp_path / "a.tif", drawn))
    assert all(np.array_equal(~np.asarray(page, dtype=bool), other) for page, other in zip(drawn, read, strict=True))
    assert 0.001 < read[0].mean() < 0.05
    assert not np.array_equal(*read)


def test_no_two_texts_make_one_file(tmp_path: Path) -> None:
    files = [make_tiff(tmp_path / f"{text}.tif", text).read_bytes() for text in ("a fax", "another fax")]
    assert files[0] != files[1]


def test_without_ecm_a_few_rows_may_be_damaged_or_missing_and_no_more() -> None:
    sent = ~np.asarray(draw_page("one", dense=45), dtype=bool)
    damaged = sent.copy()
    damaged[1000, 100:300] = True
    assert_same_page(sent, damaged, ecm=False)
    assert_same_page((sent.astype(np.uint8) * 255).view(bool), damaged, ecm=False)
    # Those that follow a missing row have moved up.
    assert_same_page(sent, np.delete(sent, 2060, axis=0), ecm=False)
    assert damaged_rows(sent, np.delete(damaged, 2060, axis=0)) == 2
    for received in (np.delete(sent, range(2040, 2110), axis=0), sent[:2000], ~sent):
        with pytest.raises(AssertionError, match="rows are damaged"):
            assert_same_page(sent, received, ecm=False)
    with pytest.raises(AssertionError, match="1 rows differ"):
        assert_same_page(sent, damaged, ecm=True)
