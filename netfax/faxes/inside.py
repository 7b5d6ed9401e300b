"""A fax to a number of ours (R3.7): handed over without a call and a port, whatever the lines do."""

from netfax import alarms
from netfax.db import UnitOfWork, now, reading, unit_of_work
from netfax.faxes.history import change_state
from netfax.faxes.models import Delivery, Direction, MailboxItem, Reception
from netfax.faxes.results import Cause
from netfax.faxes.states import DeliveryState, ReceptionState
from netfax.ocr.service import look_at
from netfax.org.models import User, new_uuid
from netfax.org.numbers import find_owner
from netfax.storage.disk import Stored, link_file
from netfax.storage.models import Blob
from netfax.storage.service import FAX_TIFF, add_blob, kept_if_recorded

ACTOR = "inside"


def deliver_inside(delivery_id: int) -> bool:
    """Hand a queued delivery over to the owner of its number; False when it does not wait any more.

    The recipient gets the pages under a name of their own, so that either side may delete his. A number of ours that
    nobody has ends the fax as one that does not exist. Raises OSError when the pages can't be stored: it still waits.
    """
    with reading() as uow:
        blob = _pages_of(uow, delivery_id)
    if blob is None:
        return False
    pages = link_file(Stored(blob.key, blob.size, blob.sha256))
    with kept_if_recorded([pages]), unit_of_work() as uow:
        return _hand_over(uow, delivery_id, pages)


def _pages_of(uow: UnitOfWork, delivery_id: int) -> Blob | None:
    delivery = uow.session.get(Delivery, delivery_id)
    if delivery is None or delivery.state is not DeliveryState.QUEUED or delivery.submission.document is None:
        return None
    return delivery.submission.document.blob


def _hand_over(uow: UnitOfWork, delivery_id: int, pages: Stored) -> bool:
    delivery = uow.session.get(Delivery, delivery_id, with_for_update={"of": Delivery})
    if delivery is None or delivery.state is not DeliveryState.QUEUED:
        return False
    recipient = find_owner(uow, delivery.identity)
    if recipient is None:
        delivery.cause = Cause.UNALLOCATED
        after = DeliveryState.PARTIAL if delivery.pages_confirmed else DeliveryState.FAILED
        change_state(uow, delivery, after, actor=ACTOR, reason=Cause.UNALLOCATED)
        return False
    delivery.cause = Cause.OK
    alarms.clear_alarm(uow, alarms.OUR_FAULT, delivery.uuid)
    delivery.pages_confirmed = delivery.pages
    change_state(uow, delivery, DeliveryState.SENT, actor=ACTOR, reason=recipient.login)
    blob = add_blob(uow, pages, tenant_id=recipient.tenant_id, media_type=FAX_TIFF)
    look_at(uow, blob, delivery.pages, from_line=False)
    reception = _reception(delivery, recipient, blob)
    uow.session.add(reception)
    uow.session.flush()
    uow.session.add(
        MailboxItem(
            tenant_id=recipient.tenant_id,
            user_id=recipient.id,
            direction=Direction.IN,
            reception_id=reception.id,
        )
    )
    return True


def _reception(delivery: Delivery, recipient: User, blob: Blob) -> Reception:
    """What the recipient sees: no caller's number, for it came from inside; the delivery names the sender."""
    at = now()
    return Reception(
        id=new_uuid(),
        gateway="",
        tenant_id=recipient.tenant_id,
        user_id=recipient.id,
        called=delivery.identity,
        state=ReceptionState.RECEIVED,
        pages=delivery.pages,
        pages_confirmed=delivery.pages,
        blob_id=blob.id,
        delivery_id=delivery.id,
        started_at=at,
        ended_at=at,
    )
