"""Everything about one fax: its facts, its relatives, and the timeline of its states and calls."""

from dataclasses import dataclass
from datetime import datetime

from netfax.db import UnitOfWork
from netfax.faxes.listing import get_item
from netfax.faxes.models import Priority, Reception
from netfax.numbers.write import display
from netfax.org.homes import home_of
from netfax.org.models import User
from netfax.org.viewer import Viewer
from webapp.again import Relative, first_sent_as
from webapp.rows import FaxRow, fax_row, page_count
from webapp.timeline import Moment, inward, outward


@dataclass(frozen=True)
class Details:
    """`sender` is the user who handed the fax over inside; empty for a fax from outside."""

    row: FaxRow
    pages: int
    cover: str
    cover_text: str
    attachments: list[str]
    priority: Priority | None
    planned_at: datetime | None
    called: str
    sender: str
    again_of: Relative | None
    moments: list[Moment]


def read_details(uow: UnitOfWork, viewer: Viewer, fax: str) -> Details:
    """The details of a fax that the viewer may see; `NotFound` otherwise."""
    item = get_item(uow, viewer, fax)
    delivery, reception = item.delivery, item.reception
    cover = delivery.submission.cover if delivery else None
    return Details(
        row=fax_row(uow, viewer, item),
        pages=page_count(item),
        cover=cover.name if cover else "",
        cover_text=cover.text if cover else "",
        attachments=[attachment.name for attachment in delivery.submission.attachments] if delivery else [],
        priority=delivery.priority if delivery else None,
        planned_at=delivery.planned_at if delivery else None,
        called=display(reception.called, home_of(uow, viewer)) if reception else "",
        sender=_sender(reception) if reception else "",
        again_of=first_sent_as(uow, viewer, delivery) if delivery else None,
        moments=outward(uow, delivery) if delivery else inward(reception) if reception else [],
    )


def _sender(reception: Reception) -> str:
    return _with_login(reception.delivery.user) if reception.delivery else ""


def _with_login(user: User) -> str:
    return f"{user.full_name} ({user.login})" if user.full_name else user.login
