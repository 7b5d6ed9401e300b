"""What the fourth table of `make bench` stands on: the count of mistakes, and what its limits let pass."""

import pytest

from bench.documents import Errors, ToneTable
from bench.ocr import Score, distance


@pytest.mark.parametrize(
    ("truth", "read", "mistakes"),
    [
        ("", "", 0),
        ("fax", "", 3),
        ("", "fax", 3),
        ("传真合同", "传真合同", 0),
        ("传真合同", "传直合同", 1),
        ("8,910.62", "8,91062", 1),
        ("abcdef", "xabcdef", 1),
        ("kitten", "sitting", 3),
        ("ab", "ba", 2),
    ],
)
def test_mistakes_are_counted_either_way(truth: str, read: str, mistakes: int) -> None:
    assert distance(truth, read) == distance(read, truth) == mistakes


def test_accuracy_is_over_all_characters() -> None:
    assert (Score(90, 0) + Score(10, 5)).accuracy == pytest.approx(95)


@pytest.mark.parametrize(("ours", "holds"), [(Errors(14, 5), True), (Errors(14, 13), False), (Errors(40, 5), False)])
def test_a_photograph_that_is_gone_is_missed(ours: Errors, holds: bool) -> None:
    """Whatever the others are: of detail one may not lose more, and tone is wrong on the whole."""
    fine = (Errors(13, 4), Errors(13, 4))
    assert ToneTable({"gone": (Errors(13, 4), ours), "there": fine}).holds is holds
