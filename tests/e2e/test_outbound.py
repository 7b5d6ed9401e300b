"""Faxes that go out to the simulated telephone network, by a real Asterisk."""

import threading
from pathlib import Path

import pytest

from tests.e2e.helpers import ALICE, BOB, assert_arrived, call_ended, call_in, far_end_received
from tests.pages import assert_same_pages, make_tiff
from tests.system import System


def test_a_page_goes_out_by_t38_and_arrives_pixel_for_pixel(system: System, tmp_path: Path) -> None:
    (uuid,) = system.send(ALICE, "7721001", make_tiff(tmp_path / "a.tif", "by T.38"))
    row = system.ended(ALICE, uuid)
    assert (row["state"], row["pages_confirmed"], row["mode"], row["rate"]) == ("sent", 1, "T38", 14400)
    assert row["station_id"] == "7721001"
    fax = assert_arrived(system, ALICE, row, "7721001", tmp_path)
    # R3.9: the far end sees the sender's own number, by call and by station id.
    assert (fax.caller, fax.station) == ("7804001", b"867367804001")


def test_a_far_end_that_refuses_t38_gets_the_page_by_g711(system: System, tmp_path: Path) -> None:
    (uuid,) = system.send(ALICE, "7721002", make_tiff(tmp_path / "a.tif", "by G.711"))
    row = system.ended(ALICE, uuid)
    assert (row["state"], row["mode"]) == ("sent", "audio")
    assert_arrived(system, ALICE, row, "7721002", tmp_path)


def test_three_pages_arrive_in_order_over_a_trunk_without_t38(system: System, tmp_path: Path) -> None:
    """The second trunk carries what its longer prefix names."""
    system.cli(
        *("trunk", "add", "--kind", "sip", "--name", "plain", "--host", "127.0.0.3", "--no-t38"),
        *("--port", system.settings.port("network_sip_g711"), "--prefix", "867367721011", "--channels", "2"),
    )
    (uuid,) = system.send(ALICE, "0736-7721011", make_tiff(tmp_path / "a.tif", "three", pages=3))
    row = system.ended(ALICE, uuid)
    assert (row["state"], row["pages_confirmed"], row["mode"]) == ("sent", 3, "audio")
    assert_arrived(system, ALICE, row, "7721011", tmp_path)


def test_three_pages_arrive_by_t38(system: System, tmp_path: Path) -> None:
    (uuid,) = system.send(BOB, "+86 736 7721012", make_tiff(tmp_path / "a.tif", "three", pages=3))
    row = system.ended(BOB, uuid)
    assert (row["state"], row["pages_confirmed"], row["mode"]) == ("sent", 3, "T38")
    assert_arrived(system, BOB, row, "7721012", tmp_path)


@pytest.mark.parametrize(("number", "rate"), [("7721004", 14400), ("7721005", 4800)])
def test_old_machines_get_the_page_without_ecm_and_at_their_own_rate(
    system: System, tmp_path: Path, number: str, rate: int
) -> None:
    (uuid,) = system.send(ALICE, number, make_tiff(tmp_path / "a.tif", "old"))
    row = system.ended(ALICE, uuid)
    assert (row["state"], row["rate"]) == ("sent", rate)
    assert_arrived(system, ALICE, row, number, tmp_path)


def test_text_with_chinese_and_a_picture_go_out_as_one_fax(system: System, tmp_path: Path) -> None:
    letter = tmp_path / "信.txt"
    letter.write_text("尊敬的客户：\n\n网络传真 NetFax\n", encoding="gb18030")
    (uuid,) = system.send(ALICE, "7721013", letter, make_tiff(tmp_path / "b.tif", "appendix"))
    row = system.ended(ALICE, uuid)
    assert (row["state"], row["pages_confirmed"]) == ("sent", 2)
    assert_arrived(system, ALICE, row, "7721013", tmp_path)


def test_an_extension_is_dialled_after_the_switchboard_answers(system: System, tmp_path: Path) -> None:
    # R3.1
    (uuid,) = system.send(ALICE, "64802994E801", make_tiff(tmp_path / "a.tif", "extension"))
    row = system.ended(ALICE, uuid)
    assert (row["state"], row["to"]) == ("sent", "64802994E801")
    assert_arrived(system, ALICE, row, "64802994", tmp_path)


def test_two_users_send_and_receive_at_once(system: System, tmp_path: Path) -> None:
    ours = {user: make_tiff(tmp_path / f"{user}.tif", f"from {user}") for user in (ALICE, BOB)}
    theirs = {user: make_tiff(tmp_path / f"to-{user}.tif", f"to {user}") for user in (ALICE, BOB)}
    deliveries = {ALICE: system.send(ALICE, "7721014", ours[ALICE])[0], BOB: system.send(BOB, "7721015", ours[BOB])[0]}
    callers = {ALICE: "07367721091", BOB: "07367721092"}
    calls = [
        call_in(system, theirs[ALICE], "07367804001", callers[ALICE]),
        call_in(system, theirs[BOB], "7804002", callers[BOB]),
    ]
    for user, called in ((ALICE, "7721014"), (BOB, "7721015")):
        row = system.ended(user, deliveries[user])
        assert row["state"] == "sent"
        assert_arrived(system, user, row, called, tmp_path)
    assert [call_ended(system, call).status for call in calls] == ["SUCCESS", "SUCCESS"]
    for user in (ALICE, BOB):
        row = system.inbox_from(user, f"86{callers[user][1:]}")
        saved = tmp_path / f"in-{user}.tif"
        system.cli("save", row["uuid"], "--user", user, "--out", saved)
        assert_same_pages(theirs[user], saved)


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        ("7722017", "busy"),
        ("7722018", "no_answer"),
        ("7722001", "unallocated"),
        ("7722020", "no_fax"),
        ("7722021", "no_fax"),
        ("7722022", "dropped"),
        ("64802994", "no_fax"),
    ],
)
def test_a_call_that_reaches_no_fax_ends_with_its_cause(
    system: System, tmp_path: Path, number: str, cause: str
) -> None:
    (uuid,) = system.send(BOB, number, make_tiff(tmp_path / "a.tif", number))
    row = system.ended(BOB, uuid)
    assert (row["state"], row["cause"], row["pages_confirmed"], row["attempts"]) == ("failed", cause, 0, 1)


def test_a_hang_up_in_the_middle_of_page_two_leaves_a_partial_fax(system: System, tmp_path: Path) -> None:
    (uuid,) = system.send(ALICE, "7721006", make_tiff(tmp_path / "a.tif", "dropped", pages=3, dense=120))
    row = system.ended(ALICE, uuid)
    assert (row["state"], row["cause"], row["pages_confirmed"], row["pages"]) == ("partial", "dropped", 1, 3)
    assert far_end_received(system, "7721006", ALICE).pages == 1


def test_many_numbers_are_one_submission_and_each_has_its_own_result(system: System, tmp_path: Path) -> None:
    # R3.8
    uuids = system.send(BOB, "7721016，07367721017;7722001", make_tiff(tmp_path / "a.tif", "many"))
    states: dict[str, str] = {}
    threads = [
        threading.Thread(target=lambda uuid=uuid: states.update({uuid: system.ended(BOB, uuid)["state"]}))
        for uuid in uuids
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [states[uuid] for uuid in uuids] == ["sent", "sent", "failed"]


def test_a_fax_on_the_line_shows_its_page_and_rate_and_can_be_cancelled(system: System, tmp_path: Path) -> None:
    (uuid,) = system.send(BOB, "7721018", make_tiff(tmp_path / "a.tif", "cancel", pages=2, dense=600))
    row = system.reaches(BOB, uuid, "sending")
    for _ in range(40):
        row = system.delivery(BOB, uuid) or row
        if "page 1" in row["progress"]:
            break
    assert row["progress"] == "page 1 of 2, 14400 bit/s, T.38"
    system.cli("cancel", row["uuid"], "--user", BOB)
    row = system.ended(BOB, uuid)
    assert (row["state"], row["attempts"]) == ("cancelled", 1)
    again = system.cli("cancel", row["uuid"], "--user", BOB, check=False)
    assert (again.returncode, again.stderr) == (2, "This fax has ended already: Cancelled.\n")
