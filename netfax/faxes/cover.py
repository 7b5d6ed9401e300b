"""The cover of a fax as it is asked for: filled when the fax is submitted, drawn with its pages.

What is filled is stored as a file beside the attachments, with the pages alone left open: whatever becomes of the
template or of the sender's own data afterwards, the fax says what it said when its sender let it go. A file, since it
is no more than that to whoever draws, checks, seals and one day deletes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from netfax.covers.choice import find_cover
from netfax.covers.errors import NoSuchCover
from netfax.covers.fill import fill, fill_pages
from netfax.covers.values import values_of
from netfax.db import UnitOfWork, now
from netfax.documents.cover import CoverPage
from netfax.errors import UserError
from netfax.faxes.errors import TextTooLong, TooManyLines
from netfax.org.viewer import Viewer
from netfax.storage.disk import Stored, store_file, work_folder

LONGEST_TEXT = 10_000
# So that a text of line ends alone can't be a hundred pages.
MOST_LINES = 1_000
MEDIA_TYPE = "text/html"


@dataclass(frozen=True)
class Filled:
    """A cover with everything in it but the pages of the fax; `name` is its template's, as the sender reads it."""

    name: str
    html: str

    @property
    def page(self) -> CoverPage:
        return CoverPage(self.name, lambda pages: fill_pages(self.html, pages))


def fill_cover(
    uow: UnitOfWork, viewer: Viewer, key: str, *, to: str, numbers: Sequence[str], subject: str, text: str
) -> Filled:
    """The cover of that key for a fax of the viewer to these numbers, as he reads them; `NoSuchCover`."""
    cover = find_cover(uow, viewer, key)
    values = values_of(uow, viewer, to=to, numbers=numbers, subject=subject, text=text, at=now())
    return Filled(cover.name, fill(cover.html, values))


def stored_cover(name: str, path: Path) -> CoverPage:
    """A cover whose filled page lies at `path`, where it is read when it is drawn."""
    return CoverPage(name, lambda pages: fill_pages(path.read_text("utf-8"), pages))


def check_cover(uow: UnitOfWork, viewer: Viewer, key: str, text: str) -> Iterator[tuple[str, UserError]]:
    """What is wrong with a choice of a cover and the text on it, by field."""
    try:
        find_cover(uow, viewer, key)
    except NoSuchCover as error:
        yield "cover", error
    if len(text) > LONGEST_TEXT:
        yield "text", TextTooLong(count=len(text), limit=LONGEST_TEXT)
    lines = len(text.splitlines())
    if lines > MOST_LINES:
        yield "text", TooManyLines(count=lines, limit=MOST_LINES)


def store_cover(cover: Filled) -> Stored:
    """The file of a cover, on disk, without a row yet."""
    with work_folder() as folder:
        draft = folder / "cover.html"
        draft.write_text(cover.html, "utf-8")
        return store_file(draft)
