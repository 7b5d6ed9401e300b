"""Telephone numbers: one identity for all spellings of a subscriber, how far it is, what is dialled, what is shown."""

from netfax.numbers.clean import DEFAULT_MARK
from netfax.numbers.errors import (
    AreaCodeNeeded,
    EmergencyNumber,
    IncompleteNumber,
    NotAFaxNumber,
    NotAHome,
    NotAMark,
    NotAnExtension,
    UnknownCode,
)
from netfax.numbers.home import Home, read_home
from netfax.numbers.read import (
    FaxNumber,
    Reach,
    dial_string,
    display,
    from_network,
    reach,
    read_mark,
    read_number,
    read_numbers,
    station_id,
)

__all__ = [
    "DEFAULT_MARK",
    "AreaCodeNeeded",
    "EmergencyNumber",
    "FaxNumber",
    "Home",
    "IncompleteNumber",
    "NotAFaxNumber",
    "NotAHome",
    "NotAMark",
    "NotAnExtension",
    "Reach",
    "UnknownCode",
    "dial_string",
    "display",
    "from_network",
    "reach",
    "read_home",
    "read_mark",
    "read_number",
    "read_numbers",
    "station_id",
]
