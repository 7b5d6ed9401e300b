"""What is wrong with a template, named where it stands."""

import re
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass

from netfax.covers import errors
from netfax.covers.errors import TemplateProblem
from netfax.covers.fill import ONLY_IF, PLACE, names_in
from netfax.covers.variables import REQUIRED, VARIABLES

# Characters: a template with a picture of some size.
LONGEST_TEMPLATE = 64_000
MOST_NAMED = 10
LONGEST_NAME = 40

BEGINNINGS = ("<!doctype html", "<html")
BEGINS = re.compile(r"\{\$(?:([^{}<>\s]*)\})?")
# Where there is no text of the page.
NO_TEXT = re.compile(r"<!--.*?(?:-->|\Z)|<(style|script|title)\b.*?(?:</\1\s*>|\Z)|</?[a-z][^>]*>?", re.DOTALL | re.I)
ELSEWHERE = re.compile(
    r"""<link\b|@import\b|<[a-z][^<>]*?\ssrc\s*=\s*["']?(?!\s*["']?\s*data:)|\burl\(\s*["']?(?!\s*["']?\s*(?:data:|\#))""",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Problem:
    """What is wrong, and where it begins (1 is the first line and column); None where it has no place."""

    error: TemplateProblem
    line: int | None = None
    column: int | None = None


def problems(template: str) -> list[Problem]:
    """What is wrong with a template, the first ones in the order in which they stand; empty when nothing is."""
    if len(template) > LONGEST_TEMPLATE:
        return [Problem(errors.TemplateTooLong(count=len(template), limit=LONGEST_TEMPLATE))]
    if not template.lstrip().lower().startswith(BEGINNINGS):
        return [Problem(errors.NotHypertext(), 1, 1)]
    found = sorted(_placed(template), key=lambda one: one[0])[:MOST_NAMED]
    named = [_at(template, offset, error) for offset, error in found]
    if not any(name[1] == REQUIRED for name in PLACE.finditer(template)):
        named.append(Problem(errors.VariableMissing(name=f"{{${REQUIRED}}}")))
    return named


def _placed(template: str) -> Iterator[tuple[int, TemplateProblem]]:
    no_text = [found.span() for found in NO_TEXT.finditer(template)]
    starts = [start for start, _ in no_text]
    for begin in BEGINS.finditer(template):
        name = begin[1]
        if name is None:
            yield begin.start(), errors.UnclosedVariable()
        elif name not in VARIABLES:
            yield begin.start(), errors.UnknownVariable(name=f"{{${name[:LONGEST_NAME]}}}")
        elif (before := bisect(starts, begin.start())) and begin.start() < no_text[before - 1][1]:
            yield begin.start(), errors.MisplacedVariable(name=begin[0])
    for condition in ONLY_IF.finditer(template):
        for name in names_in(condition):
            if name not in VARIABLES:
                yield condition.start(), errors.UnknownVariable(name=name[:LONGEST_NAME])
    for reference in ELSEWHERE.finditer(template):
        yield reference.start(), errors.NothingFetched()


def _at(template: str, offset: int, error: TemplateProblem) -> Problem:
    before = template[:offset]
    return Problem(error, before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)
