"""A clock that is moved while faxes wait: by how much is told by one that nobody can set."""

from datetime import datetime, timedelta

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from netfax import boot
from netfax.db import Base, UnitOfWork, now

# More than NTP ever steps, and less than a person sees.
CLOCK_STEP = timedelta(seconds=60)

TWO_LOOKS_SECONDS = 1.0

_ROW = 1


class KnownClock(Base):
    """One row: which start of which machine told the time last, and when it had begun by the clock of then."""

    __tablename__ = "known_clock"

    id: Mapped[int] = mapped_column(primary_key=True)
    boot_id: Mapped[str] = mapped_column(String(36))
    began_at: Mapped[datetime]


def clock_step(uow: UnitOfWork) -> timedelta:
    """By how much the clock was moved since a transaction that committed has asked this last, whoever did.

    Nothing for less than `CLOCK_STEP`, and nothing where another machine, or another start of this one, has asked last.
    """
    uptime, at = boot.uptime(), now()
    if boot.uptime() - uptime > TWO_LOOKS_SECONDS:
        # This process stood still between its two looks: they say nothing together.
        return timedelta()
    this_boot, began_at = boot.boot_id(), at - timedelta(seconds=uptime)
    known = uow.session.get(KnownClock, _ROW)
    if known is None:
        uow.session.add(KnownClock(id=_ROW, boot_id=this_boot, began_at=began_at))
        return timedelta()
    step = began_at - known.began_at if known.boot_id == this_boot else timedelta()
    if known.boot_id != this_boot or abs(step) > CLOCK_STEP:
        known.boot_id, known.began_at = this_boot, began_at
    return step if abs(step) > CLOCK_STEP else timedelta()
