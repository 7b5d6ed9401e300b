"""How a number is called again, by the cause of the last call, on a system that retries soon.

All faxes are sent at once, so that the tests wait together and not one after the other.
"""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

from dialplan import network
from netfax.telephony import MODE_AUDIO, MODE_T38
from tests.bad_line import bad_line
from tests.e2e.helpers import ALICE, assert_arrived, assert_every_page_once
from tests.pages import draw_page, make_tiff, save_tiff
from tests.system import System, eventually, running_system

pytestmark = pytest.mark.xdist_group("retries")

INTERVAL = timedelta(seconds=20)
# Between the end of a call and the next on another trunk.
SOON = timedelta(seconds=10)
PARAMS = {"retry_interval": str(INTERVAL.seconds), "retry_count": "3", "ring_time": "20"}

DROPS_ONCE, DROPS_TWICE, DROPS_AT_ONCE = "7721007", "7721008", "7721009"
BUSY, VOICE = "7722017", "7722020"
OVERLOADED, MUTE, TWICE, CANCELLED, NARROW = "7721011", "7721012", "7721013", "7721014", "7721015"


class Faxes:
    """The system and what was sent on it: deliveries (public ids) by number, in the order of their sending."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._sent: dict[str, list[str]] = {}

    def send(self, tiff: Path, *numbers: str) -> None:
        for number, uuid in zip(numbers, self.system.send(ALICE, ",".join(numbers), tiff), strict=True):
            self._sent.setdefault(number, []).append(uuid)

    def to(self, number: str, position: int = 0) -> str:
        return self._sent[number][position]


@pytest.fixture(scope="module")
def faxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faxes]:
    folder = tmp_path_factory.mktemp("retries")
    with (
        running_system(folder, params=PARAMS) as system,
        _overloaded_peer() as overloaded,
        _mute_peer() as mute,
        bad_line((network.G711_ADDRESS, system.settings.port("network_sip_g711")), calls=3) as narrow,
    ):
        _add_trunk(system, "overloaded", overloaded, OVERLOADED)
        _add_trunk(system, "mute", mute, MUTE)
        _add_trunk(system, "narrow", narrow, NARROW)
        faxes = Faxes(system)
        faxes.send(make_tiff(folder / "a.tif", "light", pages=2), VOICE, MUTE, OVERLOADED, TWICE, BUSY, NARROW)
        faxes.send(make_tiff(folder / "e.tif", "cut", dense=45), DROPS_AT_ONCE)
        # A row of noise takes some 0.25 s: page 2 is cut in its middle, and page 3 too long before its end to have
        # arrived all the same; on a busy machine a cancel is not there for a minute.
        cut, cancelled = (
            save_tiff(folder / f"{name}.tif", [draw_page("page 1"), draw_page("page 2", dense=45), last])
            for name, last in (("b", draw_page("page 3", dense=180)), ("d", draw_page("page 3", dense=500)))
        )
        faxes.send(cut, DROPS_TWICE, DROPS_ONCE)
        faxes.send(cancelled, CANCELLED)
        faxes.send(make_tiff(folder / "c.tif", "the second"), TWICE)
        yield faxes


def test_a_cancel_on_the_line_hangs_up_and_says_what_was_confirmed(faxes: Faxes) -> None:
    system, uuid = faxes.system, faxes.to(CANCELLED)
    eventually(lambda: "page 3" in _progress(system, uuid), 120, "page 3 is not on the line")
    done = system.cli("cancel", uuid, "--user", ALICE)
    assert "2 of 3 page(s) had been confirmed" in done.stdout
    row = system.ended(ALICE, uuid, seconds=10)
    assert (row["state"], row["cause"], row["pages_confirmed"], row["attempts"]) == ("cancelled", "cancelled", 2, 1)


def test_a_busy_number_is_redialled_sooner_than_the_interval_and_on_the_same_trunk(faxes: Faxes) -> None:
    row = faxes.system.ended(ALICE, faxes.to(BUSY))
    assert (row["state"], row["cause"], row["tries"]) == ("failed", "busy", 4)
    calls = faxes.system.attempts(faxes.to(BUSY))
    assert {call.trunk.name for call in calls} == {"pstn"}
    for before, after in pairwise(calls):
        assert before.ended_at is not None
        assert INTERVAL / 2 <= after.created_at - before.ended_at < INTERVAL


@pytest.mark.parametrize(("number", "trunk"), [(OVERLOADED, "overloaded"), (MUTE, "mute")])
def test_a_trunk_that_fails_is_passed_over_and_the_fax_goes_at_once_on_another(
    faxes: Faxes, tmp_path: Path, number: str, trunk: str
) -> None:
    row = faxes.system.ended(ALICE, faxes.to(number))
    assert row["state"] == "sent"
    failed, carried = faxes.system.attempts(faxes.to(number))
    assert (failed.trunk.name, failed.answered_at, carried.trunk.name) == (trunk, None, "pstn")
    assert failed.cause in ("congestion", "call_failed")
    assert failed.ended_at is not None
    assert carried.created_at - failed.ended_at < SOON
    assert_arrived(faxes.system, ALICE, row, number, tmp_path)


def test_a_trunk_that_asterisk_knows_as_unreachable_delays_a_fax_by_seconds(faxes: Faxes, tmp_path: Path) -> None:
    system = faxes.system
    system.ended(ALICE, faxes.to(MUTE))
    eventually(lambda: _registered(system, "mute") == "unreachable", 60, "Asterisk still believes in the trunk")
    faxes.send(make_tiff(tmp_path / "a.tif", "over a known dead trunk"), MUTE)
    row = system.ended(ALICE, faxes.to(MUTE, 1))
    assert row["state"] == "sent"
    calls = system.attempts(faxes.to(MUTE, 1))
    assert calls[-1].trunk.name == "pstn"
    assert calls[-1].created_at - calls[0].created_at < SOON


def test_two_faxes_to_one_number_go_one_after_the_other(faxes: Faxes) -> None:
    system = faxes.system
    calls = []
    for uuid in (faxes.to(TWICE, 0), faxes.to(TWICE, 1)):
        row = system.ended(ALICE, uuid)
        assert (row["state"], row["attempts"]) == ("sent", 1)
        calls += system.attempts(uuid)
    first, second = sorted(calls, key=lambda call: call.created_at)
    assert first.ended_at is not None and second.originated_at is not None
    assert first.ended_at <= second.originated_at


def test_after_trouble_by_t38_the_next_call_is_by_audio_and_the_next_fax_too(faxes: Faxes, tmp_path: Path) -> None:
    system = faxes.system
    row = system.ended(ALICE, faxes.to(DROPS_AT_ONCE))
    assert row["state"] == "sent"
    by_t38, by_audio = system.attempts(faxes.to(DROPS_AT_ONCE))
    assert (by_t38.asked_mode, by_t38.mode, by_t38.cause) == (MODE_T38, "T38", "dropped")
    assert (by_audio.asked_mode, by_audio.mode, by_audio.cause) == (MODE_AUDIO, "audio", "ok")
    assert_arrived(system, ALICE, row, DROPS_AT_ONCE, tmp_path)
    faxes.send(make_tiff(tmp_path / "b.tif", "remembered"), DROPS_AT_ONCE)
    assert system.ended(ALICE, faxes.to(DROPS_AT_ONCE, 1))["state"] == "sent"
    (only,) = system.attempts(faxes.to(DROPS_AT_ONCE, 1))
    assert (only.asked_mode, only.mode) == (MODE_AUDIO, "audio")


def test_after_trouble_by_audio_the_next_calls_go_without_ecm_and_then_by_a_slower_modem(
    faxes: Faxes, tmp_path: Path
) -> None:
    system = faxes.system
    row = system.ended(ALICE, faxes.to(NARROW))
    calls = system.attempts(faxes.to(NARROW))
    assert [(call.asked_mode, call.modem, call.ecm) for call in calls] == [
        (MODE_T38, "v17", True),
        (MODE_AUDIO, "v17", True),
        (MODE_AUDIO, "v17", False),
        (MODE_AUDIO, "v29", False),
    ]
    assert {call.trunk.name for call in calls} == {"narrow"}
    assert (row["state"], row["pages_confirmed"], row["rate"]) == ("sent", 2, 9600)
    assert_arrived(system, ALICE, row, NARROW, tmp_path, ecm=False)
    faxes.send(make_tiff(tmp_path / "b.tif", "remembered"), NARROW)
    row = system.ended(ALICE, faxes.to(NARROW, 1))
    assert (row["state"], row["attempts"], row["rate"]) == ("sent", 1, 9600)
    (only,) = system.attempts(faxes.to(NARROW, 1))
    assert (only.asked_mode, only.modem, only.ecm) == (MODE_AUDIO, "v29", False)


@pytest.mark.parametrize(("number", "drops"), [(DROPS_ONCE, 1), (DROPS_TWICE, 2)])
def test_after_a_drop_only_what_was_not_confirmed_is_sent_and_every_page_arrives_once(
    faxes: Faxes, tmp_path: Path, number: str, drops: int
) -> None:
    system = faxes.system
    row = system.ended(ALICE, faxes.to(number))
    assert (row["state"], row["pages_confirmed"], row["pages"]) == ("sent", 3, 3)
    calls = system.attempts(faxes.to(number))
    # None begins with a page that was confirmed.
    begun = [call.first_page for call in calls]
    assert begun == list(accumulate((c.pages_confirmed for c in calls[:-1]), initial=1))
    # Each drop comes in the middle of the second page of its call; a busy machine may lose a call before.
    assert len(begun) > drops
    assert {call.cause for call in calls[:-1]} == {"dropped"} and calls[-1].cause == "ok"
    assert_every_page_once(system, ALICE, row, number, tmp_path)


def test_a_person_who_answers_is_called_twice_and_no_third_time(faxes: Faxes) -> None:
    row = faxes.system.ended(ALICE, faxes.to(VOICE), seconds=240)
    assert (row["state"], row["cause"], row["tries"]) == ("failed", "no_fax", 2)


class _RefusesCalls(socketserver.BaseRequestHandler):
    """A SIP peer that has no line free: 503 to every request."""

    def handle(self) -> None:
        request, peer = self.request
        copied = ("via:", "from:", "to:", "call-id:", "cseq:")
        headers = [line for line in request.decode().split("\r\n") if line.lower().startswith(copied)]
        if not request.startswith(b"ACK"):
            answer = ["SIP/2.0 503 Service Unavailable", *headers, "Content-Length: 0", "", ""]
            peer.sendto("\r\n".join(answer).encode(), self.client_address)


@contextmanager
def _overloaded_peer() -> Iterator[tuple[str, int]]:
    with socketserver.UDPServer(("127.0.0.4", 0), _RefusesCalls) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.socket.getsockname()
        finally:
            server.shutdown()


@contextmanager
def _mute_peer() -> Iterator[tuple[str, int]]:
    """A host that is there and never answers: nobody reads from its socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.5", 0))
        yield peer.getsockname()


def _progress(system: System, uuid: str) -> str:
    row = system.delivery(ALICE, uuid)
    return str(row["progress"]) if row else ""


def _add_trunk(system: System, name: str, peer: tuple[str, int], number: str) -> None:
    """A trunk that is tried first for one number."""
    host, port = peer
    system.cli(
        *("trunk", "add", "--kind", "sip", "--name", name, "--host", host, "--port", port),
        *("--position", "1", "--prefix", f"86736{number}"),
    )


def _registered(system: System, trunk: str) -> str:
    return next(str(row["registered"]) for row in system.json("trunk", "list") if row["name"] == trunk)
