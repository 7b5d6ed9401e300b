"""A fax as lists and pages show it: plain values, read while the transaction is open."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from netfax.db import UnitOfWork
from netfax.faxes.listing import open_attempt
from netfax.faxes.live import Progress, page_on_the_line
from netfax.faxes.models import Delivery, MailboxItem, Reception
from netfax.faxes.search import Found, found_in_text
from netfax.faxes.states import DeliveryState
from netfax.numbers.home import Home
from netfax.numbers.write import display
from netfax.org.homes import home_of
from netfax.org.viewer import Viewer
from webapp.again import Relative, in_its_place, sent_again
from webapp.possible import Acts, possible_acts
from webapp.reasons import Calling, reason
from webapp.shown import StateShown, state_shown
from webapp.words import _


@dataclass(frozen=True)
class Surroundings:
    """What the rows of one page have in common: where the reader telephones from, and when numbers are called."""

    home: Home
    calling: Calling

    @classmethod
    def read(cls, uow: UnitOfWork, viewer: Viewer) -> "Surroundings":
        return cls(home_of(uow, viewer), Calling.read(uow))


@dataclass(frozen=True)
class FaxRow:
    """One fax; `reason` says in one line why and what comes next. `inside` came from a user here, without a call."""

    uuid: str
    number: int
    incoming: bool
    inside: bool
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
    ended_at: datetime | None
    cancelling: bool
    acts: Acts
    # Those that send this one again.
    again_as: tuple[Relative, ...]
    # The call that is on the line now.
    call_id: str
    first_page: int
    progress: Progress | None = None
    # Where the text of its pages has what was searched.
    found: Found | None = None

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


def fax_row(uow: UnitOfWork, viewer: Viewer, item: MailboxItem) -> FaxRow:
    """One fax that the viewer may see."""
    return fax_rows(uow, viewer, [item])[0]


def fax_rows(uow: UnitOfWork, viewer: Viewer, items: Sequence[MailboxItem], search: str = "") -> list[FaxRow]:
    """Faxes that the viewer may see, in the order given, with what their text has of a search."""
    found = found_in_text(uow, items, search)
    around = Surroundings.read(uow, viewer)
    again = sent_again(uow, viewer, [item.delivery_id for item in items if item.delivery_id is not None])
    rows = []
    for item in items:
        if item.reception is not None:
            row = _incoming(item, item.reception, around)
        elif item.delivery is not None:
            row = _outgoing(item, item.delivery, around, tuple(again.get(item.delivery.id, ())))
        else:
            raise ValueError(f"mailbox item {item.id} has neither delivery nor reception")
        rows.append(replace(row, found=found.get(item.id)))
    return rows


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
        inside=reception.delivery_id is not None,
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
        ended_at=reception.ended_at,
        cancelling=False,
        acts=Acts(),
        again_as=(),
        call_id="",
        first_page=1,
    )


def _outgoing(item: MailboxItem, delivery: Delivery, around: Surroundings, again_as: tuple[Relative, ...]) -> FaxRow:
    submission, last = delivery.submission, delivery.attempts[-1] if delivery.attempts else None
    call = open_attempt(delivery)
    return FaxRow(
        uuid=item.uuid,
        number=item.id,
        incoming=False,
        inside=False,
        peer=delivery.number_text,
        owner=item.user.login,
        name=submission.recipient_name,
        title=submission.title,
        station_id=last.remote_station_id if last else "",
        at=_sending_time(delivery),
        submitted_at=delivery.created_at,
        pages=delivery.pages,
        confirmed=delivery.pages_confirmed,
        size=submission.document.blob.size if submission.document else 0,
        tries=delivery.tries,
        state=state_shown(delivery.state),
        reason=reason(delivery, around.calling),
        unread=False,
        open=delivery.ended_at is None,
        ended_at=delivery.ended_at,
        cancelling=delivery.cancel_asked_at is not None and delivery.ended_at is None,
        acts=possible_acts(delivery, replaced=in_its_place(again_as) is not None),
        again_as=again_as,
        call_id=call.id if call else "",
        first_page=call.first_page if call else 1,
    )


def _sending_time(delivery: Delivery) -> datetime:
    """R5.6: the last try or the planned one; of a fax that was handed over inside, when that was."""
    if delivery.attempts:
        return delivery.attempts[-1].created_at
    handed_over = delivery.ended_at if delivery.state is DeliveryState.SENT else None
    return handed_over or delivery.next_try_at or delivery.planned_at or delivery.created_at


def _lost_pages(reception: Reception) -> str:
    if reception.ended_at is None or reception.pages_confirmed <= reception.pages:
        return ""
    return _(
        "The caller was told of %(confirmed)d pages, %(pages)d are here: ask for the fax again.",
        confirmed=reception.pages_confirmed,
        pages=reception.pages,
    )
