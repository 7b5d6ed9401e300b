"""Placing the calls that wait: their pages into the spool, the claim committed, then Originate."""

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ami_bridge.bridge import ACTOR, Bridge
from ami_bridge.client import ActionRefused, ConnectionLost, IllegalField, NotConnected
from ami_bridge.spool import spool_pages
from netfax import telephony
from netfax.db import UnitOfWork
from netfax.documents.errors import DocumentError
from netfax.documents.sandbox import SandboxError
from netfax.documents.tiff import BrokenTiff
from netfax.faxes.dial import CallPlan, cancel_asked, claim_attempts, give_back_attempt, plan_calls
from netfax.faxes.finish import finish_attempt, finish_attempts, lock_deliveries
from netfax.faxes.results import CallOutcome

log = structlog.get_logger()

# A job may have been lost with Redis; the database is asked this often.
POLL_SECONDS = 2
# From the claim to the Originate; less than `reconcile.SETTLE`.
CLAIM_SECONDS = 3.0
# Q.850: invalid number format.
INVALID_NUMBER = 28


async def keep_placing(bridge: Bridge) -> None:
    """Place every call that waits, at each job and now and then without one."""
    while True:
        bridge.calls_wait.clear()
        try:
            await begin_waiting(bridge)
        except SQLAlchemyError as error:
            log.warning("polling.failed", error=str(error))
        await _until_calls_wait(bridge)


async def _until_calls_wait(bridge: Bridge) -> None:
    try:
        async with asyncio.timeout(POLL_SECONDS):
            await bridge.calls_wait.wait()
    except TimeoutError:
        pass


async def begin_waiting(bridge: Bridge) -> list[asyncio.Task[None]]:
    """Begin to place every call that waits, each by itself: none waits for the pages of another.

    Those that a number keeps from being dialled from here end as calls to one that does not exist.
    """
    if not bridge.client.connected or not bridge.boot:
        return []
    besides = set(bridge.placing)
    plans, undialable = await bridge.look(lambda uow: plan_calls(uow, bridge.settings.gateway, besides))
    steps = {plan.attempt_id: _place(bridge, plan) for plan in plans}
    steps |= {attempt_id: _end_undialable(bridge, attempt_id, error) for attempt_id, error in undialable.items()}
    return [bridge.begin(_once(bridge, attempt_id, step), attempt_id) for attempt_id, step in steps.items()]


async def _once(bridge: Bridge, attempt_id: str, step: Coroutine[object, object, None]) -> None:
    """Do a step for a waiting call unless one is at work on it already."""
    if attempt_id in bridge.placing:
        step.close()
        return
    bridge.placing.add(attempt_id)
    try:
        await step
    finally:
        bridge.placing.discard(attempt_id)


async def _place(bridge: Bridge, plan: CallPlan) -> None:
    """Place a call; nothing when it is placed or over already."""
    if not await _spool(bridge, plan):
        return
    began = time.monotonic()
    claim = await bridge.for_call(_claim_unless_cancelled, plan.attempt_id)
    if claim is not None:
        await _originate(bridge, plan, claim, began)


async def _end_undialable(bridge: Bridge, attempt_id: str, error: str) -> None:
    outcome = CallOutcome(answered=False, hangup_cause=INVALID_NUMBER, error=error)
    await bridge.work(lambda uow: _end_unplaced(uow, bridge, attempt_id, outcome))


def _end_unplaced(uow: UnitOfWork, bridge: Bridge, attempt_id: str, outcome: CallOutcome) -> None:
    """End a call that can't be placed; nothing when another bridge has the gateway, or has placed it meanwhile."""
    if bridge.holds_lease(uow):
        finish_attempt(uow, attempt_id, outcome, actor=ACTOR, unless_placed=True)


async def _spool(bridge: Bridge, plan: CallPlan) -> bool:
    """Lay the pages into the spool; where that can't be done the attempt ends by our own fault."""
    try:
        await asyncio.to_thread(spool_pages, bridge.settings.gateway_dir, plan)
    except (OSError, BrokenTiff, DocumentError, SandboxError) as error:
        log.error("spool.failed", attempt=plan.attempt_id, error=str(error))
        outcome = CallOutcome(answered=False, error="FILE_ERROR")
        await bridge.work(lambda uow: _end_unplaced(uow, bridge, plan.attempt_id, outcome))
        return False
    return True


def _claim_unless_cancelled(uow: UnitOfWork, bridge: Bridge, attempt_ids: Sequence[str]) -> Mapping[str, datetime]:
    """Claim calls; those that their sender took back while they waited here end instead."""
    if not bridge.boot or not bridge.holds_lease(uow):
        return {}
    lock_deliveries(uow, attempt_ids)
    cancelled = cancel_asked(uow, attempt_ids)
    taken_back = dict.fromkeys(cancelled, CallOutcome(answered=False))
    finish_attempts(uow, taken_back, actor=ACTOR, unless_placed=True)
    return claim_attempts(uow, [each for each in attempt_ids if each not in cancelled], bridge.boot)


async def _originate(bridge: Bridge, plan: CallPlan, claim: datetime, began: float) -> None:
    """Originate a claimed call. Only what was certainly not placed is given back; what may have been is reconciled.

    A claim (begun then, monotonic seconds) that has grown old here, as when this process was stopped, may have been
    given back and placed by another: it is left to `reconcile`, which gives nothing back that is younger than
    `SETTLE`. Between this look and the writing of the action nothing waits; should the process be stopped just
    there, the bridge that has the gateway hangs up the channel that nobody has claimed (`events`).
    """
    attempt_id = plan.attempt_id
    if time.monotonic() - began > CLAIM_SECONDS:
        log.warning("originate.too_late", attempt=attempt_id)
        return
    try:
        await bridge.client.originate(
            channel=plan.channel,
            context=telephony.CONTEXT_OUT,
            exten=telephony.START,
            priority=1,
            timeout_ms=plan.timeout_ms,
            call_id=attempt_id,
            variables=plan.variables,
            caller_id=plan.caller_id,
        )
    except NotConnected:
        await bridge.work(lambda uow: give_back_attempt(uow, attempt_id, claim))
    except (ActionRefused, IllegalField) as refusal:
        log.error("originate.refused", attempt=attempt_id, error=str(refusal))
        outcome = CallOutcome(answered=False, error=str(refusal))
        await bridge.work(lambda uow: finish_attempt(uow, attempt_id, outcome, actor=ACTOR))
    except ConnectionLost as loss:
        log.warning("originate.unknown", attempt=attempt_id, error=str(loss))
    else:
        log.info("originate.placed", attempt=attempt_id, channel=plan.channel)
