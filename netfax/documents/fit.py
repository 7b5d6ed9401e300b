"""Where a page comes to lie on the fax: proportion kept, nothing cut, nothing mirrored.

Lengths in inches, results in fax pixels (204 across and 98, 196 or 392 down an inch, so not square). A page keeps its
natural size as long as it fits; then it shrinks. So an A4 page has 2,292 lines in fine resolution, and a slip of paper
is a short page, which is a short call.
"""

from dataclasses import dataclass

from netfax.documents.tiffwrite import FAX_DPI, FAX_WIDTH

PAPER_WIDTH = FAX_WIDTH / FAX_DPI[0]
A4_LENGTH = 297 / 25.4
# Paper that is no wider than the line keeps its length up to this (US Legal); what has to shrink, shrinks to A4.
LONGEST = 14.0
# Letter and Legal, 8.5 inches wide, are a hair wider than the line: they count as fitting.
FITTING_WIDTH = 8.6
# A shorter page gets blank lines: no machine is built for a page of a few lines.
SHORTEST = 1.0
# In the middle but for so many pixels (a millimetre), by which a page can be laid down in whole bytes.
BYTE = 8


@dataclass(frozen=True)
class Placement:
    """The drawing's pixels on the page, its left edge, the page's rows; `turned` when it has to be turned first."""

    turned: bool
    width: int
    rows: int
    left: int
    page_rows: int


def fit(width: float, length: float, lines: int = FAX_DPI[1]) -> Placement:
    """Place a page of this size at so many lines an inch; one wider than the line and than long is turned upright."""
    turned = width > length and width > FITTING_WIDTH
    if turned:
        width, length = length, width
    limit = LONGEST if width <= FITTING_WIDTH and not turned else A4_LENGTH
    scale = min(1.0, PAPER_WIDTH / width, limit / length)
    across = min(FAX_WIDTH, max(1, round(width * scale * FAX_DPI[0])))
    down = max(1, round(length * scale * lines))
    left = (FAX_WIDTH - across) // 2 // BYTE * BYTE
    return Placement(turned, across, down, left, max(down, round(SHORTEST * lines)))
