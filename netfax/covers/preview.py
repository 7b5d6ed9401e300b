"""What a cover looks like: drawn as a fax's is, in the sandbox, and shown as pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from netfax.covers.check import Problem, problems
from netfax.covers.errors import NothingToSee, NotLaidOut
from netfax.covers.fill import fill, fill_pages
from netfax.covers.variables import examples
from netfax.documents.cover import CoverPage, draw_cover
from netfax.documents.errors import BlankDocument, DocumentError, EmptyFile
from netfax.documents.look import USUAL, Look
from netfax.documents.preview import page_png
from netfax.storage.disk import work_folder

# Pixels; letters are read well at it.
WIDTH = 864
MOST_PICTURES = 4


@dataclass(frozen=True)
class Preview:
    """How many pages a cover has, and the first of them as PNGs."""

    pages: int
    pictures: Sequence[bytes]


def preview(cover: CoverPage, look: Look = USUAL) -> Preview:
    """A cover as it will be drawn; a DocumentError when it can't be, `DocumentsClosed`."""
    with work_folder() as folder:
        target = folder / "cover.tif"
        _, pages = draw_cover(cover, target, look=look)
        pictures = [page_png(target, page, width=WIDTH) for page in range(1, min(pages, MOST_PICTURES) + 1)]
    return Preview(pages, pictures)


def look_at(template: str, name: str, language: str) -> tuple[list[Problem], Preview | None]:
    """What is wrong with a template, or else what it looks like with examples; `DocumentsClosed`."""
    found = problems(template)
    if found:
        return found, None
    filled = fill(template, {key: value for key, value in examples(language).items() if key != "PAGES"})
    try:
        return [], preview(CoverPage(name, lambda pages: fill_pages(filled, pages)))
    except (EmptyFile, BlankDocument):
        return [Problem(NothingToSee())], None
    except DocumentError as error:
        return [Problem(NotLaidOut(reason=error.text(language)))], None
