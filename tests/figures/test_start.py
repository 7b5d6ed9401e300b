"""Figures that are promised of a machine with nothing else to do: these tests run alone, after all others."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.helpers import ALICE
from tests.pages import make_tiff
from tests.system import System, eventually, running_system

SECOND_START_SECONDS = 15
IDLE_MEGABYTES = 700
# Longer than any service goes on importing after it first answers.
SETTLE_SECONDS = 10


@pytest.fixture(scope="module")
def own_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("figures"), params={"retry_count": "0"}) as system:
        yield system


def test_everything_together_stays_small_at_idle(own_system: System) -> None:
    time.sleep(SETTLE_SECONDS)
    services: list[dict[str, Any]] = own_system.json("status")["services"]
    assert {service["state"] for service in services} == {"up"}
    total = sum(service["pss_kb"] for service in services) / 1024
    print(f"idle: {total:.0f} MB PSS")
    assert 100 < total < IDLE_MEGABYTES


def test_a_second_start_keeps_everything_and_is_quick(own_system: System, tmp_path: Path) -> None:
    system = own_system
    (uuid,) = system.send(ALICE, "7722017", make_tiff(tmp_path / "a.tif", "kept"))
    before = system.ended(ALICE, uuid)
    assert "NetFax has ended." in system.cli("stop").stdout
    assert system.cli("status", check=False).returncode == 1
    began = time.monotonic()
    system.spawn()
    told = eventually(lambda: re.search(r"All services are up after \S+ s", system.console), 60, "not up")
    seconds = time.monotonic() - began
    print(f"second start: {seconds:.1f} s; {told[0]}")
    assert seconds < SECOND_START_SECONDS
    assert system.cli("status").returncode == 0
    assert system.delivery(ALICE, uuid) == before
    values = {row["name"]: row["value"] for row in system.json("param", "list")}
    assert values["retry_count"] == "0"
    second = system.cli("run", "--no-demo", check=False)
    assert second.returncode == 2
    assert str(system.process.pid if system.process else "") in second.stderr
