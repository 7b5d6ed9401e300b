"""The whole history of one fax for an operator, from any id that names it; there is no viewer, so it shows all."""

import re

from sqlalchemy import or_, select

from netfax.alarms import Alarm, alarms_about
from netfax.db import UnitOfWork
from netfax.errors import UserError
from netfax.faxes.listing import history
from netfax.faxes.models import Attempt, Delivery, MailboxItem, Reception, StateChange, Submission
from netfax.faxes.traced import (
    AlarmTrace,
    AttachmentTrace,
    AttemptTrace,
    ChangeTrace,
    CoverTrace,
    DeliveryTrace,
    DocumentTrace,
    FaxTrace,
    ItemTrace,
    ReceptionTrace,
    StoredFile,
    SubmissionTrace,
)
from netfax.storage.models import Blob
from netfax.storage.service import path_of

_ID = re.compile(r"[0-9a-f-]{1,36}")
# What a running number can be at most in the database.
LARGEST_NUMBER = 2**31 - 1


class NoSuchFax(UserError):
    code = "no_such_fax"
    en = "{text!r} names no fax: give a running number, or the id of a mailbox item, delivery, call or reception."
    zh = "{text!r} 不对应任何传真：请输入编号，或信箱条目、传真、呼叫、来件的标识。"


def trace(uow: UnitOfWork, text: str) -> FaxTrace:
    """The history of the fax that a running number, or the id of a mailbox item, delivery, call or reception names.

    `NoSuchFax` when it names none.
    """
    delivery, reception = _find(uow, text)
    if delivery is not None:
        reception = uow.session.scalar(select(Reception).where(Reception.delivery_id == delivery.id))
    elif reception is not None:
        delivery = reception.delivery
    subjects = [reception.id] if reception else []
    if delivery is not None:
        subjects += [delivery.uuid, delivery.submission.uuid, *(attempt.id for attempt in delivery.attempts)]
    return FaxTrace(
        _delivery(uow, delivery) if delivery else None,
        _reception(uow, reception) if reception else None,
        [_alarm(each) for each in alarms_about(uow, subjects)],
    )


def _find(uow: UnitOfWork, text: str) -> tuple[Delivery | None, Reception | None]:
    """What the id names: one of the two."""
    wanted = text.strip().lower()
    if not _ID.fullmatch(wanted):
        raise NoSuchFax(text=text[:40])
    names_item = MailboxItem.uuid == wanted
    if wanted.isdecimal() and int(wanted) <= LARGEST_NUMBER:
        names_item = MailboxItem.id == int(wanted)
    item = uow.session.scalar(select(MailboxItem).where(names_item))
    if item is not None:
        return item.delivery, item.reception
    call = select(Attempt.delivery_id).where(Attempt.id == wanted)
    delivery = uow.session.scalar(select(Delivery).where(or_(Delivery.uuid == wanted, Delivery.id.in_(call))))
    if delivery is not None:
        return delivery, None
    reception = uow.session.scalar(select(Reception).where(or_(Reception.id == wanted, Reception.uuid == wanted)))
    if reception is None:
        raise NoSuchFax(text=text[:40])
    return None, reception


def _delivery(uow: UnitOfWork, delivery: Delivery) -> DeliveryTrace:
    again = select(Delivery.uuid).where(Delivery.again_of == delivery.id).order_by(Delivery.id)
    return DeliveryTrace(
        id=delivery.uuid,
        item=_item(uow.session.scalar(select(MailboxItem).where(MailboxItem.delivery_id == delivery.id))),
        number=delivery.number_text,
        identity=delivery.identity,
        extension=delivery.extension,
        priority=delivery.priority,
        state=delivery.state,
        cause=delivery.cause,
        cause_detail=delivery.cause_detail,
        pages=delivery.pages,
        pages_confirmed=delivery.pages_confirmed,
        tries=delivery.tries,
        paid_tries=delivery.paid_tries,
        free_tries=delivery.free_tries,
        next_try_at=delivery.next_try_at,
        planned_at=delivery.planned_at,
        expires_at=delivery.expires_at,
        cancel_asked_at=delivery.cancel_asked_at,
        created_at=delivery.created_at,
        ended_at=delivery.ended_at,
        submission=_submission(delivery.submission),
        changes=[_change(each) for each in history(uow, delivery)],
        attempts=[_attempt(each) for each in delivery.attempts],
        again_of=uow.session.scalar(select(Delivery.uuid).where(Delivery.id == delivery.again_of)),
        sent_again_by=list(uow.session.scalars(again)),
    )


def _submission(submission: Submission) -> SubmissionTrace:
    document = submission.document
    return SubmissionTrace(
        id=submission.uuid,
        user=submission.user.login,
        tenant=submission.user.tenant.name,
        recipient_name=submission.recipient_name,
        title=submission.title,
        client_key=submission.client_key,
        created_at=submission.created_at,
        attachments=[AttachmentTrace(each.name, _file(each.blob)) for each in submission.attachments],
        cover=CoverTrace(submission.cover.name, _file(submission.cover.blob)) if submission.cover else None,
        document=(
            DocumentTrace(document.pages, document.page_bytes, _file(document.blob), document.created_at)
            if document
            else None
        ),
    )


def _file(blob: Blob) -> StoredFile:
    return StoredFile(blob.key, blob.size, blob.sha256, path_of(blob).is_file())


def _change(change: StateChange) -> ChangeTrace:
    return ChangeTrace(change.at, change.actor, change.before, change.after, change.reason)


def _attempt(attempt: Attempt) -> AttemptTrace:
    return AttemptTrace(
        id=attempt.id,
        trunk=attempt.trunk.name,
        gateway=attempt.gateway,
        boot=attempt.boot,
        created_at=attempt.created_at,
        originated_at=attempt.originated_at,
        answered_at=attempt.answered_at,
        ended_at=attempt.ended_at,
        asked_mode=attempt.asked_mode,
        modem=attempt.modem,
        ecm=attempt.ecm,
        fine=attempt.fine,
        cause=attempt.cause,
        status_text=attempt.status_text,
        hangup_cause=attempt.hangup_cause,
        first_page=attempt.first_page,
        pages_confirmed=attempt.pages_confirmed,
        rate=attempt.rate,
        mode=attempt.mode,
        seconds=attempt.seconds,
        station_id=attempt.remote_station_id,
    )


def _item(item: MailboxItem | None) -> ItemTrace | None:
    if item is None:
        return None
    return ItemTrace(item.id, item.uuid, item.user.login, item.read_at, item.deleted_at, item.created_at)


def _reception(uow: UnitOfWork, reception: Reception) -> ReceptionTrace:
    return ReceptionTrace(
        id=reception.id,
        uuid=reception.uuid,
        item=_item(uow.session.scalar(select(MailboxItem).where(MailboxItem.reception_id == reception.id))),
        inside=reception.delivery_id is not None,
        user=reception.user.login,
        gateway=reception.gateway,
        trunk=reception.trunk_name,
        channel=reception.channel,
        channel_uid=reception.channel_uid,
        caller=reception.caller,
        called=reception.called,
        station_id=reception.remote_station_id,
        state=reception.state,
        status_text=reception.status_text,
        pages=reception.pages,
        pages_confirmed=reception.pages_confirmed,
        rate=reception.rate,
        mode=reception.mode,
        seconds=reception.seconds,
        file=_file(reception.blob) if reception.blob else None,
        started_at=reception.started_at,
        ended_at=reception.ended_at,
    )


def _alarm(alarm: Alarm) -> AlarmTrace:
    return AlarmTrace(alarm.id, alarm.code, alarm.subject, alarm.text, alarm.text_zh, alarm.raised_at, alarm.cleared_at)
