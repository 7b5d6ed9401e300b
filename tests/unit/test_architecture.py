"""The documents say what is so: diagram, tables, commands, files, variables and links are held against the code."""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest

from cli.main import main as netfax_command
from cli.services import all_services
from dialplan.network import SUBSCRIBERS
from install import draw_states
from netfax import telephony
from netfax.faxes.states import STEPS
from netfax.params.table import PARAMS
from netfax.settings import CHECKOUT, MEDIA_OFFSETS, PORT_OFFSETS, Settings

PAGES = sorted(
    [
        *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(CHECKOUT / "docs").rglob("*.md"),
    ]
)
ROOMS = ("agi", "ami_bridge", "cli", "dialplan", "docs", "install", "jobs", "netfax", "tests", "webapp", ".ci")
# Example words that stand for what the reader puts in.
PLACEHOLDERS = {"UUID", "NAME", "…"}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))


def fenced(page: Path, *languages: str) -> list[str]:
    """The lines of a page's code blocks in these languages; one that ends in a backslash goes on."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return "\n".join(body for language, body in blocks if language in languages).replace("\\\n", "").splitlines()


def spans(page: Path) -> list[str]:
    """What stands between single backquotes outside code blocks."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", prose)


def code(page: Path) -> list[str]:
    """Every piece of a page that a reader may type or open."""
    return [*spans(page), *fenced(page, "sh")]


def table(page: Path, heading: str) -> list[list[str]]:
    """The cells of the table under the row of headings that begins so."""
    _, _, rest = page.read_text().partition(f"\n| {heading} |")
    rows = rest.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


# --- The states ---


def test_the_states_are_drawn_as_the_table_has_them() -> None:
    text = draw_states.PAGE.read_text()
    assert draw_states.drawn(text) == text, ".venv/bin/python install/draw_states.py"


def test_the_arrows_of_the_diagram_are_the_steps_of_the_table() -> None:
    drawn = [(one, other) for start, end in draw_states.arrows() for one in start for other in end if one != other]
    steps = [(start, end) for start, ends in STEPS.items() for end in ends if start != end]
    assert sorted(drawn) == sorted(steps)


# --- Links and files ---


@every_page
def test_relative_links_lead_somewhere(page: Path) -> None:
    dead = [link for link in links(page) if not leads_somewhere(page, link)]
    assert dead == []


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    return [link for link in found if not link.startswith(("https://", "http://"))]


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """The names that headings have as targets of links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_files_that_are_named_exist(page: Path) -> None:
    assert [path for path in paths(page) if not (CHECKOUT / path).exists()] == []


def paths(page: Path) -> Iterator[str]:
    """Words in code that are paths of the checkout."""
    for piece in code(page):
        for word in re.findall(r"[\w./-]+", piece):
            made = word.startswith("netfax/migrations/versions/")
            if "/" in word and word.partition("/")[0] in ROOMS and not made:
                yield word


@every_page
def test_functions_that_are_named_with_their_file_are_in_it(page: Path) -> None:
    prose = re.sub(r"\s+", " ", page.read_text())
    named = re.findall(r"`(\w+)`(?:, which| in| of) `((?:\w+/)+\w+\.py)`", prose)
    assert [(name, path) for name, path in named if not re.search(rf"\b{name}\b", (CHECKOUT / path).read_text())] == []


@every_page
def test_tests_that_are_named_exist(page: Path) -> None:
    sources = "".join(path.read_text() for path in (CHECKOUT / "tests").rglob("test_*.py"))
    names = {span for span in spans(page) if re.fullmatch(r"test_\w+", span)}
    assert [name for name in sorted(names) if f"def {name}(" not in sources] == []


# --- Commands and variables ---


@every_page
def test_targets_of_make_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    named = {name for piece in code(page) for name in re.findall(r"(?:^|[`\s])make ([a-z-]+)", piece)}
    assert named - targets == set()


@every_page
def test_commands_of_netfax_and_their_options_exist(page: Path) -> None:
    for arguments in netfax_calls(page):
        command: click.Command = netfax_command
        while isinstance(command, click.Group) and arguments and arguments[0] not in PLACEHOLDERS:
            found = command.get_command(click.Context(command), arguments.pop(0))
            assert found is not None, (page, arguments)
            command = found
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in arguments if word.startswith("--")} - options <= {"--help"}, arguments
        if command.name == "set" and arguments:
            assert arguments[0] in PARAMS, arguments


def netfax_calls(page: Path) -> Iterator[list[str]]:
    """The arguments of each call of `netfax` in a page."""
    for piece in code(page):
        call = re.match(r"(?:\w+=\S+ )*(?:\.venv/bin/)?netfax (.*)", piece)
        if call:
            yield shlex.split(call[1], comments=True)


@every_page
def test_environment_variables_that_are_named_are_read(page: Path) -> None:
    named = set(re.findall(r"\bNETFAX_[A-Z0-9_]+", page.read_text()))
    of_tests = "".join(path.read_text() for path in (CHECKOUT / "tests").rglob("*.py") if path != Path(__file__))
    known = settings_variables() | {name for name in named if f'"{name}"' in of_tests}
    known |= {value for value in vars(telephony).values() if isinstance(value, str)}
    assert named - known == set()


def settings_variables() -> set[str]:
    return {f"NETFAX_{name.upper()}" for name in Settings.model_fields}


# --- Tables ---


def test_the_readme_tells_every_setting() -> None:
    assert {row[0] for row in table(CHECKOUT / "README.md", "variable")} == settings_variables()


def test_the_readme_tells_every_number_of_the_simulated_network() -> None:
    told = [(number, row[1]) for row in table(CHECKOUT / "README.md", "number") for number in expanded(row[0])]
    assert told == [(subscriber.number, subscriber.description) for subscriber in SUBSCRIBERS]


def expanded(numbers: str) -> Iterable[str]:
    """7721011–7721019 as each of its numbers."""
    first, _, last = numbers.partition("–")
    return (str(number) for number in range(int(first), int(last or first) + 1))


def test_operations_tell_every_service() -> None:
    services = all_services(Settings(), dict)
    assert {row[0] for row in table(CHECKOUT / "docs/operations.md", "service")} == {each.name for each in services}


def test_operations_tell_every_port() -> None:
    told = {row[1]: row[0] for row in table(CHECKOUT / "docs/operations.md", "offset")}
    single = {name: f"+{offset}" for name, offset in PORT_OFFSETS.items()}
    ranges = {name: f"+{first} to +{first + count - 1}" for name, (first, count) in MEDIA_OFFSETS.items()}
    assert told == single | ranges


def test_events_of_the_log_that_operations_tell_are_logged() -> None:
    sources = "".join(path.read_text() for room in ROOMS for path in (CHECKOUT / room).rglob("*.py"))
    told = [row[0] for row in table(CHECKOUT / "docs/operations.md", "event")]
    assert told
    assert [event for event in told if f'("{event}"' not in sources and f'"{event}",' not in sources] == []


def test_architecture_tells_every_field_of_the_journal() -> None:
    told = {row[0]: row for row in table(CHECKOUT / "docs/architecture.md", "key")}
    fields = telephony.JOURNAL_FIELDS_IN | telephony.JOURNAL_FIELDS_OUT
    assert told.keys() == fields.keys()
    for key, (_, outside) in fields.items():
        assert ("BASE64" in told[key][2]) == outside, key
        assert told[key][1] == ("both" if key in telephony.JOURNAL_FIELDS_OUT else "in"), key
