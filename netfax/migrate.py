"""Bringing a database to the schema of this version."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from netfax.db import engine


def migrate(on: Engine | None = None) -> None:
    """Apply every migration that the database lacks; one that is up to date is left alone."""
    with (on or engine()).begin() as connection:
        if not is_current(connection):
            command.upgrade(alembic_config(connection), "head")


def is_current(connection: Connection) -> bool:
    """Whether the database has the schema of this version."""
    head = ScriptDirectory.from_config(alembic_config(connection)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head


def alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
