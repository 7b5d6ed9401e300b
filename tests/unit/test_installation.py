"""Which installation a command is for: its home, the database that it uses, and that one run has it at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from cli import run as run_module
from cli.installation import DATABASE_FILE, OtherDatabase, database_name, remember_database
from cli.main import main
from cli.runstate import AlreadyRunning, RunLock
from netfax.settings import BrokenSecrets, Settings, make_secrets, settings
from tests.conftest import forget_process_state
from tests.unit.command_line import run

# Those that make an installation, end one, or say whether one runs, and the one that only draws.
NEED_NONE = {("run",), ("stop",), ("status",), ("convert",)}
POSTGRESQL = "postgresql://netfax:s3cret@db.example.net/faxes"


def commands(group: click.Command = main, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command with arguments that it takes."""
    assert isinstance(group, click.Group)
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))
        elif (*names, name) not in NEED_NONE:
            yield (*names, name, *(word for each in command.params for word in _words(each)))


def _words(parameter: click.Parameter) -> list[str]:
    if not parameter.required:
        return []
    value = str(Path(__file__)) if isinstance(parameter.type, click.Path) and parameter.type.exists else "x"
    value = "sip" if isinstance(parameter.type, click.Choice) else value
    return [parameter.opts[0], value] if isinstance(parameter, click.Option) else [value]


@contextmanager
def environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Iterator[None]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    forget_process_state()
    yield
    forget_process_state()


def files_of(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.parent.name != "run"}


@pytest.mark.parametrize("arguments", list(commands()), ids=lambda words: " ".join(words[:2]))
def test_every_command_refuses_a_home_without_netfax_and_makes_nothing_there(
    home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    with environment(monkeypatch, NETFAX_HOME=str(home / "typo")):
        result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (sentence,) = result.stderr.splitlines()
    assert "There is no NetFax in" in sentence
    assert not (home / "typo").exists()


@pytest.mark.parametrize("command", [("status",), ("stop",), ("queue", "--help")])
def test_what_needs_no_installation_makes_none(
    home: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    with environment(monkeypatch, NETFAX_HOME=str(home / "typo")):
        assert "There is no NetFax" not in run(*command).output
    assert not (home / "typo").exists()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("", "sqlite:netfax.db"),
        ("sqlite:////srv/elsewhere.db", "sqlite:/srv/elsewhere.db"),
        (POSTGRESQL, "postgresql://db.example.net:5432/faxes"),
        ("postgresql+psycopg://other:word@db.example.net:5432/faxes", "postgresql://db.example.net:5432/faxes"),
        ("postgresql://netfax@/faxes?host=/run/pg&port=5433", "postgresql:///run/pg:5433/faxes"),
        ("postgresql://netfax:s3cret@[::1]:6000", "postgresql://::1:6000/netfax"),
    ],
)
def test_a_database_is_named_without_user_and_password(tmp_path: Path, url: str, name: str) -> None:
    assert database_name(Settings(home=tmp_path / "home", database_url=url)) == name


@pytest.mark.parametrize(
    ("known", "given", "names"),
    [
        (POSTGRESQL, "", ("postgresql://db.example.net:5432/faxes", "sqlite:netfax.db")),
        ("", POSTGRESQL, ("sqlite:netfax.db", "postgresql://db.example.net:5432/faxes")),
        (POSTGRESQL, POSTGRESQL.replace("faxes", "faxen"), ("/faxes,", "/faxen")),
    ],
)
def test_commands_and_run_refuse_another_database_than_the_last_start_has_used(
    home: Path, monkeypatch: pytest.MonkeyPatch, known: str, given: str, names: tuple[str, str]
) -> None:
    remember_database(Settings(home=home, database_url=known))
    before = files_of(home)
    with environment(monkeypatch, NETFAX_DATABASE_URL=given):
        for command in (("queue", "--user", "alice@demo"), ("verify",), ("run", "--no-demo")):
            result = run(*command)
            assert (result.exit_code, result.stdout) == (2, "")
            (sentence,) = result.stderr.splitlines()
            assert all(name in sentence for name in (*names, "NETFAX_DATABASE_URL", "--new-database"))
            assert "s3cret" not in sentence
            assert run(*command, lang="zh_CN.UTF-8").stderr.strip().endswith("。")
    assert files_of(home) == before


@pytest.mark.parametrize("url", ["s3cret", "mysql://a:s3cret@b/c", "postgresql://a:s3cret@b:port/c"])
def test_what_names_no_database_is_said_without_repeating_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    with environment(monkeypatch, NETFAX_DATABASE_URL=url):
        result = run("user", "list")
    assert result.exit_code == 2
    assert "names no database" in result.stderr
    assert "s3cret" not in result.output


def test_a_start_writes_down_its_database_and_another_one_is_taken_only_on_purpose(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "make_root", lambda *_arguments: None)
    monkeypatch.setattr(run_module, "_serve", lambda *_arguments, demo: None)
    run_module.run(settings(), demo=False)
    assert (home / DATABASE_FILE).read_text() == "sqlite:netfax.db\n"
    other = f"sqlite:///{tmp_path}/other.db"
    with environment(monkeypatch, NETFAX_DATABASE_URL=other):
        with pytest.raises(OtherDatabase):
            run_module.run(settings(), demo=False)
        assert not (tmp_path / "other.db").exists()
        run_module.run(settings(), demo=False, new_database=True)
        run_module.run(settings(), demo=False)
    assert (home / DATABASE_FILE).read_text() == f"sqlite:{tmp_path}/other.db\n"


def test_a_run_beside_another_touches_nothing(home: Path) -> None:
    before = files_of(home)
    with RunLock(home), pytest.raises(AlreadyRunning):
        run_module.run(settings(), demo=False)
    assert files_of(home) == before


def test_the_first_start_makes_a_home_that_is_its_owners_alone(tmp_path: Path) -> None:
    with RunLock(tmp_path / "new" / "home"):
        assert (tmp_path / "new" / "home").stat().st_mode & 0o777 == 0o700


def test_a_home_that_the_installer_made_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with RunLock(tmp_path):
        assert tmp_path.stat().st_mode & 0o007 == 0


def test_a_home_is_the_same_from_wherever_a_service_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings(home=Path("two"), asterisk_root=Path("root")).home == tmp_path / "two"


def test_a_variable_that_is_empty_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETFAX_HOME", raising=False)
    usual = Settings().home
    monkeypatch.setenv("NETFAX_HOME", "")
    assert Settings().home == usual


def test_a_setting_that_can_not_be_is_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with environment(monkeypatch, NETFAX_PORT_BASE="abc"):
        result = run("queue", "--user", "alice@demo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "NETFAX_PORT_BASE" in result.stderr and result.stderr.count("\n") == 1


def test_a_database_that_can_not_be_read_is_one_sentence(home: Path) -> None:
    (home / "netfax.db").write_bytes(b"no database" * 1000)
    result = run("queue", "--user", "alice@demo")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "The database can't be used" in result.stderr and result.stderr.count("\n") == 1


def test_each_database_has_the_files_of_its_own_faxes(home: Path) -> None:
    here, there = settings(), settings().model_copy(update={"database_url": "postgresql://host/other"})
    remember_database(here)
    for uses, own in ((here, "old"), (there, "new")):
        remember_database(uses)
        assert not (home / "blobs").exists()
        (home / "blobs").mkdir()
        (home / "blobs" / own).touch()
    for uses, own in ((here, "old"), (there, "new")):
        remember_database(uses)
        assert [path.name for path in (home / "blobs").iterdir()] == [own]


@pytest.mark.parametrize("content", ["", '{"redis": "s3cr', "[]", '{"redis": 7}', '{"redis": ""}'])
def test_damaged_secrets_are_one_sentence_and_stay_as_they_are(
    home: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    path = home / "secrets.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    with environment(monkeypatch):
        with pytest.raises(BrokenSecrets) as refused:
            make_secrets(home)
        with pytest.raises(BrokenSecrets):
            settings().secret("redis")
    assert str(path) in refused.value.text("en")
    assert "s3cr" not in refused.value.text("en")
    assert path.read_text() == content
