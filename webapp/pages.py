"""The pages of a fax: the viewer, its images, PDF and TIFF, and a clean print."""

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, abort, make_response, render_template, request, send_file

from netfax.db import UnitOfWork, reading, unit_of_work
from netfax.documents.preview import page_png, to_pdf
from netfax.faxes.listing import get_item, image_of, mark_read
from netfax.faxes.models import MailboxItem
from netfax.storage.disk import work_folder
from netfax.storage.service import path_of
from webapp.identity import viewer
from webapp.paging import page_number
from webapp.rows import FaxRow, fax_row, page_count

blueprint = Blueprint("pages", __name__)

# Pixels; each is one picture in the browser's cache.
THUMBNAIL, SCREEN, SHARP = 160, 1100, 1728
WIDTHS = (THUMBNAIL, SCREEN, SHARP)
KEEP_IN_BROWSER = 24 * 3600


@dataclass(frozen=True)
class Image:
    """The stored pages of a fax that the viewer may see."""

    number: int
    path: Path
    sha256: str
    pages: int


@blueprint.get("/fax/<uuid:fax>")
def view(fax: object) -> str:
    with reading() as uow:
        row, pages = _shown(uow, str(fax))
    if row.unread:
        with unit_of_work() as uow:
            mark_read(viewer(), get_item(uow, viewer(), str(fax)))
    return render_template(
        "viewer.html", fax=row, pages=pages, page=min(page_number(), max(pages, 1)), thumbnail=THUMBNAIL, screen=SCREEN
    )


@blueprint.get("/fax/<uuid:fax>/print")
def printed(fax: object) -> str:
    with reading() as uow:
        row, pages = _shown(uow, str(fax))
    return render_template("print.html", fax=row, pages=pages, sharp=SHARP)


@blueprint.get("/fax/<uuid:fax>/page/<int:page>.png")
def picture(fax: object, page: int) -> Response:
    """One page as PNG in one of `WIDTHS`; kept by the reader's own browser alone."""
    width = request.args.get("w", SCREEN, type=int)
    if width not in WIDTHS:
        abort(404)
    image = _image(str(fax))
    if not 1 <= page <= image.pages:
        abort(404)
    tag = f"{image.sha256[:32]}-{page}-{width}"
    if tag in request.if_none_match:
        response = Response(status=304)
    else:
        response = Response(page_png(image.path, page, width=width), mimetype="image/png")
    response.set_etag(tag)
    response.cache_control.private = True
    response.cache_control.max_age = KEEP_IN_BROWSER
    return response


@blueprint.get("/fax/<uuid:fax>/fax.pdf")
def pdf(fax: object) -> Response:
    image = _image(str(fax))
    with work_folder() as folder:
        target = folder / "fax.pdf"
        to_pdf(image.path, target)
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


def _shown(uow: UnitOfWork, fax: str) -> tuple[FaxRow, int]:
    item = get_item(uow, viewer(), fax)
    return fax_row(uow, viewer(), item), page_count(item)


def _image(fax: str) -> Image:
    """Where the pages lie; `NoPages` while there are none."""
    with reading() as uow:
        item: MailboxItem = get_item(uow, viewer(), fax)
        blob = image_of(item)
        return Image(item.id, path_of(blob), blob.sha256, page_count(item))
