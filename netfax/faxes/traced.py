"""The shapes of a fax's history, as `netfax trace --json` prints them: ids are public, times in UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class StoredFile:
    """A stored file as its row has it, and whether it is on disk; what is in it is looked at by `netfax verify`."""

    key: str
    size: int
    sha256: str
    present: bool


@dataclass(frozen=True)
class AttachmentTrace:
    name: str
    file: StoredFile


@dataclass(frozen=True)
class CoverTrace:
    name: str
    file: StoredFile


@dataclass(frozen=True)
class DocumentTrace:
    """The drawn image; `page_bytes` are the sizes of its pages on the line."""

    pages: int
    page_bytes: Sequence[int]
    file: StoredFile
    created_at: datetime


@dataclass(frozen=True)
class SubmissionTrace:
    id: str
    user: str
    tenant: str
    recipient_name: str
    title: str
    client_key: str | None
    created_at: datetime
    attachments: Sequence[AttachmentTrace]
    cover: CoverTrace | None
    document: DocumentTrace | None


@dataclass(frozen=True)
class ChangeTrace:
    at: datetime
    actor: str
    before: str | None
    after: str
    reason: str


@dataclass(frozen=True)
class AttemptTrace:
    """One call. `pages_confirmed` are those of this call alone, whose first page is `first_page` of the document."""

    id: str
    trunk: str
    gateway: str
    boot: str
    created_at: datetime
    originated_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    asked_mode: str
    modem: str
    ecm: bool
    fine: bool
    cause: str | None
    status_text: str
    hangup_cause: int | None
    first_page: int
    pages_confirmed: int
    rate: int
    mode: str
    seconds: int
    station_id: str


@dataclass(frozen=True)
class ItemTrace:
    """The fax in its owner's list; `number` is its running number (编号)."""

    number: int
    id: str
    user: str
    read_at: datetime | None
    deleted_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class DeliveryTrace:
    """A fax to one number; `again_of` and `sent_again_by` are deliveries whose missing pages were sent again."""

    id: str
    item: ItemTrace | None
    number: str
    identity: str
    extension: str
    priority: str
    state: str
    cause: str | None
    cause_detail: str
    pages: int
    pages_confirmed: int
    tries: int
    paid_tries: int
    free_tries: int
    next_try_at: datetime | None
    planned_at: datetime | None
    expires_at: datetime | None
    cancel_asked_at: datetime | None
    created_at: datetime
    ended_at: datetime | None
    submission: SubmissionTrace
    changes: Sequence[ChangeTrace]
    attempts: Sequence[AttemptTrace]
    again_of: str | None
    sent_again_by: Sequence[str]


@dataclass(frozen=True)
class ReceptionTrace:
    """A call that came in, or (with `inside`) a fax handed over without one; `id` is what its call is known by."""

    id: str
    uuid: str
    item: ItemTrace | None
    inside: bool
    user: str
    gateway: str
    trunk: str
    channel: str
    channel_uid: str
    caller: str
    called: str
    station_id: str
    state: str
    status_text: str
    pages: int
    pages_confirmed: int
    rate: int
    mode: str
    seconds: int
    file: StoredFile | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class AlarmTrace:
    number: int
    code: str
    subject: str
    text: str
    text_zh: str
    raised_at: datetime
    cleared_at: datetime | None


@dataclass(frozen=True)
class FaxTrace:
    """What went out, what came in, or both where it was handed over inside (R3.7), and the alarms about it."""

    delivery: DeliveryTrace | None
    reception: ReceptionTrace | None
    alarms: Sequence[AlarmTrace]
