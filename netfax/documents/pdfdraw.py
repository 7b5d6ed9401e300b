"""PDF pages by PDFium. Only in the worker: it needs pypdfium2 and Pillow."""

from collections.abc import Iterator
from contextlib import contextmanager

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from netfax.documents.draw import DRAWN, to_bilevel
from netfax.documents.errors import DamagedDocument, EncryptedDocument, Refusal
from netfax.documents.fit import Placement, fit

POINTS_PER_INCH = 72.0
# Every whole PDF ends with the place of its cross-reference table; some programs write on behind it.
TRAILER = b"startxref"
TRAILER_WITHIN = 64 * 1024
# Text and lines in pure ink, shades in their grey: what is drawn anti-aliased is cut ragged by a threshold.
FLAGS = pdfium.FPDF_ANNOT | pdfium.FPDF_GRAYSCALE | pdfium.FPDF_RENDER_NO_SMOOTHTEXT | pdfium.FPDF_RENDER_NO_SMOOTHPATH
QUARTER_TURN = 1  # clockwise, in FPDF_RenderPageBitmap's count


@contextmanager
def opened(data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    """The document with the fields of its forms; refused as EncryptedDocument or DamagedDocument."""
    if TRAILER not in data[-TRAILER_WITHIN:]:
        raise Refusal(DamagedDocument)
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as fault:
        if fault.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise Refusal(EncryptedDocument) from fault
        raise Refusal(DamagedDocument) from fault
    try:
        # Before any page is opened, or the fields stay empty.
        document.init_forms()
        yield document
    finally:
        document.close()


def count_pages(data: bytes) -> int:
    """The pages that can be opened; a page that can't is damage, known before anything is queued."""
    with opened(data) as document:
        for index in range(len(document)):
            _page(document, index).close()
        return len(document)


def draw_pages(data: bytes) -> Iterator[tuple[Image.Image, Placement]]:
    """Each page in black and white, as large as its place on the fax page."""
    with opened(data) as document:
        for index in range(len(document)):
            page = _page(document, index)
            place = fit(page.get_width() / POINTS_PER_INCH, page.get_height() / POINTS_PER_INCH)
            yield to_bilevel(_grey(document, page, place), DRAWN), place
            page.close()


def _page(document: pypdfium2.PdfDocument, index: int) -> pypdfium2.PdfPage:
    try:
        return document[index]
    except pypdfium2.PdfiumError as fault:
        raise Refusal(DamagedDocument) from fault


def _grey(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, place: Placement) -> Image.Image:
    """The page on white paper, drawn at once in fax pixels, which are not square."""
    bitmap = pypdfium2.PdfBitmap.new_native(place.width, place.rows, pdfium.FPDFBitmap_Gray)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, place.width, place.rows)
    where = (page, 0, 0, place.width, place.rows, QUARTER_TURN if place.turned else 0, FLAGS)
    pdfium.FPDF_RenderPageBitmap(bitmap, *where)
    if document.formenv:
        pdfium.FPDF_FFLDraw(document.formenv, bitmap, *where)
    image: Image.Image = bitmap.to_pil().copy()
    bitmap.close()
    return image
