"""The portal's patience with clients that stall: each of them holds one of its threads."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netfax.settings import CHECKOUT

BEGUN = b"GET / HTTP/1.1\r\nHost: portal\r\nX-Rest: "
STALLED = b"POST / HTTP/1.1\r\nHost: portal\r\nContent-Length: 9\r\n\r\nx"
APPLICATION = """
from webapp import serving

serving.PATIENCE_SECONDS = 1
when_ready = serving.when_ready


def app(environ, start_response):
    try:
        environ["wsgi.input"].read()
    except OSError:
        pass
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """That of a gunicorn as the portal has it, with one thread and less patience."""
    (tmp_path / "impatient.py").write_text(APPLICATION)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        argv = [sys.executable, "-m", "gunicorn", "--config", "python:impatient", "--worker-class", "gthread"]
        options = ["--threads", "1", "--no-control-socket", "--bind", f"fd://{listener.fileno()}", "impatient:app"]
        process = subprocess.Popen(
            [*argv, *options],
            cwd=tmp_path,
            env={"PYTHONPATH": f"{tmp_path}:{CHECKOUT}"},
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            answered(listener.getsockname()[1])
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.wait(20)


def answered(port: int) -> None:
    """Connections that were there before it was ready have no patience to inherit."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as first:
        first.sendall(b"GET / HTTP/1.1\r\nHost: portal\r\nConnection: close\r\n\r\n")
        assert first.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("words", [BEGUN, STALLED], ids=["headers", "body"])
def test_who_stalls_in_a_request_loses_its_thread(port: int, words: bytes) -> None:
    with (
        socket.create_connection(("127.0.0.1", port)) as stalled,
        socket.create_connection(("127.0.0.1", port)) as other,
    ):
        stalled.sendall(words)
        time.sleep(0.2)
        other.sendall(b"GET / HTTP/1.1\r\nHost: portal\r\n\r\n")
        other.settimeout(15)
        assert other.recv(100).startswith(b"HTTP/1.1 200")
