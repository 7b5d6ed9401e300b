"""Deliveries that would wait too long: the clock was set back, or a step failed that has no time of its own."""

from datetime import timedelta

from sqlalchemy import select

from netfax.db import UnitOfWork, now
from netfax.faxes.history import wait_until
from netfax.faxes.models import Delivery
from netfax.faxes.states import DeliveryState

ACTOR = "sweep"
# What waits since later than this was put there before the clock was set back.
CLOCK_TOLERANCE = timedelta(seconds=60)
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


def put_off(uow: UnitOfWork, delivery_id: int) -> None:
    """Try a queued delivery again a little later."""
    delivery = uow.session.get(Delivery, delivery_id, with_for_update={"of": Delivery})
    if delivery is not None and delivery.state is DeliveryState.QUEUED:
        wait_until(uow, delivery, now() + PUT_OFF, actor=ACTOR)
