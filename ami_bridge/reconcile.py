"""Calls that ended while nobody listened: live channels, the journal and CEL on disk against the open attempts."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError

from ami_bridge.bridge import ACTOR, Bridge, LiveCall
from ami_bridge.client import AmiError, AmiEvent
from ami_bridge.events import STATE_UP, hang_up_unclaimed, is_ours, note_answer
from ami_bridge.spool import clear_spool
from netfax.db import UnitOfWork, now
from netfax.faxes.cel import CallRecord, read_calls, rotate
from netfax.faxes.dial import cancelled_attempts, claims_of, give_back_attempt, unclaimed
from netfax.faxes.finish import finish_attempt
from netfax.faxes.journal import in_path, out_path
from netfax.faxes.models import Attempt
from netfax.faxes.receive import open_receptions
from netfax.faxes.recording import rescue_inbound, spool_file
from netfax.faxes.results import CallOutcome
from netfax.params.service import get_int
from netfax.storage.disk import free_megabytes
from netfax.telephony import CEL_CSV, JOURNAL

log = structlog.get_logger()

RECONCILE_SECONDS = 5
# Asterisk may still be working on an Originate, and CEL needs a second to reach the disk.
SETTLE = timedelta(seconds=5)
# CEL without an end of a channel that is gone, on the same Asterisk: waited for this long, then taken as lost.
CEL_PATIENCE_SECONDS = 10
# The pages of a call in are written one by one; none takes longer, at the lowest rate a very dense one.
STALLED_SECONDS = 900


@dataclass(frozen=True)
class OpenAttempt:
    """A call that was placed and whose end nobody has recorded; `boot` is the Asterisk that it was placed on."""

    id: str
    boot: str
    claim: datetime
    answered_at: datetime | None


async def keep_reconciling(bridge: Bridge) -> None:
    """Hold the open attempts against Asterisk's channels every 5 s, while there is a connection."""
    while True:
        if bridge.client.connected:
            try:
                await learn_boot(bridge)
                await reconcile(bridge)
                await asyncio.to_thread(rotate, bridge.settings.gateway_dir / CEL_CSV)
            except (AmiError, SQLAlchemyError, OSError) as error:
                # What this process has seen is worth more than a new one: it goes on when disk and database do.
                log.warning("reconcile.failed", error=str(error))
        await asyncio.sleep(RECONCILE_SECONDS if bridge.boot else 0.2)


async def learn_boot(bridge: Bridge) -> None:
    """Ask Asterisk since when it runs; a new start means that every earlier channel is gone."""
    status = await bridge.client.action("CoreStatus")
    boot = f"{status['CoreStartupDate']} {status['CoreStartupTime']}"
    if boot != bridge.boot:
        log.info("asterisk.boot", boot=boot)
        bridge.boot = boot


async def reconcile(bridge: Bridge) -> None:
    """End every call whose channel is gone and whose end nobody has recorded; hang up what was taken back.

    Nothing while another bridge has this gateway.
    """
    if not await bridge.work(bridge.holds_lease):
        return
    await bridge.work(lambda uow: clear_spool(uow, bridge.settings.gateway_dir))
    # Read before the channels: a row is made while its channel lives, so one that has none then has lost it.
    receptions = await bridge.work(lambda uow: open_receptions(uow, bridge.settings.gateway, SETTLE))
    channels = await bridge.client.list_action("CoreShowChannels", complete="CoreShowChannelsComplete")
    names = {channel.one("Uniqueid") or "": channel["Channel"] for channel in channels}
    await _reconcile_inbound(bridge, receptions, set(names))
    await _hang_up_stalled(bridge, {receptions[uid]: name for uid, name in names.items() if uid in receptions})
    live = _live_calls(bridge, channels)
    strays = await bridge.work(lambda uow: unclaimed(uow, live))
    for call_id, call in live.items():
        if call_id in strays:
            log.warning("call.unclaimed", attempt=call_id)
            await bridge.hang_up(call_id)
        elif call_id not in bridge.seen:
            await hang_up_unclaimed(bridge, call_id)
        if call.answered:
            note_answer(bridge, call_id, call.channel)
    # A cancel's own job may have been lost with Redis, or have come before the channel.
    for attempt_id in await bridge.work(lambda uow: cancelled_attempts(uow, bridge.settings.gateway)):
        await bridge.hang_up(attempt_id)
    # Read after the channels: an attempt that is open now and had no channel then has lost it.
    open_attempts = await bridge.work(lambda uow: _open_attempts(uow, bridge.settings.gateway))
    bridge.seen = (bridge.seen & {each.id for each in open_attempts}) | set(live) | set(bridge.calls)
    gone = [
        each
        for each in open_attempts
        if each.id not in live and not out_path(bridge.settings.gateway_dir / JOURNAL, each.id).exists()
    ]
    at = time.monotonic()
    bridge.gone_since = {each.id: bridge.gone_since.get(each.id, at) for each in gone}
    if not gone:
        return
    records = await asyncio.to_thread(read_calls, bridge.settings.gateway_dir / CEL_CSV, [each.id for each in gone])
    if not await bridge.work(_disk_takes_cel):
        bridge.seen |= {each.id for each in gone}
    for each in gone:
        await _settle(bridge, each, records[each.id], gone_for=at - bridge.gone_since[each.id])


async def _reconcile_inbound(bridge: Bridge, receptions: Mapping[str, str], channel_uids: set[str]) -> None:
    """Record the inbound calls that died with their Asterisk, or could not write their journal: their pages are ours.

    `receptions` are the open ones by their channel's unique id; `channel_uids` were live after they were read.
    """
    for channel_uid, reception_id in receptions.items():
        journal = in_path(bridge.settings.gateway_dir / JOURNAL, reception_id)
        if channel_uid in channel_uids or journal.exists():
            continue
        if not await bridge.work(bridge.holds_lease):
            return
        log.warning("reconcile.rescued", reception=reception_id)
        try:
            await asyncio.to_thread(rescue_inbound, reception_id)
        except OSError as error:
            log.error("reconcile.rescue_failed", reception=reception_id, error=str(error))


async def _hang_up_stalled(bridge: Bridge, receptions: Mapping[str, str]) -> None:
    """End the live inbound calls (reception id to channel) whose far end is gone; what they brought is kept.

    By T.38 SpanDSP may wait for ever where no packet comes any more, and Asterisk looks for packets in audio alone.
    """
    at = time.monotonic()
    marks = {reception_id: _size_and_time(spool_file(reception_id)) for reception_id in receptions}
    known = {reception_id: bridge.grown.get(reception_id, (mark, at)) for reception_id, mark in marks.items()}
    bridge.grown = {
        reception_id: known[reception_id] if known[reception_id][0] == mark else (mark, at)
        for reception_id, mark in marks.items()
    }
    for reception_id, (_, since) in bridge.grown.items():
        if at - since >= STALLED_SECONDS:
            log.warning("reconcile.stalled", reception=reception_id)
            await bridge.hang_up_channel(receptions[reception_id])


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _live_calls(bridge: Bridge, channels: list[AmiEvent]) -> dict[str, LiveCall]:
    live = {
        call_id: LiveCall(channel["Channel"], channel.one("ChannelState") == STATE_UP)
        for channel in channels
        if is_ours(bridge, call_id := channel.one("Uniqueid") or "")
    }
    for call_id in set(bridge.calls) - set(live):
        del bridge.calls[call_id]
    for call_id, call in live.items():
        bridge.calls.setdefault(call_id, LiveCall(call.channel))
    return live


def _open_attempts(uow: UnitOfWork, gateway: str) -> list[OpenAttempt]:
    query = select(Attempt.id, Attempt.boot, Attempt.originated_at, Attempt.answered_at).where(
        Attempt.gateway == gateway,
        Attempt.ended_at.is_(None),
        # One from the future was originated before the clock was set back.
        or_(Attempt.originated_at < now() - SETTLE, Attempt.originated_at > now() + SETTLE),
    )
    return [
        OpenAttempt(attempt_id, boot, claim, answered_at)
        for attempt_id, boot, claim, answered_at in uow.session.execute(query)
        if claim is not None
    ]


async def _settle(bridge: Bridge, attempt: OpenAttempt, record: CallRecord, *, gone_for: float) -> None:
    """End, or give back, one attempt whose channel is gone."""
    same_boot = attempt.boot == bridge.boot
    if record.answered_at is None and attempt.answered_at is not None:
        # The event of its answer came; CEL may have met a full disk.
        record = replace(record, started=True, answered_at=attempt.answered_at.timestamp())
    if attempt.id in bridge.seen and same_boot:
        record = replace(record, started=True)
    outcome = outcome_of(record, same_boot=same_boot, gone_for=gone_for)
    if not record.started and same_boot:
        log.warning("reconcile.never_dialled", attempt=attempt.id)
        await bridge.work(lambda uow: _conclude(uow, bridge, attempt, None))
    elif outcome is not None:
        log.warning("reconcile.ended", attempt=attempt.id, answered=outcome.answered, died=outcome.died)
        await bridge.work(lambda uow: _conclude(uow, bridge, attempt, outcome))


def _disk_takes_cel(uow: UnitOfWork) -> bool:
    """Whether a call of which CEL has no line was not dialled: on a full disk it may have been.

    A bridge that begins only when the disk has room again does not know.
    """
    return free_megabytes() >= get_int(uow, "disk_reserve")


def _conclude(uow: UnitOfWork, bridge: Bridge, attempt: OpenAttempt, outcome: CallOutcome | None) -> None:
    """End the attempt, or give it back without an outcome; nothing when another bridge has gone on with it meanwhile.

    This process may have been stopped since it looked.
    """
    if not bridge.holds_lease(uow) or claims_of(uow, [attempt.id]).get(attempt.id) != attempt.claim:
        return
    if outcome is None:
        give_back_attempt(uow, attempt.id, attempt.claim)
    else:
        finish_attempt(uow, attempt.id, outcome, actor=ACTOR)


def outcome_of(record: CallRecord, *, same_boot: bool, gone_for: float) -> CallOutcome | None:
    """How a call without channel and journal ended, by CEL; None where it has not been said yet: pure.

    Without a record of its end the call died with its Asterisk, or its start never reached the disk: unknown. One that
    rang then has carried nothing: CEL is on disk within a second, and no page goes out so soon after an answer.
    """
    answered = record.answered_at is not None
    if record.ended_at is not None:
        if not answered:
            return CallOutcome(answered=False, hangup_cause=record.cause)
        return CallOutcome(answered=True, reported=False, seconds=record.seconds, hangup_cause=record.cause)
    if not same_boot and record.started and not answered:
        return CallOutcome(answered=False)
    if not same_boot or (record.started and gone_for > CEL_PATIENCE_SECONDS):
        return CallOutcome(answered=answered, died=True)
    return None
