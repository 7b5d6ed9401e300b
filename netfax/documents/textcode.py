"""Plain text in the codings that Chinese offices use, found out by themselves: UTF-8, UTF-16, GB18030."""

import codecs
import unicodedata
from itertools import islice

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
# Controls that text files hold: tab, line and page breaks, and the end mark of old DOS files.
HARMLESS = frozenset("\t\n\r\f\v\x1a\x85")
# How many characters are looked at to tell prose from bytes that happen to decode.
SAMPLE = 20_000
# A wrong guess of the coding turns Chinese text into rare scripts; the right one gives hardly any.
COMMON_SHARE = 0.97


def decode(data: bytes) -> str | None:
    """The text of a file, or None when it is no text in one of these codings."""
    for mark, coding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _prose(data[len(mark) :], coding)
    text = _prose(data, "utf-8")
    if text is not None:
        return text
    # Letters with some NULs between them read as rare Chinese in UTF-16; letters in UTF-16 are half NULs.
    if data.isascii() and data.count(0) * 3 < len(data):
        return None
    for coding in ("utf-16-le", "utf-16-be", "gb18030"):
        text = _prose(data, coding)
        if text is not None and _common_share(text) >= COMMON_SHARE:
            return text
    return None


def _prose(data: bytes, coding: str) -> str | None:
    try:
        text = data.decode(coding)
    except UnicodeDecodeError:
        return None
    return text if all(map(_writable, set(text))) else None


def _writable(character: str) -> bool:
    return character in HARMLESS or unicodedata.category(character) not in ("Cc", "Cn", "Cs")


def _common_share(text: str) -> float:
    """The share of ASCII and of the characters that Chinese text is written in."""
    looked_at = min(len(text), SAMPLE)
    common = sum(
        character < "\x7f"
        or "一" <= character <= "鿿"
        or "　" <= character <= "〿"
        or "＀" <= character <= "￯"
        or "‐" <= character <= "›"
        for character in islice(text, SAMPLE)
    )
    return common / looked_at if looked_at else 0.0
