"""模板: cover templates as administrators keep them, and their editor (R8.6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from netfax.covers import administration
from netfax.covers.administration import Edit, Told, find_template, list_templates, save_template, told
from netfax.covers.builtin import BUILT_IN
from netfax.covers.check import LONGEST_TEMPLATE, Problem
from netfax.covers.errors import EditedMeanwhile
from netfax.covers.models import LONGEST_NAME
from netfax.covers.preview import Preview, look_at
from netfax.covers.variables import VARIABLES
from netfax.db import reading, unit_of_work
from netfax.errors import NotFound, UserError
from webapp.cover_choice import as_data
from webapp.identity import viewer
from webapp.language import language
from webapp.words import _

blueprint = Blueprint("covers", __name__)


@dataclass(frozen=True)
class Editor:
    """A template as somebody is writing it: what is wrong with it, what stands there meanwhile, what it looks like."""

    template: Told
    refused: str = ""
    problems: Sequence[Problem] = ()
    theirs: str = ""
    shown: Preview | None = None


@blueprint.url_value_preprocessor
def _only_keys(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """No template has a key that a database refuses."""
    if values and not str(values.get("key", "")).isprintable():
        raise NotFound()


@blueprint.get("/covers")
def index() -> str:
    with reading() as uow:
        templates = [told(each) for each in list_templates(uow, viewer())]
    ours = [Told(each.key, each.text(language()), each.html) for each in BUILT_IN.values()]
    return render_template("covers.html", ours=ours, templates=templates)


@blueprint.get("/covers/<key>")
def edit(key: str) -> str:
    """The editor of a template, or one of ours to look at."""
    template = _find(key)
    problems, shown = look_at(template.html, template.name, language())
    return _page(Editor(template, problems=problems, shown=shown))


@blueprint.post("/covers/<key>")
def save(key: str) -> Response | tuple[str, int]:
    """Save the template when nothing is wrong with it; whatever happens, nothing that was written is lost."""
    there = _find(key)
    if there.is_ours:
        raise NotFound()
    wanted = _written()
    written = replace(there, name=wanted.name, html=wanted.html, version=wanted.version)
    problems, shown = look_at(wanted.html, wanted.name, language())
    editor = Editor(written, problems=problems, shown=shown)
    try:
        with unit_of_work() as uow:
            if not problems:
                save_template(uow, viewer(), key, wanted)
    except EditedMeanwhile as error:
        newest = _find(key)
        written = replace(written, version=newest.version)
        return _page(replace(editor, template=written, refused=error.text(language()), theirs=newest.html)), 409
    except UserError as error:
        return _page(replace(editor, refused=error.text(language()))), 422
    if problems:
        return _page(editor), 422
    flash(_("The template “%(name)s” is saved.", name=wanted.name.strip()), "success")
    return redirect(url_for("covers.edit", key=key))


@blueprint.post("/covers/<key>/check")
def check(key: str) -> str:
    """What is wrong with the template as it is being written, or else what it looks like."""
    template = replace(_find(key), html=_written().html)
    problems, shown = look_at(template.html, template.name, language())
    return render_template("cover_check.html", **_seen(Editor(template, problems=problems, shown=shown)))


@blueprint.post("/covers/<key>/copy")
def copy(key: str) -> Response:
    with unit_of_work() as uow:
        made = administration.copy_template(uow, viewer(), key)
    return redirect(url_for("covers.edit", key=made))


@blueprint.post("/covers/<key>/enabled")
def enable(key: str) -> Response:
    """Switch a template on or off."""
    wanted = request.form.get("enabled") == "1"
    with unit_of_work() as uow:
        name = administration.enable_template(uow, viewer(), key, wanted)
    said = _("“%(name)s” can be chosen again.", name=name) if wanted else _("“%(name)s” is switched off.", name=name)
    flash(said, "success")
    return redirect(url_for("covers.index"))


@blueprint.get("/covers/<key>/delete")
def ask_delete(key: str) -> str | Response:
    template = _find(key)
    if template.is_ours:
        return redirect(url_for("covers.edit", key=key))
    return render_template("cover_delete.html", template=template)


@blueprint.post("/covers/<key>/delete")
def delete(key: str) -> Response:
    with unit_of_work() as uow:
        name = administration.delete_template(uow, viewer(), key)
    flash(_("The template “%(name)s” is deleted.", name=name), "success")
    return redirect(url_for("covers.index"))


def _find(key: str) -> Told:
    with reading() as uow:
        return find_template(uow, viewer(), key)


def _written() -> Edit:
    """What the editor sends; browsers end lines by two characters."""
    version = request.form.get("version", "")
    html = request.form.get("html", "").replace("\r\n", "\n").replace("\0", "")
    name = request.form.get("name", "").replace("\0", "")
    return Edit(name, html, int(version) if version.isascii() and version.isdecimal() and len(version) < 9 else 0)


def _page(editor: Editor) -> str:
    return render_template(
        "cover_edit.html",
        editor=editor,
        template=editor.template,
        variables=[(each.name, each.text(language())) for each in VARIABLES.values()],
        longest=LONGEST_TEMPLATE,
        longest_name=LONGEST_NAME,
        **_seen(editor),
    )


def _seen(editor: Editor) -> dict[str, object]:
    """What stands beside the editor's text."""
    return {
        "problems": [(each.line, each.column, each.error.text(language())) for each in editor.problems],
        "pages": editor.shown.pages if editor.shown else 0,
        "pictures": as_data(editor.shown) if editor.shown else [],
    }
