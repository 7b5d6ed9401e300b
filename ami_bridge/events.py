"""What Asterisk tells of our calls: an answer, and the end of a call that was never answered, or never had a channel.

An answered call ends by its journal alone (the gateway's AGI reads it); its Hangup says nothing about the fax.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ami_bridge.bridge import ACTOR, Bridge, LiveCall
from ami_bridge.client import AmiEvent
from netfax.db import UnitOfWork, reading
from netfax.faxes.cel import read_calls
from netfax.faxes.dial import claims_of
from netfax.faxes.finish import finish_attempt, record_answers
from netfax.faxes.results import CallOutcome
from netfax.telephony import ATTEMPT_ID_LENGTH, CEL_CSV

log = structlog.get_logger()

# What CEL needs to reach the disk.
CEL_SECONDS = 1.5
NO_CHANNEL = "the trunk cannot be reached"
# `ChannelState` of a channel that was answered (AST_STATE_UP).
STATE_UP = "6"


def handle_event(bridge: Bridge, event: AmiEvent) -> None:
    """Handle one event, in order; those of other channels do nothing.

    What it writes it only begins, so that many calls can share a transaction: each of these steps looks at what the
    database has, and none needs another to have gone before.
    """
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
            bridge.begin(hang_up_unclaimed(bridge, call_id), call_id)
        case "Newstate" if event.one("ChannelState") == STATE_UP:
            note_answer(bridge, call_id, event["Channel"])
        case "Hangup":
            _note_hangup(bridge, call_id, event)


def _note_response(bridge: Bridge, event: AmiEvent) -> None:
    """A call for which Asterisk made no channel has no Hangup: it knows the trunk as unreachable."""
    call_id = event.one("ActionID") or ""
    if event.one("Response") == "Failure" and is_ours(bridge, call_id) and call_id not in bridge.seen:
        bridge.begin(_end_without_channel(bridge, call_id), call_id)


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
    if await bridge.for_call(_claims, call_id, within=reading) is None:
        log.warning("call.unclaimed", attempt=call_id)
        await bridge.hang_up(call_id)


def _claims(uow: UnitOfWork, _bridge: Bridge, call_ids: Sequence[str]) -> Mapping[str, datetime]:
    return claims_of(uow, call_ids)


def note_answer(bridge: Bridge, call_id: str, channel: str) -> None:
    """The far end has answered; said again it does nothing."""
    call = bridge.calls.setdefault(call_id, LiveCall(channel))
    if not call.answered:
        call.answered = True
        bridge.begin(_record_answer(bridge, call_id, call), call_id)


async def _record_answer(bridge: Bridge, call_id: str, call: LiveCall) -> None:
    try:
        await bridge.for_call(_record_answers, call_id)
    except SQLAlchemyError:
        # `reconcile` says it again.
        call.answered = False
        raise


def _record_answers(uow: UnitOfWork, _bridge: Bridge, call_ids: Sequence[str]) -> Mapping[str, None]:
    record_answers(uow, call_ids, actor=ACTOR)
    return {}


def _note_hangup(bridge: Bridge, call_id: str, event: AmiEvent) -> None:
    call = bridge.calls.pop(call_id, None)
    if event.one("ChannelState") == STATE_UP or (call is not None and call.answered):
        return
    cause = event.one("Cause") or ""
    outcome = CallOutcome(
        answered=False,
        hangup_cause=int(cause) if cause.isdecimal() else None,
        status_text=event.get("Cause-txt") or "",
    )
    bridge.begin(_end_unanswered(bridge, call_id, outcome), call_id)


async def _end_unanswered(bridge: Bridge, call_id: str, outcome: CallOutcome) -> None:
    await bridge.work(lambda uow: finish_attempt(uow, call_id, outcome, actor=ACTOR))
    log.info("call.not_answered", attempt=call_id, cause=outcome.hangup_cause)
