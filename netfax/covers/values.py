"""What a sender's own fax puts into the variables."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from netfax.db import UnitOfWork
from netfax.numbers.write import display
from netfax.org.homes import home_of
from netfax.org.models import OwnedNumber, User
from netfax.org.viewer import Viewer


def values_of(
    uow: UnitOfWork, viewer: Viewer, *, to: str, numbers: Sequence[str], subject: str, text: str, at: datetime
) -> dict[str, str]:
    """A value for every variable but the pages, of a fax that the viewer submits `at` this instant (R6.1).

    A cover is drawn once for all of a fax's numbers, and none of them is shown to the others: the number is there only
    when it is the only one.
    """
    user = uow.session.get_one(User, viewer.user_id)
    return {
        "SUBJECT": subject,
        "TEXT": text.strip("\r\n"),
        "TO": to,
        "TO_NUMBER": numbers[0] if len(numbers) == 1 else "",
        "FROM": user.full_name or user.name,
        "SURNAME": user.surname,
        "GIVEN_NAME": user.given_name,
        "COMPANY": user.company,
        "POSITION": user.position,
        "ADDRESS": user.address,
        "POSTCODE": user.postcode,
        "TELEPHONE": user.telephone,
        "MOBILE": user.mobile,
        "FAX": user.fax_text or _own_number(uow, viewer),
        "DATE_TIME": f"{at.astimezone(ZoneInfo(viewer.time_zone)):%Y-%m-%d %H:%M}",
    }


def _own_number(uow: UnitOfWork, viewer: Viewer) -> str:
    """The viewer's allotted number as people write it; empty when he has none."""
    own = select(OwnedNumber.identity).where(OwnedNumber.user_id == viewer.user_id)
    identity = uow.session.scalar(own.order_by(OwnedNumber.main.desc(), OwnedNumber.identity).limit(1))
    return display(identity, home_of(uow, viewer)) if identity else ""
