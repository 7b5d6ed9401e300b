"""The life of a fax by machine-made histories: the real services and databases, and what must hold after each step.

`make test` runs a few histories, always the same. Many new ones, of 50 steps each:

    NETFAX_RUNS=2000 .venv/bin/python -m pytest tests/unit/test_life_machine.py --timeout 0
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import time_machine
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import ColumnElement, Engine, delete, event, func, select, update

from netfax import boot
from netfax.alarms import Alarm
from netfax.clock import KnownClock
from netfax.db import UnitOfWork, now, reading, unit_of_work
from netfax.documents.convert import FaxImage
from netfax.documents.errors import NotDrawable
from netfax.errors import UserError
from netfax.faxes import acts, convert
from netfax.faxes.cancel import cancel
from netfax.faxes.dial import claim_attempts, give_back_attempt
from netfax.faxes.dispatch import Dispatcher
from netfax.faxes.draw_queue import count_ready, enter_queue
from netfax.faxes.finish import finish_attempt, record_answers
from netfax.faxes.inside import deliver_inside
from netfax.faxes.models import (
    Attempt,
    Delivery,
    Destination,
    Document,
    MailboxItem,
    Priority,
    Reception,
    StateChange,
    Submission,
)
from netfax.faxes.receive import InboundCall, InboundResult, decide, record_reception
from netfax.faxes.results import FAX_TEXTS, Q850, CallOutcome
from netfax.faxes.states import STATE_INFO, DeliveryState
from netfax.faxes.submit import add_delivery
from netfax.faxes.sweep import mend_waits
from netfax.lease import Lease
from netfax.lines.models import Port, Trunk
from netfax.lines.service import TrunkBusy, add_trunk, find_trunk, remove_trunk
from netfax.org.models import Role, new_uuid
from netfax.org.service import add_domain
from netfax.org.viewer import Viewer
from netfax.params.models import ParamValue
from netfax.params.service import set_param
from netfax.storage.disk import Stored
from netfax.storage.models import Blob
from netfax.telephony import DECISION_ACCEPT
from tests.factories import make_trunk, make_user, make_world
from tests.life_checks import (
    check_caps,
    check_counts,
    check_drawings,
    check_history,
    check_nobody_waits_in_vain,
    check_ports,
    check_state,
)

RUNS = int(os.environ.get("NETFAX_RUNS", "10"))
BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
# The last one is bob's: a fax to it is handed over inside.
NUMBERS = ["867367721001", "867367721002", "861064802994", "867367804002"]
RETRIES, PAID_RETRIES = 2, 1
S = DeliveryState

ANSWERED = st.builds(
    CallOutcome,
    answered=st.just(True),
    fax_status=st.sampled_from(["SUCCESS", "FAILED", ""]),
    status_text=st.sampled_from([*FAX_TEXTS, "a text that nobody knows"]),
    pages=st.integers(0, 4),
    rate=st.sampled_from([0, 2400, 14400]),
    mode=st.sampled_from(["T38", "audio", ""]),
    seconds=st.sampled_from([0, 5, 25, 120]),
    resolution=st.sampled_from(["", "0x0", "8031x7700"]),
    died=st.sampled_from([False, False, False, True]),
)
UNANSWERED = st.builds(
    CallOutcome,
    answered=st.just(False),
    hangup_cause=st.sampled_from([None, 0, 16, 17, 17, 34, 34, 38, *Q850]),
    error=st.sampled_from(["", "", "", "FILE_ERROR"]),
    died=st.sampled_from([False, False, False, False, True]),
)
WELL = CallOutcome(
    answered=True, fax_status="SUCCESS", status_text="OK", pages=9, rate=14400, mode="T38", seconds=60, resolution="1x1"
)
CUT_OFF = st.builds(
    CallOutcome,
    answered=st.just(True),
    status_text=st.sampled_from(["The call dropped prematurely", "Received no response to DCS or TCF"]),
    pages=st.integers(0, 2),
    seconds=st.just(5),
    resolution=st.just("8031x7700"),
)
OUTCOMES = st.one_of(ANSWERED, UNANSWERED, st.just(WELL))
WHICH = st.integers(0, 1_000)
HOLDERS = ("one", "two")

# Who, to whom, how urgently, with how many pages (0: it is drawn later), and when.
Fax = tuple[int, str, Priority, int, timedelta | None]
FAX = st.tuples(
    WHICH,
    st.sampled_from(NUMBERS),
    st.sampled_from(list(Priority)),
    st.integers(0, 3),
    st.sampled_from([None, None, None, None, None, timedelta(minutes=5), timedelta(days=2)]),
)


class _PowerCut(Exception):
    """The dispatcher dies before its commit."""


class _Killed(BaseException):
    """The worker dies while it draws."""


class Life(RuleBasedStateMachine):
    """Faxes of three users in two domains, over two trunks, by two dispatchers of which one at a time may."""

    def __init__(self, viewers: list[Viewer]) -> None:
        super().__init__()
        self.viewers = viewers
        self.drew = False
        self.clock = time_machine.travel(BEGIN, tick=True)
        self.traveller = self.clock.start()
        # By how much the clock was moved, beyond the time that has passed.
        self.moved = timedelta()
        self.uptime = mock.patch.object(boot, "uptime", lambda: (now() - self.moved).timestamp())
        self.uptime.start()
        self.dispatchers = [Dispatcher(holder) for holder in HOLDERS]
        self.receptions: list[str] = []
        # In the order in which they were seen: the clock is set back in these histories.
        self.attempts: dict[str, int] = {}
        self.open: list[Attempt] = []
        self.confirmed: dict[int, int] = {}
        self.ended: dict[int, tuple[object, ...]] = {}
        empty_the_faxes()

    def teardown(self) -> None:
        try:
            self.let_everything_end()
            self.what_must_hold()
        finally:
            self.uptime.stop()
            self.clock.stop()

    # --- What users do ---

    @initialize(faxes=st.lists(FAX, min_size=3, max_size=8))
    def many_begin(self, faxes: list[Fax]) -> None:
        for fax in faxes:
            self.submit(fax)

    @rule(fax=FAX)
    def submit(self, fax: Fax) -> None:
        which, number, priority, pages, planned = fax
        viewer = self.viewers[which % len(self.viewers)]
        at = now() + planned if planned else None
        with unit_of_work() as uow:
            submission = Submission(tenant_id=viewer.tenant_id, user_id=viewer.user_id)
            enter_queue(uow, submission, priority, at)
            uow.session.add(submission)
            uow.session.flush()
            delivery = Delivery(
                submission_id=submission.id,
                tenant_id=viewer.tenant_id,
                user_id=viewer.user_id,
                identity=number,
                number_text=number,
                priority=priority,
                planned_at=at,
                expires_at=(at or now()) + timedelta(hours=72),
            )
            add_delivery(uow, delivery, actor=viewer.login)
        if pages:
            self.draw(pages)

    @rule(
        which=WHICH,
        act=st.sampled_from(
            [
                cancel,
                acts.hold,
                acts.release,
                acts.send_now,
                acts.send_again,
                lambda uow, viewer, item: acts.send_again(uow, viewer, item, whole=True),
                lambda uow, viewer, item: acts.set_priority(uow, viewer, item, Priority.HIGH),
                lambda uow, viewer, item: acts.set_priority(uow, viewer, item, Priority.LOW),
                lambda uow, viewer, item: acts.plan(uow, viewer, item, now() + timedelta(minutes=10)),
                lambda uow, viewer, item: acts.plan(uow, viewer, item, now() - timedelta(seconds=30)),
            ]
        ),
    )
    def act(self, which: int, act: Callable[[UnitOfWork, Viewer, str], object]) -> None:
        item = self.pick_item(which)
        if item is not None:
            viewer = next(each for each in self.viewers if each.user_id == item.user_id)
            # What he may not do now is an answer; any other error is a defect.
            with suppress(UserError), unit_of_work() as uow:
                act(uow, viewer, item.uuid)

    # --- What the system does ---

    @rule(
        result=st.one_of(
            st.integers(1, 3),
            st.sampled_from([NotDrawable(name="a"), OSError("disk full"), ValueError("a defect"), _Killed()]),
        ),
        meanwhile=st.one_of(st.none(), WHICH),
    )
    def draw(self, result: int | BaseException, meanwhile: int | None = None) -> None:
        """Whoever is next is drawn, with so many pages or this fault; meanwhile some fax may be taken back."""

        def drawn(_paths: object, target: Path, *, names: object, look: object) -> FaxImage:
            target.write_bytes(b"pages")
            if meanwhile is not None:
                self.act(meanwhile, cancel)
            if isinstance(result, BaseException):
                raise result
            return FaxImage(result, (18_000,) * result, 5)

        with unit_of_work() as uow:
            count_ready(uow)
        with pytest.MonkeyPatch.context() as patch, suppress(ValueError, _Killed):
            patch.setattr(convert, "to_fax_tiff", drawn)
            self.drew = convert.convert_next()

    @rule(which=st.sampled_from([0, 0, 0, 1]))
    def dispatch(self, which: int) -> None:
        self.dispatch_by(which, fails=False)

    @rule(which=st.sampled_from([0, 0, 0, 1]))
    def dispatcher_dies_before_its_commit(self, which: int) -> None:
        self.dispatch_by(which, fails=True)

    def dispatch_by(self, which: int, *, fails: bool) -> None:
        dispatcher = self.dispatchers[which]
        try:
            with unit_of_work() as uow:
                done = dispatcher.round(uow)
                if fails:
                    raise _PowerCut
                placed = [each for each in uow.session.new if isinstance(each, Attempt)]
                check_caps(uow, placed)
        except _PowerCut:
            dispatcher.forget()
            return
        for delivery_id in done.inside:
            deliver_inside(delivery_id)
        with reading() as uow:
            if uow.session.scalar(select(Lease.holder)) == HOLDERS[which] and not done.more:
                check_nobody_waits_in_vain(uow)

    @rule(which=st.integers(0, 1), anew=st.booleans())
    def dispatcher_stops(self, which: int, anew: bool) -> None:
        with unit_of_work() as uow:
            self.dispatchers[which].let_go(uow)
        if anew:
            self.dispatchers[which] = Dispatcher(HOLDERS[which])

    @rule(which=WHICH, step=st.sampled_from(["placed", "answered", "not placed"]))
    def call_goes_on(self, which: int, step: str) -> None:
        attempt = self.some_call(which)
        if attempt is None:
            return
        with unit_of_work() as uow:
            match step:
                case "placed":
                    assert (claim_attempts(uow, [attempt.id], "boot") == {}) == (attempt.originated_at is not None)
                case "answered":
                    record_answers(uow, [attempt.id], actor="bridge")
                case _ if attempt.originated_at is not None:
                    give_back_attempt(uow, attempt.id, attempt.originated_at)

    @rule(which=WHICH, outcome=st.one_of(CUT_OFF, UNANSWERED), claimed=st.sampled_from([True, True, True, False]))
    def call_fails(self, which: int, outcome: CallOutcome, claimed: bool) -> None:
        self.end_some_call(which, outcome, claimed=claimed)

    @rule(which=WHICH, outcome=OUTCOMES)
    def call_ends(self, which: int, outcome: CallOutcome) -> None:
        self.end_some_call(which, outcome, claimed=True)

    def some_call(self, which: int) -> Attempt | None:
        """A call on the line; with none, time passes until there is one, if anybody can be called."""
        if not self.open:
            self.traveller.shift(timedelta(seconds=400))
            self.dispatch_by(which % 2, fails=False)
        return self.pick_attempt(which, Attempt.ended_at.is_(None))

    def end_some_call(self, which: int, outcome: CallOutcome, *, claimed: bool) -> None:
        attempt = self.some_call(which)
        if attempt is None:
            return
        if claimed:
            with unit_of_work() as uow:
                claim_attempts(uow, [attempt.id], "boot")
        # Whoever decides on a call that was answered knows that.
        outcome = replace(outcome, answered=outcome.answered or attempt.answered_at is not None)
        with unit_of_work() as uow:
            assert finish_attempt(uow, attempt.id, outcome, actor="agi")

    @precondition(lambda self: len(self.attempts) > len(self.open))
    @rule(which=WHICH, outcome=OUTCOMES)
    def call_that_has_ended_is_heard_of_again(self, which: int, outcome: CallOutcome) -> None:
        attempt = self.pick_attempt(which, Attempt.ended_at.is_not(None))
        assert attempt is not None
        with unit_of_work() as uow:
            assert not finish_attempt(uow, attempt.id, outcome, actor="reconcile")
            record_answers(uow, [attempt.id], actor="reconcile")
            give_back_attempt(uow, attempt.id, attempt.originated_at or attempt.created_at)
            assert not claim_attempts(uow, [attempt.id], "boot")

    @rule(trunk=st.sampled_from(["one", "two"]))
    def call_comes_in(self, trunk: str) -> None:
        call = inbound(len(self.receptions), trunk)
        with unit_of_work() as uow:
            if decide(uow, call) == DECISION_ACCEPT:
                self.receptions.append(call.reception_id)

    @precondition(lambda self: self.receptions)
    @rule(which=WHICH, pages=st.integers(0, 2))
    def call_in_ends(self, which: int, pages: int) -> None:
        number = which % len(self.receptions)
        result = InboundResult(True, "OK", pages, 14400, "T38", "", 30, now())
        file = Stored(new_uuid(), 1, "0" * 64) if pages else None
        with unit_of_work() as uow:
            record_reception(uow, inbound(number, "one"), result, file, pages)

    @rule(
        change=st.one_of(
            st.tuples(st.just("max_out"), st.sampled_from([None, 1, 2])),
            st.tuples(st.just("position"), st.sampled_from([50, 150])),
            st.tuples(st.sampled_from(["user_calls", "domain_calls"]), st.sampled_from([0, 1, 2])),
        )
    )
    def operator_changes(self, change: tuple[str, int | None]) -> None:
        name, value = change
        with unit_of_work() as uow:
            if name in ("max_out", "position"):
                uow.session.execute(update(Trunk).where(Trunk.name == "one").values({name: value}))
            else:
                set_param(uow, name, str(value), by="test")

    @rule()
    def operator_takes_a_trunk_out_or_adds_it(self) -> None:
        with suppress(TrunkBusy), unit_of_work() as uow:
            if find_trunk(uow, "two") is None:
                add_trunk(uow, make_trunk("two"), channels=1)
            else:
                remove_trunk(uow, "two")

    # --- Time ---

    @rule(seconds=st.sampled_from([10, 20, 100, 400, 400, 4_000, 86_400, 86_400 * 4, 86_400 * 31]))
    def time_passes(self, seconds: int) -> None:
        self.traveller.shift(timedelta(seconds=seconds))

    @rule(seconds=st.sampled_from([30, 3_600, 86_400]))
    def clock_is_set_back(self, seconds: int) -> None:
        self.move_clock(-timedelta(seconds=seconds))
        with unit_of_work() as uow:
            mend_waits(uow)
        with reading() as uow:
            for delivery in uow.session.scalars(select(Delivery).where(Delivery.state == S.QUEUED)):
                assert delivery.next_try_at is not None
                # Twice the interval is the longest wait between two calls.
                assert delivery.next_try_at <= now() + timedelta(seconds=360 + 60)

    @rule(seconds=st.sampled_from([30, 3_600, 86_400]))
    def clock_is_set_forward(self, seconds: int) -> None:
        self.move_clock(timedelta(seconds=seconds))

    def move_clock(self, step: timedelta) -> None:
        self.moved += step
        self.traveller.shift(step)

    # --- What must hold ---

    @invariant()
    def what_must_hold(self) -> None:
        with reading() as uow:
            deliveries = uow.session.scalars(select(Delivery)).all()
            attempts = uow.session.scalars(select(Attempt)).all()
            changes = uow.session.scalars(select(StateChange).order_by(StateChange.id)).all()
            check_drawings(uow)
            check_ports(uow, [attempt for attempt in attempts if attempt.ended_at is None])
        attempts = sorted(attempts, key=lambda each: self.attempts.setdefault(each.id, len(self.attempts)))
        for delivery in deliveries:
            made = [attempt for attempt in attempts if attempt.delivery_id == delivery.id]
            check_state(delivery, made)
            check_history(delivery, [change for change in changes if change.delivery_id == delivery.id])
            check_counts(delivery, made, retries=RETRIES, paid_retries=PAID_RETRIES)
            assert delivery.pages_confirmed >= self.confirmed.get(delivery.id, 0)
            self.confirmed[delivery.id] = delivery.pages_confirmed
            if STATE_INFO[delivery.state].ended:
                facts = tuple(getattr(delivery, column.key) for column in Delivery.__table__.columns)
                assert self.ended.setdefault(delivery.id, facts) == facts
        self.open = [attempt for attempt in attempts if attempt.ended_at is None]
        numbers = {delivery.id: delivery.identity for delivery in deliveries}
        on_the_line = [numbers[attempt.delivery_id] for attempt in self.open]
        assert len(on_the_line) == len(set(on_the_line)), "two calls to one number"

    def let_everything_end(self) -> None:
        """Whatever has happened: what nobody holds ends, once lines are free and every call goes well."""
        with unit_of_work() as uow:
            uow.session.execute(delete(ParamValue).where(ParamValue.name.in_(["user_calls", "domain_calls"])))
            uow.session.execute(update(Trunk).values(max_out=None))
        for number in range(len(self.receptions)):
            self.call_in_ends(number, 0)
        self.dispatchers = [Dispatcher(holder) for holder in HOLDERS]
        for _ in range(80):
            self.traveller.shift(timedelta(seconds=400))
            with unit_of_work() as uow:
                mend_waits(uow)
            self.draw(2)
            while self.drew:
                self.draw(2)
            self.dispatch_by(0, fails=False)
            while (attempt := self.pick_attempt(0, Attempt.ended_at.is_(None))) is not None:
                with unit_of_work() as uow:
                    finish_attempt(uow, attempt.id, WELL, actor="agi")
            with reading() as uow:
                waiting = uow.session.scalar(
                    select(func.count()).where(
                        Delivery.ended_at.is_(None), Delivery.state.not_in([S.HELD, S.SCHEDULED])
                    )
                )
            if not waiting:
                return
        raise AssertionError(f"{waiting} faxes never end")

    # --- Helpers ---

    def pick_attempt(self, which: int, *conditions: ColumnElement[bool]) -> Attempt | None:
        with reading() as uow:
            query = select(Attempt).where(*conditions).order_by(Attempt.created_at)
            found = uow.session.scalars(query).all()
        return found[which % len(found)] if found else None

    def pick_item(self, which: int) -> MailboxItem | None:
        with reading() as uow:
            query = select(MailboxItem).where(MailboxItem.delivery_id.is_not(None)).order_by(MailboxItem.id)
            found = uow.session.scalars(query).all()
        return found[which % len(found)] if found else None


def inbound(number: int, trunk: str) -> InboundCall:
    return InboundCall(f"reception-{number}", "gw1", trunk, "PJSIP/x", f"{number}.1", "7721009", "07367804001")


def empty_the_faxes() -> None:
    """No fax, no call, everything as it was set up: rows only, for the schema costs a second."""
    with unit_of_work() as uow:
        for model in (MailboxItem, Reception, StateChange, Attempt, Delivery, Document, Submission, Blob):
            uow.session.execute(delete(model))
        for other in (Destination, Lease, KnownClock, ParamValue, Alarm):
            uow.session.execute(delete(other))
        uow.session.execute(delete(Trunk).where(Trunk.removed_at.is_not(None)))
        if find_trunk(uow, "two") is None:
            add_trunk(uow, make_trunk("two"), channels=1)
        uow.session.execute(update(Port).values(claimed_by=None))
        uow.session.execute(update(Trunk).values(trouble_at=None, max_out=None, position=100))
        set_param(uow, "retry_count", str(RETRIES), by="test")
        set_param(uow, "paid_retry_count", str(PAID_RETRIES), by="test")
        set_param(uow, "disk_reserve", "1", by="test")


@pytest.fixture
def viewers(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Viewer]]:
    """Two users of one domain and one of another; trunks `one` of two ports and `two` of one."""
    monkeypatch.setattr("netfax.db.send", lambda *_: True)
    if database.dialect.name == "sqlite":
        # These histories are about what is written, not about power cuts.
        event.listen(database, "connect", _do_not_sync)
        database.dispose()
    world = make_world()
    with unit_of_work() as uow:
        uow.session.execute(update(Trunk).values(name="one"))
        carol = make_user(uow, add_domain(uow, "other", "Other").id, "carol", Role.USER, "867367805001")
        people = [world.alice, world.bob, Viewer.of(carol)]
    yield people
    if database.dialect.name == "sqlite":
        event.remove(database, "connect", _do_not_sync)


def _do_not_sync(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def test_whatever_happens_every_fax_is_whole_and_no_call_is_made_twice(viewers: list[Viewer]) -> None:
    run_state_machine_as_test(
        lambda: Life(viewers),
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=50,
            deadline=None,
            derandomize="NETFAX_RUNS" not in os.environ,
            database=None,
            # A history is short enough to be read; one that is made smaller takes minutes (NETFAX_SHRINK=1).
            phases=[Phase.generate, *([Phase.shrink] if "NETFAX_SHRINK" in os.environ else [])],
            suppress_health_check=list(HealthCheck),
        ),
    )
