"""One system under traffic: fault after fault, how soon all was right again after each, and what came of every fax."""

import json
import random
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Select, select
from sqlalchemy.exc import SQLAlchemyError

from cli.gateway import live_channels
from dialplan import network, network_phone
from netfax.db import now
from netfax.faxes.models import Attempt, Delivery, Reception, Submission
from netfax.faxes.states import STATE_INFO, DeliveryState
from netfax.monitor.models import ServiceBeat
from tests.chaos import faults
from tests.chaos.cells import Cell
from tests.chaos.database import Postgres
from tests.chaos.faults import Fault, NotStruck
from tests.chaos.judge import Verdict, Window, judge
from tests.chaos.traffic import Traffic
from tests.e2e.helpers import ALICE
from tests.fixtures.documents.build import pdf
from tests.system import System, eventually

T = TypeVar("T")

# B2: everything is in its right state so soon after the fault has gone.
RECOVERY_SECONDS = 60.0
# A run goes on where that is missed, and says so.
PATIENCE = 240.0
# Retries of tens of faxes to ten numbers, each of half a minute.
DRAIN_SECONDS = 480.0
# How long a client that asks whether all is right waits for an answer before it asks anew.
ASK_SECONDS = 10.0
# An answered call is in the database so soon, or the caller tries again.
ANSWER_SECONDS = 15.0
BUSY_LINES = 2
# A fault that nothing met is done again: there may have been no call, or no word to the disk, just then.
TIMES = 3
BEAT_TOLERANCE = timedelta(seconds=60)
PARAMS = {"retry_interval": "20", "disk_reserve": "20"}


@dataclass
class Struck:
    """What one fault has done; `recovery` is seconds from its end until all was right again, None when it never was."""

    cell: Cell
    recovery: float | None = None
    # What was right last; or why it was not struck.
    waited_for: str = ""
    # What `netfax verify` found then.
    breaches: list[str] = field(default_factory=list)
    # None when it was not struck.
    window: Window | None = None


@dataclass
class Before:
    """What was under way when a fault struck: calls out, calls in, and faxes whose pages were still to be drawn."""

    calls: Collection[str]
    receptions: Collection[str]
    undrawn: Collection[int]


class Asked:
    """A step that a thread of its own tries, again and again until it is done: other steps do not wait for it."""

    def __init__(self, pool: ThreadPoolExecutor, step: Callable[[], bool]) -> None:
        self._pool, self._step = pool, step
        self._asking: Future[bool] | None = None

    def __call__(self) -> bool:
        if self._asking is None:
            self._asking = self._pool.submit(self._step)
        if not self._asking.done():
            return False
        done, self._asking = self._asking.result(), None
        return done


@dataclass
class Lane:
    """A system with its traffic, and the faults that wait for it."""

    name: str
    system: System
    folder: Path
    seed: int
    postgres: Postgres | None = None
    clock: Path | None = None
    struck: list[Struck] = field(default_factory=list)
    # What went wrong with this run itself.
    broken: list[str] = field(default_factory=list)
    say: Callable[[str], None] = field(default=partial(print, flush=True))

    def run(self, cells: Sequence[Cell], until: float) -> Verdict:
        """Strike every cell once, in an order of the seed, while there is time (monotonic seconds); then judge."""
        self.traffic = Traffic(self.system, self.folder, self.name, self.seed)
        try:
            for name, value in PARAMS.items():
                self.system.cli("param", "set", name, value)
            self.traffic.start()
            self._strike_all(cells, until)
            self.traffic.stop()
            self._drain()
            return judge(self.system, self.traffic.log, [each.window for each in self.struck if each.window])
        except Exception:  # noqa: BLE001 - what the other lanes prove is told
            self.broken.append(traceback.format_exc())
            return Verdict()

    def _strike_all(self, cells: Sequence[Cell], until: float) -> None:
        order = list(cells)
        random.Random(f"{self.seed}-{self.name}").shuffle(order)
        with ThreadPoolExecutor(max_workers=8) as self._askers:
            for cell in order:
                if time.monotonic() > until:
                    self.struck.append(Struck(cell, waited_for="not struck: no time was left"))
                    continue
                try:
                    struck = self._strike_well(cell)
                except Exception as error:  # noqa: BLE001 - the next cell is struck
                    self.broken.append(f"{cell}: {traceback.format_exc()}")
                    struck = Struck(cell, waited_for=f"not struck: {error!r}"[:200])
                self.struck.append(struck)
                self._tell(struck)

    def _strike_well(self, cell: Cell) -> Struck:
        why = ""
        for _ in range(TIMES):
            self._until_busy()
            try:
                return self._strike(cell)
            except NotStruck as error:
                why = str(error)
                self.say(f"{self.name:<7} {cell!s:<24} once more: {why}")
        raise NotStruck(why)

    def _strike(self, cell: Cell) -> Struck:
        fault = self._fault(cell)
        before = self._before()
        began = time.time()
        try:
            fault.strike()
            fault.hold()
        finally:
            fault.lift()
        window = Window(str(cell), began, time.time())
        struck = Struck(cell, window=window)
        since = time.monotonic()
        struck.recovery, struck.waited_for = self._recover(since, before)
        window.right_at = time.time()
        struck.breaches = self._verify_until(since + RECOVERY_SECONDS)
        return struck

    def _tell(self, struck: Struck) -> None:
        if struck.window is None:
            said = struck.waited_for
        else:
            took = "NOT right again" if struck.recovery is None else f"right again after {struck.recovery:.0f} s"
            verify = f"breaches: {', '.join(struck.breaches)}" if struck.breaches else "verify: all holds"
            said = f"{took} ({struck.waited_for}); {verify}"
        self.say(f"{self.name:<7} {struck.cell!s:<24} {said}")

    # --- Before ---

    def _until_busy(self) -> None:
        """Faults are to meet calls: some are answered, out or in."""

        def busy() -> bool:
            query = select(Delivery).where(Delivery.state == DeliveryState.SENDING)
            return len(self._read(query) or ()) >= BUSY_LINES

        eventually(busy, 120, f"{self.name}: no calls are on the line")

    def _before(self) -> Before:
        calls = self._read(select(Attempt).where(Attempt.ended_at.is_(None), Attempt.originated_at.is_not(None)))
        receptions = self._read(select(Reception).where(Reception.ended_at.is_(None)))
        undrawn = self._read(select(Delivery).where(Delivery.state == DeliveryState.CONVERTING))
        return Before(
            {each.id for each in calls or ()},
            {each.id for each in receptions or ()},
            {each.id for each in undrawn or ()},
        )

    def _fault(self, cell: Cell) -> Fault:
        match cell.part:
            case "database":
                return self._database_fault(cell.fault)
            case "disk":
                return faults.FullDisk(self.system.home)
            case "clock":
                return self._clock_fault(1 if cell.fault == "+1 day" else -1)
        service = {"worker": "worker-outbound", "worker's child": "worker-outbound"}.get(cell.part, cell.part)
        if cell.part == "worker's child":
            self._let_it_draw()
            victims = faults.children(self.system, service)
        else:
            leader_alone = cell.fault == "kill"
            victims = (faults.leader if leader_alone else faults.tree)(self.system, service)
        match cell.fault:
            case "kill":
                return faults.Kill(victims)
            case "stop":
                return faults.Stop(victims)
            case "fsync":
                return faults.NoSync(victims, record=self._record)
            case "reset":
                return faults.Cut(self._ports(cell.part))
            case "silence" if cell.part == "gateway":
                return faults.silence(self._line_ports(), "udp")
            case "silence":
                return faults.silence(self._ports(cell.part))
        raise ValueError(f"no such fault: {cell}")

    def _database_fault(self, fault: str) -> Fault:
        server = self.postgres
        assert server is not None
        match fault:
            case "kill":
                return faults.Kill(faults.named(server.postmaster))
            case "stop":
                return faults.Stop(faults.named(server.everybody))
            case "full":
                return faults.FullDisk(server.folder)
            case "fsync":
                return faults.NoSync(faults.named(server.everybody), record=self._record)
            case "reset":
                return faults.Cut([server.port])
        return faults.silence([server.port])

    def _clock_fault(self, days: int) -> Fault:
        control = self.clock
        assert control is not None
        moved = int(control.read_text()) + days

        def is_followed() -> bool:
            beats = self._read(select(ServiceBeat)) or ()
            return any(abs(each.updated_at - now() - timedelta(days=moved)) < BEAT_TOLERANCE for each in beats)

        return faults.MoveClock(control, str(moved), is_followed)

    @property
    def _record(self) -> Path:
        """What strace has seen."""
        return self.folder / f"{self.name}-strace.txt"

    def _ports(self, part: str) -> list[int]:
        names = {"portal": "portal", "bridge": "gateway_ami", "agi": "agi", "redis": "redis"}
        return [self.system.settings.port(names[part])]

    def _line_ports(self) -> list[int | str]:
        """Signalling and media, from the network's side."""
        settings = self.system.settings
        media = [settings.media_ports(name) for name in ("network_rtp", "network_udptl")]
        sip = [settings.port(name) for name in ("network_sip", "network_sip_g711")]
        return [*sip, *(f"{first}:{last}" for first, last in media)]

    def _let_it_draw(self) -> None:
        """Something that takes a worker some seconds, to a number of ours."""
        document = self.folder / "long.pdf"
        document.write_bytes(pdf(150, content="0 0 m 500 800 l S"))
        self.system.send(ALICE, "7804002", document)

    # --- After ---

    def _recover(self, since: float, before: Before) -> tuple[float | None, str]:
        """Seconds until new faxes go out and come in, every service is up, and nothing from before hangs."""
        took: dict[str, float] = {}
        steps: Mapping[str, Callable[[], bool]] = {
            "a new fax is accepted and its call answered": Asked(self._askers, self._send_new),
            "a new call in is answered": Asked(self._askers, self._call_new),
            "every service is up": self._all_up,
            "calls from before have ended or live": lambda: self._settled(before),
            "pages from before are drawn": lambda: self._drawn(before.undrawn),
        }
        waiting = dict(steps)
        while waiting and time.monotonic() < since + PATIENCE:
            for what, done in list(waiting.items()):
                if done():
                    took[what] = time.monotonic() - since
                    del waiting[what]
            time.sleep(0.5)
        if waiting:
            return None, ", ".join(waiting)
        last = max(took, key=lambda what: took[what])
        return took[last], last

    def _send_new(self) -> bool:
        with suppress(TimeoutError):
            title = self.traffic.ask(ASK_SECONDS)
            query = select(Attempt).join(Attempt.delivery).join(Delivery.submission).where(Submission.title == title)
            return self._comes(query.where(Attempt.answered_at.is_not(None)), PATIENCE)
        return False

    def _call_new(self) -> bool:
        caller = self.traffic.call(ALICE, 1)
        if caller is None:
            time.sleep(1)
            return False
        return self._comes(select(Reception).where(Reception.caller == f"86{caller[1:]}"), ANSWER_SECONDS)

    def _comes(self, query: Select[tuple[T]], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._read(query):
                return True
            time.sleep(0.5)
        return False

    def _all_up(self) -> bool:
        record = json.loads((self.system.home / "run/supervisor.json").read_text())
        return all(service["state"] == "up" for service in record["services"])

    def _settled(self, before: Before) -> bool:
        calls = self._read(select(Attempt).where(Attempt.id.in_(before.calls), Attempt.ended_at.is_(None)))
        receptions = self._read(
            select(Reception).where(Reception.id.in_(before.receptions), Reception.ended_at.is_(None))
        )
        if calls is None or receptions is None:
            return False
        if not calls and not receptions:
            return True
        live = live_channels(self.system.settings)
        return live is not None and live >= {each.id for each in calls} | {each.channel_uid for each in receptions}

    def _drawn(self, deliveries: Collection[int]) -> bool:
        undrawn = Delivery.id.in_(deliveries), Delivery.state == DeliveryState.CONVERTING
        return self._read(select(Delivery).where(*undrawn)) == []

    def _verify_until(self, end: float) -> list[str]:
        """What `netfax verify` still finds at that time (monotonic seconds); once at least."""
        while (breaches := self._verify()) and time.monotonic() < end:
            time.sleep(1)
        return breaches

    def _verify(self) -> list[str]:
        done = self.system.cli("verify", "--json", check=False)
        try:
            checks = json.loads(done.stdout)["checks"]
        except ValueError:
            return [f"verify: {done.stdout}{done.stderr}"]
        unasked = [f"not asked: {rule}" for check in checks for rule in check["not_asked"]]
        breaches = [breach for check in checks for breach in check["breaches"]]
        return unasked + [f"{each['rule']} {each['id']}" for each in breaches if not self._by_real_clock(each["rule"])]

    def _by_real_clock(self, rule: str) -> bool:
        """A file's age is told by the kernel's clock, which is not moved: it says nothing while the others are."""
        return rule == "file_without_row" and self.clock is not None and self.clock.read_text() != "0"

    def _drain(self) -> None:
        """Wait until every fax and every call has ended, or its time is up: what then has not ended is lost."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while not self._at_rest() and time.monotonic() < deadline:
            time.sleep(2)

    def _at_rest(self) -> bool:
        ends = [state for state in DeliveryState if STATE_INFO[state].ended]
        deliveries = self._read(select(Delivery).where(Delivery.state.not_in(ends)).limit(1))
        receptions = self._read(select(Reception).where(Reception.ended_at.is_(None)).limit(1))
        return deliveries == [] and receptions == [] and not self._calling()

    def _calling(self) -> bool:
        """Whether a call of the network to us may still be made or on the line."""
        folder = self.system.settings.network_dir / network.FAX_OUT
        for call in self.traffic.log.called_in:
            recent = time.time() - call.at < network_phone.RING_TIMEOUT
            if recent and not network_phone.read_result(folder / f"{call.call_id}.txt"):
                return True
        return False

    def _read(self, query: Select[tuple[T]]) -> list[T] | None:
        """None while the database can't be asked."""
        try:
            return self.system.read(query)
        except SQLAlchemyError:
            return None
