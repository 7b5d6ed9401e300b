"""What somebody does with one fax in the portal (R5.1): each act, each thing that may be wrong, and what is offered."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from netfax.db import now, reading, unit_of_work
from netfax.faxes.finish import finish_attempt
from netfax.faxes.history import change_state
from netfax.faxes.models import Attempt, Delivery, Priority
from netfax.faxes.results import CallOutcome, Cause
from netfax.faxes.states import DeliveryState
from tests.factories import World, delivery_of, dispatch_now, make_delivery, make_world, only_attempt
from tests.unit.webapp_portal import Portal, in_form, item_of, let_in, open_portal
from webapp.assets import Built

S = DeliveryState
ENDED_OF_ALL = (S.FAILED, S.PARTIAL, S.UNKNOWN, S.CANCELLED)
HOLD, RELEASE, NOW = "/hold", "/release", "/send-now"
AGAIN, TIME, PRIORITY, CANCEL = "/again", "/time", "/priority", "/cancel"


@pytest.fixture
def world(sqlite: Engine) -> World:
    world = make_world()
    for viewer in (world.alice, world.bob, world.admin):
        let_in(viewer)
    return world


@pytest.fixture
def portal(world: World, built: Built) -> Portal:
    portal = open_portal(built)
    portal.sign_in("bob@demo")
    return portal


def fax_of(world: World, state: DeliveryState = S.QUEUED, **facts: object) -> str:
    """A fax of bob's in a state, with facts of its delivery; its public delivery id."""
    before_the_line = state not in (S.PARTIAL, S.UNKNOWN, S.SENT)
    uuid = make_delivery(world.bob, pages=3, state=state if before_the_line else S.QUEUED)
    with unit_of_work() as uow:
        delivery = uow.session.query(Delivery).filter_by(uuid=uuid).one()
        if not before_the_line:
            change_state(uow, delivery, S.DIALING, actor="test")
            change_state(uow, delivery, state, actor="test")
        for name, value in facts.items():
            setattr(delivery, name, value)
    return uuid


def details(portal: Portal, uuid: str) -> str:
    return portal.get(f"/fax/{item_of(uuid)}/details").text


def do(portal: Portal, uuid: str, act: str, form: dict[str, object] | None = None) -> str:
    """Send the form of an act; the page that the browser shows then."""
    answer = portal.post(f"/fax/{item_of(uuid)}{act}", form or {}, page="/send")
    return answer.text if answer.status_code == 422 else portal.get(answer.headers["Location"]).text


def offered(portal: Portal, uuid: str) -> set[str]:
    """The acts that the details page offers."""
    page, item = details(portal, uuid), item_of(uuid)
    acts = {act for act in (HOLD, RELEASE, NOW, TIME, PRIORITY) if f'action="/fax/{item}{act}"' in page}
    if f'href="/fax/{item}{CANCEL}"' in page:
        acts.add(CANCEL)
    forms = in_form(page, f"/fax/{item}{AGAIN}")
    acts |= {"whole" if "whole" in form else "again" for form in forms}
    if f'href="/fax/{item}{AGAIN}"' in page:
        acts.add("whole, asked first")
    return acts


def call_out() -> str:
    """Let the one due fax be called, and its call be placed; the attempt's id."""
    assert dispatch_now() == 1
    attempt_id = only_attempt()
    with unit_of_work() as uow:
        uow.session.get_one(Attempt, attempt_id).originated_at = now()
    return attempt_id


def deliveries() -> list[Delivery]:
    with reading() as uow:
        return uow.session.query(Delivery).order_by(Delivery.id).all()


# --- What is offered ---


@pytest.mark.parametrize(
    ("state", "facts", "acts"),
    [
        (S.CONVERTING, {}, {CANCEL}),
        (S.AWAITING_APPROVAL, {}, {CANCEL}),
        (S.QUEUED, {}, {HOLD, TIME, PRIORITY, CANCEL}),
        (S.QUEUED, {"next_try_at": timedelta(minutes=3)}, {HOLD, NOW, TIME, PRIORITY, CANCEL}),
        (
            S.SCHEDULED,
            {"planned_at": timedelta(days=1), "next_try_at": timedelta(days=1)},
            {HOLD, NOW, TIME, PRIORITY, CANCEL},
        ),
        (S.HELD, {"next_try_at": None}, {RELEASE, TIME, PRIORITY, CANCEL}),
        (S.FAILED, {}, {"again"}),
        (S.CANCELLED, {}, {"again"}),
        (S.PARTIAL, {"pages_confirmed": 1}, {"again", "whole"}),
        (S.UNKNOWN, {"pages_confirmed": 2}, {"again", "whole"}),
        (S.SENT, {"pages_confirmed": 3}, {"whole, asked first"}),
        (S.REFUSED, {}, set()),
    ],
)
def test_only_the_acts_that_are_possible_are_offered(
    portal: Portal, world: World, state: DeliveryState, facts: dict[str, object], acts: set[str]
) -> None:
    at = now()
    values = {name: at + value if isinstance(value, timedelta) else value for name, value in facts.items()}
    assert offered(portal, fax_of(world, state, **values)) == acts


def test_a_fax_on_the_line_can_only_be_cancelled_and_only_once(portal: Portal, world: World) -> None:
    uuid = fax_of(world)
    call_out()
    assert offered(portal, uuid) == {CANCEL}
    assert "is being hung up." in do(portal, uuid, CANCEL)
    assert offered(portal, uuid) == set()
    assert "Being hung up." in details(portal, uuid)


@pytest.mark.parametrize("on_the_line", [False, True])
def test_cancelling_says_before_and_after_what_was_confirmed(
    portal: Portal, world: World, on_the_line: bool
) -> None:  # R5.1
    uuid = fax_of(world, pages_confirmed=2)
    if on_the_line:
        call_out()
    assert "2 of 3 pages were confirmed already" in portal.get(f"/fax/{item_of(uuid)}{CANCEL}").text
    _, _, said = do(portal, uuid, CANCEL).partition("alert-success")
    assert "2 of 3 pages " in said.partition("</div>")[0].partition("</p>")[0]


def test_a_fax_whose_document_could_not_be_drawn_cannot_be_sent_again(portal: Portal, world: World) -> None:
    uuid = fax_of(world, S.CONVERTING)
    with unit_of_work() as uow:
        delivery = uow.session.query(Delivery).one()
        delivery.cause = Cause.BAD_DOCUMENT
        change_state(uow, delivery, S.FAILED, actor="test")
    assert offered(portal, uuid) == set()
    assert "were never drawn" in do(portal, uuid, AGAIN)


def test_rows_offer_what_fits_their_state(portal: Portal, world: World) -> None:
    waiting, held, failed = fax_of(world), fax_of(world, S.HELD), fax_of(world, S.FAILED)
    page = portal.get("/queue").text
    for uuid, act in ((waiting, HOLD), (held, RELEASE), (failed, AGAIN)):
        (form,) = in_form(page, f"/fax/{item_of(uuid)}{act}")
        assert form["next"] == "/queue"
        assert "csrf_token" in form
    assert in_form(portal.get("/sent").text, f"/fax/{item_of(failed)}{AGAIN}")


# --- The acts ---


def test_held_fax_waits_and_released_goes_on(portal: Portal, world: World) -> None:
    uuid = fax_of(world)
    assert "is held until it is released." in do(portal, uuid, HOLD)
    assert delivery_of(uuid).state is S.HELD
    assert dispatch_now() == 0
    assert "is released. Goes as soon as a line is free" in do(portal, uuid, RELEASE)
    assert delivery_of(uuid).state is S.QUEUED
    assert dispatch_now() == 1


def test_released_planned_fax_waits_for_its_time(portal: Portal, world: World) -> None:
    uuid = fax_of(world, S.HELD, planned_at=now() + timedelta(days=2))
    assert "is released. Planned for " in do(portal, uuid, RELEASE)
    assert delivery_of(uuid).state is S.SCHEDULED


def test_planned_fax_is_sent_now(portal: Portal, world: World) -> None:
    uuid = fax_of(world, S.SCHEDULED, planned_at=now() + timedelta(days=2), next_try_at=now() + timedelta(days=2))
    assert "Within calling hours, the fax to 867367721001 waits no longer." in do(portal, uuid, NOW)
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.planned_at) == (S.QUEUED, None)


def test_time_is_changed_in_the_users_zone(portal: Portal, world: World) -> None:
    uuid = fax_of(world)
    tomorrow = now().replace(hour=4, minute=30, second=0, microsecond=0) + timedelta(days=1)
    # Asia/Shanghai is eight hours ahead.
    page = do(portal, uuid, TIME, {"planned_at": f"{tomorrow:%Y-%m-%d}T12:30"})
    assert f"has another time. Planned for {tomorrow:%Y-%m-%d} 12:30" in page
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.planned_at) == (S.SCHEDULED, tomorrow)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("2020-01-01T08:30", "The planned time is past"),
        ("2999-01-01T08:30", "at most a year ahead"),
        ("9999-12-31T23:59", "at most a year ahead"),
        ("0001-01-01T00:00", "is not a time"),
        ("2026-02-30T08:30", "is not a time"),
        ("tomorrow", "&#39;tomorrow&#39; is not a time; write it as 2026-12-31 08:30."),
        ("", "is not a time"),
    ],
)
def test_wrong_time_is_said_beside_its_field_and_stays_there(
    portal: Portal, world: World, typed: str, words: str
) -> None:
    uuid = fax_of(world)
    page = do(portal, uuid, TIME, {"planned_at": typed})
    _, _, problem = page.partition('id="problem-planned_at"')
    assert words in problem.split("</p>")[0]
    assert f'value="{typed}"' in page
    assert delivery_of(uuid).planned_at is None


def test_priority_is_changed(portal: Portal, world: World) -> None:
    uuid = fax_of(world)
    assert "has priority “High” now." in do(portal, uuid, PRIORITY, {"priority": "high"})
    assert delivery_of(uuid).priority is Priority.HIGH


def test_priority_that_is_none_is_said_beside_its_field(portal: Portal, world: World) -> None:
    uuid = fax_of(world)
    page = do(portal, uuid, PRIORITY, {"priority": "urgent"})
    _, _, problem = page.partition('id="problem-priority"')
    assert "&#39;urgent&#39; is not a priority; choose high, medium or low." in problem.split("</p>")[0]
    assert delivery_of(uuid).priority is Priority.MEDIUM


@pytest.mark.parametrize("state", ENDED_OF_ALL)
def test_missed_fax_is_sent_again_in_one_click(portal: Portal, world: World, state: DeliveryState) -> None:
    uuid = fax_of(world, state, pages_confirmed=1)
    page = do(portal, uuid, AGAIN)
    assert "2 pages are sent to " in page
    first, again = deliveries()
    assert first.state is state
    assert (again.state, again.again_of, again.pages_confirmed) == (S.QUEUED, first.id, 1)


def test_expired_fax_is_sent_again_in_one_click(portal: Portal, world: World) -> None:
    uuid = fax_of(world, S.FAILED, cause=Cause.EXPIRED)
    assert "The time in which it was to be sent has passed; send it again." in details(portal, uuid)
    assert "3 pages are sent to " in do(portal, uuid, AGAIN)


def test_whole_fax_is_sent_again(portal: Portal, world: World) -> None:
    uuid = fax_of(world, S.PARTIAL, pages_confirmed=2)
    assert "3 pages are sent to " in do(portal, uuid, AGAIN, {"whole": "1"})
    assert deliveries()[1].pages_confirmed == 0


def test_sent_fax_goes_a_second_time_only_after_a_question(portal: Portal, world: World) -> None:
    uuid = fax_of(world, S.SENT, pages_confirmed=3, ended_at=now().replace(2026, 11, 23, 4, 34, 9, 0))
    assert "Every page of this fax was confirmed already" in do(portal, uuid, AGAIN)
    assert len(deliveries()) == 1
    question = portal.get(f"/fax/{item_of(uuid)}{AGAIN}").text
    assert "It was delivered at 2026-11-23 12:34:09; send it a second time?" in question
    (form,) = in_form(question, f"/fax/{item_of(uuid)}{AGAIN}")
    assert "3 pages are sent to " in do(portal, uuid, AGAIN, {"whole": form["whole"]})
    assert deliveries()[1].pages_confirmed == 0


def test_second_click_on_send_again_gives_no_second_fax(portal: Portal, world: World) -> None:
    uuid = fax_of(world, S.FAILED)
    do(portal, uuid, AGAIN)
    assert "This fax has been sent again already, as fax 2." in do(portal, uuid, AGAIN)
    assert len(deliveries()) == 2
    assert offered(portal, uuid) == set()


@pytest.mark.parametrize(("state", "acts"), [(S.FAILED, {"again"}), (S.SENT, set())])
def test_fax_is_sent_again_once_more_only_when_the_other_one_has_not_arrived(
    portal: Portal, world: World, state: DeliveryState, acts: set[str]
) -> None:
    uuid = fax_of(world, S.FAILED)
    do(portal, uuid, AGAIN)
    with unit_of_work() as uow:
        change_state(uow, uow.session.get_one(Delivery, deliveries()[1].id), state, actor="test")
    assert offered(portal, uuid) == acts


def test_fax_and_the_one_that_sends_it_again_lead_to_each_other(portal: Portal, world: World) -> None:
    uuid = fax_of(world, S.FAILED)
    do(portal, uuid, AGAIN)
    again = deliveries()[1].uuid
    assert f'href="/fax/{item_of(again)}/details">Fax 2</a>' in details(portal, uuid)
    assert f'href="/fax/{item_of(uuid)}/details">Fax 1</a>' in details(portal, again)
    assert "sent again by bob@demo" in details(portal, again)
    assert "Sent again as fax 2" in portal.get("/sent").text
    assert not in_form(portal.get("/sent").text, f"/fax/{item_of(uuid)}{AGAIN}")


# --- What can't be done is said, and nothing changes ---


@pytest.mark.parametrize("act", [HOLD, RELEASE, NOW, TIME, PRIORITY])
@pytest.mark.parametrize(
    ("state", "words"),
    [
        (S.FAILED, "This fax has ended already: Failed."),
        (S.CONVERTING, "The pages of this fax are still being drawn"),
        (S.AWAITING_APPROVAL, "This fax waits for its approval"),
    ],
)
def test_act_that_comes_at_the_wrong_time_is_answered(
    portal: Portal, world: World, act: str, state: DeliveryState, words: str
) -> None:
    uuid = fax_of(world, state)
    later = f"{now() + timedelta(days=3):%Y-%m-%dT%H:%M}"
    assert words in do(portal, uuid, act, {"planned_at": later, "priority": "high"})
    assert delivery_of(uuid).state is state


def test_act_on_a_fax_on_the_line_is_answered(portal: Portal, world: World) -> None:
    uuid = fax_of(world)
    dispatch_now()
    assert "This fax is on the line now; it can only be cancelled." in do(portal, uuid, HOLD)
    assert "This fax has not ended yet (Dialling)" in do(portal, uuid, AGAIN)


def test_release_of_a_fax_that_is_not_held_is_answered(portal: Portal, world: World) -> None:
    assert "This fax is not held." in do(portal, fax_of(world), RELEASE)


def test_answers_are_in_the_users_language(portal: Portal, world: World) -> None:
    uuid = fax_of(world)
    let_in(world.bob, language="zh")
    assert "此传真没有被暂停。" in do(portal, uuid, RELEASE)
    assert "的传真已暂停，恢复后才会发送。" in do(portal, uuid, HOLD)


@pytest.mark.parametrize("act", [HOLD, RELEASE, NOW, TIME, PRIORITY, AGAIN, CANCEL])
def test_another_users_fax_is_404_and_stays_as_it_is(portal: Portal, world: World, act: str) -> None:
    uuid = make_delivery(world.alice)
    form = {"planned_at": f"{now() + timedelta(days=3):%Y-%m-%dT%H:%M}", "priority": "high"}
    assert portal.post(f"/fax/{item_of(uuid)}{act}", form, page="/send").status_code == 404
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.priority, delivery.planned_at) == (S.QUEUED, Priority.MEDIUM, None)


@pytest.mark.parametrize("address", ["//evil.example", "https://evil.example/", "/\\evil.example", "/\t/evil.example"])
def test_an_act_never_leads_to_another_site(portal: Portal, world: World, address: str) -> None:
    uuid = fax_of(world)
    answer = portal.post(f"/fax/{item_of(uuid)}{HOLD}", {"next": address}, page="/send")
    assert answer.headers["Location"] == f"/fax/{item_of(uuid)}/details"


# --- Cancelling on the line ---


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "2 of 3 pages had been confirmed."), ("zh", "取消前已确认 2/3 页。")],
)
def test_cancelled_call_says_what_had_been_confirmed(portal: Portal, world: World, language: str, words: str) -> None:
    uuid = fax_of(world)
    attempt_id = call_out()
    do(portal, uuid, CANCEL)
    outcome = CallOutcome(True, None, "FAILED", "The call dropped prematurely", "HANGUP", pages=2, rate=0, seconds=30)
    with unit_of_work() as uow:
        finish_attempt(uow, attempt_id, outcome, actor="gateway")
    assert delivery_of(uuid).state is S.CANCELLED
    let_in(world.bob, language=language)
    for page in (portal.get("/queue").text, portal.get("/sent").text, details(portal, uuid)):
        assert words in page


def test_fax_whose_call_is_not_placed_yet_is_cancelled_at_once(portal: Portal, world: World) -> None:
    uuid = fax_of(world)
    dispatch_now()
    assert "is cancelled." in do(portal, uuid, CANCEL)
    assert delivery_of(uuid).state is S.CANCELLED
    assert "It was not placed." in details(portal, uuid)


def test_waiting_fax_with_confirmed_pages_says_so_before_and_after_the_cancel(portal: Portal, world: World) -> None:
    uuid = fax_of(world, pages_confirmed=2)
    assert "2 of 3 pages were confirmed already" in portal.get(f"/fax/{item_of(uuid)}{CANCEL}").text
    assert "is cancelled. 2 of 3 pages had been confirmed." in do(portal, uuid, CANCEL)


# --- Who may ---


@pytest.mark.parametrize("act", [HOLD, AGAIN])
def test_administrator_acts_for_a_user_of_his_and_the_timeline_names_him(
    world: World, built: Built, portal: Portal, act: str
) -> None:
    uuid = fax_of(world, S.QUEUED if act == HOLD else S.FAILED)
    administrator = open_portal(built)
    administrator.sign_in("alice@demo")
    do(administrator, uuid, act)
    last = deliveries()[-1]
    assert last.user_id == world.bob.user_id
    assert "by alice@demo" in details(portal, last.uuid)
