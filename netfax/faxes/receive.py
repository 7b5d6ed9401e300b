"""A fax comes in: who gets it, and its record once the call has ended."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select

from netfax import alarms, telephony
from netfax.db import UnitOfWork, now
from netfax.faxes.models import Direction, MailboxItem, Reception
from netfax.faxes.states import UNRECORDED, ReceptionState
from netfax.lines.service import claim_port, find_trunk, release_ports
from netfax.numbers.read import from_network
from netfax.ocr.service import look_at
from netfax.org.homes import system_home
from netfax.org.models import User
from netfax.org.numbers import find_owner, system_operator
from netfax.params.service import get_int
from netfax.queue import Job
from netfax.storage.disk import Stored, free_megabytes
from netfax.storage.service import FAX_TIFF, add_blob


@dataclass(frozen=True)
class InboundCall:
    """A call as a trunk delivers it; numbers are as the network wrote them, already filtered to + and digits."""

    reception_id: str
    gateway: str
    trunk: str
    channel: str
    channel_uid: str
    caller: str
    called: str


@dataclass(frozen=True)
class InboundResult:
    """How an inbound call ended; `pages_confirmed` is what SpanDSP told the caller, to be held against the file."""

    success: bool
    status_text: str
    pages_confirmed: int
    rate: int
    mode: str
    remote_station_id: str
    seconds: int
    ended_at: datetime


def decide(uow: UnitOfWork, call: InboundCall) -> str:
    """Decide on a call before it is answered: one of `telephony.DECISION_*`.

    Accepting claims a port and makes the row.
    """
    if free_megabytes() < get_int(uow, "disk_reserve"):
        return telephony.DECISION_CONGESTION
    owner = find_owner(uow, _identity(uow, call.called))
    if owner is None:
        return telephony.DECISION_UNALLOCATED
    trunk = find_trunk(uow, call.trunk)
    if trunk is None or claim_port(uow, trunk.id, call.reception_id) is None:
        return telephony.DECISION_CONGESTION
    uow.session.add(_reception(uow, call, owner))
    return telephony.DECISION_ACCEPT


def is_recorded(uow: UnitOfWork, reception_id: str) -> bool:
    """Whether the end of an inbound call is on record."""
    reception = uow.session.get(Reception, reception_id)
    return reception is not None and reception.state not in UNRECORDED


def is_on_the_line(uow: UnitOfWork, reception_id: str) -> bool:
    """Whether an inbound call has its row and no end yet."""
    reception = uow.session.get(Reception, reception_id)
    return reception is not None and reception.state is ReceptionState.RECEIVING


def open_receptions(uow: UnitOfWork, gateway: str, settle: timedelta) -> dict[str, str]:
    """The inbound calls of a gateway that began longer ago and have not ended: channel's unique id to reception.

    A call's row is made while its channel lives, so that a channel asked for before was there. One from the future
    began before the clock was set back.
    """
    query = select(Reception.channel_uid, Reception.id).where(
        Reception.gateway == gateway,
        # By the index of those that are open; the state says the same.
        Reception.ended_at.is_(None),
        or_(Reception.started_at < now() - settle, Reception.started_at > now() + settle),
    )
    return {channel_uid: reception_id for channel_uid, reception_id in uow.session.execute(query)}  # noqa: C416


def record_reception(
    uow: UnitOfWork, call: InboundCall, result: InboundResult, file: Stored | None, pages: int
) -> Reception | None:
    """Record an ended call with the whole pages of its file; None when that was done before.

    A call that nobody was asked about (AGI was gone) has no row yet: its fax goes to the owner all the same, or to
    the system's operator, because its pages were confirmed to the caller.
    """
    reception = uow.session.get(Reception, call.reception_id, with_for_update=True)
    if reception is None:
        owner = find_owner(uow, _identity(uow, call.called)) or system_operator(uow)
        reception = _reception(uow, call, owner)
        uow.session.add(reception)
    elif reception.state not in UNRECORDED:
        return None
    _record_result(reception, result, pages)
    release_ports(uow, [call.reception_id])
    if file is not None and pages:
        blob = add_blob(uow, file, tenant_id=reception.tenant_id, media_type=FAX_TIFF)
        reception.blob_id = blob.id
        look_at(uow, blob, pages, from_line=True)
        uow.session.flush()
        uow.session.add(
            MailboxItem(
                tenant_id=reception.tenant_id,
                user_id=reception.user_id,
                direction=Direction.IN,
                reception_id=reception.id,
            )
        )
    uow.enqueue(Job.WAKE_DISPATCHER)
    return reception


def lose_receptions(uow: UnitOfWork, reception_ids: Collection[str]) -> int:
    """End inbound calls of gateways that nobody hears of any more, without a result; how many.

    Their ports are free, and what they brought is recorded should the gateway come back.
    """
    query = select(Reception).where(Reception.id.in_(reception_ids), Reception.ended_at.is_(None))
    receptions = uow.session.scalars(query.order_by(Reception.id).with_for_update()).all()
    for reception in receptions:
        reception.state = ReceptionState.LOST
        reception.ended_at = now()
        release_ports(uow, [reception.id])
    for gateway, calls in Counter(reception.gateway for reception in receptions).items():
        said = alarms.Said(
            f"The gateway {gateway} is not heard of any more. Calls that brought a fax then: {calls}; what they "
            "confirmed lies on its disk, and is recorded when it runs again.",
            f"网关 {gateway} 已失联，当时有 {calls} 路来电正在接收传真；"
            "已确认的页面在该网关的磁盘上，恢复运行后会自动入库。",
        )
        alarms.raise_alarm(uow, alarms.GATEWAY_LOST, gateway, said)
    return len(receptions)


def note_confirmed(uow: UnitOfWork, reception_id: str, confirmed: int) -> Reception | None:
    """Note how many pages the caller of a call that is not yet recorded was told of; None without its row."""
    reception = uow.session.get(Reception, reception_id, with_for_update=True)
    if reception is None or reception.state not in UNRECORDED:
        return None
    reception.pages_confirmed = max(reception.pages_confirmed, confirmed)
    return reception


def _identity(uow: UnitOfWork, called: str) -> str:
    return from_network(called, system_home(uow))


def _reception(uow: UnitOfWork, call: InboundCall, owner: User) -> Reception:
    return Reception(
        id=call.reception_id,
        gateway=call.gateway,
        tenant_id=owner.tenant_id,
        user_id=owner.id,
        trunk_name=call.trunk,
        channel=call.channel[:128],
        channel_uid=call.channel_uid[:150],
        caller=_identity(uow, call.caller)[:32],
        called=_identity(uow, call.called)[:32],
        pages_confirmed=0,
        state=ReceptionState.RECEIVING,
    )


def _record_result(reception: Reception, result: InboundResult, pages: int) -> None:
    # More where it was noted at the call's end and its journal is gone.
    reception.pages_confirmed = max(reception.pages_confirmed, result.pages_confirmed)
    if not pages:
        reception.state = ReceptionState.EMPTY
    elif result.success and pages >= reception.pages_confirmed:
        reception.state = ReceptionState.RECEIVED
    else:
        reception.state = ReceptionState.PARTIAL
    reception.pages = pages
    reception.status_text = result.status_text[:128]
    reception.rate = result.rate
    reception.mode = result.mode[:8]
    reception.remote_station_id = result.remote_station_id[:64]
    reception.seconds = result.seconds
    reception.ended_at = min(result.ended_at, now())
