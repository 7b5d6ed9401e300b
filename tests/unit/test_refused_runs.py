"""Faults and measurements are refused where somebody's faxes would suffer, and where there is no room for them."""

import shutil
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine

import bench.__main__ as measuring
import tests.chaos.__main__ as chaos
from netfax.db import unit_of_work
from netfax.lines.service import add_trunk
from tests.factories import make_delivery, make_trunk, make_world

REAL_HOST = "203.0.113.5"


@pytest.fixture(autouse=True)
def as_root_with_its_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.delenv(chaos.INSIDE, raising=False)
    monkeypatch.setattr(chaos, "_in_namespaces", lambda *_: 0)


def leave(megabytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=megabytes * 1_000_000))


def test_no_faults_for_an_installation_with_real_trunks(sqlite: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    make_world()
    assert chaos.main([]) == 0
    with unit_of_work() as uow:
        add_trunk(uow, make_trunk("telco", host=REAL_HOST), channels=30)
    assert chaos.main([]) == 2
    said = capsys.readouterr().err
    assert "real trunks (telco)" in said
    assert "another machine" in said


def test_no_faults_by_somebody_who_is_not_root(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert chaos.main([]) == 2
    assert "sudo make chaos" in capsys.readouterr().err


def test_no_measurement_beside_faxes_that_wait(sqlite: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    make_delivery(make_world().alice)
    assert measuring.main(["inbound"]) == 2
    assert "1 faxes wait" in capsys.readouterr().err


@pytest.mark.parametrize("main", [chaos.main, measuring.main], ids=["chaos", "bench"])
def test_a_disk_that_is_too_small_is_said_before_the_start(
    sqlite: Engine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    main: Callable[[list[str]], int],
) -> None:
    make_world()
    leave(150, monkeypatch)
    assert main([]) == 2
    assert "and 150 MB are: free some, or set TMPDIR" in " ".join(capsys.readouterr().err.split())


def test_a_table_that_is_not_there_is_named(sqlite: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert measuring.main(["nothing"]) == 2
    assert "calls, dispatch, documents, inbound" in capsys.readouterr().err
