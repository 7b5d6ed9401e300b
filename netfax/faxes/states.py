"""The states of a fax and the steps between them: one pure table each for what goes out and what comes in."""

from dataclasses import dataclass
from enum import StrEnum


class DeliveryState(StrEnum):
    CONVERTING = "converting"
    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"
    HELD = "held"
    QUEUED = "queued"
    DIALING = "dialing"
    SENDING = "sending"
    SENT = "sent"
    PARTIAL = "partial"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    REFUSED = "refused"


class ReceptionState(StrEnum):
    RECEIVING = "receiving"
    RECEIVED = "received"
    PARTIAL = "partially_received"
    # The call ended before a whole page had come: kept for the record, in no mailbox.
    EMPTY = "nothing_received"
    # Its gateway is not heard of any more: what came lies there, and is recorded if it ever comes back.
    LOST = "gateway_lost"


class Tone(StrEnum):
    """How a state looks: its colour and shape on every page."""

    WAITING = "waiting"
    ACTIVE = "active"
    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"
    OFF = "off"


@dataclass(frozen=True)
class StateInfo:
    """The words of a state (R5.7) and whether it is an end and a success."""

    zh: str
    en: str
    tone: Tone
    ended: bool = False
    success: bool = False

    def text(self, language: str) -> str:
        return self.zh if language.startswith("zh") else self.en


S, R = DeliveryState, ReceptionState

STATE_INFO: dict[DeliveryState | ReceptionState, StateInfo] = {
    S.CONVERTING: StateInfo("转换中", "Converting", Tone.WAITING),
    S.AWAITING_APPROVAL: StateInfo("等待审批", "Awaiting approval", Tone.WAITING),
    S.SCHEDULED: StateInfo("定时等待", "Scheduled", Tone.WAITING),
    S.HELD: StateInfo("已暂停", "Held", Tone.WAITING),
    S.QUEUED: StateInfo("等待发送", "Waiting", Tone.WAITING),
    S.DIALING: StateInfo("正在拨号", "Dialling", Tone.ACTIVE),
    S.SENDING: StateInfo("正在发送", "Sending", Tone.ACTIVE),
    S.SENT: StateInfo("发送成功", "Sent", Tone.GOOD, ended=True, success=True),
    S.PARTIAL: StateInfo("部分发送", "Partly sent", Tone.DOUBTFUL, ended=True),
    S.FAILED: StateInfo("发送失败", "Failed", Tone.BAD, ended=True),
    S.UNKNOWN: StateInfo("结果未知", "Unknown", Tone.DOUBTFUL, ended=True),
    S.CANCELLED: StateInfo("已取消", "Cancelled", Tone.OFF, ended=True),
    S.REFUSED: StateInfo("已拒绝", "Refused", Tone.BAD, ended=True),
    R.RECEIVING: StateInfo("正在接收", "Receiving", Tone.ACTIVE),
    R.RECEIVED: StateInfo("已接收", "Received", Tone.GOOD, ended=True, success=True),
    R.PARTIAL: StateInfo("部分接收", "Partly received", Tone.DOUBTFUL, ended=True),
    R.EMPTY: StateInfo("未收到页面", "No page received", Tone.BAD, ended=True),
    R.LOST: StateInfo("网关失联", "Gateway lost", Tone.DOUBTFUL, ended=True),
}

_BEFORE_A_CALL = {S.QUEUED, S.SCHEDULED, S.HELD, S.AWAITING_APPROVAL, S.FAILED, S.CANCELLED, S.REFUSED}
_AFTER_A_CALL = {S.QUEUED, S.SENT, S.PARTIAL, S.FAILED, S.UNKNOWN, S.CANCELLED}

# From each state, the states that may follow. An ended fax never changes again: Send again makes a new one.
STEPS: dict[DeliveryState, frozenset[DeliveryState]] = {
    S.CONVERTING: frozenset(_BEFORE_A_CALL),
    S.AWAITING_APPROVAL: frozenset(_BEFORE_A_CALL - {S.AWAITING_APPROVAL}),
    # A fax that was partly sent and whose time is over ends as partial.
    S.SCHEDULED: frozenset(_BEFORE_A_CALL | {S.PARTIAL}),
    S.HELD: frozenset(_BEFORE_A_CALL - {S.HELD}),
    S.QUEUED: frozenset((_BEFORE_A_CALL - {S.QUEUED}) | {S.DIALING, S.PARTIAL, S.SENT}),
    S.DIALING: frozenset(_AFTER_A_CALL | {S.SENDING}),
    S.SENDING: frozenset(_AFTER_A_CALL),
} | {state: frozenset[DeliveryState]() for state in S if STATE_INFO[state].ended}

OPEN_STATES = frozenset(state for state in S if not STATE_INFO[state].ended)
# What came in by such a call is not on record yet.
UNRECORDED = frozenset({R.RECEIVING, R.LOST})
ON_THE_LINE = frozenset({S.DIALING, S.SENDING})


def may_follow(before: DeliveryState, after: DeliveryState) -> bool:
    """Whether a fax in one state may pass to the other."""
    return after in STEPS[before]
