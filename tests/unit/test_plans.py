"""A time and a priority as people write them."""

import pytest

from netfax.faxes.errors import NotAPriority, NotATime
from netfax.faxes.models import Priority
from netfax.faxes.plans import read_priority, read_time


@pytest.mark.parametrize(
    "text", ["2026-12-31 08:30", "2026-12-31T08:30", " 2026-12-31T08:30:00 ", "2026-12-31T08:30:00.000"]
)
def test_a_time_is_meant_in_the_zone_of_who_wrote_it(text: str) -> None:
    assert read_time(text, "Asia/Shanghai").isoformat() == "2026-12-31T00:30:00+00:00"


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("0001-01-01 00:00", "Asia/Shanghai"),
        ("9999-12-31 23:59", "America/New_York"),
        ("2026-W10-1T08:30:00", "Asia/Shanghai"),
        ("20261231T0830+0800", "Asia/Shanghai"),
        ("2026-12-31", "Asia/Shanghai"),
        ("2026-02-30 08:30", "Asia/Shanghai"),
        ("٢٠٢٦-12-31 08:30", "Asia/Shanghai"),
        ("", "Asia/Shanghai"),
        ("tomorrow" * 100, "Asia/Shanghai"),
    ],
)
def test_what_is_no_time_is_said_and_not_repeated_at_length(text: str, zone: str) -> None:
    with pytest.raises(NotATime) as refused:
        read_time(text, zone)
    assert len(refused.value.text("en")) < 120


@pytest.mark.parametrize("text", ["2026-12-31T02:30:00.123456+02:00", "2026-12-31 00:30Z"])
def test_a_time_with_its_own_offset_is_meant_there(text: str) -> None:
    assert read_time(text, "Asia/Shanghai").replace(microsecond=0).isoformat() == "2026-12-31T00:30:00+00:00"


def test_a_priority_is_one_of_three_words() -> None:
    assert read_priority("high") is Priority.HIGH
    for text in ("High", "", "urgent" * 100):
        with pytest.raises(NotAPriority) as refused:
            read_priority(text)
        assert len(refused.value.text("en")) < 120
