"""Look at a file before it is accepted: what it is, how many pages, and whether it can be faxed at all."""

from dataclasses import dataclass
from pathlib import Path

from netfax.documents import workshop
from netfax.documents.errors import EmptyFile, NotDrawable
from netfax.documents.kinds import Kind
from netfax.documents.limits import INSPECT_SECONDS


@dataclass(frozen=True)
class Inspection:
    """`pages` are None where only another program can tell: of office documents and mails."""

    kind: Kind
    pages: int | None


def inspect(path: Path, *, name: str) -> Inspection:
    """Kind and pages of a file, by its content alone; `name` is the person's own name of it, for the errors.

    Raises a DocumentError, one of those that a worker names, FileTooLarge or NotDrawable. DocumentsClosed is no fault
    of the file: it can't be looked at now.
    """
    if path.stat().st_size == 0:
        raise EmptyFile(name=name)
    workshop.check_sizes([path], [name])
    answer = workshop.ask("inspect", files=[path], names=[name], timeout=INSPECT_SECONDS)
    kind, pages = answer.get("kind"), answer.get("pages")
    if kind not in list(Kind) or not (pages is None or type(pages) is int):
        raise NotDrawable(name=name)
    return Inspection(Kind(str(kind)), pages)
