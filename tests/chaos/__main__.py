"""`make chaos`: `python -m tests.chaos [--seed N] [--minutes M] [--short] [--report FILE]`.

In namespaces of its own (network, mounts, processes) it runs installations of its own on small disks of their own,
lets users send and callers call, strikes, and holds what clients know against what is there. Root is needed for that.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from dialplan import network
from netfax.db import reading
from netfax.lines.models import Trunk
from netfax.log import set_up_terminal_log
from netfax.settings import settings
from tests.chaos.cells import LANES, SHORT, Cell, check_complete
from tests.chaos.database import Postgres
from tests.chaos.judge import Verdict
from tests.chaos.lane import Lane
from tests.chaos.report import Run, report
from tests.system import System

INSIDE = "NETFAX_CHAOS_INSIDE"
# Of each system and of the database: what a run writes, and room for what a fault must fill.
DISK_MEGABYTES = 400
# What clients log and keep of their pages, and what strace writes.
KEPT_MEGABYTES = 200
NEEDED = ("bwrap", "iptables", "ip", "strace", "unshare")
FIRST_PORTS = 20_000
DEFAULT_MINUTES = 50.0


class CannotRun(Exception):
    """Why no chaos is made, and what to do."""


def main(arguments: Sequence[str]) -> int:
    """0 when every fault that was begun struck, nothing was lost or doubled, and all was right again in time.

    1 otherwise, 2 when it could not begin.
    """
    options = _read(arguments)
    try:
        if INSIDE not in os.environ:
            _refuse_what_must_not_be()
            return _in_namespaces(arguments, options.seed)
        return _run(options)
    except CannotRun as why:
        print(f"chaos: {why}", file=sys.stderr)
        return 2


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the same faults in the same order, and the same faxes")
    parser.add_argument("--minutes", type=float, default=DEFAULT_MINUTES, help="no fault is begun after so long")
    parser.add_argument("--short", action="store_true", help="a few faults")
    parser.add_argument("--only", default="", help="the cells whose names contain this")
    parser.add_argument("--report", type=Path, default=None, help="write what came of it into this file")
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1, 1_000_000)
    return options


def _refuse_what_must_not_be() -> None:
    if os.geteuid() != 0:
        raise CannotRun("faults need root: sudo make chaos")
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        raise CannotRun(f"{', '.join(missing)} is missing: `python3 install/bootstrap.py test` installs it")
    real = _real_trunks()
    if real:
        raise CannotRun(
            f"the installation in {settings().home} has real trunks ({', '.join(real)}): its calls would suffer. "
            "Run this on another machine."
        )
    needed = DISK_MEGABYTES * (2 * len(LANES) + 1)
    free = int(
        next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemAvailable" in line).split()[1]
    )
    if free // 1000 < needed + 2000:
        raise CannotRun(
            f"{needed + 2000} MB of free memory are needed for the systems and their disks, and {free // 1000} MB are"
        )
    disk = shutil.disk_usage(tempfile.gettempdir()).free // 1_000_000
    if disk < KEPT_MEGABYTES:
        raise CannotRun(
            f"{KEPT_MEGABYTES} MB must be free in {tempfile.gettempdir()} for the pages that clients keep, and {disk} "
            "MB are: free some, or set TMPDIR"
        )


def _real_trunks() -> list[str]:
    """The trunks of this checkout's installation that do not lead to the simulated network; none without one."""
    if not settings().home.joinpath("netfax.db").exists() and not settings().database_url:
        return []
    simulated = {network.T38_ADDRESS, network.G711_ADDRESS}
    try:
        with reading() as uow:
            trunks = uow.session.scalars(select(Trunk).where(Trunk.removed_at.is_(None))).all()
    except SQLAlchemyError as error:
        raise CannotRun(f"the database of {settings().home} can't be asked for its trunks: {error}") from error
    return [trunk.name for trunk in trunks if trunk.host not in simulated]


def _in_namespaces(arguments: Sequence[str], seed: int) -> int:
    """Run this anew where nothing is reached by it, and nothing of it is left when it ends, however it ends."""
    words = [*arguments] if "--seed" in arguments else [*arguments, "--seed", str(seed)]
    with tempfile.TemporaryDirectory(prefix="netfax-chaos-") as folder:
        own = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
        done = subprocess.run(
            [*own, sys.executable, "-m", "tests.chaos", *words], env={**os.environ, INSIDE: folder}, check=False
        )
    return done.returncode


def _run(options: argparse.Namespace) -> int:
    check_complete()
    set_up_terminal_log()
    print(f"chaos: seed {options.seed}", flush=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = Path(os.environ[INSIDE])
    # PostgreSQL runs as a user of its own.
    folder.chmod(0o711)
    wanted = _wanted(SHORT if options.short else LANES, options.only)
    began = time.monotonic()
    lanes = [_lane(name, folder, FIRST_PORTS + 1000 * place, options.seed) for place, name in enumerate(wanted)]
    try:
        for lane in lanes:
            lane.system.start()
        with ThreadPoolExecutor(max_workers=len(lanes)) as pool:
            until = time.monotonic() + options.minutes * 60
            verdicts = list(pool.map(lambda lane: lane.run(wanted[lane.name], until), lanes))
        whole = Verdict()
        for verdict in verdicts:
            whole.add(verdict)
        run = Run(options.seed, time.monotonic() - began, lanes, whole)
        text = report(run)
        print(text, flush=True)
        if options.report is not None:
            options.report.write_text(text)
    finally:
        for lane in lanes:
            lane.system.stop()
            if lane.postgres is not None:
                lane.postgres.stop()
    return 0 if run.passed else 1


def _wanted(lanes: Mapping[str, Sequence[Cell]], only: str) -> dict[str, list[Cell]]:
    chosen = {name: [cell for cell in cells if only in str(cell)] for name, cells in lanes.items()}
    if not any(chosen.values()):
        raise CannotRun(f"no cell's name contains {only!r}; they are: {', '.join(map(str, chain(*lanes.values())))}")
    return {name: cells for name, cells in chosen.items() if cells}


def _lane(name: str, folder: Path, ports: int, seed: int) -> Lane:
    home = _small_disk(folder / f"{name}-disk") / "home"
    home.mkdir(mode=0o700)
    # The far end's disk is not ours to fill: it would confirm pages that it can't keep.
    _small_disk(home / "network")
    if name != "stores":
        return Lane(name, System(home, ports), folder, seed)
    server = Postgres(_small_disk(folder / "postgres-disk"), ports + 900)
    server.start()
    clock = folder / "clock"
    clock.write_text("0")
    environment = {
        "NETFAX_DATABASE_URL": server.url,
        "PYTHONPATH": str(Path(__file__).with_name("moved_clock")),
        "NETFAX_CHAOS_CLOCK": str(clock),
    }
    return Lane(name, System(home, ports, environment), folder, seed, server, clock)


def _small_disk(folder: Path) -> Path:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=711", "chaos", folder], check=True)
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
