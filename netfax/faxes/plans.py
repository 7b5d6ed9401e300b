"""A planned time as people write it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from netfax.faxes.errors import NotATime


def read_time(text: str, zone: str) -> datetime:
    """An instant from `2026-12-31 08:30` (or with a T, and with seconds) in the zone of who wrote it; `NotATime`."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise NotATime(text=text[:40]) from None
    if len(text.strip()) < len("2026-12-31 08:30"):
        # A date alone leaves open when.
        raise NotATime(text=text[:40])
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(zone))
    return at.astimezone(UTC)
