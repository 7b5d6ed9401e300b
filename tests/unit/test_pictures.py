"""Pictures of pages: drawn in runs, however many ask at once, and kept within bounds."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netfax.documents.errors import DamagedDocument, PageMissing
from webapp import pictures as pictures_module
from webapp.pictures import RUNS, SCREEN, THUMBNAIL, Pictures, Sheet

PAGES = 45
Draw = Callable[..., list[bytes | None]]


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The first page and the number of pages of each start; page 13 can't be decoded."""
    seen: list[tuple[int, int]] = []
    busy = threading.Lock()

    def draw(_path: Path, first: int, turns: Sequence[int], *, width: int) -> list[bytes | None]:
        assert busy.acquire(timeout=5)
        seen.append((first, len(turns)))
        threading.Event().wait(0.02)
        busy.release()
        pages = zip(range(first, PAGES + 1), turns, strict=False)
        return [None if page == 13 else f"{page} {width} {turn}".encode() for page, turn in pages]

    monkeypatch.setattr(pictures_module, "page_pngs", draw)
    return seen


def sheet(page: int, width: int = THUMBNAIL, turn: int = 0, sha256: str = "a" * 64) -> Sheet:
    return Sheet(Path("fax.tif"), sha256, page, width, turn)


def test_thumbnails_that_a_browser_asks_for_at_once_are_drawn_by_one_start(starts: list[tuple[int, int]]) -> None:
    pictures = Pictures()
    with ThreadPoolExecutor(6) as browser:
        got = list(browser.map(lambda page: pictures.png(sheet(page)), range(1, 11)))
    assert got == [f"{page} {THUMBNAIL} 0".encode() for page in range(1, 11)]
    assert starts == [(1, RUNS[THUMBNAIL])]


def test_a_long_fax_is_drawn_where_it_is_looked_at(starts: list[tuple[int, int]]) -> None:
    pictures = Pictures()
    assert pictures.png(sheet(45)) == b"45 160 0"
    assert starts == [(41, RUNS[THUMBNAIL])]
    assert pictures.png(sheet(30, SCREEN)) == b"30 1100 0"
    assert starts[1:] == [(30, 1)]


def test_another_turn_width_or_fax_is_another_picture(starts: list[tuple[int, int]]) -> None:
    pictures = Pictures()
    different = [sheet(1), sheet(1, SCREEN), sheet(1, turn=90), sheet(1, sha256="b" * 64)]
    assert [pictures.png(each) for each in different] == [b"1 160 0", b"1 1100 0", b"1 160 90", b"1 160 0"]
    assert len(starts) == len({each.name for each in different}) == 4


def test_each_page_of_a_run_is_turned_upright_and_then_as_the_reader_has_it(starts: list[tuple[int, int]]) -> None:
    pictures = Pictures()
    fed_wrongly = [Sheet(Path("fax.tif"), "a" * 64, page, THUMBNAIL, 90, (180, 0, 270)) for page in (1, 2, 3, 4)]
    assert [pictures.png(each) for each in fed_wrongly] == [b"1 160 270", b"2 160 90", b"3 160 0", b"4 160 90"]
    assert len(starts) == 1


def test_a_page_that_cannot_be_decoded_spoils_no_other(starts: list[tuple[int, int]]) -> None:
    pictures = Pictures()
    with pytest.raises(DamagedDocument):
        pictures.png(sheet(13))
    assert pictures.png(sheet(14)) == b"14 160 0"
    assert len(starts) == 1


def test_a_page_behind_the_last_is_named(starts: list[tuple[int, int]]) -> None:
    with pytest.raises(PageMissing, match="it has 45"):
        Pictures().png(sheet(46))


def test_what_was_not_looked_at_for_long_goes_first(starts: list[tuple[int, int]]) -> None:
    pictures = Pictures(most_bytes=3 * len(b"1 1100 0"))
    for page in (1, 2, 3, 1, 4, 1):
        pictures.png(sheet(page, SCREEN))
    assert [first for first, _ in starts] == [1, 2, 3, 4]
    pictures.png(sheet(2, SCREEN))
    assert len(starts) == 5
