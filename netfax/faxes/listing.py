"""What a viewer sees: his mailbox, the queues and lists. Every query takes the viewer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from netfax.db import UnitOfWork, now
from netfax.errors import NotFound
from netfax.faxes.errors import NoPages
from netfax.faxes.models import Attempt, Delivery, Direction, MailboxItem, Reception, StateChange, Submission
from netfax.faxes.search import matches
from netfax.faxes.states import ON_THE_LINE, OPEN_STATES
from netfax.org.models import Role
from netfax.org.viewer import Viewer
from netfax.storage.models import Blob

T = TypeVar("T")

# No list is longer; further on a database could not count.
LAST_PAGE = 1_000_000


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, and how much there is of it."""

    rows: list[T]
    total: int
    number: int
    size: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))


def seen_by(
    viewer: Viewer, tenant_id: InstrumentedAttribute[int], user_id: InstrumentedAttribute[int]
) -> ColumnElement[bool]:
    """Each user sees his own; a domain administrator his domain; the system administrator all."""
    match viewer.role:
        case Role.SYSTEM_ADMIN:
            return true()
        case Role.DOMAIN_ADMIN:
            return tenant_id == viewer.tenant_id
        case _:
            return user_id == viewer.user_id


def mailbox(
    uow: UnitOfWork, viewer: Viewer, direction: Direction, *, search: str = "", page: int = 1, size: int = 20
) -> Page[MailboxItem]:
    """The viewer's own inbox or outbox (传真信箱), newest first, without the bin; where it matches the search."""
    query = select(MailboxItem).where(
        MailboxItem.user_id == viewer.user_id,
        MailboxItem.direction == direction,
        MailboxItem.deleted_at.is_(None),
        matches(search),
    )
    return _page(uow, query.options(*_WITH_FAX).order_by(MailboxItem.id.desc()), page, size)


def unread(uow: UnitOfWork, viewer: Viewer) -> int:
    """How many faxes of the viewer's inbox he has not read."""
    query = select(func.count(MailboxItem.id)).where(
        MailboxItem.user_id == viewer.user_id,
        MailboxItem.direction == Direction.IN,
        MailboxItem.deleted_at.is_(None),
        MailboxItem.read_at.is_(None),
    )
    return uow.session.scalar(query) or 0


def sent_list(uow: UnitOfWork, viewer: Viewer, *, search: str = "", page: int = 1, size: int = 20) -> Page[MailboxItem]:
    """R5.4 已发传真: every ended delivery that the viewer may see, the deleted ones too, newest first."""
    query = (
        select(MailboxItem)
        .join(Delivery, Delivery.id == MailboxItem.delivery_id)
        .where(
            seen_by(viewer, Delivery.tenant_id, Delivery.user_id), Delivery.state.not_in(OPEN_STATES), matches(search)
        )
    )
    return _page(uow, query.options(*_WITH_FAX).order_by(MailboxItem.id.desc()), page, size)


def send_queue(
    uow: UnitOfWork, viewer: Viewer, *, search: str = "", page: int = 1, size: int = 20
) -> Page[MailboxItem]:
    """R5.1 发送队列: every delivery that is not ended and that the viewer may see, newest first."""
    query = (
        select(MailboxItem)
        .join(Delivery, Delivery.id == MailboxItem.delivery_id)
        .where(seen_by(viewer, Delivery.tenant_id, Delivery.user_id), Delivery.state.in_(OPEN_STATES), matches(search))
    )
    return _page(uow, query.options(*_WITH_FAX).order_by(MailboxItem.id.desc()), page, size)


def just_ended(uow: UnitOfWork, viewer: Viewer, since: datetime, *, search: str = "", most: int) -> list[MailboxItem]:
    """The deliveries that have ended after an instant and that the viewer may see, the last ones first."""
    query = (
        select(MailboxItem)
        .join(Delivery, Delivery.id == MailboxItem.delivery_id)
        .where(seen_by(viewer, Delivery.tenant_id, Delivery.user_id), Delivery.ended_at > since, matches(search))
    )
    rows = uow.session.scalars(query.options(*_WITH_FAX).order_by(Delivery.ended_at.desc()).limit(most))
    return list(rows.unique())


def receive_queue(uow: UnitOfWork, viewer: Viewer) -> list[Reception]:
    """R5.2 接收队列: the calls that bring a fax at this moment."""
    query = (
        select(Reception)
        .where(seen_by(viewer, Reception.tenant_id, Reception.user_id), Reception.ended_at.is_(None))
        .options(joinedload(Reception.user))
        .order_by(Reception.started_at)
    )
    return list(uow.session.scalars(query))


def get_item(uow: UnitOfWork, viewer: Viewer, uuid: str) -> MailboxItem:
    """One fax by its public id, or its delivery's; `NotFound` when there is none or it is not the viewer's to see."""
    of_delivery = select(Delivery.id).where(Delivery.uuid == uuid).scalar_subquery()
    item = uow.session.scalar(
        select(MailboxItem)
        .where(
            or_(MailboxItem.uuid == uuid, MailboxItem.delivery_id == of_delivery),
            seen_by(viewer, MailboxItem.tenant_id, MailboxItem.user_id),
        )
        .options(*_WITH_FAX)
    )
    if item is None:
        raise NotFound()
    return item


def history(uow: UnitOfWork, delivery: Delivery) -> list[StateChange]:
    """The changes of state of a delivery, in order."""
    query = select(StateChange).where(StateChange.delivery_id == delivery.id).order_by(StateChange.id)
    return list(uow.session.scalars(query))


def mark_read(viewer: Viewer, item: MailboxItem) -> None:
    """The owner has seen the pages; an administrator who looks changes nothing."""
    if item.user_id == viewer.user_id and item.read_at is None:
        item.read_at = now()


def keep_turn(viewer: Viewer, item: MailboxItem, degrees: int) -> None:
    """Show the pages turned clockwise by so many degrees from now on; an administrator who looks changes nothing."""
    if item.user_id == viewer.user_id:
        item.turn = degrees


def open_attempt(delivery: Delivery) -> Attempt | None:
    """The call that the delivery has on the line now, or None."""
    if delivery.state not in ON_THE_LINE:
        return None
    return next((attempt for attempt in delivery.attempts if attempt.ended_at is None), None)


_WITH_FAX = (
    joinedload(MailboxItem.user),
    joinedload(MailboxItem.reception).joinedload(Reception.blob),
    joinedload(MailboxItem.reception).joinedload(Reception.delivery).joinedload(Delivery.user),
    joinedload(MailboxItem.delivery).joinedload(Delivery.submission).joinedload(Submission.document),
    joinedload(MailboxItem.delivery).selectinload(Delivery.attempts).joinedload(Attempt.trunk),
    joinedload(MailboxItem.delivery).joinedload(Delivery.submission).selectinload(Submission.attachments),
)


def _page(uow: UnitOfWork, query: Select[MailboxItem], number: int, size: int) -> Page[MailboxItem]:
    total: Any = uow.session.scalar(select(func.count()).select_from(query.order_by(None).subquery()))
    rows = uow.session.scalars(query.limit(size).offset((number - 1) * size))
    return Page(list(rows.unique()), total, number, size)


def image_of(item: MailboxItem) -> Blob:
    """The TIFF of a fax in either direction; `NoPages` while there is none."""
    blob: Blob | None = None
    if item.reception is not None:
        blob = item.reception.blob
    elif item.delivery is not None and item.delivery.submission.document is not None:
        blob = item.delivery.submission.document.blob
    if blob is None:
        raise NoPages()
    return blob
