"""Steps that several of the real-fax tests take."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dialplan import network_phone
from dialplan.network_phone import ReceivedFax, SentFax
from netfax import telephony as tel
from tests.pages import assert_same_page, assert_same_pages, read_pages
from tests.system import System, eventually

ALICE, BOB = "alice@demo", "bob@demo"
NUMBERS = {ALICE: "7804001", BOB: "7804002"}


def far_end_received(system: System, called: str, user: str) -> ReceivedFax:
    """The last fax that a subscriber of the network has received from a user."""
    found = eventually(
        lambda: network_phone.received(system.settings, called, NUMBERS[user]), 20, f"{called} has received nothing"
    )
    return found[-1]


def assert_arrived(
    system: System, user: str, row: dict[str, Any], called: str, folder: Path, *, ecm: bool = True
) -> ReceivedFax:
    """The far end has every pixel of every page of a delivery, as far as ECM has carried it."""
    ours = folder / f"{row['number']}.tif"
    system.cli("save", row["uuid"], "--user", user, "--out", ours)
    fax = far_end_received(system, called, user)
    assert_same_pages(ours, fax.tiff, ecm=ecm)
    return fax


def assert_every_page_once(system: System, user: str, row: dict[str, Any], called: str, folder: Path) -> None:
    """The pages that the far end confirmed, over all calls of the user, are those of the delivery, in order."""
    ours = folder / f"{row['number']}.tif"
    system.cli("save", row["uuid"], "--user", user, "--out", ours)
    calls = network_phone.received(system.settings, called, NUMBERS[user])
    theirs = [page for call in calls if call.pages for page in read_pages(call.tiff)[: call.pages]]
    ecm = [call.ecm for call in system.attempts(row["delivery"]) for _ in range(call.pages_confirmed)]
    for one, other, with_ecm in zip(read_pages(ours), theirs, ecm, strict=True):
        assert_same_page(one, other, ecm=with_ecm)


def call_in(
    system: System, tiff: Path, to: str, caller: str, *, t38: bool = True, station_id: bytes | str = "+86 736 7721003"
) -> str:
    """The network's machine calls us; the call's id."""
    return network_phone.send_fax(system.settings, tiff, to, caller, station_id, t38=t38)


def call_ended(system: System, call_id: str) -> SentFax:
    """What came of it, as the network saw it."""
    return network_phone.wait(system.settings, call_id)


def is_receiving(system: System, caller: str) -> bool:
    """Whether a call from this identity is on the line."""
    return _receiving(system, caller) is not None


def pages_here(system: System, caller: str) -> int:
    """How many pages of the call from this identity have come, by its live progress."""
    row = _receiving(system, caller)
    return int(str(row["pages"])) if row else 0


def _receiving(system: System, caller: str) -> dict[str, Any] | None:
    rows: list[dict[str, Any]] = system.json("receiving", "--user", "admin")
    return next((row for row in rows if row["caller"] == caller), None)


def started_calls(system: System) -> list[str]:
    """The ids of the outbound calls that the gateway's Asterisk has begun, by its own record."""
    return _recorded_calls(system, "CHAN_START")


def ended_calls(system: System) -> list[str]:
    """The ids of the outbound calls whose end the gateway's Asterisk has recorded."""
    return _recorded_calls(system, "HANGUP")


def _recorded_calls(system: System, event: str) -> list[str]:
    prefix = system.settings.secret("attempt_prefix")
    record = system.home / "gateway" / tel.CEL_CSV
    lines = record.read_text().splitlines() if record.exists() else []
    rows = [dict(zip(tel.CEL_FIELDS, line.strip('"').split('","'), strict=False)) for line in lines]
    return [row["uniqueid"] for row in rows if row["eventtype"] == event and row["uniqueid"].startswith(prefix)]


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Processes that do nothing within the block (SIGSTOP); they are let go again in the other order."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
            eventually(lambda pid=pid: _stands_still(pid), 5, f"process {pid} has not stopped", every=0.005)
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


def supervisor_pid(system: System) -> int:
    """The process that starts dead services anew, and must be stopped where a service is to stay dead or mute."""
    return int(json.loads((system.home / "run/supervisor.json").read_text())["pid"])


def _stands_still(pid: int) -> bool:
    """Whether every thread is stopped: the signal takes its time to reach those on other processors."""
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}
