"""The journal that the dialplan writes: whole lines are read, others are broken, and nothing outside gets in."""

import base64
import unicodedata
from pathlib import Path

import pytest

from netfax import telephony
from netfax.faxes.journal import BrokenJournal, in_path, number, out_path, read_journal
from tests.fakes.asterisk_agi import hostile_values

ENCODED = ("error", "statusstr", "resolution", "station", "called", "caller")
VALUES = {
    "id": "c0ffee00" + "1" * 24,
    "uniqueid": "c0ffee00" + "1" * 24,
    "status": "SUCCESS",
    "error": "",
    "statusstr": "OK",
    "pages": "2",
    "rate": "14400",
    "resolution": "8031x7700",
    "mode": "T38",
    "station": "+86 736 7721001",
    "seconds": "41",
    "epoch": "1795492453",
}
HOSTILE = hostile_values()[:300]


def line(values: dict[str, str], *, end: str = telephony.JOURNAL_END) -> bytes:
    """The line as the dialplan writes it."""
    words = []
    for key, value in values.items():
        raw = value.encode("utf-8", "surrogateescape")
        words.append(f"{key}={base64.b64encode(raw).decode() if key in ENCODED else value}")
    return " ".join([*words, end]).encode() + b"\n"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "out-1"


def test_the_fields_that_come_from_outside_are_the_encoded_ones() -> None:
    fields = telephony.JOURNAL_FIELDS_IN | telephony.JOURNAL_FIELDS_OUT
    assert {key for key, (_, encoded) in fields.items() if encoded} == set(ENCODED)


def test_a_whole_line_gives_every_field(journal: Path) -> None:
    journal.write_bytes(line(VALUES))
    assert read_journal(journal) == VALUES


def test_a_value_that_the_dialplan_did_not_have_is_empty(journal: Path) -> None:
    journal.write_bytes(line(dict.fromkeys(VALUES, "")))
    assert read_journal(journal) == dict.fromkeys(VALUES, "")


def test_the_file_may_lack_its_line_feed_but_not_its_last_word(journal: Path) -> None:
    journal.write_bytes(line(VALUES).rstrip())
    assert read_journal(journal)["pages"] == "2"


@pytest.mark.parametrize("length", range(0, len(line(VALUES).rstrip()), 7))
def test_a_line_that_was_cut_anywhere_is_broken(journal: Path, length: int) -> None:
    journal.write_bytes(line(VALUES)[:length])
    with pytest.raises(BrokenJournal):
        read_journal(journal)


@pytest.mark.parametrize("content", [b"", b"\n", b"   ", b"\0" * 400, b"end-", b"status=SUCCESS END\n"])
def test_a_file_without_its_last_word_is_broken(journal: Path, content: bytes) -> None:
    journal.write_bytes(content)
    with pytest.raises(BrokenJournal):
        read_journal(journal)


@pytest.mark.parametrize("damaged", ["T0s", "T0s=T0s", "!!!!", "T-s_", "T0s==", "\xff\xfe==", "T0\0="])
def test_a_damaged_outside_value_breaks_the_line_and_is_not_guessed(journal: Path, damaged: str) -> None:
    journal.write_bytes(line(VALUES).replace(b"statusstr=T0s=", b"statusstr=" + damaged.encode("latin-1")))
    with pytest.raises(BrokenJournal):
        read_journal(journal)


def test_a_file_that_is_not_there_is_an_os_error(journal: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_journal(journal)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("a\r\nb", "a��b"),
        ("\x1b[2Jx", "�[2Jx"),
        ("\0\0A", "��A"),
        ("\x7f\x80", "��"),
        ("\u202eevil", "�evil"),
        ("  padded \t", "padded �"),
        ("张三 传真", "张三 传真"),
        ("<svg onload=alert()>", "<svg onload=alert()>"),
    ],
)
def test_control_characters_of_a_station_id_are_replaced(journal: Path, sent: str, read: str) -> None:
    journal.write_bytes(line(VALUES | {"station": sent}))
    assert read_journal(journal)["station"] == read


def test_a_value_cannot_write_another_field_or_end_the_line(journal: Path) -> None:
    journal.write_bytes(line(VALUES | {"station": "x status=FAILED pages=0 end\nstatus=FAILED end"}))
    values = read_journal(journal)
    assert (values["status"], values["pages"], set(values)) == ("SUCCESS", "2", set(VALUES))


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_value_passes_base64_without_a_control_character(journal: Path, value: str) -> None:
    journal.write_bytes(line({**VALUES, "station": value, "caller": value, "error": value}))
    values = read_journal(journal)
    for key in ("station", "caller", "error"):
        categories = {unicodedata.category(character) for character in values[key]}
        assert not categories & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert (values["status"], values["pages"], values["epoch"]) == ("SUCCESS", "2", "1795492453")


@pytest.mark.parametrize(
    ("text", "read"), [("2", 2), ("007", 7), ("", 0), ("-1", 0), ("1e3", 0), ("２", 0), ("1 2", 0), ("0x10", 0)]
)
def test_a_number_is_decimal_digits_or_nothing(text: str, read: int) -> None:
    assert number({"pages": text}, "pages") == read


def test_a_field_that_is_missing_is_no_number() -> None:
    assert number({}, "pages") == 0


def test_each_direction_has_its_own_file(tmp_path: Path) -> None:
    assert out_path(tmp_path, "1") == tmp_path / "out-1"
    assert in_path(tmp_path, "1") == tmp_path / "in-1"
