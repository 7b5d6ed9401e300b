"""The bridge's part in a call: placed once, followed by its own events alone, and settled when nobody listened."""

import asyncio
import itertools
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import OperationalError

from ami_bridge import events, intake, originate, reconcile
from ami_bridge.bridge import Bridge, LiveCall
from ami_bridge.client import ActionRefused, AmiClient, AmiEvent, ConnectionLost, IllegalField, NoAnswer, NotConnected
from ami_bridge.events import handle_event, is_ours
from ami_bridge.originate import begin_waiting
from netfax import telephony
from netfax.db import now, unit_of_work
from netfax.documents.convert import to_fax_tiff
from netfax.documents.tiff import count_pages, page_sizes
from netfax.documents.tiffwrite import FaxTiffWriter
from netfax.faxes.cel import CallRecord
from netfax.faxes.dial import claim_attempts, give_back_attempt
from netfax.faxes.finish import finish_attempt, record_answers
from netfax.faxes.listing import mailbox
from netfax.faxes.models import Attempt, Delivery, Direction, Document, Reception
from netfax.faxes.receive import InboundCall, decide
from netfax.faxes.recording import spool_file
from netfax.faxes.results import CallOutcome, Cause
from netfax.faxes.states import DeliveryState, ReceptionState
from netfax.lease import Lease
from netfax.lines.models import Port
from netfax.settings import settings
from netfax.storage.disk import blob_path
from netfax.storage.models import Blob
from tests.factories import World, delivery_of, dispatch_now, make_delivery, make_world, only_attempt
from tests.pages import make_tiff

# What differs between the databases is tested in the flow of a fax.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

BOOT = "2026-03-01 08:00:00"
CHANNEL = "PJSIP/pstn-00000001"


class FakeClient:
    """An AMI client that takes every action, or fails as it is told to."""

    def __init__(self) -> None:
        self.connected = True
        self.placed: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.channels: list[AmiEvent] = []
        self.hung_up: list[str] = []
        self.boot = BOOT
        # Called while Originate waits for its answer.
        self.meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None

    async def originate(self, **call: Any) -> None:
        self.placed.append(call)
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.error is not None:
            raise self.error

    async def action(self, name: str, fields: Mapping[str, str] | None = None) -> AmiEvent:
        if name == "Hangup":
            self.hung_up.append((fields or {})["Channel"])
            raise ActionRefused("No such channel")
        assert name == "CoreStatus"
        date, time = self.boot.split()
        return AmiEvent("Success", {"CoreStartupDate": date, "CoreStartupTime": time})

    async def list_action(self, name: str, *, complete: str) -> list[AmiEvent]:
        assert (name, complete) == ("CoreShowChannels", "CoreShowChannelsComplete")
        return self.channels


@pytest.fixture
def world(database: Engine) -> World:
    for folder in (telephony.SPOOL_OUT, telephony.JOURNAL, "cel"):
        (settings().gateway_dir / folder).mkdir(parents=True)
    return make_world()


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def bridge(world: World, client: FakeClient) -> Bridge:
    return Bridge(settings=settings(), client=cast(AmiClient, client), boot=BOOT)


def waiting_call(world: World, *, pages: int = 2) -> tuple[str, str]:
    """A dispatched delivery with a document on disk: its uuid and its attempt's id."""
    uuid = make_delivery(world.alice, pages=pages)
    with unit_of_work() as uow:
        path = blob_path(uow.session.query(Blob.key).order_by(Blob.id.desc()).limit(1).scalar())
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w+b") as file:
        writer = FaxTiffWriter(file)
        for _ in range(pages):
            writer.add([b"\x00\x10\x01\x00\x10\x01"], width=1728, rows=100)
    dispatch_now()
    return uuid, only_attempt()


def placed_call(world: World, *, ago: int = 60, answered: bool = False, boot: str = BOOT) -> tuple[str, str]:
    """A call that was placed some seconds ago."""
    uuid, attempt_id = waiting_call(world)
    with unit_of_work() as uow:
        assert claim_attempts(uow, [attempt_id], boot)
    with unit_of_work() as uow:
        uow.session.execute(
            update(Attempt).where(Attempt.id == attempt_id).values(originated_at=now() - timedelta(seconds=ago))
        )
        if answered:
            record_answers(uow, [attempt_id], actor="test")
    return uuid, attempt_id


def attempt_of(attempt_id: str) -> Attempt:
    with unit_of_work() as uow:
        return uow.session.get_one(Attempt, attempt_id)


def spooled(attempt_id: str) -> Any:
    return settings().gateway_dir / telephony.SPOOL_OUT / f"{attempt_id}.tif"


async def place(*bridges: Bridge) -> None:
    """Each bridge places what waits, at once, to the end."""
    for placing in await asyncio.gather(*map(begin_waiting, bridges)):
        await asyncio.gather(*placing)


def tell(bridge: Bridge, name: str, **fields: str) -> None:
    asyncio.run(hear(bridge, AmiEvent(name, fields)))


async def hear(bridge: Bridge, event: AmiEvent) -> None:
    """What the event tells, and what follows of it."""
    handle_event(bridge, event)
    await asyncio.gather(*bridge.tasks)


def journal(attempt_id: str) -> Any:
    return settings().gateway_dir / telephony.JOURNAL / f"{telephony.JOURNAL_OUT_PREFIX}{attempt_id}"


def write_cel(*events: tuple[str, str, str]) -> None:
    """Lines of (event, call, extra), a second apart."""
    lines = [
        ",".join(f'"{field}"' for field in (kind, f"{1_795_000_000 + second}.5", call, call, CHANNEL, extra))
        for second, (kind, call, extra) in enumerate(events)
    ]
    (settings().gateway_dir / telephony.CEL_CSV).write_text("".join(line + "\n" for line in lines))


def cause(number: int) -> str:
    return f'{{""hangupcause"":{number}}}'


# --- Placing ---


def test_a_call_is_originated_with_its_id_its_pages_and_its_claim_committed_before(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    uuid, attempt_id = waiting_call(world)
    claims: list[object] = []

    async def look() -> None:
        claims.append(attempt_of(attempt_id).originated_at)

    client.meanwhile = look
    asyncio.run(place(bridge))
    (call,) = client.placed
    assert (call["call_id"], call["context"], call["exten"]) == (attempt_id, telephony.CONTEXT_OUT, telephony.START)
    assert call["variables"][telephony.ATTEMPT_ID] == attempt_id
    assert claims != [None]
    assert attempt_of(attempt_id).boot == BOOT
    assert count_pages(spooled(attempt_id)) == 2
    assert delivery_of(uuid).state is DeliveryState.DIALING


def test_a_call_that_two_jobs_ask_for_at_once_is_placed_once(world: World, bridge: Bridge, client: FakeClient) -> None:
    waiting_call(world)

    async def both() -> None:
        await place(*[bridge] * 5)
        await place(bridge)

    asyncio.run(both())
    assert len(client.placed) == 1
    assert not bridge.placing


def test_two_bridges_of_one_gateway_place_a_call_once(world: World, bridge: Bridge, client: FakeClient) -> None:
    waiting_call(world)
    other = Bridge(settings=settings(), client=cast(AmiClient, client), boot=BOOT)
    asyncio.run(place(bridge, other))
    assert len(client.placed) == 1


def test_only_the_pages_that_are_not_confirmed_are_spooled(world: World, bridge: Bridge) -> None:
    _, attempt_id = waiting_call(world, pages=3)
    with unit_of_work() as uow:
        uow.session.execute(update(Attempt).values(first_page=3))
    asyncio.run(place(bridge))
    assert count_pages(spooled(attempt_id)) == 1


def test_a_call_in_standard_fineness_spools_pages_of_half_the_rows(
    world: World, bridge: Bridge, tmp_path: Path
) -> None:
    _, attempt_id = waiting_call(world, pages=2)
    with unit_of_work() as uow:
        uow.session.execute(update(Attempt).values(fine=False))
        stored = blob_path(uow.session.query(Blob.key).scalar())
    to_fax_tiff([make_tiff(tmp_path / "a.tif", "standard", pages=2)], stored)
    asyncio.run(place(bridge))
    halved = tuple((width, (rows + 1) // 2) for width, rows in page_sizes(stored))
    assert page_sizes(spooled(attempt_id)) == halved
    assert len(halved) == 2


def test_without_a_connection_or_a_known_boot_nothing_is_claimed(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    _, attempt_id = waiting_call(world)
    client.connected = False
    asyncio.run(place(bridge))
    client.connected, bridge.boot = True, ""
    asyncio.run(place(bridge))
    assert client.placed == []
    assert attempt_of(attempt_id).originated_at is None


def test_what_was_certainly_not_sent_is_given_back_and_placed_by_the_next(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    _, attempt_id = waiting_call(world)
    client.error = NotConnected("gone")
    asyncio.run(place(bridge))
    assert attempt_of(attempt_id).originated_at is None
    client.error = None
    asyncio.run(place(bridge))
    assert len(client.placed) == 2
    assert attempt_of(attempt_id).originated_at is not None


@pytest.mark.parametrize("error", [ConnectionLost("reset"), NoAnswer("mute")])
def test_a_call_that_may_have_been_placed_stays_claimed_and_open(
    world: World, bridge: Bridge, client: FakeClient, error: Exception
) -> None:
    uuid, attempt_id = waiting_call(world)
    client.error = error
    asyncio.run(place(bridge))
    asyncio.run(place(bridge))
    assert len(client.placed) == 1
    attempt = attempt_of(attempt_id)
    assert attempt.originated_at is not None
    assert attempt.ended_at is None
    assert delivery_of(uuid).state is DeliveryState.DIALING


@pytest.mark.parametrize("error", [ActionRefused("Extension does not exist."), IllegalField("Variable")])
def test_a_refused_call_ends_its_attempt(world: World, bridge: Bridge, client: FakeClient, error: Exception) -> None:
    uuid, attempt_id = waiting_call(world)
    client.error = error
    asyncio.run(place(bridge))
    attempt = attempt_of(attempt_id)
    assert attempt.ended_at is not None
    assert attempt.status_text == str(error)
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (DeliveryState.QUEUED, Cause.CALL_FAILED)


@pytest.mark.parametrize("damage", ["missing", "damaged", "too short"])
def test_pages_that_cannot_be_spooled_end_the_attempt_as_our_own_fault(
    world: World, bridge: Bridge, client: FakeClient, damage: str
) -> None:
    uuid, attempt_id = waiting_call(world)
    with unit_of_work() as uow:
        path = blob_path(uow.session.query(Blob.key).scalar())
        if damage == "too short":
            uow.session.execute(update(Attempt).values(first_page=9))
    if damage == "missing":
        path.unlink()
    elif damage == "damaged":
        path.write_bytes(b"no TIFF at all")
    asyncio.run(place(bridge))
    assert client.placed == []
    assert attempt_of(attempt_id).ended_at is not None
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (DeliveryState.QUEUED, Cause.OUR_FAULT)


def test_a_number_that_cannot_be_dialled_from_here_ends_as_one_that_does_not_exist(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    uuid, _ = waiting_call(world)
    with unit_of_work() as uow:
        uow.session.execute(update(Delivery).values(identity="86736110"))
    asyncio.run(place(bridge))
    assert client.placed == []
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (DeliveryState.FAILED, Cause.UNALLOCATED)


def test_a_fax_that_was_taken_back_while_its_call_waited_is_not_dialled(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    uuid, attempt_id = waiting_call(world)
    with unit_of_work() as uow:
        uow.session.execute(update(Delivery).values(cancel_asked_at=now()))
    asyncio.run(place(bridge))
    assert client.placed == []
    assert attempt_of(attempt_id).ended_at is not None
    assert delivery_of(uuid).state is DeliveryState.CANCELLED


def several_waiting(world: World, *identities: str) -> list[str]:
    """Calls that wait at once; their ids, oldest first."""
    waiting_call(world)
    with unit_of_work() as uow:
        blob = uow.session.scalars(select(Blob).order_by(Blob.id.desc())).first()
        assert blob is not None
        document = uow.session.scalars(select(Document).where(Document.blob_id == blob.id)).one()
        submission_id = document.submission_id
        uow.session.add_all(Port(trunk_id=world.trunk_id, position=3 + place) for place, _ in enumerate(identities))
    for identity in identities:
        uuid = make_delivery(world.alice, identity)
        with unit_of_work() as uow:
            uow.session.execute(update(Delivery).where(Delivery.uuid == uuid).values(submission_id=submission_id))
    assert dispatch_now() == len(identities)
    with unit_of_work() as uow:
        return list(uow.session.scalars(select(Attempt.id).join(Delivery).order_by(Delivery.id)))


def test_of_calls_that_are_claimed_together_those_that_were_taken_back_end_alone(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    first, second, third = several_waiting(world, "867367721002", "867367721003")
    with unit_of_work() as uow:
        taken_back = uow.session.get_one(Attempt, second).delivery
        taken_back.cancel_asked_at = now()
    asyncio.run(place(bridge))
    assert sorted(call["call_id"] for call in client.placed) == sorted([first, third])
    assert attempt_of(second).ended_at is not None
    assert delivery_of(taken_back.uuid).state is DeliveryState.CANCELLED


def test_a_call_that_cannot_be_planned_stops_no_other(world: World, bridge: Bridge, client: FakeClient) -> None:
    first, second, third = several_waiting(world, "867367721002", "867367721003")
    with unit_of_work() as uow:
        # No step of ours writes such a number.
        uow.session.get_one(Attempt, second).delivery.extension = "?"
    with structlog.testing.capture_logs() as logs:
        asyncio.run(place(bridge))
    assert sorted(call["call_id"] for call in client.placed) == sorted([first, third])
    assert [(entry["event"], entry["attempt"]) for entry in logs if entry["log_level"] == "error"] == [
        ("call.not_planned", second)
    ]


def test_a_bridge_that_ends_places_what_it_has_claimed_and_claims_nothing_more(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    first, second = several_waiting(world, "867367721002")

    async def ends_while_it_places() -> None:
        await begin_waiting(bridge)
        await bridge.end()
        with pytest.raises(asyncio.CancelledError):
            await bridge.for_call(originate._claim_unless_cancelled, second)

    asyncio.run(ends_while_it_places())
    assert sorted(call["call_id"] for call in client.placed) == sorted([first, second])
    other = Bridge(settings=settings(), client=cast(AmiClient, client), boot=BOOT)
    with unit_of_work() as uow:
        assert other.holds_lease(uow)


def test_an_answer_that_the_database_did_not_take_is_said_again(
    world: World, bridge: Bridge, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OperationalError("update attempt", {}, Exception("database or disk is full"))

    uuid, attempt_id = placed_call(world)
    client.channels = [channel(attempt_id)]
    with monkeypatch.context() as disk:
        disk.setattr(events, "record_answers", full)
        with pytest.raises(OperationalError):
            tell(bridge, "Newstate", Uniqueid=attempt_id, Channel=CHANNEL, ChannelState="6")
    assert delivery_of(uuid).state is DeliveryState.DIALING
    settle(bridge)
    assert delivery_of(uuid).state is DeliveryState.SENDING


def test_a_bridge_places_nothing_while_another_has_the_gateway(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    _, attempt_id = waiting_call(world)
    other = Bridge(settings=settings(), client=cast(AmiClient, FakeClient()), boot=BOOT)
    with unit_of_work() as uow:
        assert other.holds_lease(uow)
    asyncio.run(place(bridge))
    assert client.placed == []
    assert attempt_of(attempt_id).originated_at is None
    asyncio.run(place(other))
    assert attempt_of(attempt_id).originated_at is not None


def test_a_claim_that_grew_old_before_its_originate_is_left_to_reconciliation(
    world: World, bridge: Bridge, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process was stopped in between: by now another bridge may have given the call back."""
    _, attempt_id = waiting_call(world)
    ticks = itertools.count(0, originate.CLAIM_SECONDS + 0.1)
    monkeypatch.setattr(originate, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    asyncio.run(place(bridge))
    assert client.placed == []
    assert attempt_of(attempt_id).originated_at is not None
    assert timedelta(seconds=originate.CLAIM_SECONDS) < reconcile.SETTLE


def test_the_database_is_polled_for_calls_whose_job_was_lost(
    world: World, bridge: Bridge, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [waiting_call(world)[1]]
    monkeypatch.setattr(originate, "POLL_SECONDS", 0.01)

    def end_and_wait_anew() -> str:
        with unit_of_work() as uow:
            finish_attempt(uow, calls[0], CallOutcome(answered=False, hangup_cause=17), actor="test")
        return waiting_call(world)[1]

    async def watch() -> None:
        placed: asyncio.Queue[None] = asyncio.Queue()
        client.meanwhile = lambda: placed.put(None)
        task = asyncio.create_task(originate.keep_placing(bridge))
        async with asyncio.timeout(10):
            await placed.get()
            calls.append(await asyncio.to_thread(end_and_wait_anew))
            await placed.get()
        task.cancel()

    asyncio.run(watch())
    assert [call["call_id"] for call in client.placed] == calls


# --- Events ---


def test_an_answer_makes_a_fax_sending_and_said_again_nothing(world: World, bridge: Bridge) -> None:
    uuid, attempt_id = placed_call(world)
    for _ in range(2):
        tell(bridge, "Newstate", Uniqueid=attempt_id, Channel=CHANNEL, ChannelState="6")
    assert delivery_of(uuid).state is DeliveryState.SENDING
    assert attempt_of(attempt_id).answered_at is not None
    assert bridge.calls == {attempt_id: LiveCall(CHANNEL, answered=True)}


@pytest.mark.parametrize("state", ["0", "3", "4", "5", "", "66"])
def test_a_call_that_rings_is_not_answered(world: World, bridge: Bridge, state: str) -> None:
    uuid, attempt_id = placed_call(world)
    tell(bridge, "Newchannel", Uniqueid=attempt_id, Channel=CHANNEL)
    tell(bridge, "Newstate", Uniqueid=attempt_id, Channel=CHANNEL, ChannelState=state)
    assert delivery_of(uuid).state is DeliveryState.DIALING
    assert bridge.calls == {attempt_id: LiveCall(CHANNEL)}


def test_a_hangup_before_the_answer_ends_the_attempt_by_its_cause(world: World, bridge: Bridge) -> None:
    uuid, attempt_id = placed_call(world)
    tell(bridge, "Newchannel", Uniqueid=attempt_id, Channel=CHANNEL)
    fields = {"Uniqueid": attempt_id, "Channel": CHANNEL, "ChannelState": "5", "Cause": "17", "Cause-txt": "User busy"}
    tell(bridge, "Hangup", **fields)
    tell(bridge, "Hangup", **fields)
    assert (delivery_of(uuid).state, delivery_of(uuid).cause, delivery_of(uuid).tries) == (
        DeliveryState.QUEUED,
        Cause.BUSY,
        1,
    )
    assert attempt_of(attempt_id).status_text == "User busy"
    assert bridge.calls == {}


@pytest.mark.parametrize("number", ["", "-1", "busy", "1e1"])
def test_a_hangup_with_an_unreadable_cause_is_a_call_that_could_not_be_set_up(
    world: World, bridge: Bridge, number: str
) -> None:
    uuid, attempt_id = placed_call(world)
    tell(bridge, "Hangup", Uniqueid=attempt_id, Channel=CHANNEL, ChannelState="0", Cause=number)
    assert delivery_of(uuid).cause is Cause.CALL_FAILED


@pytest.mark.parametrize("state", ["6", "0"])
def test_the_hangup_of_an_answered_call_says_nothing_about_the_fax(world: World, bridge: Bridge, state: str) -> None:
    uuid, attempt_id = placed_call(world)
    tell(bridge, "Newstate", Uniqueid=attempt_id, Channel=CHANNEL, ChannelState="6")
    tell(bridge, "Hangup", Uniqueid=attempt_id, Channel=CHANNEL, ChannelState=state, Cause="16")
    assert delivery_of(uuid).state is DeliveryState.SENDING
    assert attempt_of(attempt_id).ended_at is None


def test_a_hangup_in_the_answered_state_waits_for_its_journal_though_the_answer_was_missed(
    world: World, bridge: Bridge
) -> None:
    _, attempt_id = placed_call(world)
    tell(bridge, "Hangup", Uniqueid=attempt_id, Channel=CHANNEL, ChannelState="6", Cause="16")
    assert attempt_of(attempt_id).ended_at is None


@pytest.mark.parametrize("change", [lambda i: "f" * 8 + i[8:], lambda i: i[:-1], lambda i: i + "0", lambda _: "1.1"])
def test_channels_of_others_do_nothing(world: World, bridge: Bridge, change: Callable[[str], str]) -> None:
    uuid, attempt_id = placed_call(world)
    stranger = change(attempt_id)
    assert is_ours(bridge, attempt_id)
    assert not is_ours(bridge, stranger)
    for name in ("Newchannel", "Newstate", "Hangup"):
        tell(bridge, name, Uniqueid=stranger, Channel=CHANNEL, ChannelState="6", Cause="17")
    assert bridge.calls == {}
    assert delivery_of(uuid).state is DeliveryState.DIALING


def test_the_prefix_of_our_ids_is_the_secret_of_the_installation(world: World, bridge: Bridge) -> None:
    attempt_id = waiting_call(world)[1]
    assert attempt_id.startswith(settings().secret("attempt_prefix"))
    assert len(attempt_id) == telephony.ATTEMPT_ID_LENGTH


def test_a_forged_second_id_in_an_event_makes_it_nobodys(world: World, bridge: Bridge) -> None:
    uuid, attempt_id = placed_call(world)
    headers = (
        ("Event", "Hangup"),
        ("Uniqueid", "1.1"),
        ("Uniqueid", attempt_id),
        ("ChannelState", "0"),
        ("Cause", "1"),
    )
    asyncio.run(hear(bridge, AmiEvent.received(headers)))
    tell(bridge, "Hangup")
    assert delivery_of(uuid).state is DeliveryState.DIALING


def test_an_event_of_ours_that_nobody_placed_is_borne(world: World, bridge: Bridge) -> None:
    ghost = telephony.new_attempt_id(settings().secret("attempt_prefix"))
    for name in ("Newstate", "Hangup"):
        tell(bridge, name, Uniqueid=ghost, Channel=CHANNEL, ChannelState="6")


@pytest.mark.parametrize("known", ["nothing", "a channel", "cel"])
def test_a_call_for_which_asterisk_made_no_channel_is_trouble_of_its_trunk(
    world: World, bridge: Bridge, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    """It knows the trunk as unreachable: there is no Hangup, and giving the call back would go on for ever."""
    monkeypatch.setattr(events, "CEL_SECONDS", 0)
    uuid, attempt_id = placed_call(world)
    if known == "a channel":
        tell(bridge, "Newchannel", Uniqueid=attempt_id, Channel=CHANNEL)
    if known == "cel":
        write_cel(("CHAN_START", attempt_id, ""))

    tell(bridge, "OriginateResponse", ActionID=attempt_id, Response="Failure", Reason="0", Uniqueid="<null>")
    if known == "nothing":
        assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (DeliveryState.QUEUED, Cause.CALL_FAILED)
    else:
        assert attempt_of(attempt_id).ended_at is None


# --- Trunks ---


def test_trunks_that_a_lost_job_has_not_told_of_are_taken_all_the_same(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = iter([True, False, False, True])
    taken: list[str] = []

    async def reload(of: Bridge) -> None:
        taken.append("asked")
        of.untaken = len(taken) == 1
        if of.untaken:
            raise NotConnected("it has just gone")

    async def watch() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(intake.keep_trunks_taken(bridge), 0.2)

    monkeypatch.setattr(intake, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(intake, "is_written", lambda _: next(written, True))
    monkeypatch.setattr(intake, "_reload", reload)
    asyncio.run(watch())
    # As written it is not asked, then it is; and once more since the first time failed.
    assert taken[:2] == ["asked", "asked"]
    assert not bridge.untaken


# --- Reconciliation ---


def settle(bridge: Bridge) -> None:
    async def to_the_end() -> None:
        await reconcile.reconcile(bridge)
        await asyncio.gather(*bridge.tasks)

    asyncio.run(to_the_end())


def long_gone(bridge: Bridge) -> None:
    """Let the channels that were found gone be so for longer than CEL is waited for."""
    for attempt_id in bridge.gone_since:
        bridge.gone_since[attempt_id] -= reconcile.CEL_PATIENCE_SECONDS + 1


def channel(attempt_id: str, state: str = "6") -> AmiEvent:
    return AmiEvent("CoreShowChannel", {"Uniqueid": attempt_id, "Channel": CHANNEL, "ChannelState": state})


def test_a_live_answered_call_is_noted_though_its_event_was_missed(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    uuid, attempt_id = placed_call(world)
    client.channels = [channel(attempt_id), channel("1795.1")]
    settle(bridge)
    assert delivery_of(uuid).state is DeliveryState.SENDING
    assert set(bridge.calls) == {attempt_id}


@pytest.mark.parametrize("over", [True, False])
@pytest.mark.parametrize("missed", [True, False])
def test_a_call_that_nobody_has_claimed_any_more_is_hung_up(
    world: World, bridge: Bridge, client: FakeClient, over: bool, missed: bool
) -> None:
    """A bridge that stood still between its last look and its Originate has placed it."""
    _, attempt_id = placed_call(world)
    with unit_of_work() as uow:
        if over:
            finish_attempt(uow, attempt_id, CallOutcome(answered=False, hangup_cause=17), actor="test")
        else:
            give_back_attempt(uow, attempt_id, attempt_of(attempt_id).originated_at or now())
    client.channels = [channel(attempt_id, "0")]
    if missed:
        settle(bridge)
    else:
        tell(bridge, "Newchannel", Uniqueid=attempt_id, Channel=CHANNEL)
    assert client.hung_up == [CHANNEL]


def test_a_stray_call_is_hung_up_in_a_later_round_too(world: World, bridge: Bridge, client: FakeClient) -> None:
    """The first look at it may have met a database that was locked."""
    _, attempt_id = placed_call(world)
    client.channels = [channel(attempt_id)]
    settle(bridge)
    assert client.hung_up == []
    with unit_of_work() as uow:
        finish_attempt(uow, attempt_id, CallOutcome(answered=False, hangup_cause=17), actor="test")
    settle(bridge)
    # Its channel may still be writing its journal.
    assert client.hung_up == []
    with unit_of_work() as uow:
        uow.session.execute(update(Attempt).values(ended_at=now() - timedelta(seconds=31)))
    settle(bridge)
    assert client.hung_up == [CHANNEL]


def test_a_bridge_that_stalled_over_its_pages_ends_no_call_of_another(
    world: World, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid, attempt_id = waiting_call(world)

    def stalls(*_: object) -> None:
        # Meanwhile another has the gateway, and has placed the call.
        with unit_of_work() as uow:
            uow.session.execute(update(Lease).values(holder="another"))
            assert claim_attempts(uow, [attempt_id], "boot")
        raise FileNotFoundError("the draft is gone")

    monkeypatch.setattr(originate, "spool_pages", stalls)
    asyncio.run(place(bridge))
    assert attempt_of(attempt_id).ended_at is None
    assert delivery_of(uuid).state is DeliveryState.DIALING


def test_a_database_that_does_not_answer_ends_no_part_of_the_bridge(
    world: World, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Enough(Exception):
        pass

    rounds: list[float] = []

    async def twice(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 2:
            raise Enough

    async def full(_step: object) -> None:
        raise OperationalError("update lease", {}, Exception("database or disk is full"))

    monkeypatch.setattr(asyncio, "sleep", twice)
    monkeypatch.setattr(originate, "_until_calls_wait", lambda _: twice(originate.POLL_SECONDS))
    monkeypatch.setattr(bridge, "work", full)
    monkeypatch.setattr(bridge, "look", full)
    for part in (originate.keep_placing, reconcile.keep_reconciling):
        rounds.clear()
        with pytest.raises(Enough):
            asyncio.run(part(bridge))
        assert len(rounds) == 2


def test_a_call_of_ours_is_not_hung_up_when_it_begins(world: World, bridge: Bridge, client: FakeClient) -> None:
    _, attempt_id = placed_call(world)
    tell(bridge, "Newchannel", Uniqueid=attempt_id, Channel=CHANNEL)
    client.channels = [channel(attempt_id, "0")]
    settle(bridge)
    assert client.hung_up == []


def test_a_live_ringing_call_is_left_alone(world: World, bridge: Bridge, client: FakeClient) -> None:
    uuid, attempt_id = placed_call(world)
    client.channels = [channel(attempt_id, "5")]
    settle(bridge)
    assert delivery_of(uuid).state is DeliveryState.DIALING
    assert bridge.calls == {attempt_id: LiveCall(CHANNEL)}


def test_a_live_call_whose_fax_was_taken_back_is_hung_up_though_its_job_was_lost(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    uuid, attempt_id = placed_call(world)
    client.channels = [channel(attempt_id, "5")]
    settle(bridge)
    assert client.hung_up == []
    with unit_of_work() as uow:
        uow.session.execute(update(Delivery).where(Delivery.uuid == uuid).values(cancel_asked_at=now()))
    settle(bridge)
    assert client.hung_up == [CHANNEL]


def test_a_call_that_asterisk_does_not_have_is_not_hung_up(world: World, bridge: Bridge, client: FakeClient) -> None:
    asyncio.run(bridge.hang_up("c0ffee00"))
    assert client.hung_up == []


def test_channels_that_are_gone_are_forgotten(world: World, bridge: Bridge) -> None:
    bridge.calls["c0ffee00"] = LiveCall(CHANNEL)
    settle(bridge)
    assert bridge.calls == {}


def test_a_call_that_was_busy_while_nobody_listened_ends_by_cel(world: World, bridge: Bridge) -> None:
    uuid, attempt_id = placed_call(world)
    write_cel(("CHAN_START", attempt_id, ""), ("HANGUP", attempt_id, cause(17)))
    settle(bridge)
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (DeliveryState.QUEUED, Cause.BUSY)


def test_an_answered_call_without_its_journal_was_dropped(world: World, bridge: Bridge) -> None:
    uuid, attempt_id = placed_call(world, answered=True)
    write_cel(("CHAN_START", attempt_id, ""), ("ANSWER", attempt_id, ""), ("HANGUP", attempt_id, cause(16)))
    settle(bridge)
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (DeliveryState.QUEUED, Cause.DROPPED)


def test_a_call_that_asterisk_never_dialled_is_given_back(world: World, bridge: Bridge) -> None:
    uuid, attempt_id = placed_call(world)
    settle(bridge)
    assert attempt_of(attempt_id).originated_at is None
    assert delivery_of(uuid).state is DeliveryState.DIALING


def test_a_call_whose_channel_was_seen_is_not_given_back_though_nothing_of_it_is_on_disk(
    world: World, bridge: Bridge
) -> None:
    uuid, attempt_id = placed_call(world)
    tell(bridge, "Newchannel", Uniqueid=attempt_id, Channel=CHANNEL)
    settle(bridge)
    assert attempt_of(attempt_id).originated_at is not None
    long_gone(bridge)
    settle(bridge)
    assert delivery_of(uuid).state is DeliveryState.UNKNOWN


def test_a_call_of_which_a_full_disk_took_no_line_is_not_given_back(
    world: World, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a bridge that has just begun the missing line would say that nobody dialled it."""
    uuid, attempt_id = placed_call(world)
    with monkeypatch.context() as full:
        full.setattr(reconcile, "free_megabytes", lambda: 0)
        settle(bridge)
    settle(bridge)
    assert attempt_of(attempt_id).originated_at is not None
    long_gone(bridge)
    settle(bridge)
    assert delivery_of(uuid).state is DeliveryState.UNKNOWN


def test_a_bridge_that_stood_still_while_it_settled_takes_nothing_from_the_next(
    world: World, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has seen that the call was never dialled; by now another has given it back and placed it."""
    _, attempt_id = placed_call(world)
    claims: list[datetime] = []

    def read_calls(path: Path, call_ids: Sequence[str]) -> dict[str, CallRecord]:
        records = {each: CallRecord() for each in call_ids}
        with unit_of_work() as uow:
            give_back_attempt(uow, attempt_id, attempt_of(attempt_id).originated_at or now())
            claims.extend(claim_attempts(uow, [attempt_id], BOOT).values())
        return records

    monkeypatch.setattr(reconcile, "read_calls", read_calls)
    settle(bridge)
    assert [attempt_of(attempt_id).originated_at] == claims


def test_nothing_is_settled_while_another_bridge_has_the_gateway(world: World, bridge: Bridge) -> None:
    _, attempt_id = placed_call(world)
    other = Bridge(settings=settings(), client=cast(AmiClient, FakeClient()), boot=BOOT)
    with unit_of_work() as uow:
        assert other.holds_lease(uow)
    settle(bridge)
    assert attempt_of(attempt_id).originated_at is not None
    settle(other)
    assert attempt_of(attempt_id).originated_at is None


def test_a_call_from_before_the_clock_was_set_back_is_settled(world: World, bridge: Bridge) -> None:
    _, attempt_id = placed_call(world, ago=-86_400)
    settle(bridge)
    assert attempt_of(attempt_id).originated_at is None


def test_a_call_of_an_asterisk_that_stopped_is_unknown_and_never_redialled(world: World, bridge: Bridge) -> None:
    uuid, _ = placed_call(world, boot="an earlier start")
    settle(bridge)
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (DeliveryState.UNKNOWN, Cause.CALL_LOST)


def test_a_call_that_ended_before_its_asterisk_stopped_keeps_its_result(world: World, bridge: Bridge) -> None:
    uuid, attempt_id = placed_call(world, boot="an earlier start")
    write_cel(("CHAN_START", attempt_id, ""), ("HANGUP", attempt_id, cause(1)))
    settle(bridge)
    assert delivery_of(uuid).cause is Cause.UNALLOCATED


@pytest.mark.parametrize("content", ["", "status=SUCCESS"])
def test_a_call_whose_journal_lies_on_disk_is_left_to_it(world: World, bridge: Bridge, content: str) -> None:
    _, attempt_id = placed_call(world, boot="an earlier start")
    journal(attempt_id).write_text(content)
    settle(bridge)
    assert attempt_of(attempt_id).ended_at is None


def test_a_call_that_was_placed_a_moment_ago_is_not_judged_yet(world: World, bridge: Bridge) -> None:
    _, attempt_id = placed_call(world, ago=1, boot="an earlier start")
    settle(bridge)
    assert attempt_of(attempt_id).ended_at is None


@pytest.mark.parametrize("answered", [False, True])
def test_a_call_whose_end_cel_does_not_know_is_waited_for_and_then_lost(
    world: World, bridge: Bridge, answered: bool
) -> None:
    uuid, attempt_id = placed_call(world, answered=answered)
    write_cel(("CHAN_START", attempt_id, ""))
    settle(bridge)
    settle(bridge)
    assert attempt_of(attempt_id).ended_at is None
    long_gone(bridge)
    settle(bridge)
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (DeliveryState.UNKNOWN, Cause.CALL_LOST)
    settle(bridge)
    assert bridge.gone_since == {}


def test_an_answered_call_that_cel_never_wrote_is_not_open_for_ever(world: World, bridge: Bridge) -> None:
    uuid, attempt_id = placed_call(world, answered=True)
    settle(bridge)
    assert attempt_of(attempt_id).originated_at is not None
    long_gone(bridge)
    settle(bridge)
    assert delivery_of(uuid).state is DeliveryState.UNKNOWN


def incoming(pages: int) -> str:
    """An inbound call that is on record since a while, its pages in the spool."""
    reception_id = "6b1f6f3e-0000-4000-8000-000000000001"
    call = InboundCall(reception_id, settings().gateway, "pstn", CHANNEL, "1795492400.7", "07367721003", "07367804002")
    with unit_of_work() as uow:
        assert decide(uow, call) == telephony.DECISION_ACCEPT
    with unit_of_work() as uow:
        uow.session.execute(update(Reception).values(started_at=now() - timedelta(seconds=60)))
    path = spool_file(reception_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w+b") as file:
        writer = FaxTiffWriter(file)
        for _ in range(pages):
            writer.add([b"\x00\x10\x01\x00\x10\x01"], width=1728, rows=100)
    return reception_id


def reception() -> Reception:
    with unit_of_work() as uow:
        return uow.session.scalars(select(Reception)).one()


def test_an_inbound_call_that_is_on_the_line_is_left_alone(world: World, bridge: Bridge, client: FakeClient) -> None:
    incoming(1)
    client.channels = [channel("1795492400.7")]
    settle(bridge)
    assert reception().state is ReceptionState.RECEIVING


def test_an_inbound_call_that_brings_nothing_any_more_is_hung_up(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    """SpanDSP may wait for ever for a T.38 peer that is gone."""
    spool = spool_file(incoming(1))
    client.channels = [channel("1795492400.7")]

    def after(seconds: float) -> list[str]:
        bridge.grown = {call: (mark, since - seconds) for call, (mark, since) in bridge.grown.items()}
        settle(bridge)
        return client.hung_up

    assert after(0) == after(reconcile.STALLED_SECONDS - 5) == []
    spool.write_bytes(spool.read_bytes() + b"another page")
    assert after(10) == after(reconcile.STALLED_SECONDS - 5) == []
    assert after(10) == [client.channels[0]["Channel"]]
    assert reception().state is ReceptionState.RECEIVING


def test_an_inbound_call_that_began_after_the_channels_were_asked_for_is_left_alone(
    world: World, bridge: Bridge, client: FakeClient
) -> None:
    """As when this process stood still between its two looks."""
    spooled: list[str] = []

    async def it_comes_in_meanwhile(name: str, *, complete: str) -> list[AmiEvent]:
        spooled.append(incoming(1))
        return []

    client.list_action = it_comes_in_meanwhile  # type: ignore[method-assign]
    settle(bridge)
    assert reception().state is ReceptionState.RECEIVING
    assert spool_file(spooled[0]).exists()


def test_an_inbound_call_whose_journal_lies_on_disk_is_left_to_it(world: World, bridge: Bridge) -> None:
    (settings().gateway_dir / telephony.JOURNAL / f"{telephony.JOURNAL_IN_PREFIX}{incoming(1)}").touch()
    settle(bridge)
    assert reception().state is ReceptionState.RECEIVING


@pytest.mark.parametrize(("pages", "state"), [(2, ReceptionState.PARTIAL), (0, ReceptionState.EMPTY)])
def test_an_inbound_call_that_died_with_its_asterisk_keeps_its_pages(
    world: World, bridge: Bridge, client: FakeClient, pages: int, state: ReceptionState
) -> None:
    reception_id = incoming(pages)
    # After a restart the name of its channel may be another call's.
    client.channels = [channel("1795492999.1")]
    settle(bridge)
    assert (reception().state, reception().pages) == (state, pages)
    assert not spool_file(reception_id).exists()
    with unit_of_work() as uow:
        assert uow.session.query(Port).filter(Port.claimed_by.is_not(None)).count() == 0
        assert mailbox(uow, world.bob, Direction.IN).total == (1 if pages else 0)


# --- The spool ---


def test_pages_of_a_call_that_is_over_leave_the_spool_and_others_stay(world: World, bridge: Bridge) -> None:
    _, busy_call = placed_call(world)
    with unit_of_work() as uow:
        uow.session.execute(update(Attempt).where(Attempt.id == busy_call).values(ended_at=now()))
    _, open_call = placed_call(world)
    over = "0" * 32
    spool = spooled(open_call).parent
    draft = spooled(busy_call).with_suffix(".new")
    killed = spool / ".fax-killed"
    killed.mkdir()
    for path in (spooled(open_call), spooled(busy_call), draft, spooled(over), killed / "fax.tif"):
        path.write_bytes(b"pages")
    settle(bridge)
    assert sorted(path.name for path in spool.iterdir()) == sorted([".fax-killed", f"{over}.tif", f"{open_call}.tif"])
    for path in (spooled(over), killed, spooled(open_call)):
        os.utime(path, (1, 1))
    settle(bridge)
    assert list(spool.iterdir()) == [spooled(open_call)]


def test_a_new_start_of_asterisk_is_learned(world: World, bridge: Bridge, client: FakeClient) -> None:
    client.boot = "2026-03-02 09:00:00"
    asyncio.run(reconcile.learn_boot(bridge))
    assert bridge.boot == client.boot
