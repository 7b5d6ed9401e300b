"""The program in the sandbox: opens what came from outside, answers one JSON line.

`python -m netfax.documents.worker inspect | convert FD | png FD PAGE WIDTH | recode FD | standard FD FIRST`, the files
in `/in/0`, `/in/1`… and what is made written to the open file FD. The answer is `{"done": …}` or
`{"refused": code, "file": index}`.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from netfax.documents import pdfdraw, picture, prose
from netfax.documents.draw import WHITE
from netfax.documents.errors import DamagedDocument, EmptyFile, Refusal, TooHeavy, TooManyPages, UnknownKind
from netfax.documents.fit import Placement
from netfax.documents.g4 import decode, encode
from netfax.documents.kinds import Kind, kind_of
from netfax.documents.limits import MAX_PAGES
from netfax.documents.textcode import decode as decode_text
from netfax.documents.tiff import BrokenTiff, TiffPage, walk
from netfax.documents.tiffwrite import FAX_DPI, FAX_WIDTH, FaxTiffWriter

# What a fax page needs at most when it is looked at smaller: half the bytes of 256.
SIXTEEN_GREYS = bytes(level * 17 for level in range(16) for _ in "rgb")
PICTURES = (Kind.TIFF, Kind.PNG, Kind.JPEG)
Answer = dict[str, object]


@dataclass
class Progress:
    """Which of the files is being worked on, for the answer when it is refused."""

    file: int = 0


def main(argv: list[str]) -> int:
    """Do one verb and print the answer; a refusal is an answer too."""
    verb, *arguments = argv
    progress = Progress()
    try:
        answer: Answer = {"done": VERBS[verb](progress, *arguments)}
    except Refusal as refusal:
        answer = {"refused": refusal.error.code, "file": progress.file}
    except MemoryError:
        answer = {"refused": TooHeavy.code, "file": progress.file}
    print(json.dumps(answer))
    return 0


def inspect(progress: Progress) -> Answer:
    """Kind and pages of the one file; nothing is drawn."""
    data = Path("/in/0").read_bytes()
    kind = _kind(data)
    pages = _count(kind, data)
    if pages > MAX_PAGES:
        raise Refusal(TooManyPages)
    if kind in PICTURES:
        picture.check_whole(data, kind)
    return {"kind": kind, "pages": pages}


def convert(progress: Progress, target: str) -> Answer:
    """All files, one after the other, as one fax TIFF."""
    _check_pages(progress)
    with _output(target) as out:
        writer = FaxTiffWriter(out)
        for progress.file, path in enumerate(_inputs()):
            for drawn, place in _drawn(path.read_bytes()):
                strip = encode(_on_paper(drawn, place))
                writer.add([strip], width=FAX_WIDTH, rows=place.page_rows)
    return {}


def png(progress: Progress, target: str, number: str, width: str) -> Answer:
    """One page of a fax TIFF as a grey PNG of this width, in its true proportion."""
    with Path("/in/0").open("rb") as source, _output(target) as out:
        page = _fax_pages(source)[int(number) - 1]
        across, down = page.dpi or FAX_DPI
        height = max(1, round(int(width) * (page.rows / down) / (page.width / across)))
        grey = _pixels(source, page).convert("L").resize((int(width), height), Image.Resampling.BOX)
        sixteen = grey.point([round(level * 15 / WHITE) for level in range(256)])
        sixteen.putpalette(SIXTEEN_GREYS)
        sixteen.save(out, "PNG", bits=4)
    return {}


def recode(progress: Progress, target: str) -> Answer:
    """A fax TIFF of any coding as one of T.6 strips, one a page, with the same pixels."""
    with Path("/in/0").open("rb") as source, _output(target) as out:
        writer = FaxTiffWriter(out)
        for page in _fax_pages(source):
            pixels = _pixels(source, page)
            writer.add([encode(pixels)], width=page.width, rows=page.rows, dpi=page.dpi or FAX_DPI)
    return {}


def standard(progress: Progress, target: str, first: str) -> Answer:
    """The pages of a fax TIFF from `first` on with half of their lines."""
    with Path("/in/0").open("rb") as source, _output(target) as out:
        writer = FaxTiffWriter(out)
        for page in _fax_pages(source)[int(first) - 1 :]:
            across, down = page.dpi or FAX_DPI
            half = _halved(_pixels(source, page))
            writer.add([encode(half)], width=half.width, rows=half.height, dpi=(across, down / 2))
    return {}


VERBS: dict[str, Callable[..., Answer]] = {
    "inspect": inspect,
    "convert": convert,
    "png": png,
    "recode": recode,
    "standard": standard,
}


def _inputs() -> list[Path]:
    return sorted(Path("/in").iterdir(), key=lambda path: int(path.name))


@contextmanager
def _output(descriptor: str) -> Iterator[BinaryIO]:
    with os.fdopen(int(descriptor), "w+b") as out:
        yield out


def _kind(data: bytes) -> Kind:
    if not data.strip():
        raise Refusal(EmptyFile)
    kind = kind_of(data)
    if kind is None:
        raise Refusal(UnknownKind)
    return kind


def _count(kind: Kind, data: bytes) -> int:
    if kind is Kind.PDF:
        pages = pdfdraw.count_pages(data)
    elif kind is Kind.TEXT:
        pages = len(_sheets(data))
    else:
        pages = picture.count_pages(data, kind)
    if pages == 0:
        raise Refusal(DamagedDocument)
    return pages


def _check_pages(progress: Progress) -> None:
    """Count the pages of all files before the first is drawn."""
    pages = 0
    for progress.file, path in enumerate(_inputs()):
        data = path.read_bytes()
        pages += _count(_kind(data), data)
        if pages > MAX_PAGES:
            raise Refusal(TooManyPages)


def _drawn(data: bytes) -> Iterator[tuple[Image.Image, Placement]]:
    """The pages of one file in black and white."""
    kind = _kind(data)
    if kind is Kind.PDF:
        return pdfdraw.draw_pages(data)
    if kind is Kind.TEXT:
        return pdfdraw.draw_pages(prose.to_pdf(_sheets(data)))
    return picture.draw_pages(data, kind)


def _sheets(data: bytes) -> list[list[str]]:
    sheets = prose.pages(decode_text(data) or "")
    if not any(map(any, sheets)):
        raise Refusal(EmptyFile)
    return sheets


def _on_paper(drawn: Image.Image, place: Placement) -> Image.Image:
    if drawn.size == (FAX_WIDTH, place.page_rows):
        return drawn
    paper = Image.new("1", (FAX_WIDTH, place.page_rows), WHITE)
    paper.paste(drawn, (place.left, 0))
    return paper


def _fax_pages(source: BinaryIO) -> list[TiffPage]:
    """The whole pages of a fax TIFF, their sizes checked; a broken tail is left out."""
    pages: list[TiffPage] = []
    try:
        for page in walk(source):
            picture.check_size(page.width, page.rows)
            if not (page.whole and page.bilevel):
                break
            pages.append(page)
    except BrokenTiff:
        # What comes behind the whole pages is what a fault left.
        return pages
    return pages


def _halved(page: Image.Image) -> Image.Image:
    """One row of two, black where either is black; the last of an odd number of rows stays as it is."""
    # The mean of two pixels is full white only where both are.
    return page.convert("L").reduce((1, 2)).point([0] * WHITE + [WHITE], picture.BILEVEL)


def _pixels(source: BinaryIO, page: TiffPage) -> Image.Image:
    try:
        return decode(source, page)
    except picture.DECODER_FAULTS as fault:
        raise Refusal(DamagedDocument) from fault


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
