"""V3: confirmed pages are on disk, or an alarm names them. V4: what failed after some is kept as a partial fax."""

from pathlib import Path

from sqlalchemy import and_, or_, select

from netfax import alarms
from netfax.db import reading, unit_of_work
from netfax.documents.tiff import count_pages
from netfax.faxes.models import Delivery, Direction, MailboxItem, Reception
from netfax.faxes.recording import raise_pages_lost
from netfax.faxes.states import UNRECORDED, DeliveryState, ReceptionState
from netfax.monitor.verify.rules import Found, Look, Rule, Words, rows_that
from netfax.storage.disk import blob_path
from netfax.storage.models import Blob

_ENDED = Reception.state.not_in(UNRECORDED)


def find_losses_without_alarm(_look: Look) -> Found:
    """Every ended reception of which more pages were confirmed than are on disk has its alarm, cleared or not.

    Record and alarm come with one commit.
    """
    named = (
        select(alarms.Alarm.id)
        .where(alarms.Alarm.code == alarms.PAGES_LOST, alarms.Alarm.subject == Reception.id)
        .exists()
    )
    query = select(Reception.id).where(_ENDED, Reception.pages_confirmed > Reception.pages, ~named)
    return rows_that(Reception.id, query, _ENDED)


def raise_missing_alarm(reception_id: str) -> bool:
    with unit_of_work() as uow:
        reception = uow.session.get_one(Reception, reception_id)
        raise_pages_lost(uow, reception)
        return reception.pages < reception.pages_confirmed


def find_other_page_counts(look: Look) -> Found:
    """The file of every ended reception holds exactly the whole pages that its row says; each file is opened.

    Files are on disk before the row is committed and never change.
    """
    query = select(Reception.id, Reception.pages, Blob.key).join(Blob, Blob.id == Reception.blob_id).where(_ENDED)
    with reading() as uow:
        rows = [row for row in uow.session.execute(query).all() if look.wants(row.id)]
    counted = {row.id: (row.pages, _pages_in(blob_path(row.key))) for row in rows}
    return Found(len(rows), {key: f"{said} ≠ {there}" for key, (said, there) in counted.items() if said != there})


def _pages_in(path: Path) -> int | None:
    try:
        return count_pages(path)
    except OSError:
        return None


def find_pages_without_file(_look: Look) -> Found:
    """Every ended reception with pages has its file's row."""
    with_pages = (_ENDED, Reception.pages > 0)
    return rows_that(Reception.id, select(Reception.id).where(*with_pages, Reception.blob_id.is_(None)), *with_pages)


def find_pages_without_item(_look: Look) -> Found:
    """Every ended reception with pages is in a mailbox; an item in the bin is still there."""
    with_pages = (_ENDED, Reception.pages > 0)
    item = select(MailboxItem.id).where(MailboxItem.reception_id == Reception.id).exists()
    return rows_that(Reception.id, select(Reception.id).where(*with_pages, ~item), *with_pages)


def put_reception_into_mailbox(reception_id: str) -> bool:
    with unit_of_work() as uow:
        reception = uow.session.get_one(Reception, reception_id, with_for_update={"of": Reception})
        if uow.session.scalar(select(MailboxItem.id).where(MailboxItem.reception_id == reception_id)) is not None:
            return False
        uow.session.add(
            MailboxItem(
                tenant_id=reception.tenant_id,
                user_id=reception.user_id,
                direction=Direction.IN,
                reception_id=reception_id,
            )
        )
        return True


def find_partial_that_are_not(_look: Look) -> Found:
    """Of a delivery that is `partial`, some pages were confirmed and not all."""
    partial = Delivery.state == DeliveryState.PARTIAL
    all_or_none = or_(Delivery.pages_confirmed <= 0, Delivery.pages_confirmed >= Delivery.pages)
    return rows_that(Delivery.id, select(Delivery.uuid).where(partial, all_or_none), partial)


def find_sent_that_are_not(_look: Look) -> Found:
    """Of a delivery that is `sent`, every page was confirmed."""
    sent = Delivery.state == DeliveryState.SENT
    query = select(Delivery.uuid).where(sent, Delivery.pages_confirmed != Delivery.pages)
    return rows_that(Delivery.id, query, sent)


def find_failed_that_are_partial(_look: Look) -> Found:
    """Of a delivery that `failed`, no page was confirmed."""
    failed = Delivery.state == DeliveryState.FAILED
    return rows_that(Delivery.id, select(Delivery.uuid).where(failed, Delivery.pages_confirmed > 0), failed)


def find_other_reception_states(_look: Look) -> Found:
    """An ended reception is in the state that its pages ask for: none, less than were confirmed, or all."""
    empty = and_(Reception.state == ReceptionState.EMPTY, Reception.pages > 0)
    whole = and_(
        Reception.state == ReceptionState.RECEIVED,
        or_(Reception.pages == 0, Reception.pages < Reception.pages_confirmed),
    )
    partial = and_(Reception.state == ReceptionState.PARTIAL, Reception.pages == 0)
    query = select(Reception.id, Reception.state).where(_ENDED, or_(empty, whole, partial))
    return rows_that(Reception.id, query, _ENDED)


CONFIRMED = (
    Rule(
        "loss_without_alarm",
        Words("reception whose lost pages no alarm names", "有页面丢失却没有告警的来件"),
        find_losses_without_alarm,
        raise_missing_alarm,
        Words("alarm raised", "已发出告警"),
    ),
    Rule(
        "other_page_count",
        Words("reception whose pages are not those in its file; pages", "页数与文件不符的来件；页数"),
        find_other_page_counts,
    ),
)

PARTIALS = (
    Rule(
        "pages_without_file",
        Words("reception with pages and no file", "有页数却没有文件的来件"),
        find_pages_without_file,
    ),
    Rule(
        "pages_without_item",
        Words("reception with pages that is in no mailbox", "有页面却不在任何信箱中的来件"),
        find_pages_without_item,
        put_reception_into_mailbox,
        Words("put into its owner's mailbox", "已放入收件人的信箱"),
    ),
    Rule(
        "partial_that_is_not",
        Words("partly sent delivery with no page or every page confirmed", "标为部分发送但确认页数为零或为全部的传真"),
        find_partial_that_are_not,
    ),
    Rule(
        "failed_that_is_partial",
        Words("failed delivery of which pages were confirmed", "标为失败但有页面已确认的传真"),
        find_failed_that_are_partial,
    ),
    Rule(
        "sent_that_is_not",
        Words("sent delivery of which not every page was confirmed", "标为已发送但未全部确认的传真"),
        find_sent_that_are_not,
    ),
    Rule(
        "other_reception_state",
        Words("reception whose state is not that of its pages; its state", "状态与页数不符的来件；其状态"),
        find_other_reception_states,
    ),
)
