"""What callers were told when they hung up, where neither disk nor database took it: kept here until one does."""

import threading
from collections.abc import Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from netfax.faxes.recording import record_told

log = structlog.get_logger()

_waiting: dict[str, Mapping[str, str]] = {}
_lock = threading.Lock()


def record_or_keep(reception_id: str, values: Mapping[str, str]) -> None:
    """Record an ended call by what its channel says, now or by `record_kept`."""
    try:
        record_told(reception_id, values)
    except (OSError, SQLAlchemyError) as error:
        log.warning("inbound.kept", reception=reception_id, error=str(error))
        with _lock:
            _waiting[reception_id] = values


def record_kept() -> int:
    """Record what waits, oldest first, until the disk or the database fails again; returns how many."""
    with _lock:
        waiting = list(_waiting.items())
    for done, (reception_id, values) in enumerate(waiting):
        try:
            record_told(reception_id, values)
        except (OSError, SQLAlchemyError) as error:
            log.warning("inbound.kept", reception=reception_id, error=str(error))
            return done
        with _lock:
            del _waiting[reception_id]
    return len(waiting)
