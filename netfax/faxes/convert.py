"""A submission's documents become its one fax image."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import select

from netfax import alarms
from netfax.db import UnitOfWork, now, reading, unit_of_work
from netfax.documents.convert import DRAWING, FaxImage, to_fax_tiff
from netfax.documents.cover import CoverPage, draw_cover
from netfax.documents.errors import DocumentError, PageMissing
from netfax.documents.look import Look
from netfax.documents.sandbox import SandboxError
from netfax.documents.tiffwrite import extract_pages
from netfax.documents.workshop import DocumentsClosed
from netfax.faxes.cover import stored_cover
from netfax.faxes.draw_queue import claim_next, leave_queue, put_off
from netfax.faxes.history import change_state, wait_until
from netfax.faxes.models import Delivery, Document, Preview, Submission
from netfax.faxes.results import Cause
from netfax.faxes.states import DeliveryState
from netfax.ocr.service import look_at
from netfax.params.service import get_int
from netfax.queue import Job
from netfax.storage.disk import Stored, blob_path, free_megabytes, link_file, store_file, work_folder
from netfax.storage.service import FAX_TIFF, add_blob, kept_if_recorded, path_of

ACTOR = "converter"
# The subject of the alarm that no document at all can be opened.
DOCUMENTS = "documents"
log = structlog.get_logger()
# What is known to go wrong; anything else is a defect, and goes on to the log with its traceback.
_KNOWN_FAULTS = (OSError, SandboxError, DocumentError)


@dataclass(frozen=True)
class Sources:
    """What a fax is drawn from: its files, the user's own names of them, how it is to look, and its cover.

    `mark` is the digest of the files and the look, and `before` what was drawn of the same already.
    """

    paths: Sequence[Path]
    names: Sequence[str]
    look: Look
    cover: CoverPage | None
    mark: str | None
    before: "Drawn | None"


@dataclass(frozen=True)
class Drawn:
    """A fax image and its stored file; the first pages of it may be those of a cover."""

    image: FaxImage
    file: Stored
    lasting: bool
    cover_pages: int = 0


def convert_next() -> bool:
    """Draw the submission whose turn it is; False when nobody waits, or the disk is below its reserve."""
    with unit_of_work() as uow:
        submission_uuid = claim_next(uow) if _has_room(uow) else None
    if submission_uuid is None:
        return False
    convert(submission_uuid)
    return True


def _has_room(uow: UnitOfWork) -> bool:
    return free_megabytes() >= get_int(uow, "disk_reserve")


def convert(submission_uuid: str) -> None:
    """Draw a submission's pages and put its deliveries into the queue; a document that can't be drawn fails them.

    A fault of our own raises an alarm, and the submission is drawn after a pause, behind the others of its user. May be
    called again at any time: one that has its document, or that is being drawn twice, ends with one.
    """
    try:
        _draw(submission_uuid)
    except Exception as fault:
        with unit_of_work() as uow:
            _try_again_later(uow, submission_uuid, fault)
        if not isinstance(fault, _KNOWN_FAULTS):
            raise


def _draw(submission_uuid: str) -> None:
    with reading() as uow:
        sources = _sources(uow, submission_uuid)
    if sources is None:
        with unit_of_work() as uow:
            if (submission := _locked(uow, submission_uuid)) is not None:
                _settle(uow, submission)
        return
    try:
        drawn = draw(sources)
    except DocumentError as error:
        with unit_of_work() as uow:
            if not _has_room(uow):
                # A worker that could not write its pages dies as one does that a document has killed.
                raise
            _fail(uow, submission_uuid, error)
        return
    with kept_if_recorded([drawn.file]), unit_of_work() as uow:
        _record_document(uow, submission_uuid, drawn, sources.mark)


def draw(sources: Sources) -> Drawn:
    """The fax image, stored and not recorded yet; what was drawn of the same before is taken. Raises DocumentError."""
    return _once_more(sources) or _drawn_now(sources)


def _once_more(sources: Sources) -> Drawn | None:
    """What was drawn before, under a name of its own; None when that isn't all, or its file has just gone."""
    before = sources.before
    if before is None or before.cover_pages or sources.cover is not None:
        return None
    try:
        return replace(before, file=link_file(before.file))
    except FileNotFoundError:
        return None


def _drawn_now(sources: Sources) -> Drawn:
    with work_folder() as folder:
        body, whole = folder / "body.tif", folder / "fax.tif"
        if sources.cover is None:
            image, lasting = _draw_body(sources, body)
            return Drawn(image, store_file(body), lasting)
        lasting = True
        if sources.paths:
            _, lasting = _draw_body(sources, body)
        image, cover_pages = draw_cover(sources.cover, whole, look=sources.look, body=body if sources.paths else None)
        return Drawn(image, store_file(whole), lasting, cover_pages)


def _draw_body(sources: Sources, target: Path) -> tuple[FaxImage, bool]:
    """The pages of the attachments, from an earlier fax where there is one; and whether they are lasting."""
    before = sources.before
    if before is not None:
        try:
            extract_pages(blob_path(before.file.key), target, first=before.cover_pages + 1)
        except (FileNotFoundError, PageMissing) as gone:
            log.warning("convert.gone", key=before.file.key, reason=str(gone))
        else:
            sizes = before.image.page_bytes[before.cover_pages :]
            return FaxImage(len(sizes), sizes, target.stat().st_size), before.lasting
    image = to_fax_tiff(sources.paths, target, names=sources.names, look=sources.look)
    return image, image.lasting


def _sources(uow: UnitOfWork, submission_uuid: str) -> Sources | None:
    """None when there is nothing to draw: it is drawn, or every delivery was taken back."""
    submission = uow.session.scalar(select(Submission).where(Submission.uuid == submission_uuid))
    if submission is None or submission.document is not None:
        return None
    converting = Delivery.submission_id == submission.id, Delivery.state == DeliveryState.CONVERTING
    if uow.session.scalar(select(Delivery.id).where(*converting).limit(1)) is None:
        return None
    attachments = submission.attachments
    mark = mark_of(submission, [each.blob.sha256 for each in attachments])
    return Sources(
        [path_of(each.blob) for each in attachments],
        [each.name for each in attachments],
        submission.look,
        _cover(submission),
        mark,
        drawn_before(uow, mark, submission.user.time_zone),
    )


def _cover(submission: Submission) -> CoverPage | None:
    cover = submission.cover
    return stored_cover(cover.name, path_of(cover.blob)) if cover is not None else None


def mark_of(submission: Submission, digests: Sequence[str]) -> str | None:
    """SHA-256, in hex, of what the pages behind the cover are drawn from; None without attachments.

    `digests` are the SHA-256 of the attachments. Within its tenant: what is another's is never shared. A cover, with
    its date, is never twice the same.
    """
    if not digests:
        return None
    parts = [str(DRAWING), str(submission.tenant_id), submission.resolution, submission.mode, *digests]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def drawn_before(uow: UnitOfWork, mark: str | None, zone: str) -> Drawn | None:
    """The last drawing of the same, for a fax or a preview.

    One that may be another on another day only from the present day of the sender, who is in this zone.
    """
    if mark is None:
        return None
    document = uow.session.scalar(
        select(Document).where(Document.made_of == mark).order_by(Document.created_at.desc()).limit(1)
    )
    preview = uow.session.scalar(
        select(Preview).where(Preview.made_of == mark).order_by(Preview.created_at.desc()).limit(1)
    )
    found: list[Document | Preview] = [each for each in (document, preview) if each is not None]
    if not found:
        return None
    last = max(found, key=lambda each: each.created_at)
    there = ZoneInfo(zone)
    if not last.lasting and last.created_at.astimezone(there).date() != now().astimezone(there).date():
        return None
    file = Stored(last.blob.key, last.blob.size, last.blob.sha256)
    return Drawn(FaxImage(last.pages, tuple(last.page_bytes), file.size), file, last.lasting, last.cover_pages)


def _record_document(uow: UnitOfWork, submission_uuid: str, drawn: Drawn, mark: str | None) -> None:
    """Record the image and queue the deliveries, unless another drawing of it was first."""
    submission = _locked(uow, submission_uuid)
    if submission is None or submission.document is not None:
        return
    image = drawn.image
    blob = add_blob(uow, drawn.file, tenant_id=submission.tenant_id, media_type=FAX_TIFF)
    look_at(uow, blob, image.pages, from_line=False)
    document = Document(
        submission_id=submission.id,
        blob_id=blob.id,
        pages=image.pages,
        page_bytes=list(image.page_bytes),
        made_of=mark,
        lasting=drawn.lasting,
        cover_pages=drawn.cover_pages,
    )
    uow.session.add(document)
    for delivery in _deliveries(uow, submission):
        # One that was taken back meanwhile can be sent again.
        delivery.pages = image.pages
        if delivery.state is not DeliveryState.CONVERTING:
            continue
        if delivery.planned_at is not None and delivery.planned_at > now():
            wait_until(uow, delivery, delivery.planned_at, actor=ACTOR, state=DeliveryState.SCHEDULED)
        else:
            wait_until(uow, delivery, now(), actor=ACTOR)
    _settle(uow, submission)
    alarms.clear_alarm(uow, alarms.OUR_FAULT, DOCUMENTS)
    uow.enqueue(Job.WAKE_DISPATCHER)


def _fail(uow: UnitOfWork, submission_uuid: str, error: DocumentError) -> None:
    submission = _locked(uow, submission_uuid)
    if submission is None:
        return
    for delivery in _deliveries(uow, submission):
        if delivery.state is DeliveryState.CONVERTING:
            delivery.cause = Cause.BAD_DOCUMENT
            delivery.cause_detail = error.note
            change_state(uow, delivery, DeliveryState.FAILED, actor=ACTOR, reason=error.note)
    _settle(uow, submission)


def _try_again_later(uow: UnitOfWork, submission_uuid: str, fault: Exception) -> None:
    submission = _locked(uow, submission_uuid)
    if submission is None or submission.draw_turn is None:
        return
    put_off(uow, submission)
    if isinstance(fault, DocumentsClosed):
        alarm_closed(uow, fault)
    else:
        who, why = submission.user.login, f"{type(fault).__name__}: {fault}"
        said = alarms.Said(
            f"The pages of a fax of {who} can't be drawn: {why}. It is tried again every minute while the fax is open.",
            f"{who} 的一份传真无法转换成页面：{why}。在传真结束前每分钟重试一次。",
        )
        alarms.raise_alarm(uow, alarms.OUR_FAULT, submission_uuid, said)


def alarm_closed(uow: UnitOfWork, closed: DocumentsClosed) -> None:
    """Tell the operator that no document can be opened; the next one that is drawn clears it."""
    why = closed.__cause__
    said = alarms.Said(f"No document can be opened: {why}.", f"所有文档都无法打开：{why}。")
    alarms.raise_alarm(uow, alarms.OUR_FAULT, DOCUMENTS, said)


def _settle(uow: UnitOfWork, submission: Submission) -> None:
    """Nothing of it is left to draw."""
    leave_queue(submission)
    alarms.clear_alarm(uow, alarms.OUR_FAULT, submission.uuid)


def _locked(uow: UnitOfWork, submission_uuid: str) -> Submission | None:
    return uow.session.scalar(select(Submission).where(Submission.uuid == submission_uuid).with_for_update())


def _deliveries(uow: UnitOfWork, submission: Submission) -> list[Delivery]:
    """Its deliveries as they are now, locked: their sender may be taking them back at this moment."""
    query = select(Delivery).where(Delivery.submission_id == submission.id).order_by(Delivery.id)
    return list(uow.session.scalars(query.with_for_update()))
