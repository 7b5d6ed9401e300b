"""A call has been answered or has ended: the attempt, its port and its delivery follow, once."""

from datetime import timedelta

from sqlalchemy import select, update

from netfax.db import UnitOfWork, now
from netfax.faxes.history import change_state
from netfax.faxes.models import Attempt, Delivery, Document
from netfax.faxes.results import CAUSES, Again, CallOutcome, Cause, Verdict, judge
from netfax.faxes.retry import RetryPolicy, next_try
from netfax.faxes.states import DeliveryState
from netfax.lines.service import release_port
from netfax.params.service import get_int
from netfax.queue import Job


def record_answer(uow: UnitOfWork, attempt_id: str, *, actor: str) -> None:
    """The far end has answered; nothing when that is known already or the call has ended."""
    attempt = _claim(uow, attempt_id, Attempt.answered_at.is_(None), answered_at=now())
    if attempt is not None and attempt.delivery.state is DeliveryState.DIALING:
        change_state(uow, attempt.delivery, DeliveryState.SENDING, actor=actor)


def finish_attempt(uow: UnitOfWork, attempt_id: str, outcome: CallOutcome, *, actor: str) -> bool:
    """Record how a call ended and what follows for its delivery; False when that was recorded before."""
    attempt = _claim(uow, attempt_id, ended_at=now())
    if attempt is None:
        return False
    delivery = attempt.delivery
    verdict = judge(outcome, _page_bytes(delivery)[attempt.first_page - 1 :])
    _record_call(attempt, outcome, verdict)
    release_port(uow, attempt.id)
    delivery.cause = verdict.cause
    delivery.cause_detail = attempt.status_text
    delivery.pages_confirmed = attempt.first_page - 1 + verdict.confirmed
    if CAUSES[verdict.cause].again is not Again.UNCOUNTED:
        delivery.tries += 1
    _conclude(uow, delivery, verdict, actor)
    uow.enqueue(Job.WAKE_DISPATCHER)
    return True


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


def _page_bytes(delivery: Delivery) -> tuple[int, ...]:
    document: Document | None = delivery.submission.document
    if document is None:
        raise RuntimeError(f"delivery {delivery.id} was dialled without a document")
    return tuple(document.page_bytes)


def _record_call(attempt: Attempt, outcome: CallOutcome, verdict: Verdict) -> None:
    attempt.cause = verdict.cause
    attempt.pages_confirmed = verdict.confirmed
    attempt.status_text = (outcome.status_text or outcome.error)[:128]
    attempt.hangup_cause = outcome.hangup_cause
    attempt.rate = outcome.rate
    attempt.mode = outcome.mode[:8]
    attempt.remote_station_id = outcome.remote_station_id[:64]
    attempt.seconds = outcome.seconds
    if outcome.answered and attempt.answered_at is None:
        attempt.answered_at = now() - timedelta(seconds=outcome.seconds)


def _conclude(uow: UnitOfWork, delivery: Delivery, verdict: Verdict, actor: str) -> None:
    """The state that follows. A confirmed result wins over a cancel; a cancel over another try."""
    policy = RetryPolicy(timedelta(seconds=get_int(uow, "retry_interval")), get_int(uow, "retry_count"))
    again_at = next_try(verdict.cause, delivery.tries, now(), policy)
    if verdict.cause is Cause.OK:
        after = DeliveryState.SENT
    elif verdict.unknowable:
        after = DeliveryState.UNKNOWN
    elif delivery.cancel_asked_at is not None:
        after = DeliveryState.CANCELLED
    elif again_at is not None:
        after = DeliveryState.QUEUED
        delivery.next_try_at = again_at
    else:
        after = DeliveryState.PARTIAL if delivery.pages_confirmed else DeliveryState.FAILED
    change_state(uow, delivery, after, actor=actor, reason=verdict.cause)
