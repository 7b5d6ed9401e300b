"""A cover before the pages of a fax. It says how many pages there are, so it is drawn last, and perhaps twice."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netfax.documents.convert import FaxImage, to_fax_tiff
from netfax.documents.errors import NotDrawable, TooManyPages
from netfax.documents.kinds import Kind
from netfax.documents.limits import MAX_PAGES
from netfax.documents.look import Look
from netfax.documents.tiff import whole_pages
from netfax.documents.tiffwrite import join_files

# Of a cover whose total has grown by a digit, the lines may break otherwise.
ROUNDS = 3


@dataclass(frozen=True)
class CoverPage:
    """What is drawn as a cover: its name for people, and its HTML for a fax of so many pages."""

    name: str
    html: Callable[[int], str]


def draw_cover(cover: CoverPage, target: Path, *, look: Look, body: Path | None = None) -> tuple[FaxImage, int]:
    """Put a cover and the pages of `body`, a fax TIFF of ours, together at `target`; the image, and the cover's pages.

    The cover is as fine as `look` says, and drawn by what is on it. Raises as `to_fax_tiff` does, with its name.
    """
    behind = len(whole_pages(body)) if body is not None else 0
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".cover-") as folder:
        drawn = Path(folder) / "cover.tif"
        pages = _draw(cover, drawn, Look(look.resolution), behind)
        if pages + behind > MAX_PAGES:
            raise TooManyPages(name=cover.name)
        whole = Path(folder) / "whole.tif"
        join_files([drawn] if body is None else [drawn, body], whole)
        sizes = tuple(page.bytes for page in whole_pages(whole))
        image = FaxImage(len(sizes), sizes, whole.stat().st_size)
        whole.replace(target)
    return image, pages


def _draw(cover: CoverPage, target: Path, look: Look, behind: int) -> int:
    """Draw the cover alone, with the total that it brings about; its pages."""
    source = target.with_suffix(".html")
    pages = 1
    for _ in range(ROUNDS):
        # With its mark, no letter on it can be read by another coding.
        source.write_text(cover.html(pages + behind), "utf-8-sig")
        image = to_fax_tiff([source], target, names=[cover.name], look=look)
        if image.kinds != (Kind.HTML,):
            raise NotDrawable(name=cover.name)
        if image.pages == pages:
            break
        pages = image.pages
    return pages
