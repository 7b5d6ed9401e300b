"""Where somebody telephones from: it decides what a local number is."""

from dataclasses import dataclass

from netfax.numbers import china, world
from netfax.numbers.clean import clean_base
from netfax.numbers.errors import NotAHome, shown


@dataclass(frozen=True)
class Home:
    """A country code ("86") and an area code without trunk prefix ("736"; "" for none), both digits.

    Raises ValueError for anything else; what people typed is read by `read_home`.
    """

    country: str = china.COUNTRY
    area: str = ""

    def __post_init__(self) -> None:
        if not _is_country(self.country) or not _is_area(self.area, self.country):
            raise ValueError(f"not a home: {self.country!r} {self.area!r}")

    @property
    def is_china(self) -> bool:
        """Whether the Chinese numbering plan holds here."""
        return self.country == china.COUNTRY

    @property
    def region(self) -> str:
        """The region that `phonenumbers` knows the country by."""
        return world.region_of(self.country)

    @property
    def trunk_prefix(self) -> str:
        """What is dialled before an area code."""
        return china.TRUNK_PREFIX if self.is_china else world.trunk_prefix(self.region)

    @property
    def international_prefix(self) -> str:
        """What is dialled before a country code."""
        return china.INTERNATIONAL_PREFIX if self.is_china else world.international_prefix(self.region)


def read_home(country: str, area: str) -> Home:
    """A home from typed codes: "+86", "0086" or "86" and "0736" or "736"; an empty country is 86; raises NotAHome."""
    country_digits = clean_base(country).removeprefix("+").removeprefix(china.INTERNATIONAL_PREFIX) or china.COUNTRY
    area_digits = clean_base(area)
    if _is_country(country_digits):
        area_digits = area_digits.removeprefix(Home(country_digits).trunk_prefix)
        if _is_area(area_digits, country_digits):
            return Home(country_digits, area_digits)
    raise NotAHome(country=shown(country), area=shown(area))


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _is_country(country: str) -> bool:
    return _is_digits(country) and len(country) <= 3 and not country.startswith("0") and bool(world.region_of(country))


def _is_area(area: str, country: str) -> bool:
    if not area or country == china.COUNTRY:
        return not area or area in china.AREAS
    return _is_digits(area) and len(area) <= 6
