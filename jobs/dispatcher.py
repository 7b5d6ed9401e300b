"""The dispatcher and the periodic sweep: `python -m jobs.dispatcher`."""

import signal
import threading
import time

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

import netfax.models  # noqa: F401 - relationships between rooms need every model
from netfax.db import unit_of_work
from netfax.faxes.dispatch import Dispatcher
from netfax.faxes.draw_queue import count_ready
from netfax.faxes.inside import deliver_inside
from netfax.faxes.preview import clear_previews
from netfax.faxes.submit import forget_client_keys
from netfax.faxes.sweep import LostGateways, mend_waits, put_off, take_back_unplaced
from netfax.lease import holder_name
from netfax.log import set_up_log
from netfax.monitor.beating import keep_beating
from netfax.queue import WAKE_DISPATCHER, Job, redis, send_missing

log = structlog.get_logger()

# The longest sleep between two rounds, in seconds.
SLEEP_SECONDS = 1
SWEEP_SECONDS = 10


def main() -> None:
    """Dispatch and sweep until SIGTERM."""
    set_up_log("dispatcher")
    stop = keep_beating("dispatcher")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    dispatcher, lost = Dispatcher(holder_name()), LostGateways()
    swept_at = time.monotonic()
    while not stop.is_set():
        try:
            more = work(dispatcher)
            if time.monotonic() - swept_at >= SWEEP_SECONDS:
                sweep(lost)
                swept_at = time.monotonic()
        except SQLAlchemyError as error:
            log.warning("dispatch.failed", error=str(error))
            dispatcher.forget()
            more = False
        if not more:
            sleep(stop)
    try:
        with unit_of_work() as uow:
            dispatcher.let_go(uow)
    except SQLAlchemyError as error:
        log.warning("dispatch.lease_kept", error=str(error))


def work(dispatcher: Dispatcher) -> bool:
    """One round of the dispatcher and what it found for inside; whether more is due already."""
    with unit_of_work() as uow:
        done = dispatcher.round(uow)
    taken = [_hand_over(delivery_id) for delivery_id in done.inside]
    if not all(taken):
        dispatcher.forget()
    return done.more


def _hand_over(delivery_id: int) -> bool:
    """Deliver inside, or try again a little later; False when the database took neither."""
    try:
        deliver_inside(delivery_id)
    except OSError as error:
        log.error("inside.failed", delivery=delivery_id, error=str(error))
        try:
            with unit_of_work() as uow:
                put_off(uow, delivery_id, why=str(error))
        except SQLAlchemyError:
            return False
    except SQLAlchemyError as error:
        log.error("inside.failed", delivery=delivery_id, error=str(error))
        return False
    return True


def sweep(lost: LostGateways) -> None:
    """Mend what the clock or a lost process has hurt, and send again what may have been lost with Redis."""
    with unit_of_work() as uow:
        mend_waits(uow)
        take_back_unplaced(uow)
        lost.end_calls(uow)
        forget_client_keys(uow)
        ready = count_ready(uow)
    clear_previews()
    send_missing(Job.CONVERT, ready)


def sleep(stop: threading.Event) -> None:
    """Sleep until woken, 1 s at most; without Redis just 1 s."""
    try:
        if redis().brpop([WAKE_DISPATCHER], timeout=SLEEP_SECONDS):
            redis().delete(WAKE_DISPATCHER)
    except RedisError:
        stop.wait(SLEEP_SECONDS)


if __name__ == "__main__":
    main()
