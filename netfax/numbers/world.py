"""Numbers of the other countries, by the numbering plans that `phonenumbers` carries."""

import re

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberFormat, ValidationResult

_NOT_GEOGRAPHIC = "001"
_NO_REGION = "ZZ"
_DEFAULT_INTERNATIONAL_PREFIX = "00"


def region_of(country: str) -> str:
    """The main region ("GB") of a country code ("44"); "" if no country has the code."""
    region = phonenumbers.region_code_for_country_code(int(country))
    return "" if region in (_NO_REGION, _NOT_GEOGRAPHIC) else region


def country_of(identity: str) -> str:
    """The country code that E.164 digits begin with, or "" if none is assigned."""
    if not identity or identity.startswith("0"):
        return ""
    codes = (identity[:length] for length in (1, 2, 3))
    return next((code for code in codes if int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), "")


def read_international(digits: str) -> str | None:
    """The E.164 digits of country code and number, a trunk 0 after the country code dropped; None if impossible."""
    return _possible(_parsed("+" + digits, None))


def read_national(digits: str, region: str, *, valid: bool) -> str | None:
    """The E.164 digits of a number dialled inside `region`; None if it is not possible (with `valid`: not in use)."""
    number = _parsed(digits, region)
    if number is None or (valid and not phonenumbers.is_valid_number(number)):
        return None
    return _possible(number)


def pretty(identity: str) -> str:
    """`+44 20 7946 0123`, in the grouping of its country: digits, spaces and dashes only; needs a possible number."""
    number = phonenumbers.parse("+" + identity, None)
    grouped = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    return "+" + re.sub(r"[^0-9-]+", " ", grouped, flags=re.ASCII).strip()


def trunk_prefix(region: str) -> str:
    """What is dialled before an area code inside the country; "" where nothing is."""
    metadata = PhoneMetadata.metadata_for_region(region)
    return metadata.national_prefix or "" if metadata else ""


def international_prefix(region: str) -> str:
    """What is dialled before a country code, such as 00 or 011."""
    metadata = PhoneMetadata.metadata_for_region(region)
    prefixes = (metadata.preferred_international_prefix, metadata.international_prefix) if metadata else ()
    return next((prefix for prefix in prefixes if prefix and prefix.isdecimal()), _DEFAULT_INTERNATIONAL_PREFIX)


def has_area_codes(identity: str) -> bool:
    """Whether this number has an area code apart from its local part."""
    return phonenumbers.length_of_geographical_area_code(phonenumbers.parse("+" + identity, None)) > 0


def _parsed(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _possible(number: PhoneNumber | None) -> str | None:
    if number is None or phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    # Nonsense such as +27 0000000 loses another zero each time it is read: it is nobody's identity.
    return written.removeprefix("+") if _parsed(written, None) == number else None
