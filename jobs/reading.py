"""The pages of faxes are turned upright and read in a thread beside the drawing.

What is heavy runs in the documents' sandbox at idle priority: a process of its own would cost memory and do no more.
"""

import threading

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from netfax.db import unit_of_work
from netfax.documents.tesseract import ReaderMissing
from netfax.documents.workshop import DocumentsClosed
from netfax.ocr.look import look_at_next
from netfax.ocr.work import let_go_pages
from netfax.queue import WAKE_READER, redis

log = structlog.get_logger()

# How long a fax waits at most whose word was lost with Redis, in seconds.
SLEEP_SECONDS = 2
# After a fault, which the next page would meet too.
PAUSE_SECONDS = 60


def start_reading(stop: threading.Event) -> threading.Thread:
    """Look at pages until the event, in a thread that ends with the process."""
    thread = threading.Thread(target=serve, args=(stop,), name="reading", daemon=True)
    thread.start()
    return thread


def serve(stop: threading.Event) -> None:
    """Look at what waits, one page at a time, until the event."""
    begun = False
    while not stop.is_set():
        try:
            if not begun:
                with unit_of_work() as uow:
                    let_go_pages(uow)
                begun = True
            if not look_at_next():
                _sleep(stop)
        except (ReaderMissing, DocumentsClosed, OSError, SQLAlchemyError) as fault:
            log.warning("reading.paused", error=str(fault))
            stop.wait(PAUSE_SECONDS)
        except Exception:
            # A defect at one page must end neither the drawing beside it nor what is read after it.
            log.exception("reading.failed")
            stop.wait(PAUSE_SECONDS)


def _sleep(stop: threading.Event) -> None:
    """Sleep until woken, 2 s at most; without Redis just 2 s."""
    try:
        if redis().brpop([WAKE_READER], timeout=SLEEP_SECONDS):
            redis().delete(WAKE_READER)
    except RedisError:
        stop.wait(SLEEP_SECONDS)
