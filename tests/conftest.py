"""What every test may use: an installation's home of its own, and its database on SQLite and PostgreSQL."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import OperationalError

import netfax.models
from netfax import db, queue, settings
from netfax.db import Base, make_engine


def forget_process_state() -> None:
    """Let settings, secrets, engine and connections be read anew."""
    if db.engine.cache_info().currsize:
        db.engine().dispose()
    for cached in (settings.settings, settings._secrets, db.engine, queue.redis):
        cached.cache_clear()


# By the database's address. SQLAlchemy keeps its compiled statements with the engine: they cost more than their rows.
_ENGINES: dict[str, Engine] = {}


def _engine_of(url: str) -> Engine:
    if url not in _ENGINES:
        _ENGINES[url] = make_engine(url)
    return _ENGINES[url]


@pytest.fixture
def home(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh home with secrets, which this process's settings name; its Redis does not run.

    Every test sees it under one name, so that one engine serves all.
    """
    link = tmp_path_factory.getbasetemp() / "home"
    link.unlink(missing_ok=True)
    (tmp_path / "home").mkdir(mode=0o700)
    link.symlink_to(tmp_path / "home")
    monkeypatch.setattr(db, "make_engine", _engine_of)
    for name in [name for name in os.environ if name.startswith("NETFAX_") and name != "NETFAX_ASTERISK_ROOT"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETFAX_HOME", str(link))
    monkeypatch.setenv("NETFAX_PORT_BASE", "64000")
    forget_process_state()
    settings.make_secrets(link)
    yield link
    forget_process_state()


@pytest.fixture(autouse=True)
def _log_as_at_first() -> Iterator[None]:
    """A command that a test runs sets up the log of the whole process."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A private PostgreSQL on a Unix socket, ended with the session."""
    # Sockets have short names, and PostgreSQL refuses to run as root.
    # Beside pytest's own folders: those are closed to other users whenever a pytest begins.
    _clear_folders_of_the_killed()
    socket_folder = Path(f"/tmp/netfax-pg-{os.getpid()}")  # noqa: S108
    socket_folder.mkdir(mode=0o700)
    prefix = _as_postgres(socket_folder)
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    subprocess.run(
        [
            *prefix,
            programs / "initdb",
            "-D",
            socket_folder / "data",
            "-U",
            "netfax",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
        ],
        check=True,
        capture_output=True,
        cwd=socket_folder,
    )
    server = subprocess.Popen(
        [
            *("setpriv", "--pdeathsig", "INT", *prefix[1:]),
            *(programs / "postgres", "-D", socket_folder / "data", "-k", socket_folder, "-c", "listen_addresses="),
            *("-c", "fsync=off"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=(socket_folder / "log").open("wb"),
        cwd=socket_folder,
    )
    try:
        url = f"postgresql+psycopg://netfax@/postgres?host={socket_folder}"
        _wait_for_postgres(url)
        yield url
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(socket_folder)


def _clear_folders_of_the_killed() -> None:
    """A server ends with its tests however they end; its folder stays where they were killed."""
    for folder in Path("/tmp").glob("netfax-pg-*"):  # noqa: S108
        with socket.socket(socket.AF_UNIX) as server:
            if server.connect_ex(str(folder / ".s.PGSQL.5432")) and folder.stat().st_mtime < time.time() - 60:
                shutil.rmtree(folder, ignore_errors=True)


def _as_postgres(folder: Path) -> list[str | Path]:
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _wait_for_postgres(url: str) -> None:
    engine = make_engine(url)
    for attempt in range(100):
        try:
            with engine.connect() as connection:
                connection.execute(text("select 1"))
            break
        except OperationalError:
            if attempt == 99:
                raise
            time.sleep(0.1)
    engine.dispose()


@pytest.fixture
def sqlite(home: Path, empty_sqlite: Path) -> Engine:
    """This process's database, empty, with every table, on SQLite."""
    shutil.copyfile(empty_sqlite, home / "netfax.db")
    return db.engine()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """This process's database, empty, with every table; once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        monkeypatch.setenv("NETFAX_DATABASE_URL", request.getfixturevalue("postgres_url"))
        forget_process_state()
        _empty_postgres(db.engine())
        yield db.engine()
    else:
        yield request.getfixturevalue("sqlite")


def _empty_postgres(engine: Engine) -> None:
    """Every table, without a row: emptied where the last test has left the schema whole, which is much quicker."""
    tables = {table.name for table in Base.metadata.sorted_tables}
    with engine.begin() as connection:
        if set(inspect(connection).get_table_names()) == tables:
            connection.execute(text(f"truncate {', '.join(sorted(tables))} restart identity cascade"))
            return
        connection.execute(text("drop schema public cascade"))
        connection.execute(text("create schema public"))
    Base.metadata.create_all(engine)


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQLite with every table, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    engine = make_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    engine.dispose()
    return path


assert netfax.models
