"""An inbound call has ended: from what lies on the gateway's disk to its record."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from netfax import alarms, telephony
from netfax.db import UnitOfWork, reading, unit_of_work
from netfax.documents.tiff import count_pages, is_intact
from netfax.documents.tiffwrite import extract_pages
from netfax.faxes.journal import in_path, number, read_journal
from netfax.faxes.models import Reception
from netfax.faxes.receive import InboundCall, InboundResult, is_recorded, note_confirmed, record_reception
from netfax.settings import settings
from netfax.storage.disk import Stored, store_file, work_folder
from netfax.storage.service import kept_if_recorded

log = structlog.get_logger()

_RECEPTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def record_inbound(reception_id: str) -> None:
    """Record an inbound call by its journal and its spool file, and delete both last.

    May be called again; raises `BrokenJournal`, OSError or the database's error, and then all is still there.
    """
    record_told(reception_id, read_journal(_journal(reception_id)))


def record_told(reception_id: str, values: Mapping[str, str]) -> None:
    """Record an inbound call by what its journal says, or its channel where the disk took no journal; as above."""
    if values.get("decision") not in telephony.REFUSAL_CAUSES:
        _record(reception_id, values, spool_file(reception_id))
    spool_file(reception_id).unlink(missing_ok=True)
    _journal(reception_id).unlink(missing_ok=True)


def _journal(reception_id: str) -> Path:
    return in_path(settings().gateway_dir / telephony.JOURNAL, checked_reception_id(reception_id))


def rescue_inbound(reception_id: str) -> None:
    """Record a call that has no whole journal and will get none: its pages were confirmed to the caller.

    They lie in the spool file. How many they were nobody knows, which is an alarm. The journal, if any, is left to the
    caller; raises as `record_inbound` does, and then all is still there.
    """
    spool = spool_file(checked_reception_id(reception_id))
    _record(reception_id, {}, spool)
    spool.unlink(missing_ok=True)


def spool_file(reception_id: str) -> Path:
    """Where the gateway receives the pages of a call."""
    return settings().gateway_dir / telephony.SPOOL_IN / f"{reception_id}.tif"


def _record(reception_id: str, values: Mapping[str, str], spool: Path) -> None:
    """Count the pages in the file itself: SpanDSP confirms pages that it could not write."""
    with reading() as uow:
        # Asked before the file is stored: a sweep that finds the database gone must not leave a copy each time.
        if is_recorded(uow, reception_id):
            return
    pages = count_pages(spool) if spool.exists() else 0
    result = _result(values)
    try:
        stored = _store(spool) if pages else None
    except OSError:
        _tell_what_was_confirmed(reception_id, result.pages_confirmed)
        raise
    with kept_if_recorded([stored] if stored else []), unit_of_work() as uow:
        reception = record_reception(uow, _call(reception_id, values), result, stored, pages)
        if reception is not None:
            if reception.pages >= reception.pages_confirmed:
                # The disk has taken the pages that it refused at first.
                alarms.clear_alarm(uow, alarms.PAGES_LOST, reception_id)
            raise_pages_lost(uow, reception)
            if not values:
                _raise_not_known(uow, reception)
    if reception is not None:
        _report(reception)


def _store(spool: Path) -> Stored:
    """Store the file, or its whole pages alone where a fault has cut off the rest."""
    if is_intact(spool):
        return store_file(spool)
    with work_folder() as folder:
        whole = folder / "whole.tif"
        extract_pages(spool, whole, 1)
        return store_file(whole)


def raise_pages_lost(uow: UnitOfWork, reception: Reception) -> None:
    """Raise the alarm for pages that were confirmed to the caller and are not on disk; nothing when all are."""
    if reception.pages < reception.pages_confirmed:
        confirmed, kept, caller = reception.pages_confirmed, reception.pages, reception.caller
        said = alarms.Said(
            f"Pages confirmed to {caller or 'a caller'}: {confirmed}, on disk: {kept}; ask for the fax again.",
            f"已向{caller or '来电方'}确认 {confirmed} 页，存盘 {kept} 页；请对方重新发送传真。",
        )
        alarms.raise_alarm(uow, alarms.PAGES_LOST, reception.id, said)


def _raise_not_known(uow: UnitOfWork, reception: Reception) -> None:
    kept, caller = reception.pages, reception.caller
    said = alarms.Said(
        f"A call of {caller or 'a caller'} ended without its record: pages on disk: {kept}; whether more were "
        "confirmed is not known.",
        f"{caller or '来电方'}的来电结束时没有留下记录：存盘 {kept} 页，是否确认过更多页面无法得知。",
    )
    alarms.raise_alarm(uow, alarms.JOURNAL_BROKEN, reception.id, said)


def _tell_what_was_confirmed(reception_id: str, confirmed: int) -> None:
    """Keep what only this moment knows where the disk takes no copy of the pages: the database may still write."""
    with suppress(SQLAlchemyError), unit_of_work() as uow:
        reception = note_confirmed(uow, reception_id, confirmed)
        if reception is not None:
            raise_pages_lost(uow, reception)


def _report(reception: Reception) -> None:
    log.info("inbound.recorded", reception=reception.id, state=reception.state, pages=reception.pages)
    if reception.pages < reception.pages_confirmed:
        log.error(
            "inbound.pages_lost",
            reception=reception.id,
            confirmed=reception.pages_confirmed,
            on_disk=reception.pages,
        )


def _call(reception_id: str, values: Mapping[str, str]) -> InboundCall:
    return InboundCall(
        reception_id=reception_id,
        gateway=settings().gateway,
        trunk=values.get("trunk", ""),
        channel="",
        channel_uid="",
        caller=values.get("caller", ""),
        called=values.get("called", ""),
    )


def _result(values: Mapping[str, str]) -> InboundResult:
    ended = number(values, "epoch")
    return InboundResult(
        success=values.get("status") == "SUCCESS",
        status_text=values.get("statusstr", "") or values.get("error", ""),
        pages_confirmed=number(values, "pages"),
        rate=number(values, "rate"),
        mode=values.get("mode", ""),
        remote_station_id=values.get("station", ""),
        seconds=number(values, "seconds"),
        ended_at=datetime.fromtimestamp(ended, UTC) if ended else datetime.now(UTC),
    )


def checked_reception_id(reception_id: str) -> str:
    """Names from outside never touch the disk: only a UUID of the dialplan's passes."""
    if not _RECEPTION.fullmatch(reception_id):
        raise ValueError(f"not a reception id: {reception_id!r}")
    return reception_id
