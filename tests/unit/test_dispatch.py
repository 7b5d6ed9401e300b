"""The dispatcher's round: who may, what it begins and ends, where and how it calls; on SQLite and PostgreSQL."""

import statistics
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import Engine, event, insert, select, update

from netfax import alarms, boot
from netfax.db import UnitOfWork, engine, now, reading, unit_of_work
from netfax.faxes import dispatch as dispatch_module
from netfax.faxes.dial import claim_attempts, plan_calls
from netfax.faxes.dispatch import LEASE, MOST_CALLS, MOST_INSIDE, MOST_ROWS, Dispatcher, Round, is_within
from netfax.faxes.finish import finish_attempt
from netfax.faxes.models import Attempt, Delivery, Destination, Priority
from netfax.faxes.results import CallOutcome, Cause
from netfax.faxes.retry import MEMORY, USUAL, CallParameters
from netfax.faxes.states import DeliveryState
from netfax.faxes.waiting import OnTheLine
from netfax.lease import LEASE_SECONDS, Lease, bridge_lease, hold_lease, let_go
from netfax.lines.models import Port, Trunk
from netfax.lines.service import add_trunk, claim_port, free_ports, release_ports, remove_trunk
from netfax.params.service import set_param
from netfax.telephony import MODE_AUDIO, MODE_T38, SEND_MODE
from tests.factories import (
    World,
    call_ends,
    delivery_of,
    dispatch_now,
    make_delivery,
    make_due,
    make_trunk,
    make_world,
    only_attempt,
)

S = DeliveryState
FAR = "867367721001"
BUSY = CallOutcome(answered=False, hangup_cause=17)
CONGESTED = CallOutcome(answered=False, hangup_cause=34)
REFUSED_MEDIA = CallOutcome(answered=False, hangup_cause=88)
NO_TRAINING = CallOutcome(answered=True, status_text="Failed to train with any of the compatible modems", seconds=20)
DROPPED = CallOutcome(
    answered=True, status_text="The call dropped prematurely", pages=1, rate=14400, seconds=9, resolution="8031x7700"
)
WELL = CallOutcome(
    answered=True, fax_status="SUCCESS", status_text="OK", pages=9, rate=14400, mode="T38", seconds=60, resolution="1x1"
)


@pytest.fixture
def world(database: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("netfax.db.send", lambda *_: True)
    return make_world()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    """Time that passes; a test that moves the clock alone says so with `no_time_passes`."""
    monkeypatch.setattr(boot, "uptime", lambda: now().timestamp())
    with time_machine.travel(datetime(2026, 3, 2, 8, 0, tzinfo=UTC), tick=True) as traveller:
        yield traveller


def round_of(dispatcher: Dispatcher) -> Round:
    with unit_of_work() as uow:
        return dispatcher.round(uow)


def fence() -> int:
    with reading() as uow:
        return uow.session.scalars(select(Lease.fence).where(Lease.name == LEASE)).one()


def last_attempt(uuid: str) -> Attempt:
    return delivery_of(uuid).attempts[-1]


def set_value(name: str, value: str) -> None:
    with unit_of_work() as uow:
        set_param(uow, name, value, by="test")


def second_trunk(**facts: object) -> int:
    with unit_of_work() as uow:
        return add_trunk(uow, make_trunk("second", **facts), channels=2).id


# --- Who dispatches ---


def test_another_takes_over_after_the_lease_ends_with_a_higher_fence_and_all_that_waited(
    clock: time_machine.Traveller, world: World
) -> None:
    first, second = Dispatcher("first"), Dispatcher("second")
    for number in range(4):
        make_delivery(world.alice, f"{FAR}{number}")
    assert round_of(first).calls == 2
    assert round_of(second) == Round()
    before = fence()
    clock.shift(timedelta(seconds=LEASE_SECONDS + 1))
    with unit_of_work() as uow:
        uow.session.execute(update(Port).values(claimed_by=None))
    assert round_of(second).calls == 2
    assert fence() > before
    assert round_of(first) == Round()


def test_two_dispatchers_at_one_moment_call_a_number_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a fax to it in mind; the old one begins when the new one has seen nobody on the line to it."""
    old, new = Dispatcher("old"), Dispatcher("new")
    set_value("calling_hours", "00:00-00:01")
    make_delivery(world.alice)
    round_of(old)
    with unit_of_work() as uow:
        old.let_go(uow)
    make_delivery(world.alice)
    round_of(new)
    set_value("calling_hours", "00:00-24:00")
    looked, old_done = threading.Event(), threading.Event()
    look = dispatch_module._on_the_line

    def look_and_pause(uow: UnitOfWork) -> OnTheLine:
        line = look(uow)
        if not looked.is_set():
            looked.set()
            # In vain where the old one waits for the lease.
            old_done.wait(1)
        return line

    def round_of_old() -> None:
        looked.wait(10)
        round_of(old)
        old_done.set()

    monkeypatch.setattr(dispatch_module, "_on_the_line", look_and_pause)
    thread = threading.Thread(target=round_of_old)
    thread.start()
    assert round_of(new).calls == 1
    thread.join()
    with reading() as uow:
        assert uow.session.query(Attempt).count() == 1


def test_who_comes_back_after_another_had_the_lease_begins_anew(clock: time_machine.Traveller, world: World) -> None:
    first, second = Dispatcher("first"), Dispatcher("second")
    set_value("calling_hours", "00:00-00:01")
    uuid = make_delivery(world.alice)
    round_of(first)
    clock.shift(timedelta(seconds=LEASE_SECONDS + 1))
    round_of(second)
    clock.shift(timedelta(seconds=LEASE_SECONDS + 1))
    set_value("calling_hours", "00:00-24:00")
    assert round_of(first).calls == 1
    assert delivery_of(uuid).state is S.DIALING


def test_the_next_begins_at_once_where_the_lease_was_let_go(world: World) -> None:
    first, second = Dispatcher("first"), Dispatcher("second")
    round_of(first)
    make_delivery(world.alice)
    with unit_of_work() as uow:
        first.let_go(uow)
    assert round_of(second).calls == 1


def test_a_lease_from_before_the_clock_was_set_back_is_taken(clock: time_machine.Traveller, world: World) -> None:
    clock.shift(timedelta(days=1))
    round_of(Dispatcher("first"))
    make_delivery(world.alice, next_try_at=now() - timedelta(days=2))
    clock.shift(-timedelta(days=1))
    assert round_of(Dispatcher("second")).calls == 1


def test_nothing_is_lost_with_a_transaction_that_failed(world: World) -> None:
    dispatcher = Dispatcher("first")
    uuid = make_delivery(world.alice)
    with pytest.raises(ZeroDivisionError), unit_of_work() as uow:
        assert dispatcher.round(uow).calls == 1
        raise ZeroDivisionError
    dispatcher.forget()
    assert delivery_of(uuid).state is S.QUEUED
    assert round_of(dispatcher).calls == 1
    assert len(delivery_of(uuid).attempts) == 1


# --- What it begins and ends ---


def test_a_planned_fax_begins_at_its_time_and_not_before(clock: time_machine.Traveller, world: World) -> None:
    at = now() + timedelta(hours=1)
    uuid = make_delivery(world.alice, state=S.SCHEDULED, planned_at=at, next_try_at=at)
    dispatcher = Dispatcher("first")
    clock.shift(timedelta(minutes=59))
    assert round_of(dispatcher).calls == 0
    assert delivery_of(uuid).state is S.SCHEDULED
    clock.shift(timedelta(minutes=1))
    assert round_of(dispatcher).calls == 1


@pytest.mark.parametrize("state", [S.QUEUED, S.SCHEDULED])
@pytest.mark.parametrize(("confirmed", "after"), [(0, S.FAILED), (1, S.PARTIAL)])
def test_a_fax_that_could_not_be_sent_in_its_time_ends(
    world: World, state: DeliveryState, confirmed: int, after: DeliveryState
) -> None:
    times = {"next_try_at": now() + timedelta(hours=1), "expires_at": now() - timedelta(seconds=1)}
    uuid = make_delivery(world.alice, pages=3, state=state, pages_confirmed=confirmed, **times)
    assert dispatch_now() == 0
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.cause, delivery.next_try_at) == (after, Cause.EXPIRED, None)


def test_a_held_fax_does_not_expire(world: World) -> None:
    uuid = make_delivery(world.alice, state=S.HELD, next_try_at=None, expires_at=now() - timedelta(days=1))
    dispatch_now()
    assert delivery_of(uuid).state is S.HELD


def test_a_fax_with_a_number_of_ours_is_given_to_inside_and_gets_no_port(world: World) -> None:
    uuid = make_delivery(world.alice, "867367804002")
    # In a range of ours, though nobody owns it.
    other = make_delivery(world.alice, "867367804055")
    done = round_of(Dispatcher("first"))
    assert (done.calls, sorted(done.inside)) == (0, sorted(delivery_of(each).id for each in (uuid, other)))
    with reading() as uow:
        assert free_ports(uow) == {world.trunk_id: 2}


def test_more_than_a_rounds_rows_are_taken_in_by_the_next_rounds(world: World) -> None:
    bulk(world, MOST_ROWS + 1)
    dispatcher = Dispatcher("first")
    assert round_of(dispatcher).more
    assert not round_of(dispatcher).more
    with reading() as uow:
        assert uow.session.query(Delivery).filter(Delivery.state == S.QUEUED, ~Delivery.admitted).count() == 0


# --- Where it calls ---


def test_a_trunk_that_is_added_or_removed_changes_the_way_of_what_waits_already(world: World) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Port).values(claimed_by="somebody"))
    uuid = make_delivery(world.alice)
    dispatcher = Dispatcher("first")
    assert round_of(dispatcher).calls == 0
    second = second_trunk()
    assert round_of(dispatcher).calls == 1
    assert last_attempt(uuid).trunk_id == second


def test_a_fax_whose_only_trunk_is_removed_while_it_waits_goes_over_the_next_that_is_added(world: World) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Port).values(claimed_by="somebody"))
    uuid = make_delivery(world.alice)
    dispatcher = Dispatcher("first")
    round_of(dispatcher)
    with unit_of_work() as uow:
        release_ports(uow, ["somebody"])
        remove_trunk(uow, "pstn")
    round_of(dispatcher)
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (S.QUEUED, Cause.NO_ROUTE)
    second_trunk()
    make_due(uuid)
    assert round_of(dispatcher).calls == 1


def test_a_fax_that_was_planned_for_a_moment_without_a_trunk_is_taken_in_again_at_its_next_try(world: World) -> None:
    uuid = make_delivery(world.alice, state=S.SCHEDULED, next_try_at=now() - timedelta(seconds=1))
    with unit_of_work() as uow:
        remove_trunk(uow, "pstn")
    round_of(Dispatcher("first"))
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (S.QUEUED, Cause.NO_ROUTE)
    assert not delivery_of(uuid).admitted


def test_many_faxes_without_a_trunk_are_read_together(world: World) -> None:
    with unit_of_work() as uow:
        remove_trunk(uow, "pstn")

    def questions_of_a_round(faxes: int) -> int:
        for _ in range(faxes):
            make_delivery(world.alice)
        statements: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            statements.append(statement)

        event.listen(engine(), "before_cursor_execute", note)
        round_of(Dispatcher("first"))
        event.remove(engine(), "before_cursor_execute", note)
        return sum(statement.startswith("SELECT") for statement in statements)

    # The first round of all asks for what is not there yet.
    questions_of_a_round(1)
    few = questions_of_a_round(3)
    assert questions_of_a_round(60) == few


def test_a_fax_that_never_gets_a_route_again_keeps_what_was_confirmed(world: World) -> None:
    uuid = make_delivery(world.alice, pages=3, pages_confirmed=1)
    with unit_of_work() as uow:
        remove_trunk(uow, "pstn")
    for _ in range(6):
        make_due(uuid)
        dispatch_now()
    assert (delivery_of(uuid).state, delivery_of(uuid).pages_confirmed) == (S.PARTIAL, 1)


def test_a_gateway_whose_bridge_has_gone_is_given_no_calls(world: World) -> None:
    uuid = make_delivery(world.alice)
    with unit_of_work() as uow:
        hold_lease(uow, bridge_lease("gw1"), "bridge")
        let_go(uow, bridge_lease("gw1"), "bridge")
    dispatcher = Dispatcher("first")
    assert round_of(dispatcher) == Round()
    assert delivery_of(uuid).state is S.QUEUED
    with unit_of_work() as uow:
        hold_lease(uow, bridge_lease("gw1"), "bridge")
    assert round_of(dispatcher).calls == 1


def test_a_trunk_that_failed_is_tried_again_where_the_other_ones_gateway_is_silent(
    clock: time_machine.Traveller, world: World
) -> None:
    uuid = make_delivery(world.alice)
    with unit_of_work() as uow:
        add_trunk(uow, make_trunk("far", gateway="gw2", position=200), channels=1)
        hold_lease(uow, bridge_lease("gw2"), "bridge")
        let_go(uow, bridge_lease("gw2"), "bridge")
    dispatcher = Dispatcher("first")
    assert round_of(dispatcher).calls == 1
    fails(only_attempt())
    # Not at once: there is no other. Then by the same, however long the other is gone.
    assert round_of(dispatcher).calls == 0
    clock.shift(timedelta(seconds=181))
    assert round_of(dispatcher).calls == 1
    assert [call.trunk_id for call in delivery_of(uuid).attempts] == [world.trunk_id, world.trunk_id]


def test_a_trunk_whose_gateway_falls_silent_after_the_other_failed_keeps_no_fax(world: World) -> None:
    uuid = make_delivery(world.alice)
    with unit_of_work() as uow:
        add_trunk(uow, make_trunk("far", gateway="gw2", position=200), channels=1)
        hold_lease(uow, bridge_lease("gw2"), "bridge")
    dispatcher = Dispatcher("first")
    assert round_of(dispatcher).calls == 1
    fails(only_attempt())
    with unit_of_work() as uow:
        let_go(uow, bridge_lease("gw2"), "bridge")
    assert round_of(dispatcher).calls == 1
    assert [call.trunk_id for call in delivery_of(uuid).attempts] == [world.trunk_id, world.trunk_id]


def fails(attempt_id: str) -> None:
    with unit_of_work() as uow:
        assert claim_attempts(uow, [attempt_id], "boot")
        assert finish_attempt(uow, attempt_id, CallOutcome(answered=False, hangup_cause=34), actor="test")


@pytest.fixture
def no_time_passes(clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
    uptime = boot.uptime()
    monkeypatch.setattr(boot, "uptime", lambda: uptime)


@pytest.mark.usefixtures("no_time_passes")
def test_a_moved_clock_is_not_forgotten_with_a_round_that_failed(clock: time_machine.Traveller, world: World) -> None:
    set_value("calling_hours", "00:00-00:01")
    uuid = make_delivery(world.alice, expires_at=now() + timedelta(hours=2))
    dispatcher = Dispatcher("first")
    round_of(dispatcher)
    clock.shift(timedelta(days=1))
    with pytest.raises(ZeroDivisionError), unit_of_work() as uow:
        dispatcher.round(uow)
        raise ZeroDivisionError
    dispatcher.forget()
    for _ in range(2):
        round_of(dispatcher)
    assert delivery_of(uuid).state is S.QUEUED
    assert abs(delivery_of(uuid).expires_at - now() - timedelta(hours=2)) < timedelta(minutes=1)


@pytest.mark.usefixtures("no_time_passes")
@pytest.mark.parametrize("step", [timedelta(days=1), -timedelta(days=1)])
def test_no_fax_expires_by_a_clock_that_was_moved(
    clock: time_machine.Traveller, world: World, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    set_value("calling_hours", "00:00-00:01")
    uuid = make_delivery(world.alice, expires_at=now() + timedelta(hours=2))
    round_of(Dispatcher("first"))
    clock.shift(step)
    # While none was there to see it.
    dispatcher, other = Dispatcher("next"), Dispatcher("other")
    for each in (dispatcher, other):
        round_of(each)
    with unit_of_work() as uow:
        dispatcher.let_go(uow)
    # Who takes over moves nothing again.
    round_of(other)
    with unit_of_work() as uow:
        other.let_go(uow)
    assert delivery_of(uuid).state is S.QUEUED
    assert abs(delivery_of(uuid).expires_at - now() - timedelta(hours=2)) < timedelta(minutes=1)
    clock.shift(timedelta(hours=2, minutes=1))
    uptime = boot.uptime() + 7260
    monkeypatch.setattr(boot, "uptime", lambda: uptime)
    round_of(dispatcher)
    assert delivery_of(uuid).state is S.FAILED


@pytest.mark.usefixtures("no_time_passes")
def test_a_clock_that_was_set_back_ends_nothing_that_is_planned_or_was_accepted_since(
    clock: time_machine.Traveller, world: World
) -> None:
    set_value("calling_hours", "00:00-00:01")
    round_of(Dispatcher("first"))
    at = now() + timedelta(hours=6)
    ends = at + timedelta(hours=12)
    planned = make_delivery(world.alice, state=S.SCHEDULED, planned_at=at, next_try_at=at, expires_at=ends)
    clock.shift(-timedelta(days=1))
    new_ends = now() + timedelta(hours=2)
    new = make_delivery(world.alice, expires_at=new_ends)
    with unit_of_work() as uow:
        let_go(uow, LEASE, "first")
    round_of(Dispatcher("second"))
    assert (delivery_of(planned).state, delivery_of(planned).expires_at) == (S.SCHEDULED, ends)
    assert (delivery_of(new).state, delivery_of(new).expires_at) == (S.QUEUED, new_ends)


@pytest.mark.usefixtures("no_time_passes")
def test_the_clock_of_another_start_of_the_machine_says_nothing(
    clock: time_machine.Traveller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = make_delivery(world.alice, expires_at=now() + timedelta(hours=2))
    set_value("calling_hours", "00:00-00:01")
    round_of(Dispatcher("first"))
    monkeypatch.setattr(boot, "boot_id", lambda: "another")
    clock.shift(timedelta(days=1))
    with unit_of_work() as uow:
        let_go(uow, LEASE, "first")
    round_of(Dispatcher("second"))
    # Nobody knows whether the machine was off for a day.
    assert delivery_of(uuid).state is S.FAILED


def test_many_faxes_to_numbers_of_ours_keep_no_call_waiting_and_users_take_turns(world: World) -> None:
    ours = [make_delivery(world.alice, "867367804002") for _ in range(MOST_INSIDE + 3)]
    theirs, call = make_delivery(world.bob, "867367804001"), make_delivery(world.alice)
    dispatcher = Dispatcher("first")
    done = round_of(dispatcher)
    assert (done.calls, len(done.inside), done.more) == (1, MOST_INSIDE, True)
    assert delivery_of(call).state is S.DIALING
    assert delivery_of(theirs).id in done.inside[:2]
    rest = round_of(dispatcher)
    assert (len(rest.inside), rest.more) == (4, False)
    assert sorted([*done.inside, *rest.inside]) == sorted(delivery_of(uuid).id for uuid in [*ours, theirs])


@pytest.mark.parametrize(("maximum", "calls"), [(None, 4), (4, 4), (3, 3), (1, 1), (0, 0)])
def test_calls_out_leave_the_ports_of_a_trunk_that_are_kept_for_calls_in(
    world: World, maximum: int | None, calls: int
) -> None:
    with unit_of_work() as uow:
        add_trunk(uow, make_trunk("wide", position=1, prefix="86736772", max_out=maximum), channels=4)
        remove_trunk(uow, "pstn")
    for number in range(6):
        make_delivery(world.alice, f"{FAR}{number}")
    dispatcher = Dispatcher("first")
    assert [round_of(dispatcher).calls for _ in range(2)] == [calls, 0]


def test_calls_in_do_not_count_as_calls_out(world: World) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Trunk).values(max_out=1))
        claim_port(uow, world.trunk_id, "a call in")
    make_delivery(world.alice)
    assert dispatch_now() == 1


def test_congestion_is_tried_on_another_trunk_at_once_and_costs_no_try_of_the_budget(world: World) -> None:
    second = second_trunk(position=200)
    uuid = make_delivery(world.alice)
    dispatch_now()
    assert last_attempt(uuid).trunk_id == world.trunk_id
    call_ends(CONGESTED)
    assert dispatch_now() == 1
    assert last_attempt(uuid).trunk_id == second
    delivery = delivery_of(uuid)
    assert (delivery.tries, delivery.free_tries, delivery.avoid) == (1, 0, [world.trunk_id])


def test_a_busy_number_is_never_tried_on_another_trunk_at_once(world: World) -> None:
    second_trunk(position=200)
    uuid = make_delivery(world.alice)
    dispatch_now()
    call_ends(BUSY)
    assert dispatch_now() == 0
    make_due(uuid)
    dispatch_now()
    assert last_attempt(uuid).trunk_id == world.trunk_id


def test_when_every_trunk_has_failed_there_is_a_pause_and_all_are_tried_again(
    clock: time_machine.Traveller, world: World
) -> None:
    second = second_trunk(position=200)
    uuid = make_delivery(world.alice)
    for _ in range(2):
        assert dispatch_now() == 1
        call_ends(CONGESTED)
    delivery = delivery_of(uuid)
    assert (delivery.avoid, delivery.tries, delivery.free_tries) == ([], 2, 1)
    assert delivery.next_try_at is not None
    assert 175 <= (delivery.next_try_at - now()).total_seconds() <= 180
    assert dispatch_now() == 0
    clock.shift(timedelta(seconds=180))
    for _ in range(2):
        assert dispatch_now() == 1
        call_ends(CONGESTED)
    assert [each.trunk_id for each in delivery_of(uuid).attempts] == [world.trunk_id, second] * 2


def test_a_troubled_trunk_is_taken_last_for_a_minute_by_every_fax(clock: time_machine.Traveller, world: World) -> None:
    second = second_trunk(position=200)
    first_fax = make_delivery(world.alice)
    dispatch_now()
    call_ends(CONGESTED)
    other_fax = make_delivery(world.bob, f"{FAR}9")
    dispatch_now()
    assert {last_attempt(each).trunk_id for each in (first_fax, other_fax)} == {second}
    clock.shift(timedelta(seconds=61))
    later_fax = make_delivery(world.bob, f"{FAR}8")
    dispatch_now()
    assert last_attempt(later_fax).trunk_id == world.trunk_id


def test_a_trunk_for_calls_in_alone_is_no_other_trunk_for_a_call_out(world: World) -> None:
    second_trunk(position=200, max_out=0)
    uuid = make_delivery(world.alice)
    dispatch_now()
    call_ends(CONGESTED)
    make_due(uuid)
    assert dispatch_now() == 1
    assert last_attempt(uuid).trunk_id == world.trunk_id


# --- When it calls ---


@pytest.mark.parametrize(
    ("span", "clock_time", "within"),
    [
        ("00:00-24:00", "00:00", True),
        ("00:00-24:00", "23:59", True),
        ("08:00-20:00", "07:59", False),
        ("08:00-20:00", "08:00", True),
        ("08:00-20:00", "19:59", True),
        ("08:00-20:00", "20:00", False),
        ("20:00-06:00", "19:59", False),
        ("20:00-06:00", "20:00", True),
        ("20:00-06:00", "23:59", True),
        ("20:00-06:00", "00:00", True),
        ("20:00-06:00", "05:59", True),
        ("20:00-06:00", "06:00", False),
        ("22:00-24:00", "23:59", True),
        ("22:00-24:00", "00:00", False),
        ("22:00-00:00", "23:59", True),
        ("22:00-00:00", "00:00", False),
    ],
)
def test_calling_hours_are_a_span_of_the_day_or_a_night(span: str, clock_time: str, within: bool) -> None:
    at = datetime.fromisoformat(f"2026-03-02T{clock_time}:00+08:00")
    assert is_within(span, at, "Asia/Shanghai") is within
    assert is_within(span, at.astimezone(UTC), "Asia/Shanghai") is within


def test_calling_hours_are_meant_in_the_zone_of_the_system_also_in_summer() -> None:
    winter, summer = datetime(2026, 1, 5, 7, 30, tzinfo=UTC), datetime(2026, 7, 6, 7, 30, tzinfo=UTC)
    assert not is_within("09:00-17:00", winter, "Europe/Berlin")
    assert is_within("09:00-17:00", summer, "Europe/Berlin")


def test_outside_the_calling_hours_nothing_is_called_and_all_waits(clock: time_machine.Traveller, world: World) -> None:
    # The clock says 16:00 in Shanghai.
    set_value("calling_hours", "18:00-20:00")
    uuid = make_delivery(world.alice)
    dispatcher = Dispatcher("first")
    assert round_of(dispatcher).calls == 0
    assert delivery_of(uuid).state is S.QUEUED
    clock.shift(timedelta(hours=2))
    assert round_of(dispatcher).calls == 1


def test_below_the_disk_reserve_nothing_is_called_and_one_alarm_is_open_until_there_is_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 100
    monkeypatch.setattr(dispatch_module, "free_megabytes", lambda: free)
    make_delivery(world.alice)
    dispatcher = Dispatcher("first")
    assert [round_of(dispatcher).calls for _ in range(2)] == [0, 0]
    with reading() as uow:
        assert [alarm.code for alarm in alarms.open_alarms(uow)] == [alarms.DISK_RESERVE]
    free = 200
    assert round_of(dispatcher).calls == 1
    with reading() as uow:
        assert alarms.open_alarms(uow) == []


# --- How it calls ---


def parameters_of(uuid: str) -> CallParameters:
    attempt = last_attempt(uuid)
    return CallParameters(attempt.asked_mode, attempt.modem, attempt.ecm, attempt.fine)


def remember(learned_at: datetime) -> CallParameters:
    with unit_of_work() as uow:
        uow.session.add(
            Destination(identity=FAR, asked_mode=MODE_AUDIO, modem="v29", ecm=False, fine=True, learned_at=learned_at)
        )
    return CallParameters(MODE_AUDIO, "v29", ecm=False)


def test_the_first_call_to_a_number_is_made_as_usual(world: World) -> None:
    uuid = make_delivery(world.alice)
    dispatch_now()
    assert parameters_of(uuid) == USUAL


def test_a_call_is_made_as_has_worked_for_the_number_and_after_thirty_days_as_usual(world: World) -> None:
    known = remember(now() - MEMORY + timedelta(hours=1))
    uuid = make_delivery(world.alice)
    dispatch_now()
    assert parameters_of(uuid) == known
    call_ends(WELL)
    with unit_of_work() as uow:
        uow.session.execute(update(Destination).values(learned_at=now() - MEMORY - timedelta(hours=1)))
    later = make_delivery(world.alice)
    dispatch_now()
    assert parameters_of(later) == USUAL


def test_a_memory_from_the_future_is_as_good_as_one_from_the_past(world: World) -> None:
    known = remember(now() + timedelta(days=1))
    uuid = make_delivery(world.alice)
    dispatch_now()
    assert parameters_of(uuid) == known


def test_what_worked_after_trouble_is_remembered_and_what_is_known_keeps_its_date(
    clock: time_machine.Traveller, world: World
) -> None:
    uuid = make_delivery(world.alice)
    dispatch_now()
    call_ends(NO_TRAINING)
    clock.shift(timedelta(seconds=60))
    dispatch_now()
    assert parameters_of(uuid) == CallParameters(modem="v29")
    call_ends(WELL)
    with reading() as uow:
        known = uow.session.get_one(Destination, FAR)
        assert (known.asked_mode, known.modem, known.ecm, known.fine) == (MODE_T38, "v29", True, True)
        learned_at = known.learned_at
    clock.shift(timedelta(days=1))
    make_delivery(world.alice)
    dispatch_now()
    call_ends(WELL)
    with reading() as uow:
        assert uow.session.get_one(Destination, FAR).learned_at == learned_at


def test_the_usual_that_works_is_not_remembered(world: World) -> None:
    make_delivery(world.alice)
    dispatch_now()
    call_ends(WELL)
    with reading() as uow:
        assert uow.session.get(Destination, FAR) is None


def test_the_next_call_sends_what_is_missing_and_changes_what_the_last_one_asked_for(
    clock: time_machine.Traveller, world: World
) -> None:
    uuid = make_delivery(world.alice, pages=4)
    dispatch_now()
    call_ends(DROPPED)
    clock.shift(timedelta(seconds=60))
    dispatch_now()
    assert (last_attempt(uuid).first_page, parameters_of(uuid)) == (2, CallParameters(MODE_AUDIO))
    call_ends(BUSY)
    clock.shift(timedelta(seconds=90))
    dispatch_now()
    assert (last_attempt(uuid).first_page, parameters_of(uuid)) == (2, CallParameters(MODE_AUDIO))


def test_a_trunk_without_t38_is_called_by_audio(world: World) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Trunk).values(t38=False))
    uuid = make_delivery(world.alice)
    dispatch_now()
    # What is asked for is the usual; how the trunk can carry it is the plan's.
    assert parameters_of(uuid) == USUAL
    with reading() as uow:
        ((plan,), _) = plan_calls(uow, "gw1")
    assert plan.variables[SEND_MODE] == MODE_AUDIO
    call_ends(WELL)
    with reading() as uow:
        assert uow.session.get(Destination, FAR) is None


def test_a_trunk_without_t38_does_not_take_t38_from_the_next_call_over_another(world: World) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Trunk).values(t38=False))
    second_trunk(position=200)
    uuid = make_delivery(world.alice)
    dispatch_now()
    call_ends(CONGESTED)
    assert dispatch_now() == 1
    assert parameters_of(uuid) == USUAL


def test_after_the_clock_was_set_back_the_next_call_still_goes_by_the_last_one(
    clock: time_machine.Traveller, world: World
) -> None:
    uuid = make_delivery(world.alice)
    for moved in (timedelta(0), -timedelta(days=1), timedelta(minutes=5)):
        clock.shift(moved)
        make_due(uuid)
        assert dispatch_now() == 1
        attempt_id = only_attempt()
        call_ends(NO_TRAINING)
    with reading() as uow:
        assert uow.session.get_one(Attempt, attempt_id).modem == "v27"


def test_two_budgets_are_counted_apart(clock: time_machine.Traveller, world: World) -> None:
    set_value("retry_count", "2")
    set_value("paid_retry_count", "1")
    uuid = make_delivery(world.alice, pages=9)
    for outcome in (BUSY, NO_TRAINING, BUSY):
        clock.shift(timedelta(hours=1))
        assert dispatch_now() == 1
        call_ends(outcome)
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.free_tries, delivery.paid_tries, delivery.tries) == (S.QUEUED, 2, 1, 3)
    clock.shift(timedelta(hours=1))
    dispatch_now()
    call_ends(NO_TRAINING)
    assert (delivery_of(uuid).state, delivery_of(uuid).tries) == (S.FAILED, 4)


def test_priority_goes_before_the_time_since_which_a_fax_is_due(world: World) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Port).where(Port.position == 2).values(enabled=False))
    low = make_delivery(world.alice, priority=Priority.LOW)
    high = make_delivery(world.alice, f"{FAR}1", priority=Priority.HIGH)
    assert dispatch_now() == 1
    assert (delivery_of(high).state, delivery_of(low).state) == (S.DIALING, S.QUEUED)


def test_priority_goes_before_all_that_wait_also_when_they_are_more_than_a_round_takes_in(world: World) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Port).where(Port.position == 2).values(enabled=False))
    bulk(world, MOST_ROWS + 10, priority=Priority.LOW)
    high = make_delivery(world.alice, priority=Priority.HIGH)
    dispatcher = Dispatcher("first")
    while round_of(dispatcher).more:
        pass
    assert delivery_of(high).state is S.DIALING


def test_faxes_that_were_taken_back_while_they_waited_cost_their_sender_no_turns(world: World) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Port).values(claimed_by="somebody"))
    for number in range(20):
        make_delivery(world.alice, f"8610{number:08}")
    for number in range(20):
        make_delivery(world.bob, f"8621{number:08}")
    dispatcher = Dispatcher("first")
    round_of(dispatcher)
    with unit_of_work() as uow:
        held = uow.session.query(Delivery).filter(Delivery.user_id == world.alice.user_id)
        held.update({"state": S.HELD, "admitted": False})
        uow.session.execute(update(Port).values(claimed_by=None))
    hers = make_delivery(world.alice)
    round_of(dispatcher)
    assert delivery_of(hers).state is S.DIALING


@pytest.mark.parametrize(("name", "calls"), [("user_calls", 2), ("domain_calls", 1)])
def test_caps_of_user_and_domain_hold_over_rounds(world: World, name: str, calls: int) -> None:
    set_value(name, "1")
    for number, viewer in enumerate((world.alice, world.alice, world.bob, world.bob)):
        make_delivery(viewer, f"{FAR}{number}")
    dispatcher = Dispatcher("first")
    assert [round_of(dispatcher).calls for _ in range(2)] == [calls, 0]


# --- What a round costs ---


def bulk(world: World, number: int, **facts: object) -> None:
    """So many waiting deliveries of alice, each to another number."""
    first = delivery_of(make_delivery(world.alice, "8610000000"))
    row = {
        "submission_id": first.submission_id,
        "tenant_id": first.tenant_id,
        "user_id": first.user_id,
        "number_text": "x",
        "state": S.QUEUED,
        "pages": 1,
        "next_try_at": now(),
        "waits_since": now(),
        "expires_at": now() + timedelta(hours=72),
    } | facts
    with unit_of_work() as uow:
        rows = [row | {"identity": f"8610{each:09}", "number_text": str(each)} for each in range(1, number)]
        if rows:
            uow.session.execute(insert(Delivery), rows)


def cost_of_a_round(world: World, waiting: int, **facts: object) -> float:
    """The median seconds of a round that places one call, with so many waiting."""
    bulk(world, waiting, **facts)
    dispatcher = Dispatcher(f"with {waiting}")
    with unit_of_work() as uow:
        uow.session.execute(update(Lease).values(until=now() - timedelta(seconds=1)))
    while round_of(dispatcher).more:
        pass
    costs = []
    for _ in range(25):
        with unit_of_work() as uow:
            uow.session.execute(update(Port).where(Port.position == 1).values(claimed_by=None))
        begun = time.perf_counter()
        round_of(dispatcher)
        costs.append(time.perf_counter() - begun)
    return statistics.median(costs)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"state": S.SCHEDULED, "next_try_at": datetime(2100, 1, 1, tzinfo=UTC)},
        {"state": S.HELD, "next_try_at": None},
        {"next_try_at": datetime(2100, 1, 1, tzinfo=UTC)},
    ],
    ids=["due", "planned", "held", "later"],
)
def test_a_round_with_ten_thousand_waiting_costs_no_more_than_with_ten(world: World, facts: dict[str, object]) -> None:
    few = cost_of_a_round(world, 40)
    many = cost_of_a_round(world, 10_000, **facts)
    assert many <= 3 * few + 0.002, f"{few * 1000:.1f} ms with 40, {many * 1000:.1f} ms with 10,000"


def test_one_round_places_no_more_calls_than_its_share_and_says_that_more_is_due(world: World) -> None:
    with unit_of_work() as uow:
        add_trunk(uow, make_trunk("wide", position=1), channels=MOST_CALLS + 5)
    bulk(world, MOST_CALLS + 3)
    dispatcher = Dispatcher("first")
    assert (round_of(dispatcher).calls, round_of(dispatcher).calls) == (MOST_CALLS, 3)
