"""From files to the one fax TIFF of a submission: 1,728 pixels wide, Group 4, one strip a page."""

import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from netfax.documents import workshop
from netfax.documents.errors import BlankDocument, NotDrawable, OnlyMacros, TooHeavy
from netfax.documents.kinds import OFFICE, Kind
from netfax.documents.limits import CONVERT_SECONDS, MAX_PAGES, SECONDS_A_FURTHER_FILE
from netfax.documents.look import USUAL, Look
from netfax.documents.pdfwrite import embeddable
from netfax.documents.sources import MAX_DEPTH, Source, Unready, made_ready
from netfax.documents.tiff import whole_pages
from netfax.documents.tiffwrite import FAX_DPI, FAX_WIDTH, FaxTiffWriter

# Counted up when the same files would become other pixels.
DRAWING = 2
# Pages that one process draws while another one would still be starting.
PAGES_ALONE = 6


@dataclass(frozen=True)
class FaxImage:
    """What a conversion made: `page_bytes` are the coded bytes of each page, `bytes` the whole file.

    `kinds` are those of the files that it was made of, in their order.
    """

    pages: int
    page_bytes: tuple[int, ...]
    bytes: int
    kinds: tuple[Kind, ...] = ()

    @property
    def lasting(self) -> bool:
        """Whether the same files give the same pages on any day: LibreOffice fills in what a document says of today."""
        return not {*OFFICE, Kind.MAIL}.intersection(self.kinds)


def to_fax_tiff(
    sources: Sequence[Path], target: Path, *, names: Sequence[str] = (), look: Look = USUAL, hands: int | None = None
) -> FaxImage:
    """Draw the files one after the other as one fax and put it at `target`, all of it or nothing.

    `names` are the people's own names of the files, for the errors; by default the paths' names. A long fax is drawn
    by as many processes at once as `hands` says, by default one for each core. Raises as `inspect` does: what is found
    only in drawing is refused here.
    """
    names = names or [path.name for path in sources]
    workshop.check_sizes(sources, names)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fax-") as folder:
        drawing = _Drawing(
            [Source(path, name, number) for number, (path, name) in enumerate(zip(sources, names, strict=True))],
            Path(folder),
            look,
            hands or len(os.sched_getaffinity(0)),
        )
        draft = drawing.draw()
        image = _looked_at(draft, names, look, drawing.kinds)
        draft.replace(target)
    return image


class _Drawing:
    """The files of one fax on their way to pages.

    One process draws the first pages and so finds out how many there are; the rest is drawn by one for each core, in
    turn, and laid together again by their coded strips.
    """

    def __init__(self, files: list[Source], folder: Path, look: Look, hands: int) -> None:
        self._files = files
        self._folder = folder
        self._look = look
        self._hands = hands
        self._kinds: dict[int, Kind] = {}
        self._deadline = time.monotonic() + CONVERT_SECONDS + SECONDS_A_FURTHER_FILE * (len(files) - 1)
        self._inked: set[int] = set()

    def draw(self) -> Path:
        """All pages of all files, in a file of the folder."""
        draft = self._folder / "fax.tif"
        pages = self._draw_first(draft)
        if pages > PAGES_ALONE:
            draft = self._lay_together(pages, draft, self._draw_rest(pages))
        for index, file in enumerate(self._files):
            if index not in self._inked:
                raise (OnlyMacros if file.macros else BlankDocument)(name=file.name)
        return draft

    def _draw_first(self, target: Path) -> int:
        """The first pages, after every file is one that is drawn as it is; how many there are in all."""
        for _ in range(MAX_DEPTH + 1):
            answer = self._ask(target, first=0, step=1, most=PAGES_ALONE)
            self._learn_kinds(answer)
            if "unready" not in answer:
                return self._understood(answer)
            self._files = made_ready(self._files, self._unready(answer), self._folder, self._deadline)
        raise NotDrawable(name=self._names[0])

    def _draw_rest(self, pages: int) -> list[Path]:
        shares = [self._folder / f"share{hand}.tif" for hand in range(self._hands)]
        with ThreadPoolExecutor(self._hands) as pool:
            answers = list(
                pool.map(
                    lambda hand: self._ask(shares[hand], first=PAGES_ALONE + hand, step=self._hands, most=pages),
                    range(self._hands),
                )
            )
        if any(self._understood(answer) != pages for answer in answers):
            raise NotDrawable(name=", ".join(self._names))
        return shares

    def _lay_together(self, pages: int, first: Path, shares: Sequence[Path]) -> Path:
        whole = self._folder / "whole.tif"
        with ExitStack() as stack:
            drawn = [
                [(file, page) for page in whole_pages(path)]
                for path in (first, *shares)
                for file in [stack.enter_context(path.open("rb"))]
            ]
            in_turn = drawn[0] + [page for round_ in zip_longest(*drawn[1:]) for page in round_ if page is not None]
            if len(in_turn) != pages:
                raise NotDrawable(name=", ".join(self._names))
            writer = FaxTiffWriter(stack.enter_context(whole.open("w+b")))
            for file, page in in_turn:
                writer.copy(file, page)
        return whole

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of the files as they were given."""
        return tuple(kind for _, kind in sorted(self._kinds.items()))

    def _learn_kinds(self, answer: workshop.Answer) -> None:
        kinds = answer.get("kinds")
        known = list(Kind)
        if not isinstance(kinds, list) or len(kinds) != len(self._files) or not all(kind in known for kind in kinds):
            raise NotDrawable(name=", ".join(self._names))
        for file, kind in zip(self._files, kinds, strict=True):
            # What a mail or an office document has become comes later.
            self._kinds.setdefault(file.number, Kind(kind))

    @property
    def _names(self) -> list[str]:
        return [file.name for file in self._files]

    def _ask(self, target: Path, **which: int) -> workshop.Answer:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TooHeavy(name=", ".join(self._names))
        with target.open("w+b") as out:
            return workshop.ask(
                "convert",
                *which.values(),
                self._look.resolution,
                self._look.mode,
                files=[file.path for file in self._files],
                names=self._names,
                timeout=left,
                outputs=[out],
            )

    def _understood(self, answer: workshop.Answer) -> int:
        pages, inked = answer.get("pages"), answer.get("inked")
        if type(pages) is not int or not isinstance(inked, list):
            raise NotDrawable(name=", ".join(self._names))
        self._inked.update(index for index in inked if type(index) is int)
        return pages

    def _unready(self, answer: workshop.Answer) -> dict[int, Unready]:
        try:
            return {int(index): Unready.of(said) for index, said in dict(answer["unready"]).items()}  # type: ignore[call-overload]
        except (ValueError, TypeError, KeyError) as fault:
            raise NotDrawable(name=", ".join(self._names)) from fault


def _looked_at(draft: Path, names: Sequence[str], look: Look, kinds: tuple[Kind, ...]) -> FaxImage:
    """What the worker made, by our own reader: its word is not taken for what goes to the line."""
    pages = whole_pages(draft)
    form = (FAX_WIDTH, (FAX_DPI[0], look.resolution.lines))
    if not 0 < len(pages) <= MAX_PAGES or not all(
        embeddable(page) and (page.width, page.dpi) == form for page in pages
    ):
        raise NotDrawable(name=", ".join(names))
    return FaxImage(len(pages), tuple(page.bytes for page in pages), draft.stat().st_size, kinds)
