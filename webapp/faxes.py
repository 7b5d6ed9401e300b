"""传真管理: the send queue, live (R5.1), the sent faxes (R5.4), and one fax in detail."""

from dataclasses import dataclass, replace
from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from netfax.db import UnitOfWork, now, reading, unit_of_work
from netfax.faxes import live
from netfax.faxes.cancel import cancel
from netfax.faxes.errors import AlreadyEnded
from netfax.faxes.listing import Page, get_item, send_queue, sent_list
from netfax.faxes.models import MailboxItem
from webapp.details import read_details
from webapp.identity import me, viewer
from webapp.language import language
from webapp.paging import page_number
from webapp.rows import FaxRow, Surroundings, fax_row
from webapp.words import _

blueprint = Blueprint("faxes", __name__)

# A fax that has ended stays in sight of the queue for this long, so that its result is seen where it was watched.
STAYS_IN_SIGHT = timedelta(minutes=10)
MOST_IN_SIGHT = 10


@dataclass(frozen=True)
class Queue:
    """One page of the queue, with those that have just ended among its rows."""

    rows: list[FaxRow]
    page: Page[MailboxItem]


@blueprint.get("/queue")
def queue() -> str:
    return render_template("queue.html", queue=_read_queue())


@blueprint.get("/queue/rows")
def queue_rows() -> str:
    """The part of the queue that renews itself."""
    return render_template("queue_rows.html", queue=_read_queue())


@blueprint.get("/sent")
def sent() -> str:
    with reading() as uow:
        around = Surroundings.read(uow, viewer())
        found = sent_list(uow, viewer(), page=page_number(), size=me().rows_per_page)
        page = Page([fax_row(item, around) for item in found.rows], found.total, found.number, found.size)
    return render_template("sent.html", page=page)


@blueprint.get("/fax/<uuid:fax>/details")
def details(fax: object) -> str:
    with reading() as uow:
        shown = read_details(uow, viewer(), str(fax))
    return render_template("details.html", fax=shown.row, details=shown)


@blueprint.get("/fax/<uuid:fax>/cancel")
def ask_cancel(fax: object) -> str | Response:
    """Say what cancelling will do, and ask."""
    row = _read_row(str(fax))
    if not row.open or row.incoming:
        return redirect(url_for("faxes.details", fax=row.uuid))
    return render_template("cancel.html", fax=row)


@blueprint.post("/fax/<uuid:fax>/cancel")
def do_cancel(fax: object) -> Response:
    try:
        with unit_of_work() as uow:
            cancel(uow, viewer(), str(fax))
    except AlreadyEnded as error:
        flash(error.text(language()), "warning")
        return redirect(url_for("faxes.details", fax=fax))
    row = _read_row(str(fax))
    if row.open:
        flash(_("The call to %(number)s is being hung up.", number=row.peer), "success")
    else:
        flash(_("The fax to %(number)s is cancelled.", number=row.peer), "success")
    return redirect(url_for("faxes.queue"))


def _read_row(fax: str) -> FaxRow:
    with reading() as uow:
        return fax_row(get_item(uow, viewer(), fax), Surroundings.read(uow, viewer()))


def _read_queue() -> Queue:
    with reading() as uow:
        around = Surroundings.read(uow, viewer())
        page = send_queue(uow, viewer(), page=page_number(), size=me().rows_per_page)
        ended = _just_ended(uow) if page.number == 1 else []
        items = sorted([*page.rows, *ended], key=lambda item: item.id, reverse=True)
        rows = [fax_row(item, around) for item in items]
    return Queue(_with_progress(rows), page)


def _just_ended(uow: UnitOfWork) -> list[MailboxItem]:
    since = now() - STAYS_IN_SIGHT
    latest = sent_list(uow, viewer(), size=MOST_IN_SIGHT).rows
    return [item for item in latest if item.delivery and item.delivery.ended_at and item.delivery.ended_at > since]


def _with_progress(rows: list[FaxRow]) -> list[FaxRow]:
    """Tell the gateway which calls are looked at, and show what it has told of them."""
    calls = [row.call_id for row in rows if row.call_id]
    live.watch(calls)
    known = live.progress(calls)
    return [replace(row, progress=known.get(row.call_id)) for row in rows]
