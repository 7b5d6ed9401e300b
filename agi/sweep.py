"""What calls left on this gateway's disk and nobody has taken: journals whose AGI call failed, pages without one."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from agi.outcome import record_outcome
from agi.told import record_kept
from netfax import alarms
from netfax.db import reading, unit_of_work
from netfax.faxes.journal import BrokenJournal, in_path
from netfax.faxes.receive import is_on_the_line
from netfax.faxes.recording import record_inbound, rescue_inbound
from netfax.settings import settings
from netfax.telephony import JOURNAL, JOURNAL_IN_PREFIX, JOURNAL_OUT_PREFIX, SPOOL_IN

log = structlog.get_logger()

SWEEP_SECONDS = 3
# A call's own AGI comes within moments; before that the sweep would only race with it.
UNCLAIMED_SECONDS = 4
# A line is written in a moment: one that is not whole after this time was cut by a crash or a full disk.
BROKEN_SECONDS = 20
# Such a journal is kept under this prefix for a person to look at.
BROKEN_PREFIX = "broken-"
# No page takes so long: a spool file that has not grown since, and has no journal, belongs to no call any more.
ORPHANED_SECONDS = 3600


def sweep_journals() -> int:
    """Record every journal that has waited long enough; returns how many. One that fails is tried in the next sweep."""
    taken = 0
    for path in sorted((settings().gateway_dir / JOURNAL).iterdir()):
        record, call_id = _recorder(path.name)
        if record is None:
            continue
        try:
            age = _age(path)
            if age >= UNCLAIMED_SECONDS:
                _take(path, record, call_id, may_grow=age < BROKEN_SECONDS)
                taken += 1
        except (BrokenJournal, OSError, SQLAlchemyError, ValueError) as error:
            log.warning("sweep.failed", file=path.name, error=str(error))
    return taken


def _take(path: Path, record: Callable[[str], None], call_id: str, *, may_grow: bool) -> None:
    """Record a journal; one that will never be whole is set aside.

    Then the bridge ends an outbound call by Asterisk's own record, and an inbound call keeps the pages on disk.
    """
    try:
        record(call_id)
    except BrokenJournal as error:
        if may_grow:
            raise
        kept = path.with_name(BROKEN_PREFIX + path.name)
        with unit_of_work() as uow:
            # Before the file is put where no sweep looks: what fails here comes again.
            said = alarms.Said(
                f"The record of a call was cut; see {kept.name}.", f"一次呼叫的记录不完整，见 {kept.name}。"
            )
            alarms.raise_alarm(uow, alarms.JOURNAL_BROKEN, call_id, said)
        if path.name.startswith(JOURNAL_IN_PREFIX):
            rescue_inbound(call_id)
        path.rename(kept)
        log.error("journal.broken", file=path.name, error=str(error))


class Orphans:
    """Received pages that nobody takes: their call died with its Asterisk while nobody could be asked for its owner.

    For how long a file has not grown is measured here, whatever the clock does. A call that has its row is the
    bridge's, who knows which calls live.
    """

    def __init__(self) -> None:
        # Of each file its size and time of change, and since when they are so (monotonic seconds).
        self._seen: dict[Path, tuple[tuple[int, int], float]] = {}

    def rescue(self) -> int:
        """Record the pages that have no journal and have not grown for an hour; returns how many files."""
        waiting = sorted((settings().gateway_dir / SPOOL_IN).glob("*.tif"))
        self._seen = {path: seen for path, seen in self._seen.items() if path in waiting}
        rescued = 0
        for path in waiting:
            journal = in_path(settings().gateway_dir / JOURNAL, path.stem)
            try:
                if self._unchanged_for(path) >= ORPHANED_SECONDS and not journal.exists() and not _has_row(path.stem):
                    rescue_inbound(path.stem)
                    log.warning("sweep.rescued", file=path.name)
                    rescued += 1
            except (OSError, SQLAlchemyError, ValueError) as error:
                log.warning("sweep.failed", file=path.name, error=str(error))
        return rescued

    def _unchanged_for(self, path: Path) -> float:
        status, at = path.stat(), time.monotonic()
        mark = (status.st_size, status.st_mtime_ns)
        known, since = self._seen.get(path, (mark, at))
        self._seen[path] = (mark, since if known == mark else at)
        return at - self._seen[path][1]


def _has_row(reception_id: str) -> bool:
    with reading() as uow:
        return is_on_the_line(uow, reception_id)


def keep_sweeping(stop: threading.Event) -> None:
    """Sweep every 3 s until told to stop."""
    orphans = Orphans()
    while not stop.wait(SWEEP_SECONDS):
        try:
            # First: a call whose journal was cut is better recorded by what its channel has said.
            record_kept()
            sweep_journals()
            orphans.rescue()
        except OSError as error:
            log.warning("sweep.failed", error=str(error))
        except Exception:
            # A defect of ours in one sweep must not end all later ones.
            log.exception("sweep.defect")


def _age(path: Path) -> float:
    """Seconds since the file was written; one from the future was written before the clock was set back."""
    return abs(time.time() - path.stat().st_mtime)


def _recorder(name: str) -> tuple[Callable[[str], None] | None, str]:
    if name.startswith(JOURNAL_OUT_PREFIX):
        return record_outcome, name.removeprefix(JOURNAL_OUT_PREFIX)
    if name.startswith(JOURNAL_IN_PREFIX):
        return record_inbound, name.removeprefix(JOURNAL_IN_PREFIX)
    return None, ""
