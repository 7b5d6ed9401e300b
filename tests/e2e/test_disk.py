"""A disk that fills: what can't be kept is refused, and what was lost all the same is said."""

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from netfax.alarms import PAGES_LOST, Alarm
from netfax.faxes.models import Reception
from tests.e2e.helpers import ALICE, BOB, call_ended, call_in
from tests.pages import draw_page, make_tiff, read_pages, save_tiff
from tests.system import System, running_system

pytestmark = pytest.mark.xdist_group("disk")

# Of one file: page 1 and a part of page 2.
LARGEST_FILE = 32_000
ALARM_TIME = timedelta(seconds=10)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("disk"), params={}) as system:
        yield system


def test_below_the_reserve_faxes_are_refused_before_they_cost_anything(system: System, tmp_path: Path) -> None:
    fax = make_tiff(tmp_path / "a.tif", "no room")
    system.cli("param", "set", "disk_reserve", 1_000_000)
    refused = system.cli("send", fax, "--to", "7721001", "--user", ALICE, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "disk" in refused.stderr and refused.stderr.count("\n") == 1
    call = call_ended(system, call_in(system, fax, "7804002", "07367721041"))
    assert (call.answered, call.pages) == (False, 0)
    system.cli("param", "set", "disk_reserve", 1)
    assert system.json("queue", "--user", ALICE) == system.json("sent", "--user", ALICE) == []
    assert call_ended(system, call_in(system, fax, "7804002", "07367721041")).pages == 1
    assert system.inbox_from(BOB, "867367721041")["state"] == "received"


def test_pages_that_were_confirmed_and_are_not_on_disk_raise_an_alarm(system: System, tmp_path: Path) -> None:
    sent = save_tiff(tmp_path / "a.tif", [draw_page("page 1"), *(draw_page(f"page {n}", dense=60) for n in (2, 3))])
    _limit_files(psutil.Process(system.pid("gateway")))
    call = call_ended(system, call_in(system, sent, "7804002", "07367721042"))
    assert (call.status, call.pages) == ("SUCCESS", 3)
    row = system.inbox_from(BOB, "867367721042")
    (alarm,) = system.read(select(Alarm).where(Alarm.code == PAGES_LOST))
    (reception,) = system.read(select(Reception).where(Reception.id == alarm.subject))
    assert reception.ended_at is not None
    assert alarm.raised_at - reception.ended_at < ALARM_TIME
    assert "3" in alarm.text
    assert (row["state"], row["pages"]) == ("partially_received", 1)
    saved = tmp_path / "saved.tif"
    system.cli("save", row["uuid"], "--user", BOB, "--out", saved)
    assert (read_pages(saved)[0] == read_pages(sent)[0]).all()


def _limit_files(gateway: psutil.Process) -> None:
    """Let Asterisk write no file beyond `LARGEST_FILE` bytes: to SpanDSP that is a full disk."""
    (asterisk,) = (each for each in gateway.children(recursive=True) if each.name() == "asterisk")
    user, group = asterisk.uids().real, asterisk.gids().real
    # A user may limit his own processes, and root without CAP_SYS_RESOURCE no other's.
    as_asterisk = ("setpriv", f"--reuid={user}", f"--regid={group}", "--keep-groups")
    subprocess.run([*as_asterisk, "prlimit", f"--pid={asterisk.pid}", f"--fsize={LARGEST_FILE}:"], check=True)
