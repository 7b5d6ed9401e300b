"""Files on the local disk: written beside, fsynced, renamed, and the folder fsynced."""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from netfax.errors import UserError
from netfax.org.models import new_uuid
from netfax.settings import settings

CHUNK = 1 << 20
# A work folder is locked as soon as it is made.
LOCKED_WITHIN_SECONDS = 3600


class DiskReserveReached(UserError):
    code = "disk_reserve"
    en = "The system has too little free disk space to accept a fax now; please tell the administrator."
    zh = "系统磁盘空间不足，暂时无法接收传真，请通知管理员。"


@dataclass(frozen=True)
class Stored:
    """A file that lies on disk, fsynced, and has no row yet."""

    key: str
    size: int
    sha256: str


def store_file(source: Path) -> Stored:
    """Copy a file into the store and return once it would survive a power cut."""
    key = new_uuid()
    target = blob_path(key)
    _make_folder(target.parent)
    draft = target.with_suffix(".new")
    digest, size = hashlib.sha256(), 0
    with _gone_on_error(draft, target):
        with source.open("rb") as reader, draft.open("wb") as writer:
            while chunk := reader.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                writer.write(chunk)
            writer.flush()
            os.fsync(writer.fileno())
        draft.rename(target)
        sync_folder(target.parent)
    return Stored(key, size, digest.hexdigest())


def link_file(stored: Stored) -> Stored:
    """The same stored file under a second key, with a name of its own on disk; either may be deleted."""
    key = new_uuid()
    target = blob_path(key)
    _make_folder(target.parent)
    with _gone_on_error(target):
        target.hardlink_to(blob_path(stored.key))
        sync_folder(target.parent)
    return Stored(key, stored.size, stored.sha256)


@contextmanager
def _gone_on_error(*paths: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        raise


def blob_path(key: str) -> Path:
    """Where a stored file lies; keys are UUIDs of ours, never anything from outside."""
    return settings().blobs_dir / key[:2] / key


def delete_blob(key: str) -> None:
    blob_path(key).unlink(missing_ok=True)


def free_megabytes() -> int:
    """Free space on the disk of the store, in MB."""
    return shutil.disk_usage(settings().home).free // 1_000_000


def check_reserve(reserve_megabytes: int) -> None:
    """Raise `DiskReserveReached` when less than the reserve is free."""
    if free_megabytes() < reserve_megabytes:
        raise DiskReserveReached()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)


@contextmanager
def work_folder() -> Iterator[Path]:
    """A folder of our own for drafts, on the disk of the store; gone at the end."""
    folder = _work_folders() / new_uuid()
    folder.mkdir(parents=True)
    # The lock ends with this process, however it ends.
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def clear_work_folders() -> int:
    """Remove the work folders of processes that were killed; how many. One in use stays, whatever the clock says."""
    return sum(_is_old(folder) and _remove_unused(folder) for folder in _work_folders().glob("*/"))


def _work_folders() -> Path:
    return settings().home / "tmp"


def _is_old(folder: Path) -> bool:
    """Whether it is so old that its lock was taken; one from the future was made before the clock was set back."""
    try:
        return abs(time.time() - folder.stat().st_mtime) > LOCKED_WITHIN_SECONDS
    except FileNotFoundError:
        return False


def _remove_unused(folder: Path) -> bool:
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
