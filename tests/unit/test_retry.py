"""Whether, when and how a number is called again: one rule a cause."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfax.faxes.results import Cause
from netfax.faxes.retry import (
    GLARE_WAIT,
    MEMORY,
    RULES,
    TRUNK_TROUBLE,
    USUAL,
    CallParameters,
    RetryPolicy,
    Tally,
    changed,
    next_try,
)
from netfax.telephony import MODE_AUDIO, MODE_T38, MODEMS

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
POLICY = RetryPolicy(timedelta(seconds=180), count=5, paid_count=3)

FINAL = {
    Cause.OK,
    Cause.UNALLOCATED,
    Cause.NOT_COMPATIBLE,
    Cause.LAST_PAGE_UNKNOWN,
    Cause.CALL_LOST,
    Cause.CANCELLED,
    Cause.BAD_DOCUMENT,
    Cause.RECORD_LOST,
    Cause.EXPIRED,
}
# Seconds until the next call, with an interval of 180 s.
WAITS = {
    Cause.BUSY: 90,
    Cause.NO_ANSWER: 360,
    Cause.CONGESTION: 180,
    Cause.CALL_FAILED: 180,
    Cause.INCOMPATIBLE_CALL: 180,
    Cause.GLARE: 5,
    Cause.REJECTED: 180,
    Cause.NO_FAX: 180,
    Cause.TRAINING: 60,
    Cause.ECM_TROUBLE: 60,
    Cause.LINE_TROUBLE: 60,
    Cause.DROPPED: 60,
    Cause.NOT_CONFIRMED: 60,
    Cause.REDRAW: 60,
    Cause.OUR_FAULT: 180,
    Cause.NO_ROUTE: 180,
}
# How many calls may end by this cause.
MOST_CALLS = {Cause.REJECTED: 2, Cause.NO_FAX: 2, Cause.REDRAW: 2, Cause.OUR_FAULT: 3}
COUNTED = sorted(set(RULES) - {Cause.GLARE})
EVERY_WAY = [
    CallParameters(mode, modem, ecm, fine)
    for mode, modem, ecm, fine in product((MODE_T38, MODE_AUDIO), MODEMS, (True, False), (True, False))
]


def after(cause: Cause, *, free: int = 1, paid: int = 0, of_cause: int = 1, other_trunk: bool = False) -> float | None:
    """Seconds until the next call; None for never."""
    again = next_try(cause, Tally(free, paid, of_cause), AT, POLICY, other_trunk=other_trunk)
    return None if again is None else (again - AT).total_seconds()


# --- When ---


def test_every_cause_is_final_or_has_a_rule() -> None:
    assert set(WAITS) | FINAL == set(Cause)
    assert set(RULES) == set(WAITS)


@pytest.mark.parametrize(("cause", "seconds"), WAITS.items())
def test_each_cause_has_its_own_wait(cause: Cause, seconds: int) -> None:
    assert after(cause) == pytest.approx(seconds, abs=0.001)


def test_a_busy_line_is_called_sooner_and_one_that_nobody_answers_later_than_the_interval() -> None:
    busy, no_answer = after(Cause.BUSY), after(Cause.NO_ANSWER)
    assert busy is not None and no_answer is not None
    assert busy < POLICY.interval.total_seconds() < no_answer


@pytest.mark.parametrize("cause", sorted(FINAL))
@pytest.mark.parametrize("other_trunk", [False, True])
def test_what_is_final_is_never_called_again_not_even_on_another_trunk(cause: Cause, other_trunk: bool) -> None:
    assert after(cause, free=0, other_trunk=other_trunk) is None


@pytest.mark.parametrize(("cause", "calls"), MOST_CALLS.items())
def test_some_causes_end_a_fax_after_few_calls(cause: Cause, calls: int) -> None:
    assert after(cause, of_cause=calls - 1) is not None
    assert after(cause, of_cause=calls) is None
    assert after(cause, of_cause=calls + 1) is None


@pytest.mark.parametrize("cause", sorted(set(COUNTED) - set(MOST_CALLS)))
def test_the_other_causes_end_a_fax_by_the_budgets_alone(cause: Cause) -> None:
    assert after(cause, of_cause=100) is not None


# --- On another trunk ---


def test_trunk_trouble_is_what_the_network_and_the_trunk_say_never_what_the_far_end_does() -> None:
    assert {Cause.CONGESTION, Cause.CALL_FAILED, Cause.INCOMPATIBLE_CALL} == TRUNK_TROUBLE


@pytest.mark.parametrize("cause", sorted(TRUNK_TROUBLE))
def test_trunk_trouble_is_tried_on_another_trunk_at_once(cause: Cause) -> None:
    assert after(cause, other_trunk=True) == 0


@pytest.mark.parametrize("cause", sorted(set(RULES) - TRUNK_TROUBLE))
def test_no_other_cause_is_hurried_by_another_trunk(cause: Cause) -> None:
    assert after(cause, other_trunk=True) == after(cause) != 0


# --- How often ---


@pytest.mark.parametrize("cause", sorted(set(COUNTED) - set(MOST_CALLS)))
def test_the_count_is_of_resends_after_the_first_call(cause: Cause) -> None:
    assert [after(cause, free=calls) is not None for calls in range(1, 8)] == [True] * 5 + [False] * 2
    assert [after(cause, free=0, paid=calls) is not None for calls in range(1, 6)] == [True] * 3 + [False] * 2


def test_calls_that_cost_money_have_a_budget_apart_from_those_that_cost_none() -> None:
    assert after(Cause.BUSY, free=5, paid=3) is not None
    assert after(Cause.DROPPED, free=5, paid=3) is not None
    assert after(Cause.BUSY, free=5, paid=4) is None
    assert after(Cause.BUSY, free=6, paid=3) is None


def test_the_paid_budget_is_never_more_than_the_whole() -> None:
    policy = RetryPolicy(POLICY.interval, count=1, paid_count=20)
    assert next_try(Cause.DROPPED, Tally(0, 1), AT, policy) is not None
    assert next_try(Cause.DROPPED, Tally(0, 2), AT, policy) is None


@pytest.mark.parametrize("cause", COUNTED)
@pytest.mark.parametrize("tally", [Tally(1, 0), Tally(0, 1)])
def test_a_count_of_nothing_means_one_call(cause: Cause, tally: Tally) -> None:
    assert next_try(cause, tally, AT, RetryPolicy(POLICY.interval, 0, 0), other_trunk=True) is None


@pytest.mark.parametrize("spent", [0, 1, 6, 100])
def test_glare_is_tried_again_in_a_moment_whatever_was_spent(spent: int) -> None:
    assert after(Cause.GLARE, free=spent, paid=spent, of_cause=spent) == GLARE_WAIT.total_seconds()


# --- How ---


@pytest.mark.parametrize(
    ("cause", "calls"),
    [
        (Cause.TRAINING, [("t38", "v29", True), ("t38", "v27", True), ("audio", "v27", True), ("audio", "v27", False)]),
        (Cause.NOT_CONFIRMED, [("t38", "v29", True), ("t38", "v27", True), ("audio", "v27", True)]),
        (Cause.ECM_TROUBLE, [("t38", "v17", False), ("audio", "v17", False), ("audio", "v29", False)]),
        (Cause.LINE_TROUBLE, [("audio", "v17", True), ("audio", "v17", False), ("audio", "v29", False)]),
        (Cause.DROPPED, [("audio", "v17", True), ("audio", "v17", False), ("audio", "v29", False)]),
        (Cause.INCOMPATIBLE_CALL, [("audio", "v17", True), ("audio", "v17", True)]),
    ],
)
def test_trouble_changes_what_it_asks_for_call_by_call(cause: Cause, calls: list[tuple[str, str, bool]]) -> None:
    parameters = USUAL
    for mode, modem, ecm in calls:
        parameters = changed(parameters, cause)
        assert parameters == CallParameters(mode, modem, ecm, fine=True)


def test_pages_that_the_far_end_cannot_take_are_sent_in_standard_fineness_and_all_else_stays() -> None:
    assert changed(USUAL, Cause.REDRAW) == CallParameters(fine=False)


@pytest.mark.parametrize("parameters", EVERY_WAY)
@pytest.mark.parametrize(
    "cause",
    [Cause.BUSY, Cause.NO_ANSWER, Cause.CONGESTION, Cause.CALL_FAILED, Cause.GLARE, Cause.REJECTED, *sorted(FINAL)],
)
def test_what_says_nothing_of_the_far_machine_changes_nothing(parameters: CallParameters, cause: Cause) -> None:
    assert changed(parameters, cause) == parameters


def slowness(parameters: CallParameters) -> int:
    """How much has been given up."""
    return (
        (parameters.mode == MODE_AUDIO) + MODEMS.index(parameters.modem) + (not parameters.ecm) + (not parameters.fine)
    )


@given(st.sampled_from(EVERY_WAY), st.lists(st.sampled_from(sorted(Cause)), max_size=30))
def test_whatever_happens_nothing_that_was_given_up_comes_back_and_one_thing_changes_a_call(
    parameters: CallParameters, causes: list[Cause]
) -> None:
    for cause in causes:
        following = changed(parameters, cause)
        assert slowness(following) - slowness(parameters) == (following != parameters)
        parameters = following


@pytest.mark.parametrize("cause", [Cause.TRAINING, Cause.ECM_TROUBLE, Cause.LINE_TROUBLE, Cause.DROPPED])
@pytest.mark.parametrize("parameters", EVERY_WAY)
def test_trouble_changes_something_at_every_call_until_all_has_been_changed(
    parameters: CallParameters, cause: Cause
) -> None:
    for _ in range(5):
        if changed(parameters, cause) == parameters:
            break
        parameters = changed(parameters, cause)
    assert (parameters.mode, parameters.ecm, parameters.modem) == (MODE_AUDIO, False, MODEMS[-1])


def test_what_worked_is_remembered_for_thirty_days() -> None:
    assert timedelta(days=30) == MEMORY
