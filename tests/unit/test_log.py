"""The log of a process: its lines are whole, and it ends nobody."""

import errno
import io
import json
import logging
import sys

import pytest
import structlog

from netfax.log import set_up_log, set_up_terminal_log


class FullDisk(io.StringIO):
    """A stream that takes what it is given only while there is room."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


@pytest.mark.parametrize("set_up", [lambda: set_up_log("bridge"), set_up_terminal_log])
def test_a_full_disk_costs_the_lines_and_not_the_process(set_up: object, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk()
    monkeypatch.setattr(sys, "stdout", disk)
    monkeypatch.setattr(sys, "stderr", disk)
    set_up()  # type: ignore[operator]
    log = structlog.get_logger()
    log.error("lost")
    logging.getLogger("library").error("lost too")
    disk.full = False
    log.error("told")
    assert "told" in disk.getvalue()
    assert "lost" not in disk.getvalue()


def test_every_line_is_one_object_that_names_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    set_up_log("agi")
    structlog.get_logger().warning("said\nforged", caller="1\r\n2")
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert (entry["service"], entry["event"], entry["caller"]) == ("agi", "said\nforged", "1\r\n2")
