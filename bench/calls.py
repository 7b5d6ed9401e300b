"""Table 1: equal faxes over a few lines, by a script that only originates and by NetFax from submission to result."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import select

from dialplan.network_phone import Ami
from netfax import telephony as tel
from netfax.faxes.models import Delivery
from tests.e2e.helpers import ALICE
from tests.pages import make_tiff
from tests.system import System, running_system

# Machines that take a page at once, each a line's only far end: one call at a time goes to a number.
NUMBERS = ("7721001", "7721003", *(f"77210{last}" for last in range(11, 19)))
ROUNDS = 6
# What B2 asks for.
MOST_TIMES_BARE = 1.05
MOST_CPU_SECONDS = 0.25
MOST_GROWTH_MB = 10.0
# Ours; the worker draws pages, which is not counted here, and Asterisk is the same for both.
SERVICES = ("agi", "bridge", "dispatcher", "portal", "redis")


@dataclass(frozen=True)
class CallsTable:
    calls: int
    lines: int
    bare_seconds: float
    our_seconds: float
    cpu_seconds: Mapping[str, float]
    memory_mb: Sequence[float]

    @property
    def times_bare(self) -> float:
        return self.our_seconds / self.bare_seconds

    @property
    def cpu_a_call(self) -> float:
        return sum(self.cpu_seconds.values()) / self.calls

    @property
    def grown_mb(self) -> float:
        """From the first round's end to the last one's: what each line needs is there by then."""
        return self.memory_mb[-1] - self.memory_mb[0]

    @property
    def holds(self) -> bool:
        return (
            self.times_bare <= MOST_TIMES_BARE
            and self.cpu_a_call <= MOST_CPU_SECONDS
            and self.grown_mb <= MOST_GROWTH_MB
        )

    def text(self) -> str:
        parts = ", ".join(f"{name} {seconds / self.calls * 1000:.0f}" for name, seconds in self.cpu_seconds.items())
        memory = ", ".join(f"{each:.0f}" for each in self.memory_mb)
        return "\n".join(
            [
                "## 1. Faxes over lines",
                "",
                f"{self.calls} faxes of one page over {self.lines} lines, by T.38.",
                "",
                "| | wall time |",
                "|---|---|",
                f"| a script that only originates | {self.bare_seconds:.1f} s |",
                f"| NetFax, from submission to the last result | {self.our_seconds:.1f} s |",
                "",
                f"**{self.times_bare:.3f} ×** bare (limit {MOST_TIMES_BARE:g});"
                f" our CPU a call **{self.cpu_a_call:.3f} s** (limit {MOST_CPU_SECONDS:g}; in ms: {parts});"
                f" memory grown by **{self.grown_mb:.1f} MB** (limit {MOST_GROWTH_MB:g};"
                f" MB after each round: {memory}).",
            ]
        )


def measure(folder: Path) -> CallsTable:
    """Both on one system, the script first; a fax before either, so that nothing is done for the first time."""
    with running_system(folder, params={"retry_count": "0"}) as system:
        page = make_tiff(folder / "page.tif", "bench")
        _send(system, page, NUMBERS[:1])
        bare_seconds = _bare(system, page)
        before, memory = _cpu(system), []
        our_seconds = _send(system, page, NUMBERS, ROUNDS, at_each_round=lambda: memory.append(_memory(system) / 1e6))
        after = _cpu(system)
        return CallsTable(
            calls=len(NUMBERS) * ROUNDS,
            lines=len(NUMBERS),
            bare_seconds=bare_seconds,
            our_seconds=our_seconds,
            cpu_seconds={name: after[name] - before[name] for name in SERVICES},
            memory_mb=memory,
        )


def _bare(system: System, page: Path) -> float:
    """Originate one call after the other to each number, all numbers at once; the ids are not NetFax's."""
    spool = system.settings.gateway_dir / tel.SPOOL_OUT / "bench.tif"
    spool.write_bytes(page.read_bytes())
    spool.chmod(0o644)
    threads = [threading.Thread(target=_call_again_and_again, args=(system, number)) for number in NUMBERS]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began


def _call_again_and_again(system: System, number: str) -> None:
    settings = system.settings
    with Ami(settings.port("gateway_ami"), tel.AMI_USER_BRIDGE, settings.secret("ami_bridge")) as ami:
        for _ in range(ROUNDS):
            call = f"bench{secrets.token_hex(8)}"
            ami.ask(
                {
                    "Action": "Originate",
                    "ChannelId": call,
                    "Channel": f"PJSIP/{number}@pstn",
                    "Application": "SendFAX",
                    "Data": f"{tel.HOME}/{tel.SPOOL_OUT}/bench.tif,zf",
                    "Async": "true",
                }
            )
            time.sleep(5)
            while _lives(ami, call):
                time.sleep(0.1)


def _lives(ami: Ami, call: str) -> bool:
    """Whether the channel is there: its events are not for this user."""
    return ami.ask({"Action": "Getvar", "Channel": call, "Variable": "CHANNEL(state)"}).get("Response") == "Success"


def _send(
    system: System, page: Path, numbers: Sequence[str], times: int = 1, at_each_round: Callable[[], None] = lambda: None
) -> float:
    """Submit a fax to all the numbers, so many times, and wait for the last result; seconds."""
    began = time.monotonic()
    uuids = [uuid for _ in range(times) for uuid in system.send(ALICE, ",".join(numbers), page)]
    ended = select(Delivery).where(Delivery.uuid.in_(uuids), Delivery.ended_at.is_not(None))
    for done in range(1, times + 1):
        while len(rows := system.read(ended)) < done * len(numbers):
            time.sleep(0.1)
        at_each_round()
    seconds = time.monotonic() - began
    states = {row.state.value for row in rows}
    if states != {"sent"}:
        raise RuntimeError(f"the faxes ended as {states}")
    return seconds


def _cpu(system: System) -> dict[str, float]:
    found = {}
    for name in SERVICES:
        leader = psutil.Process(system.pid(name))
        times = [each.cpu_times() for each in (leader, *leader.children(recursive=True))]
        found[name] = sum(each.user + each.system for each in times) + times[0].children_user + times[0].children_system
    return found


def _memory(system: System) -> float:
    """PSS of our services, in bytes."""
    return sum(
        each.memory_full_info().pss
        for name in SERVICES
        for leader in [psutil.Process(system.pid(name))]
        for each in (leader, *leader.children(recursive=True))
    )
