"""Every row says in one line why its fax is where it is, and what comes next (R5.1, R5.7)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import Engine

from netfax.db import now, unit_of_work
from netfax.faxes.finish import finish_attempt
from netfax.faxes.models import Attempt, Delivery
from netfax.faxes.results import CallOutcome, Cause
from netfax.faxes.retry import RULES
from netfax.faxes.states import DeliveryState
from netfax.params.service import set_param
from tests.factories import World, dispatch_now, make_delivery, make_world, only_attempt
from tests.unit.webapp_portal import Portal, let_in, open_portal
from webapp.assets import Built
from webapp.reasons import Calling

S = DeliveryState
# Half past eight in the evening in Asia/Shanghai.
BEGIN = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
BUSY = CallOutcome(answered=False, hangup_cause=17)
NO_SPEED = CallOutcome(
    True, None, "FAILED", "Failed to train with any of the compatible modems", resolution="8031x7700", seconds=20
)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(BEGIN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def world(sqlite: Engine, clock: time_machine.Traveller) -> World:
    world = make_world()
    let_in(world.bob)
    return world


@pytest.fixture
def portal(world: World, built: Built) -> Portal:
    portal = open_portal(built)
    portal.sign_in("bob@demo")
    return portal


def reason(portal: Portal) -> str:
    """What the one row of the queue says."""
    (found,) = re.findall(r'<div class="reason">([^<]*)</div>', portal.get("/queue/rows").text)
    return str(found)


def set_params(**values: str) -> None:
    with unit_of_work() as uow:
        for name, value in values.items():
            set_param(uow, name, value, by="test")


def set_facts(**facts: object) -> None:
    """Facts of the one delivery."""
    with unit_of_work() as uow:
        delivery = uow.session.query(Delivery).one()
        for name, value in facts.items():
            setattr(delivery, name, value)


def call_ends(outcome: CallOutcome) -> None:
    """The one due fax is called, and the call ends so."""
    assert dispatch_now() == 1
    attempt_id = only_attempt()
    with unit_of_work() as uow:
        uow.session.get_one(Attempt, attempt_id).originated_at = now()
    with unit_of_work() as uow:
        finish_attempt(uow, attempt_id, outcome, actor="test")


# --- After a call ---


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Line busy, next call at 20:31:30 (2 of 6)"), ("zh", "对方占线，20:31:30 再拨（第 2/6 次）")],
)
def test_busy_fax_says_when_it_is_called_again(portal: Portal, world: World, language: str, words: str) -> None:
    let_in(world.bob, language=language)
    make_delivery(world.bob)
    call_ends(BUSY)
    assert reason(portal) == words


def test_calls_that_were_answered_have_a_count_of_their_own(
    portal: Portal, world: World, clock: time_machine.Traveller
) -> None:
    make_delivery(world.bob)
    call_ends(BUSY)
    clock.shift(timedelta(minutes=5))
    call_ends(NO_SPEED)
    assert reason(portal) == "No speed that the line carries, next call at 20:36:00 (2 of 4)"
    clock.shift(timedelta(minutes=5))
    call_ends(BUSY)
    assert reason(portal) == "Line busy, next call at 20:41:30 (3 of 6)"


@pytest.mark.parametrize(("retries", "paid", "count"), [("1", "3", "2 of 2"), ("5", "2", "2 of 3")])
def test_answered_calls_never_have_more_than_the_number_of_retries(
    portal: Portal, world: World, retries: str, paid: str, count: str
) -> None:
    set_params(retry_count=retries, paid_retry_count=paid)
    make_delivery(world.bob)
    call_ends(NO_SPEED)
    assert f"({count})" in reason(portal)


def test_count_holds_when_the_parameter_was_lowered_since(portal: Portal, world: World) -> None:
    make_delivery(world.bob)
    call_ends(BUSY)
    set_params(retry_count="0")
    assert "(2 of 2)" in reason(portal)


def test_fax_that_is_due_waits_for_a_line(portal: Portal, world: World, clock: time_machine.Traveller) -> None:
    make_delivery(world.bob)
    assert reason(portal) == "Goes as soon as a line is free"
    call_ends(BUSY)
    clock.shift(timedelta(minutes=5))
    assert reason(portal) == "Line busy, next call as soon as a line is free (2 of 6)"


def test_call_of_another_day_has_its_date(portal: Portal, world: World) -> None:
    set_params(retry_interval="28800")
    make_delivery(world.bob)
    call_ends(BUSY)
    assert reason(portal) == "Line busy, next call at 2026-11-25 00:30:00 (2 of 6)"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("cause", RULES)
def test_every_cause_that_is_called_again_has_its_words(
    portal: Portal, world: World, cause: Cause, language: str
) -> None:
    let_in(world.bob, language=language)
    make_delivery(world.bob)
    call_ends(BUSY)
    with unit_of_work() as uow:
        uow.session.query(Attempt).one().cause = cause
    why = re.split("[,，]", reason(portal))[0]
    assert "20:31:30" not in why
    assert re.search("[\u4e00-\u9fff]", why) if language == "zh" else why[0].isupper()


# --- Before a call ---


@pytest.mark.parametrize(
    ("state", "language", "words"),
    [
        (S.CONVERTING, "en", "The pages are being drawn, planned for 2026-12-31 08:30"),
        (S.SCHEDULED, "en", "Planned for 2026-12-31 08:30"),
        (S.SCHEDULED, "zh", "定于 2026-12-31 08:30 发送"),
        (S.HELD, "en", "Planned for 2026-12-31 08:30, held; release it to send"),
    ],
)
def test_planned_fax_names_its_time(
    portal: Portal, world: World, state: DeliveryState, language: str, words: str
) -> None:
    let_in(world.bob, language=language)
    make_delivery(world.bob, state=state)
    set_facts(planned_at=datetime(2026, 12, 31, 0, 30, tzinfo=UTC))
    assert reason(portal) == words


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (S.CONVERTING, "The pages are being drawn"),
        (S.AWAITING_APPROVAL, "Goes when it is approved"),
        (S.HELD, "Held; release it to send"),
    ],
)
def test_waiting_fax_says_what_comes_next(portal: Portal, world: World, state: DeliveryState, words: str) -> None:
    make_delivery(world.bob, state=state)
    assert reason(portal) == words


def test_planned_time_that_is_past_is_not_named(portal: Portal, world: World) -> None:
    make_delivery(world.bob, state=S.HELD)
    set_facts(planned_at=BEGIN - timedelta(hours=1))
    assert reason(portal) == "Held; release it to send"


# --- Calling hours ---


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Outside calling hours, goes at 2026-11-25 08:00:00"),
        ("zh", "不在允许外拨的时段，2026-11-25 08:00:00 发送"),
    ],
)
def test_outside_calling_hours_the_row_says_from_when_it_goes(
    portal: Portal, world: World, language: str, words: str
) -> None:
    let_in(world.bob, language=language)
    set_params(calling_hours="08:00-20:00")
    make_delivery(world.bob)
    assert reason(portal) == words


def test_next_call_that_falls_outside_calling_hours_is_named_for_their_begin(portal: Portal, world: World) -> None:
    set_params(calling_hours="08:00-20:31")
    make_delivery(world.bob)
    call_ends(BUSY)
    assert reason(portal) == "Line busy, outside calling hours, next call at 2026-11-25 08:00:00 (2 of 6)"


def test_plan_outside_calling_hours_says_when_it_goes(portal: Portal, world: World) -> None:
    set_params(calling_hours="08:00-20:00")
    make_delivery(world.bob, state=S.SCHEDULED)
    set_facts(planned_at=datetime(2026, 12, 30, 19, 0, tzinfo=UTC))
    assert reason(portal) == "Planned for 2026-12-31 03:00, outside calling hours, goes at 2026-12-31 08:00"


@pytest.mark.parametrize(
    ("hours", "local", "opens"),
    [
        ("00:00-24:00", "2026-11-24 23:59", "2026-11-24 23:59"),
        ("08:00-20:00", "2026-11-24 08:00", "2026-11-24 08:00"),
        ("08:00-20:00", "2026-11-24 07:59", "2026-11-24 08:00"),
        ("08:00-20:00", "2026-11-24 20:00", "2026-11-25 08:00"),
        ("22:00-06:00", "2026-11-24 05:59", "2026-11-24 05:59"),
        ("22:00-06:00", "2026-11-24 06:00", "2026-11-24 22:00"),
        ("08:00-20:00", "2026-12-31 21:00", "2027-01-01 08:00"),
    ],
)
def test_calling_hours_begin_at_their_hour_of_the_systems_zone(hours: str, local: str, opens: str) -> None:
    def instant(text: str) -> datetime:
        return datetime.fromisoformat(f"{text}+08:00")

    calling = Calling(5, 3, hours, "Asia/Shanghai")
    assert calling.from_when(instant(local)) == instant(opens)


# --- After the end ---


@pytest.mark.parametrize(
    ("pages", "confirmed", "english", "chinese"),
    [
        (1, 0, "Page 1 may have arrived", "第 1 页可能已送达"),
        (2, 1, "Page 1 confirmed, page 2 may have arrived", "第 1 页已确认，第 2 页可能已送达"),
        (4, 3, "Pages 1–3 confirmed, page 4 may have arrived", "第 1–3 页已确认，第 4 页可能已送达"),
        (4, 2, "Pages 1–2 confirmed, pages 3–4 may have arrived", "第 1–2 页已确认，第 3–4 页可能已送达"),
    ],
)
def test_unknown_result_names_the_pages_that_may_have_arrived(
    portal: Portal, world: World, pages: int, confirmed: int, english: str, chinese: str
) -> None:
    make_delivery(world.bob, pages=pages)
    set_facts(state=S.UNKNOWN, cause=Cause.CALL_LOST, pages_confirmed=confirmed, ended_at=now())
    assert reason(portal) == english
    let_in(world.bob, language="zh")
    assert reason(portal) == chinese


def test_partial_fax_says_how_much_arrived_and_why_not_all(portal: Portal, world: World) -> None:
    make_delivery(world.bob, pages=4)
    set_facts(state=S.PARTIAL, cause=Cause.DROPPED, pages_confirmed=2, ended_at=now())
    assert reason(portal) == "2 of 4 pages confirmed. The call was cut off."
