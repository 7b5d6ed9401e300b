"""Deliveries that would wait too long: the clock was set back, or a step failed that has no time of its own."""

import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import or_, select

from netfax import alarms
from netfax.db import UnitOfWork, now
from netfax.faxes.finish import finish_attempts
from netfax.faxes.history import wait_until
from netfax.faxes.models import Attempt, Delivery, Reception
from netfax.faxes.receive import lose_receptions
from netfax.faxes.results import CallOutcome, longest_call
from netfax.faxes.states import DeliveryState
from netfax.lease import bridge_lease, is_over

ACTOR = "sweep"
# What waits since later than this was put there before the clock was set back.
CLOCK_TOLERANCE = timedelta(seconds=60)
# A bridge places a call within seconds, or says why it can't.
UNPLACED = timedelta(seconds=60)
UNPLACED_TEXT = "nobody has placed the call"
MOST_ROWS = 100
# Beyond the longest call; a machine that is mended within it ends its calls itself.
LOST_SECONDS = 3600
# Of a call in nobody knows how many pages it has; what comes of it later is recorded all the same.
LONGEST_IN = 4 * 3600
# After a fault of our own, the disk above all.
PUT_OFF = timedelta(seconds=30)


def mend_waits(uow: UnitOfWork) -> int:
    """Let what waits for its next call wait no longer than it was meant to, after the clock was set back; how many."""
    at = now()
    waiting = uow.session.scalars(
        select(Delivery)
        .where(Delivery.state == DeliveryState.QUEUED, Delivery.waits_since > at + CLOCK_TOLERANCE)
        .with_for_update(skip_locked=True)
    ).all()
    for delivery in waiting:
        if delivery.waits_since is not None and delivery.next_try_at is not None:
            delivery.next_try_at = at + (delivery.next_try_at - delivery.waits_since)
        delivery.waits_since = at
        delivery.admitted = False
    return len(waiting)


def take_back_unplaced(uow: UnitOfWork) -> int:
    """Let go of calls that no bridge has placed in a minute: their faxes go over another trunk, or wait; how many.

    A bridge, or its Asterisk, is down. The fax keeps its hours and its end, and the port is free.
    """
    at = now()
    query = select(Attempt.id).where(
        Attempt.ended_at.is_(None),
        Attempt.originated_at.is_(None),
        or_(Attempt.created_at < at - UNPLACED, Attempt.created_at > at + CLOCK_TOLERANCE),
    )
    not_placed = CallOutcome(answered=False, error=UNPLACED_TEXT)
    unplaced = uow.session.scalars(query.order_by(Attempt.created_at).limit(MOST_ROWS)).all()
    return len(finish_attempts(uow, dict.fromkeys(unplaced, not_placed), actor=ACTOR, unless_placed=True))


class LostGateways:
    """Calls of a gateway that has not been heard of for longer than any call lasts: nobody else will end them.

    For how long a call is open beside a silent gateway is measured here, whatever the clock does: a call that begins
    meanwhile shows that only its bridge is away.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        # By the call's id, monotonic seconds.
        self._silent_since: dict[str, float] = {}

    def end_calls(self, uow: UnitOfWork) -> int:
        """End what such a gateway had on the line, calls out and in, as calls whose result is not known; how many."""
        placed = select(Attempt).where(Attempt.ended_at.is_(None), Attempt.originated_at.is_not(None))
        attempts = uow.session.scalars(placed.order_by(Attempt.id)).all()
        receptions = uow.session.scalars(select(Reception).where(Reception.ended_at.is_(None))).all()
        calls = {each.id: each.gateway for each in attempts} | {each.id: each.gateway for each in receptions}
        silent = {gateway for gateway in set(calls.values()) if is_over(uow, bridge_lease(gateway))}
        at = self._monotonic()
        self._silent_since = {
            call_id: self._silent_since.get(call_id, at) for call_id, gateway in calls.items() if gateway in silent
        }

        def is_lost(call_id: str, longest: float) -> bool:
            return at - self._silent_since.get(call_id, at) > LOST_SECONDS + longest

        died = CallOutcome(answered=True, died=True)
        lost = [each.id for each in attempts if is_lost(each.id, longest_call(each.delivery.pages))]
        ended = finish_attempts(uow, dict.fromkeys(lost, died), actor=ACTOR)
        return len(ended) + lose_receptions(uow, [each.id for each in receptions if is_lost(each.id, LONGEST_IN)])


def put_off(uow: UnitOfWork, delivery_id: int, *, why: str) -> None:
    """Try a queued delivery again a little later, and tell the operator."""
    delivery = uow.session.get(Delivery, delivery_id, with_for_update={"of": Delivery})
    if delivery is not None and delivery.state is DeliveryState.QUEUED:
        wait_until(uow, delivery, now() + PUT_OFF, actor=ACTOR)
        said = alarms.Said(
            f"A fax of {delivery.user.login} can't be handed over inside: {why}. It is tried again while it is open.",
            f"{delivery.user.login} 的一份内部传真无法投递：{why}。在传真结束前会继续重试。",
        )
        alarms.raise_alarm(uow, alarms.OUR_FAULT, delivery.uuid, said)
