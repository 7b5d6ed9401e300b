"""Searching in the portal's lists, and pages that are shown turned."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine

from netfax.db import unit_of_work
from netfax.faxes.models import Delivery, Reception
from netfax.faxes.states import DeliveryState
from netfax.ocr.models import PageText, Reading
from netfax.org.models import User
from tests.factories import World, make_delivery, make_world
from tests.unit.webapp_portal import Portal, let_in, open_portal, receive
from webapp.assets import Built

HOSTILE = "<script>alert(1)</script> \u202egnp"


@pytest.fixture
def world(sqlite: Engine) -> World:
    world = make_world()
    for viewer in (world.alice, world.bob):
        let_in(viewer)
    return world


@pytest.fixture
def portal(world: World, built: Built) -> Portal:
    portal = open_portal(built)
    portal.sign_in("bob@demo")
    return portal


def read_page(text: str, page: int = 1) -> None:
    """What is written on a page of the last fax that came in."""
    with unit_of_work() as uow:
        reception = uow.session.query(Reception).order_by(Reception.id.desc()).first()
        assert reception is not None and reception.blob_id is not None
        uow.session.add(PageText(blob_id=reception.blob_id, page=page, text=text))


def test_a_row_shows_the_words_that_were_found_in_its_text(portal: Portal, world: World, tmp_path: Path) -> None:
    receive(world.bob, tmp_path, pages=2)
    read_page("关于网络传真信箱的通知", page=2)
    page = portal.get("/inbox?q=传真信箱").text
    assert "Page 2</span>" in page
    assert "关于网络<mark>传真信箱</mark>的通知" in page
    assert 'value="传真信箱"' in page


def test_what_does_not_match_is_not_listed_and_a_sentence_says_so(portal: Portal, world: World, tmp_path: Path) -> None:
    receive(world.bob, tmp_path)
    assert "Nothing was found for “nobody”." in portal.get("/inbox?q=nobody").text
    assert "020-82313524" not in portal.get("/inbox?q=nobody").text
    for path in ("/sent", "/queue"):
        assert "Nothing was found for “nobody”." in portal.get(f"{path}?q=nobody").text
    assert "020-82313524" in portal.get("/inbox?q=").text


def test_markup_and_hidden_signs_in_a_search_and_in_a_text_are_harmless(
    portal: Portal, world: World, tmp_path: Path
) -> None:
    receive(world.bob, tmp_path)
    read_page(HOSTILE)
    for search in (HOSTILE, "alert", '"><svg onload=x>'):
        page = portal.get("/inbox", query_string={"q": search}).text
        assert "<script>alert" not in page and "<svg onload" not in page
    assert "\u202e" not in portal.get("/inbox?q=alert").text
    assert "<mark>alert</mark>" in portal.get("/inbox?q=alert").text


def test_the_pages_of_a_list_keep_the_search(portal: Portal, world: World, tmp_path: Path) -> None:
    with unit_of_work() as uow:
        uow.session.query(User).update({"rows_per_page": 10})
    for _ in range(12):
        receive(world.bob, tmp_path, station_id="a & b")
    page = portal.get("/inbox?q=a+%26").text
    assert "12 in all, 10 a page, page 1 of 2" in page
    assert "/inbox?q=a+%26&amp;page=2" in page
    # The part that renews itself asks for the same.
    assert "/inbox/rows?q=a+%26&amp;page=1" in page
    assert "page 2 of 2" in portal.get("/inbox?q=a+%26&page=2").text


def test_a_search_finds_in_the_queue_and_among_the_sent(portal: Portal, world: World) -> None:
    for state, path in ((DeliveryState.QUEUED, "/queue"), (DeliveryState.FAILED, "/sent")):
        uuid = make_delivery(world.bob, state=state)
        with unit_of_work() as uow:
            uow.session.query(Delivery).filter_by(uuid=uuid).one().submission.title = f"offer {state.value}"
        assert f"offer {state.value}" in portal.get(f"{path}?q=OFFER").text
        assert f"offer {state.value}" not in portal.get(f"{path}?q=invoice").text
        assert f"offer {state.value}" in portal.get(f"{path}/rows?q=offer" if path == "/queue" else path).text


def test_nothing_of_another_user_is_found(portal: Portal, world: World, tmp_path: Path) -> None:
    receive(world.alice, tmp_path)
    read_page("secret")
    assert "Nothing was found" in portal.get("/inbox?q=secret").text


def test_a_turned_page_is_shown_turned_and_kept_once_that_is_known(
    portal: Portal, world: World, tmp_path: Path
) -> None:
    uuid = receive(world.bob, tmp_path)
    with unit_of_work() as uow:
        blob_id = uow.session.query(Reception).one().blob_id
        uow.session.add(Reading(blob_id=blob_id, pages=1, turns=[], turn_page=1))
    waits = portal.get(f"/fax/{uuid}/page/1.png?w=160")
    assert waits.cache_control.max_age == 0
    with unit_of_work() as uow:
        found = uow.session.query(Reading).one()
        found.turns, found.turn_page = [90], 2
    turned = portal.get(f"/fax/{uuid}/page/1.png?w=160")
    assert turned.cache_control.max_age and turned.headers["ETag"] != waits.headers["ETag"]
    upright, on_its_side = (Image.open(BytesIO(each.data)).size for each in (waits, turned))
    assert upright[0] < upright[1] and on_its_side[0] > on_its_side[1]
    assert b"/Rotate 90" in portal.get(f"/fax/{uuid}/fax.pdf").data
