"""The characters of a typed number: what is dropped, what stays, where the extension begins."""

import re
from dataclasses import dataclass

from netfax.numbers.errors import NotAFaxNumber, NotAMark, NotAnExtension, shown

DEFAULT_MARK = "E"
# Nobody types more for one number; longer input is refused unread.
MAX_TEXT = 100
MAX_EXTENSION = 20

# Full-width forms of ASCII, as Chinese keyboards write them: U+FF01–U+FF5E.
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
# Dropped between digits: brackets, dots, spaces (tabs are not: they part two cells, so two numbers) and dashes.
_SPACES = " \u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"
_DOTS = ".\u00b7\u2024"
_DROPPED = dict.fromkeys(map(ord, _SPACES + _DASHES + _DOTS + "()"))
_DROPPED_IN_EXTENSION = dict.fromkeys(map(ord, _SPACES + _DASHES))

_BASE = re.compile(r"\+?[0-9]{3,15}", re.ASCII)
_EXTENSION = re.compile(rf"(?=[^0-9*#]*[0-9*#])[0-9*#,]{{1,{MAX_EXTENSION}}}", re.ASCII)
_MARK = re.compile(r"[A-Za-z*#]", re.ASCII)
_LIST = re.compile(r"[,，;；\r\n]")


@dataclass(frozen=True)
class Typed:
    """A number as typed (`text`), in parts: `base` (`+`? and digits) and `extension` ("" or digits `* # ,`)."""

    base: str
    extension: str
    text: str
    mark: str

    @property
    def values(self) -> dict[str, str]:
        """The values of every error about this number."""
        return {"text": shown(self.text), "mark": self.mark}


def read_mark(text: str) -> str:
    """The extension mark, a letter as a capital; raises NotAMark."""
    mark = text.translate(_FULL_WIDTH)
    if not _MARK.fullmatch(mark):
        raise NotAMark(text=shown(text))
    return mark.upper()


def take_apart(text: str, international_prefix: str, mark: str = DEFAULT_MARK) -> Typed:
    """Split at the first mark, then check base and extension apart; raises NotAFaxNumber or NotAnExtension.

    The base has 3 to 15 digits behind `+` or the international prefix, which is no part of the number.
    """
    mark = read_mark(mark)
    values = {"text": shown(text), "mark": mark}
    if len(text) > MAX_TEXT:
        raise NotAFaxNumber(**values)
    # Not str.upper(): it turns letters of other scripts into ASCII ones.
    plain = text.translate(_FULL_WIDTH).replace(mark.lower(), mark)
    base, found, extension = plain.partition(mark)
    base = clean_base(base)
    if not _BASE.fullmatch(base) and not _BASE.fullmatch("+" + base.removeprefix(international_prefix)):
        raise NotAFaxNumber(**values)
    extension = extension.translate(_DROPPED_IN_EXTENSION)
    if found and not _EXTENSION.fullmatch(extension):
        raise NotAnExtension(**values)
    return Typed(base, extension, text, mark)


def clean_base(text: str) -> str:
    """`text` in ASCII without spaces, dashes, dots and brackets; everything else stays, to be refused."""
    return text.translate(_FULL_WIDTH).translate(_DROPPED)


def split_list(text: str) -> list[str]:
    """The numbers of a list parted by `,` `，` `;` `；` or new lines, in their order, without the empty ones."""
    return [part.strip(_SPACES) for part in _LIST.split(text) if part.strip(_SPACES)]
