"""Pages of a list in the address bar."""

from flask import request

from netfax.faxes.listing import LAST_PAGE


def page_number() -> int:
    """The page that the address asks for, from 1."""
    wanted = request.args.get("page", "")
    return min(max(1, int(wanted)), LAST_PAGE) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 8 else 1
