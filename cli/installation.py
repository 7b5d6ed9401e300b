"""Which installation a command is for: there must be one in its home, and the database must be the one it uses."""

import hashlib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from cli.output import refuses_clearly
from netfax.errors import UserError
from netfax.settings import Settings, settings

P = ParamSpec("P")
T = TypeVar("T")

# Below the home: the database that the last start has used.
DATABASE_FILE = "database.txt"
POSTGRESQL_PORT = "5432"


class NotInstalled(UserError):
    code = "not_installed"
    en = "There is no NetFax in {home}: set NETFAX_HOME, or make one with `netfax run`."
    zh = "{home} 中没有 NetFax：请设置 NETFAX_HOME，或用 `netfax run` 新建。"


class OtherDatabase(UserError):
    code = "other_database"
    en = (
        "The NetFax in {home} uses the database {known}, not {named}: set NETFAX_DATABASE_URL to that one (unset it "
        "for SQLite in the home), or move to the other one with `netfax run --new-database`."
    )
    zh = (
        "{home} 中的 NetFax 使用数据库 {known}，而不是 {named}：请把 NETFAX_DATABASE_URL 设为该数据库"
        "（使用主目录中的 SQLite 时不要设置），或用 `netfax run --new-database` 改用另一个数据库。"
    )


class NoDatabase(UserError):
    """What is set names no database that NetFax can use; it may hold a password, and is not repeated."""

    code = "no_database"
    en = "NETFAX_DATABASE_URL names no database: write it as postgresql://user:password@host/name, or unset it."
    zh = "NETFAX_DATABASE_URL 不是有效的数据库地址：请写成 postgresql://user:password@host/name，或不要设置。"


def on_installation(command: Callable[P, T]) -> Callable[P, T]:
    """A command that needs an installation: it is refused where there is none, or where the database is another.

    A mistyped home must not become a new, empty one.
    """

    @wraps(command)
    def checked(*arguments: P.args, **options: P.kwargs) -> T:
        check_installation(settings())
        return command(*arguments, **options)

    return refuses_clearly(checked)


def check_installation(settings: Settings) -> None:
    """`NotInstalled` where nothing was ever started, and what `check_database` raises; nothing is made."""
    if not (settings.home / "secrets.json").exists():
        raise NotInstalled(home=settings.home)
    check_database(settings)


def check_database(settings: Settings) -> None:
    """`OtherDatabase` when the settings name another one than the last start has used, `NoDatabase` for none."""
    known, named = _remembered(settings), database_name(settings)
    if known not in ("", named):
        raise OtherDatabase(home=settings.home, known=known, named=named)


def remember_database(settings: Settings) -> None:
    """Write down which database this installation uses from now on; each has the files of its own faxes."""
    known, named = _remembered(settings), database_name(settings)
    if known != named:
        if known:
            _change_files(settings, known, named)
        path = settings.home / DATABASE_FILE
        draft = path.with_suffix(".new")
        draft.write_text(database_name(settings) + "\n")
        draft.replace(path)


def _change_files(settings: Settings, known: str, named: str) -> None:
    """Put the files of the database before aside, and bring back those of one that was used earlier."""
    before, back = _files_of(settings, known), _files_of(settings, named)
    if settings.blobs_dir.exists() and not before.exists():
        settings.blobs_dir.rename(before)
    if back.exists():
        back.rename(settings.blobs_dir)


def _files_of(settings: Settings, database: str) -> Path:
    return settings.blobs_dir.with_name(f"blobs-{hashlib.sha256(database.encode()).hexdigest()[:12]}")


def database_name(settings: Settings) -> str:
    """Which database the settings name, without user and password: `postgresql://host:5432/name`, `sqlite:netfax.db`.

    SQLite's file is named from the home where it lies below it.
    """
    try:
        url = make_url(settings.database)
    except (ArgumentError, ValueError):
        raise NoDatabase from None
    match url.get_backend_name():
        case "sqlite":
            return f"sqlite:{_from_home(Path(url.database or ''), settings.home)}"
        case "postgresql":
            host, port = url.host or _option(url, "host"), str(url.port or _option(url, "port") or POSTGRESQL_PORT)
            return f"postgresql://{host}:{port}/{url.database or url.username or ''}"
        case _:
            raise NoDatabase


def _option(url: URL, name: str) -> str:
    value = url.query.get(name, "")
    return value if isinstance(value, str) else ",".join(value)


def _from_home(file: Path, home: Path) -> Path:
    file, home = file.resolve(), home.resolve()
    return file.relative_to(home) if file.is_relative_to(home) else file


def _remembered(settings: Settings) -> str:
    """The database of the last start; empty before the first."""
    path = settings.home / DATABASE_FILE
    return path.read_text().strip() if path.exists() else ""
