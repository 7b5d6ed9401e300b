"""Mails as documents: what is faxed and in which order, what is only named, and that no malformed mail gets further."""

import base64
import random
import re
from collections.abc import Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from io import BytesIO
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from netfax.documents import hypertext
from netfax.documents.errors import DocumentError, EmptyFile, EncryptedDocument, Refusal, TooHeavy
from netfax.documents.letter import Part, is_mail, parts

DATE = "Thu, 26 Nov 2026 10:00:00 +0800"
HEAD = f"From: Zhang <zhang@example.cn>\r\nTo: li@example.cn\r\nSubject: Offer\r\nDate: {DATE}\r\n".encode()
LETTER = "您好，请查收附件中的报价单，如有问题请与我联系，谢谢。"


def picture(width: int = 60, height: int = 40, form: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), (200, 0, 0)).save(file, form)
    return file.getvalue()


def written(subject: str = "Offer", body: str | None = "the body", html: str | None = None) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Zhang <zhang@example.cn>"
    mail["To"] = "li@example.cn"
    mail["Subject"] = subject
    mail["Date"] = DATE
    if body is not None:
        mail.set_content(body)
    if html is not None:
        mail.add_alternative(html, subtype="html")
    return mail


def attach(
    mail: EmailMessage, name: str | None, data: bytes = b"%PDF-1.7", kind: str = "application/octet-stream"
) -> None:
    main, sub = kind.split("/")
    mail.add_attachment(data, maintype=main, subtype=sub, filename=name)


def opened(mail: EmailMessage | bytes) -> list[Part]:
    data = mail if isinstance(mail, bytes) else mail.as_bytes(policy=SMTP)
    assert is_mail(data)
    return parts(data)


def names(found: Sequence[Part]) -> list[str]:
    return [part.name for part in found]


def html(mail: EmailMessage | bytes) -> str:
    return opened(mail)[0].data.decode("utf-8")


def printed(data: bytes) -> str:
    """What is to read on its pages."""
    return "\n".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(hypertext.to_pdf(data)))


def refused(mail: EmailMessage | bytes) -> type[DocumentError]:
    with pytest.raises(Refusal) as caught:
        opened(mail)
    return caught.value.error


# What it is.


@pytest.mark.parametrize(
    "data",
    [b"From: a@b\nTo: c@d\n\nhi", b"To: all\nSubject: news\nhi", b"From x@y Thu Nov 26\nFrom: a@b\nDate: x\n\n",
     b"Received: from a\n\tby b\nReturn-Path: <x>\n\n", b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n",
     b"\xef\xbb\xbf\r\nX-Mailer: y\nSubject: x\nmessage-id: <1>\n", b"FROM : a\nSUBJECT:\n\n"],
)  # fmt: skip
def test_a_mail_is_known_by_its_fields(data: bytes) -> None:
    assert is_mail(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"Subject: a letter\n\nDear", b"hello\nFrom: a\nTo: b\n", b" From: a\n To: b\n", b"<html>\nFrom: a\nTo: b",
     b"Name: x\nVersion: 1\nLicense: y\n", b"BEGIN:VCARD\nN:x\nTO:y", b"Subject: a\nSubject: b\n\n",
     b"\0From: a\nTo: b",
     "主题：报价\n收件人：李\n".encode()],
)  # fmt: skip
def test_what_is_no_mail_is_not_taken_for_it(data: bytes) -> None:
    assert not is_mail(data)


# The mail itself.


def test_a_plain_mail_is_one_document_with_a_head() -> None:
    (part,) = opened(written(body="first line\n  <second> & line"))
    shown = printed(part.data)
    for words in (
        "From",
        "Zhang <zhang@example.cn>",
        "To",
        "li@example.cn",
        "Date",
        "2026-11-26 10:00 +0800",
        "Subject",
    ):
        assert words in shown
    assert "  <second> & line" in shown or "<second> & line" in shown
    assert "Cc" not in shown and "Attachments" not in shown and "Not faxed" not in shown
    assert hypertext.is_hypertext(part.data)


def test_the_head_is_chinese_where_the_mail_is() -> None:
    mail = written(subject="报价单", body="x")
    mail["Cc"] = "王五 <wang@example.cn>"
    attach(mail, "报价.pdf")
    attach(mail, "run.exe")
    shown = printed(opened(mail)[0].data)
    for words in (
        "发件人",
        "收件人",
        "抄送",
        "王五",
        "日期",
        "主题",
        "报价单",
        "附件",
        "报价.pdf",
        "未传真的附件：run.exe",
    ):
        assert words in shown
    assert "发件人" in html(written(body=LETTER))


@pytest.mark.parametrize("coding", ["gb2312", "gb18030", "big5", "utf-8"])
@pytest.mark.parametrize("how", ["base64", "quoted-printable", "8bit"])
def test_chinese_mails_are_read_in_every_coding(coding: str, how: str) -> None:
    text = "您好，關於啟用傳真系統的通知，請於本月完成註冊，謝謝。" if coding == "big5" else LETTER
    data = text.encode(coding)
    word = base64.b64encode(text[:8].encode(coding)).decode()
    body = {"base64": base64.encodebytes(data), "8bit": data}.get(how) or re.sub(
        rb"[^a-z]", lambda byte: b"=%02X" % byte[0][0], data
    )
    fields = (
        f"From: =?{coding}?B?{word}?= <a@b>\r\nTo: c@d\r\nSubject: =?{coding}?q?{'=20'}?= =?{coding}?B?{word}?=\r\n"
    )
    kind = f"Content-Type: text/plain; charset={coding}\r\nContent-Transfer-Encoding: {how}\r\n\r\n"
    found = html((fields + kind).encode() + body)
    assert text in found
    assert found.count(text[:8]) >= 3


@pytest.mark.parametrize("declared", ["us-ascii", "utf-8", "iso-8859-1", "x-unknown", "gb2312", "hex", "utf-16"])
def test_a_coding_that_lies_is_survived(declared: str) -> None:
    for coding in ("gb18030", "utf-8"):
        assert LETTER in html(
            HEAD + f"Content-Type: text/plain; charset={declared}\r\n\r\n".encode() + LETTER.encode(coding)
        )
        assert LETTER in html(
            HEAD + f"Content-Type: text/html; charset={declared}\r\n\r\n<p>".encode() + LETTER.encode(coding)
        )
    assert "�" in html(HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n\x81 \xff broken \x90")


def test_fields_in_plain_chinese_are_read() -> None:
    found = opened(
        "From: 张三 <a@b>\nTo: c@d\nSubject: 关于报价的通知\nContent-Type: multipart/mixed; boundary=x\n\n"
        '--x\n\nhi\n--x\nContent-Disposition: attachment; filename="报价单.pdf"\n\n%PDF\n--x--\n'.encode("gb18030")
    )
    assert "关于报价的通知" in found[0].data.decode()
    assert names(found)[1:] == ["报价单.pdf"]


def test_encoded_words_cut_in_the_middle_of_a_character_are_joined() -> None:
    data = "关于启用传真系统的通知".encode("gb18030")
    halves = [base64.b64encode(half).decode() for half in (data[:7], data[7:])]
    subject = "\r\n ".join(f"=?GB2312?B?{half}?=" for half in halves)
    assert "关于启用传真系统的通知" in html(f"From: a@b\r\nTo: c@d\r\nSubject: {subject}\r\n\r\nx".encode())


def test_every_value_of_the_head_is_text_and_not_too_long() -> None:
    found = html(
        b"From: <script>alert(1)</script>\nTo: " + b"a@b.example, " * 500 + b"\nSubject: =?utf-8?q?=3Cb=3E=26?=\n"
        b"Date: yesterday <i>\n\n<p>plain</p>"
    )
    assert "<script" not in found and "<b>" not in found and "<i>" not in found and "<p>plain" not in found
    assert "&lt;b&gt;&amp;" in found and "yesterday &lt;i&gt;" in found
    assert "…" in found
    assert len(found) < 4000


def test_flowed_text_is_joined() -> None:
    flowed = b"A paragraph that \nflows on.\nA new one\n> quoted \n> words\n>> deeper\n-- \nsigned\n From space\n"
    found = html(HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n" + flowed)
    assert "A paragraph that flows on.\nA new one\n&gt; quoted words\n&gt;&gt; deeper\n-- \nsigned\nFrom space" in found
    delsp = HEAD + b"Content-Type: text/plain; format=flowed; delsp=yes; charset=utf-8\r\n\r\n"
    assert "您好谢谢" in html(delsp + "您好 \n谢谢".encode())


def test_html_is_preferred_and_is_faxed_with_its_pictures() -> None:
    mail = written(body="as text", html="<p>as <b>html</b><img src='cid:one@x'><img src=\"CID:two\" alt=none>")
    mail.get_payload()[1].add_related(picture(), "image", "png", cid="<one@x>")  # type: ignore[union-attr, index]
    attach(mail, "offer.pdf")
    found = opened(mail)
    assert names(found) == ["mail", "offer.pdf"]
    text = found[0].data.decode()
    assert "as text" not in text
    assert "<b>html</b>" in text
    assert base64.b64encode(picture()).decode() in text
    assert "Not faxed" not in text
    page = pypdfium2.PdfDocument(hypertext.to_pdf(found[0].data))[0]
    assert len(list(page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))) == 1


def test_a_picture_that_the_mail_shows_by_name_but_no_page_can_show_is_named() -> None:
    mail = written(html="<p>x<img src='cid:one'>")
    mail.get_payload()[1].add_related(b"\1\0\0\0EMF", "image", "x-emf", cid="<one>", filename="logo.emf")  # type: ignore[union-attr, index]
    (part,) = opened(mail)
    assert "Not faxed: logo.emf" in printed(part.data)


ATTACKS = (
    "<style>* { display: none !important; color: white !important }</style><p style='display:block!important'>BODY",
    "<style>html, body, body > *, body > div:first-child, :root { visibility: hidden; margin-top: -900px }</style>BODY",
    "<style>} div { display: none } @media all { table { display: none } }</style>BODY",
    "<style>td::before, tr::after { content: 'FORGED' } @page { size: 3cm; @top-left { content: 'FORGED' } }</style>",
    "</div></div></div></div><style>div { opacity: 0 }</style>BODY<plaintext>",
    "<style>p { content: '</style><style>table{display:none}</style>'; }</style>BODY",
    "<base href='file:///'><meta charset=gb2312><title>FORGED</title>BODY<!--",
    "<svg><style>table { display: none }</style></svg><math><style>table{display:none}</style></math>BODY<textarea>",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_senders_styles_and_tags_do_not_reach_the_head(attack: str) -> None:
    mail = written(html=f"<html><body>{attack}</body></html>")
    attach(mail, "run.exe")
    plain, attacked = (printed(opened(one)[0].data) for one in (written(), mail))
    for words in ("From", "Zhang <zhang@example.cn>", "Subject", "Offer", "2026-11-26 10:00 +0800"):
        assert words in plain
        assert words in attacked
    assert "Not faxed: run.exe" in attacked
    assert "FORGED" not in attacked
    assert "BODY" in attacked or re.search("display: none !|hidden|FORGED", attack)


def ink(data: bytes, height: float) -> bytes:
    """The pixels of the upper part of the first page."""
    page = pypdfium2.PdfDocument(hypertext.to_pdf(data))[0]
    drawn = page.render(scale=1, grayscale=True).to_pil()
    pixels: bytes = drawn.crop((0, 0, drawn.width, round(height))).tobytes()
    return pixels


@pytest.mark.parametrize(
    "cover",
    ["position:fixed;top:0;left:0;width:100%;height:100%;background:#000",
     "margin-top:-300px;height:300px;background:#000",
     "position:absolute;top:-200px;height:400px;width:100%;background:#000;z-index:999999",
     "position:relative;top:-150px;height:150px;background:#000;z-index:999999"],
)  # fmt: skip
def test_what_the_sender_lays_over_the_head_lies_under_it(cover: str) -> None:
    mail = written(html="<p>x")
    covered = written(html=f"<div style='{cover}'></div><style>div{{{cover}}}</style><p>x")
    # The left half of a line of the head, as it is without.
    head = 115
    untouched, found = ink(opened(mail)[0].data, head), ink(opened(covered)[0].data, head)
    differing = sum(one != other for one, other in zip(untouched, found, strict=True))
    # What looks out above and beside the head is not the head.
    assert differing < 0.4 * len(found)
    assert "Zhang <zhang@example.cn>" in printed(opened(covered)[0].data)


def test_an_outlook_mail_stays_on_the_page_of_its_head() -> None:
    outlook = (
        "<style>@page WordSection1 {size:612.0pt 792.0pt; margin:1.0in 1.25in;}"
        " div.WordSection1 {page:WordSection1;}</style>"
        "<body lang=ZH-CN><div class=WordSection1 style='page:WordSection1'><p>BODY</div>"
    )
    assert len(pypdfium2.PdfDocument(hypertext.to_pdf(opened(written(html=outlook))[0].data))) == 1


def test_the_senders_styles_still_count_for_the_sender() -> None:
    mail = written(
        html="<style>body { color: red } body.x > p, .a { font-weight: bold } @media print { p + p { color: blue } }"
        "@media screen { p { display: none } } html body p { margin: 0 } </style>"
        "<body class=x bgcolor=white style='padding:1px'><p>one<p>two<p style='color:green' onclick=x>three"
    )
    text = html(mail)
    assert ":where(#sender0-body){color: red}" in text.replace(" {", "{").replace("{ ", "{").replace(" }", "}")
    assert 'class="x"' in text and "color:green" in text.replace(": ", ":") and "onclick" not in text
    shown = printed(opened(mail)[0].data)
    assert "one" in shown and "two" in shown and "three" in shown


def test_the_words_of_a_mail_are_never_taken_for_the_name_of_a_file(tmp_path: Path) -> None:
    canary = tmp_path / "canary.html"
    canary.write_text("CANARY")
    for name in (str(canary), f"file://{canary}"):
        found = html(HEAD + b"Content-Type: text/html\r\n\r\n" + name.encode())
        assert name in found
        assert "CANARY" not in found


# The attachments.


def test_attachments_follow_in_their_order_with_their_names_and_data() -> None:
    mail = written()
    attach(mail, "a.pdf", b"%PDF-1")
    attach(mail, "报价单 2026.docx", b"PK\3\4")
    attach(mail, None, b"some data", "application/x-thing")
    attach(mail, "C:\\temp\\..\\evil/../name\x07.txt", b"text", "text/plain")
    attach(mail, "photo.jpg", picture(form="JPEG"), "image/jpeg")
    found = opened(mail)
    assert names(found) == ["mail", "a.pdf", "报价单 2026.docx", "attachment 3", "name.txt", "photo.jpg"]
    assert [part.data for part in found[1:4]] == [b"%PDF-1", b"PK\3\4", b"some data"]
    assert "a.pdf, " in found[0].data.decode() or "a.pdf，" in found[0].data.decode()


@pytest.mark.parametrize(
    "parameter",
    ["filename*=gb2312''%B1%A8%BC%DB.pdf", 'filename="=?gb2312?B?sai82y5wZGY=?="',
     "filename*0*=utf-8''%E6%8A; filename*1*=%A5%E4%BB%B7.pdf",
     'filename="=?utf-8?Q?=E6=8A=A5?=\r\n =?utf-8?Q?=E4=BB=B7=2Epdf?="', "filename==?utf-8?B?5oql5Lu3LnBkZg==?=",
     "filename*=UTF-8''%E6%8A%A5%E4%BB%B7.pdf; filename=x.pdf"],
)  # fmt: skip
def test_names_of_files_are_read_in_every_way_that_programs_write_them(parameter: str) -> None:
    head = (
        HEAD
        + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x\r\nContent-Disposition: attachment; "
    )
    assert names(opened(head + parameter.encode() + b"\r\n\r\n%PDF\r\n--x--\r\n")) == ["mail", "报价.pdf"]


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [("setup.exe", "application/octet-stream", b"MZ\x90\0"), ("tool", "application/x-msdownload", b"x"),
     ("noending", "application/octet-stream", b"MZ\x90\0\3\0\0\0"), ("a.js", "text/javascript", b"x"),
     ("song.mp3", "audio/mpeg", b"ID3"), ("film.mp4", "application/octet-stream", b"x"), ("clip", "video/x", b"x"),
     ("invite.ics", "text/calendar", b"BEGIN:VCALENDAR"), ("me.vcf", "text/x-vcard", b"BEGIN:VCARD"),
     ("smime.p7s", "application/pkcs7-signature", b"0"), ("signature.asc", "application/pgp-signature", b"-----BEGIN"),
     ("winmail.dat", "application/octet-stream", b"x"), ("tnef", "application/ms-tnef", b"x"),
     ("empty.pdf", "application/pdf", b" \n"), ("dot.png", "image/png", picture(1, 2))],
)  # fmt: skip
def test_what_is_not_faxed_is_named(name: str, kind: str, data: bytes) -> None:
    mail = written()
    attach(mail, "offer.pdf")
    attach(mail, name, data, kind)
    found = opened(mail)
    assert names(found) == ["mail", "offer.pdf"]
    assert f"Not faxed: {name}" in printed(found[0].data)


def test_what_is_said_to_be_no_document_is_named_in_the_mail_that_it_came_with() -> None:
    inner = written(subject="inner")
    attach(inner, "inner.bin", b"no document")
    attach(inner, "inner.pdf")
    mail = written(html="<p>x<img src='cid:one'>")
    mail.get_payload()[1].add_related(picture(), "image", "png", cid="<one>")  # type: ignore[union-attr, index]
    attach(mail, "offer.pdf")
    attach(mail, "setup.exe", b"MZ")
    attach(mail, "data.bin", b"no document")
    mail.add_attachment(inner, filename="forwarded.eml")
    asked: list[bytes] = []

    def is_document(data: bytes) -> bool:
        asked.append(data)
        return data != b"no document"

    found = parts(mail.as_bytes(policy=SMTP), is_document=is_document)
    assert names(found) == ["mail", "offer.pdf", "forwarded.eml", "inner.pdf"]
    assert "Not faxed: setup.exe, data.bin<" in found[0].data.decode()
    assert "Not faxed: inner.bin<" in found[2].data.decode()
    # Neither the pictures that the mail shows nor what isn't faxed anyway, nor the mail that is attached.
    assert asked == [b"%PDF-1.7", b"no document", b"no document", b"%PDF-1.7"]


def test_a_mail_of_nothing_but_what_is_no_document_still_names_it() -> None:
    mail = written(subject="", body="")
    attach(mail, "data.bin", b"no document")
    (part,) = parts(mail.as_bytes(policy=SMTP), is_document=lambda _: False)
    assert "Not faxed: data.bin" in printed(part.data)


def test_nested_parts_are_found_in_their_order() -> None:
    inner = MIMEMultipart("alternative", _subparts=[MIMEText("as text"), MIMEText("<p>first", "html")])
    calendar = MIMEText("BEGIN:VCALENDAR", "calendar")
    calendar.add_header("Content-Disposition", "inline", filename="invite.ics")
    inner.attach(calendar)
    pdf = MIMEBase("application", "pdf", name="one.pdf")
    pdf.set_payload("%PDF")
    mixed = MIMEMultipart(
        "mixed", _subparts=[MIMEMultipart("related", _subparts=[inner]), pdf, MIMEText("<p>last", "html")]
    )
    signature = MIMEBase("application", "pkcs7-signature", name="smime.p7s")
    signature.set_payload("x")
    data = HEAD + MIMEMultipart("signed", _subparts=[mixed, signature]).as_bytes()
    found = opened(data)
    text = found[0].data.decode()
    assert names(found) == ["mail", "one.pdf"]
    assert text.index("first") < text.index("last")
    assert "as text" not in text
    assert "invite.ics, smime.p7s" in text


def test_an_attachment_put_among_the_alternatives_is_not_lost() -> None:
    pdf = MIMEBase("application", "pdf", name="one.pdf")
    pdf.set_payload("%PDF")
    data = (
        HEAD + MIMEMultipart("alternative", _subparts=[MIMEText("text"), MIMEText("<p>html", "html"), pdf]).as_bytes()
    )
    assert names(opened(data)) == ["mail", "one.pdf"]
    assert "<p>html" in html(data)


def test_attached_mails_are_opened_one_level_deep() -> None:
    innermost = written(subject="innermost")
    inner = written(subject="inner", body="inner body")
    attach(inner, "inner.pdf")
    inner.add_attachment(innermost)
    outer = written(subject="outer")
    outer.add_attachment(inner, filename="forwarded.eml")
    attach(outer, "as file.eml", written(subject="file", body="file body").as_bytes())
    attach(outer, "outer.pdf")
    found = opened(outer)
    assert names(found) == ["mail", "forwarded.eml", "inner.pdf", "as file.eml", "outer.pdf"]
    assert "inner body" in found[1].data.decode()
    assert "Not faxed: attachment 2" in printed(found[1].data)
    assert "innermost" not in found[1].data.decode()
    assert "file body" in found[3].data.decode()


def test_an_attached_mail_that_is_encrypted_or_empty_is_named_only() -> None:
    mail = written()
    mail.add_attachment(
        message_from_bytes(HEAD + b"Content-Type: multipart/encrypted; boundary=x\r\n\r\n--x\r\n\r\n--x--")
    )
    found = opened(mail)
    assert names(found) == ["mail"]
    assert "Not faxed: attachment 1" in printed(found[0].data)


def test_an_attached_mail_that_is_encoded_is_opened() -> None:
    inner = base64.encodebytes(written(body="inner body").as_bytes())
    head = HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x\r\n"
    kind = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    found = opened(head + kind + inner + b"\r\n--x--\r\n")
    assert "inner body" in found[1].data.decode()


# What is refused.


def test_an_encrypted_mail_is_refused() -> None:
    for kind in (
        b"multipart/encrypted; protocol=application/pgp-encrypted; boundary=x",
        b"application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
        b"application/x-pkcs7-mime; name=smime.p7m",
    ):
        assert refused(HEAD + b"Content-Type: " + kind + b"\r\n\r\n--x\r\n\r\nx\r\n--x--\r\n") is EncryptedDocument
    assert refused(HEAD + b"\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQ\r\n") is EncryptedDocument


@pytest.mark.parametrize(
    "data",
    [b"From: a@b\nTo: c@d\n", b"From: a@b\nTo: c@d\nSubject: \n\n  \n",
     b"From: a@b\nTo: c@d\nContent-Type: text/html\n\n<p>&nbsp;",
     b"From: a@b\nTo: c@d\nContent-Type: multipart/mixed; boundary=x\n\n--x--"],
)  # fmt: skip
def test_a_mail_with_nothing_in_it_is_empty(data: bytes) -> None:
    assert refused(data) is EmptyFile


def test_a_subject_or_an_attachment_is_enough() -> None:
    assert "Offer" in printed(opened(HEAD + b"\r\n")[0].data)
    mail = written(subject="", body="")
    attach(mail, "a.pdf")
    assert names(opened(mail)) == ["mail", "a.pdf"]


def test_too_much_is_refused() -> None:
    mail = written()
    for number in range(20):
        attach(mail, f"{number}.pdf")
    assert len(opened(mail)) == 21
    attach(mail, "one too many.pdf")
    assert refused(mail) is TooHeavy
    many = HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\nhi\r\n" * 1000 + b"--x--"
    assert refused(many) is TooHeavy
    assert "hi" in html(many.replace(b"--x\r\n\r\nhi\r\n" * 600, b""))


@pytest.mark.parametrize("depth", [21, 400, 3000])
def test_parts_in_parts_have_an_end(depth: int) -> None:
    multiparts = b"".join(
        b"Content-Type: multipart/mixed; boundary=x%d\r\n\r\n--x%d\r\n" % (number, number) for number in range(depth)
    )
    assert refused(HEAD + multiparts + b"\r\nhi") is TooHeavy
    mails = b"Content-Type: message/rfc822\r\n\r\n" * depth
    assert refused(HEAD + mails + b"\r\nhi") is TooHeavy


def test_a_picture_shown_ever_so_often_has_an_end() -> None:
    mail = written(html="<img src='cid:one'>" * 40)
    noise = Image.frombytes("RGB", (900, 900), random.Random(1).randbytes(900 * 900 * 3))
    file = BytesIO()
    noise.save(file, "PNG")
    mail.get_payload()[1].add_related(file.getvalue(), "image", "png", cid="<one>")  # type: ignore[union-attr, index]
    assert refused(mail) is TooHeavy


# Web archives.


def archive(fields: bytes = b"") -> bytes:
    page = (
        "<html><head><link rel=stylesheet href='http://example.com/a/style.css'></head><body><p>页面"
        "<img src='pic.png'><img src='http://example.com/a/pic.png'><img src='other.png' alt=missing>"
    )
    related = MIMEMultipart("related", type="text/html")
    for kind, location, data in (
        ("text/html", "http://example.com/a/index.html", page.encode("gb18030")),
        ("image/png", "http://example.com/a/pic.png", picture()),
        ("text/css", "http://example.com/a/style.css", b"p::after { content: 'styled' url(pic.png) }"),
    ):
        main, sub = kind.split("/")
        part = MIMEBase(main, sub)
        part.set_payload(base64.encodebytes(data).decode())
        part["Content-Transfer-Encoding"] = "base64"
        part["Content-Location"] = location
        related.attach(part)
    return fields + related.as_bytes(policy=SMTP)


@pytest.mark.parametrize(
    "fields",
    [b"", b"From: <Saved by Blink>\r\nSnapshot-Content-Location: http://example.com/\r\nSubject: Page\r\n",
     "From: <由 Windows Internet Explorer 8 保存>\r\nSubject: Page\r\nDate: x\r\n".encode("gbk")],
)  # fmt: skip
def test_a_web_archive_is_its_page_with_pictures_and_styles_and_without_a_head(fields: bytes) -> None:
    (part,) = opened(archive(fields))
    shown = printed(part.data)
    assert "页面" in shown and "styled" in shown and "missing" in shown
    assert "From" not in shown and "发件人" not in shown
    page = pypdfium2.PdfDocument(hypertext.to_pdf(part.data))[0]
    assert len(list(page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))) == 3


def test_styles_in_a_coding_that_makes_half_characters_are_survived() -> None:
    lying = archive().replace(b"Content-Type: text/css", b"Content-Type: text/css; charset=unicode_escape")
    style = base64.encodebytes(b"p::after { content: 'styled' url(pic.png) }").replace(b"\n", b"\r\n")
    (part,) = opened(lying.replace(style, base64.encodebytes(b"p::after { content: 'styled\\ud800' }")))
    assert "styled" in printed(part.data)


def test_the_sheets_of_a_workbook_are_documents_each() -> None:
    def page(text: str, location: str) -> MIMEText:
        part = MIMEText(text, "html", "utf-8")
        part["Content-Location"] = location
        return part

    sheets = [page(f"<table><tr><td>sheet {number}", f"file:///C:/book/sheet{number}.htm") for number in (1, 2)]
    frames = page("<html><frameset><frame src='book/sheet1.htm'></frameset>", "file:///C:/book.htm")
    found = opened(MIMEMultipart("related", _subparts=[frames, *sheets]).as_bytes())
    assert [printed(part.data).strip() for part in found] == ["sheet 1", "sheet 2"]


# Malformed mails.


def rich() -> bytes:
    """A mail with something of everything."""
    mail = written(
        subject="关于报价 =?utf-8?q?x?=", body=LETTER, html=f"<style>p{{color:red}}</style><p>{LETTER}<img src='cid:a'>"
    )
    mail["Cc"] = "王五 <wang@example.cn>, =?gb2312?B?1cXI/Q==?= <x@y>"
    mail.get_payload()[1].add_related(picture(), "image", "png", cid="<a>")  # type: ignore[union-attr, index]
    attach(mail, "报价单.pdf")
    attach(mail, "run.exe", b"MZ\0\0")
    inner = written(subject="inner", html="<b>inner")
    attach(inner, "inner.pdf")
    mail.add_attachment(inner)
    return mail.as_bytes(policy=SMTP)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The mail with some of it broken as lines, encodings and files get broken."""
    for _ in range(chance.randint(1, 6)):
        at, other = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
        length = min(other - at, 200)
        what = chance.randrange(7)
        if what == 0:
            data = data[:at] + bytes(chance.randrange(256) for _ in range(5)) + data[at + 5 :]
        elif what == 1:
            data = data[:at] + data[at + length :]
        elif what == 2:
            data = data[:other] + data[at : at + length] + data[other:]
        elif what == 3:
            data = data[: max(at, 200)]
        elif what == 4:
            lines = data.split(b"\r\n")
            chance.shuffle(lines[3 : chance.randrange(4, 60)])
            data = b"\r\n".join(lines)
        elif what == 5:
            data = data.replace(*chance.choice([(b"boundary=", b"boundary"), (b"base64", b"quoted-printable"),
                (b"utf-8", b"utf-\0008"), (b"multipart/", b"message/"), (b"=?", b"=?="), (b'"', b""), (b"\r\n", b"\n"),
                (b"\r\n\r\n", b"\r\n"), (b"text/html", b"text/plain"), (b": ", b":"), (b"Content-", b"Con\xb5tent-"),
                (b"filename", b"filename*1*"), (b"/", b""), (b";", b";;=;")]))  # fmt: skip
        else:
            data = (
                data[:at]
                + chance.choice([b"\0", b"\xff" * 9, b"\r\n\r\n", b"--", b"\xb1\xa8", b"(((", b'"', b"=?x?b?"])
                + data[at:]
            )
    return data


def test_300_mutated_mails_give_parts_or_a_named_error() -> None:
    whole = rich()
    assert names(parts(whole)) == ["mail", "报价单.pdf", "attachment 3", "inner.pdf"]
    refusals = 0
    for seed in range(300):
        data = mutated(whole, random.Random(seed))
        is_mail(data)
        try:
            found = parts(data)
        except Refusal as refusal:
            assert refusal.error in (EmptyFile, EncryptedDocument, TooHeavy)
            refusals += 1
            continue
        assert found
        for part in found:
            assert part.name
            assert isinstance(part.data, bytes)
        # Most are slow to draw and alike.
        if seed % 25 == 0:
            assert hypertext.to_pdf(found[0].data).startswith(b"%PDF")
    assert refusals < 100


FIELDS = ("From", "To", "Subject", "Date", "Content-Type", "Content-Disposition", "Content-Transfer-Encoding",
          "Content-ID", "Content-Location", "MIME-Version")  # fmt: skip
VALUES = st.one_of(
    st.text(alphabet=st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=40),
    st.sampled_from(
        ["multipart/mixed; boundary=", "multipart/mixed; boundary=x", "text/html; charset=",
         "text/plain; charset=\0utf-8", "=?", "=?utf-8?b?=?=", "=?x?q?=FF=?=", "attachment; filename*=''%",
         "a; filename*0*=x''%FF; filename*2=y", ";;;", "message/rfc822", 'multipart/alternative; boundary=""',
         "text/plain; format=flowed; charset*=utf-8'x'%41", "base64", "@,<>:;", 'a@b, "', "(((((", "<\u202e>",
         "Thu, 99 Foo 2026 99:99:99 +9999", "x-uuencode", "multipart/related; start=<x", "text/plain; charset*=''hex",
         "text/html; charset*0=u; charset*2=x", "/", "a/b/c"]
    ),
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), min_size=1, max_size=6),
    st.lists(
        st.one_of(st.binary(max_size=60), st.sampled_from([b"--x\r\n", b"\r\n", b"--x--\r\n", b"--\r\n"])), max_size=6
    ),
    st.sampled_from(["utf-8", "gb18030", "utf-16"]),
)
def test_no_fields_end_in_an_exception(fields: list[tuple[str, str]], body: list[bytes], coding: str) -> None:
    head = b"".join(f"{name}: ".encode() + value.encode(coding, "replace") + b"\r\n" for name, value in fields)
    data = head + b"\r\n" + b"".join(body)
    is_mail(data)
    try:
        assert parts(data)
    except Refusal as refusal:
        assert refusal.error in (EmptyFile, EncryptedDocument, TooHeavy)
