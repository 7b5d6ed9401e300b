"""The pages of calls out, where SendFAX finds them, for as long as their call is open."""

import shutil
import time
from pathlib import Path

from sqlalchemy import select

from netfax.db import UnitOfWork
from netfax.documents.coarse import to_standard
from netfax.documents.headline import write_headlines
from netfax.documents.tiffwrite import extract_pages
from netfax.faxes.dial import CallPlan
from netfax.faxes.models import Attempt
from netfax.org.models import new_uuid
from netfax.telephony import SPOOL_OUT

# What no row knows: the folder of a drawing that was killed, or the call of a database that was put back.
UNKNOWN_SECONDS = 3600


def spool_pages(gateway_dir: Path, plan: CallPlan) -> None:
    """Lay the pages of a call where SendFAX finds them, whole or not at all."""
    target = gateway_dir / SPOOL_OUT / f"{plan.attempt_id}.tif"
    # Of this process alone: another bridge may be laying the same pages.
    draft = target.with_name(f"{plan.attempt_id}.{new_uuid()}.new")
    if plan.fine:
        extract_pages(plan.document, draft, plan.first_page)
    else:
        to_standard(plan.document, draft, first=plan.first_page)
    if plan.headline is not None:
        lined = draft.with_suffix(".lined.new")
        write_headlines(draft, lined, plan.headline, first=plan.first_page)
        lined.replace(draft)
    # Asterisk runs as another user.
    draft.chmod(0o644)
    draft.replace(target)


def clear_spool(uow: UnitOfWork, gateway_dir: Path) -> None:
    """Remove the pages of calls that are over, drafts too; what no row knows goes after an hour."""
    files: dict[str, list[Path]] = {}
    for path in (gateway_dir / SPOOL_OUT).iterdir():
        files.setdefault(path.name.partition(".")[0], []).append(path)
    if not files:
        return
    query = select(Attempt.id, Attempt.ended_at).where(Attempt.id.in_(files))
    ends = {call_id: ended_at for call_id, ended_at in uow.session.execute(query)}  # noqa: C416
    for call_id, paths in files.items():
        for path in paths:
            if ends[call_id] is not None if call_id in ends else _is_old(path):
                _remove(path)


def _is_old(path: Path) -> bool:
    try:
        return abs(time.time() - path.stat().st_mtime) > UNKNOWN_SECONDS
    except FileNotFoundError:
        # Its drawing has ended in this moment.
        return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
