"""Table 3: how long a caller waits for the decision whose fax it is."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sqlalchemy import update

from agi.probe import answers
from bench.peers import free_port, installation
from netfax import telephony
from netfax.db import unit_of_work
from netfax.lines.models import Port
from netfax.settings import settings
from tests.fakes.asterisk_agi import call, environment

CALLS = 400
# Each takes as long as Python needs to start.
SCRIPTS = 15
CALLER, CALLED, TRUNK = "07367721003", "7804002", "pstn"
# What B2 asks for.
MOST_MS_ABOVE_EMPTY = 5.0
LEAST_TIMES_FASTER = 20.0


@dataclass(frozen=True)
class Waits:
    """Milliseconds from a caller's question to the decision."""

    median: float
    p95: float

    @classmethod
    def of(cls, milliseconds: list[float]) -> "Waits":
        return cls(statistics.median(milliseconds), statistics.quantiles(milliseconds, n=20)[-1])


@dataclass(frozen=True)
class InboundTable:
    ours: Waits
    empty: Waits
    script: Waits

    @property
    def above_empty(self) -> float:
        return self.ours.p95 - self.empty.p95

    @property
    def times_faster(self) -> float:
        return self.script.median / self.ours.median

    @property
    def holds(self) -> bool:
        return self.above_empty <= MOST_MS_ABOVE_EMPTY and self.times_faster >= LEAST_TIMES_FASTER

    def text(self) -> str:
        rows = [
            f"| {name} | {waits.median:.1f} | {waits.p95:.1f} |"
            for name, waits in (
                ("NetFax's FastAGI service", self.ours),
                ("a FastAGI service that decides nothing", self.empty),
                ("a script started for each call", self.script),
            )
        ]
        return "\n".join(
            [
                "## 3. The inbound decision",
                "",
                f"{CALLS} calls in turn to either service, {SCRIPTS} to the script; milliseconds.",
                "",
                "| | median | p95 |",
                "|---|---|---|",
                *rows,
                "",
                f"p95 above the empty service: **{self.above_empty:.1f} ms** (limit {MOST_MS_ABOVE_EMPTY:g});"
                f" faster than a script: **{self.times_faster:.0f} ×** (limit {LEAST_TIMES_FASTER:g}).",
            ]
        )


def measure(folder: Path) -> InboundTable:
    """Ask all three by turns, on one installation."""
    with installation(folder / "home") as home, _service(home.port("agi"), "agi.main"), _empty() as empty_port:
        ours: list[float] = []
        empty: list[float] = []
        for _ in range(CALLS):
            ours.append(_timed(lambda: _ask(home.port("agi"))))
            empty.append(_timed(lambda: _ask(empty_port)))
            _free_ports()
        scripts = []
        for _ in range(SCRIPTS):
            scripts.append(_timed(_run_script))
            _free_ports()
    return InboundTable(Waits.of(ours), Waits.of(empty), Waits.of(scripts))


def _ask(port: int) -> None:
    arguments = [str(uuid4()), TRUNK, CALLED, settings().secret("agi")]
    opening = environment(telephony.AGI_INBOUND_START, arguments, caller=CALLER, called=CALLED)
    decision = call(port).run(opening).variables.get(telephony.DECISION)
    if decision != telephony.DECISION_ACCEPT:
        raise RuntimeError(f"the call was not accepted: {decision}")


def _run_script() -> None:
    opening = environment(telephony.AGI_INBOUND_START, [str(uuid4()), TRUNK, CALLED], caller=CALLER, called=CALLED)
    done = subprocess.run(
        [sys.executable, "-m", "bench.scripts", "once"],
        input=opening + b"200 result=1\n",
        capture_output=True,
        check=True,
    )
    if telephony.DECISION_ACCEPT.encode() not in done.stdout:
        raise RuntimeError(f"the script did not accept the call: {done.stdout!r}")


def _timed(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def _free_ports() -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Port).values(claimed_by=None, claimed_at=None))


@contextmanager
def _empty() -> Iterator[int]:
    port = free_port()
    with _service(port, "bench.scripts", "empty", str(port)):
        yield port


@contextmanager
def _service(port: int, module: str, *arguments: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not answers(port):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"{module} does not answer")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(20)
