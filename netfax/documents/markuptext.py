"""The text of HTML and of words: which coding they are written in, whatever they declare. Only in the worker.

What programs declare is often wrong, and more often nothing; so what is declared counts no more than what can be read.
"""

import base64
import codecs
import math
import quopri
import re
from collections.abc import Sequence
from functools import partial

from netfax.documents import textcode

DECLARED_WITHIN = 8 * 1024
COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
DECLARED = (
    re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE),
    re.compile(rb"""<meta\s[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE),
)
BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# What programs declare that know no other, and what nearly all bytes can be read by: it is worth no more than a guess.
WESTERN = "cp1252"
# How names of codings are meant: what has these letters on it is written in the larger set, as browsers read it.
MEANT = {
    **dict.fromkeys(("gb2312", "gb-2312-80", "csgb2312", "gbk", "x-gbk", "cp936", "euc-cn", "gb18030"), ("gb18030",)),
    **dict.fromkeys(("big5", "x-x-big5", "cn-big5", "big5-hkscs", "big5hkscs", "cp950"), ("cp950", "big5hkscs")),
    **dict.fromkeys(
        ("iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii", "ansi-x3.4-1968", "windows-1252"), (WESTERN,)
    ),
    **dict.fromkeys(("unicode", "utf-16", "utf-16le", "utf-16be", "utf8"), ("utf-8",)),
    **dict.fromkeys(("shift-jis", "x-sjis", "sjis"), ("cp932",)),
    **dict.fromkeys(("euc-kr", "ks-c-5601-1987"), ("cp949",)),
}
GUESSES = ("utf-8", "utf-16-le", "utf-16-be", "gb18030", "cp950", "big5hkscs", WESTERN)
# Neither `<` nor `>` is ever a part of a Chinese character, in any coding.
MARKUP = re.compile(rb"<(style|script)\b.*?</\1|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
ENCODED_WORD = re.compile(r"=\?([^?*\s]+)(?:\*[^?]*)?\?([bq])\?([^?]*)\?=", re.IGNORECASE)
BETWEEN_WORDS = re.compile(r"(?<=\?=)\s+(?==\?)")


def text_of(data: bytes, declared: str | None = None) -> str:
    """The text of HTML or of plain words: by the byte order mark, `declared` or what the document declares, or a guess.

    What is declared counts when the text can be read by it and not just anything could; bytes that fit no coding become
    U+FFFD.
    """
    for mark, coding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(coding, "replace")
    names = [declared] if declared else []
    head = COMMENT.sub(b"", data[:DECLARED_WITHIN])
    names += [found[1].decode("ascii") for found in (pattern.search(head) for pattern in DECLARED) if found]
    codings = [coding for name in names for coding in _meant(name)]
    for coding in codings:
        text = _decoded(data, coding) if coding != WESTERN else None
        if text is not None:
            return text
    guess = _guess(data)
    if guess is None:
        # A character that was cut in half is a reason to lose that character only.
        guess = min([*codings, "utf-8", "gb18030"], key=partial(_unreadable, data))
    return data.decode(guess, "replace")


def decoded_words(value: str) -> str:
    """A field of a mail as people read it: its encoded words (RFC 2047) decoded, on one line."""
    value = BETWEEN_WORDS.sub("", value)
    pieces: list[tuple[str | None, bytes]] = []
    end = 0
    for word in ENCODED_WORD.finditer(value):
        if word.start() > end:
            pieces.append((None, value[end : word.start()].encode("utf-8", "replace")))
        coding, content = word[1].lower(), _encoded(word[2], word[3])
        if pieces and pieces[-1][0] == coding:
            # Programs cut words where they like, in the middle of a character too.
            content = pieces.pop()[1] + content
        pieces.append((coding, content))
        end = word.end()
    pieces.append((None, value[end:].encode("utf-8", "replace")))
    return " ".join("".join(text_of(content, coding or "utf-8") for coding, content in pieces).split())


def _encoded(how: str, text: str) -> bytes:
    if how.lower() == "q":
        return quopri.decodestring(text.encode("utf-8", "replace"), header=True)
    digits = re.sub(r"[^A-Za-z0-9+/]", "", text)
    return base64.b64decode(digits[: len(digits) - (len(digits) % 4 == 1)] + "==")


def _meant(name: str) -> Sequence[str]:
    plain = name.strip().lower().replace("_", "-")
    return MEANT.get(plain, (plain,))


def _decoded(data: bytes, coding: str) -> str | None:
    try:
        return data.decode(coding)
    except (LookupError, ValueError):
        return None


def _guess(data: bytes) -> str | None:
    """The coding in which the words between the markup are words."""
    words = MARKUP.sub(b" ", data) if b"\0" not in data[:2] else data
    text = textcode.decode(words)
    return next((coding for coding in GUESSES if text is not None and _decoded(words, coding) == text), None)


def _unreadable(data: bytes, coding: str) -> float:
    try:
        return data.decode(coding, "replace").count("\ufffd")
    except (LookupError, ValueError):
        return math.inf
