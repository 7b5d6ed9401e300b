"""Plain text on paper: lines broken on a grid of half-wide cells, then set by WeasyPrint as a PDF.

The lines are broken here, so the pages are known before anything is drawn. Only in the worker.
"""

import html
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice

from netfax.documents.hypertext import engine_settings

COLUMNS = 90  # cells of half the width of a Chinese character
LINES = 50  # of an A4 page
TAB = 8
STYLE = """
@page { size: A4; margin: 18mm 20mm }
body { margin: 0; font: 10.5pt/14.6pt "Noto Sans Mono CJK SC", "Noto Sans Mono", "DejaVu Sans Mono", monospace }
pre { margin: 0; font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; break-after: page }
pre:last-child { break-after: auto }
"""
# Never at the start of a line (kinsoku; GB/T 15834 4.13).
CLINGING = frozenset("，。、；：？！）】》」』〉”’…—％,.;:?!)]}%")


def pages(text: str) -> list[list[str]]:
    """The pages of a text, each a list of lines that fit the paper; blank paper at the end is left out."""
    found: list[list[str]] = []
    for part in text.rstrip("\f\n\r\t \x1a").replace("\x1a", "").split("\f"):
        lines = [line for paragraph in part.splitlines() for line in _broken(paragraph.expandtabs(TAB))]
        found += [lines[start : start + LINES] for start in range(0, len(lines), LINES)] or [[]]
    return found


def to_pdf(sheets: Sequence[Sequence[str]]) -> bytes:
    """A PDF with a page for each sheet. Nothing is fetched from anywhere."""
    body = "".join(f"<pre>{html.escape(chr(10).join(lines))}\n</pre>" for lines in sheets)
    document = f'<!doctype html><html lang="zh"><meta charset="utf-8"><style>{STYLE}</style><body>{body}</body></html>'
    with engine_settings():
        from weasyprint import HTML

        pdf: bytes = HTML(string=document, url_fetcher=_fetch_nothing).write_pdf()
    return pdf


def _fetch_nothing(url: str) -> object:
    raise ValueError(f"a text refers to nothing outside itself: {url}")


def _broken(paragraph: str) -> Iterator[str]:
    """The lines of a paragraph: broken after a space where there is one, else between characters."""
    rest = paragraph.rstrip()
    while _width(rest) > COLUMNS:
        at = _break(rest)
        yield rest[:at].rstrip()
        rest = rest[at:].lstrip(" ")
    yield rest


def _break(line: str) -> int:
    """Where to break a line that is too long: the number of characters that stay on it, at least one."""
    fits = width = 0
    for character in line:
        width += _cells(character)
        if width > COLUMNS:
            break
        fits += 1
    at = fits
    while at > 1 and not _may_break(line[at - 1], line[at]):
        at -= 1
    # A word or a row of marks as long as the line is cut where the line ends.
    return at if at > 1 else max(1, fits)


def _may_break(before: str, after: str) -> bool:
    if after in CLINGING or unicodedata.combining(after):
        return False
    return before in " -" or after == " " or _cells(before) == 2 or _cells(after) == 2


def _width(line: str) -> int:
    return sum(map(_cells, islice(line, COLUMNS + 1)))


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WFA" else 1
