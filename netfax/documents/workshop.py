"""This side of the worker: start it in the sandbox, understand its answer, and trust nothing that it says."""

import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from netfax.documents import sandbox
from netfax.documents.errors import WORKER_ERRORS, FileTooLarge, NotDrawable, TooHeavy
from netfax.documents.limits import CONVERT_SECONDS, MAX_FILE_BYTES, WORKER_MEMORY, WORKER_OUTPUT_BYTES
from netfax.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]
# Which of the installed fonts stands for those that documents name.
FONTS = Path(__file__).with_name("fonts.conf")
# The memory of one picture is used for the next; given back each time, fetching it anew takes a third of the work.
MEMORY_KEPT = {"MALLOC_MMAP_THRESHOLD_": str(64 * 1024 * 1024), "MALLOC_TRIM_THRESHOLD_": str(512 * 1024 * 1024)}
WORKER = (sys.executable, "-P", "-s", "-B", "-m", "netfax.documents.worker")
Answer = dict[str, object]
log = logging.getLogger(__name__)


class DocumentsClosed(UserError, sandbox.SandboxUnavailable):
    """This machine has no sandbox, for the reason that is its cause: no fault of the document."""

    code = "documents_closed"
    en = "Documents can't be opened at the moment. Nothing was stored; please try again later."
    zh = "系统暂时无法打开文档，本次内容未保存，请稍后再试。"


def check_sizes(files: Sequence[Path], names: Sequence[str]) -> None:
    """Refuse files over the limit before they are copied anywhere."""
    for path, name in zip(files, names, strict=True):
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FileTooLarge(name=name)


def ask(
    verb: str,
    *arguments: object,
    files: Sequence[Path],
    names: Sequence[str],
    timeout: float,
    outputs: Sequence[BinaryIO] = (),
    idle: bool = False,
) -> Answer:
    """The worker's answer to a verb; `names` are the people's names of the files, for the sentence of an error.

    The worker writes to `outputs`. A process that called `keep_spares` has some at hand that are started already; what
    is `idle` leaves them to others, and works while nothing else does. One that is killed is replaced, once.
    Raises the error that the worker names, TooHeavy at a limit, NotDrawable when it died without an answer, and
    DocumentsClosed when the machine has no sandbox.
    """

    def once(spare: _Spare | None) -> sandbox.Completed:
        completed = spare.ask(verb, arguments, files, outputs, timeout) if spare is not None else None
        return completed or sandbox.run(
            [*WORKER, verb, *(str(out.fileno()) for out in outputs), *map(str, arguments)],
            timeout=timeout,
            inputs=files,
            outputs=outputs,
            idle=idle,
            **_walls(),
        )

    with named_faults(names):
        try:
            completed = once(None if idle else _spares.take())
        except sandbox.ProgramKilled as killed:
            # No fault of the document, unless it happens again. What has killed it may be killing the spares too.
            log.warning("a worker is started anew: %s", killed)
            for out in outputs:
                os.ftruncate(out.fileno(), 0)
                os.lseek(out.fileno(), 0, os.SEEK_SET)
            completed = once(None)
    return _understood(completed.stdout, names)


def _walls() -> dict[str, Any]:
    """What every worker has around it."""
    return {
        "memory": WORKER_MEMORY,
        "readable": [*sandbox.python_folders(), PACKAGE],
        "environment": {"PYTHONPATH": str(PACKAGE.parent), "FONTCONFIG_FILE": str(FONTS), **MEMORY_KEPT},
        "max_output": WORKER_OUTPUT_BYTES,
    }


class _Spare:
    """A worker that has started, and waits for its one job: what it takes to start one is more than a page takes."""

    def __init__(self) -> None:
        self._here, there = socket.socketpair()
        with there:
            self._running = sandbox.start(
                [*WORKER, "wait", str(there.fileno())],
                cpu_seconds=CONVERT_SECONDS,
                inherited=[there.fileno()],
                **_walls(),
            )

    def ask(
        self, verb: str, arguments: Sequence[object], files: Sequence[Path], outputs: Sequence[BinaryIO], timeout: float
    ) -> sandbox.Completed | None:
        """What it said; None when it could not be asked: it was killed, or can't be given so much at once."""
        with ExitStack() as stack:
            stack.callback(self._running.kill)
            stack.enter_context(self._here)
            if self._running.has_ended:
                return None
            handed = [*(stack.enter_context(path.open("rb")) for path in files), *outputs]
            words = json.dumps({"verb": verb, "arguments": list(map(str, arguments)), "files": len(files)})
            try:
                socket.send_fds(self._here, [words.encode()], [file.fileno() for file in handed])
                self._here.shutdown(socket.SHUT_WR)
            except OSError as gone:
                log.info("a spare worker could not be asked: %s", gone)
                return None
            return self._running.finish(timeout)


class _Shelf:
    """The place of the spares; none lies there in a process that does not keep any."""

    def __init__(self) -> None:
        self._spares: list[_Spare] = []
        self._lock = threading.Lock()

    def take(self) -> _Spare | None:
        with self._lock:
            return self._spares.pop() if self._spares else None

    def fill(self, count: int) -> None:
        with self._lock:
            while len(self._spares) < count:
                self._spares.append(_Spare())


_spares = _Shelf()


def keep_spares(count: int | None = None) -> None:
    """Have workers at hand for the next `ask`s, so many or what a long fax takes; to be called anew after each.

    One draws its first pages, and one for each core the others.
    From a thread that lives on: a worker dies with the one that started it. Without a sandbox nothing is kept; who asks
    then hears why.
    """
    try:
        _spares.fill(count or 1 + len(os.sched_getaffinity(0)))
    except sandbox.SandboxUnavailable as reason:
        log.error("no document can be opened: %s", reason)


@contextmanager
def named_faults(names: Sequence[str]) -> Iterator[None]:
    """What the sandbox says of a program, as an error that names the documents on which it worked."""
    try:
        yield
    except sandbox.SandboxUnavailable as reason:
        log.error("no document can be opened: %s", reason)
        raise DocumentsClosed() from reason
    except (sandbox.ProgramTimedOut, sandbox.ProgramKilled) as late:
        raise TooHeavy(name=", ".join(names)) from late
    except sandbox.ProgramFailed as failure:
        log.warning("a program died over a document: %s", failure)
        raise NotDrawable(name=", ".join(names)) from failure


def _understood(said: bytes, names: Sequence[str]) -> Answer:
    """What the last line says; a worker that a document took over may say anything."""
    try:
        answer = json.loads(said.strip().rpartition(b"\n")[2])
    except ValueError as fault:
        raise NotDrawable(name=", ".join(names)) from fault
    if not isinstance(answer, dict):
        raise NotDrawable(name=", ".join(names))
    done = answer.get("done")
    if isinstance(done, dict):
        return done
    error = WORKER_ERRORS.get(str(answer.get("refused")), NotDrawable)
    index = answer.get("file")
    if isinstance(index, int) and 0 <= index < len(names):
        raise error(name=names[index])
    raise error(name=", ".join(names))
