"""A dispatcher and a bridge that stand still past their lease and go on: what another did is not done twice."""

import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from dialplan import network_phone
from dialplan.network_phone import Ami
from netfax import telephony as tel
from netfax.faxes.models import Attempt, Delivery
from netfax.lease import Lease
from netfax.settings import CHECKOUT
from tests.e2e.helpers import ALICE, NUMBERS, ended_calls, started_calls, stopped, supervisor_pid
from tests.pages import assert_same_pages, make_tiff
from tests.system import System, eventually, running_system

pytestmark = pytest.mark.xdist_group("fence")

# Longer than a lease (15 s), the start of who waits for it, and one of its rounds.
TAKE_OVER_SECONDS = 90


@pytest.fixture(scope="module")
def own_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("fence"), params={"retry_count": "0"}) as system:
        yield system


def test_a_dispatcher_that_stood_still_past_its_lease_forgets_whom_it_was_about_to_call(
    own_system: System, tmp_path: Path
) -> None:
    """Of three faxes to one number two wait in its memory when it is stopped."""
    system, tiff, before = own_system, make_tiff(tmp_path / "a.tif", "dispatcher"), _starts(own_system)
    numbers = ["7721011", "7721011", "7721011", "7721012"]
    faxes = [uuid for number in numbers for uuid in system.plan(ALICE, number, tiff)]
    system.begin(*faxes[:3])
    waiting = select(Delivery).where(Delivery.uuid.in_(faxes), Delivery.admitted)
    eventually(lambda: len(system.read(waiting)) == 2, 60, "two do not wait")
    with ExitStack() as until_the_end:
        with _standing_still(system, "dispatcher"):
            second = until_the_end.enter_context(_second(system, "jobs.dispatcher"))
            eventually(lambda: _holds(system, "dispatcher", second), TAKE_OVER_SECONDS, "it does not take over")
            system.begin(faxes[3])
            eventually(lambda: system.attempts(faxes[3]), 60, "the second dispatcher does not call")
        calls = _one_call_each(system, dict(zip(faxes, numbers, strict=True)), tiff, before)
    to_one_number = sorted(calls[:3], key=lambda call: call.created_at)
    assert all(first.ended_at and first.ended_at <= then.created_at for first, then in pairwise(to_one_number))


def test_a_bridge_that_stood_still_past_its_lease_places_nothing_that_another_has_placed(
    own_system: System, tmp_path: Path
) -> None:
    """It is stopped when it has laid out the pages of a call: most often before its claim, sometimes right after."""
    system, tiff, before = own_system, make_tiff(tmp_path / "a.tif", "bridge"), _starts(own_system)
    numbers = ["7721013", "7721014", "7721015"]
    faxes = system.plan(ALICE, ",".join(numbers), tiff)
    with ExitStack() as until_the_end:
        spooled = _spooled(system)
        system.begin(*faxes[:2])
        with _standing_still(system, "bridge", since=partial(_wait_for_spooled_pages, before=spooled)):
            second = until_the_end.enter_context(_second(system, "ami_bridge.main"))
            system.begin(faxes[2])
            lease = f"bridge:{system.settings.gateway}"
            eventually(lambda: _holds(system, lease, second), TAKE_OVER_SECONDS, "it does not take over")
            # Until every call is over: Asterisk itself would refuse a second one of a call that lives.
            for uuid in faxes:
                assert system.ended(ALICE, uuid)["state"] == "sent"
        _one_call_each(system, dict(zip(faxes, numbers, strict=True)), tiff, before)


def test_a_call_that_was_placed_long_after_it_was_over_is_hung_up_before_it_carries_a_page(
    own_system: System, tmp_path: Path
) -> None:
    """What is left of a bridge that stood still just between its last look and its writing: its Originate."""
    system, settings = own_system, own_system.settings
    (uuid,) = system.send(ALICE, "7721016", make_tiff(tmp_path / "a.tif", "too late"))
    assert system.ended(ALICE, uuid)["state"] == "sent"
    (call,) = system.attempts(uuid)
    with Ami(settings.port("gateway_ami"), tel.AMI_USER_BRIDGE, settings.secret("ami_bridge")) as ami:
        ami.ask(
            {
                "Action": "Originate",
                "ActionID": call.id,
                "ChannelId": call.id,
                "Channel": "PJSIP/7721016@pstn",
                "Context": tel.CONTEXT_OUT,
                "Exten": tel.START,
                "Priority": "1",
                "Async": "true",
            },
            [(tel.ATTEMPT_ID, call.id), (tel.SEND_MODE, tel.MODE_T38), (tel.CALL_LIMIT, "120")],
        )
    system.wanted_breaches.add("placed_twice")
    # A fax of one page takes some 25 s.
    eventually(lambda: ended_calls(system).count(call.id) == 2, 15, "it is not hung up")
    assert started_calls(system).count(call.id) == 2
    assert len(network_phone.received(settings, "7721016", NUMBERS[ALICE])) == 1
    row = system.ended(ALICE, uuid)
    assert (row["state"], row["attempts"]) == ("sent", 1)


def test_congestion_is_tried_over_the_second_trunk_at_once(own_system: System, tmp_path: Path) -> None:
    """Both lead to the same network. On a shared system other faxes would go by audio for a moment."""
    (uuid,) = own_system.send(ALICE, "7722034", make_tiff(tmp_path / "a.tif", "congestion"))
    row = own_system.ended(ALICE, uuid)
    assert (row["state"], row["cause"], row["attempts"]) == ("failed", "congestion", 2)


@contextmanager
def _standing_still(system: System, service: str, since: Callable[[System], None] = lambda _: None) -> Iterator[None]:
    """A service that does nothing within the block, and no supervisor to end it; the database is not locked by it."""
    pid = system.pid(service)
    with stopped(supervisor_pid(system)):
        since(system)
        while True:
            with stopped(pid):
                if not _is_locked(system):
                    yield
                    return
            time.sleep(0.05)


def _is_locked(system: System) -> bool:
    with closing(sqlite3.connect(system.home / "netfax.db", timeout=0.3)) as database:
        try:
            database.execute("begin immediate")
        except sqlite3.OperationalError:
            return True
        return False


@contextmanager
def _second(system: System, module: str) -> Iterator[int]:
    """One more process of a service until the end of the block; its pid."""
    with (system.home / "log" / f"second-{module}.log").open("wb") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", module],
            env=system.environment,
            cwd=CHECKOUT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process.pid
        assert process.poll() is None, f"{module} has ended by itself"
    finally:
        process.terminate()
        process.wait(20)


def _holds(system: System, lease: str, pid: int) -> bool:
    (row,) = system.read(select(Lease).where(Lease.name == lease))
    return f":{pid}:" in row.holder


def _spooled(system: System) -> set[Path]:
    return set((system.home / "gateway" / tel.SPOOL_OUT).glob("*.tif"))


def _wait_for_spooled_pages(system: System, before: set[Path]) -> None:
    """Return when the pages of one more call lie in the spool; asked without a pause, for its claim comes next."""
    deadline = time.monotonic() + 30
    while _spooled(system) <= before:
        assert time.monotonic() < deadline, "no call is being placed"


def _starts(system: System) -> set[str]:
    return set(started_calls(system))


def _one_call_each(system: System, faxes: dict[str, str], tiff: Path, before: set[str]) -> list[Attempt]:
    """Wait until every fax (public id: number) has ended: sent by one call, which Asterisk and the far end saw once."""
    calls = []
    for uuid in faxes:
        row = system.ended(ALICE, uuid)
        assert (row["state"], row["tries"]) == ("sent", 1)
        calls += system.attempts(uuid)
    assert len(calls) == len(faxes)
    assert Counter(call for call in started_calls(system) if call not in before) == Counter(call.id for call in calls)
    for number, count in Counter(faxes.values()).items():
        heard = network_phone.received(system.settings, number, NUMBERS[ALICE])
        assert len(heard) == count
        for fax in heard:
            assert_same_pages(tiff, fax.tiff)
    return calls
