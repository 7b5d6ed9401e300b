"""The RQ worker of the bridge: a thread of this process, because its jobs only hand over to the loop."""

import threading
import time

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty
from rq.worker import SimpleWorker

from netfax.queue import calls_queue, queue
from netfax.settings import settings

log = structlog.get_logger()

RETRY_SECONDS = 2


class BridgeWorker(SimpleWorker):
    """Runs in a thread: no signal handlers, and timeouts by a timer."""

    death_penalty_class = TimerDeathPenalty

    def _install_signal_handlers(self) -> None:
        """The process has its own."""


def start_worker() -> None:
    """Serve this gateway's queue from now on; without Redis the bridge polls the database all the same."""
    threading.Thread(target=_work_on, name="worker", daemon=True).start()


def _work_on() -> None:
    while True:
        try:
            connection = Redis.from_url(settings().redis_url)
            worker = BridgeWorker(
                [queue(calls_queue(settings().gateway), connection)],
                connection=connection,
                serializer=JSONSerializer,
            )
            worker.work(logging_level="WARNING")
        except (RedisError, OSError) as error:
            log.warning("worker.redis_lost", error=str(error))
        time.sleep(RETRY_SECONDS)
