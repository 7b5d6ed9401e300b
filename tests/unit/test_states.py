"""The states of a fax and the steps between them."""

import pytest

from netfax.faxes.states import (
    ON_THE_LINE,
    OPEN_STATES,
    STATE_INFO,
    STEPS,
    DeliveryState,
    ReceptionState,
    Tone,
    may_follow,
)

S = DeliveryState
ENDED = sorted(state for state in S if STATE_INFO[state].ended)

# R5.7, in its order.
WORDS = {
    S.CONVERTING: "转换中",
    S.AWAITING_APPROVAL: "等待审批",
    S.QUEUED: "等待发送",
    S.SCHEDULED: "定时等待",
    S.DIALING: "正在拨号",
    S.SENDING: "正在发送",
    S.SENT: "发送成功",
    S.PARTIAL: "部分发送",
    S.FAILED: "发送失败",
    S.UNKNOWN: "结果未知",
    S.CANCELLED: "已取消",
    S.REFUSED: "已拒绝",
    ReceptionState.RECEIVED: "已接收",
    ReceptionState.PARTIAL: "部分接收",
}


@pytest.mark.parametrize(("state", "word"), WORDS.items())
def test_the_chinese_words_are_those_of_the_requirement(state: DeliveryState | ReceptionState, word: str) -> None:
    assert STATE_INFO[state].text("zh") == STATE_INFO[state].text("zh-CN") == word


def test_every_state_has_both_words_and_no_two_of_one_direction_share_them() -> None:
    assert set(STATE_INFO) == {*DeliveryState, *ReceptionState}
    for states in (DeliveryState, ReceptionState):
        for language in ("zh", "en"):
            words = [STATE_INFO[state].text(language) for state in states]
            assert all(words) and len(words) == len(set(words))


def test_only_a_whole_fax_is_a_success() -> None:
    assert {state for state, info in STATE_INFO.items() if info.success} == {S.SENT, ReceptionState.RECEIVED}
    assert all(info.ended for info in STATE_INFO.values() if info.success)
    assert {state for state, info in STATE_INFO.items() if info.tone is Tone.GOOD} == {S.SENT, ReceptionState.RECEIVED}


@pytest.mark.parametrize("state", ENDED)
def test_an_ended_fax_never_changes_again(state: DeliveryState) -> None:
    assert not any(may_follow(state, after) for after in S)
    assert state not in OPEN_STATES


def test_every_state_can_be_reached_from_converting() -> None:
    reached = {S.CONVERTING}
    while more := set().union(*(STEPS[state] for state in reached)) - reached:
        reached |= more
    assert reached == set(S)


@pytest.mark.parametrize("state", sorted(OPEN_STATES))
def test_every_open_state_can_end_and_be_cancelled(state: DeliveryState) -> None:
    assert STEPS[state] & set(ENDED)
    assert may_follow(state, S.CANCELLED)


@pytest.mark.parametrize("state", list(S))
def test_no_state_follows_itself_but_a_time_that_was_changed(state: DeliveryState) -> None:
    assert may_follow(state, state) == (state is S.SCHEDULED)


def test_a_call_is_dialled_from_the_queue_alone() -> None:
    assert [state for state in S if may_follow(state, S.DIALING)] == [S.QUEUED]
    assert [state for state in S if may_follow(state, S.SENDING)] == [S.DIALING]


def test_on_the_line_are_the_states_of_a_call() -> None:
    assert {S.DIALING, S.SENDING} == ON_THE_LINE
    assert ON_THE_LINE < OPEN_STATES
