"""The kept result of the hostile documents says what was tried and what came of it."""

from tests.hostile import Case, Outcome, report

DONE = [
    Outcome(Case(0, "docx cut off", b""), "document_damaged", 1.25),
    Outcome(Case(1, "docx that fetches", b""), "pages", 4.0),
    Outcome(Case(2, "picture of 0 × 0", b""), "document_damaged", 0.1),
]


def test_a_report_counts_by_kind_and_by_error() -> None:
    page = report(DONE, [], 7)
    assert "`python -m tests.hostile --count 3 --seed 7`" in page
    assert "Of 3 documents 1 became pages and 2 ended with a named error: **0 defects**, **0 fetches**." in page
    assert "The longest took 4.0 s: docx that fetches." in page
    assert "| docx | 2 | 1 | 1 damaged | 4.0 |" in page
    assert "| picture | 1 | 0 | 1 damaged | 0.1 |" in page
    assert "| `document_damaged`: “upload” is damaged or cut off." in page


def test_a_report_names_every_defect_and_every_fetch() -> None:
    page = report([*DONE, Outcome(Case(3, "pdf cut off", b""), "exception", 1.0, "ValueError: x")], ["/x.png"], 7)
    assert "**1 defects**, **1 fetches**" in page
    assert "- 3, pdf cut off: ValueError: x" in page
    assert "- fetched: /x.png" in page
