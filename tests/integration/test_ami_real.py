"""The AMI client with a real Asterisk: calls, lists, refusals, and its death."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ami_bridge.client import ActionRefused, AmiClient, AmiEvent, ConnectionLost, ConnectionState, NotConnected
from netfax import telephony
from tests.fixtures.ami.record import SECRET, USER, ManagerAsterisk


@pytest.fixture
def asterisk(tmp_path: Path) -> Iterator[ManagerAsterisk]:
    with ManagerAsterisk(tmp_path) as running:
        yield running


class Session:
    """A client of the real Asterisk, and what came of it."""

    def __init__(self, asterisk: ManagerAsterisk, secret: str = SECRET, ping: float = 5.0) -> None:
        self.asterisk = asterisk
        self.events: list[AmiEvent] = []
        self.states: list[ConnectionState] = []
        self._news = asyncio.Condition()
        self.client = AmiClient(
            host="127.0.0.1",
            port=asterisk.port,
            username=USER,
            secret=secret,
            on_event=self._take,
            on_state=self.states.append,
            ping_interval=ping,
            ping_deadline=ping,
            backoff=(0.1,),
        )

    async def _take(self, event: AmiEvent) -> None:
        async with self._news:
            self.events.append(event)
            self._news.notify_all()

    async def event(self, name: str, **fields: str) -> AmiEvent:
        """The first event of this name with these fields, as soon as it has come."""

        def found() -> AmiEvent | None:
            fitting = (
                event
                for event in self.events
                if event.name == name and all(event.get(key) == value for key, value in fields.items())
            )
            return next(fitting, None)

        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(found)
        event = found()
        assert event is not None
        return event

    async def call(self, exten: str, then: str = "end", **changes: Any) -> str:
        """Call an extension of the test's context, and its id."""
        call: dict[str, Any] = {
            "channel": f"Local/{exten}@ami-test/n",
            "context": "ami-test",
            "exten": then,
            "priority": 1,
            "timeout_ms": 1000,
            "call_id": telephony.new_attempt_id("c0ffee00"),
            "variables": {telephony.ATTEMPT_ID: "x-1", telephony.DIGITS: "801#*w"},
            "caller_id": "64802000",
        }
        call |= changes
        await self.client.originate(**call)
        return str(call["call_id"])


def with_asterisk(
    asterisk: ManagerAsterisk, scenario: Callable[[Session], Awaitable[None]], *, ping: float = 5.0
) -> None:
    """Run a scenario with a client that is connected."""

    async def main() -> None:
        session = Session(asterisk, ping=ping)
        run = asyncio.create_task(session.client.run())
        try:
            await session.client.wait_connected(10)
            await scenario(session)
        finally:
            await session.client.close()
            await run

    asyncio.run(main())


def test_a_call_carries_our_id_from_the_acknowledgement_to_the_hangup(asterisk: ManagerAsterisk) -> None:
    async def scenario(session: Session) -> None:
        call_id = await session.call("answer")
        outcome = await session.event("OriginateResponse", ActionID=call_id)
        assert (outcome["Response"], outcome["Reason"], outcome["Uniqueid"]) == ("Success", "4", call_id)
        assert (await session.event("Hangup", Uniqueid=call_id)).one("Cause") == "16"

    with_asterisk(asterisk, scenario)


@pytest.mark.parametrize(("exten", "reason", "cause"), [("busy", "0", "17"), ("ring", "3", "19")])
def test_a_call_that_is_not_answered_ends_with_its_cause(
    asterisk: ManagerAsterisk, exten: str, reason: str, cause: str
) -> None:
    async def scenario(session: Session) -> None:
        call_id = await session.call(exten)
        outcome = await session.event("OriginateResponse", ActionID=call_id)
        assert (outcome["Response"], outcome["Reason"]) == ("Failure", reason)
        assert (await session.event("Hangup", Uniqueid=call_id)).one("Cause") == cause

    with_asterisk(asterisk, scenario)


def test_the_variables_of_a_call_arrive_whole(asterisk: ManagerAsterisk) -> None:
    async def scenario(session: Session) -> None:
        call_id = await session.call("answer", "stay")
        channel = (await session.event("OriginateResponse", ActionID=call_id))["Channel"]
        for name, value in {telephony.ATTEMPT_ID: "x-1", telephony.DIGITS: "801#*w"}.items():
            answer = await session.client.action("Getvar", {"Channel": channel, "Variable": name})
            assert answer["Value"] == value

    with_asterisk(asterisk, scenario)


def test_an_originate_that_asterisk_refuses_raises_its_reason(asterisk: ManagerAsterisk) -> None:
    async def scenario(session: Session) -> None:
        with pytest.raises(ActionRefused, match="Invalid channel"):
            await session.call("answer", channel="Local")
        assert session.client.connected

    with_asterisk(asterisk, scenario)


def test_the_list_of_channels_has_the_call_by_its_id(asterisk: ManagerAsterisk) -> None:
    async def scenario(session: Session) -> None:
        assert await session.client.list_action("CoreShowChannels", complete="CoreShowChannelsComplete") == []
        call_id = await session.call("answer", "stay")
        await session.event("OriginateResponse", ActionID=call_id)
        channels = await session.client.list_action("CoreShowChannels", complete="CoreShowChannelsComplete")
        assert sorted(channel["Uniqueid"] for channel in channels) == [call_id, f"{call_id};2"]
        assert not any(event.name == "CoreShowChannel" for event in session.events)

    with_asterisk(asterisk, scenario)


def test_twenty_calls_at_once_are_each_acknowledged_and_each_end(asterisk: ManagerAsterisk) -> None:
    async def scenario(session: Session) -> None:
        calls = await asyncio.gather(*(session.call("answer") for _ in range(20)))
        for call_id in calls:
            assert (await session.event("OriginateResponse", ActionID=call_id))["Response"] == "Success"
            await session.event("Hangup", Uniqueid=call_id)

    with_asterisk(asterisk, scenario)


def test_a_forged_hangup_within_a_value_is_not_taken_for_one(asterisk: ManagerAsterisk) -> None:
    async def scenario(session: Session) -> None:
        call_id = await session.call("forge")
        station = await session.event("UserEvent", UserEvent="Station")
        assert station["Id"] == "<svg onload=alert()>"
        assert station.all("Uniqueid") == [f"{call_id};2", "forged"]
        await session.event("Hangup", Uniqueid=call_id)
        assert all(event["Uniqueid"] != "forged" for event in session.events if event.name == "Hangup")

    with_asterisk(asterisk, scenario)


def test_commands_answer_with_their_output_or_are_refused_with_it(asterisk: ManagerAsterisk) -> None:
    async def scenario(session: Session) -> None:
        assert "System uptime" in await session.client.command("core show uptime")
        with pytest.raises(ActionRefused, match="No such command"):
            await session.client.command("no such thing")

    with_asterisk(asterisk, scenario)


def test_the_longest_field_that_we_send_is_taken_by_asterisk(asterisk: ManagerAsterisk) -> None:
    async def scenario(session: Session) -> None:
        assert (await session.client.action("Ping", {"Filler": "x" * (1000 - len("Filler: "))}))["Ping"] == "Pong"
        many = [(f"Filler-{number}", "x") for number in range(118)]
        assert (await session.client.action("Ping", many))["Ping"] == "Pong"

    with_asterisk(asterisk, scenario)


def test_a_wrong_secret_is_refused_and_not_connected(asterisk: ManagerAsterisk) -> None:
    async def main() -> None:
        session = Session(asterisk, "wrong")
        run = asyncio.create_task(session.client.run())
        with pytest.raises(NotConnected, match="login refused"):
            await session.client.wait_connected(2)
        assert session.states == [ConnectionState.LOGIN_REFUSED]
        await session.client.close()
        await run

    asyncio.run(main())


def test_asterisk_killed_during_an_action_fails_it_and_the_client_comes_back_without_a_second_call(
    asterisk: ManagerAsterisk,
) -> None:
    async def scenario(session: Session) -> None:
        # An Originate without Async keeps Asterisk's session busy until the call is answered or given up.
        blocked = {"Channel": "Local/ring@ami-test/n", "Context": "ami-test", "Exten": "end", "Priority": "1"}
        waiting = asyncio.create_task(session.client.action("Originate", blocked | {"Timeout": "20000"}, timeout=20))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(asterisk.kill)
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(waiting, 2)
        with pytest.raises(NotConnected):
            await session.call("answer")
        await asyncio.to_thread(asterisk.start)
        await session.client.wait_connected(10)
        await asyncio.sleep(0.5)
        assert await session.client.list_action("CoreShowChannels", complete="CoreShowChannelsComplete") == []
        assert session.states == [
            ConnectionState.CONNECTED,
            ConnectionState.DISCONNECTED,
            ConnectionState.CONNECTED,
        ]

    with_asterisk(asterisk, scenario)


async def stop(client: AmiClient) -> None:
    # Asterisk learns this command as the last of all, after it has told that it has booted.
    for _ in range(50):
        with contextlib.suppress(ActionRefused):
            await client.command("core stop now")
        await asyncio.sleep(0.1)


def test_asterisk_that_is_stopped_in_good_order_is_left_and_found_again(asterisk: ManagerAsterisk) -> None:
    async def scenario(session: Session) -> None:
        with pytest.raises(ConnectionLost):  # it stops before it would answer
            await stop(session.client)
        async with asyncio.timeout(10):
            while session.client.connected:  # noqa: ASYNC110 (there is nothing else to wait for)
                await asyncio.sleep(0.02)
        await asyncio.to_thread(asterisk.kill)
        await asyncio.to_thread(asterisk.start)
        await session.client.wait_connected(10)

    with_asterisk(asterisk, scenario)


def test_a_frozen_asterisk_is_left_and_found_again_when_it_thaws(asterisk: ManagerAsterisk) -> None:
    async def scenario(session: Session) -> None:
        began = asyncio.get_running_loop().time()
        with asterisk.frozen():
            with pytest.raises(ConnectionLost, match="no answer to Ping"):
                await session.client.action("CoreStatus", timeout=20)
            assert asyncio.get_running_loop().time() - began < 5
            assert not session.client.connected
        await session.client.wait_connected(20)

    with_asterisk(asterisk, scenario, ping=0.5)
