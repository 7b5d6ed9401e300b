"""A call has been answered or has ended: the attempt, its port and its delivery follow, once."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select, update

from netfax import alarms
from netfax.db import UnitOfWork, now
from netfax.faxes.history import change_state, wait_until
from netfax.faxes.models import Attempt, Delivery, Destination, Document
from netfax.faxes.results import CallOutcome, Cause, Verdict, judge, longest_call
from netfax.faxes.retry import MEMORY, TRUNK_TROUBLE, USUAL, CallParameters, RetryPolicy, Tally, next_try
from netfax.faxes.states import DeliveryState
from netfax.lines.routes import routes
from netfax.lines.service import all_facts, note_trouble, release_port
from netfax.params.service import get_int
from netfax.queue import Job
from netfax.telephony import FAXMODE_AUDIO, MODE_AUDIO

# Causes of unanswered calls that a working trunk has brought to the far end.
CARRIED = frozenset({Cause.BUSY, Cause.NO_ANSWER, Cause.UNALLOCATED, Cause.REJECTED})


def record_answer(uow: UnitOfWork, attempt_id: str, *, actor: str) -> None:
    """The far end has answered; nothing when that is known already or the call has ended."""
    _lock_delivery(uow, attempt_id)
    attempt = _claim(uow, attempt_id, Attempt.answered_at.is_(None), answered_at=now())
    if attempt is not None and attempt.delivery.state is DeliveryState.DIALING:
        change_state(uow, attempt.delivery, DeliveryState.SENDING, actor=actor)


def finish_attempt(
    uow: UnitOfWork, attempt_id: str, outcome: CallOutcome, *, actor: str, unless_placed: bool = False
) -> bool:
    """Record how a call ended and what follows for its delivery; False when that was recorded before.

    With `unless_placed` also False, and nothing done, when a bridge has claimed the call: then its own end decides.
    """
    conditions = [Attempt.originated_at.is_(None)] if unless_placed else []
    _lock_delivery(uow, attempt_id)
    attempt = _claim(uow, attempt_id, *conditions, ended_at=now())
    if attempt is None:
        return False
    delivery = attempt.delivery
    if attempt.answered_at is not None:
        # Whoever tells the end may have missed the answer.
        outcome = replace(outcome, answered=True)
    verdict = judge(outcome, _page_bytes(attempt))
    _record_call(attempt, outcome, verdict)
    release_port(uow, attempt.id)
    delivery.cause = verdict.cause
    delivery.cause_detail = attempt.status_text
    delivery.pages_confirmed = attempt.first_page - 1 + verdict.confirmed
    other_trunk = _note_trunk(uow, attempt, outcome, verdict.cause)
    _count(attempt, outcome, verdict.cause, failed_over=other_trunk)
    if verdict.cause is Cause.OK:
        _remember(uow, attempt)
    if verdict.cause is Cause.OUR_FAULT:
        why = delivery.cause_detail
        said = alarms.Said(f"A call could not be made: {why}", f"呼叫未能进行：{why}")
        alarms.raise_alarm(uow, alarms.OUR_FAULT, attempt.id, said)
    _conclude(uow, delivery, verdict, actor, other_trunk=other_trunk)
    uow.enqueue(Job.WAKE_DISPATCHER)
    return True


def end_without_route(uow: UnitOfWork, delivery: Delivery, *, actor: str) -> None:
    """No trunk serves the number of a queued delivery: a try that cost nothing, for a trunk may be on its way back."""
    delivery.cause = Cause.NO_ROUTE
    delivery.cause_detail = ""
    delivery.free_tries += 1
    _conclude(uow, delivery, Verdict(Cause.NO_ROUTE, 0), actor, other_trunk=False)


def _lock_delivery(uow: UnitOfWork, attempt_id: str) -> None:
    """The delivery comes before its attempt, for everybody: a cancel, or another act, is before this step or after."""
    query = select(Delivery).join(Attempt, Attempt.delivery_id == Delivery.id).where(Attempt.id == attempt_id)
    uow.session.scalar(query.with_for_update(of=Delivery).execution_options(populate_existing=True))


def _claim(uow: UnitOfWork, attempt_id: str, *conditions: object, **values: object) -> Attempt | None:
    """The open attempt, changed by one conditional UPDATE that a single caller wins."""
    won = uow.session.execute(
        update(Attempt)
        .where(Attempt.id == attempt_id, Attempt.ended_at.is_(None), *conditions)  # type: ignore[arg-type]
        .values(**values)
        .returning(Attempt.id)
        .execution_options(synchronize_session=False)
    ).first()
    if won is None:
        return None
    return uow.session.scalars(
        select(Attempt).where(Attempt.id == attempt_id).execution_options(populate_existing=True)
    ).one()


def _page_bytes(attempt: Attempt) -> tuple[int, ...]:
    """The sizes of the pages that the call sent; in standard fineness a page has some three quarters of its bytes."""
    document: Document | None = attempt.delivery.submission.document
    if document is None:
        raise RuntimeError(f"delivery {attempt.delivery_id} was dialled without a document")
    sizes = document.page_bytes[attempt.first_page - 1 :]
    return tuple(sizes) if attempt.fine else tuple(size * 3 // 4 for size in sizes)


def _record_call(attempt: Attempt, outcome: CallOutcome, verdict: Verdict) -> None:
    attempt.cause = verdict.cause
    attempt.pages_confirmed = verdict.confirmed
    attempt.status_text = (outcome.status_text or outcome.error)[:128]
    attempt.hangup_cause = outcome.hangup_cause
    attempt.rate = outcome.rate
    attempt.mode = outcome.mode[:8]
    attempt.remote_station_id = outcome.remote_station_id[:64]
    # More than any call lasts: the clock was moved during it.
    attempt.seconds = outcome.seconds if outcome.seconds <= longest_call(attempt.delivery.pages) else 0
    if outcome.answered and attempt.answered_at is None:
        attempt.answered_at = now() - timedelta(seconds=attempt.seconds)


def _note_trunk(uow: UnitOfWork, attempt: Attempt, outcome: CallOutcome, cause: Cause) -> bool:
    """Remember whether the trunk itself failed; True when it did and another is left for this delivery."""
    delivery = attempt.delivery
    taken_back = delivery.cancel_asked_at is not None
    if cause not in TRUNK_TROUBLE or taken_back:
        delivery.avoid = []
        if outcome.answered or cause in CARRIED:
            note_trouble(uow, attempt.trunk_id, None)
        return False
    if cause is not Cause.INCOMPATIBLE_CALL:
        note_trouble(uow, attempt.trunk_id, now())
    failed = {*delivery.avoid, attempt.trunk_id}
    able = routes(delivery.identity, all_facts(uow))
    others = [trunk.id for trunk in able if trunk.ready and trunk.id not in failed]
    # Once every trunk has failed, the pause begins, and after it all are tried again.
    delivery.avoid = sorted(failed) if others else []
    return bool(others)


def _count(attempt: Attempt, outcome: CallOutcome, cause: Cause, *, failed_over: bool) -> None:
    """What the call counts as: a call made, and where it ends a try one of those that cost money or of the others."""
    delivery = attempt.delivery
    if cause is Cause.GLARE:
        return
    if attempt.originated_at is not None or outcome.answered:
        delivery.tries += 1
    if outcome.answered:
        delivery.paid_tries += 1
    elif not failed_over and (attempt.originated_at is not None or cause not in TRUNK_TROUBLE):
        # What no bridge has placed says nothing about the number.
        delivery.free_tries += 1


def _remember(uow: UnitOfWork, attempt: Attempt) -> None:
    """Keep what worked for this number where it is not the usual; what is known of it already keeps its date."""
    # A trunk without T.38 says nothing about the far end.
    mode = MODE_AUDIO if attempt.mode == FAXMODE_AUDIO and attempt.trunk.t38 else attempt.asked_mode
    worked = CallParameters(mode, attempt.modem, attempt.ecm, attempt.fine)
    known = uow.session.get(Destination, attempt.delivery.identity)
    if known is not None and abs(now() - known.learned_at) > MEMORY:
        uow.session.delete(known)
        uow.session.flush()
        known = None
    if worked == USUAL:
        return
    if known is None:
        known = Destination(identity=attempt.delivery.identity)
        uow.session.add(known)
    known.asked_mode, known.modem, known.ecm, known.fine = worked.mode, worked.modem, worked.ecm, worked.fine


def _conclude(uow: UnitOfWork, delivery: Delivery, verdict: Verdict, actor: str, *, other_trunk: bool) -> None:
    """The state that follows. A confirmed result wins over a cancel; a cancel over another try."""
    policy = RetryPolicy(
        timedelta(seconds=get_int(uow, "retry_interval")), get_int(uow, "retry_count"), get_int(uow, "paid_retry_count")
    )
    again_at = next_try(verdict.cause, _tally(delivery, verdict.cause), now(), policy, other_trunk=other_trunk)
    if verdict.cause is Cause.OK:
        after = DeliveryState.SENT
    elif verdict.unknowable:
        after = DeliveryState.UNKNOWN
    elif delivery.cancel_asked_at is not None:
        after = DeliveryState.CANCELLED
        delivery.cause = Cause.CANCELLED
    elif again_at is not None:
        wait_until(uow, delivery, again_at, actor=actor, reason=verdict.cause)
        return
    else:
        after = DeliveryState.PARTIAL if delivery.pages_confirmed else DeliveryState.FAILED
    change_state(uow, delivery, after, actor=actor, reason=verdict.cause)


def _tally(delivery: Delivery, cause: Cause) -> Tally:
    same = sum(attempt.cause is cause for attempt in delivery.attempts)
    return Tally(delivery.free_tries, delivery.paid_tries, same)
