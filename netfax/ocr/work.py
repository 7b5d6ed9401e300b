"""Which page is looked at next: those that may lie wrongly first, then those to be read, older faxes before newer."""

import socket
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from netfax.db import UnitOfWork, now
from netfax.ocr.models import PageText, Reading
from netfax.ocr.service import may_be_read, turn_of
from netfax.ocr.upright import with_neighbours
from netfax.ocr.words import plain
from netfax.queue import Job
from netfax.storage.models import Blob

# More than the sandbox gives to a page: whoever has one for longer is gone.
LEASE = timedelta(minutes=20)
CLOCK_TOLERANCE = timedelta(seconds=60)
# A page with which the worker has died so often is left as it came.
MOST_TRIES = 3


_NextPage = InstrumentedAttribute[int | None]


@dataclass(frozen=True)
class Task:
    """A page to look at: which way up it is (`upright`), or what is written on it when it is turned by `turn`."""

    blob_id: int
    key: str
    page: int
    upright: bool
    turn: int
    tries: int


def anything_waits(uow: UnitOfWork) -> bool:
    """Whether there is a page that nobody looks at yet."""
    return any(uow.session.scalar(_waiting(column).limit(1)) is not None for column in _wanted(uow))


def claim_next(uow: UnitOfWork) -> Task | None:
    """Let this machine look at the next page; None when none waits."""
    return next(filter(None, (_claim(uow, column) for column in _wanted(uow))), None)


def _wanted(uow: UnitOfWork) -> list[_NextPage]:
    return [Reading.turn_page, Reading.text_page] if may_be_read(uow) else [Reading.turn_page]


def _waiting(column: _NextPage) -> Select[int]:
    return select(Reading.blob_id).where(column <= Reading.pages, _free())


def _free() -> ColumnElement[bool]:
    """A lease that ends later than any that is given now was given before the clock was set back."""
    at = now()
    return or_(
        Reading.held_until.is_(None), Reading.held_until <= at, Reading.held_until > at + LEASE + CLOCK_TOLERANCE
    )


def _claim(uow: UnitOfWork, column: _NextPage) -> Task | None:
    first = _waiting(column).order_by(Reading.blob_id).limit(1).with_for_update(skip_locked=True).scalar_subquery()
    claim = (
        update(Reading)
        .where(Reading.blob_id == first, column <= Reading.pages, _free())
        .values(held_until=now() + LEASE, held_by=_this_machine(), tries=Reading.tries + 1)
        .returning(Reading.blob_id, column, Reading.turns, Reading.tries)
        .execution_options(synchronize_session=False)
    )
    claimed = uow.session.execute(claim).first()
    if claimed is None:
        return None
    blob_id, page, turns, tries = claimed
    # No page is without its number here: the claim has compared it.
    page, upright = page or 1, column is Reading.turn_page
    turn = 0 if upright else turn_of([each or 0 for each in turns], page)
    return Task(blob_id, uow.session.get_one(Blob, blob_id).key, page, upright, turn, tries)


def settle_turn(uow: UnitOfWork, task: Task, turn: int | None) -> None:
    """Note by how much a page is to be turned, None when that is not sure; nothing when it is known, or gone."""
    reading = _held(uow, task)
    if reading is None or reading.turn_page != task.page:
        return
    found = [*reading.turns, turn]
    reading.turns = found if task.page < reading.pages else list(with_neighbours(found))
    reading.turn_page = task.page + 1
    _let_go(reading)


def settle_text(uow: UnitOfWork, task: Task, text: str) -> None:
    """Keep what was read on a page; nothing when it was read before, or is gone."""
    reading = _held(uow, task)
    if reading is None or reading.text_page != task.page:
        return
    if stored := plain(text):
        uow.session.add(PageText(blob_id=task.blob_id, page=task.page, text=stored))
    reading.text_page = task.page + 1
    _let_go(reading)


def give_back(uow: UnitOfWork, task: Task) -> None:
    """Let a page be looked at anew that could not be for a fault of our own."""
    reading = _held(uow, task)
    if reading is not None:
        _let_go(reading)


def let_go_pages(uow: UnitOfWork) -> None:
    """What this machine was looking at when it was killed waits again: called at the start."""
    uow.session.execute(
        update(Reading)
        .where(Reading.held_until.is_not(None), Reading.held_by == _this_machine())
        .values(held_until=None, held_by="")
        .execution_options(synchronize_session=False)
    )
    uow.enqueue(Job.WAKE_READER)


def _held(uow: UnitOfWork, task: Task) -> Reading | None:
    return uow.session.get(Reading, task.blob_id, with_for_update=True)


def _let_go(reading: Reading) -> None:
    reading.held_until, reading.held_by, reading.tries = None, "", 0


def _this_machine() -> str:
    return socket.gethostname()[:64]
