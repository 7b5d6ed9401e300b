"""The dispatcher's loop and its sweep."""

import signal
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import fakeredis
import pytest
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from jobs import dispatcher
from netfax import queue
from netfax.db import UnitOfWork
from netfax.faxes.dispatch import Dispatcher, Round
from netfax.faxes.states import DeliveryState
from netfax.faxes.sweep import LostGateways
from netfax.queue import WAKE_DISPATCHER
from tests.factories import World, delivery_of, make_delivery, make_world

# What differs between the databases is tested in the flow of a fax.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def redis(home: Path, monkeypatch: pytest.MonkeyPatch) -> fakeredis.FakeRedis:
    connection = fakeredis.FakeRedis()
    monkeypatch.setattr(queue, "redis", cache(lambda: connection))
    monkeypatch.setattr(dispatcher, "redis", cache(lambda: connection))
    return connection


@pytest.fixture
def world(database: Engine) -> World:
    return make_world()


def run_main(monkeypatch: pytest.MonkeyPatch, before_sleep: Callable[[int], bool], *, swept_ago: float = 0) -> int:
    """Run the loop; `before_sleep` gets the number of the round and says whether to go on. The rounds that slept."""
    stop = threading.Event()
    rounds = 0
    clock = 1000.0

    def sleep(stopped: threading.Event) -> None:
        nonlocal rounds, clock
        rounds += 1
        clock += swept_ago
        if not before_sleep(rounds) or rounds > 20:
            stopped.set()

    monkeypatch.setattr(dispatcher, "set_up_log", lambda _service: None)
    monkeypatch.setattr(dispatcher, "keep_beating", lambda _service: stop)
    monkeypatch.setattr(dispatcher, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    dispatcher.main()
    return rounds


def convert_jobs(redis: fakeredis.FakeRedis) -> int:
    return len(queue.queue("outbound", redis).job_ids)


def test_the_sweep_sends_a_job_for_each_waiting_submission_and_no_second_one(
    world: World, redis: fakeredis.FakeRedis
) -> None:
    for _ in range(2):
        make_delivery(world.alice, state=DeliveryState.CONVERTING)
    make_delivery(world.alice, state=DeliveryState.QUEUED)
    dispatcher.sweep(LostGateways())
    dispatcher.sweep(LostGateways())
    assert convert_jobs(redis) == 2
    redis.flushall()
    dispatcher.sweep(LostGateways())
    assert convert_jobs(redis) == 2


def test_the_sweep_without_redis_is_a_warning(world: World) -> None:
    make_delivery(world.alice, state=DeliveryState.CONVERTING)
    with structlog.testing.capture_logs() as logs:
        dispatcher.sweep(LostGateways())
    assert [entry["event"] for entry in logs] == ["queue.unreachable"]


def test_the_loop_gives_a_due_fax_its_port(
    world: World, redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = make_delivery(world.alice)
    run_main(monkeypatch, lambda _: delivery_of(uuid).state is not DeliveryState.DIALING)
    assert delivery_of(uuid).state is DeliveryState.DIALING
    assert len(queue.queue("calls:gw1", redis).job_ids) == 1


def test_the_loop_survives_a_database_that_is_gone_for_a_while(
    world: World, redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = make_delivery(world.alice)
    rounds = 0

    round_ = Dispatcher.round

    def fail_at_first(self: Dispatcher, uow: UnitOfWork) -> Round:
        nonlocal rounds
        rounds += 1
        if rounds <= 3:
            raise OperationalError("select 1", {}, Exception("the database is gone"))
        return round_(self, uow)

    monkeypatch.setattr(Dispatcher, "round", fail_at_first)
    with structlog.testing.capture_logs() as logs:
        run_main(monkeypatch, lambda _: delivery_of(uuid).state is not DeliveryState.DIALING)
    assert [entry["event"] for entry in logs] == ["dispatch.failed"] * 3
    assert delivery_of(uuid).state is DeliveryState.DIALING


def test_the_loop_sweeps_in_its_interval_and_a_sweep_that_fails_is_tried_again(
    world: World, redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps: list[int] = []

    def sweep(_lost: LostGateways) -> None:
        sweeps.append(len(sweeps))
        if len(sweeps) == 1:
            raise OperationalError("select 1", {}, Exception("the database is gone"))

    monkeypatch.setattr(dispatcher, "sweep", sweep)
    with structlog.testing.capture_logs() as logs:
        run_main(monkeypatch, lambda number: number < 7, swept_ago=dispatcher.SWEEP_SECONDS / 2)
    # Rounds at 0, 5, 10 (fails), 15 (again), 20, 25 (10 s after the last), 30.
    assert len(sweeps) == 3
    assert [entry["event"] for entry in logs] == ["dispatch.failed"]


def test_a_word_wakes_the_dispatcher_and_many_words_wake_it_once(world: World, redis: fakeredis.FakeRedis) -> None:
    redis.lpush(WAKE_DISPATCHER, "1", "1", "1")
    dispatcher.sleep(threading.Event())
    assert redis.llen(WAKE_DISPATCHER) == 0


def test_without_redis_the_dispatcher_sleeps_its_second_and_ends_when_told(database: Engine) -> None:
    stop = threading.Event()
    stop.set()
    dispatcher.sleep(stop)
