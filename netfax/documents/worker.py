"""The program in the sandbox: opens what came from outside, answers one JSON line.

`python -m netfax.documents.worker inspect | unpack FD… | convert FD FIRST STEP MOST RESOLUTION MODE |
png FD FIRST WIDTH TURN… | recode FD | standard FD FIRST`, the files in `/in/0`, `/in/1`… and what is made written to
the open files FD. The answer is `{"done": …}` or `{"refused": code, "file": index}`. `wait SOCKET` gets all that later,
files and open files by the socket: a worker that has started already.
"""

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image

from netfax.documents import containers, hypertext, letter, pdfdraw, picture, prose
from netfax.documents.detect import kind_of
from netfax.documents.errors import DamagedDocument, EmptyFile, EncryptedDocument, Refusal, TooHeavy, TooManyPages
from netfax.documents.fit import Placement
from netfax.documents.g4 import decode
from netfax.documents.kinds import OFFICE, PICTURES, Kind
from netfax.documents.limits import MAX_PAGES
from netfax.documents.look import Look, Mode, Resolution
from netfax.documents.manner import WHITE
from netfax.documents.paper import fineness, paper_of
from netfax.documents.textcode import decode as decode_text
from netfax.documents.tiff import BrokenTiff, TiffPage, walk
from netfax.documents.tiffwrite import FAX_DPI, FAX_WIDTH, FaxTiffWriter

if TYPE_CHECKING:
    from netfax.documents.bits import Bits

# What a fax page needs at most when it is looked at smaller: half the bytes of 256.
SIXTEEN_GREYS = bytes(level * 17 for level in range(16) for _ in "rgb")
Answer = dict[str, object]
# What comes by the socket of a worker that waits.
MOST_WORDS, MOST_FILES = 65_536, 128


@dataclass
class Job:
    """The files to work on, and which of them it is just now, for the answer when it is refused."""

    files: Sequence[BinaryIO]
    file: int = 0


def main(argv: list[str]) -> int:
    """Do one verb and print the answer; a refusal is an answer too."""
    verb, *arguments = argv
    if verb == "wait":
        verb, arguments, files = _wait_for_job(int(arguments[0]))
    else:
        files = _laid_out()
    job = Job(files)
    try:
        answer: Answer = {"done": VERBS[verb](job, *arguments)}
    except Refusal as refusal:
        answer = {"refused": refusal.error.code, "file": job.file}
    except MemoryError:
        answer = {"refused": TooHeavy.code, "file": job.file}
    print(json.dumps(answer))
    return 0


def inspect(job: Job) -> Answer:
    """Kind of the one file, and its pages where they are known without another program; nothing is drawn."""
    file = Drawable.of(job.files[0])
    if file.unready is not None:
        return {"kind": file.kind, "pages": None}
    pages = _check_pages(job, [file])
    if file.kind is Kind.PDF:
        pdfdraw.check_pages(file.data)
    elif file.kind in PICTURES:
        picture.check_whole(file.data, file.kind)
    return {"kind": file.kind, "pages": pages}


def unpack(job: Job, *targets: str) -> Answer:
    """The parts of a mail, each to a file of its own; their names."""
    parts = letter.parts(job.files[0].read(), is_document=_is_document)
    if len(parts) > len(targets):
        raise Refusal(TooHeavy)
    for part, target in zip(parts, targets, strict=False):
        with _output(target) as out:
            out.write(part.data)
    return {"parts": [part.name for part in parts]}


def convert(job: Job, target: str, first: str, step: str, most: str, resolution: str, mode: str) -> Answer:
    """Pages `first`, `first + step`, … (0 is the first), at most so many, of all files in turn as one fax TIFF.

    Where a file must be made ready by another program first, nothing is drawn and the answer says which.
    """
    look = Look(Resolution(resolution), Mode(mode))
    files = [Drawable.of(file) for job.file, file in enumerate(job.files)]
    unready = {index: file.unready for index, file in enumerate(files) if file.unready is not None}
    if unready:
        return {"unready": unready, "kinds": [file.kind for file in files]}
    pages = _check_pages(job, files)
    wanted = set(range(pages)[int(first) :: int(step)][: int(most)])
    inked = set()
    with _output(target) as out:
        writer = FaxTiffWriter(out)
        before = 0
        for job.file, file in enumerate(files):
            ours = [page - before for page in sorted(wanted) if before <= page < before + file.pages]
            for drawn, place in file.drawn(ours, look):
                if drawn.inked:
                    inked.add(job.file)
                page = drawn.on_paper(FAX_WIDTH, place.page_rows, place.left)
                if look.resolution is Resolution.STANDARD:
                    page = page.halved()
                dpi = (FAX_DPI[0], look.resolution.lines)
                writer.add([page.coded()], width=FAX_WIDTH, rows=page.rows, dpi=dpi)
            before += file.pages
    return {"pages": pages, "inked": sorted(inked), "kinds": [file.kind for file in files]}


def png(job: Job, target: str, first: str, width: str, *turns: str) -> Answer:
    """Pages of a fax TIFF from `first` on, one for each turn, as grey PNGs one behind the other; the bytes of each.

    A page is so wide before it is turned, in its true proportion, then turned clockwise by so many degrees. One that
    can't be decoded has no bytes.
    """
    sizes = []
    with _output(target) as out:
        source = job.files[0]
        for page, turn in zip(_fax_pages(source)[int(first) - 1 :], turns, strict=False):
            before = out.tell()
            try:
                _shown(source, page, int(width)).rotate(-int(turn), expand=True).save(out, "PNG", bits=4)
            except Refusal:
                # The others are there all the same.
                out.truncate(before)
                out.seek(before)
            sizes.append(out.tell() - before)
    return {"sizes": sizes}


def _shown(source: BinaryIO, page: TiffPage, width: int) -> Image.Image:
    """A page in sixteen greys, so wide and in its true proportion."""
    paper = paper_of(page)
    height = max(1, round(width * paper.height / paper.width))
    # Where lines are added, as in standard resolution, letters get back their curves: steps are hard to read.
    how = Image.Resampling.BICUBIC if height > 1.5 * page.rows else Image.Resampling.BOX
    grey = _pixels(source, page).convert("L").resize((width, height), how)
    sixteen = grey.point([round(level * 15 / WHITE) for level in range(256)])
    sixteen.putpalette(SIXTEEN_GREYS)
    return sixteen


def recode(job: Job, target: str) -> Answer:
    """A fax TIFF of any coding as one of T.6 strips, one a page, with the same pixels."""
    from netfax.documents.bits import Bits

    with _output(target) as out:
        source = job.files[0]
        writer = FaxTiffWriter(out)
        for page in _fax_pages(source):
            pixels = Bits.of_image(_pixels(source, page))
            writer.add([pixels.coded()], width=page.width, rows=page.rows, dpi=fineness(page))
    return {}


def standard(job: Job, target: str, first: str) -> Answer:
    """The pages of a fax TIFF from `first` on in standard fineness; each halving takes one row of two."""
    from netfax.documents.bits import Bits

    with _output(target) as out:
        source = job.files[0]
        writer = FaxTiffWriter(out)
        for page in _fax_pages(source)[int(first) - 1 :]:
            across, down = page.dpi or FAX_DPI
            pixels = Bits.of_image(_pixels(source, page))
            while down > Resolution.STANDARD.lines:
                pixels, down = pixels.halved(), down / 2
            writer.add([pixels.coded()], width=pixels.width, rows=pixels.rows, dpi=(across, down))
    return {}


VERBS: dict[str, Callable[..., Answer]] = {
    "inspect": inspect,
    "unpack": unpack,
    "convert": convert,
    "png": png,
    "recode": recode,
    "standard": standard,
}


def _laid_out() -> list[BinaryIO]:
    """The files that were copied into the sandbox when it was made."""
    return [path.open("rb") for path in sorted(Path("/in").iterdir(), key=lambda path: int(path.name))]


def _wait_for_job(descriptor: int) -> tuple[str, list[str], list[BinaryIO]]:
    """The verb, its arguments and its files of the one job that comes by this socket."""
    pdfdraw.warm_up()
    with socket.socket(fileno=descriptor) as door:
        words, handed, _, _ = socket.recv_fds(door, MOST_WORDS, MOST_FILES)
    if not words:
        # Whoever kept us has gone.
        sys.exit(0)
    asked = json.loads(words)
    files, outputs = handed[: asked["files"]], handed[asked["files"] :]
    return asked["verb"], [*map(str, outputs), *asked["arguments"]], [os.fdopen(file, "rb") for file in files]


@contextmanager
def _output(descriptor: str) -> Iterator[BinaryIO]:
    with os.fdopen(int(descriptor), "w+b") as out:
        yield out


@dataclass
class Drawable:
    """A file that is looked at and waits to be drawn; the data of what is written in letters are those of its PDF."""

    kind: Kind
    data: bytes
    pages: int = 0

    @classmethod
    def of(cls, file: BinaryIO) -> "Drawable":
        data = file.read()
        kind = kind_of(data)
        if kind is Kind.TEXT:
            data = prose.to_pdf(_sheets(data))
        elif kind is Kind.HTML:
            data = hypertext.to_pdf(data)
        return cls(kind, data)

    @property
    def unready(self) -> Answer | None:
        """What another program has to know of it, when it is one of those that are not drawn as they are."""
        if self.kind in OFFICE:
            shut = self.kind is Kind.XLS and containers.is_shut_book(self.data)
            return {"kind": self.kind, "macros": containers.has_macros(self.data, self.kind), "shut": shut}
        return {"kind": self.kind, "macros": False, "shut": False} if self.kind is Kind.MAIL else None

    def count(self) -> int:
        """Its pages, none of which is drawn."""
        in_pictures = self.kind in PICTURES
        pages = picture.count_pages(self.data, self.kind) if in_pictures else pdfdraw.count_pages(self.data)
        if pages == 0:
            raise Refusal(DamagedDocument)
        return pages

    def drawn(self, pages: Sequence[int], look: Look) -> Iterator[tuple["Bits", Placement]]:
        """These of its pages (0 is the first) in black and white."""
        if not pages:
            return iter(())
        if self.kind in PICTURES:
            return picture.draw_pages(self.data, self.kind, pages, look)
        return pdfdraw.draw_pages(self.data, pages, look)


def _check_pages(job: Job, files: Sequence[Drawable]) -> int:
    """Count the pages of all files before the first is drawn."""
    pages = 0
    for job.file, file in enumerate(files):
        file.pages = file.count()
        pages += file.pages
        if pages > MAX_PAGES:
            raise Refusal(TooManyPages)
    return pages


def _is_document(data: bytes) -> bool:
    """Whether an attachment can be faxed; one that a password shuts counts, so that its sender hears of it by name."""
    try:
        kind_of(data)
    except Refusal as refusal:
        return refusal.error is EncryptedDocument
    return True


def _sheets(data: bytes) -> list[list[str]]:
    sheets = prose.pages(decode_text(data) or "")
    if not any(map(any, sheets)):
        raise Refusal(EmptyFile)
    return sheets


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


def _pixels(source: BinaryIO, page: TiffPage) -> Image.Image:
    try:
        return decode(source, page)
    except picture.DECODER_FAULTS as fault:
        raise Refusal(DamagedDocument) from fault


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # What is left is thrown away with the process; tidying up takes longer than drawing a page.
    os._exit(status)
