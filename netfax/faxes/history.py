"""The one way a delivery changes its state: checked against the table, with a row of history."""

from datetime import datetime

from netfax.db import UnitOfWork, now
from netfax.faxes.models import Delivery, StateChange
from netfax.faxes.states import STATE_INFO, DeliveryState, may_follow


class ImpossibleStep(RuntimeError):
    """A defect of ours: the table of states does not allow the step."""


def change_state(uow: UnitOfWork, delivery: Delivery, after: DeliveryState, *, actor: str, reason: str = "") -> None:
    """Pass the delivery to another state, with its history; an end sets `ended_at` and clears the next try."""
    before = delivery.state
    if not may_follow(before, after):
        raise ImpossibleStep(f"delivery {delivery.id}: {before} → {after}")
    delivery.state = after
    delivery.admitted = False
    if STATE_INFO[after].ended:
        delivery.ended_at = now()
        delivery.next_try_at = None
    record(uow, delivery, before, actor=actor, reason=reason)


def wait_until(
    uow: UnitOfWork,
    delivery: Delivery,
    at: datetime,
    *,
    actor: str,
    reason: str = "",
    state: DeliveryState = DeliveryState.QUEUED,
) -> None:
    """Let the delivery wait for its next call (QUEUED), or for its planned time (SCHEDULED), until then."""
    delivery.next_try_at = at
    delivery.waits_since = now()
    if delivery.state is state:
        # The dispatcher's waiting room has it by its old time or priority.
        delivery.admitted = False
    else:
        change_state(uow, delivery, state, actor=actor, reason=reason)


def record(uow: UnitOfWork, delivery: Delivery, before: DeliveryState | None, *, actor: str, reason: str = "") -> None:
    """A row of history for the state that the delivery has now."""
    uow.session.add(
        StateChange(delivery_id=delivery.id, before=before, after=delivery.state, actor=actor, reason=reason[:256])
    )
