"""One service's keeper: start it, wait until it answers, watch it, start it again when it dies."""

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from cli import processes
from cli.probes import ProbeError
from cli.runstate import ServiceRecord, State
from cli.services import Service, Watch

# Seconds before the next start, after the first, second… death within a minute; one more and it is failing.
PAUSES = (0.2, 0.5, 1.0, 2.0)
FAILING_PAUSE = 10.0
_MINUTE = 60.0
_POLL = 0.15  # seconds between two questions to a service that starts

log = structlog.get_logger()

Wait = Callable[[Service, threading.Event], bool]


class Keeper:
    """Keeps one service; `tell` hears of each change.

    The service is a child of the keeper's thread and gets SIGKILL when that thread ends, whatever ends it.
    """

    def __init__(self, service: Service, run_id: str, log: Path, tell: Callable[[ServiceRecord], None]) -> None:
        self.service = service
        self.log = log
        self.record = ServiceRecord(service.name, "down", changed_at=time.time(), mark=f"{run_id}/{service.name}")
        self._tell = tell
        self._ending = threading.Event()
        self._deaths: list[float] = []
        self._thread: threading.Thread | None = None

    def start(self, wait_for_others: Wait) -> None:
        """Begin in a thread of its own, after `wait_for_others`."""
        self._thread = threading.Thread(target=self._keep, args=(wait_for_others,), name=self.service.name, daemon=True)
        self._thread.start()

    def ask_to_end(self) -> None:
        """Send the service its stop signal and start it no more."""
        self._ending.set()
        record = self.record
        if record.pid is not None:
            self._signal(record.pid, record.start_ticks)

    def kill(self) -> None:
        """SIGKILL the service's whole tree; nothing when it has ended."""
        record = self.record
        if record.pid is not None:
            processes.kill_tree(record.pid, record.start_ticks, record.mark)

    def join(self, timeout: float) -> None:
        """Wait until the service has ended, at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _keep(self, wait_for_others: Wait) -> None:
        if not wait_for_others(self.service, self._ending):
            return
        while not self._ending.is_set():
            try:
                self._live_once()
            except Exception as error:  # an unforeseen error of a probe must not leave the service without a keeper
                log.exception("service.keeper_failed", service=self.service.name)
                self._change("down", pid=None, start_ticks=0, detail=f"{type(error).__name__}: {error}")
            if not self._ending.is_set():
                self._rest()
        self._change("down", pid=None, start_ticks=0)

    def _live_once(self) -> None:
        """One life of the service: until it and all its children are gone."""
        try:
            process = self._launch()
        except OSError as error:
            self._change(self._unless_failing("down"), pid=None, detail=f"cannot be started: {error}")
            return
        ticks = processes.start_ticks(process.pid)
        exited = os.pidfd_open(process.pid)
        try:
            self._change(
                self._unless_failing("starting"), pid=process.pid, start_ticks=ticks, started_at=time.time(), detail=""
            )
            if self._ending.is_set():  # it was asked to end before its process was known
                self._signal(process.pid, ticks)
            if self._until_ready(exited):
                self._change(self._unless_failing("up"), detail="")
                self._until_dead(exited)
            if self._ending.is_set():
                _wait(exited, None)
            by_itself = _wait(exited, 0)
        finally:
            processes.kill_tree(process.pid, ticks, self.record.mark)
            code = process.wait()
            os.close(exited)
        detail = f"{_ending_words(code)}, see log/{self.log.name}" if by_itself else self.record.detail
        self._change(self._unless_failing("down"), pid=None, start_ticks=0, detail=detail)

    def _launch(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.service.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.service.env, processes.MARK: self.record.mark},
                cwd=self.service.cwd,
                start_new_session=True,
            )

    def _until_ready(self, exited: int) -> bool:
        """Ask until the service answers; False when it dies, is ended, or has not answered in its time."""
        deadline = time.monotonic() + self.service.ready_seconds
        while not self._ending.is_set() and not _wait(exited, 0):
            try:
                self._ask_if_ready()
            except ProbeError as error:
                if time.monotonic() > deadline:
                    self._note(f"no answer within {self.service.ready_seconds:g} s of its start: {error}")
                    return False
                self._note(str(error))
                _wait(exited, _POLL)
            else:
                return not _wait(exited, 0)
        return False

    def _ask_if_ready(self) -> None:
        self.service.probe()
        began = self.record.started_at
        if self.service.last_beat is not None and began is not None and self.service.last_beat() < began:
            raise ProbeError("no sign of life since its start")

    def _until_dead(self, exited: int) -> None:
        """Return when the service is dead, or mute for longer than its watch allows."""
        watch = self.service.watch
        if watch is None:
            self._until_steady(exited)
            _wait(exited, None)
            return
        ask, heard, missed = watch.probe or self.service.probe, time.monotonic(), 0
        while not _wait(exited, _pause(watch, heard)):
            if self._ending.is_set():
                return
            try:
                ask()
            except ProbeError as error:
                missed += 1
                if missed > 1 and time.monotonic() - heard >= watch.mute:
                    self._change("down", detail=f"mute for {watch.mute:g} s, so it is replaced: {error}")
                    return
            else:
                heard, missed = time.monotonic(), 0
                self._call_it_up_when_steady()

    def _until_steady(self, exited: int) -> None:
        while self.record.state == "failing" and not _wait(exited, 1.0):
            self._call_it_up_when_steady()

    def _call_it_up_when_steady(self) -> None:
        if self.record.state == "failing" and not self._is_failing():
            self._change("up", detail="")

    def _rest(self) -> None:
        """Count the death and wait: longer each time, ten seconds once it is failing."""
        self._deaths.append(time.monotonic())
        failing = self._is_failing()
        self._change("failing" if failing else "down", restarts=self.record.restarts + 1)
        self._ending.wait(FAILING_PAUSE if failing else PAUSES[len(self._deaths) - 1])

    def _is_failing(self) -> bool:
        """Whether it died five times within the last minute."""
        self._deaths = [death for death in self._deaths if time.monotonic() - death < _MINUTE]
        return len(self._deaths) > len(PAUSES)

    def _unless_failing(self, state: State) -> State:
        return "failing" if self._is_failing() and not self._ending.is_set() else state

    def _signal(self, pid: int, ticks: int) -> None:
        """The stop signal, to the process of the tree that the service names, or to its leader."""
        named = [
            member for member in processes.tree(pid, ticks, self.record.mark) if member.name == self.service.signalled
        ]
        for target in [(member.pid, member.start_ticks) for member in named] or [(pid, ticks)]:
            processes.send(*target, self.service.stop_signal)

    def _note(self, detail: str) -> None:
        if detail != self.record.detail:
            self._change(self.record.state, detail=detail)

    def _change(self, state: State, **values: object) -> None:
        self.record = replace(self.record, state=state, changed_at=time.time(), **values)  # type: ignore[arg-type]
        self._tell(self.record)


def _wait(exited: int, seconds: float | None) -> bool:
    """Whether the process of this pidfd has ended, asked for at most `seconds`."""
    return bool(select.select([exited], [], [], seconds)[0])


def _pause(watch: Watch, heard: float) -> float:
    """Seconds to the next question: none is asked much later than it could decide.

    Where the machine itself stood still, what is late is asked in its usual distance.
    """
    left = heard + watch.mute - time.monotonic()
    return min(watch.every, max(left, _POLL)) if left > 0 else watch.every


def _ending_words(code: int) -> str:
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
