"""What somebody does with one fax (R5.1): a form each, and a word of what has happened."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from netfax.db import UnitOfWork, reading, unit_of_work
from netfax.errors import NotFound, UserError
from netfax.faxes import acts
from netfax.faxes.cancel import cancel
from netfax.faxes.errors import NotAPriority, NotATime, PlannedInThePast, PlannedTooFarAhead
from netfax.faxes.listing import get_item
from netfax.faxes.plans import read_priority, read_time
from netfax.faxes.states import DeliveryState
from webapp.addresses import own_address
from webapp.faxes import Change, details_page, with_progress
from webapp.identity import viewer
from webapp.language import language
from webapp.rows import FaxRow, fax_row
from webapp.shown import priorities, sentences
from webapp.times import zone
from webapp.words import _, ngettext

blueprint = Blueprint("acts", __name__)

# What stands beside the field of the details page instead of above the next one.
OF_A_FIELD = (NotAPriority, NotATime, PlannedInThePast, PlannedTooFarAhead)
Answer = Response | str | tuple[str, int]


@blueprint.post("/fax/<uuid:fax>/hold")
def hold(fax: object) -> Answer:
    return _act(
        str(fax),
        lambda uow: acts.hold(uow, viewer(), str(fax)),
        lambda row: _("The fax to %(number)s is held until it is released.", number=row.peer),
    )


@blueprint.post("/fax/<uuid:fax>/release")
def release(fax: object) -> Answer:
    return _act(
        str(fax),
        lambda uow: acts.release(uow, viewer(), str(fax)),
        lambda row: sentences(_("The fax to %(number)s is released.", number=row.peer), row.reason),
    )


@blueprint.post("/fax/<uuid:fax>/send-now")
def send_now(fax: object) -> Answer:
    return _act(
        str(fax),
        lambda uow: acts.send_now(uow, viewer(), str(fax)),
        lambda row: sentences(
            _("Within calling hours, the fax to %(number)s waits no longer.", number=row.peer), row.reason
        ),
    )


@blueprint.post("/fax/<uuid:fax>/time")
def plan(fax: object) -> Answer:
    typed = request.form.get("planned_at", "")
    try:
        return _act(
            str(fax),
            lambda uow: acts.plan(uow, viewer(), str(fax), read_time(typed, zone())),
            lambda row: sentences(_("The fax to %(number)s has another time.", number=row.peer), row.reason),
        )
    except OF_A_FIELD as error:
        return _again_with("planned_at", typed, error, str(fax))


@blueprint.post("/fax/<uuid:fax>/priority")
def set_priority(fax: object) -> Answer:
    typed = request.form.get("priority", "")
    try:
        return _act(
            str(fax),
            lambda uow: acts.set_priority(uow, viewer(), str(fax), read_priority(typed)),
            lambda row: _(
                "The fax to %(number)s has priority “%(word)s” now.",
                number=row.peer,
                word=priorities()[read_priority(typed)],
            ),
        )
    except OF_A_FIELD as error:
        return _again_with("priority", typed, error, str(fax))


@blueprint.get("/fax/<uuid:fax>/again")
def ask_again(fax: object) -> Answer:
    """Ask before a fax that has arrived is sent a second time."""
    row = _read_row(str(fax))
    if not (row.acts.whole and row.state.key == DeliveryState.SENT):
        return redirect(url_for("faxes.details", fax=row.uuid))
    return render_template("again.html", fax=row)


@blueprint.post("/fax/<uuid:fax>/again")
def send_again(fax: object) -> Answer:
    """Send what was not confirmed, or with `whole` every page, once more; a second click is no second fax."""
    whole = "whole" in request.form

    def done(row: FaxRow) -> str:
        pages = row.pages if whole else row.pages - row.confirmed
        return ngettext(
            "%(num)d page is sent to %(number)s again.",
            "%(num)d pages are sent to %(number)s again.",
            pages,
            number=row.peer,
        )

    return _act(
        str(fax),
        lambda uow: acts.send_again(uow, viewer(), str(fax), whole=whole),
        done,
        url_for("faxes.queue"),
    )


@blueprint.get("/fax/<uuid:fax>/cancel")
def ask_cancel(fax: object) -> Answer:
    """Say what cancelling will do, and ask."""
    row = _read_row(str(fax))
    if not row.acts.cancel:
        return redirect(url_for("faxes.details", fax=row.uuid))
    return render_template("cancel.html", fax=with_progress([row])[0], confirmed=_confirmed_before(row))


@blueprint.post("/fax/<uuid:fax>/cancel")
def do_cancel(fax: object) -> Answer:
    def done(row: FaxRow) -> str:
        if row.open:
            return sentences(_("The call to %(number)s is being hung up.", number=row.peer), _confirmed_before(row))
        return sentences(_("The fax to %(number)s is cancelled.", number=row.peer), row.reason)

    return _act(str(fax), lambda uow: cancel(uow, viewer(), str(fax)), done, url_for("faxes.queue"))


def _confirmed_before(row: FaxRow) -> str:
    """What is there already and can't be taken back; empty for nothing."""
    if not row.confirmed:
        return ""
    return _(
        "%(confirmed)d of %(pages)d pages were confirmed already; they have arrived and stay there.",
        confirmed=row.confirmed,
        pages=row.pages,
    )


def _act(
    fax: str, act: Callable[[UnitOfWork], object], done: Callable[[FaxRow], str], onward: str | None = None
) -> Response:
    """Do it, say what has happened or why it can't be, and go on: to where the form was unless told otherwise."""
    back = own_address(request.form.get("next", ""), url_for("faxes.details", fax=fax))
    try:
        with unit_of_work() as uow:
            act(uow)
    except (NotFound, *OF_A_FIELD):
        raise
    except UserError as error:
        flash(error.text(language()), "warning")
        return redirect(back)
    flash(done(_read_row(fax)), "success")
    return redirect(onward or back)


def _again_with(name: str, typed: str, error: UserError, fax: str) -> tuple[str, int]:
    """The details page as it was left, with the problem beside the field."""
    return details_page(fax, Change({name: typed}, {name: error.text(language())})), 422


def _read_row(fax: str) -> FaxRow:
    with reading() as uow:
        return fax_row(uow, viewer(), get_item(uow, viewer(), fax))
