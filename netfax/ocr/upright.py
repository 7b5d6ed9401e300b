"""Which way up each page of a fax is shown, from what was found of each."""

from collections.abc import Iterable, Sequence


def with_neighbours(found: Sequence[int | None]) -> list[int]:
    """The degrees of each page; one that is not sure follows the nearest sure ones before and after it.

    Where those differ, or there are none, it stays as it came.
    """
    before, after = _last_known(found), reversed(list(_last_known(reversed(found))))
    return [
        own if own is not None else _agreed(left, right) for own, left, right in zip(found, before, after, strict=True)
    ]


def _last_known(found: Iterable[int | None]) -> Iterable[int | None]:
    known = None
    for turn in found:
        known = turn if turn is not None else known
        yield known


def _agreed(left: int | None, right: int | None) -> int:
    sure = {turn for turn in (left, right) if turn is not None}
    return sure.pop() if len(sure) == 1 else 0
