"""One-bit pixels to T.6 (Group 4) strips by libtiff, and coded strips back to images by Pillow."""

import ctypes
import os
from functools import cache
from io import BytesIO
from typing import BinaryIO

from PIL import Image

from netfax.documents.tiff import Compression, Tag, TiffPage, strips, walk
from netfax.documents.tiffwrite import MIN_IS_WHITE, FaxTiffWriter

LIBRARY = "libtiff.so.6"


def encode(rows: bytes, width: int) -> bytes:
    """The T.6 strip of rows of one-bit pixels, 1 is black, each row in whole bytes with the leftmost pixel first.

    It is for a directory that says MinIsWhite and most significant bit first. Pillow, which would do it by the same
    library, has a byte for each pixel, and unpacking and packing them takes twice as long as the coding.
    """
    height = len(rows) // -(-width // 8)
    fields = {
        Tag.WIDTH: width,
        Tag.LENGTH: height,
        Tag.BITS_PER_SAMPLE: 1,
        Tag.COMPRESSION: Compression.T6,
        Tag.PHOTOMETRIC: MIN_IS_WHITE,
        Tag.SAMPLES_PER_PIXEL: 1,
        Tag.ROWS_PER_STRIP: height,
    }
    library = _library()
    with os.fdopen(os.memfd_create("strip"), "rb") as held:
        # The library closes the descriptor that it is given.
        tiff = library.TIFFFdOpen(os.dup(held.fileno()), b"strip", b"w")
        if tiff is None:
            raise OSError("libtiff can't write")
        try:
            known = all(library.TIFFSetField(tiff, tag, value) for tag, value in fields.items())
            written = library.TIFFWriteEncodedStrip(tiff, 0, rows, len(rows)) if known else -1
        finally:
            library.TIFFClose(tiff)
        if written != len(rows):
            raise OSError("libtiff could not code a page")
        (page,) = walk(held)
        (strip,) = strips(held, page)
    return strip


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(LIBRARY)
    library.TIFFFdOpen.restype = ctypes.c_void_p
    library.TIFFFdOpen.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)
    library.TIFFSetField.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
    library.TIFFWriteEncodedStrip.restype = ctypes.c_ssize_t
    library.TIFFWriteEncodedStrip.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_ssize_t)
    library.TIFFClose.argtypes = (ctypes.c_void_p,)
    return library


def decode(source: BinaryIO, page: TiffPage) -> Image.Image:
    """The pixels of a fax page. libtiff sees the coded bytes alone, in a directory that we wrote."""
    held = BytesIO()
    FaxTiffWriter(held).copy(source, page)
    held.seek(0)
    with Image.open(held, formats=["TIFF"]) as image:
        image.load()
        return image.convert("1")
