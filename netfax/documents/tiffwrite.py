"""Fax TIFFs written by ourselves: coded strips in, one directory a page, in the form that SpanDSP and libtiff read."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from netfax.documents.errors import PageMissing
from netfax.documents.tiff import Compression, Tag, TiffPage, strips, whole_pages

FAX_WIDTH = 1728  # pixels of a line of the standard scan width (T.30, T.4 2.1)
FAX_DPI = (204, 196)  # fine resolution in the inch-based form of T.30

SHORT, LONG, RATIONAL = 3, 4, 5
SUBFILE_PAGE = 2
MIN_IS_WHITE = 0
MSB_FIRST = 1
UNIT_INCH = 2
# Resolutions are written in hundredths, so that 203.2 and 97.79 (T.30's metric ones in inches) survive.
RESOLUTION_STEPS = 100


class FaxTiffWriter:
    """Writes pages one after the other into an empty, seekable file; the file is a whole TIFF after each of them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pages = 0
        file.write(struct.pack("<2sHI", b"II", 42, 0))
        self._link = 4

    def add(
        self,
        coded: Sequence[bytes],
        *,
        width: int,
        rows: int,
        dpi: tuple[float, float] = FAX_DPI,
        compression: int = Compression.T6,
        photometric: int = MIN_IS_WHITE,
        fill_order: int = MSB_FIRST,
        rows_per_strip: int | None = None,
        t4_options: int = 0,
    ) -> None:
        """One page of one-bit pixels; the coded strips are written as they are."""
        offsets = []
        for strip in coded:
            offsets.append(self._file.tell())
            # Everything begins at an even place (TIFF 6.0, section 2).
            self._file.write(strip + b"\0" * (len(strip) % 2))
        fields: dict[int, tuple[int, tuple[int, ...]]] = {
            Tag.NEW_SUBFILE_TYPE: (LONG, (SUBFILE_PAGE,)),
            Tag.WIDTH: (LONG, (width,)),
            Tag.LENGTH: (LONG, (rows,)),
            Tag.BITS_PER_SAMPLE: (SHORT, (1,)),
            Tag.COMPRESSION: (SHORT, (compression,)),
            Tag.PHOTOMETRIC: (SHORT, (photometric,)),
            Tag.FILL_ORDER: (SHORT, (fill_order,)),
            Tag.STRIP_OFFSETS: (LONG, tuple(offsets)),
            Tag.ORIENTATION: (SHORT, (1,)),
            Tag.SAMPLES_PER_PIXEL: (SHORT, (1,)),
            Tag.ROWS_PER_STRIP: (LONG, (rows_per_strip or rows,)),
            Tag.STRIP_BYTE_COUNTS: (LONG, tuple(map(len, coded))),
            Tag.X_RESOLUTION: (RATIONAL, _ratio(dpi[0])),
            Tag.Y_RESOLUTION: (RATIONAL, _ratio(dpi[1])),
            Tag.RESOLUTION_UNIT: (SHORT, (UNIT_INCH,)),
            # Page k of an unknown total (TIFF 6.0: a total of 0).
            Tag.PAGE_NUMBER: (SHORT, (self._pages, 0)),
        }
        if compression == Compression.T4:
            fields[Tag.T4_OPTIONS] = (LONG, (t4_options,))
        self._directory(fields)
        self._pages += 1

    def copy(self, source: BinaryIO, page: TiffPage) -> None:
        """One whole page of another fax TIFF, its coded bytes untouched."""
        self.add(
            strips(source, page),
            width=page.width,
            rows=page.rows,
            dpi=page.dpi or FAX_DPI,
            compression=page.compression,
            photometric=page.first(Tag.PHOTOMETRIC, MIN_IS_WHITE),
            fill_order=page.first(Tag.FILL_ORDER, MSB_FIRST),
            rows_per_strip=page.first(Tag.ROWS_PER_STRIP, page.rows),
            t4_options=page.first(Tag.T4_OPTIONS, 0),
        )

    def _directory(self, fields: dict[int, tuple[int, tuple[int, ...]]]) -> None:
        entries = b""
        overflow = b""
        start = self._file.tell()
        after = start + 2 + 12 * len(fields) + 4
        for tag in sorted(fields):
            kind, values = fields[tag]
            data = struct.pack(f"<{len(values)}{'H' if kind == SHORT else 'I'}", *values)
            count = len(values) // 2 if kind == RATIONAL else len(values)
            if len(data) > 4:
                place = after + len(overflow)
                overflow += data
                data = struct.pack("<I", place)
            entries += struct.pack("<HHI4s", tag, kind, count, data)
        self._file.write(struct.pack("<H", len(fields)) + entries + struct.pack("<I", 0) + overflow)
        # Linked only when it is all there.
        end = self._file.tell()
        self._file.seek(self._link)
        self._file.write(struct.pack("<I", start))
        self._file.seek(end)
        self._link = after - 4


def extract_pages(source: Path, target: Path, first: int) -> None:
    """Write the pages of a fax TIFF from `first` (1 is the first) to the last, their coded bytes untouched.

    So a fax goes on from its first unconfirmed page: SpanDSP has no option for that. Raises PageMissing.
    """
    pages = whole_pages(source)
    if not 1 <= first <= len(pages):
        raise PageMissing(page=first, pages=len(pages))
    with source.open("rb") as file, target.open("wb") as out:
        writer = FaxTiffWriter(out)
        for page in pages[first - 1 :]:
            writer.copy(file, page)


def join_files(sources: Sequence[Path], target: Path) -> None:
    """Write the whole pages of several fax TIFFs one after the other, their coded bytes untouched."""
    with target.open("wb") as out:
        writer = FaxTiffWriter(out)
        for source in sources:
            with source.open("rb") as file:
                for page in whole_pages(source):
                    writer.copy(file, page)


def _ratio(value: float) -> tuple[int, int]:
    return (int(value), 1) if value == int(value) else (round(value * RESOLUTION_STEPS), RESOLUTION_STEPS)
