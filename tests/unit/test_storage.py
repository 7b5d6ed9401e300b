"""Files in the store: whole and recorded, or not there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from netfax.db import UnitOfWork, unit_of_work
from netfax.settings import settings
from netfax.storage import disk, service
from netfax.storage.disk import Stored, blob_path, clear_work_folders, link_file, store_file, work_folder
from netfax.storage.service import FAX_TIFF, add_blob, kept_if_recorded
from tests.factories import World, make_world


@pytest.fixture
def source(home: Path) -> Path:
    path = home / "source"
    path.write_bytes(b"pages" * 1000)
    return path


@pytest.fixture
def world(database: Engine) -> World:
    return make_world()


def files() -> list[Path]:
    return [path for path in settings().blobs_dir.rglob("*") if path.is_file()]


def record(uow: UnitOfWork, stored: Stored, world: World) -> None:
    add_blob(uow, stored, tenant_id=world.tenant_id, media_type=FAX_TIFF)


# --- A store that fails ---


@pytest.mark.parametrize(("where", "step"), [(os, "fsync"), (Path, "rename"), (disk, "sync_folder")])
def test_a_file_that_could_not_be_stored_leaves_nothing(
    source: Path, monkeypatch: pytest.MonkeyPatch, where: object, step: str
) -> None:
    works = getattr(where, step)

    def full(*arguments: object) -> object:
        if files():
            raise OSError(28, "No space left on device")
        return works(*arguments)

    monkeypatch.setattr(where, step, full)
    with pytest.raises(OSError, match="No space"):
        store_file(source)
    assert files() == []


def test_a_second_name_that_may_not_survive_a_power_cut_is_taken_away(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = store_file(source)

    def broken(_: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, "sync_folder", broken)
    with pytest.raises(OSError, match="Input/output"):
        link_file(stored)
    assert files() == [blob_path(stored.key)]


# --- A file and its row ---


def test_a_recorded_file_stays(world: World, source: Path) -> None:
    stored = store_file(source)
    with kept_if_recorded([stored]), unit_of_work() as uow:
        record(uow, stored, world)
    assert files() == [blob_path(stored.key)]


def test_a_file_that_nobody_has_recorded_goes(world: World, source: Path) -> None:
    stored: list[Stored] = []
    with kept_if_recorded(stored):
        stored += [store_file(source), store_file(source)]
        with unit_of_work() as uow:
            record(uow, stored[1], world)
    assert files() == [blob_path(stored[1].key)]


@pytest.mark.parametrize("error", [OperationalError("commit", {}, Exception("disk full")), KeyboardInterrupt()])
def test_a_transaction_that_fails_takes_the_file_with_it(world: World, source: Path, error: BaseException) -> None:
    stored = store_file(source)
    with pytest.raises(type(error)), kept_if_recorded([stored]), unit_of_work() as uow:
        record(uow, stored, world)
        raise error
    assert files() == []


def test_a_commit_that_happened_but_failed_to_say_so_keeps_its_file(world: World, source: Path) -> None:
    stored = store_file(source)
    with pytest.raises(OperationalError), kept_if_recorded([stored]):
        with unit_of_work() as uow:
            record(uow, stored, world)
        raise OperationalError("commit", {}, Exception("no answer"))
    assert files() == [blob_path(stored.key)]


def test_a_commit_whose_connection_broke_may_still_happen_and_keeps_its_file(world: World, source: Path) -> None:
    stored = store_file(source)
    with pytest.raises(OperationalError), kept_if_recorded([stored]):
        raise OperationalError("commit", {}, Exception("server closed"), connection_invalidated=True)
    assert files() == [blob_path(stored.key)]


def test_a_file_about_which_nobody_can_be_asked_stays(
    world: World, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise OperationalError("select", {}, Exception("the database is gone"))

    stored = store_file(source)
    monkeypatch.setattr(service, "reading", gone)
    with pytest.raises(ZeroDivisionError), kept_if_recorded([stored]):
        raise ZeroDivisionError
    assert files() == [blob_path(stored.key)]


# --- Work folders ---

KILLED = """
import os, signal, sys
from netfax.storage.disk import work_folder
with work_folder() as folder:
    (folder / "draft").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def killed(home: Path) -> Path:
    """The work folder of a process that was killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None and process.stdin is not None
    folder = Path(process.stdout.readline().strip())
    assert folder.is_dir()
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdin.close()
    process.stdout.close()
    return folder


def grow_old(folder: Path, seconds: float) -> None:
    os.utime(folder, (time.time() - seconds,) * 2)


@pytest.mark.parametrize("age", [3700, -86_400], ids=["old", "from before the clock was set back"])
def test_the_folder_of_a_killed_process_is_removed(killed: Path, age: float) -> None:
    grow_old(killed, age)
    assert clear_work_folders() == 1
    assert not killed.exists()
    assert clear_work_folders() == 0


def test_a_young_folder_stays(killed: Path) -> None:
    assert clear_work_folders() == 0
    assert killed.exists()


def test_a_folder_in_use_stays_when_the_clock_jumps_by_a_day(home: Path) -> None:
    with work_folder() as folder:
        for days in (1, -1):
            grow_old(folder, days * 86_400)
            assert clear_work_folders() == 0
        assert folder.exists()
    assert not folder.exists()


def test_without_any_work_folder_there_is_nothing_to_remove(home: Path) -> None:
    assert clear_work_folders() == 0
