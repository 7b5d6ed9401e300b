"""An inbound call that can't be recorded now leaves no file behind, however often it is tried."""

import errno
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from netfax.alarms import JOURNAL_BROKEN, PAGES_LOST, open_alarms
from netfax.db import reading, unit_of_work
from netfax.faxes import recording
from netfax.faxes.models import Reception
from netfax.faxes.receive import InboundCall, decide, note_confirmed
from netfax.faxes.recording import raise_pages_lost, record_told, rescue_inbound, spool_file
from netfax.faxes.states import ReceptionState
from netfax.settings import settings
from netfax.storage.service import path_of
from tests.factories import World, make_world
from tests.pages import draw_page, read_pages, save_tiff

RECEPTION = "6b1f6f3e-0000-4000-8000-000000000001"


@pytest.fixture
def world(database: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("netfax.db.send", lambda *_: True)
    return make_world()


@pytest.fixture
def spool(home: Path) -> Path:
    path = spool_file(RECEPTION)
    path.parent.mkdir(parents=True)
    return save_tiff(path, [draw_page("in")])


def files() -> list[Path]:
    return [path for path in settings().blobs_dir.rglob("*") if path.is_file()]


def test_a_database_that_reads_and_does_not_write_gets_no_copies(
    world: World, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object) -> None:
        raise OperationalError("insert", {}, Exception("attempt to write a readonly database"))

    with monkeypatch.context() as patch:
        patch.setattr(recording, "record_reception", read_only)
        for _ in range(3):
            with pytest.raises(OperationalError):
                rescue_inbound(RECEPTION)
    assert files() == []
    assert spool.exists()
    rescue_inbound(RECEPTION)
    assert not spool.exists()
    with reading() as uow:
        (reception,) = uow.session.scalars(select(Reception)).all()
        assert reception.blob is not None
        assert [path_of(reception.blob)] == files()


def test_of_a_file_that_was_cut_off_the_whole_pages_are_stored_and_open_everywhere(world: World, spool: Path) -> None:
    pages = read_pages(save_tiff(spool, [draw_page(f"page {number}") for number in (1, 2, 3)]))
    with spool.open("r+b") as file:
        file.truncate(spool.stat().st_size - 100)
    rescue_inbound(RECEPTION)
    with reading() as uow:
        (reception,) = uow.session.scalars(select(Reception)).all()
        assert reception.blob is not None and reception.pages == 2
        stored = path_of(reception.blob)
    assert all(np.array_equal(*pair) for pair in zip(read_pages(stored), pages[:2], strict=True))


def test_what_a_caller_was_told_is_kept_where_the_disk_takes_no_copy(
    world: World, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    call = InboundCall(RECEPTION, "gw1", "pstn", "PJSIP/pstn-1", "gw1-1.1", caller="07367721009", called="07367804002")
    with unit_of_work() as uow:
        decide(uow, call)
    told = {"status": "SUCCESS", "pages": "4"}
    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(recording, "store_file", full)
        record_told(RECEPTION, told)
    assert open_codes() == [PAGES_LOST]
    assert spool.exists()
    rescue_inbound(RECEPTION)
    assert open_codes() == [JOURNAL_BROKEN, PAGES_LOST]
    with reading() as uow:
        (reception,) = uow.session.scalars(select(Reception)).all()
        assert (reception.state, reception.pages, reception.pages_confirmed) == (ReceptionState.PARTIAL, 1, 4)


def test_an_alarm_of_pages_that_were_lost_ends_when_they_are_there(
    world: World, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = InboundCall(RECEPTION, "gw1", "pstn", "PJSIP/pstn-1", "gw1-1.1", caller="07367721009", called="07367804002")
    with unit_of_work() as uow:
        decide(uow, call)
        reception = note_confirmed(uow, RECEPTION, 1)
        assert reception is not None
        raise_pages_lost(uow, reception)
    record_told(RECEPTION, {"status": "SUCCESS", "pages": "1"})
    assert open_codes() == []


def open_codes() -> list[str]:
    with reading() as uow:
        return sorted(alarm.code for alarm in open_alarms(uow))
