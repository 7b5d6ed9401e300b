"""`--search` of the lists, and `netfax ocr`."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cli import ocr_commands
from netfax.db import unit_of_work
from netfax.documents.tesseract import ReaderMissing
from netfax.faxes.models import Reception
from netfax.faxes.states import DeliveryState
from netfax.ocr.models import PageText
from tests.factories import World, make_delivery, make_world
from tests.unit.command_line import run
from tests.unit.webapp_portal import receive

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def world(database: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(ocr_commands, "check_reader", lambda: None)
    return make_world()


@pytest.fixture
def in_inbox(world: World, tmp_path: Path) -> str:
    """Bob has got two faxes; the public id of the one on which something is written."""
    wanted = receive(world.bob, tmp_path, station_id="one")
    with unit_of_work() as uow:
        blob_id = uow.session.query(Reception).one().blob_id
        uow.session.add(PageText(blob_id=blob_id, page=1, text="关于网络传真信箱的通知 \x1b[2J"))
    receive(world.bob, tmp_path, station_id="other")
    return wanted


def test_a_search_lists_what_it_finds_and_where(in_inbox: str) -> None:
    (row,) = json.loads(run("inbox", "--user", "bob@demo", "--search", "传真信箱", "--json").stdout)
    assert (row["uuid"], row["found_page"]) == (in_inbox, 1)
    assert "网络传真信箱的通知" in row["found"]
    (row,) = json.loads(run("inbox", "--user", "bob@demo", "--search", "other", "--json").stdout)
    assert (row["found_page"], row["found"]) == (None, "")
    shown = run("inbox", "--user", "bob@demo", "--search", "传真信箱").stdout
    assert "网络传真信箱" in shown and "\x1b" not in shown
    assert "found" not in run("inbox", "--user", "bob@demo").stdout


@pytest.mark.parametrize("command", ["inbox", "sent", "queue"])
def test_a_search_that_finds_nothing_says_so(in_inbox: str, command: str) -> None:
    assert "Nothing was found for “nobody”." in run(command, "--user", "bob@demo", "--search", "nobody").stdout
    assert json.loads(run(command, "--user", "bob@demo", "--search", "nobody", "--json").stdout) == []
    chinese = run(command, "--user", "bob@demo", "--search", "nobody", lang="zh_CN.UTF-8").stdout
    assert "没有找到与“nobody”匹配的传真。" in chinese


def test_old_faxes_are_read_when_reading_is_on(world: World) -> None:
    make_delivery(world.bob, state=DeliveryState.QUEUED)
    refused = run("ocr", "all")
    assert refused.exit_code == 2 and "netfax param set ocr on" in refused.stderr
    run("param", "set", "ocr", "on")
    assert "Faxes to be read: 1." in run("ocr", "all").stdout
    assert "Faxes to be read: 0." in run("ocr", "all").stdout
    told = json.loads(run("ocr", "status", "--json").stdout)
    assert told == {"on": True, "not_asked": 0, "waiting": 1, "read": 0}
    assert "Reading is on. Faxes read: 0, waiting: 1, from before it was on: 0." in run("ocr", "status").stdout


def test_a_machine_without_tesseract_is_told_in_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ReaderMissing()

    monkeypatch.setattr(ocr_commands, "check_reader", missing)
    for command in ("all", "status"):
        said = run("ocr", command)
        assert said.exit_code == 2
        assert "tesseract-ocr-chi-sim" in said.stderr and "Traceback" not in said.stderr
