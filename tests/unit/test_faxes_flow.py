"""A fax's way through the database: dispatch, claim, end, reception; on SQLite and PostgreSQL."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import joinedload

from netfax import telephony
from netfax.alarms import Alarm
from netfax.db import reading, unit_of_work
from netfax.errors import NotFound
from netfax.faxes import cancel as cancel_module
from netfax.faxes import listing
from netfax.faxes.cancel import cancel
from netfax.faxes.dial import claim_attempts, claims_of, give_back_attempt, plan_calls
from netfax.faxes.errors import AlreadyEnded
from netfax.faxes.finish import finish_attempt, finish_attempts, lock_deliveries, record_answers
from netfax.faxes.history import Act, ImpossibleStep, change_state
from netfax.faxes.models import Attempt, Delivery, Destination, Direction, MailboxItem, Reception, StateChange
from netfax.faxes.receive import InboundCall, InboundResult, decide, record_reception
from netfax.faxes.results import CallOutcome, Cause
from netfax.faxes.states import DeliveryState, ReceptionState
from netfax.lines.models import Port
from netfax.lines.service import add_trunk, claim_port, free_ports
from netfax.org.models import NumberRange
from netfax.params.service import set_param
from netfax.storage.disk import Stored
from tests import factories
from tests.factories import World, delivery_of, dispatch_now, make_delivery, make_world, only_attempt

SENT_WELL = CallOutcome(
    answered=True, fax_status="SUCCESS", status_text="OK", pages=1, rate=14400, mode="T38", seconds=27
)
BUSY = CallOutcome(answered=False, hangup_cause=17)


@pytest.fixture
def world(database: Engine) -> World:
    return make_world()


def finish(outcome: CallOutcome) -> bool:
    """Let the open call be placed and end so."""
    attempt_id = _open()
    if attempt_id is None:
        return False
    with unit_of_work() as uow:
        claim_attempts(uow, [attempt_id], "boot")
    with unit_of_work() as uow:
        return finish_attempt(uow, attempt_id, outcome, actor="test")


def _open() -> str | None:
    with reading() as uow:
        return uow.session.scalar(select(Attempt.id).where(Attempt.ended_at.is_(None)))


def set_retries(count: int) -> None:
    with unit_of_work() as uow:
        set_param(uow, "retry_count", str(count), by="test")


def states_of(uuid: str) -> list[DeliveryState]:
    with reading() as uow:
        return [change.after for change in listing.history(uow, delivery_of(uuid))]


def test_a_queued_fax_gets_a_port_and_an_attempt_whose_row_is_committed_before_the_call(world: World) -> None:
    uuid = make_delivery(world.alice)
    assert dispatch_now() == 1
    attempt_id = only_attempt()
    assert len(attempt_id) == telephony.ATTEMPT_ID_LENGTH
    assert delivery_of(uuid).state is DeliveryState.DIALING
    with reading() as uow:
        assert uow.session.scalar(select(Port.position).where(Port.claimed_by == attempt_id)) == 1
        assert [plan.attempt_id for plan in plan_calls(uow, "gw1")[0]] == [attempt_id]


def test_there_are_never_more_calls_than_free_ports(world: World) -> None:
    for last in range(5):
        make_delivery(world.alice, f"86736772100{last}")
    assert dispatch_now() == 2
    assert dispatch_now() == 0


def test_a_number_is_called_once_at_a_time(world: World) -> None:
    make_delivery(world.alice)
    make_delivery(world.bob)
    assert dispatch_now() == 1
    assert dispatch_now() == 0
    finish(SENT_WELL)
    assert dispatch_now() == 1


def test_a_fax_without_a_route_waits_for_one_and_fails_when_none_comes(world: World) -> None:
    with unit_of_work() as uow:
        uow.session.query(Port).delete()
        uow.session.query(factories.Trunk).delete()
        add_trunk(uow, factories.make_trunk("london", prefix="4420"), channels=1)
    uuid = make_delivery(world.alice)
    for _ in range(6):
        assert (delivery_of(uuid).state, delivery_of(uuid).attempts) == (DeliveryState.QUEUED, [])
        factories.make_due(uuid)
        assert dispatch_now() == 0
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (DeliveryState.FAILED, Cause.NO_ROUTE)


def test_a_second_dispatcher_does_nothing_while_the_first_holds_the_lease(world: World) -> None:
    assert dispatch_now("first") == 0
    make_delivery(world.alice)
    assert dispatch_now("second") == 0
    assert dispatch_now("first") == 1


def test_an_attempt_is_claimed_by_one_of_many_who_try_at_once(world: World) -> None:
    make_delivery(world.alice)
    dispatch_now()
    attempt_id = only_attempt()
    won: list[bool] = []

    def try_it() -> None:
        with unit_of_work() as uow:
            won.append(claim_attempts(uow, [attempt_id], "boot") != {})

    _all_at_once([try_it] * 8)
    assert won.count(True) == 1
    with unit_of_work() as uow:
        assert plan_calls(uow, "gw1") == ([], {})
        claim = claims_of(uow, [attempt_id])[attempt_id]
        give_back_attempt(uow, attempt_id, claim - timedelta(seconds=1))
        assert plan_calls(uow, "gw1") == ([], {})
        give_back_attempt(uow, attempt_id, claim)
    with unit_of_work() as uow:
        plans, _ = plan_calls(uow, "gw1")
    assert [plan.attempt_id for plan in plans] == [attempt_id]


def test_ports_are_claimed_once_each_by_many_at_once(world: World) -> None:
    claimed: list[int | None] = []

    def claim(call_id: str) -> Callable[[], None]:
        def run() -> None:
            with unit_of_work() as uow:
                claimed.append(claim_port(uow, world.trunk_id, call_id))

        return run

    _all_at_once([claim(f"call-{number}") for number in range(8)])
    taken = [port for port in claimed if port is not None]
    assert len(taken) == len(set(taken)) == 2
    with reading() as uow:
        assert free_ports(uow) == {}


@pytest.fixture
def calls(world: World) -> list[str]:
    """Four calls that are on the line, oldest first."""
    with unit_of_work() as uow:
        uow.session.add_all(Port(trunk_id=world.trunk_id, position=position) for position in (3, 4))
    for last in range(1, 5):
        make_delivery(world.alice, f"86736772100{last}", pages=2)
    assert dispatch_now() == 4
    with unit_of_work() as uow:
        ids = list(uow.session.scalars(select(Attempt.id).join(Delivery).order_by(Delivery.id)))
        assert set(claim_attempts(uow, ids, "boot")) == set(ids)
    return ids


def test_calls_that_end_in_one_moment_end_each_in_its_own_way(calls: list[str]) -> None:
    sent, busy, ours, cut_off = calls
    by_audio = replace(SENT_WELL, pages=2, mode=telephony.FAXMODE_AUDIO)
    outcomes = {
        cut_off: CallOutcome(answered=True, status_text="The call dropped prematurely", pages=1, rate=14400, seconds=5),
        busy: BUSY,
        sent: by_audio,
        ours: CallOutcome(answered=False, error="FILE_ERROR"),
        "f" * telephony.ATTEMPT_ID_LENGTH: BUSY,
    }
    with unit_of_work() as uow:
        record_answers(uow, [cut_off, sent], actor="test")
    with unit_of_work() as uow:
        assert finish_attempts(uow, outcomes, actor="test") == set(calls)
    with unit_of_work() as uow:
        assert finish_attempts(uow, outcomes, actor="test") == set()
    with reading() as uow:
        ended = {each.id: each for each in uow.session.scalars(select(Attempt).options(joinedload(Attempt.delivery)))}
        learned = {each.identity: each.asked_mode for each in uow.session.scalars(select(Destination))}
        alarms = list(uow.session.scalars(select(Alarm.subject)))
    told = {
        call_id: (each.cause, each.delivery.state, each.delivery.pages_confirmed, each.delivery.tries)
        for call_id, each in ended.items()
    }
    assert told == {
        sent: (Cause.OK, DeliveryState.SENT, 2, 1),
        busy: (Cause.BUSY, DeliveryState.QUEUED, 0, 1),
        ours: (Cause.OUR_FAULT, DeliveryState.QUEUED, 0, 1),
        cut_off: (Cause.DROPPED, DeliveryState.QUEUED, 1, 1),
    }
    assert learned == {"867367721001": telephony.MODE_AUDIO}
    assert alarms == [ours]
    with reading() as uow:
        assert sum(free_ports(uow).values()) == 4
        assert [each.after for each in listing.history(uow, ended[sent].delivery)][-2:] == [
            DeliveryState.SENDING,
            DeliveryState.SENT,
        ]


def test_who_ends_answers_and_claims_the_same_calls_at_once_waits_for_nobody_for_ever(calls: list[str]) -> None:
    """Rows that each takes in an order of its own would be a deadlock."""
    ended: list[set[str]] = []
    there = threading.Barrier(8)

    def finish_some(number: int) -> None:
        there.wait()
        for _ in range(5):
            mixed = random.Random(number).sample(calls, 4)
            with unit_of_work() as uow:
                record_answers(uow, mixed, actor="test")
            with unit_of_work() as uow:
                lock_deliveries(uow, mixed)
                claim_attempts(uow, mixed, "boot")
            with unit_of_work() as uow:
                ended.append(finish_attempts(uow, dict.fromkeys(mixed, SENT_WELL), actor="test"))

    _all_at_once([partial(finish_some, number) for number in range(8)])
    assert len(ended) == 40
    assert sorted(chain.from_iterable(ended)) == sorted(calls)


def test_the_plan_names_the_trunk_the_digits_and_ids_of_safe_characters_only(world: World) -> None:
    uuid = make_delivery(world.bob)
    with unit_of_work() as uow:
        uow.session.query(factories.Delivery).filter_by(uuid=uuid).update({"extension": "80,1"})
    dispatch_now()
    with reading() as uow:
        ((plan,), _) = plan_calls(uow, "gw1")
    assert plan.channel == "PJSIP/7721001@pstn"
    assert plan.caller_id == "7804002"
    assert plan.variables[telephony.DIGITS] == "80ww1"
    assert plan.variables[telephony.SEND_MODE] == telephony.MODE_T38
    assert all(telephony.AMI_VALUE.issuperset(value) for value in plan.variables.values())


def test_a_fax_with_every_page_confirmed_is_sent_and_frees_its_port(world: World) -> None:
    uuid = make_delivery(world.alice)
    dispatch_now()
    with unit_of_work() as uow:
        record_answers(uow, [only_attempt()], actor="test")
    assert finish(SENT_WELL)
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.cause, delivery.pages_confirmed) == (DeliveryState.SENT, Cause.OK, 1)
    assert states_of(uuid)[-3:] == [DeliveryState.DIALING, DeliveryState.SENDING, DeliveryState.SENT]
    with reading() as uow:
        assert free_ports(uow) == {world.trunk_id: 2}


def test_the_end_of_a_call_is_recorded_once(world: World) -> None:
    uuid = make_delivery(world.alice)
    dispatch_now()
    attempt_id = only_attempt()
    with unit_of_work() as uow:
        assert finish_attempt(uow, attempt_id, SENT_WELL, actor="test")
    with unit_of_work() as uow:
        assert not finish_attempt(uow, attempt_id, BUSY, actor="test")
        record_answers(uow, [attempt_id], actor="test")
    assert delivery_of(uuid).state is DeliveryState.SENT


def test_a_busy_line_is_redialled_after_the_interval_and_as_often_as_the_parameter_says(world: World) -> None:
    set_retries(1)
    uuid = make_delivery(world.alice)
    dispatch_now()
    before = datetime.now(UTC)
    finish(BUSY)
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.cause, delivery.tries) == (DeliveryState.QUEUED, Cause.BUSY, 1)
    assert delivery.next_try_at is not None
    assert 89 <= (delivery.next_try_at - before).total_seconds() <= 95
    assert dispatch_now() == 0
    _make_due(uuid)
    assert dispatch_now() == 1
    finish(BUSY)
    assert delivery_of(uuid).state is DeliveryState.FAILED


def test_an_unallocated_number_is_never_called_again(world: World) -> None:
    uuid = make_delivery(world.alice)
    dispatch_now()
    finish(CallOutcome(answered=False, hangup_cause=1))
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (DeliveryState.FAILED, Cause.UNALLOCATED)


def test_a_line_taken_by_an_incoming_call_costs_no_try(world: World) -> None:
    uuid = make_delivery(world.alice)
    dispatch_now()
    finish(CallOutcome(answered=False, hangup_cause=44))
    assert (delivery_of(uuid).state, delivery_of(uuid).tries) == (DeliveryState.QUEUED, 0)


def test_the_next_try_begins_with_the_first_unconfirmed_page_and_the_rest_ends_partial(world: World) -> None:
    set_retries(1)
    uuid = make_delivery(world.alice, pages=3)
    dispatch_now()
    dropped = CallOutcome(answered=True, status_text="The call dropped prematurely", pages=1, rate=14400, seconds=20)
    finish(dropped)
    _make_due(uuid)
    dispatch_now()
    with reading() as uow:
        ((plan,), _) = plan_calls(uow, "gw1")
    assert plan.first_page == 2
    finish(CallOutcome(answered=True, status_text="The call dropped prematurely", pages=0, rate=14400, seconds=5))
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.pages_confirmed, delivery.pages) == (DeliveryState.PARTIAL, 1, 3)


def test_a_call_that_died_with_its_asterisk_is_unknown_and_never_redialled(world: World) -> None:
    uuid = make_delivery(world.alice)
    dispatch_now()
    finish(CallOutcome(answered=True, died=True))
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (DeliveryState.UNKNOWN, Cause.CALL_LOST)


def test_a_waiting_fax_is_cancelled_at_once_and_an_ended_one_says_so(world: World) -> None:
    uuid = make_delivery(world.bob)
    item = _item_of(world, uuid)
    with unit_of_work() as uow:
        assert cancel(uow, world.bob, item) is DeliveryState.CANCELLED
    with pytest.raises(AlreadyEnded), unit_of_work() as uow:
        cancel(uow, world.bob, item)


def test_a_cancel_on_the_line_loses_against_a_confirmed_result_and_wins_over_another_try(world: World) -> None:
    for outcome, after in ((SENT_WELL, DeliveryState.SENT), (BUSY, DeliveryState.CANCELLED)):
        uuid = make_delivery(world.bob)
        dispatch_now()
        with unit_of_work() as uow:
            assert claim_attempts(uow, [only_attempt()], "boot")
        with unit_of_work() as uow:
            assert cancel(uow, world.bob, _item_of(world, uuid)) is DeliveryState.DIALING
        finish(outcome)
        assert delivery_of(uuid).state is after


def test_a_call_that_was_taken_back_says_so_and_two_clicks_are_one_act(world: World) -> None:
    uuid = make_delivery(world.bob)
    dispatch_now()
    attempt_id = only_attempt()
    with unit_of_work() as uow:
        claim_attempts(uow, [attempt_id], "boot")
    for _ in range(2):
        with unit_of_work() as uow:
            cancel(uow, world.bob, _item_of(world, uuid))
    finish(CallOutcome(answered=False, hangup_cause=16))
    (attempt,) = delivery_of(uuid).attempts
    assert attempt.cause is Cause.CANCELLED
    with reading() as uow:
        delivery = uow.session.query(Delivery).filter(Delivery.uuid == uuid).one()
        reasons = [change.reason for change in uow.session.query(StateChange).filter_by(delivery_id=delivery.id)]
    assert reasons.count(Act.CANCEL_ASKED) == 1
    assert reasons[-1] == ""


def test_a_cancel_before_the_call_is_placed_ends_the_fax_at_once_and_frees_its_port(world: World) -> None:
    uuid = make_delivery(world.bob)
    dispatch_now()
    attempt_id = only_attempt()
    with unit_of_work() as uow:
        assert cancel(uow, world.bob, _item_of(world, uuid)) is DeliveryState.CANCELLED
    with unit_of_work() as uow:
        assert not claim_attempts(uow, [attempt_id], "boot")
        assert free_ports(uow) == {world.trunk_id: 2}
    assert (delivery_of(uuid).cause, delivery_of(uuid).tries) == (Cause.CANCELLED, 0)


def test_a_cancel_and_the_end_of_an_unplaced_call_at_one_moment_wait_for_each_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is second finds it done: neither may be ended by the database as one of two that wait in a circle."""
    uuid = make_delivery(world.bob)
    dispatch_now()
    attempt_id, item = only_attempt(), _item_of(world, uuid)
    cancelling = threading.Event()
    failures: list[Exception] = []

    def look_and_pause(delivery: factories.Delivery) -> Attempt | None:
        cancelling.set()
        # Time for the other to take what it can.
        time.sleep(0.5)
        return listing.open_attempt(delivery)

    def take_back() -> None:
        with unit_of_work() as uow:
            cancel(uow, world.bob, item)

    def end() -> None:
        cancelling.wait(10)
        with unit_of_work() as uow:
            finish_attempt(uow, attempt_id, CallOutcome(answered=False), actor="bridge", unless_placed=True)

    def caught(act: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                act()
            except OperationalError as failure:
                failures.append(failure)

        return run

    monkeypatch.setattr(cancel_module, "open_attempt", look_and_pause)
    _all_at_once([caught(take_back), caught(end)])
    assert failures == []
    assert delivery_of(uuid).state is DeliveryState.CANCELLED


def test_nobody_sees_or_cancels_another_ones_fax_but_the_administrators(world: World) -> None:
    item = _item_of(world, make_delivery(world.alice))
    with reading() as uow, pytest.raises(NotFound):
        listing.get_item(uow, world.bob, item)
    with unit_of_work() as uow, pytest.raises(NotFound):
        cancel(uow, world.bob, item)
    with reading() as uow:
        assert listing.get_item(uow, world.admin, item).uuid == item
        assert listing.send_queue(uow, world.bob).total == 0
        assert listing.send_queue(uow, world.admin).total == 1


def test_an_impossible_step_is_refused_by_the_table(world: World) -> None:
    uuid = make_delivery(world.alice)
    with pytest.raises(ImpossibleStep), unit_of_work() as uow:
        delivery = uow.session.query(factories.Delivery).filter_by(uuid=uuid).one()
        change_state(uow, delivery, DeliveryState.SENDING, actor="test")


# --- Inbound ---

CALL = InboundCall(
    "6b1f6f3e-0000-4000-8000-000000000001", "gw1", "pstn", "PJSIP/pstn-1", "1795492400.1", "07367721003", "07367804002"
)
GOOD = InboundResult(True, "OK", 2, 14400, "T38", "+86 736 7721003", 40, datetime.now(UTC))


def test_a_call_to_a_users_number_is_accepted_and_becomes_his(world: World) -> None:
    with unit_of_work() as uow:
        assert decide(uow, CALL) == telephony.DECISION_ACCEPT
    with reading() as uow:
        (receiving,) = listing.receive_queue(uow, world.bob)
        assert (receiving.caller, receiving.called) == ("867367721003", "867367804002")
        assert free_ports(uow) == {world.trunk_id: 1}


@pytest.mark.parametrize("called", ["7804002", "07367804002", "867367804002", "+867367804002", "00867367804002"])
def test_every_spelling_of_a_number_finds_its_owner(world: World, called: str) -> None:
    with unit_of_work() as uow:
        assert decide(uow, _call(called=called)) == telephony.DECISION_ACCEPT
    with reading() as uow:
        assert uow.session.scalar(select(Reception.user_id)) == world.bob.user_id


def test_an_unowned_number_of_ours_goes_to_the_operator_and_a_foreign_one_is_refused(world: World) -> None:
    with unit_of_work() as uow:
        assert decide(uow, _call(called="7804077")) == telephony.DECISION_ACCEPT
        assert decide(uow, _call("2", called="7999999")) == telephony.DECISION_UNALLOCATED
        assert decide(uow, _call("3", called="")) == telephony.DECISION_UNALLOCATED
    with reading() as uow:
        assert uow.session.scalar(select(Reception.user_id)) == world.alice.user_id


def test_a_range_without_an_operator_refuses_its_unowned_numbers(world: World) -> None:
    with unit_of_work() as uow:
        uow.session.query(NumberRange).update({"operator_id": None})
    with unit_of_work() as uow:
        assert decide(uow, _call(called="7804077")) == telephony.DECISION_UNALLOCATED


def test_a_call_without_a_free_port_or_below_the_disk_reserve_is_refused_before_the_answer(world: World) -> None:
    with unit_of_work() as uow:
        assert decide(uow, _call("1")) == telephony.DECISION_ACCEPT
        assert decide(uow, _call("2")) == telephony.DECISION_ACCEPT
        assert decide(uow, _call("3")) == telephony.DECISION_CONGESTION
        uow.session.query(Port).update({"claimed_by": None})
        set_param(uow, "disk_reserve", "1000000", by="test")
        assert decide(uow, _call("4")) == telephony.DECISION_CONGESTION


def test_a_received_fax_is_in_its_owners_inbox_once(world: World) -> None:
    with unit_of_work() as uow:
        decide(uow, CALL)
    with unit_of_work() as uow:
        assert record_reception(uow, CALL, GOOD, _file(), 2) is not None
    with unit_of_work() as uow:
        assert record_reception(uow, CALL, GOOD, _file("b"), 2) is None
    with reading() as uow:
        (item,) = listing.mailbox(uow, world.bob, Direction.IN).rows
        assert item.reception is not None
        assert (item.reception.state, item.reception.pages) == (ReceptionState.RECEIVED, 2)
        assert listing.unread(uow, world.bob) == 1
        assert free_ports(uow) == {world.trunk_id: 2}


def test_a_fax_that_came_while_agi_was_gone_still_finds_its_owner(world: World) -> None:
    with unit_of_work() as uow:
        record_reception(uow, CALL, GOOD, _file(), 2)
        record_reception(uow, _call("9", called="123"), GOOD, _file("b"), 2)
    with reading() as uow:
        assert listing.mailbox(uow, world.bob, Direction.IN).total == 1
        assert listing.mailbox(uow, world.admin, Direction.IN).total == 1


@pytest.mark.parametrize(
    ("success", "confirmed", "pages", "state"),
    [
        (True, 2, 2, ReceptionState.RECEIVED),
        (False, 1, 1, ReceptionState.PARTIAL),
        (True, 4, 1, ReceptionState.PARTIAL),
        (True, 0, 0, ReceptionState.EMPTY),
    ],
)
def test_the_state_of_a_reception_goes_by_the_pages_on_disk(
    world: World, success: bool, confirmed: int, pages: int, state: ReceptionState
) -> None:
    result = InboundResult(success, "", confirmed, 14400, "T38", "", 9, datetime.now(UTC))
    with unit_of_work() as uow:
        reception = record_reception(uow, CALL, result, _file() if pages else None, pages)
        assert reception is not None
        assert reception.state is state
    with reading() as uow:
        assert uow.session.scalar(select(func.count(MailboxItem.id))) == (1 if pages else 0)


def _call(suffix: str = "1", *, called: str = "07367804002") -> InboundCall:
    return InboundCall(
        f"6b1f6f3e-0000-4000-8000-00000000000{suffix}", "gw1", "pstn", "PJSIP/x", "1.1", "7721003", called
    )


def _file(key: str = "a") -> Stored:
    return Stored(key=key * 36, size=10, sha256="0" * 64)


def _item_of(world: World, delivery_uuid: str) -> str:
    with reading() as uow:
        items = listing.send_queue(uow, world.admin).rows
        return next(item.uuid for item in items if item.delivery and item.delivery.uuid == delivery_uuid)


def _make_due(uuid: str) -> None:
    with unit_of_work() as uow:
        uow.session.query(factories.Delivery).filter_by(uuid=uuid).update({"next_try_at": datetime.now(UTC)})


def _all_at_once(acts: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
