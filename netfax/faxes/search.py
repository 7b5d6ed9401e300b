"""Finding faxes by what is known of them, and by the text of their pages where it was read.

Every word must be found somewhere: in a number, a name, the title, the station id, the running number, the text.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, aliased

from netfax.db import UnitOfWork
from netfax.faxes.models import Attempt, Delivery, Document, MailboxItem, Reception, Submission
from netfax.ocr.models import PageText
from netfax.ocr.words import Piece, pieces, plain, words

# A number, or a part of one between blanks, as people write it: 010-64802994, +86, (736).
_NUMBER = re.compile(r"\+?[\d()/.-]*\d[\d()/.-]*", re.ASCII)
_LARGEST_ID = 2**31 - 1
# Under a name of its own: some lists join the deliveries already.
_delivery = aliased(Delivery)


@dataclass(frozen=True)
class Found:
    """Where the text of a fax has what was searched: the first such page, and a piece of its text."""

    page: int
    pieces: list[Piece]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


def matches(search: str) -> ColumnElement[bool]:
    """The condition that a mailbox item, in either direction, has all the words."""
    return and_(true(), *map(_has, words(search)))


def _has(word: str) -> ColumnElement[bool]:
    # An item has either: what is not there matches nothing.
    return or_(
        *_by_number(word),
        exists().where(Reception.id == MailboxItem.reception_id, _in_reception(word)),
        exists().where(
            _delivery.id == MailboxItem.delivery_id, Submission.id == _delivery.submission_id, _in_delivery(word)
        ),
    )


def _by_number(word: str) -> list[ColumnElement[bool]]:
    number = int(word) if word.isascii() and word.isdecimal() else 0
    return [MailboxItem.id == number] if 0 < number <= _LARGEST_ID else []


def _in_reception(word: str) -> ColumnElement[bool]:
    return or_(
        *_dialled(Reception.caller, word),
        _holds(Reception.remote_station_id, word),
        exists().where(PageText.blob_id == Reception.blob_id, _read(word)),
    )


def _in_delivery(word: str) -> ColumnElement[bool]:
    return or_(
        *_dialled(_delivery.identity, word),
        *(_holds(column, word) for column in (_delivery.number_text, Submission.recipient_name, Submission.title)),
        exists().where(Attempt.delivery_id == _delivery.id, _holds(Attempt.remote_station_id, word)),
        exists().where(Document.submission_id == Submission.id, PageText.blob_id == Document.blob_id, _read(word)),
    )


def _dialled(identity: InstrumentedAttribute[str], word: str) -> list[ColumnElement[bool]]:
    """A number is found by any part of its digits, whatever stands between them, with or without the trunk zero."""
    typed = plain(word)
    digits = re.sub(r"\D", "", typed, flags=re.ASCII).lstrip("0") if _NUMBER.fullmatch(typed) else ""
    return [identity.contains(digits)] if digits else []


def _read(word: str) -> ColumnElement[bool]:
    return _holds(PageText.text, plain(word) or word)


def _holds(column: InstrumentedAttribute[str], word: str) -> ColumnElement[bool]:
    return column.icontains(word, autoescape=True)


def found_in_text(uow: UnitOfWork, items: Collection[MailboxItem], search: str) -> dict[int, Found]:
    """Where the text of these faxes has a word of the search, by the items' ids; those without one are missing."""
    searched = words(search)
    blobs = {item.id: blob_id for item in items if (blob_id := _blob_id(item)) is not None}
    if not searched or not blobs:
        return {}
    shown = _first_pages(uow, set(blobs.values()), searched)
    return {item_id: shown[blob_id] for item_id, blob_id in blobs.items() if blob_id in shown}


def _blob_id(item: MailboxItem) -> int | None:
    if item.reception is not None:
        return item.reception.blob_id
    document = item.delivery.submission.document if item.delivery is not None else None
    return document.blob_id if document is not None else None


def _first_pages(uow: UnitOfWork, blob_ids: Collection[int], searched: Sequence[str]) -> dict[int, Found]:
    first = (
        select(PageText.blob_id, func.min(PageText.page).label("page"))
        .where(PageText.blob_id.in_(blob_ids), or_(*map(_read, searched)))
        .group_by(PageText.blob_id)
        .subquery()
    )
    query: Any = select(PageText).join(first, and_(PageText.blob_id == first.c.blob_id, PageText.page == first.c.page))
    return {text.blob_id: Found(text.page, pieces(text.text, searched)) for text in uow.session.scalars(query)}
