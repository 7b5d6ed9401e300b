"""Tesseract in the documents' sandbox: which way up a page of a fax is, and what is written on it.

At idle priority: nothing that a caller or a sender waits for is slower by it.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netfax.documents import sandbox, workshop
from netfax.documents.limits import READER_MEMORY, READER_SECONDS
from netfax.documents.look import Resolution
from netfax.documents.preview import page_png
from netfax.documents.tiff import whole_pages
from netfax.documents.tiffwrite import FAX_DPI
from netfax.errors import UserError

PROGRAM = "tesseract"
LANGUAGES = "chi_sim+eng"
# As wide as the pages of the line: 204 dots an inch, down too.
WIDTH, DPI = 1728, 204
# Tesseract's own measures: below the first its word for the way up says nothing; of a word it is a part of a hundred.
SURE = 2.0
SURE_OF_A_WORD = 80.0
# A few words on a page that can be read are no accident.
LETTERS_ENOUGH = 12
GUESS = re.compile(rb"^Rotate: (\d+)$.*^Orientation confidence: ([\d.]+)$", re.MULTILINE | re.DOTALL)
# Of a page with hardly a letter.
TOO_FEW = b"Too few characters"
NO_DATA = (b"Error opening data file", b"Failed loading language")


class ReaderMissing(UserError):
    code = "reader_missing"
    en = (
        "Pages are neither turned upright nor read, because Tesseract or its data is not installed: run `make run` "
        "once, or install the Debian packages tesseract-ocr and tesseract-ocr-chi-sim."
    )
    zh = (
        "没有安装 Tesseract 或其语言数据，页面不能自动转正，也不能识别文字："
        "请运行一次 make run，或安装 Debian 软件包 tesseract-ocr 和 tesseract-ocr-chi-sim。"
    )


def check_reader() -> None:
    """Raise ReaderMissing when the program is not on this machine."""
    if shutil.which(PROGRAM, path=sandbox.SEARCH_PATH) is None:
        raise ReaderMissing()


def find_turn(path: Path, page: int) -> int | None:
    """By how many degrees clockwise a page (1 is the first) of a fax TIFF must be turned to be upright.

    None where there is too little on it to be sure. A page is turned only when it can be read then: Tesseract's guess
    takes drawings for letters, and in standard resolution the wrong side of a letter for the right one. Raises a
    DocumentError when the page can't be looked at, ReaderMissing, and DocumentsClosed.
    """
    guess = _guess(path, page)
    if guess is None:
        return None
    turn, sure = guess
    if turn == 0 and sure >= SURE and _is_fine(path, page):
        return 0
    return next((each for each in (turn, (turn + 180) % 360) if _reads_well(path, page, each)), None)


def _guess(path: Path, page: int) -> tuple[int, float] | None:
    """By how many degrees Tesseract would turn the page, and how sure it is; None where there is too little on it."""
    with _picture(path, page, turn=0) as picture, workshop.named_faults([path.name]):
        try:
            said = _run(picture, "--psm", "0", "-l", "osd")
        except sandbox.ProgramFailed as failure:
            if TOO_FEW in failure.stderr:
                return None
            raise
    found = GUESS.search(said)
    return (int(found[1]), float(found[2])) if found else None


def _is_fine(path: Path, page: int) -> bool:
    _, down = whole_pages(path)[page - 1].dpi or FAX_DPI
    return down > Resolution.STANDARD.lines * 1.5


def _reads_well(path: Path, page: int, turn: int) -> bool:
    """Whether most of what is read on the page, turned so, are words of which Tesseract is sure."""
    with _picture(path, page, turn=turn) as picture, workshop.named_faults([path.name]):
        words = [
            line.split("\t")[-2:] for line in _run(picture, "--psm", "6", "-l", LANGUAGES, "tsv").decode().splitlines()
        ]
    letters = [(float(sure), sum(map(str.isalnum, word))) for sure, word in words[1:]]
    good = sum(count for sure, count in letters if sure >= SURE_OF_A_WORD)
    return good >= LETTERS_ENOUGH and good * 2 >= sum(count for _, count in letters)


def read_text(path: Path, page: int, *, turn: int) -> str:
    """What is written on a page that is turned clockwise by so many degrees; raises as `find_turn` does."""
    with _picture(path, page, turn=turn) as picture, workshop.named_faults([path.name]):
        return _run(picture, "--psm", "3", "-l", LANGUAGES).decode(errors="replace")


@contextmanager
def _picture(path: Path, page: int, *, turn: int) -> Iterator[Path]:
    """The page as a PNG of WIDTH pixels, in its true proportion."""
    check_reader()
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(page_png(path, page, width=WIDTH, turn=turn, idle=True))
        file.flush()
        yield Path(file.name)


def _run(picture: Path, *options: str) -> bytes:
    """What Tesseract says of a picture; raises the sandbox's errors, and ReaderMissing without its data."""
    try:
        done = sandbox.run(
            [PROGRAM, sandbox.inside(0), "stdout", *options, "--dpi", str(DPI)],
            timeout=READER_SECONDS,
            memory=READER_MEMORY,
            inputs=[picture],
            environment={"OMP_THREAD_LIMIT": "1"},
            idle=True,
        )
    except sandbox.ProgramFailed as failure:
        if any(each in failure.stderr for each in NO_DATA):
            raise ReaderMissing() from failure
        raise
    return done.stdout
