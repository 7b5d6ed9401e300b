"""Errors as pages: a clear sentence, the right status; the traceback of a failure is in the log alone."""

from types import TracebackType

import structlog
from flask import Flask, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from netfax.documents.errors import PageMissing
from netfax.errors import NotFound, UserError
from netfax.faxes.errors import NoPages
from webapp.language import language
from webapp.security import largest_upload
from webapp.words import _

log = structlog.get_logger()


def init_app(app: Flask) -> None:
    app.log_exception = _log_failure  # type: ignore[method-assign]
    app.register_error_handler(UserError, _user_error)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(HTTPException, _http_error)


def _log_failure(exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None]) -> None:
    log.error("request.failed", method=request.method, path=request.path, exc_info=exc_info)


def _user_error(error: UserError) -> tuple[str, int]:
    match error:
        case NotFound() | NoPages() | PageMissing():
            status = 404
        case _:
            status = 409
    return _page(error.text(language()), status)


def _stale_form(_error: HTTPException) -> tuple[str, int]:
    return _page(_("This form is no longer valid. Go back, load the page again and repeat."), 400, stale=True)


def _http_error(error: HTTPException) -> tuple[str, int]:
    status = error.code or 500
    sentence = {
        401: _("You are not signed in any more. Sign in and repeat."),
        404: _("There is no such page."),
        405: _("This address takes no such request."),
        413: _("Together the files are larger than %(size)s MB. Go back and send them in parts.", size=_megabytes()),
        429: _("Too many requests from your address. Wait a minute and try again."),
    }.get(status, _("Something went wrong on our side. Try again; if it stays, tell the administrator."))
    return _page(sentence, status)


def _megabytes() -> int:
    return largest_upload() // 1_048_576


def _page(sentence: str, status: int, *, stale: bool = False) -> tuple[str, int]:
    """`stale` for the scripts: the form's token is of an earlier session."""
    return render_template("error.html", sentence=sentence, status=status, stale=stale), status
