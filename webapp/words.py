"""The interface's own words: written in English in the code, translated by the catalogs."""

from collections.abc import Callable

import flask_babel  # type: ignore[import-untyped]
from flask import Flask


def _(text: str, **values: object) -> str:
    """The text in the reader's language; `values` fill its %(name)s places."""
    translated: str = flask_babel.gettext(text, **values)
    return translated


def ngettext(singular: str, plural: str, num: int, **values: object) -> str:
    """As `_`, for a text that depends on a count, `%(num)d`."""
    translated: str = flask_babel.ngettext(singular, plural, num, **values)
    return translated


def init_babel(app: Flask, locale: Callable[[], str]) -> None:
    """Give templates `_`, and let `locale` decide the catalog of each request."""
    flask_babel.Babel(app, locale_selector=locale)
