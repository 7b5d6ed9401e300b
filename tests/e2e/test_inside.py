"""Faxes to numbers of ours (R3.7), on a system whose only trunk is dead: no call, no port, at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from netfax.faxes.models import Delivery, MailboxItem, Reception
from netfax.faxes.results import Cause
from netfax.lines.models import Port
from tests.e2e.helpers import ALICE, BOB, NUMBERS, started_calls
from tests.pages import assert_same_pages, make_tiff, read_pages
from tests.system import System, eventually, running_system

pytestmark = pytest.mark.xdist_group("inside")

# From the acceptance of a fax to its place in the inbox: the drawing of its pages is most of it, on a busy machine.
AT_ONCE_SECONDS = 60
SPELLINGS_OF_BOB = ("7804002", "0736 780-4002", "+86 736 7804002", "００８６７３６７８０４００２")


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Its one trunk leads to a host that is not there."""
    with running_system(tmp_path_factory.mktemp("inside"), params={"retry_count": "0"}) as system:
        for name in ("pstn", "pstn-g711"):
            system.cli("trunk", "remove", name)
        system.cli(*("trunk", "add", "--kind", "sip", "--name", "dead", "--host", "127.0.0.4", "--port", "9"))
        yield system


def test_a_fax_to_a_colleague_in_any_spelling_is_in_his_inbox_at_once(cut_off: System, tmp_path: Path) -> None:
    for position, number in enumerate(SPELLINGS_OF_BOB):
        sent = make_tiff(tmp_path / "a.tif", f"inside, spelling {position}", pages=2)
        (uuid,) = cut_off.send(ALICE, number, sent)
        delivery = _sent_at_once(cut_off, uuid)
        assert (delivery.cause, delivery.pages_confirmed, delivery.tries) == (Cause.OK, 2, 0)
        _assert_handed_over(cut_off, uuid, BOB, sent, tmp_path)


def test_a_fax_to_a_number_of_ours_that_nobody_owns_is_the_operators(cut_off: System, tmp_path: Path) -> None:
    sent = make_tiff(tmp_path / "a.tif", "to nobody")
    (uuid,) = cut_off.send(BOB, "7804077", sent)
    _sent_at_once(cut_off, uuid)
    _assert_handed_over(cut_off, uuid, ALICE, sent, tmp_path)


def test_a_planned_fax_to_a_colleague_can_be_held_released_and_cancelled(cut_off: System, tmp_path: Path) -> None:
    sent = make_tiff(tmp_path / "a.tif", "planned")
    held, cancelled = (uuid for _ in range(2) for uuid in cut_off.plan(ALICE, NUMBERS[BOB], sent))
    cut_off.cli("hold", held, "--user", ALICE)
    cut_off.cli("cancel", cancelled, "--user", ALICE)
    assert [_delivery(cut_off, uuid).state for uuid in (held, cancelled)] == ["held", "cancelled"]
    assert _in_a_box(cut_off, held) + _in_a_box(cut_off, cancelled) == []
    cut_off.cli("now", held, "--user", ALICE)
    _sent_at_once(cut_off, held)
    _assert_handed_over(cut_off, held, BOB, sent, tmp_path)
    # What is in his inbox can't be taken back.
    assert cut_off.cli("cancel", held, "--user", ALICE, check=False).returncode == 2
    assert _in_a_box(cut_off, cancelled) == []


def _delivery(system: System, uuid: str) -> Delivery:
    (delivery,) = system.read(select(Delivery).where(Delivery.uuid == uuid))
    return delivery


def _sent_at_once(system: System, uuid: str) -> Delivery:
    eventually(lambda: _delivery(system, uuid).ended_at, AT_ONCE_SECONDS, "it has not been handed over")
    assert _delivery(system, uuid).state == "sent"
    return _delivery(system, uuid)


def _assert_handed_over(system: System, uuid: str, recipient: str, sent: Path, folder: Path) -> None:
    """The recipient has it once, pixel for pixel, and no call was made for it."""
    (item,) = _in_a_box(system, uuid)
    row = next(row for row in system.json("inbox", "--user", recipient) if row["uuid"] == item.uuid)
    assert (row["state"], row["pages"]) == ("received", len(read_pages(sent)))
    saved = folder / "saved.tif"
    system.cli("save", item.uuid, "--user", recipient, "--out", saved)
    assert_same_pages(sent, saved)
    assert system.attempts(uuid) == []
    assert system.read(select(Port).where(Port.claimed_at.is_not(None))) == []
    assert started_calls(system) == []


def _in_a_box(system: System, uuid: str) -> list[MailboxItem]:
    """What a delivery has put into inboxes."""
    handed_over = select(Reception.id).join(Reception.delivery).where(Delivery.uuid == uuid)
    return system.read(select(MailboxItem).where(MailboxItem.reception_id.in_(handed_over)))
