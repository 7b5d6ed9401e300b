"""Pages that somebody has looked at once: small grey pictures in tests/fixtures/golden, and what is held against them.

With NETFAX_GOLDEN=1 they are written anew, to be looked at again.
"""

import os
from pathlib import Path

import numpy
from PIL import Image, ImageSequence

GOLDEN = Path(__file__).parent / "fixtures" / "golden"
# A dot of the picture is so many dots of the page each way: letters are a grey there, lines and places are seen.
REDUCED = 12
# Another version of a font or a program moves letters by a dot or two, not lines or blocks: mean and worst row, in
# grey levels.
MEAN, ROW = 4.0, 40.0


def assert_golden(tiff: Path, name: str) -> None:
    """Every page of the fax looks as its picture (`name-1.png`, `name-2.png` …), and no picture is left over."""
    with Image.open(tiff) as image:
        pages = [_reduced(page) for page in ImageSequence.Iterator(image)]
    for number, page in enumerate(pages, start=1):
        golden = GOLDEN / f"{name}-{number}.png"
        if os.environ.get("NETFAX_GOLDEN") == "1":
            GOLDEN.mkdir(exist_ok=True)
            page.save(golden, optimize=True)
        with Image.open(golden) as wanted:
            assert page.size == wanted.size, f"{name}, page {number}: {page.size}"
            apart = numpy.abs(numpy.asarray(page, dtype=float) - numpy.asarray(wanted, dtype=float))
        mean, worst = apart.mean(), apart.mean(axis=1).max()
        assert mean < MEAN and worst < ROW, f"{name}, page {number}: {mean:.1f} levels apart, a row {worst:.1f}"
    assert not (GOLDEN / f"{name}-{len(pages) + 1}.png").exists(), f"{name}: {len(pages)} pages"


def _reduced(page: Image.Image) -> Image.Image:
    return page.convert("L").reduce(REDUCED)
