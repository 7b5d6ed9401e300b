"""Instants as a user reads and types them: always in his own zone."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask_login import current_user

from netfax.db import now
from netfax.faxes.errors import NotATime

DEFAULT_ZONE = "Asia/Shanghai"
# As <input type="datetime-local"> sends it, and as it is typed where a browser has no such field.
TYPED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,3})?)?", re.ASCII)
# Of what was typed, as much as an error repeats.
LONGEST_QUOTE = 40


def zone() -> str:
    """The user's time zone; before the sign-in the usual one."""
    own: str = current_user.viewer.time_zone if current_user.is_authenticated else DEFAULT_ZONE
    return own


def local_time(at: datetime) -> datetime:
    """An instant in the user's zone."""
    return at.astimezone(ZoneInfo(zone()))


def exact(at: datetime | None) -> str:
    """An instant as lists show it (R5.6): 2007-07-15 12:34:09; empty for none."""
    return "" if at is None else f"{local_time(at):%Y-%m-%d %H:%M:%S}"


def clock(at: datetime) -> str:
    """The time of day of an instant that is near: 12:34:09."""
    return f"{local_time(at):%H:%M:%S}"


def near(at: datetime) -> str:
    """The time of day of an instant of today, with its date on any other day."""
    return clock(at) if local_time(at).date() == local_time(now()).date() else exact(at)


def minute(at: datetime) -> str:
    """A time as somebody planned it: 2026-12-31 08:30."""
    return f"{local_time(at):%Y-%m-%d %H:%M}"


def field_value(at: datetime | None) -> str:
    """An instant as the value of <input type="datetime-local">; empty for none."""
    return "" if at is None else f"{local_time(at):%Y-%m-%dT%H:%M}"


def read_time(text: str) -> datetime:
    """What a user has typed, meant in his own zone, as an instant; `NotATime` when it is none."""
    typed = text.strip()
    try:
        if not TYPED.fullmatch(typed):
            raise ValueError(typed)
        return datetime.fromisoformat(typed).replace(tzinfo=ZoneInfo(zone())).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotATime(text=typed[:LONGEST_QUOTE]) from None
