"""When a fax goes, what goes before what and how it looks, as people write it."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from netfax.documents.look import Mode, Resolution
from netfax.faxes.errors import NotAMode, NotAPriority, NotAResolution, NotATime
from netfax.faxes.models import Priority

# As it is typed, as <input type="datetime-local"> sends it, and as programs write it, with its offset from UTC.
TYPED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
# Of what was typed, as much as an error repeats.
LONGEST_QUOTE = 40


def read_time(text: str, zone: str) -> datetime:
    """An instant from `2026-12-31 08:30` (or with a T, and with seconds); `NotATime`.

    It is meant in the zone of who wrote it, unless it has an offset of its own.
    """
    typed = text.strip()
    try:
        if not TYPED.fullmatch(typed):
            raise ValueError(typed)
        at = datetime.fromisoformat(typed)
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotATime(text=typed[:LONGEST_QUOTE]) from None


def read_priority(text: str) -> Priority:
    """The priority of that name; `NotAPriority` when there is none."""
    if text not in list(Priority):
        raise NotAPriority(text=text[:LONGEST_QUOTE])
    return Priority(text)


def read_resolution(text: str) -> Resolution:
    """The resolution of that name; `NotAResolution` when there is none."""
    if text not in list(Resolution):
        raise NotAResolution(text=text[:LONGEST_QUOTE])
    return Resolution(text)


def read_mode(text: str) -> Mode:
    """The mode of that name; `NotAMode` when there is none."""
    if text not in list(Mode):
        raise NotAMode(text=text[:LONGEST_QUOTE])
    return Mode(text)
