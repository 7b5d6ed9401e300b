"""What has happened to one fax, in order: its states and its calls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from netfax.db import UnitOfWork
from netfax.documents.errors import read_note
from netfax.faxes import inside
from netfax.faxes.history import Act, read_act
from netfax.faxes.listing import history
from netfax.faxes.models import Attempt, Delivery, Reception, StateChange
from netfax.faxes.results import Cause
from netfax.faxes.retry import USUAL
from netfax.faxes.states import DeliveryState
from netfax.org.service import UnknownUser, find_user
from netfax.telephony import MODE_AUDIO
from webapp.language import language
from webapp.shown import StateShown, cause_text, priorities, state_shown
from webapp.times import minute
from webapp.words import _

# As the fax trade writes them.
MODEM_NAMES = {"v17": "V.17", "v29": "V.29", "v27": "V.27ter"}


@dataclass(frozen=True)
class Call:
    """One try, or the call that brought a fax. `asked` says how it was asked for where that is not the usual way."""

    id: str
    number: int
    trunk: str
    cause: str
    pages: int
    of_pages: int
    first_page: int
    rate: int
    mode: str
    seconds: int
    station_id: str
    good: bool
    ended: bool
    answered_at: datetime | None
    asked: tuple[str, ...]
    # Word for word, for those who run the system.
    said: str
    hangup_cause: int | None


@dataclass(frozen=True)
class Moment:
    """One entry: a state with who brought it about and why, or a call."""

    at: datetime
    state: StateShown | None = None
    call: Call | None = None
    actor: str = ""
    note: str = ""


def outward(uow: UnitOfWork, delivery: Delivery) -> list[Moment]:
    """A fax that goes out. That a call began and was answered is told by the call itself.

    The order is that of the rows, not of their times: a clock may have been set back meanwhile.
    """
    changes = history(uow, delivery)
    people = _people(uow, {change.actor for change in changes})
    calls = [
        Moment(attempt.created_at, call=_call(number, attempt, delivery))
        for number, attempt in enumerate(delivery.attempts, start=1)
    ]
    moments: list[Moment] = []
    for change in changes:
        if change.before is change.after:
            moments.append(_state(change, people, after_a_call=False))
        elif change.after is DeliveryState.DIALING and calls:
            moments.append(calls.pop(0))
        elif change.after is not DeliveryState.SENDING:
            after_a_call = bool(moments) and moments[-1].call is not None
            moments.append(_state(change, people, after_a_call=after_a_call))
    return _with_first_act(moments + calls, delivery, changes)


def inward(reception: Reception) -> list[Moment]:
    """A fax that came in: by a call, or handed over inside."""
    ended = [] if reception.ended_at is None else [Moment(reception.ended_at, state_shown(reception.state))]
    if reception.delivery is not None:
        note = _("Handed over inside by %(who)s, without a call.", who=reception.delivery.user.login)
        return [replace(moment, note=note) for moment in ended]
    return [Moment(reception.started_at, call=_bringing(reception)), *ended]


def _people(uow: UnitOfWork, actors: set[str]) -> set[str]:
    """Those actors that are users; the others are programs of ours."""
    return {actor for actor in actors if "@" in actor or _is_user(uow, actor)}


def _is_user(uow: UnitOfWork, login: str) -> bool:
    try:
        find_user(uow, login)
    except UnknownUser:
        return False
    return True


def _state(change: StateChange, people: set[str], *, after_a_call: bool) -> Moment:
    actor = _("by %(who)s", who=change.actor) if change.actor in people else ""
    return Moment(change.at, state_shown(change.after), actor=actor, note="" if after_a_call else _why(change))


def _why(change: StateChange) -> str:
    """What brought a state about, where no call has told it already."""
    if change.actor == inside.ACTOR and change.after is DeliveryState.SENT:
        return _("Handed over inside to %(who)s, without a call.", who=change.reason)
    match read_act(change.reason):
        case Act.CANCEL_ASKED, _value:
            return _("Taken back; the call is being hung up.")
        case Act.SEND_NOW, _value:
            return _("To be sent now.")
        case Act.PLAN, at:
            return _("Planned for %(time)s.", time=minute(datetime.fromisoformat(at)))
        case Act.PRIORITY, priority:
            return _("Priority “%(word)s”.", word=priorities()[priority])
    if (error := read_note(change.reason)) is not None:
        return error.text(language())
    return cause_text(Cause(change.reason)) if change.reason in list(Cause) else ""


def _with_first_act(moments: list[Moment], delivery: Delivery, changes: Sequence[StateChange]) -> list[Moment]:
    """The first row of history is what its sender did: he submitted the fax, or sent another one again."""
    if not changes or changes[0].before is not None:
        return moments
    who = changes[0].actor
    act = _("submitted by %(who)s", who=who) if delivery.again_of is None else _("sent again by %(who)s", who=who)
    return [replace(moments[0], actor=act), *moments[1:]]


def _call(number: int, attempt: Attempt, delivery: Delivery) -> Call:
    return Call(
        id=attempt.id,
        number=number,
        trunk=attempt.trunk.name,
        cause=_how_it_ended(attempt),
        pages=attempt.pages_confirmed,
        of_pages=delivery.pages - attempt.first_page + 1,
        first_page=attempt.first_page,
        rate=attempt.rate,
        mode=attempt.mode,
        seconds=attempt.seconds,
        station_id=attempt.remote_station_id,
        good=attempt.cause is Cause.OK,
        ended=attempt.ended_at is not None,
        answered_at=attempt.answered_at,
        asked=_asked(attempt),
        said=attempt.status_text,
        hangup_cause=attempt.hangup_cause,
    )


def _how_it_ended(attempt: Attempt) -> str:
    if attempt.cause in (Cause.CALL_FAILED, Cause.CANCELLED) and attempt.originated_at is None:
        return _("It was not placed.")
    return cause_text(attempt.cause)


def _asked(attempt: Attempt) -> tuple[str, ...]:
    words = []
    if attempt.asked_mode == MODE_AUDIO and attempt.trunk.t38:
        words.append(_("by audio"))
    if attempt.modem != USUAL.modem:
        words.append(_("with a slower modem (%(name)s)", name=MODEM_NAMES[attempt.modem]))
    if not attempt.ecm:
        words.append(_("without error correction (ECM)"))
    if not attempt.fine:
        words.append(_("in standard fineness"))
    return tuple(words)


def _bringing(reception: Reception) -> Call:
    return Call(
        id=reception.id,
        number=1,
        trunk=reception.trunk_name,
        cause="",
        pages=reception.pages,
        of_pages=max(reception.pages, reception.pages_confirmed),
        first_page=1,
        rate=reception.rate,
        mode=reception.mode,
        seconds=reception.seconds,
        station_id=reception.remote_station_id,
        good=reception.pages >= reception.pages_confirmed,
        ended=reception.ended_at is not None,
        answered_at=None,
        asked=(),
        said=reception.status_text,
        hangup_cause=None,
    )
