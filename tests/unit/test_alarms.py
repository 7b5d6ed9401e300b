"""Alarms: raised where something was lost, listed until somebody clears them."""

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from agi import sweep
from agi.sweep import BROKEN_SECONDS, sweep_journals
from cli.main import main
from netfax import alarms, telephony
from netfax.alarms import Alarm, Said, alarms_about, clear_alarm, open_alarms, put_away, raise_alarm
from netfax.db import reading, unit_of_work
from netfax.documents.tiffwrite import FaxTiffWriter
from netfax.faxes.journal import in_path, out_path
from netfax.faxes.models import Reception
from netfax.faxes.recording import record_inbound, spool_file
from netfax.settings import settings
from tests.factories import World, dispatch_now, make_delivery, make_world, only_attempt

RECEPTION = "6b1f6f3e-0000-4000-8000-000000000001"


@pytest.fixture
def world(database: Engine) -> World:
    for folder in (telephony.JOURNAL, telephony.SPOOL_OUT, telephony.SPOOL_IN):
        (settings().gateway_dir / folder).mkdir(parents=True)
    return make_world()


def journals() -> Path:
    return settings().gateway_dir / telephony.JOURNAL


def received(*, confirmed: int, on_disk: int) -> None:
    """A call to nobody's number has ended; so many pages were confirmed, so many are in its file."""
    with spool_file(RECEPTION).open("w+b") as file:
        writer = FaxTiffWriter(file)
        for _ in range(on_disk):
            writer.add([b"\x00\x10\x01\x00\x10\x01"], width=1728, rows=100)
    in_path(journals(), RECEPTION).write_text(f"status=SUCCESS pages={confirmed} {telephony.JOURNAL_END}\n")


def raised() -> list[tuple[str, str]]:
    with reading() as uow:
        return [(each.code, each.subject) for each in open_alarms(uow)]


def raise_one(code: str = alarms.OUR_FAULT, subject: str = "x") -> int:
    with unit_of_work() as uow:
        raise_alarm(uow, code, subject, Said("text", "文字"))
    with reading() as uow:
        return uow.session.scalars(select(Alarm.id).order_by(Alarm.id.desc())).first() or 0


# --- The rows ---


def test_the_same_alarm_is_open_once(world: World) -> None:
    raise_one()
    raise_one()
    raise_one(subject="y")
    assert raised() == [(alarms.OUR_FAULT, "x"), (alarms.OUR_FAULT, "y")]


def test_a_cleared_alarm_is_raised_anew(world: World) -> None:
    first = raise_one()
    with unit_of_work() as uow:
        assert put_away(uow, first)
    assert raised() == []
    assert raise_one() != first
    assert raised() == [(alarms.OUR_FAULT, "x")]


def test_an_alarm_is_put_away_once(world: World) -> None:
    number = raise_one()
    with unit_of_work() as uow:
        assert put_away(uow, number)
        assert not put_away(uow, number)
        assert not put_away(uow, number + 1)


def test_the_alarms_about_something_are_the_cleared_ones_too(world: World) -> None:
    raise_one(subject="a")
    with unit_of_work() as uow:
        assert clear_alarm(uow, alarms.OUR_FAULT, "a")
    raise_one(alarms.JOURNAL_BROKEN, "a")
    raise_one(subject="b")
    with reading() as uow:
        assert [(each.code, each.cleared_at is None) for each in alarms_about(uow, ["a"])] == [
            (alarms.OUR_FAULT, False),
            (alarms.JOURNAL_BROKEN, True),
        ]
        assert alarms_about(uow, []) == []


def test_every_kind_has_its_words() -> None:
    codes = {value for name, value in vars(alarms).items() if name.isupper() and isinstance(value, str)}
    assert codes == set(alarms.TITLES)
    for code in codes:
        assert alarms.title(code, "en").isascii()
        assert not alarms.title(code, "zh").isascii()


# --- Where they are raised ---


def test_confirmed_pages_that_are_not_on_disk_are_an_alarm(world: World) -> None:
    received(confirmed=4, on_disk=1)
    record_inbound(RECEPTION)
    assert raised() == [(alarms.PAGES_LOST, RECEPTION)]
    with reading() as uow:
        (alarm,) = open_alarms(uow)
    assert "4" in alarm.text


def test_pages_that_are_all_on_disk_are_none(world: World) -> None:
    received(confirmed=2, on_disk=2)
    record_inbound(RECEPTION)
    assert raised() == []


def test_a_reception_is_not_recorded_without_its_alarm(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_arguments: object) -> None:
        raise OperationalError("insert", {}, Exception("disk full"))

    received(confirmed=4, on_disk=1)
    with monkeypatch.context() as context:
        context.setattr(alarms, "raise_alarm", full_disk)
        with pytest.raises(OperationalError):
            record_inbound(RECEPTION)
    with reading() as uow:
        assert uow.session.get(Reception, RECEPTION) is None
    record_inbound(RECEPTION)
    assert raised() == [(alarms.PAGES_LOST, RECEPTION)]


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_journal_that_stays_cut_is_an_alarm_that_names_the_call(world: World, direction: str) -> None:
    call, path = cut_journal(world, direction)
    sweep_journals()
    assert raised() == []
    age(path)
    sweep_journals()
    assert raised() == [(alarms.JOURNAL_BROKEN, call)]
    assert (journals() / f"broken-{path.name}").exists()


def test_a_cut_journal_is_not_set_aside_without_its_alarm(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_arguments: object) -> None:
        raise OperationalError("insert", {}, Exception("disk full"))

    call, path = cut_journal(world, "in")
    age(path)
    with monkeypatch.context() as context:
        context.setattr(sweep.alarms, "raise_alarm", full_disk)
        sweep_journals()
    assert path.exists()
    sweep_journals()
    assert not path.exists()
    assert raised() == [(alarms.JOURNAL_BROKEN, call)]


def cut_journal(world: World, direction: str) -> tuple[str, Path]:
    if direction == "in":
        path = in_path(journals(), RECEPTION)
        path.write_text("status=SUCC")
        return RECEPTION, path
    make_delivery(world.bob)
    dispatch_now()
    path = out_path(journals(), only_attempt())
    path.write_text("status=SUCC")
    return only_attempt(), path


def age(path: Path) -> None:
    os.utime(path, (time.time() - BROKEN_SECONDS - 5,) * 2)


# --- The command ---


def run(*arguments: str, lang: str = "C.UTF-8") -> Result:
    environment = {"LANG": lang, "LC_ALL": None, "LC_MESSAGES": None}
    result = CliRunner().invoke(main, ["alarm", *arguments], env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


one_database = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@one_database
def test_open_alarms_are_listed_and_cleared_by_their_number(world: World) -> None:
    number = raise_one(alarms.PAGES_LOST, RECEPTION)
    (row,) = json.loads(run("list", "--json").stdout)
    assert (row["number"], row["code"], row["subject"]) == (number, alarms.PAGES_LOST, RECEPTION)
    in_chinese = run("list", lang="zh_CN.UTF-8").stdout
    assert "已确认的页面未存盘" in in_chinese and "文字" in in_chinese
    assert run("clear", str(number)).stdout.strip() == f"Alarm {number} is cleared."
    assert run("list").stdout.strip() == "No alarm is open."
    assert json.loads(run("list", "--json").stdout) == []


@one_database
@pytest.mark.parametrize("no_number", ["0", "77", "-", "abc", "１", "9" * 30, "1; drop table alarm"])
def test_what_is_no_open_alarm_is_one_sentence(world: World, no_number: str) -> None:
    raise_one()
    result = run("clear", no_number)
    assert (result.exit_code, result.stdout) == (2, "")
    (sentence,) = result.stderr.splitlines()
    assert "netfax alarm list" in sentence
    assert len(raised()) == 1


@one_database
def test_what_comes_from_outside_can_not_command_the_terminal(world: World) -> None:
    with unit_of_work() as uow:
        raise_alarm(uow, alarms.OUR_FAULT, "x", Said("\x1b[2J [bold]a[/]\nb", "\x1b[2J [bold]a[/]\nb"))
    said = run("list").stdout
    assert "\x1b[2J" not in said
    assert "[bold]a[/]" in said
    assert len(said.splitlines()) == 2
