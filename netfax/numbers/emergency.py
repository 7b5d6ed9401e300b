"""Emergency numbers: found after prefixes are stripped, and never dialled."""

import re

import phonenumbers

from netfax.numbers import china, world
from netfax.numbers.home import Home

# Those of China and of the world's largest plans, refused everywhere and in every country;
# 12110 (police by text), 12119 and 95119 (forest fires), 12395 (rescue at sea).
EMERGENCY = frozenset(("110", "112", "119", "120", "122", "911", "999", "000", "12110", "12119", "12395", "95119"))
# An exchange that is dialled digit by digit connects after these three, whatever follows;
# no Chinese subscriber's local number begins so.
_CHINESE_BEGINNINGS = ("110", "112", "119", "120", "122")
# The digit that many switchboards take for an outside line.
_OUTSIDE_LINE = "9"


def is_emergency_spelling(digits: str, home: Home) -> bool:
    """Whether `digits` (no plus) are an emergency number behind any prefixes: 9110, 00110, 86110, 0736110.

    A local number that looks so (86110) is still reached with its area code (0736 86110).
    """
    abroad, trunk = home.international_prefix, home.trunk_prefix
    prefixes = rf"0*{_OUTSIDE_LINE}?(?:{abroad})?(?:{home.country})?(?:{trunk})?(?:{home.area})?"
    return re.fullmatch(rf"{prefixes}(?:{'|'.join(sorted(EMERGENCY))})", digits) is not None


def is_emergency_identity(identity: str, home: Home) -> bool:
    """Whether these E.164 digits, called from `home` in full or as a local number, reach an emergency service."""
    country = world.country_of(identity)
    national = identity[len(country) :]
    without_trunk = national.lstrip("0")
    if not EMERGENCY.isdisjoint((identity, national, without_trunk)):
        return True
    if country == china.COUNTRY:
        local = without_trunk[len(china.area_of(without_trunk)) :]
        found = china.split(without_trunk)
        if found is not None and found.kind is not china.Kind.AREA:
            return False
        behind_trunk_prefix = local.removeprefix(china.TRUNK_PREFIX)
        return not EMERGENCY.isdisjoint((local, behind_trunk_prefix)) or local.startswith(_CHINESE_BEGINNINGS)
    return _is_emergency_abroad(country, national, home)


def _is_emergency_abroad(country: str, national: str, home: Home) -> bool:
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(country or 0), ())
    if any(phonenumbers.is_emergency_number(national, region) for region in regions):
        return True
    if country != home.country or not home.area or not national.startswith(home.area):
        return False
    local = national[len(home.area) :]
    return local in EMERGENCY or phonenumbers.connects_to_emergency_number(local, home.region)
