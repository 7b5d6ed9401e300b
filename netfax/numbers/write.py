"""Numbers for the line, for people and for the other fax machine; each reads as the same subscriber again."""

from dataclasses import dataclass
from enum import StrEnum

from netfax.numbers import china, world
from netfax.numbers.clean import MAX_EXTENSION, clean_base
from netfax.numbers.emergency import is_emergency_identity
from netfax.numbers.errors import EmergencyNumber, IncompleteNumber, shown
from netfax.numbers.home import Home
from netfax.numbers.identity import LONGEST_IDENTITY, reads_as

STATION_ID_LENGTH = 20  # T.30 5.3.6.2.4


@dataclass(frozen=True)
class FaxNumber:
    """A subscriber, and the extension dialled after the answer.

    `identity`: E.164 digits without plus, one for all spellings. `extension`: "" or up to 20 of the digits, `*`, `#`
    and `,`. Raises ValueError for other characters, so that nothing else reaches a line.
    """

    identity: str
    extension: str = ""

    def __post_init__(self) -> None:
        dialled = self.identity.isascii() and self.identity.isdecimal() and 3 <= len(self.identity) <= LONGEST_IDENTITY
        if not dialled or len(self.extension) > MAX_EXTENSION or not set(self.extension) <= set("0123456789*#,"):
            raise ValueError(f"not a fax number: {self.identity!r} {self.extension!r}")


class Reach(StrEnum):
    """How far a call goes: decides rights, price and route."""

    LOCAL = "local"
    DOMESTIC = "domestic"
    INTERNATIONAL = "international"


def reach(number: FaxNumber, home: Home) -> Reach:
    """How far `number` is from `home`.

    A Chinese mobile has no area and counts as domestic; 400 and 800 are local everywhere. In a country without area
    codes every number is local. Countries that share a code (1, 7, 44) count as one.
    """
    if world.country_of(number.identity) != home.country:
        return Reach.INTERNATIONAL
    national = number.identity.removeprefix(home.country)
    local = _is_local_in_china(national, home) if home.is_china else _is_local(number.identity, national, home)
    return Reach.LOCAL if local else Reach.DOMESTIC


def dial_string(number: FaxNumber, home: Home) -> str:
    """The digits to dial for the base on a trunk in `home`: 7721919, 07317754002, 13812345678, 00442079460123.

    Raises EmergencyNumber, or IncompleteNumber if the identity is no number that can be dialled from there.
    """
    values = {"text": shown(number.identity), "mark": ""}
    if is_emergency_identity(number.identity, home):
        raise EmergencyNumber(**values)
    for digits in _ways_to_dial(number.identity, home):
        # A short or odd local number may read as something else alone: then it is dialled with its area code.
        if reads_as(digits, number.identity, home):
            return digits
    raise IncompleteNumber(**values)


def display(identity: str, home: Home) -> str:
    """An identity for people in `home`: 7721919, 0731-7754002, +44 20 7946 0123; what is no identity, unchanged."""
    if not _is_identity(identity):
        return identity
    spellings = _ways_to_show(identity, home)
    again = (spelling for spelling in spellings if reads_as(clean_base(spelling), identity, home))
    # What cannot be dialled from here (a short number of another country) is still shown with its country code.
    return next(again, spellings[-1] if spellings else identity)


def station_id(identity: str) -> str:
    """An identity as TSI or CSI: `+86 736 7721919`; digits, plus and spaces only, at most 20 (T.30 5.3.6.2.4)."""
    digits = "".join(character for character in identity if character.isascii() and character.isdecimal())
    country = world.country_of(digits)
    if country == china.COUNTRY:
        found = china.split(digits.removeprefix(country))
        parts = [country, found.area, found.local] if found else [country, digits.removeprefix(country)]
    else:
        parts = [country, digits.removeprefix(country)]
    spelled = "+" + " ".join(part for part in parts if part)
    full = bool(country) and country != digits and len(digits) <= LONGEST_IDENTITY
    return spelled if full else digits[:STATION_ID_LENGTH]


def _is_identity(identity: str) -> bool:
    return identity.isascii() and identity.isdecimal() and 3 <= len(identity) <= LONGEST_IDENTITY


def _is_local_in_china(national: str, home: Home) -> bool:
    found = china.split(national)
    if found is None or found.kind is china.Kind.MOBILE:
        return False
    return found.kind is china.Kind.FREEPHONE or found.area == home.area


def _is_local(identity: str, national: str, home: Home) -> bool:
    return national.startswith(home.area) if home.area else not world.has_area_codes(identity)


def _ways_to_dial(identity: str, home: Home) -> list[str]:
    """The spellings an exchange in `home` might know, shortest first."""
    ways = [home.international_prefix + identity]
    if world.country_of(identity) != home.country:
        return ways
    national = identity.removeprefix(home.country)
    ways.insert(0, home.trunk_prefix + national)
    if home.is_china:
        found = china.split(national)
        if found is not None and found.area in ("", home.area):
            ways.insert(0, found.local)
    elif home.area and national.startswith(home.area):
        ways.insert(0, national.removeprefix(home.area))
    return ways


def _ways_to_show(identity: str, home: Home) -> list[str]:
    """The spellings that people in `home` write, the best first."""
    country = world.country_of(identity)
    if country == china.COUNTRY:
        return _ways_to_show_chinese(identity, home)
    if not country or world.read_international(identity) != identity:
        return []
    local = _ways_to_dial(identity, home)[0]
    at_home = country == home.country and bool(home.area) and not local.startswith(home.trunk_prefix or "+")
    return [local, world.pretty(identity)] if at_home else [world.pretty(identity)]


def _ways_to_show_chinese(identity: str, home: Home) -> list[str]:
    found = china.split(identity.removeprefix(china.COUNTRY))
    if found is None:
        return []
    if not home.is_china:
        return [" ".join(part for part in (f"+{china.COUNTRY}", found.area, found.local) if part)]
    if found.kind is china.Kind.FREEPHONE:
        return [f"{found.local[:3]}-{found.local[3:6]}-{found.local[6:]}"]
    if found.area not in ("", home.area):
        return [f"{china.TRUNK_PREFIX}{found.area}-{found.local}"]
    area_form = [f"{china.TRUNK_PREFIX}{found.area}-{found.local}"] if found.area else []
    return [found.local, *area_form]
