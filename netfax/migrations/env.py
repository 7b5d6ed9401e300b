"""Alembic's environment: the process's own engine and every model's metadata."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

import netfax.models  # noqa: F401 - fills the metadata
from netfax.db import Base, UtcDateTime, Word


def render_item(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Migrations name the database's own types: ours may change, a migration never does."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime()"
    if kind == "type" and isinstance(item, Word):
        return "sa.String(length=32)"
    return False


connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
