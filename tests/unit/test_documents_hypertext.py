"""HTML on paper: nothing is fetched, nothing is cut, and every coding is read."""

import base64
import gc
import itertools
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from netfax.documents.errors import DocumentError, EmptyFile, PageTooLarge, Refusal, TooHeavy
from netfax.documents.hypertext import is_hypertext, to_pdf
from netfax.documents.markuptext import text_of

A4 = (595, 842)
LETTER = "各部门：关于启用传真系统的通知，请于本月三日前完成注册，谢谢。"
TRADITIONAL = "各部門：關於啟用傳真系統的通知，請於本月三日前完成註冊，謝謝。"
LINES = "".join(f"<p>line{number:03}</p>" for number in range(120))
OTHERS = LINES.replace("line", "next")


def pages(html: str | bytes) -> list[pypdfium2.PdfPage]:
    return list(pypdfium2.PdfDocument(to_pdf(html.encode() if isinstance(html, str) else html)))


def words(page: pypdfium2.PdfPage) -> str:
    text: str = page.get_textpage().get_text_bounded()
    return text


def all_words(html: str | bytes) -> str:
    return "\n".join(map(words, pages(html)))


def sizes(html: str) -> list[tuple[int, int]]:
    return [(round(page.get_width()), round(page.get_height())) for page in pages(html)]


def rightmost(page: pypdfium2.PdfPage) -> float:
    text = page.get_textpage()
    return max(float(text.get_charbox(index)[2]) for index in range(text.count_chars()))


def picture(width: int, height: int, mode: str = "RGB", form: str = "PNG") -> str:
    file = BytesIO()
    Image.new(mode, (width, height)).save(file, form)
    return f"data:image/{form.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def refused(html: str | bytes) -> type[DocumentError]:
    with pytest.raises(Refusal) as caught:
        to_pdf(html.encode() if isinstance(html, str) else html)
    return caught.value.error


# What it is.


@pytest.mark.parametrize(
    "start",
    ["<!DOCTYPE html>", "<!doctype HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'>", "<html>", "<HTML lang=zh>",
     "\ufeff\r\n <!-- saved from url=(0014)about:internet -->\r\n<html>", "<table border=1>", "<meta charset=gbk>",
     "<style>p{}</style>", "<DIV class=x>", "<p>", "<head>", "<body bgcolor=white>", "<center>", "<h1>",
     '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">',
     '<?xml version="1.0"?><!-- x --><html xmlns="http://www.w3.org/1999/xhtml">',
     '<html xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:x="urn:schemas-microsoft-com:office:excel">'],
)  # fmt: skip
@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_html_is_known_by_its_content(start: str, coding: str) -> None:
    assert is_hypertext((start + "<p>words").encode(coding))


@pytest.mark.parametrize(
    "data",
    [b"", b"plain words", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<?xml version='1.0'?><svg/>",
     b"<?xml version='1.0'?><Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet'>", b"%PDF-1.7\n<html>",
     b"<?xml version='1.0'?><table/>", b"<?mso-application progid='Word.Document'?><w:wordDocument>",
     b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN'>", b"<a@b.example> wrote:", b"a < b and <p> is a tag",
     b"<!-- only a comment", b"<pre-flight check> list", b"<htmlx>", b"\x89PNG\r\n\x1a\n<html>", b"<note>to</note>"],
)  # fmt: skip
def test_what_is_no_html_is_not_taken_for_it(data: bytes) -> None:
    assert not is_hypertext(data)


def test_telling_it_takes_no_long_time() -> None:
    assert not is_hypertext(b"<!---->" * 9000)
    assert not is_hypertext(b"<?x?> " * 9000 + b"<x")


# Its coding.


@pytest.mark.parametrize("name", ["gb2312", "GBK", "gb18030", "utf-8", "UTF-16", "hz-gibberish", "iso-8859-1", None])
@pytest.mark.parametrize("coding", ["utf-8", "gb18030", "utf-16"])
def test_chinese_html_is_read_whatever_it_declares(name: str | None, coding: str) -> None:
    meta = f'<meta http-equiv="Content-Type" content="text/html; charset={name}">' if name else ""
    assert LETTER in text_of(f"<html><head>{meta}</head><body>{LETTER}".encode(coding))


def test_what_is_declared_and_can_be_read_counts() -> None:
    japanese = "<meta charset=shift_jis><p>ファクスの送信"
    assert text_of(japanese.encode("cp932")) == japanese
    assert text_of("caf\xe9 na\xefve".encode("cp1252"), "iso-8859-1") == "caf\xe9 na\xefve"
    assert text_of(b"\xe9", "iso-8859-1") == "\xe9"
    assert text_of("镕".encode("gbk") + LETTER.encode("gbk"), "gb2312") == "镕" + LETTER


@pytest.mark.parametrize(("text", "coding"), [(LETTER, "gb18030"), (TRADITIONAL, "big5"), (TRADITIONAL, "big5hkscs")])
def test_what_is_not_declared_is_guessed_by_the_words_alone(text: str, coding: str) -> None:
    style = "<style>p { color: black; margin: 0 }</style>" * 2000
    assert text in text_of(f"<html><head>{style}</head><body>{text}".encode(coding))


def test_a_character_cut_in_half_costs_no_more_than_itself() -> None:
    whole = f"<meta charset=gb2312><p>{LETTER}"
    assert text_of(whole.encode("gbk") + b"\xb1").startswith(whole)
    assert LETTER[:-1] in text_of(f"<p>{LETTER}".encode()[:-2])


def test_gb18030_and_big5_come_onto_the_page() -> None:
    assert LETTER in all_words(f"<p>{LETTER}".encode("gb18030"))
    assert TRADITIONAL in all_words(f"<p>{TRADITIONAL}".encode("big5"))


def test_xhtml_goes_on_after_elements_that_are_closed_where_they_are_opened() -> None:
    head = "<title/><script src='x.js' />"
    html = f"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><head>{head}</head><body><textarea/>"
    assert "seen" in all_words(f"{html}<div title='a/>b'/><p>seen<br/></p></body></html>")


# Nothing is fetched.


class Counting(BaseHTTPRequestHandler):
    """Counts every request, and answers each with the canary."""

    def __init__(self, seen: list[str], *args: object) -> None:
        self.seen = seen
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"CANARY")

    do_HEAD = do_POST = do_OPTIONS = do_GET


@pytest.fixture
def requests() -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), partial(Counting, seen))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


REFERENCES = (
    "<img src='{url}.png' alt=none>", "<img srcset='{url}.png 2x' src='{url}.png'>",
    "<link rel=stylesheet href='{url}.css'>",
    "<style>@import url('{url}.css'); @import '{url}.css';</style>", "<p style='background:url({url}.png)'>x",
    "<style>p::before{{content:url({url}.png)}} li{{list-style-image:url({url}.png)}}</style><p>x<li>y",
    "<style>@font-face{{font-family:x;src:url({url}.ttf)}} p{{font-family:x}}</style><p>x",
    "<object data='{url}.svg' type='image/svg+xml'></object>", "<embed src='{url}.svg' type='image/svg+xml'>",
    "<iframe src='{url}.html'></iframe>", "<link rel=attachment href='{url}.txt'>",
    "<a rel=attachment href='{url}.txt'>x</a>",
    "<svg><image href='{url}.png' width=9 height=9 /><use href='{url}.svg#a' /></svg>",
    "<svg><style>@import '{url}.css'; rect{{fill:url({url}.svg#a)}}</style><rect width=9 height=9 /></svg>",
    "<img src=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><image href='{url}.svg'/></svg>\">",
    "<svg xmlns:xlink='http://www.w3.org/1999/xlink'><image xlink:href='{url}.svg' width=9 height=9 /></svg>",
    "<base href='{url}/'><img src='x.png'><link rel=stylesheet href='x.css'>", "<body background='{url}.png'>x",
    "<style>@color-profile --x{{src:url({url}.icc)}} p{{color:color(--x 0 0 0)}}</style><p>x",
    "<style>@page{{background:url({url}.png); @top-center{{content:url({url}.png)}}}}</style><p>x",
    "<?xml version='1.0'?><!DOCTYPE html [<!ENTITY x SYSTEM '{url}.txt'>]><html><body>&x;</body></html>",
    "<meta http-equiv=refresh content='0;url={url}.html'><script src='{url}.js'></script>",
    "<p style='border-image-source:url({url}.png);mask-image:url({url}.png);cursor:url({url}.cur)'>x",
)  # fmt: skip


def test_nothing_is_fetched_from_the_network_or_the_disk(requests: tuple[str, list[str]], tmp_path: Path) -> None:
    address, seen = requests
    places = [f"{address}/canary", f"//{address[5:]}/canary", "ftp://127.0.0.1/canary", "gopher://127.0.0.1/canary"]
    for ending in ("txt", "css", "html"):
        (tmp_path / f"canary.{ending}").write_text("p::after { content: 'CANARY' }" if ending == "css" else "CANARY")
    drawing = "<svg xmlns='http://www.w3.org/2000/svg' width='99' height='99' id='a'><text y='20'>CANARY</text></svg>"
    (tmp_path / "canary.svg").write_text(drawing)
    (tmp_path / "canary.png").write_text(drawing)
    places += [f"file://{tmp_path}/canary", f"{tmp_path}/canary", f"FILE://localhost{tmp_path}/canary"]
    # All from one place in one document, so that it is quick; what takes a document of its own comes after.
    for place in places:
        everything = "".join(reference.format(url=place) for reference in REFERENCES)
        pdf = to_pdf(f"<p>seen{everything}".encode())
        shown = "".join(words(page) for page in pypdfium2.PdfDocument(pdf))
        assert "seen" in shown
        assert "CANARY" not in shown
        assert b"EmbeddedFile" not in pdf
    for reference in REFERENCES:
        assert "CANARY" not in all_words(f"<p>seen</p>{reference.format(url=places[4])}")
    assert seen == []


def test_files_are_not_put_into_the_pdf() -> None:
    file = "data:text/plain;base64,Q0FOQVJZ"
    html = (
        f"<link rel=attachment href='{file}'><a rel=attachment href='{file}'>x</a><a href='https://example.com/'>y</a>"
    )
    document = pypdfium2.PdfDocument(to_pdf(html.encode()))
    assert document.count_attachments() == 0
    assert not list(document[0].get_objects(filter=[99]))
    assert b"example.com" not in to_pdf(html.encode())


def test_its_own_pictures_and_styles_are_used() -> None:
    html = f"<link rel=stylesheet href='data:text/css,p::after{{content:\"styled\"}}'><p>x<img src='{picture(40, 30)}'>"
    assert "styled" in all_words(html)
    assert len(list(pages(html)[0].get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))) == 1
    file = BytesIO()
    Image.new("RGB", (50, 50)).save(file, "PNG")
    pdf = to_pdf(b"<p>x<img src='cid:a%40b'><img src='cid:none' alt=missing>", {"a@b": file.getvalue()})
    page = pypdfium2.PdfDocument(pdf)[0]
    assert len(list(page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))) == 1
    assert "missing" in words(page)


def test_scripts_are_not_run_and_not_shown() -> None:
    shown = all_words("<script>document.write('CANARY')</script><noscript>without</noscript><p onload=x>seen")
    assert "seen" in shown
    assert "without" in shown
    assert "CANARY" not in shown


# Nothing is cut.


def test_the_paper_is_a4_or_what_the_document_asks_for_within_reason() -> None:
    assert sizes("<p>x") == [A4]
    assert sizes("<style>@page { size: A5 landscape }</style><p>x") == [(595, 420)]
    assert sizes("<style>@page { size: 1000cm 50cm }</style><p>x") == [(1191, 1191)]
    assert sizes("<style>@page { size: 0 0; margin: 0 }</style><p>x") == [(57, 57)]
    two = "<style>@page a { size: A5 } @page b { size: A4 landscape } .a { page: a } .b { page: b }</style>"
    assert sizes(f"{two}<div class=a>x</div><div class=b>y</div>") == [(420, 595), (842, 595)]


def test_margins_are_15_mm() -> None:
    left = pages("<body style='margin:0'><p>x")[0].get_textpage().get_charbox(0)[0]
    assert left == pytest.approx(15 / 25.4 * 72, abs=1)


WIDE = {
    "table": "<table border=1><tr>" + "".join(f"<td>column{number:02}</td>" for number in range(25)) + "</tr></table>",
    "fixed width": "<div style='width:1000px'>" + "some words " * 200 + "column24</div>",
    "long line": "<pre>" + "0123456789" * 25 + "column24</pre>",
    "nowrap": "<p style='white-space:nowrap'>" + "word " * 50 + "column24",
    "scrolling": "<div style='overflow:auto;width:100%'><table><tr>"
    + "".join(f"<td>column{number:02}</td>" for number in range(25)) + "</tr></table></div>",
}  # fmt: skip


@pytest.mark.parametrize("name", WIDE)
def test_what_is_wider_than_the_paper_gets_wider_paper(name: str) -> None:
    (page,) = pages(WIDE[name])
    assert A4[0] < page.get_width() <= 3 * A4[0] + 1
    assert page.get_height() / page.get_width() == pytest.approx(A4[1] / A4[0], rel=0.01)
    assert "column24" in words(page)
    assert rightmost(page) < page.get_width() - 10


def test_lines_too_long_for_any_paper_are_broken() -> None:
    (page,) = pages("<pre>" + "0123456789" * 300 + "END</pre>")
    assert page.get_width() <= 3 * A4[0] + 1
    assert rightmost(page) < page.get_width()
    assert "END" in words(page)
    assert words(page).count("0123456789") > 250


def test_what_is_wider_than_any_paper_still_is_on_it() -> None:
    table = "".join(f"<td>column{number:03}</td>" for number in range(120))
    (page,) = pages(f"<table border=1><tr>{table}</tr></table>")
    assert "column119" in "".join(words(page).split())
    assert rightmost(page) < page.get_width()


def test_what_is_hidden_far_outside_takes_no_paper() -> None:
    assert sizes("<p>seen<div style='position:absolute;left:9999px;border:1px solid'>menu</div>") == [A4]
    assert sizes("<p>seen<div style='overflow:hidden;width:50px'><pre>" + "slide " * 99 + "</pre></div>") == [A4]


def test_a_document_that_fits_stays_as_it_is() -> None:
    assert sizes("<table width=700><tr><td>a<td align=right>b</table><p>" + "words " * 500) == [A4]


@pytest.mark.parametrize(
    ("attributes", "size"), [("", (3000, 1000)), ("", (300, 5000)), ("width=3000 height=3000", (9, 9)), ("", (900, 9))]
)
def test_large_pictures_are_made_to_fit_and_keep_their_proportion(attributes: str, size: tuple[int, int]) -> None:
    found = pages(f"<img src='{picture(*size)}' {attributes}>")
    assert [(round(page.get_width()), round(page.get_height())) for page in found] == [A4]
    (drawn,) = found[0].get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
    left, bottom, right, top = drawn.get_bounds()
    assert 0 <= left < right <= A4[0] and 0 <= bottom < top <= A4[1]
    assert (right - left) / (top - bottom) == pytest.approx(size[0] / size[1], rel=0.02)


LONG = {
    "table cell": f"<table border=1><tr><td>a<td>{LINES}</table>",
    "table header": f"<table><thead><tr><td>{LINES}</thead><tr><td>x</table>",
    "float": f"<div style='float:left'>{LINES}</div>",
    "floating tables": f"<table align=left><tr><td>{LINES}</table><table align=left><tr><td>{OTHERS}</table>",
    "inline block": f"<div style='display:inline-block'>{LINES}</div>",
    "absolute": f"<p>head<div style='position:absolute;top:200px'>{LINES}</div>",
    "fixed": f"<div style='position:fixed;top:0'>{LINES}</div>",
    "places": "".join(f"<p style='position:absolute;top:{30 * number}px'>line{number:03}</p>" for number in range(120)),
    "scrolling": f"<div style='height:100px;overflow:auto'>{LINES}</div><p>after",
    "stubborn": "<style>#a #b{overflow:auto!important;height:9px!important}</style>"
    f"<div id=a><div id=b>{LINES}</div></div>",
    "app": "<style>html,body{height:100%;overflow:hidden}</style><div style='display:flex;height:100vh'><div>side</div>"
    f"<div style='flex:1;overflow:auto'>{LINES}</div></div>",
    "grid": f"<div style='display:grid;grid-template-columns:1fr 1fr'><div>{LINES}</div><div>{OTHERS}</div></div>",
    "unbreakable": f"<div style='break-inside:avoid'>{LINES}</div>",
}


@pytest.mark.parametrize("name", LONG)
def test_what_is_longer_than_a_page_goes_on_on_the_next(name: str) -> None:
    found = pages(LONG[name])
    shown = "".join(map(words, found))
    wanted = [f"line{number:03}" for number in range(120)]
    if "next000" in LONG[name]:
        wanted += [f"next{number:03}" for number in range(120)]
    assert [line for line in wanted if line not in shown] == []
    assert {(round(page.get_width()), round(page.get_height())) for page in found} == {A4}


def test_no_line_is_parted_between_two_pages_and_none_is_on_both() -> None:
    found = pages(f"<div style='display:inline-block;line-height:37px'>{LINES}</div>")
    rows = 0
    for page in found:
        drawn = page.render(scale=2, grayscale=True).to_pil()
        inked = [min(drawn.crop((0, y, drawn.width, y + 1)).tobytes()) < 128 for y in range(drawn.height)]
        assert not any(inked[:60]) and not any(inked[-60:])
        rows += sum(after and not before for before, after in itertools.pairwise(inked))
    # Each line has one row of ink.
    assert len(found) > 3
    assert rows == 120


def test_blank_paper_at_the_end_is_left_out() -> None:
    assert sizes("<p>x<div style='break-before:page'></div><div style='break-before:page'></div>") == [A4]


def test_boxes_in_boxes_that_stand_side_by_side_take_no_longer_for_each() -> None:
    row = "<div style='display:flex'><span>label</span><span>value</span></div>"
    shown = all_words("<div style='display:flex;flex-direction:column'>" * 12 + row + "</div>" * 12)
    assert "labelvalue" in shown.replace(" ", "")


# What can't be drawn.


@pytest.mark.parametrize(
    "html",
    ["", "<html><head><title>x</title></head><body>&nbsp; <br></body></html>", "<script>words()</script>",
     "<!-- words -->", "<p style='display:none'>words", "<p style='visibility:hidden'>words",
     "<img src='http://127.0.0.1:1/x.png'>", "<frameset><frame src=x.html></frameset>"],
)  # fmt: skip
def test_a_document_with_nothing_to_see_is_empty(html: str) -> None:
    assert refused(html) is EmptyFile


@pytest.mark.parametrize(
    "html", ["<hr>", "<table border=1><tr><td width=50 height=50></td></table>", "<input value=x>"]
)
def test_lines_and_fields_are_something_to_see(html: str) -> None:
    assert sizes(html) == [A4]


def test_nesting_has_an_end_with_a_name() -> None:
    assert "deep" in all_words("<div><table><tr><td>" * 100 + "deep")
    assert "deep" in all_words("<blockquote>" * 300 + "deep")
    limit = sys.getrecursionlimit()
    assert refused("<div>" * 10_000 + "x") is TooHeavy
    assert sys.getrecursionlimit() == limit


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    file = BytesIO()
    Image.new("1", (10_000, 10_000)).save(file, "PNG")
    assert refused(f"<img src='data:;base64,{base64.b64encode(file.getvalue()).decode()}'>") is PageTooLarge


@pytest.mark.parametrize(
    ("mode", "form"), [("P", "GIF"), ("RGB", "TIFF"), ("1", "BMP"), ("LA", "PNG"), ("RGB", "WEBP")]
)
def test_pictures_of_all_sorts_are_drawn(mode: str, form: str) -> None:
    (page,) = pages(f"<p>x<img alt=missing src='{picture(60, 60, mode, form)}'>")
    assert "missing" not in words(page)
    assert list(page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))


def test_pictures_that_are_none_are_replaced_by_their_words() -> None:
    whole = picture(200, 200, form="JPEG")
    for url in ("data:image/png;base64,AAAA", "data:,", "data:image/png", picture(9, 9, form="PPM"), "data:;base64,!"):
        assert "missing" in all_words(f"<img alt=missing src='{url}'>")
    assert "x" in all_words(f"<p>x<img src='{whole[: len(whole) * 2 // 3]}'>")


BROKEN = [
    "<p>seen<table><td>a<tr>b</table></p></div></body></html>after", "<p>seen<b><i></b></i><select><table>",
    "<p>seen<a<b<c", "<table><colgroup span=99999999>seen</table>",
    "<p>seen<style>p { color: ; } } @media { @page { size: x } </style>", "<p>seen<svg><foreignObject><p>x</svg>",
    "<style>p{width:1e99px;margin:-1e9em;font-size:1e30px}</style>seen<p>x", "<p>seen<math><mtext></p><p>x",
    "<p style='column-count:0;width:calc(1/0);transform:scale(NaN)'>seen",
    "<p>seen<table><td colspan=1000000 rowspan=1000000>x</table>", "<ol start=99999999999999999999><li>seen</ol>",
    "<p>seen&#0;&#xD800;&#x110000;&#999999999999;", "<p>seen<svg viewBox='0 0 0 0' width=1e99><path d='M0 0L'/></svg>",
    "<p>seen<style>@page{margin:-50cm;size:NaN}@page :nth(0n+0){}</style>", "<p>seen<font size=999 color=#x face=''>x",
    "<p>seen<style>:is(,:not(*){}[a=b{}p:nth-child(2n + of x){}</style>", "<title>x<p>seen</title><p>seen",
    "<plaintext>seen",
]  # fmt: skip


@pytest.mark.parametrize("html", BROKEN)
def test_broken_markup_is_drawn_all_the_same(html: str) -> None:
    assert "seen" in all_words(html)


WORDS = st.sampled_from(
    ["<p>", "</p>", "<table>", "<td>", "<tr>", "</table>", "<div style='", "'>", "float:left;", "position:absolute;",
     "width:100%;", "display:flex;", "<b>", "</b>", "<svg>", "<img src=", "data:image/png;base64,AA==", ">", "<!--",
     "-->", "<style>", "</style>", "@page{", "}", "p{", "color:red;", "break-after:page;", "<select>", "<option>", "&#",
     "<math>", "<template>", "<textarea>", "</textarea>", "<li>", "<a href=#x>", "<hr>", "<br>", "\0", "字", "x", " "]
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(WORDS, max_size=25))
def test_any_markup_gives_a_pdf_or_a_named_error(pieces: list[str]) -> None:
    try:
        assert to_pdf("".join(pieces).encode()).startswith(b"%PDF")
    except Refusal as refusal:
        assert refusal.error in (EmptyFile, TooHeavy)


def test_the_worker_is_left_as_it_was() -> None:
    to_pdf(b"<p>x")
    assert gc.isenabled()
    # What WeasyPrint sets for all of Pillow, and what would let a damaged file through.
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
