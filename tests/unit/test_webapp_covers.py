"""Covers in the portal: in the form of a fax, in personal information, and where administrators keep them."""

import html
import re
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from netfax.covers import preview as preview_module
from netfax.covers.administration import Edit, copy_template, save_template
from netfax.covers.builtin import BUILT_IN
from netfax.covers.models import CoverTemplate
from netfax.covers.preview import Preview
from netfax.db import reading, unit_of_work
from netfax.documents.cover import CoverPage
from netfax.documents.errors import BlankDocument
from netfax.faxes.models import Submission
from netfax.org.models import User
from tests.factories import World, make_world
from tests.unit.webapp_portal import Portal, let_in, open_portal
from webapp import cover_choice
from webapp.assets import Built

PAGE = "<!doctype html><p>{$TEXT}"
ADMIN_ADDRESSES = ("", "/{key}", "/{key}/delete")


@pytest.fixture
def world(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("netfax.db.send", lambda *_: True)
    world = make_world()
    for viewer in (world.alice, world.bob, world.admin):
        let_in(viewer)
    return world


@pytest.fixture
def portal(world: World, built: Built) -> Portal:
    return open_portal(built)


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The HTML, filled for 3 pages, of each preview; it is not drawn."""
    seen: list[str] = []

    def draw(cover: CoverPage, *_: object) -> Preview:
        if "<p></p>" in cover.html(3):
            raise BlankDocument(name=cover.name)
        seen.append(cover.html(3))
        return Preview(5, [b"one", b"two"])

    monkeypatch.setattr(preview_module, "preview", draw)
    monkeypatch.setattr(cover_choice, "preview", draw)
    return seen


@pytest.fixture
def template(world: World) -> str:
    """A template of the demo domain; its key."""
    with unit_of_work() as uow:
        key = copy_template(uow, world.alice, "plain")
        save_template(uow, world.alice, key, Edit("Letterhead", PAGE, 1))
        return key


def options(page: str, name: str = "cover") -> Sequence[tuple[str, bool]]:
    """The values of a choice, and which is chosen."""
    (choice,) = re.findall(rf'<select [^>]*name="{name}"[^>]*>(.*?)</select>', page, re.DOTALL)
    return [(value, "selected" in rest) for value, rest in re.findall(r'<option value="([^"]*)"([^>]*)>', choice)]


def chosen(page: str) -> str:
    (one,) = [value for value, selected in options(page) if selected]
    return one


def row(key: str) -> CoverTemplate | None:
    with reading() as uow:
        return uow.session.query(CoverTemplate).filter_by(uuid=key).one_or_none()


# --- In the form of a fax ---


def test_the_form_offers_none_ours_and_the_domains(portal: Portal, template: str) -> None:  # R3.4
    portal.sign_in("bob@demo")
    page = portal.get("/send").text
    assert [value for value, _ in options(page)] == ["", *BUILT_IN, template]
    assert chosen(page) == ""


def test_a_cover_alone_is_sent_with_its_text(portal: Portal) -> None:  # R3.2
    portal.sign_in("bob@demo")
    form = {"numbers": "7721001", "priority": "medium", "cover": "plain-en", "text": "Dear\r\nSir", "title": "T"}
    assert portal.post("/send", form).status_code == 302
    with reading() as uow:
        kept = uow.session.query(Submission).one().cover
        assert kept is not None and (kept.name, kept.text) == ("Plain (English)", "Dear\nSir")


def test_text_without_a_cover_is_not_kept(portal: Portal) -> None:
    portal.sign_in("bob@demo")
    page = portal.post("/send", {"numbers": "7721001", "priority": "medium", "cover": "", "text": "Dear Sir"}).text
    assert "Attach at least one document, or choose a cover." in html.unescape(page)
    assert "Dear Sir</textarea>" in page


def test_a_choice_that_is_gone_is_said_beside_it_and_what_was_written_stays(portal: Portal) -> None:
    portal.sign_in("bob@demo")
    answer = portal.post("/send", {"numbers": "7721001", "priority": "medium", "cover": "gone", "text": "Dear Sir"})
    assert answer.status_code == 422
    assert "This cover is not there any more" in answer.text and "Dear Sir</textarea>" in answer.text


def test_the_cover_is_shown_as_the_form_asks_for_it(portal: Portal, drawn: list[str]) -> None:
    portal.sign_in("bob@demo")
    form = {"numbers": "7721001", "title": "<b>", "recipient_name": "陈静", "cover": "plain", "text": "Dear Sir"}
    page = portal.post("/send/cover", form, page="/send").text
    (shown,) = drawn
    for words in ("7721001", "&lt;b&gt;", "陈静", "Dear Sir"):
        assert words in shown
    assert page.count('src="data:image/png;base64,') == 2
    assert "and 3 more pages" in page


@pytest.mark.parametrize(
    ("numbers", "shown"), [("", ""), ("abc", ""), ("7721001, 7721002", ""), ("7721001", "7721001")]
)
def test_what_is_no_single_number_yet_stands_on_no_preview(
    portal: Portal, drawn: list[str], numbers: str, shown: str
) -> None:
    portal.sign_in("bob@demo")
    assert portal.post("/send/cover", {"numbers": numbers, "cover": "plain"}, page="/send").status_code == 200
    assert ("7721001" in drawn[0]) is bool(shown)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"cover": ""}, "This cover is not there any more"),
        ({"cover": "gone"}, "This cover is not there any more"),
        ({"cover": "plain", "text": "x" * 10_001}, "This text has 10001 characters"),
        ({"cover": "plain", "text": "\n" * 1_001}, "This text has 1001 lines"),
    ],
)
def test_a_cover_that_can_not_be_shown_is_said_in_words(portal: Portal, form: dict[str, object], sentence: str) -> None:
    portal.sign_in("bob@demo")
    answer = portal.post("/send/cover", form, page="/send")
    assert (answer.status_code, sentence in answer.text) == (422, True)


# --- Personal information ---


def test_personal_information_and_the_default_cover_are_kept(portal: Portal, template: str) -> None:  # R6.1, R6.2
    portal.sign_in("bob@demo")
    form = {"surname": "李", "given_name": "明", "company": "湘江贸易 <b>", "cover": template}
    answer = portal.post("/settings/personal", form)
    assert answer.headers["Location"] == "/settings/personal"
    page = portal.get("/settings/personal").text
    assert "Your personal information is saved." in page
    assert 'value="湘江贸易 &lt;b&gt;"' in page
    assert "7804002" in page
    assert chosen(page) == chosen(portal.get("/send").text) == template
    portal.post("/settings/personal", {"cover": ""})
    assert chosen(portal.get("/send").text) == ""


def test_what_is_not_his_to_change_is_not_changed(portal: Portal, world: World) -> None:
    portal.sign_in("bob@demo")
    portal.post("/settings/personal", {"name": "root", "role": "system_admin", "area_code": "10", "surname": "B"})
    with reading() as uow:
        user = uow.session.get_one(User, world.bob.user_id)
    assert (user.name, user.role, user.area_code, user.surname) == ("bob", "user", "", "B")


def test_what_can_not_be_kept_is_said_beside_its_field(portal: Portal) -> None:
    portal.sign_in("bob@demo")
    answer = portal.post("/settings/personal", {"postcode": "x" * 17, "company": "kept", "cover": "gone"})
    assert answer.status_code == 422
    assert "This takes at most 16 characters" in answer.text and 'value="kept"' in answer.text
    answer = portal.post("/settings/personal", {"company": "kept", "cover": "gone"})
    assert "This cover is not there any more" in answer.text and 'value="kept"' in answer.text
    assert 'name="company" type="text" value=""' in portal.get("/settings/personal").text


# --- Where administrators keep them ---


@pytest.mark.parametrize("login", ["bob@demo", ""])
def test_users_and_strangers_find_no_place_for_templates(portal: Portal, template: str, login: str) -> None:
    if login:
        portal.sign_in(login)
        assert "/covers" not in portal.get("/inbox").text
    for address in ADMIN_ADDRESSES:
        assert portal.get(f"/covers{address}".format(key=template)).status_code == (404 if login else 302)
    form = {"csrf_token": portal.token("/send" if login else "/signin"), "name": "x", "html": PAGE, "version": "2"}
    for address in ("", "/check", "/copy", "/enabled", "/delete"):
        assert portal.client.post(f"/covers/{template}{address}", data=form).status_code == (404 if login else 401)
    kept = row(template)
    assert kept is not None and (kept.name, kept.version, kept.enabled) == ("Letterhead", 2, True)


def test_the_list_has_ours_and_the_domains(portal: Portal, template: str) -> None:
    portal.sign_in("alice@demo")
    page = portal.get("/covers").text
    assert [key in page for key in (f"/covers/{template}", "/covers/standard", "/covers/plain-en")] == [True] * 3
    assert f'action="/covers/{template}/copy"' in page and 'action="/covers/plain/copy"' in page
    assert "/covers/plain/delete" not in page


def test_a_copy_is_edited_saved_and_offered(portal: Portal, world: World) -> None:
    portal.sign_in("alice@demo")
    address = portal.post("/covers/business/copy", {}, page="/covers").headers["Location"]
    form = {"name": "新模板", "html": "<!doctype html>\r\n<p>{$TEXT}", "version": "1"}
    assert portal.post(address, form).headers["Location"] == address
    kept = row(address.rpartition("/")[2])
    assert kept is not None and (kept.name, kept.html, kept.version) == ("新模板", "<!doctype html>\n<p>{$TEXT}", 2)
    assert "新模板" in portal.get("/send").text


def test_problems_stand_beside_the_text_and_nothing_is_lost(portal: Portal, template: str) -> None:
    portal.sign_in("alice@demo")
    form = {"name": "Changed", "html": PAGE + "\n{$NOBODY} </textarea><b>", "version": "2"}
    answer = portal.post(f"/covers/{template}", form)
    assert answer.status_code == 422
    assert 'data-line="2" data-column="1"' in answer.text and "There is no variable {$NOBODY}." in answer.text
    assert "{$NOBODY} &lt;/textarea&gt;&lt;b&gt;</textarea>" in answer.text and 'value="Changed"' in answer.text
    kept = row(template)
    assert kept is not None and kept.version == 2


def test_an_edit_upon_anothers_edit_keeps_both_and_can_be_saved_then(
    portal: Portal, world: World, template: str
) -> None:
    portal.sign_in("alice@demo")
    with unit_of_work() as uow:
        save_template(uow, world.admin, template, Edit("Letterhead", PAGE + "theirs", 2))
    answer = portal.post(f"/covers/{template}", {"name": "Letterhead", "html": PAGE + "mine", "version": "2"})
    assert answer.status_code == 409
    page = html.unescape(answer.text)
    assert "admin has changed this template meanwhile" in page
    assert PAGE + "mine</textarea>" in page and PAGE + "theirs</textarea>" in page
    assert 'name="version" value="3"' in page
    answer = portal.post(f"/covers/{template}", {"name": "Letterhead", "html": PAGE + "mine", "version": "3"})
    assert answer.status_code == 302
    kept = row(template)
    assert kept is not None and kept.html == PAGE + "mine"


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 30, "１"])
def test_an_edit_of_no_version_is_upon_anothers(portal: Portal, template: str, version: str) -> None:
    portal.sign_in("alice@demo")
    answer = portal.post(f"/covers/{template}", {"name": "Letterhead", "html": PAGE, "version": version})
    assert answer.status_code == 409


def test_as_it_is_written_it_is_checked_and_drawn_with_examples(
    portal: Portal, template: str, drawn: list[str]
) -> None:
    portal.sign_in("alice@demo")
    address = f"/covers/{template}"
    seen = portal.post(f"{address}/check", {"html": PAGE + "{$COMPANY}"}, page=address).text
    assert "<html" not in seen and seen.count('src="data:image/png;base64,') == 2
    assert "Xiangjiang Trading Ltd" in drawn[-1]
    seen = portal.post(f"{address}/check", {"html": PAGE + "\n\n {$"}, page=address).text
    assert "Line 3, column 2" in seen and "data:image" not in seen
    kept = row(template)
    assert kept is not None and kept.html == PAGE


def test_a_page_that_shows_nothing_is_said_so(portal: Portal, template: str) -> None:
    portal.sign_in("alice@demo")
    form = {"name": "x", "html": PAGE + "<p></p>", "version": "2"}
    answer = portal.post(f"/covers/{template}", form)
    assert answer.status_code == 422 and "There is nothing to see on the page" in answer.text


def test_one_that_is_switched_off_is_offered_to_nobody_and_back_again(portal: Portal, template: str) -> None:
    portal.sign_in("alice@demo")
    for wanted, offered in (("0", False), ("1", True)):
        portal.post(f"/covers/{template}/enabled", {"enabled": wanted}, page="/covers")
        assert (template in [value for value, _ in options(portal.get("/send").text)]) is offered


def test_it_is_deleted_once_that_was_asked(portal: Portal, template: str) -> None:
    portal.sign_in("alice@demo")
    assert "It can't be brought back." in portal.get(f"/covers/{template}/delete").text
    assert row(template) is not None
    portal.post(f"/covers/{template}/delete", {}, page=f"/covers/{template}/delete")
    assert row(template) is None
    assert portal.get(f"/covers/{template}").status_code == 404


@pytest.mark.parametrize("key", ["%00", "nothing", "..%2f..%2fetc", "00000000-0000-0000-0000-000000000000", "x" * 500])
def test_an_address_that_is_no_templates_is_no_page(portal: Portal, key: str) -> None:
    portal.sign_in("alice@demo")
    assert portal.get(f"/covers/{key}").status_code == 404


def test_ours_are_shown_without_a_way_to_save(portal: Portal) -> None:
    portal.sign_in("alice@demo")
    page = portal.get("/covers/standard").text
    assert "This one is built in." in page and "readonly" in page and "hx-post" not in page
    form = {"name": "x", "html": PAGE, "version": "0"}
    assert portal.post("/covers/standard", form, page="/covers/standard").status_code == 404
    assert portal.get("/covers/standard/delete").headers["Location"] == "/covers/standard"


def test_the_place_is_named_as_in_the_manual(portal: Portal, world: World) -> None:
    let_in(world.alice, language="zh")
    portal.sign_in("alice@demo")
    page = portal.get("/covers").text
    assert "<span>模板</span>" in page and "标准封面" in page
    assert "个人信息" in page
