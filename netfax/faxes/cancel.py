"""A user takes a fax back."""

from netfax.db import UnitOfWork, now
from netfax.errors import NotFound
from netfax.faxes.errors import AlreadyEnded
from netfax.faxes.finish import finish_attempt
from netfax.faxes.history import Act, change_state, record
from netfax.faxes.listing import get_item, open_attempt
from netfax.faxes.models import Delivery
from netfax.faxes.results import CallOutcome, Cause
from netfax.faxes.states import ON_THE_LINE, STATE_INFO, DeliveryState
from netfax.org.viewer import Viewer
from netfax.queue import Job


def cancel(uow: UnitOfWork, viewer: Viewer, item_uuid: str) -> DeliveryState:
    """Cancel a delivery and return its state.

    What waits is cancelled at once, also when it waits for its call to be placed; what is on the line is hung up, and
    ends by what was confirmed until then. `AlreadyEnded` for an ended one.
    """
    delivery = get_item(uow, viewer, item_uuid).delivery
    if delivery is None:
        raise NotFound()
    # The dispatcher may be taking it at this moment: whoever locks the row first decides.
    uow.session.refresh(delivery, with_for_update={"of": Delivery})
    info = STATE_INFO[delivery.state]
    if info.ended:
        raise AlreadyEnded(state_en=info.en, state_zh=info.zh)
    if delivery.state not in ON_THE_LINE:
        delivery.cause = Cause.CANCELLED
        change_state(uow, delivery, DeliveryState.CANCELLED, actor=viewer.login)
        return delivery.state
    if delivery.cancel_asked_at is None:
        delivery.cancel_asked_at = now()
        # Who asked: the end itself is told by the call.
        record(uow, delivery, delivery.state, actor=viewer.login, reason=Act.CANCEL_ASKED)
    attempt = open_attempt(delivery)
    if attempt is not None:
        uow.session.flush()
        not_placed = CallOutcome(answered=False)
        if not finish_attempt(uow, attempt.id, not_placed, actor=viewer.login, unless_placed=True):
            uow.enqueue(Job.HANG_UP, attempt.gateway, attempt.id)
    return delivery.state
