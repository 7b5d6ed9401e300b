"""What Asterisk tells of our calls: an answer, and the end of a call that was never answered, or never had a channel.

An answered call ends by its journal alone (the gateway's AGI reads it); its Hangup says nothing about the fax.
"""

import asyncio

import structlog

from ami_bridge.bridge import ACTOR, Bridge, LiveCall
from ami_bridge.client import AmiEvent
from netfax.faxes.cel import read_calls
from netfax.faxes.dial import claim_of
from netfax.faxes.finish import finish_attempt, record_answer
from netfax.faxes.results import CallOutcome
from netfax.telephony import ATTEMPT_ID_LENGTH, CEL_CSV

log = structlog.get_logger()

# What CEL needs to reach the disk.
CEL_SECONDS = 1.5
NO_CHANNEL = "the trunk cannot be reached"
# `ChannelState` of a channel that was answered (AST_STATE_UP).
STATE_UP = "6"


async def handle_event(bridge: Bridge, event: AmiEvent) -> None:
    """Handle one event, in order; those of other channels do nothing."""
    if event.name == "OriginateResponse":
        _note_response(bridge, event)
        return
    # What decides is read by `one`: a header that text from outside repeated has no value.
    call_id = event.one("Uniqueid") or ""
    if not is_ours(bridge, call_id):
        return
    match event.name:
        case "Newchannel":
            bridge.calls[call_id] = LiveCall(event["Channel"])
            bridge.seen.add(call_id)
            await hang_up_unclaimed(bridge, call_id)
        case "Newstate" if event.one("ChannelState") == STATE_UP:
            await note_answer(bridge, call_id, event["Channel"])
        case "Hangup":
            await _note_hangup(bridge, call_id, event)


def _note_response(bridge: Bridge, event: AmiEvent) -> None:
    """A call for which Asterisk made no channel has no Hangup: it knows the trunk as unreachable."""
    call_id = event.one("ActionID") or ""
    if event.one("Response") == "Failure" and is_ours(bridge, call_id) and call_id not in bridge.seen:
        bridge.begin(_end_without_channel(bridge, call_id))


async def _end_without_channel(bridge: Bridge, call_id: str) -> None:
    """End the call as trouble of its trunk, unless Asterisk's own record knows a channel of it: then that decides."""
    await asyncio.sleep(CEL_SECONDS)
    path = bridge.settings.gateway_dir / CEL_CSV
    record = (await asyncio.to_thread(read_calls, path, [call_id]))[call_id]
    if record.started or call_id in bridge.seen:
        return
    outcome = CallOutcome(answered=False, error=NO_CHANNEL)
    if await bridge.work(lambda uow: finish_attempt(uow, call_id, outcome, actor=ACTOR)):
        log.info("call.no_channel", attempt=call_id)


def is_ours(bridge: Bridge, call_id: str) -> bool:
    """Whether a channel's unique id is an attempt id of this installation."""
    return len(call_id) == ATTEMPT_ID_LENGTH and call_id.startswith(bridge.settings.secret("attempt_prefix"))


async def hang_up_unclaimed(bridge: Bridge, call_id: str) -> None:
    """End a call that must not be: its attempt is over, or was given back.

    A bridge that was stopped between its last look and the Originate has placed it, long after another had the gateway.
    """
    if await bridge.work(lambda uow: claim_of(uow, call_id)) is None:
        log.warning("call.unclaimed", attempt=call_id)
        await bridge.hang_up(call_id)


async def note_answer(bridge: Bridge, call_id: str, channel: str) -> None:
    """The far end has answered; said again it does nothing."""
    call = bridge.calls.setdefault(call_id, LiveCall(channel))
    if not call.answered:
        call.answered = True
        await bridge.work(lambda uow: record_answer(uow, call_id, actor=ACTOR))


async def _note_hangup(bridge: Bridge, call_id: str, event: AmiEvent) -> None:
    call = bridge.calls.pop(call_id, None)
    if event.one("ChannelState") == STATE_UP or (call is not None and call.answered):
        return
    cause = event.one("Cause") or ""
    outcome = CallOutcome(
        answered=False,
        hangup_cause=int(cause) if cause.isdecimal() else None,
        status_text=event.get("Cause-txt") or "",
    )
    await bridge.work(lambda uow: finish_attempt(uow, call_id, outcome, actor=ACTOR))
    log.info("call.not_answered", attempt=call_id, cause=cause)
