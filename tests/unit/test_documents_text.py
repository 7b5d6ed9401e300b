"""Plain text: its coding found out, its lines broken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfax.documents.detect import kind_of
from netfax.documents.errors import Refusal
from netfax.documents.kinds import Kind
from netfax.documents.prose import COLUMNS, LINES, pages
from netfax.documents.textcode import decode

LETTER = "关于启用传真系统的通知：\r\n各部门，请于12月1日前完成注册。Tel. 010-64802994\r\n\t“谢谢”——办公室\r\n" * 3


TRADITIONAL = "關於啟用傳真系統的通知：\r\n各部門請於十二月一日前完成註冊。電話 010-64802994\r\n"


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be"])
def test_chinese_text_is_read_in_every_coding(coding: str) -> None:
    assert decode(LETTER.encode(coding)) == LETTER


def test_rare_characters_of_gb18030_are_read() -> None:
    assert decode(("姓名：𠮷野，" + "单位：传真中心，" * 20).encode("gb18030")) is not None


@pytest.mark.parametrize("coding", ["big5", "cp950", "gb18030", "utf-8", "utf-16"])
def test_traditional_characters_are_read_in_every_coding(coding: str) -> None:
    assert decode(TRADITIONAL.encode(coding)) == TRADITIONAL


@pytest.mark.parametrize("text", ["请查收", "报价单", "关于启用传真系统的通知", "Tel 5551234 传真"])
def test_a_few_chinese_words_are_enough(text: str) -> None:
    assert decode(text.encode("gb18030")) == text


@pytest.mark.parametrize("text", ["請查收", "報價單", "各位股東：茲定於本月十五日召開會議"])
def test_a_few_words_of_big5_are_enough(text: str) -> None:
    assert decode(text.encode("cp950")) == text


def test_western_letters_of_old_programs_are_read() -> None:
    for text in ("Größe, naïve café – 5 €", "Señor Muñoz, año nuevo"):
        assert decode(text.encode("cp1252")) == text


def test_other_languages_are_read_as_utf8() -> None:
    for text in ("Größe, naïve café – 5 €", "Привет, факс", "ファクス送信", "팩스", "☎ 📠 fax"):
        assert decode(text.encode()) == text


@pytest.mark.parametrize("data", [b"text\0with\0nuls", b"\x7fELF\x02\x01\x01" + b"\0" * 9, b"\x80\x81\xff\xfe\xfd" * 9])
def test_bytes_that_are_no_text_are_not_taken_for_it(data: bytes) -> None:
    assert decode(data) is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "document_empty"),
        (b" \r\n", "document_empty"),
        (b"%!PS-Adobe-3.0\nshowpage", "document_postscript"),
        (b"\xc5\xd0\xd3\xc6\x20\0\0\0", "document_postscript"),
        (b"\x1b%-12345X@PJL", "document_postscript"),
        (b"<?xml version='1.0'?><svg/>", "document_kind_unknown"),
        (b"MZ\x90\0\x03\0\0\0", "document_kind_unknown"),
        (b"PK\x05\x06" + b"\0" * 18, "document_archive"),
        (b"PK\x03\x04 and no more", "document_damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "document_damaged"),
    ],
)
def test_what_is_no_document_is_refused_with_its_reason(data: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        kind_of(data)
    assert refusal.value.error.code == code


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"{\\rtf1 hello}", Kind.RTF),
        (b" <!DOCTYPE html><p>", Kind.HTML),
        (b"\xef\xbb\xbf<html>", Kind.HTML),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", Kind.HTML),
        (b"From: a@example.com\r\nSubject: hello\r\n\r\nyes", Kind.MAIL),
        (b"GIF89a", Kind.GIF),
        (b"BM" + b"\0" * 12 + b"\x28\0\0\0", Kind.BMP),
        (b"BMW is a car", Kind.TEXT),
        (b"RIFF\0\0\0\0WEBPVP8 ", Kind.WEBP),
        (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>', Kind.OFFICE_XML),
    ],
)
def test_the_kind_is_told_by_the_first_bytes(data: bytes, kind: Kind) -> None:
    assert kind_of(data) is kind


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


@settings(deadline=None)
@given(st.text(max_size=400))
def test_no_character_is_lost(text: str) -> None:
    kept = "".join(character for sheet in pages(text) for line in sheet for character in line)
    assert "".join(kept.split()) == "".join(text.replace("\x1a", "").split())
