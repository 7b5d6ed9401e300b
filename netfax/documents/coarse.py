"""A fax once more in standard fineness, for a machine that can't receive fine: T.30 leaves it to each machine.

Two rows become one that is black where either is black. A line of one row stays, and letters grow by at most a row;
the other choices (every second row, or white where either is white) take such lines away.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from netfax.documents import workshop
from netfax.documents.convert import FaxImage
from netfax.documents.errors import NotDrawable, PageMissing
from netfax.documents.limits import CONVERT_SECONDS
from netfax.documents.look import Resolution
from netfax.documents.pdfwrite import embeddable
from netfax.documents.tiff import TiffPage, whole_pages
from netfax.documents.tiffwrite import FAX_DPI, FAX_WIDTH

# T.30's standard resolution, 3.85 lines/mm, in the inch-based form, as `FAX_DPI` is.
STANDARD_DPI = (FAX_DPI[0], Resolution.STANDARD.lines)
# How often a page of each resolution is halved until it is in standard fineness.
HALVINGS: dict[tuple[float, float], int] = {
    (FAX_DPI[0], resolution.lines): times for times, resolution in enumerate(Resolution)
}


def to_standard(source: Path, target: Path, *, first: int = 1) -> FaxImage:
    """Put the pages of our own fax TIFF from `first` (1 is the first) on, at 98 lines an inch, at `target`.

    All of it or nothing. The paper keeps its size: rows are halved, and of an odd number the last stands alone.
    Raises PageMissing, NotDrawable for pages in a resolution that is not ours, and what `workshop.ask` raises.
    """
    pages = whole_pages(source)
    if not 1 <= first <= len(pages):
        raise PageMissing(page=first, pages=len(pages))
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fax-") as folder:
        draft = Path(folder) / "fax.tif"
        with draft.open("w+b") as out:
            workshop.ask(
                "standard",
                first,
                files=[source],
                names=[source.name],
                timeout=CONVERT_SECONDS,
                outputs=[out],
            )
        image = _looked_at(draft, pages[first - 1 :], source.name)
        draft.replace(target)
    return image


def _looked_at(draft: Path, fine: Sequence[TiffPage], name: str) -> FaxImage:
    """What the worker made, by our own reader: each page is its finer one, halved, or it does not go to the line."""
    pages = whole_pages(draft)
    if len(pages) != len(fine) or not all(map(_is_coarser, pages, fine)):
        raise NotDrawable(name=name)
    return FaxImage(len(pages), tuple(page.bytes for page in pages), draft.stat().st_size)


def _is_coarser(page: TiffPage, fine: TiffPage) -> bool:
    rows = fine.rows
    for _ in range(HALVINGS.get(fine.dpi or FAX_DPI, 0)):
        rows = (rows + 1) // 2
    return embeddable(page) and (page.width, page.rows, page.dpi) == (FAX_WIDTH, rows, STANDARD_DPI)
