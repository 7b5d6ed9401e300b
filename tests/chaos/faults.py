"""What is done to a running system, how it is seen to have been done, and how it is undone."""

import errno
import itertools
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from cli import processes
from cli.processes import Process
from netfax.faxes.models import Submission
from tests.system import System, eventually

Victims = Callable[[], Sequence[Process]]

# How soon a fault is to be seen once it is done.
SEEN_SECONDS = 10.0


class NotStruck(Exception):
    """It was done, and nothing came of it: such a run proves nothing."""


class Fault(ABC):
    """Strikes, holds for `seconds`, and is lifted: then nothing of it is left. `NotStruck` when nothing shows it."""

    seconds: float

    @abstractmethod
    def strike(self) -> None: ...

    def hold(self) -> None:
        time.sleep(self.seconds)

    @abstractmethod
    def lift(self) -> None: ...


@dataclass
class OnProcesses(Fault):
    """A fault of some processes; it is over when none of them is left."""

    victims: Victims
    seconds: float = 0.0
    struck: list[Process] = field(default_factory=list)

    def strike(self) -> None:
        self.struck = list(self.victims())
        if not self.struck:
            raise NotStruck("there is no process to strike")

    def hold(self) -> None:
        """What was replaced meanwhile can't be held: from then on it must become right."""
        end = time.monotonic() + self.seconds
        while self.living() and time.monotonic() < end:
            time.sleep(0.1)

    def living(self) -> list[Process]:
        return [each for each in self.struck if processes.is_alive(each.pid, each.start_ticks)]


class Kill(OnProcesses):
    """SIGKILL at this instant; whoever keeps the process starts it anew."""

    def strike(self) -> None:
        super().strike()
        for each in self.struck:
            processes.send(each.pid, each.start_ticks, signal.SIGKILL)
        _seen(lambda: not self.living(), "they live although they were killed")

    def lift(self) -> None:
        """What is dead stays so."""


@dataclass
class Stop(OnProcesses):
    """SIGSTOP for a minute; what was replaced meanwhile is gone, and what was not goes on."""

    seconds: float = 60.0

    def strike(self) -> None:
        super().strike()
        for each in self.struck:
            processes.send(each.pid, each.start_ticks, signal.SIGSTOP)
        _seen(lambda: all(map(_stands, self.struck)), "a thread of theirs runs although they were stopped")

    def lift(self) -> None:
        for each in reversed(self.struck):
            processes.send(each.pid, each.start_ticks, signal.SIGCONT)


def _stands(process: Process) -> bool:
    """Every thread of it is stopped, or it is gone."""
    try:
        threads = [path.read_text() for path in Path(f"/proc/{process.pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return all(thread.rpartition(")")[2].split()[0] in "TtZX" for thread in threads)


@dataclass
class NoSync(OnProcesses):
    """Every fsync and fdatasync of these processes fails with EIO (by strace's injection)."""

    seconds: float = 20.0
    record: Path = field(kw_only=True)
    _tracer: subprocess.Popen[bytes] | None = None

    def strike(self) -> None:
        super().strike()
        self.record.unlink(missing_ok=True)
        calls = "fsync,fdatasync"
        pids = [argument for each in self.struck for argument in ("-p", str(each.pid))]
        inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO"]
        self._tracer = subprocess.Popen(
            ["strace", "-f", "-q", "-o", self.record, *inject, *pids],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _seen(lambda: all(map(_is_traced, self.living())), "strace has not taken hold of them")

    def lift(self) -> None:
        if self._tracer is None:
            return
        # By no gentler signal: it may wait for a thread that waits for another. Whom it held goes on.
        self._tracer.kill()
        self._tracer.wait()
        if "(INJECTED)" not in self.record.read_text(errors="replace"):
            raise NotStruck("none of them has called fsync")


def _is_traced(process: Process) -> bool:
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in lines)


@dataclass
class Cut(Fault):
    """Connections of these TCP ports are reset, each at its next packet, and new ones refused."""

    ports: Sequence[int | str]
    seconds: float = 20.0
    target: tuple[str, ...] = ("REJECT", "--reject-with", "tcp-reset")
    protocol: str = "tcp"
    number: int = field(default_factory=itertools.count().__next__, init=False)

    def strike(self) -> None:
        self._rules("-A")

    def lift(self) -> None:
        met = self._packets()
        self._rules("-D")
        if not met:
            raise NotStruck("no packet has met it")

    def _rules(self, act: str) -> None:
        # A reset is itself a packet of the connection, and must arrive.
        kind = [self.protocol, *(() if self.target == ("DROP",) else ("!", "--tcp-flags", "RST", "RST"))]
        for port in self.ports:
            for side in ("--dport", "--sport"):
                named = ["-m", "comment", "--comment", self._comment]
                rule = ["iptables", "-w", act, "INPUT", "-p", *kind, side, str(port), *named, "-j", *self.target]
                subprocess.run(rule, check=True)

    def _packets(self) -> int:
        listed = subprocess.run(["iptables", "-w", "-nvxL", "INPUT"], check=True, capture_output=True, text=True)
        return sum(int(line.split()[0]) for line in listed.stdout.splitlines() if f"/* {self._comment} */" in line)

    @property
    def _comment(self) -> str:
        return f"cut-{self.number}"


def silence(ports: Sequence[int | str], protocol: str = "tcp", seconds: float = 30.0) -> Cut:
    """Nothing that goes to or comes from these ports arrives, and nobody is told."""
    return Cut(ports, seconds, ("DROP",), protocol)


@dataclass
class FullDisk(Fault):
    """Not a byte is free on the disk of this folder (a small one of its own), nor comes free."""

    folder: Path
    seconds: float = 30.0

    def strike(self) -> None:
        self._fill()

    def hold(self) -> None:
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            time.sleep(0.2)
            self._fill()

    def lift(self) -> None:
        self._filler.unlink()

    def _fill(self) -> None:
        try:
            with self._filler.open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 12))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


@dataclass
class MoveClock(Fault):
    """The clock of every process of ours but Asterisk and Redis is moved, and stays so."""

    control: Path
    by: str
    # Whether a service goes by the moved clock.
    is_followed: Callable[[], bool]
    # What follows is not the fault but what comes of it.
    seconds: float = 0.0

    def strike(self) -> None:
        draft = self.control.with_suffix(".new")
        draft.write_text(self.by)
        draft.replace(self.control)
        _seen(self.is_followed, "no service goes by the moved clock")

    def lift(self) -> None:
        """The clock stays as it is; the next fault moves it on, or back."""


def _seen(look: Callable[[], bool], otherwise: str) -> None:
    try:
        eventually(look, SEEN_SECONDS, otherwise, every=0.02)
    except AssertionError as error:
        raise NotStruck(str(error)) from None


def tree(system: System, service: str) -> Victims:
    """A service's processes: its leader and every descendant."""
    return lambda: _tree(_leader(system, service))


def leader(system: System, service: str) -> Victims:
    return lambda: [_leader(system, service)]


def children(system: System, service: str) -> Victims:
    """What a service's leader has begun, down to the last, while it draws: one waits there at all times."""

    def descendants() -> list[Process]:
        first = _leader(system, service)
        drawing = select(Submission).where(Submission.drawn_by != "", Submission.draw_turn.is_not(None))
        eventually(lambda: system.read(drawing), 30, f"nothing is drawn by {service}", every=0.01)
        return eventually(lambda: _tree(first)[1:], 30, f"{service} has no child", every=0.01)

    return descendants


def _leader(system: System, service: str) -> Process:
    def running() -> Process | None:
        return processes.look(pid) if (pid := system.pid(service)) else None

    return eventually(running, 30, f"{service} does not run")


def _tree(first: Process) -> list[Process]:
    """The leader, then the others."""
    found = processes.tree(first.pid, first.start_ticks, "")
    return [first, *(each for each in found if each.pid != first.pid)]


def named(pids: Callable[[], Sequence[int]]) -> Victims:
    """Those of these ids that are there."""
    return lambda: [found for pid in pids() if (found := processes.look(pid)) and not found.zombie]
