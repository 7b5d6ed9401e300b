"""Faxes that came or went while their text was not read: read on request."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, exists, false, func, select
from sqlalchemy.orm import InstrumentedAttribute

from netfax.db import UnitOfWork
from netfax.documents.limits import MAX_PAGES
from netfax.errors import UserError
from netfax.faxes.models import Document, Reception
from netfax.ocr.models import Reading
from netfax.ocr.service import may_be_read
from netfax.queue import Job

# In one transaction: others write between two.
MOST_ROWS = 500


class ReadingOff(UserError):
    code = "reading_off"
    en = "The text of faxes is not read: switch it on first, with `netfax param set ocr on`."
    zh = "尚未开启文字识别：请先运行 netfax param set ocr on。"


@dataclass(frozen=True)
class ReadingState:
    """Whether faxes are read, and of how many nobody has asked, how many wait, and how many are read."""

    on: bool
    not_asked: int
    waiting: int
    read: int


def reading_state(uow: UnitOfWork) -> ReadingState:
    """How far the reading of all faxes has come."""

    def count(query: Select[int]) -> int:
        return uow.session.scalar(select(func.count()).select_from(query.subquery())) or 0

    asked = select(Reading.blob_id)
    return ReadingState(
        on=may_be_read(uow),
        not_asked=count(_never_asked(Reception.blob_id)) + count(_never_asked(Document.blob_id)),
        waiting=count(asked.where(Reading.text_page <= Reading.pages)),
        read=count(asked.where(Reading.text_page > Reading.pages)),
    )


def ask_for_old(uow: UnitOfWork) -> int:
    """Ask for the text of up to 500 faxes of which nobody has asked yet; how many.

    What came over a line is turned upright first, if it was not. `ReadingOff` while faxes are not read at all.
    """
    if not may_be_read(uow):
        raise ReadingOff()
    received = _never_asked(Reception.blob_id).add_columns(Reception.pages, Reception.delivery_id.is_(None))
    drawn = _never_asked(Document.blob_id).add_columns(Document.pages, false())
    asked = 0
    for query in (received, drawn):
        for blob_id, pages, from_line in uow.session.execute(query.limit(MOST_ROWS - asked)).all():
            _ask(uow, blob_id, pages, from_line=bool(from_line))
            asked += 1
    uow.enqueue(Job.WAKE_READER)
    return asked


def _never_asked(blob_id: InstrumentedAttribute[int] | InstrumentedAttribute[int | None]) -> Select[Any]:
    asked = exists().where(Reading.blob_id == blob_id, Reading.text_page.is_not(None))
    return select(blob_id).where(blob_id.is_not(None), ~asked)


def _ask(uow: UnitOfWork, blob_id: int, pages: int, *, from_line: bool) -> None:
    reading = uow.session.get(Reading, blob_id, with_for_update=True)
    if reading is None:
        first = 1 if from_line else None
        uow.session.add(Reading(blob_id=blob_id, pages=min(pages, MAX_PAGES), turn_page=first, text_page=1))
    else:
        reading.text_page = 1
