"""Steps for many calls at once: what is wrong with one hurts none of the others."""

import threading
from collections.abc import Mapping
from concurrent.futures import wait

import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from netfax.db import UnitOfWork, reading
from netfax.params.service import get_int, set_param
from netfax.together import Together

# What differs between the databases is tested where calls end.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class Steps:
    """A step that notes what it is given, and waits in its first transaction until it is let go on."""

    def __init__(self) -> None:
        self.seen: list[dict[str, int]] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, uow: UnitOfWork, asked: Mapping[str, int]) -> dict[str, int]:
        self.seen.append(dict(asked))
        self.begun.set()
        assert self.go_on.wait(10)
        if 13 in asked.values():
            raise ValueError("thirteen")
        if 14 in asked.values():
            raise OperationalError("select", {}, Exception("no database"))
        if 16 in asked.values() and len(asked) > 1:
            raise OperationalError("select", {}, DeadlockDetected("its row is another's"))
        for value in asked.values():
            set_param(uow, "ring_time", str(value), by="test")
        return {key: value * 10 for key, value in asked.items() if value != 20}

    def ask(self, *asked: tuple[str, int]) -> list[int | Exception | None]:
        """Ask for the first alone, and for the rest while that one is at work; what came of each."""
        together = Together("test", self)
        answers = [together.ask(*asked[0])]
        assert self.begun.wait(10)
        answers += [together.ask(key, value) for key, value in asked[1:]]
        self.go_on.set()
        wait(answers, 10)
        return [answer.exception() or answer.result() for answer in answers]  # type: ignore[misc]


@pytest.fixture
def steps(database: Engine) -> Steps:
    return Steps()


def test_who_asks_meanwhile_is_in_the_next_transaction(steps: Steps) -> None:
    assert steps.ask(("a", 15), ("b", 20), ("c", 25)) == [150, None, 250]
    assert steps.seen == [{"a": 15}, {"b": 20, "c": 25}]


def test_who_asks_for_the_same_comes_after_it(steps: Steps) -> None:
    assert steps.ask(("a", 15), ("a", 19), ("a", 17), ("b", 18)) == [150, 190, 170, 180]
    assert steps.seen == [{"a": 15}, {"a": 19, "b": 18}, {"a": 17}]


def test_what_is_wrong_with_one_is_no_trouble_of_the_others(steps: Steps) -> None:
    first, second, third, fourth = steps.ask(("a", 15), ("b", 18), ("c", 13), ("d", 17))
    assert (first, second, fourth) == (150, 180, 170)
    assert isinstance(third, ValueError)
    assert steps.seen[1:] == [{"b": 18, "c": 13, "d": 17}, {"b": 18}, {"c": 13}, {"d": 17}]


def test_a_deadlock_is_the_trouble_of_its_row(steps: Steps) -> None:
    assert steps.ask(("a", 15), ("b", 16), ("c", 17)) == [150, 160, 170]
    assert steps.seen[1:] == [{"b": 16, "c": 17}, {"b": 16}, {"c": 17}]


def test_a_database_that_does_not_answer_is_asked_once_for_all(steps: Steps) -> None:
    first, *rest = steps.ask(("a", 15), ("b", 14), ("c", 17))
    assert first == 150
    assert [type(each) for each in rest] == [OperationalError] * 2
    assert len(steps.seen) == 2


def test_an_answer_comes_after_the_commit(steps: Steps) -> None:
    steps.go_on.set()
    Together("test", steps).ask("a", 42).result(10)
    with reading() as uow:
        assert get_int(uow, "ring_time") == 42


def test_nothing_is_done_for_one_who_has_given_up(steps: Steps) -> None:
    together = Together("test", steps)
    first = together.ask("a", 15)
    assert steps.begun.wait(10)
    # What has begun ends.
    assert not first.cancel()
    given_up, other = together.ask("b", 16), together.ask("c", 17)
    assert given_up.cancel()
    steps.go_on.set()
    assert (first.result(10), other.result(10)) == (150, 170)
    assert steps.seen == [{"a": 15}, {"c": 17}]


def test_when_it_is_closed_what_is_at_work_ends_and_nothing_begins(steps: Steps) -> None:
    together = Together("test", steps)
    first = together.ask("a", 15)
    assert steps.begun.wait(10)
    second = together.ask("b", 16)
    closing = threading.Thread(target=together.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    steps.go_on.set()
    closing.join(10)
    assert not closing.is_alive()
    assert first.result(0) == 150
    assert second.cancelled()
    assert together.ask("c", 17).cancelled()
    assert steps.seen == [{"a": 15}]


def test_what_was_never_asked_is_closed_too(steps: Steps) -> None:
    Together("test", steps).close()


def test_a_thread_that_does_not_start_stops_no_later_one(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    steps.go_on.set()
    together = Together("test", steps)
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_more)
        with pytest.raises(RuntimeError):
            together.ask("a", 15)
    assert together.ask("b", 16).result(10) == 160
    assert steps.seen == [{"b": 16}]
