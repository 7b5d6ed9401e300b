"""One at a time: a lease with a fence number, checked inside the transaction that it protects."""

from datetime import datetime, timedelta

from sqlalchemy import String, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from netfax.db import Base, UnitOfWork, now

LEASE_SECONDS = 15


class Lease(Base):
    """Who may do a thing, until when; the fence grows whenever it changes hands."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    fence: Mapped[int] = mapped_column(default=1)
    until: Mapped[datetime]


def hold_lease(uow: UnitOfWork, name: str, holder: str) -> bool:
    """Take or prolong a lease; True when it is ours: its row stays locked till the transaction's end."""
    at = now()
    until = at + timedelta(seconds=LEASE_SECONDS)
    taken = uow.session.execute(
        update(Lease)
        .where(Lease.name == name, or_(Lease.holder == holder, Lease.until < at))
        .values(holder=holder, until=until, fence=Lease.fence + (Lease.holder != holder).cast(Lease.fence.type))
        .execution_options(synchronize_session=False)
        .returning(Lease.name)
    ).first()
    if taken is not None:
        return True
    if uow.session.scalar(select(Lease.name).where(Lease.name == name)) is not None:
        return False
    uow.session.add(Lease(name=name, holder=holder, until=until))
    uow.session.flush()
    return True
