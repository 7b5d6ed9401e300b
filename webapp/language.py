"""Which language somebody reads."""

from pathlib import Path

from flask import Flask, g, request
from flask_login import current_user
from werkzeug.wrappers import Response

from netfax.errors import LANGUAGES
from webapp.words import init_babel

COOKIE = "netfax_lang"
LOCALES = {"zh": "zh_Hans", "en": "en"}
HTML_LANG = {"zh": "zh-Hans", "en": "en"}
DEFAULT = "zh"
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
