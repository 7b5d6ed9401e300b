"""A thread that tells the database that this service lives."""

import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from netfax.db import now, unit_of_work
from netfax.monitor.service import BEAT_SECONDS, beat

log = structlog.get_logger()


def _fine() -> tuple[bool, str]:
    return True, ""


def keep_beating(name: str, health: Callable[[], tuple[bool, str]] = _fine) -> threading.Event:
    """Beat every 5 s from now on, until the returned event is set; `health` gives (healthy, detail)."""
    stop = threading.Event()
    started_at = now()

    def beat_on() -> None:
        while not stop.is_set():
            try:
                healthy, detail = health()
                with unit_of_work() as uow:
                    beat(uow, name, started_at, healthy=healthy, detail=detail)
            except SQLAlchemyError as error:
                log.warning("beat.failed", error=str(error))
            stop.wait(BEAT_SECONDS)

    threading.Thread(target=beat_on, name="beat", daemon=True).start()
    return stop
