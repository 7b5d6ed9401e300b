"""The services' signs of life, as the database has them."""

from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from netfax.db import reading
from netfax.monitor.service import beats


def database_beats() -> Mapping[str, tuple[float, str]]:
    """Unix time and detail of each service's last healthy beat; nothing when the database can't be read."""
    try:
        with reading() as uow:
            return {
                name: (each.updated_at.timestamp(), each.detail) for name, each in beats(uow).items() if each.healthy
            }
    except SQLAlchemyError:
        return {}
