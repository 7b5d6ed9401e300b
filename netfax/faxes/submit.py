"""From what a user asked for to a Submission with its Deliveries: checked first, stored whole or not at all."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from netfax.covers.errors import NoSuchCover
from netfax.db import UnitOfWork, now, reading, unit_of_work
from netfax.documents.errors import DocumentError, TooManyPages
from netfax.documents.inspect import inspect
from netfax.documents.limits import MAX_PAGES
from netfax.documents.look import USUAL, Look
from netfax.documents.workshop import DocumentsClosed
from netfax.errors import UserError
from netfax.faxes import errors
from netfax.faxes.convert import alarm_closed
from netfax.faxes.cover import MEDIA_TYPE, Filled, check_cover, fill_cover, store_cover
from netfax.faxes.draw_queue import enter_queue
from netfax.faxes.history import record
from netfax.faxes.models import Attachment, Delivery, Direction, FaxCover, MailboxItem, Priority, Submission
from netfax.numbers.errors import NotAFaxNumber
from netfax.numbers.read import count_numbers, read_numbers
from netfax.numbers.write import FaxNumber, display
from netfax.org.homes import home_of
from netfax.org.models import OwnedNumber
from netfax.org.viewer import Viewer
from netfax.params.service import get_int, get_text
from netfax.storage.disk import Stored, check_reserve, store_file
from netfax.storage.service import add_blob, kept_if_recorded


@dataclass(frozen=True)
class Upload:
    """A file that the user attached: his own name for it, and where we have it."""

    name: str
    path: Path


@dataclass(frozen=True)
class FaxRequest:
    """A fax as a user asks for it; `numbers` as he typed them (R3.1)."""

    numbers: str
    uploads: Sequence[Upload]
    recipient_name: str = ""
    title: str = ""
    # The cover's key; None for none. The text (传真主题, R3.2) appears on a cover and nowhere else.
    cover: str | None = None
    text: str = ""
    priority: Priority = Priority.MEDIUM
    look: Look = USUAL
    # 定时发送: not before this instant (R3.5); None for now.
    planned_at: datetime | None = None
    # The client's own name for this request: the same again is no second fax.
    client_key: str | None = None


# How far ahead a fax may be planned, and a clock that goes a little after ours is no past.
FARTHEST_PLAN = timedelta(days=366)
CLOCK_TOLERANCE = timedelta(minutes=1)
LONGEST_CLIENT_KEY = 128
# A list may name its numbers in several spellings; a longer one is not read at all.
SPELLINGS = 10
# Of numbers that can't be read.
MOST_NAMED = 20
KEEP_CLIENT_KEYS = timedelta(days=30)
FIELDS = ("numbers", "attachments", "recipient_name", "title", "cover", "text", "planned_at", "sender")
TEXT_LIMITS = {"recipient_name": 128, "title": 256}


def submit_fax(viewer: Viewer, request: FaxRequest) -> list[str]:
    """Accept a fax and return the public ids of its deliveries, one a number, in the order given.

    When it returns, files are on disk and rows are committed. `RequestRefused` names every field that is wrong;
    then nothing is stored and nothing is queued, as with `DiskReserveReached` and `DocumentsClosed`. A request that
    came before with the same client key is answered as it was then; `KeyReused` when it was another fax.
    """
    if request.client_key is not None and not _is_key(request.client_key):
        raise errors.RequestRefused([("client_key", errors.BadKey(limit=LONGEST_CLIENT_KEY))])
    mark = fingerprint(request)
    known = _accepted_before(viewer, request.client_key, mark)
    if known is not None:
        return known
    numbers = check_request(viewer, request)
    try:
        return _store(viewer, request, numbers, mark)
    except IntegrityError:
        # The same request at the same moment may have been first.
        known = _accepted_before(viewer, request.client_key, mark)
        if known is None:
            raise
        return known


def _store(viewer: Viewer, request: FaxRequest, numbers: list[FaxNumber], mark: str) -> list[str]:
    files: list[Stored] = []
    with kept_if_recorded(files):
        for upload in request.uploads:
            files.append(store_file(upload.path))
        cover = _filled_cover(viewer, request, numbers)
        if cover is not None:
            files.append(store_cover(cover))
        with unit_of_work() as uow:
            return _record_submission(uow, viewer, request, numbers, files, mark, cover)


def _filled_cover(viewer: Viewer, request: FaxRequest, numbers: list[FaxNumber]) -> Filled | None:
    """The request's cover; `RequestRefused` when its template has gone since it was checked."""
    with reading() as uow:
        try:
            return cover_of(uow, viewer, request, numbers)
        except NoSuchCover as gone:
            raise errors.RequestRefused([("cover", gone)]) from gone


def cover_of(uow: UnitOfWork, viewer: Viewer, request: FaxRequest, numbers: Sequence[FaxNumber]) -> Filled | None:
    """The cover that a request asks for, filled for these numbers; None when it asks for none. `NoSuchCover`."""
    if request.cover is None:
        return None
    return fill_cover(
        uow,
        viewer,
        request.cover,
        to=_storable(request.recipient_name),
        numbers=[shown_number(uow, viewer, number) for number in numbers],
        subject=_storable(request.title),
        text=_storable_lines(request.text),
    )


def _is_key(text: str) -> bool:
    """Whether every database takes it: printable characters, and not too many."""
    return 1 <= len(text) <= LONGEST_CLIENT_KEY and text.isprintable()


def fingerprint(request: FaxRequest) -> str:
    """SHA-256, in hex, of all that a request asks for but its key."""
    digest = hashlib.sha256()
    for text in (request.numbers, request.recipient_name, request.title, request.priority, request.planned_at):
        digest.update(f"{text}\0".encode("utf-8", "surrogateescape"))
    # The usual one as before it could be chosen: keys are known for 30 days.
    if request.look != USUAL:
        digest.update(f"{request.look.resolution}\0{request.look.mode}\0".encode())
    if request.cover is not None:
        digest.update(f"cover\0{request.cover}\0{request.text}\0".encode("utf-8", "surrogateescape"))
    for upload in request.uploads:
        digest.update(f"{upload.name}\0".encode("utf-8", "surrogateescape"))
        with upload.path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _accepted_before(viewer: Viewer, client_key: str | None, mark: str) -> list[str] | None:
    """The deliveries of the request that came with this key before; None when there was none."""
    if client_key is None:
        return None
    with reading() as uow:
        known = uow.session.scalar(
            select(Submission).where(Submission.user_id == viewer.user_id, Submission.client_key == client_key)
        )
        if known is None:
            return None
        if known.fingerprint != mark:
            raise errors.KeyReused()
        query = select(Delivery.uuid).where(Delivery.submission_id == known.id, Delivery.again_of.is_(None))
        return list(uow.session.scalars(query.order_by(Delivery.id)))


def forget_client_keys(uow: UnitOfWork) -> None:
    """Forget the keys of requests older than 30 days: they may be used for another fax."""
    uow.session.execute(
        update(Submission)
        .where(Submission.client_key.is_not(None), Submission.created_at < now() - KEEP_CLIENT_KEYS)
        .values(client_key=None)
        .execution_options(synchronize_session=False)
    )


def check_request(viewer: Viewer, request: FaxRequest) -> list[FaxNumber]:
    """The numbers of a fax that can be accepted; `RequestRefused` with every problem otherwise.

    Documents are opened outside the transaction, for it takes seconds. `DocumentsClosed`, which the operator is told
    of, and `DiskReserveReached`.
    """
    with reading() as uow:
        checked = _check(uow, viewer, request)
    try:
        return _opened(checked)
    except DocumentsClosed as closed:
        with unit_of_work() as uow:
            alarm_closed(uow, closed)
        raise


@dataclass(frozen=True)
class _Checked:
    """What can be said of a request before its files are opened; `uploads` are those that may be."""

    numbers: list[FaxNumber]
    uploads: list[Upload]
    problems: list[tuple[str, UserError]]
    # At least so many pages come before those of the files.
    cover_pages: int


def _opened(checked: _Checked) -> list[FaxNumber]:
    """The numbers, once the files were opened; `RequestRefused` with every problem otherwise."""
    problems = list(checked.problems)
    pages = checked.cover_pages
    for upload in checked.uploads:
        try:
            before, pages = pages, pages + (inspect(upload.path, name=upload.name).pages or 1)
        except DocumentError as error:
            problems.append(("attachments", error))
        else:
            if before <= MAX_PAGES < pages:
                problems.append(("attachments", TooManyPages(name=upload.name)))
    if problems:
        raise errors.RequestRefused(sorted(problems, key=lambda problem: FIELDS.index(problem[0])))
    return checked.numbers


def _check(uow: UnitOfWork, viewer: Viewer, request: FaxRequest) -> _Checked:
    check_reserve(get_int(uow, "disk_reserve"))
    problems: list[tuple[str, UserError]] = []
    numbers = _check_numbers(uow, viewer, request, problems)
    uploads = _check_attachments(uow, request, problems)
    for field, limit in TEXT_LIMITS.items():
        if len(getattr(request, field)) > limit:
            problems.append((field, errors.TextTooLong(count=len(getattr(request, field)), limit=limit)))
    if request.cover is not None:
        problems += check_cover(uow, viewer, request.cover, request.text)
    problems += [("planned_at", problem) for problem in check_plan(request.planned_at)]
    if uow.session.scalar(select(OwnedNumber.identity).where(OwnedNumber.user_id == viewer.user_id).limit(1)) is None:
        problems.append(("sender", errors.NoFaxNumber()))
    return _Checked(numbers, uploads, problems, cover_pages=1 if request.cover is not None else 0)


def check_plan(planned_at: datetime | None) -> list[UserError]:
    """What is wrong with a planned time: nothing, or that it is past or too far ahead."""
    if planned_at is None:
        return []
    if planned_at < now() - CLOCK_TOLERANCE:
        return [errors.PlannedInThePast()]
    return [errors.PlannedTooFarAhead()] if planned_at > now() + FARTHEST_PLAN else []


def _check_numbers(
    uow: UnitOfWork, viewer: Viewer, request: FaxRequest, problems: list[tuple[str, UserError]]
) -> list[FaxNumber]:
    """The numbers that can be read, each once; of those that can't, the first few are named."""
    limit = get_int(uow, "max_recipients")
    count = count_numbers(request.numbers)
    if count > SPELLINGS * limit:
        problems.append(("numbers", errors.TooManyNumbers(count=count, limit=limit)))
        return []
    read = read_numbers(request.numbers, home_of(uow, viewer), get_text(uow, "extension_mark"))
    numbers = list(dict.fromkeys(each for each in read if isinstance(each, FaxNumber)))
    wrong = [each for each in read if isinstance(each, NotAFaxNumber)]
    problems += [("numbers", error) for error in wrong[:MOST_NAMED]]
    if len(wrong) > MOST_NAMED:
        problems.append(("numbers", errors.MoreWrongNumbers(count=len(wrong) - MOST_NAMED)))
    if not numbers and not problems:
        problems.append(("numbers", errors.NoNumbers()))
    if len(numbers) > limit:
        problems.append(("numbers", errors.TooManyNumbers(count=len(numbers), limit=limit)))
    return numbers


def readable_numbers(uow: UnitOfWork, viewer: Viewer, request: FaxRequest) -> list[FaxNumber]:
    """The numbers of a request that can be read, each once, whatever is wrong with the others."""
    return _check_numbers(uow, viewer, request, [])


def _check_attachments(uow: UnitOfWork, request: FaxRequest, problems: list[tuple[str, UserError]]) -> list[Upload]:
    """The files whose number and sizes are right."""
    count, limit = len(request.uploads), get_int(uow, "max_attachments")
    if count == 0 and request.cover is None:
        problems.append(("attachments", errors.NoAttachment()))
    if count > limit:
        problems.append(("attachments", errors.TooManyAttachments(count=count, limit=limit)))
        return []
    uploads: list[Upload] = []
    largest = get_int(uow, "max_attachment")
    for upload in request.uploads:
        kilobytes = -(-upload.path.stat().st_size // 1024)
        if kilobytes > largest:
            problems.append(("attachments", errors.AttachmentTooLarge(name=upload.name, size=kilobytes, limit=largest)))
        else:
            uploads.append(upload)
    return uploads


def new_submission(viewer: Viewer, request: FaxRequest) -> Submission:
    """What is stored of a request, without its files and numbers; not in the database yet."""
    return Submission(
        tenant_id=viewer.tenant_id,
        user_id=viewer.user_id,
        recipient_name=_storable(request.recipient_name),
        title=_storable(request.title),
        resolution=request.look.resolution,
        mode=request.look.mode,
    )


def _record_submission(
    uow: UnitOfWork,
    viewer: Viewer,
    request: FaxRequest,
    numbers: list[FaxNumber],
    files: list[Stored],
    mark: str,
    cover: Filled | None,
) -> list[str]:
    """Rows for a fax and its files: those of its uploads, in order, and that of its cover where it has one."""
    submission = new_submission(viewer, request)
    submission.client_key, submission.fingerprint = request.client_key, mark
    if cover is not None:
        blob = add_blob(uow, files[-1], tenant_id=viewer.tenant_id, media_type=MEDIA_TYPE)
        submission.cover = FaxCover(name=cover.name, text=_storable_lines(request.text), blob_id=blob.id)
    for position, (upload, file) in enumerate(zip(request.uploads, files, strict=False), start=1):
        blob = add_blob(uow, file, tenant_id=viewer.tenant_id, media_type="application/octet-stream")
        submission.attachments.append(
            Attachment(position=position, name=_storable(upload.name[-255:]), blob_id=blob.id)
        )
    enter_queue(uow, submission, request.priority, request.planned_at)
    uow.session.add(submission)
    uow.session.flush()
    expires_at = (request.planned_at or now()) + timedelta(hours=get_int(uow, "fax_lifetime"))
    deliveries = [
        Delivery(
            submission_id=submission.id,
            tenant_id=viewer.tenant_id,
            user_id=viewer.user_id,
            identity=number.identity,
            extension=number.extension,
            number_text=shown_number(uow, viewer, number),
            priority=request.priority,
            planned_at=request.planned_at,
            expires_at=expires_at,
        )
        for number in numbers
    ]
    for delivery in deliveries:
        add_delivery(uow, delivery, actor=viewer.login)
    return [delivery.uuid for delivery in deliveries]


def _storable(text: str) -> str:
    """The text without what a database refuses: NUL and other controls, and bytes of a file name that are no UTF-8."""
    return "".join("\ufffd" if unicodedata.category(character) in ("Cc", "Cs") else character for character in text)


def _storable_lines(text: str) -> str:
    """The same of a text of several lines, which end alike; tabulators stay."""
    return "\n".join("\t".join(map(_storable, line.split("\t"))) for line in text.splitlines())


def shown_number(uow: UnitOfWork, viewer: Viewer, number: FaxNumber) -> str:
    """The number as this viewer reads it, with its extension behind the mark."""
    base = display(number.identity, home_of(uow, viewer))
    return f"{base}{get_text(uow, 'extension_mark')}{number.extension}" if number.extension else base


def add_delivery(uow: UnitOfWork, delivery: Delivery, *, actor: str) -> None:
    """A new delivery with its history's first row, in its sender's mailbox."""
    uow.session.add(delivery)
    uow.session.flush()
    record(uow, delivery, None, actor=actor)
    uow.session.add(
        MailboxItem(
            tenant_id=delivery.tenant_id, user_id=delivery.user_id, direction=Direction.OUT, delivery_id=delivery.id
        )
    )
