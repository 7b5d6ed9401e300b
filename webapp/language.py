"""Which language and which time zone somebody reads."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from flask import Flask, g, request
from flask_login import current_user
from werkzeug.wrappers import Response

from netfax.errors import LANGUAGES
from webapp.words import init_babel

COOKIE = "netfax_lang"
LOCALES = {"zh": "zh_Hans", "en": "en"}
HTML_LANG = {"zh": "zh-Hans", "en": "en"}
DEFAULT = "zh"
DEFAULT_ZONE = "Asia/Shanghai"
ONE_YEAR = 365 * 24 * 3600


def init_app(app: Flask, translations: Path) -> None:
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(translations)
    app.config["BABEL_DEFAULT_LOCALE"] = LOCALES[DEFAULT]
    init_babel(app, lambda: LOCALES[language()])
    app.after_request(_remember_choice)
    app.context_processor(lambda: {"language": language(), "html_lang": HTML_LANG[language()]})


def language() -> str:
    """`zh` or `en`: the user's own; before sign-in what he chose here, else what his browser asks for."""
    if "language" not in g:
        g.language = _find_language()
    chosen: str = g.language
    return chosen


def _find_language() -> str:
    if current_user.is_authenticated:
        own: str = current_user.viewer.language
        return own if own in LANGUAGES else DEFAULT
    for wanted in (request.args.get("lang", ""), request.cookies.get(COOKIE, "")):
        if wanted in LANGUAGES:
            return wanted
    return request.accept_languages.best_match(["zh", "en"], DEFAULT) or DEFAULT


def _remember_choice(response: Response) -> Response:
    wanted = request.args.get("lang", "")
    if wanted in LANGUAGES:
        remember(response, wanted)
    return response


def remember(response: Response, chosen: str) -> None:
    """Keep a choice of language in this browser."""
    response.set_cookie(COOKIE, chosen, max_age=ONE_YEAR, httponly=True, samesite="Lax", secure=request.is_secure)


def local_time(at: datetime) -> datetime:
    """An instant in the user's zone."""
    zone = current_user.viewer.time_zone if current_user.is_authenticated else DEFAULT_ZONE
    return at.astimezone(ZoneInfo(zone))


def exact(at: datetime | None) -> str:
    """An instant as lists show it (R5.6): 2007-07-15 12:34:09 in the user's zone; empty for none."""
    return "" if at is None else f"{local_time(at):%Y-%m-%d %H:%M:%S}"


def clock(at: datetime) -> str:
    """The time of day of an instant that is near: 12:34:09."""
    return f"{local_time(at):%H:%M:%S}"
