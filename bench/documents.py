"""Table 4: what drawing a document costs on the line and here, and how much of it can still be seen."""

import ctypes
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import psutil
from PIL import Image, ImageFilter

from bench import corpus, ocr
from bench.corpus import Document
from netfax.documents.convert import to_fax_tiff
from netfax.documents.tiff import whole_pages
from netfax.documents.workshop import keep_spares

# The pixels of ours. One strip a page: Ghostscript's usual ones begin anew every 37 rows, which no line would see.
GHOSTSCRIPT = ("gs", "-q", "-dNOPAUSE", "-dBATCH", "-dSAFER", "-r204x196", "-g1728x2292", "-dPDFFitPage")
FAX = ("-sDEVICE=tiffg4", "-dMaxStripSize=0")
# The page as it was meant: grey, its edges smooth.
GREY = ("-sDEVICE=tiffgray", "-dTextAlphaBits=4", "-dGraphicsAlphaBits=4")
# What makes a page stand that was wider than long and lies on its side.
THEIRS_UPRIGHT, OURS_UPRIGHT = Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_90
# Our A4 lies so many pixels left of where theirs does.
LEFT_OF_MIDDLE = 4
# Pixels that an eye takes together when it looks at a photograph.
BLUR = 8
# Brighter is bare paper, which has no tone.
PAPER = 250
TIMES = 9
# What B2 asks for.
MOST_BYTES = {"mixed": 0.75, "text": 0.95}
MOST_POINTS_LOWER, MOST_POINTS_LOWER_IN_ONE = 0.5, 3.0
MOST_TIMES_ERROR, HARMLESS_ERROR, MOST_ERROR_OF_ONE = 1.1, 8.0, 12.0
MOST_TIME_ONE_PAGE = 0.25
MOST_TIME_ONE_CORE, MOST_TIME_TWO_CORES = 1.0, 0.6
MOST_MEMORY_MB = 300.0
# A sandbox's outer process doesn't wait for its inner ones, whose usage would be nobody's; as their reaper we wait.
PR_SET_CHILD_SUBREAPER = 36
# In a process of its own that is small: what it holds before its child is another program counts as the child's.
CONVERT_AND_WEIGH = f"""
import ctypes, os, resource, sys
from pathlib import Path
from netfax.documents.convert import to_fax_tiff
ctypes.CDLL(None).prctl({PR_SET_CHILD_SUBREAPER}, 1, 0, 0, 0)
to_fax_tiff([Path(sys.argv[1])], Path(sys.argv[2]))
try:
    while True:
        os.wait()
except ChildProcessError:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


class Part(Protocol):
    @property
    def holds(self) -> bool: ...

    def text(self) -> str: ...


@dataclass(frozen=True)
class Drawn:
    """A document as either has drawn it, and the bytes of its pages."""

    document: Document
    theirs: Path
    ours: Path
    their_bytes: Sequence[int]
    our_bytes: Sequence[int]


@dataclass(frozen=True)
class BytesTable:
    drawn: Sequence[Drawn]

    def ratio(self, group: str) -> float:
        """Of all bytes, which are time on the line: a page-wide photograph counts as much as ten letters."""
        members = [each for each in self.drawn if each.document.group == group]
        return sum(sum(each.our_bytes) for each in members) / sum(sum(each.their_bytes) for each in members)

    @property
    def holds(self) -> bool:
        return all(self.ratio(group) <= limit for group, limit in MOST_BYTES.items())

    def text(self) -> str:
        rows = []
        for each in sorted(self.drawn, key=lambda drawn: drawn.document.group):
            theirs, ours = sum(each.their_bytes), sum(each.our_bytes)
            rows.append(f"{each.document.name} | {len(each.our_bytes)} | {theirs:,} | {ours:,} | {ours / theirs:.2f}")
        sums = (f"{group} **{self.ratio(group):.3f} ×** (limit {limit:g})" for group, limit in MOST_BYTES.items())
        return "\n".join(
            [
                "### Bytes on the line",
                "",
                *_rows(("", "pages", "Ghostscript", "NetFax", "ratio"), rows),
                "",
                f"All bytes: {'; '.join(sums)}.",
            ]
        )


@dataclass(frozen=True)
class Read:
    """What could be read of a document as either has drawn it."""

    document: Document
    theirs: ocr.Score
    ours: ocr.Score

    @property
    def lower(self) -> float:
        return self.theirs.accuracy - self.ours.accuracy


@dataclass(frozen=True)
class ReadingTable:
    read: Sequence[Read]

    def sums(self) -> Iterator[tuple[str, float, float]]:
        """Ghostscript's accuracy and ours, by group and language: letters don't make up for scans."""
        for group in MOST_BYTES:
            for language in corpus.LANGUAGES:
                members = [
                    each for each in self.read if (each.document.group, each.document.language) == (group, language)
                ]
                theirs = sum((each.theirs for each in members), ocr.Score())
                ours = sum((each.ours for each in members), ocr.Score())
                yield f"{group}, {language}", theirs.accuracy, ours.accuracy

    @property
    def holds(self) -> bool:
        enough = all(ours >= theirs - MOST_POINTS_LOWER for _, theirs, ours in self.sums())
        return enough and self.worst.lower <= MOST_POINTS_LOWER_IN_ONE

    @property
    def worst(self) -> Read:
        """The document that we draw worst beside Ghostscript: scans, which it spoils, don't make up for slides."""
        return max(self.read, key=lambda read: read.lower)

    def text(self) -> str:
        rows = [
            f"{each.document.name} | {each.theirs.characters:,} | {each.theirs.accuracy:.2f} | {each.ours.accuracy:.2f}"
            for each in self.read
        ]
        sums = [f"all {name} | | {theirs:.2f} | **{ours:.2f}**" for name, theirs, ours in self.sums()]
        return "\n".join(
            [
                "### Characters read rightly, in per cent",
                "",
                *_rows(("", "of", "Ghostscript", "NetFax"), rows + sums),
                "",
                f"Limit: {MOST_POINTS_LOWER:g} lower than Ghostscript, each of the last four; furthest behind is"
                f" {self.worst.document.name}, **{self.worst.lower:.1f}** lower (limit {MOST_POINTS_LOWER_IN_ONE:g}).",
            ]
        )


@dataclass(frozen=True)
class Errors:
    """Of a document's greys: how wrong they are, and how much of that no other brightness and contrast mends."""

    tone: float
    detail: float


@dataclass(frozen=True)
class ToneTable:
    """Pairs of Ghostscript's errors and ours by document."""

    errors: Mapping[str, tuple[Errors, Errors]]

    def sums(self) -> Iterator[tuple[str, float, float, float]]:
        """Ghostscript's mean error and ours, and the limit."""
        pairs = self.errors.values()
        for name, theirs, ours in (
            ("tone", statistics.mean(gs.tone for gs, _ in pairs), statistics.mean(us.tone for _, us in pairs)),
            ("detail", statistics.mean(gs.detail for gs, _ in pairs), statistics.mean(us.detail for _, us in pairs)),
        ):
            yield name, theirs, ours, max(HARMLESS_ERROR, MOST_TIMES_ERROR * theirs)

    @property
    def holds(self) -> bool:
        return all(ours <= limit for _, _, ours, limit in self.sums()) and self.worst <= MOST_ERROR_OF_ONE

    @property
    def worst(self) -> float:
        """The detail that our worst document has lost: others don't make up for a photograph that is gone."""
        return max(ours.detail for _, ours in self.errors.values())

    def text(self) -> str:
        rows = [
            f"{name} | {theirs.tone:.1f} | {ours.tone:.1f} | {theirs.detail:.1f} | {ours.detail:.1f}"
            for name, (theirs, ours) in self.errors.items()
        ]
        means = (
            f"{name} {theirs:.1f} and **{ours:.1f}** (limit {limit:.1f})" for name, theirs, ours, limit in self.sums()
        )
        return "\n".join(
            [
                f"### Errors of photographs and shades, in grey levels of 255, blurred by {BLUR} pixels",
                "",
                *_rows(("", "tone, Ghostscript", "NetFax", "detail, Ghostscript", "NetFax"), rows),
                "",
                f"Means: {'; '.join(means)}; our worst detail **{self.worst:.1f}** (limit {MOST_ERROR_OF_ONE:g}).",
                "Detail is what is wrong at the best brightness and contrast.",
            ]
        )


@dataclass(frozen=True)
class Took:
    """Seconds: by the clock, and of the processors."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class OnePage:
    """Medians in seconds: of Ghostscript, of NetFax with a worker ready as the jobs' process has one, and without."""

    theirs: float
    ours: float
    unready: float


@dataclass(frozen=True)
class SpeedTable:
    """By name, the letters; of the long PDF, Ghostscript's times and ours."""

    letters: Mapping[str, OnePage]
    one_core: tuple[Took, Took]
    all_cores: tuple[Took, Took]

    def figures(self) -> Iterator[tuple[str, float, float, float]]:
        """What was drawn, both times in seconds, and the limit of their ratio."""
        for name, took in self.letters.items():
            yield f"{name}, median of {TIMES}", took.theirs, took.ours, MOST_TIME_ONE_PAGE
        theirs_alone, ours_alone = self.one_core
        yield f"{corpus.LONG_PAGES} pages, one core", theirs_alone.wall, ours_alone.wall, MOST_TIME_ONE_CORE
        yield f"{corpus.LONG_PAGES} pages, one core, CPU", theirs_alone.cpu, ours_alone.cpu, MOST_TIME_ONE_CORE
        theirs_all, ours_all = self.all_cores
        cores = f"{len(os.sched_getaffinity(0))} cores"
        yield f"{corpus.LONG_PAGES} pages, {cores}", theirs_all.wall, ours_all.wall, MOST_TIME_TWO_CORES

    @property
    def holds(self) -> bool:
        return all(ours <= limit * theirs for _, theirs, ours, limit in self.figures())

    def text(self) -> str:
        rows = [
            f"{what} | {theirs:.3f} s | {ours:.3f} s | **{ours / theirs:.2f} ×** | {limit:g}"
            for what, theirs, ours, limit in self.figures()
        ]
        unready = (f"{name} {took.unready:.3f} s" for name, took in self.letters.items())
        return "\n".join(
            [
                "### Time",
                "",
                *_rows(("", "Ghostscript", "NetFax", "ratio", "limit"), rows),
                "",
                f"Without a worker ready: {', '.join(unready)}.",
            ]
        )


@dataclass(frozen=True)
class Peak:
    """Megabytes that drawing holds at most: its largest process, and all together (PSS, as samples show it)."""

    largest: float
    together: float


@dataclass(frozen=True)
class MemoryTable:
    peaks: Mapping[str, Peak]

    @property
    def holds(self) -> bool:
        return all(max(peak.largest, peak.together) <= MOST_MEMORY_MB for peak in self.peaks.values())

    def text(self) -> str:
        rows = [f"{name} | {peak.largest:.0f} MB | {peak.together:.0f} MB" for name, peak in self.peaks.items()]
        table = _rows(("", "largest process", "all together"), rows)
        return "\n".join(["### Memory", "", *table, "", f"Limit: {MOST_MEMORY_MB:g} MB, in either column."])


@dataclass(frozen=True)
class DocumentsTable:
    parts: Sequence[Part]

    @property
    def holds(self) -> bool:
        return all(part.holds for part in self.parts)

    def text(self) -> str:
        return "\n\n".join(["## 4. Documents", *(part.text() for part in self.parts)])


def _rows(head: Sequence[str], rows: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {row} |" for row in rows)]


def measure(folder: Path) -> DocumentsTable:
    """Both draw the same; nothing else runs beside what is timed."""
    documents, long = corpus.make(folder / "documents")
    heavy = {f"{corpus.LONG_PAGES} pages of PDF": long} | corpus.make_heavy(folder / "heavy")
    letters = {each.name: each.path for each in documents if each.name.startswith("letter serif")}
    speed = _speed(letters, long, folder)
    memory = MemoryTable({name: _peak(path, folder / "weighed.tif") for name, path in heavy.items()})
    drawn = [_drawn(document, folder) for document in documents]
    tone = ToneTable({each.document.name: _errors(each, folder) for each in drawn if each.document.tone})
    return DocumentsTable([BytesTable(drawn), _reading(drawn), tone, speed, memory])


def _ghostscript(source: Path, target: Path, device: Sequence[str] = FAX) -> None:
    subprocess.run([*GHOSTSCRIPT, *device, f"-sOutputFile={target}", str(source)], check=True)


def _netfax(source: Path, target: Path) -> None:
    to_fax_tiff([source], target)


def _drawn(document: Document, folder: Path) -> Drawn:
    both = []
    for whose, draw in (("theirs", _ghostscript), ("ours", _netfax)):
        target = folder / f"{document.path.stem}.{whose}.tif"
        draw(document.path, target)
        both.append((target, [page.bytes for page in whole_pages(target)]))
    (theirs, their_bytes), (ours, our_bytes) = both
    if len(their_bytes) != len(our_bytes):
        raise RuntimeError(f"{document.name}: {len(their_bytes)} pages of Ghostscript's, {len(our_bytes)} of ours")
    return Drawn(document, theirs, ours, their_bytes, our_bytes)


def _pages(path: Path) -> Iterator[Image.Image]:
    with Image.open(path) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            yield image.convert("L")


def _reading(drawn: Sequence[Drawn]) -> ReadingTable:
    readable = [(each, each.document.written) for each in drawn if each.document.written]
    scores = ocr.scores(
        [
            (ocr.lines(_pages(path), written, tilt=each.document.tilt, upright=upright), each.document.language)
            for each, written in readable
            for path, upright in ((each.theirs, THEIRS_UPRIGHT), (each.ours, OURS_UPRIGHT))
        ]
    )
    rows = zip(readable, scores[::2], scores[1::2], strict=True)
    return ReadingTable([Read(each.document, theirs, ours) for (each, _), theirs, ours in rows])


def _errors(drawn: Drawn, folder: Path) -> tuple[Errors, Errors]:
    """Ghostscript's and ours, over all pages of the document."""
    meant = folder / f"{drawn.document.path.stem}.grey.tif"
    _ghostscript(drawn.document.path, meant, GREY)
    greys = np.stack([[_blurred(page) for page in _pages(path)] for path in (meant, drawn.theirs, drawn.ours)])
    greys[2] = np.roll(greys[2], LEFT_OF_MIDDLE, axis=-1)
    truth, *both = greys[:, greys[0] < PAPER]
    errors = []
    for seen in both:
        mended = np.polynomial.Polynomial.fit(seen, truth, 1)(seen)
        errors.append(Errors(float(np.abs(seen - truth).mean()), float(np.abs(mended - truth).mean())))
    theirs, ours = errors
    return theirs, ours


def _blurred(page: Image.Image) -> np.ndarray:
    return np.asarray(page.filter(ImageFilter.GaussianBlur(BLUR)), dtype=float)


def _speed(letters: Mapping[str, Path], long: Path, folder: Path) -> SpeedTable:
    target = folder / "timed.tif"
    one_page = {name: _one_page(letter, target) for name, letter in letters.items()}
    with _one_core():
        one_core = _timed(_ghostscript, long, target), _timed_ready(long, target)
    all_cores = _timed(_ghostscript, long, target), _timed_ready(long, target)
    return SpeedTable(one_page, one_core, all_cores)


def _one_page(letter: Path, target: Path) -> OnePage:
    times = []
    for _ in range(TIMES):
        theirs, unready = _timed(_ghostscript, letter, target), _timed(_netfax, letter, target)
        times.append((theirs.wall, _timed_ready(letter, target, 1).wall, unready.wall))
    return OnePage(*map(statistics.median, zip(*times, strict=True)))


def _timed_ready(source: Path, target: Path, used: int | None = None) -> Took:
    """NetFax with as many workers ready as it will use, as the jobs' process has them."""
    keep_spares(used)
    _await_quiet()
    return _timed(_netfax, source, target)


def _await_quiet() -> None:
    """Wait until what this process has started does nothing: the worker is ready."""
    before = -1.0
    while before != (now := sum(sum(child.cpu_times()[:2]) for child in psutil.Process().children(recursive=True))):
        before = now
        time.sleep(0.2)


def _timed(draw: Callable[[Path, Path], None], source: Path, target: Path) -> Took:
    with _reaping():
        cpu, began = _cpu_seconds(), time.perf_counter()
        draw(source, target)
        wall = time.perf_counter() - began
    return Took(wall, _cpu_seconds() - cpu)


@contextmanager
def _reaping() -> Iterator[None]:
    """Wait at the end for all processes that were started meanwhile, and count their usage as our children's."""
    system = ctypes.CDLL(None)
    system.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        with suppress(ChildProcessError):
            while True:
                os.wait()
        system.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _cpu_seconds() -> float:
    """Of this process and of all that it has waited for."""
    usages = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@contextmanager
def _one_core() -> Iterator[None]:
    """This process and what it starts on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _peak(source: Path, target: Path) -> Peak:
    command = [sys.executable, "-c", CONVERT_AND_WEIGH, str(source), str(target)]
    together = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            together = max(together, _held_below(process.pid))
            time.sleep(0.01)
        said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{source.name} could not be drawn")
    return Peak(int(said) * 1024 / 1e6, together / 1e6)


def _held_below(pid: int) -> int:
    """Bytes of PSS of all processes below this one."""
    held = 0
    try:
        for child in psutil.Process(pid).children(recursive=True):
            held += child.memory_full_info().pss
    except psutil.NoSuchProcess:
        # It ended while it was looked at.
        return held
    return held
