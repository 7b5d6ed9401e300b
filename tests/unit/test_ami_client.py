"""The connection of the AMI client against a scripted peer that drops, falls silent, splits and floods."""

import asyncio
import itertools
from typing import Any

import pytest
import structlog

from ami_bridge.client import AmiEvent, ConnectionLost, ConnectionState, NotConnected
from tests.fakes.ami_peer import BOOTED, AmiPeer, message, refusal, success
from tests.fakes.ami_run import Bridge, play, running

# --- 5. Events in order, whatever the callback does ---


def test_events_are_handled_one_after_the_other_in_order() -> None:
    finished: list[str] = []

    async def slow_first(event: AmiEvent) -> None:
        await asyncio.sleep(0.05 if event["N"] == "0" else 0)
        finished.append(event["N"])

    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        bridge.on_event = slow_first
        await peer.send(b"".join(message(Event="Newstate", N=str(n)) for n in range(300)))
        await bridge.until(lambda: len(finished) == 300)
        assert finished == [str(n) for n in range(300)]

    play(scenario)


@pytest.mark.parametrize("error", [ValueError("a bug"), asyncio.CancelledError(), KeyError("Uniqueid")])
def test_a_callback_that_raises_is_logged_and_the_connection_lives_on(error: BaseException) -> None:
    async def fail(event: AmiEvent) -> None:
        if event.name == "Bad":
            raise error

    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        bridge.on_event = fail
        with structlog.testing.capture_logs() as logs:
            await peer.send(message(Event="Bad") + message(Event="Good"))
            await bridge.until(lambda: bridge.names() == ["Bad", "Good"])
        assert [entry["ami_event"] for entry in logs if "callback" in entry["event"]] == ["Bad"]
        await bridge.client.action("Ping")
        assert len(peer.wires) == 1

    play(scenario)


def test_a_state_callback_that_raises_does_not_end_the_connection() -> None:
    def fail(state: ConnectionState) -> None:
        raise ValueError(state)

    async def main() -> None:
        async with AmiPeer() as peer:
            bridge = Bridge(peer.port)
            bridge.client._on_state = fail
            run = asyncio.create_task(bridge.client.run())
            await bridge.client.wait_connected(5)
            await bridge.client.action("Ping")
            await bridge.client.close()
            await run

    asyncio.run(main())


def test_the_first_event_after_the_login_may_send_an_action() -> None:
    peer = AmiPeer()
    answers: list[AmiEvent] = []

    async def main() -> None:
        async with peer:
            bridge = Bridge(peer.port)

            async def ask(event: AmiEvent) -> None:
                answers.append(await bridge.client.action("Ping"))

            bridge.on_event = ask
            run = asyncio.create_task(bridge.client.run())
            await bridge.until(lambda: bool(answers))
            await bridge.client.close()
            await run
        assert answers[0]["Ping"] == "Pong"

    asyncio.run(main())


@pytest.mark.parametrize("limits", [{"max_events": 100}, {"max_event_bytes": 5000}])
def test_a_callback_that_is_too_slow_costs_the_connection_and_not_the_memory(limits: dict[str, Any]) -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        gate = asyncio.Event()

        async def wait(event: AmiEvent) -> None:
            await gate.wait()

        bridge.on_event = wait
        with structlog.testing.capture_logs() as logs:
            await peer.send(b"".join(message(Event="Newexten", N=f"{n:050}") for n in range(1000)))
            await bridge.until(lambda: ConnectionState.DISCONNECTED in bridge.states)
        assert [entry["log_level"] for entry in logs if entry["event"] == "ami.event_queue_full"] == ["warning"]
        gate.set()
        await bridge.client.wait_connected(5)
        await peer.send(message(Event="Last", N="-"))
        await bridge.until(lambda: bridge.names()[-1] == "Last")
        numbers = [int(event["N"]) for event in bridge.events[:-1]]
        assert numbers == list(range(len(numbers)))
        assert 50 < len(numbers) <= 101

    play(scenario, **limits)


def test_a_callback_that_keeps_up_may_take_any_number_of_events() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        for number in range(1, 101):
            await peer.send(message(Event="Newexten", N=f"{number:050}"))
            await bridge.until(lambda count=number: len(bridge.events) == count)  # type: ignore[misc]
        assert bridge.states == [ConnectionState.CONNECTED]

    play(scenario, max_events=2, max_event_bytes=200)


# --- 6. A mute peer, and other ends of a connection ---


def test_a_mute_peer_is_left_after_the_ping_deadline_and_what_waits_fails() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        peer.mute = True
        began = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionLost, match="no answer to Ping"):
            await bridge.client.action("Status")
        assert asyncio.get_running_loop().time() - began < 1.5
        peer.mute = False
        await bridge.client.wait_connected(5)

    play(scenario, ping_interval=0.2, ping_deadline=0.2)


def test_a_peer_that_answers_pings_stays_connected() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        await peer.until(lambda: len(peer.named("Ping")) >= 5)
        assert len(peer.wires) == 1
        assert bridge.states == [ConnectionState.CONNECTED]

    play(scenario, ping_interval=0.03, ping_deadline=3.0)


@pytest.mark.parametrize("end", ["half_close", "drop", "reset"])
def test_each_way_of_ending_a_connection_is_noticed_at_once(end: str) -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        waiting = asyncio.create_task(bridge.client.action("Status"))
        await peer.until(lambda: bool(peer.named("Status")))
        getattr(peer, end)()
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(waiting, 1)
        await bridge.until(lambda: bridge.client.connected and len(peer.wires) == 2)
        assert bridge.states == [
            ConnectionState.CONNECTED,
            ConnectionState.DISCONNECTED,
            ConnectionState.CONNECTED,
        ]

    play(scenario)


def test_a_peer_that_never_greets_is_left() -> None:
    async def main() -> None:
        async with AmiPeer(banner=b"") as peer, running(peer.port, wait=False, action_timeout=0.05) as bridge:
            peer.mute = True
            await peer.until(lambda: len(peer.wires) >= 3)
            assert bridge.states == []

    asyncio.run(main())


@pytest.mark.parametrize("banner", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"Asterisk Call Manager/" + b"1" * 9000])
def test_a_peer_that_is_no_manager_is_never_connected(banner: bytes) -> None:
    async def main() -> None:
        async with AmiPeer(banner=banner) as peer, running(peer.port, wait=False) as bridge:
            await peer.until(lambda: len(peer.wires) >= 3)
            assert bridge.states == []

    asyncio.run(main())


def test_a_message_without_end_costs_the_connection_at_one_mebibyte() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        await peer.send(b"Event: Newexten\r\nAppData: " + b"x" * (1 << 20))
        await bridge.until(lambda: ConnectionState.DISCONNECTED in bridge.states)
        await bridge.client.wait_connected(5)
        assert bridge.events == []

    play(scenario)


# --- 7, 11. Reading ---


def test_a_conversation_in_packets_of_one_byte_reads_the_same() -> None:
    events = message(Event="Newchannel", CallerIDName="传真 é", AccountCode="") + message(Event="Hangup", Cause="17")

    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        await peer.send(events)
        assert (await bridge.client.action("Ping"))["Ping"] == "Pong"
        await bridge.until(lambda: len(bridge.events) == 2)
        assert bridge.events[0]["CallerIDName"] == "传真 é"
        assert list(bridge.events[0].fields) == ["Event", "CallerIDName", "AccountCode"]

    play(scenario, peer=AmiPeer(split=1))


def test_bytes_that_are_no_utf8_are_replaced_and_lose_nothing_else() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        await peer.send(b"Event: ReceiveFAX\r\nRemoteStationID: \xff\xfe\x00A\r\nPagesTransferred: 3\r\n\r\n")
        await bridge.until(lambda: len(bridge.events) == 1)
        assert bridge.events[0]["RemoteStationID"] == "\ufffd\ufffd\x00A"
        assert bridge.events[0]["PagesTransferred"] == "3"

    play(scenario)


def test_the_rest_of_a_message_that_a_value_has_cut_is_dropped_with_a_warning() -> None:
    cut = b"Event: ReceiveFAX\r\nRemoteStationID: A\r\n\r\nPagesTransferred: 1\r\nUniqueid: 1\r\n\r\n"

    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        with structlog.testing.capture_logs() as logs:
            await peer.send(cut + b"\r\n" + message(Event="Hangup") + b"\r\n\r\n\r\n" + message(Event="Last"))
            await bridge.until(lambda: bridge.names() == ["ReceiveFAX", "Hangup", "Last"])
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [("ami.fragment_dropped", "warning")]

    play(scenario)


# --- 8, 9, 10. Login and close ---


def test_a_refused_login_is_never_connected_and_is_tried_again_slowly() -> None:
    async def main() -> None:
        async with AmiPeer() as peer:
            with structlog.testing.capture_logs() as logs:
                async with running(peer.port, wait=False, secret="wrong", login_retry=0.2) as bridge:
                    await bridge.until(lambda: bridge.states == [ConnectionState.LOGIN_REFUSED])
                    assert not bridge.client.connected
                    with pytest.raises(NotConnected, match="login refused"):
                        await bridge.originate()
                    await asyncio.sleep(0.1)
                    assert len(peer.wires) == 1
                    await peer.until(lambda: len(peer.wires) == 2)
            assert "wrong" not in str(logs)
            assert bridge.states == [ConnectionState.LOGIN_REFUSED, ConnectionState.CLOSED]

    asyncio.run(main())


def test_an_asterisk_that_is_still_starting_is_not_connected_until_it_has_booted() -> None:
    async def main() -> None:
        async with AmiPeer(after_login=b"") as peer, running(peer.port, wait=False) as bridge:
            await peer.until(lambda: bool(peer.named("Login")))
            with pytest.raises(NotConnected):
                await bridge.client.wait_connected(0.1)
            with pytest.raises(NotConnected):
                await bridge.originate()
            await peer.send(BOOTED)
            await bridge.client.wait_connected(5)
            assert len(peer.wires) == 1

    asyncio.run(main())


def test_a_user_who_reads_no_events_is_connected_from_the_login_on() -> None:
    async def main() -> None:
        async with AmiPeer(after_login=b"") as peer, running(peer.port, await_boot=False) as bridge:
            assert (await bridge.client.action("Ping"))["Ping"] == "Pong"

    asyncio.run(main())


def test_a_peer_that_falls_while_it_boots_is_noticed_at_once() -> None:
    async def main() -> None:
        async with AmiPeer(after_login=b"") as peer, running(peer.port, wait=False, action_timeout=60.0):
            for connections in range(1, 4):
                await peer.until(lambda count=connections: len(peer.named("Login")) == count)  # type: ignore[misc]
                peer.drop()

    asyncio.run(main())


def test_a_boot_whose_end_is_not_heard_of_is_asked_for_by_another_login() -> None:
    async def main() -> None:
        async with AmiPeer(after_login=b"") as peer, running(peer.port, wait=False, action_timeout=1.0) as bridge:
            await peer.until(lambda: bool(peer.named("Login")))
            peer.after_login = BOOTED
            await bridge.client.wait_connected(5)
            assert len(peer.named("Login")) == 2

    asyncio.run(main())


def test_a_peer_that_boots_without_accepting_the_login_is_not_connected() -> None:
    async def main() -> None:
        async with AmiPeer() as peer, running(peer.port, wait=False) as bridge:
            peer.on("Login", lambda _, action: BOOTED + refusal(action, "Authentication failed") + BOOTED)
            await bridge.until(lambda: ConnectionState.LOGIN_REFUSED in bridge.states)
            assert bridge.states == [ConnectionState.LOGIN_REFUSED]

    asyncio.run(main())


def test_the_secret_is_in_no_log_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    secret = "not-to-be-seen"

    async def main() -> None:
        async with AmiPeer() as peer, running(peer.port, wait=False, secret=secret, login_retry=0.02) as bridge:
            await peer.until(lambda: len(peer.wires) >= 3)
            assert secret not in repr(bridge.client)

    with structlog.testing.capture_logs() as logs, caplog.at_level("DEBUG"):
        asyncio.run(main())
    assert logs
    assert secret not in str(logs) + caplog.text


def test_close_during_the_wait_for_the_next_try_ends_all_tries() -> None:
    async def main() -> None:
        async with AmiPeer() as peer:
            async with running(peer.port, backoff=(0.1,)) as bridge:
                peer.reset()
                await bridge.until(lambda: not bridge.client.connected)
            await asyncio.sleep(0.3)
            assert len(peer.wires) == 1
            assert bridge.states[-1] is ConnectionState.CLOSED

    asyncio.run(main())


def test_close_fails_what_waits_and_no_event_comes_after_it() -> None:
    async def main() -> None:
        async with AmiPeer() as peer:
            async with running(peer.port) as bridge:
                waiting = asyncio.create_task(bridge.client.action("Status"))
                await peer.until(lambda: bool(peer.named("Status")))
            with pytest.raises(ConnectionLost, match="closed by us"):
                await waiting
            with pytest.raises(NotConnected):
                await bridge.client.action("Ping")

    asyncio.run(main())


def test_close_from_the_callback_ends_the_client() -> None:
    async def main() -> None:
        async with AmiPeer() as peer:
            bridge = Bridge(peer.port)

            async def close(event: AmiEvent) -> None:
                await bridge.client.close()

            bridge.on_event = close
            run = asyncio.create_task(bridge.client.run())
            await bridge.client.wait_connected(5)
            await peer.send(message(Event="Shutdown"))
            await asyncio.wait_for(run, 2)
            assert bridge.client.state is ConnectionState.CLOSED

    asyncio.run(main())


def test_close_before_run_makes_run_return_without_a_connection() -> None:
    async def main() -> None:
        async with AmiPeer() as peer:
            bridge = Bridge(peer.port)
            await bridge.client.close()
            await asyncio.wait_for(bridge.client.run(), 1)
            assert peer.wires == []

    asyncio.run(main())


def test_tries_to_connect_back_off_and_a_connection_that_falls_at_once_does_not_hurry_them() -> None:
    tries: list[float] = []

    async def main() -> None:
        async with AmiPeer() as peer:

            def refuse(peer: AmiPeer, action: dict[str, str]) -> bytes:
                tries.append(asyncio.get_running_loop().time())
                asyncio.get_running_loop().call_later(0.01, peer.reset)
                return success(action) + BOOTED

            peer.on("Login", refuse)
            async with running(peer.port, wait=False, backoff=(0.05, 0.1, 0.2)):
                await peer.until(lambda: len(tries) == 5)
        gaps = [after - before for before, after in itertools.pairwise(tries)]
        for gap, least in zip(gaps, (0.05, 0.1, 0.2, 0.2), strict=True):
            assert gap >= least

    asyncio.run(main())
