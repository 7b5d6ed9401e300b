"""发传真: the form, and what comes of it (R3)."""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as AnyResponse

from netfax.db import reading
from netfax.documents.look import USUAL
from netfax.errors import UserError
from netfax.faxes.errors import NotAMode, NotAPriority, NotAResolution, NotATime, RequestRefused
from netfax.faxes.models import Priority
from netfax.faxes.plans import read_mode, read_priority, read_resolution, read_time
from netfax.faxes.preview import Previewed, make_preview
from netfax.faxes.submit import FaxRequest, Upload, check_request, fingerprint, submit_fax
from netfax.params.service import get_int, get_text
from netfax.storage.disk import work_folder
from webapp.addresses import go_to
from webapp.cover_choice import cover_choices, usual_cover
from webapp.identity import viewer
from webapp.language import language
from webapp.previews import preview_shown
from webapp.shown import modes, priorities, resolutions
from webapp.times import zone
from webapp.words import ngettext

blueprint = Blueprint("send", __name__)

FIELDS = (
    *("numbers", "recipient_name", "title", "cover", "text", "attachments", "planned_at"),
    *("priority", "resolution", "mode"),
)
NONCE = re.compile(r"[A-Za-z0-9_-]{22}")
# Of a request's fingerprint, as much as makes its key another one when something was changed.
MARK_DIGITS = 32


@dataclass(frozen=True)
class Limits:
    """What the form says of R8.3 before somebody runs into it."""

    attachments: int
    kilobytes: int
    mark: str

    @classmethod
    def read(cls) -> "Limits":
        with reading() as uow:
            return cls(get_int(uow, "max_attachments"), get_int(uow, "max_attachment"), get_text(uow, "extension_mark"))


@dataclass(frozen=True)
class Filled:
    """The form as it was typed, and what is wrong with it: sentences by field, `""` for the whole.

    `nonce` names this rendering of the form: sent twice with the same content, it is one fax.
    """

    nonce: str
    numbers: str = ""
    recipient_name: str = ""
    title: str = ""
    cover: str = ""
    text: str = ""
    planned_at: str = ""
    priority: str = Priority.MEDIUM
    resolution: str = USUAL.resolution
    mode: str = USUAL.mode
    problems: dict[str, list[str]] = field(default_factory=dict)
    # Files were chosen, and the browser will have forgotten them.
    files_lost: bool = False


@blueprint.get("/send")
def form() -> str:
    return _page(Filled(_new_nonce(), cover=usual_cover()))


@blueprint.post("/send")
def submit() -> AnyResponse | tuple[str, int]:
    """Accept the fax and go to the queue, or show the form again with every problem beside its field."""
    filled = _read_form()
    try:
        with _uploaded() as uploads:
            accepted = submit_fax(viewer(), _request(filled, uploads))
    except UserError as error:
        return _page(replace(filled, problems=_by_field(error), files_lost=_files_lost())), 422
    flash(ngettext("%(num)d fax accepted.", "%(num)d faxes accepted, one for each number.", len(accepted)), "success")
    return go_to(url_for("faxes.queue"))


@blueprint.post("/send/preview")
def preview() -> str | tuple[str, int]:
    """Show the form again with the pages that would go out (R3.6), and every problem beside its field."""
    filled = replace(_read_form(), files_lost=_files_lost())
    try:
        with _uploaded() as uploads:
            made = make_preview(viewer(), _request(filled, uploads))
    except UserError as error:
        return _page(replace(filled, problems=_by_field(error))), 422
    return _page(replace(filled, problems=_by_name(made.problems)), made)


@contextmanager
def _uploaded() -> Iterator[list[Upload]]:
    """The files of the form, on disk for the block."""
    with work_folder() as folder:
        yield [_save(file, folder / str(position)) for position, file in enumerate(_files())]


def _files() -> list[FileStorage]:
    return [file for file in request.files.getlist("attachments") if file.filename]


def _files_lost() -> bool:
    """Whether files were chosen that the browser will have forgotten: with the portal's script its page stays."""
    return bool(_files()) and "HX-Request" not in request.headers


def _new_nonce() -> str:
    return secrets.token_urlsafe(16)


def _read_form() -> Filled:
    nonce = _text("nonce")
    return Filled(
        nonce=nonce if NONCE.fullmatch(nonce) else _new_nonce(),
        numbers=_text("numbers"),
        recipient_name=_text("recipient_name"),
        title=_text("title"),
        cover=_text("cover"),
        text=_text("text"),
        planned_at=_text("planned_at"),
        priority=_text("priority"),
        # A program that knows nothing of them gets what is usual.
        resolution=_text("resolution") or USUAL.resolution,
        mode=_text("mode") or USUAL.mode,
    )


def _request(filled: Filled, uploads: list[Upload]) -> FaxRequest:
    """What the form asks for; `RequestRefused`, with every other problem as well, when it can't even be read."""
    wanted = FaxRequest(
        numbers=filled.numbers,
        uploads=uploads,
        recipient_name=filled.recipient_name.strip(),
        title=filled.title.strip(),
        cover=filled.cover or None,
        # Without a cover it is on no page, and the form does not show it.
        text=filled.text if filled.cover else "",
    )
    unreadable: list[tuple[str, UserError]] = []
    try:
        wanted = replace(wanted, priority=read_priority(filled.priority))
    except NotAPriority as error:
        unreadable.append(("priority", error))
    try:
        wanted = replace(wanted, look=replace(wanted.look, resolution=read_resolution(filled.resolution)))
    except NotAResolution as error:
        unreadable.append(("resolution", error))
    try:
        wanted = replace(wanted, look=replace(wanted.look, mode=read_mode(filled.mode)))
    except NotAMode as error:
        unreadable.append(("mode", error))
    try:
        planned_at = read_time(filled.planned_at, zone()) if filled.planned_at.strip() else None
        wanted = replace(wanted, planned_at=planned_at)
    except NotATime as error:
        unreadable.append(("planned_at", error))
    if unreadable:
        raise RequestRefused([*unreadable, *_other_problems(wanted)])
    return replace(wanted, client_key=f"{filled.nonce}-{fingerprint(wanted)[:MARK_DIGITS]}")


def _other_problems(wanted: FaxRequest) -> list[tuple[str, UserError]]:
    try:
        check_request(viewer(), wanted)
    except RequestRefused as error:
        return error.problems
    return []


def _save(file: FileStorage, path: Path) -> Upload:
    """Keep an upload under a name of ours; the user's name for it never touches the disk."""
    file.save(path)
    return Upload(_storable(file.filename or ""), path)


def _text(name: str) -> str:
    return _storable(request.form.get(name, ""))


def _storable(text: str) -> str:
    """Without NUL: no form has it, and PostgreSQL refuses it."""
    return text.replace("\0", "")


def _by_field(error: UserError) -> dict[str, list[str]]:
    return _by_name(error.problems if isinstance(error, RequestRefused) else [("", error)])


def _by_name(problems: Sequence[tuple[str, UserError]]) -> dict[str, list[str]]:
    sentences: dict[str, list[str]] = {}
    for name, problem in problems:
        sentences.setdefault(name if name in FIELDS else "", []).append(problem.text(language()))
    return sentences


def _page(filled: Filled, made: Previewed | None = None) -> str:
    return render_template(
        "send.html",
        filled=filled,
        preview=made and preview_shown(made),
        limits=Limits.read(),
        covers=cover_choices(),
        priorities=priorities(),
        resolutions=resolutions(),
        modes=modes(),
        zone=zone(),
    )
