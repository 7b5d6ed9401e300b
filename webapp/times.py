"""Instants as a user reads them: always in his own zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

from flask_login import current_user

from netfax.db import now

DEFAULT_ZONE = "Asia/Shanghai"


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
