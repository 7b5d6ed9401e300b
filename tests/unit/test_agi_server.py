"""The FastAGI server: whatever one conversation does, it ends alone, is logged once, and the service goes on."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from agi import server as agi_server
from agi.probe import answers
from agi.server import AgiServer, Handler
from agi.session import AgiSession
from tests.fakes.asterisk_agi import FakeCall, call, environment

Serve = Callable[..., AgiServer]


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def serve(logs: list[EventDict]) -> Iterator[Serve]:
    """Starts servers on free ports; at the end each must still be serving, and close in time."""
    with contextlib.ExitStack() as stack:

        def start(handlers: dict[str, Handler] | None = None, **limits: object) -> AgiServer:
            server = AgiServer(("127.0.0.1", 0), handlers or {"accept": accept}, **limits)  # type: ignore[arg-type]
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            stack.callback(finish, server, thread)
            return server

        yield start


def finish(server: AgiServer, thread: threading.Thread) -> None:
    assert thread.is_alive()
    server.close()
    thread.join(5)
    assert not thread.is_alive()


def accept(session: AgiSession) -> None:
    session.set_variable("NETFAX_DECISION", "accept")


def wait_for(condition: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def ask(server: AgiServer, script: str = "accept", hang_up_after: int | None = None) -> FakeCall:
    return call(server.port, hang_up_after=hang_up_after).run(environment(script, ["abc-1"]))


def test_a_call_is_answered_by_the_handler_of_its_script(serve: Serve, logs: list[EventDict]) -> None:
    server = serve()
    assert ask(server).variables == {"NETFAX_DECISION": "accept"}
    assert logs == []


@pytest.mark.parametrize("arguments", [(), ("abc-1",), ("abc-1", ""), ("abc-1", "s3cre"), ("s3cret", "abc-1")])
def test_a_stranger_on_the_port_is_not_heard(serve: Serve, logs: list[EventDict], arguments: tuple[str, ...]) -> None:
    """Any program of the machine reaches it."""
    server = serve(secret="s3cret")
    assert call(server.port).run(environment("accept", arguments)).variables == {}
    assert [entry["event"] for entry in logs] == ["agi_stranger"]
    assert "s3cre" not in str(logs)
    assert answers(server.port)


def test_who_knows_the_secret_is_heard_and_handlers_do_not_see_it(serve: Serve) -> None:
    heard: list[tuple[str, ...]] = []
    server = serve({"note": lambda session: heard.append(session.arguments)}, secret="s3cret")
    call(server.port).run(environment("note", ["abc-1", "s3cret"]))
    wait_for(lambda: heard)
    assert heard == [("abc-1",)]


def test_ping_is_built_in_and_the_probe_hears_it(serve: Serve) -> None:
    server = serve()
    assert ask(server, "ping").variables == {"NETFAX_PONG": "1"}
    assert answers(server.port)


def test_the_probe_says_no_when_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert not answers(free.getsockname()[1])


@pytest.mark.parametrize(
    "says",
    [b"", b"x", b"x" * 5_000, b"\n" * 100, b'SET VARIABLE "NETFAX_PONG" "0"\n'],
    ids=["mute", "half a line", "no end of line", "empty lines", "another value"],
)
def test_the_probe_says_no_in_time_to_a_service_that_is_mute_or_odd(says: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as odd:
        held: list[socket.socket] = []

        def speak() -> None:
            held.append(odd.accept()[0])
            held[0].sendall(says)

        speaking = threading.Thread(target=speak)
        speaking.start()
        started = time.monotonic()
        assert not answers(odd.getsockname()[1], timeout=0.3)
        assert time.monotonic() - started < 3
        speaking.join(5)
        held[0].close()


def test_the_probe_says_no_to_a_service_that_closes_without_a_pong() -> None:
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def hear_and_close() -> None:
            connection = odd.accept()[0]
            connection.recv(1_000)
            connection.close()

        closing = threading.Thread(target=hear_and_close)
        closing.start()
        assert not answers(odd.getsockname()[1])
        closing.join(5)


def test_the_probe_says_no_when_all_conversations_are_stuck(serve: Serve) -> None:
    server = serve(max_conversations=1)
    with socket.create_connection(("127.0.0.1", server.port)):
        wait_for(lambda: server._running)
        assert not answers(server.port, timeout=1.5)


def test_an_unknown_script_is_logged_and_closed(serve: Serve, logs: list[EventDict]) -> None:
    server = serve()
    assert ask(server, "nothing_here").closed
    assert [(entry["event"], entry["script"]) for entry in logs] == [("agi_unknown_script", "nothing_here")]
    assert answers(server.port)


@pytest.mark.parametrize("error", [ValueError("bad\n\x1b[2J"), KeyError("x"), OSError("disk"), RecursionError()])
def test_a_handler_that_raises_ends_its_own_call_only(serve: Serve, logs: list[EventDict], error: Exception) -> None:
    def fail(session: AgiSession) -> None:
        raise error

    server = serve({"fail": fail})
    result = ask(server, "fail")
    assert result.closed
    assert result.variables == {}
    assert [(entry["event"], entry["error"]) for entry in logs] == [("agi_handler_failed", type(error).__name__)]
    assert answers(server.port)


def test_a_peer_that_connects_and_closes_is_logged_once(serve: Serve, logs: list[EventDict]) -> None:
    server = serve()
    socket.create_connection(("127.0.0.1", server.port)).close()
    wait_for(lambda: logs)
    assert answers(server.port)
    assert [entry["event"] for entry in logs] == ["agi_caller_gone"]


def test_a_caller_who_hangs_up_in_the_middle_is_logged_once(serve: Serve, logs: list[EventDict]) -> None:
    server = serve()
    assert ask(server, hang_up_after=1).variables == {}
    wait_for(lambda: logs)
    assert answers(server.port)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("agi_caller_gone", "info")]


def test_a_peer_that_trickles_is_cut_off_while_others_are_served(serve: Serve, logs: list[EventDict]) -> None:
    server = serve(conversation_timeout=3.0)
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        for byte in environment()[:15]:
            slow.sendall(bytes([byte]))
            assert answers(server.port)
            time.sleep(0.01)
        slow.settimeout(10)
        assert slow.recv(1) == b""
    assert [(entry["event"], entry["error"]) for entry in logs] == [("agi_conversation_failed", "AgiTimeout")]


def test_an_environment_of_a_megabyte_is_cut_off(serve: Serve, logs: list[EventDict]) -> None:
    server = serve()
    assert call(server.port).run(b"agi_request: x\n" + b"y" * 1_000_000).closed
    wait_for(lambda: logs)
    assert answers(server.port)
    assert [(entry["event"], entry["error"]) for entry in logs] == [("agi_conversation_failed", "AgiProtocolError")]


def test_odd_bytes_are_logged_escaped(serve: Serve, logs: list[EventDict]) -> None:
    server = serve()
    call(server.port).run(environment("ping\x1b[2J\u202e\u5f20"))
    call(server.port).run(environment(caller="1\n\n\x1b[2J\u202e\r"))
    wait_for(lambda: len(logs) == 2)
    for entry in logs:
        assert str(entry["reason"]).isascii() and str(entry["reason"]).isprintable()
    assert answers(server.port)


def test_250_calls_at_once_are_all_served(serve: Serve, logs: list[EventDict]) -> None:
    server = serve()
    calls = [call(server.port) for _ in range(250)]
    threads = [threading.Thread(target=each.run, args=(environment("accept"),)) for each in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sum(each.variables == {"NETFAX_DECISION": "accept"} for each in calls) == 250
    assert logs == []


def test_above_the_limit_calls_are_turned_away_and_the_others_go_on(serve: Serve, logs: list[EventDict]) -> None:
    server = serve(max_conversations=200)
    with contextlib.ExitStack() as stack:
        mute = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5)) for _ in range(250)
        ]
        # The first 200 hold their places, the rest hear the end: after one wait of GRACE_SECONDS, at once.
        started = time.monotonic()
        assert [late.recv(1) for late in mute[200:]] == [b""] * 50
        assert time.monotonic() - started < 5 * agi_server.GRACE_SECONDS
        assert [entry["event"] for entry in logs] == ["agi_turned_away"] * 50
        mute[0].sendall(environment("accept"))
        assert b"GET FULL VARIABLE" in mute[0].recv(100)
    wait_for(lambda: len(logs) == 250)
    assert answers(server.port)


def test_a_place_that_comes_free_in_time_is_taken(serve: Serve, logs: list[EventDict]) -> None:
    server = serve(max_conversations=1)
    with socket.create_connection(("127.0.0.1", server.port)) as first:
        wait_for(lambda: server._running)
        threading.Timer(0.1, first.shutdown, args=(socket.SHUT_RDWR,)).start()
        assert ask(server).variables == {"NETFAX_DECISION": "accept"}
    assert [entry["event"] for entry in logs] == ["agi_caller_gone"]


def test_no_more_threads_turns_the_call_away(
    serve: Serve, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(max_conversations=1)

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr("agi.server.threading.Thread", NoThread)
        for _ in range(2):
            assert not answers(server.port)
    assert [entry["reason"] for entry in logs] == ["can't start new thread"] * 2
    assert answers(server.port)


def test_close_lets_a_running_call_end(serve: Serve) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(session: AgiSession) -> None:
        begun.set()
        assert go_on.wait(5)
        accept(session)

    server = AgiServer(("127.0.0.1", 0), {"slow": slow})
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    asking = call(server.port)
    caller = threading.Thread(target=asking.run, args=(environment("slow"),))
    caller.start()
    assert begun.wait(5)
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
    go_on.set()
    serving.join(5)
    caller.join(5)
    assert not serving.is_alive()
    assert asking.variables == {"NETFAX_DECISION": "accept"}


def test_close_cuts_off_a_call_that_does_not_end(monkeypatch: pytest.MonkeyPatch, logs: list[EventDict]) -> None:
    monkeypatch.setattr(agi_server, "DRAIN_SECONDS", 0.1)
    server = AgiServer(("127.0.0.1", 0), {})
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as mute:
        wait_for(lambda: server._running)
        server.close()
        assert mute.recv(1) == b""
    serving.join(5)
    assert not serving.is_alive()
    wait_for(lambda: not server._running)


def test_a_port_in_use_is_a_clear_error() -> None:
    server = AgiServer(("127.0.0.1", 0), {})
    try:
        with pytest.raises(OSError, match=rf"Port {server.port} \(AGI\) is in use.*NETFAX_PORT_BASE.*已被占用"):
            AgiServer(("127.0.0.1", server.port), {})
    finally:
        server.close()


def test_a_port_is_free_again_at_once(serve: Serve) -> None:
    first = AgiServer(("127.0.0.1", 0), {})
    serving = threading.Thread(target=first.serve_forever)
    serving.start()
    assert answers(first.port)
    first.close()
    serving.join(5)
    AgiServer(("127.0.0.1", first.port), {}).close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "8.8.8.8"])
def test_only_loopback_is_served(host: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 only"):
        AgiServer((host, 0), {})
