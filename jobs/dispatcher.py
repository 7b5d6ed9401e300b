"""The dispatcher and the periodic sweep: `python -m jobs.dispatcher`."""

import os
import signal
import socket
import threading
import time

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

import netfax.models  # noqa: F401 - relationships between rooms need every model
from netfax.db import reading, unit_of_work
from netfax.faxes.convert import waiting_submissions
from netfax.faxes.dispatch import dispatch
from netfax.log import set_up_log
from netfax.monitor.beating import keep_beating
from netfax.queue import WAKE_DISPATCHER, Job, redis, send_unless_sent

log = structlog.get_logger()

# The longest sleep between two rounds, in seconds.
SLEEP_SECONDS = 1
SWEEP_SECONDS = 10
# A conversion that takes longer than this may be sent twice, which ends with one document all the same.
CONVERT_PATIENCE_SECONDS = 120


def main() -> None:
    """Dispatch and sweep until SIGTERM."""
    set_up_log("dispatcher")
    stop = keep_beating("dispatcher")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    holder = f"{socket.gethostname()}:{os.getpid()}"
    swept_at = time.monotonic()
    while not stop.is_set():
        try:
            with unit_of_work() as uow:
                placed = dispatch(uow, holder)
            if time.monotonic() - swept_at >= SWEEP_SECONDS:
                sweep()
                swept_at = time.monotonic()
        except SQLAlchemyError as error:
            log.warning("dispatch.failed", error=str(error))
            placed = 0
        if not placed:
            sleep(stop)


def sweep() -> None:
    """Send again what waits in the database and may have been lost with Redis."""
    with reading() as uow:
        waiting = waiting_submissions(uow)
    for submission_uuid in waiting:
        send_unless_sent(Job.CONVERT, submission_uuid, seconds=CONVERT_PATIENCE_SECONDS)


def sleep(stop: threading.Event) -> None:
    """Sleep until woken, 1 s at most; without Redis just 1 s."""
    try:
        if redis().brpop([WAKE_DISPATCHER], timeout=SLEEP_SECONDS):
            redis().delete(WAKE_DISPATCHER)
    except RedisError:
        stop.wait(SLEEP_SECONDS)


if __name__ == "__main__":
    main()
