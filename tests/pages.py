"""Pages made for tests, and pages compared."""

from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1728, 2292
# Of its rows, of a page that came by audio without error correction: who is late with a packet clicks on the line.
DAMAGED_PART = 0.03


def draw_page(text: str, *, lines: int = 3, dense: int = 0) -> Image.Image:
    """A sparse page with a text of its own, so that no two tests' pages are the same.

    `dense` rows of noise make the page longer on the line: some 460 bytes a row.
    """
    # 255, for Pillow inverts bytes where it writes this polarity: an inverted 1 is no 0, and the page would be blank.
    page = Image.new("1", (WIDTH, HEIGHT), 255)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=60)
    for line in range(lines):
        draw.text((120, 150 + line * 200), f"{text} {line + 1}", font=font, fill=0)
    draw.rectangle((100, 100, WIDTH - 100, HEIGHT - 100), outline=0, width=3)
    if dense:
        noise = np.random.default_rng(len(text)).random((dense, WIDTH)) < 0.5
        page.paste(Image.fromarray(noise), (0, HEIGHT - 200 - dense))
    return page


def save_tiff(path: Path, pages: list[Image.Image]) -> Path:
    """A fax TIFF: Group 4, 204×196."""
    pages[0].save(path, compression="group4", dpi=(204, 196), save_all=True, append_images=pages[1:], tiffinfo={262: 0})
    return path


def make_tiff(path: Path, text: str, pages: int = 1, *, dense: int = 0) -> Path:
    return save_tiff(path, [draw_page(f"{text} page {number}", dense=dense) for number in range(1, pages + 1)])


def read_pages(path: Path) -> list[np.ndarray]:
    """Every page's pixels, True for black, whatever the TIFF's coding and polarity."""
    pages = []
    with Image.open(path) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            pages.append(~np.asarray(image.convert("1"), dtype=bool))
    return pages


def assert_same_pages(sent: Path, received: Path, *, ecm: bool = True) -> None:
    """Pixel for pixel; without ECM but for `DAMAGED_PART` of the rows."""
    ours, theirs = read_pages(sent), read_pages(received)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert_same_page(one, other, ecm=ecm)


def assert_same_page(one: np.ndarray, other: np.ndarray, *, ecm: bool) -> None:
    if ecm:
        assert one.shape == other.shape, f"{one.shape} sent, {other.shape} received"
        assert np.array_equal(one, other), f"{int((one != other).any(axis=1).sum())} rows differ"
    else:
        damaged = damaged_rows(one, other)
        assert damaged <= DAMAGED_PART * len(one), f"{damaged} rows are damaged, missing or too many"


def damaged_rows(sent: np.ndarray, received: np.ndarray) -> int:
    """How many rows of a page are not what was sent, or are missing: those that follow have moved up then."""
    # Packed: a black pixel is any byte but 0, and Pillow's are 255.
    ours, theirs = ([row.tobytes() for row in np.packbits(page, axis=1)] for page in (sent, received))
    while ours and theirs and ours[0] == theirs[0]:
        del ours[0], theirs[0]
    while ours and theirs and ours[-1] == theirs[-1]:
        del ours[-1], theirs[-1]
    same = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return max(len(ours), len(theirs)) - sum(block.size for block in same)
