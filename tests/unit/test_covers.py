"""Templates of covers: what is put into them, and what is wrong with them."""

import time

import pytest

from netfax.covers import errors
from netfax.covers.builtin import BUILT_IN, FOLDER, STANDARD
from netfax.covers.check import LONGEST_TEMPLATE, MOST_NAMED, problems
from netfax.covers.fill import fill, fill_pages
from netfax.covers.variables import VARIABLES, examples

PAGE = "<!doctype html><p>{$TEXT}"


def named(template: str) -> list[tuple[type[Exception], int | None, int | None]]:
    return [(type(each.error), each.line, each.column) for each in problems(template)]


# --- Values into a template ---


def test_a_value_is_text_whatever_is_written_in_it() -> None:
    hostile = "<script>alert('x')</script> & \"{$TO}\" {$PAGES} {{ 7*7 }}"
    filled = fill("<p>{$TEXT}</p><b>{$PAGES}</b>", {"TEXT": hostile, "TO": "secret"})
    assert "<script" not in filled and "secret" not in filled and "49" not in filled
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;&#123;$TO}&quot;" in filled
    assert fill_pages(filled, 12).count(">12<") == 1


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_lines_of_a_value_end_where_they_ended(end: str) -> None:
    assert "<p>one<br>two<br><br>four</p>" in fill("<p>{$TEXT}</p>", {"TEXT": f"one{end}two{end}{end}four"})


def test_no_value_makes_the_page_another_kind_of_file() -> None:
    assert "%PDF-" not in fill("<!doctype html><p>{$SUBJECT}", {"SUBJECT": "%PDF-1.7"})


@pytest.mark.parametrize(
    ("values", "left_out"),
    [({"TO": "", "FROM": ""}, True), ({"TO": "x", "FROM": ""}, False), ({"TO": "", "FROM": "x"}, False)],
)
def test_an_element_is_left_out_when_all_its_variables_are_empty(values: dict[str, str], left_out: bool) -> None:
    filled = fill("<p data-if=\"TO FROM\">To: {$TO}</p><p data-if='PAGES'>{$PAGES}</p>", values)
    assert ("<p hidden>To: </p>" in filled) is left_out
    assert "<p data-if='PAGES'>{$PAGES}</p>" in filled


def test_what_has_no_value_yet_stays() -> None:
    assert "<p>{$PAGES} of {$TO}</p>" in fill("<p>{$PAGES} of {$TO}</p>", {"TEXT": "x"})


# --- What is wrong with a template ---


def test_problems_are_named_where_they_stand() -> None:
    template = "<!doctype html>\n<p>{$TEXT}\n  {$SUBJCT} {$to}\n<b data-if='TO FORM'>{$ TO</b>\n<i title='{$TO}'>"
    assert named(template) == [
        (errors.UnknownVariable, 3, 3),
        (errors.UnknownVariable, 3, 13),
        (errors.UnknownVariable, 4, 4),
        (errors.UnclosedVariable, 4, 22),
        (errors.MisplacedVariable, 5, 11),
    ]
    assert "{$SUBJCT}" in problems(template)[0].error.text("zh")


@pytest.mark.parametrize(
    "piece", ["<p id={$TO}>", "<style>p { content: '{$TO}' }</style>", "<!-- {$TO} -->", "<style>{$TO}", "<!-- {$TO}"]
)
def test_a_variable_stands_in_text_alone(piece: str) -> None:
    assert [error for error, _, _ in named(PAGE + piece)] == [errors.MisplacedVariable]


@pytest.mark.parametrize(
    "piece",
    [
        *("<img src='http://example.com/x.png'>", "<img src=file:///etc/passwd>", '<IMG alt="" SRC="x.png">'),
        *("<style>@import 'x.css';</style>", "<style>p { background: url(/x.png) }</style>"),
        *("<link rel=stylesheet href=x.css>", "<p style='background: url( \"//x\" )'>"),
    ],
)
def test_what_lies_elsewhere_is_named_for_it_is_never_fetched(piece: str) -> None:
    assert [error for error, _, _ in named(PAGE + piece)] == [errors.NothingFetched]


@pytest.mark.parametrize(
    "piece", ["<img src='data:image/png;base64,AA=='>", "<p style='background: url(data:image/png;base64,AA==)'>"]
)
def test_what_a_template_brings_with_it_is_fine(piece: str) -> None:
    assert named(PAGE + piece) == []


def test_what_is_no_page_or_has_no_text_or_is_too_long_is_named() -> None:
    assert named("Dear {$TO} {$TEXT}") == [(errors.NotHypertext, 1, 1)]
    assert named("<!doctype html><p>{$TO}") == [(errors.VariableMissing, None, None)]
    assert named(PAGE + "x" * LONGEST_TEMPLATE) == [(errors.TemplateTooLong, None, None)]


@pytest.mark.parametrize(
    "piece", ["{$", "<a", "<!--", "<style ", "data-if='", "<a src", "{$TO}<b>", "url(", "<a\n", '"<', "src = "]
)
def test_the_first_problems_of_many_are_named_at_once(piece: str) -> None:
    template = PAGE + piece * ((LONGEST_TEMPLATE - len(PAGE)) // len(piece))
    began = time.monotonic()
    assert len(problems(template)) <= MOST_NAMED + 1
    assert time.monotonic() - began < 2


# --- What comes with the program ---


@pytest.mark.parametrize("key", BUILT_IN)
def test_what_comes_with_the_program_has_no_problem(key: str) -> None:
    assert problems(BUILT_IN[key].html) == []
    filled = fill_pages(fill(BUILT_IN[key].html, {**examples("zh"), "PAGES": "3"}), 3)
    assert "{$" not in filled


def test_every_file_is_one_of_ours_and_each_language_has_its_standard() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(BUILT_IN)
    assert set(STANDARD.values()) <= set(BUILT_IN)
    assert BUILT_IN["standard"].text("zh") == "标准封面"  # R8.2


def test_every_variable_is_told_in_both_languages_and_has_an_example() -> None:
    for variable in VARIABLES.values():
        assert variable.en and variable.zh and variable.example_en and variable.example_zh
