"""Rows for stored files."""

from pathlib import Path

from netfax.db import UnitOfWork
from netfax.storage.disk import Stored, blob_path
from netfax.storage.models import Blob

FAX_TIFF = "image/tiff"


def add_blob(uow: UnitOfWork, stored: Stored, *, tenant_id: int, media_type: str) -> Blob:
    """Give a stored file its row."""
    blob = Blob(key=stored.key, tenant_id=tenant_id, media_type=media_type, size=stored.size, sha256=stored.sha256)
    uow.session.add(blob)
    uow.session.flush()
    return blob


def path_of(blob: Blob) -> Path:
    """Where the file of a row lies."""
    return blob_path(blob.key)
