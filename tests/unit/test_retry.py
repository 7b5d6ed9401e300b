"""Whether and when a number is called again."""

from datetime import UTC, datetime, timedelta

import pytest

from netfax.faxes.results import CAUSES, Again, Cause
from netfax.faxes.retry import GLARE_WAIT, RetryPolicy, next_try

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
POLICY = RetryPolicy(timedelta(seconds=180), count=3)

LATER = sorted(cause for cause, info in CAUSES.items() if info.again is Again.LATER)
NEVER = sorted(cause for cause, info in CAUSES.items() if info.again is Again.NO)


def test_a_busy_line_is_redialled_after_three_minutes() -> None:
    assert next_try(Cause.BUSY, 1, AT, POLICY) == AT + timedelta(minutes=3)


@pytest.mark.parametrize("cause", LATER)
def test_the_count_is_of_resends_after_the_first_call(cause: Cause) -> None:
    times = [next_try(cause, tries, AT, POLICY) for tries in range(1, 6)]
    assert times == [AT + POLICY.interval] * 3 + [None, None]


@pytest.mark.parametrize("cause", LATER)
def test_a_count_of_nothing_means_one_call(cause: Cause) -> None:
    assert next_try(cause, 1, AT, RetryPolicy(POLICY.interval, count=0)) is None


@pytest.mark.parametrize("cause", NEVER)
def test_what_is_final_is_not_called_again_even_after_one_try(cause: Cause) -> None:
    assert next_try(cause, 1, AT, POLICY) is None


@pytest.mark.parametrize("tries", [0, 1, 4, 100])
def test_glare_is_tried_again_at_once_and_costs_no_try(tries: int) -> None:
    assert next_try(Cause.GLARE, tries, AT, POLICY) == AT + GLARE_WAIT
    assert POLICY.interval > GLARE_WAIT


def test_glare_is_the_only_cause_that_counts_as_nothing() -> None:
    assert [cause for cause, info in CAUSES.items() if info.again is Again.UNCOUNTED] == [Cause.GLARE]
