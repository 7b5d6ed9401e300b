"""An outbound call has ended: its journal says how."""

import re
from dataclasses import asdict

import structlog

from agi.session import AgiSession
from netfax.db import unit_of_work
from netfax.faxes.finish import finish_attempt
from netfax.faxes.journal import number, out_path, read_journal
from netfax.faxes.results import CallOutcome
from netfax.settings import settings
from netfax.telephony import ATTEMPT_ID_LENGTH, JOURNAL, SPOOL_OUT

log = structlog.get_logger()

ACTOR = "gateway"
_ATTEMPT = re.compile(rf"[0-9a-f]{{{ATTEMPT_ID_LENGTH}}}")


def on_outcome(session: AgiSession) -> None:
    """AGI `outcome ATTEMPT`: the journal lies on disk already, so that a failure here loses nothing."""
    (attempt_id,) = session.arguments
    record_outcome(attempt_id)


def record_outcome(attempt_id: str) -> None:
    """Finish the attempt by its journal, then delete the journal and the spooled pages.

    May be called again; raises `BrokenJournal`, OSError or the database's error, and then all is still there.
    """
    if not _ATTEMPT.fullmatch(attempt_id):
        raise ValueError(f"not an attempt id: {attempt_id!r}")
    gateway = settings().gateway_dir
    journal = out_path(gateway / JOURNAL, attempt_id)
    values = read_journal(journal)
    outcome = CallOutcome(
        answered=True,
        fax_status=values.get("status", ""),
        status_text=values.get("statusstr", ""),
        error=values.get("error", ""),
        pages=number(values, "pages"),
        rate=number(values, "rate"),
        mode=values.get("mode", ""),
        remote_station_id=values.get("station", ""),
        seconds=number(values, "seconds"),
        resolution=values.get("resolution", ""),
    )
    with unit_of_work() as uow:
        fresh = finish_attempt(uow, attempt_id, outcome, actor=ACTOR)
    log.info("outbound.ended", attempt=attempt_id, fresh=fresh, **asdict(outcome))
    (gateway / SPOOL_OUT / f"{attempt_id}.tif").unlink(missing_ok=True)
    journal.unlink(missing_ok=True)
