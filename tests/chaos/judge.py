"""What the clients know against what the system has: database, files, and the pages that the far end received."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from dialplan import network, network_phone
from netfax.alarms import JOURNAL_BROKEN, PAGES_LOST, Alarm
from netfax.faxes.models import Attempt, Delivery, Reception
from netfax.faxes.results import CAUSES, Cause
from netfax.faxes.states import DeliveryState
from netfax.org.models import User
from tests.chaos.pages import code_of, is_same, readable_pages
from tests.chaos.traffic import Accepted, CalledIn, Log
from tests.system import System

# A good page to a good number ends by none of these.
OUR_CAUSES = {Cause.BAD_DOCUMENT, Cause.OUR_FAULT, Cause.NO_ROUTE, Cause.EXPIRED}
# A call that a fault has cut is seen to be dead so soon after it.
TAIL_SECONDS = 10.0
# A caller who was not answered tries no longer.
CALL_SECONDS = 90.0
DAY = 86_400


@dataclass
class Window:
    """When a fault struck, was lifted, and all was right again: Unix time in seconds."""

    name: str
    struck: float
    lifted: float
    right_at: float = float("inf")


@dataclass
class Verdict:
    """What came of everything that clients know of; each entry of a list is one sentence."""

    accepted: int = 0
    came_in: int = 0
    sent: int = 0
    received: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    # A call died in a fault, and nobody can know whether its pages arrived.
    unknown: list[str] = field(default_factory=list)
    # The far end has confirmed a page and a fault has kept us from hearing it, so a call brought it again: a fax
    # machine has no other way. Never a fax's last page, which would be the fax a second time.
    repeated: list[str] = field(default_factory=list)
    # Ended by a cause that the sender was told.
    failed: list[str] = field(default_factory=list)
    # Callers whose fax did not come in whole, and know it.
    cut_short: list[str] = field(default_factory=list)
    # Confirmed to a caller and not on disk, with the alarm that says so, or that the record of the call was cut.
    alarmed: list[str] = field(default_factory=list)

    def add(self, other: "Verdict") -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def holds(self) -> bool:
        return not self.lost and not self.doubled


def judge(system: System, log: Log, windows: Sequence[Window]) -> Verdict:
    """Hold a system at rest against the log of its clients."""
    verdict = Verdict(accepted=len(log.accepted), came_in=len(log.called_in))
    heard = _FarEnd(system, log)
    deliveries = _deliveries(system)
    for fax in log.accepted:
        _judge_sent(verdict, fax, deliveries.get(fax.title, []), heard, windows)
    for title in log.refused:
        if title in deliveries:
            verdict.doubled.append(f"{title} was refused and is there: who sends it again sends it twice")
    for title in log.unanswered:
        if len(deliveries.get(title, [])) > 1:
            verdict.doubled.append(f"{title}, one form, is there {len(deliveries[title])} times")
    for fax in log.accepted:
        for page, code in enumerate(fax.pages, start=1):
            if len(heard.confirmed.get(code, [])) > 1:
                _judge_repeated(verdict, fax, page, heard.confirmed[code], deliveries.get(fax.title, []), windows)
    receptions = _receptions(system)
    owners = {user.login: user.id for user in system.read(select(User).options(joinedload(User.tenant)))}
    for call in log.called_in:
        _judge_received(verdict, system, call, receptions.get(call.caller, []), owners[call.user], windows)
    return verdict


class _FarEnd:
    """The pages that the network's machines have, by code: all that are as they were sent, and what they confirmed."""

    def __init__(self, system: System, log: Log) -> None:
        sent = {code: (Path(fax.tiff), place) for fax in log.accepted for place, code in enumerate(fax.pages)}
        self.received: set[str] = set()
        # By page: the files of the calls by which it was confirmed.
        self.confirmed: dict[str, list[str]] = defaultdict(list)
        for tiff in sorted((system.settings.network_dir / network.FAX_IN).glob("*.tif")):
            told = network_phone.read_result(tiff.with_suffix(".txt"))
            for place, page in enumerate(readable_pages(tiff)):
                code = code_of(page)
                if code in sent and _is_page(page, *sent[code]):
                    self.received.add(code)
                if code in sent and place < int(told.get("pages", b"0") or 0):
                    self.confirmed[code].append(tiff.name)


def _is_page(page: np.ndarray, tiff: Path, place: int) -> bool:
    return is_same(readable_pages(tiff)[place], page)


def _judge_sent(
    verdict: Verdict, fax: Accepted, deliveries: Sequence[Delivery], heard: _FarEnd, windows: Sequence[Window]
) -> None:
    if not deliveries:
        verdict.lost.append(f"{fax.title} was accepted and is in no list")
        return
    if len(deliveries) > 1:
        verdict.doubled.append(f"{fax.title} was accepted once and is there {len(deliveries)} times")
    delivery = deliveries[0]
    told = f"{fax.title}: {CAUSES[delivery.cause].en}" if delivery.cause else fax.title
    arrived = [page in heard.received for page in fax.pages]
    if not all(arrived[: delivery.pages_confirmed]):
        verdict.lost.append(f"{fax.title}: {delivery.pages_confirmed} pages are said to have arrived, and have not")
    _judge_calls(verdict, fax, delivery)
    match delivery.state:
        case DeliveryState.SENT:
            verdict.sent += 1
            if delivery.pages != len(fax.pages):
                verdict.lost.append(f"{fax.title} was sent with {delivery.pages} of its {len(fax.pages)} pages")
        case DeliveryState.UNKNOWN:
            by = [window.name for window in windows if _met(delivery.attempts[-1], window)]
            if by:
                verdict.unknown.append(f"{told} ({', '.join(by)}; arrived: {sum(arrived)} of {len(arrived)})")
            else:
                verdict.lost.append(f"{told}, though no fault struck its call")
        case DeliveryState.FAILED | DeliveryState.PARTIAL:
            verdict.failed.append(told)
            if delivery.cause in OUR_CAUSES:
                verdict.lost.append(f"{told}, which is no fault of the far end")
        case state:
            verdict.lost.append(f"{fax.title} is {state} and goes nowhere")


def _judge_calls(verdict: Verdict, fax: Accepted, delivery: Delivery) -> None:
    """Each call begins with the first page that none before it has had confirmed."""
    confirmed = 0
    for attempt in sorted(delivery.attempts, key=lambda each: each.number):
        if attempt.first_page != confirmed + 1:
            said = (
                f"{fax.title}: call {attempt.number} began with page {attempt.first_page} after {confirmed} confirmed"
            )
            (verdict.doubled if attempt.first_page <= confirmed else verdict.lost).append(said)
        confirmed += attempt.pages_confirmed


def _judge_repeated(
    verdict: Verdict,
    fax: Accepted,
    page: int,
    calls: Sequence[str],
    deliveries: Sequence[Delivery],
    windows: Sequence[Window],
) -> None:
    """A page that several calls are said to have brought: each but one must have been cut by a fault."""
    said = f"{fax.title}: page {page} was received {len(calls)} times: {', '.join(calls)}"
    unheard = [
        [window.name for window in windows if _met(attempt, window)]
        for delivery in deliveries
        for attempt in delivery.attempts
        if attempt.first_page <= page and attempt.first_page + attempt.pages_confirmed <= page
    ]
    faults = [names for names in unheard if names]
    if page < len(fax.pages) and len(faults) >= len(calls) - 1:
        verdict.repeated.append(f"{said} ({'; '.join(', '.join(names) for names in faults)})")
    else:
        verdict.doubled.append(said)


def _met(attempt: Attempt, window: Window) -> bool:
    """Whether the call was on the line during a fault; the clock of the database may be a day off."""
    if attempt.originated_at is None or attempt.ended_at is None:
        return False
    began, ended = attempt.originated_at.timestamp(), attempt.ended_at.timestamp()
    end = window.lifted + TAIL_SECONDS
    return any(began + day < end and ended + day > window.struck for day in (-DAY, 0, DAY))


def _judge_received(
    verdict: Verdict,
    system: System,
    call: CalledIn,
    receptions: Sequence[Reception],
    owner: int,
    windows: Sequence[Window],
) -> None:
    result = system.settings.network_dir / network.FAX_OUT / f"{call.call_id}.txt"
    told = network_phone.read_result(result)
    confirmed = int(told.get("pages", b"0") or 0)
    if len(receptions) > 1:
        verdict.doubled.append(f"the call of {call.caller} is there {len(receptions)} times")
    kept: list[str] = []
    for reception in receptions:
        if reception.user_id != owner:
            verdict.lost.append(f"the fax of {call.caller} to {call.user} lies with another user")
        kept += _kept(system, reception, call)
    while len(kept) > confirmed and not kept[-1]:
        # What had come of a page when the call was cut.
        kept.pop()
    verdict.received += bool(kept)
    for code, times in Counter(kept).items():
        if times > 1:
            verdict.doubled.append(f"page {code} of {call.caller} is kept {times} times")
    if kept != call.pages[: len(kept)]:
        verdict.lost.append(f"the pages of {call.caller} are kept as {kept}, not in the order in which they came")
    missing = [page for page in call.pages[:confirmed] if page not in kept]
    if missing:
        words = f"{call.caller} was told of {confirmed} pages, {len(missing)} of them are not on disk"
        alarms = system.read(select(Alarm).where(Alarm.subject.in_([each.id for each in receptions])))
        told_of = [alarm.text for alarm in alarms if alarm.code in (PAGES_LOST, JOURNAL_BROKEN)]
        if told_of:
            verdict.alarmed.append(f"{words}: “{told_of[0]}”")
        else:
            verdict.lost.append(words)
    if confirmed < len(call.pages):
        ended = result.stat().st_mtime if told else call.at + CALL_SECONDS
        words = (
            f"{call.caller} could send {confirmed} of {len(call.pages)} pages ({told.get('statusstr', b'').decode()})"
        )
        by = [window.name for window in windows if call.at < window.right_at and ended > window.struck]
        if by:
            verdict.cut_short.append(f"{words}: {', '.join(by)}")
        else:
            verdict.lost.append(f"{words}, though no fault was near")


def _kept(system: System, reception: Reception, call: CalledIn) -> list[str]:
    """The codes of a reception's pages on disk; of a page that is not as it was sent, an empty one."""
    if reception.blob is None:
        return []
    key = reception.blob.key
    codes = []
    for page in readable_pages(system.settings.blobs_dir / key[:2] / key):
        code = code_of(page)
        is_whole = code in call.pages and _is_page(page, Path(call.tiff), call.pages.index(code))
        codes.append(code if is_whole else "")
    return codes


def _deliveries(system: System) -> Mapping[str, list[Delivery]]:
    """By title; a title is a client's own name for its fax."""
    query = select(Delivery).options(
        joinedload(Delivery.submission), joinedload(Delivery.attempts).joinedload(Attempt.trunk)
    )
    found: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in system.read(query):
        found[delivery.submission.title].append(delivery)
    return found


def _receptions(system: System) -> Mapping[str, list[Reception]]:
    """By their caller as he dialled; those without a page, too, for an alarm may name what was confirmed of them."""
    query = select(Reception).where(Reception.delivery_id.is_(None))
    found: dict[str, list[Reception]] = defaultdict(list)
    for reception in system.read(query.options(joinedload(Reception.blob))):
        found[f"0{reception.caller.removeprefix('86')}"].append(reception)
    return found
