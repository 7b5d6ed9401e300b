"""The directories of a TIFF, read by ourselves without decoding a pixel (TIFF 6.0; BigTIFF).

What a fax session wrote is counted here: SpanDSP confirms pages that it could not write, so only the file tells.
A file may come from anyone and end anywhere: every step is bounded, nothing is read outside the file.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

# More than any fax, few enough to walk in no time.
MAX_DIRECTORIES = 4096
MAX_ENTRIES = 1024
MAX_VALUES = 65536


class Tag(IntEnum):
    NEW_SUBFILE_TYPE = 254
    WIDTH = 256
    LENGTH = 257
    BITS_PER_SAMPLE = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES_PER_PIXEL = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTE_COUNTS = 279
    X_RESOLUTION = 282
    Y_RESOLUTION = 283
    T4_OPTIONS = 292
    RESOLUTION_UNIT = 296
    PAGE_NUMBER = 297
    TILE_OFFSETS = 324
    TILE_BYTE_COUNTS = 325


TAGS = frozenset(Tag)


class Compression(IntEnum):
    NONE = 1
    MODIFIED_HUFFMAN = 2
    T4 = 3
    T6 = 4


# Type of a field → (struct letter, values read from it); rationals are read as two.
FIELD_TYPES = {1: ("B", 1), 3: ("H", 1), 4: ("I", 1), 5: ("I", 2), 13: ("I", 1), 16: ("Q", 1), 18: ("Q", 1)}


class BrokenTiff(ValueError):
    """Not a TIFF, or one whose directories can't be followed: cut off, looped, endless."""


@dataclass(frozen=True)
class TiffPage:
    """One directory, as far as it concerns a fax. Segments (strips or tiles) are (offset, bytes) in the file."""

    fields: dict[int, tuple[int, ...]]
    segments: tuple[tuple[int, int], ...]
    whole: bool

    def first(self, tag: Tag, default: int) -> int:
        values = self.fields.get(tag, ())
        return values[0] if values else default

    @property
    def width(self) -> int:
        return self.first(Tag.WIDTH, 0)

    @property
    def rows(self) -> int:
        return self.first(Tag.LENGTH, 0)

    @property
    def compression(self) -> int:
        return self.first(Tag.COMPRESSION, Compression.NONE)

    @property
    def bytes(self) -> int:
        """The coded bytes of the page: what goes over the line when the coding is the line's own."""
        return sum(length for _, length in self.segments)

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Dots per inch across and down, or None when the file does not say."""
        unit = {2: 1.0, 3: 2.54}.get(self.first(Tag.RESOLUTION_UNIT, 2))
        across, down = self._ratio(Tag.X_RESOLUTION), self._ratio(Tag.Y_RESOLUTION)
        return (across * unit, down * unit) if unit and across and down else None

    @property
    def ratio(self) -> tuple[float, float] | None:
        """How fine the dots are across to how fine they are down, in whatever unit; None when the file does not say."""
        across, down = self._ratio(Tag.X_RESOLUTION), self._ratio(Tag.Y_RESOLUTION)
        return (across, down) if across and down else None

    @property
    def bilevel(self) -> bool:
        return self.first(Tag.BITS_PER_SAMPLE, 1) == 1 and self.first(Tag.SAMPLES_PER_PIXEL, 1) == 1

    @property
    def thumbnail(self) -> bool:
        """A small copy of another page (NewSubfileType bit 0), not a page of the document."""
        return bool(self.first(Tag.NEW_SUBFILE_TYPE, 0) & 1)

    def _ratio(self, tag: Tag) -> float:
        values = self.fields.get(tag, ())
        return values[0] / values[1] if len(values) > 1 and values[1] else 0.0


@dataclass(frozen=True)
class _Layout:
    """How a file writes numbers: classic TIFF has 32-bit offsets, BigTIFF 64-bit ones."""

    order: str
    big: bool

    def number(self, letter: str, data: bytes, at: int = 0) -> int:
        (value,) = struct.unpack_from(self.order + letter, data, at)
        return int(value)

    @property
    def offset_letter(self) -> str:
        return "Q" if self.big else "I"

    @property
    def count_letter(self) -> str:
        return "Q" if self.big else "H"

    @property
    def entry_bytes(self) -> int:
        return 20 if self.big else 12


def walk(file: BinaryIO) -> Iterator[TiffPage]:
    """Every directory in the file's own order; BrokenTiff where the chain can't be followed."""
    size = file.seek(0, 2)
    layout, offset = _header(file)
    seen: set[int] = set()
    while offset:
        if offset in seen or len(seen) >= MAX_DIRECTORIES:
            raise BrokenTiff("the directories run in a circle or without end")
        seen.add(offset)
        fields, offset = _directory(file, layout, offset, size)
        yield _page(fields, size)


def count_pages(path: Path) -> int:
    """How many whole pages a fax TIFF holds, whatever follows them; 0 when it is no TIFF at all."""
    return len(whole_pages(path))


def whole_pages(path: Path) -> list[TiffPage]:
    """The pages up to the first that is not all there: what a receiving call that was cut off has left."""
    pages: list[TiffPage] = []
    with path.open("rb") as file:
        try:
            for page in walk(file):
                if not page.whole:
                    break
                pages.append(page)
        except BrokenTiff:
            # The tail is what a fault left; the pages before it count.
            return pages
    return pages


def is_intact(path: Path) -> bool:
    """Whether nothing is missing: every directory is there, with all that it names. Viewers open no other file."""
    with path.open("rb") as file:
        try:
            return all(page.whole for page in walk(file))
        except BrokenTiff:
            return False


def page_bytes(path: Path) -> tuple[int, ...]:
    """The coded bytes of each whole page: at 1,800 a second they give the time on the line at 14,400 bit/s."""
    return tuple(page.bytes for page in whole_pages(path))


def page_sizes(path: Path) -> tuple[tuple[int, int], ...]:
    """Width and rows of each whole page in pixels, which are seldom square."""
    return tuple((page.width, page.rows) for page in whole_pages(path))


def strips(file: BinaryIO, page: TiffPage) -> list[bytes]:
    """The coded data of a whole page."""
    found = []
    for offset, length in page.segments:
        file.seek(offset)
        found.append(file.read(length))
    return found


def _header(file: BinaryIO) -> tuple[_Layout, int]:
    """The file's layout and the place of its first directory."""
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise BrokenTiff("not a TIFF")
    magic = struct.unpack_from(order + "H", head, 2)[0]
    layout = _Layout(order, magic == 43)
    if magic not in (42, 43) or (layout.big and len(head) < 16):
        raise BrokenTiff("not a TIFF")
    return layout, layout.number(layout.offset_letter, head, 8 if layout.big else 4)


def _directory(file: BinaryIO, layout: _Layout, offset: int, size: int) -> tuple[dict[int, tuple[int, ...]], int]:
    """The fields of one directory and the place of the next, 0 after the last."""
    entries = layout.number(layout.count_letter, _exactly(file, offset, 8 if layout.big else 2, size))
    if not 0 < entries <= MAX_ENTRIES:
        raise BrokenTiff("a directory of an impossible length")
    at = offset + (8 if layout.big else 2)
    link_bytes = 8 if layout.big else 4
    data = _exactly(file, at, entries * layout.entry_bytes + link_bytes, size)
    fields: dict[int, tuple[int, ...]] = {}
    for index in range(entries):
        entry = data[index * layout.entry_bytes : (index + 1) * layout.entry_bytes]
        tag = layout.number("H", entry)
        if tag in TAGS:
            fields[tag] = _values(file, layout, entry, size)
    return fields, layout.number(layout.offset_letter, data, entries * layout.entry_bytes)


def _values(file: BinaryIO, layout: _Layout, entry: bytes, size: int) -> tuple[int, ...]:
    letter, parts = FIELD_TYPES.get(layout.number("H", entry, 2), ("", 0))
    count = layout.number(layout.offset_letter, entry, 4) * parts
    if not letter or not 0 < count <= MAX_VALUES:
        return ()
    need = struct.calcsize(layout.order + letter) * count
    place = 12 if layout.big else 8
    inline = entry[place:]
    if need > len(inline):
        inline = _exactly(file, layout.number(layout.offset_letter, entry, place), need, size)
    return struct.unpack_from(f"{layout.order}{count}{letter}", inline)


def _exactly(file: BinaryIO, offset: int, length: int, size: int) -> bytes:
    if offset + length > size:
        raise BrokenTiff("cut off")
    file.seek(offset)
    return file.read(length)


def _page(fields: dict[int, tuple[int, ...]], size: int) -> TiffPage:
    tiled = Tag.TILE_OFFSETS in fields
    offsets = fields.get(Tag.TILE_OFFSETS if tiled else Tag.STRIP_OFFSETS, ())
    lengths = fields.get(Tag.TILE_BYTE_COUNTS if tiled else Tag.STRIP_BYTE_COUNTS, ())
    segments = tuple(zip(offsets, lengths, strict=False))
    drawn = bool(fields.get(Tag.WIDTH, (0,))[:1] > (0,) and fields.get(Tag.LENGTH, (0,))[:1] > (0,))
    inside = all(length > 0 and offset + length <= size for offset, length in segments)
    return TiffPage(fields, segments, bool(segments) and len(offsets) == len(lengths) and drawn and inside)
