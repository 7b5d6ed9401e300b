"""Who runs on this home: the supervisor's lock, its state file, and how what it left behind is ended.

`run/supervisor.lock` is locked as long as a supervisor lives and holds its process id; the kernel lets go of the lock
whatever way the supervisor dies. `run/supervisor.json` tells each service's process and state; it is replaced as a
whole, so a reader never sees half of it. Started as a program (`python -m cli.runstate HOME ID`), this module ends
what the supervisor of that id left behind: the guardian calls it when the supervisor was killed.
"""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, Self

from cli import processes
from netfax.boot import boot_id
from netfax.errors import UserError

State = Literal["up", "down", "starting", "failing"]

# A supervisor ends all within 15 s; after this it is taken for stuck.
STOP_PATIENCE = 20.0


class AlreadyRunning(UserError):
    """Another supervisor holds this home."""

    code = "already_running"
    en = "NetFax is already running on {home} (already running: {pid}); `netfax stop` ends it."
    zh = "NetFax 已在 {home} 上运行（进程号 {pid}）；用 netfax stop 结束它。"


class CannotStop(UserError):
    """Something of the running NetFax could not be ended, for instance because another user started it."""

    code = "cannot_stop"
    en = "Process {pid} of NetFax could not be ended; end it as the user who started it, or as root."
    zh = "无法结束 NetFax 的进程 {pid}；请以启动它的用户或 root 结束它。"


@dataclass(frozen=True)
class ServiceRecord:
    """One service as its supervisor sees it; times are Unix seconds, `restarts` counts since the supervisor began.

    `mark` is what its processes bear in `processes.MARK`.
    """

    name: str
    state: State
    pid: int | None = None
    start_ticks: int = 0
    started_at: float | None = None
    changed_at: float = 0.0
    restarts: int = 0
    detail: str = ""
    mark: str = ""


@dataclass(frozen=True)
class RunRecord:
    """The state file: the supervisor (`run_id` is random) and its services in the order of their start."""

    run_id: str
    pid: int
    start_ticks: int
    boot_id: str
    guardian_pid: int | None = None
    services: tuple[ServiceRecord, ...] = ()

    def service(self, name: str) -> ServiceRecord | None:
        return next((record for record in self.services if record.name == name), None)


class RunLock:
    """The lock of a home; whoever holds it is its one supervisor."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = home / "run" / "supervisor.lock"
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, unless it is ours already, or raise AlreadyRunning, which names the holder."""
        if self._file is not None:
            return
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Faxes, the database and trunks' passwords lie below it; the installer may have made it, open to all.
        self._home.chmod(self._home.stat().st_mode & 0o770)
        self._path.parent.mkdir(exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _locked(file):
            holder = os.pread(file, 32, 0).decode() or "?"
            os.close(file)
            raise AlreadyRunning(home=self._home, pid=holder)
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_reason: object) -> None:
        self.release()


def _locked(file: int) -> bool:
    # `is_running` holds the lock for a moment when it finds it free: one refusal is no proof of a supervisor.
    for _ in range(10):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def is_running(home: Path) -> bool:
    """Whether a supervisor lives on this home."""
    try:
        file = os.open(home / "run" / "supervisor.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def read(home: Path) -> RunRecord | None:
    """The state file, or None when no supervisor has run here since the last clean stop, or a power cut has cut it."""
    try:
        stored = json.loads(_state_path(home).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    services = tuple(ServiceRecord(**record) for record in stored.pop("services"))
    return RunRecord(**stored, services=services)


def write(home: Path, record: RunRecord) -> None:
    """Replace the state file as a whole."""
    path = _state_path(home)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(record), ensure_ascii=False, indent=1))
    draft.replace(path)


def forget(home: Path) -> None:
    """Remove the state file: everything in it has ended."""
    _state_path(home).unlink(missing_ok=True)


def end_leftovers(record: RunRecord) -> None:
    """SIGKILL whatever still runs of a dead supervisor's services; raises CannotStop when something stays."""
    if record.boot_id != boot_id():
        return
    for service in reversed(record.services):
        if service.pid is not None and not _killed(service.pid, service.start_ticks, service.mark):
            raise CannotStop(pid=service.pid)


def stop(home: Path) -> bool:
    """End the supervisor of this home and all that it started, and wait until everything is gone.

    False when nothing was running. Raises CannotStop when it is another user's.
    """
    was_running = is_running(home)
    record = _record_of_holder(home) if was_running else read(home)
    if was_running and record is not None:
        _end_supervisor(home, record)
    if record is not None:
        end_leftovers(record)
        if not is_running(home):
            forget(home)
    return was_running


def _record_of_holder(home: Path) -> RunRecord | None:
    """The state file of the one that holds the lock. Until it starts services, it is still its predecessor's."""
    end = time.monotonic() + 2.0
    while is_running(home):
        record, holder = read(home), (home / "run" / "supervisor.lock").read_text()
        if record is not None and str(record.pid) == holder:
            return record
        if time.monotonic() > end and (process := processes.look(int(holder or 0))):
            # It still prepares the home; what its predecessor left has not been ended yet.
            left = record or RunRecord(run_id="", pid=0, start_ticks=0, boot_id=boot_id())
            return replace(left, pid=process.pid, start_ticks=process.start_ticks)
        time.sleep(0.05)
    return read(home)


def _end_supervisor(home: Path, record: RunRecord) -> None:
    try:
        processes.send(record.pid, record.start_ticks, signal.SIGTERM)
        if not _gone(home, record, STOP_PATIENCE):
            processes.send(record.pid, record.start_ticks, signal.SIGKILL)
            if not _gone(home, record, 2.0):
                raise CannotStop(pid=record.pid)
    except PermissionError:
        raise CannotStop(pid=record.pid) from None


def _gone(home: Path, record: RunRecord, patience: float) -> bool:
    end = time.monotonic() + patience
    while is_running(home) and processes.is_alive(record.pid, record.start_ticks):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _killed(pid: int, ticks: int, mark: str) -> bool:
    try:
        return processes.kill_tree(pid, ticks, mark)
    except PermissionError:
        return False


def _state_path(home: Path) -> Path:
    return home / "run" / "supervisor.json"


def main(arguments: Sequence[str]) -> None:
    """End what the supervisor `ID` left on `HOME`; nothing when another one has taken over or it ended cleanly."""
    home, run_id = Path(arguments[0]), arguments[1]
    record = read(home)
    if record is not None and record.run_id == run_id:
        end_leftovers(record)


if __name__ == "__main__":
    main(sys.argv[1:])
