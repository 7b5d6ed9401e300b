"""The worker that has started already: it draws what a new one would draw, once, and its death is no fault."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from netfax.documents import workshop
from netfax.documents.convert import to_fax_tiff
from netfax.documents.errors import DamagedDocument, TooHeavy
from netfax.documents.tiff import whole_pages
from tests.fixtures.documents.build import pdf, put
from tests.system import eventually


@pytest.fixture(autouse=True)
def none_is_left() -> Iterator[None]:
    yield
    while (spare := workshop._spares.take()) is not None:
        spare._running.kill()


def workers() -> set[int]:
    """Sandboxes that this process has begun and that are there."""
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


def test_it_draws_what_a_new_one_draws_and_then_it_is_gone(tmp_path: Path) -> None:
    source = put(tmp_path, "a.pdf", pdf(2))
    source.chmod(0o600)
    to_fax_tiff([source], tmp_path / "new.tif")
    workshop.keep_spares(1)
    (spare,) = workers()
    to_fax_tiff([source], tmp_path / "spare.tif")
    assert spare not in workers()
    assert (tmp_path / "spare.tif").read_bytes() == (tmp_path / "new.tif").read_bytes()
    to_fax_tiff([source], tmp_path / "again.tif")
    assert (tmp_path / "again.tif").read_bytes() == (tmp_path / "new.tif").read_bytes()


def test_there_are_never_more_than_were_asked_for() -> None:
    workshop.keep_spares(2)
    before = workers()
    workshop.keep_spares(2)
    assert workers() == before and len(before) == 2


def test_it_names_what_it_can_not_draw(tmp_path: Path) -> None:
    workshop.keep_spares(1)
    with pytest.raises(DamagedDocument, match="broken"):
        to_fax_tiff([put(tmp_path, "a", b"%PDF-1.4 and no end")], tmp_path / "fax.tif", names=["broken.pdf"])


@pytest.mark.parametrize("spares", [1, 3])
def test_a_long_fax_takes_as_many_as_there_are(tmp_path: Path, spares: int) -> None:
    workshop.keep_spares(spares)
    to_fax_tiff([put(tmp_path, "a.pdf", pdf(20))], tmp_path / "fax.tif", hands=2)
    assert len(whole_pages(tmp_path / "fax.tif")) == 20
    assert not workers()


def test_one_that_was_killed_while_it_waited_is_replaced_by_a_new_one(tmp_path: Path) -> None:
    workshop.keep_spares(1)
    (spare,) = workers()
    os.kill(spare, signal.SIGKILL)
    eventually(lambda: psutil.Process(spare).status() == psutil.STATUS_ZOMBIE, 10, "it lives", every=0.01)
    to_fax_tiff([put(tmp_path, "a.pdf", pdf(1))], tmp_path / "fax.tif")
    assert len(whole_pages(tmp_path / "fax.tif")) == 1


def test_one_that_is_killed_while_it_draws_is_replaced_and_no_page_is_missing(tmp_path: Path) -> None:
    source = put(tmp_path, "a.pdf", pdf(60, content="0.5 g 0 0 600 800 re f"))
    to_fax_tiff([source], tmp_path / "undisturbed.tif", hands=1)
    with ThreadPoolExecutor(1) as drawing:
        drawn = drawing.submit(to_fax_tiff, [source], tmp_path / "fax.tif", hands=1)
        eventually(workers, 10, "nothing is drawn", every=0.01)
        for worker in workers():
            os.kill(worker, signal.SIGKILL)
        assert drawn.result(60).pages == 60
    assert (tmp_path / "fax.tif").read_bytes() == (tmp_path / "undisturbed.tif").read_bytes()


def test_spares_that_are_killed_with_it_are_no_second_death(tmp_path: Path) -> None:
    workshop.keep_spares(3)
    with ThreadPoolExecutor(1) as drawing:
        source = put(tmp_path, "a.pdf", pdf(6, content="0.5 g 0 0 600 800 re f"))
        before = workers()
        drawn = drawing.submit(to_fax_tiff, [source], tmp_path / "fax.tif")
        for spare in sorted(before, reverse=True):
            os.kill(spare, signal.SIGKILL)
            time.sleep(0.02)
        assert drawn.result(60).pages == 6


def test_one_that_is_killed_again_and_again_is_a_document_that_is_too_heavy(tmp_path: Path) -> None:
    source = put(tmp_path, "a.pdf", pdf(60, content="0.5 g 0 0 600 800 re f"))
    with ThreadPoolExecutor(1) as drawing:
        drawn = drawing.submit(to_fax_tiff, [source], tmp_path / "fax.tif", hands=1)
        while not drawn.done():
            for worker in workers():
                os.kill(worker, signal.SIGKILL)
            time.sleep(0.01)
        with pytest.raises(TooHeavy):
            drawn.result()
    assert not (tmp_path / "fax.tif").exists()
