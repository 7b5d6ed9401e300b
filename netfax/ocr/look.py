"""One page: which way up it is, or what is written on it."""

import structlog

from netfax import alarms
from netfax.db import UnitOfWork, reading, unit_of_work
from netfax.documents.errors import DocumentError
from netfax.documents.tesseract import ReaderMissing, find_turn, read_text
from netfax.documents.workshop import DocumentsClosed
from netfax.ocr.work import MOST_TRIES, Task, anything_waits, claim_next, give_back, settle_text, settle_turn
from netfax.storage.disk import blob_path

log = structlog.get_logger()

# The subject of the alarm that no page can be looked at.
SUBJECT = "reading"


def look_at_next() -> bool:
    """Look at the page whose turn it is; False when none waits.

    What a page does to the program leaves it as it came. Raises ReaderMissing, DocumentsClosed and OSError, of which
    the operator is told: the page waits, and is looked at when that is mended.
    """
    with reading() as uow:
        # Asked often: a reader waits for no writer, and no writer for it.
        if not anything_waits(uow):
            return False
    with unit_of_work() as uow:
        task = claim_next(uow)
    if task is None:
        return False
    try:
        _look_at(task)
    except (ReaderMissing, DocumentsClosed, OSError) as fault:
        with unit_of_work() as uow:
            give_back(uow, task)
            _tell(uow, fault)
        raise
    return True


def _look_at(task: Task) -> None:
    turn, text = _found(task)
    with unit_of_work() as uow:
        if task.upright:
            settle_turn(uow, task, turn)
        else:
            settle_text(uow, task, text)
        alarms.clear_alarm(uow, alarms.OUR_FAULT, SUBJECT)


def _found(task: Task) -> tuple[int | None, str]:
    """The page's turn, or its text; neither where the page is beyond the program."""
    path = blob_path(task.key)
    try:
        if task.tries > MOST_TRIES:
            log.warning("reading.given_up", blob=task.blob_id, page=task.page)
        elif task.upright:
            return find_turn(path, task.page), ""
        else:
            return None, read_text(path, task.page, turn=task.turn)
    except DocumentError as error:
        log.warning("reading.not_readable", blob=task.blob_id, page=task.page, error=error.code)
    return None, ""


def _tell(uow: UnitOfWork, fault: Exception) -> None:
    if isinstance(fault, ReaderMissing):
        said = alarms.Said(fault.text("en"), fault.text("zh"))
    else:
        why = fault.__cause__ or fault
        said = alarms.Said(
            f"The pages of faxes can't be looked at: {why}. They stay as they came until that is mended.",
            f"无法识别传真页面：{why}。修复之前页面保持原样。",
        )
    alarms.raise_alarm(uow, alarms.OUR_FAULT, SUBJECT, said)
