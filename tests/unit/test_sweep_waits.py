"""Nothing waits too long: the clock was set back, or a step of our own failed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import Engine

from netfax.alarms import GATEWAY_LOST, OUR_FAULT, open_alarms
from netfax.db import now, reading, unit_of_work
from netfax.faxes.dial import claim_attempts
from netfax.faxes.history import wait_until
from netfax.faxes.models import Delivery, Reception
from netfax.faxes.receive import InboundCall, InboundResult, decide, is_recorded, record_reception
from netfax.faxes.results import Cause, longest_call
from netfax.faxes.states import DeliveryState, ReceptionState
from netfax.faxes.sweep import (
    CLOCK_TOLERANCE,
    LONGEST_IN,
    LOST_SECONDS,
    PUT_OFF,
    UNPLACED,
    LostGateways,
    mend_waits,
    put_off,
    take_back_unplaced,
)
from netfax.lease import bridge_lease, hold_lease, let_go
from netfax.lines.service import add_trunk, free_ports
from netfax.telephony import DECISION_ACCEPT
from tests.factories import World, delivery_of, dispatch_now, make_delivery, make_trunk, make_world, only_attempt

S = DeliveryState
LATER = "00000000-0000-0000-0000-000000000002"
WAIT = timedelta(minutes=3)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime(2026, 3, 2, 8, 0, tzinfo=UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def world(database: Engine, clock: time_machine.Traveller) -> World:
    return make_world()


def waiting(world: World, wait: timedelta = WAIT) -> str:
    """A fax that waits for its next call from now on."""
    uuid = make_delivery(world.alice)
    with unit_of_work() as uow:
        wait_until(uow, uow.session.query(Delivery).filter(Delivery.uuid == uuid).one(), now() + wait, actor="test")
    return uuid


def mend() -> int:
    with unit_of_work() as uow:
        return mend_waits(uow)


@pytest.mark.parametrize("back", [timedelta(minutes=2), timedelta(days=1), timedelta(days=3650)])
def test_after_the_clock_was_set_back_a_fax_waits_no_longer_than_it_was_meant_to(
    clock: time_machine.Traveller, world: World, back: timedelta
) -> None:
    uuid = waiting(world)
    clock.shift(-back)
    assert mend() == 1
    assert delivery_of(uuid).next_try_at == now() + WAIT
    # Once: what was mended waits as everything else.
    assert mend() == 0
    clock.shift(WAIT)
    assert dispatch_now() == 1


def test_what_the_dispatcher_has_in_mind_is_taken_in_again(clock: time_machine.Traveller, world: World) -> None:
    uuid = waiting(world, timedelta(0))
    with unit_of_work() as uow:
        uow.session.query(Delivery).update({"admitted": True})
    clock.shift(-timedelta(days=1))
    assert mend() == 1
    assert not delivery_of(uuid).admitted


@pytest.mark.parametrize("moved", [timedelta(0), timedelta(days=1), -CLOCK_TOLERANCE])
def test_a_clock_that_goes_right_or_was_set_forward_changes_nothing(
    clock: time_machine.Traveller, world: World, moved: timedelta
) -> None:
    uuid = waiting(world)
    before = delivery_of(uuid).next_try_at
    clock.shift(moved)
    assert mend() == 0
    assert delivery_of(uuid).next_try_at == before


def test_what_is_planned_for_an_hour_of_the_day_stays_planned_for_it(
    clock: time_machine.Traveller, world: World
) -> None:
    at = now() + timedelta(hours=3)
    uuid = make_delivery(world.alice, state=S.SCHEDULED, planned_at=at, next_try_at=at, waits_since=now())
    clock.shift(-timedelta(days=1))
    assert mend() == 0
    assert delivery_of(uuid).next_try_at == at


def test_after_a_fault_of_ours_a_fax_waits_a_little_and_is_taken_in_again(
    clock: time_machine.Traveller, world: World
) -> None:
    uuid = waiting(world, timedelta(0))
    with unit_of_work() as uow:
        uow.session.query(Delivery).update({"admitted": True})
    with unit_of_work() as uow:
        put_off(uow, delivery_of(uuid).id, why="disk full")
    assert (delivery_of(uuid).next_try_at, delivery_of(uuid).admitted) == (now() + PUT_OFF, False)
    with reading() as uow:
        assert [(each.code, each.subject) for each in open_alarms(uow)] == [(OUR_FAULT, uuid)]
    assert dispatch_now() == 0
    clock.shift(PUT_OFF)
    assert dispatch_now() == 1


def test_a_fax_that_was_put_off_waits_as_long_when_the_clock_is_set_back(
    clock: time_machine.Traveller, world: World
) -> None:
    uuid = waiting(world, timedelta(0))
    clock.shift(timedelta(hours=5))
    with unit_of_work() as uow:
        put_off(uow, delivery_of(uuid).id, why="disk full")
    clock.shift(-timedelta(days=1))
    mend()
    assert delivery_of(uuid).next_try_at == now() + PUT_OFF


@pytest.mark.parametrize("state", [S.HELD, S.SCHEDULED, S.CANCELLED])
def test_only_what_waits_in_the_queue_is_put_off(world: World, state: DeliveryState) -> None:
    uuid = make_delivery(world.alice, state=state)
    before = delivery_of(uuid).next_try_at
    with unit_of_work() as uow:
        put_off(uow, delivery_of(uuid).id, why="disk full")
        put_off(uow, 999_999, why="disk full")
    assert (delivery_of(uuid).state, delivery_of(uuid).next_try_at) == (state, before)


# --- Calls that nobody places ---


def take_back() -> int:
    with unit_of_work() as uow:
        return take_back_unplaced(uow)


def test_a_call_that_no_bridge_places_is_taken_back_with_its_port_and_counts_as_no_try(
    clock: time_machine.Traveller, world: World
) -> None:
    uuid = make_delivery(world.alice)
    assert dispatch_now() == 1
    clock.shift(UNPLACED)
    assert take_back() == 0
    clock.shift(timedelta(seconds=1))
    assert take_back() == 1
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.cause, delivery.tries, delivery.free_tries) == (S.QUEUED, Cause.CALL_FAILED, 0, 0)
    with unit_of_work() as uow:
        assert sum(free_ports(uow).values()) == 2
    # It was placed by nobody, whatever comes of the bridge.
    attempt_id = delivery.attempts[0].id
    with unit_of_work() as uow:
        assert claim_attempts(uow, [attempt_id], "boot") == {}


def test_a_call_that_was_placed_is_left_to_its_bridge(clock: time_machine.Traveller, world: World) -> None:
    make_delivery(world.alice)
    dispatch_now()
    with unit_of_work() as uow:
        assert claim_attempts(uow, [only_attempt()], "boot")
    clock.shift(timedelta(hours=1))
    assert take_back() == 0


def test_a_fax_that_was_taken_back_goes_over_another_trunk_at_once(clock: time_machine.Traveller, world: World) -> None:
    uuid = make_delivery(world.alice)
    dispatch_now()
    with unit_of_work() as uow:
        second = add_trunk(uow, make_trunk("second"), channels=1).id
    clock.shift(UNPLACED + timedelta(seconds=1))
    take_back()
    assert dispatch_now() == 1
    assert delivery_of(uuid).attempts[-1].trunk_id == second


def placed_call(world: World) -> str:
    """A fax whose call was placed by the gateway's bridge, which has its lease."""
    uuid = make_delivery(world.alice)
    dispatch_now()
    with unit_of_work() as uow:
        assert claim_attempts(uow, [only_attempt()], "boot")
        hold_lease(uow, bridge_lease("gw1"), "bridge")
    return uuid


def test_a_call_of_a_gateway_that_is_gone_for_good_ends_unknown_and_frees_its_port(world: World) -> None:
    uuid = placed_call(world)
    passed = 0.0
    lost = LostGateways(lambda: passed)
    with unit_of_work() as uow:
        assert lost.end_calls(uow) == 0
        let_go(uow, bridge_lease("gw1"), "bridge")
        assert lost.end_calls(uow) == 0
        passed = LOST_SECONDS + longest_call(1)
        assert lost.end_calls(uow) == 0
        passed += 1
        assert lost.end_calls(uow) == 1
        assert sum(free_ports(uow).values()) == 2
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (S.UNKNOWN, Cause.CALL_LOST)


def test_a_gateway_that_was_silent_and_came_back_ends_its_calls_itself(world: World) -> None:
    placed_call(world)
    passed = 0.0
    lost = LostGateways(lambda: passed)
    with unit_of_work() as uow:
        let_go(uow, bridge_lease("gw1"), "bridge")
        assert lost.end_calls(uow) == 0
        hold_lease(uow, bridge_lease("gw1"), "bridge")
        assert lost.end_calls(uow) == 0
        let_go(uow, bridge_lease("gw1"), "bridge")
        passed = 1e6
        assert lost.end_calls(uow) == 0


def test_a_call_in_to_a_gateway_that_is_gone_ends_and_is_recorded_should_it_come_back(world: World) -> None:
    call = InboundCall("00000000-0000-0000-0000-000000000001", "gw1", "pstn", "c", "1.1", "7721003", "7804002")
    result = InboundResult(True, "OK", 2, 14400, "T38", "", 30, now())
    passed = 0.0
    lost = LostGateways(lambda: passed)
    with unit_of_work() as uow:
        hold_lease(uow, bridge_lease("gw1"), "bridge")
        assert decide(uow, call) == DECISION_ACCEPT
        ports = sum(free_ports(uow).values())
        let_go(uow, bridge_lease("gw1"), "bridge")
        assert lost.end_calls(uow) == 0
        passed = LOST_SECONDS + LONGEST_IN
        # Whoever takes a call lives: only its bridge is away.
        assert decide(uow, replace(call, reception_id=LATER)) == DECISION_ACCEPT
        assert lost.end_calls(uow) == 0
        passed += 1
        assert lost.end_calls(uow) == 1
        assert uow.session.get_one(Reception, LATER).state is ReceptionState.RECEIVING
        assert lost.end_calls(uow) == 0
        assert sum(free_ports(uow).values()) == ports
        reception = uow.session.get_one(Reception, call.reception_id)
        assert reception.state is ReceptionState.LOST
        assert [alarm.code for alarm in open_alarms(uow)] == [GATEWAY_LOST]
    with unit_of_work() as uow:
        assert not is_recorded(uow, call.reception_id)
        assert record_reception(uow, call, result, None, 2) is not None
        assert record_reception(uow, call, result, None, 2) is None
        assert uow.session.get_one(Reception, call.reception_id).state is ReceptionState.RECEIVED
