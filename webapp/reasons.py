"""Why a fax is where it is and what comes next, in one line."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from netfax.db import UnitOfWork, now
from netfax.faxes.dispatch import is_within
from netfax.faxes.models import Attempt, Delivery
from netfax.faxes.results import Cause, detail_text
from netfax.faxes.retry import RULES
from netfax.faxes.states import DeliveryState
from netfax.params.service import get_int, get_text
from webapp.language import language
from webapp.shown import cause_text, clauses, joined, sentences
from webapp.times import minute, near
from webapp.words import _


@dataclass(frozen=True)
class Calling:
    """When and how often numbers are called (R8.3): retries, and the hours of the day in the system's zone."""

    retries: int
    paid_retries: int
    hours: str
    zone: str

    @classmethod
    def read(cls, uow: UnitOfWork) -> "Calling":
        retries = get_int(uow, "retry_count")
        paid_retries = min(get_int(uow, "paid_retry_count"), retries)
        return cls(retries, paid_retries, get_text(uow, "calling_hours"), get_text(uow, "time_zone"))

    def from_when(self, at: datetime) -> datetime:
        """The first instant, not before `at`, that lies in the calling hours."""
        if is_within(self.hours, at, self.zone):
            return at
        local = at.astimezone(ZoneInfo(self.zone))
        opens = datetime.combine(local.date(), time.fromisoformat(self.hours.split("-")[0]), local.tzinfo)
        return (opens if opens > local else opens + timedelta(days=1)).astimezone(UTC)


def reason(delivery: Delivery, calling: Calling) -> str:
    """Why a fax is where it is, and what comes next; empty when the state's word says it all."""
    match delivery.state:
        case DeliveryState.CONVERTING:
            return clauses(_("the pages are being drawn"), _planned(delivery, calling))
        case DeliveryState.AWAITING_APPROVAL:
            return _("Goes when it is approved")
        case DeliveryState.SCHEDULED:
            return clauses(_planned(delivery, calling))
        case DeliveryState.HELD:
            return clauses(_planned(delivery, calling), _("held; release it to send"))
        case DeliveryState.QUEUED:
            return _next_call(delivery, calling)
        case DeliveryState.FAILED if delivery.cause is Cause.BAD_DOCUMENT and delivery.cause_detail:
            return detail_text(delivery.cause_detail, language())
        case DeliveryState.PARTIAL:
            return sentences(_confirmed_pages(delivery), cause_text(delivery.cause))
        case DeliveryState.CANCELLED if delivery.pages_confirmed:
            return _(
                "%(confirmed)d of %(pages)d pages had been confirmed.",
                confirmed=delivery.pages_confirmed,
                pages=delivery.pages,
            )
        case DeliveryState.UNKNOWN:
            return clauses(_surely_arrived(delivery), _perhaps_arrived(delivery))
        case DeliveryState.FAILED | DeliveryState.REFUSED:
            return cause_text(delivery.cause)
        case _:
            return ""


def _planned(delivery: Delivery, calling: Calling) -> str:
    """For when the fax is planned, and when it goes if nobody is called then; empty when that is past or never was."""
    at = delivery.planned_at
    if at is None or at <= now():
        return ""
    goes = calling.from_when(at)
    outside = _("outside calling hours, goes at %(time)s", time=minute(goes)) if goes > at else ""
    return joined(_("planned for %(time)s", time=minute(at)), outside)


def _next_call(delivery: Delivery, calling: Calling) -> str:
    due = max(delivery.next_try_at or now(), now())
    goes = calling.from_when(due)
    outside = _("outside calling hours") if goes > due else ""
    waits = goes > now()
    last = _last_call(delivery)
    if last is None:
        goes_when = _("goes at %(time)s", time=near(goes)) if waits else _("goes as soon as a line is free")
        return clauses(_briefly(delivery.cause), outside, goes_when)
    call, calls = _count(delivery, last, calling)
    if waits:
        again = _("next call at %(time)s (%(call)d of %(calls)d)", time=near(goes), call=call, calls=calls)
    else:
        again = _("next call as soon as a line is free (%(call)d of %(calls)d)", call=call, calls=calls)
    return clauses(_briefly(delivery.cause), outside, again)


def _last_call(delivery: Delivery) -> Attempt | None:
    ended = [attempt for attempt in delivery.attempts if attempt.ended_at is not None]
    return ended[-1] if ended else None


def _count(delivery: Delivery, last: Attempt, calling: Calling) -> tuple[int, int]:
    """Which call comes next and how many there are at most, of those that were answered as the last or not."""
    if last.answered_at is None:
        made, retries = delivery.free_tries, calling.retries
    else:
        made, retries = delivery.paid_tries, calling.paid_retries
    # The parameter may have been lowered since.
    calls = max(retries, made) + 1
    rule = RULES.get(last.cause) if last.cause is not None else None
    if rule is not None and rule.calls is not None:
        of_cause = sum(attempt.cause is last.cause for attempt in delivery.attempts)
        calls = min(calls, max(made + rule.calls - of_cause, made + 1))
    return made + 1, calls


def _briefly(cause: Cause | None) -> str:
    """The causes after which a number is called again, in a word or two."""
    words = {
        Cause.BUSY: _("line busy"),
        Cause.NO_ANSWER: _("no answer"),
        Cause.CONGESTION: _("no free line in the network"),
        Cause.GLARE: _("line taken by an incoming call"),
        Cause.REJECTED: _("call rejected"),
        Cause.INCOMPATIBLE_CALL: _("no common media"),
        Cause.CALL_FAILED: _("call not set up"),
        Cause.NO_FAX: _("no fax machine answered"),
        Cause.TRAINING: _("no speed that the line carries"),
        Cause.ECM_TROUBLE: _("trouble with error correction"),
        Cause.LINE_TROUBLE: _("bad line"),
        Cause.DROPPED: _("call cut off"),
        Cause.REDRAW: _("page size or fineness not supported there"),
        Cause.OUR_FAULT: _("our own system failed"),
        Cause.NOT_CONFIRMED: _("not every page confirmed"),
        Cause.NO_ROUTE: _("no line serves this number now"),
    }
    return words.get(cause, "") if cause is not None else ""


def _confirmed_pages(delivery: Delivery) -> str:
    return _("%(confirmed)d of %(pages)d pages confirmed.", confirmed=delivery.pages_confirmed, pages=delivery.pages)


def _surely_arrived(delivery: Delivery) -> str:
    match delivery.pages_confirmed:
        case 0:
            return ""
        case 1:
            return _("page 1 confirmed")
        case known:
            return _("pages 1–%(known)d confirmed", known=known)


def _perhaps_arrived(delivery: Delivery) -> str:
    """The pages of which nobody knows: the last one, or more where the exchange itself stopped."""
    first, last = delivery.pages_confirmed + 1, delivery.pages
    if first >= last:
        return _("page %(doubt)d may have arrived", doubt=first)
    return _("pages %(first)d–%(last)d may have arrived", first=first, last=last)
