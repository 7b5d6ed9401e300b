"""Actions of the AMI client against a scripted peer: sent once or not at all, answered or failed, never forged."""

import asyncio
import random
import string
from collections.abc import Awaitable
from typing import Any

import pytest

from ami_bridge.client import ActionRefused, ConnectionLost, IllegalField, NoAnswer, NotConnected
from ami_bridge.protocol import AmiAction
from tests.fakes.ami_peer import AmiPeer, message, success
from tests.fakes.ami_run import CALL_ID, Bridge, play

# --- 1. Nothing is sent later or twice ---


def test_an_unanswered_originate_is_sent_once_however_often_the_connection_comes_back() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        peer.on("Originate", lambda peer, _: peer.reset())
        with pytest.raises(ConnectionLost):
            await bridge.originate()
        for _ in range(3):
            await bridge.client.wait_connected(5)
            await bridge.client.action("Ping")
            peer.reset()
            await bridge.until(lambda: not bridge.client.connected)
        assert len(peer.named("Originate")) == 1
        assert b"".join(peer.wires).count(CALL_ID.encode()) == 3  # ActionID, ChannelId and one variable

    play(scenario)


def test_an_action_while_disconnected_is_refused_at_once_and_never_sent() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        await peer.vanish()
        await bridge.until(lambda: not bridge.client.connected)
        with pytest.raises(NotConnected):
            await bridge.originate()
        await peer.listen()
        await bridge.client.wait_connected(5)
        await bridge.client.action("Ping")
        assert peer.named("Originate") == []

    play(scenario)


def test_what_was_still_unsent_when_the_connection_ended_is_never_sent() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        peer.hearing.clear()
        filler = {"Filler": "x" * 900}
        waits = [asyncio.create_task(bridge.client.action("Status", filler)) for _ in range(8000)]
        results = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(result) for result in results} == {ConnectionLost}
        peer.hearing.set()
        await peer.until(lambda: peer.ended >= 1)
        assert len(peer.named("Status")) < 8000

    play(scenario, ping_interval=0.2, ping_deadline=0.2, action_timeout=10.0)


def test_an_action_before_the_client_runs_is_refused() -> None:
    async def main() -> None:
        bridge = Bridge(1)
        with pytest.raises(NotConnected):
            await bridge.originate()
        with pytest.raises(NotConnected, match=r"within 0.01 s"):
            await bridge.client.wait_connected(0.01)

    asyncio.run(main())


# --- 2, 3. Answers ---


def test_an_originate_ends_with_its_acknowledgement_and_its_response_is_an_ordinary_event() -> None:
    outcome = message(Event="OriginateResponse", Privilege="call,all", ActionID=CALL_ID, Response="Failure", Reason="5")

    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        peer.on("Originate", lambda _, action: success(action, Message="Originate successfully queued") + outcome)
        await bridge.originate(variables={"A": "1", "B": "2"}, caller_id="64802000")
        await bridge.until(lambda: bool(bridge.events))
        assert bridge.events[0].name == "OriginateResponse"
        assert bridge.events[0]["Reason"] == "5"
        sent = peer.wire[peer.wire.lower().index(b"action: originate") :].decode()
        assert "Variable: A=1\r\nVariable: B=2\r\n" in sent
        assert peer.named("Originate")[0] == {
            "Action": "Originate",
            "ActionID": CALL_ID,
            "ChannelId": CALL_ID,
            "Channel": "PJSIP/64802994@demo",
            "Context": "netfax-out",
            "Exten": "send",
            "Priority": "1",
            "Timeout": "60000",
            "Async": "true",
            "CallerID": "64802000",
            "Variable": "B=2",
        }

    play(scenario)


def test_an_originate_response_that_comes_before_the_acknowledgement_is_an_event_too() -> None:
    early = message(Event="OriginateResponse", ActionID=CALL_ID, Response="Failure", Reason="0")

    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        peer.on("Originate", lambda _, action: early + success(action))
        await bridge.originate()
        await bridge.until(lambda: bridge.names() == ["OriginateResponse"])

    play(scenario)


def test_a_refused_action_carries_asterisks_reason() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        peer.on(
            "Originate",
            lambda _, action: message(Response="Error", ActionID=action["ActionID"], Message="Invalid channel"),
        )
        with pytest.raises(ActionRefused) as refused:
            await bridge.originate()
        assert refused.value.message == "Invalid channel"
        assert bridge.client.connected

    play(scenario)


def test_every_waiting_action_fails_when_the_connection_goes() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        peer.on("CoreShowChannels", lambda _, action: success(action, EventList="start"))
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(bridge.client.action("Status")) for _ in range(50)]
        waits.append(
            asyncio.create_task(bridge.client.list_action("CoreShowChannels", complete="CoreShowChannelsComplete"))
        )
        await peer.until(lambda: len(peer.actions) == 52)
        peer.drop()
        async with asyncio.timeout(1):
            results = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(result) for result in results} == {ConnectionLost}

    play(scenario)


def test_an_answer_that_comes_too_late_leaves_nothing_behind_and_swallows_no_event() -> None:
    late = message(Event="OriginateResponse", ActionID=CALL_ID, Response="Success", Reason="4")

    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        with pytest.raises(NoAnswer, match=r"no answer to Originate within 0.3 s"):
            await bridge.originate()
        await peer.send(message(Response="Success", ActionID=CALL_ID) + late)
        await bridge.until(lambda: bridge.names() == ["OriginateResponse"])
        assert bridge.client.connected
        peer.on("Originate", lambda _, action: success(action))
        await bridge.originate()  # the id is free again

    play(scenario, action_timeout=0.3)


def test_an_action_id_that_still_waits_is_refused_and_not_sent() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        first = asyncio.ensure_future(bridge.originate())
        await peer.until(lambda: len(peer.named("Originate")) == 1)
        with pytest.raises(ActionRefused, match="still waiting"):
            await bridge.originate()
        await peer.send(success({"ActionID": CALL_ID}))
        await first
        assert len(peer.named("Originate")) == 1

    play(scenario)


def test_a_list_is_collected_in_order_while_other_events_go_on() -> None:
    def channels(peer: AmiPeer, action: dict[str, str]) -> bytes:
        own = action["ActionID"]
        return (
            success(action, EventList="start")
            + message(Event="CoreShowChannel", ActionID=own, Channel="one")
            + message(Event="Hangup", Uniqueid="x")
            + message(Event="CoreShowChannel", ActionID=own, Channel="two")
            + message(Event="CoreShowChannelsComplete", ActionID=own, EventList="Complete", ListItems="2")
        )

    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        peer.on("CoreShowChannels", channels)
        entries = await bridge.client.list_action("CoreShowChannels", complete="CoreShowChannelsComplete")
        assert [entry["Channel"] for entry in entries] == ["one", "two"]
        await bridge.until(lambda: bridge.names() == ["Hangup"])

    play(scenario)


def test_a_list_entry_with_a_forged_action_id_stays_in_its_list() -> None:
    def channels(peer: AmiPeer, action: dict[str, str]) -> bytes:
        own = action["ActionID"]
        return (
            success(action, EventList="start")
            + message(Event="CoreShowChannel", ActionID=own, CallerIDName="x\r\nActionID: another", Uniqueid="1")
            + message(Event="CoreShowChannelsComplete", ActionID=own)
        )

    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        peer.on("CoreShowChannels", channels)
        entries = await bridge.client.list_action("CoreShowChannels", complete="CoreShowChannelsComplete")
        assert [entry["Uniqueid"] for entry in entries] == ["1"]

    play(scenario)


def test_a_command_returns_its_output_lines() -> None:
    def output(peer: AmiPeer, action: dict[str, str]) -> bytes:
        return (
            b"Response: Success\r\nActionID: %b\r\nMessage: Command output follows\r\n"
            b"Output: one: 1\r\nOutput: \r\nOutput: three\r\n\r\n" % action["ActionID"].encode()
        )

    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        peer.on("Command", output)
        assert await bridge.client.command("core show uptime") == "one: 1\n\nthree"

    play(scenario)


def test_events_are_seen_while_an_action_waits() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        waiting = asyncio.create_task(bridge.client.action("Status"))
        await peer.until(lambda: bool(peer.named("Status")))
        await peer.send(message(Event="Hangup", Uniqueid="x"))
        await bridge.until(lambda: bridge.names() == ["Hangup"])
        assert not waiting.done()
        await peer.send(success(peer.named("Status")[0]))
        assert (await waiting).name == "Success"

    play(scenario)


# --- 4. Nothing illegal is sent ---

UNSAFE = ("\r", "\n", "\0", "\r\n", "\r\nAction: Originate\r\nChannel: Local/x", "\n\n", "\ud800")


def hostile_texts(count: int) -> list[str]:
    chosen = random.Random(22)
    letters = string.printable.replace("\r", "").replace("\n", "") + "传真é\u2028\x85"
    return [
        "".join(chosen.choices(letters, k=chosen.randrange(12)))
        + chosen.choice(UNSAFE)
        + "".join(chosen.choices(letters, k=chosen.randrange(12)))
        for _ in range(count)
    ]


def test_400_hostile_field_values_are_refused_and_not_one_byte_is_sent() -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        before = peer.wire
        for number, text in enumerate(hostile_texts(400)):
            attempts: list[Awaitable[object]] = [
                bridge.originate(channel=f"PJSIP/{text}@demo"),
                bridge.originate(context=text),
                bridge.originate(exten=text),
                bridge.originate(call_id=text),
                bridge.originate(caller_id=text),
                bridge.originate(variables={"NETFAX_DIGITS": text}),
                bridge.originate(variables={text: "1"}),
                bridge.client.action("Hangup", {"Channel": text}),
                bridge.client.action(text),
                bridge.client.action("Hangup", [(text, "value")]),
                bridge.client.action("Hangup", {"ActionID": text}),
                bridge.client.list_action("FAXSession", {"SessionNumber": text}, complete="FAXSessionComplete"),
                bridge.client.command(text),
            ]
            for attempt in attempts:
                with pytest.raises(IllegalField, match="illegal character in AMI field"):
                    await attempt
            if number % 100 == 0:
                await asyncio.sleep(0.01)  # whatever was written would arrive
        await asyncio.sleep(0.05)
        assert peer.wire == before
        assert bridge.client.connected

    play(scenario)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NETFAX_DIGITS", "1,NETFAX_MODE=audio"),
        ("NETFAX_DIGITS", "${SHELL(id)}"),
        ("NETFAX_DIGITS", "传真"),
        ("NETFAX_DIGITS", "a b"),
        ("FILE(/etc/passwd)", "1"),
        ("A,B", "1"),
        ("", "1"),
        ("A=B", "1="),
    ],
)
def test_a_variable_that_would_be_more_than_a_plain_one_is_refused(name: str, value: str) -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        with pytest.raises(IllegalField, match="illegal character in AMI field"):
            await bridge.originate(variables={name: value})
        with pytest.raises(IllegalField, match="illegal character in AMI field"):
            await bridge.client.action("Originate", [("vARIABLE", f"{name}={value}")])
        assert peer.named("Originate") == []

    play(scenario)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([("Channel", "x" * 1000)], "AMI field longer than 1000 bytes"),
        ([("Channel", "传" * 400)], "AMI field longer than 1000 bytes"),
        ([("Variable", f"A{n}=1") for n in range(130)], "too many AMI fields"),
        ([("ActionID", "a"), ("actionid", "b")], "repeated AMI field"),
        ([("Action", "Command")], "repeated AMI field"),
        ([("ActionID", " ")], "empty AMI field"),
    ],
)
def test_what_asterisk_would_cut_or_mix_up_is_refused(fields: list[tuple[str, str]], reason: str) -> None:
    async def scenario(peer: AmiPeer, bridge: Bridge) -> None:
        before = peer.wire
        with pytest.raises(IllegalField, match=reason):
            await bridge.client.action("Hangup", fields)
        await asyncio.sleep(0.02)
        assert peer.wire == before

    play(scenario)


def test_an_action_shows_no_field_when_panoramisk_logs_it() -> None:
    async def main() -> str:
        return repr(AmiAction([("Action", "Login"), ("ActionID", "1"), ("Secret", "not-to-be-seen")]))

    assert asyncio.run(main()) == "<AmiAction Login 1>"
