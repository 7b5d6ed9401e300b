"""Everything about one fax: its facts, and the timeline of its states and calls."""

from dataclasses import dataclass
from datetime import datetime

from netfax.db import UnitOfWork
from netfax.faxes.listing import get_item, history
from netfax.faxes.models import Attempt, Delivery, MailboxItem, Priority
from netfax.faxes.results import Cause
from netfax.faxes.states import ON_THE_LINE
from netfax.numbers.write import display
from netfax.org.viewer import Viewer
from webapp.rows import FaxRow, Surroundings, fax_row, page_count
from webapp.shown import StateShown, cause_text, state_shown


@dataclass(frozen=True)
class Call:
    """One try, or the call that brought a fax."""

    number: int
    trunk: str
    cause: str
    said: str
    pages: int
    of_pages: int
    rate: int
    mode: str
    seconds: int
    station_id: str
    good: bool
    ended: bool


@dataclass(frozen=True)
class Moment:
    """One entry of the timeline: a state, a call, or both."""

    at: datetime
    state: StateShown | None = None
    call: Call | None = None
    actor: str = ""


@dataclass(frozen=True)
class Details:
    row: FaxRow
    pages: int
    attachments: list[str]
    priority: Priority | None
    called: str
    moments: list[Moment]


def read_details(uow: UnitOfWork, viewer: Viewer, fax: str) -> Details:
    """The details of a fax that the viewer may see; `NotFound` otherwise."""
    item = get_item(uow, viewer, fax)
    around = Surroundings.read(uow, viewer)
    row = fax_row(item, around)
    delivery, reception = item.delivery, item.reception
    return Details(
        row=row,
        pages=page_count(item),
        attachments=[attachment.name for attachment in delivery.submission.attachments] if delivery else [],
        priority=delivery.priority if delivery else None,
        called=display(reception.called, around.home) if reception else "",
        moments=_outward(uow, delivery) if delivery else _inward(item),
    )


def _outward(uow: UnitOfWork, delivery: Delivery) -> list[Moment]:
    """States and calls in order; that a call began is told by the call itself."""
    states = [
        Moment(change.at, state_shown(change.after), actor="" if change.before else change.actor)
        for change in history(uow, delivery)
        if change.after not in ON_THE_LINE
    ]
    calls = [
        Moment(attempt.created_at, call=_call(number, attempt, delivery))
        for number, attempt in enumerate(delivery.attempts, start=1)
    ]
    return sorted([*states, *calls], key=lambda moment: moment.at)


def _call(number: int, attempt: Attempt, delivery: Delivery) -> Call:
    return Call(
        number=number,
        trunk=attempt.trunk.name,
        cause=cause_text(attempt.cause),
        said=attempt.status_text,
        pages=attempt.pages_confirmed,
        of_pages=delivery.pages - attempt.first_page + 1,
        rate=attempt.rate,
        mode=attempt.mode,
        seconds=attempt.seconds,
        station_id=attempt.remote_station_id,
        good=attempt.cause is Cause.OK,
        ended=attempt.ended_at is not None,
    )


def _inward(item: MailboxItem) -> list[Moment]:
    reception = item.reception
    if reception is None:
        return []
    call = Call(
        number=1,
        trunk=reception.trunk_name,
        cause="",
        said=reception.status_text,
        pages=reception.pages,
        of_pages=max(reception.pages, reception.pages_confirmed),
        rate=reception.rate,
        mode=reception.mode,
        seconds=reception.seconds,
        station_id=reception.remote_station_id,
        good=reception.pages >= reception.pages_confirmed,
        ended=reception.ended_at is not None,
    )
    moments = [Moment(reception.started_at, call=call)]
    if reception.ended_at is not None:
        moments.append(Moment(reception.ended_at, state_shown(reception.state)))
    return moments
