"""The one reader of telephone numbers: what people type and what trunks deliver."""

from netfax.numbers.clean import DEFAULT_MARK, clean_base, read_mark, split_list, take_apart
from netfax.numbers.errors import NotAFaxNumber
from netfax.numbers.home import Home
from netfax.numbers.identity import identity_of
from netfax.numbers.write import FaxNumber, Reach, dial_string, display, reach, station_id

__all__ = [
    "FaxNumber",
    "Reach",
    "count_numbers",
    "dial_string",
    "display",
    "from_network",
    "reach",
    "read_mark",
    "read_number",
    "read_numbers",
    "station_id",
]

# Digits kept of a caller id that is no full number.
LONGEST_CALLER = 32


def read_number(text: str, home: Home, mark: str = DEFAULT_MARK) -> FaxNumber:
    """One number as somebody in `home` typed it, with an extension after `mark`.

    Raises a NotAFaxNumber: NotAnExtension, IncompleteNumber, UnknownCode, AreaCodeNeeded, EmergencyNumber or itself;
    NotAMark if `mark` cannot be one.
    """
    typed = take_apart(text, home.international_prefix, mark)
    return FaxNumber(identity_of(typed.base, home, typed.values), typed.extension)


def read_numbers(text: str, home: Home, mark: str = DEFAULT_MARK) -> list[FaxNumber | NotAFaxNumber]:
    """A list parted by `,` `，` `;` `；` or new lines, in its order; what could not be read is there as its error.

    The comma parts numbers here, so an extension with a pause needs `read_number`. Duplicates are kept.
    """
    return [_number_or_error(part, home, mark) for part in split_list(text)]


def count_numbers(text: str) -> int:
    """How many numbers `read_numbers` would read."""
    return len(split_list(text))


def from_network(caller: str, home: Home) -> str:
    """The identity of a caller id or called number as a trunk in `home` delivers it; "" for an anonymous one.

    Digits that are no full number (a switchboard's extension, a country code without prefix) stay as they are, at
    most 32; never raises.
    """
    number = _number_or_error(caller, home, DEFAULT_MARK)
    if isinstance(number, FaxNumber) and not number.extension:
        return number.identity
    # Callers are recorded as they are, emergency services too; only what people ask to be dialled is refused.
    digits = (character for character in clean_base(caller) if character.isascii() and character.isdecimal())
    return "".join(digits)[:LONGEST_CALLER]


def _number_or_error(text: str, home: Home, mark: str) -> FaxNumber | NotAFaxNumber:
    try:
        return read_number(text, home, mark)
    except NotAFaxNumber as error:
        return error
