"""Placing a call: its pages into the spool, the claim committed, then Originate."""

import asyncio
import time
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
from netfax.faxes.dial import CallPlan, cancel_asked, claim_attempt, give_back_attempt, plan_call, waiting_attempts
from netfax.faxes.finish import finish_attempt
from netfax.faxes.results import CallOutcome
from netfax.numbers.errors import NotAFaxNumber

log = structlog.get_logger()

# A job may have been lost with Redis; the database is asked this often.
POLL_SECONDS = 2
# From the claim to the Originate; less than `reconcile.SETTLE`.
CLAIM_SECONDS = 3.0
# Q.850: invalid number format.
INVALID_NUMBER = 28


async def place_call(bridge: Bridge, attempt_id: str) -> None:
    """Place the call of an attempt, once among all who try; nothing when it is placed or over already."""
    if attempt_id in bridge.placing or not bridge.client.connected or not bridge.boot:
        return
    bridge.placing.add(attempt_id)
    try:
        plan = await _plan(bridge, attempt_id)
        if plan is None or not await _spool(bridge, plan):
            return
        began = time.monotonic()
        claim = await bridge.work(lambda uow: _claim_unless_cancelled(uow, bridge, attempt_id))
        if claim is not None:
            await _originate(bridge, plan, claim, began)
    finally:
        bridge.placing.discard(attempt_id)


async def _plan(bridge: Bridge, attempt_id: str) -> CallPlan | None:
    """The plan of the call; a number that can't be dialled from here ends the attempt as one that does not exist."""
    try:
        return await bridge.work(lambda uow: plan_call(uow, attempt_id))
    except NotAFaxNumber as error:
        outcome = CallOutcome(answered=False, hangup_cause=INVALID_NUMBER, error=error.code)
        await bridge.work(lambda uow: _end_unplaced(uow, bridge, attempt_id, outcome))
        return None


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


def _claim_unless_cancelled(uow: UnitOfWork, bridge: Bridge, attempt_id: str) -> datetime | None:
    """Claim the call; one that its sender took back while it waited here ends instead."""
    if not bridge.holds_lease(uow):
        return None
    if cancel_asked(uow, attempt_id):
        finish_attempt(uow, attempt_id, CallOutcome(answered=False), actor=ACTOR)
        return None
    return claim_attempt(uow, attempt_id, bridge.boot)


async def keep_polling(bridge: Bridge) -> None:
    """Place every call that waits, job or no job; none waits for the pages of another."""
    while True:
        try:
            for attempt_id in await bridge.work(lambda uow: waiting_attempts(uow, bridge.settings.gateway)):
                bridge.begin(_place_or_log(bridge, attempt_id))
        except SQLAlchemyError as error:
            log.warning("polling.failed", error=str(error))
        await asyncio.sleep(POLL_SECONDS)


async def _place_or_log(bridge: Bridge, attempt_id: str) -> None:
    try:
        await place_call(bridge, attempt_id)
    except SQLAlchemyError as error:
        log.warning("polling.failed", attempt=attempt_id, error=str(error))


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
