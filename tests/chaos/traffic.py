"""Faxes out through the portal and in from the network, at random, and the client's own log of them."""

import itertools
import json
import random
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from dialplan import network_phone
from netfax.errors import NetFaxError
from tests.chaos.client import PortalClient, Refused
from tests.chaos.pages import make_coded
from tests.e2e.helpers import ALICE, BOB, NUMBERS
from tests.system import System

# Machines of the network that take everything, one of them by G.711 alone.
NUMBERS_OUT = ("7721001", "7721002", *(f"77210{last}" for last in range(11, 17)))
# For questions after a fault, in turn: a call to the one before may still be on the line.
QUESTION_NUMBERS = ("7721003", "7721017", "7721018", "7721019")
SENDERS = 3
PAUSE_OUT = (6.0, 18.0)
PAUSE_IN = (8.0, 22.0)
# A user who gets no answer for so long is a lost one.
PATIENCE = 300.0


@dataclass(frozen=True)
class Accepted:
    """A fax that the portal has accepted: its title is the client's name for it, `at` Unix time in seconds."""

    title: str
    user: str
    number: str
    # Their codes (`tests.chaos.pages`).
    pages: list[str]
    tiff: str
    at: float


@dataclass(frozen=True)
class CalledIn:
    """A call of the network to one of ours, by a caller of its own; the id is the network's."""

    caller: str
    called: str
    user: str
    call_id: str
    pages: list[str]
    tiff: str
    at: float


@dataclass
class Log:
    """What clients know, in memory and line by line on a disk that no fault strikes."""

    path: Path
    accepted: list[Accepted] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    called_in: list[CalledIn] = field(default_factory=list)
    # Clients that have ended by a fault of their own.
    broken: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: Accepted | CalledIn) -> None:
        with self._lock:
            (self.accepted if isinstance(what, Accepted) else self.called_in).append(what)  # type: ignore[arg-type]
            self._write(type(what).__name__, asdict(what))

    def note_refused(self, title: str, why: str) -> None:
        with self._lock:
            self.refused.append(title)
            self._write("refused", {"title": title, "why": why})

    def note_unanswered(self, title: str) -> None:
        with self._lock:
            self.unanswered.append(title)
            self._write("unanswered", {"title": title})

    def note_broken(self, client: str, why: str) -> None:
        with self._lock:
            self.broken.append(f"{client}: {why}")
            self._write("broken", {"client": client, "why": why})

    def _write(self, kind: str, values: dict[str, object]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({"kind": kind, **values}) + "\n")


class Traffic:
    """The clients of one system, each in a thread of its own, from `start` to `stop`."""

    def __init__(self, system: System, folder: Path, name: str, seed: int) -> None:
        self.log = Log(folder / f"{name}.jsonl")
        self._system = system
        self._folder = folder / name
        self._folder.mkdir()
        self._name = name
        self._seed = seed
        self._stop = threading.Event()
        self._count = 0
        self._question_numbers = itertools.cycle(QUESTION_NUMBERS)
        self._lock = threading.Lock()
        clients = {f"sender {number}": partial(self._send_faxes, number) for number in range(SENDERS)}
        clients["caller"] = self._call_in
        self._threads = [
            threading.Thread(target=self._watched, args=(client, work), daemon=True) for client, work in clients.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """No new fax; returns when every client has its answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _watched(self, client: str, work: Callable[[], None]) -> None:
        """A client that ends before its time is no silence: without it nothing is proved."""
        try:
            work()
        except Exception:  # noqa: BLE001 - it is told with the others
            self.log.note_broken(f"{self._name}: {client}", traceback.format_exc())

    def ask(self, seconds: float) -> str:
        """Send one fax of one page now and return its title when it is accepted; TimeoutError."""
        number = next(self._question_numbers)
        give_up = time.monotonic() + seconds
        return self._send(self._client(ALICE), ALICE, number, 1, give_up=give_up, patient=False)

    def _client(self, user: str) -> PortalClient:
        return PortalClient(self._system.portal_url, user, self._system.users[user])

    def _send_faxes(self, sender: int) -> None:
        chance = random.Random(f"{self._seed}-{self._name}-{sender}")
        user = (ALICE, BOB)[sender % 2]
        client = self._client(user)
        while not self._stop.wait(chance.uniform(*PAUSE_OUT)):
            pages = chance.choice((1, 1, 2))
            self._send(client, user, chance.choice(NUMBERS_OUT), pages, give_up=time.monotonic() + PATIENCE)

    def _send(
        self, client: PortalClient, user: str, number: str, pages: int, *, give_up: float, patient: bool = True
    ) -> str:
        title = self._new_title()
        tiff = self._folder / f"{title}.tif"
        codes = make_coded(tiff, title, pages)
        try:
            client.send(number, title, tiff, give_up=give_up)
        except Refused as refusal:
            self.log.note_refused(title, str(refusal))
            if not patient:
                raise TimeoutError(f"{title}: {refusal}") from refusal
        except TimeoutError:
            if not patient:
                # Asked again under another name; whether this one was taken nobody knows.
                raise
            self.log.note_unanswered(title)
        else:
            self.log.note(Accepted(title, user, number, codes, str(tiff), time.time()))
        return title

    def _call_in(self) -> None:
        chance = random.Random(f"{self._seed}-{self._name}-in")
        while not self._stop.wait(chance.uniform(*PAUSE_IN)):
            self.call(chance.choice((ALICE, BOB)), chance.choice((1, 1, 2)), t38=chance.random() < 0.8)

    def call(self, user: str, pages: int, *, t38: bool = True) -> str | None:
        """Let a machine of the network call a user's number; its own number, None when the network can't call."""
        title = self._new_title()
        tiff = self._folder / f"{title}.tif"
        codes = make_coded(tiff, title, pages)
        caller, called, at = f"0736773{int(title.rpartition('-')[2]):04d}", NUMBERS[user], time.time()
        try:
            call_id = network_phone.send_fax(self._system.settings, tiff, called, caller, caller, t38=t38)
        except (NetFaxError, OSError):
            # The network is what was struck: nobody has called.
            return None
        self.log.note(CalledIn(caller, called, user, call_id, codes, str(tiff), at))
        return caller

    def _new_title(self) -> str:
        with self._lock:
            self._count += 1
            return f"{self._name}-{self._seed}-{self._count}"
