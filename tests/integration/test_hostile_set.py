"""A hundred hostile documents of every kind; a thousand on demand: `python -m tests.hostile`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile import Canary, attempt, canary, cases, office_documents

COUNT, SEED, PARTS = 100, 1, 10

pytestmark = [pytest.mark.xdist_group("hostile"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return office_documents(tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Canary]:
    with canary(tmp_path) as canary_:
        yield canary_


@pytest.mark.parametrize("part", range(PARTS))
def test_each_ends_in_time_with_pages_or_a_named_error_and_fetches_nothing(
    tmp_path: Path, office: dict[str, bytes], watched: Canary, part: int
) -> None:
    outcomes = [attempt(case, tmp_path) for case in list(cases(COUNT, SEED, office, watched))[part::PARTS]]
    assert [f"{each.case.number}, {each.case.name}: {each.defect}" for each in outcomes if each.defect] == []
    assert watched.hits == []
    assert len({each.what for each in outcomes}) > 1
