"""The line at the top of each page on a real call: on the far end's paper, and counted on when a fax goes on."""

from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest

from dialplan import network_phone
from netfax.documents.headline import ROWS
from tests.e2e.helpers import ALICE, NUMBERS
from tests.pages import draw_page, read_pages, save_tiff
from tests.system import System, running_system

pytestmark = pytest.mark.xdist_group("headline")

# Its far end drops the first call in the middle of page 2.
DROPS_ONCE = "7721007"


@pytest.fixture(scope="module")
def own_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    params = {"page_header": "on", "retry_interval": "10", "retry_count": "3"}
    with running_system(tmp_path_factory.mktemp("headline"), params=params) as system:
        yield system


def test_every_page_has_its_line_and_a_fax_that_goes_on_counts_on(own_system: System, tmp_path: Path) -> None:
    system = own_system
    sent = save_tiff(tmp_path / "a.tif", [draw_page("page 1"), draw_page("page 2", dense=60), draw_page("page 3")])
    (uuid,) = system.send(ALICE, DROPS_ONCE, sent)
    row = system.ended(ALICE, uuid)
    assert (row["state"], row["pages_confirmed"]) == ("sent", 3)
    first, second = network_phone.received(system.settings, DROPS_ONCE, NUMBERS[ALICE])
    theirs = [read_pages(first.tiff)[0], *read_pages(second.tiff)]
    ours = read_pages(sent)
    assert [page.shape for page in theirs] == [page.shape for page in ours]
    for drawn, received in zip(ours, theirs, strict=True):
        assert numpy.array_equal(received[ROWS:], drawn[ROWS:])
        assert received[:ROWS].any() and not drawn[:ROWS].any()
    # The numbers at the right: 1/3, 2/3 and 3/3, though pages 2 and 3 came in a call of their own.
    numbers = [page[:ROWS, -110:].tobytes() for page in theirs]
    assert len(set(numbers)) == 3


def test_switched_off_the_pages_go_as_they_were_drawn(own_system: System, tmp_path: Path) -> None:
    system = own_system
    system.set_params({"page_header": "off"})
    sent = save_tiff(tmp_path / "b.tif", [draw_page("plain")])
    (uuid,) = system.send(ALICE, "7721001", sent)
    assert system.ended(ALICE, uuid)["state"] == "sent"
    (fax,) = network_phone.received(system.settings, "7721001", NUMBERS[ALICE])
    assert numpy.array_equal(read_pages(fax.tiff)[0], read_pages(sent)[0])
