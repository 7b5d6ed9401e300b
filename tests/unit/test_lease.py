"""A lease: one holder at a time, and a fence that grows whenever what its holder remembers counts no more."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from netfax.db import now, unit_of_work
from netfax.lease import CLOCK_TOLERANCE, LEASE_SECONDS, Lease, hold_lease, holder_name, let_go


def take(holder: str, *, renew: bool = False) -> int | None:
    with unit_of_work() as uow:
        return hold_lease(uow, "test", holder, renew=renew)


def set_until(seconds: float) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Lease).values(until=now() + timedelta(seconds=seconds)))


@pytest.mark.usefixtures("database")
def test_the_holder_keeps_it_and_its_fence_and_nobody_else_gets_it() -> None:
    fence = take("one")
    assert fence is not None
    assert take("one") == fence
    assert take("two") is None


@pytest.mark.usefixtures("database")
def test_a_lease_that_is_over_changes_hands_and_its_fence_grows() -> None:
    first = take("one")
    set_until(-1)
    second = take("two")
    assert first is not None and second == first + 1
    assert take("one") is None


@pytest.mark.usefixtures("database")
def test_a_holder_who_has_forgotten_gets_a_new_fence() -> None:
    first = take("one")
    assert first is not None
    assert take("one", renew=True) == first + 1
    assert take("one") == first + 1


@pytest.mark.usefixtures("database")
def test_a_lease_that_was_given_before_the_clock_was_set_back_is_free() -> None:
    take("one")
    set_until(LEASE_SECONDS + CLOCK_TOLERANCE.total_seconds() + 5)
    assert take("two") is not None


@pytest.mark.usefixtures("database")
def test_who_lets_go_lets_the_next_begin_at_once_and_only_his_own() -> None:
    take("one")
    with unit_of_work() as uow:
        let_go(uow, "test", "two")
    assert take("two") is None
    with unit_of_work() as uow:
        let_go(uow, "test", "one")
    assert take("two") is not None


def test_no_two_holders_have_one_name(database: Engine) -> None:
    names = {holder_name() for _ in range(100)}
    assert len(names) == 100
    assert max(map(len, names)) <= Lease.holder.type.length
