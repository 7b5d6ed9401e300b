"""个人信息: what a user says of himself, and which cover his faxes have (R6.1, R6.2)."""

from collections.abc import Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from netfax.covers.choice import default_cover, set_default_cover
from netfax.covers.errors import NoSuchCover
from netfax.db import reading, unit_of_work
from netfax.numbers.write import display
from netfax.org.homes import home_of
from netfax.org.models import OwnedNumber
from netfax.org.personal import LONGEST, PersonalRefused, personal, set_personal
from webapp.cover_choice import cover_choices
from webapp.identity import viewer
from webapp.language import language
from webapp.words import _

blueprint = Blueprint("personal", __name__)


@blueprint.get("/settings/personal")
def form() -> str:
    with reading() as uow:
        return _page(personal(uow, viewer()), default_cover(uow, viewer()) or "", {})


@blueprint.post("/settings/personal")
def save() -> Response | tuple[str, int]:
    """Keep the fields, or show them again with what is wrong beside each."""
    typed = {name: request.form.get(name, "").replace("\0", "") for name in LONGEST}
    cover = request.form.get("cover", "")
    try:
        with unit_of_work() as uow:
            set_personal(uow, viewer(), typed)
            set_default_cover(uow, viewer(), cover or None)
    except PersonalRefused as refused:
        problems = {name: error.text(language()) for name, error in refused.problems.items()}
        return _page(typed, cover, problems), 422
    except NoSuchCover as gone:
        return _page(typed, cover, {"cover": gone.text(language())}), 422
    flash(_("Your personal information is saved."), "success")
    return redirect(url_for("personal.form"))


def _page(fields: Mapping[str, str], cover: str, problems: Mapping[str, str]) -> str:
    return render_template(
        "personal.html",
        fields=fields,
        longest=LONGEST,
        cover=cover,
        covers=cover_choices(),
        problems=problems,
        numbers=_numbers(),
    )


def _numbers() -> list[str]:
    """The numbers that are allotted to the viewer, as he reads them."""
    with reading() as uow:
        own = select(OwnedNumber.identity).where(OwnedNumber.user_id == viewer().user_id)
        home = home_of(uow, viewer())
        found = uow.session.scalars(own.order_by(OwnedNumber.main.desc(), OwnedNumber.identity))
        return [display(identity, home) for identity in found]
