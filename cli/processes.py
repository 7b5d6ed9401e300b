"""What the kernel knows of our processes: who belongs to a service, how much memory it takes, and how all of it ends.

A service is the leader of a session of its own and bears a mark in its environment. Its tree is every process of that
session or with that mark, and every descendant of those: a child that made a session of its own and outlived its
parent still counts by the mark, and one that overwrote its environment (Redis does) by the session. A process is named
by its id and its start time together: the id alone may be used again by a stranger.
"""

import os
import signal
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from netfax.boot import uptime

PROC = Path("/proc")
# The environment variable that marks the processes of a service; its value holds a random id of the run.
MARK = "NETFAX_SERVICE"


@dataclass(frozen=True)
class Process:
    """One line of the process table; `start_ticks` is clock ticks since boot (proc(5), field 22 of stat)."""

    pid: int
    parent: int
    session: int
    start_ticks: int
    name: str
    zombie: bool


def look(pid: int) -> Process | None:
    """The process of that id, or None when it is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in parentheses and may hold any character, so count from the last one.
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return Process(
        pid=pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        start_ticks=int(fields[19]),
        name=head.partition("(")[2],
        zombie=fields[0] in "ZX",
    )


def is_alive(pid: int, start_ticks: int) -> bool:
    """Whether this very process still runs; one that merely waits to be reaped does not."""
    found = look(pid)
    return found is not None and found.start_ticks == start_ticks and not found.zombie


def start_ticks(pid: int) -> int:
    """The start time of a process that is known to be there (our own, or a child not yet reaped)."""
    found = look(pid)
    if found is None:
        raise ProcessLookupError(pid)
    return found.start_ticks


def started_at(ticks: int) -> float:
    """Start ticks as Unix time in seconds."""
    age = uptime() - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def tree(leader: int, leader_ticks: int, mark: str) -> list[Process]:
    """Every living process of the session that `leader` began or that bears `mark`, and their descendants."""
    table = [process for entry in PROC.iterdir() if entry.name.isdigit() and (process := look(int(entry.name)))]
    # When the id has passed to a stranger, so may have the session's.
    own_session = all(process.start_ticks == leader_ticks for process in table if process.pid == leader)
    children: dict[int, list[Process]] = defaultdict(list)
    for process in table:
        children[process.parent].append(process)
    entry = f"{MARK}={mark}".encode()
    waiting = [process for process in table if (own_session and process.session == leader) or _has(process.pid, entry)]
    found: dict[int, Process] = {}
    while waiting:
        process = waiting.pop()
        if process.pid not in found:
            found[process.pid] = process
            waiting += children[process.pid]
    return [process for process in found.values() if not process.zombie]


def _has(pid: int, entry: bytes) -> bool:
    """Whether that line stands in the environment of the process; not so for those that are not ours to read."""
    try:
        return entry in (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def kill_tree(leader: int, leader_ticks: int, mark: str, patience: float = 2.0) -> bool:
    """SIGKILL a service's whole tree, again until nothing of it is left.

    False when something outlived `patience` seconds.
    """
    end = time.monotonic() + patience
    while members := tree(leader, leader_ticks, mark):
        if time.monotonic() > end:
            return False
        for process in members:
            send(process.pid, process.start_ticks, signal.SIGKILL)
        time.sleep(0.02)
    return True


def send(pid: int, ticks: int, what: signal.Signals) -> bool:
    """Send a signal to this very process and to no later one of the same id; False when it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(pid, ticks):
            return False
        signal.pidfd_send_signal(handle, what)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def pss_kb(pids: list[int]) -> int:
    """Their memory in KiB, each shared page counted in parts among those that share it (PSS)."""
    return sum(_pss_kb(pid) for pid in pids)


def _pss_kb(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it ended meanwhile
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
