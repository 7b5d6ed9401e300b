"""A fax as lists and pages show it: plain values, read while the transaction is open."""

from dataclasses import dataclass
from datetime import datetime

from netfax.db import UnitOfWork
from netfax.faxes.listing import open_attempt
from netfax.faxes.live import Progress, page_on_the_line
from netfax.faxes.models import Delivery, MailboxItem, Reception
from netfax.faxes.results import Cause
from netfax.faxes.states import DeliveryState
from netfax.numbers.home import Home
from netfax.numbers.write import display
from netfax.org.homes import home_of
from netfax.org.viewer import Viewer
from netfax.params.service import get_int
from netfax.storage.models import Blob
from webapp.language import clock
from webapp.shown import StateShown, cause_text, sentences, state_shown
from webapp.words import _


@dataclass(frozen=True)
class Surroundings:
    """What the rows of one page have in common: where the reader telephones from, and R8.3's retries."""

    home: Home
    retries: int

    @classmethod
    def read(cls, uow: UnitOfWork, viewer: Viewer) -> "Surroundings":
        return cls(home_of(uow, viewer), get_int(uow, "retry_count"))


@dataclass(frozen=True)
class FaxRow:
    """One fax; `reason` says in one line why and what comes next."""

    uuid: str
    number: int
    incoming: bool
    peer: str
    owner: str
    name: str
    title: str
    station_id: str
    at: datetime
    submitted_at: datetime
    pages: int
    confirmed: int
    size: int
    tries: int
    state: StateShown
    reason: str
    unread: bool
    open: bool
    cancelling: bool
    # The call that is on the line now.
    call_id: str
    first_page: int
    progress: Progress | None = None

    @property
    def page_now(self) -> int:
        """The page of the document that is on the line; 0 before the first."""
        if self.progress is None or not self.progress.page:
            return 0
        return page_on_the_line(self.progress, self.first_page, self.pages)

    @property
    def percent(self) -> int:
        """How far the pages have come, for a bar."""
        return round(100 * max(0, self.page_now - 1) / self.pages) if self.pages else 0


def fax_row(item: MailboxItem, around: Surroundings) -> FaxRow:
    if item.reception is not None:
        return _incoming(item, item.reception, around)
    if item.delivery is not None:
        return _outgoing(item, item.delivery, around)
    raise ValueError(f"mailbox item {item.id} has neither delivery nor reception")


def blob_of(item: MailboxItem) -> Blob | None:
    """The pages of a fax: what came in, or what goes out; None while they are being drawn."""
    if item.reception is not None:
        return item.reception.blob
    document = item.delivery.submission.document if item.delivery else None
    return document.blob if document else None


def page_count(item: MailboxItem) -> int:
    """How many pages can be looked at."""
    if item.reception is not None:
        return item.reception.pages if item.reception.blob else 0
    document = item.delivery.submission.document if item.delivery else None
    return document.pages if document else 0


def _incoming(item: MailboxItem, reception: Reception, around: Surroundings) -> FaxRow:
    return FaxRow(
        uuid=item.uuid,
        number=item.id,
        incoming=True,
        peer=display(reception.caller, around.home),
        owner=item.user.login,
        name="",
        title="",
        station_id=reception.remote_station_id,
        at=reception.ended_at or reception.started_at,
        submitted_at=reception.started_at,
        pages=reception.pages,
        confirmed=reception.pages_confirmed,
        size=reception.blob.size if reception.blob else 0,
        tries=1,
        state=state_shown(reception.state),
        reason=_lost_pages(reception),
        unread=item.read_at is None,
        open=reception.ended_at is None,
        cancelling=False,
        call_id="",
        first_page=1,
    )


def _outgoing(item: MailboxItem, delivery: Delivery, around: Surroundings) -> FaxRow:
    submission, last = delivery.submission, delivery.attempts[-1] if delivery.attempts else None
    call = open_attempt(delivery)
    return FaxRow(
        uuid=item.uuid,
        number=item.id,
        incoming=False,
        peer=delivery.number_text,
        owner=item.user.login,
        name=submission.recipient_name,
        title=submission.title,
        station_id=last.remote_station_id if last else "",
        # R5.6: the last try or the planned one.
        at=last.created_at if last else delivery.next_try_at or delivery.created_at,
        submitted_at=delivery.created_at,
        pages=delivery.pages,
        confirmed=delivery.pages_confirmed,
        size=submission.document.blob.size if submission.document else 0,
        tries=delivery.tries,
        state=state_shown(delivery.state),
        reason=reason(delivery, around.retries),
        unread=False,
        open=delivery.ended_at is None,
        cancelling=delivery.cancel_asked_at is not None and delivery.ended_at is None,
        call_id=call.id if call else "",
        first_page=call.first_page if call else 1,
    )


def reason(delivery: Delivery, retries: int) -> str:
    """Why a fax is where it is, and what comes next; empty when the state's word says it all."""
    why = cause_text(delivery.cause)
    match delivery.state:
        case DeliveryState.QUEUED if delivery.cause is not None and delivery.next_try_at is not None:
            next_call = _(
                "Next call at %(time)s (%(call)d of %(calls)d).",
                time=clock(delivery.next_try_at),
                call=delivery.tries + 1,
                calls=retries + 1,
            )
            return sentences(why, next_call)
        case DeliveryState.FAILED if delivery.cause is Cause.BAD_DOCUMENT and delivery.cause_detail:
            return delivery.cause_detail
        case DeliveryState.PARTIAL:
            confirmed = _(
                "%(confirmed)d of %(pages)d pages confirmed.", confirmed=delivery.pages_confirmed, pages=delivery.pages
            )
            return sentences(confirmed, why)
        case DeliveryState.UNKNOWN:
            return sentences(_unknown_pages(delivery), why)
        case DeliveryState.FAILED | DeliveryState.REFUSED:
            return why
        case _:
            return ""


def _unknown_pages(delivery: Delivery) -> str:
    known, in_doubt = delivery.pages_confirmed, delivery.pages_confirmed + 1
    if known == 0:
        return _("Page 1 may have arrived.")
    return _("Pages 1–%(known)d confirmed, page %(doubt)d may have arrived.", known=known, doubt=in_doubt)


def _lost_pages(reception: Reception) -> str:
    if reception.ended_at is None or reception.pages_confirmed <= reception.pages:
        return ""
    return _(
        "The caller was told of %(confirmed)d pages, %(pages)d are here: ask for the fax again.",
        confirmed=reception.pages_confirmed,
        pages=reception.pages,
    )
