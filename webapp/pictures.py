"""Pictures of pages: several drawn by one start of the sandbox, and kept in memory while somebody looks at them.

A browser asks for the thumbnails of a fax one by one, and at once. The first to come has a whole run of them drawn; the
others wait for it and find theirs. Who may see a page is decided before anybody asks here.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flask import Response, abort, request

from netfax.documents.errors import DamagedDocument, PageMissing
from netfax.documents.preview import TURNS, page_pngs, papers
from netfax.ocr.service import turn_of

# Pixels of a page's width, before it is turned.
THUMBNAIL, SCREEN, SHARP = 160, 1100, 1728
# How many pages are drawn by one start: a thumbnail takes some 20 ms, a page of the screen's size three times that.
RUNS = {THUMBNAIL: 20, SCREEN: 1, SHARP: 4}
# Of PNGs: some 5,000 thumbnails, or 300 pages.
MOST_BYTES = 32 * 1024 * 1024
LOCKS = 32
CSS_DPI = 96
A4 = (794, 1123)
SIDEWAYS = (90, 270)
KEEP_IN_BROWSER = 24 * 3600


@dataclass(frozen=True)
class Sheet:
    """One page as a picture: of the fax in this file with this digest, so wide.

    It is turned clockwise by what makes it `upright`, given for the pages from the first on, and by `turn`.
    """

    path: Path
    sha256: str
    page: int
    width: int
    turn: int = 0
    upright: Sequence[int] = ()

    @property
    def turned(self) -> int:
        return (turn_of(self.upright, self.page) + self.turn) % 360

    @property
    def name(self) -> str:
        """The same for the same picture, and for no other."""
        return f"{self.sha256[:32]}-{self.page}-{self.width}-{self.turned}"


class Pictures:
    """Finds or draws; for as many threads as there are."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._shelf = threading.Lock()
        self._drawing = [threading.Lock() for _ in range(LOCKS)]

    def png(self, sheet: Sheet) -> bytes:
        """The picture; PageMissing when there is no such page, DamagedDocument when it can't be decoded."""
        run = RUNS[sheet.width]
        first = sheet.page - (sheet.page - 1) % run
        with self._drawing[hash((sheet.sha256, first, sheet.width, sheet.turn)) % LOCKS]:
            found = self._find(sheet.name)
            return self._draw(sheet, first, run) if found is None else found

    def _draw(self, sheet: Sheet, first: int, run: int) -> bytes:
        wanted: bytes | None = None
        turns = [replace(sheet, page=page).turned for page in range(first, first + run)]
        drawn = page_pngs(sheet.path, first, turns, width=sheet.width)
        for page, picture in enumerate(drawn, start=first):
            if picture is not None:
                self._keep(replace(sheet, page=page).name, picture)
            if page == sheet.page:
                wanted = picture
        if sheet.page >= first + len(drawn):
            raise PageMissing(page=sheet.page, pages=first + len(drawn) - 1)
        if wanted is None:
            raise DamagedDocument(name=sheet.path.name)
        return wanted

    def _find(self, name: str) -> bytes | None:
        with self._shelf:
            found = self._kept.get(name)
            if found is not None:
                self._kept.move_to_end(name)
            return found

    def _keep(self, name: str, picture: bytes) -> None:
        with self._shelf:
            self._bytes += len(picture) - len(self._kept.pop(name, b""))
            self._kept[name] = picture
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1])


pictures = Pictures()


def answer(path: Path, sha256: str, page: int, upright: Sequence[int] | None = ()) -> Response:
    """The picture that the request asks for by `w` and `turn`; kept by the reader's own browser alone.

    `upright` is None while it is being found out: the browser asks again then.
    """
    width, turn = request.args.get("w", SCREEN, type=int), request.args.get("turn", 0, type=int)
    if width not in RUNS or turn not in TURNS:
        abort(404)
    sheet = Sheet(path, sha256, page, width, turn, upright or ())
    if sheet.name in request.if_none_match:
        response = Response(status=304)
    else:
        response = Response(pictures.png(sheet), mimetype="image/png")
    response.set_etag(sheet.name)
    response.cache_control.private = True
    response.cache_control.max_age = 0 if upright is None else KEEP_IN_BROWSER
    return response


@dataclass(frozen=True)
class Leaf:
    """A page as the viewer lays it out: its number, and the size of its paper in CSS pixels, before it is turned."""

    page: int
    width: int
    height: int


def leaves(path: Path, pages: int, upright: Sequence[int] = ()) -> list[Leaf]:
    """So many pages, each as it stands upright; one that the file does not have is as large as A4."""
    try:
        there = papers(path)
    except FileNotFoundError:
        there = []
    sizes = [(round(paper.width * CSS_DPI), round(paper.height * CSS_DPI)) for paper in there[:pages]]
    sizes += [A4] * (pages - len(sizes))
    return [
        Leaf(page, *(size[::-1] if turn_of(upright, page) in SIDEWAYS else size))
        for page, size in enumerate(sizes, start=1)
    ]
