"""Keeps the services of the all-in-one machine running, in the foreground of one terminal.

Each service has a keeper, a thread that starts it, waits until it answers, watches it and starts it again. Nothing
outlives the supervisor: a service dies with the thread that keeps it (PR_SET_PDEATHSIG), and a guardian process ends
their descendants when the supervisor itself is killed.
"""

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import structlog

from cli import processes, runstate
from cli.keeper import Keeper
from cli.runstate import RunLock, RunRecord, ServiceRecord, State
from cli.services import Service, check_ports
from netfax.boot import boot_id
from netfax.settings import CHECKOUT, Settings

LOG_BYTES = 10 * 1024 * 1024  # a log is rotated at this size
LOG_KEPT = 3  # older logs kept beside it: name.log.1 (newest) … name.log.3
STOP_SECONDS = 14.0  # the whole stop, however many services are stubborn
_FILES_EVERY = 5.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = structlog.get_logger()

OnChange = Callable[[ServiceRecord], None]


class Supervisor:
    """Runs `services` on the home of `settings`.

    `start`, then `wait_ready` and `run_forever`, at last `stop`, which is safe at any moment and more than once.
    `on_change` is called from the keepers' threads at each change of a service's state or detail. Who prepares the
    home before has its `lock` already, and lends it.
    """

    def __init__(
        self,
        settings: Settings,
        services: Sequence[Service],
        on_change: OnChange = lambda record: None,
        log_bytes: int = LOG_BYTES,
        lock: RunLock | None = None,
    ) -> None:
        self._settings = settings
        self._on_change = on_change
        self._log_bytes = log_bytes
        self._lock = lock or RunLock(settings.home)
        self._run_id = secrets.token_hex(8)
        self._changed = threading.Condition()
        # The state of each service that `on_change` heard last.
        self._told: dict[str, State] = {}
        self._ending = threading.Event()
        self._stopped = False
        self._state_is_written = True
        self._guardian: subprocess.Popen[bytes] | None = None
        self._keepers = {
            service.name: Keeper(service, self._run_id, settings.log_dir / f"{service.name}.log", self._tell)
            for service in services
        }

    def start(self) -> None:
        """Start every service as soon as those it waits for are ready; returns at once.

        Raises AlreadyRunning, or PortInUse before anything is started.
        """
        self._lock.acquire()
        try:
            self._settings.log_dir.mkdir(parents=True, exist_ok=True)
            self._end_predecessor()
            check_ports([keeper.service for keeper in self._keepers.values()])
        except BaseException:
            self._lock.release()
            raise
        self._write_state()
        self._guardian = _start_guardian(self._settings.home, self._run_id)
        threading.Thread(target=self._keep_files, name="files", daemon=True).start()
        for keeper in self._keepers.values():
            keeper.start(self._wait_for_others)

    def wait_ready(self, timeout: float) -> bool:
        """Wait until every service answers; False when `timeout` seconds pass or the supervisor is told to end."""

        def told() -> bool:
            return all(self._told.get(name) == "up" for name in self._keepers)

        with self._changed:
            return self._changed.wait_for(lambda: told() or self._ending.is_set(), timeout) and self.all_up

    @property
    def all_up(self) -> bool:
        return all(record.state == "up" for record in self.records)

    @property
    def records(self) -> tuple[ServiceRecord, ...]:
        """The services as they are now, in the order of their start."""
        return tuple(keeper.record for keeper in self._keepers.values())

    def run_forever(self) -> None:
        """Return when the supervisor is told to end, by `end`."""
        self._ending.wait()

    def end(self) -> None:
        """Let `run_forever` and `wait_ready` return; safe in another thread."""
        self._ending.set()
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """End every process that was started, those that others wait for last, within 15 s; SIGKILL ends stragglers."""
        if self._stopped or self._guardian is None:
            return
        self.end()
        with _signals_ignored():
            deadline = time.monotonic() + STOP_SECONDS
            waves = list(reversed(stop_waves([keeper.service for keeper in self._keepers.values()])))
            for number, names in enumerate(waves):
                # What is left of the time is shared, so that the first waves can't use up the last one's.
                share = (deadline - time.monotonic()) / (len(waves) - number)
                _end_wave([self._keepers[name] for name in names], share)
            self._stopped = True
            if all(record.pid is None for record in self.records):
                runstate.forget(self._settings.home)
            _dismiss(self._guardian)
            self._lock.release()

    def _wait_for_others(self, service: Service, given_up: threading.Event) -> bool:
        """Wait until all that `service` waits for is up; False when it is ended meanwhile."""

        def ready() -> bool:
            return all(self._keepers[name].record.state == "up" for name in service.after)

        with self._changed:
            while not ready() and not given_up.is_set():
                self._changed.wait(0.5)
        return not given_up.is_set()

    def _tell(self, record: ServiceRecord) -> None:
        with self._changed:
            self._write_state_or_later()
        # A full disk must not end a keeper, and its service with it.
        with suppress(OSError):
            self._on_change(record)
        # Only now, so that who waits for all of them speaks after the last one.
        with self._changed:
            self._told[record.name] = record.state
            self._changed.notify_all()

    def _write_state_or_later(self) -> None:
        """Where the disk is full, what the file says is old until it has room again."""
        try:
            self._write_state()
        except OSError as error:
            if self._state_is_written:
                log.error("supervisor.state_not_written", folder=str(self._settings.run_dir), error=str(error))
            self._state_is_written = False
        else:
            self._state_is_written = True

    def _write_state(self) -> None:
        own = os.getpid()
        record = RunRecord(
            run_id=self._run_id,
            pid=own,
            start_ticks=processes.start_ticks(own),
            boot_id=boot_id(),
            guardian_pid=None if self._guardian is None else self._guardian.pid,
            services=self.records,
        )
        runstate.write(self._settings.home, record)

    def _end_predecessor(self) -> None:
        left = runstate.read(self._settings.home)
        if left is not None:
            runstate.end_leftovers(left)

    def _keep_files(self) -> None:
        """Rotate logs, and write the state that a full disk has not taken."""
        while not self._ending.wait(_FILES_EVERY):
            for keeper in self._keepers.values():
                for path in (keeper.log, *keeper.service.own_logs):
                    try:
                        rotate(path, self._log_bytes)
                    except OSError as error:
                        log.error("supervisor.log_not_rotated", log=path.name, error=str(error))
            with self._changed:
                if not self._state_is_written:
                    self._write_state_or_later()


@contextmanager
def ends_on_signal() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread, as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_waves(services: Sequence[Service]) -> list[list[str]]:
    """The services in the order of their start, those together that wait for nobody later."""
    by_name = {service.name: service for service in services}

    def depth(name: str) -> int:
        return 1 + max((depth(other) for other in by_name[name].after), default=-1)

    depths = {name: depth(name) for name in by_name}
    return [
        [name for name in by_name if depths[name] == level] for level in range(max(depths.values(), default=-1) + 1)
    ]


def rotate(log: Path, limit: int) -> bool:
    """Move a log's content to `.1` when it has passed `limit` bytes; the service goes on writing to the same file.

    The file is open in the service (O_APPEND), so it is copied and emptied; a line written between the two would be
    lost, hence the copy is read to its end right before.
    """
    if not log.exists() or log.stat().st_size <= limit:
        return False
    for number in range(LOG_KEPT, 1, -1):
        older = log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
    with log.open("rb+") as source, log.with_name(f"{log.name}.1").open("wb") as target:
        while block := source.read(1 << 20):
            target.write(block)
        source.truncate(0)
    return True


def _end_wave(keepers: Sequence[Keeper], seconds: float) -> None:
    began = time.monotonic()
    for keeper in keepers:
        keeper.ask_to_end()
    for keeper in keepers:
        patience = min(keeper.service.grace, max(seconds - 0.5, 0.0))
        keeper.join(max(began + patience - time.monotonic(), 0.0))
    for keeper in keepers:
        keeper.kill()
    for keeper in keepers:
        keeper.join(2.0)


def _start_guardian(home: Path, run_id: str) -> subprocess.Popen[bytes]:
    """A shell that waits on a pipe of ours: a line dismisses it, the end of the pipe means that we were killed."""
    clean = [sys.executable, "-m", "cli.runstate", str(home), run_id]
    return subprocess.Popen(
        ["sh", "-c", 'read -r _ || exec "$@"', "netfax-guardian", *clean],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=CHECKOUT,
        start_new_session=True,
    )


def _dismiss(guardian: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError):  # it is gone already
        guardian.communicate(b"done\n")
    guardian.wait()


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """A second Ctrl-C must not leave the stop half done; outside the main thread signals don't arrive anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
