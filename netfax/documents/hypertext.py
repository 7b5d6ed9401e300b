"""HTML as a PDF, by WeasyPrint: what is HTML, what may be fetched for it, and how often it is laid out.

Nothing is fetched but what the document has in itself or came with it. Only in the worker. WeasyPrint is slow to
import, so that is done where it is needed, and in `engine_settings` alone.
"""

import base64
import codecs
import gc
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from PIL import Image, ImageFile

from netfax.documents import htmlpaper
from netfax.documents.errors import DamagedDocument, EmptyFile, Refusal, TooHeavy
from netfax.documents.markuptext import BYTE_ORDER_MARKS, text_of
from netfax.documents.picture import DECODER_FAULTS, check_size

# What a document begins with may stand behind a licence, a comment of the program that made it.
BEGINS_WITHIN = 64 * 1024
PREAMBLE = re.compile(r"(?>\ufeff|\s+|<!--(?s:.)*?-->|<\?[^>]*>)*+")
HTML_ROOT = re.compile(r"<(?:!doctype\s+html|html)(?=[\s/>])", re.IGNORECASE)
# Elements that a page, or a piece of one, begins with.
HTML_FRAGMENT = re.compile(
    r"<(?:head|body|meta|base|link|title|style|script|table|thead|tbody|tr|div|p|span|font|center|h[1-6]|ul|ol|dl|pre|br"
    r"|hr|a|b|i|u|img|form|section|article|main|header|footer|nav|blockquote|frameset|noscript)(?=[\s/>])",
    re.IGNORECASE,
)
# An element that is closed where it is opened is so in XML only; the HTML parser would take all that follows into it.
SELF_CLOSED = re.compile(r"""<([A-Za-z][\w:-]*)((?:[^<>"'/]|/(?!>)|"[^"<]*"|'[^'<]*')*+)/>""")
VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "wbr"))

# Pictures that browsers show; others are left out as if they were missing.
PICTURE_FORMATS = frozenset(("PNG", "JPEG", "MPO", "GIF", "WEBP", "BMP", "DIB", "ICO", "TIFF", "AVIF"))
MIME_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
# Nesting of 300 tables or 500 blocks; without a limit, a deeper one would end with the stack.
RECURSION = 5_000
# What a layout engine ends with on markup and styles that nobody thought of.
LAYOUT_FAULTS = (*DECODER_FAULTS, AssertionError, RuntimeError)
LAYOUTS = 3
SIDE_BY_SIDE = re.compile(r"flex|grid|column")
MOST_COLUMNS = 1_000


def is_hypertext(data: bytes) -> bool:
    """Whether this is HTML or XHTML, a whole page or a piece of one; other XML, SVG too, is not."""
    start = _start(data)
    preamble = PREAMBLE.match(start)
    at = preamble.end() if preamble else 0
    if HTML_ROOT.match(start, at):
        return True
    return "<?xml" not in start[:at].lower() and HTML_FRAGMENT.match(start, at) is not None


def to_pdf(data: bytes, pictures: Mapping[str, bytes] = {}) -> bytes:
    """A PDF of an HTML document as browsers print it; `pictures` are those that it calls `cid:` and their name.

    Raises Refusal: EmptyFile when there is nothing to see, PageTooLarge for a picture, TooHeavy for deep nesting,
    DamagedDocument for what can't be laid out even without its styles.
    """
    text = text_of(data)
    if "<?xml" in text[:BEGINS_WITHIN] or "http://www.w3.org/1999/xhtml" in text[:BEGINS_WITHIN]:
        text = SELF_CLOSED.sub(_opened_and_closed, text)
    inside = _Inside(pictures)
    try:
        with engine_settings():
            return _printed(text, inside)
    except RecursionError as depth:
        raise Refusal(TooHeavy) from depth


def is_picture(data: bytes) -> bool:
    """Whether this is a picture that a page can show."""
    try:
        with Image.open(BytesIO(data)) as image:
            return image.format in PICTURE_FORMATS
    except DECODER_FAULTS:
        return b"<svg" in data[:BEGINS_WITHIN]


def _start(data: bytes) -> str:
    start = data[:BEGINS_WITHIN]
    for mark, coding in BYTE_ORDER_MARKS[1:]:
        if start.startswith(mark):
            return start[len(mark) :].decode(coding, "replace")
    if start[1:2] == b"\0":
        return start.decode("utf-16-le", "replace")
    if start[:1] == b"\0":
        return start.decode("utf-16-be", "replace")
    return start.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def _opened_and_closed(element: re.Match[str]) -> str:
    name, attributes = element[1], element[2]
    return element[0] if name.lower() in VOID else f"<{name}{attributes}></{name}>"


class _Inside:
    """What WeasyPrint fetches with: only what the document has in itself and what came with it."""

    # Asked for by WeasyPrint: what can't be had is left out.
    _fail_on_errors = False

    def __init__(self, pictures: Mapping[str, bytes]) -> None:
        self.pictures = pictures
        self.refusal: Refusal | None = None

    def __call__(self, url: str) -> object:
        from weasyprint.urls import URLFetcherResponse

        scheme, _, rest = url.partition(":")
        if scheme.lower() == "data":
            kind, content = _data_url(rest)
        elif scheme.lower() == "cid":
            kind, content = "", self.pictures[unquote(rest)]
        else:
            raise ValueError(f"not in the document: {url[:100]}")
        self._check(content)
        return URLFetcherResponse(url, content, {"Content-Type": kind if MIME_TYPE.fullmatch(kind) else "image/png"})

    def _check(self, content: bytes) -> None:
        """Have a picture decoded here, where a fault means that it is missing, and not when the PDF is written."""
        try:
            image = Image.open(BytesIO(content))
        except DECODER_FAULTS:
            # A stylesheet, a font or an SVG drawing.
            return
        with image:
            try:
                check_size(*image.size)
            except Refusal as refusal:
                self.refusal = refusal
                raise
            if image.format not in PICTURE_FORMATS:
                raise ValueError(f"not a picture for a page: {image.format}")
            image.load()


def _data_url(rest: str) -> tuple[str, bytes]:
    """The media type and the content of a `data:` URL, written however loosely."""
    head, _, body = rest.partition(",")
    kind, *parameters = head.split(";")
    content = unquote_to_bytes(body)
    if "base64" in (parameter.strip().lower() for parameter in parameters):
        digits = re.sub(rb"[^A-Za-z0-9+/]", b"", content.translate(bytes.maketrans(b"-_", b"+/")))
        content = base64.b64decode(digits[: len(digits) - (len(digits) % 4 == 1)] + b"==")
    return kind.strip(), content


@contextmanager
def engine_settings() -> Iterator[None]:
    """Where WeasyPrint is imported and at work: room for deep documents, and as much of a cut picture as there is."""
    depth, collecting = sys.getrecursionlimit(), gc.isenabled()
    sys.setrecursionlimit(RECURSION)
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    # A fifth of the time goes by in looking for garbage, of which there is hardly any until the end.
    gc.disable()
    try:
        yield
    finally:
        sys.setrecursionlimit(depth)
        # Importing WeasyPrint has set it for everybody, and a picture that is a document of its own must be whole.
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        if collecting:
            gc.enable()


def _printed(text: str, inside: _Inside) -> bytes:
    try:
        return _drawn(text, inside, styled=True)
    except RecursionError:
        raise
    except LAYOUT_FAULTS:
        # Its words still stand; only how they were to look is lost.
        try:
            return _drawn(text, inside, styled=False)
        except RecursionError:
            raise
        except LAYOUT_FAULTS as fault:
            raise Refusal(DamagedDocument) from fault


def _drawn(text: str, inside: _Inside, *, styled: bool) -> bytes:
    from weasyprint import CSS, HTML

    html = HTML(string=text, url_fetcher=inside)
    _limit_spans(html.etree_element)
    if not styled:
        _unstyle(html.etree_element)
    paper = htmlpaper.Paper()
    paper.release_headers(html.etree_element)
    if SIDE_BY_SIDE.search(text):
        paper.stack_outer(html, styled=styled)
    for layout in range(LAYOUTS):
        document = html.render(stylesheets=[CSS(string=paper.rules())], presentational_hints=styled)
        if inside.refusal is not None:
            raise inside.refusal
        looks = [htmlpaper.look_of(page) for page in document.pages]
        if layout + 1 == LAYOUTS or not paper.improve(looks, html.etree_element):
            break
    if not any(look.seen or look.fixed for look in looks):
        raise Refusal(EmptyFile)
    while len(looks) > 1 and not looks[-1].seen:
        # Blank paper at the end.
        looks.pop()
        document.pages.pop()
    # Files that are to go with the PDF are named in it.
    document.metadata = type(document.metadata)()
    sheets = [sheet for page, look in zip(document.pages, looks, strict=True) for sheet in htmlpaper.sheets(page, look)]
    pdf: bytes = document.copy(sheets).write_pdf()
    return pdf


def _limit_spans(root: Any) -> None:
    """Have cells span no more rows than there are, and columns as few as browsers have them."""
    rows = sum(1 for _ in root.iter("tr"))
    for element in root.iter():
        for name, most in (("colspan", MOST_COLUMNS), ("span", MOST_COLUMNS), ("rowspan", rows)):
            if len(element.get(name, "")) > 1:
                digits = re.match(r"\s*\+?(\d{1,9})", element.get(name))
                element.set(name, str(min(int(digits[1]), most)) if digits else "1")


def _unstyle(root: Any) -> None:
    for element in root.iter():
        element.attrib.pop("style", None)
        if element.tag in ("style", "link"):
            element.set("media", "none")
