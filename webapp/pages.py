"""The pages of a fax: the viewer, its pictures, PDF and TIFF, and a clean print."""

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response as AnyResponse

from netfax.db import UnitOfWork, reading, unit_of_work
from netfax.documents.preview import TURNS, to_pdf
from netfax.faxes.listing import get_item, image_of, keep_turn, mark_read
from netfax.faxes.models import MailboxItem
from netfax.ocr.service import shown_turns, turns_of
from netfax.storage.disk import work_folder
from netfax.storage.service import path_of
from webapp import pictures
from webapp.identity import viewer
from webapp.paging import page_number
from webapp.rows import FaxRow, fax_row, page_count

blueprint = Blueprint("pages", __name__)


@dataclass(frozen=True)
class Image:
    """The stored pages of a fax that the viewer may see, and how they are turned: degrees, clockwise.

    `upright` makes each stand, as far as is known, None while it is being found out; `turn` is the reader's own, for
    all of them and beside that.
    """

    number: int
    path: Path
    sha256: str
    pages: int
    upright: tuple[int, ...] | None
    turn: int

    @classmethod
    def of(cls, uow: UnitOfWork, item: MailboxItem) -> "Image":
        """`NoPages` while there are none."""
        blob = image_of(item)
        return cls(item.id, path_of(blob), blob.sha256, page_count(item), turns_of(uow, blob), item.turn)

    @property
    def turns(self) -> list[int]:
        """How each page is shown."""
        return shown_turns(self.upright, self.turn, self.pages)


@blueprint.get("/fax/<uuid:fax>")
def view(fax: object) -> str:
    with reading() as uow:
        row, image = _shown(uow, str(fax))
    if row.unread:
        with unit_of_work() as uow:
            mark_read(viewer(), get_item(uow, viewer(), str(fax)))
    leaves = pictures.leaves(image.path, image.pages, image.upright or ()) if image else []
    return render_template(
        "viewer.html",
        fax=row,
        leaves=leaves,
        page=min(page_number(), max(len(leaves), 1)),
        turn=image.turn if image else 0,
    )


@blueprint.post("/fax/<uuid:fax>/turn")
def turn(fax: object) -> AnyResponse | tuple[str, int]:
    """Keep how the pages are turned; the viewer's script needs no page for an answer."""
    degrees = request.form.get("turn", type=int)
    if degrees not in TURNS:
        abort(400)
    with unit_of_work() as uow:
        keep_turn(viewer(), get_item(uow, viewer(), str(fax)), degrees)
    if "HX-Request" in request.headers:
        return "", 204
    return redirect(url_for("pages.view", fax=fax, page=page_number()), 303)


@blueprint.get("/fax/<uuid:fax>/print")
def printed(fax: object) -> str:
    with reading() as uow:
        row, image = _shown(uow, str(fax))
    return render_template(
        "print.html", fax=row, pages=image.pages if image else 0, turn=image.turn if image else 0, sharp=pictures.SHARP
    )


@blueprint.get("/fax/<uuid:fax>/page/<int:page>.png")
def picture(fax: object, page: int) -> Response:
    """One page as PNG."""
    image = _image(str(fax))
    if not 1 <= page <= image.pages:
        abort(404)
    return pictures.answer(image.path, image.sha256, page, image.upright)


@blueprint.get("/fax/<uuid:fax>/fax.pdf")
def pdf(fax: object) -> Response:
    image = _image(str(fax))
    with work_folder() as folder:
        target = folder / "fax.pdf"
        to_pdf(image.path, target, image.turns)
        response = make_response(target.read_bytes())
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", "attachment", filename=f"fax-{image.number}.pdf")
    return response


@blueprint.get("/fax/<uuid:fax>/fax.tif")
def tiff(fax: object) -> Response:
    image = _image(str(fax))
    response = send_file(image.path, mimetype="image/tiff", as_attachment=True, download_name=f"fax-{image.number}.tif")
    response.headers["Cache-Control"] = "no-store"
    return response


def _shown(uow: UnitOfWork, fax: str) -> tuple[FaxRow, Image | None]:
    """A fax, and its pages where there are any."""
    item = get_item(uow, viewer(), fax)
    return fax_row(uow, viewer(), item), Image.of(uow, item) if page_count(item) else None


def _image(fax: str) -> Image:
    with reading() as uow:
        return Image.of(uow, get_item(uow, viewer(), fax))
