"""Which due deliveries get a port now: one dispatcher at a time, whose waiting room is a memory of the database."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import joinedload

from netfax import alarms
from netfax.clock import clock_step
from netfax.db import UnitOfWork, now
from netfax.faxes.finish import end_without_route, known_destinations
from netfax.faxes.history import change_state, wait_until
from netfax.faxes.models import Attempt, Delivery, Destination, Priority
from netfax.faxes.results import Cause
from netfax.faxes.retry import MEMORY, USUAL, CallParameters, changed
from netfax.faxes.states import OPEN_STATES, DeliveryState
from netfax.faxes.waiting import Caps, OnTheLine, Waiting, WaitingRoom
from netfax.lease import hold_lease, let_go
from netfax.lines.routes import TrunkFacts, routes
from netfax.lines.service import all_facts, claim_port, free_ports
from netfax.org.numbers import ours
from netfax.params.service import get_int, get_text
from netfax.queue import Job
from netfax.settings import settings
from netfax.storage.disk import free_megabytes
from netfax.telephony import new_attempt_id

log = structlog.get_logger()

ACTOR = "dispatcher"
LEASE = "dispatcher"
# More than a gateway's calls a second; what is left comes with the next round, at once.
MOST_CALLS = 50
# Each is a file and a commit.
MOST_INSIDE = 20
# Rows that one round takes into the waiting room, plans or ends.
MOST_ROWS = 500

_RANK = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}
# What ends when its time is over.
_EXPIRES = (DeliveryState.CONVERTING, DeliveryState.QUEUED, DeliveryState.SCHEDULED)


@dataclass(frozen=True)
class Round:
    """What one round did: calls that will be placed, deliveries (ids) to hand over inside, and whether more is due."""

    calls: int = 0
    inside: Sequence[int] = ()
    more: bool = False


class Dispatcher:
    """Gives free ports to due deliveries, best first; what it remembers is as old as its lease's fence.

    Never more calls than free ports, one call at a time to a number. `forget` must be called when the transaction of a
    round has failed, and when what was taken out of the waiting room is still to be done.
    """

    def __init__(self, holder: str) -> None:
        self._holder = holder
        self.forget()

    def forget(self) -> None:
        self._fence: int | None = None
        self._room = WaitingRoom()
        # By user; those of one user in the order in which they became due.
        self._inside: dict[int, deque[int]] = {}
        self._trunks: list[TrunkFacts] = []

    def let_go(self, uow: UnitOfWork) -> None:
        """Let the next dispatcher begin at once."""
        let_go(uow, LEASE, self._holder)

    def round(self, uow: UnitOfWork) -> Round:
        """One round, in one transaction; nothing while another dispatcher has the lease."""
        fence = hold_lease(uow, LEASE, self._holder, renew=self._fence is None)
        if fence is None:
            self.forget()
            return Round()
        self._learn(uow, fence)
        _move_ends(uow, clock_step(uow))
        begun = _begin_planned(uow)
        ended = _end_expired(uow)
        admitted = self._admit(uow)
        if MOST_ROWS in (begun, ended, admitted):
            # Who comes first is not known before all are in.
            return Round(more=True)
        calls, more = self._call(uow) if _may_call(uow) else (0, False)
        inside = self._next_inside()
        return Round(calls, inside, more or bool(self._inside))

    def _next_inside(self) -> tuple[int, ...]:
        """The next deliveries to numbers of ours: users take turns, and calls are not kept waiting for long."""
        taken: list[int] = []
        while self._inside and len(taken) < MOST_INSIDE:
            for user_id, waiting in list(self._inside.items())[: MOST_INSIDE - len(taken)]:
                taken.append(waiting.popleft())
                # To the end of the row.
                del self._inside[user_id]
                if waiting:
                    self._inside[user_id] = waiting
        return tuple(taken)

    def _learn(self, uow: UnitOfWork, fence: int) -> None:
        """Begin anew when the lease has changed hands, or the trunks on which routes depend have changed."""
        trunks = all_facts(uow)
        if fence != self._fence or _ways(trunks) != _ways(self._trunks):
            self._fence, self._room, self._inside = fence, WaitingRoom(), {}
            uow.session.execute(
                update(Delivery)
                .where(Delivery.state == DeliveryState.QUEUED, Delivery.admitted)
                .values(admitted=False)
                .execution_options(synchronize_session=False)
            )
        self._trunks = trunks

    def _admit(self, uow: UnitOfWork) -> int:
        """Take what has become due into the waiting room, or among those that go to a number of ours; how many."""
        due = (
            select(Delivery.id)
            .where(
                Delivery.state == DeliveryState.QUEUED,
                Delivery.admitted.is_(False),
                Delivery.next_try_at <= now(),
            )
            .order_by(Delivery.next_try_at)
            .limit(MOST_ROWS)
            .with_for_update(skip_locked=True)
        )
        columns = (
            Delivery.id,
            Delivery.identity,
            Delivery.priority,
            Delivery.tenant_id,
            Delivery.user_id,
            Delivery.avoid,
            Delivery.next_try_at,
        )
        rows = uow.session.execute(
            update(Delivery)
            .where(Delivery.id.in_(due))
            .values(admitted=True)
            .returning(*columns)
            .execution_options(synchronize_session=False)
        ).all()
        inside = ours(uow, [row.identity for row in rows])
        without_route: list[int] = []
        for row in sorted(rows, key=lambda row: (row.next_try_at, row.id)):
            if row.identity in inside:
                self._inside.setdefault(row.user_id, deque()).append(row.id)
                continue
            route = self._route(row.identity, row.avoid)
            if route:
                rank = _RANK[row.priority]
                self._room.add(Waiting(row.id, row.identity, rank, row.tenant_id, row.user_id, route))
            else:
                without_route.append(row.id)
        end_without_route(uow, without_route, actor=ACTOR)
        return len(rows)

    def _route(self, identity: str, avoid: Sequence[int]) -> tuple[int, ...]:
        """The trunks for a number, without those that have just failed it unless no other can take a call now."""
        able = routes(identity, self._trunks)
        ready = [trunk.id for trunk in able if trunk.ready]
        fresh = [trunk_id for trunk_id in ready if trunk_id not in avoid]
        return tuple(fresh or ready or [trunk.id for trunk in able])

    def _call(self, uow: UnitOfWork) -> tuple[int, bool]:
        """Place calls while there are free ports; how many, and whether the round ended before it was done."""
        line = _on_the_line(uow)
        free = self._free(uow, line)
        caps = Caps(get_int(uow, "user_calls"), get_int(uow, "domain_calls"))
        troubled = {trunk.id for trunk in self._trunks if trunk.troubled}
        calls: list[tuple[str, Delivery, int]] = []
        more = True
        for _ in range(MOST_ROWS):
            taken = self._room.take(free, line, caps, troubled)
            if taken is None:
                more = False
                break
            waiting, trunk_id = taken
            delivery = _still_waiting(uow, waiting.id)
            if delivery is None:
                continue
            attempt_id = new_attempt_id(settings().secret("attempt_prefix"))
            if claim_port(uow, trunk_id, attempt_id) is None:
                # An incoming call had the port first; the delivery is as due as before.
                self._room.add(waiting)
                free[trunk_id] = 0
                continue
            self._room.serve(waiting)
            free[trunk_id] -= 1
            line.add(waiting.identity, waiting.tenant_id, waiting.user_id, trunk_id)
            calls.append((attempt_id, delivery, trunk_id))
            if len(calls) == MOST_CALLS:
                break
        if calls:
            self._intend(uow, calls)
        return len(calls), more

    def _free(self, uow: UnitOfWork, line: OnTheLine) -> dict[int, int]:
        """How many ports a call out may take on each trunk."""
        free = free_ports(uow)
        for trunk in self._trunks:
            if not trunk.ready:
                # Its bridge or its Asterisk is down: whatever it was given would lie there.
                free[trunk.id] = 0
            if trunk.max_out is not None:
                free[trunk.id] = min(free.get(trunk.id, 0), max(0, trunk.max_out - line.trunks[trunk.id]))
        return free

    def _intend(self, uow: UnitOfWork, calls: Sequence[tuple[str, Delivery, int]]) -> None:
        """Write the intent to make calls (attempt id, delivery, trunk id), each of which has its port."""
        trunks = {trunk.id: trunk for trunk in self._trunks}
        known = known_destinations(uow, [delivery.identity for _, delivery, _ in calls])
        for attempt_id, delivery, trunk_id in calls:
            trunk = trunks[trunk_id]
            parameters = call_parameters(delivery, known.get(delivery.identity))
            uow.session.add(
                Attempt(
                    id=attempt_id,
                    delivery_id=delivery.id,
                    trunk_id=trunk.id,
                    gateway=trunk.gateway,
                    number=len(delivery.attempts) + 1,
                    first_page=delivery.pages_confirmed + 1,
                    asked_mode=parameters.mode,
                    modem=parameters.modem,
                    ecm=parameters.ecm,
                    fine=parameters.fine,
                )
            )
            change_state(uow, delivery, DeliveryState.DIALING, actor=ACTOR, reason=trunk.name)
        # A gateway's bridge takes all that wait for it at once.
        for gateway in sorted({trunks[trunk_id].gateway for _, _, trunk_id in calls}):
            uow.enqueue(Job.PLACE_CALLS, gateway)


def call_parameters(delivery: Delivery, known: Destination | None) -> CallParameters:
    """How the next call is made: as the last one's end asks for, or as has worked for this number before."""
    ended = [attempt for attempt in delivery.attempts if attempt.ended_at is not None]
    if ended:
        last = ended[-1]
        made = CallParameters(last.asked_mode, last.modem, last.ecm, last.fine)
        return changed(made, last.cause) if last.cause is not None else made
    if known is None or abs(now() - known.learned_at) > MEMORY:
        return USUAL
    return CallParameters(known.asked_mode, known.modem, known.ecm, known.fine)


def is_within(span: str, at: datetime, zone: str) -> bool:
    """Whether the instant lies in a span of the day such as 08:00-20:00; one that ends before it begins is a night."""
    begin, end = span.split("-")
    clock = at.astimezone(ZoneInfo(zone)).time()
    begins = time_of_day.fromisoformat(begin)
    ends = time_of_day.max if end == "24:00" else time_of_day.fromisoformat(end)
    return begins <= clock < ends if begins <= ends else clock >= begins or clock < ends


def _ways(trunks: list[TrunkFacts]) -> list[tuple[object, ...]]:
    """What routes depend on; that a trunk is troubled changes only which of its ports are taken last."""
    return [(trunk.id, trunk.number, trunk.prefix, trunk.position, trunk.max_out == 0, trunk.ready) for trunk in trunks]


def _may_call(uow: UnitOfWork) -> bool:
    """Whether numbers are called at this hour, and the disk has room for what a call writes."""
    if free_megabytes() < get_int(uow, "disk_reserve"):
        alarms.raise_alarm(
            uow,
            alarms.DISK_RESERVE,
            "",
            alarms.Said(
                "The disk is below its reserve: no calls are made or taken.",
                "磁盘剩余空间低于保留值：不再呼出，也不再接听来电。",
            ),
        )
        return False
    alarms.clear_alarm(uow, alarms.DISK_RESERVE, "")
    return is_within(get_text(uow, "calling_hours"), now(), get_text(uow, "time_zone"))


def _move_ends(uow: UnitOfWork, step: timedelta) -> None:
    """Where the clock was moved, move the ends of what waits with it: no fax expires by a wrong clock.

    What is planned for a time to come ends so long after that time. What may have been accepted after a step back has
    its end by the new clock already; an older fax only lives longer by it.
    """
    if not step:
        return
    log.warning("dispatch.clock_moved", seconds=step.total_seconds())
    at = now()
    conditions = [
        Delivery.state.in_(OPEN_STATES),
        Delivery.expires_at.is_not(None),
        or_(Delivery.planned_at.is_(None), Delivery.planned_at <= at),
    ]
    if step < timedelta():
        conditions.append(Delivery.created_at > at)
    waiting = select(Delivery).where(*conditions).order_by(Delivery.id)
    for delivery in uow.session.scalars(waiting.with_for_update()):
        delivery.expires_at = delivery.expires_at + step if delivery.expires_at else None


def _begin_planned(uow: UnitOfWork) -> int:
    """Queue what was planned for a time that has come."""
    planned = _due_rows(uow, DeliveryState.SCHEDULED, Delivery.admitted.is_(False), Delivery.next_try_at <= now())
    for delivery in planned:
        wait_until(uow, delivery, now(), actor=ACTOR, reason="planned")
    return len(planned)


def _end_expired(uow: UnitOfWork) -> int:
    """End what could not be sent in its time."""
    expired = [each for state in _EXPIRES for each in _due_rows(uow, state, Delivery.expires_at <= now())]
    for delivery in expired:
        delivery.cause = Cause.EXPIRED
        after = DeliveryState.PARTIAL if delivery.pages_confirmed else DeliveryState.FAILED
        change_state(uow, delivery, after, actor=ACTOR, reason=Cause.EXPIRED)
    return len(expired)


def _due_rows(uow: UnitOfWork, state: DeliveryState, *due: object) -> list[Delivery]:
    query = select(Delivery).where(Delivery.state == state, *due).limit(MOST_ROWS)  # type: ignore[arg-type]
    return list(uow.session.scalars(query.with_for_update(skip_locked=True)))


def _still_waiting(uow: UnitOfWork, delivery_id: int) -> Delivery | None:
    """The delivery, locked, with its calls, if it is what the waiting room remembers."""
    query = (
        select(Delivery)
        .where(Delivery.id == delivery_id, Delivery.state == DeliveryState.QUEUED, Delivery.admitted)
        .options(joinedload(Delivery.attempts))
        .with_for_update(of=Delivery)
    )
    return uow.session.scalars(query).unique().one_or_none()


def _on_the_line(uow: UnitOfWork) -> OnTheLine:
    line = OnTheLine()
    query = (
        select(Delivery.identity, Delivery.tenant_id, Delivery.user_id, Attempt.trunk_id)
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .where(Attempt.ended_at.is_(None))
    )
    for identity, tenant_id, user_id, trunk_id in uow.session.execute(query):
        line.add(identity, tenant_id, user_id, trunk_id)
    return line
