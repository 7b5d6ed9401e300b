"""A worker with the real Redis, over a connection that dies."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from cli import services
from cli.supervisor import Supervisor
from jobs.worker import make_worker
from netfax.queue import Job
from netfax.settings import Settings, make_secrets
from tests.integration.test_supervisor_real import free_base, no_beats


class Wire:
    """A TCP connection to Redis that can be cut so that neither end hears of it, as by a firewall that forgot it."""

    def __init__(self, settings: Settings) -> None:
        self._port = settings.port("redis")
        self._cut = threading.Event()
        self._kept: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = settings.redis_url.replace(f":{self._port}", f":{self._door.getsockname()[1]}")
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        self._cut.set()

    def close(self) -> None:
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._door.accept()
                there = socket.create_connection(("127.0.0.1", self._port))
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if self._cut.is_set():
                    # Held open, and silent.
                    self._kept += (one, other)
                    return
                other.sendall(data)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    make_secrets(tmp_path)
    settings = Settings(home=tmp_path, port_base=free_base())
    services.prepare(settings)
    redis = next(service for service in services.all_services(settings, no_beats) if service.name == "redis")
    chief = Supervisor(settings, [redis])
    chief.start()
    try:
        assert chief.wait_ready(20), chief.records
        with closing(Wire(settings)) as wire:
            yield wire
    finally:
        chief.stop()


def test_a_worker_hears_within_20_s_that_its_connection_is_dead(wire: Wire) -> None:
    connection = Redis.from_url(wire.url)
    worker = make_worker(Job.CONVERT.value.queue, connection)
    worker.register_birth()
    ended: list[float] = []

    def wait_for_a_job() -> None:
        with suppress(RedisError):
            worker.dequeue_job_and_maintain_ttl(worker.dequeue_timeout)
        ended.append(time.monotonic())

    waiting = threading.Thread(target=wait_for_a_job, daemon=True)
    waiting.start()
    time.sleep(1)
    assert waiting.is_alive()
    cut_at = time.monotonic()
    wire.cut()
    waiting.join(30)
    assert ended and ended[0] - cut_at < 20
