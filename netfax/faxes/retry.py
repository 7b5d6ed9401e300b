"""Whether and when a number is called again: pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from netfax.faxes.results import CAUSES, Again, Cause

# After glare the line is taken; a moment later it is known whether another is free.
GLARE_WAIT = timedelta(seconds=5)


@dataclass(frozen=True)
class RetryPolicy:
    """R8.3's interval and count; the count is of resends after the first call."""

    interval: timedelta
    count: int


def next_try(cause: Cause, tries: int, at: datetime, policy: RetryPolicy) -> datetime | None:
    """When to call again after `tries` counted calls of which the last ended by `cause`; None for never."""
    again = CAUSES[cause].again
    if again is Again.UNCOUNTED:
        return at + GLARE_WAIT
    if again is Again.NO or tries > policy.count:
        return None
    return at + policy.interval
