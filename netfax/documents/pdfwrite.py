"""A PDF around Group 4 strips, byte for byte as they stand in the TIFF (ISO 32000-1, 7.4.6 CCITTFaxDecode)."""

from collections.abc import Sequence
from itertools import chain, repeat
from typing import BinaryIO

from netfax.documents.paper import paper_of
from netfax.documents.tiff import Compression, Tag, TiffPage, strips
from netfax.documents.tiffwrite import MIN_IS_WHITE, MSB_FIRST

POINTS_PER_INCH = 72
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def embeddable(page: TiffPage) -> bool:
    """Whether the page's coding is one that a PDF knows as it is: one strip of Group 4."""
    return page.bilevel and page.compression == Compression.T6 and len(page.segments) == 1


class _PdfFile:
    """Objects written in turn, and the table of where they are."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._places: list[int] = []
        out.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")

    def add(self, content: str, stream: bytes | None = None) -> int:
        """Write an object and return its number."""
        self._places.append(self._out.tell())
        number = len(self._places)
        self._out.write(f"{number} 0 obj\n{content}\n".encode("ascii"))
        if stream is not None:
            self._out.write(b"stream\n" + stream + b"\nendstream\n")
        self._out.write(b"endobj\n")
        return number

    def finish(self, root: int) -> None:
        start = self._out.tell()
        table = "".join(f"{place:010d} 00000 n \n" for place in self._places)
        size = len(self._places) + 1
        self._out.write(f"xref\n0 {size}\n0000000000 65535 f \n{table}".encode("ascii"))
        self._out.write(f"trailer\n<< /Size {size} /Root {root} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode("ascii"))


def write_pdf(source: BinaryIO, pages: Sequence[TiffPage], out: BinaryIO, turns: Sequence[int] = ()) -> None:
    """A page for each of the `embeddable` pages, in the size that it has on paper, to be shown turned by `turns`."""
    pdf = _PdfFile(out)
    # Each page is three objects: the image, what is drawn, the page; the tree of pages comes after them all.
    tree = 3 * len(pages) + 1
    turned = zip(pages, chain(turns, repeat(0)), strict=False)
    kids = " ".join(f"{_add_page(pdf, source, page, tree, turn)} 0 R" for page, turn in turned)
    pdf.add(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>")
    pdf.finish(pdf.add(f"<< /Type /Catalog /Pages {tree} 0 R >>"))


def _add_page(pdf: _PdfFile, source: BinaryIO, page: TiffPage, tree: int, turn: int) -> int:
    (strip,) = strips(source, page)
    if page.first(Tag.FILL_ORDER, MSB_FIRST) != MSB_FIRST:
        strip = strip.translate(REVERSED)
    # CCITTFaxDecode gives 0 for the coder's black, which DeviceGray shows black: MinIsWhite as it is.
    inverted = "" if page.first(Tag.PHOTOMETRIC, MIN_IS_WHITE) == MIN_IS_WHITE else " /Decode [1 0]"
    image = pdf.add(
        f"<< /Type /XObject /Subtype /Image /Width {page.width} /Height {page.rows} /ColorSpace /DeviceGray"
        f" /BitsPerComponent 1{inverted} /Filter /CCITTFaxDecode"
        f" /DecodeParms << /K -1 /Columns {page.width} /Rows {page.rows} >> /Length {len(strip)} >>",
        strip,
    )
    paper = paper_of(page)
    width, height = (f"{inches * POINTS_PER_INCH:.3f}" for inches in (paper.width, paper.height))
    drawing = f"q {width} 0 0 {height} 0 0 cm /I Do Q".encode("ascii")
    content = pdf.add(f"<< /Length {len(drawing)} >>", drawing)
    rotate = f" /Rotate {turn}" if turn else ""
    return pdf.add(
        f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {width} {height}]{rotate} /Contents {content} 0 R"
        f" /Resources << /XObject << /I {image} 0 R >> >> >>"
    )
