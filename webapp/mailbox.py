"""传真信箱: the inbox (R4.1), with what is being received at this moment on top (R5.2)."""

from dataclasses import dataclass, replace
from datetime import datetime

from flask import Blueprint, Response, redirect, render_template, url_for

from netfax.db import reading
from netfax.faxes import live
from netfax.faxes.listing import Page, mailbox, receive_queue, unread
from netfax.faxes.live import Progress
from netfax.faxes.models import Direction
from netfax.numbers.write import display
from netfax.org.homes import home_of
from webapp.identity import me, viewer
from webapp.paging import page_wanted, searched
from webapp.rows import FaxRow, fax_rows

blueprint = Blueprint("mailbox", __name__)


@dataclass(frozen=True)
class Arriving:
    """A call that brings a fax now."""

    id: str
    peer: str
    owner: str
    since: datetime
    progress: Progress | None = None

    @property
    def pages_received(self) -> int:
        return live.pages_received(self.progress) if self.progress else 0


@dataclass(frozen=True)
class Inbox:
    page: Page[FaxRow]
    arriving: list[Arriving]
    unread: int
    search: str


@blueprint.get("/")
def home() -> Response:
    return redirect(url_for("mailbox.inbox"))  # type: ignore[return-value]


@blueprint.get("/inbox")
def inbox() -> str:
    return render_template("inbox.html", inbox=_read_inbox())


@blueprint.get("/inbox/rows")
def inbox_rows() -> str:
    """The part of the inbox that renews itself."""
    return render_template("inbox_rows.html", inbox=_read_inbox())


def _read_inbox() -> Inbox:
    with reading() as uow:
        home = home_of(uow, viewer())
        size = me().rows_per_page
        search = searched()
        found = page_wanted(lambda number: mailbox(uow, viewer(), Direction.IN, search=search, page=number, size=size))
        page = Page(fax_rows(uow, viewer(), found.rows, search), found.total, found.number, found.size)
        arriving = [
            Arriving(
                reception.id,
                display(reception.caller, home),
                reception.user.login,
                reception.started_at,
            )
            for reception in receive_queue(uow, viewer())
        ]
        count = unread(uow, viewer())
    return Inbox(page, _with_progress(arriving), count, search)


def _with_progress(calls: list[Arriving]) -> list[Arriving]:
    live.watch(call.id for call in calls)
    known = live.progress(call.id for call in calls)
    return [replace(call, progress=known.get(call.id)) for call in calls]
