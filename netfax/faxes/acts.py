"""What a sender does with a fax that waits or has ended: hold, release, send now, plan, priority, send again (R5.1)."""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from netfax.db import UnitOfWork, now
from netfax.errors import NotFound
from netfax.faxes import errors
from netfax.faxes.again import sent_again
from netfax.faxes.history import Act, change_state, record, wait_until
from netfax.faxes.listing import get_item
from netfax.faxes.models import Delivery, MailboxItem, Priority, Submission
from netfax.faxes.states import ON_THE_LINE, OPEN_STATES, STATE_INFO, DeliveryState
from netfax.faxes.submit import add_delivery, check_plan
from netfax.org.viewer import Viewer
from netfax.params.service import get_int
from netfax.queue import Job


def hold(uow: UnitOfWork, viewer: Viewer, item_uuid: str) -> None:
    """Let a fax wait until somebody releases it; one that is held already stays so."""
    delivery = _waiting_delivery(uow, viewer, item_uuid)
    if delivery.state is not DeliveryState.HELD:
        change_state(uow, delivery, DeliveryState.HELD, actor=viewer.login)
        delivery.next_try_at = None


def release(uow: UnitOfWork, viewer: Viewer, item_uuid: str) -> None:
    """Let a held fax go on: at its planned time if that is ahead, else now. Its time to be sent in begins anew."""
    delivery = _waiting_delivery(uow, viewer, item_uuid)
    if delivery.state is not DeliveryState.HELD:
        raise errors.NotHeld()
    _go_on(uow, viewer, delivery)


def send_now(uow: UnitOfWork, viewer: Viewer, item_uuid: str) -> None:
    """Call as soon as a port is free, whatever the fax waited for."""
    delivery = _waiting_delivery(uow, viewer, item_uuid)
    delivery.planned_at = None
    _go_on(uow, viewer, delivery, Act.SEND_NOW.said())


def plan(uow: UnitOfWork, viewer: Viewer, item_uuid: str, at: datetime) -> None:
    """Send at another time; a held fax stays held and goes then at the earliest."""
    for problem in check_plan(at):
        raise problem
    delivery = _waiting_delivery(uow, viewer, item_uuid)
    delivery.planned_at = at
    said = Act.PLAN.said(at.isoformat(timespec="seconds"))
    if delivery.state is DeliveryState.HELD:
        record(uow, delivery, delivery.state, actor=viewer.login, reason=said)
    else:
        _go_on(uow, viewer, delivery, said)


def set_priority(uow: UnitOfWork, viewer: Viewer, item_uuid: str, priority: Priority) -> None:
    """Give a waiting fax another priority; nothing when it has that one."""
    delivery = _waiting_delivery(uow, viewer, item_uuid)
    if delivery.priority is priority:
        return
    delivery.priority = priority
    record(uow, delivery, delivery.state, actor=viewer.login, reason=Act.PRIORITY.said(priority))
    # The dispatcher's waiting room has it by the old one.
    delivery.admitted = False
    uow.enqueue(Job.WAKE_DISPATCHER)


def send_again(uow: UnitOfWork, viewer: Viewer, item_uuid: str, *, whole: bool = False) -> str:
    """A new fax to the same number with the pages that were not confirmed, or with all; its public delivery id.

    What a fax that sent it again got confirmed counts too. `SentAlready` when every page was confirmed and not the
    whole is asked for, `NotEndedYet` before the end, `AlreadySentAgain` when such a fax is on its way or has arrived: a
    second click is no second fax.
    """
    _lock_submission(uow, viewer, item_uuid)
    ended = _delivery(uow, viewer, item_uuid)
    info = STATE_INFO[ended.state]
    if not info.ended:
        raise errors.NotEndedYet(state_en=info.en, state_zh=info.zh)
    if ended.state is DeliveryState.REFUSED:
        raise errors.WasRefused()
    document = ended.submission.document
    if document is None:
        raise errors.NeverDrawn()
    heirs = sent_again(uow, [ended.id])[ended.id]
    other = _on_its_way(uow, heirs)
    if other is not None:
        raise errors.AlreadySentAgain(number=other)
    confirmed = max(ended.pages_confirmed, _most_confirmed(uow, heirs))
    if not whole and confirmed == document.pages:
        raise errors.SentAlready()
    again = Delivery(
        submission_id=ended.submission_id,
        tenant_id=ended.tenant_id,
        user_id=ended.user_id,
        identity=ended.identity,
        extension=ended.extension,
        number_text=ended.number_text,
        priority=ended.priority,
        state=DeliveryState.QUEUED,
        pages=document.pages,
        pages_confirmed=0 if whole else confirmed,
        again_of=heirs[-1] if heirs else ended.id,
        expires_at=_expiry(uow, now()),
    )
    add_delivery(uow, again, actor=viewer.login)
    wait_until(uow, again, now(), actor=viewer.login)
    uow.enqueue(Job.WAKE_DISPATCHER)
    return again.uuid


def _lock_submission(uow: UnitOfWork, viewer: Viewer, item_uuid: str) -> None:
    """Let one at a time decide what is sent again of a fax and its heirs: each of them may be the one asked for."""
    delivery = get_item(uow, viewer, item_uuid).delivery
    if delivery is not None:
        uow.session.refresh(delivery.submission, with_for_update={"of": Submission})


def _on_its_way(uow: UnitOfWork, delivery_ids: list[int]) -> int | None:
    """The running number of one of these that is open or has arrived; None when there is none."""
    query = (
        select(MailboxItem.id)
        .join(Delivery, Delivery.id == MailboxItem.delivery_id)
        .where(Delivery.id.in_(delivery_ids), Delivery.state.in_(OPEN_STATES | {DeliveryState.SENT}))
    )
    return uow.session.scalar(query.limit(1))


def _most_confirmed(uow: UnitOfWork, delivery_ids: list[int]) -> int:
    query = select(func.max(Delivery.pages_confirmed)).where(Delivery.id.in_(delivery_ids))
    return uow.session.scalar(query) or 0


def _go_on(uow: UnitOfWork, viewer: Viewer, delivery: Delivery, said: str = "") -> None:
    at = now()
    if delivery.planned_at is not None and delivery.planned_at > at:
        delivery.expires_at = _expiry(uow, delivery.planned_at)
        planned = DeliveryState.SCHEDULED
        wait_until(uow, delivery, delivery.planned_at, actor=viewer.login, reason=said, state=planned)
    else:
        delivery.expires_at = _expiry(uow, at)
        wait_until(uow, delivery, at, actor=viewer.login, reason=said)
    uow.enqueue(Job.WAKE_DISPATCHER)


def _expiry(uow: UnitOfWork, since: datetime) -> datetime:
    return since + timedelta(hours=get_int(uow, "fax_lifetime"))


def _waiting_delivery(uow: UnitOfWork, viewer: Viewer, item_uuid: str) -> Delivery:
    """The delivery, locked, when it waits; otherwise the error that says what it does instead."""
    delivery = _delivery(uow, viewer, item_uuid)
    info = STATE_INFO[delivery.state]
    if info.ended:
        raise errors.AlreadyEnded(state_en=info.en, state_zh=info.zh)
    if delivery.state in ON_THE_LINE:
        raise errors.OnTheLineNow()
    if delivery.state is DeliveryState.CONVERTING:
        raise errors.StillConverting()
    if delivery.state is DeliveryState.AWAITING_APPROVAL:
        raise errors.WaitsForApproval()
    return delivery


def _delivery(uow: UnitOfWork, viewer: Viewer, item_uuid: str) -> Delivery:
    """The delivery, locked: the dispatcher may be taking it at this moment."""
    delivery = get_item(uow, viewer, item_uuid).delivery
    if delivery is None:
        raise NotFound()
    uow.session.refresh(delivery, with_for_update={"of": Delivery})
    return delivery
