"""V12: rows that belong together belong to one tenant, so that nothing of one is reachable from another."""

from sqlalchemy import or_, select

from netfax.faxes.models import Attachment, Delivery, Document, FaxCover, MailboxItem, Preview, Reception, Submission
from netfax.monitor.verify.rules import Found, Look, Rule, Words, rows_that
from netfax.org.models import User
from netfax.storage.models import Blob


def find_foreign_submissions(_look: Look) -> Found:
    """A submission is of its user's tenant."""
    query = select(Submission.uuid).join(User, User.id == Submission.user_id)
    return rows_that(Submission.id, query.where(Submission.tenant_id != User.tenant_id))


def find_foreign_deliveries(_look: Look) -> Found:
    """A delivery is of its submission's user and tenant, and of its user's tenant."""
    query = (
        select(Delivery.uuid)
        .join(Submission, Submission.id == Delivery.submission_id)
        .join(User, User.id == Delivery.user_id)
        .where(
            or_(
                Delivery.tenant_id != Submission.tenant_id,
                Delivery.user_id != Submission.user_id,
                Delivery.tenant_id != User.tenant_id,
            )
        )
    )
    return rows_that(Delivery.id, query)


def find_foreign_receptions(_look: Look) -> Found:
    """A reception is of its user's tenant. A fax handed over inside may come from another one's user."""
    query = select(Reception.id).join(User, User.id == Reception.user_id)
    return rows_that(Reception.id, query.where(Reception.tenant_id != User.tenant_id))


def find_foreign_items(_look: Look) -> Found:
    """A mailbox item (its running number) is of its user's tenant, and shows a fax of the same."""
    query = (
        select(MailboxItem.id)
        .join(User, User.id == MailboxItem.user_id)
        .outerjoin(Delivery, Delivery.id == MailboxItem.delivery_id)
        .outerjoin(Reception, Reception.id == MailboxItem.reception_id)
        .where(
            or_(
                MailboxItem.tenant_id != User.tenant_id,
                MailboxItem.tenant_id != Delivery.tenant_id,
                MailboxItem.tenant_id != Reception.tenant_id,
            )
        )
    )
    return rows_that(MailboxItem.id, query)


def find_foreign_files(_look: Look) -> Found:
    """A stored file is of the tenant of each row that refers to it: attachment, cover, document, reception, preview."""
    attached = select(Attachment.blob_id).join(Submission, Submission.id == Attachment.submission_id)
    covers = select(FaxCover.blob_id).join(Submission, Submission.id == FaxCover.submission_id)
    drawn = select(Document.blob_id).join(Submission, Submission.id == Document.submission_id)
    query = select(Blob.key).where(
        or_(
            Blob.id.in_(
                attached.join(Blob, Blob.id == Attachment.blob_id).where(Blob.tenant_id != Submission.tenant_id)
            ),
            Blob.id.in_(covers.join(Blob, Blob.id == FaxCover.blob_id).where(Blob.tenant_id != Submission.tenant_id)),
            Blob.id.in_(drawn.join(Blob, Blob.id == Document.blob_id).where(Blob.tenant_id != Submission.tenant_id)),
            Blob.id.in_(
                select(Reception.blob_id)
                .join(Blob, Blob.id == Reception.blob_id)
                .where(Blob.tenant_id != Reception.tenant_id)
            ),
            Blob.id.in_(
                select(Blob.id)
                .join(Preview, Blob.id.in_((Preview.blob_id, Preview.shown_blob_id)))
                .where(Blob.tenant_id != Preview.tenant_id)
            ),
        )
    )
    return rows_that(Blob.id, query)


ONE_TENANT = (
    Rule(
        "foreign_submission",
        Words("submission in another tenant than its user", "与其用户不属同一单位的提交"),
        find_foreign_submissions,
    ),
    Rule(
        "foreign_delivery",
        Words("delivery in another tenant than its user or submission", "与其用户或提交不属同一单位的传真"),
        find_foreign_deliveries,
    ),
    Rule(
        "foreign_reception",
        Words("reception in another tenant than its user", "与其用户不属同一单位的来件"),
        find_foreign_receptions,
    ),
    Rule(
        "foreign_item",
        Words("mailbox item in another tenant than its user or its fax", "与其用户或传真不属同一单位的信箱条目"),
        find_foreign_items,
    ),
    Rule(
        "foreign_file",
        Words("stored file in another tenant than what refers to it", "与引用它的记录不属同一单位的文件"),
        find_foreign_files,
    ),
)
