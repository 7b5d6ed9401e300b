"""Submission → Document and Deliveries → Attempts; Reception; MailboxItem."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, false, text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from netfax.db import Base, Word, now
from netfax.documents.look import USUAL, Look, Mode, Resolution
from netfax.faxes.results import Cause
from netfax.faxes.states import DeliveryState, ReceptionState
from netfax.lines.models import Trunk
from netfax.org.models import User, new_uuid
from netfax.storage.models import Blob


class Direction(StrEnum):
    IN = "in"
    OUT = "out"


class Priority(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


def _partial(name: str, *columns: str, where: str) -> Index:
    """An index of the few rows for which a condition holds: it does not grow with history."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


_READY = "draw_turn IS NOT NULL AND draw_after IS NULL"


class Submission(Base):
    """What a user asked to send, once, however many numbers it goes to (R3.8)."""

    __tablename__ = "submission"
    __table_args__ = (
        # A repeated request is known by its key; keys are forgotten after 30 days.
        UniqueConstraint("user_id", "client_key"),
        _partial("ix_submission_keys", "created_at", where="client_key IS NOT NULL"),
        # Who is drawn next is found at once however many wait (`netfax.faxes.draw_queue`).
        _partial("ix_submission_ready", "draw_rank", "draw_turn", "id", where=_READY),
        _partial("ix_submission_turns", "user_id", "draw_rank", "draw_turn", where=_READY),
        _partial("ix_submission_drawn_later", "draw_after", where="draw_after IS NOT NULL"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    recipient_name: Mapped[str] = mapped_column(String(128), default="")
    title: Mapped[str] = mapped_column(String(256), default="")
    resolution: Mapped[Resolution] = mapped_column(
        Word(Resolution), default=USUAL.resolution, server_default=USUAL.resolution
    )
    mode: Mapped[Mode] = mapped_column(Word(Mode), default=USUAL.mode, server_default=USUAL.mode)
    client_key: Mapped[str | None] = mapped_column(String(128))
    # SHA-256 of what was asked for, in hex: the same key with another request is no repetition.
    fingerprint: Mapped[str] = mapped_column(String(64), default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    # Its place among those that wait to be drawn: the lowest rank first, in it the lowest turn. No turn when it is
    # drawn, or never will be.
    draw_rank: Mapped[int] = mapped_column(default=0, server_default="0")
    draw_turn: Mapped[int | None]
    # Nobody else draws it before this: `drawn_by` (a machine's worker) is at it, or our own fault has stopped it.
    draw_after: Mapped[datetime | None]
    drawn_by: Mapped[str] = mapped_column(String(64), default="", server_default="")
    # How many workers have died while they drew it.
    draw_deaths: Mapped[int] = mapped_column(default=0, server_default="0")

    @property
    def look(self) -> Look:
        return Look(self.resolution, self.mode)

    user: Mapped[User] = relationship()
    cover: Mapped["FaxCover | None"] = relationship()
    attachments: Mapped[list["Attachment"]] = relationship(order_by="Attachment.position")
    document: Mapped["Document | None"] = relationship(back_populates="submission")


class FaxCover(Base):
    """The cover of a submission: its template's name as the sender read it, what he wrote, and the filled page.

    The page (`netfax.faxes.cover`) is a file as the attachments are.
    """

    __tablename__ = "fax_cover"

    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    blob_id: Mapped[int] = mapped_column(ForeignKey("blob.id"))

    blob: Mapped[Blob] = relationship()


class Attachment(Base):
    """An uploaded file, as it came; `name` is the user's own name for it and never touches the disk."""

    __tablename__ = "attachment"

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(255))
    # By an index, here and below: when a file's row goes, the database looks for those that need it.
    blob_id: Mapped[int] = mapped_column(ForeignKey("blob.id"), index=True)

    blob: Mapped[Blob] = relationship()


class Document(Base):
    """The one fax image of a submission; `page_bytes` are the sizes of its Group 4 pages.

    `made_of` is a digest of the attachments and the look that it was drawn from, within its tenant: the same again need
    not be drawn again; None without attachments. Its first `cover_pages` are of its cover, which is not in the digest
    and always drawn. One that is not `lasting` may have been drawn otherwise on another day, as a letter with a date.
    """

    __tablename__ = "document"
    __table_args__ = (Index("ix_document_made_of", "made_of", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), unique=True)
    blob_id: Mapped[int] = mapped_column(ForeignKey("blob.id"), index=True)
    pages: Mapped[int]
    page_bytes: Mapped[list[int]] = mapped_column(JSON)
    made_of: Mapped[str | None] = mapped_column(String(64))
    lasting: Mapped[bool] = mapped_column(default=False, server_default=false())
    cover_pages: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=now)

    submission: Mapped[Submission] = relationship(back_populates="document")
    blob: Mapped[Blob] = relationship()


class Preview(Base):
    """A fax as its sender looked at it before he sent it; gone after an hour.

    `blob` are its pages as `Document` has them, with the same `made_of`, `cover_pages` and `lasting`: sent within that
    time, what is behind the cover is not drawn again. `shown_blob` are the same pages with the line at the top, where
    there is one.
    """

    __tablename__ = "preview"
    __table_args__ = (Index("ix_preview_made_of", "made_of", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    blob_id: Mapped[int] = mapped_column(ForeignKey("blob.id"))
    shown_blob_id: Mapped[int] = mapped_column(ForeignKey("blob.id"))
    pages: Mapped[int]
    page_bytes: Mapped[list[int]] = mapped_column(JSON)
    made_of: Mapped[str | None] = mapped_column(String(64))
    cover_pages: Mapped[int] = mapped_column(default=0)
    lasting: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)

    blob: Mapped[Blob] = relationship(foreign_keys=blob_id)
    shown_blob: Mapped[Blob] = relationship(foreign_keys=shown_blob_id)


class Delivery(Base):
    """A submission to one number: state, tries and result of its own."""

    __tablename__ = "delivery"
    __table_args__ = (
        # What the dispatcher asks every round costs the same however many wait.
        Index("ix_delivery_due", "state", "admitted", "next_try_at"),
        Index("ix_delivery_expiry", "state", "expires_at"),
        Index("ix_delivery_waits", "state", "waits_since"),
        Index("ix_delivery_ended", "ended_at"),
        _partial("ix_delivery_again", "again_of", where="again_of IS NOT NULL"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    # The identity decides routes and what is one number; the text is what the user typed.
    identity: Mapped[str] = mapped_column(String(15))
    extension: Mapped[str] = mapped_column(String(20), default="")
    number_text: Mapped[str] = mapped_column(String(64))
    priority: Mapped[Priority] = mapped_column(Word(Priority), default=Priority.MEDIUM)
    state: Mapped[DeliveryState] = mapped_column(Word(DeliveryState), default=DeliveryState.CONVERTING)
    cause: Mapped[Cause | None] = mapped_column(Word(Cause))
    # What the far end or the network said; the note of the document's error where it could not be drawn.
    cause_detail: Mapped[str] = mapped_column(Text, default="")
    pages: Mapped[int] = mapped_column(default=0)
    pages_confirmed: Mapped[int] = mapped_column(default=0)
    # Calls made (R5.6 重试); of them, those that were answered and so cost money, and those that were not.
    tries: Mapped[int] = mapped_column(default=0)
    paid_tries: Mapped[int] = mapped_column(default=0, server_default="0")
    free_tries: Mapped[int] = mapped_column(default=0, server_default="0")
    # Trunks on which a call failed by the trunk itself since the last pause (ids): the next call takes another.
    avoid: Mapped[list[int]] = mapped_column(JSON, default=list, server_default="[]")
    next_try_at: Mapped[datetime | None]
    # Since when it waits for `next_try_at`; one in the future shows that the clock was set back.
    waits_since: Mapped[datetime | None]
    # The dispatcher has it in its waiting room.
    admitted: Mapped[bool] = mapped_column(default=False, server_default=false())
    # 定时发送: not before this; and not any more after that.
    planned_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    cancel_asked_at: Mapped[datetime | None]
    # The delivery whose missing pages this one sends again.
    again_of: Mapped[int | None] = mapped_column(ForeignKey("delivery.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]

    submission: Mapped[Submission] = relationship()
    user: Mapped[User] = relationship()
    attempts: Mapped[list["Attempt"]] = relationship(
        back_populates="delivery", order_by="[Attempt.number, Attempt.created_at]"
    )


class Attempt(Base):
    """One call. Open until `ended_at`; `originated_at` is set by the one bridge that may place it."""

    __tablename__ = "attempt"
    __table_args__ = (_partial("ix_attempt_open", "gateway", where="ended_at IS NULL"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id"), index=True)
    trunk_id: Mapped[int] = mapped_column(ForeignKey("trunk.id"))
    gateway: Mapped[str] = mapped_column(String(20))
    # The delivery's first, second … call; times may run backwards when the clock is set.
    number: Mapped[int] = mapped_column(default=1, server_default="1")
    first_page: Mapped[int] = mapped_column(default=1)
    # How the call is made (`netfax.faxes.retry.CallParameters`).
    asked_mode: Mapped[str] = mapped_column(String(8), default="t38", server_default="t38")
    modem: Mapped[str] = mapped_column(String(8), default="v17", server_default="v17")
    ecm: Mapped[bool] = mapped_column(default=True, server_default=true())
    fine: Mapped[bool] = mapped_column(default=True, server_default=true())
    created_at: Mapped[datetime] = mapped_column(default=now)
    originated_at: Mapped[datetime | None]
    # Which start of Asterisk the call was placed on: a later one can't have it any more.
    boot: Mapped[str] = mapped_column(String(40), default="")
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cause: Mapped[Cause | None] = mapped_column(Word(Cause))
    status_text: Mapped[str] = mapped_column(String(128), default="")
    hangup_cause: Mapped[int | None]
    pages_confirmed: Mapped[int] = mapped_column(default=0)
    rate: Mapped[int] = mapped_column(default=0)
    mode: Mapped[str] = mapped_column(String(8), default="")
    remote_station_id: Mapped[str] = mapped_column(String(64), default="")
    seconds: Mapped[int] = mapped_column(default=0)

    delivery: Mapped[Delivery] = relationship(back_populates="attempts")
    trunk: Mapped[Trunk] = relationship()


class StateChange(Base):
    """One change of a delivery's state: when, by whom, why."""

    __tablename__ = "state_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=now)
    actor: Mapped[str] = mapped_column(String(140))
    before: Mapped[DeliveryState | None] = mapped_column(Word(DeliveryState))
    after: Mapped[DeliveryState] = mapped_column(Word(DeliveryState))
    reason: Mapped[str] = mapped_column(String(256), default="")


class Reception(Base):
    """One inbound call; its id is the UUID that the dialplan gave it, which names its spool file."""

    __tablename__ = "reception"
    __table_args__ = (
        UniqueConstraint("gateway", "id"),
        _partial("ix_reception_open", "gateway", where="ended_at IS NULL"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    gateway: Mapped[str] = mapped_column(String(20))
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    trunk_name: Mapped[str] = mapped_column(String(20), default="")
    channel: Mapped[str] = mapped_column(String(128), default="")
    # Asterisk's Uniqueid, which unlike the channel's name comes never again.
    channel_uid: Mapped[str] = mapped_column(String(150), default="")
    # Identities where the number is whole, otherwise the digits that the line delivered; empty for a hidden caller.
    caller: Mapped[str] = mapped_column(String(32), default="")
    called: Mapped[str] = mapped_column(String(32), default="")
    remote_station_id: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[ReceptionState] = mapped_column(Word(ReceptionState), default=ReceptionState.RECEIVING)
    status_text: Mapped[str] = mapped_column(String(128), default="")
    pages: Mapped[int] = mapped_column(default=0)
    # What SpanDSP confirmed to the caller; more than `pages` means that pages were lost on our side.
    pages_confirmed: Mapped[int] = mapped_column(default=0)
    rate: Mapped[int] = mapped_column(default=0)
    mode: Mapped[str] = mapped_column(String(8), default="")
    seconds: Mapped[int] = mapped_column(default=0)
    blob_id: Mapped[int | None] = mapped_column(ForeignKey("blob.id"), index=True)
    # The delivery that was handed over inside (R3.7): no call brought this fax.
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("delivery.id"), unique=True)
    started_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]

    blob: Mapped[Blob | None] = relationship()
    user: Mapped[User] = relationship()
    delivery: Mapped[Delivery | None] = relationship()


class Destination(Base):
    """What worked for a number where the usual did not; forgotten after a time, so that the usual is tried again."""

    __tablename__ = "destination"

    identity: Mapped[str] = mapped_column(String(15), primary_key=True)
    asked_mode: Mapped[str] = mapped_column(String(8))
    modem: Mapped[str] = mapped_column(String(8))
    ecm: Mapped[bool]
    fine: Mapped[bool]
    learned_at: Mapped[datetime] = mapped_column(default=now)


class MailboxItem(Base):
    """A fax as its owner sees it in a list; `id` is the running number 编号 (R5.6), never an authorisation."""

    __tablename__ = "mailbox_item"
    # A running number is never used again, which SQLite promises only when asked.
    __table_args__ = (
        Index("ix_mailbox_item_list", "user_id", "direction", "deleted_at", "id"),
        _partial("ix_mailbox_item_unread", "user_id", "direction", where="read_at IS NULL AND deleted_at IS NULL"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    direction: Mapped[Direction] = mapped_column(Word(Direction))
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("delivery.id"), unique=True)
    reception_id: Mapped[str | None] = mapped_column(ForeignKey("reception.id"), unique=True)
    read_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    # How its owner has turned the pages to read them: degrees, clockwise.
    turn: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=now)

    delivery: Mapped[Delivery | None] = relationship()
    reception: Mapped[Reception | None] = relationship()
    user: Mapped[User] = relationship()
