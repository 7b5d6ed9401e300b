"""Questions to the services: each probe returns a few words on what answered, or raises ProbeError with the reason.

Every probe has a time limit of its own, so that asking a mute service never takes long.
"""

import http.client
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.exc import SQLAlchemyError

import agi.probe
from netfax import telephony
from netfax.monitor.service import STALE_SECONDS
from netfax.settings import Settings

Probe = Callable[[], str]
# What the services that listen on no port write down of themselves: name → (Unix seconds of the last beat, detail).
Beats = Callable[[], Mapping[str, tuple[float, str]]]

ANSWER_SECONDS = 2.0


class ProbeError(Exception):
    """The service did not answer as it should; the text says what was seen."""


def redis_probe(settings: Settings) -> Probe:
    """A write, by the installation's password: after a failed fsync Redis answers, and refuses writes for ever."""

    def ask() -> str:
        client = redis.Redis.from_url(
            settings.redis_url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            client.set("netfax:alive", 1, ex=60)
            version = cast(dict[str, str], client.info("server"))["redis_version"]
        except redis.RedisError as error:
            raise ProbeError(str(error)) from error
        finally:
            client.close()
        return f"Redis {version}"

    return ask


def asterisk_probe(port: int, user: str, secret: Callable[[], str]) -> Probe:
    """The AMI banner, a login, and Asterisk's word that it has booted: before it, a call finds no dialplan."""

    def ask() -> str:
        try:
            with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as line:
                line.settimeout(ANSWER_SECONDS)
                return _ask_ami(line, user, secret())
        except OSError as error:
            raise ProbeError(f"AMI port {port}: {error}") from error

    return ask


def _ask_ami(line: socket.socket, user: str, secret: str) -> str:
    deadline = time.monotonic() + ANSWER_SECONDS
    banner = _read_until(line, b"\r\n", deadline).decode(errors="replace").splitlines()[0]
    login = f"Action: Login\r\nUsername: {user}\r\nSecret: {secret}\r\nEvents: system\r\n\r\n"
    line.sendall(login.encode())
    answer = _read_until(line, b"\r\n\r\n", deadline)
    if b"Success" not in answer:
        raise ProbeError("AMI refuses our login")
    _read_until(line, b"FullyBooted", deadline, answer)
    line.sendall(b"Action: Logoff\r\n\r\n")
    return banner


def _read_until(line: socket.socket, end: bytes, deadline: float, seen: bytes = b"") -> bytes:
    """What came, with what was `seen` before, as soon as `end` is in it."""
    while end not in seen:
        block = line.recv(4096)
        if not block or time.monotonic() > deadline:
            raise ProbeError("AMI answers, but not as Asterisk does")
        seen += block
    return seen


def sip_probe(address: str, port: int) -> Probe:
    """OPTIONS (RFC 3261 11) from the address that the gateway knows as ours; any answer will do.

    Where the machine has lost the address nobody can ask, and a new start would not help.
    """
    host = "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104

    def ask() -> str:
        if not _is_ours(host):
            return f"{host} is no address of this machine"
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
                line.bind((telephony.PROBE_ADDRESS, 0))
                line.connect((host, port))
                return _ask_sip(line, f"{host}:{port}")
        except OSError as error:
            raise ProbeError(f"SIP port {port}: {error}") from error

    return ask


def _is_ours(host: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.bind((host, 0))
        except OSError:
            return False
        return True


def _ask_sip(line: socket.socket, target: str) -> str:
    call_id = secrets.token_hex(16)
    question = "\r\n".join(
        (
            f"OPTIONS sip:{target} SIP/2.0",
            f"Via: SIP/2.0/UDP {telephony.PROBE_ADDRESS}:{line.getsockname()[1]};rport;branch=z9hG4bK{call_id}",
            "Max-Forwards: 70",
            f"From: <sip:{telephony.PROBE_ADDRESS}>;tag={call_id}",
            f"To: <sip:{target}>",
            f"Call-ID: {call_id}",
            "CSeq: 1 OPTIONS",
            "Content-Length: 0",
            "",
            "",
        )
    ).encode()
    # UDP loses what finds no room; a second question is the protocol's own way.
    line.settimeout(ANSWER_SECONDS / 2)
    for _ in range(2):
        line.send(question)
        with suppress(TimeoutError):
            answer = line.recv(4096)
            if answer.startswith(b"SIP/2.0 ") and call_id.encode() in answer:
                return f"sip:{target}"
    raise ProbeError(f"SIP at {target} does not answer")


def together(*probes: Probe) -> Probe:
    """All of them, in their order; the words are the first one's."""

    def ask() -> str:
        words, *_ = [probe() for probe in probes]
        return words

    return ask


def agi_probe(port: int) -> Probe:
    """The FastAGI service's own ping."""

    def ask() -> str:
        if not agi.probe.answers(port):
            raise ProbeError(f"port {port} does not answer the AGI ping")
        return f"agi://127.0.0.1:{port}"

    return ask


def http_probe(address: str, port: int, path: str) -> Probe:
    """GET `path` is answered with 200."""
    host = "127.0.0.1" if address in ("0.0.0.0", "") else "::1" if address == "::" else address  # noqa: S104

    def ask() -> str:
        connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise ProbeError(f"port {port}: {error}") from error
        finally:
            connection.close()
        if status != http.client.OK:
            raise ProbeError(f"{path} answers {status}")
        return f"http://{host}:{port}/"

    return ask


def beat_probe(name: str, beats: Beats) -> Probe:
    """A beat of the service, written down within the last `STALE_SECONDS`."""

    def ask() -> str:
        at, detail = read_beat(name, beats)
        age = time.time() - at
        if age > STALE_SECONDS:
            raise ProbeError(f"last sign of life {age:.0f} s ago")
        return detail

    return ask


def read_beat(name: str, beats: Beats) -> tuple[float, str]:
    """The last beat of a service; ProbeError when there is none or none can be read."""
    try:
        known = beats()
    except (OSError, redis.RedisError, SQLAlchemyError) as error:
        raise ProbeError(f"no sign of life can be read: {error}") from error
    if name not in known:
        raise ProbeError("no sign of life yet")
    return known[name]
