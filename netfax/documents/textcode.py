"""Plain text in the codings that offices use, found out by themselves: UTF-8, UTF-16, GB18030, Big5, Windows-1252."""

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
# The Chinese codings share their bytes: the right one is that whose characters are the ones that everybody writes.
CHINESE = ("gb18030", "cp950", "big5hkscs")
# Of the characters of any Chinese text at least this part is among the few hundred below, by a wrong coding hardly one.
EVERYDAY_SHARE = 0.15
# Western letters with accents are few among the others.
ACCENTED_SHARE = 0.35
EVERYDAY = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去"
    "法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点"
    "正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加月话合回特代内信表化老给世位次度门任常先海通教东声提"
    "立及比员解水名真论处走义各入几口认条平系气题活更别打四总何电数安少报才结反受目太量再感建务做接必场件计管期市直命指金许统区保至队"
    "形社便空决治司五书非则听却界达光放强难且思设式色路记南住告类求据程北边张该交规万取格共确传清切让导争运址款付票客户价单号收请函"
    "這個們來為國說時會對過發後裡種經麼學現當沒動還進樣無與長機關點業將兩間問應戰頭體見產給話門東聲員論處義幾認條係氣題別總電數報結務"
    "場計許統區隊決書則聽達強難類據邊該規萬確傳讓導爭運價單號收請戶於實開從著裏並萬幣銀貨訂購聯絡辦額"
)


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
    for coding in ("utf-16-le", "utf-16-be"):
        text = _prose(data, coding)
        if text is not None and _common_share(text) >= COMMON_SHARE:
            return text
    return _chinese_or_western(data)


def _chinese_or_western(data: bytes) -> str | None:
    read = [text for coding in CHINESE if (text := _prose(data, coding)) is not None]
    # The first of equals: GB18030.
    chinese = max(read, key=_everyday_share, default=None)
    if chinese is not None and _everyday_share(chinese) >= EVERYDAY_SHARE:
        return chinese
    western = _prose(data, "cp1252")
    if western is not None and sum(character > "\x7f" for character in western) < ACCENTED_SHARE * len(western):
        return western
    return chinese if chinese is not None and _common_share(chinese) >= COMMON_SHARE else None


def _prose(data: bytes, coding: str) -> str | None:
    try:
        text = data.decode(coding)
    except UnicodeDecodeError:
        return None
    return text if all(map(_writable, set(text))) else None


def _writable(character: str) -> bool:
    return character in HARMLESS or unicodedata.category(character) not in ("Cc", "Cn", "Cs")


def _everyday_share(text: str) -> float:
    """Which part of its Chinese characters are everyday ones."""
    chinese = [character for character in islice(text, SAMPLE) if "\u4e00" <= character <= "\u9fff"]
    return sum(character in EVERYDAY for character in chinese) / len(chinese) if chinese else 0.0


def _common_share(text: str) -> float:
    """The share of ASCII and of the characters that Chinese text is written in."""
    looked_at = min(len(text), SAMPLE)
    common = sum(
        character < "\x7f"
        or "\u4e00" <= character <= "\u9fff"
        or "\u3000" <= character <= "\u303f"
        or "\uff00" <= character <= "\uffef"
        or "\u2010" <= character <= "\u203a"
        for character in islice(text, SAMPLE)
    )
    return common / looked_at if looked_at else 0.0
