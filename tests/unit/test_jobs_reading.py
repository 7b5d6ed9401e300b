"""The thread that looks at pages: it goes on after whatever happens, and sleeps when there is nothing to do."""

import threading
from functools import cache

import fakeredis
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from jobs import reading
from netfax import queue
from netfax.db import unit_of_work
from netfax.documents.tesseract import ReaderMissing
from netfax.documents.workshop import DocumentsClosed
from netfax.queue import WAKE_READER, Job, send

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def redis(database: Engine, monkeypatch: pytest.MonkeyPatch) -> fakeredis.FakeRedis:
    connection = fakeredis.FakeRedis()
    for module in (queue, reading):
        monkeypatch.setattr(module, "redis", cache(lambda: connection))
    return connection


@pytest.mark.parametrize(
    "fault",
    [ReaderMissing(), DocumentsClosed(), OSError(), OperationalError("select", {}, Exception()), ValueError("defect")],
)
def test_it_goes_on_after_a_fault(
    redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    stop, asked = threading.Event(), []

    def look() -> bool:
        asked.append("looked")
        if len(asked) == 1:
            raise fault
        stop.set()
        return True

    monkeypatch.setattr(reading, "look_at_next", look)
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0)
    reading.serve(stop)
    assert len(asked) == 2


def test_a_word_wakes_it_and_is_forgotten_with_all_others(redis: fakeredis.FakeRedis) -> None:
    for _ in range(3):
        assert send(Job.WAKE_READER)
    reading._sleep(threading.Event())
    assert redis.llen(WAKE_READER) == 0


def test_it_sleeps_without_redis(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SLEEP_SECONDS", 0.01)
    stop = threading.Event()
    reading._sleep(stop)
    assert not stop.is_set()


def test_a_job_to_look_at_pages_is_sent_after_the_commit(redis: fakeredis.FakeRedis) -> None:
    with unit_of_work() as uow:
        uow.enqueue(Job.WAKE_READER)
        assert redis.llen(WAKE_READER) == 0
    assert redis.llen(WAKE_READER) == 1
