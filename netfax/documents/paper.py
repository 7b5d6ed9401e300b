"""The dots of a fax page and the paper that they were on.

A fax says how fine its dots are, across and down, and they are seldom square. Where the file does not say, or says
what can't be, the width tells: T.4 has one number of dots for each paper and fineness.
"""

from dataclasses import dataclass

from netfax.documents.tiff import TiffPage
from netfax.documents.tiffwrite import FAX_DPI

# Dots of a line on A4, B4 and A3 paper by dots an inch (T.4 2.1 and T.30 table 2, in the inch-based form).
LINES = {100: (864, 1024, 1216), 200: (1728, 2048, 2432), 300: (2592, 3072, 3648), 400: (3456, 4096, 4864)}
ACROSS = {dots: FAX_DPI[0] if dpi == 200 else float(dpi) for dpi, widths in LINES.items() for dots in widths}
STANDARD_LINES = 98.0
# Dots of a fax are at most some two times as high as wide, or the other way round; a file's word beyond is a defect.
MOST_UNEVEN = 5.0
# A whole page of standard resolution has by far fewer rows than dots in a row; one of fine resolution hardly ever has.
SQUAT = 0.8


@dataclass(frozen=True)
class Paper:
    """The size of a page on paper, in inches."""

    width: float
    height: float


def fineness(page: TiffPage) -> tuple[float, float]:
    """Dots an inch, across and down: the file's word where it has one that can be, otherwise the likeliest."""
    if page.dpi is not None and is_possible(*page.dpi):
        return page.dpi
    across = ACROSS.get(page.width, FAX_DPI[0])
    ratio = page.ratio
    if ratio is not None and is_possible(*ratio):
        return across, across * ratio[1] / ratio[0]
    if across == FAX_DPI[0] and page.rows < SQUAT * page.width:
        return across, STANDARD_LINES
    return across, FAX_DPI[1] if across == FAX_DPI[0] else across


def is_possible(across: float, down: float) -> bool:
    """Whether dots can be so uneven."""
    return 1 / MOST_UNEVEN <= across / down <= MOST_UNEVEN


def paper_of(page: TiffPage) -> Paper:
    """The paper that a page was on."""
    across, down = fineness(page)
    return Paper(page.width / across, page.rows / down)
