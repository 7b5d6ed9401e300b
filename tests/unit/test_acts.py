"""What a sender may do with a fax, in each of its states, and what he is told where he may not."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from netfax.db import UnitOfWork, now, reading, unit_of_work
from netfax.errors import NotFound, UserError
from netfax.faxes import acts, errors
from netfax.faxes.cancel import cancel
from netfax.faxes.history import change_state
from netfax.faxes.models import Delivery, Document, MailboxItem, Priority, StateChange
from netfax.faxes.states import ON_THE_LINE, STATE_INFO, DeliveryState
from netfax.org.viewer import Viewer
from netfax.params.service import set_param
from netfax.storage.models import Blob
from tests.factories import World, delivery_of, dispatch_now, item_of, make_delivery, make_world

S = DeliveryState
Act = Callable[[UnitOfWork, Viewer, str], object]
AHEAD = timedelta(hours=5)


def plan(uow: UnitOfWork, viewer: Viewer, item: str) -> None:
    acts.plan(uow, viewer, item, now() + AHEAD)


def hurry(uow: UnitOfWork, viewer: Viewer, item: str) -> None:
    acts.set_priority(uow, viewer, item, Priority.HIGH)


WAITING_ACTS: list[Act] = [acts.hold, acts.release, acts.send_now, plan, hurry]
EVERY_ACT: list[Act] = [*WAITING_ACTS, acts.send_again, cancel]
WAITING = (S.QUEUED, S.SCHEDULED, S.HELD)
# By state: the state after each act, or the error that answers it.
AFTER: dict[Act, dict[DeliveryState, DeliveryState | type[UserError]]] = {
    acts.hold: {S.QUEUED: S.HELD, S.SCHEDULED: S.HELD, S.HELD: S.HELD},
    acts.release: {S.QUEUED: errors.NotHeld, S.SCHEDULED: errors.NotHeld, S.HELD: S.QUEUED},
    acts.send_now: dict.fromkeys(WAITING, S.QUEUED),
    plan: {S.QUEUED: S.SCHEDULED, S.SCHEDULED: S.SCHEDULED, S.HELD: S.HELD},
    hurry: {state: state for state in WAITING},
    acts.send_again: {state: state if STATE_INFO[state].ended else errors.NotEndedYet for state in S}
    | {S.SENT: errors.SentAlready, S.REFUSED: errors.WasRefused},
    cancel: {
        state: errors.AlreadyEnded if STATE_INFO[state].ended else state if state in ON_THE_LINE else S.CANCELLED
        for state in S
    },
}
for waiting_act in WAITING_ACTS:
    AFTER[waiting_act] |= {state: errors.AlreadyEnded for state in S if STATE_INFO[state].ended}
    AFTER[waiting_act] |= dict.fromkeys(ON_THE_LINE, errors.OnTheLineNow)
    AFTER[waiting_act] |= {S.CONVERTING: errors.StillConverting, S.AWAITING_APPROVAL: errors.WaitsForApproval}


@pytest.fixture
def world(database: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("netfax.db.send", lambda *_: True)
    return make_world()


def fax_in(viewer: Viewer, state: DeliveryState, **facts: object) -> str:
    """A fax of two pages, one of them confirmed, that has come to this state."""
    facts = {"pages": 2} | facts
    uuid = make_delivery(viewer, state=S.CONVERTING if state is S.CONVERTING else S.QUEUED, **facts)
    with unit_of_work() as uow:
        delivery = uow.session.query(Delivery).filter(Delivery.uuid == uuid).one()
        way = [S.DIALING, state] if state in (S.SENDING, S.UNKNOWN) else [state]
        for each in way:
            if delivery.state is not each:
                change_state(uow, delivery, each, actor="test")
        if state is not S.CONVERTING:
            delivery.pages_confirmed = 2 if state is S.SENT else 1
    return uuid


def do(act: Act, viewer: Viewer, uuid: str) -> object:
    item = item_of(uuid)
    with unit_of_work() as uow:
        return act(uow, viewer, item)


def changes_of(uuid: str) -> list[StateChange]:
    with reading() as uow:
        query = select(StateChange).join(Delivery, Delivery.id == StateChange.delivery_id).where(Delivery.uuid == uuid)
        return list(uow.session.scalars(query.order_by(StateChange.id)))


def deliveries() -> int:
    with reading() as uow:
        return uow.session.query(Delivery).count()


@pytest.mark.parametrize("act", EVERY_ACT, ids=lambda act: act.__name__)
def test_each_act_in_each_state_does_what_it_says_or_answers_why_not(world: World, act: Act) -> None:
    for state in S:
        uuid = fax_in(world.bob, state)
        expected = AFTER[act][state]
        if isinstance(expected, DeliveryState):
            do(act, world.bob, uuid)
            assert delivery_of(uuid).state is expected
            if expected is not state:
                assert (changes_of(uuid)[-1].before, changes_of(uuid)[-1].actor) == (state, world.bob.login)
            continue
        before = len(changes_of(uuid)), deliveries()
        with pytest.raises(expected):
            do(act, world.bob, uuid)
        assert (delivery_of(uuid).state, (len(changes_of(uuid)), deliveries())) == (state, before)


@pytest.mark.parametrize("act", EVERY_ACT, ids=lambda act: act.__name__)
def test_nobody_acts_on_another_ones_fax_but_the_administrators(world: World, act: Act) -> None:
    state = S.FAILED if act is acts.send_again else S.HELD
    uuid = fax_in(world.alice, state)
    with pytest.raises(NotFound):
        do(act, world.bob, uuid)
    assert delivery_of(uuid).state is state
    do(act, world.admin, uuid)


@pytest.mark.parametrize("act", EVERY_ACT, ids=lambda act: act.__name__)
def test_an_incoming_fax_or_an_id_that_nobody_knows_is_not_found(world: World, act: Act) -> None:
    with pytest.raises(NotFound), unit_of_work() as uow:
        act(uow, world.admin, "6b1f6f3e-0000-4000-8000-000000000001")


# --- What each does ---


def test_a_held_fax_is_not_called_until_it_is_released(world: World) -> None:
    uuid = make_delivery(world.bob)
    do(acts.hold, world.bob, uuid)
    assert dispatch_now() == 0
    do(acts.release, world.bob, uuid)
    assert dispatch_now() == 1


def test_a_released_fax_waits_for_its_planned_time_if_that_is_ahead(world: World) -> None:
    at = now() + AHEAD
    uuid = fax_in(world.bob, S.SCHEDULED, planned_at=at)
    do(acts.hold, world.bob, uuid)
    do(acts.release, world.bob, uuid)
    assert (delivery_of(uuid).state, delivery_of(uuid).next_try_at) == (S.SCHEDULED, at)


def test_a_released_fax_whose_planned_time_has_passed_goes_now(world: World) -> None:
    uuid = fax_in(world.bob, S.HELD, planned_at=now() - AHEAD)
    do(acts.release, world.bob, uuid)
    assert dispatch_now() == 1


@pytest.mark.parametrize("act", [acts.release, acts.send_now])
def test_who_goes_on_has_its_whole_time_again(world: World, act: Act) -> None:
    with unit_of_work() as uow:
        set_param(uow, "fax_lifetime", "10", by="test")
    uuid = fax_in(world.bob, S.HELD, expires_at=now() - timedelta(days=1))
    do(act, world.bob, uuid)
    expires_at = delivery_of(uuid).expires_at
    assert expires_at is not None
    assert timedelta(hours=9, minutes=59) < expires_at - now() <= timedelta(hours=10)


def test_send_now_calls_what_was_planned_or_waits_for_its_next_try(world: World) -> None:
    planned = fax_in(world.bob, S.SCHEDULED, planned_at=now() + AHEAD)
    waiting = make_delivery(world.bob, "867367721002", next_try_at=now() + AHEAD)
    for uuid in (planned, waiting):
        do(acts.send_now, world.bob, uuid)
    assert dispatch_now() == 2
    assert delivery_of(planned).planned_at is None


def test_a_plan_can_be_changed_and_the_time_in_which_it_is_sent_counts_from_it(world: World) -> None:
    uuid = fax_in(world.bob, S.SCHEDULED, planned_at=now() + timedelta(days=2))
    do(plan, world.bob, uuid)
    delivery = delivery_of(uuid)
    assert delivery.planned_at is not None and delivery.expires_at is not None
    assert delivery.planned_at == delivery.next_try_at
    assert delivery.expires_at - delivery.planned_at == timedelta(hours=72)


@pytest.mark.parametrize(
    ("away", "error"),
    [
        (-timedelta(minutes=2), errors.PlannedInThePast),
        (-timedelta(days=3650), errors.PlannedInThePast),
        (timedelta(days=367), errors.PlannedTooFarAhead),
        (timedelta(days=365 * 50), errors.PlannedTooFarAhead),
    ],
)
def test_a_planned_time_in_the_past_or_over_a_year_ahead_is_refused(
    world: World, away: timedelta, error: type[UserError]
) -> None:
    uuid = make_delivery(world.bob)
    with pytest.raises(error):
        do(lambda uow, viewer, item: acts.plan(uow, viewer, item, now() + away), world.bob, uuid)
    assert (delivery_of(uuid).state, delivery_of(uuid).planned_at) == (S.QUEUED, None)


@pytest.mark.parametrize("away", [timedelta(days=366) - timedelta(minutes=1), -timedelta(seconds=30)])
def test_a_year_ahead_is_taken_and_a_clock_that_goes_a_little_after_ours_too(world: World, away: timedelta) -> None:
    uuid = make_delivery(world.bob)
    do(lambda uow, viewer, item: acts.plan(uow, viewer, item, now() + away), world.bob, uuid)
    assert delivery_of(uuid).state is (S.SCHEDULED if away > timedelta(0) else S.QUEUED)


def test_a_new_priority_holds_for_what_the_dispatcher_has_in_mind_already(world: World) -> None:
    uuid = make_delivery(world.bob, admitted=True)
    do(hurry, world.bob, uuid)
    delivery = delivery_of(uuid)
    assert (delivery.priority, delivery.admitted) == (Priority.HIGH, False)


# --- Again ---


def again_of(uuid: str, viewer: Viewer, *, whole: bool = False) -> Delivery:
    new = do(lambda uow, viewer, item: acts.send_again(uow, viewer, item, whole=whole), viewer, uuid)
    assert isinstance(new, str) and new != uuid
    return delivery_of(new)


@pytest.mark.parametrize(
    ("state", "whole", "first"),
    [(S.PARTIAL, False, 2), (S.UNKNOWN, False, 2), (S.CANCELLED, False, 2), (S.PARTIAL, True, 1), (S.SENT, True, 1)],
)
def test_sent_again_are_the_pages_that_were_not_confirmed_or_all_when_asked_for(
    world: World, state: DeliveryState, whole: bool, first: int
) -> None:
    uuid = fax_in(world.bob, state, extension="801", number_text="7721001E801", priority=Priority.LOW)
    again, ended = again_of(uuid, world.bob, whole=whole), delivery_of(uuid)
    assert ended.state is state
    same = ("submission_id", "tenant_id", "user_id", "identity", "extension", "number_text", "priority", "pages")
    assert all(getattr(again, name) == getattr(ended, name) for name in same)
    assert (again.again_of, again.state, again.tries) == (ended.id, S.QUEUED, 0)
    assert dispatch_now() == 1
    assert [attempt.first_page for attempt in delivery_of(again.uuid).attempts] == [first]


def test_what_a_later_one_got_confirmed_is_not_sent_again_by_the_first(world: World) -> None:
    first = fax_in(world.bob, S.PARTIAL, pages=4)
    second = again_of(first, world.bob)
    with unit_of_work() as uow:
        delivery = uow.session.get_one(Delivery, second.id)
        delivery.pages_confirmed = 2
        change_state(uow, delivery, S.PARTIAL, actor="test")
    third = again_of(first, world.bob)
    assert (third.pages_confirmed, third.again_of) == (2, second.id)
    with pytest.raises(errors.AlreadySentAgain):
        do(acts.send_again, world.bob, first)


def test_a_fax_that_was_taken_back_before_its_pages_were_drawn_can_be_sent_again(world: World) -> None:
    uuid = fax_in(world.bob, S.CONVERTING, pages=0)
    do(cancel, world.bob, uuid)
    with unit_of_work() as uow:
        submission_id = uow.session.query(Delivery).filter(Delivery.uuid == uuid).one().submission_id
        blob_id = uow.session.query(Blob).one().id
        uow.session.add(Document(submission_id=submission_id, blob_id=blob_id, pages=2, page_bytes=[100, 100]))
    again = again_of(uuid, world.bob)
    assert (again.pages, again.pages_confirmed) == (2, 0)


def test_what_is_sent_again_is_in_its_senders_outbox_whoever_asked_for_it(world: World) -> None:
    again = again_of(fax_in(world.bob, S.FAILED), world.admin)
    with reading() as uow:
        item = uow.session.scalars(select(MailboxItem).where(MailboxItem.delivery_id == again.id)).one()
        assert item.user_id == world.bob.user_id
    assert [(change.before, change.after) for change in changes_of(again.uuid)] == [(None, S.QUEUED)]
    assert changes_of(again.uuid)[0].actor == world.admin.login


def test_a_document_that_could_not_be_drawn_is_not_sent_again(world: World) -> None:
    uuid = fax_in(world.bob, S.CONVERTING)
    with unit_of_work() as uow:
        change_state(uow, uow.session.query(Delivery).one(), S.FAILED, actor="test")
    with pytest.raises(errors.NeverDrawn):
        do(acts.send_again, world.bob, uuid)


def test_every_error_of_an_act_has_words_in_both_languages() -> None:
    told = {
        answer for answers in AFTER.values() for answer in answers.values() if not isinstance(answer, DeliveryState)
    }
    for error in told | {errors.PlannedInThePast, errors.PlannedTooFarAhead}:
        assert error.en.isascii() and not error.zh.isascii()
        assert error.code
