"""The one way a delivery changes its state: checked against the table, with a row of history."""

from datetime import datetime
from enum import StrEnum

from netfax.db import UnitOfWork, now
from netfax.faxes.models import Delivery, StateChange
from netfax.faxes.states import STATE_INFO, DeliveryState, may_follow


class Act(StrEnum):
    """What a user did to a fax, where its state alone does not tell it; the reason of a row of history."""

    CANCEL_ASKED = "cancel asked"
    SEND_NOW = "send now"
    # With the time in ISO 8601.
    PLAN = "plan"
    # With the `Priority`.
    PRIORITY = "priority"

    def said(self, value: str = "") -> str:
        """The reason that tells of this act; `read_act` reads it."""
        return f"{self} {value}".rstrip()


def read_act(reason: str) -> tuple[Act, str] | None:
    """The act that a reason tells of, and its value; None for any other reason."""
    for act in Act:
        if reason == act or reason.startswith(f"{act} "):
            return act, reason.removeprefix(act).lstrip()
    return None


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
    """Let the delivery wait for its next call (QUEUED), or for its planned time (SCHEDULED), until then.

    Where it is in that state already, there is a row of history only for a reason.
    """
    delivery.next_try_at = at
    delivery.waits_since = now()
    if delivery.state is state:
        # The dispatcher's waiting room has it by its old time or priority.
        delivery.admitted = False
        if reason:
            record(uow, delivery, state, actor=actor, reason=reason)
    else:
        change_state(uow, delivery, state, actor=actor, reason=reason)


def record(uow: UnitOfWork, delivery: Delivery, before: DeliveryState | None, *, actor: str, reason: str = "") -> None:
    """A row of history for the state that the delivery has now."""
    uow.session.add(
        StateChange(delivery_id=delivery.id, before=before, after=delivery.state, actor=actor, reason=reason[:256])
    )
