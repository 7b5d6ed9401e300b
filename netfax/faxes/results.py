"""What a call came to: Asterisk's causes and SpanDSP's texts, each classified once, and the verdict on a fax."""

from dataclasses import dataclass
from enum import StrEnum


class Again(StrEnum):
    """What the cause says about calling again."""

    NO = "no"
    LATER = "later"
    # The line was taken by a call that came in at the same moment: nothing was tried.
    UNCOUNTED = "uncounted"


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
    LINE_TROUBLE = "line_trouble"
    DROPPED = "dropped"
    REDRAW = "redraw"
    NOT_COMPATIBLE = "not_compatible"
    OUR_FAULT = "our_fault"
    NOT_CONFIRMED = "not_confirmed"
    LAST_PAGE_UNKNOWN = "last_page_unknown"
    CALL_LOST = "call_lost"
    CANCELLED = "cancelled"
    BAD_DOCUMENT = "bad_document"
    NO_ROUTE = "no_route"


@dataclass(frozen=True)
class CauseInfo:
    """A cause in words, and whether to call again."""

    again: Again
    en: str
    zh: str

    def text(self, language: str) -> str:
        return self.zh if language.startswith("zh") else self.en


CAUSES: dict[Cause, CauseInfo] = {
    Cause.OK: CauseInfo(Again.NO, "Every page was confirmed.", "全部页面均已确认。"),
    Cause.BUSY: CauseInfo(Again.LATER, "The line was busy.", "对方占线。"),
    Cause.NO_ANSWER: CauseInfo(Again.LATER, "Nobody answered.", "无人应答。"),
    Cause.CONGESTION: CauseInfo(Again.LATER, "The telephone network had no free line.", "电话网络线路拥塞。"),
    Cause.GLARE: CauseInfo(Again.UNCOUNTED, "An incoming call took the line first.", "线路被来电抢先占用。"),
    Cause.UNALLOCATED: CauseInfo(Again.NO, "The number does not exist; check it.", "号码不存在，请核对。"),
    Cause.REJECTED: CauseInfo(Again.LATER, "The far end rejected the call.", "对方拒绝了呼叫。"),
    Cause.INCOMPATIBLE_CALL: CauseInfo(
        Again.LATER, "The line and the far end found no common media.", "线路与对方没有共同的媒体格式。"
    ),
    Cause.CALL_FAILED: CauseInfo(Again.LATER, "The call could not be set up.", "呼叫未能建立。"),
    Cause.NO_FAX: CauseInfo(
        Again.LATER, "No fax machine answered: perhaps a person or a voice.", "应答的不是传真机，可能是人工或语音。"
    ),
    Cause.LINE_TROUBLE: CauseInfo(
        Again.LATER, "The fax machines lost each other on a bad line.", "线路质量差，双方传真机失去联系。"
    ),
    Cause.DROPPED: CauseInfo(Again.LATER, "The call was cut off.", "通话中断。"),
    Cause.REDRAW: CauseInfo(
        Again.LATER, "The far end can't take pages of this size or fineness.", "对方不支持此页面尺寸或分辨率。"
    ),
    Cause.NOT_COMPATIBLE: CauseInfo(Again.NO, "The far end can't receive faxes.", "对方无法接收传真。"),
    Cause.OUR_FAULT: CauseInfo(
        Again.LATER, "Our own system failed; the operator was told.", "本系统出错，已通知管理员。"
    ),
    Cause.NOT_CONFIRMED: CauseInfo(Again.LATER, "The far end did not confirm every page.", "对方没有确认全部页面。"),
    Cause.LAST_PAGE_UNKNOWN: CauseInfo(
        Again.NO,
        "The call ended before the last page was confirmed; it may have arrived.",
        "通话在最后一页确认前中断，该页可能已经送达。",
    ),
    Cause.CALL_LOST: CauseInfo(
        Again.NO,
        "The exchange stopped during the call; the fax may have arrived.",
        "通话期间交换机停止，传真可能已经送达。",
    ),
    Cause.CANCELLED: CauseInfo(Again.NO, "Cancelled by the sender.", "发件人已取消。"),
    Cause.BAD_DOCUMENT: CauseInfo(Again.NO, "The document could not be drawn.", "文档无法转换。"),
    Cause.NO_ROUTE: CauseInfo(Again.NO, "No trunk serves this number.", "没有线路可以呼叫此号码。"),
}

# Q.850 causes of a call that was never answered.
Q850: dict[int, Cause] = {
    1: Cause.UNALLOCATED,
    2: Cause.UNALLOCATED,
    3: Cause.UNALLOCATED,
    17: Cause.BUSY,
    18: Cause.NO_ANSWER,
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

# SpanDSP's texts and Asterisk's own words, of a call that was answered.
FAX_TEXTS: dict[str, Cause] = {
    "OK": Cause.OK,
    "Timed out waiting for initial communication": Cause.NO_FAX,
    "Timed out waiting for the first message": Cause.NO_FAX,
    "Received a DCN while waiting for a DIS": Cause.NO_FAX,
    "Received other than DIS while waiting for DIS": Cause.NO_FAX,
    "Failed to train with any of the compatible modems": Cause.LINE_TROUBLE,
    "Received bad response to DCS or training": Cause.LINE_TROUBLE,
    "Received no response to DCS or TCF": Cause.LINE_TROUBLE,
    "Unexpected message received": Cause.LINE_TROUBLE,
    "Timed out waiting for procedural interrupt": Cause.LINE_TROUBLE,
    "The HDLC carrier did not stop in a timely manner": Cause.LINE_TROUBLE,
    "Received a DCN from remote after sending a page": Cause.LINE_TROUBLE,
    "Invalid ECM response received from receiver": Cause.LINE_TROUBLE,
    "Invalid response after sending a page": Cause.LINE_TROUBLE,
    "No response after sending a page": Cause.LINE_TROUBLE,
    "Timed out waiting for receiver ready (ECM mode)": Cause.LINE_TROUBLE,
    "Disconnected after permitted retries": Cause.LINE_TROUBLE,
    "The call dropped prematurely": Cause.DROPPED,
    "Far end cannot receive at the resolution of the image": Cause.REDRAW,
    "Far end cannot receive at the size of image": Cause.REDRAW,
    "Far end is not compatible": Cause.NOT_COMPATIBLE,
    "Far end is not able to receive": Cause.NOT_COMPATIBLE,
    "Far end is not able to transmit": Cause.NOT_COMPATIBLE,
    "TIFF/F file cannot be opened": Cause.OUR_FAULT,
    "Bad TIFF/F header - incorrect values in fields": Cause.OUR_FAULT,
    # A refusal of T.38 falls back to audio, so this is left for a call that ended during the negotiation.
    "T38_NEG_ERROR": Cause.DROPPED,
    "TIMEOUT": Cause.LINE_TROUBLE,
    "HANGUP": Cause.DROPPED,
    "Channel Problems": Cause.LINE_TROUBLE,
    "FILE_ERROR": Cause.OUR_FAULT,
    "INIT_ERROR": Cause.OUR_FAULT,
    "INVALID_ARGUMENTS": Cause.OUR_FAULT,
    "MEMORY_ERROR": Cause.OUR_FAULT,
}

NO_RESOLUTION = ("", "0x0")
# A fax machine that answers is heard within this time, negotiation of T.38 included.
SILENCE_SECONDS = 20
# Seconds of a call that carry no page: answer, negotiation, training, and the confirmation at the end.
OVERHEAD_SECONDS = 8


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
    # The Asterisk that carried the call stopped during it.
    died: bool = False


@dataclass(frozen=True)
class Verdict:
    """The judged cause and how many pages of this call's image were confirmed."""

    cause: Cause
    confirmed: int

    @property
    def unknowable(self) -> bool:
        return self.cause in (Cause.LAST_PAGE_UNKNOWN, Cause.CALL_LOST)


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
    elif cause in (Cause.DROPPED, Cause.LINE_TROUBLE) and confirmed == total - 1 and _carried(outcome, page_bytes):
        cause = Cause.LAST_PAGE_UNKNOWN
    return Verdict(cause, confirmed)


def _why_unanswered(outcome: CallOutcome) -> Cause:
    """The network's reason, or our own where the call was not even placed."""
    if FAX_TEXTS.get(outcome.error) is Cause.OUR_FAULT:
        return Cause.OUR_FAULT
    return Q850.get(outcome.hangup_cause or 0, Cause.CALL_FAILED)


def _carried(outcome: CallOutcome, page_bytes: tuple[int, ...]) -> bool:
    """Whether the call lasted long enough to have carried every page at its rate."""
    return outcome.rate > 0 and outcome.seconds >= OVERHEAD_SECONDS + sum(page_bytes) * 8 / outcome.rate
