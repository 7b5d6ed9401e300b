"""An outbound call has ended: its journal says how."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import structlog

from agi.channel import read_channel
from agi.session import AgiSession
from netfax.db import UnitOfWork
from netfax.faxes.finish import finish_attempts
from netfax.faxes.journal import BrokenJournal, number, out_path, read_journal
from netfax.faxes.results import CallOutcome
from netfax.settings import settings
from netfax.telephony import ATTEMPT_ID_LENGTH, JOURNAL, JOURNAL_FIELDS_OUT
from netfax.together import Together

log = structlog.get_logger()

ACTOR = "gateway"
_ATTEMPT = re.compile(rf"[0-9a-f]{{{ATTEMPT_ID_LENGTH}}}")


def on_outcome(session: AgiSession) -> None:
    """AGI `outcome ATTEMPT`: the journal lies on disk already, so that a failure here loses nothing.

    Where the disk took no journal, the channel itself still knows how its call ended.
    """
    (attempt_id,) = session.arguments
    try:
        record_outcome(attempt_id)
    except (BrokenJournal, FileNotFoundError) as error:
        log.warning("outcome.no_journal", attempt=attempt_id, error=str(error))
        _finish(attempt_id, read_channel(session, JOURNAL_FIELDS_OUT))
        _journal(attempt_id).unlink(missing_ok=True)


def record_outcome(attempt_id: str) -> None:
    """Finish the attempt by its journal, then delete the journal.

    May be called again; raises `BrokenJournal`, OSError or the database's error, and then all is still there.
    """
    if not _ATTEMPT.fullmatch(attempt_id):
        raise ValueError(f"not an attempt id: {attempt_id!r}")
    journal = _journal(attempt_id)
    _finish(attempt_id, read_journal(journal))
    journal.unlink(missing_ok=True)


def _journal(attempt_id: str) -> Path:
    return out_path(settings().gateway_dir / JOURNAL, attempt_id)


def _finish(attempt_id: str, values: Mapping[str, str]) -> None:
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
    fresh = _ends.ask(attempt_id, outcome).result()
    log.info("outbound.ended", attempt=attempt_id, fresh=bool(fresh), **asdict(outcome))


def _finish_all(uow: UnitOfWork, outcomes: Mapping[str, CallOutcome]) -> Mapping[str, bool]:
    return dict.fromkeys(finish_attempts(uow, outcomes, actor=ACTOR), True)


# Many calls end in the same moment on a busy gateway.
_ends = Together("ends", _finish_all)
