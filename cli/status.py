"""What `netfax status` tells: every service asked now, and the memory of all of them."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cli import processes, runstate
from cli.probes import Beats, ProbeError
from cli.runstate import RunRecord, ServiceRecord, State
from cli.services import Service, all_services
from netfax.settings import Settings

STATES_ZH: dict[State, str] = {"up": "运行中", "down": "已停止", "starting": "正在启动", "failing": "异常"}

SUPERVISOR = ("supervisor", "进程监管", "Supervisor")


@dataclass(frozen=True)
class ServiceStatus:
    """One service now; times are Unix seconds, `pss_kb` is the memory of its whole process tree in KiB.

    `updated_at` is its last sign of life: now when it answers, else its last beat or its last change of state.
    """

    name: str
    title_zh: str
    title_en: str
    state: State
    pid: int | None
    started_at: float | None
    updated_at: float | None
    restarts: int
    pss_kb: int
    detail: str


@dataclass(frozen=True)
class MachineStatus:
    """All services in the order of their start, after them the supervisor itself."""

    services: tuple[ServiceStatus, ...]

    @property
    def all_up(self) -> bool:
        return all(service.state == "up" for service in self.services)

    @property
    def total_pss_kb(self) -> int:
        return sum(service.pss_kb for service in self.services)


def collect(settings: Settings, beats: Beats, services: Sequence[Service] | None = None) -> MachineStatus:
    """Ask every service (some seconds at most); a supervisor that does not run means that all are down."""
    wanted = all_services(settings, beats) if services is None else services
    run = runstate.read(settings.home) if runstate.is_running(settings.home) else None
    with ThreadPoolExecutor(max_workers=max(len(wanted), 1)) as pool:
        answers = list(pool.map(lambda service: _status(service, run), wanted))
    return MachineStatus((*answers, _supervisor_status(run)))


def _status(service: Service, run: RunRecord | None) -> ServiceStatus:
    record = run.service(service.name) if run is not None else None
    if record is None:
        record = ServiceRecord(service.name, "down", detail="the supervisor does not run" if run is None else "")
    alive = record.pid is not None and processes.is_alive(record.pid, record.start_ticks)
    answered, detail = _ask(service) if alive else (False, record.detail)
    return ServiceStatus(
        name=service.name,
        title_zh=service.title_zh,
        title_en=service.title_en,
        state=_state(record, alive, answered),
        pid=record.pid if alive else None,
        started_at=record.started_at if alive else None,
        updated_at=_updated_at(service, record, answered),
        restarts=record.restarts,
        pss_kb=_tree_pss(record) if alive else 0,
        detail=detail,
    )


def _ask(service: Service) -> tuple[bool, str]:
    try:
        return True, service.probe()
    except ProbeError as error:
        return False, str(error)


def _state(record: ServiceRecord, alive: bool, answered: bool) -> State:
    """A service that lives and answers is up, unless it has died too often of late; one that went mute is failing."""
    if record.state == "failing":
        return "failing"
    if not alive:
        return "down"
    if answered:
        return "up"
    return "starting" if record.state == "starting" else "failing"


def _updated_at(service: Service, record: ServiceRecord, answered: bool) -> float | None:
    try:
        if service.last_beat is not None:
            return service.last_beat()
    except ProbeError:
        return record.changed_at or None  # the probe has told the reason already
    return time.time() if answered else record.changed_at or None


def _supervisor_status(run: RunRecord | None) -> ServiceStatus:
    name, title_zh, title_en = SUPERVISOR
    alive = run is not None and processes.is_alive(run.pid, run.start_ticks)
    if run is None or not alive:
        return ServiceStatus(name, title_zh, title_en, "down", None, None, None, 0, 0, "`make run` starts everything")
    began = processes.started_at(run.start_ticks)
    # Its tree holds the services too, which stand in rows of their own.
    pss = processes.pss_kb([run.pid, *([run.guardian_pid] if run.guardian_pid is not None else [])])
    return ServiceStatus(name, title_zh, title_en, "up", run.pid, began, time.time(), 0, pss, "")


def _tree_pss(record: ServiceRecord) -> int:
    if record.pid is None:
        return 0
    return processes.pss_kb([process.pid for process in processes.tree(record.pid, record.start_ticks, record.mark)])
