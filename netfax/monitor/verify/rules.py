"""A promise is kept by rules; each looks for what breaks it, on a system that goes on working meanwhile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Executable, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from netfax.db import now, reading

# What is younger is still on its way: the services have this long to bring it into order.
GRACE = timedelta(seconds=60)


@dataclass(frozen=True)
class Look:
    """One look at the system.

    `live` are the unique ids of the gateway's channels, asked for just before `at`; None when it could not be asked.
    A rule may come to its turn, and to its second look, minutes after that: what is young is so as of `at`.
    `only` are the suspects of an earlier look: a rule that reads files need not look at more.
    """

    at: datetime
    live: frozenset[str] | None = None
    only: frozenset[str] | None = None

    def settled(
        self, column: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]
    ) -> ColumnElement[bool]:
        """Older than the grace. A time ahead of now was written before the clock was set back, and is old too."""
        return or_(column < self.at - GRACE, column > now() + GRACE)

    def wants(self, subject: str) -> bool:
        """Whether this subject is to be looked at."""
        return self.only is None or subject in self.only


@dataclass(frozen=True)
class Found:
    """What a rule looked at, and its suspects: ids with a detail that needs no language, often empty."""

    looked_at: int
    suspects: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Words:
    """A text for people in both languages."""

    en: str
    zh: str

    def text(self, language: str) -> str:
        return self.zh if language.startswith("zh") else self.en


@dataclass(frozen=True)
class Rule:
    """`wrong` is said of a suspect's id, `mended` of one that `mend` has put right.

    `mend` takes one id, asks again whether it is still wrong, and is True when it changed anything.
    """

    code: str
    wrong: Words
    find: Callable[[Look], Found]
    mend: Callable[[str], bool] | None = None
    mended: Words | None = None
    needs_gateway: bool = False


@dataclass(frozen=True)
class Promise:
    """One of V1 to V13. Without rules its feature is not built."""

    code: str
    sentence: Words
    rules: tuple[Rule, ...] = ()


def rows_that(
    counted: InstrumentedAttribute[int] | InstrumentedAttribute[str], suspects: Executable, *where: ColumnElement[bool]
) -> Found:
    """The suspects of one statement, which sees the database at one moment: id, and a detail where it selects one.

    `counted` is what was looked at, of the rows `where` it applies.
    """
    with reading() as uow:
        looked_at = uow.session.scalar(select(func.count(counted)).where(*where)) or 0
        rows = uow.session.execute(suspects).all()
    return Found(looked_at, {row[0]: str(row[1]) if len(row) > 1 else "" for row in rows})
