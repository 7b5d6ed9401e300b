"""The form that sends a fax (R3): problems beside their fields, in both languages, and nothing stored on a refusal."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from sqlalchemy import Engine
from time_machine import TimeMachineFixture

from netfax.db import now, reading, unit_of_work
from netfax.faxes.models import Delivery, Priority, Submission
from netfax.org.models import OwnedNumber
from netfax.params.service import set_param
from netfax.settings import settings
from netfax.storage.models import Blob
from tests.factories import World, make_world
from tests.unit.webapp_portal import Portal, in_form, let_in, open_portal
from webapp.assets import Built

TEXT = "Guten Tag 你好\n".encode()


@pytest.fixture
def world(sqlite: Engine) -> World:
    world = make_world()
    let_in(world.bob)
    return world


@pytest.fixture
def portal(world: World, built: Built) -> Portal:
    portal = open_portal(built)
    portal.sign_in("bob@demo")
    return portal


def fax(**changes: object) -> dict[str, object]:
    """A form that is accepted, with changes."""
    attachments = [(BytesIO(TEXT), "letter.txt")]
    return {"numbers": "7721001", "priority": "medium", "attachments": attachments} | changes


def beside(page: str, name: str) -> str:
    """What is written beside a field."""
    found = re.search(rf'<div class="problems" id="problems-{name}">(.*?)</div>', page, re.DOTALL)
    assert found, name
    return found[1]


def nothing_is_stored() -> bool:
    with reading() as uow:
        rows = sum(uow.session.query(model).count() for model in (Submission, Delivery, Blob))
    return rows == 0 and not list(settings().blobs_dir.rglob("*")) and not list((settings().home / "tmp").glob("*"))


def test_fax_to_several_numbers_is_accepted_and_the_queue_says_how_many(portal: Portal) -> None:  # R3.1
    form = fax(
        numbers="7721001，64802994E801;\n0731-7754002", recipient_name="Mr Wang", title="十一月", priority="high"
    )
    answer = portal.post("/send", form)
    assert answer.headers["Location"] == "/queue"
    page = portal.get("/queue").text
    assert "3 faxes accepted, one for each number." in page
    assert "Converting" in page
    with reading() as uow:
        deliveries = uow.session.query(Delivery).order_by(Delivery.id).all()
        assert [each.extension for each in deliveries] == ["", "801", ""]
        assert {each.priority for each in deliveries} == {Priority.HIGH}
        assert deliveries[0].submission.title == "十一月"
        assert deliveries[0].submission.attachments[0].name == "letter.txt"


def test_script_is_sent_on_to_the_queue_by_a_header(portal: Portal) -> None:
    answer = portal.post("/send", fax(), headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/queue")


@pytest.mark.parametrize(
    ("changes", "field", "english", "chinese"),
    [
        ({"numbers": ""}, "numbers", "Enter at least one fax number.", "请输入至少一个传真号码。"),
        ({"numbers": "77210x1"}, "numbers", "is not a fax number", "不是传真号码"),
        ({"numbers": "7721001@pbx"}, "numbers", "“7721001@pbx”", "“7721001@pbx”"),
        ({"numbers": "<b>"}, "numbers", "“&lt;b&gt;”", "“&lt;b&gt;”"),
        (
            {"attachments": []},
            "attachments",
            "Attach at least one document, or choose a cover.",
            "请至少添加一个附件，或选择传真封面。",
        ),
        (
            {"attachments": [(BytesIO(b"MZ\x00\x01\x02"), "a.exe")]},
            "attachments",
            "of a kind that can&#39;t be faxed",
            "无法传真",
        ),
        ({"attachments": [(BytesIO(b""), "no.pdf")]}, "attachments", "“no.pdf” is empty", "“no.pdf”是空文件"),
        ({"title": "x" * 300}, "title", "300 characters", "300 个字符"),
        ({"recipient_name": "x" * 129}, "recipient_name", "129 characters", "129 个字符"),
        ({"priority": "urgent"}, "priority", "choose high, medium or low", "请选择高、中或低"),
        ({"priority": ""}, "priority", "choose high, medium or low", "请选择高、中或低"),
        ({"planned_at": "tomorrow"}, "planned_at", "write it as 2026-12-31 08:30", "请按 2026-12-31 08:30 的格式"),
        ({"planned_at": "2026-02-30T08:30"}, "planned_at", "is not a time", "不是有效的时间"),
        ({"planned_at": "0001-01-01T00:00"}, "planned_at", "is not a time", "不是有效的时间"),
        ({"planned_at": "2020-01-01T08:30"}, "planned_at", "The planned time is past", "定时发送的时间已过"),
        ({"planned_at": "2999-01-01T08:30"}, "planned_at", "at most a year ahead", "不能超过一年"),
    ],
)
def test_problem_stands_beside_its_field_in_the_users_language(
    portal: Portal, world: World, changes: dict[str, object], field: str, english: str, chinese: str
) -> None:
    for language, words in (("en", english), ("zh", chinese)):
        let_in(world.bob, language=language)
        # A file is read by the first request that sends it.
        files = [(BytesIO(file.getvalue()), name) for file, name in changes.get("attachments", [])]  # type: ignore[attr-defined]
        form = fax(**changes) | ({"attachments": files} if "attachments" in changes else {})
        answer = portal.post("/send", form)
        assert answer.status_code == 422
        assert words in beside(answer.text, field)
        assert f'aria-describedby="problems-{field}' in answer.text
    assert nothing_is_stored()


def test_every_problem_is_told_at_once_and_nothing_typed_is_lost(portal: Portal) -> None:
    typed = {"recipient_name": "王经理", "title": "<Title>", "priority": "low", "planned_at": "2020-01-01T08:30"}
    form = fax(numbers="abc, 110", attachments=[], **typed)
    page = portal.post("/send", form).text
    assert beside(page, "numbers").count('class="problem"') == 2
    assert "Attach at least one document, or choose a cover." in beside(page, "attachments")
    assert "\nabc, 110</textarea>" in page
    assert 'value="王经理"' in page
    assert 'value="&lt;Title&gt;"' in page
    assert 'value="low" required checked' in page
    assert 'value="2020-01-01T08:30"' in page
    assert "The planned time is past" in beside(page, "planned_at")
    assert nothing_is_stored()


def test_what_cannot_be_read_is_told_with_every_other_problem(portal: Portal) -> None:
    page = portal.post("/send", fax(numbers="abc", planned_at="soon", priority="urgent", attachments=[])).text
    for field in ("numbers", "attachments", "planned_at", "priority"):
        assert 'class="problem"' in beside(page, field), field
    assert 'value="soon"' in page
    assert " checked" not in page
    assert nothing_is_stored()


@pytest.mark.parametrize("typed", ["{day}T12:30", "{day} 12:30", " {day}T12:30:00 "])
def test_planned_time_is_read_in_the_users_zone(portal: Portal, typed: str) -> None:  # R3.5
    at = now().replace(hour=4, minute=30, second=0, microsecond=0) + timedelta(days=1)
    # Asia/Shanghai is eight hours ahead.
    assert portal.post("/send", fax(planned_at=typed.format(day=at.date()))).status_code == 302
    with reading() as uow:
        assert uow.session.query(Delivery).one().planned_at == at
    assert f"planned for {at.date()} 12:30" in portal.get("/queue").text


def nonce_of(portal: Portal) -> str:
    """The nonce of a form that is rendered now."""
    (form,) = in_form(portal.get("/send").text, "/send")
    return form["nonce"]


def letter() -> list[tuple[BytesIO, str]]:
    # A file is read by the request that sends it.
    return [(BytesIO(TEXT), "letter.txt")]


def submissions() -> int:
    with reading() as uow:
        return uow.session.query(Submission).count()


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["without a script", "with the script"])
def test_form_that_comes_twice_is_one_fax(portal: Portal, headers: dict[str, str]) -> None:
    nonce = nonce_of(portal)
    for _ in range(2):
        portal.post("/send", fax(nonce=nonce, attachments=letter()), headers=headers)
        assert "1 fax accepted." in portal.get("/queue").text
    assert submissions() == 1


def test_form_that_comes_twice_at_the_same_moment_is_one_fax(portal: Portal) -> None:
    form = fax(nonce=nonce_of(portal)) | {"csrf_token": portal.token("/send")}
    cookie = portal.client.get_cookie("netfax")
    assert cookie is not None

    def click(_number: int) -> int:
        browser = portal.client.application.test_client()
        browser.set_cookie("netfax", cookie.value)
        return browser.post("/send", data=form | {"attachments": letter()}).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(click, range(4))) == {302}
    assert submissions() == 1
    with reading() as uow:
        assert uow.session.query(Delivery).count() == uow.session.query(Blob).count() == 1


@pytest.mark.parametrize(
    "edited",
    [
        {"numbers": "7721002"},
        {"title": "another"},
        {"priority": "high"},
        {"planned_at": "2026-12-31T08:30"},
        {"attachments": [(BytesIO(b"Another letter"), "letter.txt")]},
    ],
    ids=lambda edited: next(iter(edited)),
)
def test_form_that_comes_back_edited_is_another_fax(
    portal: Portal, edited: dict[str, object], time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(datetime(2026, 11, 24, 8, 0, tzinfo=UTC))
    portal.sign_in("bob@demo")
    nonce = nonce_of(portal)
    assert portal.post("/send", fax(nonce=nonce, attachments=letter())).status_code == 302
    assert portal.post("/send", fax(nonce=nonce, **({"attachments": letter()} | edited))).status_code == 302
    assert submissions() == 2


def test_two_forms_with_the_same_content_are_two_faxes(portal: Portal) -> None:
    for _ in range(2):
        portal.post("/send", fax(nonce=nonce_of(portal), attachments=letter()))
    assert submissions() == 2


@pytest.mark.parametrize("nonce", ["", "x", "x" * 5000, "é" * 22, "<b>aaaaaaaaaaaaaaaaaaa"])
def test_form_without_a_nonce_of_ours_is_a_fax_each_time(portal: Portal, nonce: str) -> None:
    for _ in range(2):
        assert portal.post("/send", fax(nonce=nonce, attachments=letter())).status_code == 302
    assert submissions() == 2


def test_form_with_a_problem_keeps_its_nonce(portal: Portal) -> None:
    nonce = nonce_of(portal)
    assert f'name="nonce" value="{nonce}"' in portal.post("/send", fax(nonce=nonce, numbers="abc")).text


def test_lost_files_are_said_in_words_unless_the_page_kept_them(portal: Portal) -> None:
    assert "<span>Please choose the files again" in portal.post("/send", fax(numbers="")).text
    kept = portal.post("/send", fax(numbers=""), headers={"HX-Request": "true"})
    assert "<span>Please choose the files again" not in kept.text


def test_too_many_attachments_are_refused(portal: Portal) -> None:  # R3.3
    files = [(BytesIO(TEXT), f"{number}.txt") for number in range(4)]
    page = portal.post("/send", fax(attachments=files)).text
    assert "A fax takes at most 3 attachments; you chose 4." in beside(page, "attachments")
    assert nothing_is_stored()


def test_attachment_over_the_limit_is_refused(portal: Portal) -> None:  # R8.3
    with unit_of_work() as uow:
        set_param(uow, "max_attachment", "1", by="test")
    page = portal.post("/send", fax(attachments=[(BytesIO(b"x" * 1025), "long.txt")])).text
    assert "long.txt has 2 KB; an attachment may have at most 1 KB." in beside(page, "attachments")
    assert nothing_is_stored()


def test_body_over_all_limits_is_refused_in_words(portal: Portal) -> None:
    with unit_of_work() as uow:
        set_param(uow, "max_attachment", "1", by="test")
    answer = portal.post("/send", fax(attachments=[(BytesIO(b"x" * 2_000_000), "long.txt")]))
    assert answer.status_code == 413
    assert "Together the files are larger than 1 MB." in answer.text
    assert nothing_is_stored()


def test_stranger_cannot_upload(portal: Portal) -> None:
    token = portal.token("/send")
    portal.post("/signout", {}, page="/inbox")
    answer = portal.client.post("/send", data=fax(csrf_token=token, attachments=[(BytesIO(b"x" * 500_000), "a.txt")]))
    assert answer.status_code in (400, 401, 413)
    assert nothing_is_stored()


def test_user_without_a_number_reads_what_to_do(portal: Portal, world: World) -> None:
    with unit_of_work() as uow:
        uow.session.query(OwnedNumber).filter_by(user_id=world.bob.user_id).delete()
    page = portal.post("/send", fax()).text
    assert "Your account has no fax number yet; ask your administrator for one." in page
    assert nothing_is_stored()


def test_nul_in_a_text_is_dropped(portal: Portal) -> None:
    portal.post("/send", fax(title="a\0b"))
    with reading() as uow:
        assert uow.session.query(Submission).one().title == "ab"


def test_file_name_never_touches_the_disk(portal: Portal) -> None:
    answer = portal.post("/send", fax(attachments=[(BytesIO(TEXT), "../../../x/evil\u202e.txt")]))
    assert answer.status_code == 302
    assert not list(settings().home.rglob("*evil*"))


def test_form_hints_at_comma_and_extension(portal: Portal) -> None:
    page = portal.get("/send").text
    assert "64802994E801" in page
    assert 'aria-describedby="problems-numbers numbers-help"' in page
