"""The text of pages as it is stored and searched, and the piece of it that shows what was found."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

# Chinese, Japanese and Korean signs and their punctuation, around which nobody writes a blank.
_WIDE = "\u2e80-\u30ff\u3100-\u312f\u31a0-\u31bf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff0f\uff1a-\uff20"
_WIDE_BLANK = re.compile(rf"(?<=[{_WIDE}])\s+|\s+(?=[{_WIDE}])")
MOST_LETTERS, MOST_WORDS = 100, 8
# What stands around a word that was found.
BEFORE, AFTER = 16, 40


@dataclass(frozen=True)
class Piece:
    """A piece of text; `found` when it is one of the words that were searched."""

    text: str
    found: bool


def plain(text: str) -> str:
    """A text in one line and in one form of each letter, without the blanks that Tesseract writes between Chinese."""
    printable = "".join(" " if unicodedata.category(each) in ("Cc", "Cs") else each for each in text)
    return " ".join(unicodedata.normalize("NFKC", _WIDE_BLANK.sub("", printable)).split())


def words(search: str) -> list[str]:
    """What was typed into a search field, by words; each of them must be found."""
    return search[:MOST_LETTERS].replace("\0", " ").split()[:MOST_WORDS]


def pieces(text: str, searched: Sequence[str]) -> list[Piece]:
    """The surroundings of the first of these words in a text, parted where the words begin and end."""
    pattern = re.compile("|".join(re.escape(plain(word)) for word in searched if plain(word)) or "(?!)", re.IGNORECASE)
    first = pattern.search(text)
    if first is None:
        return []
    begin, end = max(0, first.start() - BEFORE), min(len(text), first.end() + AFTER)
    found, at = [Piece("…", False)] if begin else [], begin
    for match in pattern.finditer(text, begin, end):
        found += [Piece(text[at : match.start()], False), Piece(match[0], True)]
        at = match.end()
    found += [Piece(text[at:end], False), Piece("…" if end < len(text) else "", False)]
    return [piece for piece in found if piece.text]
