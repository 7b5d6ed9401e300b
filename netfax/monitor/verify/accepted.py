"""V1: what was accepted is on disk and committed. V2: it has ended, has a due time, or names who must act."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from netfax.db import UnitOfWork, now, reading, unit_of_work
from netfax.faxes.draw_queue import enter_queue
from netfax.faxes.history import change_state, wait_until
from netfax.faxes.models import (
    Attachment,
    Attempt,
    Delivery,
    Direction,
    Document,
    FaxCover,
    MailboxItem,
    StateChange,
    Submission,
)
from netfax.faxes.results import Cause
from netfax.faxes.states import ON_THE_LINE, DeliveryState
from netfax.monitor.verify.rules import Found, Look, Rule, Words, rows_that
from netfax.queue import Job
from netfax.storage.disk import blob_path
from netfax.storage.models import Blob

ACTOR = "verify"
DRAWN_WITHIN = timedelta(hours=1)
ENDED_WITHIN = timedelta(minutes=10)

_TIMED = (DeliveryState.QUEUED, DeliveryState.SCHEDULED)


def find_attachments_without_file(_look: Look) -> Found:
    """The file of every attachment and cover is there. It is on disk before the row is committed: youth is no excuse.

    What is in the file is looked at by V11.
    """
    attached = (
        select(Submission.uuid, Attachment.position, Blob.key)
        .join(Attachment, Attachment.submission_id == Submission.id)
        .join(Blob, Blob.id == Attachment.blob_id)
    )
    covers = (
        select(Submission.uuid, Blob.key)
        .join(FaxCover, FaxCover.submission_id == Submission.id)
        .join(Blob, Blob.id == FaxCover.blob_id)
    )
    with reading() as uow:
        files = [(row.uuid, f"attachment {row.position}", row.key) for row in uow.session.execute(attached)]
        files += [(row.uuid, "cover", row.key) for row in uow.session.execute(covers)]
    return Found(len(files), {uuid: what for uuid, what, key in files if not blob_path(key).is_file()})


def find_submissions_without_delivery(_look: Look) -> Found:
    """Every submission has a delivery. Both come with one commit."""
    query = select(Submission.uuid).where(~select(Delivery.id).where(Delivery.submission_id == Submission.id).exists())
    return rows_that(Submission.id, query)


def find_deliveries_without_item(_look: Look) -> Found:
    """Every delivery is in its sender's mailbox. Both come with one commit; an item in the bin is still there."""
    query = select(Delivery.uuid).where(~select(MailboxItem.id).where(MailboxItem.delivery_id == Delivery.id).exists())
    return rows_that(Delivery.id, query)


def put_delivery_into_mailbox(uuid: str) -> bool:
    with unit_of_work() as uow:
        delivery = _locked(uow, uuid)
        known = select(MailboxItem.id).where(MailboxItem.delivery_id == delivery.id)
        if uow.session.scalar(known) is not None:
            return False
        uow.session.add(
            MailboxItem(
                tenant_id=delivery.tenant_id, user_id=delivery.user_id, direction=Direction.OUT, delivery_id=delivery.id
            )
        )
        return True


def find_converting_for_ever(look: Look) -> Found:
    """A delivery is `converting` only while its submission has no document: then the sweep sends it to be drawn.

    Document and next state come with one commit; once it is drawn, nobody comes back for a delivery left behind.
    """
    drawn = select(Document.id).where(Document.submission_id == Delivery.submission_id).exists()
    converting = Delivery.state == DeliveryState.CONVERTING
    query = select(Delivery.uuid).where(converting, drawn, look.settled(Delivery.created_at))
    return rows_that(Delivery.id, query, converting)


def find_never_drawn(look: Look) -> Found:
    """While deliveries wait to be drawn, one is drawn at least every hour; each waits for those that came before."""
    drawn = select(Document.id).where(Document.submission_id == Delivery.submission_id).exists()
    converting = Delivery.state == DeliveryState.CONVERTING
    lately = StateChange.before == DeliveryState.CONVERTING, StateChange.at > look.at - DRAWN_WITHIN
    idle = ~select(StateChange.id).where(*lately).exists()
    query = select(Delivery.uuid).where(converting, ~drawn, idle, Delivery.created_at < look.at - DRAWN_WITHIN)
    return rows_that(Delivery.id, query, converting)


def find_past_its_end(look: Look) -> Found:
    """What waits ends when its time is over; the dispatcher sees to it within seconds."""
    waits = Delivery.state.in_((DeliveryState.CONVERTING, *_TIMED))
    query = select(Delivery.uuid).where(waits, Delivery.expires_at < look.at - ENDED_WITHIN)
    return rows_that(Delivery.id, query, waits)


def find_out_of_turn(look: Look) -> Found:
    """A delivery that is `converting` and not yet drawn has its submission among those that wait for their turn."""
    drawn = select(Document.id).where(Document.submission_id == Delivery.submission_id).exists()
    converting = Delivery.state == DeliveryState.CONVERTING
    query = (
        select(Delivery.uuid)
        .join(Submission, Submission.id == Delivery.submission_id)
        .where(converting, ~drawn, Submission.draw_turn.is_(None), look.settled(Delivery.created_at))
    )
    return rows_that(Delivery.id, query, converting)


def give_turn(uuid: str) -> bool:
    with unit_of_work() as uow:
        delivery = _locked(uow, uuid)
        if delivery.state is not DeliveryState.CONVERTING or delivery.submission.draw_turn is not None:
            return False
        enter_queue(uow, delivery.submission, delivery.priority, delivery.planned_at)
        return True


def queue_drawn(uuid: str) -> bool:
    with unit_of_work() as uow:
        delivery = _locked(uow, uuid)
        document = delivery.submission.document
        if delivery.state is not DeliveryState.CONVERTING or document is None:
            return False
        delivery.pages = document.pages
        if delivery.planned_at is not None and delivery.planned_at > now():
            wait_until(uow, delivery, delivery.planned_at, actor=ACTOR, state=DeliveryState.SCHEDULED)
        else:
            wait_until(uow, delivery, now(), actor=ACTOR)
        uow.enqueue(Job.WAKE_DISPATCHER)
        return True


def find_waiting_without_time(_look: Look) -> Found:
    """A delivery that is `queued` or `scheduled` has its due time; state and time come with one commit."""
    waiting = Delivery.state.in_(_TIMED)
    return rows_that(Delivery.id, select(Delivery.uuid).where(waiting, Delivery.next_try_at.is_(None)), waiting)


def give_time(uuid: str) -> bool:
    with unit_of_work() as uow:
        delivery = _locked(uow, uuid)
        if delivery.state not in _TIMED or delivery.next_try_at is not None:
            return False
        wait_until(uow, delivery, delivery.planned_at or now(), actor=ACTOR, state=delivery.state)
        uow.enqueue(Job.WAKE_DISPATCHER)
        return True


def find_held_by_nobody(_look: Look) -> Found:
    """The last change of a `held` delivery is the one that holds it, and says who did: he, or his like, must act."""
    later = aliased(StateChange)
    last = ~select(later.id).where(later.delivery_id == StateChange.delivery_id, later.id > StateChange.id).exists()
    named = (
        select(StateChange.id)
        .where(
            StateChange.delivery_id == Delivery.id,
            StateChange.after == DeliveryState.HELD,
            StateChange.actor != "",
            last,
        )
        .exists()
    )
    held = Delivery.state == DeliveryState.HELD
    return rows_that(Delivery.id, select(Delivery.uuid).where(held, ~named), held)


def find_lines_without_call(_look: Look) -> Found:
    """A delivery that is `dialing` or `sending` has exactly one open attempt; both change with one commit."""
    calls = (
        select(func.count())
        .select_from(Attempt)
        .where(Attempt.delivery_id == Delivery.id, Attempt.ended_at.is_(None))
        .correlate(Delivery)
        .scalar_subquery()
    )
    on_the_line = Delivery.state.in_(ON_THE_LINE)
    return rows_that(Delivery.id, select(Delivery.uuid, calls).where(on_the_line, calls != 1), on_the_line)


def end_without_call(uuid: str) -> bool:
    """No call will ever end it, and what became of the last one nobody knows: it is not redialled by itself."""
    with unit_of_work() as uow:
        delivery = _locked(uow, uuid)
        if delivery.state not in ON_THE_LINE or any(attempt.ended_at is None for attempt in delivery.attempts):
            return False
        delivery.cause = Cause.CALL_LOST
        change_state(uow, delivery, DeliveryState.UNKNOWN, actor=ACTOR, reason=Cause.CALL_LOST)
        return True


def find_calls_without_line(_look: Look) -> Found:
    """An open attempt belongs to a delivery that is `dialing` or `sending`; both change with one commit."""
    query = (
        select(Attempt.id, Delivery.state)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .where(Attempt.ended_at.is_(None), Delivery.state.not_in(ON_THE_LINE))
    )
    return rows_that(Attempt.id, query, Attempt.ended_at.is_(None))


def _locked(uow: UnitOfWork, uuid: str) -> Delivery:
    return uow.session.scalars(select(Delivery).where(Delivery.uuid == uuid).with_for_update(of=Delivery)).one()


ACCEPTED = (
    Rule(
        "attachment_without_file",
        Words("submission whose attachment or cover is not on disk", "附件或封面文件不在磁盘上的提交"),
        find_attachments_without_file,
    ),
    Rule(
        "submission_without_delivery",
        Words("submission that goes to nobody", "没有任何收件号码的提交"),
        find_submissions_without_delivery,
    ),
    Rule(
        "delivery_without_item",
        Words("delivery that is in no mailbox", "不在任何信箱中的传真"),
        find_deliveries_without_item,
        put_delivery_into_mailbox,
        Words("put into its sender's mailbox", "已放入发件人的信箱"),
    ),
)

GOES_ON = (
    Rule(
        "converting_for_ever",
        Words("delivery that waits for pages which are drawn already", "页面已转换完成却仍在等待转换的传真"),
        find_converting_for_ever,
        queue_drawn,
        Words("queued", "已放入发送队列"),
    ),
    Rule(
        "out_of_turn",
        Words("delivery whose pages are nobody's turn to draw", "未排入页面转换队列的传真"),
        find_out_of_turn,
        give_turn,
        Words("put among those that wait to be drawn", "已排入页面转换队列"),
    ),
    Rule(
        "past_its_end",
        Words("delivery that waits though its time is over", "已过发送期限却仍在等待的传真"),
        find_past_its_end,
    ),
    Rule(
        "never_drawn",
        Words("delivery that waits for its pages for over an hour", "等待页面转换超过一小时的传真"),
        find_never_drawn,
    ),
    Rule(
        "waiting_without_time",
        Words("delivery that waits and has no due time", "正在等待却没有发送时间的传真"),
        find_waiting_without_time,
        give_time,
        Words("given a due time", "已设定发送时间"),
    ),
    Rule(
        "held_by_nobody",
        Words("held delivery of which nobody says who holds it", "已暂停却不知由谁暂停的传真"),
        find_held_by_nobody,
    ),
    Rule(
        "line_without_call",
        Words("delivery on the line without its one call; calls", "正在拨号或发送却不是恰有一路呼叫的传真；呼叫数"),
        find_lines_without_call,
        end_without_call,
        Words("ended as unknown", "已按结果未知结束"),
    ),
    Rule(
        "call_without_line",
        Words("open call whose delivery is not on the line; its state", "呼叫未结束而传真不在通话状态；其状态"),
        find_calls_without_line,
    ),
)
