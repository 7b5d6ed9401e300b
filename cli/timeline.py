"""A fax's history for people: what it is, its files, and what happened when."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from cli.output import console, harmless, language, local_time, mode_words, say, table
from netfax.alarms import title
from netfax.documents.errors import read_note
from netfax.faxes.history import Act, read_act
from netfax.faxes.models import Priority
from netfax.faxes.results import CAUSES, Cause
from netfax.faxes.states import ON_THE_LINE, STATE_INFO, DeliveryState, ReceptionState
from netfax.faxes.traced import (
    AlarmTrace,
    AttemptTrace,
    ChangeTrace,
    DeliveryTrace,
    FaxTrace,
    ItemTrace,
    ReceptionTrace,
    StoredFile,
)

PRIORITIES_ZH = {Priority.HIGH: "高", Priority.MEDIUM: "中", Priority.LOW: "低"}


class Moment(NamedTuple):
    at: datetime
    what: str
    detail: str


def print_trace(trace: FaxTrace) -> None:
    """Print a history in the terminal's language, times in its zone.

    The order is that of the rows, not of their times: a clock may have been set back meanwhile.
    """
    facts = [*_delivery_facts(trace.delivery), *_reception_facts(trace.reception)]
    for label, value in facts:
        console.print(harmless(f"{label}: {value}"), markup=False)
    moments: list[Moment] = [
        *_delivery_moments(trace.delivery),
        *_reception_moments(trace.reception),
        *(moment for alarm in trace.alarms for moment in _alarm_moments(alarm)),
    ]
    console.print()
    columns = (say("time", "时间"), say("what", "事件"), say("details", "详情"))
    table(columns, moments, "")


# --- What it is ---


def _delivery_facts(delivery: DeliveryTrace | None) -> Iterator[tuple[str, str]]:
    if delivery is None:
        return
    submission = delivery.submission
    yield say("Fax", "传真"), f"{_number(delivery.item)}{delivery.id}"
    yield say("State", "状态"), _state(delivery.state) + (f": {_cause(delivery.cause)}" if delivery.cause else "")
    yield say("From", "发件人"), submission.user
    yield say("To", "收件号码"), f"{delivery.number} {submission.recipient_name}".strip()
    yield say("Title", "标题"), submission.title
    yield say("Pages confirmed", "已确认页数"), f"{delivery.pages_confirmed}/{delivery.pages}"
    yield say("Calls", "呼叫次数"), str(delivery.tries)
    waiting = (
        (say("Next try", "下次呼叫"), delivery.next_try_at),
        (say("Planned for", "定时"), delivery.planned_at),
        (say("Expires", "发送期限"), delivery.expires_at),
    )
    if delivery.ended_at is None:
        yield from ((label, local_time(at)) for label, at in waiting if at is not None)
    if delivery.again_of:
        yield say("Sends again", "重发自"), delivery.again_of
    for again in delivery.sent_again_by:
        yield say("Sent again by", "被重发为"), again
    if submission.cover:
        yield say("Cover", "封面"), f"{submission.cover.name}, {_file(submission.cover.file)}"
    for attachment in submission.attachments:
        yield say("Attachment", "附件"), f"{attachment.name}, {_file(attachment.file)}"
    if submission.document:
        sizes = ", ".join(str(size) for size in submission.document.page_bytes)
        yield say("Pages", "页面"), f"{_file(submission.document.file)} [{sizes}]"


def _reception_facts(reception: ReceptionTrace | None) -> Iterator[tuple[str, str]]:
    if reception is None:
        return
    inside = say("Internal", "内部")
    yield say("Reception", "来件"), f"{_number(reception.item)}{reception.id}"
    yield say("State", "状态"), _state(reception.state)
    yield (
        say("Caller", "来电号码"),
        inside if reception.inside else f"{reception.caller} {reception.station_id}".strip(),
    )
    yield say("Called", "被叫号码"), reception.called
    yield say("Recipient", "收件人"), reception.user
    yield say("Pages on disk", "存盘页数"), f"{reception.pages} ({_confirmed(reception.pages_confirmed)})"
    if reception.file:
        yield say("Pages", "页面"), _file(reception.file)


def _number(item: ItemTrace | None) -> str:
    return f"{item.number}, " if item else ""


def _file(file: StoredFile) -> str:
    there = say("on disk", "在磁盘上") if file.present else say("NOT ON DISK", "不在磁盘上")
    return f"{file.size} B, SHA-256 {file.sha256}, {there}"


# --- What happened when ---


def _delivery_moments(delivery: DeliveryTrace | None) -> Iterator[Moment]:
    if delivery is None:
        return
    submission = delivery.submission
    yield Moment(submission.created_at, say("submitted", "提交"), submission.user)
    states_and_calls = _states_and_calls(delivery)
    if delivery.changes and delivery.changes[0].after == DeliveryState.CONVERTING:
        yield next(states_and_calls)
    if submission.document:
        pages = submission.document.pages
        yield Moment(submission.document.created_at, say("pages drawn", "页面转换完成"), _pages(pages))
    yield from states_and_calls


def _states_and_calls(delivery: DeliveryTrace) -> Iterator[Moment]:
    """A call begins where its fax is dialled, and has ended before the fax leaves the line."""
    calls = [
        (list(_call_begins(ordinal, attempt)), list(_call_ends(ordinal, attempt)))
        for ordinal, attempt in enumerate(delivery.attempts, start=1)
    ]
    its_end: list[Moment] = []
    for change in delivery.changes:
        if change.after not in ON_THE_LINE:
            yield from its_end
            its_end = []
        yield _change(change)
        if calls and change.before != change.after == DeliveryState.DIALING:
            begin, its_end = calls.pop(0)
            yield from begin
    yield from its_end
    for begin, end in calls:
        yield from (*begin, *end)


def _change(change: ChangeTrace) -> Moment:
    states = [_state(state) for state in (change.before, change.after) if state is not None]
    return Moment(change.at, " → ".join(states), f"{change.actor}: {_reason(change.reason)}".removesuffix(": "))


def _call_begins(ordinal: int, attempt: AttemptTrace) -> Iterator[Moment]:
    call = _call(ordinal)
    asked = f"{attempt.asked_mode} {attempt.modem}{' ECM' if attempt.ecm else ''}{' fine' if attempt.fine else ''}"
    first = say(f"from page {attempt.first_page}", f"从第 {attempt.first_page} 页起")
    yield Moment(attempt.created_at, say(f"{call} decided on", f"{call}：已安排"), f"{attempt.trunk}, {asked}, {first}")
    if attempt.originated_at:
        yield Moment(attempt.originated_at, say(f"{call} placed", f"{call}：已拨出"), attempt.id)
    if attempt.answered_at:
        yield Moment(attempt.answered_at, say(f"{call} answered", f"{call}：已接通"), attempt.station_id)


def _call_ends(ordinal: int, attempt: AttemptTrace) -> Iterator[Moment]:
    if attempt.ended_at:
        words = [_cause(attempt.cause) if attempt.cause else "", attempt.status_text]
        if attempt.hangup_cause:
            words.append(f"Q.850 {attempt.hangup_cause}")
        if attempt.answered_at:
            words.append(_on_the_line(attempt.pages_confirmed, attempt.rate, attempt.mode, attempt.seconds))
        detail = " · ".join(word for word in words if word)
        yield Moment(attempt.ended_at, say(f"{_call(ordinal)} ended", f"{_call(ordinal)}：已结束"), detail)


def _call(ordinal: int) -> str:
    return say(f"call {ordinal}", f"第 {ordinal} 次呼叫")


def _reception_moments(reception: ReceptionTrace | None) -> Iterator[Moment]:
    if reception is None:
        return
    if reception.inside:
        yield Moment(reception.started_at, say("handed over inside", "内部送达"), reception.user)
        return
    yield Moment(reception.started_at, say("call came in", "来电"), f"{reception.trunk} {reception.channel}".strip())
    if reception.ended_at:
        line = _on_the_line(reception.pages_confirmed, reception.rate, reception.mode, reception.seconds)
        detail = " · ".join(part for part in (_state(reception.state), reception.status_text, line) if part)
        yield Moment(reception.ended_at, say("call ended", "通话结束"), detail)


def _alarm_moments(alarm: AlarmTrace) -> Iterator[Moment]:
    what = title(alarm.code, language())
    said = say(alarm.text, alarm.text_zh or alarm.text)
    yield Moment(alarm.raised_at, say(f"alarm {alarm.number}: {what}", f"告警 {alarm.number}：{what}"), said)
    if alarm.cleared_at:
        yield Moment(alarm.cleared_at, say(f"alarm {alarm.number} cleared", f"告警 {alarm.number} 已处理"), "")


def _on_the_line(confirmed: int, rate: int, mode: str, seconds: int) -> str:
    parts = [_confirmed(confirmed), f"{rate} bit/s" if rate else "", mode_words(mode) if mode else "", f"{seconds} s"]
    return ", ".join(part for part in parts if part)


def _confirmed(pages: int) -> str:
    return say(f"{pages} confirmed", f"已确认 {pages} 页")


def _pages(pages: int) -> str:
    return say(f"{pages} page(s)", f"{pages} 页")


def _state(word: str) -> str:
    state = DeliveryState(word) if word in list(DeliveryState) else ReceptionState(word)
    return STATE_INFO[state].text(language())


def _cause(word: str) -> str:
    return CAUSES[Cause(word)].text(language())


def _reason(reason: str) -> str:
    """A cause, a document's error or an act in words; what is none (a trunk's or a user's name) as it is."""
    match read_act(reason):
        case Act.CANCEL_ASKED, _:
            return say("taken back while on the line", "通话中要求取消")
        case Act.SEND_NOW, _:
            return say("to be sent now", "立即发送")
        case Act.PLAN, at:
            time = local_time(datetime.fromisoformat(at))
            return say(f"planned for {time}", f"定时 {time}")
        case Act.PRIORITY, priority:
            return say(f"priority {priority}", f"优先级：{PRIORITIES_ZH[Priority(priority)]}")
    if (error := read_note(reason)) is not None:
        return error.text(language())
    return _cause(reason) if reason in list(Cause) else reason
