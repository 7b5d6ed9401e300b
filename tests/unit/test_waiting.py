"""Whose fax is next: the waiting room alone, and against a model that looks at everybody each time."""

import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import count, islice
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfax.faxes.waiting import Caps, OnTheLine, Waiting, WaitingRoom

T1, T2, T3 = 101, 102, 103
NO_CAPS = Caps()
MANY = 10_000
# NETFAX_RUNS=5000 for many.
RUNS = int(os.environ.get("NETFAX_RUNS", "200"))


class Hall:
    """A waiting room with its line: entries come with rising ids, and a number taken is on the line until it ends."""

    def __init__(self, *, ports: int = 1_000_000) -> None:
        self.room = WaitingRoom()
        self.line = OnTheLine()
        self.free = {T1: ports}
        self._ids = count(1)

    def add(
        self,
        user_id: int = 1,
        identity: str | None = None,
        *,
        tenant_id: int = 1,
        priority: int = 1,
        route: tuple[int, ...] = (T1,),
    ) -> int:
        """Somebody waits, for a number of his own unless one is named; his id."""
        number = next(self._ids)
        self.room.add(Waiting(number, identity or f"number-{number}", priority, tenant_id, user_id, route))
        return number

    def take(self, caps: Caps = NO_CAPS, troubled: Collection[int] = ()) -> Waiting | None:
        taken = self.room.take(self.free, self.line, caps, troubled)
        if taken is None:
            return None
        entry, trunk_id = taken
        self.room.serve(entry)
        self.line.add(entry.identity, entry.tenant_id, entry.user_id, trunk_id)
        return entry

    def take_ids(self, number: int, caps: Caps = NO_CAPS) -> list[int]:
        return [entry.id for entry in (self.take(caps) for _ in range(number)) if entry is not None]

    def hang_up(self, entry: Waiting) -> None:
        self.line.numbers.discard(entry.identity)
        self.line.users[entry.user_id] -= 1
        self.line.tenants[entry.tenant_id] -= 1


@pytest.fixture
def hall() -> Hall:
    return Hall()


# --- Order ---


def test_priority_goes_before_all(hall: Hall) -> None:
    low = [hall.add(user, priority=2) for user in (1, 2)]
    medium = [hall.add(3) for _ in range(2)]
    high = [hall.add(3, priority=0) for _ in range(3)]
    assert hall.take_ids(9) == high + medium + low


def test_of_one_user_who_was_due_first_is_called_first(hall: Hall) -> None:
    ids = [hall.add() for _ in range(5)]
    assert hall.take_ids(9) == ids


def test_domains_take_turns_whatever_the_number_of_their_users(hall: Hall) -> None:
    for user in range(10):
        hall.add(user, tenant_id=1)
        hall.add(user, tenant_id=1)
    for _ in range(5):
        hall.add(77, tenant_id=2)
    taken = [entry.tenant_id for entry in iter(hall.take, None)]
    assert Counter(taken[:10]) == {1: 5, 2: 5}
    assert all(set(pair) == {1, 2} for pair in zip(taken[:10:2], taken[1:10:2], strict=True))
    assert taken[10:] == [1] * 15


def test_users_of_a_domain_take_turns(hall: Hall) -> None:
    for user in (1, 2, 3):
        for _ in range(user):
            hall.add(user)
    taken = [entry.user_id for entry in iter(hall.take, None)]
    assert [sorted(taken[:3]), sorted(taken[3:5]), taken[5:]] == [[1, 2, 3], [2, 3], [3]]


@pytest.mark.parametrize("tenant", [1, 2])
@pytest.mark.parametrize("before", [0, 1, 7])
def test_one_users_ten_thousand_faxes_do_not_delay_another_ones_single_fax(
    hall: Hall, tenant: int, before: int
) -> None:
    for _ in range(MANY):
        hall.add(1)
    assert len(hall.take_ids(before)) == before
    single = hall.add(2, tenant_id=tenant)
    assert single in hall.take_ids(2)


def test_ten_thousand_faxes_to_a_busy_number_do_not_delay_another_ones_single_fax_to_it(hall: Hall) -> None:
    hall.add(3, "busy")
    first = hall.take()
    assert first is not None
    for _ in range(MANY):
        hall.add(1, "busy")
    single = hall.add(2, "busy")
    assert hall.take() is None
    taken = []
    for _ in range(2):
        hall.hang_up(first)
        first = hall.take()
        assert first is not None
        taken.append(first.id)
    assert single in taken


def test_who_was_served_much_while_others_could_not_be_called_is_not_made_to_wait_for_it(hall: Hall) -> None:
    for _ in range(1_000):
        hall.add(1, route=(T2,))
    for _ in range(1_000):
        hall.add(2)
    assert len(hall.take_ids(1_000)) == 1_000
    hall.free[T2] = 1_000
    single = hall.add(2, route=(T2,))
    # The other was one turn behind, and it is his again as the one who has waited longer.
    assert single in hall.take_ids(3)


def test_who_comes_back_after_a_pause_has_no_turns_saved_up(hall: Hall) -> None:
    hall.add(1)
    hall.take()
    for _ in range(100):
        hall.add(2)
    hall.take_ids(50)
    for _ in range(100):
        hall.add(1)
    users = [entry.user_id for entry in (hall.take() for _ in range(20)) if entry is not None]
    assert set(Counter(users).values()) <= {9, 10, 11}


# --- One call at a time to a number ---


def test_a_number_on_the_line_is_called_by_nobody_else_and_holds_up_no_other_number(hall: Hall) -> None:
    first = hall.add(1, "busy")
    hall.add(1, "busy")
    hall.add(2, "busy")
    other = hall.add(1, "other")
    assert hall.take_ids(9) == [first, other]


def test_those_who_wait_for_a_number_come_in_one_by_one_the_best_priority_first(hall: Hall) -> None:
    on_the_line = hall.add(9, "busy")
    low, medium, high = (hall.add(9, "busy", priority=priority) for priority in (2, 1, 0))
    order = []
    entry = hall.take()
    while entry is not None:
        order.append(entry.id)
        assert hall.take() is None
        hall.hang_up(entry)
        entry = hall.take()
    # The high one was the best from the beginning: it was taken first.
    assert order == [high, on_the_line, medium, low]


def test_one_who_comes_later_with_a_higher_priority_goes_before_those_who_wait_for_the_number(hall: Hall) -> None:
    hall.add(1, "busy", priority=2)
    entry = hall.take()
    assert entry is not None
    hall.add(2, "busy", priority=2)
    assert hall.take() is None
    high = hall.add(3, "busy", priority=0)
    assert hall.take() is None
    hall.hang_up(entry)
    assert hall.take_ids(2) == [high]


def test_a_user_at_his_cap_does_not_hold_up_another_who_waits_for_the_same_number(hall: Hall) -> None:
    caps = Caps(user=1)
    hall.add(3, "busy")
    first = hall.take(caps)
    assert first is not None
    hall.add(1, "busy")
    mine = hall.add(2, "busy")
    assert hall.take(caps) is None
    hall.add(1, "long")
    assert hall.take(caps) is not None
    hall.hang_up(first)
    assert hall.take_ids(2, caps) == [mine]


# --- Caps ---


@pytest.mark.parametrize(
    ("caps", "most"), [(Caps(user=2), {1: 2, 2: 2}), (Caps(tenant=3), {1: 3}), (Caps(user=2, tenant=3), {1: 3})]
)
def test_a_cap_of_user_or_domain_is_never_passed_and_a_call_that_ends_makes_room(
    hall: Hall, caps: Caps, most: dict[int, int]
) -> None:
    for _ in range(5):
        hall.add(1)
        hall.add(2)
    taken = list(iter(lambda: hall.take(caps), None))
    assert len(taken) == sum(most.values())
    assert not caps.user or max(Counter(entry.user_id for entry in taken).values()) == caps.user
    hall.hang_up(taken[0])
    assert len(hall.take_ids(3, caps)) == 1


def test_who_is_at_his_cap_lets_others_pass(hall: Hall) -> None:
    caps = Caps(user=1)
    hall.add(1, priority=0)
    held_back = hall.add(1, priority=0)
    others = [hall.add(user, priority=2) for user in (2, 3)]
    first, *taken = hall.take_ids(9, caps)
    assert first != held_back
    assert taken == others


def test_a_cap_of_nothing_is_no_cap(hall: Hall) -> None:
    for _ in range(50):
        hall.add()
    assert len(hall.take_ids(60, Caps(0, 0))) == 50


# --- Trunks ---


@pytest.mark.parametrize(
    ("free", "troubled", "trunk"),
    [
        ({T1: 1, T2: 1, T3: 1}, (), T1),
        ({T1: 0, T2: 1, T3: 1}, (), T2),
        ({T3: 1}, (), T3),
        ({T1: 1, T2: 1, T3: 1}, (T1,), T2),
        ({T1: 1, T2: 1, T3: 1}, (T1, T2), T3),
        ({T1: 1, T2: 1, T3: 1}, (T1, T2, T3), T1),
        ({T1: 1, T2: 0}, (T1,), T1),
        ({}, (), None),
        ({T1: 0}, (), None),
        ({999: 5}, (), None),
    ],
)
def test_the_first_trunk_of_the_route_with_a_free_port_is_taken_and_a_troubled_one_last(
    hall: Hall, free: dict[int, int], troubled: tuple[int, ...], trunk: int | None
) -> None:
    hall.add(route=(T1, T2, T3))
    taken = hall.room.take(free, hall.line, NO_CAPS, troubled)
    assert (taken and taken[1]) == trunk


def test_a_full_trunk_holds_up_only_those_who_have_no_other(hall: Hall) -> None:
    hall.free = {T1: 0, T2: 9}
    hall.add(1, priority=0)
    other = hall.add(1, priority=2, route=(T1, T2))
    assert hall.take_ids(9) == [other]


# --- What counts no more ---


def test_an_earlier_entry_of_the_same_delivery_counts_no_more(hall: Hall) -> None:
    hall.room.add(Waiting(1, "a", 2, 1, 1, (T1,)))
    hall.room.add(Waiting(2, "b", 1, 1, 1, (T1,)))
    hall.room.add(Waiting(1, "a", 0, 1, 1, (T1,)))
    assert len(hall.room) == 2
    assert hall.take_ids(9) == [1, 2]
    assert len(hall.room) == 0


def test_an_earlier_entry_that_waits_for_a_number_counts_no_more(hall: Hall) -> None:
    hall.room.add(Waiting(1, "busy", 1, 1, 1, (T1,)))
    entry = hall.take()
    assert entry is not None
    hall.room.add(Waiting(2, "busy", 1, 1, 1, (T1,)))
    hall.room.add(Waiting(3, "busy", 1, 1, 1, (T1,)))
    assert hall.take() is None
    hall.room.add(Waiting(2, "busy", 2, 1, 1, (T1,)))
    hall.hang_up(entry)
    (third,) = hall.take_ids(5)
    assert third == 3


# --- Against a model that looks at everybody each time ---


class _Turn(NamedTuple):
    priority: int
    tenant: int
    user: int


@dataclass
class Model:
    """Everybody in one list; each take looks at all."""

    entries: dict[int, Waiting] = field(default_factory=dict)
    turns: dict[object, int] = field(default_factory=dict)
    floors: dict[object, int] = field(default_factory=dict)

    def add(self, entry: Waiting) -> None:
        self.entries[entry.id] = entry
        for member, group in self._members(entry):
            self.turns[member] = max(self.turns.get(member, 0), self.floors.get(group, 0))

    def callable_now(self, free: Mapping[int, int], line: OnTheLine, caps: Caps) -> list[Waiting]:
        return [
            each
            for each in self.entries.values()
            if each.identity not in line.numbers
            and not caps.closed_to_user(each.user_id, line)
            and not caps.closed_to_tenant(each.tenant_id, line)
            and any(free.get(trunk_id, 0) > 0 for trunk_id in each.route)
        ]

    def turn(self, entry: Waiting) -> _Turn:
        (tenant, _), (user, _) = self._members(entry)
        return _Turn(entry.priority, self.turns[tenant], self.turns[user])

    def remove(self, entry: Waiting) -> None:
        del self.entries[entry.id]
        for member, group in self._members(entry):
            self.floors[group] = max(self.floors.get(group, 0), self.turns[member])
            self.turns[member] = self.floors[group] + 1

    @staticmethod
    def _members(entry: Waiting) -> list[tuple[object, object]]:
        """The domain among all, and the user among those of his domain."""
        return [(("tenant", entry.tenant_id), "all"), (("user", entry.user_id), entry.tenant_id)]


ROUTES = [(T1,), (T2,), (T1, T2), (T2, T1, T3)]
# Users 1 to 6, three of each of two domains.
ADD = st.tuples(
    st.just("add"),
    st.integers(1, 30),
    st.sampled_from("abcdef"),
    st.integers(0, 2),
    st.integers(1, 6),
    st.sampled_from(ROUTES),
)
ACT = st.one_of(
    ADD,
    ADD,
    st.tuples(st.just("take")),
    st.tuples(st.just("take")),
    st.tuples(st.just("hang up"), st.integers(0, 20)),
    st.tuples(st.just("ports"), st.sampled_from([T1, T2, T3]), st.integers(0, 3)),
    st.tuples(st.just("trouble"), st.sampled_from([T1, T2, T3])),
)
CAPS = st.builds(Caps, st.integers(0, 2), st.integers(0, 3))


@settings(max_examples=RUNS, deadline=None, derandomize=True)
@given(st.lists(ACT, max_size=60), CAPS)
def test_the_room_takes_whom_a_model_would_that_looks_at_everybody(acts: list[tuple[object, ...]], caps: Caps) -> None:
    check_against_the_model(acts, caps)


def check_against_the_model(acts: list[tuple[object, ...]], caps: Caps) -> None:
    room, model = WaitingRoom(), Model()
    calls: list[tuple[Waiting, int]] = []
    ports = {T1: 1, T2: 1, T3: 1}
    troubled: set[int] = set()

    def take() -> bool:
        line = OnTheLine()
        for entry, trunk_id in calls:
            line.add(entry.identity, entry.tenant_id, entry.user_id, trunk_id)
        free = {trunk_id: number - line.trunks[trunk_id] for trunk_id, number in ports.items()}
        able = model.callable_now(free, line, caps)
        taken = room.take(free, line, caps, troubled)
        assert (taken is None) == (not able)
        if taken is None:
            return False
        entry, trunk_id = taken
        room.serve(entry)
        assert entry in able
        assert model.turn(entry) == min(model.turn(each) for each in able)
        with_ports = [each for each in entry.route if free.get(each, 0) > 0]
        assert trunk_id == sorted(with_ports, key=lambda each: (each in troubled, entry.route.index(each)))[0]
        model.remove(entry)
        calls.append(taken)
        assert len(room) == len(model.entries)
        return True

    for act in acts:
        match act:
            case ("add", int(number), str(identity), int(priority), int(user), tuple(route)):
                entry = Waiting(number, identity, priority, user % 2, user, route)
                room.add(entry)
                model.add(entry)
            case ("take",):
                take()
            case ("hang up", int(which)) if calls:
                calls.pop(which % len(calls))
            case ("ports", int(trunk_id), int(number)):
                ports[trunk_id] = number
            case ("trouble", int(trunk_id)):
                troubled ^= {trunk_id}
    # In the end everybody is called: nothing has got lost in the room.
    ports = dict.fromkeys(ports, 100)
    caps = NO_CAPS
    calls.clear()
    while model.entries:
        assert take()
        calls.clear()


# --- What a decision costs ---


def alone(number: int) -> tuple[int, str]:
    """One user; everybody another number."""
    return 1, f"number-{number}"


def each_his_own(number: int) -> tuple[int, str]:
    return number, f"number-{number}"


def one_number(number: int) -> tuple[int, str]:
    """Everybody to one number, which is on the line."""
    return number, "busy"


def in_threes(number: int) -> tuple[int, str]:
    """Three users each to the same number, in an order that has nothing to do with it."""
    return random.Random(number).randrange(1_000_000), f"number-{number // 3}"


@pytest.mark.parametrize("who", [alone, each_his_own, one_number, in_threes])
def test_a_decision_costs_the_same_with_ten_thousand_waiting_as_with_ten(
    who: Callable[[int], tuple[int, str]],
) -> None:
    assert cost_of_a_take(MANY, who) <= 3 * cost_of_a_take(10, who)


def cost_of_a_take(waiting: int, who: Callable[[int], tuple[int, str]]) -> float:
    """The median seconds of one take with so many waiting all the time and a dozen calls on the line."""
    hall = Hall()
    numbers = count()
    for number in islice(numbers, waiting):
        hall.add(*who(number))
    on_the_line: list[Waiting] = []
    costs = []
    for _ in range(600):
        begun = time.perf_counter()
        entry = hall.take()
        costs.append(time.perf_counter() - begun)
        if entry is not None:
            on_the_line.append(entry)
            hall.add(*who(next(numbers)))
        if len(on_the_line) > 4 or entry is None:
            hall.hang_up(on_the_line.pop(0))
    return statistics.median(costs[100:])
