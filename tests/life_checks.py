"""What must hold of every fax at every moment, read from the database."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from sqlalchemy import select

from netfax.db import UnitOfWork, now
from netfax.faxes.models import Attempt, Delivery, Reception, StateChange, Submission
from netfax.faxes.results import Cause
from netfax.faxes.states import ON_THE_LINE, STATE_INFO, STEPS, DeliveryState, ReceptionState
from netfax.lines.models import Port, Trunk
from netfax.params.service import get_int

# By the cause of its end: glare costs nothing, everything else that ends a call counts.
NOT_COUNTED = {Cause.GLARE}


def check_ports(uow: UnitOfWork, open_attempts: Sequence[Attempt]) -> None:
    """Every call has its one port, and no port is held for nothing."""
    claimed = sorted(uow.session.scalars(select(Port.claimed_by).where(Port.claimed_by.is_not(None))))
    receiving = uow.session.scalars(select(Reception.id).where(Reception.state == ReceptionState.RECEIVING)).all()
    assert claimed == sorted([attempt.id for attempt in open_attempts] + list(receiving))
    trunks = {attempt.id: attempt.trunk_id for attempt in open_attempts}
    for port in uow.session.scalars(select(Port).where(Port.claimed_by.in_(trunks))):
        assert port.trunk_id == trunks[str(port.claimed_by)]


def check_drawings(uow: UnitOfWork) -> None:
    """Who is converting has a turn to be drawn."""
    converting = select(Delivery.id).join(Submission).where(Delivery.state == DeliveryState.CONVERTING)
    assert not uow.session.scalars(converting.where(Submission.draw_turn.is_(None))).all()


def check_state(delivery: Delivery, attempts: Sequence[Attempt]) -> None:
    """An open fax has a time, or somebody who must act, or its one call; an ended one has none of them."""
    open_calls = [attempt for attempt in attempts if attempt.ended_at is None]
    assert len(open_calls) == (1 if delivery.state in ON_THE_LINE else 0)
    assert (delivery.ended_at is not None) == STATE_INFO[delivery.state].ended
    match delivery.state:
        case DeliveryState.QUEUED:
            assert delivery.next_try_at is not None and delivery.waits_since is not None
        case DeliveryState.SCHEDULED:
            assert delivery.next_try_at == delivery.planned_at is not None
        case DeliveryState.HELD:
            assert delivery.next_try_at is None
        case state if STATE_INFO[state].ended:
            assert delivery.next_try_at is None
            assert delivery.cause is not None
    assert not delivery.admitted or delivery.state is DeliveryState.QUEUED


def check_history(delivery: Delivery, changes: Sequence[StateChange]) -> None:
    """The history begins with nothing, goes by the table from state to state, and ends with the state of now."""
    assert changes[0].before is None
    for earlier, later in pairwise(changes):
        assert later.before is earlier.after
        # A row that changes nothing tells what was asked for during a call.
        assert later.after in STEPS[earlier.after] or later.after is earlier.after
    assert changes[-1].after is delivery.state


def check_counts(delivery: Delivery, attempts: Sequence[Attempt], *, retries: int, paid_retries: int) -> None:
    """Calls and pages are those of the attempts, each page once, and no budget is overdrawn."""
    ended = [each for each in attempts if each.ended_at is not None and each.cause not in NOT_COUNTED]
    assert delivery.tries == sum(each.originated_at is not None or each.answered_at is not None for each in ended)
    assert delivery.paid_tries == sum(each.answered_at is not None for each in ended)
    assert delivery.free_tries <= retries + 1
    assert delivery.paid_tries <= min(retries, paid_retries) + 1
    assert 0 <= delivery.pages_confirmed <= delivery.pages
    before = delivery.pages_confirmed - sum(each.pages_confirmed for each in attempts)
    assert before >= 0 and (delivery.again_of is not None or before == 0 or not attempts)
    assert [each.first_page for each in attempts] == [
        before + sum(each.pages_confirmed for each in attempts[:number]) + 1 for number in range(len(attempts))
    ]
    match delivery.state:
        case DeliveryState.SENT:
            assert delivery.pages_confirmed == delivery.pages
        case DeliveryState.PARTIAL:
            assert 0 < delivery.pages_confirmed < delivery.pages
        case DeliveryState.FAILED:
            assert delivery.pages_confirmed == 0


def check_nobody_waits_in_vain(uow: UnitOfWork) -> None:
    """After a round: who is due and still waits has no free port, or his number, he or his domain is on the line."""
    on_the_line = uow.session.execute(
        select(Delivery.identity, Delivery.user_id, Delivery.tenant_id, Attempt.trunk_id)
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .where(Attempt.ended_at.is_(None))
    ).all()
    numbers = {row.identity for row in on_the_line}
    users, tenants, trunks = (Counter(row[column] for row in on_the_line) for column in (1, 2, 3))
    caps = get_int(uow, "user_calls"), get_int(uow, "domain_calls")
    free = {
        trunk.id
        for trunk in uow.session.scalars(select(Trunk))
        if any(port.claimed_by is None for port in trunk.ports)
        and (trunk.max_out is None or trunks[trunk.id] < trunk.max_out)
    }
    all_trunks = set(uow.session.scalars(select(Trunk.id).where(Trunk.removed_at.is_(None))))
    due = uow.session.scalars(
        select(Delivery).where(Delivery.state == DeliveryState.QUEUED, Delivery.next_try_at <= now())
    )
    for delivery in due:
        may_use = all_trunks - set(delivery.avoid) or all_trunks
        assert (
            delivery.identity in numbers
            or not may_use & free
            or (caps[0] and users[delivery.user_id] >= caps[0])
            or (caps[1] and tenants[delivery.tenant_id] >= caps[1])
        ), f"delivery {delivery.id} waits in vain"


def check_caps(uow: UnitOfWork, placed: Sequence[Attempt]) -> None:
    """No call was placed by which a user, a domain or a trunk has more than its cap."""
    caps = get_int(uow, "user_calls"), get_int(uow, "domain_calls")
    users, tenants, trunks = Counter[int](), Counter[int](), Counter[int]()
    for attempt in uow.session.scalars(select(Attempt).where(Attempt.ended_at.is_(None))):
        users[attempt.delivery.user_id] += 1
        tenants[attempt.delivery.tenant_id] += 1
        trunks[attempt.trunk_id] += 1
    for attempt in placed:
        assert not caps[0] or users[attempt.delivery.user_id] <= caps[0]
        assert not caps[1] or tenants[attempt.delivery.tenant_id] <= caps[1]
        trunk = uow.session.get_one(Trunk, attempt.trunk_id)
        assert trunk.max_out is None or trunks[trunk.id] <= trunk.max_out
