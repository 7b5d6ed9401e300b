"""One-bit images to T.6 (Group 4) strips and coded strips back to images. Only in the worker: it needs Pillow."""

from io import BytesIO
from typing import BinaryIO

from PIL import Image, ImageChops

from netfax.documents.tiff import TiffPage, strips, walk
from netfax.documents.tiffwrite import FaxTiffWriter

# More than any page has: the whole page becomes one strip.
ONE_STRIP = 2**31 - 1


def encode(image: Image.Image) -> bytes:
    """The T.6 strip of a one-bit image, for a directory that says MinIsWhite and most significant bit first."""
    held = BytesIO()
    # Pillow codes set bits as black runs, and in its images a set bit is white.
    ImageChops.invert(image).save(held, "TIFF", compression="group4", strip_size=ONE_STRIP)
    (page,) = walk(held)
    (strip,) = strips(held, page)
    return strip


def decode(source: BinaryIO, page: TiffPage) -> Image.Image:
    """The pixels of a fax page. libtiff sees the coded bytes alone, in a directory that we wrote."""
    held = BytesIO()
    FaxTiffWriter(held).copy(source, page)
    held.seek(0)
    with Image.open(held, formats=["TIFF"]) as image:
        image.load()
        return image.convert("1")
