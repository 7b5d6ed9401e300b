"""A user's own options (R6.2)."""

from netfax.db import UnitOfWork
from netfax.errors import LANGUAGES
from netfax.org.models import User
from netfax.org.viewer import Viewer


def set_language(uow: UnitOfWork, viewer: Viewer, language: str) -> None:
    """The language in which the viewer reads the portal from now on; `zh` or `en`."""
    if language not in LANGUAGES:
        raise ValueError(f"no such language: {language!r}")
    user = uow.session.get_one(User, viewer.user_id)
    user.language = language
