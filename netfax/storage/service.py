"""Rows for stored files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from netfax.db import UnitOfWork, reading
from netfax.storage.disk import Stored, blob_path, delete_blob
from netfax.storage.models import Blob

log = structlog.get_logger()

FAX_TIFF = "image/tiff"


@contextmanager
def kept_if_recorded(files: Sequence[Stored]) -> Iterator[None]:
    """Delete those of these stored files that have no row at the block's end, however it ends.

    The transaction that gives them their rows is opened in the block; `files` may grow meanwhile. What the database
    says afterwards decides, for a commit may have happened though it failed to say so. Files stay when that can't be
    asked, or the connection broke and the commit may still happen.
    """
    unsure = False
    try:
        yield
    except DBAPIError as error:
        unsure = error.connection_invalidated
        raise
    finally:
        if not unsure:
            _delete_unrecorded(files)


def _delete_unrecorded(files: Sequence[Stored]) -> None:
    keys = [file.key for file in files]
    try:
        with reading() as uow:
            recorded = set(uow.session.scalars(select(Blob.key).where(Blob.key.in_(keys))))
    except SQLAlchemyError as error:
        log.warning("storage.unsure", keys=keys, error=str(error))
        return
    for key in keys:
        if key not in recorded:
            delete_blob(key)


def add_blob(uow: UnitOfWork, stored: Stored, *, tenant_id: int, media_type: str) -> Blob:
    """Give a stored file its row."""
    blob = Blob(key=stored.key, tenant_id=tenant_id, media_type=media_type, size=stored.size, sha256=stored.sha256)
    uow.session.add(blob)
    uow.session.flush()
    return blob


def path_of(blob: Blob) -> Path:
    """Where the file of a row lies."""
    return blob_path(blob.key)
