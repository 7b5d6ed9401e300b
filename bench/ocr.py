"""How well pages can be read: by Tesseract, line by line, against the text that their PDF has.

Line by line, because of a whole page it is Tesseract's idea of its columns that decides: a table's are read or lost.
"""

import os
import subprocess
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdfium2
from PIL import Image, ImageFilter

ONE_LINE = "7"
# One thread a process, one process a core.
READERS = 2
# As near as an eye goes, which takes the dots of a shade together, and from further off (pixels).
NEAR, FAR = 1.0, 2.0
# How a line is looked at until it is read: with what languages, from where. One reader's whims are more than a point.
LOOKS = {
    "eng": (("eng", NEAR), ("eng", FAR)),
    "chi_sim": (("chi_sim", NEAR), ("chi_sim+eng", NEAR), ("chi_sim", FAR)),
}
DPI = (204, 196)
POINTS_PER_INCH = 72
Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class Line:
    """A piece of a page as grey, upright, and what is written there."""

    picture: Image.Image
    text: str


@dataclass(frozen=True)
class Score:
    """Of so many characters, so many are wrong, missing or too many in what was read; no more than a line has."""

    characters: int = 0
    mistakes: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(self.characters + other.characters, self.mistakes + other.mistakes)

    @property
    def accuracy(self) -> float:
        """In per cent."""
        return 100 * (1 - self.mistakes / self.characters)


def lines(drawn: Iterable[Image.Image], written: Path, *, tilt: float, upright: Image.Transpose) -> list[Line]:
    """The lines (of tables, the cells) of drawn pages, where the PDF has its text.

    A page that is wider than long lies on its side in the drawing, and `upright` makes it stand; `tilt` is by how many
    degrees a page hangs to the left.
    """
    found: list[Line] = []
    with pypdfium2.PdfDocument(written) as document:
        for number, page in enumerate(drawn):
            straight = page.convert("L").rotate(-tilt, Image.Resampling.BICUBIC, fillcolor=255)
            found += _lines(straight, document[number], upright)
    return found


def _lines(drawn: Image.Image, page: pypdfium2.PdfPage, upright: Image.Transpose) -> Iterator[Line]:
    width, length = page.get_size()
    across, down = (dpi / POINTS_PER_INCH for dpi in DPI)
    if width > length:
        drawn, across, down = drawn.transpose(upright), down, across
    # Whatever is smaller than the paper lies in its middle.
    left_edge, top_edge = (drawn.width - width * across) / 2, (drawn.height - length * down) / 2
    text = page.get_textpage()
    for left, bottom, right, top in _rectangles(text):
        said = _plain(text.get_text_bounded(left, bottom, right, top))
        # The dots of lists are no text.
        if not any(map(str.isalnum, said)):
            continue
        margin = max(3.0, 0.15 * (top - bottom) * down)
        corner = (left_edge + left * across - 2 * margin, top_edge + (length - top) * down - margin)
        opposite = (left_edge + right * across + 2 * margin, top_edge + (length - bottom) * down + margin)
        x, y, beyond_x, beyond_y = (round(each) for each in (*corner, *opposite))
        yield Line(drawn.crop((x, y, beyond_x, beyond_y)), said)


def _rectangles(text: pypdfium2.PdfTextPage) -> list[Rectangle]:
    """Left, bottom, right and top of each line, put together from runs of one font."""
    found: list[Rectangle] = []
    for index in range(text.count_rects()):
        left, bottom, right, top = text.get_rect(index)
        if found:
            before_left, before_bottom, before_right, before_top = found[-1]
            shared = min(top, before_top) - max(bottom, before_bottom)
            tall = max(top - bottom, before_top - before_bottom)
            same = shared > 0.3 * min(top - bottom, before_top - before_bottom)
            if same and -0.5 * tall < left - before_right < 0.8 * tall:
                left, right = min(left, before_left), max(right, before_right)
                found[-1] = (left, min(bottom, before_bottom), right, max(top, before_top))
                continue
        found.append((left, bottom, right, top))
    return found


def scores(readings: Sequence[tuple[Sequence[Line], str]]) -> list[Score]:
    """Read documents, each its lines and its language, as many at a time as there are readers."""
    with ThreadPoolExecutor(READERS) as threads:
        return list(threads.map(_score, *zip(*readings, strict=True)))


def _score(written: Sequence[Line], language: str) -> Score:
    mistakes = [len(line.text) for line in written]
    for languages, blur in LOOKS[language]:
        unread = [index for index, count in enumerate(mistakes) if count]
        found = _mistakes([written[index] for index in unread], languages, blur)
        for index, count in zip(unread, found, strict=True):
            mistakes[index] = min(mistakes[index], count)
    return Score(sum(len(line.text) for line in written), sum(mistakes))


def _mistakes(written: Sequence[Line], languages: str, blur: float) -> list[int]:
    """By how many characters each line is misread."""
    if not written:
        return []
    first, *others = [line.picture.filter(ImageFilter.GaussianBlur(blur)) for line in written]
    with tempfile.NamedTemporaryFile(suffix=".tif") as file:
        # The pictures remember that they come from a Group 4 file.
        first.save(file, "TIFF", compression="raw", save_all=True, append_images=others)
        file.flush()
        done = subprocess.run(
            ["tesseract", file.name, "stdout", "-l", languages, "--psm", ONE_LINE, "--dpi", str(DPI[0])],
            capture_output=True,
            check=True,
            env=os.environ | {"OMP_THREAD_LIMIT": "1"},
        )
    read = done.stdout.decode().split("\f")
    return [distance(line.text, _plain(found)) for line, found in zip(written, read, strict=True)]


def _plain(text: str) -> str:
    """Without blanks; a full-width comma is a comma."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def distance(one: str, other: str) -> int:
    """Levenshtein's: how many characters to put in, take out or replace."""
    letters = np.array(list(other), dtype="U1")
    steps = np.arange(len(other) + 1)
    row = steps
    for letter in one:
        best = np.concatenate(([row[0] + 1], np.minimum(row[1:] + 1, row[:-1] + (letters != letter))))
        # What is put in, from left to right: each place is at most one more than the place before it.
        row = np.minimum.accumulate(best - steps) + steps
    return int(row[-1])
