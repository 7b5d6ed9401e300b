"""The supervisor with the real Redis of the all-in-one machine."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from cli import runstate, services, status
from cli.probes import ProbeError, beat_probe, sip_probe, together
from cli.services import PortInUse, Service
from cli.supervisor import Supervisor
from netfax.monitor.service import STALE_SECONDS
from netfax.settings import Settings, make_secrets


def no_beats() -> dict[str, tuple[float, str]]:
    return {}


def free_base() -> int:
    """A port base whose Redis port is free."""
    while True:
        with closing(socket.socket()) as portal, closing(socket.socket()) as queue:
            portal.bind(("127.0.0.1", 0))
            base: int = portal.getsockname()[1]
            try:
                queue.bind(("127.0.0.1", base + 1))
            except OSError:
                continue
            return base


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "a home with spaces"
    make_secrets(home)
    settings = Settings(home=home, port_base=free_base())
    services.prepare(settings)
    return settings


@pytest.fixture
def queue(settings: Settings) -> Service:
    return next(service for service in services.all_services(settings, no_beats) if service.name == "redis")


@pytest.fixture
def chief(settings: Settings, queue: Service) -> Iterator[Supervisor]:
    chief = Supervisor(settings, [queue])
    chief.start()
    try:
        assert chief.wait_ready(20), chief.records
        yield chief
    finally:
        chief.stop()


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.02)


def test_redis_keeps_its_jobs_over_a_kill(chief: Supervisor, settings: Settings) -> None:
    with redis.Redis.from_url(settings.redis_url) as client:
        client.set("job", "1")
    time.sleep(1.2)  # appendfsync everysec
    pid = chief.records[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: chief.records[0].restarts == 1 and chief.all_up)
    with redis.Redis.from_url(settings.redis_url) as client:
        assert client.get("job") == b"1"


def test_redis_that_answers_and_takes_nothing_is_replaced(
    chief: Supervisor, settings: Settings, queue: Service
) -> None:
    with redis.Redis.from_url(settings.redis_url) as client:
        client.config_set("min-replicas-to-write", 1)
        assert client.ping()
        with pytest.raises(ProbeError, match="NOREPLICAS"):
            queue.probe()
    until(lambda: chief.records[0].restarts == 1 and chief.all_up, 60)
    assert queue.probe().startswith("Redis")


def test_redis_is_private_and_never_evicts(chief: Supervisor, settings: Settings) -> None:
    with (
        redis.Redis.from_url(f"redis://127.0.0.1:{settings.port('redis')}") as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()
    with redis.Redis.from_url(settings.redis_url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert (settings.home / "redis" / "redis.conf").stat().st_mode & 0o777 == 0o600


def test_status_asks_redis_and_counts_its_memory(chief: Supervisor, settings: Settings, queue: Service) -> None:
    row = status.collect(settings, no_beats, [queue]).services[0]
    assert (row.state, row.pid) == ("up", chief.records[0].pid)
    assert row.detail.startswith("Redis ")
    assert 1_000 < row.pss_kb < 50_000


def test_service_that_stops_is_shown_within_fifteen_seconds(  # R7.1
    chief: Supervisor, settings: Settings, queue: Service
) -> None:
    pid = chief.records[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        until(lambda: not status.collect(settings, no_beats, [queue]).all_up)
        assert time.monotonic() - began < 15
    finally:
        os.kill(pid, signal.SIGCONT)


def test_stop_ends_redis_and_frees_its_port(chief: Supervisor, settings: Settings, queue: Service) -> None:
    chief.stop()
    services.check_ports([queue])
    assert runstate.read(settings.home) is None


def test_port_of_another_installation_is_named(chief: Supervisor, settings: Settings, tmp_path: Path) -> None:
    other = Settings(home=tmp_path / "other", port_base=settings.port_base)
    make_secrets(other.home)
    services.prepare(other)
    queue = next(service for service in services.all_services(other, no_beats) if service.name == "redis")
    with pytest.raises(PortInUse, match=str(settings.port("redis"))):
        Supervisor(other, [queue]).start()


def test_every_service_gets_the_settings_of_its_supervisor(settings: Settings) -> None:
    for service in services.all_services(settings, no_beats):
        assert service.env["NETFAX_HOME"] == str(settings.home)
        assert service.env["NETFAX_PORT_BASE"] == str(settings.port_base)
        assert service.env["HOME"]


def test_services_listen_on_every_port_of_the_settings_once(settings: Settings) -> None:
    ports = [port.number for service in services.all_services(settings, no_beats) for port in service.ports]
    assert sorted(ports) == [settings.port_base + offset for offset in range(10)]


def test_service_without_a_fresh_beat_is_not_ready() -> None:
    beats = {"bridge": (time.time(), "connected"), "dispatcher": (time.time() - STALE_SECONDS - 1, "")}
    assert beat_probe("bridge", lambda: beats)() == "connected"
    with pytest.raises(ProbeError, match="13 s ago"):
        beat_probe("dispatcher", lambda: beats)()
    with pytest.raises(ProbeError, match="no sign of life yet"):
        beat_probe("worker-inbound", lambda: beats)()


def test_sip_that_stands_still_is_no_sign_of_life() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(1)
        began = time.monotonic()
        with pytest.raises(ProbeError, match="does not answer"):
            sip_probe("0.0.0.0", silent.getsockname()[1])()
        assert time.monotonic() - began < 8
        # Asked twice.
        assert [silent.recv(4096)[:7] for _ in range(2)] == [b"OPTIONS"] * 2


def test_the_first_question_without_an_answer_is_the_last() -> None:
    def mute() -> str:
        raise ProbeError("mute")

    assert together(lambda: "one", lambda: "two")() == "one"
    with pytest.raises(ProbeError, match="mute"):
        together(lambda: "one", mute)()


def test_beats_that_cannot_be_read_are_no_sign_of_life() -> None:
    def broken() -> dict[str, tuple[float, str]]:
        raise redis.ConnectionError("refused")

    with pytest.raises(ProbeError, match="refused"):
        beat_probe("bridge", broken)()
