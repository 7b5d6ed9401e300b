"""发传真: the form, and what comes of it (R3)."""

from dataclasses import dataclass, field
from pathlib import Path

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as AnyResponse

from netfax.db import reading
from netfax.errors import UserError
from netfax.faxes.errors import RequestRefused
from netfax.faxes.models import Priority
from netfax.faxes.submit import FaxRequest, Upload, submit_fax
from netfax.params.service import get_int, get_text
from netfax.storage.disk import work_folder
from webapp.identity import viewer
from webapp.language import language
from webapp.words import _, ngettext

blueprint = Blueprint("send", __name__)

FIELDS = ("numbers", "recipient_name", "title", "attachments")


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
    """The form as it was typed, and what is wrong with it: sentences by field, `""` for the whole."""

    numbers: str = ""
    recipient_name: str = ""
    title: str = ""
    priority: Priority = Priority.MEDIUM
    problems: dict[str, list[str]] = field(default_factory=dict)
    # Files were chosen, and the browser will have forgotten them.
    files_lost: bool = False


@blueprint.get("/send")
def form() -> str:
    return _page(Filled())


@blueprint.post("/send")
def submit() -> AnyResponse | tuple[str, int]:
    """Accept the fax and go to the queue, or show the form again with every problem beside its field."""
    files = [file for file in request.files.getlist("attachments") if file.filename]
    try:
        with work_folder() as folder:
            accepted = submit_fax(viewer(), _read_form(files, folder))
    except UserError as error:
        return _page(_refilled(error, bool(files))), 422
    flash(ngettext("%(num)d fax accepted.", "%(num)d faxes accepted, one for each number.", len(accepted)), "success")
    return _go_to(url_for("faxes.queue"))


def _read_form(files: list[FileStorage], folder: Path) -> FaxRequest:
    return FaxRequest(
        numbers=_text("numbers"),
        uploads=[_save(file, folder / str(position)) for position, file in enumerate(files)],
        recipient_name=_text("recipient_name").strip(),
        title=_text("title").strip(),
        priority=_priority(),
    )


def _save(file: FileStorage, path: Path) -> Upload:
    """Keep an upload under a name of ours; the user's name for it never touches the disk."""
    file.save(path)
    return Upload(_storable(file.filename or ""), path)


def _text(name: str) -> str:
    return _storable(request.form.get(name, ""))


def _storable(text: str) -> str:
    """Without NUL: no form has it, and PostgreSQL refuses it."""
    return text.replace("\0", "")


def _priority() -> Priority:
    wanted = request.form.get("priority", "")
    return Priority(wanted) if wanted in list(Priority) else Priority.MEDIUM


def _refilled(error: UserError, had_files: bool) -> Filled:
    problems: dict[str, list[str]] = {}
    for name, problem in error.problems if isinstance(error, RequestRefused) else [("", error)]:
        problems.setdefault(name if name in FIELDS else "", []).append(problem.text(language()))
    return Filled(
        numbers=_text("numbers"),
        recipient_name=_text("recipient_name"),
        title=_text("title"),
        priority=_priority(),
        problems=problems,
        # With the portal's script the page stays and keeps them.
        files_lost=had_files and "HX-Request" not in request.headers,
    )


def _page(filled: Filled) -> str:
    return render_template(
        "send.html", filled=filled, limits=Limits.read(), priorities=[(each.value, word) for each, word in _words()]
    )


def _words() -> list[tuple[Priority, str]]:
    return [(Priority.HIGH, _("High")), (Priority.MEDIUM, _("Medium")), (Priority.LOW, _("Low"))]


def _go_to(address: str) -> AnyResponse:
    """Send the browser on, also from a request that its script made."""
    if "HX-Request" not in request.headers:
        return redirect(address)
    response: Response = make_response("")
    response.headers["HX-Redirect"] = address
    return response
