"""V11: every row's file exists as it was written; no file older than an hour lacks a row."""

import hashlib
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import select

from netfax.db import reading
from netfax.monitor.verify.rules import Found, Look, Rule, Words
from netfax.settings import settings
from netfax.storage.disk import blob_path, sync_folder
from netfax.storage.models import Blob

# A file is there before its row: a conversion or a call may still be on its way to it.
UNCLAIMED_SECONDS = 3600
# Rows read in one transaction.
BATCH = 500
ORPHANS = "orphans"


def find_damaged_files(look: Look) -> Found:
    """The file of every row is there with its size and SHA-256. All of them are read, outside any transaction."""
    looked_at, damaged = 0, {}
    for key, size, sha256 in _rows():
        if not look.wants(key):
            continue
        looked_at += 1
        wrong = _wrong_with(blob_path(key), size, sha256)
        if wrong:
            damaged[key] = wrong
    return Found(looked_at, damaged)


def _rows() -> Iterator[tuple[str, int, str]]:
    last = 0
    while True:
        query = select(Blob.id, Blob.key, Blob.size, Blob.sha256).where(Blob.id > last).order_by(Blob.id).limit(BATCH)
        with reading() as uow:
            rows = uow.session.execute(query).all()
        if not rows:
            return
        for row in rows:
            yield row.key, row.size, row.sha256
        last = rows[-1].id


def _wrong_with(path: Path, size: int, sha256: str) -> str:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        there = path.stat().st_size
    except OSError as error:
        return error.strerror or str(error)
    if there != size:
        return f"{size} ≠ {there} bytes"
    return "" if digest == sha256 else "SHA-256"


def find_files_without_row(look: Look) -> Found:
    """A file whose name in the store is older than an hour has its row. Files are listed first, then asked for."""
    store = settings().blobs_dir
    listed = (path.relative_to(store).as_posix() for path in store.rglob("*"))
    names = [name for name in listed if look.wants(name) and _is_old_file(store / name)]
    return Found(len(names), dict.fromkeys(_without_row(names), ""))


def put_aside(name: str) -> bool:
    """Move a file without a row to the folder of orphans; nothing is deleted, and nothing there overwritten."""
    source = settings().blobs_dir / name
    if not _is_old_file(source) or not _without_row([name]):
        return False
    folder = settings().home / ORPHANS
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / source.name
    if target.exists():
        target = folder / f"{source.name}.{time.time_ns()}"
    shutil.move(source, target)
    sync_folder(folder)
    return True


def _is_old_file(path: Path) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    # A second name for an old file (`link_file`) shows only in the change of its inode.
    return not stat.S_ISDIR(status.st_mode) and abs(time.time() - status.st_ctime) > UNCLAIMED_SECONDS


def _without_row(names: Sequence[str]) -> list[str]:
    """Which of these paths in the store are not where a row has its file."""
    known: set[str] = set()
    for first in range(0, len(names), BATCH):
        keys = [Path(name).name for name in names[first : first + BATCH]]
        with reading() as uow:
            known.update(uow.session.scalars(select(Blob.key).where(Blob.key.in_(keys))))
    places = {blob_path(key) for key in known}
    return [name for name in names if settings().blobs_dir / name not in places]


STORED = (
    Rule(
        "damaged_file",
        Words("stored file that is not as its row says", "与记录不符的存储文件"),
        find_damaged_files,
    ),
    Rule(
        "file_without_row",
        Words("file in the store that no row knows", "没有对应记录的存储文件"),
        find_files_without_row,
        put_aside,
        Words(f"moved to {ORPHANS}/", f"已移到 {ORPHANS}/"),
    ),
)
