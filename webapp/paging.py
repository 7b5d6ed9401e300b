"""Pages of a list, and what is searched in it, in the address bar."""

from collections.abc import Callable
from typing import TypeVar

from flask import request

from netfax.faxes.listing import LAST_PAGE, Page
from netfax.ocr.words import words

T = TypeVar("T")


def page_wanted(read: Callable[[int], Page[T]]) -> Page[T]:
    """The page that the address asks for, or the last one there is: lists shrink while somebody looks at them."""
    found = read(page_number())
    return found if found.number <= found.pages else read(found.pages)


def searched() -> str:
    """What the address searches; empty for all that there is."""
    return " ".join(words(request.args.get("q", "")))


def page_number() -> int:
    """The page that the address asks for, from 1."""
    wanted = request.args.get("page", "")
    return min(max(1, int(wanted)), LAST_PAGE) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 8 else 1
