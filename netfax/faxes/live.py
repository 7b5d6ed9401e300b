"""Live progress of calls that somebody watches, through Redis: a hint that is gone after seconds.

A page or a terminal says which calls it shows (`watch`); the bridge polls Asterisk for those alone (`watched`) and
says what it saw (`publish`); the page reads it (`progress`). Call ids are attempt ids and reception ids.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import cast

import structlog
from redis.exceptions import RedisError

from netfax.queue import redis

log = structlog.get_logger()

WATCHED = "netfax:watched"
LIVE = "netfax:live:"
# A watcher says so at least this often: a terminal on a busy machine takes its time between two looks.
WATCH_SECONDS = 30
# Progress older than this is not shown.
KEEP_SECONDS = 8


@dataclass(frozen=True)
class Progress:
    """Where a call is: T.38 or audio, bits a second, the page on the line (from 1), and Asterisk's word for it."""

    mode: str
    rate: int
    page: int
    state: str


def page_on_the_line(progress: Progress, first_page: int, pages: int) -> int:
    """Which page of the document is on the line; after its last page SpanDSP counts one more, which there is not."""
    return min(first_page - 1 + progress.page, pages)


def pages_received(progress: Progress) -> int:
    """How many pages of an incoming fax are here; whether the next one that SpanDSP counts will come nobody knows."""
    return max(progress.page - 1, 0)


def watch(call_ids: Iterable[str]) -> None:
    """Say that somebody looks at these calls now."""
    until = time.time() + WATCH_SECONDS
    scores = dict.fromkeys(call_ids, until)
    if not scores:
        return
    try:
        redis().zadd(WATCHED, scores)
    except RedisError as error:
        log.warning("live.unreachable", error=str(error))


def watched() -> set[str]:
    """The calls that somebody looks at."""
    try:
        redis().zremrangebyscore(WATCHED, "-inf", time.time())
        members = cast("list[bytes]", redis().zrange(WATCHED, 0, -1))
    except RedisError as error:
        log.warning("live.unreachable", error=str(error))
        return set()
    return {member.decode() for member in members}


def publish(call_id: str, progress: Progress) -> None:
    """Say where a call is."""
    try:
        redis().set(LIVE + call_id, json.dumps(asdict(progress)), ex=KEEP_SECONDS)
    except RedisError as error:
        log.warning("live.unreachable", error=str(error))


def progress(call_ids: Iterable[str]) -> dict[str, Progress]:
    """What is known of these calls; calls without news are left out. Redis gone means no news."""
    wanted = list(call_ids)
    if not wanted:
        return {}
    try:
        values = cast("list[bytes | None]", redis().mget([LIVE + call_id for call_id in wanted]))
    except RedisError as error:
        log.warning("live.unreachable", error=str(error))
        return {}
    return {call_id: Progress(**json.loads(value)) for call_id, value in zip(wanted, values, strict=True) if value}
