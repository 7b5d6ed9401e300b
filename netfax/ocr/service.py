"""Asking that a fax's pages are looked at, and what is known of them."""

from collections.abc import Sequence

from netfax.db import UnitOfWork
from netfax.documents.limits import MAX_PAGES
from netfax.ocr.models import Reading
from netfax.params.service import get_flag
from netfax.queue import Job
from netfax.storage.models import Blob


def look_at(uow: UnitOfWork, blob: Blob, pages: int, *, from_line: bool) -> None:
    """Let a new fax's pages be turned upright, where they came over a line, and be read, where they may be."""
    text = may_be_read(uow)
    if not (pages and (from_line or text)):
        return
    uow.session.add(
        Reading(
            blob_id=blob.id,
            pages=min(pages, MAX_PAGES),
            turns=[],
            turn_page=1 if from_line else None,
            text_page=1 if text else None,
        )
    )
    uow.enqueue(Job.WAKE_READER)


def may_be_read(uow: UnitOfWork) -> bool:
    """Whether the text of faxes may be read and kept: the one place that decides it."""
    return get_flag(uow, "ocr")


def turns_of(uow: UnitOfWork, blob: Blob) -> tuple[int, ...] | None:
    """By how many degrees clockwise the pages of a stored fax are shown, from the first on; None until it is known.

    Empty where all are shown as they came.
    """
    reading = uow.session.get(Reading, blob.id)
    if reading is None:
        return ()
    under_way = reading.turn_page is not None and reading.turn_page <= reading.pages
    return None if under_way else tuple(turn or 0 for turn in reading.turns)


def turn_of(turns: Sequence[int], page: int) -> int:
    """By how many degrees a page (1 is the first) is turned."""
    return turns[page - 1] if page <= len(turns) else 0


def shown_turns(upright: Sequence[int] | None, turn: int, pages: int) -> list[int]:
    """How each of so many pages is shown to a reader who has turned them all by `turn`: degrees, clockwise."""
    return [(turn_of(upright or (), page) + turn) % 360 for page in range(1, pages + 1)]
