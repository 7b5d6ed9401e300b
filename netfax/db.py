"""The database: engine, base class of the models, and the unit of work.

SQLite (WAL, synchronous=FULL) and PostgreSQL alike. Whoever hears an outside event opens
`with unit_of_work() as uow`; services take `uow` and never commit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import DateTime, Dialect, Engine, MetaData, String, TypeDecorator, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session

from netfax.queue import Job, send
from netfax.settings import settings

log = structlog.get_logger()

SQLITE_BUSY_SECONDS = 30


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: stored in UTC without a zone, given back with UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Word(TypeDecorator[StrEnum]):
    """One word of a StrEnum, stored as its text."""

    impl = String(32)
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.words(value)


# A process that stands still, or a host that vanishes, within a transaction holds its locks no longer than this: a
# lease is to be taken over by time, whatever its holder does. No step of ours waits for anything outside meanwhile.
POSTGRESQL_CONNECTION = {
    "options": "-c idle_in_transaction_session_timeout=10s -c lock_timeout=20s",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class Base(DeclarativeBase):
    """The models' base; every constraint has a name, so that migrations can change it on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy reads this attribute


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


def make_engine(url: str) -> Engine:
    """An engine on SQLite or PostgreSQL, set up so that both keep the same promises."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=POSTGRESQL_CONNECTION)
    # Errors are logged: what a statement was given may be a password, or what somebody faxes.
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": SQLITE_BUSY_SECONDS})
    if engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # pysqlite would begin by itself, deferred, and only before a write: the begin below is ours.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        # A deferred transaction that turns to writing fails at once when another has written meanwhile.
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


@cache
def engine() -> Engine:
    """The engine of this process, made at its first use."""
    return make_engine(settings().database)


class UnitOfWork:
    """One transaction and the jobs that follow from it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._jobs: list[tuple[Job, tuple[str, ...]]] = []

    def enqueue(self, job: Job, *ids: str) -> None:
        """Send the job once the transaction has committed; ids only, what they mean is read afresh."""
        self._jobs.append((job, ids))

    def send_jobs(self) -> None:
        """Send what was enqueued; a queue that can't be reached is logged: the sweep finds the rows."""
        for job, ids in self._jobs:
            send(job, *ids)


@contextmanager
def unit_of_work(on: Engine | None = None) -> Iterator[UnitOfWork]:
    """Commit at the end, roll back on an error; jobs are sent after the commit alone."""
    with Session(on or engine(), expire_on_commit=False) as session:
        uow = UnitOfWork(session)
        with session.begin():
            yield uow
        uow.send_jobs()


@contextmanager
def reading(on: Engine | None = None) -> Iterator[UnitOfWork]:
    """A transaction that only reads and so never waits for a writer."""
    # Closing rolls back and leaves what was read readable; a rollback of the session would expire it.
    with Session((on or engine()).execution_options(read_only=True), expire_on_commit=False) as session:
        yield UnitOfWork(session)
