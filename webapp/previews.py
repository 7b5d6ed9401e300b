"""The pages of a fax before it is sent (R3.6)."""

from dataclasses import dataclass

from flask import Blueprint, Response, abort

from netfax.db import reading
from netfax.faxes.preview import Previewed, get_preview
from netfax.storage.service import path_of
from webapp import pictures
from webapp.identity import viewer

blueprint = Blueprint("previews", __name__)


@dataclass(frozen=True)
class PreviewShown:
    """Pages as the form shows them; `to` is the number in their line, `seconds` those of a call."""

    uuid: str
    leaves: list[pictures.Leaf]
    to: str
    seconds: int


def preview_shown(made: Previewed) -> PreviewShown:
    with reading() as uow:
        path = path_of(get_preview(uow, viewer(), made.uuid).shown_blob)
    return PreviewShown(made.uuid, pictures.leaves(path, made.pages), made.to, made.seconds)


@blueprint.get("/send/preview/<uuid:preview>/page/<int:page>.png")
def picture(preview: object, page: int) -> Response:
    """One page as PNG, as the far end will have it."""
    with reading() as uow:
        found = get_preview(uow, viewer(), str(preview))
        path, sha256 = path_of(found.shown_blob), found.shown_blob.sha256
    if not 1 <= page <= found.pages:
        abort(404)
    return pictures.answer(path, sha256, page)
