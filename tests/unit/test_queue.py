"""Jobs go to the right queue as plain JSON, after the commit, and a Redis that is gone is only logged."""

import importlib
import json
import zlib
from functools import cache
from pathlib import Path

import fakeredis
import pytest
import structlog
from sqlalchemy import Engine

from netfax import queue
from netfax.db import unit_of_work
from netfax.queue import WAKE_DISPATCHER, Job, send, send_missing
from netfax.settings import settings


@pytest.fixture
def redis(home: Path, monkeypatch: pytest.MonkeyPatch) -> fakeredis.FakeRedis:
    connection = fakeredis.FakeRedis()
    monkeypatch.setattr(queue, "redis", cache(lambda: connection))
    return connection


def jobs(redis: fakeredis.FakeRedis, name: str) -> list[tuple[str | None, tuple[str, ...]]]:
    """Function and arguments of the jobs of a queue."""
    return [(job.func_name, tuple(job.args)) for job in queue.queue(name, redis).jobs]


@pytest.mark.parametrize("job", [job for job in Job if job.value.function])
def test_every_job_names_a_function_that_there_is(job: Job) -> None:
    module, _, name = job.value.function.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_a_conversion_goes_to_the_workers_queue(redis: fakeredis.FakeRedis) -> None:
    assert send(Job.CONVERT)
    assert jobs(redis, "outbound") == [("jobs.outbound.convert", ())]


@pytest.mark.parametrize("job", [Job.PLACE_CALLS, Job.HANG_UP])
def test_a_call_goes_to_the_queue_of_its_gateway_alone(redis: fakeredis.FakeRedis, job: Job) -> None:
    assert send(job, "gw2", "attempt")
    assert jobs(redis, "calls:gw2") == [(job.value.function, ("gw2", "attempt"))]
    assert jobs(redis, "calls:gw1") == jobs(redis, "calls") == []


def test_a_job_is_json_and_no_pickle(redis: fakeredis.FakeRedis) -> None:
    send(Job.CONVERT, "uuid")
    (job,) = queue.queue("outbound", redis).jobs
    data = redis.hget(f"rq:job:{job.id}", "data")
    assert isinstance(data, bytes)
    assert json.loads(zlib.decompress(data)) == ["jobs.outbound.convert", None, ["uuid"], {}]


def test_the_dispatcher_is_woken_by_its_own_list(redis: fakeredis.FakeRedis) -> None:
    assert send(Job.WAKE_DISPATCHER)
    assert redis.llen(WAKE_DISPATCHER) == 1
    assert not redis.keys("rq:*")


def test_the_sweep_sends_what_is_missing_and_no_more(redis: fakeredis.FakeRedis) -> None:
    assert send_missing(Job.CONVERT, 0) == 0
    send(Job.CONVERT)
    assert send_missing(Job.CONVERT, 3) == 2
    assert send_missing(Job.CONVERT, 3) == 0
    assert send_missing(Job.CONVERT, 1) == 0
    assert jobs(redis, "outbound") == [("jobs.outbound.convert", ())] * 3


def test_jobs_are_sent_after_the_commit_and_not_at_all_after_a_rollback(
    database: Engine, redis: fakeredis.FakeRedis
) -> None:
    with unit_of_work() as uow:
        uow.enqueue(Job.CONVERT, "kept")
        assert jobs(redis, "outbound") == []
    with pytest.raises(RuntimeError), unit_of_work() as uow:
        uow.enqueue(Job.CONVERT, "dropped")
        raise RuntimeError
    assert [arguments for _, arguments in jobs(redis, "outbound")] == [("kept",)]


def test_without_redis_a_job_is_logged_and_the_transaction_stands(database: Engine) -> None:
    with structlog.testing.capture_logs() as logs:
        assert not send(Job.CONVERT, "uuid")
        assert not send(Job.WAKE_DISPATCHER)
        assert send_missing(Job.CONVERT, 5) == 0
        with unit_of_work() as uow:
            uow.enqueue(Job.PLACE_CALLS, "gw1")
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("queue.unreachable", "warning")] * 4
    assert [entry["job"] for entry in logs] == ["CONVERT", "WAKE_DISPATCHER", "CONVERT", "PLACE_CALLS"]
    assert settings().secret("redis") not in str(logs)
