"""From files to the one fax TIFF of a submission: 1,728 pixels wide, 204 × 196 dpi, Group 4, one strip a page."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netfax.documents import workshop
from netfax.documents.errors import NotDrawable
from netfax.documents.limits import CONVERT_SECONDS, MAX_PAGES
from netfax.documents.pdfwrite import embeddable
from netfax.documents.tiff import whole_pages
from netfax.documents.tiffwrite import FAX_WIDTH


@dataclass(frozen=True)
class FaxImage:
    """What a conversion made: `page_bytes` are the coded bytes of each page, `bytes` the whole file."""

    pages: int
    page_bytes: tuple[int, ...]
    bytes: int


def to_fax_tiff(sources: Sequence[Path], target: Path, *, names: Sequence[str] = ()) -> FaxImage:
    """Draw the files one after the other as one fax and put it at `target`, all of it or nothing.

    `names` are the people's own names of the files, for the errors; by default the paths' names. Raises as
    `inspect` does: what is found only in drawing is refused here.
    """
    names = names or [path.name for path in sources]
    workshop.check_sizes(sources, names)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fax-") as folder:
        draft = Path(folder) / "fax.tif"
        with draft.open("w+b") as out:
            workshop.ask("convert", out.fileno(), files=sources, names=names, timeout=CONVERT_SECONDS, outputs=[out])
        image = _looked_at(draft, names)
        draft.replace(target)
    return image


def _looked_at(draft: Path, names: Sequence[str]) -> FaxImage:
    """What the worker made, by our own reader: its word is not taken for what goes to the line."""
    pages = whole_pages(draft)
    if not 0 < len(pages) <= MAX_PAGES or not all(embeddable(page) and page.width == FAX_WIDTH for page in pages):
        raise NotDrawable(name=", ".join(names))
    return FaxImage(len(pages), tuple(page.bytes for page in pages), draft.stat().st_size)
