"""Pages that say which they are, also when the line has damaged some rows of them: by bars of 48 bits."""

import hashlib
import itertools
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from tests.pages import DAMAGED_PART, HEIGHT, damaged_rows, draw_page, save_tiff

BITS, BAR, LEFT = 48, 28, 192
# The part of a page's height that has the bars: what is drawn coarser keeps its proportions.
TOP, BOTTOM = 0.42, 0.82
# Of a bar's pixels, for it to be black.
BLACK, WHITE = 0.9, 0.1


def make_coded(path: Path, text: str, pages: int) -> list[str]:
    """Draw a fax into a TIFF; the codes of its pages, 12 hex digits each."""
    names = [f"{text} page {number}" for number in range(1, pages + 1)]
    codes = [hashlib.sha256(name.encode()).hexdigest()[: BITS // 4] for name in names]
    save_tiff(path, [_with_bars(draw_page(name), code) for name, code in zip(names, codes, strict=True)])
    return codes


def _with_bars(page: Image.Image, code: str) -> Image.Image:
    top, bottom = int(TOP * HEIGHT), int(BOTTOM * HEIGHT)
    for place, bit in enumerate(f"{int(code, 16):0{BITS}b}"):
        if bit == "1":
            page.paste(0, (LEFT + place * BAR, top, LEFT + (place + 1) * BAR, bottom))
    return page


def code_of(page: np.ndarray) -> str:
    """The code of a page's pixels (True is black); empty when its bars can't be read."""
    rows = page[int((TOP + 0.04) * len(page)) : int((BOTTOM - 0.04) * len(page)), LEFT : LEFT + BITS * BAR]
    if rows.shape[1] < BITS * BAR or not len(rows):
        return ""
    # The middle of each bar, of the rows in between: a damaged row or two change nothing.
    parts = rows.reshape(len(rows), BITS, BAR)[:, :, BAR // 4 : -BAR // 4].mean(axis=(0, 2))
    if ((parts > WHITE) & (parts < BLACK)).any():
        return ""
    return f"{int(''.join('1' if part >= BLACK else '0' for part in parts), 2):0{BITS // 4}x}"


def readable_pages(tiff: Path) -> list[np.ndarray]:
    """The pages, True for black, of a file that a killed machine may have left half written: up to the first broken."""
    pages: list[np.ndarray] = []
    # What Pillow raises at the end, and for what is broken.
    with suppress(EOFError, OSError, SyntaxError, ValueError, TypeError), Image.open(tiff) as image:
        for number in itertools.count():
            image.seek(number)
            pages.append(~np.asarray(image.convert("1"), dtype=bool))
    return pages


def is_same(sent: np.ndarray, received: np.ndarray) -> bool:
    """Whether a page has arrived, but for the rows that audio without error correction may damage."""
    return damaged_rows(sent, received) <= DAMAGED_PART * len(sent)
