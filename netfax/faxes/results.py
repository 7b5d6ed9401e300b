"""What a call came to: Asterisk's causes and SpanDSP's texts, each classified once, and the verdict on a fax."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from netfax.documents.errors import read_note


class Cause(StrEnum):
    OK = "ok"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    CONGESTION = "congestion"
    GLARE = "glare"
    UNALLOCATED = "unallocated"
    REJECTED = "rejected"
    INCOMPATIBLE_CALL = "incompatible_call"
    CALL_FAILED = "call_failed"
    NO_FAX = "no_fax"
    TRAINING = "training"
    ECM_TROUBLE = "ecm_trouble"
    LINE_TROUBLE = "line_trouble"
    DROPPED = "dropped"
    REDRAW = "redraw"
    NOT_COMPATIBLE = "not_compatible"
    OUR_FAULT = "our_fault"
    NOT_CONFIRMED = "not_confirmed"
    LAST_PAGE_UNKNOWN = "last_page_unknown"
    CALL_LOST = "call_lost"
    RECORD_LOST = "record_lost"
    CANCELLED = "cancelled"
    BAD_DOCUMENT = "bad_document"
    NO_ROUTE = "no_route"
    EXPIRED = "expired"


@dataclass(frozen=True)
class CauseInfo:
    """A cause in words; what it asks of the next call is in `netfax.faxes.retry`."""

    en: str
    zh: str

    def text(self, language: str) -> str:
        return self.zh if language.startswith("zh") else self.en


CAUSES: dict[Cause, CauseInfo] = {
    Cause.OK: CauseInfo("Every page was confirmed.", "全部页面均已确认。"),
    Cause.BUSY: CauseInfo("The line was busy.", "对方占线。"),
    Cause.NO_ANSWER: CauseInfo("Nobody answered.", "无人应答。"),
    Cause.CONGESTION: CauseInfo("The telephone network had no free line.", "电话网络线路拥塞。"),
    Cause.GLARE: CauseInfo("An incoming call took the line first.", "线路被来电抢先占用。"),
    Cause.UNALLOCATED: CauseInfo("The number does not exist; check it.", "号码不存在，请核对。"),
    Cause.REJECTED: CauseInfo("The far end rejected the call.", "对方拒绝了呼叫。"),
    Cause.INCOMPATIBLE_CALL: CauseInfo(
        "The line and the far end found no common media.", "线路与对方没有共同的媒体格式。"
    ),
    Cause.CALL_FAILED: CauseInfo("The call could not be set up.", "呼叫未能建立。"),
    Cause.NO_FAX: CauseInfo(
        "No fax machine answered: perhaps a person or a voice.", "应答的不是传真机，可能是人工或语音。"
    ),
    Cause.TRAINING: CauseInfo(
        "The fax machines found no speed that the line carries.", "线路质量差，双方未能协商出可用的传输速率。"
    ),
    Cause.ECM_TROUBLE: CauseInfo(
        "The fax machines did not get on with error correction.", "双方传真机的纠错模式（ECM）不能配合。"
    ),
    Cause.LINE_TROUBLE: CauseInfo(
        "The fax machines lost each other on a bad line.", "线路质量差，双方传真机失去联系。"
    ),
    Cause.DROPPED: CauseInfo("The call was cut off.", "通话中断。"),
    Cause.REDRAW: CauseInfo("The far end can't take pages of this size or fineness.", "对方不支持此页面尺寸或分辨率。"),
    Cause.NOT_COMPATIBLE: CauseInfo("The far end can't receive faxes.", "对方无法接收传真。"),
    Cause.OUR_FAULT: CauseInfo("Our own system failed; the operator was told.", "本系统出错，已通知管理员。"),
    Cause.NOT_CONFIRMED: CauseInfo("The far end did not confirm every page.", "对方没有确认全部页面。"),
    Cause.LAST_PAGE_UNKNOWN: CauseInfo(
        "The call ended before the last page was confirmed; it may have arrived.",
        "通话在最后一页确认前中断，该页可能已经送达。",
    ),
    Cause.CALL_LOST: CauseInfo(
        "The exchange stopped during the call; the fax may have arrived.",
        "通话期间交换机停止，传真可能已经送达。",
    ),
    Cause.RECORD_LOST: CauseInfo(
        "The record of the call was lost; the fax may have arrived.",
        "通话记录丢失，传真可能已经送达。",
    ),
    Cause.CANCELLED: CauseInfo("Cancelled by the sender.", "发件人已取消。"),
    Cause.BAD_DOCUMENT: CauseInfo("The document could not be drawn.", "文档无法转换。"),
    Cause.NO_ROUTE: CauseInfo("No trunk serves this number.", "没有线路可以呼叫此号码。"),
    Cause.EXPIRED: CauseInfo(
        "The time in which it was to be sent has passed; send it again.", "已超过发送期限，请重新发送。"
    ),
}


def detail_text(detail: str, language: str) -> str:
    """What is known beyond a fax's cause (`Delivery.cause_detail`), a document's error as its sentence."""
    error = read_note(detail)
    return error.text(language) if error is not None else detail


# Q.850 causes of a call that was never answered.
Q850: dict[int, Cause] = {
    1: Cause.UNALLOCATED,
    2: Cause.UNALLOCATED,
    3: Cause.UNALLOCATED,
    17: Cause.BUSY,
    # What a SIP trunk gets that nobody answers (408): who rings in vain ends by 19.
    18: Cause.CALL_FAILED,
    19: Cause.NO_ANSWER,
    20: Cause.NO_ANSWER,
    21: Cause.REJECTED,
    22: Cause.UNALLOCATED,
    28: Cause.UNALLOCATED,
    27: Cause.CONGESTION,
    34: Cause.CONGESTION,
    38: Cause.CONGESTION,
    41: Cause.CONGESTION,
    42: Cause.CONGESTION,
    44: Cause.GLARE,
    58: Cause.INCOMPATIBLE_CALL,
    65: Cause.INCOMPATIBLE_CALL,
    88: Cause.INCOMPATIBLE_CALL,
}

_NO_FAX = (
    "The CED tone exceeded 5s",
    "Timed out waiting for initial communication",
    "Timed out waiting for the first message",
    "Received a DCN while waiting for a DIS",
    "Received other than DIS while waiting for DIS",
)
_TRAINING = (
    "Failed to train with any of the compatible modems",
    "Received bad response to DCS or training",
    "Received no response to DCS or TCF",
)
_ECM_TROUBLE = (
    "Invalid ECM response received from receiver",
    "Invalid ECM response received from transmitter",
    "Timed out waiting for receiver ready (ECM mode)",
)
_LINE_TROUBLE = (
    "Operator intervention failed",
    "Unexpected message received",
    "Timed out waiting for procedural interrupt",
    "The HDLC carrier did not stop in a timely manner",
    "Received a DCN from remote after sending a page",
    "Invalid response after sending a page",
    "No response after sending a page",
    "Disconnected after permitted retries",
    "Unexpected command after page received",
    "Carrier lost during fax receive",
    "Timed out while waiting for EOL (end Of line)",
    "Timed out while waiting for first line",
    "Timer T2 expired while waiting for DCN",
    "Timer T2 expired while waiting for phase D",
    "Timer T2 expired while waiting for fax page",
    "Timer T2 expired while waiting for next fax page",
    "Timer T2 expired while waiting for RR command",
    "Timer T2 expired while waiting for NSS, DCS or MCF",
    "Unexpected DCN while waiting for DCS or DIS",
    "Unexpected DCN while waiting for image data",
    "Unexpected DCN while waiting for EOM, EOP or MPS",
    "Unexpected DCN after EOM or MPS sequence",
    "Unexpected DCN after RR/RNR sequence",
    "Unexpected DCN after requested retransmission",
    # Asterisk's own.
    "TIMEOUT",
    "Channel Problems",
)
# A refusal of T.38 falls back to audio, so T38_NEG_ERROR is left for a call that ended during the negotiation.
_DROPPED = ("The call dropped prematurely", "HANGUP", "T38_NEG_ERROR")
_REDRAW = ("Far end cannot receive at the resolution of the image", "Far end cannot receive at the size of image")
_NOT_COMPATIBLE = (
    "Far end is not compatible",
    "Far end is not able to receive",
    "Far end is not able to transmit",
    "Poll not accepted",
)
# The far machine lets in whom it knows.
_REJECTED = (
    "Ident not accepted",
    "Password not accepted",
    "Sub-address not accepted",
    "Sender identification not accepted",
)
_OUR_FAULT = (
    "TIFF/F file cannot be opened",
    "TIFF/F page not found",
    "TIFF/F format is not compatible",
    "TIFF/F page number tag missing",
    "Incorrect values for TIFF/F tags",
    "Bad TIFF/F header - incorrect values in fields",
    "Cannot allocate memory for more pages",
    # Asterisk's own.
    "FILE_ERROR",
    "INIT_ERROR",
    "INVALID_ARGUMENTS",
    "MEMORY_ERROR",
)

# SpanDSP's texts (0.0.6, `t30_completion_code_to_str`) and Asterisk's own words, of a call that was answered.
FAX_TEXTS: dict[str, Cause] = {"OK": Cause.OK} | {
    text: cause
    for cause, texts in (
        (Cause.NO_FAX, _NO_FAX),
        (Cause.TRAINING, _TRAINING),
        (Cause.ECM_TROUBLE, _ECM_TROUBLE),
        (Cause.LINE_TROUBLE, _LINE_TROUBLE),
        (Cause.DROPPED, _DROPPED),
        (Cause.REDRAW, _REDRAW),
        (Cause.NOT_COMPATIBLE, _NOT_COMPATIBLE),
        (Cause.REJECTED, _REJECTED),
        (Cause.OUR_FAULT, _OUR_FAULT),
    )
    for text in texts
}

# The far end was heard and then was not: only of these can the last page have arrived unconfirmed.
LOST_CONTACT = frozenset({Cause.DROPPED, Cause.LINE_TROUBLE, Cause.ECM_TROUBLE})
NO_RESOLUTION = ("", "0x0")
# A fax machine that answers is heard within this time, negotiation of T.38 included.
SILENCE_SECONDS = 20
# Seconds of a call that carry no page: answer, negotiation, training, and the confirmation at the end.
OVERHEAD_SECONDS = 8
# V.17's rate, in bit/s.
FASTEST = 14400
# A peer that sends no audio would hold its port for ever; a dense page at 2,400 bit/s takes some 150 s.
LIMIT_SECONDS = 120
LIMIT_SECONDS_A_PAGE = 150


@dataclass(frozen=True)
class CallOutcome:
    """What is known of a call that has ended; `pages` are those confirmed in this call, `seconds` since the answer."""

    answered: bool
    hangup_cause: int | None = None
    fax_status: str = ""
    status_text: str = ""
    error: str = ""
    pages: int = 0
    rate: int = 0
    mode: str = ""
    remote_station_id: str = ""
    seconds: int = 0
    # FAXRESOLUTION; NO_RESOLUTION until the far machine has agreed on how pages are sent (T.30 phase B).
    resolution: str = ""
    # False when only the telephone call is on record, and nothing of the fax: its journal met a full disk.
    reported: bool = True
    # The Asterisk that carried the call stopped during it.
    died: bool = False


@dataclass(frozen=True)
class Verdict:
    """The judged cause and how many pages of this call's image were confirmed."""

    cause: Cause
    confirmed: int

    @property
    def unknowable(self) -> bool:
        return self.cause in (Cause.LAST_PAGE_UNKNOWN, Cause.CALL_LOST, Cause.RECORD_LOST)


def judge(outcome: CallOutcome, page_bytes: tuple[int, ...]) -> Verdict:
    """Judge a call that sent pages of these sizes (bytes of Group 4).

    Delivered only when every page is confirmed: SpanDSP can report OK for a last page that was refused. Where just
    the last page is unconfirmed and the call was long enough to have carried it, the truth can't be known.
    """
    total = len(page_bytes)
    if not outcome.answered:
        return Verdict(Cause.CALL_LOST if outcome.died else _why_unanswered(outcome), 0)
    if outcome.died:
        return Verdict(Cause.CALL_LOST, 0)
    if not outcome.reported:
        carried = _carried(outcome, page_bytes, rate=FASTEST)
        return Verdict(Cause.RECORD_LOST if carried else Cause.DROPPED, 0)
    confirmed = min(outcome.pages, total)
    if confirmed == total:
        # Whatever happened after the last confirmation: there is nothing left to send.
        return Verdict(Cause.OK, confirmed)
    if outcome.fax_status == "SUCCESS":
        return Verdict(Cause.NOT_CONFIRMED, confirmed)
    cause = FAX_TEXTS.get(outcome.status_text) or FAX_TEXTS.get(outcome.error) or Cause.LINE_TROUBLE
    if cause is Cause.OK:
        cause = Cause.NOT_CONFIRMED
    if outcome.resolution in NO_RESOLUTION:
        if cause is Cause.DROPPED and outcome.seconds >= SILENCE_SECONDS:
            cause = Cause.NO_FAX
    elif cause in LOST_CONTACT and confirmed == total - 1 and _carried(outcome, page_bytes, rate=outcome.rate):
        cause = Cause.LAST_PAGE_UNKNOWN
    return Verdict(cause, confirmed)


def _why_unanswered(outcome: CallOutcome) -> Cause:
    """The network's reason, or our own where the call was not even placed."""
    if FAX_TEXTS.get(outcome.error) is Cause.OUR_FAULT:
        return Cause.OUR_FAULT
    return Q850.get(outcome.hangup_cause or 0, Cause.CALL_FAILED)


def _carried(outcome: CallOutcome, page_bytes: tuple[int, ...], *, rate: int) -> bool:
    """Whether the call may have carried every page at this rate (bit/s).

    Asterisk takes its seconds from the clock: what no call lasts says that it was moved, and nothing of the call.
    """
    if rate <= 0:
        return False
    moved = not 0 < outcome.seconds <= longest_call(len(page_bytes))
    return moved or outcome.seconds >= OVERHEAD_SECONDS + sum(page_bytes) * 8 / rate


def seconds_on_line(page_bytes: Sequence[int]) -> int:
    """How long a call that sends these pages lasts when nothing goes wrong, by the bytes of their code."""
    return round(OVERHEAD_SECONDS + sum(page_bytes) * 8 / FASTEST)


def longest_call(pages: int) -> int:
    """Seconds after the answer at which a call with so many pages is cut at last."""
    return LIMIT_SECONDS + LIMIT_SECONDS_A_PAGE * pages
