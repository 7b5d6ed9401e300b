"""A fax before it is sent (R3.6): its pages drawn as they will go out, and kept for an hour.

They are drawn by the code that draws faxes, and have the mark of what they are drawn from: `netfax.faxes.convert` takes
them for the fax when it is sent. The line at the top is laid into a copy, as the bridge does it for each call.
"""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, or_, select

from netfax.db import UnitOfWork, now, reading, unit_of_work
from netfax.documents.errors import DocumentError
from netfax.documents.headline import write_headlines
from netfax.errors import NotFound, UserError
from netfax.faxes import errors
from netfax.faxes.convert import Drawn, Sources, draw, drawn_before, mark_of
from netfax.faxes.models import Preview
from netfax.faxes.results import seconds_on_line
from netfax.faxes.sender import Sender, page_line, senders_of
from netfax.faxes.submit import FaxRequest, check_request, cover_of, new_submission, readable_numbers, shown_number
from netfax.org.viewer import Viewer
from netfax.params.service import get_flag
from netfax.storage.disk import Stored, blob_path, delete_blob, store_file, work_folder
from netfax.storage.models import Blob
from netfax.storage.service import FAX_TIFF, add_blob, kept_if_recorded

log = structlog.get_logger()

KEPT = timedelta(hours=1)
# One from later than now was made before the clock was set back.
CLOCK_TOLERANCE = timedelta(minutes=1)
MOST_OF_A_USER = 3
# Of all users of this process: each holds one of the portal's threads while its pages are drawn.
MOST_AT_ONCE = 4
# What is wrong with these says nothing of the pages.
BESIDE_THE_PAGES = ("numbers", "planned_at", "sender")
# Stands in the line at the top for a number that can't be read yet.
NO_NUMBER = "…"


@dataclass(frozen=True)
class Previewed:
    """Pages that can be looked at; `problems` are why the fax could not be sent as it is, by field.

    `to` is the number that the line at the top names, "" where there is no line; `seconds` those of a call.
    """

    uuid: str
    pages: int
    seconds: int
    to: str
    problems: Sequence[tuple[str, UserError]]


class _Desk:
    """Who has pages drawn at this moment: each user once, and so many in all."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._users: set[int] = set()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, user_id: int) -> Iterator[None]:
        """A place for the block; `PreviewUnderWay` or `PreviewsBusy` when there is none."""
        with self._lock:
            if user_id in self._users:
                raise errors.PreviewUnderWay()
            if len(self._users) >= self._places:
                raise errors.PreviewsBusy()
            self._users.add(user_id)
        try:
            yield
        finally:
            with self._lock:
                self._users.discard(user_id)


_desk = _Desk(MOST_AT_ONCE)


def make_preview(viewer: Viewer, request: FaxRequest) -> Previewed:
    """Draw what would go out, at the planned time or now.

    A fax that can't be sent for its numbers, its time or its sender is drawn all the same. `RequestRefused` with every
    problem where the pages can't be; `PreviewUnderWay`, `PreviewsBusy`, and what `check_request` raises beside it.
    """
    with _desk.place(viewer.user_id):
        problems = _problems(viewer, request)
        with reading() as uow:
            sources = _sources(uow, viewer, request)
            line = _Line.of(uow, viewer, request)
        try:
            drawn = draw(sources)
        except DocumentError as error:
            raise errors.RequestRefused([*problems, ("attachments", error)]) from error
        files = [drawn.file]
        with kept_if_recorded(files):
            files.append(_with_line(drawn, line))
            with unit_of_work() as uow:
                uuid = _record(uow, viewer, drawn, files[-1], sources.mark)
    _clear(_superfluous(viewer))
    to = line.to if line else ""
    return Previewed(uuid, drawn.image.pages, seconds_on_line(drawn.image.page_bytes), to, problems)


def _problems(viewer: Viewer, request: FaxRequest) -> Sequence[tuple[str, UserError]]:
    try:
        check_request(viewer, request)
    except errors.RequestRefused as refused:
        if any(field not in BESIDE_THE_PAGES for field, _ in refused.problems):
            raise
        return refused.problems
    return []


def _sources(uow: UnitOfWork, viewer: Viewer, request: FaxRequest) -> Sources:
    digests = []
    for upload in request.uploads:
        with upload.path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    mark = mark_of(new_submission(viewer, request), digests)
    cover = cover_of(uow, viewer, request, readable_numbers(uow, viewer, request))
    return Sources(
        [upload.path for upload in request.uploads],
        [upload.name for upload in request.uploads],
        request.look,
        cover.page if cover is not None else None,
        mark,
        drawn_before(uow, mark, viewer.time_zone),
    )


@dataclass(frozen=True)
class _Line:
    """What the line at the top says of the first number."""

    sender: Sender
    at: datetime
    to: str

    @classmethod
    def of(cls, uow: UnitOfWork, viewer: Viewer, request: FaxRequest) -> "_Line | None":
        """None where pages have no line."""
        if not get_flag(uow, "page_header"):
            return None
        numbers = readable_numbers(uow, viewer, request)
        to = shown_number(uow, viewer, numbers[0]) if numbers else NO_NUMBER
        return cls(senders_of(uow, [viewer.user_id])[viewer.user_id], max(now(), request.planned_at or now()), to)


def _with_line(drawn: Drawn, line: _Line | None) -> Stored:
    """The pages as the far end will have them: a file of their own, or the very one where they have no line."""
    if line is None:
        return drawn.file
    headline = page_line(line.sender, line.at, line.to, drawn.image.pages)
    with work_folder() as folder:
        write_headlines(blob_path(drawn.file.key), folder / "lined.tif", headline, first=1)
        return store_file(folder / "lined.tif")


def _record(uow: UnitOfWork, viewer: Viewer, drawn: Drawn, shown: Stored, mark: str | None) -> str:
    blob = add_blob(uow, drawn.file, tenant_id=viewer.tenant_id, media_type=FAX_TIFF)
    own = shown.key != drawn.file.key
    shown_blob = add_blob(uow, shown, tenant_id=viewer.tenant_id, media_type=FAX_TIFF) if own else blob
    preview = Preview(
        tenant_id=viewer.tenant_id,
        user_id=viewer.user_id,
        blob_id=blob.id,
        shown_blob_id=shown_blob.id,
        pages=drawn.image.pages,
        page_bytes=list(drawn.image.page_bytes),
        made_of=mark,
        cover_pages=drawn.cover_pages,
        lasting=drawn.lasting,
    )
    uow.session.add(preview)
    uow.session.flush()
    return preview.uuid


def get_preview(uow: UnitOfWork, viewer: Viewer, uuid: str) -> Preview:
    """A preview by its public id; `NotFound` when it is gone, or not the viewer's own."""
    query = select(Preview).where(Preview.uuid == uuid, Preview.user_id == viewer.user_id)
    preview = uow.session.scalar(query)
    if preview is None:
        raise NotFound()
    return preview


def clear_previews() -> int:
    """Remove the previews that are older than an hour; how many."""
    at = now()
    with reading() as uow:
        old = select(Preview).where(or_(Preview.created_at < at - KEPT, Preview.created_at > at + CLOCK_TOLERANCE))
        found = list(uow.session.scalars(old))
    return _clear(found)


def _superfluous(viewer: Viewer) -> list[Preview]:
    """Of the user's previews all but the last few."""
    with reading() as uow:
        his = select(Preview).where(Preview.user_id == viewer.user_id).order_by(Preview.id.desc())
        return list(uow.session.scalars(his.offset(MOST_OF_A_USER)))


def _clear(previews: Sequence[Preview]) -> int:
    """Remove the files, then their rows: one that was left half way is found again by its row."""
    return sum(_remove(preview) for preview in previews)


def _remove(preview: Preview) -> bool:
    blobs = {preview.blob_id, preview.shown_blob_id}
    with reading() as uow:
        keys = list(uow.session.scalars(select(Blob.key).where(Blob.id.in_(blobs))))
    try:
        for key in keys:
            delete_blob(key)
    except OSError as error:
        log.warning("preview.kept", preview=preview.uuid, error=str(error))
        return False
    with unit_of_work() as uow:
        uow.session.execute(delete(Preview).where(Preview.id == preview.id))
        uow.session.execute(delete(Blob).where(Blob.id.in_(blobs)))
    return True
