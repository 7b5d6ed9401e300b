"""What a file is, by its content alone; the name's ending plays no part."""

from enum import StrEnum

from netfax.documents.textcode import decode


class Kind(StrEnum):
    PDF = "pdf"
    TIFF = "tiff"
    PNG = "png"
    JPEG = "jpeg"
    TEXT = "text"


MAGIC = (
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"II*\0", Kind.TIFF),
    (b"MM\0*", Kind.TIFF),
    (b"II+\0", Kind.TIFF),
    (b"MM\0+", Kind.TIFF),
)
# Readers accept a PDF's first line anywhere in the first kilobyte (ISO 32000-1, annex H.3.4.1).
PDF_HEADER_WITHIN = 1024
# Languages written in plain letters that nobody wants to fax as they stand, PostScript first: it is a program.
NOT_PROSE = (b"%!", b"\x04%!", b"\x1b%-12345x", b"{\\rtf", b"<?xml", b"<!doctype", b"<html", b"<svg")


def kind_of(data: bytes) -> Kind | None:
    """The kind of a file by its content, or None when it is none that we draw."""
    for magic, kind in MAGIC:
        if data.startswith(magic):
            return kind
    start = data[:PDF_HEADER_WITHIN].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(NOT_PROSE):
        return None
    if b"%pdf-" in start:
        return Kind.PDF
    return Kind.TEXT if decode(data) is not None else None
