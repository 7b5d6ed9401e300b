"""A fax as people see it: its pages as PNG, the whole of it as PDF.

Received pixels are decoded in the sandbox too: the TIFF's directories are written by our own Asterisk, but the coded
lines in them are what a stranger's machine sent, and so no decoder runs beside sessions and secrets. A start costs some
0.1 s, whatever the pages, so several are drawn by one; the result is kept by whoever asks.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from netfax.documents import workshop
from netfax.documents.errors import DamagedDocument, NotDrawable, PageMissing
from netfax.documents.limits import CONVERT_SECONDS, PREVIEW_SECONDS
from netfax.documents.paper import Paper, paper_of
from netfax.documents.pdfwrite import embeddable, write_pdf
from netfax.documents.tiff import TiffPage, whole_pages

# Wider than any screen shows a page, and than the page itself.
MAX_WIDTH = 3456
# Clockwise, in degrees.
TURNS = (0, 90, 180, 270)


def page_png(path: Path, page: int, *, width: int, turn: int = 0, idle: bool = False) -> bytes:
    """One page as `page_pngs` draws it; DamagedDocument when it can't be decoded."""
    (drawn,) = page_pngs(path, page, [turn], width=width, idle=idle)
    if drawn is None:
        raise DamagedDocument(name=path.name)
    return drawn


def page_pngs(path: Path, first: int, turns: Sequence[int], *, width: int, idle: bool = False) -> list[bytes | None]:
    """Pages of a fax TIFF from `first` (1 is the first) on as grey PNGs; None for one that can't be decoded.

    There is one for each of `turns`, as far as there are pages: `width` pixels wide, in its true proportion (standard
    resolution is 204 × 98, so its pixels are twice as high as wide), and then turned clockwise by so many degrees.
    Nobody waits for what is `idle`. Raises PageMissing when there is no page `first`.
    """
    if not 1 <= width <= MAX_WIDTH or not set(turns) <= set(TURNS):
        raise ValueError(f"a preview of {width} pixels turned by {turns}")
    there = _check_page(path, first) - first + 1
    with os.fdopen(os.memfd_create("png"), "w+b") as out:
        answer = workshop.ask(
            "png",
            first,
            width,
            *turns,
            files=[path],
            names=[path.name],
            timeout=PREVIEW_SECONDS,
            outputs=[out],
            idle=idle,
        )
        out.seek(0)
        drawn = out.read()
    return _parted(drawn, answer.get("sizes"), min(len(turns), there), path)


def _parted(drawn: bytes, sizes: object, pages: int, path: Path) -> list[bytes | None]:
    """The pictures that stand one behind the other, as long as the worker says that they are."""
    if not isinstance(sizes, list) or len(sizes) != pages or not all(type(size) is int and size >= 0 for size in sizes):
        raise NotDrawable(name=path.name)
    pictures: list[bytes | None] = []
    at = 0
    for size in sizes:
        pictures.append(drawn[at : at + size] or None)
        at += size
    return pictures


def papers(path: Path) -> list[Paper]:
    """The paper of each whole page of a fax TIFF, from its directories alone."""
    return [paper_of(page) for page in whole_pages(path)]


def to_pdf(path: Path, target: Path, turns: Sequence[int] = ()) -> None:
    """Write the fax as a PDF of the same pixels: Group 4 strips go in as they are, other codings as Group 4.

    Pages have the size that they had on paper, and viewers turn them clockwise by `turns` degrees, from the first page
    on. Raises PageMissing when there is no whole page.
    """
    _check_page(path, 1)
    pages = whole_pages(path)
    if all(map(embeddable, pages)):
        _write(path, pages, target, turns)
        return
    with tempfile.TemporaryDirectory() as folder:
        recoded = Path(folder) / "fax.tif"
        with recoded.open("w+b") as out:
            workshop.ask("recode", files=[path], names=[path.name], timeout=CONVERT_SECONDS, outputs=[out])
        _write(recoded, whole_pages(recoded), target, turns)


def _write(fax: Path, pages: list[TiffPage], target: Path, turns: Sequence[int]) -> None:
    with fax.open("rb") as source, target.open("wb") as out:
        write_pdf(source, pages, out, turns)


def _check_page(path: Path, page: int) -> int:
    """How many pages there are; PageMissing when this one is none of them."""
    pages = len(whole_pages(path))
    if not 1 <= page <= pages:
        raise PageMissing(page=page, pages=pages)
    return pages
