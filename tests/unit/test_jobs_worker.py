"""A worker starts where the one before it was killed."""

import threading
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from jobs import outbound, worker
from netfax.db import now, unit_of_work
from netfax.faxes import convert, draw_queue
from netfax.faxes.models import Submission
from netfax.faxes.states import DeliveryState
from tests.factories import make_delivery, make_world

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class NoWorker:
    """Instead of RQ's, which would wait for jobs for ever."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def work(self, **_: object) -> None:
        pass


@pytest.fixture
def cleared(database: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One word each time that old work folders are removed, and that pages are read."""
    done: list[str] = []
    monkeypatch.setattr(worker, "SimpleWorker", NoWorker)
    monkeypatch.setattr(worker, "set_up_log", lambda _: None)
    monkeypatch.setattr(worker, "keep_beating", lambda _: threading.Event())
    monkeypatch.setattr(worker, "start_reading", lambda _: done.append("reads"))
    monkeypatch.setattr(worker, "clear_work_folders", lambda: done.append("cleared"))
    return done


def test_it_lets_go_of_what_was_being_drawn_and_removes_old_drafts(cleared: list[str]) -> None:
    make_delivery(make_world().alice, state=DeliveryState.CONVERTING)
    with unit_of_work() as uow:
        submission = uow.session.query(Submission).one()
        submission.draw_turn, submission.draw_after = 0, now() + timedelta(seconds=90)
        submission.drawn_by = draw_queue._this_machine()
        uow.session.flush()
        assert draw_queue.count_ready(uow) == 0
    worker.main("outbound")
    with unit_of_work() as uow:
        submission = uow.session.query(Submission).one()
        assert (submission.draw_after, submission.drawn_by, submission.draw_deaths) == (None, "", 1)
    assert cleared == ["cleared", "reads"]


def test_it_works_although_the_database_is_gone_at_its_start(
    cleared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: object) -> None:
        raise OperationalError("update", {}, Exception("the database is gone"))

    monkeypatch.setattr(worker, "let_go_drawings", gone)
    with structlog.testing.capture_logs() as logs:
        worker.main("outbound")
    assert [entry["event"] for entry in logs] == ["worker.drawings_kept"]


def test_a_job_draws_one_and_a_job_too_many_is_no_error(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    make_delivery(make_world().alice, state=DeliveryState.CONVERTING)
    with unit_of_work() as uow:
        uow.session.query(Submission).update({"draw_turn": 0})
    drawn: list[str] = []
    monkeypatch.setattr(convert, "convert", drawn.append)
    for _ in range(2):
        outbound.convert()
    assert len(drawn) == 1
