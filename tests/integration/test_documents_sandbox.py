"""The sandbox's walls, each tried from inside."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from netfax.documents.sandbox import (
    Completed,
    ProgramFailed,
    ProgramTimedOut,
    SandboxUnavailable,
    inside,
    python_folders,
    run,
)

CHECKOUT = Path(__file__).resolve().parents[2]
GIGABYTE = 1024**3


def shell(script: str, **options: object) -> str:
    settings: dict[str, object] = {"timeout": 10, "memory": GIGABYTE} | options
    return run(["bash", "-c", script], **settings).stdout.decode()  # type: ignore[arg-type]


def test_the_program_is_nobody_without_capabilities() -> None:
    said = shell("id -u; grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs)' /proc/self/status").split()
    assert int(said[0]) != 0
    assert [value for value in said[1:] if not value.endswith(":")] == ["0000000000000000"] * 5 + ["1"] or (
        os.geteuid() != 0 and said.count("0000000000000000") >= 4
    )


def test_root_is_not_root_outside_either() -> None:
    mark = f"1.{os.getpid()}"
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(shell, f"exec sleep {mark}")
        while not (found := sleeping(mark)):
            assert not ended.done()
            time.sleep(0.01)
        assert psutil.Process(found[0]).uids().effective != 0
        ended.result()


def test_home_and_the_rest_of_the_disk_are_not_there(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    places = f"{Path.home()} {CHECKOUT} {secret} /etc/passwd /etc/shadow /var/log /run"
    assert shell(f"for p in {places}; do test -e $p && echo $p; done; :") == ""


def test_there_is_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        with pytest.raises(ProgramFailed, match=r"Connection refused|unreachable"):
            run(["/usr/bin/python3", "-I", "-c", script], timeout=10, memory=GIGABYTE)


def test_only_tmp_can_be_written_and_that_is_bounded() -> None:
    places = "/ /usr /in /etc /dev /dev/shm /proc/sys/kernel"
    assert shell(f"for p in {places}; do touch $p/x 2>/dev/null && echo $p; done; touch /tmp/x") == ""
    with pytest.raises(ProgramFailed, match=r"No space left|File size limit|too large"):
        shell("for i in 1 2 3 4 5 6; do head -c 60000000 /dev/zero > /tmp/$i || exit 1; done")


def test_files_are_handed_over_as_copies(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.write_text("for your eyes")
    private.chmod(0o600)
    assert shell(f"cat {inside(0)}", inputs=[private]) == "for your eyes"
    with pytest.raises(ProgramFailed):
        shell(f"echo more >> {inside(0)}", inputs=[private])
    assert private.read_text() == "for your eyes"


def test_a_program_writes_only_to_the_file_it_was_given() -> None:
    with tempfile.TemporaryFile() as out:
        assert shell(f"echo made >&{out.fileno()}", outputs=[out]) == ""
        out.seek(0)
        assert out.read() == b"made\n"


def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETFAX_SECRET", "secret")
    names = {line.partition("=")[0] for line in shell("env").splitlines()}
    assert names <= {"HOME", "PATH", "LANG", "PWD", "SHLVL", "_"}


def test_memory_output_and_processes_are_limited() -> None:
    with pytest.raises(ProgramFailed, match="MemoryError"):
        run(["/usr/bin/python3", "-I", "-c", "b = bytearray(600 * 2**20)"], timeout=10, memory=GIGABYTE // 2)
    with pytest.raises(ProgramFailed):
        shell("head -c 2000000 /dev/zero", max_output=1_000_000)
    bomb = "import os, time\nfor _ in range(100): os.fork() or time.sleep(9)"
    with pytest.raises(ProgramFailed, match="BlockingIOError"):
        run(["/usr/bin/python3", "-I", "-c", bomb], timeout=10, memory=GIGABYTE)


def test_a_program_that_talks_too_much_is_heard_in_part() -> None:
    assert len(shell("head -c 3000000 /dev/zero")) < 1_000_000


def test_the_time_limit_kills_the_whole_tree() -> None:
    mark = f"3141.{os.getpid()}"
    started = time.monotonic()
    with pytest.raises(ProgramTimedOut):
        shell(f"sleep {mark} & setsid sleep {mark} & sleep {mark}", timeout=0.5)
    assert time.monotonic() - started < 2
    wait_until_gone(mark)


def test_the_program_ends_when_its_caller_is_killed() -> None:
    mark = f"2718.{os.getpid()}"
    script = f"from netfax.documents.sandbox import run; run(['sleep', '{mark}'], timeout=60, memory=2**30)"
    caller = subprocess.Popen([sys.executable, "-c", script], cwd=CHECKOUT)
    try:
        deadline = time.monotonic() + 5
        while not sleeping(mark):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        caller.send_signal(signal.SIGKILL)
        caller.wait()
    wait_until_gone(mark)


def sleeping(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [])[:2] == ["sleep", mark]:
            found.append(process.pid)
    return found


def wait_until_gone(mark: str) -> None:
    deadline = time.monotonic() + 3
    while sleeping(mark):
        assert time.monotonic() < deadline, "processes are left"
        time.sleep(0.02)


def test_what_a_failed_program_said_is_kept() -> None:
    with pytest.raises(ProgramFailed, match="out of paper") as failure:
        shell("echo out of paper >&2; exit 7")
    assert failure.value.status == 7


def test_a_folder_below_a_private_one_can_be_made_readable(tmp_path: Path) -> None:
    library = tmp_path / "private" / "library"
    library.mkdir(parents=True)
    (library / "module.py").write_text("print('found')")
    (tmp_path / "private").chmod(0o700)
    (tmp_path / "private" / "key").write_text("secret")
    said = shell(f"python3 {library}/module.py; ls {library.parent}", readable=[library])
    assert said.split() == ["found", "library"]


def test_a_machine_without_the_sandbox_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netfax.documents.sandbox.SEARCH_PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match="bubblewrap"):
        shell("true")


def test_a_folder_that_is_not_there_is_our_own_fault() -> None:
    with pytest.raises(SandboxUnavailable, match="/nowhere"):
        shell("true", readable=[Path("/nowhere")])


def test_every_folder_of_this_python_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = tmp_path / "versions" / "3.11.9"
    real.mkdir(parents=True)
    (tmp_path / "3.11").symlink_to(real)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "3.11"))
    assert python_folders() == [tmp_path / "venv", tmp_path / "3.11", real]


def test_a_program_of_status_0_is_completed() -> None:
    assert run(["echo", "done"], timeout=5, memory=GIGABYTE) == Completed(b"done\n", b"")
