"""A step of the database for many at once: whoever asks while one transaction is at work is in the next."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from netfax.db import UnitOfWork, unit_of_work

Within = Callable[[], AbstractContextManager[UnitOfWork]]
V = TypeVar("V")
R = TypeVar("R")

# The most that one transaction does, so that it holds no lock for long.
MOST = 100
# PostgreSQL's deadlock, lock timeout and serialization failure: one of the rows was another's.
ROW_TROUBLE = frozenset({"40P01", "55P03", "40001"})


@dataclass
class _Asked(Generic[V, R]):
    key: str
    value: V
    answer: "Future[R | None]" = field(default_factory=Future)


class Together(Generic[V, R]):
    """One step, such as to end a call, in one transaction for all that wait for it; in a thread of its own.

    `step` takes what was asked by its key (a call's id) and answers by key. Where it fails it is done again for each
    alone: what is wrong with one is no trouble of the others. A database that does not answer fails all of them. Who
    asks for a key that is being asked for comes after it.
    """

    def __init__(
        self, name: str, step: Callable[[UnitOfWork, Mapping[str, V]], Mapping[str, R]], within: Within = unit_of_work
    ) -> None:
        self._name = name
        self._step = step
        self._within = within
        self._waiting: deque[_Asked[V, R]] = deque()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, key: str, value: V) -> "Future[R | None]":
        """What the step will answer for this key, or will have raised, once that is committed.

        Nothing is done for a future that is cancelled before its turn; all are cancelled after `close`.
        """
        asked = _Asked[V, R](key, value)
        with self._change:
            if self._closed:
                asked.answer.cancel()
                return asked.answer
            if self._thread is None:
                thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                thread.start()
                self._thread = thread
            self._waiting.append(asked)
            self._change.notify()
        return asked.answer

    def close(self) -> None:
        """Begin nothing more; returns when what is at work has ended."""
        with self._change:
            self._closed = True
            self._change.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _serve(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    while self._waiting:
                        self._waiting.popleft().answer.cancel()
                    return
                taken = self._take()
            if taken:
                self._do(taken)

    def _take(self) -> dict[str, _Asked[V, R]]:
        """The first that wait, each key once."""
        taken: dict[str, _Asked[V, R]] = {}
        later: list[_Asked[V, R]] = []
        while self._waiting and len(taken) < MOST:
            asked = self._waiting.popleft()
            if asked.key in taken:
                later.append(asked)
            elif asked.answer.set_running_or_notify_cancel():
                taken[asked.key] = asked
        self._waiting.extendleft(reversed(later))
        return taken

    def _do(self, taken: Mapping[str, _Asked[V, R]]) -> None:
        try:
            with self._within() as uow:
                answers = self._step(uow, {key: asked.value for key, asked in taken.items()})
        except Exception as error:  # noqa: BLE001 - whoever asked gets it
            if len(taken) > 1 and not _is_trouble_of_all(error):
                for key, asked in taken.items():
                    self._do({key: asked})
                return
            for asked in taken.values():
                asked.answer.set_exception(error)
            return
        for key, asked in taken.items():
            asked.answer.set_result(answers.get(key))


def _is_trouble_of_all(error: Exception) -> bool:
    """Whether the database does not answer, or takes nothing."""
    if isinstance(error, OperationalError):
        return getattr(error.orig, "sqlstate", None) not in ROW_TROUBLE
    return isinstance(error, NoConnection)
