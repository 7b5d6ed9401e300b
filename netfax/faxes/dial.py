"""What the bridge must know to place a call, and its claim on it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import or_, select, update

from netfax import telephony
from netfax.db import UnitOfWork, now
from netfax.faxes.models import Attempt, Delivery
from netfax.faxes.results import longest_call
from netfax.lines.models import Trunk, TrunkKind
from netfax.numbers.write import FaxNumber, dial_string, station_id
from netfax.org.homes import system_home
from netfax.org.models import OwnedNumber
from netfax.params.service import get_int, get_text
from netfax.storage.service import path_of

# For what a channel still does when its call is over.
JOURNAL_TIME = timedelta(seconds=30)


@dataclass(frozen=True)
class CallPlan:
    """A call as Originate takes it, and the pages that it sends."""

    attempt_id: str
    channel: str
    caller_id: str
    variables: Mapping[str, str]
    timeout_ms: int
    document: Path
    first_page: int
    fine: bool


def waiting_attempts(uow: UnitOfWork, gateway: str) -> list[str]:
    """The attempts of a gateway that nobody has placed yet, oldest first."""
    query = (
        select(Attempt.id)
        .where(Attempt.gateway == gateway, Attempt.ended_at.is_(None), Attempt.originated_at.is_(None))
        .order_by(Attempt.created_at)
    )
    return list(uow.session.scalars(query))


def plan_call(uow: UnitOfWork, attempt_id: str) -> CallPlan | None:
    """The plan of an attempt that nobody has placed yet; None when there is nothing (any more) to place."""
    attempt = uow.session.get(Attempt, attempt_id)
    if attempt is None or attempt.originated_at is not None or attempt.ended_at is not None:
        return None
    delivery = attempt.delivery
    document = delivery.submission.document
    if document is None:
        return None
    home = system_home(uow)
    number = FaxNumber(identity=delivery.identity, extension=delivery.extension)
    sender = _sender_number(uow, delivery)
    return CallPlan(
        attempt_id=attempt_id,
        channel=_channel(attempt.trunk, dial_string(number, home)),
        caller_id=dial_string(FaxNumber(identity=sender, extension=""), home) if sender else "",
        variables=_variables(uow, attempt, number, sender),
        timeout_ms=get_int(uow, "ring_time") * 1000,
        document=path_of(document.blob),
        first_page=attempt.first_page,
        fine=attempt.fine,
    )


def cancel_asked(uow: UnitOfWork, attempt_id: str) -> bool:
    """Whether the sender has taken the fax back since its call was decided on."""
    query = select(Delivery.cancel_asked_at).join(Attempt, Attempt.delivery_id == Delivery.id)
    return uow.session.scalar(query.where(Attempt.id == attempt_id)) is not None


def cancelled_attempts(uow: UnitOfWork, gateway: str) -> list[str]:
    """The open attempts of a gateway whose fax the sender has taken back."""
    query = (
        select(Attempt.id)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .where(Attempt.gateway == gateway, Attempt.ended_at.is_(None), Delivery.cancel_asked_at.is_not(None))
    )
    return list(uow.session.scalars(query))


def claim_attempt(uow: UnitOfWork, attempt_id: str, boot: str) -> datetime | None:
    """Claim the right to place the call; the claim for one caller alone. The commit comes before the Originate."""
    claim: datetime | None = uow.session.scalar(
        update(Attempt)
        .where(Attempt.id == attempt_id, Attempt.originated_at.is_(None), Attempt.ended_at.is_(None))
        .values(originated_at=now(), boot=boot)
        .returning(Attempt.originated_at)
        .execution_options(synchronize_session=False)
    )
    return claim


def give_back_attempt(uow: UnitOfWork, attempt_id: str, claim: datetime) -> None:
    """The call of this claim was certainly not placed: whoever comes next may place it. A later claim stays."""
    uow.session.execute(
        update(Attempt)
        .where(
            Attempt.id == attempt_id,
            Attempt.originated_at == claim,
            Attempt.answered_at.is_(None),
            Attempt.ended_at.is_(None),
        )
        .values(originated_at=None, boot="")
        .execution_options(synchronize_session=False)
    )


def claim_of(uow: UnitOfWork, attempt_id: str) -> datetime | None:
    """The claim under which a call with this id may be on the line; None when there is none, or the call is over."""
    query = select(Attempt.originated_at).where(Attempt.id == attempt_id, Attempt.ended_at.is_(None))
    return uow.session.scalar(query)


def unclaimed(uow: UnitOfWork, call_ids: Collection[str]) -> list[str]:
    """Of calls that are on the line, those that must not be: no attempt claims them, or it ended a while ago."""
    query = select(Attempt.id).where(
        Attempt.id.in_(call_ids),
        Attempt.originated_at.is_not(None),
        # Its channel may still be writing its journal.
        or_(Attempt.ended_at.is_(None), Attempt.ended_at > now() - JOURNAL_TIME),
    )
    return sorted(set(call_ids) - set(uow.session.scalars(query)))


def _channel(trunk: Trunk, number: str) -> str:
    match trunk.kind:
        case TrunkKind.SIP:
            return f"PJSIP/{number}@{trunk.name}"
        case TrunkKind.IAX2:
            return f"IAX2/{trunk.name}/{number}"


def _variables(uow: UnitOfWork, attempt: Attempt, number: FaxNumber, sender: str) -> dict[str, str]:
    """Values of `telephony.AMI_VALUE` characters only; a comma in DTMF is a pause of a second, which w gives twice."""
    return {
        telephony.ATTEMPT_ID: attempt.id,
        telephony.DIGITS: number.extension.replace(",", "ww"),
        telephony.DIGITS_WAIT: get_text(uow, "extension_wait"),
        telephony.SEND_MODE: attempt.asked_mode if attempt.trunk.t38 else telephony.MODE_AUDIO,
        telephony.SEND_ECM: "yes" if attempt.ecm else "no",
        telephony.SEND_MODEM: attempt.modem,
        telephony.CALL_LIMIT: str(longest_call(attempt.delivery.pages - attempt.first_page + 1)),
        telephony.STATION_ID: "".join(filter(str.isdigit, station_id(sender))) if sender else "",
    }


def _sender_number(uow: UnitOfWork, delivery: Delivery) -> str:
    """The sender's own fax number is what the far end sees (R3.9)."""
    query = (
        select(OwnedNumber.identity)
        .where(OwnedNumber.user_id == delivery.user_id)
        .order_by(OwnedNumber.main.desc(), OwnedNumber.identity)
        .limit(1)
    )
    return uow.session.scalar(query) or ""
