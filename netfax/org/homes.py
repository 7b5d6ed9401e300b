"""Where somebody telephones from."""

from netfax.db import UnitOfWork
from netfax.numbers.home import Home
from netfax.org.viewer import Viewer
from netfax.params.service import get_text


def system_home(uow: UnitOfWork) -> Home:
    """Where the lines are."""
    return Home(country=get_text(uow, "country_code"), area=get_text(uow, "area_code"))


def home_of(uow: UnitOfWork, viewer: Viewer) -> Home:
    """The user's own area decides what is local; the system's where he has none (R8.9)."""
    return Home(country=get_text(uow, "country_code"), area=viewer.area_code or get_text(uow, "area_code"))
