"""The timeline of a fax: its states and its calls in one order, who did what, and inside deliveries (R3.7)."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from netfax.db import UnitOfWork, now, unit_of_work
from netfax.faxes import acts
from netfax.faxes.cancel import cancel
from netfax.faxes.finish import finish_attempt, record_answers
from netfax.faxes.inside import deliver_inside
from netfax.faxes.models import Attempt, Delivery, Document, Priority, StateChange
from netfax.faxes.results import CallOutcome
from netfax.org.models import Role, User
from netfax.org.viewer import Viewer
from netfax.storage.disk import store_file
from netfax.storage.models import Blob
from tests.factories import World, delivery_of, dispatch_now, make_delivery, make_world, only_attempt
from tests.unit.webapp_portal import Portal, item_of, let_in, open_portal
from webapp.assets import Built
from webapp.times import DEFAULT_ZONE

HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
def world(sqlite: Engine) -> World:
    world = make_world()
    for viewer in (world.alice, world.bob, world.admin):
        let_in(viewer)
    return world


@pytest.fixture
def portal(world: World, built: Built) -> Portal:
    return portal_of(world.bob, built)


def portal_of(viewer: Viewer, built: Built) -> Portal:
    portal = open_portal(built)
    portal.sign_in(viewer.login)
    return portal


def details(portal: Portal, item: str) -> str:
    return portal.get(f"/fax/{item}/details").text


def moments(page: str) -> list[str]:
    """The words of each entry of the timeline, without their times."""
    timeline = page.partition('<ol class="timeline">')[2].partition("</ol>")[0]
    entries = re.split(r'<li class="moment [^"]*">', timeline)[1:]
    texts = [re.sub(r"<time .*?</time>|<svg.*?</svg>|<[^>]+>", " ", entry) for entry in entries]
    return [" ".join(text.split()) for text in texts]


def call_ends(outcome: CallOutcome, **facts: object) -> None:
    """The one due fax is called; facts of the attempt, and how it ends."""
    assert dispatch_now() == 1
    attempt_id = only_attempt()
    with unit_of_work() as uow:
        attempt = uow.session.get_one(Attempt, attempt_id)
        attempt.originated_at = now()
        for name, value in facts.items():
            setattr(attempt, name, value)
    with unit_of_work() as uow:
        if outcome.answered:
            record_answers(uow, [attempt_id], actor="bridge")
        finish_attempt(uow, attempt_id, outcome, actor="gateway")


def fax_of_two_calls(world: World) -> str:
    """Busy at first, then held and released by its sender, then sent; its delivery's public id."""
    uuid = make_delivery(world.bob, pages=2)
    call_ends(CallOutcome(answered=False, hangup_cause=17, status_text="User busy"))
    for act in (acts.hold, acts.release):
        with unit_of_work() as uow:
            act(uow, world.bob, item_of(uuid))
    call_ends(CallOutcome(True, None, "SUCCESS", "OK", pages=2, rate=9600, mode="T38", seconds=75))
    return uuid


def test_states_and_calls_are_one_list_in_order(portal: Portal, world: World) -> None:
    page = details(portal, item_of(fax_of_two_calls(world)))
    found = moments(page)
    assert [entry.split(" answered at ")[0] for entry in found] == [
        "Converting submitted by bob@demo",
        "Waiting",
        "Call 1 on trunk pstn The line was busy.",
        "Waiting",
        "Held by bob@demo",
        "Waiting by bob@demo",
        "Call 2 on trunk pstn Every page was confirmed. 2 of 2 pages confirmed T.38 9600 bit/s",
        "Sent",
    ]
    assert found[6].endswith("1 min 15 s")


def test_acts_that_leave_the_state_as_it_is_are_told_too(portal: Portal, world: World) -> None:
    uuid = make_delivery(world.bob)
    at = now() + timedelta(hours=3)
    steps: list[Callable[[UnitOfWork, Viewer, str], object]] = [
        lambda uow, viewer, item: acts.set_priority(uow, viewer, item, Priority.HIGH),
        lambda uow, viewer, item: acts.set_priority(uow, viewer, item, Priority.HIGH),
        lambda uow, viewer, item: acts.plan(uow, viewer, item, now() + timedelta(hours=1)),
        lambda uow, viewer, item: acts.plan(uow, viewer, item, at),
        acts.send_now,
        acts.send_now,
    ]
    for step in steps:
        with unit_of_work() as uow:
            step(uow, world.bob, item_of(uuid))
    assert dispatch_now() == 1
    with unit_of_work() as uow:
        cancel(uow, world.bob, item_of(uuid))
    planned = f"{at.astimezone(ZoneInfo(DEFAULT_ZONE)):%Y-%m-%d %H:%M}"
    told = [entry.replace(planned, "TIME") for entry in moments(details(portal, item_of(uuid)))]
    assert told[2].startswith("Waiting by bob@demo Priority “High”.")
    assert told[3].startswith("Scheduled by bob@demo Planned for ")
    assert told[4:7] == [
        "Scheduled by bob@demo Planned for TIME.",
        "Waiting by bob@demo To be sent now.",
        "Waiting by bob@demo To be sent now.",
    ]
    assert "Dialling by bob@demo Taken back; the call is being hung up." in told


def test_the_order_is_kept_when_the_clock_was_set_back(portal: Portal, world: World) -> None:
    uuid = fax_of_two_calls(world)
    expected = moments(details(portal, item_of(uuid)))
    with unit_of_work() as uow:
        for number, change in enumerate(uow.session.query(StateChange).order_by(StateChange.id)):
            change.at = now() - timedelta(hours=number)
    assert moments(details(portal, item_of(uuid))) == expected


def test_timeline_in_chinese_has_the_manuals_words(portal: Portal, world: World) -> None:
    let_in(world.bob, language="zh")
    found = moments(details(portal, item_of(fax_of_two_calls(world))))
    assert found[2].startswith("第 1 次呼叫 线路 pstn 对方占线。")
    assert found[4] == "已暂停 由 bob@demo 操作"
    assert found[7] == "发送成功"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, ""),
        ({"asked_mode": "audio"}, "Made by audio"),
        ({"modem": "v29"}, "Made with a slower modem (V.29)"),
        ({"modem": "v27"}, "Made with a slower modem (V.27ter)"),
        ({"ecm": False}, "Made without error correction (ECM)"),
        ({"fine": False}, "Made in standard fineness"),
        ({"asked_mode": "audio", "ecm": False}, "Made by audio, without error correction (ECM)"),
    ],
)
def test_call_says_how_it_was_asked_for_where_that_is_not_the_usual(
    portal: Portal, world: World, facts: dict[str, object], words: str
) -> None:
    uuid = make_delivery(world.bob)
    call_ends(CallOutcome(answered=False, hangup_cause=17), **facts)
    (call,) = [entry for entry in moments(details(portal, item_of(uuid))) if entry.startswith("Call 1")]
    assert call == " ".join(["Call 1 on trunk pstn The line was busy.", words]).strip()


def test_audio_is_the_usual_of_a_trunk_without_t38(portal: Portal, world: World) -> None:
    uuid = make_delivery(world.bob)
    call_ends(CallOutcome(answered=False, hangup_cause=17), asked_mode="audio")
    with unit_of_work() as uow:
        uow.session.query(Attempt).one().trunk.t38 = False
    assert "Made by audio" not in details(portal, item_of(uuid))


def test_call_that_sends_the_rest_counts_the_pages_it_sent(portal: Portal, world: World) -> None:
    uuid = make_delivery(world.bob, pages=5)
    with unit_of_work() as uow:
        uow.session.query(Delivery).one().pages_confirmed = 2
    call_ends(CallOutcome(True, None, "FAILED", "The call dropped prematurely", pages=1, resolution="1x1", seconds=30))
    page = details(portal, item_of(uuid))
    assert "1 of 3 pages confirmed" in page
    assert "from page 3 on" in page


def test_a_state_without_a_call_says_why(portal: Portal, world: World) -> None:
    uuid = make_delivery(world.bob)
    with unit_of_work() as uow:
        uow.session.query(Delivery).one().expires_at = now() - timedelta(minutes=1)
    dispatch_now()
    found = moments(details(portal, item_of(uuid)))
    assert found[-1] == "Failed The time in which it was to be sent has passed; send it again."


# --- The raw facts ---


@pytest.mark.parametrize(
    ("role", "shown"),
    [(Role.USER, False), (Role.OPERATOR, True), (Role.DOMAIN_ADMIN, True), (Role.SYSTEM_ADMIN, True)],
)
def test_raw_facts_are_for_those_who_run_the_system(portal: Portal, world: World, role: Role, shown: bool) -> None:
    uuid = make_delivery(world.bob)
    call_ends(CallOutcome(answered=False, hangup_cause=17, status_text=HOSTILE))
    attempt_id = delivery_of(uuid).attempts[0].id
    with unit_of_work() as uow:
        uow.session.get_one(User, world.bob.user_id).role = role
    page = details(portal, item_of(uuid))
    assert (attempt_id in page) is shown
    assert ("<code>&lt;script&gt;alert(1)&lt;/script&gt;\ufffd</code>" in page) is shown
    assert ("<code>17</code>" in page) is shown
    assert "<script>alert" not in page


# --- Inside ---


@pytest.fixture
def inside(world: World, tmp_path: Path) -> str:
    """A fax of bob's to alice, handed over; its delivery's public id."""
    file = tmp_path / "pages.tif"
    file.write_bytes(b"TIFF")
    stored = store_file(file)
    uuid = make_delivery(world.bob, "867367804001", pages=2)
    with unit_of_work() as uow:
        blob = uow.session.query(Blob).one()
        blob.key, blob.size, blob.sha256 = stored.key, stored.size, stored.sha256
        assert uow.session.query(Document).one().blob_id == blob.id
        uow.session.get_one(User, world.bob.user_id).surname = "王"
        delivery_id = uow.session.query(Delivery).one().id
    assert deliver_inside(delivery_id)
    return uuid


@pytest.mark.parametrize(("language", "word"), [("en", "Internal"), ("zh", "内部")])
def test_recipient_sees_an_internal_caller_that_leads_to_the_pages(
    world: World, inside: str, built: Built, language: str, word: str
) -> None:  # R3.7
    let_in(world.alice, language=language)
    portal = portal_of(world.alice, built)
    page = portal.get("/inbox").text
    found = re.search(rf'href="(/fax/[^"]+)"><span class="inside">{word}</span></a>', page)
    assert found
    assert word in portal.get(found[1]).text
    assert word in portal.get(f"{found[1]}/print").text


def test_recipients_details_name_the_sender(world: World, inside: str, built: Built) -> None:  # R3.7
    portal = portal_of(world.alice, built)
    (item,) = re.findall(r'href="/fax/([^/"]+)/details"', portal.get("/inbox").text)
    page = details(portal, item)
    assert "王 (bob@demo)" in page
    assert moments(page) == ["Received Handed over inside by bob@demo, without a call."]


def test_senders_timeline_says_to_whom_it_was_handed_over(portal: Portal, inside: str) -> None:  # R3.7
    page = details(portal, item_of(inside))
    assert moments(page)[-1] == "Sent Handed over inside to alice@demo, without a call."
    assert "Call 1" not in page


def test_fax_inside_is_dated_by_its_handing_over(portal: Portal, inside: str) -> None:  # R5.6
    with unit_of_work() as uow:
        uow.session.query(Delivery).one().ended_at = now().replace(2026, 11, 23, 4, 34, 9)
    assert "2026-11-23 12:34:09" in portal.get("/sent").text
