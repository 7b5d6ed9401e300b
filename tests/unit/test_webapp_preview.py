"""The pages of a fax before it is sent, on the form (R3.6)."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine

from netfax.db import reading, unit_of_work
from netfax.faxes import preview as preview_module
from netfax.faxes.errors import PreviewsBusy
from netfax.faxes.models import Preview, Submission
from netfax.params.service import set_param
from tests.factories import World, make_world
from tests.fixtures.documents.build import letter, pdf, saved
from tests.unit.test_webapp_send import beside, nothing_is_stored
from tests.unit.webapp_portal import Portal, in_form, let_in, open_portal
from webapp.assets import Built

PICTURE = re.compile(r'src="(/send/preview/[0-9a-f-]{36}/page/(\d+)\.png\?w=160[^"]*)"')
PAGE = saved(letter(600, 800), "PNG")


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


def fax(content: bytes = PAGE, name: str = "page.png", **changes: object) -> dict[str, object]:
    """A form that is accepted, with changes."""
    return {"numbers": "7721001", "priority": "medium", "attachments": [(BytesIO(content), name)]} | changes


def pictures(page: str) -> list[str]:
    """The addresses of the thumbnails, page by page."""
    return [address.replace("&amp;", "&") for address, _ in PICTURE.findall(page)]


def submissions() -> int:
    with reading() as uow:
        return uow.session.query(Submission).count()


def test_form_comes_back_as_it_was_typed_with_its_pages(portal: Portal) -> None:
    typed = {
        "recipient_name": "王经理",
        "title": "十一月",
        "priority": "low",
        "mode": "photo",
        "resolution": "standard",
    }
    answer = portal.post("/send/preview", fax(pdf(3), "x.pdf", **typed), page="/send", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    page = answer.text
    for words in (
        "3 pages",
        "on the line",
        "page header as for 7721001",
        'value="王经理"',
        'value="low" required checked',
    ):
        assert words in page
    assert 'value="standard" selected' in page and 'value="photo" selected' in page
    assert len(pictures(page)) == 3
    for address in pictures(page):
        drawn = portal.get(address)
        assert drawn.mimetype == "image/png"
        assert "private" in drawn.headers["Cache-Control"]
        assert Image.open(BytesIO(drawn.data)).width == 160
    assert "choose the files again" not in page.split("data-again")[1].split(">", 1)[1]
    assert submissions() == 0


def test_form_without_the_script_says_that_its_files_must_be_chosen_again(portal: Portal) -> None:
    page = portal.post("/send/preview", fax(), page="/send").text
    assert len(pictures(page)) == 1
    assert page.count("Please choose the files again") == 2


def test_refused_number_stands_beside_its_field_and_the_pages_are_shown(portal: Portal, world: World) -> None:
    for language, words in (("en", "is not a fax number"), ("zh", "不是传真号码")):
        let_in(world.bob, language=language)
        answer = portal.post("/send/preview", fax(numbers="7721001, 77210x1"), page="/send")
        assert answer.status_code == 200
        assert words in beside(answer.text, "numbers")
        assert len(pictures(answer.text)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"attachments": []}, "attachments"),
        ({"attachments": [(BytesIO(b"MZ\x00\x01\x02"), "a.exe")]}, "attachments"),
        ({"priority": "urgent"}, "priority"),
        ({"title": "x" * 300}, "title"),
    ],
)
def test_problem_of_the_pages_stands_beside_its_field_without_any(
    portal: Portal, changes: dict[str, object], field: str
) -> None:
    answer = portal.post("/send/preview", fax(**changes), page="/send")
    assert answer.status_code == 422
    assert 'class="problem"' in beside(answer.text, field)
    assert "data-preview" not in answer.text
    assert nothing_is_stored()


def test_previewed_form_is_sent_as_the_one_fax_that_it_is(portal: Portal) -> None:
    (form,) = in_form(portal.get("/send").text, "/send")
    page = portal.post("/send/preview", fax(nonce=form["nonce"]), page="/send").text
    (after,) = in_form(page, "/send")
    assert after["nonce"] == form["nonce"]
    for _ in range(2):
        assert portal.post("/send", fax(nonce=form["nonce"])).headers["Location"] == "/queue"
    assert submissions() == 1


def test_busy_desk_is_said_above_the_form(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_module, "_desk", preview_module._Desk(0))
    answer = portal.post("/send/preview", fax(), page="/send")
    assert answer.status_code == 422
    assert PreviewsBusy().text("en") in answer.text
    assert nothing_is_stored()


def test_preview_takes_as_much_as_a_fax(portal: Portal) -> None:
    with unit_of_work() as uow:
        set_param(uow, "max_attachment", "1024", by="test")
    large = PAGE + bytes(900 * 1024)
    assert portal.post("/send/preview", fax(large), page="/send").status_code == 200
    answer = portal.post("/send/preview", fax(bytes(5 * 1024 * 1024)), page="/send")
    assert answer.status_code == 413


def test_pictures_of_a_preview_are_their_users_alone(portal: Portal, built: Built, world: World) -> None:
    (address,) = pictures(portal.post("/send/preview", fax(), page="/send").text)
    assert portal.get(address).status_code == 200
    other = open_portal(built)
    assert other.get(address).status_code == 302
    other.sign_in("alice@demo")
    assert other.get(address).status_code == 404
    assert portal.get(address.replace("/1.png", "/2.png")).status_code == 404
    assert portal.get(address.replace("w=160", "w=161")).status_code == 404
    with unit_of_work() as uow:
        uow.session.query(Preview).delete()
    assert portal.get(address).status_code == 404


def test_preview_needs_the_forms_token(portal: Portal, tmp_path: Path) -> None:
    assert portal.client.post("/send/preview", data=fax()).status_code == 400
    assert nothing_is_stored()
