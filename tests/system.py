"""A whole NetFax for tests: `netfax run` on a home and a block of ports of its own, and a hand on all its sides."""

import fcntl
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, NullPool, Select, create_engine, select, text, update
from sqlalchemy.orm import Session, joinedload

import netfax.models  # noqa: F401 - relationships between rooms need every model
from netfax.db import make_engine, now, unit_of_work
from netfax.faxes.models import Attempt, Delivery
from netfax.org.models import Role
from netfax.org.numbers import give_number
from netfax.org.service import add_user, find_user
from netfax.params.service import set_param
from netfax.settings import CHECKOUT, Settings

T = TypeVar("T")

NETFAX = Path(sys.executable).with_name("netfax")
# On a machine where several start at once.
START_SECONDS = 240
FAX_SECONDS = 150


@dataclass
class System:
    """A running installation; commands and readers go to it and to nothing else."""

    home: Path
    port_base: int
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    wanted_breaches: set[str] = field(default_factory=set)
    # Most tests hold what arrives against what was sent, pixel for pixel.
    page_header: bool = False

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("NETFAX_")}
        return {
            **clean,
            "NETFAX_HOME": str(self.home),
            "NETFAX_PORT_BASE": str(self.port_base),
            "NETFAX_ASTERISK_ROOT": os.environ.get("NETFAX_ASTERISK_ROOT", str(CHECKOUT / ".netfax/asterisk-root")),
            "LANG": "C.UTF-8",
            **self.extra_environment,
        }

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home, port_base=self.port_base)

    @property
    def portal_url(self) -> str:
        return f"http://127.0.0.1:{self.port_base}"

    @cached_property
    def users(self) -> dict[str, str]:
        """First passwords by login."""
        accounts = json.loads((self.home / "first-accounts.json").read_text())
        return {account["login"]: account["password"] for account in accounts}

    def add_user(self, name: str, identity: str, role: Role = Role.USER) -> str:
        """A user of the demo domain with a number; his login. `users` has his password."""
        password = secrets.token_urlsafe()
        engine = make_engine(self._database)
        with unit_of_work(engine) as uow:
            domain = find_user(uow, self.demo_user).tenant
            give_number(uow, add_user(uow, domain, name, password, role), identity)
        engine.dispose()
        login = f"{name}@{domain.name}"
        self.users[login] = password
        return login

    def assert_promises_hold(self) -> None:
        """`netfax verify` finds nothing but what a test has brought about itself (`wanted_breaches`: rules)."""
        checks = json.loads(self.cli("verify", "--json", check=False).stdout)["checks"]
        breaches = [breach for check in checks for breach in check["breaches"]]
        assert [breach for breach in breaches if breach["rule"] not in self.wanted_breaches] == []

    demo_user = "alice@demo"
    fax_machine = "7721001"

    # --- Commands ---

    def cli(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`netfax …` on this installation."""
        done = subprocess.run(
            [NETFAX, *(str(argument) for argument in arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"netfax {arguments} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def json(self, *arguments: object) -> Any:
        """What a command prints with --json."""
        return json.loads(self.cli(*arguments, "--json").stdout)

    def send(self, user: str, to: str, *files: Path) -> list[str]:
        """Submit a fax; the public ids of its deliveries."""
        accepted: list[str] = self.json("send", *files, "--to", to, "--user", user)
        return accepted

    def delivery(self, user: str, uuid: str) -> dict[str, Any] | None:
        """A delivery among the ended and the waiting ones of a user."""
        for place in ("queue", "sent"):
            for row in self.json(place, "--user", user):
                if row["delivery"] == uuid:
                    return dict(row)
        return None

    def ended(self, user: str, uuid: str, seconds: float = FAX_SECONDS) -> dict[str, Any]:
        """Wait until a delivery has ended."""
        self._until("select 1 from delivery where uuid = :id and ended_at is not null", uuid, seconds)
        return self._row(user, uuid)

    def reaches(self, user: str, uuid: str, state: str, seconds: float = 60) -> dict[str, Any]:
        """Wait until a delivery is in a state."""
        self._until(f"select 1 from delivery where uuid = :id and state = '{state}'", uuid, seconds)  # noqa: S608
        return self._row(user, uuid)

    def inbox_from(self, user: str, caller: str, seconds: float = FAX_SECONDS) -> dict[str, Any]:
        """Wait for a fax from a caller (an identity) in a user's inbox."""
        query = "select 1 from reception r join mailbox_item m on m.reception_id = r.id where r.caller = :id"
        self._until(query, caller, seconds)
        return next(row for row in self.json("inbox", "--user", user) if row["caller"] == caller)

    def attempts(self, uuid: str) -> list[Attempt]:
        """The calls of a delivery with their trunks, oldest first, as the database has them."""
        query = select(Attempt).join(Attempt.delivery).where(Delivery.uuid == uuid).order_by(Attempt.created_at)
        return self.read(query.options(joinedload(Attempt.trunk)))

    def read(self, query: Select[tuple[T]]) -> list[T]:
        """What the database itself has, with the relations that the query loads."""
        with Session(self._engine) as session:
            return list(session.scalars(query).unique())

    def plan(self, user: str, to: str, tiff: Path) -> list[str]:
        """Submit a fax for tomorrow and wait until its pages are drawn; the public ids of its deliveries."""
        tomorrow = (now() + timedelta(days=1)).isoformat()
        planned: list[str] = self.json("send", tiff, "--to", to, "--user", user, "--at", tomorrow)
        for uuid in planned:
            self._until("select 1 from delivery where uuid = :id and state = 'scheduled'", uuid, 60)
        return planned

    def set_params(self, params: Mapping[str, str]) -> None:
        """As `netfax param set` does, without a command for each."""
        engine = make_engine(self._database)
        with unit_of_work(engine) as uow:
            for name, value in params.items():
                set_param(uow, name, value, by="test")
        engine.dispose()

    def begin(self, *planned: str) -> None:
        """Let the time of planned faxes come at this moment, however long a command would take just now."""
        with self._engine.begin() as connection:
            connection.execute(update(Delivery).where(Delivery.uuid.in_(planned)).values(next_try_at=now()))

    def _row(self, user: str, uuid: str) -> dict[str, Any]:
        row = self.delivery(user, uuid)
        assert row is not None
        return row

    def _until(self, query: str, value: str, seconds: float) -> None:
        """Ask the database itself until the query has a row: commands would be most of the machine's work."""

        def look() -> bool:
            with self._engine.connect() as connection:
                return connection.execute(text(query), {"id": value}).first() is not None

        eventually(look, seconds, f"{query} ({value}): nothing", lambda: log_tail(self))

    @property
    def _database(self) -> str:
        url = self.extra_environment.get("NETFAX_DATABASE_URL", "")
        return Settings(home=self.home, port_base=self.port_base, database_url=url).database

    @cached_property
    def _engine(self) -> Engine:
        # A server that does not answer must not stop who watches it.
        impatient = {"connect_timeout": 5, "tcp_user_timeout": 5000, "options": "-c statement_timeout=10000"}
        is_server = self._database.startswith("postgresql")
        return create_engine(self._database, poolclass=NullPool, connect_args=impatient if is_server else {})

    # --- Processes ---

    def pid(self, name: str) -> int:
        """The leader of a service, by the supervisor's own record."""
        record = json.loads((self.home / "run/supervisor.json").read_text())
        return next(int(each["pid"] or 0) for each in record["services"] if each["name"] == name)

    def kill(self, name: str, number: signal.Signals) -> int:
        """Send a signal to the leader of a service; its pid."""
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    @property
    def console(self) -> str:
        """What `netfax run` has printed."""
        return self.home.with_suffix(".log").read_text()

    def spawn(self, *options: str) -> None:
        """Start it, and wait for nothing."""
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", NETFAX, "run", "--no-demo", *options],
            env=self.environment,
            stdout=self.home.with_suffix(".log").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def start(self, *options: str) -> None:
        """Start it and wait until every service is up."""
        self.spawn(*options)

        def up() -> bool:
            if self.process is None or self.process.poll() is not None:
                raise AssertionError(f"netfax run has ended: {self.console}")
            told = "All services are up" in self.console or "Not up after" in self.console
            return told and self.cli("status", check=False).returncode == 0

        eventually(up, START_SECONDS, "not up", lambda: self.console + self.cli("status", check=False).stdout)
        self.set_params({"page_header": "on" if self.page_header else "off"})

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)


def eventually(
    look: Callable[[], T | None],
    seconds: float,
    otherwise: str,
    facts: Callable[[], object] = lambda: "",
    every: float = 0.5,
) -> T:
    """The first true value of `look` within the time, asked for `every` so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{otherwise} after {seconds} s: {facts()}")
        time.sleep(every)


@contextmanager
def running_system(folder: Path, *, params: Mapping[str, str], **environment: str) -> Iterator[System]:
    """A fresh installation that runs until the end of the block."""
    with free_port_base() as base:
        system = System(folder / "home", base, environment)
        try:
            system.start()
            system.set_params(params)
            yield system
            # Whatever the tests did to it: unless they have stopped it themselves.
            if system.process is not None and system.process.poll() is None:
                system.assert_promises_hold()
        finally:
            system.stop()


@contextmanager
def free_port_base() -> Iterator[int]:
    """A block of 1,000 ports that nobody uses and that no other test takes meanwhile."""
    # First those outside the ports that the kernel gives to whoever asks for any.
    few = [*range(10000, 18000, 1000), *range(23000, 32000, 1000), 61000, 62000, 63000]
    many = list(range(32000, 61000, 1000))
    random.shuffle(few)
    random.shuffle(many)
    for base in few + many:
        path = Path(f"/tmp/netfax-ports-{base}.lock")  # noqa: S108
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if all(_is_free(base + offset) for offset in range(12)):
                try:
                    yield base
                finally:
                    path.unlink(missing_ok=True)
                return
    raise AssertionError("no free block of ports")


def _is_free(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        # Connections of an earlier run that still time out hold no port.
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


# --- The one system that the tests of a session share: the controller starts it, every worker finds it ---

SHARED = "NETFAX_TEST_SYSTEM"
# No retry: a call that fails ends its fax; a short ring, because somebody must wait for it.
SHARED_PARAMS = {"retry_count": "0", "ring_time": "15"}


class SharedSystem:
    """A pytest plugin's hooks for the controller of a session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = running_system(folder, params=SHARED_PARAMS)

    def start(self) -> None:
        system = self._running.__enter__()
        os.environ[SHARED] = json.dumps([str(system.home), system.port_base])

    def stop(self) -> None:
        self._running.__exit__(None, None, None)
        shutil.rmtree(self._folder, ignore_errors=True)


def shared_system() -> System:
    """The system that the controller of this session has started."""
    home, base = json.loads(os.environ[SHARED])
    return System(Path(home), base)


def log_tail(system: System, services: Sequence[str] = ("agi", "bridge", "dispatcher")) -> str:
    """The ends of some logs, for the message of a failed test."""
    return "\n".join(f"== {name}\n{(system.home / 'log' / f'{name}.log').read_text()[-3000:]}" for name in services)
