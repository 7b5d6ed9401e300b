"""A fax as people see it: its pages as PNG, the whole of it as PDF.

Received pixels are decoded in the sandbox too: the TIFF's directories are written by our own Asterisk, but the coded
lines in them are what a stranger's machine sent, and so no decoder runs beside sessions and secrets. It costs some
0.1 s a page, once, for the result is kept by whoever asks.
"""

import os
import tempfile
from pathlib import Path

from netfax.documents import workshop
from netfax.documents.errors import PageMissing
from netfax.documents.limits import CONVERT_SECONDS, PREVIEW_SECONDS
from netfax.documents.pdfwrite import embeddable, write_pdf
from netfax.documents.tiff import TiffPage, whole_pages

# Wider than any screen shows a page, and than the page itself.
MAX_WIDTH = 3456


def page_png(path: Path, page: int, *, width: int) -> bytes:
    """A page (1 is the first) of a fax TIFF as a grey PNG of `width` pixels, in its true proportion.

    Standard resolution is 204 × 98, so its pixels are twice as high as wide. Raises PageMissing.
    """
    if not 1 <= width <= MAX_WIDTH:
        raise ValueError(f"a preview of {width} pixels")
    _check_page(path, page)
    with os.fdopen(os.memfd_create("png"), "w+b") as out:
        workshop.ask(
            "png",
            page,
            width,
            files=[path],
            names=[path.name],
            timeout=PREVIEW_SECONDS,
            outputs=[out],
        )
        out.seek(0)
        return out.read()


def to_pdf(path: Path, target: Path) -> None:
    """Write the fax as a PDF of the same pixels: Group 4 strips go in as they are, other codings as Group 4.

    Pages have the size that they had on paper. Raises PageMissing when there is no whole page.
    """
    _check_page(path, 1)
    pages = whole_pages(path)
    if all(map(embeddable, pages)):
        _write(path, pages, target)
        return
    with tempfile.TemporaryDirectory() as folder:
        recoded = Path(folder) / "fax.tif"
        with recoded.open("w+b") as out:
            workshop.ask("recode", files=[path], names=[path.name], timeout=CONVERT_SECONDS, outputs=[out])
        _write(recoded, whole_pages(recoded), target)


def _write(fax: Path, pages: list[TiffPage], target: Path) -> None:
    with fax.open("rb") as source, target.open("wb") as out:
        write_pdf(source, pages, out)


def _check_page(path: Path, page: int) -> None:
    pages = len(whole_pages(path))
    if not 1 <= page <= pages:
        raise PageMissing(page=page, pages=pages)
