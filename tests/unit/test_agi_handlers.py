"""What the AGI service does with a call, on real files in the gateway's folder; said twice it is done once."""

import base64
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import structlog
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError, OperationalError

from agi import sweep as sweep_module
from agi.inbound import on_inbound_done, on_inbound_start
from agi.outcome import on_outcome, record_outcome
from agi.session import AgiSession
from agi.sweep import BROKEN_SECONDS, ORPHANED_SECONDS, Orphans, keep_sweeping, sweep_journals
from agi.told import record_kept
from netfax import telephony
from netfax.alarms import PAGES_LOST, open_alarms
from netfax.db import reading, unit_of_work
from netfax.documents.tiffwrite import FaxTiffWriter
from netfax.faxes import listing
from netfax.faxes.dial import claim_attempts
from netfax.faxes.journal import BrokenJournal, in_path, out_path
from netfax.faxes.models import Direction, Reception
from netfax.faxes.recording import record_inbound, spool_file
from netfax.faxes.results import Cause
from netfax.faxes.states import DeliveryState, ReceptionState
from netfax.lines.models import Port
from netfax.org.numbers import system_operator
from netfax.settings import settings
from netfax.storage.service import path_of
from tests.conftest import forget_process_state
from tests.factories import World, delivery_of, dispatch_now, make_delivery, make_world, only_attempt

# What differs between the databases is tested in the flow of a fax.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

RECEPTION = "6b1f6f3e-0000-4000-8000-000000000001"
BOBS = "07367804002"
NO_IDS = [
    "",
    "1",
    "../../etc/passwd",
    RECEPTION.upper(),
    RECEPTION + "\n",
    RECEPTION[:-1],
    RECEPTION + "0",
    "g" * 32,
    "C0FFEE00" * 4,
    "c0ffee00" * 4 + "/..",
    "\0" * 32,
    "％" * 36,
]
OUT_ENDED = {
    "status": "SUCCESS",
    "error": "HANGUP",
    "statusstr": "OK",
    "pages": "2",
    "rate": "14400",
    "resolution": "8031x7700",
    "mode": "T38",
    "station": "+86 736 7721001",
    "seconds": "41",
    "epoch": "1795492453",
}
IN_ENDED = OUT_ENDED | {
    "trunk": "pstn",
    "called": BOBS,
    "caller": "07367721003",
    "decision": telephony.DECISION_ACCEPT,
}
FIELDS = telephony.JOURNAL_FIELDS_IN | telephony.JOURNAL_FIELDS_OUT


class FakeSession:
    """A conversation of which the handlers use this much."""

    def __init__(self, *arguments: str, caller: str = "07367721003") -> None:
        self.arguments = arguments
        self.channel = "PJSIP/pstn-00000001"
        self.unique_id = "gw1-1795492400.1"
        self.caller = caller
        self.variables: dict[str, str] = {}

    def set_variable(self, name: str, value: str) -> None:
        self.variables[name] = value

    def get_variable(self, name: str) -> str | None:
        return self.variables.get(name)


def session(*arguments: str, caller: str = "07367721003") -> AgiSession:
    return cast(AgiSession, FakeSession(*arguments, caller=caller))


@pytest.fixture
def journals(database: Engine) -> Path:
    for folder in (telephony.JOURNAL, telephony.SPOOL_OUT, telephony.SPOOL_IN):
        (settings().gateway_dir / folder).mkdir(parents=True)
    return settings().gateway_dir / telephony.JOURNAL


@pytest.fixture
def world(journals: Path) -> World:
    return make_world()


@pytest.fixture
def logs() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


def line(values: dict[str, str]) -> str:
    words = [
        f"{key}={base64.b64encode(value.encode()).decode() if FIELDS[key][1] else value}"
        for key, value in values.items()
    ]
    return " ".join([*words, telephony.JOURNAL_END]) + "\n"


def write_journal(path: Path, values: dict[str, str], *, cut: int | None = None, age: float = 10) -> Path:
    """A journal as the dialplan left it some seconds ago, whole or cut."""
    path.write_text(line(values)[:cut])
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def write_spool(pages: int) -> Path:
    path = spool_file(RECEPTION)
    with path.open("w+b") as file:
        writer = FaxTiffWriter(file)
        for _ in range(pages):
            writer.add([b"\x00\x10\x01\x00\x10\x01"], width=1728, rows=100)
    return path


def call_out(world: World, journals: Path, *, pages: int = 2) -> tuple[str, str, Path]:
    """An answered call: the delivery, the attempt, and where its journal belongs; its pages lie in the spool."""
    uuid = make_delivery(world.alice, pages=pages)
    dispatch_now()
    attempt_id = only_attempt()
    with unit_of_work() as uow:
        claim_attempts(uow, [attempt_id], "boot")
    (settings().gateway_dir / telephony.SPOOL_OUT / f"{attempt_id}.tif").write_bytes(b"pages")
    return uuid, attempt_id, out_path(journals, attempt_id)


def lose_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETFAX_DATABASE_URL", f"postgresql://nobody@/nothing?host={tmp_path}")
    forget_process_state()


def find_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETFAX_DATABASE_URL")
    forget_process_state()


def receptions() -> list[Reception]:
    with reading() as uow:
        found = list(uow.session.scalars(select(Reception)))
        for each in found:
            _ = each.blob
        return found


def blob_files() -> list[Path]:
    return [path for path in settings().blobs_dir.rglob("*") if path.is_file()]


def ports_taken() -> int:
    with reading() as uow:
        return uow.session.scalar(select(func.count(Port.id)).where(Port.claimed_by.is_not(None))) or 0


# --- An outbound call has ended ---


def test_a_journal_ends_its_attempt_and_goes(world: World, journals: Path) -> None:
    uuid, attempt_id, path = call_out(world, journals)
    write_journal(path, OUT_ENDED)
    on_outcome(session(attempt_id))
    delivery = delivery_of(uuid)
    (attempt,) = delivery.attempts
    assert (delivery.state, delivery.pages_confirmed) == (DeliveryState.SENT, 2)
    assert (attempt.rate, attempt.mode, attempt.seconds) == (14400, "T38", 41)
    assert attempt.remote_station_id == "+86 736 7721001"
    assert not path.exists()


@pytest.mark.parametrize("cut", [0, 60, None], ids=["empty", "cut", "none"])
def test_a_call_whose_journal_met_a_full_disk_ends_by_what_its_channel_knows(
    world: World, journals: Path, cut: int | None
) -> None:
    uuid, attempt_id, path = call_out(world, journals)
    if cut is not None:
        write_journal(path, OUT_ENDED, cut=cut)
    gone = session(attempt_id)
    cast(FakeSession, gone).variables |= {
        name: OUT_ENDED[key] for key, (name, _) in telephony.JOURNAL_FIELDS_OUT.items() if key in OUT_ENDED
    }
    on_outcome(gone)
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.pages_confirmed, delivery.attempts[0].rate) == (DeliveryState.SENT, 2, 14400)
    assert not path.exists()


def test_a_call_that_broke_off_goes_back_to_the_queue_with_its_confirmed_pages(world: World, journals: Path) -> None:
    uuid, attempt_id, path = call_out(world, journals, pages=3)
    write_journal(path, OUT_ENDED | {"status": "FAILED", "statusstr": "The call dropped prematurely", "pages": "1"})
    on_outcome(session(attempt_id))
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.cause, delivery.pages_confirmed) == (DeliveryState.QUEUED, Cause.DROPPED, 1)


def test_a_call_that_ended_before_the_fax_began_has_a_journal_of_empty_values(world: World, journals: Path) -> None:
    uuid, attempt_id, path = call_out(world, journals)
    write_journal(path, dict.fromkeys(OUT_ENDED, "") | {"error": "HANGUP", "seconds": "30"})
    on_outcome(session(attempt_id))
    assert delivery_of(uuid).cause is Cause.NO_FAX


@pytest.mark.parametrize("cut", [0, None], ids=["empty", "none"])
def test_a_call_in_whose_journal_met_a_full_disk_is_recorded_by_what_its_channel_knows(
    world: World, journals: Path, cut: int | None
) -> None:
    start()
    write_spool(1)
    if cut is not None:
        write_journal(in_path(journals, RECEPTION), IN_ENDED, cut=cut)
    gone = session(RECEPTION)
    cast(FakeSession, gone).variables |= {
        name: IN_ENDED[key] for key, (name, _) in telephony.JOURNAL_FIELDS_IN.items() if key in IN_ENDED
    }
    on_inbound_done(gone)
    (row,) = receptions()
    # Two were confirmed: its alarm is raised, too.
    assert (row.state, row.pages, row.pages_confirmed, row.rate) == (ReceptionState.PARTIAL, 1, 2, 14400)
    assert list(journals.iterdir()) == []


def test_what_a_caller_was_told_is_recorded_once_the_database_can_write_again(
    world: World, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk takes neither journal nor row."""

    def full(*_: object) -> None:
        raise OperationalError("update", {}, Exception("database or disk is full"))

    start()
    gone = session(RECEPTION)
    cast(FakeSession, gone).variables |= {
        name: IN_ENDED[key] for key, (name, _) in telephony.JOURNAL_FIELDS_IN.items() if key in IN_ENDED
    }
    with monkeypatch.context() as patch:
        patch.setattr("netfax.faxes.recording.record_reception", full)
        on_inbound_done(gone)
        assert record_kept() == 0
    # What the disk took of the journal, before the sweep sets it aside.
    write_journal(in_path(journals, RECEPTION), IN_ENDED, cut=40)
    assert record_kept() == 1
    (row,) = receptions()
    assert (row.state, row.pages, row.pages_confirmed) == (ReceptionState.EMPTY, 0, 2)
    assert open_codes() == [PAGES_LOST]
    assert (list(journals.iterdir()), record_kept()) == ([], 0)


def test_an_outcome_that_is_told_again_changes_nothing(world: World, journals: Path) -> None:
    uuid, attempt_id, path = call_out(world, journals)
    write_journal(path, OUT_ENDED)
    record_outcome(attempt_id)
    with pytest.raises(FileNotFoundError):
        record_outcome(attempt_id)
    # As after a crash between the commit and the deletion.
    write_journal(path, OUT_ENDED | {"status": "FAILED", "pages": "0"})
    record_outcome(attempt_id)
    assert delivery_of(uuid).state is DeliveryState.SENT
    assert not path.exists()


def test_a_half_written_outcome_leaves_everything_in_place(world: World, journals: Path) -> None:
    uuid, attempt_id, path = call_out(world, journals)
    write_journal(path, OUT_ENDED, cut=60)
    with pytest.raises(BrokenJournal):
        record_outcome(attempt_id)
    assert path.exists()
    assert (settings().gateway_dir / telephony.SPOOL_OUT / f"{attempt_id}.tif").exists()
    assert delivery_of(uuid).state is DeliveryState.DIALING


def test_a_database_that_is_gone_leaves_an_outcome_in_place(
    world: World, journals: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uuid, attempt_id, path = call_out(world, journals)
    write_journal(path, OUT_ENDED)
    lose_database(monkeypatch, tmp_path)
    with pytest.raises(OperationalError):
        on_outcome(session(attempt_id))
    assert sweep_journals() == 0
    assert path.exists()
    find_database(monkeypatch)
    assert sweep_journals() == 1
    assert delivery_of(uuid).state is DeliveryState.SENT


@pytest.mark.parametrize("no_id", NO_IDS)
def test_what_is_no_id_names_no_file(journals: Path, no_id: str) -> None:
    with pytest.raises(ValueError, match="not an attempt id"):
        on_outcome(session(no_id))
    with pytest.raises(ValueError, match="not a reception id"):
        on_inbound_done(session(no_id))
    with pytest.raises(ValueError, match="not a reception id"):
        on_inbound_start(session(no_id, "pstn", BOBS))


@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("a", "b", "c", "d")])
def test_another_number_of_arguments_is_refused(journals: Path, arguments: tuple[str, ...]) -> None:
    for handler in (on_outcome, on_inbound_done, on_inbound_start):
        with pytest.raises(ValueError, match="unpack"):
            handler(session(*arguments))


def test_the_journal_of_an_attempt_that_nobody_knows_is_cleared_away(world: World, journals: Path) -> None:
    path = write_journal(out_path(journals, "c0ffee00" * 4), OUT_ENDED)
    record_outcome("c0ffee00" * 4)
    assert not path.exists()


# --- An inbound call ---


def open_codes() -> list[str]:
    with reading() as uow:
        return sorted(alarm.code for alarm in open_alarms(uow))


def start(called: str = BOBS, *, trunk: str = "pstn", reception: str = RECEPTION) -> str:
    asked = session(reception, trunk, called)
    on_inbound_start(asked)
    return cast(FakeSession, asked).variables[telephony.DECISION]


def test_a_call_is_decided_on_by_the_one_variable_that_is_set(world: World) -> None:
    assert start() == telephony.DECISION_ACCEPT
    (reception,) = receptions()
    assert (reception.id, reception.state, reception.channel) == (
        RECEPTION,
        ReceptionState.RECEIVING,
        "PJSIP/pstn-00000001",
    )


@pytest.mark.parametrize(
    ("called", "trunk", "decision"),
    [
        ("07361234567", "pstn", telephony.DECISION_UNALLOCATED),
        ("", "pstn", telephony.DECISION_UNALLOCATED),
        (BOBS, "no-such-trunk", telephony.DECISION_CONGESTION),
    ],
)
def test_a_refused_call_leaves_neither_row_nor_port(world: World, called: str, trunk: str, decision: str) -> None:
    assert start(called, trunk=trunk) == decision
    assert receptions() == []
    assert ports_taken() == 0


def test_a_call_that_asks_twice_has_one_row_and_one_port(world: World) -> None:
    start()
    with pytest.raises(IntegrityError):
        start()
    assert len(receptions()) == ports_taken() == 1


def test_without_a_database_no_decision_is_set_and_the_dialplan_receives_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lose_database(monkeypatch, tmp_path)
    asked = session(RECEPTION, "pstn", BOBS)
    with pytest.raises(OperationalError):
        on_inbound_start(asked)
    assert cast(FakeSession, asked).variables == {}


@pytest.mark.parametrize("asked", [True, False], ids=["decided", "agi was gone"])
def test_a_received_fax_is_stored_recorded_and_gone_from_the_spool(world: World, journals: Path, asked: bool) -> None:
    if asked:
        start()
    spool = write_spool(2)
    content = spool.read_bytes()
    path = write_journal(in_path(journals, RECEPTION), IN_ENDED | {"decision": "accept" if asked else ""})
    on_inbound_done(session(RECEPTION))
    (reception,) = receptions()
    assert (reception.state, reception.pages, reception.user_id) == (ReceptionState.RECEIVED, 2, world.bob.user_id)
    assert (reception.caller, reception.trunk_name) == ("867367721003", "pstn")
    assert reception.ended_at is not None
    assert reception.blob is not None
    assert path_of(reception.blob).read_bytes() == content
    assert not spool.exists()
    assert not path.exists()
    assert ports_taken() == 0


def test_a_reception_that_is_told_again_is_one_fax_and_one_file(world: World, journals: Path) -> None:
    for _ in range(2):  # the second as after a crash between the commit and the deletion
        spool = write_spool(1)
        path = write_journal(in_path(journals, RECEPTION), IN_ENDED | {"pages": "1"})
        record_inbound(RECEPTION)
        assert not spool.exists()
        assert not path.exists()
    assert len(receptions()) == len(blob_files()) == 1
    with reading() as uow:
        assert listing.mailbox(uow, world.bob, Direction.IN).total == 1


def test_the_agi_call_and_the_sweep_at_once_make_one_fax(world: World, journals: Path) -> None:
    start()
    write_spool(1)
    write_journal(in_path(journals, RECEPTION), IN_ENDED | {"pages": "1"})
    failures: list[Exception] = []

    def record() -> None:
        try:
            record_inbound(RECEPTION)
        except OSError as error:  # the other has taken the files
            failures.append(error)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(failures) < 4
    (reception,) = receptions()
    assert (reception.state, reception.pages) == (ReceptionState.RECEIVED, 1)
    assert len(blob_files()) == 1


def test_pages_that_were_confirmed_and_are_not_on_disk_are_an_alarm(
    world: World, journals: Path, logs: list[structlog.typing.EventDict]
) -> None:
    start()
    write_spool(1)
    write_journal(in_path(journals, RECEPTION), IN_ENDED | {"pages": "4"})
    record_inbound(RECEPTION)
    (alarm,) = [entry for entry in logs if entry["event"] == "inbound.pages_lost"]
    assert (alarm["log_level"], alarm["confirmed"], alarm["on_disk"]) == ("error", 4, 1)
    assert receptions()[0].state is ReceptionState.PARTIAL


def test_pages_that_came_in_a_failed_call_are_kept_as_a_partial_fax(
    world: World, journals: Path, logs: list[structlog.typing.EventDict]
) -> None:
    start()
    write_spool(2)
    ended = {"status": "FAILED", "statusstr": "The call dropped prematurely", "pages": "2"}
    write_journal(in_path(journals, RECEPTION), IN_ENDED | ended)
    record_inbound(RECEPTION)
    assert (receptions()[0].state, receptions()[0].pages) == (ReceptionState.PARTIAL, 2)
    assert not [entry for entry in logs if entry["event"] == "inbound.pages_lost"]


@pytest.mark.parametrize("content", [None, b"", b"II*\0", b"no TIFF"])
def test_a_call_that_left_no_whole_page_is_on_record_and_in_no_inbox(
    world: World, journals: Path, content: bytes | None
) -> None:
    start()
    if content is not None:
        spool_file(RECEPTION).write_bytes(content)
    write_journal(in_path(journals, RECEPTION), IN_ENDED | {"status": "FAILED", "pages": "0"})
    record_inbound(RECEPTION)
    assert receptions()[0].state is ReceptionState.EMPTY
    assert blob_files() == []
    with reading() as uow:
        assert listing.mailbox(uow, world.bob, Direction.IN).total == 0
    assert ports_taken() == 0


@pytest.mark.parametrize("decision", telephony.REFUSAL_CAUSES)
def test_the_journal_of_a_refused_call_is_cleared_away_without_a_record(
    world: World, journals: Path, decision: str
) -> None:
    path = write_journal(in_path(journals, RECEPTION), IN_ENDED | {"decision": decision, "called": "123"})
    record_inbound(RECEPTION)
    assert not path.exists()
    assert receptions() == []


def test_a_half_written_journal_leaves_a_reception_in_place(world: World, journals: Path) -> None:
    start()
    spool = write_spool(1)
    path = write_journal(in_path(journals, RECEPTION), IN_ENDED, cut=80)
    with pytest.raises(BrokenJournal):
        record_inbound(RECEPTION)
    assert spool.exists()
    assert path.exists()
    assert receptions()[0].state is ReceptionState.RECEIVING


def test_a_database_that_is_gone_leaves_a_reception_in_place_and_no_copy_behind(
    world: World, journals: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start()
    spool = write_spool(1)
    path = write_journal(in_path(journals, RECEPTION), IN_ENDED | {"pages": "1"})
    lose_database(monkeypatch, tmp_path)
    for _ in range(3):
        assert sweep_journals() == 0
    assert spool.exists()
    assert path.exists()
    assert blob_files() == []
    find_database(monkeypatch)
    assert sweep_journals() == 1
    assert receptions()[0].state is ReceptionState.RECEIVED


# --- The sweep ---


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Let an hour pass by the monotonic clock of the sweep."""
    passed = 0.0

    def one_more() -> None:
        nonlocal passed
        passed += ORPHANED_SECONDS

    clock = SimpleNamespace(time=time.time, monotonic=lambda: passed)
    monkeypatch.setattr(sweep_module, "time", clock)
    yield one_more


def test_pages_that_have_lain_for_an_hour_without_a_journal_reach_an_inbox(
    world: World, journals: Path, hours: Callable[[], None]
) -> None:
    orphans, spool = Orphans(), write_spool(2)
    assert orphans.rescue() == 0
    hours()
    journal = write_journal(in_path(journals, RECEPTION), IN_ENDED, cut=10)
    assert orphans.rescue() == 0
    journal.unlink()
    assert orphans.rescue() == 1
    assert not spool.exists()
    (row,) = receptions()
    assert (row.state, row.pages) == (ReceptionState.PARTIAL, 2)
    with reading() as uow:
        assert row.user_id == system_operator(uow).id


@pytest.mark.parametrize("grown", [True, False], ids=["it grows", "its call has a row"])
def test_pages_of_a_call_that_may_live_are_left_alone_whatever_the_clock_says(
    world: World, journals: Path, hours: Callable[[], None], grown: bool
) -> None:
    if not grown:
        start()
    orphans, spool = Orphans(), write_spool(2)
    orphans.rescue()
    os.utime(spool, (time.time() - 86_400,) * 2)
    orphans.rescue()
    if grown:
        spool.write_bytes(spool.read_bytes() + b"more")
    hours()
    assert orphans.rescue() == 0
    assert spool.exists()


def test_a_file_in_the_spool_that_is_no_fax_is_left_alone(
    world: World, journals: Path, hours: Callable[[], None]
) -> None:
    stray = spool_file(RECEPTION).with_name("notes.tif")
    stray.write_text("not ours")
    orphans = Orphans()
    orphans.rescue()
    hours()
    assert orphans.rescue() == 0
    assert stray.exists()


def test_the_sweep_takes_what_nobody_has_claimed(world: World, journals: Path) -> None:
    uuid, _, path = call_out(world, journals)
    write_journal(path, OUT_ENDED)
    write_spool(2)
    write_journal(in_path(journals, RECEPTION), IN_ENDED)
    assert sweep_journals() == 2
    assert delivery_of(uuid).state is DeliveryState.SENT
    assert receptions()[0].state is ReceptionState.RECEIVED
    assert sweep_journals() == 0


def test_the_sweep_leaves_a_call_that_ended_a_moment_ago_to_its_agi(world: World, journals: Path) -> None:
    _, _, path = call_out(world, journals)
    write_journal(path, OUT_ENDED, age=1)
    assert sweep_journals() == 0
    assert path.exists()


@pytest.mark.parametrize("name", ["out-", "out-1", "in-../x", "in-", "notes.txt", ".out-1", f"in-{RECEPTION}.new"])
def test_the_sweep_touches_no_file_that_is_no_journal(world: World, journals: Path, name: str) -> None:
    path = write_journal(journals / name.replace("/", "_"), OUT_ENDED)
    assert sweep_journals() == 0
    assert path.exists()


def test_one_journal_that_fails_does_not_hold_up_the_others(
    world: World, journals: Path, logs: list[structlog.typing.EventDict]
) -> None:
    write_journal(journals / "in-0000", IN_ENDED)
    write_journal(out_path(journals, "0" * 32), OUT_ENDED, cut=30)
    (journals / f"out-{'1' * 32}").symlink_to(journals / "nowhere")
    uuid, _, path = call_out(world, journals)
    write_journal(path, OUT_ENDED)
    assert sweep_journals() == 1
    assert delivery_of(uuid).state is DeliveryState.SENT
    assert len([entry for entry in logs if entry["event"] == "sweep.failed"]) == 3


def test_a_journal_that_stays_cut_is_set_aside_so_that_asterisks_own_record_decides(
    world: World, journals: Path, logs: list[structlog.typing.EventDict]
) -> None:
    _, _, path = call_out(world, journals)
    write_journal(path, OUT_ENDED, cut=60, age=BROKEN_SECONDS - 5)
    assert sweep_journals() == 0
    assert path.exists()
    write_journal(path, OUT_ENDED, cut=60, age=BROKEN_SECONDS + 5)
    sweep_journals()
    assert not path.exists()
    assert (journals / f"broken-{path.name}").exists()
    assert [entry["log_level"] for entry in logs if entry["event"] == "journal.broken"] == ["error"]
    assert sweep_journals() == 0


@pytest.mark.parametrize("asked", [True, False], ids=["decided", "agi was gone"])
def test_the_pages_of_a_reception_whose_journal_stays_cut_are_kept(world: World, journals: Path, asked: bool) -> None:
    if asked:
        start()
    spool = write_spool(2)
    write_journal(in_path(journals, RECEPTION), IN_ENDED, cut=0, age=BROKEN_SECONDS + 5)
    sweep_journals()
    (reception,) = receptions()
    owner = world.bob if asked else world.admin
    assert (reception.state, reception.pages, reception.user_id) == (ReceptionState.PARTIAL, 2, owner.user_id)
    assert not spool.exists()
    assert ports_taken() == 0


def test_the_sweep_goes_on_when_its_folder_cannot_be_read(
    journals: Path, monkeypatch: pytest.MonkeyPatch, logs: list[structlog.typing.EventDict]
) -> None:
    monkeypatch.setattr(sweep_module, "SWEEP_SECONDS", 0.001)
    journals.rmdir()
    stop = threading.Event()
    thread = threading.Thread(target=keep_sweeping, args=(stop,), daemon=True)
    thread.start()
    deadline = time.monotonic() + 5
    while len(logs) < 3 and time.monotonic() < deadline:
        stop.wait(0.005)
    assert thread.is_alive()
    stop.set()
    thread.join(5)
    assert {entry["event"] for entry in logs} == {"sweep.failed"}
