"""Services that die or fall silent during a call; each test has a system of its own, three of them at a time."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialplan import network_phone
from dialplan.network_phone import Ami
from netfax import telephony as tel
from tests.e2e.helpers import (
    ALICE,
    BOB,
    NUMBERS,
    assert_arrived,
    call_ended,
    call_in,
    is_receiving,
    pages_here,
    started_calls,
    supervisor_pid,
)
from tests.pages import assert_same_pages, make_tiff, read_pages
from tests.raw_caller import RawCaller
from tests.system import System, eventually, running_system


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    with running_system(tmp_path, params={"retry_count": "0", "ring_time": "15"}) as system:
        yield system


@pytest.mark.xdist_group("faults-1")
def test_a_fax_that_comes_while_the_agi_service_is_gone_is_in_the_inbox_when_it_is_back(
    own_system: System, tmp_path: Path
) -> None:
    system = own_system
    supervisor = supervisor_pid(system)
    sent = make_tiff(tmp_path / "a.tif", "no AGI")
    # The supervisor must not start it anew before the call is over.
    os.kill(supervisor, signal.SIGSTOP)
    try:
        system.kill("agi", signal.SIGKILL)
        done = call_ended(system, call_in(system, sent, "7804002", "07367721031"))
        assert (done.status, done.pages) == ("SUCCESS", 1)
        assert system.json("inbox", "--user", BOB) == []
    finally:
        os.kill(supervisor, signal.SIGCONT)
    row = system.inbox_from(BOB, "867367721031", seconds=60)
    assert (row["state"], row["pages"]) == ("received", 1)
    saved = tmp_path / "saved.tif"
    system.cli("save", row["uuid"], "--user", BOB, "--out", saved)
    assert_same_pages(sent, saved)
    assert not any((system.home / "gateway/journal").iterdir())
    assert not any((system.home / "gateway/spool/in").iterdir())


@pytest.mark.xdist_group("faults-2")
def test_an_agi_service_that_dies_during_a_call_loses_nothing(own_system: System, tmp_path: Path) -> None:
    system = own_system
    call_id = call_in(system, make_tiff(tmp_path / "a.tif", "AGI dies"), "7804002", "07367721032")
    eventually(lambda: system.json("receiving", "--user", "admin"), 60, "the call has not come")
    system.kill("agi", signal.SIGKILL)
    assert call_ended(system, call_id).status == "SUCCESS"
    assert system.inbox_from(BOB, "867367721032", seconds=60)["state"] == "received"


@pytest.mark.xdist_group("faults-3")
def test_a_mute_agi_service_is_replaced_and_the_waiting_call_is_received(own_system: System, tmp_path: Path) -> None:
    system = own_system
    mute = system.kill("agi", signal.SIGSTOP)
    began = time.monotonic()
    call_id = call_in(system, make_tiff(tmp_path / "a.tif", "mute AGI"), "7804002", "07367721033")
    eventually(lambda: system.pid("agi") not in (mute, 0), 60, "the mute service was not replaced")
    assert time.monotonic() - began < 30
    assert call_ended(system, call_id).status == "SUCCESS"
    assert system.inbox_from(BOB, "867367721033", seconds=60)["state"] == "received"


@pytest.mark.xdist_group("faults-3")
@pytest.mark.parametrize("moment", ["dialing", "sending"])
def test_a_bridge_killed_during_a_call_makes_one_call_with_the_right_result(
    own_system: System, tmp_path: Path, moment: str
) -> None:
    system = own_system
    # The first rings until it is given up, so that the bridge dies before an answer.
    number, state = {"dialing": ("7722018", "failed"), "sending": ("7721001", "sent")}[moment]
    (uuid,) = system.send(ALICE, number, make_tiff(tmp_path / "a.tif", "bridge dies", dense=150))
    if moment == "dialing":
        eventually(lambda: started_calls(system), 30, "Asterisk has not dialled")
    else:
        system.reaches(ALICE, uuid, moment)
    system.kill("bridge", signal.SIGKILL)
    row = system.ended(ALICE, uuid)
    assert (row["state"], row["attempts"], row["tries"]) == (state, 1, 1)
    assert row["cause"] == {"dialing": "no_answer", "sending": "ok"}[moment]
    assert len(started_calls(system)) == 1
    if moment == "sending":
        assert_arrived(system, ALICE, row, number, tmp_path)
        assert len(network_phone.received(system.settings, number, NUMBERS[ALICE])) == 1


@pytest.mark.xdist_group("faults-1")
def test_a_call_that_dies_with_its_asterisk_ends_unknown_and_is_not_redialled(
    own_system: System, tmp_path: Path
) -> None:
    system = own_system
    (uuid,) = system.send(ALICE, "7721001", make_tiff(tmp_path / "a.tif", "Asterisk dies", dense=300))
    system.reaches(ALICE, uuid, "sending")
    system.kill("gateway", signal.SIGKILL)
    row = system.ended(ALICE, uuid, seconds=60)
    assert (row["state"], row["cause"], row["attempts"]) == ("unknown", "call_lost", 1)
    # The port is free again: the next fax goes out.
    (uuid,) = system.send(ALICE, "7721003", make_tiff(tmp_path / "b.tif", "afterwards"))
    assert system.ended(ALICE, uuid)["state"] == "sent"


@pytest.mark.xdist_group("faults-3")
def test_a_call_that_comes_while_its_asterisk_dies_keeps_the_pages_that_were_confirmed(
    own_system: System, tmp_path: Path
) -> None:
    system = own_system
    sent = make_tiff(tmp_path / "a.tif", "gateway dies", pages=3, dense=150)
    call_in(system, sent, "7804002", "07367721035")
    eventually(lambda: pages_here(system, "867367721035"), 150, "page 2 has not begun")
    system.kill("gateway", signal.SIGKILL)
    row = system.inbox_from(BOB, "867367721035", seconds=60)
    assert (row["state"], row["pages"]) == ("partially_received", 1)
    assert not is_receiving(system, "867367721035")
    saved = tmp_path / "saved.tif"
    system.cli("save", row["uuid"], "--user", BOB, "--out", saved)
    assert (read_pages(saved)[0] == read_pages(sent)[0]).all()
    assert not any((system.home / "gateway/spool/in").iterdir())


@pytest.mark.xdist_group("faults-2")
def test_redis_gone_costs_a_delay_and_no_fax(own_system: System, tmp_path: Path) -> None:
    system = own_system
    supervisor = supervisor_pid(system)
    os.kill(supervisor, signal.SIGSTOP)
    try:
        system.kill("redis", signal.SIGKILL)
        (uuid,) = system.send(ALICE, "7721001", make_tiff(tmp_path / "a.tif", "no Redis"))
    finally:
        os.kill(supervisor, signal.SIGCONT)
    assert system.ended(ALICE, uuid)["state"] == "sent"


@pytest.mark.xdist_group("faults-3")
def test_a_duplicate_attempt_id_and_a_forged_caller_decide_nothing(own_system: System, tmp_path: Path) -> None:
    system = own_system
    (uuid,) = system.send(ALICE, "7721001", make_tiff(tmp_path / "a.tif", "duplicate", dense=150))
    system.reaches(ALICE, uuid, "sending")
    (attempt_id,) = started_calls(system)
    settings = system.settings
    with Ami(settings.port("gateway_ami"), tel.AMI_USER_BRIDGE, settings.secret("ami_bridge")) as ami:
        # Accepted, and refused as a duplicate a moment later.
        ami.ask(
            {
                "Action": "Originate",
                "ActionID": attempt_id,
                "ChannelId": attempt_id,
                "Channel": "PJSIP/7722017@pstn",
                "Context": tel.CONTEXT_OUT,
                "Exten": tel.START,
                "Priority": "1",
                "Async": "true",
            },
            [(tel.ATTEMPT_ID, attempt_id)],
        )
    forged = f"66601%0d%0aEvent%3a%20Hangup%0d%0aUniqueid%3a%20{attempt_id}%0d%0aCause%3a%2017%0d%0a%0d%0a"
    with RawCaller(settings) as caller:
        caller.request("INVITE", "7999999", forged, os.urandom(8).hex())
        assert caller.final() == 404
    row = system.ended(ALICE, uuid)
    assert (row["state"], row["attempts"]) == ("sent", 1)
    assert_arrived(system, ALICE, row, "7721001", tmp_path)
    decided = _decisions(system, "7999999")
    assert [each["decision"] for each in decided] == ["unallocated"]
    logged = (system.home / "log/bridge.log").read_text()
    assert [each for each in ("ami.callback_failed", "step.failed") if each in logged] == []


@pytest.mark.xdist_group("faults-2")
def test_the_same_faxes_go_both_ways_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    with running_system(tmp_path, params={"retry_count": "0"}, NETFAX_DATABASE_URL=postgres_url) as system:
        (uuid,) = system.send(ALICE, "7721001", make_tiff(tmp_path / "a.tif", "PostgreSQL"))
        call_id = call_in(system, make_tiff(tmp_path / "b.tif", "in"), "7804002", "07367721034")
        assert call_ended(system, call_id).status == "SUCCESS"
        assert system.inbox_from(BOB, "867367721034")["state"] == "received"
        row = system.ended(ALICE, uuid)
        assert row["state"] == "sent"
        assert_arrived(system, ALICE, row, "7721001", tmp_path)
        assert not (system.home / "netfax.db").exists()


def _decisions(system: System, called: str) -> list[dict[str, str]]:
    lines = (system.home / "log/agi.log").read_text().splitlines()
    return [entry for line in lines if (entry := json.loads(line)).get("called") == called]
