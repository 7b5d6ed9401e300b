"""A PostgreSQL that can be struck: on loopback, with everything that makes it keep its promises, and kept alive."""

import os
import pwd
import secrets
import signal
import subprocess
import threading
import time
from pathlib import Path

import psycopg

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# Its disk is a small one.
OPTIONS = ("listen_addresses=127.0.0.1", "max_wal_size=64MB", "min_wal_size=32MB")


class Postgres:
    """A server on a folder and a port of its own; whoever kills it finds it started anew."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._password = secrets.token_urlsafe(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://netfax:{self._password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make the cluster and wait until it answers."""
        user = pwd.getpwnam("postgres")
        os.chown(self.folder, user.pw_uid, user.pw_gid)
        password = self.folder / "password"
        password.write_text(self._password)
        password.chmod(0o644)
        self._run(
            PROGRAMS[-1] / "initdb", "-D", self._data, "-U", "netfax", "--auth=scram-sha-256", f"--pwfile={password}",
            "-E", "UTF8", "--wal-segsize=4",
        )  # fmt: skip
        password.unlink()
        self._keeper.start()
        self.wait()

    def wait(self, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def stop(self) -> None:
        self._ending.set()
        self._keeper.join()

    def _keep(self) -> None:
        """Run it, and again whenever it has ended, as a service manager does."""
        while not self._ending.is_set():
            self._process = self._launch()
            while self._process.poll() is None and not self._ending.wait(0.2):
                pass
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
                self._process.wait(30)
            self._ending.wait(1)

    def postmaster(self) -> list[int]:
        return [self._process.pid] if self._process is not None and self._process.poll() is None else []

    def everybody(self) -> list[int]:
        """The postmaster and all its children."""
        return [*self.postmaster(), *self._children()]

    def _children(self) -> list[int]:
        return [
            int(pid)
            for parent in self.postmaster()
            for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        ]

    def _launch(self) -> subprocess.Popen[bytes]:
        options = [word for option in OPTIONS for word in ("-c", option)]
        return subprocess.Popen(
            [
                "setpriv", "--pdeathsig", "INT", *self._as_user(), PROGRAMS[-1] / "postgres", "-D", self._data,
                "-k", self.folder, "-p", str(self.port), *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
            cwd=self.folder,
        )  # fmt: skip

    def _run(self, *argv: object) -> None:
        subprocess.run(["setpriv", *self._as_user(), *map(str, argv)], check=True, capture_output=True, cwd=self.folder)

    def _as_user(self) -> list[str]:
        user = pwd.getpwnam("postgres")
        return [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    @property
    def _data(self) -> Path:
        return self.folder / "data"
