"""传真管理: the send queue, live (R5.1), the sent faxes (R5.4), and one fax in detail."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from flask import Blueprint, render_template

from netfax.db import now, reading
from netfax.faxes import live
from netfax.faxes.listing import Page, just_ended, send_queue, sent_list
from netfax.faxes.models import MailboxItem
from webapp.details import read_details
from webapp.identity import me, viewer
from webapp.paging import page_wanted, searched
from webapp.rows import FaxRow, fax_rows
from webapp.shown import priorities
from webapp.times import zone

blueprint = Blueprint("faxes", __name__)

# A fax that has ended stays in sight of the queue for this long, so that its result is seen where it was watched; the
# last ones, where more have ended.
STAYS_IN_SIGHT = timedelta(minutes=10)
MOST_IN_SIGHT = 50


@dataclass(frozen=True)
class Queue:
    """One page of the queue, with those that have just ended among its rows."""

    rows: list[FaxRow]
    page: Page[MailboxItem]
    search: str


@dataclass(frozen=True)
class Change:
    """What was typed into the details' small forms and could not be taken: by field, the text and the sentence."""

    typed: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


@blueprint.get("/queue")
def queue() -> str:
    return render_template("queue.html", queue=_read_queue())


@blueprint.get("/queue/rows")
def queue_rows() -> str:
    """The part of the queue that renews itself."""
    return render_template("queue_rows.html", queue=_read_queue())


@blueprint.get("/sent")
def sent() -> str:
    search, size = searched(), me().rows_per_page
    with reading() as uow:
        found = page_wanted(lambda number: sent_list(uow, viewer(), search=search, page=number, size=size))
        page = Page(fax_rows(uow, viewer(), found.rows, search), found.total, found.number, found.size)
    return render_template("sent.html", page=page, search=search)


@blueprint.get("/fax/<uuid:fax>/details")
def details(fax: object) -> str:
    return details_page(str(fax))


def details_page(fax: str, change: Change = Change()) -> str:
    """The page of one fax; `change` is what was wrong with an act that was asked for there."""
    with reading() as uow:
        shown = read_details(uow, viewer(), fax)
    return render_template(
        "details.html", fax=shown.row, details=shown, change=change, priorities=priorities(), zone=zone()
    )


def _read_queue() -> Queue:
    search, size = searched(), me().rows_per_page
    with reading() as uow:
        page = page_wanted(lambda number: send_queue(uow, viewer(), search=search, page=number, size=size))
        since = now() - STAYS_IN_SIGHT
        ended = just_ended(uow, viewer(), since, search=search, most=MOST_IN_SIGHT) if page.number == 1 else []
        rows = fax_rows(uow, viewer(), sorted([*page.rows, *ended], key=lambda item: item.id, reverse=True), search)
    return Queue(with_progress(rows), page, search)


def with_progress(rows: list[FaxRow]) -> list[FaxRow]:
    """Tell the gateway which calls are looked at, and show what it has told of them."""
    calls = [row.call_id for row in rows if row.call_id]
    live.watch(calls)
    known = live.progress(calls)
    return [replace(row, progress=known.get(row.call_id)) for row in rows]
