"""PDF pages by PDFium. Only in the worker: it needs pypdfium2, and NumPy to draw."""

import ctypes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

import pypdfium2
import pypdfium2.raw as pdfium

from netfax.documents.errors import DamagedDocument, DynamicForm, EncryptedDocument, Refusal
from netfax.documents.fit import Placement, fit
from netfax.documents.look import USUAL, Look
from netfax.documents.manner import DRAWN, PICTURED, Manner, drawn_lines

if TYPE_CHECKING:
    from netfax.documents.bits import Bits
    from netfax.documents.draw import Grey

POINTS_PER_INCH = 72.0
# Every whole PDF ends with the place of its cross-reference table; some programs write on behind it.
TRAILER = b"startxref"
TRAILER_WITHIN = 64 * 1024
# Text and lines in pure ink, shades in their grey: what is drawn anti-aliased is cut ragged by a threshold.
FLAGS = pdfium.FPDF_ANNOT | pdfium.FPDF_GRAYSCALE | pdfium.FPDF_RENDER_NO_SMOOTHTEXT | pdfium.FPDF_RENDER_NO_SMOOTHPATH
# A picture over so much of its page is the page; scanners put it on top, or into one form.
SCAN_SHARE = 0.8
SCAN_DEPTH = 2
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
        if document.get_formtype() == pdfium.FORMTYPE_XFA_FULL:
            raise Refusal(DynamicForm)
        # Before any page is opened, or the fields stay empty.
        document.init_forms()
        yield document
    finally:
        document.close()


def count_pages(data: bytes) -> int:
    """How many pages the document says it has."""
    with opened(data) as document:
        return len(document)


def check_pages(data: bytes) -> None:
    """Open every page: one that can't be opened is damage."""
    with opened(data) as document:
        for index in range(len(document)):
            _page(document, index).close()


def draw_pages(data: bytes, pages: Iterable[int], look: Look) -> Iterator[tuple["Bits", Placement]]:
    """Each of these pages (0 is the first) in black and white, as large as its place on the fax page."""
    from netfax.documents.draw import to_bilevel

    with opened(data) as document:
        for index in pages:
            page = _page(document, index)
            place = fit(page.get_width() / POINTS_PER_INCH, page.get_height() / POINTS_PER_INCH, drawn_lines(look))
            with _grey(document, page, place) as grey:
                drawn = to_bilevel(grey, _manner(page), look)
            page.close()
            yield drawn, place


def warm_up() -> None:
    """Draw a page of a word: what drawing loads when it is first used, fonts and memory, is there afterwards."""
    document = pypdfium2.PdfDocument.new()
    page = document.new_page(595, 842)
    word = pdfium.FPDFPageObj_NewTextObj(document, b"Helvetica", 12)
    letters = ctypes.create_string_buffer("fax\0".encode("utf-16-le"))
    pdfium.FPDFText_SetText(word, ctypes.cast(letters, pdfium.FPDF_WIDESTRING))
    pdfium.FPDFPage_InsertObject(page, word)
    page.gen_content()
    out = BytesIO()
    document.save(out)
    document.close()
    for drawn, _ in draw_pages(out.getvalue(), [0], USUAL):
        drawn.coded()


def _page(document: pypdfium2.PdfDocument, index: int) -> pypdfium2.PdfPage:
    try:
        return document[index]
    except pypdfium2.PdfiumError as fault:
        raise Refusal(DamagedDocument) from fault


def _manner(page: pypdfium2.PdfPage) -> Manner:
    """A page that is one picture came out of a scanner or a camera."""
    if not _has_pictures(page):
        return DRAWN
    whole = page.get_width() * page.get_height()
    for picture in page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_IMAGE,), max_depth=SCAN_DEPTH):
        left, bottom, right, top = picture.get_bounds()
        if (right - left) * (top - bottom) > SCAN_SHARE * whole:
            return PICTURED
    return DRAWN


def _has_pictures(page: pypdfium2.PdfPage) -> bool:
    """Whether there is a picture or a form, in which one may be: asked of thousands of objects in a millisecond."""
    kinds = (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_FORM)
    objects = (pdfium.FPDFPage_GetObject(page, index) for index in range(pdfium.FPDFPage_CountObjects(page)))
    return any(pdfium.FPDFPageObj_GetType(found) in kinds for found in objects)


@contextmanager
def _grey(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, place: Placement) -> Iterator["Grey"]:
    """The page on white paper, drawn at once in fax pixels, which are not square; it lasts as long as the context."""
    bitmap = pypdfium2.PdfBitmap.new_native(place.width, place.rows, pdfium.FPDFBitmap_Gray)
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, place.width, place.rows)
        where = (page, 0, 0, place.width, place.rows, QUARTER_TURN if place.turned else 0, FLAGS)
        pdfium.FPDF_RenderPageBitmap(bitmap, *where)
        if document.formenv:
            pdfium.FPDF_FFLDraw(document.formenv, bitmap, *where)
        yield bitmap.to_numpy()
    finally:
        bitmap.close()
