"""The services' signs of life, as the database has them."""

from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from cli.installation import check_installation
from netfax.db import reading
from netfax.errors import UserError
from netfax.monitor.service import beats
from netfax.settings import settings


def database_beats() -> Mapping[str, tuple[float, str]]:
    """Unix time and detail of each service's last healthy beat; nothing when there is no database to read."""
    try:
        check_installation(settings())
        with reading() as uow:
            return {
                name: (each.updated_at.timestamp(), each.detail) for name, each in beats(uow).items() if each.healthy
            }
    except (UserError, SQLAlchemyError):
        return {}
