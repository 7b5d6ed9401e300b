"""What the bridge must know to place a call, and its claim on it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import joinedload

from netfax import telephony
from netfax.db import UnitOfWork, now
from netfax.documents.headline import Headline
from netfax.faxes.models import Attempt, Delivery, Document, Submission
from netfax.faxes.results import longest_call
from netfax.faxes.sender import Sender, page_line, senders_of
from netfax.lines.models import Trunk, TrunkKind
from netfax.numbers.errors import NotAFaxNumber
from netfax.numbers.home import Home
from netfax.numbers.write import FaxNumber, dial_string, station_id
from netfax.org.homes import system_home
from netfax.params.service import get_flag, get_int, get_text
from netfax.storage.service import path_of

log = structlog.get_logger()

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
    # What each of its pages says at the top.
    headline: Headline | None = None


def plan_calls(uow: UnitOfWork, gateway: str, besides: Collection[str] = ()) -> tuple[list[CallPlan], dict[str, str]]:
    """The calls of a gateway that nobody has placed yet, oldest first, `besides` excepted.

    Also what is wrong with the numbers that can't be dialled from here, by attempt id.
    """
    query = (
        select(Attempt)
        .where(Attempt.gateway == gateway, Attempt.ended_at.is_(None), Attempt.originated_at.is_(None))
        .where(Attempt.id.not_in(besides))
        .options(
            joinedload(Attempt.trunk),
            joinedload(Attempt.delivery)
            .joinedload(Delivery.submission)
            .joinedload(Submission.document)
            .joinedload(Document.blob),
        )
        .order_by(Attempt.created_at)
    )
    attempts = list(uow.session.scalars(query))
    senders = senders_of(uow, {attempt.delivery.user_id for attempt in attempts})
    home = system_home(uow)
    lined = get_flag(uow, "page_header")
    plans, undialable = [], {}
    for attempt in attempts:
        document = attempt.delivery.submission.document
        if document is None:
            continue
        try:
            plans.append(_plan(uow, attempt, document, senders[attempt.delivery.user_id], home, lined))
        except NotAFaxNumber as error:
            undialable[attempt.id] = error.code
        except Exception:
            # A defect of ours, or a row that nobody of ours has written: the sweep takes this call back.
            log.exception("call.not_planned", attempt=attempt.id)
    return plans, undialable


def _plan(uow: UnitOfWork, attempt: Attempt, document: Document, sender: Sender, home: Home, lined: bool) -> CallPlan:
    number = FaxNumber(identity=attempt.delivery.identity, extension=attempt.delivery.extension)
    return CallPlan(
        attempt_id=attempt.id,
        channel=_channel(attempt.trunk, dial_string(number, home)),
        caller_id=dial_string(FaxNumber(identity=sender.number, extension=""), home) if sender.number else "",
        variables=_variables(uow, attempt, number, sender.number),
        timeout_ms=get_int(uow, "ring_time") * 1000,
        document=path_of(document.blob),
        first_page=attempt.first_page,
        fine=attempt.fine,
        headline=page_line(sender, now(), attempt.delivery.number_text, attempt.delivery.pages) if lined else None,
    )


def cancel_asked(uow: UnitOfWork, attempt_ids: Collection[str]) -> set[str]:
    """Of calls, those whose fax its sender has taken back since they were decided on."""
    query = select(Attempt.id).join(Delivery, Attempt.delivery_id == Delivery.id)
    return set(uow.session.scalars(query.where(Attempt.id.in_(attempt_ids), Delivery.cancel_asked_at.is_not(None))))


def cancelled_attempts(uow: UnitOfWork, gateway: str) -> list[str]:
    """The open attempts of a gateway whose fax the sender has taken back."""
    query = (
        select(Attempt.id)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .where(Attempt.gateway == gateway, Attempt.ended_at.is_(None), Delivery.cancel_asked_at.is_not(None))
    )
    return list(uow.session.scalars(query))


def claim_attempts(uow: UnitOfWork, attempt_ids: Collection[str], boot: str) -> dict[str, datetime]:
    """Claim the right to place calls: the claims of those that are for this caller alone.

    The commit comes before the Originate.
    """
    won = uow.session.execute(
        update(Attempt)
        .where(Attempt.id.in_(attempt_ids), Attempt.originated_at.is_(None), Attempt.ended_at.is_(None))
        .values(originated_at=now(), boot=boot)
        .returning(Attempt.id, Attempt.originated_at)
        .execution_options(synchronize_session=False)
    )
    return {attempt_id: claim for attempt_id, claim in won if claim is not None}


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


def claims_of(uow: UnitOfWork, attempt_ids: Collection[str]) -> dict[str, datetime]:
    """The claims under which calls with these ids may be on the line; none for those that are over."""
    query = select(Attempt.id, Attempt.originated_at).where(Attempt.id.in_(attempt_ids), Attempt.ended_at.is_(None))
    return {attempt_id: claim for attempt_id, claim in uow.session.execute(query) if claim is not None}


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
