"""One identity for all spellings of a subscriber; what is no number is refused; emergency numbers are never dialled."""

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfax.errors import UserError
from netfax.numbers import (
    AreaCodeNeeded,
    EmergencyNumber,
    FaxNumber,
    Home,
    IncompleteNumber,
    NotAFaxNumber,
    NotAHome,
    NotAMark,
    NotAnExtension,
    Reach,
    UnknownCode,
    dial_string,
    display,
    from_network,
    reach,
    read_home,
    read_mark,
    read_number,
    read_numbers,
    station_id,
)
from netfax.numbers.china import AREAS
from netfax.numbers.clean import MAX_TEXT
from netfax.numbers.errors import shown

CHANGDE = Home("86", "736")
BEIJING = Home("86", "10")
CHANGSHA = Home("86", "731")
NOWHERE = Home()
LONDON = Home("44", "20")
NEW_YORK = Home("1", "212")
HONG_KONG = Home("852")
ROME = Home("39", "06")
MOSCOW = Home("7", "495")
SYDNEY = Home("61", "2")
HOMES = [CHANGDE, BEIJING, CHANGSHA, NOWHERE, LONDON, NEW_YORK, HONG_KONG, ROME, MOSCOW, SYDNEY]

ONE_SUBSCRIBER = [
    "7721919",
    "772 1919",
    "772-1919",
    "772.1919",
    "07367721919",
    "0736 7721919",
    "0736-7721919",
    "0736–7721919",
    "0736—7721919",
    "0736−7721919",
    "0736\u20117721919",
    "0736－7721919",
    "0736·7721919",
    "0736．7721919",
    "(0736) 7721919",
    "(0736)7721919",
    "（0736）7721919",
    "0736\u00a07721919",
    "0736\u20097721919",
    "0736\u202f7721919",
    "0736　7721919",
    "  07367721919 ",
    "０７３６７７２１９１９",
    "０７３６－７７２１９１９",
    "7367721919",
    "736 7721919",
    "867367721919",
    "86 736 7721919",
    "8607367721919",
    "+867367721919",
    "+86 736 7721919",
    "+86-736-7721919",
    "+86 (736) 7721919",
    "+86 (0)736 7721919",
    "(+86) 736 7721919",
    "+86 0736 7721919",
    "＋８６ ７３６ ７７２１９１９",
    "0086 736 7721919",
    "00867367721919",
    "0086-0736-7721919",
    "(0086) 736 7721919",
    "００８６７３６７７２１９１９",
]


@pytest.mark.parametrize("text", ONE_SUBSCRIBER)
def test_every_spelling_of_a_subscriber_has_one_identity(text: str) -> None:
    assert read_number(text, CHANGDE) == FaxNumber("867367721919")


READABLE = [
    # text, home, identity, reach, dialled, shown
    ("7721919", CHANGDE, "867367721919", Reach.LOCAL, "7721919", "7721919"),
    ("07367721919", CHANGSHA, "867367721919", Reach.DOMESTIC, "07367721919", "0736-7721919"),
    ("07367721919", NOWHERE, "867367721919", Reach.DOMESTIC, "07367721919", "0736-7721919"),
    ("07317754002", CHANGDE, "867317754002", Reach.DOMESTIC, "07317754002", "0731-7754002"),
    ("073184802994", CHANGSHA, "8673184802994", Reach.LOCAL, "84802994", "84802994"),
    ("64802994", CHANGDE, "8673664802994", Reach.LOCAL, "64802994", "64802994"),
    ("64802994", BEIJING, "861064802994", Reach.LOCAL, "64802994", "64802994"),
    ("01064802994", CHANGDE, "861064802994", Reach.DOMESTIC, "01064802994", "010-64802994"),
    ("1064802994", CHANGDE, "861064802994", Reach.DOMESTIC, "01064802994", "010-64802994"),
    ("7468454999", CHANGDE, "867468454999", Reach.DOMESTIC, "07468454999", "0746-8454999"),
    ("02082311476", CHANGDE, "862082311476", Reach.DOMESTIC, "02082311476", "020-82311476"),
    ("02038212724", Home("86", "20"), "862038212724", Reach.LOCAL, "38212724", "38212724"),
    ("0086736772191", CHANGDE, "86736772191", Reach.LOCAL, "772191", "772191"),
    ("8000000", CHANGDE, "867368000000", Reach.LOCAL, "8000000", "8000000"),
    ("8876556", CHANGDE, "867368876556", Reach.LOCAL, "8876556", "8876556"),
    ("1234", CHANGDE, "867361234", Reach.LOCAL, "1234", "1234"),
    ("801", CHANGDE, "86736801", Reach.LOCAL, "801", "801"),
    ("0911 2112345", CHANGDE, "869112112345", Reach.DOMESTIC, "09112112345", "0911-2112345"),
    ("9112112345", CHANGDE, "869112112345", Reach.DOMESTIC, "09112112345", "0911-2112345"),
    ("0999 8021234", CHANGDE, "869998021234", Reach.DOMESTIC, "09998021234", "0999-8021234"),
    ("0733 8210000", CHANGDE, "867338210000", Reach.DOMESTIC, "07338210000", "0733-8210000"),
    ("13812345678", CHANGDE, "8613812345678", Reach.DOMESTIC, "13812345678", "13812345678"),
    ("013812345678", CHANGDE, "8613812345678", Reach.DOMESTIC, "13812345678", "13812345678"),
    ("+86 138 1234 5678", CHANGDE, "8613812345678", Reach.DOMESTIC, "13812345678", "13812345678"),
    ("8613812345678", CHANGDE, "8613812345678", Reach.DOMESTIC, "13812345678", "13812345678"),
    ("19912345678", CHANGDE, "8619912345678", Reach.DOMESTIC, "19912345678", "19912345678"),
    ("4008888888", CHANGDE, "864008888888", Reach.LOCAL, "4008888888", "400-888-8888"),
    ("+86 400 888 8888", CHANGDE, "864008888888", Reach.LOCAL, "4008888888", "400-888-8888"),
    ("8008100000", BEIJING, "868008100000", Reach.LOCAL, "8008100000", "800-810-0000"),
    ("10000", CHANGDE, "8673610000", Reach.LOCAL, "10000", "10000"),
    ("073610000", CHANGDE, "8673610000", Reach.LOCAL, "10000", "10000"),
    ("073110000", CHANGDE, "8673110000", Reach.DOMESTIC, "073110000", "0731-10000"),
    ("+86 12345", CHANGDE, "8673612345", Reach.LOCAL, "12345", "12345"),
    ("95588", CHANGDE, "8673695588", Reach.LOCAL, "95588", "95588"),
    ("+86 95588", CHANGDE, "8673695588", Reach.LOCAL, "95588", "95588"),
    ("114", CHANGDE, "86736114", Reach.LOCAL, "114", "114"),
    # A local number that alone would read as an emergency number behind prefixes is dialled with its area code.
    ("0736 86110", CHANGDE, "8673686110", Reach.LOCAL, "073686110", "0736-86110"),
    ("0736 1234567890", CHANGDE, "867361234567890", Reach.LOCAL, "07361234567890", "0736-1234567890"),
    ("+44 20 7946 0123", CHANGDE, "442079460123", Reach.INTERNATIONAL, "00442079460123", "+44 20 7946 0123"),
    ("+44 (0)20 7946 0123", CHANGDE, "442079460123", Reach.INTERNATIONAL, "00442079460123", "+44 20 7946 0123"),
    ("0044 20 7946 0123", CHANGDE, "442079460123", Reach.INTERNATIONAL, "00442079460123", "+44 20 7946 0123"),
    ("+1 (212) 555-0123", CHANGDE, "12125550123", Reach.INTERNATIONAL, "0012125550123", "+1 212-555-0123"),
    ("+39 06 698 12345", CHANGDE, "390669812345", Reach.INTERNATIONAL, "00390669812345", "+39 06 6981 2345"),
    ("+852 2123 4567", CHANGDE, "85221234567", Reach.INTERNATIONAL, "0085221234567", "+852 2123 4567"),
    ("+853 2823 4567", CHANGDE, "85328234567", Reach.INTERNATIONAL, "0085328234567", "+853 2823 4567"),
    ("+886 2 2345 6789", CHANGDE, "886223456789", Reach.INTERNATIONAL, "00886223456789", "+886 2 2345 6789"),
    ("7946 0123", LONDON, "442079460123", Reach.LOCAL, "79460123", "79460123"),
    ("020 7946 0123", LONDON, "442079460123", Reach.LOCAL, "79460123", "79460123"),
    ("0121 234 5678", LONDON, "441212345678", Reach.DOMESTIC, "01212345678", "+44 121 234 5678"),
    ("00 86 736 7721919", LONDON, "867367721919", Reach.INTERNATIONAL, "00867367721919", "+86 736 7721919"),
    ("555-0123", NEW_YORK, "12125550123", Reach.LOCAL, "5550123", "5550123"),
    ("(212) 555-0123", NEW_YORK, "12125550123", Reach.LOCAL, "5550123", "5550123"),
    ("1 415 555 2671", NEW_YORK, "14155552671", Reach.DOMESTIC, "14155552671", "+1 415-555-2671"),
    ("011 86 736 7721919", NEW_YORK, "867367721919", Reach.INTERNATIONAL, "011867367721919", "+86 736 7721919"),
    ("2123 4567", HONG_KONG, "85221234567", Reach.LOCAL, "21234567", "+852 2123 4567"),
]


@pytest.mark.parametrize(("text", "home", "identity", "far", "dialled", "seen"), READABLE)
def test_a_number_is_read_classified_dialled_and_shown(
    text: str, home: Home, identity: str, far: Reach, dialled: str, seen: str
) -> None:
    number = read_number(text, home)
    assert number == FaxNumber(identity)
    assert (reach(number, home), dial_string(number, home), display(identity, home)) == (far, dialled, seen)
    assert read_number(dialled, home) == read_number(seen, home) == number


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("64802994E801", "E", FaxNumber("8673664802994", "801")),
        ("64802994e801", "E", FaxNumber("8673664802994", "801")),
        ("64802994E801", "e", FaxNumber("8673664802994", "801")),
        ("64802994Ｅ８０１", "E", FaxNumber("8673664802994", "801")),
        ("0736-6480 2994 E 801", "E", FaxNumber("8673664802994", "801")),
        ("64802994E,,801#", "E", FaxNumber("8673664802994", ",,801#")),
        ("64802994E，8＊0＃1", "E", FaxNumber("8673664802994", ",8*0#1")),
        ("+44 20 7946 0123E12", "E", FaxNumber("442079460123", "12")),
        ("64802994x801", "X", FaxNumber("8673664802994", "801")),
        ("64802994#801#", "#", FaxNumber("8673664802994", "801#")),
        ("64802994*801", "*", FaxNumber("8673664802994", "801")),
        ("64802994E" + "1" * 20, "E", FaxNumber("8673664802994", "1" * 20)),
        ("64802994E110", "E", FaxNumber("8673664802994", "110")),
    ],
)
def test_an_extension_follows_the_mark(text: str, mark: str, number: FaxNumber) -> None:
    assert read_number(text, CHANGDE, mark) == number


@pytest.mark.parametrize(
    "extension",
    [
        "",
        " ",
        ",",
        ",,,",
        "1" * 21,
        "8E1",
        "8+1",
        "80a",
        "8/1",
        "8@1",
        "8;1",
        "8&1",
        "${X}",
        "8\n1",
        "8\x001",
        "٨",
        "８.1",
    ],
)
def test_an_extension_holds_digits_star_hash_and_pauses_only(extension: str) -> None:
    with pytest.raises(NotAnExtension):
        read_number("64802994E" + extension, CHANGDE)


REFUSED = [
    ("", NotAFaxNumber),
    ("   ", NotAFaxNumber),
    ("12", NotAFaxNumber),
    ("+", NotAFaxNumber),
    ("E801", NotAFaxNumber),
    ("()", NotAFaxNumber),
    ("1234567890123456", NotAFaxNumber),
    ("00861234567890123456", NotAFaxNumber),
    ("7721919+1", NotAFaxNumber),
    ("++867367721919", NotAFaxNumber),
    ("+0086 736 7721919", UnknownCode),
    ("7721919x1", NotAFaxNumber),
    ("tel:7721919", NotAFaxNumber),
    ("7721919@trunk", NotAFaxNumber),
    ("SIP/7721919", NotAFaxNumber),
    ("7721919&7721920", NotAFaxNumber),
    ("7721919,7721920", NotAFaxNumber),
    ("7721919;7721920", NotAFaxNumber),
    ("7721919\t7721920", NotAFaxNumber),
    ("7721919\n", NotAFaxNumber),
    ("7721919\r\nVariable: x", NotAFaxNumber),
    ("7721919\x00", NotAFaxNumber),
    ("${EXTEN}", NotAFaxNumber),
    ("'7721919'", NotAFaxNumber),
    ('"7721919"', NotAFaxNumber),
    ("<script>alert(1)</script>", NotAFaxNumber),
    ("٧٧٢١٩١٩", NotAFaxNumber),
    ("७७२१९१९", NotAFaxNumber),
    ("𝟕𝟕𝟐𝟏𝟗𝟏𝟗", NotAFaxNumber),
    ("⁷⁷²¹⁹¹⁹", NotAFaxNumber),
    ("七七二一九一九", NotAFaxNumber),
    ("\u202a7721919\u202c", NotAFaxNumber),
    ("772\u200b1919", NotAFaxNumber),
    ("7721919*", NotAFaxNumber),
    ("#7721919", NotAFaxNumber),
    ("1" * 101, NotAFaxNumber),
    ("7 " * 200, NotAFaxNumber),
    ("0736 12345678901234", NotAFaxNumber),
    ("7721919 7721920", IncompleteNumber),
    ("123456789", IncompleteNumber),
    ("442079460123", IncompleteNumber),
    ("0736", IncompleteNumber),
    ("073612", IncompleteNumber),
    ("0736 07721919", IncompleteNumber),
    ("+86 7721919", IncompleteNumber),
    ("+86 77219191", IncompleteNumber),
    ("+44 20", IncompleteNumber),
    ("+1 555 0123", IncompleteNumber),
    ("0333 1234567", UnknownCode),
    ("+86 333 1234567", UnknownCode),
    ("+999 123456", UnknownCode),
    ("00 0736 7721919", UnknownCode),
]


@pytest.mark.parametrize(("text", "error"), REFUSED)
def test_what_is_no_number_is_refused_with_its_reason(text: str, error: type[NotAFaxNumber]) -> None:
    with pytest.raises(NotAFaxNumber) as caught:
        read_number(text, CHANGDE)
    assert type(caught.value) is error


def test_a_local_number_needs_a_home_area() -> None:
    for text in ("7721919", "95588", "+86 12345", "801"):
        with pytest.raises(AreaCodeNeeded):
            read_number(text, NOWHERE)


EMERGENCY = ["110", "112", "119", "120", "122", "911", "999", "000"]
EMERGENCY_SPELLINGS = [
    "{}",
    " {} ",
    "({})",
    "0{}",
    "00{}",
    "000{}",
    "+{}",
    "9{}",
    "9-0{}",
    "86{}",
    "+86 {}",
    "+86 0{}",
    "0086{}",
    "0086 0{}",
    "9 0086 {}",
    "736{}",
    "0736{}",
    "0736-0{}",
    "86736{}",
    "+86 736 {}",
    "+86 (0)736 {}",
    "0086 736 {}",
    "0731 {}",
    "+86 731 {}",
    "010{}",
    "+86 10 {}",
    "+1 {}",
    "0044 {}",
    "{}E801",
]


@pytest.mark.parametrize("spelling", EMERGENCY_SPELLINGS)
@pytest.mark.parametrize("number", EMERGENCY)
def test_emergency_numbers_are_refused_in_every_spelling(number: str, spelling: str) -> None:
    with pytest.raises(EmergencyNumber):
        read_number(spelling.format(number), CHANGDE)


def test_an_emergency_number_in_full_width_digits_is_refused() -> None:
    with pytest.raises(EmergencyNumber):
        read_number("１１０", CHANGDE)


@pytest.mark.parametrize("text", ["1101234", "11900", "12012345", "0736 1201234", "+86 736 110123", "12119", "95119"])
def test_what_an_exchange_connects_after_three_digits_is_refused(text: str) -> None:
    with pytest.raises(EmergencyNumber):
        read_number(text, CHANGDE)


@pytest.mark.parametrize(
    ("text", "home"),
    [
        ("911", NEW_YORK),
        ("1911", NEW_YORK),
        ("9-911", NEW_YORK),
        ("9112345", NEW_YORK),
        ("999", LONDON),
        ("0999", LONDON),
    ],
)
def test_emergency_numbers_of_other_countries_are_refused_at_home(text: str, home: Home) -> None:
    with pytest.raises(EmergencyNumber):
        read_number(text, home)


@pytest.mark.parametrize("identity", ["86110", "86736110", "8673111912345", "1911", "44999", "8610120", "110"])
def test_an_emergency_number_is_not_dialled_from_a_stored_identity_either(identity: str) -> None:
    for home in HOMES:
        with pytest.raises(EmergencyNumber):
            dial_string(FaxNumber(identity), home)


def test_a_stored_identity_that_is_no_number_is_not_dialled() -> None:
    with pytest.raises(IncompleteNumber):
        dial_string(FaxNumber("867"), CHANGDE)


@pytest.mark.parametrize(("identity", "extension"), [("", ""), ("12", ""), ("1" * 16, ""), ("+8673", ""), ("٧٧٧٧", "")])
def test_a_fax_number_holds_digits_only(identity: str, extension: str) -> None:
    with pytest.raises(ValueError, match="not a fax number"):
        FaxNumber(identity, extension)


@pytest.mark.parametrize("extension", ["E", "1" * 21, "8/1", "\n"])
def test_an_extension_that_cannot_be_dialled_makes_no_fax_number(extension: str) -> None:
    with pytest.raises(ValueError, match="not a fax number"):
        FaxNumber("867367721919", extension)


def test_a_list_keeps_its_order_its_duplicates_and_its_errors() -> None:
    read = read_numbers("7721919,64802994E801，abc；0731-7754002;110\r\n\n 7721919 \r13812345678,", CHANGDE, "E")
    assert [entry.identity if isinstance(entry, FaxNumber) else type(entry) for entry in read] == [
        "867367721919",
        "8673664802994",
        NotAFaxNumber,
        "867317754002",
        EmergencyNumber,
        "867367721919",
        "8613812345678",
    ]
    assert isinstance(read[2], NotAFaxNumber)
    assert "“abc”" in read[2].text("en")
    assert read_numbers(" ,\n，;", CHANGDE) == []


@pytest.mark.parametrize(
    ("delivered", "home", "identity"),
    [
        ("7721919", CHANGDE, "867367721919"),
        ("07367721919", CHANGDE, "867367721919"),
        ("7367721919", CHANGDE, "867367721919"),
        ("867367721919", CHANGDE, "867367721919"),
        ("+867367721919", CHANGDE, "867367721919"),
        ("00867367721919", CHANGDE, "867367721919"),
        ("13812345678", CHANGDE, "8613812345678"),
        ("013812345678", CHANGDE, "8613812345678"),
        ("00442079460123", CHANGDE, "442079460123"),
        ("442079460123", CHANGDE, "442079460123"),
        ("801", CHANGDE, "86736801"),
        ("", CHANGDE, ""),
        ("anonymous", CHANGDE, ""),
        ("Restricted\r\n", CHANGDE, ""),
        ("110", CHANGDE, "110"),
        ("7", CHANGDE, "7"),
        ("7721919", NOWHERE, "7721919"),
        ("12%0d%0a34", CHANGDE, "120034"),
        ("9" * 400, CHANGDE, "9" * 32),
    ],
)
def test_what_a_trunk_delivers_becomes_an_identity_or_stays_digits(delivered: str, home: Home, identity: str) -> None:
    assert from_network(delivered, home) == identity


@pytest.mark.parametrize(
    ("identity", "sent"),
    [
        ("867367721919", "+86 736 7721919"),
        ("861064802994", "+86 10 64802994"),
        ("8613812345678", "+86 13812345678"),
        ("442079460123", "+44 2079460123"),
        ("867361234567890", "+86 736 1234567890"),
        ("110", "+1 10"),
        ("", ""),
        ("9" * 40, "9" * 20),
        ("86736\r\n<7721919>", "+86 736 7721919"),
    ],
)
def test_a_station_id_is_the_international_number(identity: str, sent: str) -> None:
    assert station_id(identity) == sent


def test_what_is_no_identity_is_shown_unchanged() -> None:
    for text in ("", "110", "7721919", "anonymous", "9" * 32, "<b>", "٧٧٧٧"):
        assert display(text, NOWHERE) == text


def test_a_short_chinese_number_is_shown_abroad_with_its_country_code() -> None:
    assert display("8673610000", LONDON) == "+86 736 10000"


@pytest.mark.parametrize(
    ("country", "area", "home"),
    [
        ("86", "736", CHANGDE),
        ("+86", "0736", CHANGDE),
        ("0086", " 0736 ", CHANGDE),
        ("", "010", BEIJING),
        ("８６", "７３６", CHANGDE),
        ("86", "", NOWHERE),
        ("44", "020", LONDON),
        ("39", "06", ROME),
        ("852", "", HONG_KONG),
    ],
)
def test_a_home_is_read_from_its_codes(country: str, area: str, home: Home) -> None:
    assert read_home(country, area) == home


@pytest.mark.parametrize(
    ("country", "area"),
    [("86", "333"), ("86", "x"), ("999", ""), ("8a", ""), ("44", "1234567"), ("86", "7721919"), ("०", "")],
)
def test_a_home_that_does_not_exist_is_refused(country: str, area: str) -> None:
    with pytest.raises(NotAHome):
        read_home(country, area)
    with pytest.raises(ValueError, match="not a home"):
        Home(country, area)


@pytest.mark.parametrize(("text", "mark"), [("E", "E"), ("e", "E"), ("Ｅ", "E"), ("x", "X"), ("*", "*"), ("#", "#")])
def test_a_mark_is_one_letter_star_or_hash(text: str, mark: str) -> None:
    assert read_mark(text) == mark


@pytest.mark.parametrize("text", ["", "EX", "1", "-", "+", ".", ",", " ", "(", "é", "分", "\u017f", "\u212a", "E\n"])
def test_a_mark_that_numbers_may_hold_is_refused(text: str) -> None:
    with pytest.raises(NotAMark):
        read_mark(text)


def test_area_codes_leave_one_reading() -> None:
    assert all(len(code) == (2 if code[0] in "12" else 3) for code in AREAS)
    assert not any(code.startswith(("86", "400", "800", "0")) for code in AREAS)
    assert len(AREAS) > 330


def test_every_error_quotes_the_input_safely_in_both_languages() -> None:
    text = "77\u202e\r\n\x00{mark}٧<b>\u0301" + "9" * 60
    with pytest.raises(NotAFaxNumber) as caught:
        read_number(text, CHANGDE)
    for language in ("en", "zh"):
        sentence = caught.value.text(language)
        assert shown(text) in sentence
        assert not set(sentence) & set("\u202e\r\n\x00٧\u0301")
        assert len(sentence) < 320
    for error in (NotAFaxNumber, NotAnExtension, IncompleteNumber, UnknownCode, AreaCodeNeeded, EmergencyNumber):
        made = error(text="1", mark="E")
        assert isinstance(made, UserError)
        assert "“1”" in made.text("en")
        assert "“1”" in made.text("zh")


def _hostile_strings() -> list[str]:
    """300 and more: a good number with one bad character, or bad text, at each place."""
    bad = [
        *"@&/|$`!%^~=_?<>[]{}\\\"':\t\n\r\x00\x1b\x7f,;*#",
        "\r\n",
        "${",
        "`id`",
        "$(id)",
        "../",
        "%0d%0a",
        "E+",
        "E/",
    ]
    bad += [
        "\u202e",
        "\u202d",
        "\u2066",
        "\u2069",
        "\u200f",
        "\u200e",
        "\u061c",
        "\u200b",
        "\u200d",
        "\ufeff",
        "\u2028",
        "\u0085",
    ]
    bad += [
        *string.ascii_letters.replace("E", "").replace("e", ""),
        *"０Ａ１Ｂ２Ｃ"[1::2],
        *"٣३๓໓၃𝟛³③㈢三Ⅲ",
        "É",
        "е",
        "Ε",
        "\u0301",
    ]
    good = "07367721919"
    return [text for piece in bad for text in (piece + good, good[:5] + piece + good[5:], good + piece)]


@pytest.mark.parametrize("mark", ["E", "e"])
def test_hostile_strings_are_never_numbers(mark: str) -> None:
    hostile = _hostile_strings()
    assert len(hostile) >= 300
    for text in hostile:
        with pytest.raises(NotAFaxNumber):
            read_number(text, CHANGDE, mark)
        assert from_network(text, CHANGDE).isdecimal()


def test_random_text_gives_a_number_or_a_named_error_and_dials_digits_only() -> None:
    rng = random.Random(736)
    alphabet = "0123456789" * 4 + "+-() .Ee,#*/@&;\n\x00０８６"
    for _ in range(2_000):
        text = "".join(rng.choices(alphabet, k=rng.randint(0, 18)))
        for entry in read_numbers(text, CHANGDE):
            if isinstance(entry, FaxNumber):
                dialled = dial_string(entry, CHANGDE)
                assert dialled.isascii()
                assert dialled.isdecimal()


@given(st.text(max_size=MAX_TEXT + 10), st.sampled_from(HOMES))
@settings(deadline=None)
def test_any_text_at_all_is_read_or_refused_and_a_caller_id_never_raises(text: str, home: Home) -> None:
    assert all(isinstance(entry, FaxNumber | NotAFaxNumber) for entry in read_numbers(text, home))
    caller = from_network(text, home)
    assert set(caller) <= set(string.digits)
    assert set(station_id(caller)) <= set(string.digits + "+ ")
    assert len(station_id(caller)) <= 20
    display(caller, home)


_AREA = st.sampled_from(sorted(AREAS))
_SUBSCRIBER = st.from_regex(r"[2-8][0-9]{6,7}", fullmatch=True)


@st.composite
def _spellings(draw: st.DrawFn) -> tuple[str, str, str, str]:
    """Area, local number, and two spellings of them with separators and widths at random."""
    area, local = draw(_AREA), draw(_SUBSCRIBER)
    if len(area) == 2:
        local = (local + "0")[:8]
    forms = [f"0{area}{local}", f"+86{area}{local}", f"0086{area}{local}", f"86{area}{local}", f"{area}{local}"]
    forms += [f"+860{area}{local}", f"00860{area}{local}", local]
    return area, local, _spelled(draw, draw(st.sampled_from(forms))), _spelled(draw, draw(st.sampled_from(forms)))


def _spelled(draw: st.DrawFn, digits: str) -> str:
    between = draw(st.lists(st.sampled_from(["", "", "", " ", "-", ".", "\u00a0", "–", "(", ")", "　"]), max_size=14))
    parts = [digit + (between[index] if index < len(between) else "") for index, digit in enumerate(digits)]
    text = "".join(parts)
    wide = str.maketrans("0123456789+-", "０１２３４５６７８９＋－")
    return text.translate(wide) if draw(st.booleans()) else text


@given(_spellings())
@settings(max_examples=300, deadline=None)
def test_any_two_spellings_of_a_subscriber_have_one_identity(case: tuple[str, str, str, str]) -> None:
    area, local, one, other = case
    home = Home("86", area)
    # The eight or so numbers of an area that look like an emergency number behind its own codes need the area code.
    number = read_number(f"0{area}{local}", home)
    for text in (one, other):
        try:
            assert read_number(text, home) == number == FaxNumber(f"86{area}{local}")
        except EmergencyNumber:
            assert local.endswith(("110", "112", "119", "120", "122", "911", "999", "000"))
            assert local.startswith(("86", area))


@given(st.from_regex(r"(\+|00|0|)[0-9]{3,15}", fullmatch=True), st.sampled_from(HOMES))
@settings(max_examples=600, deadline=None)
def test_what_is_shown_and_what_is_dialled_read_as_the_same_number_again(text: str, home: Home) -> None:
    for number in read_numbers(text, home):
        if isinstance(number, FaxNumber):
            assert read_number(dial_string(number, home), home) == number
            assert read_number(display(number.identity, home), home) == number
            assert from_network(text, home) == number.identity


@given(_AREA, _SUBSCRIBER, _AREA)
@settings(deadline=None)
def test_the_area_of_the_caller_decides_local_or_domestic(area: str, local: str, home_area: str) -> None:
    home = Home("86", home_area)
    number = read_number(f"0{area}{local}", home)
    assert reach(number, home) is (Reach.LOCAL if area == home_area else Reach.DOMESTIC)
    assert reach(number, LONDON) is Reach.INTERNATIONAL
