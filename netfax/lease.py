"""One at a time: a lease with a fence number, checked inside the transaction that it protects."""

import os
import secrets
import socket
from datetime import datetime, timedelta

from sqlalchemy import String, or_, select, true, update
from sqlalchemy.orm import Mapped, mapped_column

from netfax.db import Base, UnitOfWork, now

LEASE_SECONDS = 15
# Between machines whose clocks are kept by NTP.
CLOCK_TOLERANCE = timedelta(seconds=5)


class Lease(Base):
    """Who may do a thing, until when; the fence grows whenever it changes hands."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    fence: Mapped[int] = mapped_column(default=1)
    until: Mapped[datetime]


def hold_lease(uow: UnitOfWork, name: str, holder: str, *, renew: bool = False) -> int | None:
    """Take or prolong a lease: its fence when it is ours, and its row stays locked till the transaction's end.

    `renew` makes the fence grow though the holder is the same: what it remembers of before counts no more. A lease
    that ends later than any that is given now was given before the clock was set back, and is free.
    """
    at = now()
    until = at + timedelta(seconds=LEASE_SECONDS)
    changes_hands = true() if renew else Lease.holder != holder
    free = or_(Lease.holder == holder, Lease.until < at, Lease.until > until + CLOCK_TOLERANCE)
    fence: int | None = uow.session.scalar(
        update(Lease)
        .where(Lease.name == name, free)
        .values(holder=holder, until=until, fence=Lease.fence + changes_hands.cast(Lease.fence.type))
        .execution_options(synchronize_session=False)
        .returning(Lease.fence)
    )
    if fence is not None:
        return fence
    if uow.session.scalar(select(Lease.name).where(Lease.name == name)) is not None:
        return None
    lease = Lease(name=name, holder=holder, until=until)
    uow.session.add(lease)
    uow.session.flush()
    return lease.fence


def let_go(uow: UnitOfWork, name: str, holder: str) -> None:
    """Let somebody else have the lease at once; nothing when it is not the holder's."""
    uow.session.execute(
        update(Lease)
        .where(Lease.name == name, Lease.holder == holder)
        .values(until=now() - timedelta(seconds=1))
        .execution_options(synchronize_session=False)
    )


def bridge_lease(gateway: str) -> str:
    """The name of the lease by which one bridge has a gateway; it is prolonged while its Asterisk answers."""
    return f"bridge:{gateway}"


def is_over(uow: UnitOfWork, name: str) -> bool:
    """Whether somebody had the lease and nobody has it now."""
    query = select(Lease.name).where(Lease.name == name, Lease.until < now())
    return uow.session.scalar(query) is not None


def holder_name() -> str:
    """A name for this process as a holder: machine, process and chance, so that none comes twice."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(8)}"
