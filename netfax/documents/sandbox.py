"""The one door through which a program meets a file from outside.

The program sees a read-only system, copies of the files handed to it, and a `/tmp` in memory; it has no network, no
home, no capability, no other process. What it makes leaves through files that the caller opened: whatever it does,
it can neither choose their names nor reach anything else on the disk. (`bwrap`, bubblewrap 0.8.)
"""

import os
import secrets
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

NOBODY = 65534
# As root, each run is a user of its own, a number that no account has: processes are counted by user, and what else
# runs as nobody on this machine must not use up the limit.
STRANGERS = range(0x70000000, 0x70FFFFFF)
# What a program may say on its standard output and error before we stop listening.
MAX_SAID = 256 * 1024
MAX_PROCESSES = 64
SEARCH_PATH = "/usr/bin:/bin"
# How much longer than its time of work a program may take that works only when nothing else does.
IDLE_PATIENCE = 10
MAX_OPEN_FILES = 256
TMP_BYTES = 256 * 1024 * 1024
# Parts of the system beside /usr that programs need to find their libraries and fonts.
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/fonts", "/etc/alternatives", "/var/cache/fontconfig")
SYSTEM_FOLDERS = ("/bin", "/lib", "/lib32", "/lib64", "/sbin")


@dataclass(frozen=True)
class Completed:
    """A program that ended by itself with exit status 0, and the start of what it said."""

    stdout: bytes
    stderr: bytes


class SandboxError(RuntimeError):
    """A program in the sandbox did not end well."""


class SandboxUnavailable(SandboxError):
    """The sandbox itself can't be made on this machine: nothing of the program ran."""


class ProgramTimedOut(SandboxError):
    """The program was still running at its limit, wall clock or CPU, and was killed with all its children."""


class ProgramKilled(SandboxError):
    """The program was killed, and by none of its limits: from outside, or by a machine without memory."""


class ProgramFailed(SandboxError):
    """The program ended with another exit status than 0, or by a signal (`128 + number`)."""

    def __init__(self, program: str, status: int, stderr: bytes) -> None:
        self.status = status
        self.stderr = stderr
        super().__init__(f"{program} ended with status {status}: {stderr[-2000:].decode(errors='replace')}")


def inside(index: int) -> str:
    """The path at which a sandboxed program finds the file `inputs[index]`."""
    return f"/in/{index}"


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    memory: int,
    inputs: Sequence[Path] = (),
    outputs: Sequence[BinaryIO] = (),
    readable: Sequence[Path] = (),
    environment: dict[str, str] | None = None,
    max_output: int = 64 * 1024 * 1024,
    idle: bool = False,
) -> Completed:
    """Run a program as nobody in a sandbox of its own and return what it said.

    `timeout` in seconds of wall clock and of CPU, `memory` and `max_output` in bytes. `inputs` are copied to
    `inside(index)`; `outputs` are open files, inherited under their own descriptor numbers; `readable` folders are
    mounted read-only where they are. What is `idle` works while nothing else does, and by the wall clock may take
    `IDLE_PATIENCE` times as long.

    Raises SandboxUnavailable, ProgramTimedOut or ProgramFailed.
    """
    with ExitStack() as stack:
        handed = [stack.enter_context(path.open("rb")) for path in inputs]
        running = start(
            argv,
            cpu_seconds=timeout,
            memory=memory,
            copied=handed,
            inherited=[file.fileno() for file in outputs],
            readable=readable,
            environment=environment,
            max_output=max_output,
            idle=idle,
        )
        return running.finish(timeout * IDLE_PATIENCE if idle else timeout)


def start(
    argv: Sequence[str],
    *,
    cpu_seconds: float,
    memory: int,
    copied: Sequence[BinaryIO] = (),
    inherited: Sequence[int] = (),
    readable: Sequence[Path] = (),
    environment: dict[str, str] | None = None,
    max_output: int = 64 * 1024 * 1024,
    idle: bool = False,
) -> "Running":
    """Start a program as `run` does; `inherited` are descriptors, and whoever starts it ends it by `finish` or `kill`.

    It dies with the thread that has started it.
    """
    command = [
        *_walls(readable, environment or {}),
        *_copies(copied),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        "--",
        *_as_nobody(),
        *_limits(cpu_seconds, memory, max_output),
        *(("chrt", "--idle", "0") if idle else ()),
        *argv,
    ]
    stdout = os.fdopen(os.memfd_create("stdout"), "w+b")
    stderr = os.fdopen(os.memfd_create("stderr"), "w+b")
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=[*(file.fileno() for file in copied), *inherited],
            env={"PATH": SEARCH_PATH},
        )
    except FileNotFoundError as missing:
        stdout.close()
        stderr.close()
        raise SandboxUnavailable("bwrap is not installed (Debian package bubblewrap)") from missing
    return Running(argv[0], process, stdout, stderr)


class Running:
    """A program at work in its sandbox.

    The outer bwrap's end ends the first process of the sandbox, and with that the kernel ends all the others; so they
    end too when this process dies.
    """

    def __init__(self, program: str, process: subprocess.Popen[bytes], stdout: BinaryIO, stderr: BinaryIO) -> None:
        self._program = program
        self._process = process
        self._stdout = stdout
        self._stderr = stderr

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def finish(self, timeout: float) -> Completed:
        """Wait for its end, so many seconds at most; raises as `run` does."""
        try:
            # Popen.wait would look only every 50 ms, which is half of what a small document takes.
            ended = os.pidfd_open(self._process.pid)
            try:
                in_time = bool(select.select([ended], [], [], timeout)[0])
            finally:
                os.close(ended)
                self._process.kill()
            status = self._process.wait()
            said, complained = _start_of(self._stdout), _start_of(self._stderr)
        finally:
            self.kill()
        if not in_time:
            raise ProgramTimedOut(f"{self._program} ran longer than {timeout} s")
        if status == 0:
            return Completed(said, complained)
        # Without an answer, and only then, these words are bwrap's own.
        if complained.startswith(b"bwrap: ") and not said:
            raise SandboxUnavailable(complained.decode(errors="replace").strip())
        if status == 128 + signal.SIGXCPU:
            raise ProgramTimedOut(f"{self._program} used up its time")
        if status in (128 + signal.SIGKILL, -signal.SIGKILL):
            raise ProgramKilled(f"{self._program} was killed")
        raise ProgramFailed(self._program, status, complained)

    def kill(self) -> None:
        """End it with all its children, whatever it does; once is enough."""
        self._process.kill()
        self._process.wait()
        self._stdout.close()
        self._stderr.close()


def _start_of(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(MAX_SAID)


def _walls(readable: Sequence[Path], environment: dict[str, str]) -> Iterator[str]:
    """The sandbox's arguments: what is there, and that nothing else is."""
    yield from ("bwrap", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL")
    if os.geteuid() == 0:
        # No user namespace: root would stay root outside. Just enough to become nobody (`_as_nobody`), gone after it.
        yield from ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP")
        yield from ("--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    else:
        yield from ("--unshare-all", "--uid", str(NOBODY), "--gid", str(NOBODY))
    yield from ("--hostname", "sandbox")
    yield from ("--ro-bind", "/usr", "/usr")
    for folder in map(Path, SYSTEM_FOLDERS):
        if folder.is_symlink():
            yield from ("--symlink", str(folder.readlink()), str(folder))
        elif folder.is_dir():
            yield from ("--ro-bind", str(folder), str(folder))
    yield from ("--proc", "/proc", "--dev", "/dev")
    # Before the folders: they may lie below the machine's own /tmp.
    yield from ("--perms", "1777", "--size", str(TMP_BYTES), "--tmpfs", "/tmp", "--chdir", "/tmp")  # noqa: S108
    for path in [path for path in map(Path, SYSTEM_FILES) if path.exists()] + list(readable):
        yield from _passable(path)
        yield from ("--ro-bind", str(path), str(path))
    for key, value in ({"PATH": SEARCH_PATH, "HOME": "/tmp", "LANG": "C.UTF-8"} | environment).items():  # noqa: S108
        yield from ("--setenv", key, value)


def _passable(path: Path) -> Iterator[str]:
    """Folders on the way to a mount; those that bwrap makes unasked are closed to nobody."""
    for parent in list(reversed(path.parents))[1:]:
        yield from ("--perms", "0755", "--dir", str(parent))


def _copies(handed: Sequence[BinaryIO]) -> Iterator[str]:
    """Files are handed over as copies: nobody may read them although they are private outside, and none can change."""
    for index, file in enumerate(handed):
        yield from ("--perms", "0444", "--ro-bind-data", str(file.fileno()), inside(index))


def _as_nobody() -> Iterator[str]:
    """Become nobody, outside too, when we are root; else the sandbox's own user namespace calls us nobody."""
    if os.geteuid() == 0:
        stranger = secrets.choice(STRANGERS)
        yield from ("setpriv", f"--reuid={stranger}", f"--regid={stranger}", "--clear-groups", "--inh-caps=-all")
        yield from ("--bounding-set=-all", "--no-new-privs")


def _limits(timeout: float, memory: int, max_output: int) -> Iterator[str]:
    yield from (
        "prlimit",
        f"--as={memory}",
        f"--cpu={int(timeout) + 1}:{int(timeout) + 3}",
        f"--fsize={max_output}",
        "--core=0",
    )
    yield from (f"--nproc={MAX_PROCESSES}", f"--nofile={MAX_OPEN_FILES}")


def python_folders() -> list[Path]:
    """The folders to make `readable` for this Python and its libraries, wherever they were installed."""
    wanted: list[Path] = []
    for folder in (Path(sys.prefix), Path(sys.base_prefix), Path(sys.base_prefix).resolve()):
        if not folder.is_relative_to("/usr") and folder not in wanted:
            wanted.append(folder)
    return wanted
