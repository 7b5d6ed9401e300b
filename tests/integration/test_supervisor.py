"""The supervisor with small stand-in services: it keeps them running, ends them in order and leaves nothing behind."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cli import keeper, processes, runstate, status, supervisor
from cli.probes import ProbeError
from cli.runstate import AlreadyRunning, ServiceRecord
from cli.services import Port, PortInUse, Service, Watch, check_ports
from cli.supervisor import Supervisor, rotate, stop_waves
from netfax.boot import boot_id
from netfax.settings import CHECKOUT, Settings

SLEEP = ("sleep", "1000")


def answers() -> str:
    return "here"


def is_there(path: Path) -> Callable[[], str]:
    """A probe that answers once the file is there."""

    def ask() -> str:
        if not path.exists():
            raise ProbeError(f"no {path.name} yet")
        return "there"

    return ask


def shell(name: str, script: str, **values: object) -> Service:
    return Service(name, name, name, ("sh", "-c", script), **{"probe": answers, **values})  # type: ignore[arg-type]


def no_beats() -> dict[str, tuple[float, str]]:
    return {}


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.01)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", port_base=22000)


@contextmanager
def running(settings: Settings, *services: Service) -> Iterator[Supervisor]:
    chief = Supervisor(settings, services)
    chief.start()
    try:
        yield chief
    finally:
        chief.stop()


def record(chief: Supervisor, name: str) -> ServiceRecord:
    return next(found for found in chief.records if found.name == name)


def pid(chief: Supervisor, name: str) -> int:
    found = record(chief, name).pid
    assert found is not None
    return found


def test_service_that_is_killed_is_started_again(settings: Settings) -> None:
    with running(settings, Service("one", "一", "One", SLEEP, answers)) as chief:
        assert chief.wait_ready(10)
        first = pid(chief, "one")
        os.kill(first, signal.SIGKILL)
        until(lambda: record(chief, "one").restarts == 1 and chief.all_up)
        assert pid(chief, "one") != first


def test_child_of_a_dead_service_does_not_live_on_beside_its_successor(settings: Settings, tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = f"setsid sleep 1000 & echo $! > {child}; exec sleep 1000"
    with running(settings, shell("one", script, probe=is_there(child))) as chief:
        assert chief.wait_ready(10)
        until(lambda: child.read_text().strip())
        orphan = int(child.read_text())
        os.kill(pid(chief, "one"), signal.SIGKILL)
        until(lambda: record(chief, "one").restarts == 1 and chief.all_up)
        assert gone(orphan)


def test_service_that_keeps_dying_is_shown_as_failing_and_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "PAUSES", (0.01, 0.01, 0.01, 0.01))
    monkeypatch.setattr(keeper, "FAILING_PAUSE", 1.0)

    def never() -> str:
        raise ProbeError("not yet")

    with running(settings, shell("one", "exit 3", probe=never)) as chief:
        until(lambda: record(chief, "one").state == "failing")
        assert record(chief, "one").restarts == 5
        assert record(chief, "one").detail == "ended with exit code 3, see log/one.log"
        until(lambda: record(chief, "one").restarts >= 7)
        assert record(chief, "one").state == "failing"


def test_program_that_is_not_there_is_failing_with_its_name(settings: Settings) -> None:
    def never() -> str:
        raise ProbeError("not yet")

    with running(settings, Service("one", "一", "One", ("/nowhere/program",), never)) as chief:
        until(lambda: record(chief, "one").restarts >= 1)
        until(lambda: "/nowhere/program" in (settings.log_dir / "one.log").read_text())


def test_service_that_is_not_ready_in_its_time_is_started_again(settings: Settings) -> None:
    def never() -> str:
        raise ProbeError("still loading")

    with running(settings, Service("one", "一", "One", SLEEP, never, ready_seconds=0.2)) as chief:
        until(lambda: record(chief, "one").restarts == 1)
        assert not chief.all_up


def test_beat_of_an_earlier_life_does_not_make_a_service_ready(settings: Settings) -> None:
    beats = [0.0]
    service = Service("one", "一", "One", SLEEP, answers, last_beat=lambda: beats[0])
    with running(settings, service) as chief:
        until(lambda: record(chief, "one").detail == "no sign of life since its start")
        beats[0] = time.time()
        assert chief.wait_ready(10)


def test_service_survives_an_unforeseen_error_of_its_probe(settings: Settings) -> None:
    errors = [ZeroDivisionError("oops")]

    def probe() -> str:
        if errors:
            raise errors.pop()
        return "here"

    with running(settings, Service("one", "一", "One", SLEEP, probe)) as chief:
        assert chief.wait_ready(10)
        assert record(chief, "one").restarts == 1


def test_service_waits_for_those_it_needs(settings: Settings, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    first = Service("first", "一", "First", SLEEP, is_there(ready))
    second = Service("second", "二", "Second", SLEEP, answers, after=("first",))
    with running(settings, second, first) as chief:
        until(lambda: record(chief, "first").pid)
        time.sleep(0.3)
        assert record(chief, "second").pid is None
        ready.touch()
        assert chief.wait_ready(10)


def test_services_end_before_those_they_need(settings: Settings, tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = f"trap 'echo $0 >> {order}; exit' TERM; touch {tmp_path}/$0; while :; do sleep 0.05; done"

    def service(name: str, *after: str) -> Service:
        argv = ("sh", "-c", script, name)
        return Service(name, name, name, argv, is_there(tmp_path / name), after=after)

    services = (service("base"), service("middle", "base"), service("top", "middle"))
    with running(settings, *services) as chief:
        assert chief.wait_ready(10)
    assert order.read_text().split() == ["top", "middle", "base"]
    assert stop_waves(services) == [["base"], ["middle"], ["top"]]


def test_stubborn_service_and_its_children_are_killed(settings: Settings, tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = f"trap '' TERM; setsid sleep 1000 & echo $! > {child}; while :; do sleep 1; done"
    with running(settings, shell("one", script, probe=is_there(child), grace=0.2)) as chief:
        assert chief.wait_ready(10)
        leader = pid(chief, "one")
        until(lambda: child.read_text().strip())
        began = time.monotonic()
        chief.stop()
        assert time.monotonic() - began < 3
    assert gone(leader)
    assert gone(int(child.read_text()))


def test_stop_signal_reaches_the_process_that_the_service_names(settings: Settings, tmp_path: Path) -> None:
    ready, done = tmp_path / "ready", tmp_path / "done"
    script = f"touch {ready}; sleep 1000; echo $? > {done}"
    with running(settings, shell("one", script, probe=is_there(ready), signalled="sleep")) as chief:
        assert chief.wait_ready(10)
        leader = pid(chief, "one")
        until(lambda: any(member.name == "sleep" for member in tree_of(chief, "one")))
    assert gone(leader)
    assert done.read_text().strip() == str(128 + signal.SIGTERM)


def test_mute_service_is_killed_and_replaced(settings: Settings, tmp_path: Path) -> None:
    mute = tmp_path / "mute"

    def probe() -> str:
        if mute.exists():
            raise ProbeError("it says nothing")
        return "here"

    watched = Service("agi", "一", "One", SLEEP, probe, watch=Watch(every=0.05, mute=0.2))
    with running(settings, watched) as chief:
        assert chief.wait_ready(10)
        first = pid(chief, "agi")
        mute.touch()
        until(lambda: gone(first))
        mute.unlink()
        until(lambda: record(chief, "agi").restarts >= 1 and chief.all_up)


def test_second_run_on_the_same_home_is_refused_and_names_the_first(settings: Settings) -> None:
    with running(settings), pytest.raises(AlreadyRunning, match=f"already running: {os.getpid()}"):
        Supervisor(settings, ()).start()


def test_home_can_be_run_again_after_a_stop(settings: Settings) -> None:
    for _ in range(2):
        with running(settings, Service("one", "一", "One", SLEEP, answers)) as chief:
            assert chief.wait_ready(10)
        assert not runstate.is_running(settings.home)
        assert runstate.read(settings.home) is None
        # As a power cut may leave it.
        (settings.home / "run" / "supervisor.json").write_text('{"run_id": ')
        assert runstate.read(settings.home) is None


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_port_in_use_is_named_before_anything_starts(settings: Settings, protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with closing(socket.socket(socket.AF_INET, kind)) as taken:
        taken.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            taken.listen()
        number = taken.getsockname()[1]
        port = Port(protocol, "127.0.0.1", number)
        chief = Supervisor(settings, [Service("one", "一", "One", SLEEP, answers, ports=(port,))])
        with pytest.raises(PortInUse, match=f"{number}/{protocol.upper()}.*NETFAX_PORT_BASE"):
            chief.start()
    assert record(chief, "one").pid is None
    assert not runstate.is_running(settings.home)
    check_ports([Service("one", "一", "One", SLEEP, answers, ports=(port,))])


def test_log_holds_what_a_service_writes_and_is_rotated_by_size(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(supervisor, "_FILES_EVERY", 0.05)
    script = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.002; done"
    own = tmp_path / "messages"
    own.write_text("a line of Asterisk's own\n" * 100)
    chief = Supervisor(settings, [replace(shell("one", script), own_logs=(own,))], log_bytes=1000)
    chief.start()
    try:
        until((settings.log_dir / "one.log.3").exists)
    finally:
        chief.stop()
    logs = [settings.log_dir / name for name in ("one.log.3", "one.log.2", "one.log.1", "one.log")]
    numbers = [int(line.split()[1]) for log in logs for line in log.read_text().splitlines()]
    # A line that is written while a log is rotated may be lost with it.
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] + 1 - len(numbers) <= 3
    assert not (settings.log_dir / "one.log.4").exists()
    assert own.read_text() == ""
    assert own.with_name("messages.1").read_text().count("\n") == 100


def test_full_disk_ends_no_keeper_and_its_state_file_is_written_once_there_is_room(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    write = runstate.write

    def no_room(*arguments: object) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*arguments)  # type: ignore[arg-type]

    def terminal(_record: ServiceRecord) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(supervisor, "_FILES_EVERY", 0.05)
    chief = Supervisor(settings, [Service("one", "一", "One", SLEEP, answers)], terminal)
    full = False
    chief.start()
    try:
        assert chief.wait_ready(10)
        monkeypatch.setattr(runstate, "write", no_room)
        full = True
        first = pid(chief, "one")
        os.kill(first, signal.SIGKILL)
        until(lambda: record(chief, "one").restarts == 1 and chief.all_up)
        stale = runstate.read(settings.home)
        assert stale is not None and stale.services[0].pid == first
        full = False
        until(lambda: runstate.read(settings.home).services == chief.records)  # type: ignore[union-attr]
    finally:
        full = False
        chief.stop()


def test_log_below_its_limit_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    log.write_text("a line\n")
    assert not rotate(log, 1000)
    assert not rotate(tmp_path / "none.log", 1000)
    assert log.read_text() == "a line\n"


def test_state_file_tells_pids_and_restarts(settings: Settings) -> None:
    with running(settings, Service("one", "一", "One", SLEEP, answers)) as chief:
        assert chief.wait_ready(10)
        stored = json.loads((settings.run_dir / "supervisor.json").read_text())
        assert stored["pid"] == os.getpid()
        assert stored["services"][0] | {"changed_at": 0} == {
            "name": "one",
            "state": "up",
            "pid": pid(chief, "one"),
            "start_ticks": processes.start_ticks(pid(chief, "one")),
            "started_at": record(chief, "one").started_at,
            "changed_at": 0,
            "restarts": 0,
            "detail": "",
            "mark": f"{stored['run_id']}/one",
        }


def test_status_tells_each_service_and_the_memory_of_its_tree(settings: Settings) -> None:
    services = (Service("one", "一", "One", SLEEP, answers), Service("two", "二", "Two", SLEEP, answers))
    with running(settings, *services) as chief:
        assert chief.wait_ready(10)
        machine = status.collect(settings, no_beats, services)
        assert [(row.name, row.state, row.detail) for row in machine.services[:2]] == [
            ("one", "up", "here"),
            ("two", "up", "here"),
        ]
        assert machine.all_up
        assert all(row.pss_kb > 0 for row in machine.services)
        assert machine.total_pss_kb == sum(row.pss_kb for row in machine.services)
    machine = status.collect(settings, no_beats, services)
    assert [row.state for row in machine.services] == ["down", "down", "down"]
    assert not machine.all_up


def test_service_that_lives_but_does_not_answer_is_not_up(settings: Settings) -> None:
    service = Service("one", "一", "One", SLEEP, answers)

    def deaf() -> str:
        raise ProbeError("no answer")

    with running(settings, service) as chief:
        assert chief.wait_ready(10)
        machine = status.collect(settings, no_beats, [replace(service, probe=deaf)])
        assert (machine.services[0].state, machine.services[0].detail) == ("failing", "no answer")
        assert not machine.all_up


def test_run_forever_returns_when_told_to_end(settings: Settings) -> None:
    with running(settings, Service("one", "一", "One", SLEEP, answers)) as chief:
        threading.Timer(0.1, chief.end).start()
        chief.run_forever()


def test_one_that_still_prepares_its_home_is_ended_too(settings: Settings) -> None:
    program = "import sys, time; from pathlib import Path; from cli.runstate import RunLock\n"
    program += "with RunLock(Path(sys.argv[1])): print('locked', flush=True); time.sleep(1000)"
    argv = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-c", program, str(settings.home)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            assert runstate.stop(settings.home)
            assert not runstate.is_running(settings.home)
        finally:
            process.kill()
        assert process.wait(10) == -signal.SIGTERM
    assert not runstate.stop(settings.home)


# --- A supervisor in a process of its own ---

PROGRAM = """
import sys
from pathlib import Path
from cli.services import Service
from cli.supervisor import Supervisor, ends_on_signal
from netfax.settings import Settings

home = Path(sys.argv[1])
script = "setsid sleep 1000 & echo $! > %s/grandchild; exec sleep 1000" % home
services = [
    Service("one", "一", "One", ("sleep", "1000"), lambda: ""),
    Service("two", "二", "Two", ("sh", "-c", script), lambda: "", after=("one",)),
]
chief = Supervisor(Settings(home=home, port_base=22000), services)
with ends_on_signal():
    try:
        chief.start()
        assert chief.wait_ready(20)
        print("ready", flush=True)
        chief.run_forever()
    except KeyboardInterrupt:
        pass
    finally:
        chief.stop()
"""


@pytest.fixture
def separate(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    argv = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-c", PROGRAM, str(settings.home)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            until((settings.home / "grandchild").exists)
            until(lambda: (settings.home / "grandchild").read_text().strip())
            yield process
        finally:
            process.kill()


def everything(settings: Settings) -> list[int]:
    """The process ids of all services, of their children and of the guardian."""
    run = runstate.read(settings.home)
    assert run is not None
    assert run.guardian_pid is not None
    pids = [service.pid for service in run.services if service.pid is not None]
    assert len(pids) == 2
    return [*pids, int((settings.home / "grandchild").read_text()), run.guardian_pid]


def test_killed_supervisor_leaves_nothing_behind(separate: subprocess.Popen[str], settings: Settings) -> None:
    pids = everything(settings)
    separate.kill()
    separate.wait()
    until(lambda: all(gone(pid) for pid in pids))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_everything(separate: subprocess.Popen[str], settings: Settings, number: signal.Signals) -> None:
    pids = everything(settings)
    separate.send_signal(number)
    assert separate.wait(15) == 0
    assert all(gone(pid) for pid in pids)


def test_stop_from_elsewhere_waits_until_all_is_gone(separate: subprocess.Popen[str], settings: Settings) -> None:
    pids = everything(settings)
    assert runstate.stop(settings.home)
    assert all(gone(pid) for pid in pids)
    assert separate.wait(5) == 0
    assert not runstate.stop(settings.home)


def test_stop_kills_a_supervisor_that_is_stuck(
    separate: subprocess.Popen[str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runstate, "STOP_PATIENCE", 0.3)
    pids = everything(settings)
    separate.send_signal(signal.SIGSTOP)
    assert runstate.stop(settings.home)
    assert separate.wait(5) == -signal.SIGKILL
    until(lambda: all(gone(pid) for pid in pids))


def test_stop_spares_a_stranger_that_has_the_old_process_id(settings: Settings) -> None:
    with subprocess.Popen(SLEEP) as stranger:
        try:
            service = ServiceRecord("one", "up", pid=stranger.pid, start_ticks=1)
            settings.run_dir.mkdir(parents=True)
            runstate.write(settings.home, runstate.RunRecord("x", stranger.pid, 1, boot_id(), None, (service,)))
            assert not runstate.stop(settings.home)
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_next_run_ends_what_a_killed_one_left(settings: Settings) -> None:
    left = subprocess.Popen(SLEEP, start_new_session=True)
    service = ServiceRecord("one", "up", pid=left.pid, start_ticks=processes.start_ticks(left.pid))
    settings.run_dir.mkdir(parents=True)
    runstate.write(settings.home, runstate.RunRecord("x", 1, 1, boot_id(), None, (service,)))
    with running(settings):
        assert left.wait(5) == -signal.SIGKILL


def tree_of(chief: Supervisor, name: str) -> list[processes.Process]:
    found = record(chief, name)
    return processes.tree(pid(chief, name), found.start_ticks, found.mark)


def gone(pid: int) -> bool:
    found = processes.look(pid)
    return found is None or found.zombie
