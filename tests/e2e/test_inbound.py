"""Faxes that the simulated telephone network sends us."""

from pathlib import Path

import pytest

from tests.e2e.helpers import ALICE, BOB, call_ended, call_in, is_receiving, pages_here
from tests.pages import assert_same_pages, make_tiff, read_pages
from tests.system import System, eventually


@pytest.mark.parametrize(("t38", "caller"), [(True, "07367721003"), (False, "02082313524")])
def test_a_fax_comes_in_pixel_for_pixel(system: System, tmp_path: Path, t38: bool, caller: str) -> None:
    # R4.1
    sent = make_tiff(tmp_path / "a.tif", f"in by {t38}", pages=2)
    done = call_ended(system, call_in(system, sent, "7804002", caller, t38=t38))
    assert (done.status, done.pages, done.mode) == ("SUCCESS", 2, "T38" if t38 else "audio")
    row = system.inbox_from(BOB, f"86{caller[1:]}")
    assert (row["state"], row["pages"], row["station_id"]) == ("received", 2, "+86 736 7721003")
    assert (row["mode"], row["called"]) == ("T38" if t38 else "audio", "867367804002")
    saved = tmp_path / "saved.tif"
    system.cli("save", row["uuid"], "--user", BOB, "--out", saved)
    assert_same_pages(sent, saved)
    pdf = tmp_path / "saved.pdf"
    system.cli("save", row["uuid"], "--user", BOB, "--out", pdf)
    assert pdf.read_bytes().startswith(b"%PDF-")


def test_a_number_of_ours_that_nobody_owns_goes_to_the_operator(system: System, tmp_path: Path) -> None:
    done = call_ended(system, call_in(system, make_tiff(tmp_path / "a.tif", "operator"), "7804055", "07367721021"))
    assert done.status == "SUCCESS"
    assert system.inbox_from(ALICE, "867367721021")["called"] == "867367804055"


@pytest.mark.parametrize("number", ["7999999", "02012345678"])
def test_a_number_that_is_not_ours_is_refused_before_the_answer(system: System, tmp_path: Path, number: str) -> None:
    done = call_ended(system, call_in(system, make_tiff(tmp_path / "a.tif", "not ours"), number, "07367721022"))
    assert (done.answered, done.cause) == (False, 1)


def test_a_station_id_of_markup_and_line_breaks_is_kept_as_harmless_text(system: System, tmp_path: Path) -> None:
    hostile = b"<svg onload=a()>\r\nX:1"
    done = call_ended(
        system,
        call_in(system, make_tiff(tmp_path / "a.tif", "hostile"), "7804002", "07367721023", station_id=hostile[:20]),
    )
    assert done.status == "SUCCESS"
    row = system.inbox_from(BOB, "867367721023")
    assert row["state"] == "received"
    assert row["station_id"].startswith("<svg onload=a()>")
    assert row["station_id"].isprintable()


def test_a_caller_who_hangs_up_at_once_leaves_no_port_claimed_and_no_fax(system: System, tmp_path: Path) -> None:
    before = len(system.json("inbox", "--user", BOB))
    call_id = call_in(system, make_tiff(tmp_path / "a.tif", "gone", pages=2, dense=400), "7804002", "07367721024")
    eventually(lambda: is_receiving(system, "867367721024"), 60, "the call has not come")
    _hang_up(system, call_id)
    eventually(lambda: not is_receiving(system, "867367721024"), 60, "the reception has not ended")
    assert not [row for row in system.json("inbox", "--user", BOB) if row["caller"] == "867367721024"]
    assert len(system.json("inbox", "--user", BOB)) >= before


def test_pages_before_a_hang_up_are_kept_as_a_partial_fax(system: System, tmp_path: Path) -> None:
    sent = make_tiff(tmp_path / "a.tif", "partial", pages=3, dense=150)
    call_id = call_in(system, sent, "7804002", "07367721025")
    eventually(lambda: pages_here(system, "867367721025"), 150, "page 2 has not begun")
    _hang_up(system, call_id)
    row = system.inbox_from(BOB, "867367721025")
    assert (row["state"], row["pages"]) == ("partially_received", 1)
    saved = tmp_path / "saved.tif"
    system.cli("save", row["uuid"], "--user", BOB, "--out", saved)
    assert (read_pages(saved)[0] == read_pages(sent)[0]).all()


def _hang_up(system: System, call_id: str) -> None:
    from dialplan.network_phone import hang_up

    hang_up(system.settings, call_id)
