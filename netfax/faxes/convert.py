"""A submission's documents become its one fax image."""

from dataclasses import dataclass

from sqlalchemy import select

from netfax.db import UnitOfWork, now, reading, unit_of_work
from netfax.documents.convert import FaxImage, to_fax_tiff
from netfax.errors import UserError
from netfax.faxes.history import change_state, wait_until
from netfax.faxes.models import Delivery, Document, Submission
from netfax.faxes.results import Cause
from netfax.faxes.states import DeliveryState
from netfax.queue import Job
from netfax.storage.disk import Stored, delete_blob, store_file, work_folder
from netfax.storage.service import FAX_TIFF, add_blob, path_of

ACTOR = "converter"


@dataclass(frozen=True)
class _Drawn:
    image: FaxImage
    file: Stored


def convert(submission_uuid: str) -> None:
    """Draw a submission's pages and put its deliveries into the queue; a document that can't be drawn fails them.

    May be called again at any time: a submission that has its document, or that is being drawn twice, ends with one.
    """
    with reading() as uow:
        submission = _submission(uow, submission_uuid)
        if submission is None or submission.document is not None:
            return
        sources = [path_of(attachment.blob) for attachment in submission.attachments]
        names = [attachment.name for attachment in submission.attachments]
    try:
        with work_folder() as folder:
            target = folder / "fax.tif"
            image = to_fax_tiff(sources, target, names=names)
            drawn = _Drawn(image, store_file(target))
    except UserError as error:
        with unit_of_work() as uow:
            _fail(uow, submission_uuid, error)
        return
    with unit_of_work() as uow:
        kept = _record_document(uow, submission_uuid, drawn)
    if not kept:
        delete_blob(drawn.file.key)


def _submission(uow: UnitOfWork, uuid: str) -> Submission | None:
    return uow.session.scalar(select(Submission).where(Submission.uuid == uuid).with_for_update())


def _record_document(uow: UnitOfWork, submission_uuid: str, drawn: _Drawn) -> bool:
    """Record the image and queue the deliveries; False when another drawing of it was first."""
    submission = _submission(uow, submission_uuid)
    if submission is None or submission.document is not None:
        return False
    blob = add_blob(uow, drawn.file, tenant_id=submission.tenant_id, media_type=FAX_TIFF)
    uow.session.add(
        Document(
            submission_id=submission.id,
            blob_id=blob.id,
            pages=drawn.image.pages,
            page_bytes=list(drawn.image.page_bytes),
        )
    )
    for delivery in _converting(uow, submission):
        delivery.pages = drawn.image.pages
        if delivery.planned_at is not None and delivery.planned_at > now():
            wait_until(uow, delivery, delivery.planned_at, actor=ACTOR, state=DeliveryState.SCHEDULED)
        else:
            wait_until(uow, delivery, now(), actor=ACTOR)
    uow.enqueue(Job.WAKE_DISPATCHER)
    return True


def _fail(uow: UnitOfWork, submission_uuid: str, error: UserError) -> None:
    submission = _submission(uow, submission_uuid)
    if submission is None:
        return
    for delivery in _converting(uow, submission):
        delivery.cause = Cause.BAD_DOCUMENT
        delivery.cause_detail = error.text(submission.user.language)
        change_state(uow, delivery, DeliveryState.FAILED, actor=ACTOR, reason=error.code)


def _converting(uow: UnitOfWork, submission: Submission) -> list[Delivery]:
    query = select(Delivery).where(Delivery.submission_id == submission.id, Delivery.state == DeliveryState.CONVERTING)
    return list(uow.session.scalars(query))


def waiting_submissions(uow: UnitOfWork, limit: int = 100) -> list[str]:
    """Submissions that still wait for their drawing, oldest first: what the sweep sends to the queue again."""
    query = (
        select(Submission.uuid)
        .join(Delivery, Delivery.submission_id == Submission.id)
        .where(Delivery.state == DeliveryState.CONVERTING)
        .group_by(Submission.id)
        .order_by(Submission.id)
        .limit(limit)
    )
    return list(uow.session.scalars(query))
