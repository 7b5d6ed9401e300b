"""Live progress through Redis: a hint that is gone after seconds, and never an error."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import cast

import fakeredis
import pytest
import structlog
import time_machine

from netfax.faxes import live
from netfax.faxes.live import (
    KEEP_SECONDS,
    WATCH_SECONDS,
    Progress,
    page_on_the_line,
    pages_received,
    progress,
    publish,
    watch,
    watched,
)

SENDING = Progress("T38", 14400, 2, "FAX Transmission In Progress")


@pytest.fixture
def redis(home: Path, monkeypatch: pytest.MonkeyPatch) -> fakeredis.FakeRedis:
    connection = fakeredis.FakeRedis()
    monkeypatch.setattr(live, "redis", cache(lambda: connection))
    return connection


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel("2026-03-01T08:00:00Z", tick=False) as coordinates:
        yield coordinates


def test_a_watched_call_is_known_to_the_bridge_until_nobody_watches(
    redis: fakeredis.FakeRedis, clock: time_machine.Traveller
) -> None:
    watch(["a", "b"])
    clock.shift(WATCH_SECONDS - 1)
    watch(iter(["b"]))
    assert watched() == {"a", "b"}
    clock.shift(2)
    assert watched() == {"b"}
    clock.shift(WATCH_SECONDS)
    assert watched() == set()
    assert redis.zcard(live.WATCHED) == 0


def test_to_watch_nothing_asks_nothing_of_redis(home: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        watch([])
        assert progress([]) == {}
    assert logs == []


def test_what_the_bridge_saw_is_read_by_the_page(redis: fakeredis.FakeRedis) -> None:
    publish("a", SENDING)
    assert progress(["a", "unknown"]) == {"a": SENDING}
    publish("a", Progress("audio", 9600, 3, "x"))
    assert progress(iter(["a"]))["a"].page == 3


def test_progress_is_gone_after_seconds(redis: fakeredis.FakeRedis) -> None:
    publish("a", SENDING)
    assert 0 < cast(int, redis.ttl(live.LIVE + "a")) <= KEEP_SECONDS
    redis.delete(live.LIVE + "a")
    assert progress(["a"]) == {}


@pytest.mark.parametrize(
    ("page", "first", "pages", "shown"), [(1, 1, 3, 1), (3, 1, 3, 3), (4, 1, 3, 3), (1, 3, 3, 3), (2, 2, 5, 3)]
)
def test_the_page_on_the_line_is_one_of_the_document(page: int, first: int, pages: int, shown: int) -> None:
    assert page_on_the_line(Progress("T38", 14400, page, ""), first, pages) == shown


def test_without_redis_nothing_is_known_and_nothing_raised(home: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        watch(["a"])
        publish("a", SENDING)
        assert watched() == set()
        assert progress(["a"]) == {}
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("live.unreachable", "warning")] * 4


@pytest.mark.parametrize(("page", "here"), [(0, 0), (1, 0), (2, 1), (4, 3)])
def test_a_page_that_is_still_coming_is_not_counted_as_received(page: int, here: int) -> None:
    assert pages_received(Progress("T38", 14400, page, "")) == here
