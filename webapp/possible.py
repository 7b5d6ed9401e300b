"""What can be done with a fax in its present state (R5.1): nothing else is offered."""

from dataclasses import dataclass

from netfax.db import now
from netfax.faxes.models import Delivery
from netfax.faxes.states import ON_THE_LINE, STATE_INFO, DeliveryState

WAITING = (DeliveryState.QUEUED, DeliveryState.SCHEDULED, DeliveryState.HELD)
# Ended without a success: sent again without a question.
MISSED = (DeliveryState.FAILED, DeliveryState.PARTIAL, DeliveryState.UNKNOWN, DeliveryState.CANCELLED)


@dataclass(frozen=True)
class Acts:
    """`change` is of priority and time; `again` sends what was not confirmed, `whole` every page a second time."""

    hold: bool = False
    release: bool = False
    send_now: bool = False
    change: bool = False
    cancel: bool = False
    again: bool = False
    whole: bool = False


def possible_acts(delivery: Delivery, *, replaced: bool = False) -> Acts:
    """What can be done now; `replaced` when a fax that sends this one again is on its way or has arrived."""
    state = delivery.state
    drawn = delivery.submission.document is not None
    may_go_again = drawn and not replaced
    return Acts(
        hold=state in (DeliveryState.QUEUED, DeliveryState.SCHEDULED),
        release=state is DeliveryState.HELD,
        send_now=state in WAITING and _waits_for_a_time(delivery),
        change=state in WAITING,
        cancel=_can_be_cancelled(delivery),
        again=state in MISSED and may_go_again,
        whole=may_go_again and (state is DeliveryState.SENT or (state in MISSED and delivery.pages_confirmed > 0)),
    )


def _waits_for_a_time(delivery: Delivery) -> bool:
    times = (delivery.planned_at, delivery.next_try_at)
    return any(at is not None and at > now() for at in times)


def _can_be_cancelled(delivery: Delivery) -> bool:
    if STATE_INFO[delivery.state].ended:
        return False
    return delivery.state not in ON_THE_LINE or delivery.cancel_asked_at is None
