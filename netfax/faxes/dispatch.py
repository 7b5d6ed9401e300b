"""Which due deliveries get a port now."""

from sqlalchemy import case, select

from netfax.db import UnitOfWork, now
from netfax.faxes.history import change_state
from netfax.faxes.models import Attempt, Delivery, Priority
from netfax.faxes.results import Cause
from netfax.faxes.states import ON_THE_LINE, DeliveryState
from netfax.lease import hold_lease
from netfax.lines.routes import TrunkFacts, routes
from netfax.lines.service import claim_port, free_ports, list_trunks, trunk_facts
from netfax.queue import Job
from netfax.settings import settings
from netfax.telephony import new_attempt_id

ACTOR = "dispatcher"
LEASE = "dispatcher"
# More than a gateway's calls a second; what is left comes with the next round, at once.
BATCH = 50

_ORDER = case({Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}, value=Delivery.priority)


def dispatch(uow: UnitOfWork, holder: str) -> int:
    """Give free ports to due deliveries, best first, and return how many calls will be placed.

    One dispatcher at a time (its lease is held in this transaction), never more calls than free ports, and one call
    at a time to a number.
    """
    if not hold_lease(uow, LEASE, holder):
        return 0
    free = free_ports(uow)
    if not free:
        return 0
    trunks = [trunk_facts(trunk) for trunk in list_trunks(uow)]
    placed: set[str] = set()
    for delivery in _due(uow, min(BATCH, sum(free.values()))):
        if delivery.identity in placed:
            continue
        able = routes(delivery.identity, trunks)
        if not able:
            _no_route(uow, delivery)
        elif _place(uow, delivery, able, free):
            placed.add(delivery.identity)
    return len(placed)


def _due(uow: UnitOfWork, limit: int) -> list[Delivery]:
    """Due deliveries, best first, without those whose number is being called."""
    called = select(Delivery.identity).where(Delivery.state.in_(ON_THE_LINE))
    query = (
        select(Delivery)
        .where(
            Delivery.state == DeliveryState.QUEUED,
            Delivery.next_try_at <= now(),
            Delivery.identity.not_in(called),
        )
        .order_by(_ORDER, Delivery.next_try_at, Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(uow.session.scalars(query))


def _place(uow: UnitOfWork, delivery: Delivery, able: list[TrunkFacts], free: dict[int, int]) -> bool:
    """Claim a port on the best trunk that has one and commit the intent to call; False when none is free."""
    attempt_id = new_attempt_id(settings().secret("attempt_prefix"))
    trunk = next((trunk for trunk in able if free.get(trunk.id) and claim_port(uow, trunk.id, attempt_id)), None)
    if trunk is None:
        return False
    free[trunk.id] -= 1
    uow.session.add(
        Attempt(
            id=attempt_id,
            delivery_id=delivery.id,
            trunk_id=trunk.id,
            gateway=trunk.gateway,
            first_page=delivery.pages_confirmed + 1,
        )
    )
    change_state(uow, delivery, DeliveryState.DIALING, actor=ACTOR, reason=trunk.name)
    uow.enqueue(Job.PLACE_CALL, trunk.gateway, attempt_id)
    return True


def _no_route(uow: UnitOfWork, delivery: Delivery) -> None:
    delivery.cause = Cause.NO_ROUTE
    change_state(uow, delivery, DeliveryState.FAILED, actor=ACTOR, reason=Cause.NO_ROUTE)
