"""Bringing a database to the schema of this version."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from netfax.db import engine
from netfax.errors import UserError


class NewerDatabase(UserError):
    code = "newer_database"
    en = "The database is of a newer NetFax (schema {revision}): start that version, or put back a backup of this one."
    zh = "数据库属于更新版本的 NetFax（结构 {revision}）：请启动该版本，或恢复此版本的备份。"


def migrate(on: Engine | None = None) -> None:
    """Apply every migration that the database lacks; one that is up to date is left alone.

    `NewerDatabase` where its schema is none that this version knows.
    """
    with (on or engine()).connect() as connection, _tables_rebuilt(connection), connection.begin():
        if not is_current(connection):
            _refuse_unknown(connection)
            command.upgrade(alembic_config(connection), "head")


def _refuse_unknown(connection: Connection) -> None:
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {each.revision for each in ScriptDirectory.from_config(alembic_config(connection)).walk_revisions()}
    if revision is not None and revision not in known:
        raise NewerDatabase(revision=revision)


@contextmanager
def _tables_rebuilt(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by building it anew: rows that refer to it are checked afterwards, not meanwhile."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - an open connection has one
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
        broken = driver.execute("PRAGMA foreign_key_check").fetchall()
    finally:
        driver.execute("PRAGMA foreign_keys=ON")
    if broken:
        raise RuntimeError(f"the migration has left rows that refer to nothing: {broken[:10]}")


def is_current(connection: Connection) -> bool:
    """Whether the database has the schema of this version."""
    head = ScriptDirectory.from_config(alembic_config(connection)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head


def alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
