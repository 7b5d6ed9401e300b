"""Plain text: its coding found out, its lines broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfax.documents.kinds import Kind, kind_of
from netfax.documents.prose import COLUMNS, LINES, pages
from netfax.documents.textcode import decode

LETTER = "关于启用传真系统的通知：\r\n各部门，请于12月1日前完成注册。Tel. 010-64802994\r\n\t“谢谢”——办公室\r\n" * 3


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be"])
def test_chinese_text_is_read_in_every_coding(coding: str) -> None:
    assert decode(LETTER.encode(coding)) == LETTER


def test_rare_characters_of_gb18030_are_read() -> None:
    assert decode(("姓名：𠮷野，" + "单位：传真中心，" * 20).encode("gb18030")) is not None


def test_other_languages_are_read_as_utf8() -> None:
    for text in ("Größe, naïve café – 5 €", "Привет, факс", "ファクス送信", "팩스", "☎ 📠 fax"):
        assert decode(text.encode()) == text


@pytest.mark.parametrize("data", [b"text\0with\0nuls", b"\x7fELF\x02\x01\x01" + b"\0" * 9, b"\x80\x81\xff\xfe\xfd" * 9])
def test_bytes_that_are_no_text_are_not_taken_for_it(data: bytes) -> None:
    assert decode(data) is None


@pytest.mark.parametrize(
    "data",
    [b"%!PS-Adobe-3.0\nshowpage", b"{\\rtf1 hello}", b"<?xml version='1.0'?><svg/>", b" <!DOCTYPE html><p>", b"<HTML>",
     b"\xef\xbb\xbf<html>", b"\x1b%-12345X@PJL"],
)  # fmt: skip
def test_programs_and_markup_are_not_faxed_as_text(data: bytes) -> None:
    assert kind_of(data) is None


def test_a_pdf_may_begin_late() -> None:
    assert kind_of(b"\r\n\r\n%PDF-1.7 ...") is Kind.PDF


def width(line: str) -> int:
    return sum(2 if "　" <= character <= "￯" else 1 for character in line)


def test_lines_break_between_words_and_between_chinese_characters() -> None:
    ((*lines,),) = pages("The quick brown fox jumps over the lazy dog. " * 5 + "\n" + "传真系统，" * 40)
    assert all(width(line) <= COLUMNS for line in lines)
    assert all(not line.startswith("，") for line in lines)
    assert lines[0].endswith(("The", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog."))


def test_a_word_longer_than_the_line_is_broken_and_not_cut() -> None:
    ((*lines,),) = pages("x" * (COLUMNS * 2 + 5))
    assert [len(line) for line in lines] == [COLUMNS, COLUMNS, 5]


def test_a_form_feed_begins_a_page() -> None:
    assert pages("one\ftwo\f\n") == [["one"], ["two"]]


def test_long_text_flows_on_to_further_pages() -> None:
    assert [len(sheet) for sheet in pages("line\n" * (LINES * 2 + 1))] == [LINES, LINES, 1]


@given(st.text(max_size=400))
def test_no_character_is_lost(text: str) -> None:
    kept = "".join(character for sheet in pages(text) for line in sheet for character in line)
    assert "".join(kept.split()) == "".join(text.replace("\x1a", "").split())
