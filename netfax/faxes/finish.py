"""A call has been answered or has ended: the attempt, its port and its delivery follow, once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload, selectinload

from netfax import alarms
from netfax.db import UnitOfWork, now
from netfax.faxes.history import change_state, wait_until
from netfax.faxes.models import Attempt, Delivery, Destination, Document, Submission
from netfax.faxes.results import CallOutcome, Cause, Verdict, judge, longest_call
from netfax.faxes.retry import MEMORY, TRUNK_TROUBLE, USUAL, CallParameters, RetryPolicy, Tally, next_try
from netfax.faxes.states import DeliveryState
from netfax.lines.routes import routes
from netfax.lines.service import all_facts, note_trouble, release_ports
from netfax.params.service import get_int
from netfax.queue import Job
from netfax.telephony import FAXMODE_AUDIO, MODE_AUDIO

# Causes of unanswered calls that a working trunk has brought to the far end.
CARRIED = frozenset({Cause.BUSY, Cause.NO_ANSWER, Cause.UNALLOCATED, Cause.REJECTED})


def lock_deliveries(uow: UnitOfWork, attempt_ids: Collection[str]) -> None:
    """The deliveries of these calls come before their attempts, for everybody, and in one order.

    So a cancel, or another act, is before this step or after it, and no two steps wait for each other.
    """
    query = select(Delivery).join(Attempt, Attempt.delivery_id == Delivery.id).where(Attempt.id.in_(attempt_ids))
    query = query.order_by(Delivery.id).with_for_update(of=Delivery)
    uow.session.scalars(query.execution_options(populate_existing=True)).all()


def record_answers(uow: UnitOfWork, attempt_ids: Collection[str], *, actor: str) -> None:
    """The far ends have answered; nothing for a call of which that is known already, or that has ended."""
    lock_deliveries(uow, attempt_ids)
    for attempt in _claim(uow, attempt_ids, Attempt.answered_at.is_(None), answered_at=now()):
        if attempt.delivery.state is DeliveryState.DIALING:
            change_state(uow, attempt.delivery, DeliveryState.SENDING, actor=actor)


def finish_attempt(
    uow: UnitOfWork, attempt_id: str, outcome: CallOutcome, *, actor: str, unless_placed: bool = False
) -> bool:
    """As `finish_attempts` for one call: whether this has ended it."""
    return attempt_id in finish_attempts(uow, {attempt_id: outcome}, actor=actor, unless_placed=unless_placed)


def finish_attempts(
    uow: UnitOfWork, outcomes: Mapping[str, CallOutcome], *, actor: str, unless_placed: bool = False
) -> set[str]:
    """Record how calls ended (by attempt id) and what follows for their deliveries; those of which it was new.

    With `unless_placed` nothing is done for a call that a bridge has claimed: then its own end decides.
    """
    conditions = [Attempt.originated_at.is_(None)] if unless_placed else []
    lock_deliveries(uow, outcomes)
    ended = _claim(uow, outcomes, *conditions, ended_at=now())
    if not ended:
        return set()
    known = known_destinations(uow, {attempt.delivery.identity for attempt in ended})
    # Many are written together, at the end.
    with uow.session.no_autoflush:
        for attempt in ended:
            _finish(uow, attempt, outcomes[attempt.id], known.get(attempt.delivery.identity), actor)
    release_ports(uow, [attempt.id for attempt in ended])
    uow.enqueue(Job.WAKE_DISPATCHER)
    return {attempt.id for attempt in ended}


def _finish(uow: UnitOfWork, attempt: Attempt, outcome: CallOutcome, known: Destination | None, actor: str) -> None:
    delivery = attempt.delivery
    if attempt.answered_at is not None:
        # Whoever tells the end may have missed the answer.
        outcome = replace(outcome, answered=True)
    verdict = judge(outcome, _page_bytes(attempt))
    _record_call(attempt, outcome, verdict)
    delivery.cause = verdict.cause
    delivery.cause_detail = attempt.status_text
    delivery.pages_confirmed = attempt.first_page - 1 + verdict.confirmed
    other_trunk = _note_trunk(uow, attempt, outcome, verdict.cause)
    _count(attempt, outcome, verdict.cause, failed_over=other_trunk)
    if verdict.cause is Cause.OK:
        _remember(uow, attempt, known)
    if verdict.cause is Cause.OUR_FAULT:
        why = delivery.cause_detail
        said = alarms.Said(f"A call could not be made: {why}", f"呼叫未能进行：{why}")
        alarms.raise_alarm(uow, alarms.OUR_FAULT, attempt.id, said)
    _conclude(uow, delivery, verdict, actor, _policy(uow), other_trunk=other_trunk)
    if delivery.state is DeliveryState.CANCELLED:
        # Why it ended is that somebody wanted it; what the line said of it stands in its status.
        attempt.cause = Cause.CANCELLED


def end_without_route(uow: UnitOfWork, delivery_ids: Collection[int], *, actor: str) -> None:
    """No trunk serves the numbers of these queued deliveries: a try that cost nothing, for one may be on its way back.

    Their rows are the caller's already. Many at once, as when the only trunk is gone, are read together.
    """
    if not delivery_ids:
        return
    policy = _policy(uow)
    query = select(Delivery).where(Delivery.id.in_(delivery_ids)).options(selectinload(Delivery.attempts))
    # One that was planned for this moment is known here as it was before the waiting room took it in.
    query = query.order_by(Delivery.id).execution_options(populate_existing=True)
    for delivery in uow.session.scalars(query):
        delivery.cause = Cause.NO_ROUTE
        delivery.cause_detail = ""
        delivery.free_tries += 1
        _conclude(uow, delivery, Verdict(Cause.NO_ROUTE, 0), actor, policy, other_trunk=False)


def _claim(uow: UnitOfWork, attempt_ids: Collection[str], *conditions: object, **values: object) -> Sequence[Attempt]:
    """Of these attempts the open ones, changed by one conditional UPDATE that a single caller wins."""
    won = uow.session.scalars(
        update(Attempt)
        .where(Attempt.id.in_(attempt_ids), Attempt.ended_at.is_(None), *conditions)  # type: ignore[arg-type]
        .values(**values)
        .returning(Attempt.id)
        .execution_options(synchronize_session=False)
    ).all()
    if not won:
        return []
    query = (
        select(Attempt)
        .where(Attempt.id.in_(won))
        .options(
            joinedload(Attempt.trunk),
            joinedload(Attempt.delivery).joinedload(Delivery.submission).joinedload(Submission.document),
        )
        # The rows of trunks come in one order for everybody.
        .order_by(Attempt.trunk_id, Attempt.id)
    )
    return uow.session.scalars(query.execution_options(populate_existing=True)).all()


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
            note_trouble(uow, attempt.trunk, None)
        return False
    if cause is not Cause.INCOMPATIBLE_CALL:
        note_trouble(uow, attempt.trunk, now())
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


def known_destinations(uow: UnitOfWork, identities: Collection[str]) -> dict[str, Destination]:
    """What has worked for these numbers where it is not the usual; what is older than `MEMORY` counts no more."""
    query = select(Destination).where(Destination.identity.in_(identities))
    return {each.identity: each for each in uow.session.scalars(query)}


def _remember(uow: UnitOfWork, attempt: Attempt, known: Destination | None) -> None:
    """Keep what worked for this number where it is not the usual; what is known of it already keeps its date."""
    # A trunk without T.38 says nothing about the far end.
    mode = MODE_AUDIO if attempt.mode == FAXMODE_AUDIO and attempt.trunk.t38 else attempt.asked_mode
    worked = CallParameters(mode, attempt.modem, attempt.ecm, attempt.fine)
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


def _policy(uow: UnitOfWork) -> RetryPolicy:
    interval = timedelta(seconds=get_int(uow, "retry_interval"))
    return RetryPolicy(interval, get_int(uow, "retry_count"), get_int(uow, "paid_retry_count"))


def _conclude(
    uow: UnitOfWork, delivery: Delivery, verdict: Verdict, actor: str, policy: RetryPolicy, *, other_trunk: bool
) -> None:
    """The state that follows. A confirmed result wins over a cancel; a cancel over another try."""
    if verdict.cause is Cause.OK:
        after = DeliveryState.SENT
    elif verdict.unknowable:
        after = DeliveryState.UNKNOWN
    elif delivery.cancel_asked_at is not None:
        delivery.cause = Cause.CANCELLED
        change_state(uow, delivery, DeliveryState.CANCELLED, actor=actor)
        return
    elif (
        again_at := next_try(verdict.cause, _tally(delivery, verdict.cause), now(), policy, other_trunk=other_trunk)
    ) is not None:
        wait_until(uow, delivery, again_at, actor=actor, reason=verdict.cause)
        return
    else:
        after = DeliveryState.PARTIAL if delivery.pages_confirmed else DeliveryState.FAILED
    change_state(uow, delivery, after, actor=actor, reason=verdict.cause)


def _tally(delivery: Delivery, cause: Cause) -> Tally:
    same = sum(attempt.cause is cause for attempt in delivery.attempts)
    return Tally(delivery.free_tries, delivery.paid_tries, same)
