"""The pages that tests send are what they were drawn as: blank ones would be the same whatever became of them."""

from pathlib import Path

import numpy as np
import pytest

from tests.pages import draw_page, make_tiff, read_pages, save_tiff


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
