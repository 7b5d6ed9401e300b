"""An inbound call that can't be recorded now leaves no file behind, however often it is tried."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from netfax.db import reading
from netfax.faxes import recording
from netfax.faxes.models import Reception
from netfax.faxes.recording import rescue_inbound, spool_file
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
