"""kill -9 of each process while five faxes are at five moments of their life: one call each, with the right result.

Three systems at a time, each for several tests one after the other.
"""

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from dialplan import network_phone
from netfax.db import now
from netfax.faxes.models import Attempt, Delivery, Document, Reception
from netfax.faxes.states import DeliveryState, ReceptionState
from tests.e2e.helpers import ALICE, BOB, NUMBERS, call_ended, call_in, started_calls
from tests.fixtures.documents.build import pdf
from tests.pages import assert_same_pages, draw_page, make_tiff, save_tiff
from tests.system import System, eventually, running_system

# How soon after the kill everything must be right again.
RECOVERY_SECONDS = 60
A_FAX_SECONDS = 30
# A light page by T.38 ends some 23 s after the answer.
NEAR_ITS_END_SECONDS = 14
# Rows of noise for some 25 s on the line, from 14 s after the answer.
LONG_PAGE = 100

NEAR_END, MID_PAGE, RINGING, JUST_SENT = "7721001", "7721011", "7721010", "7721012"


@dataclass(frozen=True)
class OutFax:
    """A fax of alice: its delivery's public id, its number and its pages."""

    uuid: str
    number: str
    tiff: Path


@pytest.fixture(scope="module")
def own_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One a worker: the tests of a group share it, after a kill as well."""
    with running_system(tmp_path_factory.mktemp("kills"), params={"retry_count": "0"}) as system:
        yield system


@pytest.mark.parametrize(
    ("process", "caller"),
    [
        pytest.param(process, f"0736772109{number}", marks=pytest.mark.xdist_group(f"kills-{number % 3}"))
        for number, process in enumerate(["agi", "bridge", "dispatcher", "redis", "portal", "worker-outbound"])
    ],
)
def test_a_killed_process_costs_no_fax_and_makes_no_second_call(
    own_system: System, tmp_path: Path, process: str, caller: str
) -> None:
    system = own_system
    calls_before = set(started_calls(system))
    heard_before = {number: _heard(system, number) for number in (NEAR_END, MID_PAGE, RINGING, JUST_SENT)}
    long_page = save_tiff(tmp_path / "long.tif", [draw_page(f"{process} long", dense=LONG_PAGE)])
    light = make_tiff(tmp_path / "light.tif", f"{process} light")
    comes_in = save_tiff(tmp_path / "in.tif", [draw_page(f"to bob, {process}", dense=LONG_PAGE)])
    faxes = _plan(system, long_page, MID_PAGE) + _plan(system, light, NEAR_END, RINGING, JUST_SENT)
    mid_page, near_end, ringing, just_sent = faxes
    system.begin(mid_page.uuid, near_end.uuid, ringing.uuid)
    inbound = call_in(system, comes_in, NUMBERS[BOB], caller)
    answered_at = eventually(lambda: _attempt(system, near_end).answered_at, 30, "no answer")
    time.sleep(max(0.0, NEAR_ITS_END_SECONDS - (now() - answered_at).total_seconds()))
    system.begin(just_sent.uuid)
    _attempt(system, just_sent)
    assert _attempt(system, ringing).answered_at is None
    assert _attempt(system, near_end).ended_at is None and _attempt(system, mid_page).ended_at is None

    system.kill(process, signal.SIGKILL)
    # Of those that were not dialled yet, the fax itself comes after the recovery.
    deadline = time.monotonic() + RECOVERY_SECONDS + A_FAX_SECONDS

    for fax in faxes:
        delivery = _ended(system, fax, deadline)
        assert (delivery.state, delivery.pages_confirmed, delivery.tries) == (DeliveryState.SENT, 1, 1)
        (attempt,) = system.attempts(fax.uuid)
        assert started_calls(system).count(attempt.id) == 1
        (heard,) = _heard(system, fax.number)[len(heard_before[fax.number]) :]
        assert_same_pages(fax.tiff, heard)
    assert len(set(started_calls(system)) - calls_before) == len(faxes)
    assert call_ended(system, inbound).status == "SUCCESS"
    _assert_came_in(system, f"86{caller[1:]}", comes_in, deadline, tmp_path)


@pytest.mark.xdist_group("kills-1")
def test_a_worker_killed_while_it_draws_pages_leaves_them_to_the_next(own_system: System, tmp_path: Path) -> None:
    system, pages = own_system, 120
    document = tmp_path / "long.pdf"
    # Shades, which take their time: pages of lines would be drawn before anybody looks.
    document.write_bytes(pdf(pages, content="0.5 g 0 0 595 842 re f"))
    # To a number of ours, which needs no call.
    (uuid,) = system.send(ALICE, NUMBERS[BOB], document)
    eventually(lambda: _drawn_bytes(system) > 0, 60, "nothing is being drawn", every=0.05)
    assert system.read(select(Document).join(Document.submission).join(Delivery).where(Delivery.uuid == uuid)) == []
    system.kill("worker-outbound", signal.SIGKILL)
    delivery = _ended(system, OutFax(uuid, NUMBERS[BOB], document), time.monotonic() + RECOVERY_SECONDS)
    assert (delivery.state, delivery.pages_confirmed) == (DeliveryState.SENT, pages)


def _drawn_bytes(system: System) -> int:
    """How much of a fax image a worker has drawn at this moment."""
    return sum(path.stat().st_size for path in (system.home / "tmp").glob("*/.fax-*/fax.tif"))


def _plan(system: System, tiff: Path, *numbers: str) -> list[OutFax]:
    uuids = system.plan(ALICE, ",".join(numbers), tiff)
    return [OutFax(uuid, number, tiff) for uuid, number in zip(uuids, numbers, strict=True)]


def _attempt(system: System, fax: OutFax) -> Attempt:
    (attempt,) = eventually(lambda: system.attempts(fax.uuid), 30, f"{fax.number} is not to be called")
    return attempt


def _ended(system: System, fax: OutFax, deadline: float) -> Delivery:
    """The delivery when it has ended, asked of the database alone."""
    query = select(Delivery).where(Delivery.uuid == fax.uuid, Delivery.ended_at.is_not(None))
    left = deadline - time.monotonic()
    return eventually(lambda: system.read(query), left, f"{fax.number} has not ended")[0]


def _heard(system: System, number: str) -> list[Path]:
    """The pages of every call from alice that a subscriber has received, oldest first."""
    return [fax.tiff for fax in network_phone.received(system.settings, number, NUMBERS[ALICE])]


def _assert_came_in(system: System, caller: str, sent: Path, deadline: float, folder: Path) -> None:
    """Bob has one fax of this caller, pixel for pixel."""
    query = select(Reception).where(Reception.caller == caller, Reception.ended_at.is_not(None))
    left = deadline - time.monotonic()
    (reception,) = eventually(lambda: system.read(query), left, f"the fax of {caller} has not come")
    assert (reception.state, reception.pages) == (ReceptionState.RECEIVED, 1)
    row = system.inbox_from(BOB, caller, seconds=5)
    saved = folder / "saved.tif"
    system.cli("save", row["uuid"], "--user", BOB, "--out", saved)
    assert_same_pages(sent, saved)
