"""What a file is, by its content alone; the name's ending plays no part. Only in the worker."""

from netfax.documents import containers, hypertext, letter
from netfax.documents.errors import EmptyFile, PostScriptRefused, Refusal, UnknownKind
from netfax.documents.kinds import Kind
from netfax.documents.textcode import decode

MAGIC = (
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"II*\0", Kind.TIFF),
    (b"MM\0*", Kind.TIFF),
    (b"II+\0", Kind.TIFF),
    (b"MM\0+", Kind.TIFF),
    (b"GIF87a", Kind.GIF),
    (b"GIF89a", Kind.GIF),
)
# The sizes of a bitmap's second header, by which its two letters are told from a text that begins with them.
BITMAP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ARCHIVE = (b"PK\x03\x04", b"PK\x05\x06")
# Readers accept a PDF's first line anywhere in the first kilobyte (ISO 32000-1, annex H.3.4.1).
PDF_HEADER_WITHIN = 1024
# PostScript is a program, and PCL an order to a printer; nobody wants to fax either as it stands.
PRINTER_LANGUAGES = (b"%!", b"\x04%!", b"\x1b%-12345x", b"\x1be", b"\xc5\xd0\xd3\xc6")
MARKUP = (b"<?xml", b"<svg", b"<!doctype")
OFFICE_XML_WITHIN = 8192
OFFICE_XML = (
    b'progid="word.document"',
    b'progid="excel.sheet"',
    b"urn:schemas-microsoft-com:office:spreadsheet",
    b"http://schemas.microsoft.com/office/word/2003/wordml",
    b"http://schemas.microsoft.com/office/2006/xmlpackage",
    b"urn:oasis:names:tc:opendocument:xmlns:office:1.0",
)


def kind_of(data: bytes) -> Kind:
    """The kind of a file; refused when it is empty, none that we draw, or shut by a password."""
    if not data.strip():
        raise Refusal(EmptyFile)
    for magic, kind in MAGIC:
        if data.startswith(magic):
            return kind
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in BITMAP_HEADERS:
        return Kind.BMP
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return Kind.WEBP
    if data.startswith(COMPOUND_FILE):
        return containers.kind_in_compound(data)
    if data.startswith(ARCHIVE):
        return containers.kind_in_archive(data)
    return _kind_of_written(data)


def _kind_of_written(data: bytes) -> Kind:
    """The kind of what is written in letters, more or less."""
    start = data[:PDF_HEADER_WITHIN].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(PRINTER_LANGUAGES):
        raise Refusal(PostScriptRefused)
    if b"%pdf-" in start:
        return Kind.PDF
    if start.startswith(b"{\\rtf"):
        return Kind.RTF
    if start.startswith(b"<?xml") and any(mark in data[:OFFICE_XML_WITHIN].lower() for mark in OFFICE_XML):
        return Kind.OFFICE_XML
    if hypertext.is_hypertext(data):
        return Kind.HTML
    if letter.is_mail(data):
        return Kind.MAIL
    if start.startswith(MARKUP) or decode(data) is None:
        raise Refusal(UnknownKind)
    return Kind.TEXT
