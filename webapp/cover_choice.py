"""The cover in the form of a fax: which there are, and what the one that is chosen looks like (R3.4)."""

from base64 import b64encode
from collections.abc import Sequence

from flask import Blueprint, render_template, request

from netfax.covers.choice import covers_of, default_cover
from netfax.covers.errors import NoSuchCover
from netfax.covers.preview import Preview, preview
from netfax.db import UnitOfWork, reading
from netfax.documents.look import USUAL, Look
from netfax.errors import UserError
from netfax.faxes.cover import Filled, check_cover
from netfax.faxes.errors import NotAResolution
from netfax.faxes.plans import read_resolution
from netfax.faxes.submit import FaxRequest, cover_of
from netfax.numbers.read import count_numbers, read_numbers
from netfax.numbers.write import FaxNumber
from netfax.org.homes import home_of
from netfax.params.service import get_text
from webapp.identity import viewer
from webapp.language import language

blueprint = Blueprint("cover_choice", __name__)


def cover_choices() -> dict[str, str]:
    """The names of the covers that the viewer may choose, by their keys."""
    with reading() as uow:
        return {cover.key: cover.name for cover in covers_of(uow, viewer())}


def usual_cover() -> str:
    """The key of the viewer's default cover; empty for none."""
    with reading() as uow:
        return default_cover(uow, viewer()) or ""


@blueprint.post("/send/cover")
def show() -> str | tuple[str, int]:
    """The cover that the form asks for, as pictures of its pages; or why there is none, in words."""
    try:
        with reading() as uow:
            filled = _filled(uow)
        shown = preview(filled.page, _look())
    except UserError as error:
        return render_template("cover_pages.html", problem=error.text(language())), 422
    return render_template("cover_pages.html", pages=shown.pages, pictures=as_data(shown))


def as_data(shown: Preview) -> Sequence[str]:
    """The pictures as the page itself carries them: nobody else can ask for them, and nothing has to be kept."""
    return [f"data:image/png;base64,{b64encode(picture).decode()}" for picture in shown.pictures]


def _filled(uow: UnitOfWork) -> Filled:
    """The form's cover; a number that can't be read yet is not on it."""
    asked = FaxRequest(
        numbers=_text("numbers"),
        uploads=[],
        recipient_name=_text("recipient_name").strip(),
        title=_text("title").strip(),
        cover=_text("cover"),
        text=_text("text"),
    )
    for _, problem in check_cover(uow, viewer(), _text("cover"), asked.text):
        raise problem
    filled = cover_of(uow, viewer(), asked, _numbers(uow, asked.numbers))
    if filled is None:
        raise NoSuchCover()
    return filled


def _numbers(uow: UnitOfWork, typed: str) -> list[FaxNumber]:
    if count_numbers(typed) != 1:
        return []
    read = read_numbers(typed, home_of(uow, viewer()), get_text(uow, "extension_mark"))
    return [each for each in read if isinstance(each, FaxNumber)]


def _look() -> Look:
    try:
        return Look(read_resolution(_text("resolution")))
    except NotAResolution:
        return USUAL


def _text(name: str) -> str:
    return request.form.get(name, "").replace("\0", "")
