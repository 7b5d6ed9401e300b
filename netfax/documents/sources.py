"""From the files that people send to those that the worker draws: office documents and mails are opened first."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from netfax.documents import office, workshop
from netfax.documents.errors import DamagedDocument, EncryptedDocument, NotDrawable, TooHeavy
from netfax.documents.kinds import OFFICE, Kind
from netfax.documents.limits import MAX_MAIL_PARTS, OFFICE_SECONDS, UNPACK_SECONDS

# A mail, a mail in it, and the office documents in that.
MAX_DEPTH = 3
LONGEST_NAME = 200


@dataclass(frozen=True)
class Source:
    """A file, the people's own name of it, and the number (0 is the first) of the file that it was or lay in.

    `depth` tells how often it was opened to come to this; `macros`, whether there were any.
    """

    path: Path
    name: str
    number: int
    depth: int = 0
    macros: bool = False


@dataclass(frozen=True)
class Unready:
    """What the worker says of a source that it does not draw as it is."""

    kind: Kind
    macros: bool
    shut: bool

    @classmethod
    def of(cls, said: dict[str, object]) -> "Unready":
        """Read the worker's words; ValueError, TypeError or KeyError when they are none."""
        return cls(Kind(str(said["kind"])), said["macros"] is True, said["shut"] is True)


def made_ready(sources: Sequence[Source], unready: dict[int, Unready], folder: Path, deadline: float) -> list[Source]:
    """The sources with those that are not ready replaced, in the same order; new files lie in the folder.

    `unready` has the places of those in `sources`; `deadline` is a moment of the monotonic clock. Parts of a mail may
    need this once more. Raises a DocumentError that names the source.
    """
    ready: list[Source] = []
    for index, source in enumerate(sources):
        found = unready.get(index)
        if found is None:
            ready.append(source)
        elif source.depth >= MAX_DEPTH:
            raise NotDrawable(name=source.name)
        elif found.kind is Kind.MAIL:
            ready += _parts(source, folder / f"mail{source.depth}-{index}", deadline)
        elif found.kind in OFFICE:
            ready.append(_as_pdf(source, found, folder / f"office{source.depth}-{index}.pdf", deadline))
        else:
            raise NotDrawable(name=source.name)
    return ready


def _as_pdf(source: Source, found: Unready, target: Path, deadline: float) -> Source:
    try:
        with target.open("w+b") as out:
            office.to_pdf(
                source.path, out, found.kind, name=source.name, timeout=_left(deadline, OFFICE_SECONDS, source)
            )
    except DamagedDocument as damaged:
        if found.shut:
            raise EncryptedDocument(name=source.name) from damaged
        raise
    return Source(target, source.name, source.number, source.depth + 1, found.macros)


def _parts(mail: Source, folder: Path, deadline: float) -> Iterator[Source]:
    folder.mkdir()
    paths = [folder / str(number) for number in range(MAX_MAIL_PARTS)]
    with ExitStack() as stack:
        outs = [stack.enter_context(path.open("w+b")) for path in paths]
        answer = workshop.ask(
            "unpack",
            files=[mail.path],
            names=[mail.name],
            timeout=_left(deadline, UNPACK_SECONDS, mail),
            outputs=outs,
        )
    names = answer.get("parts")
    if not isinstance(names, list) or not 0 < len(names) <= len(paths):
        raise NotDrawable(name=mail.name)
    for path, name in zip(paths, names, strict=False):
        yield Source(path, str(name)[:LONGEST_NAME] or mail.name, mail.number, mail.depth + 1)


def _left(deadline: float, most: float, source: Source) -> float:
    left = min(most, deadline - time.monotonic())
    if left <= 0:
        raise TooHeavy(name=source.name)
    return left
