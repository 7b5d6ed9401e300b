"""The queue's names, and how a job is sent. Redis is a hint: losing a job costs one sweep, never a fax."""

from enum import Enum
from functools import cache
from itertools import takewhile
from typing import NamedTuple

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from netfax.settings import settings

log = structlog.get_logger()

REDIS_TIMEOUT_SECONDS = 3
JOB_TIMEOUT_SECONDS = 600
# The dispatcher and the reader of pages sleep on these lists; a word on one wakes it.
WAKE_DISPATCHER = "netfax:wake:dispatcher"
WAKE_READER = "netfax:wake:reader"


class JobName(NamedTuple):
    """A queue and the dotted name of the function that its worker runs; none where a word on the list is all."""

    queue: str
    function: str


class Job(Enum):
    """Every job, each once; adapters meet here by name and never import each other."""

    CONVERT = JobName("outbound", "jobs.outbound.convert")
    # Served by the bridge of the gateway that the job names first.
    PLACE_CALLS = JobName("calls", "ami_bridge.intake.place_calls")
    HANG_UP = JobName("calls", "ami_bridge.intake.hang_up")
    RELOAD_GATEWAY = JobName("calls", "ami_bridge.intake.reload_gateway")
    WAKE_DISPATCHER = JobName(WAKE_DISPATCHER, "")
    WAKE_READER = JobName(WAKE_READER, "")


@cache
def redis() -> Redis:
    """This process's connections to Redis; a server that does not answer is an error after 3 s."""
    return Redis.from_url(
        settings().redis_url, socket_timeout=REDIS_TIMEOUT_SECONDS, socket_connect_timeout=REDIS_TIMEOUT_SECONDS
    )


def calls_queue(gateway: str) -> str:
    """The queue of one gateway's bridge."""
    return f"calls:{gateway}"


def queue(name: str, connection: Redis) -> Queue:
    """An RQ queue with the JSON serializer: nobody who can write to Redis gets code run by a pickle."""
    return Queue(name, connection=connection, serializer=JSONSerializer, default_timeout=JOB_TIMEOUT_SECONDS)


def send_missing(job: Job, wanted: int) -> int:
    """Send a job that has no ids until so many wait in its queue; how many were sent."""
    try:
        waiting = queue(job.value.queue, redis()).count
    except RedisError as error:
        log.warning("queue.unreachable", job=job.name, error=str(error))
        return 0
    return sum(takewhile(bool, (send(job) for _ in range(wanted - waiting))))


def send(job: Job, *ids: str) -> bool:
    """Send a job; False (and a log line) when Redis can't be reached: its row is found by the sweep.

    Jobs of the queue `calls` go to the gateway that `ids[0]` names.
    """
    try:
        if not job.value.function:
            redis().lpush(job.value.queue, "1")
            return True
        name = calls_queue(ids[0]) if job.value.queue == "calls" else job.value.queue
        queue(name, redis()).enqueue(job.value.function, *ids, result_ttl=0, failure_ttl=3600)
    except RedisError as error:
        log.warning("queue.unreachable", job=job.name, ids=ids, error=str(error))
        return False
    return True
