"""Services tell that they live; others read it."""

from datetime import datetime

from sqlalchemy import select

from netfax.db import UnitOfWork, now
from netfax.monitor.models import ServiceBeat

# A service says so this often, and counts as stopped when it has not for `STALE_SECONDS` (R7.1: within 15 s).
BEAT_SECONDS = 5
STALE_SECONDS = 12


def beat(uow: UnitOfWork, name: str, started_at: datetime, *, healthy: bool = True, detail: str = "") -> None:
    """A service lives; `healthy` is False when it does but can't do its work now."""
    uow.session.merge(
        ServiceBeat(name=name, started_at=started_at, updated_at=now(), healthy=healthy, detail=detail[:256])
    )


def beats(uow: UnitOfWork) -> dict[str, ServiceBeat]:
    """The last sign of life of each service, by name."""
    return {each.name: each for each in uow.session.scalars(select(ServiceBeat))}
