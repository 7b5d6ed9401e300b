"""Table 2: ten thousand short calls over a hundred lines, by everything but SendFAX."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, insert, select

from bench.local_bridge import FAR_CONTEXT
from bench.peers import installation
from cli.services import prepare
from dialplan import asterisk, render
from dialplan.gateway import trunk_config
from netfax import telephony as tel
from netfax.db import now, reading, unit_of_work
from netfax.documents.convert import to_fax_tiff
from netfax.faxes.models import Attempt, Delivery, Document, Submission
from netfax.faxes.states import DeliveryState
from netfax.lines.service import add_trunk, list_trunks, remove_trunk
from netfax.org.models import User
from netfax.settings import Settings, settings
from netfax.storage.disk import store_file
from netfax.storage.service import FAX_TIFF, add_blob
from tests.chaos.database import Postgres
from tests.factories import make_trunk
from tests.pages import make_tiff

CALLS = 10_000
LINES = 100
CALL_SECONDS = 2
# What B2 asks for on PostgreSQL.
LEAST_BUSY = 0.90
# The last thousand beside the first.
MOST_SLOWER = 1.10
STALLED_SECONDS = 60


@dataclass(frozen=True)
class Run:
    """Seconds until so many calls had ended, by thousands."""

    database: str
    ends: list[float]

    @property
    def busy(self) -> float:
        """Which part of the lines had a call, without the first and the last tenth."""
        first, last = self.ends[1], self.ends[-2]
        calls = (len(self.ends) - 3) * 1000
        return calls * CALL_SECONDS / (LINES * (last - first))

    @property
    def first_thousand(self) -> float:
        return self.ends[1] - self.ends[0]

    @property
    def last_thousand(self) -> float:
        return self.ends[-1] - self.ends[-2]


@dataclass(frozen=True)
class DispatchTable:
    runs: list[Run]

    @property
    def holds(self) -> bool:
        postgresql = self.runs[0]
        return postgresql.busy >= LEAST_BUSY and postgresql.last_thousand <= MOST_SLOWER * postgresql.first_thousand

    def text(self) -> str:
        limit = LINES / CALL_SECONDS
        rows = [
            f"| {run.database} | {run.busy:.1%} | {run.busy * limit:.1f} | {run.first_thousand:.1f} s |"
            f" {run.last_thousand:.1f} s |"
            for run in self.runs
        ]
        return "\n".join(
            [
                "## 2. The dispatcher",
                "",
                f"{CALLS:,} calls of {CALL_SECONDS} s on Local channels over {LINES} lines; the limit is {limit:g} a"
                " second.",
                "",
                "| | lines busy | calls a second | first thousand | last thousand |",
                "|---|---|---|---|---|",
                *rows,
                "",
                f"Wanted: busy ≥ {LEAST_BUSY:.0%} on PostgreSQL, the last thousand as fast as the first.",
            ]
        )


def measure(folder: Path) -> DispatchTable:
    """PostgreSQL, then SQLite, each on an installation of its own."""
    # PostgreSQL runs as a user of its own.
    folder.chmod(0o711)
    (folder / "postgres").mkdir()
    runs = []
    with installation(folder / "one") as home:
        server = Postgres(folder / "postgres", home.port_base + 900)
        server.start()
        try:
            with installation(folder / "home-pg", NETFAX_DATABASE_URL=server.url):
                runs.append(_run("PostgreSQL", folder))
        finally:
            server.stop()
    with installation(folder / "home-sqlite"):
        runs.append(_run("SQLite", folder))
    return DispatchTable(runs)


def _run(database: str, folder: Path) -> Run:
    _fill(folder)
    with _everything(settings()):
        return Run(database, _ends())


def _fill(folder: Path) -> None:
    """One fax of one page to ten thousand numbers, held until all runs."""
    to_fax_tiff([make_tiff(folder / "page.tif", "bench")], folder / "fax.tif")
    page = store_file(folder / "fax.tif")
    with unit_of_work() as uow:
        for trunk in list_trunks(uow):
            remove_trunk(uow, trunk.name)
        add_trunk(uow, make_trunk("bench", gateway=settings().gateway), channels=LINES)
        user = uow.session.scalars(select(User).where(User.name == "alice")).one()
        blob = add_blob(uow, page, tenant_id=user.tenant_id, media_type=FAX_TIFF)
        submission = Submission(tenant_id=user.tenant_id, user_id=user.id)
        uow.session.add(submission)
        uow.session.flush()
        uow.session.add(Document(submission_id=submission.id, blob_id=blob.id, pages=1, page_bytes=[page.size]))
        common: Mapping[str, object] = {
            "submission_id": submission.id,
            "tenant_id": user.tenant_id,
            "user_id": user.id,
            "pages": 1,
            "state": DeliveryState.QUEUED,
            "next_try_at": now(),
            "waits_since": now(),
        }
        numbers = [f"8673690{number:05d}" for number in range(CALLS)]
        uow.session.execute(
            insert(Delivery), [{**common, "identity": number, "number_text": number} for number in numbers]
        )


@contextmanager
def _everything(home: Settings) -> Iterator[None]:
    """Redis, the gateway, AGI, the bridge and the dispatcher, as `netfax run` starts them but for the lines."""
    prepare(home)
    with reading() as uow:
        trunks = [trunk_config(trunk) for trunk in list_trunks(uow, home.gateway)]
    asterisk.prepare(home.gateway_dir)
    render.write(home.gateway_dir, _without_fax(render.gateway_files(home, trunks)))
    with ExitStack() as stack:
        redis = [str(home.run_dir / "redis-server"), str(home.home / "redis" / "redis.conf")]
        for argv in (
            redis,
            asterisk.command(home.asterisk, home.gateway_dir),
            [sys.executable, "-m", "agi.main"],
            [sys.executable, "-m", "bench.local_bridge"],
            [sys.executable, "-m", "jobs.dispatcher"],
        ):
            stack.enter_context(_process(argv, home.log_dir / f"{Path(argv[-1]).name}.log"))
        yield


@contextmanager
def _process(argv: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output, subprocess.Popen(argv, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.terminate()


def _without_fax(files: dict[str, str]) -> dict[str, str]:
    """A call lasts its seconds and says what a good fax says; all before and after it is as ever."""
    name = "etc/extensions.conf"
    told = ("STATUS=SUCCESS", "STATUSSTRING=OK", "PAGES=1", "BITRATE=14400", "RESOLUTION=8031x7700", "MODE=T38")
    instead = "".join(f"Set(FAX{each})\n same => n," for each in told) + f"Wait({CALL_SECONDS})"
    pages = f"SendFAX({tel.HOME}/{tel.SPOOL_OUT}/${{{tel.ATTEMPT_ID}}}.tif,zfs)"
    dialplan = files[name]
    if pages not in dialplan:
        raise RuntimeError("the dialplan sends its pages in another way")
    far = f"\n[{FAR_CONTEXT}]\nexten => _X.,1,Answer()\n same => n,Wait(60)\n"
    return {**files, name: dialplan.replace(pages, instead) + far}


def _ends() -> list[float]:
    """When each thousand of calls had ended, in seconds since the first was placed."""
    began: datetime | None = None
    ends: list[float] = []
    last, changed = -1, time.monotonic()
    while True:
        with reading() as uow:
            done = uow.session.scalar(select(func.count()).where(Delivery.state == DeliveryState.SENT)) or 0
            began = began or uow.session.scalar(select(func.min(Attempt.originated_at)))
        if began is not None and not ends:
            ends.append(0.0)
        while ends and done >= len(ends) * 1000 and len(ends) * 1000 <= CALLS:
            ends.append((now() - began).total_seconds() if began else 0.0)
        if done >= CALLS:
            return ends
        if done != last:
            last, changed = done, time.monotonic()
        elif time.monotonic() - changed > STALLED_SECONDS:
            raise RuntimeError(f"after {done} calls nothing went on")
        time.sleep(0.2)
