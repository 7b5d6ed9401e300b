"""Lists, viewer and details of the portal (R4.1, R5.1, R5.4), and cancelling."""

from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine

from netfax.db import now, reading, unit_of_work
from netfax.faxes import live
from netfax.faxes.finish import finish_attempt
from netfax.faxes.history import change_state
from netfax.faxes.models import Delivery, MailboxItem, Reception
from netfax.faxes.results import CallOutcome, Cause
from netfax.faxes.states import DeliveryState
from tests.factories import World, delivery_of, dispatch_now, make_delivery, make_world, only_attempt
from tests.unit.webapp_portal import Portal, item_of, let_in, open_portal, receive
from webapp.assets import Built

HOSTILE = "<script>alert(1)</script>\r\n\x07\u202egnp"


@pytest.fixture
def world(sqlite: Engine) -> World:
    world = make_world()
    for viewer in (world.alice, world.bob, world.admin):
        let_in(viewer)
    return world


@pytest.fixture
def portal(world: World, built: Built) -> Portal:
    """Bob's browser; he is nobody's administrator."""
    portal = open_portal(built)
    portal.sign_in("bob@demo")
    return portal


def test_inbox_shows_caller_station_id_exact_local_time_pages_and_size(
    portal: Portal, world: World, tmp_path: Path
) -> None:  # R4.1, R5.6
    receive(world.bob, tmp_path, station_id="+86 20 8231 3524", pages=3)
    page = portal.get("/inbox").text
    assert "020-82313524" in page
    assert "+86 20 8231 3524" in page
    assert "Unread" in page
    assert "1 in all, 20 a page, page 1 of 1" in page


def test_time_is_in_the_users_zone(portal: Portal, world: World, tmp_path: Path) -> None:
    receive(world.bob, tmp_path)
    with unit_of_work() as uow:
        uow.session.query(Reception).one().ended_at = now().replace(2026, 11, 23, 4, 34, 9)
    assert "2026-11-23 12:34:09" in portal.get("/inbox").text


def test_caller_cell_links_to_the_pages_also_when_the_number_is_empty(
    portal: Portal, world: World, tmp_path: Path
) -> None:  # R4.1
    fax = receive(world.bob, tmp_path, caller="")
    page = portal.get("/inbox").text
    assert f'href="/fax/{fax}"><span class="unknown">Number unknown</span></a>' in page


def test_footer_in_chinese_is_the_manuals(portal: Portal, world: World, tmp_path: Path) -> None:
    let_in(world.bob, language="zh")
    for _ in range(21):
        receive(world.bob, tmp_path)
    page = portal.get("/inbox?page=2").text
    assert "共21笔/每页20笔 2页/2页" in page
    assert page.count("row-link") == 1
    assert 'href="/inbox?page=1"' in page


def test_a_page_beyond_the_last_is_the_last(portal: Portal, world: World, tmp_path: Path) -> None:
    """Lists shrink while somebody looks at them."""
    let_in(world.bob)
    for _ in range(21):
        receive(world.bob, tmp_path)
    waiting = make_delivery(world.bob)
    assert portal.get("/inbox?page=77").text.count("row-link") == 1
    for address in ("/queue?page=2", "/queue/rows?page=500"):
        assert item_of(waiting) in portal.get(address).text


@pytest.mark.parametrize("wanted", ["0", "-3", "x", "", "99999999999999999999", "²", "1e9"])
def test_any_page_in_the_address_shows_a_list(portal: Portal, wanted: str) -> None:
    assert portal.get("/inbox", query_string={"page": wanted}).status_code == 200
    assert portal.get("/sent", query_string={"page": wanted}).status_code == 200


def test_hostile_station_id_is_escaped_and_its_controls_are_visible(
    portal: Portal, world: World, tmp_path: Path
) -> None:
    fax = receive(world.bob, tmp_path, caller=HOSTILE[:30], station_id=HOSTILE)
    for path in ("/inbox", f"/fax/{fax}", f"/fax/{fax}/details", f"/fax/{fax}/print"):
        page = portal.get(path).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;␍␊␇\ufffdgnp" in page, path
        assert "<script>alert" not in page, path
        assert "\u202e" not in page, path


def test_opening_a_fax_marks_it_read_for_its_owner_alone(
    portal: Portal, world: World, built: Built, tmp_path: Path
) -> None:
    fax = receive(world.bob, tmp_path)
    administrator = open_portal(built)
    administrator.sign_in("alice@demo")
    assert administrator.get(f"/fax/{fax}").status_code == 200
    assert 'class="dot"' in portal.get("/inbox").text
    assert portal.get(f"/fax/{fax}").status_code == 200
    assert 'class="dot"' not in portal.get("/inbox").text


def test_viewer_shows_every_page_and_loads_pictures_lazily(portal: Portal, world: World, tmp_path: Path) -> None:
    fax = receive(world.bob, tmp_path, pages=200)
    page = portal.get(f"/fax/{fax}?page=7").text
    assert page.count('loading="lazy"') == 200
    assert f"/fax/{fax}/page/7.png?w=1100" in page
    assert f'href="/fax/{fax}?page=8"' in page


def test_page_is_a_picture_of_the_width_asked_for_and_kept_privately(
    portal: Portal, world: World, tmp_path: Path
) -> None:
    fax = receive(world.bob, tmp_path, pages=2)
    answer = portal.get(f"/fax/{fax}/page/2.png?w=160")
    assert answer.mimetype == "image/png"
    assert Image.open(BytesIO(answer.data)).width == 160
    assert "private" in answer.headers["Cache-Control"]
    assert "public" not in answer.headers["Cache-Control"]
    again = portal.get(f"/fax/{fax}/page/2.png?w=160", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "path", ["page/0.png", "page/3.png", "page/1.png?w=99999", "page/1.png?w=0", "page/x.png", "page/1.png?turn=45"]
)
def test_no_such_page_is_404(portal: Portal, world: World, tmp_path: Path, path: str) -> None:
    fax = receive(world.bob, tmp_path, pages=2)
    assert portal.get(f"/fax/{fax}/{path}").status_code == 404


def test_fax_is_saved_as_pdf_and_as_the_tiff_that_came(portal: Portal, world: World, tmp_path: Path) -> None:
    fax = receive(world.bob, tmp_path, pages=2)
    pdf = portal.get(f"/fax/{fax}/fax.pdf")
    assert pdf.data.startswith(b"%PDF-")
    assert pdf.headers["Content-Disposition"] == "attachment; filename=fax-1.pdf"
    tiff = portal.get(f"/fax/{fax}/fax.tif")
    assert tiff.data == (tmp_path / "received.tif").read_bytes()
    assert tiff.mimetype == "image/tiff"
    assert tiff.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("way", ["by a form", "by the script"])
def test_pages_stay_as_their_owner_has_turned_them(portal: Portal, world: World, tmp_path: Path, way: str) -> None:
    fax = receive(world.bob, tmp_path, pages=2)
    assert 'data-turn="0"' in portal.get(f"/fax/{fax}").text
    headers = {"HX-Request": "true"} if way == "by the script" else {}
    answer = portal.post(f"/fax/{fax}/turn?page=2", {"turn": "90"}, page="/send", headers=headers)
    if headers:
        assert (answer.status_code, answer.data) == (204, b"")
    else:
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/fax/{fax}?page=2")
    page = portal.get(f"/fax/{fax}").text
    assert 'data-turn="90"' in page
    assert f"/fax/{fax}/page/2.png?w=160&amp;turn=90" in page
    assert "turn=90" in portal.get(f"/fax/{fax}/print").text
    assert b"/Rotate 90" in portal.get(f"/fax/{fax}/fax.pdf").data
    picture = Image.open(BytesIO(portal.get(f"/fax/{fax}/page/1.png?w=160&turn=90").data))
    assert picture.height == 160
    # The file that came is as it came.
    assert portal.get(f"/fax/{fax}/fax.tif").data == (tmp_path / "received.tif").read_bytes()


def test_pages_are_turned_by_their_owner_alone(portal: Portal, world: World, built: Built, tmp_path: Path) -> None:
    fax = receive(world.bob, tmp_path)
    administrator = open_portal(built)
    administrator.sign_in("alice@demo")
    assert administrator.post(f"/fax/{fax}/turn", {"turn": "180"}, page="/send").status_code == 303
    assert 'data-turn="0"' in portal.get(f"/fax/{fax}").text
    others = receive(world.alice, tmp_path)
    assert portal.post(f"/fax/{others}/turn", {"turn": "180"}, page="/send").status_code == 404
    assert 'data-turn="0"' in administrator.get(f"/fax/{others}").text


@pytest.mark.parametrize("turn", ["", "45", "-90", "360", "x"])
def test_pages_are_turned_by_right_angles(portal: Portal, world: World, tmp_path: Path, turn: str) -> None:
    fax = receive(world.bob, tmp_path)
    assert portal.post(f"/fax/{fax}/turn", {"turn": turn}, page="/send").status_code == 400


def test_viewer_knows_the_paper_of_every_page(portal: Portal, world: World, tmp_path: Path) -> None:
    fax = receive(world.bob, tmp_path, pages=2)
    page = portal.get(f"/fax/{fax}").text
    # 1,728 dots of 204 an inch and 2,000 rows of 196, at 96 to the inch.
    assert page.count('data-width="813" data-height="980"') == 2
    # What is sent and has lost its file is shown as A4, its pictures missing.
    assert 'data-width="794" data-height="1123"' in portal.get(f"/fax/{item_of(make_delivery(world.bob))}").text


@pytest.mark.parametrize("path", ["", "/details", "/print", "/page/1.png", "/fax.pdf", "/fax.tif", "/cancel"])
def test_another_users_fax_is_404(portal: Portal, world: World, tmp_path: Path, path: str) -> None:
    received = receive(world.alice, tmp_path)
    sent = item_of(make_delivery(world.alice))
    for fax in (received, sent, "00000000-0000-4000-8000-000000000000"):
        answer = portal.get(f"/fax/{fax}{path}")
        assert answer.status_code == 404, fax


def test_another_users_fax_cannot_be_cancelled(portal: Portal, world: World) -> None:
    delivery = make_delivery(world.alice)
    answer = portal.post(f"/fax/{item_of(delivery)}/cancel", {}, page="/send")
    assert answer.status_code == 404
    assert delivery_of(delivery).state is DeliveryState.QUEUED


def test_queue_shows_the_state_in_words_and_the_progress_of_the_call(
    portal: Portal, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:  # R5.1
    make_delivery(world.bob, pages=3)
    dispatch_now()
    attempt, watched = only_attempt(), list[str]()
    monkeypatch.setattr(live, "watch", lambda calls: watched.extend(calls))
    monkeypatch.setattr(live, "progress", lambda calls: {each: live.Progress("T38", 14400, 2, "") for each in calls})
    rows = portal.get("/queue/rows").text
    assert watched == [attempt]
    assert "Dialling" in rows
    assert "page 2 of 3" in rows
    assert "T.38 · 14400 bit/s" in rows
    assert "<html" not in rows


def test_queue_lives_without_redis(portal: Portal, world: World) -> None:
    make_delivery(world.bob)
    dispatch_now()
    assert "Dialling" in portal.get("/queue").text


def test_ended_fax_stays_in_sight_of_the_queue_and_is_in_the_sent_list(portal: Portal, world: World) -> None:  # R5.4
    make_delivery(world.bob, state=DeliveryState.FAILED)
    with unit_of_work() as uow:
        uow.session.query(Delivery).one().cause = Cause.UNALLOCATED
    for path in ("/queue", "/sent"):
        page = portal.get(path).text
        assert "Failed" in page, path
        assert "The number does not exist; check it." in page, path


def test_fax_that_ends_now_stays_in_sight_however_many_newer_ones_have_ended(portal: Portal, world: World) -> None:
    uuids = [make_delivery(world.bob, number) for number in ("8610600", *(f"86106{n:02}" for n in range(1, 13)))]
    with unit_of_work() as uow:
        for uuid in reversed(uuids):
            change_state(uow, uow.session.query(Delivery).filter_by(uuid=uuid).one(), DeliveryState.FAILED, actor="t")
    assert "8610600" in portal.get("/queue").text


def test_fax_that_ended_long_ago_is_no_more_in_sight_of_the_queue(portal: Portal, world: World) -> None:
    uuid = make_delivery(world.bob, "8610600")
    with unit_of_work() as uow:
        delivery = uow.session.query(Delivery).filter_by(uuid=uuid).one()
        change_state(uow, delivery, DeliveryState.FAILED, actor="t")
        delivery.ended_at = now() - timedelta(minutes=11)
    assert "8610600" not in portal.get("/queue").text
    assert "8610600" in portal.get("/sent").text


def test_details_tell_each_call_with_its_facts(portal: Portal, world: World) -> None:
    delivery = make_delivery(world.bob, pages=2)
    dispatch_now()
    outcome = CallOutcome(
        True, None, "SUCCESS", "OK", "", pages=2, rate=14400, mode="T38", remote_station_id=HOSTILE[:40], seconds=75
    )
    with unit_of_work() as uow:
        finish_attempt(uow, only_attempt(), outcome, actor="test")
    page = portal.get(f"/fax/{item_of(delivery)}/details").text
    for words in ("Call 1", "on trunk pstn", "Every page was confirmed.", "2 of 2 pages confirmed", "T.38"):
        assert words in page
    for words in ("14400 bit/s", "1 min 15 s", "&lt;script&gt;", "submitted by bob@demo"):
        assert words in page


def test_only_administrators_see_a_column_of_senders(portal: Portal, world: World, built: Built) -> None:
    make_delivery(world.bob)
    assert "Sender" not in portal.get("/queue").text
    administrator = open_portal(built)
    administrator.sign_in("admin")
    page = administrator.get("/queue").text
    assert "Sender" in page
    assert "bob@demo" in page


def test_waiting_fax_is_cancelled_after_a_question(portal: Portal, world: World) -> None:
    delivery = make_delivery(world.bob)
    address = f"/fax/{item_of(delivery)}/cancel"
    assert "It will not be sent to this number." in portal.get(address).text
    assert delivery_of(delivery).state is DeliveryState.QUEUED
    assert portal.post(address, {}).headers["Location"] == "/queue"
    assert delivery_of(delivery).state is DeliveryState.CANCELLED
    assert "is cancelled." in portal.get("/queue").text


def test_ended_fax_is_not_cancelled_and_the_answer_says_so(portal: Portal, world: World) -> None:
    delivery = make_delivery(world.bob, state=DeliveryState.FAILED)
    address = f"/fax/{item_of(delivery)}/cancel"
    assert portal.get(address).status_code == 302
    portal.post(address, {}, page="/send")
    assert "This fax has ended already: Failed." in portal.get("/queue").text


def test_fax_without_pages_yet_says_so_instead_of_an_empty_viewer(portal: Portal, world: World) -> None:
    delivery = make_delivery(world.bob, state=DeliveryState.CONVERTING)
    page = portal.get(f"/fax/{item_of(delivery)}").text
    assert "still being drawn" in page
    assert portal.get(f"/fax/{item_of(delivery)}/fax.pdf").status_code == 404


def test_empty_lists_name_the_next_act(portal: Portal) -> None:
    for path in ("/inbox", "/queue", "/sent"):
        assert portal.get(path).text.count('href="/send"') == 2, path


def test_lists_hold_no_transaction_open(portal: Portal, world: World, tmp_path: Path) -> None:
    receive(world.bob, tmp_path)
    portal.get("/inbox")
    with unit_of_work() as uow:
        uow.session.query(MailboxItem).one().deleted_at = now()
    with reading() as uow:
        assert uow.session.query(MailboxItem).one().deleted_at is not None
