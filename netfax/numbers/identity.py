"""From cleaned digits to the one identity of a subscriber, seen from a home."""

from collections.abc import Mapping
from dataclasses import dataclass

from netfax.numbers import china, world
from netfax.numbers.emergency import is_emergency_identity, is_emergency_spelling
from netfax.numbers.errors import (
    AreaCodeNeeded,
    EmergencyNumber,
    IncompleteNumber,
    NotAFaxNumber,
    UnknownCode,
)
from netfax.numbers.home import Home

# ITU-T E.164 6.2.1: country code and national number together.
LONGEST_IDENTITY = 15


@dataclass(frozen=True)
class _Reading:
    """One reading of one number: where from, and the values of its errors."""

    home: Home
    values: Mapping[str, str]

    def identity(self, base: str) -> str:
        """The identity of `+`-and-digits."""
        digits = base.removeprefix("+")
        if is_emergency_spelling(digits, self.home):
            raise EmergencyNumber(**self.values)
        if base.startswith("+"):
            return self._international(digits)
        if digits.startswith(self.home.international_prefix):
            return self._international(digits.removeprefix(self.home.international_prefix))
        return self._inside_china(digits) if self.home.is_china else self._inside_country(digits)

    def _international(self, digits: str) -> str:
        if not world.country_of(digits):
            raise UnknownCode(**self.values)
        if digits.startswith(china.COUNTRY):
            return self._after_chinese_country_code(digits.removeprefix(china.COUNTRY))
        return self._checked(world.read_international(digits), spelled=digits)

    def _after_chinese_country_code(self, digits: str) -> str:
        if is_emergency_identity(china.COUNTRY + digits, self.home):
            raise EmergencyNumber(**self.values)
        found = china.split_after_country_code(digits)
        if found is None and self.home.is_china and china.is_service(digits):
            return self._local(digits)
        return self._chinese(found, digits)

    def _inside_china(self, digits: str) -> str:
        if digits.startswith(china.TRUNK_PREFIX):
            national = digits.removeprefix(china.TRUNK_PREFIX)
            return self._chinese(china.split(national), national)
        if len(digits) <= china.LONGEST_LOCAL:
            return self._local(digits)
        # No area code begins with 86, so longer digits that do are country code and all.
        if digits.startswith(china.COUNTRY):
            return self._after_chinese_country_code(digits.removeprefix(china.COUNTRY))
        found = china.split_without_trunk_prefix(digits)
        return self._checked(china.COUNTRY + found.digits if found else None, spelled=china.COUNTRY + digits)

    def _local(self, digits: str) -> str:
        if not self.home.area:
            raise AreaCodeNeeded(**self.values)
        return self._chinese(china.split(self.home.area + digits), self.home.area + digits)

    def _chinese(self, found: china.National | None, digits: str) -> str:
        """The identity of a number with its area code; if there is none, `digits` tell what is wrong with it."""
        national = digits.lstrip(china.TRUNK_PREFIX)
        spelled = china.COUNTRY + national
        if found is None and not is_emergency_identity(spelled, self.home) and not china.area_of(national):
            raise UnknownCode(**self.values)
        return self._checked(china.COUNTRY + found.digits if found else None, spelled)

    def _inside_country(self, digits: str) -> str:
        """Outside China, in this order: a number in use, one with its country code, a local one, a possible one."""
        home = self.home
        identity = world.read_national(digits, home.region, valid=True)
        if identity is None and digits.startswith(home.country):
            identity = world.read_national("+" + digits, home.region, valid=True)
        if identity is None and home.area:
            identity = world.read_international(home.country + home.area + digits)
        identity = identity or world.read_national(digits, home.region, valid=False)
        return self._checked(identity, spelled=home.country + digits)

    def _checked(self, identity: str | None, spelled: str) -> str:
        """`identity`, unless it is none or nobody's; `spelled` is checked for emergency numbers even if it is none."""
        if is_emergency_identity(identity or spelled, self.home):
            raise EmergencyNumber(**self.values)
        if identity is None:
            raise IncompleteNumber(**self.values)
        if len(identity) > LONGEST_IDENTITY:
            raise NotAFaxNumber(**self.values)
        return identity


def identity_of(base: str, home: Home, values: Mapping[str, str]) -> str:
    """The canonical E.164 digits, without plus, of `base` (`+`? and 3–15 digits) as dialled in `home`.

    Raises a NotAFaxNumber, whose sentence is filled from `values` (`text`, `mark`).
    """
    return _Reading(home, values).identity(base)


def reads_as(base: str, identity: str, home: Home) -> bool:
    """Whether `base`, dialled in `home`, is the subscriber `identity`."""
    try:
        return identity_of(base, home, {"text": base, "mark": ""}) == identity
    except NotAFaxNumber:
        return False
