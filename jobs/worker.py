"""An RQ worker of one queue: `python -m jobs.worker QUEUE`.

One queue a worker: with several, RQ takes jobs by a pop that loses the one in hand when it crashes. No child for each
job: what is untrusted or heavy runs in the documents' sandbox, which dies with this process, so that nothing of a
killed worker works beside its replacement.
"""

import sys

import structlog
from redis import Redis
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker
from sqlalchemy.exc import SQLAlchemyError

import netfax.models  # noqa: F401 - relationships between rooms need every model
from jobs import outbound  # noqa: F401 - loaded once here, not at the first job
from jobs.reading import start_reading
from netfax.db import unit_of_work
from netfax.documents.workshop import keep_spares
from netfax.faxes.draw_queue import let_go_drawings
from netfax.log import set_up_log
from netfax.monitor.beating import keep_beating
from netfax.queue import Job, queue
from netfax.settings import settings
from netfax.storage.disk import clear_work_folders

log = structlog.get_logger()

# RQ waits for a job 15 s shorter, and for Redis's word on that 10 s longer.
WORKER_TTL_SECONDS = 20


def main(name: str) -> None:
    """Serve until SIGTERM."""
    set_up_log(f"worker-{name}")
    stop = keep_beating(f"worker-{name}")
    clear_work_folders()
    _let_go_drawings()
    if name == Job.CONVERT.value.queue:
        keep_spares()
        start_reading(stop)
    connection = Redis.from_url(settings().redis_url)
    make_worker(name, connection).work(logging_level="WARNING")
    stop.set()


def make_worker(name: str, connection: Redis) -> SimpleWorker:
    """A worker of a queue, which hears within 15 s that its connection is dead, though nobody has told it so."""
    return SimpleWorker(
        [queue(name, connection)], connection=connection, serializer=JSONSerializer, worker_ttl=WORKER_TTL_SECONDS
    )


def _let_go_drawings() -> None:
    try:
        with unit_of_work() as uow:
            let_go_drawings(uow)
    except SQLAlchemyError as error:
        # They are let go by time.
        log.warning("worker.drawings_kept", error=str(error))


if __name__ == "__main__":
    main(sys.argv[1])
