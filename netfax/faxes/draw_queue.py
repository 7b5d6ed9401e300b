"""Whose documents are drawn next.

Who waits stands in the database; the job CONVERT says only that somebody does. The highest priority first; within it
users take turns: of what a user sends, the first gets the turn of whoever is next, and each further one the turn after
the one before. So all that one user sends delays another's first fax by one drawing, and to choose costs the same
however many wait.
"""

import socket
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, update

from netfax.db import UnitOfWork, now
from netfax.faxes.models import Delivery, Priority, Submission
from netfax.queue import Job

# More than the sandbox gives to a drawing and the store takes after it: whoever has one for longer is gone.
LEASE = timedelta(seconds=120)
# After a fault of our own.
PAUSE = timedelta(seconds=60)
# After the second worker that died of it, or beside it.
AFTER_DEATH = timedelta(seconds=15)
CLOCK_TOLERANCE = timedelta(seconds=60)
# What is planned for a time farther away is drawn when nothing else waits.
FAR_AWAY = timedelta(days=1)
MOST_ROWS = 1000

_RANK = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}
_RANK_FAR_AWAY = 3
_READY = (Submission.draw_turn.is_not(None), Submission.draw_after.is_(None))


def enter_queue(uow: UnitOfWork, submission: Submission, priority: Priority, planned_at: datetime | None) -> None:
    """Give a new submission its place among those that wait to be drawn."""
    far_away = planned_at is not None and planned_at > now() + FAR_AWAY
    submission.draw_rank = _RANK_FAR_AWAY if far_away else _RANK[priority]
    submission.draw_turn = _next_turn(uow, submission)
    uow.enqueue(Job.CONVERT)


def _next_turn(uow: UnitOfWork, submission: Submission) -> int:
    """The turn of whoever is next, or the one after the user's last."""
    ready = (*_READY, Submission.draw_rank == submission.draw_rank)
    first = uow.session.scalar(select(func.min(Submission.draw_turn)).where(*ready)) or 0
    own = select(func.max(Submission.draw_turn)).where(*ready, Submission.user_id == submission.user_id)
    last = uow.session.scalar(own)
    return first if last is None else max(first, last + 1)


def count_ready(uow: UnitOfWork) -> int:
    """How many submissions can be drawn now, up to 1,000, with those whose lease or pause has just ended."""
    at = now()
    # One that ends later than any that is given now was given before the clock was set back.
    ended = or_(Submission.draw_after <= at, Submission.draw_after > at + max(LEASE, PAUSE) + CLOCK_TOLERANCE)
    held = select(Submission.id).where(Submission.draw_after.is_not(None), ended).limit(MOST_ROWS)
    _let_draw(uow, Submission.id.in_(held.with_for_update(skip_locked=True)))
    _bring_near(uow)
    ready = select(Submission.id).where(*_READY).limit(MOST_ROWS).subquery()
    return uow.session.scalar(select(func.count()).select_from(ready)) or 0


def _bring_near(uow: UnitOfWork) -> None:
    """Let what was far away be drawn by its priority once its time comes near."""
    near = (
        select(Submission, Delivery.priority)
        .join(Delivery, Delivery.submission_id == Submission.id)
        .where(*_READY, Submission.draw_rank == _RANK_FAR_AWAY)
        .where(or_(Delivery.planned_at.is_(None), Delivery.planned_at <= now() + FAR_AWAY))
        .limit(MOST_ROWS)
    )
    for submission, priority in uow.session.execute(near.with_for_update(of=Submission, skip_locked=True)):
        submission.draw_rank = min(submission.draw_rank, _RANK[priority])
        submission.draw_turn = _next_turn(uow, submission)


def let_go_drawings(uow: UnitOfWork) -> None:
    """What this machine's worker was drawing when it was killed is drawn anew: called at the worker's start.

    At once, behind the others of its user; after a second death others of all users come first, since it may be what
    kills the worker.
    """
    drawing = select(Submission).where(Submission.draw_after.is_not(None), Submission.drawn_by == _this_machine())
    for submission in uow.session.scalars(drawing.with_for_update(skip_locked=True)):
        submission.draw_deaths += 1
        put_off(uow, submission, AFTER_DEATH if submission.draw_deaths > 1 else timedelta(0))
    uow.enqueue(Job.CONVERT)


def _let_draw(uow: UnitOfWork, *which: ColumnElement[bool]) -> None:
    uow.session.execute(
        update(Submission)
        .where(*which)
        .values(draw_after=None, drawn_by="")
        .execution_options(synchronize_session=False)
    )


def claim_next(uow: UnitOfWork) -> str | None:
    """Let this machine draw the submission whose turn it is; its public id, None when nobody waits."""
    first = (
        select(Submission.id)
        .where(*_READY)
        .order_by(Submission.draw_rank, Submission.draw_turn, Submission.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    claim = (
        update(Submission)
        .where(Submission.id == first, *_READY)
        .values(draw_after=now() + LEASE, drawn_by=_this_machine())
        .returning(Submission.uuid)
        .execution_options(synchronize_session=False)
    )
    return uow.session.scalar(claim)


def _this_machine() -> str:
    return socket.gethostname()[:64]


def put_off(uow: UnitOfWork, submission: Submission, pause: timedelta = PAUSE) -> None:
    """Let a submission be drawn after a pause, behind the others of its user."""
    submission.draw_turn = _next_turn(uow, submission)
    submission.draw_after = now() + pause if pause else None
    submission.drawn_by = ""


def leave_queue(submission: Submission) -> None:
    """Its drawing has come to an end."""
    submission.draw_turn = submission.draw_after = None
    submission.drawn_by = ""
